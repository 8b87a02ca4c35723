"""What the bases of native roles do: nothing, each as its docstring says."""

from dataclasses import replace

import numpy as np
import pytest

import rtsched
from rtsched._core.roles import NativeDropper, NativeMapper, NativeRegulator, NativeSelector, NativeTuner
from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Mapper, Policy
from rtsched.run import run


class Alike(Mapper):
    """Rates every job on every accelerator the same."""

    def score(self, state):
        return np.zeros(state.n_ready)


@pytest.fixture(scope="module")
def problem():
    """A Supernet and a cascade among its tasks, and a load under which jobs are late."""
    return rtsched.compile("vr_gaming", duration_s=1.2, load=2.0)


def executed(problem, policy):
    outcome = run(problem, policy, layers=True)
    return outcome.jobs.tobytes(), outcome.layers.tobytes()


def test_the_mapper_rates_all_jobs_alike(problem):
    assert executed(problem, Policy(NativeMapper())) == executed(problem, Policy(Alike()))
    assert executed(problem, Policy(NativeMapper())) != executed(problem, "edf")


@pytest.mark.parametrize(("place", "role"), [("dropper", NativeDropper), ("selector", NativeSelector), ("regulator", NativeRegulator)])
def test_a_role_that_changes_nothing(problem, place, role):
    bare = load_policy("edf")
    assert getattr(bare, place) is None
    assert executed(problem, replace(bare, **{place: role()})) == executed(problem, bare)


def test_the_tuner_changes_nothing_each_second(problem):
    fixed, tuned = load_policy("dream-mapscore"), replace(load_policy("dream-mapscore"), tuner=NativeTuner())
    assert executed(problem, tuned) == executed(problem, fixed)
    assert repr(tuned.tuner) == "rtsched._core.roles.NativeTuner(window_ns=1000000000)"
