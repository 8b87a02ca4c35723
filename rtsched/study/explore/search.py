"""The search: which candidate is run under how many seeds.

It takes nothing for granted, neither that more PEs meet more deadlines nor that a mix between two good ones is good: every candidate
runs at least once, and one is left behind only when what it has missed already is too much, or another one is better than it in
everything under all the seeds that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsched.bounds.jobs import count_jobs
from rtsched.compiler import compile_problem
from rtsched.outcome import Outcome
from rtsched.policies.roles import Policy
from rtsched.study.explore.space import Candidate
from rtsched.study.many import Job, simulate_stream
from rtsched.workload.scenario import Scenario

__all__ = ["Search", "dominates", "nondominated"]

Progress = Callable[[str, int, int], None]


def dominates(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a point is at least as good as each of others in everything, less being better, and better in something.

    Parameters
    ----------
    one : ndarray of float64, shape (n_objectives,)
    others : ndarray of float64, shape (n, n_objectives)

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found: NDArray[np.bool_] = np.all(one <= others, axis=1) & np.any(one < others, axis=1)
    return found


def nondominated(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Places of the points that no other one dominates, in ascending order; equal points are all there.

    Parameters
    ----------
    points : ndarray of float64, shape (n, n_objectives)
        Without NaN.
    """
    is_there = np.ones(len(points), dtype=bool)
    for place, one in enumerate(points):
        if is_there[place]:  # what is dominated dominates nothing that its better does not
            is_there &= ~dominates(one, points)
    return np.flatnonzero(is_there)


class Search:
    """Runs of candidates, and what they say so far.

    Parameters
    ----------
    scenario : Scenario
        Its rates do not follow from the platform.
    policy : Policy
    candidates : sequence of Candidate
        The smallest first.
    seeds : sequence of int
    meet : Fraction
        Part of the counting jobs that must be met, over all seeds together.
    threads : int, optional
    progress : callable, optional
        Called about every 50 ms with what is done, how many runs of it are finished, and how many it takes.

    Attributes
    ----------
    counting, violated : ndarray of int64, shape (n_candidates, n_seeds)
        Jobs; -1 where a run is missing. A candidate runs under the first seeds.
    energy_j : ndarray of float64, shape (n_candidates, n_seeds)
        NaN where a run is missing.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        candidates: Sequence[Candidate],
        seeds: Sequence[int],
        meet: Fraction,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._scenario, self._policy, self._seeds = scenario, policy, tuple(seeds)
        self.candidates = tuple(candidates)
        self._allowed = 1 - meet
        self._threads, self._progress = threads, progress
        shape = len(candidates), len(seeds)
        self.counting, self.violated = np.full((2, *shape), -1, dtype=np.int64)
        self.energy_j = np.full(shape, np.nan)
        self._most_jobs: NDArray[np.int64] | None = None

    def search(self) -> None:
        """Run whatever it takes to know the smallest candidate that meets the target, and then the front.

        Raises
        ------
        KeyboardInterrupt
            What was run is there.
        """
        self._run("screening", range(len(self.candidates)), 1)
        self._count_jobs()
        for n_pes, level in groupby(range(len(self.candidates)), key=lambda place: self.candidates[place].n_pes):
            if self._examined(n_pes, list(level)):
                break
        self._complete_front()

    def _examined(self, n_pes: int, level: list[int]) -> bool:
        """Run candidates of one size until each is known to miss the target, or to meet it; return whether one does."""
        n_seeds = len(self._seeds)
        alive = [place for place in level if not self.is_hopeless(place)]
        until = 1
        while alive and until < n_seeds:
            until = min(2 * until, n_seeds)
            self._run(f"platforms of {n_pes:,} PEs", alive, until)
            alive = [place for place in alive if not self.is_hopeless(place)]
        return bool(alive)

    def _complete_front(self) -> None:
        """Run candidates under all seeds until each that did not is dominated by one that did, under the seeds that it had."""
        todo = nondominated(self.objectives(1)).tolist()
        while todo:
            self._run("the front", todo, len(self._seeds))
            todo = self._undominated()

    def _undominated(self) -> list[int]:
        """Candidates that lack seeds, and that none of those with all seeds dominates under the seeds that they had."""
        n_run = self.n_run
        complete = np.flatnonzero(n_run == len(self._seeds))
        found: list[int] = []
        for n in np.unique(n_run[n_run < len(self._seeds)]).tolist():
            points = self.objectives(n)
            lacking = np.flatnonzero(n_run == n)
            for one in points[complete[nondominated(points[complete])]]:
                lacking = lacking[~dominates(one, points[lacking])]
            found += lacking.tolist()
        return sorted(found)

    @property
    def n_run(self) -> NDArray[np.int64]:
        """Under how many of the first seeds each candidate has run, without a gap: shape (n_candidates,)."""
        found: NDArray[np.int64] = np.cumprod(self.counting >= 0, axis=1).sum(axis=1)
        return found

    def _n_run_of(self, place: int) -> int:
        """`n_run` of one candidate."""
        return int(np.cumprod(self.counting[place] >= 0).sum())

    def objectives(self, n: int) -> NDArray[np.float64]:
        """PEs, violation rate and energy per met job of each candidate over the first `n` seeds, shape (n_candidates, 3).

        Without counting jobs nothing is violated. Where nothing is met the energy is infinite, and so it is where a run is missing.
        """
        counting, violated = self.counting[:, :n].sum(axis=1), self.violated[:, :n].sum(axis=1)
        met = counting - violated
        per_met = np.divide(self.energy_j[:, :n].sum(axis=1), met, out=np.full(len(met), np.inf), where=(met > 0) & (self.n_run >= n))
        rate = np.divide(violated, counting, out=np.zeros(len(met)), where=counting > 0)
        return np.stack([np.array([one.n_pes for one in self.candidates], dtype=np.float64), rate, per_met], axis=1)

    def is_hopeless(self, place: int) -> bool:
        """Whether a candidate misses the target whatever the seeds bring that it has not had.

        At best they bring all the jobs that their draws let exist, and each of them is met.
        """
        n = self._n_run_of(place)
        violated, counting = int(self.violated[place, :n].sum()), int(self.counting[place, :n].sum())
        if n < len(self._seeds):
            if self._most_jobs is None:
                return False
            counting += int(self._most_jobs[n:].sum())
        return violated > self._allowed * counting

    def meets(self, place: int) -> bool:
        """Whether a candidate has run under all seeds and meets the target."""
        return self._n_run_of(place) == len(self._seeds) and not self.is_hopeless(place)

    def smallest(self) -> int | None:
        """The candidate that meets the target and is the smallest by `Candidate.size`, then by its energy per met job; None without one."""
        energy_j = self.objectives(len(self._seeds))[:, 2].tolist()
        meeting = [place for place in range(len(self.candidates)) if self.meets(place)]
        return min(meeting, key=lambda place: (*self.candidates[place].size, energy_j[place]), default=None)

    def front(self) -> list[int]:
        """Candidates that ran under all seeds and that none of these dominates, the smallest first."""
        whole = np.flatnonzero(self.n_run == len(self._seeds))
        found: list[int] = whole[nondominated(self.objectives(len(self._seeds))[whole])].tolist()
        return found

    def _count_jobs(self) -> None:
        """Count the jobs of each seed, where draws alone decide which there are; they are the same on every platform."""
        problem = compile_problem(self._scenario, self.candidates[0].platform)
        counts = [count_jobs(problem, seed) for seed in self._seeds]
        if None not in counts:
            self._most_jobs = np.array(counts, dtype=np.int64)

    def _run(self, title: str, places: Sequence[int], until: int) -> None:
        """Run candidates under the seeds up to `until` that they have not had."""
        todo = [(place, n) for place, first in zip(places, self.n_run[list(places)].tolist(), strict=True) for n in range(first, until)]

        def take(job: int, outcome: Outcome, wall_s: float) -> None:
            metrics = outcome.metrics
            self.violated[todo[job]] = metrics.n_violated.sum()
            self.energy_j[todo[job]] = metrics.total_energy_j
            self.counting[todo[job]] = metrics.n_counting.sum()

        def tell(n_done: int) -> None:
            if self._progress is not None:
                self._progress(title, n_done, len(todo))

        simulate_stream(self._jobs(todo), take, threads=self._threads, progress=tell, at_most=len(todo))

    def _jobs(self, todo: Sequence[tuple[int, int]]) -> Iterator[Job]:
        for place, runs in groupby(todo, key=lambda run: run[0]):
            problem: Any = compile_problem(self._scenario, self.candidates[place].platform)
            for _, n in runs:
                yield problem, self._policy, self._seeds[n]
