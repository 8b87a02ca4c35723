"""Accelerators that are alike, as one resource, and what layers need of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsched.problem import Problem

__all__ = ["Classes", "classes_of"]


@dataclass(frozen=True, eq=False)
class Classes:
    """Accelerators with the same costs, tiles and port, together.

    Attributes
    ----------
    tiles : ndarray of float64, shape (n_classes,)
        Of all accelerators of the class.
    widest : ndarray of float64, shape (n_classes,)
        Tiles of one accelerator: the most that a layer takes.
    option : ndarray of int64, shape (n_choices,)
        What a layer can choose: a column of `Problem.costs` of each class and number of tiles.
    owner : ndarray of int64, shape (n_choices,)
        The class of each choice.
    n_tiles : ndarray of float64, shape (n_choices,)
    port_bytes_per_ns : ndarray of float64, shape (n_choices,)
    """

    tiles: np.ndarray
    widest: np.ndarray
    option: np.ndarray
    owner: np.ndarray
    n_tiles: np.ndarray
    port_bytes_per_ns: np.ndarray

    @property
    def n(self) -> int:
        """Number of classes."""
        return len(self.tiles)


def classes_of(problem: Problem) -> Classes:
    """Put the accelerators of a problem into classes, in the order of their first ones."""
    found: dict[tuple[bytes, bytes, float], list[int]] = {}
    for a in range(problem.n_accelerators):
        own = problem.costs[:, problem.option_first[a] : problem.option_first[a + 1]]
        key = own["t_iso_ns"].tobytes(), own["dram_bytes"].tobytes(), float(problem.port_bytes_per_ns[a])
        found.setdefault(key, []).append(a)
    first = np.array([members[0] for members in found.values()])
    widest = problem.accelerator_tiles[first].astype(np.int64)
    n_tiles = np.concatenate([np.arange(1, n + 1) for n in widest])
    owner = np.repeat(np.arange(len(first)), widest)
    return Classes(
        tiles=widest * np.array([float(len(members)) for members in found.values()]),
        widest=widest.astype(np.float64),
        option=problem.option_first[first][owner] + n_tiles - 1,
        owner=owner,
        n_tiles=n_tiles.astype(np.float64),
        port_bytes_per_ns=problem.port_bytes_per_ns[first][owner],
    )
