"""Bootstrap intervals of means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "EQUAL", "N_RESAMPLES", "Estimates", "mean_intervals"]

CONFIDENCE = 0.95
N_RESAMPLES = 9999
RANDOM_SEED = 20_160_829
"""Of the resampling; fixed, so that equal samples get equal intervals."""

BATCH_VALUES = 4_000_000
"""Resampled values that are held at a time: 32 MB."""

EQUAL = 1e-12
"""Relative difference below which values are equal: sums of energies differ by as much with the order of the layers."""

MIN_TAIL = 1e-9
"""Of two or three values the interval goes from the smallest to the largest; 0 would be no number for BCa."""


@dataclass(frozen=True)
class Estimates:
    """Means with their intervals, as arrays of one shape.

    Attributes
    ----------
    mean : ndarray of float64
        NaN where no value is defined.
    low, high : ndarray of float64
        Ends of the interval; NaN for fewer than two values.
    n : ndarray of int64
        Values that are defined.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]

    def __getitem__(self, place: Any) -> Estimates:
        return Estimates(self.mean[place], self.low[place], self.high[place], self.n[place])


def mean_intervals(samples: NDArray[np.float64]) -> Estimates:
    r"""Estimate the mean of each sample with a 95 % bootstrap interval.

    The interval is Efron's BCa [1]_ at Hesterberg's expanded level [2]_: the resampled distribution is narrower than that
    of the mean by :math:`\sqrt{(n-1)/n}` and knows nothing of the uncertainty of the spread, so its tails are cut at
    :math:`\Phi(-\sqrt{n/(n-1)}\, t_{0.025, n-1})` instead of 0.025. How often the interval of 20 values holds the mean
    (nominal: 0.95; 2,000 samples of each distribution):

    ================  ==========  =====  =====  ============  =====================
    distribution      percentile  basic  BCa    expanded BCa  Student's t, for scale
    ================  ==========  =====  =====  ============  =====================
    normal            0.921       0.921  0.923  0.946         0.944
    exponential       0.908       0.892  0.912  0.936         0.919
    gamma, shape 0.5  0.875       0.846  0.901  0.921         0.888
    lognormal         0.865       0.841  0.881  0.904         0.876
    70 % zeros        0.836       0.786  0.869  0.895         0.835
    ================  ==========  =====  =====  ============  =====================

    Among the methods of `scipy.stats.bootstrap` it is the most honest everywhere, and it remains too narrow for strongly
    skewed values. (The studentised bootstrap covers more, but has no bounds when a resample may be constant, as it may be
    when a difference is 0 on most seeds.)

    Parameters
    ----------
    samples : ndarray of float64, shape (n_values, n_samples)
        NaN for values that are not defined; they are left out.

    Returns
    -------
    Estimates
        Of shape (n_samples,). A sample of equal values has the interval that is this value.

    References
    ----------
    .. [1] Efron, "Better Bootstrap Confidence Intervals", J. American Statistical Association 82(397), 1987.
    .. [2] Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015, section 5.3.
    """
    is_there = np.isfinite(samples)
    n = is_there.sum(axis=0)
    mean, low, high = np.full((3, samples.shape[1]), np.nan)
    by_pattern: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(n):
        values = samples[is_there[:, column], column]
        mean[column] = math.fsum(values) / len(values)
        if np.ptp(values) <= EQUAL * np.abs(values).max():
            if n[column] > 1:
                low[column] = high[column] = mean[column]
        else:
            by_pattern.setdefault(is_there[:, column].tobytes(), []).append(int(column))
    # Samples that are defined for the same values are resampled alike, and together.
    for columns in by_pattern.values():
        rows = is_there[:, columns[0]]
        low[columns], high[columns] = _bca(samples[rows][:, columns])
    return Estimates(mean, low, high, n)


def _bca(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of each column, none of which is constant."""
    from scipy.stats import bootstrap, norm, t

    n = len(samples)
    tail = max(norm.cdf(math.sqrt(n / (n - 1)) * t.ppf((1 - CONFIDENCE) / 2, n - 1)), MIN_TAIL)
    found = bootstrap(
        (samples,),
        np.mean,
        axis=0,
        n_resamples=N_RESAMPLES,
        batch=max(1, BATCH_VALUES // samples.size),
        confidence_level=1 - 2 * tail,
        method="BCa",
        random_state=np.random.default_rng(RANDOM_SEED),
    ).confidence_interval
    return found.low, found.high
