"""What a check has found: texts that name the rule, the job, layer or tile, and the numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from rtsched.outcome import Outcome

__all__ = ["DROPPED", "LATE", "MET", "NEVER_NS", "SUPPRESSED", "UNFINISHED", "Findings"]  # fmt: skip

MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(5)
"""Codes of `rtsched.outcome.STATUSES`."""

NEVER_NS = 2**62
"""Later than any time of a run: the end of what has none."""

MAX_SHOWN = 3
"""Of one rule's faults; the rest is counted. Whoever breaks a rule tends to break it everywhere."""


class Findings:
    """The outcome under examination, its faults so far, and what several checks need of it.

    Parameters
    ----------
    outcome : Outcome

    Attributes
    ----------
    faults : list of str
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.problem, self.jobs = outcome, outcome.problem, outcome.jobs
        self.faults: list[str] = []

    def add(self, rule: str, fault: str) -> None:
        """Enter one fault."""
        self.faults.append(f"{rule}: {fault}")

    def add_rows(self, rule: str, is_wrong: np.ndarray, describe: Callable[[int], str]) -> None:
        """Enter a fault per row where `is_wrong`; the first few are described, the others counted."""
        rows = np.flatnonzero(is_wrong)
        for row in rows[:MAX_SHOWN].tolist():
            self.add(rule, describe(row))
        if len(rows) > MAX_SHOWN:
            self.add(rule, f"the same for {len(rows) - MAX_SHOWN:,} more")

    def add_jobs(self, rule: str, is_wrong: np.ndarray, describe: Callable[[int], str], rows: np.ndarray | None = None) -> None:
        """Enter a fault per job; `is_wrong` is for all jobs, or for those in `rows`. `describe` gets the job's row."""
        wrong = np.flatnonzero(is_wrong) if rows is None else rows[is_wrong]
        self.add_rows(rule, np.ones(len(wrong), dtype=bool), lambda i: f"{self.job(wrong[i])}: {describe(int(wrong[i]))}")

    def tile(self, place: int) -> str:
        """Name the tile at this place among those of all accelerators."""
        first = self.problem.option_first
        accelerator = int(np.searchsorted(first, place, side="right")) - 1
        return self.place(accelerator, place - int(first[accelerator]))

    def job(self, row: int) -> str:
        """Name a job."""
        return f"task {self.problem.task_names[self.jobs['task'][row]]!r} frame {self.jobs['frame'][row]}"

    def place(self, accelerator: int, tile: int | None = None) -> str:
        """Name an accelerator or one of its tiles."""
        name = repr(self.problem.accelerator_names[accelerator])
        return name if tile is None else f"{name} tile {tile}"

    def layer(self, row: int) -> str:
        """Name an executed layer."""
        layers = self.layers
        return f"{self.job(layers['job'][row])}, layer {self.problem.layer_names[layers['layer'][row]]!r} at {layers['start_ns'][row]:,} ns"

    @cached_property
    def layers(self) -> np.ndarray:
        """Executed layers; to be read when they were recorded."""
        if self.outcome.layers is None:
            raise ValueError("no layers were recorded")
        return self.outcome.layers

    def rate(self, row: int) -> str:
        """Name a row of the rates."""
        rates = self.rates
        return (
            f"{self.job(rates['job'][row])}, layer {self.problem.layer_names[rates['layer'][row]]!r} from {rates['time_ns'][row]:,} ns on"
        )

    @cached_property
    def rates(self) -> np.ndarray:
        """Changes of rates; to be read when they were recorded."""
        if self.outcome.rates is None:
            raise ValueError("no rates were recorded")
        return self.outcome.rates

    @cached_property
    def layer_end_ns(self) -> np.ndarray:
        """When each executed layer gave its tiles back, or the run ended."""
        return np.where(self.layers["finish_ns"] < 0, self.outcome.end_ns, self.layers["finish_ns"])

    @cached_property
    def n_tiles(self) -> np.ndarray:
        """Number of tiles of each executed layer."""
        count = np.zeros(len(self.layers), dtype=np.int64)
        for tile in range(64):
            count += self.is_on(tile)
        return count

    def is_on(self, tile: int) -> np.ndarray:
        """Which executed layers run on this tile of their accelerator."""
        held: np.ndarray = (self.layers["tiles"] >> np.uint64(tile) & np.uint64(1)).astype(bool)
        return held

    @cached_property
    def layer_costs(self) -> np.ndarray:
        """The cost row of each executed layer."""
        option = self.problem.option_first[self.layers["accelerator"]] + self.n_tiles - 1
        rows: np.ndarray = self.problem.costs[self.layers["layer"], option]
        return rows

    @cached_property
    def is_first(self) -> np.ndarray:
        """Which executed layers are the first of their job."""
        job = self.layers["job"]
        return np.concatenate([[True], job[1:] != job[:-1]]) if len(job) else np.zeros(0, dtype=bool)

    @cached_property
    def task_rows(self) -> np.ndarray:
        """Row of each task's first job, and the number of jobs behind: the table is ordered by task."""
        return np.searchsorted(self.jobs["task"], np.arange(self.problem.n_tasks + 1))

    def rows_of(self, task: int) -> np.ndarray:
        """Rows of a task's jobs."""
        return np.arange(self.task_rows[task], self.task_rows[task + 1])

    def released_rows(self, task: int) -> np.ndarray:
        """Rows of a task's released jobs, in the order of release."""
        rows = self.rows_of(task)
        rows = rows[self.jobs["status"][rows] != SUPPRESSED]
        ordered: np.ndarray = rows[np.lexsort((self.jobs["frame"][rows], self.jobs["release_ns"][rows]))]
        return ordered

    def find(self, task: int, frames: np.ndarray) -> np.ndarray:
        """Rows of a task's jobs of these frames; -1 where there is none."""
        own = self.jobs["frame"][self.task_rows[task] : self.task_rows[task + 1]]
        if not len(own):
            return np.full(len(frames), -1)
        at = np.minimum(np.searchsorted(own, frames), len(own) - 1)
        return np.where(own[at] == frames, at + self.task_rows[task], -1)
