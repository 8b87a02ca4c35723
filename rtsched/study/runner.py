"""Planned runs: those that a store has are skipped, the others run on every CPU and are stored as they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtsched.outcome import Outcome
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import compile
from rtsched.study.many import Job, simulate_stream
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel, run_key, stored_run

__all__ = ["PlannedRun", "RunsInterrupted", "run_planned"]


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run that a study needs.

    Attributes
    ----------
    scenario, platform : str
        As for `rtsched.compile`.
    policy : Policy
    seed : int
    load : float
    duration_s : float or None
        None: the scenario's own.
    settings : mapping of path to value
        Changes of the scenario and the platform.
    changes : mapping of path to value
        What was changed to make the policy, for the label; it changes nothing here.
    """

    scenario: str
    platform: str
    policy: Policy
    seed: int
    load: float = 1.0
    duration_s: float | None = 60.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def workload(self) -> tuple[Any, ...]:
        """What its problem is compiled from."""
        return (self.scenario, self.platform, self.load, self.duration_s, json.dumps(self.settings, sort_keys=True))

    def compiled(self) -> Problem:
        """Compile its problem."""
        return compile(self.scenario, self.platform, duration_s=self.duration_s, load=self.load, settings=self.settings)

    def label(self, problem: Problem) -> RunLabel:
        """What the store says about it, and about its compiled problem."""
        changed = {**self.settings, **self.changes}
        duration_s = problem.duration_ns * 1e-9 if self.duration_s is None else self.duration_s
        return RunLabel(self.scenario, self.platform, self.policy.name, self.load, duration_s, self.seed, changed)


class RunsInterrupted(KeyboardInterrupt):
    """Ctrl-C during planned runs. What was finished is in the store.

    Attributes
    ----------
    keys : list of str or None
        In the order of the planned runs; None for those that nobody has looked for yet.
    n_new : int
        Runs that were finished now.
    """

    def __init__(self, keys: list[str | None], n_new: int) -> None:
        super().__init__("interrupted")
        self.keys = keys
        self.n_new = n_new


def run_planned(
    planned: Sequence[PlannedRun],
    store: Store,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Run what is not in the store yet.

    Runs of one problem follow one another, in the order in which their problems first appear. A problem is compiled when its
    turn comes, once, while other threads simulate, and dropped when its runs are done; of an outcome only what is stored
    is kept. So memory does not grow with the number of runs.

    Parameters
    ----------
    planned : sequence of PlannedRun
        The same run may be there several times.
    store : Store
        Each run is added when it ends, in one transaction.
    threads : int, optional
        Default: the number of available CPUs.
    progress : callable, optional
        Called about every 50 ms with the number of runs that were finished now, and of those that were to be run at most.

    Returns
    -------
    list of str
        The key of each planned run in the store.

    Raises
    ------
    InputError, PolicyError
        The inputs are at fault, the store cannot be written, or a policy broke its contract.
    RunsInterrupted
        Ctrl-C; what was finished is in the store.
    """
    stream = _Stream(planned, store)

    def tell(n_done: int) -> None:
        if progress is not None:
            progress(n_done, len(planned) - stream.n_skipped)

    try:
        simulate_stream(stream.jobs(), stream.take, threads=threads, progress=tell, at_most=len(planned))
    except KeyboardInterrupt:
        raise RunsInterrupted(list(stream.keys), stream.n_stored) from None
    return [key for key in stream.keys if key is not None]


class _Stream:
    """The runs that are missing, one after the other, and what becomes of them."""

    def __init__(self, planned: Sequence[PlannedRun], store: Store) -> None:
        self._planned = planned
        self._store = store
        self._running: dict[int, int] = {}  # place among the jobs: place among the planned runs
        self._lock = threading.Lock()
        self.keys: list[str | None] = [None] * len(planned)
        self.n_skipped = 0
        self.n_stored = 0

    def jobs(self) -> Iterator[Job]:
        """Yield what is missing, by problem."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, one in enumerate(self._planned):
            groups.setdefault(one.workload, []).append(place)
        n_jobs = 0
        for places in groups.values():
            problem = self._planned[places[0]].compiled()
            for place in places:
                self.keys[place] = run_key(problem, self._planned[place].policy, self._planned[place].seed)
            known = self._store.present(key for place in places if (key := self.keys[place]) is not None)
            for place in places:
                if self.keys[place] in known:
                    self.n_skipped += 1
                    continue
                known.add(self.keys[place] or "")
                self._running[n_jobs] = place
                n_jobs += 1
                yield problem, self._planned[place].policy, self._planned[place].seed
            del problem  # before the next one is compiled

    def take(self, job: int, outcome: Outcome, wall_s: float) -> None:
        """Store a finished run."""
        place = self._running.pop(job)
        self._store.add(self.keys[place] or "", stored_run(outcome, self._planned[place].label(outcome.problem), wall_s))
        with self._lock:
            self.n_stored += 1
