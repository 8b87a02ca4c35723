"""Whatever the metric does, the best settings are the best that were tried, and never worse than the policy's own."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

import rtsched
from rtsched.policies.registry import load_policy
from rtsched.study.tune.ranges import ranges_of
from rtsched.study.tune.search import MIN_TRIALS, Trials

PROBLEM = rtsched.compile("ar_call", duration_s=0.01)
POLICY = load_policy("dream-fixed")


class Told(Trials):
    """Trials whose runs say what a function does."""

    def __init__(self, ranges, metric, at_most, function):
        super().__init__(PROBLEM, POLICY, ranges, metric, [0], at_most=at_most)
        self.function = function
        self.generations = []

    def _run(self, points):
        self.generations.append(list(points))
        for values in self.generations[-1]:
            self.means.setdefault(values, self.function(values))


@st.composite
def functions(draw):
    """Bowls, cliffs, plains and noise, undefined here and there."""
    at = draw(st.floats(-1, 3))
    kind = draw(st.sampled_from(["bowl", "cliff", "plain", "noise"]))
    holes = draw(st.booleans())

    def function(values):
        if holes and sum(values) * 7 % 1 < 0.3 and values != (1.0, 10):
            return math.nan
        x = values[0] - at
        return {"bowl": x * x, "cliff": float(x > 0), "plain": 1.0, "noise": math.sin(1e6 * x)}[kind]

    return function


@settings(max_examples=40)
@given(functions(), st.sampled_from(["uxcost", "sla"]), st.integers(MIN_TRIALS, 40), st.integers(0, 5), st.floats(0, 1.5))
def test_the_best_is_never_worse_than_the_policys_own(function, metric, at_most, seed, low):
    ranges = ranges_of(POLICY, {"mapper.alpha": (low, 2), "dropper.window": (5, 8 + 4 * (seed % 2))})
    trials = Told(ranges, metric, at_most, function)
    own = trials.try_own()
    trials.search(seed)
    sign = 1 if metric == "uxcost" else -1
    best = trials.means[trials.best()]
    assert sign * best == min(sign * mean for mean in trials.means.values() if not math.isnan(mean))
    assert sign * best <= sign * own
    if best == own:
        assert trials.best() == (1.0, 10)
    (first, *others) = trials.means
    assert first == (1.0, 10)
    assert len(others) <= at_most
    assert ((1.0, 10) in trials.generations[1]) == (low <= 1 and ranges[1].high >= 10)
    assert all(low <= x <= 2 and 5 <= n <= ranges[1].high and isinstance(n, int) for x, n in others)
    again = Told(ranges, metric, at_most, function)
    again.try_own()
    again.search(seed)
    assert repr(again.means) == repr(trials.means)
