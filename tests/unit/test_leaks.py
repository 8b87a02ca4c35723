"""Memory: many small runs of every kind leave nothing behind."""

import ctypes
import gc
import os
import sys
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from reference import roles
from strategies import python_policies

import rtsched
from rtsched.compiler import compile_problem
from rtsched.errors import PolicyError
from rtsched.inputs import load_inputs
from rtsched.policies.registry import policy_names
from rtsched.policies.roles import Dropper, Mapper, Policy, Regulator, Selector, Tuner
from rtsched.run import Interrupted, run

N_RUNS = 16
N_ROUNDS = 7


class MallocInfo(ctypes.Structure):
    """What glibc's mallinfo2 answers, in bytes and numbers of blocks."""

    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


def mallinfo2():
    """Return glibc's function of this name, or None: other C libraries have none, and a sanitizer's malloc counts nothing."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is not None:
        function.restype = MallocInfo
    return function if function is not None and function().uordblks > 0 else None


def malloc_bytes():
    """Bytes that C code and large Python objects hold."""
    info = mallinfo2()()
    return info.uordblks + info.hblkhd


# What to measure, and the growth per run that is a leak. The smallest block that malloc gives takes 32 bytes. Small Python
# objects have an allocator of their own, which malloc does not see; Python's caches grow by up to one of them per run for
# hundreds of runs, and a view or an engine that stays is many.
GAUGES = []
if mallinfo2() is not None:
    GAUGES.append((malloc_bytes, 16))
if hasattr(sys, "getallocatedblocks"):
    GAUGES.append((sys.getallocatedblocks, 2))


def growth(work):
    """What each gauge grows by per call of `work`: the second least of some rounds.

    A leak grows in all of them; some fill caches, and now and then one empties them.
    """
    points = []
    for _ in range(N_ROUNDS + 2):
        for _ in range(N_RUNS):
            work()
        gc.collect()
        points.append([measure() for measure, _ in GAUGES])
    return np.sort(np.diff(points[1:], axis=0), axis=0)[1] / N_RUNS


def leaked(grown):
    """Return the names of the gauges that grew too much."""
    return [measure.__name__ for (measure, bound), by in zip(GAUGES, grown, strict=True) if by >= bound]


@pytest.fixture(scope="module")
def problem():
    """Three tasks, a cascade and a Supernet among them, for some dozen layers."""
    return rtsched.compile("vr_gaming", duration_s=0.01)


class Raises:
    """A role of any kind that raises at its first call, or in `start`."""

    def __init__(self, error=ValueError, when="later"):
        self.error, self.when = error, when

    def start(self, problem):
        if self.when == "start":
            raise self.error
        return self

    def fail(self, *state):
        raise self.error

    score = drop = select = regulate = tune = fail


class RaisingMapper(Raises, Mapper):
    score = Raises.fail


class RaisingDropper(Raises, Dropper):
    drop = Raises.fail


class RaisingSelector(Raises, Selector):
    select = Raises.fail


class RaisingRegulator(Raises, Regulator):
    regulate = Raises.fail


class RaisingTuner(Raises, Tuner):
    window_ns = 1000
    tune = Raises.fail


class Answers(Mapper):
    def __init__(self, answer):
        self.answer = answer

    def score(self, state):
        return np.full(state.n_ready, self.answer)


class Misplaces(Mapper):
    def assign(self, state, dispatches):
        for row in range(state.n_ready):
            dispatches.append(row, 99)


class Window(roles.HashedTuner):
    def __init__(self):
        super().__init__(0, 0)


PARAMETERS = roles.HashedParameters(0)
FAILING = {
    "mapper": Policy(RaisingMapper()),
    "start": Policy(RaisingMapper(when="start")),
    "start of the last role": Policy(PARAMETERS, tuner=RaisingTuner(when="start")),
    "Ctrl-C": Policy(RaisingMapper(KeyboardInterrupt)),
    "dropper": Policy(roles.LeastLaxity(), dropper=RaisingDropper()),
    "selector": Policy(roles.LeastLaxity(), selector=RaisingSelector()),
    "regulator": Policy(roles.LeastLaxity(), regulator=RaisingRegulator()),
    "tuner": Policy(PARAMETERS, tuner=RaisingTuner()),
    "not a number": Policy(Answers(np.nan)),
    "wrong shape": Policy(Answers(np.zeros((3, 1, 1)))),
    "wrong dispatch": Policy(Misplaces()),
    "wrong window": Policy(PARAMETERS, tuner=Window()),
    "no parameters": Policy(roles.LeastLaxity(), tuner=roles.HashedTuner(0, 5000)),
}


def failing_run(problem, policy):
    """Run what fails."""
    try:
        run(problem, policy, layers=True, rates=True)
    except (ValueError, PolicyError, Interrupted):
        return
    raise AssertionError(f"{policy} runs well")


def kinds_of_work(problem):
    """Yield a name and something to do, for every kind of work."""
    for name in policy_names():
        yield name, lambda name=name: run(problem, name, layers=True, rates=True)
    for policy in python_policies():
        yield policy.name, lambda policy=policy: run(problem, policy, layers=True, rates=True)
    for name, policy in FAILING.items():
        yield f"fails: {name}", lambda policy=policy: failing_run(problem, policy)
    yield "no records", lambda: run(problem, "edf")
    yield "stopped", lambda: run(problem, "dream+moca", stop=lambda: True, chunk_events=5, layers=True, rates=True)


NAMES = [name for name, _ in kinds_of_work(None)]


@pytest.mark.skipif(not GAUGES, reason="needs glibc's mallinfo2 or CPython's sys.getallocatedblocks")
@pytest.mark.parametrize("name", NAMES)
def test_runs_leave_nothing_behind(problem, name):
    grown = growth(dict(kinds_of_work(problem))[name])
    assert not leaked(grown), grown


@pytest.mark.skipif(mallinfo2() is None, reason="needs glibc's mallinfo2")
@pytest.mark.parametrize("scenario", ["vr_gaming", "moca_a"])
def test_compiling_leaves_nothing_behind(scenario):
    """No count of Python's objects, which caches of NumPy's and Python's own fill for hundreds of calls."""
    inputs = load_inputs(scenario, None)
    grown = growth(lambda: compile_problem(*inputs))
    assert "malloc_bytes" not in leaked(grown), grown


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm")
def test_a_thousand_runs_leave_the_process_as_large_as_it_was(problem):
    """By whatever way memory was taken: less than 1 MB, which is 1 kB per run."""

    def resident_bytes():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    works = cycle(work for _, work in kinds_of_work(problem))
    for work in islice(works, 1000):
        work()
    gc.collect()
    before = resident_bytes()
    for work in islice(works, 1000):
        work()
    gc.collect()
    assert resident_bytes() - before < 1_000_000
