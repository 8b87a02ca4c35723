"""Policies that misbehave in any role end their run normally or with a clear error, in time, and never spoil its result."""

import pytest
from builders import once, problem_of
from fuzz import policies
from fuzz.misbehaviour import METHODS
from fuzz.policies import cases, judge_policy
from fuzz.targets import Broken
from hypothesis import given


@given(cases())
def test_misbehaving_policies(case):
    problem, (wrongs,), salt, seed = case
    judge_policy(problem, wrongs, salt, seed)


@pytest.fixture
def problem():
    tasks = [once(name, "m", 2, deadline_ns=300, release_ns=i, period_ns=400) for i, name in enumerate("abc")]
    return problem_of(tasks, {"m": [[60, 50], [40, None]]}, tiles=(2, 1))


@pytest.mark.parametrize(("method", "answer"), [(method, answer) for method in METHODS for answer in METHODS[method][2]])
def test_every_kind_of_misbehaviour(problem, method, answer):
    for first_call in (0, 2):
        judge_policy(problem, [(method, answer, first_call)], 5, 1)


@pytest.mark.parametrize(
    ("method", "answer"),
    [("score", "one nan"), ("key", "1.5"), ("assign", "same job twice"), ("drop", "twice"), ("regulate", "one 0"), ("tune", "nan")],
)
def test_misbehaviour_takes_effect(problem, method, answer):
    assert judge_policy(problem, [(method, answer, 0)], 5, 1)[0] is False


def test_the_judge_sees_errors_that_are_not_the_policys(problem, monkeypatch):
    def run(*arguments, **options):
        raise TypeError("inside")

    monkeypatch.setattr(policies, "run", run)
    with pytest.raises(Broken, match="TypeError: inside"):
        judge_policy(problem, [("waits", "1", 0)], 5, 1)


def test_the_judge_sees_results_that_cannot_be(problem, monkeypatch):
    run = policies.run

    def spoiled(*arguments, **options):
        outcome = run(*arguments, **options)
        outcome.jobs["finish_ns"] += 1
        return outcome

    monkeypatch.setattr(policies, "run", spoiled)
    with pytest.raises(Broken):
        judge_policy(problem, [("waits", "1", 0)], 5, 1)


def test_the_judge_sees_runs_that_hang(problem, monkeypatch):
    def forever(*arguments, **options):
        while True:
            pass

    monkeypatch.setattr(policies, "run", forever)
    monkeypatch.setattr(policies, "HANG_S", 0.1)
    with pytest.raises(Broken, match="still running after"):
        judge_policy(problem, [("waits", "1", 0)], 5, 1)
