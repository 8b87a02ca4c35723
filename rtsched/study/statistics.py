"""Values of several policies under the same seeds: means, paired differences, ranks with ties, and how many seeds would do.

Policies saw the same frames under the same seed (common random numbers), so whatever compares them is taken seed by seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtsched.metrics import SCALARS
from rtsched.study.intervals import CONFIDENCE, EQUAL, Estimates, mean_intervals

__all__ = ["PairedValues", "RankedValues", "estimated", "log_ratios", "seeds_needed"]

MAX_SEEDS = 10**9


class PairedValues:
    """What follows from metrics of policies under the same seeds; a mixin of what has them.

    Attributes
    ----------
    policies, metrics : tuple of str
        Metrics are names in `rtsched.metrics.SCALARS`. The first one ranks.
    values : ndarray of float64, shape (n_metrics, n_policies, n_seeds)
        In the metrics' units; NaN where undefined.
    """

    policies: tuple[str, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]

    @cached_property
    def means(self) -> Estimates:
        """Mean over seeds with its 95 % interval, shape (n_metrics, n_policies)."""
        return estimated(self.values)

    @cached_property
    def differences(self) -> Estimates:
        """Paired difference with its 95 % interval, shape (n_metrics, n_policies, n_policies); [m, i, j] is i minus j.

        The mean, over the seeds for which the metric is defined under both, of the policies' difference under that seed.
        """
        difference = self._paired()
        above = np.triu_indices(len(self.policies), 1)
        half = estimated(difference[:, *above])
        shape = difference.shape[:3]
        mean, low, high = np.zeros((3, *shape))
        n = np.broadcast_to(np.isfinite(self.values).sum(axis=2)[:, :, np.newaxis], shape).copy()
        below = above[::-1]
        mean[:, *above], low[:, *above], high[:, *above], n[:, *above] = half.mean, half.low, half.high, half.n
        mean[:, *below], low[:, *below], high[:, *below], n[:, *below] = 0.0 - half.mean, 0.0 - half.high, 0.0 - half.low, half.n
        return Estimates(mean, low, high, n)

    def _paired(self) -> NDArray[np.float64]:
        """Differences by seed, shape (n_metrics, n_policies, n_policies, n_seeds); 0 where only rounding differs."""
        one, other = self.values[:, :, np.newaxis], self.values[:, np.newaxis]
        difference = one - other
        difference[np.abs(difference) <= EQUAL * np.maximum(np.abs(one), np.abs(other))] = 0.0
        return difference

    @cached_property
    def is_same(self) -> NDArray[np.bool_]:
        """Whether two policies are equal under every seed under which both have a value, shape (n_metrics, n_policies, n_policies)."""
        difference = self._paired()
        is_defined = np.isfinite(difference)
        same: NDArray[np.bool_] = ((difference == 0) | ~is_defined).all(axis=-1) & is_defined.any(axis=-1)
        return same

    @cached_property
    def is_better(self) -> NDArray[np.bool_]:
        """Whether a policy is better than another beyond doubt, shape (n_metrics, n_policies, n_policies); [m, i, j]: i than j.

        The interval of the paired difference leaves out 0 on the better side. When neither is better, the two tie. Ties are
        not transitive: of three policies the first may tie with the second, that with the third, and the first be better than
        the third.
        """
        less = np.array([SCALARS[name].better == "less" for name in self.metrics])[:, np.newaxis, np.newaxis]
        found: NDArray[np.bool_] = np.where(less, self.differences.high < 0, self.differences.low > 0)
        return found

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """1 + number of policies that are better beyond doubt, shape (n_metrics, n_policies); 0 where the metric is undefined."""
        ranks = 1 + self.is_better.sum(axis=1)
        return np.where(self.means.n > 0, ranks, 0)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Policies by rank, then mean, in the first metric; as they were given where these are equal."""
        sign = 1 if SCALARS[self.metrics[0]].better == "less" else -1
        mean, ranks = self.means.mean[0], self.ranks[0]
        keys = [(ranks[i] or len(ranks) + 1, sign * mean[i] if ranks[i] else 0.0) for i in range(len(ranks))]
        return tuple(sorted(range(len(keys)), key=keys.__getitem__))

    def is_tie(self, m: int, i: int, j: int) -> bool:
        """Whether neither of two policies is better beyond doubt, though there are seeds enough to tell."""
        return int(self.differences.n[m, i, j]) > 1 and not self.is_better[m, i, j] and not self.is_better[m, j, i]


@dataclass(frozen=True, eq=False)
class RankedValues(PairedValues):
    """Metrics of policies under the same seeds, and nothing else.

    Attributes
    ----------
    policies, metrics, values
        As for `PairedValues`.
    """

    policies: tuple[str, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]

    def part(self, rows: list[int]) -> RankedValues:
        """Some of the metrics, by their numbers, with what has been computed of them."""
        found = RankedValues(self.policies, tuple(self.metrics[row] for row in rows), self.values[rows])
        found.__dict__.update(means=self.means[rows], differences=self.differences[rows])
        return found


def estimated(values: NDArray[np.float64]) -> Estimates:
    """Estimate the means over the last axis, with their intervals."""
    shape = values.shape[:-1]
    flat = mean_intervals(values.reshape(-1, values.shape[-1]).T)
    return Estimates(flat.mean.reshape(shape), flat.low.reshape(shape), flat.high.reshape(shape), flat.n.reshape(shape))


def log_ratios(values: NDArray[np.float64], baseline: int) -> NDArray[np.float64]:
    """Logarithms of the ratios of policies to one of them, seed by seed, averaged over cells.

    The exponential of their mean over the seeds is the geometric mean of all ratios; its interval is that of resampled seeds, while
    the cells stay as they are.

    Parameters
    ----------
    values : ndarray of float64, shape (n_cells, n_policies, n_seeds)
    baseline : int

    Returns
    -------
    ndarray of float64, shape (n_policies, n_seeds)
        NaN for a policy that has no cell in which both are above 0 under every seed; cells in which they are not are left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values / values[:, [baseline]])
    is_defined: NDArray[np.bool_] = np.asarray(np.isfinite(logs).all(axis=2))
    sums = np.where(is_defined[:, :, np.newaxis], logs, 0.0).sum(axis=0)
    n_cells = is_defined.sum(axis=0)
    found: NDArray[np.float64] = np.where(n_cells[:, np.newaxis] > 0, sums / np.maximum(n_cells, 1)[:, np.newaxis], np.nan)
    return found


def seeds_needed(differences: NDArray[np.float64], half_width: float) -> int | None:
    r"""How many seeds an interval of the mean of paired differences needs to be as narrow as wanted.

    The smallest n with :math:`t_{0.975, n-1}\, s / \sqrt{n} \le` `half_width`, where s is the standard deviation of the differences at
    hand: so it is an estimate itself, and of few seeds a rough one.

    Parameters
    ----------
    differences : ndarray of float64, shape (n_seeds,)
        Of two policies by seed; NaN for those that are undefined.
    half_width : float
        Above 0.

    Returns
    -------
    int or None
        At least 2. None: fewer than two differences are defined, or it takes more than `MAX_SEEDS`.
    """
    from scipy.stats import t

    known = differences[np.isfinite(differences)]
    if len(known) < 2 or not half_width > 0:
        return None
    spread = float(np.std(known, ddof=1))
    if spread <= EQUAL * np.abs(known).max():
        return 2

    def is_enough(n: int) -> bool:
        return float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / math.sqrt(n) <= half_width

    low, high = 1, 2
    while not is_enough(high):
        low, high = high, 2 * high
        if high > MAX_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
