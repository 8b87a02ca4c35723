"""Every policy on every shipped scenario and platform: what comes out is possible."""

import pytest

import rtsched
from rtsched.library import platforms, scenarios
from rtsched.policies.registry import policy_names
from rtsched.testing import outcome_faults


def problem_on(scenario, platform):
    """Long enough for every model to run, and overloaded where the load can be chosen."""
    if scenario.endswith("_artifact"):
        return rtsched.compile(scenario, platform, duration_s=0.3)
    if scenario.startswith("moca") and platform.startswith("dream"):
        # Rates are those of groups of two tiles, which DREAM's arrays have not; of one array they are some fifty times as high.
        return rtsched.compile(scenario, platform, duration_s=0.01, load=1.5, settings={"scenario.capacity.tiles": 1})
    return rtsched.compile(scenario, platform, duration_s=0.1, load=1.5)


@pytest.mark.parametrize("platform", platforms())
@pytest.mark.parametrize("scenario", scenarios())
def test_outcomes_are_possible(scenario, platform):
    problem = problem_on(scenario, platform)
    faults = {}
    for policy in policy_names():
        outcome = rtsched.run(problem, policy, seed=7, layers=True, rates=True)
        assert outcome.n_layers > 0
        faults[policy] = outcome_faults(outcome)
    assert not any(faults.values())
    assert len(faults) > 25
