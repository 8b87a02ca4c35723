"""Closed forms: single streams, equal streams, EDF and Moore-Hodgson, and the M/D/1 queue."""

from itertools import permutations

import numpy as np
from builders import chain, once, problem_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rtsched.compiler import compile_problem
from rtsched.cost.table import CostTable, TableCost
from rtsched.outcome import STATUSES
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.run import run
from rtsched.workload.scenario import Scenario, Task


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_one_task_on_one_accelerator_takes_the_sum_of_its_layers(times):
    problem = problem_of([once("t", "m", len(times), deadline_ns=10**6)], {"m": [[time] for time in times]})
    job = run(problem).jobs[0]
    assert job["finish_ns"] - job["release_ns"] == sum(times) == job["isolated_ns"]


@given(k=st.integers(1, 16), t=st.integers(1, 10**6), arbiter=st.sampled_from(["fair", "proportional"]))
def test_k_equal_streams_of_full_demand_take_k_times_as_long(k, t, arbiter):
    tasks = [once(f"t{i}", "m", 1, deadline_ns=10**9, period_ns=10**9) for i in range(k)]
    problem = problem_of(tasks, {"m": [[t] * k]}, dram_bytes=t, memory=Memory(peak_gb_per_s=1.0, arbiter=arbiter))
    outcome = run(problem)
    assert set(outcome.jobs["finish_ns"].tolist()) == {k * t}
    assert outcome.served_bytes == k * t


one_layer_jobs = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 200)), min_size=1, max_size=7)


def one_machine(jobs):
    """Jobs (time, deadline) that are all released at 0 on one accelerator."""
    tasks = [once(f"t{i}", f"m{i}", 1, deadline_ns=deadline) for i, (_, deadline) in enumerate(jobs)]
    return problem_of(tasks, {f"m{i}": [[time]] for i, (time, _) in enumerate(jobs)})


@given(one_layer_jobs)
def test_edf_minimises_maximum_lateness(jobs):
    def worst(order):
        ends = np.cumsum([jobs[i][0] for i in order])
        return max(end - jobs[i][1] for end, i in zip(ends, order, strict=True))

    done = run(one_machine(jobs), "edf").jobs
    assert (done["finish_ns"] - done["deadline_ns"]).max() == min(worst(order) for order in permutations(range(len(jobs))))


@given(one_layer_jobs)
def test_no_policy_meets_more_than_moore_hodgson(jobs):
    kept, total = [], 0
    for time, deadline in sorted(jobs, key=lambda job: job[1]):
        kept.append(time)
        total += time
        if total > deadline:
            total -= kept.pop(kept.index(max(kept)))
    for policy in ("fcfs", "edf", "llf", "srpt"):
        assert (run(one_machine(jobs), policy).jobs["status"] == STATUSES.index("met")).sum() <= len(kept)


@given(one_layer_jobs)
def test_srpt_minimises_the_mean_latency(jobs):
    latency = run(one_machine(jobs), "srpt").jobs["finish_ns"].sum()
    assert latency == min(np.cumsum([jobs[i][0] for i in order]).sum() for order in permutations(range(len(jobs))))


def queue_waits(n_servers, utilisation, seed, n_jobs=40_000, service_ns=1000):
    """Mean waits in batches of an M/D/c queue: Poisson tasks of one constant layer; one task per server's worth of load."""
    n_tasks = 50
    rate_hz = n_servers * utilisation / (n_tasks * service_ns * 1e-9)
    table = CostTable.from_rows([{"model": "m", "layer": "l0", "accelerator": f"a{a}", "latency_ns": service_ns} for a in range(n_servers)])
    accelerators = tuple(Accelerator(name=f"a{a}", cost=TableCost(rows=table)) for a in range(n_servers))
    platform = Platform(name="queue", accelerators=accelerators, memory=Memory(peak_gb_per_s=1.0))
    tasks = tuple(Task(name=f"t{i}", model=chain("m", 1), rate_hz=rate_hz, deadline_ms=1.0) for i in range(n_tasks))
    scenario = Scenario(name="queue", tasks=tasks, duration_s=n_jobs / (n_tasks * rate_hz))
    jobs = run(compile_problem(scenario, platform), "fcfs", seed=seed).jobs
    jobs = jobs[np.argsort(jobs["release_ns"], kind="stable")][n_jobs // 10 :]
    waits = (jobs["start_ns"] - jobs["release_ns"]) / service_ns
    return np.array([batch.mean() for batch in np.array_split(waits, 30)])


def assert_mean_is(batches, expected):
    """The expectation lies in the 99.9 % interval of the batch means, which itself is narrow."""
    half = stats.t.ppf(0.9995, len(batches) - 1) * batches.std(ddof=1) / np.sqrt(len(batches))
    assert abs(batches.mean() - expected) < half < 0.25 * expected, (batches.mean(), half, expected)


def test_m_d_1_mean_wait():
    """Pollaczek-Khinchine: W = rho / (2 (1 - rho)) services."""
    for seed, rho in enumerate((0.3, 0.6, 0.8)):
        assert_mean_is(queue_waits(1, rho, seed), rho / (2 * (1 - rho)))
