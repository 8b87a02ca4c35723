"""What `start` must return: the state of a run, whatever the role."""

import numpy as np
import pytest
from builders import once, problem_of
from reference import roles

from rtsched.errors import PolicyError
from rtsched.policies.roles import Policy
from rtsched.run import run

KINDS = {
    "mapper": roles.HashedParameters,
    "dropper": roles.HashedDropper,
    "selector": roles.HashedSelector,
    "regulator": roles.HashedRegulator,
    "tuner": roles.HashedTuner,
}


@pytest.fixture
def problem():
    return problem_of([once("a", "m", 1, deadline_ns=100)], {"m": [[60]]})


def ran(problem, place, kind, **methods):
    made = type("Own", (kind,), methods)(*((1, 50) if place == "tuner" else (1,)))
    return run(problem, Policy(**{"mapper": roles.HashedParameters(1), place: made}))


@pytest.mark.parametrize(("place", "kind"), KINDS.items())
@pytest.mark.parametrize(("start", "got"), [(lambda self, problem: object(), "<object"), (lambda self, problem: type(self), "<class")])
def test_it_must_be_an_object_of_the_role(problem, place, kind, start, got):
    with pytest.raises(PolicyError, match=f"the {place}'s start must return an object with .*, got {got}"):
        ran(problem, place, kind, start=start)


@pytest.mark.parametrize(("place", "kind"), KINDS.items())
def test_a_start_without_an_answer_is_no_absent_role(problem, place, kind):
    with pytest.raises(PolicyError, match=f"the {place}'s start must return the state of a run, got None"):
        ran(problem, place, kind, start=lambda self, problem: None)


def test_a_tuner_must_leave_numbers(problem):
    def tune(self, window, parameters):
        parameters.dtype = np.dtype("S8")

    with pytest.raises(PolicyError, match="tune must leave 1 finite parameters"):
        ran(problem, "tuner", roles.HashedTuner, tune=tune)


def test_scores_beyond_float64_are_inf(problem):
    def score(self, state):
        return np.full(state.n_ready, np.longdouble("1e4000"))

    with pytest.raises(PolicyError, match="score of task 0 frame 0 is inf"):
        ran(problem, "mapper", roles.HashedJobs, score=score)
