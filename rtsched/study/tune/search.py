"""Differential evolution over the settings of a policy, every trial on the same seeds."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsched.metrics import SCALARS
from rtsched.outcome import Outcome
from rtsched.policies.registry import configure
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.study.many import ManyInterrupted, simulate_many
from rtsched.study.sweep.sampling import unit_points
from rtsched.study.tune.ranges import Range, value_of

__all__ = ["MIN_TRIALS", "Trials"]

MIN_TRIALS = 5
"""Differential evolution needs as many points."""

POINTS, POINTS_PER_RANGE = 10, 5
"""Of a generation: at least the first, and at least as many for each range."""

TOLERANCE = 1e-3
"""The search ends when the metric spreads by less than this part of its mean over a generation."""

Values = tuple[float, ...]


class Trials:
    """Settings that were tried, each under all seeds.

    Parameters
    ----------
    problem : Problem
    policy : Policy
        With its own settings.
    ranges : sequence of Range
    metric : str
        Its mean over the seeds is what is made better.
    seeds : sequence of int
    at_most : int
        Settings that are tried, beside the policy's own.
    threads : int, optional
    progress : callable, optional
        Called about every 50 ms with the number of finished runs, and of all at most.

    Attributes
    ----------
    means : dict of values to float
        In the order in which they were tried, the policy's own first. NaN where the metric is undefined under a seed.
    """

    def __init__(
        self,
        problem: Problem,
        policy: Policy,
        ranges: Sequence[Range],
        metric: str,
        seeds: Sequence[int],
        *,
        at_most: int,
        threads: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._problem, self._policy, self._ranges, self._seeds = problem, policy, tuple(ranges), tuple(seeds)
        self._metric, self._at_most = SCALARS[metric], at_most
        self._threads, self._progress = threads, progress
        self._own = tuple(value_of(policy, one.path) for one in ranges)
        self.means: dict[Values, float] = {}

    def try_own(self) -> float:
        """Run the policy with its own settings and return the metric's mean."""
        self._run([self._own])
        return self.means[self._own]

    def search(self, seed: int) -> None:
        """Try other settings.

        Parameters
        ----------
        seed : int
            Of the draws of the search.

        Raises
        ------
        KeyboardInterrupt
            Settings that had all seeds are in `means`.
        """
        from scipy.optimize import differential_evolution

        n_points = min(max(POINTS, POINTS_PER_RANGE * len(self._ranges)), self._at_most)
        random = "rng" if "rng" in inspect.signature(differential_evolution).parameters else "seed"  # older than SciPy 1.15
        differential_evolution(
            self._objectives,
            [one.bounds for one in self._ranges],
            init=self._first(n_points, seed),
            maxiter=self._at_most // n_points - 1,
            tol=TOLERANCE,
            polish=False,
            vectorized=True,
            updating="deferred",
            **{random: np.random.default_rng(seed)},
        )

    def best(self) -> Values:
        """The settings with the best mean: the policy's own, or the first that were better than all others."""
        return min(self.means, key=lambda values: self._less_is_better(self.means[values]))

    def named(self, values: Values) -> dict[str, float]:
        """Values by their paths."""
        return dict(zip((one.path for one in self._ranges), values, strict=True))

    def policy_of(self, values: Values) -> Policy:
        """The policy with some settings."""
        return configure(self._policy, self.named(values))

    def _first(self, n_points: int, seed: int) -> NDArray[np.float64]:
        """A Latin hypercube, with the policy's own settings in it where they are within the ranges."""
        bounds = np.array([one.bounds for one in self._ranges], dtype=np.float64)
        points = bounds[:, 0] + unit_points("latin_hypercube", n_points, len(bounds), seed) * (bounds[:, 1] - bounds[:, 0])
        own = [one.position(value) for one, value in zip(self._ranges, self._own, strict=True)]
        if None not in own:
            points[0] = own
        return points

    def _objectives(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """What differential evolution minimises, of some points as columns."""
        points = [tuple(one.at(float(x)) for one, x in zip(self._ranges, column, strict=True)) for column in positions.T]
        self._run(points)
        return np.array([self._less_is_better(self.means[values]) for values in points])

    def _less_is_better(self, mean: float) -> float:
        if math.isnan(mean):
            return math.inf
        return mean if self._metric.better == "less" else -mean

    def _run(self, points: Iterable[Values]) -> None:
        """Run settings that were not tried yet; all seeds of each, in one go for all."""
        todo = [values for values in dict.fromkeys(points) if values not in self.means]
        policies = [self.policy_of(values) for values in todo]
        n_before, n_seeds = len(self.means) * len(self._seeds), len(self._seeds)

        def tell(n_done: int, n_runs: int) -> None:
            if self._progress is not None:
                self._progress(n_before + n_done, (1 + self._at_most) * n_seeds)

        def reduce(outcome: Outcome) -> float:
            return self._metric.of(outcome.metrics)

        runs: list[tuple[Any, int]] = [(policy, seed) for policy in policies for seed in self._seeds]
        try:
            results: list[float | None] = list(simulate_many(self._problem, runs, reduce, threads=self._threads, progress=tell))
        except ManyInterrupted as interruption:
            self._keep(todo, interruption.results)
            raise
        self._keep(todo, results)

    def _keep(self, todo: Sequence[Values], results: Sequence[float | None]) -> None:
        n = len(self._seeds)
        for place, values in enumerate(todo):
            own = [one for one in results[place * n : (place + 1) * n] if one is not None]
            if len(own) == n:
                self.means[values] = math.fsum(own) / n
