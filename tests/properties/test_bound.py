"""Bounds: never below what a policy meets or what all schedules of tiny problems meet, and exact where they must be."""

import heapq

import numpy as np
from builders import chain, once, problem_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.best import TinyJob, most_met
from strategies import policies, problems, seeds

from rtsched.bounds import bound_problem
from rtsched.bounds.jobs import CLOSED, count_jobs
from rtsched.outcome import STATUSES
from rtsched.run import run
from rtsched.workload.scenario import Task

MET = STATUSES.index("met")
known_jobs = problems().filter(lambda problem: not (problem.task_arrival == CLOSED).any())


@given(known_jobs, seeds, st.lists(policies(), min_size=1, max_size=2))
def test_no_policy_meets_more(problem, seed, drawn):
    """Whatever a policy does: contention, switches, drops and backlogs only cost. The jobs are the run's, suppressed ones included."""
    found = bound_problem(problem, seed)
    assert count_jobs(problem, seed) == found.n_jobs
    for policy in [*drawn, "edf", "eft", "srpt"]:
        counts = run(problem, policy, seed=seed).metrics.status_counts
        assert counts.sum(axis=1).tolist() == found.task_jobs.tolist()
        assert (counts[:, MET] <= found.task_possible).all()
        assert counts[:, MET].sum() <= found.n_met


@st.composite
def tiny_jobs(draw, n_accelerators):
    """Two or three jobs of one or two layers; some wait for one before them."""
    time = st.sampled_from([1, 2, 3, None]) if n_accelerators > 1 else st.integers(1, 3)
    row = st.lists(time, min_size=n_accelerators, max_size=n_accelerators).filter(any).map(tuple)
    jobs = []
    for j in range(draw(st.integers(2, 3))):
        parent = draw(st.sampled_from([None, *range(j)]))
        jobs.append(
            TinyJob(
                times=tuple(draw(st.lists(row, min_size=1, max_size=2))),
                deadline_ns=draw(st.integers(2, 7)),
                release_ns=draw(st.integers(0, 3)) if parent is None else 0,
                parent=parent,
                is_from_source=parent is not None and draw(st.booleans()),
            )
        )
    return jobs


def tiny_problem(jobs):
    tasks = []
    for j, job in enumerate(jobs):
        if job.parent is None:
            tasks.append(once(f"t{j}", f"m{j}", len(job.times), deadline_ns=job.deadline_ns, release_ns=job.release_ns))
        else:
            since = "source" if job.is_from_source else "trigger"
            relative = {"deadline_ms": job.deadline_ns * 1e-6, "deadline_from": since}
            tasks.append(Task(name=f"t{j}", model=chain(f"m{j}", len(job.times)), parents=(f"t{job.parent}",), **relative))
    return problem_of(tasks, {f"m{j}": job.times for j, job in enumerate(jobs)})


def use_all(jobs):
    """Whether each accelerator can run something, as cost tables must have it."""
    return all(any(column) for column in zip(*(row for job in jobs for row in job.times), strict=True))


@settings(max_examples=60)
@given(st.integers(1, 2).flatmap(lambda n: tiny_jobs(n).filter(use_all)))
def test_no_schedule_of_a_tiny_problem_meets_more(jobs):
    problem, most = tiny_problem(jobs), most_met(jobs, len(jobs[0].times[0]))
    assert run(problem, "edf").metrics.status_counts[:, MET].sum() <= most
    assert most <= bound_problem(problem).n_met <= len(jobs)


one_layer_jobs = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6), st.integers(1, 30)), min_size=1, max_size=8)
"""Release, time and relative deadline in ns."""


def all_can_be_met(jobs):
    """Whether preemptive EDF meets every deadline, and so whether any schedule does (Dertouzos 1974)."""
    waiting, coming, now = [], sorted(jobs), 0
    while waiting or coming:
        if not waiting:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            release, time, deadline = coming.pop(0)
            heapq.heappush(waiting, (release + deadline, time))
        deadline, left = heapq.heappop(waiting)
        runs = min(left, coming[0][0] - now) if coming else left
        now += runs
        if runs < left:
            heapq.heappush(waiting, (deadline, left - runs))
        elif now > deadline:
            return False
    return True


@given(one_layer_jobs, st.sampled_from([1, 1_000_003]))
def test_all_jobs_of_one_accelerator_exactly_when_edf_meets_all(jobs, unit_ns):
    tasks = [
        once(f"t{j}", f"m{j}", 1, deadline_ns=deadline * unit_ns, release_ns=release * unit_ns, period_ns=10**9)
        for j, (release, _, deadline) in enumerate(jobs)
    ]
    problem = problem_of(tasks, {f"m{j}": [[time * unit_ns]] for j, (_, time, _) in enumerate(jobs)}, duration_s=0.1, drain_s=0.5)
    assert (bound_problem(problem).n_met == len(jobs)) == all_can_be_met(jobs)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 120))
def test_one_deadline_for_all_is_a_knapsack(times, deadline_ns):
    """The shortest first, and a part of the first that does not fit: the optimum to the solver's tolerance, never less."""
    tasks = [once(f"t{j}", f"m{j}", 1, deadline_ns=deadline_ns) for j in range(len(times))]
    problem = problem_of(tasks, {f"m{j}": [[time]] for j, time in enumerate(times)})
    optimum, left = 0.0, deadline_ns
    for time in sorted(time for time in times if time <= deadline_ns):
        optimum += min(1.0, left / time)
        left = max(0, left - time)
    found = bound_problem(problem)
    np.testing.assert_allclose(found.value, optimum, rtol=1e-6)
    assert found.value >= optimum * (1 - 1e-12)
