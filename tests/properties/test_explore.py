"""Whatever platforms do, the search finds the smallest that meets the target, and a front that covers all."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import rtsched
from rtsched.policies.registry import load_policy
from rtsched.study.explore.search import Search, dominates, nondominated
from rtsched.study.explore.space import space_of

CANDIDATES = space_of(
    rtsched.load_platform("dream_4k_1ws2os"),
    {"pes": [64, 128, 256], "dataflows": ["os", "rs"], "accelerators": [1], "bandwidth_gb_per_s": [10, 20], "clock_mhz": [350, 700]},
).candidates()
SCENARIO = rtsched.load_scenario("ar_call")


class Told(Search):
    """A search whose runs say what a table has."""

    def __init__(self, counting, violated, energy_j, meet, *, knows_jobs):
        self.table = (counting, violated, energy_j)
        self.knows_jobs = knows_jobs
        super().__init__(SCENARIO, load_policy("fcfs"), CANDIDATES, range(counting.shape[1]), meet)

    def _run(self, title, places, until):
        for place in places:
            for mine, theirs in zip((self.counting, self.violated, self.energy_j), self.table, strict=True):
                mine[place, :until] = theirs[place, :until]

    def _count_jobs(self):
        if self.knows_jobs:
            self._most_jobs = self.table[0].max(axis=0)


@st.composite
def tables(draw):
    """Jobs, violations and energies in no order at all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (len(CANDIDATES), draw(st.integers(1, 9)))
    counting = rng.integers(0, draw(st.integers(1, 12)), shape, endpoint=True)
    rate = rng.random((shape[0], 1)) ** draw(st.sampled_from([1, 4]))
    return counting, rng.binomial(counting, rate), rng.integers(1, draw(st.sampled_from([2, 50])), shape).astype(float)


@given(tables(), st.sampled_from(["0.01", "0.5", "0.8", "0.99", "1"]), st.booleans())
def test_the_search_finds_the_smallest_and_a_front_that_covers_all(table, meet, knows_jobs):
    counting, violated, energy_j = table
    search = Told(*table, Fraction(meet), knows_jobs=knows_jobs)
    search.search()
    n_seeds, n_run = counting.shape[1], search.n_run
    met = (counting - violated).sum(axis=1)
    per_met = np.divide(energy_j.sum(axis=1), met, out=np.full(len(met), np.inf), where=met > 0)
    meeting = [i for i in range(len(met)) if met[i] >= Fraction(meet) * int(counting[i].sum())]
    smallest = min(meeting, key=lambda i: (*CANDIDATES[i].size, per_met[i]), default=None)
    assert search.smallest() == smallest
    if knows_jobs and smallest is not None:
        assert all(n_run[i] == n_seeds or search.is_hopeless(i) for i in range(smallest))
    front = search.front()
    points = search.objectives(n_seeds)
    assert [i for i in front if any(dominates(points[j], points[[i]])[0] for j in front)] == []
    assert (n_run >= 1).all()
    for i in range(len(CANDIDATES)):
        under = search.objectives(int(n_run[i]))
        if n_run[i] == n_seeds:
            assert i in front or any(dominates(points[j], points[[i]])[0] for j in front)
        else:
            assert any(dominates(under[j], under[[i]])[0] for j in np.flatnonzero(n_run == n_seeds))


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 1.0, 2.0, np.inf])] * 3), min_size=1, max_size=12))
def test_a_front_has_no_dominated_point_and_all_others(points):
    points = np.array(points)
    front = nondominated(points).tolist()
    beaten = [any((other <= one).all() and (other < one).any() for other in points) for one in points]
    assert front == [i for i, is_beaten in enumerate(beaten) if not is_beaten]
    assert front
