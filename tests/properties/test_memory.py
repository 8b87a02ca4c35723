"""The memory model as a rule-based machine, against the reference's sharing and the conservation laws."""

import math
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reference.engine import NEVER, Simulator
from rtsched._core._testing import SharedMemory

N_PLACES = 6


class Reference:
    """The reference simulator's sharing, without the rest of it."""

    rerate, share = Simulator.rerate, Simulator.share

    def __init__(self, problem):
        self.problem, self.runs, self.now = problem, {}, 0

    def running_in_order(self):
        return [self.runs[place] for place in sorted(self.runs)]

    def enter(self, place, t, demand, l2_demand):
        self.runs[place] = SharedLayer(place, t, demand, l2_demand, self.now)


class SharedLayer:
    def __init__(self, place, t, demand, l2_demand, now):
        self.accelerator, self.tiles, self.t = place, (0,), t
        self.demand, self.l2_demand, self.cap = demand, l2_demand, math.inf
        self.remaining, self.rate, self.since, self.finish = float(t), 0.0, now, NEVER


class MemoryMachine(RuleBasedStateMachine):
    @initialize(
        peak=st.sampled_from([1.0, 10.0, 1e9]),
        efficiency=st.sampled_from([(1.0,), (1.0, 0.7), (0.9, 0.8, 0.5)]),
        is_fair=st.booleans(),
        l2=st.sampled_from([math.inf, 5.0]),
    )
    def begin(self, peak, efficiency, is_fair, l2):
        self.core = SharedMemory(N_PLACES, peak, efficiency, is_fair, l2)
        limits = {"peak_bytes_per_ns": peak, "efficiency": efficiency, "is_fair": is_fair, "l2_bytes_per_ns": l2}
        self.twin = Reference(SimpleNamespace(**limits))
        self.is_fresh = True

    def free(self):
        return [place for place in range(N_PLACES) if place not in self.twin.runs]

    @precondition(lambda self: self.free())
    @rule(
        data=st.data(),
        t=st.integers(1, 10**6),
        demand=st.one_of(st.just(0.0), st.sampled_from([0.5, 4.0, 4.0, 9.0]), st.floats(1e-6, 20.0)),
        l2=st.sampled_from([0.0, 0.0, 2.0, 7.0]),
    )
    def enter(self, data, t, demand, l2):
        place = data.draw(st.sampled_from(self.free()))
        self.core.enter(place, t, demand, l2)
        self.twin.enter(place, t, demand, l2)
        self.is_fresh = False

    @precondition(lambda self: self.twin.runs)
    @rule(data=st.data())
    def leave(self, data):
        place = data.draw(st.sampled_from(sorted(self.twin.runs)))
        self.core.leave(place)
        del self.twin.runs[place]
        self.is_fresh = False

    @precondition(lambda self: self.twin.runs)
    @rule(data=st.data(), cap=st.one_of(st.just(math.inf), st.floats(1e-3, 20.0)))
    def cap(self, data, cap):
        place = data.draw(st.sampled_from(sorted(self.twin.runs)))
        self.core.set_cap(place, cap)
        self.twin.runs[place].cap = cap
        self.is_fresh = False

    @rule()
    def rerate(self):
        self.core.rerate()
        self.twin.rerate()
        self.is_fresh = True

    @precondition(lambda self: self.is_fresh and self.twin.runs)
    @rule(share=st.floats(0.0, 1.0))
    def pass_time(self, share):
        """Not beyond the first end: a layer leaves when it is done."""
        first = min(r.finish for r in self.twin.runs.values())
        now = self.twin.now + int((min(first, self.twin.now + 10**9) - self.twin.now) * share)
        self.core.advance(now)
        self.twin.now = now
        for place in [place for place, r in self.twin.runs.items() if r.finish == now]:
            assert self.core.first_to_finish() == min(p for p, r in self.twin.runs.items() if r.finish == now)
            self.core.leave(place)
            del self.twin.runs[place]
        self.is_fresh = False

    @invariant()
    def same_state(self):
        if self.is_fresh:
            expected = {place: (r.rate, r.remaining, r.since, r.finish) for place, r in self.twin.runs.items()}
            assert self.core.running() == expected

    @invariant()
    def conserves_bandwidth(self):
        if not self.is_fresh or not self.twin.runs:
            return
        problem, runs = self.twin.problem, self.twin.runs.values()
        n = sum(r.demand > 0 for r in runs)
        bandwidth = problem.peak_bytes_per_ns * problem.efficiency[min(max(n, 1), len(problem.efficiency)) - 1]
        assert sum(r.rate * r.demand for r in runs) <= bandwidth * (1 + 1e-9)
        assert all(0 < r.rate <= 1 and r.rate * r.demand <= min(r.demand, r.cap) * (1 + 1e-9) for r in runs)
        assert sum(r.rate * r.l2_demand for r in runs) <= problem.l2_bytes_per_ns * (1 + 1e-9)


TestMemory = MemoryMachine.TestCase


@pytest.mark.parametrize("is_fair", [False, True])
def test_k_equal_streams_take_k_times_as_long(is_fair):
    for k in range(1, 9):
        core = SharedMemory(8, 16.0, (1.0,), is_fair)
        for place in range(k):
            core.enter(place, 1000, 16.0)
        core.rerate()
        assert {finish for _, _, _, finish in core.running().values()} == {1000 * k}


def test_arbiters_differ_when_one_asks_more():
    finishes = {}
    for is_fair in (False, True):
        core = SharedMemory(2, 12.0, (1.0,), is_fair)
        core.enter(0, 1000, 12.0)
        core.enter(1, 1000, 4.0)
        core.rerate()
        finishes[is_fair] = [core.running()[place][3] for place in (0, 1)]
    assert finishes[False] == [1334, 1334]  # both at 3/4 of their demand
    assert finishes[True] == [1500, 1000]  # the small one in full, 8 of 12 for the other


@pytest.mark.parametrize("is_fair", [False, True])
@pytest.mark.parametrize("limit", ["dram", "l2"])
@given(st.lists(st.floats(0.01, 10.0), min_size=2, max_size=8), st.sampled_from([-1, 0, 1]), st.randoms(use_true_random=False))
def test_rates_do_not_depend_on_the_order_in_which_layers_came(limit, is_fair, rates, step, random):
    """Where they ask for just what there is, and the last bit of their sum depends on the order in which it is added."""
    bandwidth = sum(sorted(rates))
    bandwidth = math.nextafter(bandwidth, step * math.inf) if step else bandwidth
    limits = (1e9, (1.0,), is_fair, bandwidth) if limit == "l2" else (bandwidth, (1.0,), is_fair)
    places = list(range(len(rates)))

    def shared():
        core = SharedMemory(8, *limits)
        for place in places:
            core.enter(place, 10**9, *((1.0, rates[place]) if limit == "l2" else (rates[place],)))
        core.rerate()
        return core.running()

    expected = shared()
    random.shuffle(places)
    assert shared() == expected
    assert step < 0 or all(rate == 1.0 for rate, *_ in expected.values())


@given(st.integers(1, 10**6), st.lists(st.tuples(st.integers(1, 7), st.integers(0, 1000)), max_size=12))
def test_rerating_does_not_creep(t, phases):
    """Against exact fractions: one stream, and in each phase some equal others for some time."""
    core = SharedMemory(8, 1.0, (1.0,), False)
    core.enter(0, t, 1.0)
    left, now, others = Fraction(t), 0, 0
    for n, time in phases:
        for place in range(1, others + 1):
            core.leave(place)
        for place in range(1, n + 1):
            core.enter(place, 10**9, 1.0)
        core.rerate()
        others = n
        assert core.running()[0][3] == now + max(1, math.ceil(left * (n + 1)))
        time = min(time, math.ceil(left * (n + 1)) - 1)
        left -= Fraction(max(time, 0), n + 1)
        now += max(time, 0)
        core.advance(now)


def test_an_unserved_moment_never_finishes_instead_of_overflowing():
    core = SharedMemory(1, 1.0, (1.0,), False)
    core.enter(0, 2**40, 1.0)
    core.set_cap(0, 1e-300)
    core.rerate()
    assert core.running()[0][3] == NEVER
    assert core.first_to_finish() == -1
