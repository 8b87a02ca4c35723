"""Recorded rates by hand: two layers that share, caps, counters, and what stands where in the table."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of
from reference import roles
from reference.compare import assert_equal_runs, run_reference

import rtsched
from rtsched._core import _testing
from rtsched.compiler import compile_problem
from rtsched.outcome import RATE_DTYPE
from rtsched.platform.platform import Memory
from rtsched.policies.roles import Mapper, Policy, Regulator
from rtsched.run import run
from rtsched.workload.scenario import Scenario, Task


def sharing(arbiter="proportional", peak=10.0, small_ns=100):
    """Alone `big` moves 9 bytes per ns for 100 ns and `small` 3; the memory delivers 10."""
    rows = [
        {"model": model, "layer": "l0", "accelerator": accelerator, "latency_ns": time_ns, "dram_bytes": n_bytes}
        for model, accelerator, time_ns, n_bytes in (("big", "a0", 100, 900), ("small", "a1", small_ns, 3 * small_ns))
    ]
    tasks = tuple(Task(name=name, model=chain(name, 1), trace=(0.0,), deadline_ms=1.0) for name in ("big", "small"))
    scenario = Scenario(name="two", tasks=tasks, duration_s=1e-6)
    return compile_problem(scenario, platform_of(rows, (1, 1), Memory(peak_gb_per_s=peak, arbiter=arbiter)))


def shown(outcome):
    """(time, job, accelerator, demand, allocation, cap) of each row."""
    names = ("time_ns", "job", "accelerator", "demand_bytes_per_ns", "allocation_bytes_per_ns", "cap_bytes_per_ns")
    return [tuple(row) for row in outcome.rates[list(names)].tolist()]


def test_two_layers_share_in_proportion():
    """12 bytes per ns are asked for and 10 delivered: both at 5/6 of their demand, so both take 120 ns."""
    found = shown(run(sharing(), rates=True))
    assert found == [
        (0, 0, 0, 9.0, pytest.approx(7.5), math.inf),
        (0, 1, 1, 3.0, pytest.approx(2.5), math.inf),
        (120, 0, 0, 0.0, 0.0, math.inf),
        (120, 1, 1, 0.0, 0.0, math.inf),
    ]


def test_two_layers_share_fairly():
    """The small one gets its 3 and ends at 100; the big one had 7 until then, and moves the last 200 bytes at 9."""
    found = shown(run(sharing("fair"), rates=True))
    assert found == [
        (0, 0, 0, 9.0, 7.0, math.inf),
        (0, 1, 1, 3.0, 3.0, math.inf),
        (100, 1, 1, 0.0, 0.0, math.inf),
        (100, 0, 0, 9.0, 9.0, math.inf),
        (123, 0, 0, 0.0, 0.0, math.inf),
    ]


class CapTheBig(Regulator):
    """6 bytes per ns for what demands more, as long as it has company."""

    def regulate(self, state):
        demand = state.running.demand_bytes_per_ns
        return np.where((demand > 6.0) & (len(demand) > 1), 6.0, np.inf)


def test_a_cap_leaves_room_for_the_other():
    """The big one has moved 600 bytes when the small one ends, and moves the other 300 without a cap."""
    policy = Policy(mapper=roles.LeastLaxity(), regulator=CapTheBig())
    found = shown(run(sharing(), policy, rates=True))
    assert found == [
        (0, 0, 0, 9.0, 6.0, 6.0),
        (0, 1, 1, 3.0, 3.0, math.inf),
        (100, 1, 1, 0.0, 0.0, math.inf),
        (100, 0, 0, 9.0, 9.0, math.inf),
        (134, 0, 0, 0.0, 0.0, math.inf),
    ]


class LooseCap(Regulator):
    """A cap that binds nobody, and sinks."""

    def regulate(self, state):
        return np.full(state.running.n, 100.0 - state.now_ns / 10)


def test_a_cap_that_changes_has_a_row_even_if_it_does_not_bind():
    found = shown(run(sharing(peak=20.0, small_ns=60), Policy(mapper=roles.LeastLaxity(), regulator=LooseCap()), rates=True))
    assert [(row[0], row[-2], row[-1]) for row in found] == [
        (0, 9.0, 100.0),
        (0, 3.0, 100.0),
        (60, 0.0, math.inf),
        (60, 9.0, 94.0),
        (100, 0.0, math.inf),
    ]


def test_rows_are_kept_on_demand_only():
    assert run(sharing()).rates is None
    outcome = rtsched.simulate("vr_gaming", policy="edf", duration_s=0.1, rates=True)
    assert outcome.rates.dtype == RATE_DTYPE
    assert outcome.layers is None
    assert len(outcome.rates) > 2 * outcome.n_layers


class Never(Mapper):
    waits = True

    def score(self, state):
        return np.full(state.n_ready, -np.inf)


def test_without_layers_there_are_no_rows():
    assert run(sharing(), Never(), rates=True).rates.shape == (0,)


def test_the_end_of_a_run_closes_what_it_cuts():
    problem = problem_of([once("a", "m", 2, deadline_ns=900)], {"m": [[800], [800]]}, dram_bytes=80, drain_s=0.0)
    assert shown(run(problem, rates=True)) == [
        (0, 0, 0, 0.1, 0.1, math.inf),
        (800, 0, 0, 0.0, 0.0, math.inf),
        (800, 0, 0, 0.1, 0.1, math.inf),
        (1000, 0, 0, 0.0, 0.0, math.inf),
    ]


class TwinOfCounted(Regulator):
    """What `_testing.CountedRegulator` does; the reference simulator asks it for its counters too."""

    def regulate(self, state):
        running = state.running
        self.counters = [(1000 + a, 1) for a in running.accelerator.tolist()]
        return np.where(running.demand_bytes_per_ns > 0, 0.5 * running.demand_bytes_per_ns, 1.0)


def test_native_regulators_tell_their_counters():
    tasks = [once(name, "m", 3, deadline_ns=900, period_ns=400) for name in "abc"]
    problem = problem_of(tasks, {"m": [[100, 130]] * 3}, tiles=(1, 1), dram_bytes=90)
    outcome = run(problem, Policy(mapper=roles.LeastLaxity(), regulator=_testing.CountedRegulator()), layers=True, rates=True)
    assert_equal_runs(outcome, run_reference(problem, Policy(mapper=roles.LeastLaxity(), regulator=TwinOfCounted()), 0))
    capped = outcome.rates[np.isfinite(outcome.rates["cap_bytes_per_ns"])]
    assert set(capped["window_cycles"].tolist()) == {1000, 1001}
    assert (capped["threshold"] == 1).all()
    python = run(problem, Policy(mapper=roles.LeastLaxity(), regulator=TwinOfCounted()), rates=True)
    assert not python.rates["window_cycles"].any()  # Python roles have no counters
    for name in ("time_ns", "job", "allocation_bytes_per_ns", "cap_bytes_per_ns"):
        assert (python.rates[name] == outcome.rates[name]).all()
    plain = run(problem, Policy(mapper=roles.LeastLaxity(), regulator=_testing.HalfRegulator()), rates=True)
    assert not plain.rates["window_cycles"].any()


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib, rtsched; "
        "outcome = rtsched.simulate('vr_gaming', policy='dream', duration_s=0.2, rates=True); "
        "print(hashlib.sha256(outcome.rates.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    here = rtsched.simulate("vr_gaming", policy="dream", duration_s=0.2, rates=True).rates
    assert other.strip() == hashlib.sha256(here.tobytes()).hexdigest()
