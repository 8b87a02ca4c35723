"""Many runs side by side: of one problem, or of several that are made while others run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from rtsched.errors import InputError, PolicyError
from rtsched.outcome import Outcome
from rtsched.policies.registry import load_policy
from rtsched.problem import Problem
from rtsched.run import run

__all__ = ["Job", "ManyInterrupted", "available_cpus", "check_threads", "simulate_many", "simulate_stream"]

WAIT_S = 0.05
"""Wall time between two looks at the progress."""

GRACE_S = 5.0
"""Wall time that runs have to end after Ctrl-C; the engine needs some 10 ms, a Python role that does not return is left behind."""

ResultT = TypeVar("ResultT")

Job = tuple[Problem, Any, int]
"""A problem, a policy and a seed."""


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
    found: dict[int, ResultT] = {}

    def keep(place: int, outcome: Outcome, wall_s: float) -> None:
        found[place] = reduce(outcome)

    def tell(n_done: int) -> None:
        if progress is not None:
            progress(n_done, len(runs))

    try:
        simulate_stream(((problem, policy, seed) for policy, seed in runs), keep, threads=threads, progress=tell, at_most=len(runs))
    except KeyboardInterrupt:
        raise ManyInterrupted([found.get(place) for place in range(len(runs))]) from None
    return [found[place] for place in range(len(runs))]


def simulate_stream(
    jobs: Iterable[Job],
    take: Callable[[int, Outcome, float], None],
    *,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    at_most: int | None = None,
) -> None:
    """Run jobs side by side as they come.

    Parameters
    ----------
    jobs : iterable of (problem, policy, seed)
        Asked for the next one when a thread is free, by one thread at a time. So problems may be compiled there, while other
        threads simulate, and none is kept that is not running.
    take : callable
        Called with the place of a finished run among the jobs, its outcome, and the wall time that it took in s, in the thread
        that made it.
    threads : int, optional
        Default: `available_cpus`. Fewer when the system gives no more.
    progress : callable, optional
        Called every `WAIT_S` in this thread with the number of finished runs.
    at_most : int, optional
        Start no more threads than that.

    Raises
    ------
    InputError, PolicyError
        As for `run`, of the first run that fails; names its seed. Or no thread can be started. And whatever `jobs` and `take` raise.
    KeyboardInterrupt
        Ctrl-C. A Python role that does not return within `GRACE_S` is left behind in its thread.
    """
    check_threads(threads)
    batch = _Batch(jobs, take)
    n_threads = threads or available_cpus()
    # Daemons, so that the process can end although a Python role never returns.
    started: list[threading.Thread] = []
    try:
        for i in range(n_threads if at_most is None else min(n_threads, at_most)):
            worker = threading.Thread(target=batch.work, name=f"rtsched-{i}", daemon=True)
            try:
                worker.start()
            except RuntimeError as error:  # the system gives no more of them
                if not started:
                    raise InputError(f"no thread can be started: {error}") from error
                break
            started.append(worker)
        while started:
            alive = [worker for worker in started if worker.is_alive()]
            if progress is not None:
                progress(batch.n_finished)
            if not alive:
                break
            alive[0].join(WAIT_S)
    except BaseException:  # Ctrl-C, or what progress raises
        batch.is_stopped = True
        given_up = time.monotonic() + GRACE_S
        for worker in started:
            worker.join(max(0.0, given_up - time.monotonic()))
        raise
    if batch.failures:
        raise batch.failures[min(batch.failures)]


class _Batch:
    """Runs that several threads take one after the other."""

    def __init__(self, jobs: Iterable[Job], take: Callable[[int, Outcome, float], None]) -> None:
        self._jobs = enumerate(jobs)
        self._take = take
        self._lock = threading.Lock()
        self._place = -1
        self.failures: dict[int, BaseException] = {}
        self.n_finished = 0
        self.is_stopped = False

    def work(self) -> None:
        """Take runs until none is left."""
        while (job := self._next()) is not None:
            place = job[0]
            try:
                self._run(*job)
            except BaseException as error:  # reaches the caller
                self.failures[place] = error
            del job  # its problem, while this thread waits for the next one

    def _next(self) -> tuple[int, Job] | None:
        """Take the next run; None when no more shall be run."""
        with self._lock:
            if self.is_stopped or self.failures:
                return None
            try:
                found = next(self._jobs, None)
            except BaseException as error:  # of what makes the jobs
                self.failures[self._place + 1] = error
                return None
            if found is not None:
                self._place = found[0]
            return found

    def _run(self, place: int, job: Job) -> None:
        problem, policy, seed = job

        def stop() -> bool:
            # An earlier run goes on, so that the first failure is the same for any number of threads.
            return self.is_stopped or any(failed < place for failed in tuple(self.failures))

        began = time.perf_counter()
        try:
            outcome = run(problem, policy, seed=seed, stop=stop)
        except PolicyError as error:
            failure = PolicyError(f"{error} (seed {seed})")
            failure.outcome = error.outcome
            raise failure from error
        except (Exception, SystemExit) as error:
            error.add_note(f"in the run with policy {load_policy(policy).name!r} and seed {seed}")
            raise
        if outcome.is_complete:
            self._take(place, outcome, time.perf_counter() - began)
            with self._lock:
                self.n_finished += 1


def check_threads(threads: int | None, name: str = "threads") -> None:
    """Refuse a number of threads below 1; `name` is what the caller knows it as.

    Raises
    ------
    InputError
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InputError(f"{name}: must be at least 1, got {threads!r:.60}")
