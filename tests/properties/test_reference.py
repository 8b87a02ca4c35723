"""The compiled engine gives the reference simulator's integers on generated workloads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import roles
from reference.compare import assert_equal_runs, run_reference
from strategies import policies, problems, requests, seeds

from rtsched.policies.registry import configure, load_policy
from rtsched.policies.roles import Policy
from rtsched.run import run
from rtsched.testing import check_outcome


@given(problems(), policies(), seeds)
def test_all_roles(problem, policy, seed):
    assert_equal_runs(run(problem, policy, seed=seed, layers=True, rates=True), run_reference(problem, policy, seed))


VARIANTS = [
    *((name, {}) for name in sorted(roles.TWINS)),
    ("dysta", {"beta": 2.0}),
    ("herald", {"objective": "energy"}),
    ("herald", {"objective": "edp", "balance": 2.0}),
    ("herald", {"balance": 1.3}),
    ("planaria", {"mode": "temporal"}),
    ("planaria", {"mode": "temporal", "late": "replay", "priority_offset": 0}),
    ("planaria", {"mode": "spatial", "priority_offset": 0}),
    ("prema", {"mode": "replay"}),
    ("prema", {"classes": (0.5, 2.0, 4.0, 7.0), "mode": "replay"}),
    ("sdrm3", {"late": "replay", "alpha": 0.25}),
    ("veltair", {"layers": 3}),
]


@pytest.mark.parametrize(("name", "given_settings"), VARIANTS, ids=str)
@settings(max_examples=settings.default.max_examples // 3)  # there are many of them
@given(problem=problems(), seed=seeds)
def test_native_policies(name, given_settings, problem, seed):
    native = configure(load_policy(name), {f"mapper.{key}": value for key, value in given_settings.items()})
    twin = Policy(mapper=roles.TWINS[name](**given_settings))
    assert_equal_runs(run(problem, native, seed=seed, layers=True), run_reference(problem, twin, seed))


@given(problem=requests(), seed=seeds, name=st.sampled_from(sorted(roles.TWINS)))
def test_replays(problem, seed, name):
    """Recorded times and sparsity; requests that come in between layers, some at the instant of an end."""
    twin = Policy(mapper=roles.TWINS[name]())
    outcome = run(problem, name, seed=seed, layers=True, rates=True)
    assert_equal_runs(outcome, run_reference(problem, twin, seed))
    check_outcome(outcome)


@given(problem=requests(), policy=policies(), seed=seeds)
def test_replays_with_all_roles(problem, policy, seed):
    assert_equal_runs(run(problem, policy, seed=seed, layers=True, rates=True), run_reference(problem, policy, seed))


@given(problems(), seeds)
def test_roles_see_the_same(problem, seed):
    """Every column of the view, in every hook."""
    core, twin = roles.Spy(), roles.Spy()
    run(problem, core, seed=seed)
    run_reference(problem, Policy(mapper=twin), seed)
    assert core.seen == twin.seen
