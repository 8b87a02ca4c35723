"""A study under way: where its runs are kept, how they are run, and how many of them are new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rtsched.study.reproduce.cells import Case, Stage
from rtsched.study.runner import PlannedRun, RunsInterrupted, run_planned
from rtsched.study.store import Store
from rtsched.study.stored import StoredRun

__all__ = ["Session", "StageInterrupted"]

Progress = Callable[[str, int, int], None]

CHUNK_RUNS = 500
"""Runs that are held whole at a time."""


class StageInterrupted(KeyboardInterrupt):
    """Ctrl-C during a stage; carries what is there of it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__("interrupted")
        self.stage = stage


@dataclass
class Session:
    """Runs stages.

    Attributes
    ----------
    store : Store
    threads : int, optional
        Default: the number of available CPUs.
    progress : callable, optional
        Called with the title of the stage, the runs that were finished now, and how many there are to run at most.
    kept : tuple of str
        Metrics that results have; all when there is none. Many runs are in memory, with their metrics.
    n_new : int
        Runs that were added to the store here, not by another process.
    """

    store: Store
    threads: int | None = None
    progress: Progress | None = None
    kept: tuple[str, ...] = ()
    n_new: int = 0

    def results(self, title: str, planned: Sequence[PlannedRun]) -> list[StoredRun | None]:
        """Run what is missing and return every result; all are there.

        Raises
        ------
        RunsInterrupted
        """

        def tell(n_done: int, n_runs: int) -> None:
            if self.progress is not None:
                self.progress(title, n_done, n_runs)

        before = self.store.n_added
        try:
            keys = run_planned(planned, self.store, threads=self.threads, progress=tell)
        finally:
            self.n_new += self.store.n_added - before
        return self._load(keys)

    def _load(self, keys: Sequence[str | None]) -> list[StoredRun | None]:
        found: list[StoredRun | None] = []
        for first in range(0, len(keys), CHUNK_RUNS):
            for run in self.store.load([key or "" for key in keys[first : first + CHUNK_RUNS]]):
                found.append(None if run is None else self._bare(run))
        return found

    def _bare(self, run: StoredRun) -> StoredRun:
        missing = [name for name in self.kept if name not in run.scalars]
        if missing:
            raise self.store.damage(f"a run of {run.label.policy} on {run.label.scenario} has no {missing[0]}")
        return replace(run, scalars={name: run.scalars[name] for name in self.kept or run.scalars}, tasks=())

    def stage(self, name: str, title: str, cases: Sequence[Case]) -> Stage:
        """Run the missing runs of a stage and return it.

        Raises
        ------
        StageInterrupted
        """
        try:
            found = self.results(title, [case.run for case in cases])
        except RunsInterrupted as interruption:
            known = self._load(interruption.keys)
            raise StageInterrupted(Stage.of(name, title, cases, known)) from None
        return Stage.of(name, title, cases, found)
