"""The split of every job's time: the reference simulator's own count, and what must hold of it for any workload."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import roles
from reference.attribution import Attributing
from strategies import policies, problems, requests, seeds

from rtsched.attribution import PARTS, attribute
from rtsched.run import run


@st.composite
def regulated(draw):
    return replace(draw(policies()), regulator=roles.HashedRegulator(draw(st.integers(0, 100))))


def boundless(problem):
    """The same with more bandwidth than anybody can ask for."""
    return replace(problem, peak_bytes_per_ns=1e30, l2_bytes_per_ns=np.inf)


def attributed(problem, policy, seed):
    return attribute(run(problem, policy, seed=seed, layers=True, rates=True))


@given(problem=problems(), policy=regulated(), seed=seeds, is_fair=st.booleans())
def test_every_part_is_the_reference_simulator_s(problem, policy, seed, is_fair):
    problem = replace(problem, is_fair=is_fair)
    found = attributed(problem, policy, seed)
    own = found.outcome.jobs[found.jobs["job"]]
    expected = Attributing(problem, policy, seed).run().parts
    for task, frame, parts in zip(own["task"].tolist(), own["frame"].tolist(), found.parts_ns.tolist(), strict=True):
        assert dict(zip(PARTS, parts, strict=True)) == {part: expected[task, frame][part] for part in PARTS}


@given(st.one_of(problems(), requests()), st.one_of(policies(), regulated()), seeds)
def test_parts_are_not_negative_and_sum_to_the_response_time(problem, policy, seed):
    found = attributed(problem, policy, seed)
    jobs = found.outcome.jobs
    own = jobs[found.jobs["job"]]
    assert found.jobs["job"].tolist() == [row for row, status in enumerate(jobs["status"]) if status <= 1]
    assert (found.parts_ns >= 0).all()
    np.testing.assert_array_equal(found.parts_ns.sum(axis=1), found.jobs["response_ns"])
    np.testing.assert_array_equal(found.parts_ns[:, :-1].sum(axis=1), own["finish_ns"] - own["release_ns"])
    np.testing.assert_array_equal(found.jobs["lateness_ns"], own["finish_ns"] - own["deadline_ns"])
    np.testing.assert_array_equal(found.jobs["lateness_ns"] > 0, found.is_late)
    assert not found.jobs["cascade_ns"][~problem.task_from_source[own["task"]]].any()


@given(problems(), policies(), seeds)
def test_nobody_is_regulated_without_a_regulator(problem, policy, seed):
    assert not attributed(problem, replace(policy, regulator=None), seed).jobs["regulation_ns"].any()


@given(problems(), st.one_of(policies(), regulated()), seeds)
def test_there_is_no_contention_where_bandwidth_is_infinite(problem, policy, seed):
    assert not attributed(boundless(problem), policy, seed).jobs["contention_ns"].any()


@given(problems(), st.one_of(policies(), regulated()), seeds)
def test_tables_by_task_are_sums_of_the_rows(problem, policy, seed):
    found = attributed(problem, policy, seed)
    task = found.outcome.jobs["task"][found.jobs["job"]]
    for one in range(problem.n_tasks):
        own, late = task == one, (task == one) & (found.jobs["lateness_ns"] > 0)
        assert found.n_late[one] == late.sum()
        assert found.finished_ns[one].tolist() == found.parts_ns[own].sum(axis=0).tolist()
        assert found.late_ns[one].tolist() == found.parts_ns[late].sum(axis=0).tolist()
        decisive = [(found.parts_ns[late, i] >= found.jobs["lateness_ns"][late]).sum() for i in range(len(PARTS))]
        assert found.n_decisive[one].tolist() == decisive
