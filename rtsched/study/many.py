"""Many runs of one problem, side by side."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rtsched.errors import InputError, PolicyError
from rtsched.outcome import Outcome
from rtsched.policies.registry import load_policy
from rtsched.problem import Problem
from rtsched.run import run

__all__ = ["ManyInterrupted", "available_cpus", "check_threads", "simulate_many"]

WAIT_S = 0.05
"""Wall time between two looks at the progress."""

GRACE_S = 5.0
"""Wall time that runs have to end after Ctrl-C; the engine needs some 10 ms, a Python role that does not return is left behind."""

ResultT = TypeVar("ResultT")


class ManyInterrupted(KeyboardInterrupt):
    """Ctrl-C during many runs; `results` holds those of the finished ones and None for the others."""

    def __init__(self, results: list[Any]) -> None:
        super().__init__("interrupted")
        self.results = results


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def simulate_many(
    problem: Problem,
    runs: Sequence[tuple[Any, int]],
    reduce: Callable[[Outcome], ResultT],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[ResultT]:
    """Run a compiled problem many times, side by side.

    The engine runs without the GIL, so threads share the problem and still use every CPU; Python roles take turns. The
    results are the same for any number of threads.

    Parameters
    ----------
    problem : Problem
    runs : sequence of (policy, seed)
        As for `run`.
    reduce : callable
        Turns an outcome into what is kept of it, in the thread that made it.
    threads : int, optional
        Default: `available_cpus`.
    progress : callable, optional
        Called every `WAIT_S` in this thread with the number of finished runs and of all.

    Returns
    -------
    list
        What `reduce` returned, in the order of `runs`.

    Raises
    ------
    InputError, PolicyError
        As for `run`, of the first run that fails; names its seed.
    ManyInterrupted
        Ctrl-C; carries the results so far. A Python role that does not return within `GRACE_S` is left behind in its thread.
    """
    check_threads(threads)
    batch = _Batch(problem, runs, reduce)
    # Daemons, so that the process can end although a Python role never returns.
    started: list[threading.Thread] = []
    try:
        for i in range(min(threads or available_cpus(), len(runs))):
            worker = threading.Thread(target=batch.work, name=f"rtsched-{i}", daemon=True)
            worker.start()
            started.append(worker)
        while started:
            alive = [worker for worker in started if worker.is_alive()]
            if progress is not None:
                progress(len(batch.finished), len(runs))
            if not alive:
                break
            alive[0].join(WAIT_S)
    except BaseException as error:  # Ctrl-C, what progress raises, or no more threads
        batch.is_stopped = True
        given_up = time.monotonic() + GRACE_S
        for worker in started:
            worker.join(max(0.0, given_up - time.monotonic()))
        if isinstance(error, KeyboardInterrupt):
            raise ManyInterrupted(list(batch.results)) from None
        raise
    if batch.failures:
        raise batch.failures[min(batch.failures)]
    return batch.results


class _Batch:
    """Runs that several threads take one after the other."""

    def __init__(self, problem: Problem, runs: Sequence[tuple[Any, int]], reduce: Callable[[Outcome], Any]) -> None:
        self._problem = problem
        self._runs = runs
        self._reduce = reduce
        self._next = itertools.count()  # its next() is atomic
        self.results: list[Any] = [None] * len(runs)
        self.failures: dict[int, BaseException] = {}
        self.finished: list[int] = []
        self.is_stopped = False

    def work(self) -> None:
        """Take runs until none is left."""
        while not self.is_stopped and not self.failures:
            place = next(self._next)
            if place >= len(self._runs):
                return
            try:
                self._run(place)
            except BaseException as error:  # reaches the caller of simulate_many
                self.failures[place] = error

    def _run(self, place: int) -> None:
        policy, seed = self._runs[place]

        def stop() -> bool:
            # An earlier run goes on, so that the first failure is the same for any number of threads.
            return self.is_stopped or any(failed < place for failed in tuple(self.failures))

        try:
            outcome = run(self._problem, policy, seed=seed, stop=stop)
        except PolicyError as error:
            failure = PolicyError(f"{error} (seed {seed})")
            failure.outcome = error.outcome
            raise failure from error
        except (Exception, SystemExit) as error:
            error.add_note(f"in the run with policy {load_policy(policy).name!r} and seed {seed}")
            raise
        if outcome.is_complete:
            self.results[place] = self._reduce(outcome)
            self.finished.append(place)


def check_threads(threads: int | None) -> None:
    """Refuse a number of threads below 1.

    Raises
    ------
    InputError
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InputError(f"threads: must be at least 1, got {threads!r:.60}")
