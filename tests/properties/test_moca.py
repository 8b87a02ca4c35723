"""MoCA's regulator and scheduler: equal to their rules in plain Python, and what must hold of every allocation."""

from dataclasses import replace

import numpy as np
import pytest
from builders import once, problem_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import moca as twins
from reference import roles
from reference.compare import assert_equal_runs, run_reference
from strategies import problems, seeds

from rtsched.outcome import STATUSES
from rtsched.policies.moca import MocaRegulator, MocaScheduler
from rtsched.policies.roles import Policy, Regulator
from rtsched.policies.static import StaticPartition
from rtsched.run import run

CLOSED = 3  # arrivals that depend on when jobs end
UNFINISHED = STATUSES.index("unfinished")
WEIGHTS = ["max-min", "inverse", "published"]

regulators = st.fixed_dictionaries(
    {
        "weight": st.sampled_from(WEIGHTS),
        "urgency_weight": st.sampled_from([0.0, 1.0, 10.0]),
        "urgency_cap": st.sampled_from([0.0, 1.0, 4.0]),
        "min_share": st.sampled_from([0.001, 0.25, 0.6, 1.0]),
        "clock_ghz": st.sampled_from([0.5, 1.0]),
    }
)
queues = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(["fcfs", "moca", "edf", "dream"]),
        "late": st.sampled_from(["queue", "last"]),
        "patience": st.sampled_from([0.0, 1.0, 2.5]),
    }
)
schedulers = st.fixed_dictionaries(
    {
        "mix": st.booleans(),
        "memory_share": st.sampled_from([0.0, 0.3, 0.5]),
        "groups": st.integers(1, 3),
        "express": st.sampled_from([0, 1, 9, 12]),
        "idle": st.sampled_from(["leave", "take"]),
    }
)


@given(problems(), queues, schedulers, regulators, seeds)
def test_roles_equal_their_twins(problem, queue, scheduler, regulator, seed):
    native = Policy(MocaScheduler(**queue, **scheduler), regulator=MocaRegulator(**regulator))
    twin = Policy(roles.MocaScheduler(**queue, **scheduler), regulator=twins.MocaRegulator(**regulator))
    assert_equal_runs(run(problem, native, seed=seed, layers=True, rates=True), run_reference(problem, twin, seed))


@given(problems(), queues, regulators, seeds)
def test_queues_of_the_static_partition_equal_their_twins(problem, queue, regulator, seed):
    native = Policy(StaticPartition(**queue), regulator=MocaRegulator(**regulator))
    twin = Policy(roles.StaticPartition(**queue), regulator=twins.MocaRegulator(**regulator))
    assert_equal_runs(run(problem, native, seed=seed, layers=True, rates=True), run_reference(problem, twin, seed))


# ---- allocations

asking = st.lists(st.tuples(st.floats(0.01, 100.0), st.floats(0.25, 7.0)), min_size=2, max_size=8)


def shares_of(weight, asks, bandwidth, min_share=0.25):
    """Allocations of layers with such demands and scores, while they ask for more than there is."""
    demands, scores = [d for d, _ in asks], [s for _, s in asks]
    return np.array(twins.MocaRegulator(weight, min_share=min_share).shares(demands, scores, bandwidth, sum(demands) - bandwidth))


@pytest.mark.parametrize("weight", ["max-min", "inverse"])
@given(asks=asking, part=st.floats(0.01, 0.99), min_share=st.floats(0.001, 1.0))
def test_allocations_add_up_to_the_bandwidth_and_keep_to_their_floors(weight, asks, part, min_share):
    demands = np.array([d for d, _ in asks])
    bandwidth = part * demands.sum()
    shares = shares_of(weight, asks, bandwidth, min_share)
    assert shares.sum() == pytest.approx(bandwidth, rel=1e-9)
    assert (shares > 0).all()
    assert (shares <= demands * (1 + 1e-9)).all()
    if min_share * demands.sum() < bandwidth:
        assert (shares >= min_share * demands * (1 - 1e-9)).all()


@pytest.mark.parametrize("weight", WEIGHTS)
@given(asks=asking, part=st.floats(0.01, 0.99), more=st.floats(0.0, 5.0))
def test_a_higher_score_never_gets_less(weight, asks, part, more):
    if weight == "published" and len(asks) > 2:
        asks = asks[:2]
    bandwidth = part * sum(d for d, _ in asks)
    (demand, score), *others = asks
    before = shares_of(weight, asks, bandwidth)[0]
    after = shares_of(weight, [(demand, score + more), *others], bandwidth)[0]
    assert after >= before * (1 - 1e-9)


@given(asking, st.floats(0.3, 0.99))
def test_max_min_is_what_bisection_finds(asks, part):
    demands, scores = [d for d, _ in asks], [s for _, s in asks]
    bandwidth = part * sum(demands)
    found = twins.max_min_by_bisection(demands, scores, [0.25 * d for d in demands], bandwidth)
    assert shares_of("max-min", asks, bandwidth) == pytest.approx(found, rel=1e-9)


class Watched(Regulator):
    """Caps as the twin's, each looked at against what was running."""

    def __init__(self, look, **settings):
        self.look, self.twin = look, twins.MocaRegulator(**settings)

    def regulate(self, state):
        caps = self.twin.regulate(state)
        self.look(state, caps, self.twin.counters)
        return caps


@given(problems(), regulators, seeds)
def test_caps_and_counters(problem, given_settings, seed):
    """No cap without contention; with it the caps together are within the bandwidth, and what 16 bits can say."""
    given_settings = given_settings | {"weight": "max-min"}

    def look(state, caps, counters):
        demand = state.running.demand_bytes_per_ns
        n = int((demand > 0).sum())
        bandwidth = problem.peak_bytes_per_ns * problem.efficiency[min(max(n, 1), len(problem.efficiency)) - 1]
        if demand.sum() <= bandwidth:
            assert np.isinf(caps).all()
            return
        is_clamped = any(window == 65535 for window, _ in counters)
        assert is_clamped or caps[demand > 0].sum() <= bandwidth * (1 + 1e-9)
        for i in np.flatnonzero(demand > 0):
            window, threshold = counters[i]
            assert 1 <= window <= 65535
            assert 1 <= threshold <= 65535
            assert caps[i] == state.running.n_tiles[i] * 16.0 * threshold / window * given_settings["clock_ghz"]

    run(problem, Policy(MocaScheduler(), regulator=Watched(look, **given_settings)), seed=seed)


@settings(max_examples=settings.default.max_examples // 5)  # most problems are none of these
@given(problems(), regulators, seeds)
def test_regulation_changes_no_bytes(problem, regulator, seed):
    """When every job ends, the memory has served the bytes of their layers, whoever was capped: each on its group, so they are known."""
    assume(problem.n_accelerators == 1 and not problem.has_switch and (problem.task_arrival != CLOSED).all())
    problem = replace(problem, end_ns=problem.end_ns + 10**9, task_max_backlog=np.zeros_like(problem.task_max_backlog))
    outcomes = [run(problem, Policy(StaticPartition(), regulator=one), seed=seed) for one in (None, MocaRegulator(**regulator))]
    assert [(one.jobs["status"] == UNFINISHED).any() for one in outcomes] == [False, False]
    assert outcomes[0].served_bytes == outcomes[1].served_bytes


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("n_jobs", [63, 64, 65, 91])
def test_as_many_layers_as_there_are_tiles(weight, n_jobs):
    """More than the regulator looks at side by side; each asks for another part of a bandwidth that is far too small."""
    tasks = [once(f"t{i}", f"m{i}", 2, deadline_ns=20_000 + 500 * i, priority=i % 12) for i in range(n_jobs)]
    problem = problem_of(tasks, {f"m{i}": [[1000 + 37 * i] * 2] * 2 for i in range(n_jobs)}, tiles=(64, 64), dram_bytes=900)
    native = Policy(MocaScheduler(groups=64), regulator=MocaRegulator(weight=weight))
    twin = Policy(roles.MocaScheduler(groups=64), regulator=twins.MocaRegulator(weight=weight))
    outcome = run(problem, native, layers=True, rates=True)
    assert np.unique(outcome.layers["start_ns"], return_counts=True)[1][0] == n_jobs
    assert_equal_runs(outcome, run_reference(problem, twin, 0))


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_late_job_is_as_urgent_as_can_be(weight):
    """Two equal jobs, one past its deadline: it has the larger share, and finite numbers come of no slack."""
    tasks = [once("early", "m", 1, deadline_ns=10**6), once("late", "n", 1, deadline_ns=1)]
    problem = problem_of(tasks, {"m": [[1000, None]], "n": [[None, 1000]]}, dram_bytes=900)
    regulator = MocaRegulator(weight=weight)
    jobs = run(problem, Policy(StaticPartition(), regulator=regulator)).jobs
    early, late = (int(jobs["finish_ns"][jobs["task"] == task][0]) for task in range(2))
    assert 1000 < late < early
    assert late < 2000
