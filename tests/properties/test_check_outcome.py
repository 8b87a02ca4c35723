"""`rtsched.testing.check_outcome`: it passes whatever the engine does, and finds what was changed afterwards."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import draws as reference
from strategies import policies, problems, seeds

from rtsched.errors import PolicyError
from rtsched.outcome import JOB_DTYPE, LAYER_DTYPE, STATUSES
from rtsched.policies.roles import Mapper
from rtsched.run import run
from rtsched.testing import draws, outcome_faults

DROPPED, SUPPRESSED = STATUSES.index("dropped"), STATUSES.index("suppressed")


@given(problems(), policies(), seeds, st.booleans())
def test_every_run_passes(problem, policy, seed, layers):
    assert outcome_faults(run(problem, policy, seed=seed, layers=layers)) == []


class BreaksOff(Mapper):
    """Serves the first ready job until it is asked once too often."""

    def __init__(self, n_calls):
        self.n_calls = n_calls

    def start(self, problem):
        return BreaksOff(self.n_calls)

    def key(self, state, row):
        self.n_calls -= 1
        return "no key" if self.n_calls < 0 else 0


@given(problems(), seeds, st.integers(0, 30))
def test_partial_outcomes_pass(problem, seed, n_calls):
    try:
        outcome = run(problem, BreaksOff(n_calls), seed=seed, layers=True)
    except PolicyError as error:
        outcome = error.outcome
    assert outcome_faults(outcome) == []


def changed(outcome, table, field, row, delta):
    rows = getattr(outcome, table).copy()
    rows[field][row] += rows.dtype[field].type(delta) if rows.dtype[field].kind != "f" else rows[field][row] * 1e-6 + 1e-15
    return replace(outcome, **{table: rows})


JOB_FIELDS = [name for name in JOB_DTYPE.names if name != "job"]
LAYER_FIELDS = list(LAYER_DTYPE.names)


@given(problems(), policies(), seeds, st.sampled_from(JOB_FIELDS), st.integers(0, 1000), st.sampled_from([-7, -1, 1, 100]))
def test_no_changed_job_passes(problem, policy, seed, field, row, delta):
    outcome = run(problem, policy, seed=seed, layers=True)
    assume(len(outcome.jobs))
    row %= len(outcome.jobs)
    # When a job was dropped stands nowhere else.
    assume(not (field == "finish_ns" and outcome.jobs["status"][row] == DROPPED))
    assume(0 <= outcome.jobs["status"][row] + delta < len(STATUSES) or field != "status")
    assert outcome_faults(changed(outcome, "jobs", field, row, delta))


@given(problems(), policies(), seeds, st.sampled_from(LAYER_FIELDS), st.integers(0, 1000), st.sampled_from([1, 2, 100]))
def test_no_changed_layer_passes(problem, policy, seed, field, row, delta):
    outcome = run(problem, policy, seed=seed, layers=True)
    assume(len(outcome.layers))
    row %= len(outcome.layers)
    assume(not (field == "finish_ns" and outcome.layers["finish_ns"][row] < 0))
    # Energy cannot tell when a byte costs nothing.
    assume(field != "switch_bytes" or problem.dram_j_per_byte > 0)
    assert outcome_faults(changed(outcome, "layers", field, row, delta))


@given(problems(), seeds, st.integers(0, 3), st.integers(0, 200))
def test_draws_are_those_of_the_reference(problem, seed, task, n):
    task %= problem.n_tasks
    frames = np.arange(n)
    if problem.task_arrival[task] == 0:
        expected = [reference.periodic_release(problem, seed, task, k) for k in range(n)]
        assert draws.root_releases(problem, seed, task, n).tolist() == expected
    if problem.task_arrival[task] == 1:
        gaps = [reference.poisson_gap(problem, seed, task, k) for k in range(n)]
        assert np.diff(draws.root_releases(problem, seed, task, n), prepend=0).tolist() == gaps
    if problem.task_arrival[task] == 4:
        times = problem.trace_ns[problem.trace_first[task] : problem.trace_first[task + 1]].tolist()
        assert draws.root_releases(problem, seed, task, n).tolist() == (times + [2**62] * n)[:n]
    factors = draws.time_factors(problem, seed, task, frames[:, None], np.arange(3)[None])
    expected = [[reference.time_factor(problem, seed, task, k, i) for i in range(3)] for k in range(n)]
    assert (np.ones((n, 3)) if factors is None else factors).tolist() == expected
    assert draws.is_triggered(problem, seed, task, frames).tolist() == [reference.is_triggered(problem, seed, task, k) for k in range(n)]
    assert draws.priorities(problem, seed, task, frames).tolist() == [reference.priority(problem, seed, task, k) for k in range(n)]
