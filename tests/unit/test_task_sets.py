"""Synthetic task sets: sums, bounds, the known distribution, and what a scenario makes of them."""

import math
import subprocess
import sys
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from builders import chain, platform_of, rows_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import rtsched
from rtsched.study.task_sets import draw_utilisations, task_times_ns

seeds = st.integers(0, 2**64 - 1)
MODELS = (chain("short", 1), chain("long", 3))
#         a0    a1
TIMES = {"short": [[100, 300]], "long": [[1000, 400], [500, None], [50, 150]]}
PLATFORM = platform_of([row for name, times in TIMES.items() for row in rows_of(name, times)], (1, 1))
EXPECTED_NS = {"fastest": {"short": 100, "long": 400 + 500 + 50}, "mean": {"short": 200, "long": 700 + 500 + 100}}

uunifast = partial(rtsched.uunifast, platform=PLATFORM, models=MODELS)


@given(n=st.integers(1, 40), share=st.floats(0.01, 0.45), most=st.floats(0.2, 1.0), seed=seeds)
def test_utilisations_have_the_sum_and_the_bounds(n, share, most, seed):
    total = min(share * n * most, n * most)
    found = draw_utilisations(n, total, max_utilisation=most, seed=seed)
    assert found.shape == (n,)
    assert found.min() > 0
    assert found.max() <= most
    # Each step of the draw rounds once.
    assert abs(float(sum(map(Fraction, found.tolist()))) - total) <= n * math.ulp(total)
    assert (found == draw_utilisations(n, total, max_utilisation=most, seed=seed)).all()


@pytest.mark.parametrize(("n", "total"), [(2, 1.0), (5, 0.7), (12, 1.0)])
def test_each_share_has_the_distribution_of_a_uniform_simplex(n, total):
    """P(u > x) = (1 - x / U)^(n - 1) for every component; Kolmogorov-Smirnov at 1 in 1000."""
    sets = np.array([draw_utilisations(n, total, seed=seed) for seed in range(4000)])
    for task in {0, n // 2, n - 1}:
        assert stats.kstest(sets[:, task], lambda x: 1 - (1 - x / total) ** (n - 1)).pvalue > 1e-3


def test_discarding_leaves_a_uniform_distribution_of_what_fits():
    """Two tasks with 1.5 together and none above 1: each uniform between 0.5 and 1."""
    sets = np.array([draw_utilisations(2, 1.5, seed=seed) for seed in range(4000)])
    assert stats.kstest(sets[:, 0], stats.uniform(0.5, 0.5).cdf).pvalue > 1e-3
    assert stats.kstest(draw_triples()[:, 2], fits_below).pvalue > 1e-3


def draw_triples():
    return np.array([draw_utilisations(3, 2.0, seed=seed) for seed in range(4000)])


def fits_below(x):
    """Of three that sum to 2 with none above 1: with y = 1 - u the y are uniform over a simplex of sum 1, so P(u <= x) = x^2."""
    return np.asarray(x) ** 2


@given(
    n=st.integers(1, 30),
    share=st.floats(0.05, 0.4),
    seed=seeds,
    times=st.sampled_from(["fastest", "mean"]),
    draw_models=st.booleans(),
    ratios=st.sampled_from([1.0, 0.5, (0.5, 0.9), (1, 2)]),
)
def test_the_utilisation_of_the_compiled_problem(n, share, seed, times, draw_models, ratios):
    scenario = uunifast(n, share * n, seed=seed, times=times, draw_models=draw_models, deadline_ratio=ratios)
    assert scenario == uunifast(n, share * n, seed=seed, times=times, draw_models=draw_models, deadline_ratio=ratios)
    problem = rtsched.compile(scenario, PLATFORM)
    time_ns = [EXPECTED_NS[times][problem.model_names[model]] for model in problem.task_model]
    shares = problem.task_rate_hz * time_ns * 1e-9
    assert np.allclose(shares, draw_utilisations(n, share * n, seed=seed), rtol=1e-12)
    assert math.isclose(shares.sum(), share * n, rel_tol=1e-12)
    low, high = ratios if isinstance(ratios, tuple) else (ratios, ratios)
    period_ns = 1e9 / problem.task_rate_hz
    assert (problem.task_deadline_ns >= np.floor(low * period_ns)).all()
    assert (problem.task_deadline_ns <= np.ceil(high * period_ns)).all()


def test_models_take_turns_or_are_drawn():
    turns = [task.model.name for task in uunifast(5, 1.0).tasks]
    assert turns == ["short", "long", "short", "long", "short"]
    drawn = [task.model.name for task in uunifast(400, 1.0, draw_models=True).tasks]
    assert abs(drawn.count("short") - 200) < 40  # four standard deviations
    assert drawn != [task.model.name for task in uunifast(400, 1.0, draw_models=True, seed=1).tasks]


def test_drawn_deadlines_are_uniform_and_implicit_ones_follow_the_load():
    tasks = uunifast(2000, 5.0, deadline_ratio=(0.4, 0.8)).tasks
    ratios = [task.deadline_ms * task.fps * 1e-3 for task in tasks]
    assert stats.kstest(ratios, stats.uniform(0.4, 0.4).cdf).pvalue > 1e-3
    assert {task.deadline_ms for task in uunifast(5, 1.0).tasks} == {None}


def test_priorities_are_rate_monotonic():
    scenario = uunifast(12, 1.5, priorities="rate")
    by_rate = sorted(scenario.tasks, key=lambda task: -task.fps)
    assert [task.priority for task in by_rate] == list(range(11, -1, -1))
    jobs = {policy: rtsched.simulate(scenario, PLATFORM, policy, duration_s=1e-4).jobs for policy in ("rm", "priority", "edf")}
    order = ["task", "frame", "start_ns", "finish_ns"]
    assert (jobs["rm"][order] == jobs["priority"][order]).all()
    assert (jobs["rm"][order] != jobs["edf"][order]).any()


def test_the_built_in_models_on_a_built_in_platform():
    scenario = rtsched.uunifast(5, 0.9, platform="dream_4k_1ws2os", seed=3, duration_s=2)
    assert [task.model.name for task in scenario.tasks] == ["alexnet", "bert_base", "ed_tcn", "efficientnet_b0", "fbnet_c"]
    assert scenario.platform == "dream_4k_1ws2os"
    problem = rtsched.compile(scenario)
    time_ns = task_times_ns(scenario, rtsched.load_platform("dream_4k_1ws2os"))
    assert math.isclose((problem.task_rate_hz * time_ns).sum() * 1e-9, 0.9, rel_tol=1e-12)


def test_dynamic_models_count_with_what_their_jobs_are_expected_to_take():
    layers = chain("dynamic", 3).layers
    blocks = (
        rtsched.Block(layers=layers[:1]),
        rtsched.Block(layers=layers[1:2], skip=0.5, exit=0.25),  # no exit when skipped
        rtsched.Block(layers=layers[2:]),
    )
    model = rtsched.Model(name="dynamic", blocks=blocks)
    platform = platform_of(rows_of("dynamic", [[100], [200], [400]]))
    (task,) = rtsched.uunifast(1, 0.5, platform=platform, models=[model]).tasks
    assert math.isclose(task.fps, 0.5e9 / (100 + 0.5 * 200 + (1 - 0.5 * 0.25) * 400))


def test_the_same_bytes_in_another_process():
    code = (
        "import rtsched; print(rtsched.uunifast(7, 2.5, platform='dream_4k_1ws2os', seed=11, draw_models=True,"
        " deadline_ratio=(0.5, 1)).model_dump_json())"
    )
    texts = [subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    here = rtsched.uunifast(7, 2.5, platform="dream_4k_1ws2os", seed=11, draw_models=True, deadline_ratio=(0.5, 1)).model_dump_json()
    assert texts == [here + "\n"] * 2


def test_known_values():
    """Task sets are part of the compatibility guarantee, like the draws of runs."""
    assert draw_utilisations(3, 1.0, seed=0).tolist() == pytest.approx(KNOWN, rel=1e-14)


KNOWN = [0.2628295678230551, 0.004788847870130453, 0.7323815843068144]


@pytest.mark.parametrize(
    ("n", "total", "options", "faults"),
    [
        (0, 1.0, {}, ["n_tasks: must be a whole number from 1 to 10000, got 0"]),
        (True, 1.0, {}, ["n_tasks: must be a whole number from 1 to 10000, got True"]),
        (3, 0.0, {}, ["utilisation: must be a number greater than 0, got 0.0"]),
        (3, math.nan, {}, ["utilisation: must be a number greater than 0, got nan"]),
        (3, 1.6, {"max_utilisation": 0.5}, ["utilisation: must be at most 1.5, 3 times 0.5 for each task, got 1.6"]),
        (3, 1.0, {"max_utilisation": 1.5}, ["max_utilisation: must be greater than 0 and at most 1, got 1.5"]),
        (3, 1.0, {"seed": -1}, ["seed must be an integer from 0 to 2**64 - 1, got -1"]),
        (3, 1.0, {"times": "slow"}, ["times: must be 'fastest' or 'mean', got 'slow'"]),
        (3, 1.0, {"priorities": "rm"}, ["priorities: must be 'equal' or 'rate', got 'rm'"]),
        (13, 1.0, {"priorities": "rate"}, ["priorities: 13 tasks cannot have distinct ones; there are 12"]),
        (3, 1.0, {"duration_s": 0}, ["duration_s: must be greater than 0 and at most 1e9, got 0"]),
        (3, 1.0, {"models": []}, ["models: must have at least 1 entry, got 0"]),
        (3, 1.0, {"models": ["gnmd"]}, ["unknown model 'gnmd'; did you mean 'gnmt'?"]),
        (3, 1.0, {"platform": "boart"}, None),
        (3, 1.0, {"deadline_ratio": (0.9, 0.5)}, None),
        (3, 1.0, {"deadline_ratio": 0}, None),
        (0, -1, {"seed": 0.5, "times": 3}, 4),
    ],
)
def test_faults_are_told_together(n, total, options, faults):
    with pytest.raises(rtsched.InputError) as caught:
        uunifast(n, total, **options)
    found = caught.value.faults
    if isinstance(faults, list):
        assert list(found) == faults
    else:
        assert len(found) == (faults or 1)
        assert all(next(iter(options)) in fault or faults for fault in found)


def test_sets_that_are_too_rare():
    with pytest.raises(rtsched.InputError, match=r"10000 draws of 9 tasks with 8\.99 together had a task above 1"):
        uunifast(9, 8.99)


def test_models_that_cannot_run_there():
    with pytest.raises(rtsched.InputError, match="no row for layer 'l0' of model 'other'"):
        uunifast(2, 0.5, models=[chain("other", 1)])
