"""The compiled engine gives the reference simulator's integers on generated workloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import roles
from reference.compare import assert_equal_runs, run_reference
from strategies import problems, seeds

from rtsched.policies.roles import Policy
from rtsched.run import run

MAPPERS = [
    roles.HashedPairs,
    roles.RescoredPairs,
    roles.HashedJobs,
    roles.HashedKeys,
    roles.HashedAssign,
    roles.HashedParameters,
    roles.LeastLaxity,
]


@st.composite
def policies(draw):
    salt = draw(st.integers(0, 100))
    kind = draw(st.sampled_from(MAPPERS))
    mapper = kind() if kind is roles.LeastLaxity else kind(salt)
    tuner = draw(st.sampled_from([None, 777, 5000])) if kind is roles.HashedParameters else None
    return Policy(
        mapper=mapper,
        dropper=roles.HashedDropper(salt) if draw(st.booleans()) else None,
        selector=roles.HashedSelector(salt) if draw(st.booleans()) else None,
        regulator=roles.HashedRegulator(salt) if draw(st.booleans()) else None,
        tuner=roles.HashedTuner(salt, tuner) if tuner else None,
    )


@given(problems(), policies(), seeds)
def test_all_roles(problem, policy, seed):
    assert_equal_runs(run(problem, policy, seed=seed, layers=True), run_reference(problem, policy, seed))


@pytest.mark.parametrize("name", sorted(roles.TWINS))
@given(problem=problems(), seed=seeds)
def test_native_policies(name, problem, seed):
    twin = Policy(mapper=roles.TWINS[name]())
    assert_equal_runs(run(problem, name, seed=seed, layers=True), run_reference(problem, twin, seed))
