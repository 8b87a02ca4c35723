"""MoCA's access counter, cycle by cycle, against the cap that stands for it in the simulator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtsched._core.regulators import count_accesses

rates = st.floats(0.01, 1.0)
windows = st.integers(64, 65535)


@given(st.integers(1, 20_000), rates)
def test_a_window_of_nothing_counts_nothing(n, rate):
    run = count_accesses(n, rate, 0, 0)
    assert (run.stalled, run.n_windows) == (0, 0)
    assert run.cycles == pytest.approx(n / rate, abs=1)


@given(st.integers(1, 50_000), rates, windows, st.floats(1.0, 10.0))
def test_what_asks_for_less_than_the_cap_never_stalls(n, rate, window, room):
    threshold = min(65535, int(rate * window * room) + 1)
    if threshold >= rate * window:
        assert count_accesses(n, rate, window, threshold).stalled == 0


@given(rates, st.integers(64, 2000), st.floats(0.02, 0.98))
def test_in_the_long_run_the_rate_is_within_an_eighth_above_the_cap(rate, window, part):
    threshold = max(1, int(part * rate * window))
    n = 200 * max(threshold, int(rate * window))
    run = count_accesses(n, rate, window, threshold)
    assert n / run.cycles <= threshold / window * 1.125


@given(st.integers(1000, 200_000), rates, st.integers(64, 4000), st.floats(0.05, 2.0))
def test_it_finishes_when_the_fluid_model_does(n, rate, window, part):
    """Within 5 %, or as many windows as the demand is caps."""
    threshold = max(1, min(65535, round(part * rate * window)))
    cap = threshold / window
    fluid = n / min(rate, cap)
    assert count_accesses(n, rate, window, threshold).cycles == pytest.approx(fluid, rel=0.05, abs=max(1.0, rate / cap) * window)


def test_by_hand():
    # 8 loads in the first 8 cycles, 4 allowed: the debt of 4 is at least the threshold, so a whole window is stalled and the debt
    # gone. Then the same again.
    run = count_accesses(16, 1.0, 8, 4)
    assert (run.cycles, run.stalled, run.n_windows) == (24, 8, 1)
    # 6 allowed: the debt of 2 is no more than half of it, so the second window is free; the debt of 4 stalls for 5/8 of a window: 5.
    run = count_accesses(17, 1.0, 8, 6)
    assert (run.cycles, run.stalled, run.n_windows) == (22, 5, 2)


@pytest.mark.parametrize(
    ("given_numbers", "fault"),
    [
        ((0, 1.0, 8, 4), "n_loads must be a whole number, 1 to 1000000000, got 0"),
        ((1, 1.5, 8, 4), "loads_per_cycle must be a number above 0, at most 1, got 1.5"),
        ((1.5, 1.0, 8, 4), "n_loads must be a whole number, 1 to 1000000000, got 1.5"),
        ((1, "x", 8, 4), "loads_per_cycle must be a number above 0, at most 1, got 'x'"),
        ((1, 1.0, 65536, 4), "window must be a whole number, 0 to 65535, got 65536"),
        ((1, 1.0, 8, 0), "threshold must be a whole number, 1 to 65535, got 0"),
    ],
)
def test_numbers_out_of_range(given_numbers, fault):
    with pytest.raises(ValueError, match=fault):
        count_accesses(*given_numbers)
