"""The jobs of a seed, known before anything runs: from when, until when, and what they need at least."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsched._core import foresight
from rtsched.bounds.classes import Classes
from rtsched.bounds.needs import Needs, needs_of
from rtsched.errors import InputError
from rtsched.feasibility import roots_first
from rtsched.problem import ARRIVALS, MAX_TIME_NS, Problem

__all__ = ["MAX_JOBS", "Jobs", "check_jobs_known", "count_jobs", "jobs_of"]

MAX_JOBS = 100_000
"""More roots than that would take hours."""

CLOSED = ARRIVALS.index("closed")


@dataclass(frozen=True, eq=False)
class Jobs:
    """Every job that the draws let exist, by task in an order in which parents come first.

    Attributes
    ----------
    task : ndarray of int64, shape (n_jobs,)
    release_ns : ndarray of int64, shape (n_jobs,)
        The earliest under any schedule.
    until_ns : ndarray of int64, shape (n_jobs,)
        The latest finish in time; of a job that counts its deadline from its own release, when its parents are in time too.
    can_meet : ndarray of bool, shape (n_jobs,)
        Whether it can be in time by then when nothing else runs.
    can_meet_later : ndarray of bool, shape (n_jobs,)
        Whether it can be in time after `until_ns`, when a parent was late.
    can_end : ndarray of bool, shape (n_jobs,)
        Whether it can end in the run.
    child, parent : ndarray of int64, shape (n_links,)
        Which jobs release which.
    needs : list of Needs
        By task.
    place : ndarray of int64, shape (n_jobs,)
        Its row there.
    end_ns : int
        Of the run.
    """

    task: np.ndarray
    release_ns: np.ndarray
    until_ns: np.ndarray
    can_meet: np.ndarray
    can_meet_later: np.ndarray
    can_end: np.ndarray
    child: np.ndarray
    parent: np.ndarray
    needs: list[Needs]
    place: np.ndarray
    end_ns: int

    @property
    def n(self) -> int:
        """Number of jobs."""
        return len(self.task)


@dataclass(frozen=True, eq=False)
class _Frames:
    """The jobs of one task, by frame; `first` is the number of the first one among all jobs."""

    first: int
    frame: np.ndarray
    source_ns: np.ndarray
    release_ns: np.ndarray
    until_ns: np.ndarray
    ends_ns: np.ndarray  # the earliest
    can_meet: np.ndarray
    can_meet_later: np.ndarray
    parents: list[np.ndarray]


def check_jobs_known(problem: Problem) -> None:
    """Refuse closed loops.

    Raises
    ------
    rtsched.errors.InputError
        One fault for each.
    """
    loops = [problem.task_names[task] for task in np.flatnonzero(problem.task_arrival == CLOSED)]
    if loops:
        reason = "keeps jobs outstanding, so which jobs there are depends on the schedule; a bound needs to know them"
        raise InputError([f"task {name!r}: {reason}" for name in loops])


def count_jobs(problem: Problem, seed: int) -> int | None:
    """Count the jobs that the draws of a seed let exist; no run of any policy has more, and none depends on the platform's costs.

    Parameters
    ----------
    problem : Problem
    seed : int

    Returns
    -------
    int or None
        None where the schedule decides, in closed loops, and for more than `MAX_JOBS` roots.
    """
    if (problem.task_arrival == CLOSED).any():
        return None
    roots = foresight.root_releases(problem, seed, MAX_JOBS)
    if roots is None:
        return None
    frames: dict[int, np.ndarray] = {}
    for task in roots_first(problem):
        first, end = int(problem.parent_first[task]), int(problem.parent_first[task + 1])
        if first == end:
            frames[task] = np.sort(roots[1][roots[0] == task])
        else:
            frame = frames[int(problem.parent_task[first])]
            frames[task] = frame[foresight.existing(problem, seed, task, frame)]
    return sum(map(len, frames.values()))


def jobs_of(problem: Problem, classes: Classes, seed: int) -> Jobs:
    """Return the jobs of a seed.

    Parameters
    ----------
    problem : Problem
    classes : Classes
    seed : int

    Raises
    ------
    rtsched.errors.InputError
        A task is a closed loop, or there are too many jobs.
    """
    check_jobs_known(problem)
    roots = foresight.root_releases(problem, seed, MAX_JOBS)
    if roots is None:
        raise InputError(f"duration_s: a bound is for at most {MAX_JOBS:,} frames, and more are released; take a shorter one")
    found: dict[int, _Frames] = {}
    needs: dict[int, Needs] = {}
    n_jobs = 0
    for task in roots_first(problem):
        made, needed = _frames_of(problem, classes, seed, task, n_jobs, roots, found)
        found[task], needs[task] = made, needed
        n_jobs += len(made.frame)
    return _put_together(problem, found, [needs[task] for task in range(problem.n_tasks)])


def _frames_of(
    problem: Problem,
    classes: Classes,
    seed: int,
    task: int,
    first: int,
    roots: tuple[np.ndarray, np.ndarray, np.ndarray],
    found: dict[int, _Frames],
) -> tuple[_Frames, Needs]:
    """The jobs of a task, whose parents' are known."""
    parents = [found[int(one)] for one in problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]]]
    deadline_ns, end_ns = int(problem.task_deadline_ns[task]), problem.end_ns
    rows: list[np.ndarray] = []
    if parents:
        frame = parents[0].frame
        frame = frame[foresight.existing(problem, seed, task, frame)]
        rows = [np.searchsorted(one.frame, frame) for one in parents]
        source_ns = parents[0].source_ns[rows[0]]
        release_ns = np.max([one.ends_ns[row] for one, row in zip(parents, rows, strict=True)], axis=0)
    else:
        own = np.flatnonzero(roots[0] == task)
        own = own[np.argsort(roots[1][own])]
        frame, release_ns = roots[1][own], roots[2][own]
        source_ns = release_ns
    if parents and not problem.task_from_source[task]:
        last_ns = np.max([one.until_ns[row] for one, row in zip(parents, rows, strict=True)], axis=0)
        until_ns = np.minimum(last_ns + deadline_ns, end_ns)
        limit_ns = np.minimum(deadline_ns, end_ns - release_ns)
        is_open = until_ns < end_ns
    else:
        until_ns = np.minimum(source_ns + deadline_ns, end_ns)
        limit_ns = until_ns - release_ns
        is_open = np.zeros(len(frame), dtype=bool)
    needed = needs_of(problem, classes, seed, task, frame, limit_ns.astype(np.float64))
    ends_ns = release_ns + np.minimum(needed.least_ns, MAX_TIME_NS).astype(np.int64)
    is_possible = needed.least_ns <= limit_ns
    linked = [one.first + row for one, row in zip(parents, rows, strict=True)]
    return (
        _Frames(first, frame, source_ns, release_ns, until_ns, ends_ns, is_possible & (ends_ns <= until_ns), is_possible & is_open, linked),
        needed,
    )


def _put_together(problem: Problem, found: dict[int, _Frames], needs: list[Needs]) -> Jobs:
    parts = list(found.values())

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in parts])

    links = [(one.first + np.arange(len(row)), row) for one in parts for row in one.parents]
    child, parent = (np.concatenate([np.empty(0, dtype=np.int64), *ends]) for ends in (zip(*links, strict=True) if links else ((), ())))
    return Jobs(
        task=np.repeat(np.array(list(found)), [len(one.frame) for one in parts]),
        release_ns=joined("release_ns"),
        until_ns=joined("until_ns"),
        can_meet=joined("can_meet"),
        can_meet_later=joined("can_meet_later"),
        can_end=joined("ends_ns") <= problem.end_ns,
        child=child,
        parent=parent,
        needs=needs,
        place=np.concatenate([np.arange(len(one.frame)) for one in parts]),
        end_ns=problem.end_ns,
    )
