"""Points drawn from a box, uniformly or as a Latin hypercube.

They are made of the raw numbers of PCG64, which NumPy promises to keep, and not of its distributions, which it does not: a study
draws the same points in every version of every library.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Method", "Scale", "on_scale", "unit_points"]

Method = Literal["random", "latin_hypercube"]
Scale = Literal["linear", "log"]

DIGITS = 12
"""Of drawn values; libraries for logarithms differ in the last of 17."""


def unit_points(method: Method, n: int, n_dimensions: int, seed: int) -> NDArray[np.float64]:
    """Draw points of the unit cube.

    The numbers of a dimension follow one another in the stream, so that a further dimension leaves the others as they were.

    Parameters
    ----------
    method : {"random", "latin_hypercube"}
        Independent and uniform; or so that each of `n` equal parts of each dimension has one point, uniform within it (McKay,
        Beckman and Conover, *Technometrics* 21, 1979).
    n : int
    n_dimensions : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (n, n_dimensions)
        In [0, 1).
    """
    stream = np.random.PCG64(seed)
    points = np.empty((n, n_dimensions))
    for column in points.T:
        column[:] = _uniform(stream, n)
        if method == "latin_hypercube":
            part = np.argsort(_uniform(stream, n), kind="stable")
            column[:] = np.minimum((part + column) / n, np.nextafter((part + 1) / n, 0))
    return points


def on_scale(unit: NDArray[np.float64], low: float, high: float, scale: Scale, *, is_integer: bool) -> list[float]:
    """Stretch numbers of [0, 1) to a range.

    Parameters
    ----------
    unit : ndarray of float64
    low, high : float
        Both above 0 on a logarithmic scale.
    scale : {"linear", "log"}
    is_integer : bool
        Whole numbers from `low` to `high`, both among them; on a linear scale all equally likely.

    Returns
    -------
    list of float or int
    """
    end = high + 1 if is_integer else high
    values = np.exp(math.log(low) + unit * (math.log(end) - math.log(low))) if scale == "log" else low * (1 - unit) + end * unit
    if is_integer:
        return [int(one) for one in np.clip(np.floor(values), low, high)]
    return [min(max(float(f"{one:.{DIGITS}g}"), low), high) for one in values]


def _uniform(stream: np.random.PCG64, n: int) -> NDArray[np.float64]:
    """Numbers of [0, 1), with 53 bits."""
    found: NDArray[np.float64] = (stream.random_raw(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found
