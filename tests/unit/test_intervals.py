"""Intervals of means: known cases, degenerate samples, and how often they hold the mean."""

import numpy as np
import pytest
from scipy import stats

from rtsched.study.intervals import mean_intervals

RNG = np.random.default_rng(5)


def test_of_a_normal_sample_it_is_close_to_students():
    values = stats.norm.ppf((np.arange(20) + 0.5) / 20)
    found = mean_intervals(values[:, np.newaxis])
    expected = values.std(ddof=1) / np.sqrt(20) * stats.t.ppf(0.975, 19)
    assert found.mean == pytest.approx([0], abs=1e-12)
    assert [found.low[0], found.high[0]] == pytest.approx([-expected, expected], rel=0.05)


def test_of_a_skewed_sample_it_reaches_further_to_the_long_side():
    found = mean_intervals(stats.expon.ppf((np.arange(20) + 0.5) / 20)[:, np.newaxis])
    assert found.high[0] - found.mean[0] > 1.2 * (found.mean[0] - found.low[0])


def test_equal_values_are_their_own_interval():
    values = np.full((20, 3), 0.1)
    values[0, 1] += 1e-16
    values[:, 2] = 0
    found = mean_intervals(values)
    for end in (found.mean, found.low, found.high):
        assert end == pytest.approx([0.1, 0.1, 0], abs=1e-15)
    assert (found.low == found.high).all()


def test_undefined_values_are_left_out():
    values = RNG.exponential(1, (20, 4))
    values[3, 1], values[:, 2], values[1:, 3] = np.nan, np.nan, np.nan
    found = mean_intervals(values)
    assert found.n.tolist() == [20, 19, 0, 1]
    without = mean_intervals(np.delete(values[:, 1:2], 3, axis=0))
    assert (found.mean[1], found.low[1], found.high[1]) == pytest.approx((without.mean[0], without.low[0], without.high[0]), rel=1e-12)
    assert np.isnan([found.mean[2], *found.low[2:], *found.high[2:]]).all()
    assert found.mean[3] == values[0, 3]


@pytest.mark.parametrize("n", [2, 3])
def test_a_few_values_span_their_interval(n):
    values = RNG.exponential(1, (n, 5))
    found = mean_intervals(values)
    assert found.low == pytest.approx(values.min(axis=0))
    assert found.high == pytest.approx(values.max(axis=0))


def test_the_interval_of_a_sample_does_not_depend_on_those_beside_it():
    values = RNG.exponential(1, (20, 30))
    together, alone = mean_intervals(values), mean_intervals(values[:, 7:8])
    assert (together.low[7], together.high[7]) == pytest.approx((alone.low[0], alone.high[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("draw", "mean", "least"),
    [
        (lambda rng, shape: rng.normal(3, 1, shape), 3, 0.93),
        (lambda rng, shape: rng.exponential(1, shape), 1, 0.91),
        (lambda rng, shape: np.where(rng.random(shape) < 0.3, rng.exponential(1, shape), 0), 0.3, 0.87),
    ],
)
def test_coverage(draw, mean, least, monkeypatch):
    monkeypatch.setattr("rtsched.study.intervals.N_RESAMPLES", 999)
    found = mean_intervals(draw(np.random.default_rng(1), (20, 1000)))
    assert least <= np.mean((found.low <= mean) & (mean <= found.high)) <= 0.97
