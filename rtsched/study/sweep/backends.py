"""Processes that do batches of runs: of this machine, or of a cluster of Dask or Ray, all through joblib."""

from __future__ import annotations

import itertools
import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Any, Literal, get_args

from rtsched.documents import hint
from rtsched.errors import FaultList, InputError
from rtsched.study.many import available_cpus, check_threads
from rtsched.study.sweep.batches import Batch, Done, end_with, run_batch
from rtsched.study.sweep.interrupts import start_trackers, without_ctrl_c

__all__ = ["Backend", "Workers", "check_backend", "opened"]

Backend = Literal["loky", "dask", "ray"]

PACKAGES = {"loky": ("joblib", "study"), "dask": ("distributed", "dask"), "ray": ("ray", "ray")}
"""What each needs beside joblib, and the extra that has it."""

AHEAD = 4
"""Batches per process that a back end is given at a time when it tells results only when all of them are there."""

DIED = "a process that did the runs has died, perhaps because memory ran out; what was finished is kept. --workers N takes fewer"

END_QUIETLY = "from rtsched.study.sweep.interrupts import end_quietly; end_quietly()"
"""What processes of Dask do first."""

Workers = Callable[[Iterator[Batch]], Generator[Done, None, None]]


def check_backend(backend: str, workers: int | None) -> None:
    """Refuse a back end that there is not, and a wrong number of processes.

    Raises
    ------
    rtsched.errors.InputError
        Every fault at once.
    """
    faults = FaultList()
    faults.of(check_threads, workers, "workers")
    if backend not in get_args(Backend):
        faults.add(f"backend: must be one of {', '.join(get_args(Backend))}, got {backend!r:.60}{hint(backend, get_args(Backend))}")
    else:
        for package, extra in dict.fromkeys((PACKAGES["loky"], PACKAGES[backend])):
            if find_spec(package) is None:
                faults.add(f"backend {backend}: needs {package}, which is not installed: pip install 'rtsched[{extra}]'")
    faults.report()


@contextmanager
def opened(backend: Backend, workers: int | None) -> Iterator[tuple[Workers, int]]:
    """Start processes, and end what was started.

    They do not see Ctrl-C: this process does, and ends them.

    Parameters
    ----------
    backend : {"loky", "dask", "ray"}
    workers : int, optional
        Default: the number of available CPUs; of a cluster that is there already, all it has.

    Yields
    ------
    workers : callable
        Does batches as they come, and yields what comes of them, in any order.
    n_workers : int
        About how many batches are done side by side; 1 when they are done in this process.
    """
    with ExitStack() as stack:
        n_workers = workers or available_cpus()
        is_here = backend == "loky" and n_workers == 1
        if not is_here:
            start_trackers()
        with without_ctrl_c():
            if backend == "dask":
                n_workers = stack.enter_context(_dask(workers))
            elif backend == "ray":
                n_workers = stack.enter_context(_ray(workers))
        yield (lambda batches: (run_batch(one) for one in batches) if is_here else _done(backend, n_workers, batches)), n_workers


def _done(backend: Backend, n_workers: int, batches: Iterator[Batch]) -> Generator[Done, None, None]:
    import joblib

    options: dict[str, Any] = {"initializer": end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
    with joblib.parallel_config(backend=backend, n_jobs=n_workers, **options), _told():
        active = joblib.parallel.get_active_backend()[0]
        if backend == "dask":
            active.submit = _with_failures(active.submit)
        if not active.supports_return_generator:
            yield from _in_turns(n_workers, batches)
            return
        with without_ctrl_c():  # the processes start with the first batch
            todo = map(joblib.delayed(run_batch), batches)
            results = joblib.Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1)(todo)
        try:
            for done in results:  # noqa: UP028 - "yield from" would close the results, with their warning
                yield done
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that not all results were wanted
                results.close()


def _with_failures(submit: Callable[..., Any]) -> Callable[..., Any]:
    """Let joblib hear of batches that Dask has given up, for which it would wait for ever."""

    def submitted(batch: Any, callback: Callable[[Any], None]) -> Any:
        future = submit(batch, callback)
        future.add_done_callback(lambda one: None if one.exception() is None else callback(one.exception()))
        return future

    return submitted


def _in_turns(n_workers: int, batches: Iterator[Batch]) -> Iterator[Done]:
    """Some batches after the other, for back ends that cannot yield results as they come."""
    import joblib

    while some := list(itertools.islice(batches, AHEAD * n_workers)):
        with without_ctrl_c():
            parallel = joblib.Parallel(batch_size=1)
        yield from parallel(map(joblib.delayed(run_batch), some))


@contextmanager
def _dask(workers: int | None) -> Iterator[int]:
    """A client of the cluster that is there, or of one of this machine."""
    import dask
    from distributed import Client, LocalCluster, get_client

    with ExitStack() as stack:
        try:
            client = get_client()
        except ValueError:  # there is none
            address = dask.config.get("scheduler-address", None)
            if address is None:
                cluster = LocalCluster(
                    n_workers=workers or available_cpus(),
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",  # that of another cluster may be taken, which would be told
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                    preload=END_QUIETLY,
                )
                address = stack.enter_context(cluster)
            try:
                client = stack.enter_context(Client(address, timeout="10s"))
            except (OSError, ValueError) as error:
                raise InputError(f"backend dask: no scheduler answers at {address}") from error
        yield workers or max(1, sum(client.nthreads().values()))


@contextmanager
def _ray(workers: int | None) -> Iterator[int]:
    """The cluster that is there (RAY_ADDRESS), or one of this machine."""
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    is_there = ray.is_initialized()
    if not is_there:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if not is_there:
            ray.shutdown()


@contextmanager
def _told() -> Iterator[None]:
    """Turn the death of a process into a message."""
    try:
        yield
    except BrokenProcessPool as error:
        raise InputError(DIED) from error
    except Exception as error:
        if type(error).__name__ not in ("KilledWorker", "WorkerCrashedError", "RayActorError", "ActorDiedError"):
            raise
        raise InputError(DIED) from error
