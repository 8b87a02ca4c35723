"""What is worked out of a problem once: for every run, and no longer than the problem is there."""

import gc
import weakref

import pytest
from builders import once, problem_of

from rtsched._core.kept import kept_for
from rtsched.policies.registry import policy_names
from rtsched.run import run


def problem_with(time_ns):
    return problem_of([once("a", "m", 2, deadline_ns=900)], {"m": [[time_ns, time_ns]] * 2}, tiles=(4, 4), dram_bytes=90)


def test_each_problem_has_its_own_answers_and_one_for_what_is_given():
    asked = []

    def total(problem, *given):
        asked.append(given)
        return (int(problem.costs["t_iso_ns"].max()), *given)

    short, long = problem_with(100), problem_with(700)
    for problem, each in ((short, 100), (long, 700), (short, 100)):
        assert kept_for(problem, total) == (each,)
        assert kept_for(problem, total, 3) == (each, 3)
    assert asked == [(), (3,), (), (3,)]


def test_what_failed_is_not_kept():
    answers = [ValueError("first"), 5]

    def fails_once(problem):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    problem = problem_with(100)
    with pytest.raises(ValueError, match="first"):
        kept_for(problem, fails_once)
    assert kept_for(problem, fails_once) == 5


@pytest.mark.parametrize("policy", policy_names())
def test_a_problem_goes_when_nobody_holds_it(policy):
    problem = problem_with(100)
    run(problem, policy)
    gone = weakref.ref(problem)
    del problem
    gc.collect()
    assert gone() is None
