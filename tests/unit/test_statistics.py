"""Paired values: ratios over cells, ranks with ties, and how many seeds it takes."""

import math

import numpy as np
import pytest

from rtsched.study.intervals import mean_intervals
from rtsched.study.statistics import RankedValues, estimated, log_ratios, seeds_needed

NAN = math.nan


def ranked(*rows, metric="uxcost"):
    return RankedValues(tuple(f"p{i}" for i in range(len(rows))), (metric,), np.array([rows], dtype=float))


def test_ranks_come_from_paired_differences():
    """All three vary much more from seed to seed than they differ."""
    seeds = np.linspace(0, 100, 12)
    found = ranked(seeds + 1, seeds + 2 + 0.01 * np.sin(seeds), seeds + np.where(np.arange(12) % 2, 0.5, 1.5))
    assert found.ranks.tolist() == [[1, 3, 1]]
    assert (found.is_tie(0, 0, 2), found.is_tie(0, 0, 1)) == (True, False)
    assert ranked(*found.values[0], metric="sla").ranks.tolist() == [[2, 1, 2]]


def test_a_part_is_what_would_have_been_computed_alone():
    values = np.random.default_rng(1).normal(size=(4, 3, 9)).cumsum(axis=0)
    values[2, 1, 3] = NAN
    together = RankedValues(("a", "b", "c"), ("uxcost", "sla", "energy_j", "uxcost"), values)
    part = together.part([1, 3])
    alone = RankedValues(("a", "b", "c"), ("sla", "uxcost"), values[[1, 3]])
    assert part.metrics == alone.metrics
    for name in ("mean", "low", "high"):
        assert getattr(part.means, name).tolist() == getattr(alone.means, name).tolist()
        assert getattr(part.differences, name).tolist() == getattr(alone.differences, name).tolist()
    assert part.ranks.tolist() == alone.ranks.tolist()


def test_ratios_are_geometric_means():
    values = np.array([[[1, 2], [2, 8]], [[3, 5], [3, 5]]], dtype=float)  # 2 and 4 in one cell, 1 and 1 in the other
    logs = log_ratios(values, 0)
    assert np.exp(logs).tolist() == [[1, 1], pytest.approx([math.sqrt(2), 2])]
    assert math.exp(estimated(logs).mean[1]) == pytest.approx(8**0.25)


def test_cells_without_a_ratio_are_left_out():
    values = np.array([[[1, 2], [2, 4], [0, 1]], [[3, 5], [3, NAN], [0, 0]]], dtype=float)
    logs = log_ratios(values, 0)
    assert np.exp(logs[:2]).tolist() == [[1, 1], pytest.approx([2, 2])]
    assert np.isnan(logs[2]).all()
    assert np.isnan(estimated(logs).mean[2])
    assert log_ratios(np.ones((0, 2, 3)), 0).shape == (2, 3)


def test_seeds_needed_are_enough_and_no_more():
    from scipy.stats import t

    differences = np.random.default_rng(0).normal(3, 2, size=20)
    spread = np.std(differences, ddof=1)

    def half_width(n):
        return t.ppf(0.975, n - 1) * spread / math.sqrt(n)

    for wanted in (100.0, 5.0, 1.0, 0.1, 0.01):
        n = seeds_needed(differences, wanted)
        assert half_width(n) <= wanted
        assert n == 2 or half_width(n - 1) > wanted


def test_so_many_seeds_give_about_this_interval():
    random = np.random.default_rng(5)
    n = seeds_needed(random.normal(size=200), 0.2)
    assert 70 < n < 140
    found = mean_intervals(random.normal(size=(n, 50)))
    assert np.mean(found.high - found.low) / 2 == pytest.approx(0.2, rel=0.15)


def test_seeds_that_cannot_be_told():
    assert seeds_needed(np.array([1.0]), 1.0) is None
    assert seeds_needed(np.array([1.0, NAN, NAN]), 1.0) is None
    assert seeds_needed(np.array([1.0, 2.0]), 0.0) is None
    assert seeds_needed(np.array([1.0, 2.0]), 1e-9) is None  # 10**18 of them
    assert seeds_needed(np.array([1.0, 1.0, NAN]), 1e-9) == 2
    assert seeds_needed(np.zeros(5), 1e-9) == 2
