"""What threads share: a problem, policies, the caches of compiling. All begin at once and must find what one alone finds."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest
from builders import chain, problem_of
from strategies import python_policies

import rtsched
from rtsched.policies.registry import policy_names
from rtsched.run import run
from rtsched.study.many import simulate_many
from rtsched.workload.scenario import Task

N_THREADS = 8


@pytest.fixture(scope="module")
def problem():
    return rtsched.compile("vr_gaming", duration_s=0.05)


def at_once(works):
    """Call each in a thread of its own, all of them held until the last has begun."""
    start = threading.Barrier(len(works))

    def after_start(work):
        start.wait(60)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(after_start, works))


def bytes_of(outcome):
    """Return all that a run found."""
    sums = (outcome.task_energy_j, outcome.busy_ns, outcome.task_switches, outcome.task_migrations)
    tables = (outcome.jobs, outcome.layers, outcome.rates, *sums)
    return outcome.provenance, [array.tobytes() for array in tables if array is not None]


def arrays_of(problem):
    return {one.name: value.tobytes() for one in fields(problem) if isinstance(value := getattr(problem, one.name), np.ndarray)}


def test_one_problem_serves_all_policies_at_once(problem):
    before = arrays_of(problem)
    works = [lambda one=one: bytes_of(run(problem, one, seed=3, layers=True, rates=True)) for one in [*policy_names(), *python_policies()]]
    assert at_once(works) == [work() for work in works]
    assert arrays_of(problem) == before


def test_long_tables_are_whole_in_memory_that_runs_before_left():
    """Two layers of 10 ns after each other without end, of which each thread records another number, some more than once."""
    loop = Task(name="loop", model=chain("m", 2), outstanding=1, deadline_ms=1.0)
    problems = {n: problem_of([loop], {"m": [[10]] * 2}, dram_bytes=4, duration_s=n * 1e-8) for n in (150_000, 200_000, 350_000)}

    def check(n):
        outcome = run(problems[n], "fcfs", layers=True, rates=True)
        begins = 10 * np.arange(n)
        ended, rates = outcome.layers[outcome.layers["finish_ns"] <= 10 * n], outcome.rates
        assert np.array_equal(ended["start_ns"], begins)
        assert np.array_equal(ended["job"], np.arange(n) // 2)
        assert np.array_equal(ended["layer"], np.arange(n) % 2)
        started = rates["demand_bytes_per_ns"] > 0
        assert np.array_equal(rates["time_ns"][started][:n], begins)
        assert np.array_equal(rates["job"][~started][:n], np.arange(n) // 2)
        return [outcome.jobs.tobytes(), outcome.layers.tobytes(), rates.tobytes()]

    expected = {n: check(n) for n in problems}
    order = [200_000, 350_000, 150_000, 200_000, 350_000, 200_000]
    assert at_once([lambda n=n: check(n) for n in order]) == [expected[n] for n in order]


@pytest.mark.parametrize("policy", python_policies(), ids=lambda policy: policy.name)
def test_many_runs_share_python_roles(problem, policy):
    jobs = [(policy, seed) for seed in range(2 * N_THREADS)]
    expected = [bytes_of(run(problem, policy, seed=seed)) for _, seed in jobs]
    assert simulate_many(problem, jobs, bytes_of, threads=N_THREADS) == expected


def test_compiling_at_once_gives_the_same_problems():
    scenarios = ["vr_gaming", "ar_social", "moca_a"] * 2
    works = [lambda name=name: arrays_of(rtsched.compile(name, duration_s=0.05)) for name in scenarios]
    assert at_once(works) == [work() for work in works]
