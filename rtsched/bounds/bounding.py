"""The bound of a seed, and the bounds of several."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched._version import __version__
from rtsched.bounds.classes import classes_of
from rtsched.bounds.jobs import Jobs, check_jobs_known, jobs_of
from rtsched.bounds.program import program_of
from rtsched.bounds.solve import MARGIN, optimum_at_most
from rtsched.errors import FaultList
from rtsched.overrides import Settings
from rtsched.platform.platform import Platform
from rtsched.problem import Problem
from rtsched.run import check_seed, compile, sha256_of
from rtsched.workload.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Bound", "bound", "bound_problem", "bounds_of", "check_no_roles"]

WAIT_S = 0.05
"""Wall time between two looks at signals and progress."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The most jobs of a seed's that any scheduler can meet.

    Attributes
    ----------
    problem : Problem
    seed : int
    n_jobs : int
        Jobs that the draws let exist: released ones, and children whether or not their parents end.
    n_met : int
        No schedule has more jobs that end by their deadlines.
    value : float
        The linear program's optimum, or a little more, of which `n_met` is the whole part.
    task_jobs : ndarray of int64, shape (n_tasks,)
        `n_jobs` by task.
    task_possible : ndarray of int64, shape (n_tasks,)
        Of those, the jobs that would be in time if nothing else ran.
    provenance : dict
        ``version``, names, the seed, ``settings`` (what was changed of the inputs, path to value), and a digest of everything.
    """

    problem: Problem = field(repr=False)
    seed: int
    n_jobs: int
    n_met: int
    value: float
    task_jobs: np.ndarray = field(repr=False)
    task_possible: np.ndarray = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)

    def summary(self) -> RenderableType:
        """Table by task, for ``rich.print`` and notebooks."""
        from rtsched.report.bound import summary

        return summary(self)


def bound(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    *,
    seed: int = 0,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | None = None,
) -> Bound:
    """Bound the jobs that any scheduler can meet, by a linear program over intervals; docs/bounds.md has the proof.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    seed : int
        0 to 2**64 - 1: its releases, paths and actual times.
    duration_s, load : float, optional
        Replace the scenario's.
    settings : mapping of path to value, optional
        As for `rtsched.compile`.

    Returns
    -------
    Bound

    Raises
    ------
    InputError
        Every fault of the inputs at once; or a task keeps jobs outstanding, so that which jobs there are depends on the schedule.

    References
    ----------
    Horn, "Some simple scheduling algorithms", Naval Research Logistics Quarterly 21, 1974: intervals between releases and deadlines.
    Lawler and Labetoulle, "On preemptive scheduling of unrelated parallel processors by linear programming", J. ACM 25, 1978.
    """
    faults = FaultList()
    wanted = Settings.of(settings)
    problem = faults.of(compile, scenario, platform, duration_s=duration_s, load=load, settings=wanted.of_problem())
    faults.of(check_no_roles, wanted.roles)
    faults.of(check_seed, seed)
    if problem is not None:
        faults.of(check_jobs_known, problem)
    faults.report()
    assert problem is not None
    return bound_problem(problem, seed, settings=wanted.given(duration_s=duration_s, load=load))


def check_no_roles(roles: Mapping[str, object]) -> None:
    """Refuse settings of roles: a bound holds for every policy.

    Raises
    ------
    rtsched.errors.InputError
    """
    faults = FaultList()
    for path in roles:
        faults.add(f"setting {path!r}: a bound has no policy; only scenario and platform can be changed")
    faults.report()


def bound_problem(problem: Problem, seed: int = 0, *, settings: Mapping[str, Any] | None = None) -> Bound:
    """Bound the jobs of a compiled problem.

    Parameters
    ----------
    problem : Problem
    seed : int
    settings : mapping of path to value, optional
        What was changed to make the problem, for the provenance; it changes nothing here.

    Returns
    -------
    Bound

    Raises
    ------
    InputError
        As for `bound`.
    """
    check_seed(seed)
    classes = classes_of(problem)
    jobs = jobs_of(problem, classes, int(seed))
    value = optimum_at_most(program_of(jobs, classes))
    possible = jobs.can_meet | jobs.can_meet_later
    return Bound(
        problem=problem,
        seed=int(seed),
        n_jobs=jobs.n,
        n_met=min(math.floor(value + MARGIN), int(possible.sum())),
        value=value,
        task_jobs=_by_task(jobs, np.ones(jobs.n, dtype=bool), problem),
        task_possible=_by_task(jobs, possible, problem),
        provenance={
            "version": __version__,
            "scenario": problem.scenario_name,
            "platform": problem.platform_name,
            "seed": int(seed),
            "settings": dict(settings or {}),
            "inputs_sha256": sha256_of(f"{problem.digest} bound {int(seed)}"),
        },
    )


def _by_task(jobs: Jobs, chosen: np.ndarray, problem: Problem) -> np.ndarray:
    return np.bincount(jobs.task[chosen], minlength=problem.n_tasks)


def bounds_of(
    problem: Problem,
    seeds: Sequence[int],
    *,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Bound]:
    """Bound the jobs of several seeds, side by side: the solver works without Python's global lock.

    Parameters
    ----------
    problem : Problem
    seeds : sequence of int
    threads : int
    progress : callable, optional
        Called every `WAIT_S` in this thread with the number of finished seeds and of all.
    settings : mapping of path to value, optional
        As for `bound_problem`.

    Returns
    -------
    list of Bound
        In the order of `seeds`.

    Raises
    ------
    InputError
        As for `bound`.
    KeyboardInterrupt
        Ctrl-C. A program that is being solved is left behind in its thread.
    """
    found: dict[int, Bound] = {}
    failures: dict[int, BaseException] = {}
    places = iter(range(len(seeds)))
    lock = threading.Lock()
    is_stopped = threading.Event()

    def work() -> None:
        while not is_stopped.is_set():
            with lock:
                place = next(places, None)
            if place is None:
                return
            try:
                found[place] = bound_problem(problem, seeds[place], settings=settings)
            except BaseException as error:  # reaches the caller
                failures[place] = error
                is_stopped.set()

    # Daemons, so that the process can end although a program is being solved.
    started = [threading.Thread(target=work, name=f"rtsched-bound-{i}", daemon=True) for i in range(min(threads, len(seeds)))]
    try:
        for worker in started:
            worker.start()
        while alive := [worker for worker in started if worker.is_alive()]:
            if progress is not None:
                progress(len(found), len(seeds))
            alive[0].join(WAIT_S)
    finally:
        is_stopped.set()
    if failures:
        raise failures[min(failures)]
    return [found[place] for place in range(len(seeds))]
