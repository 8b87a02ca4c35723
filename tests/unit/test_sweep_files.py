"""Study files: what they mean, what is refused and where, and which points are drawn."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtsched
from rtsched.errors import InputError
from rtsched.study.sweep.axes import MAX_RUNS, Axis, Dimension, Sample
from rtsched.study.sweep.grid import Grid
from rtsched.study.sweep.model import Study
from rtsched.study.sweep.sampling import on_scale, unit_points


def read(tmp_path, text):
    (tmp_path / "s.yaml").write_text(text)
    return Study.read(tmp_path / "s.yaml")


def read_and_check(tmp_path, text):
    study = read(tmp_path, text)
    study.check()
    return study


def faults(tmp_path, text, check=False):
    """Messages without the folder."""
    with pytest.raises(InputError) as caught:
        read_and_check(tmp_path, text) if check else read(tmp_path, text)
    return [one.removeprefix(f"{tmp_path}/") for one in caught.value.faults]


def made(**keys):
    return Study(**{"name": "s", "scenarios": ["vr_gaming"], "policies": ["edf"], **keys})


HEAD = "name: s\nscenarios: [vr_gaming]\npolicies: [fcfs, dream-fixed]\n"


# What a file means


def test_a_study_is_the_product_of_all_that_it_names(tmp_path):
    study = read(
        tmp_path,
        HEAD
        + """
platforms: [dream_4k_1ws2os, dream_4k_2ws]
axes:
  - {path: mapper.alpha, values: [0.5, 1.0]}
  - {path: scenario.load, values: [1, 1.5, 2]}
points: [{}, {platform.memory.efficiency: [1.0, 0.5], scenario.qos: H}]
sample: {method: random, n: 4, over: [{path: scenario.tasks.gaze.fps, low: 30, high: 90}]}
seeds: [3, 9]
""",
    )
    grid = Grid(study)
    assert study.n_runs == grid.n_runs == 2 * 2 * 2 * 3 * 2 * 4 * 2
    assert (grid.n_cells, grid.n_policies, grid.n_seeds) == (96, 2, 2)
    cells = list(grid.cells())
    assert [grid.cell(i) for i in range(grid.n_cells)] == cells
    assert len({repr(one) for one in cells}) == 96
    assert {one.platform for one in cells} == {"dream_4k_1ws2os", "dream_4k_2ws"}
    # What concerns policies varies fastest: one problem serves neighbours.
    assert [dict(one.of_policies) for one in cells[:3]] == [{"mapper.alpha": 0.5}, {"mapper.alpha": 1.0}, {"mapper.alpha": 0.5}]
    assert cells[0].settings == cells[1].settings != cells[2].settings
    assert study.paths == ("mapper.alpha", "scenario.load", "platform.memory.efficiency", "scenario.qos", "scenario.tasks.gaze.fps")
    assert {len(one.settings) for one in cells} == {2, 4}


def test_what_is_left_out():
    study = made()
    assert (study.seed_list, study.platforms, study.metrics) == (tuple(range(20)), None, ("uxcost", "violation_rate", "energy_j"))
    assert Grid(study).cell(0) == ("vr_gaming", None, {}, {})


def test_a_definition_makes_the_same_study_again():
    study = made(
        axes=[{"path": "platform.memory.peak_gb_per_s", "values": [1, 2.5, [1, {"a": None}], "x", math.inf]}],
        sample={"method": "random", "n": 3, "seed": 2**63, "over": [{"path": "scenario.load", "low": 1, "high": 2}]},
    )
    again = Study.of_definition(study.definition)
    assert again.definition == study.definition
    assert repr(list(Grid(again).cells())).replace("[", "(").replace("]", ")") == repr(list(Grid(study).cells())).replace("[", "(").replace(
        "]", ")"
    )
    assert json.loads(study.definition)["axes"][0]["values"][4] == math.inf


# What is refused


def test_every_fault_has_its_line(tmp_path):
    found = faults(
        tmp_path,
        HEAD
        + """load: -1
seeds: 1000000
metrics: [uxcos, uxcost, uxcost]
axes:
  - {path: scenario.load, values: []}
  - {path: mapper.alpha, values: [1, 2, 1], extra: 2}
sample: {method: lhs, n: 0, over: [{path: a, low: 3, high: 2}, {path: b, low: 0, high: 2.5, scale: log, integer: true}]}
""",
    )
    assert found == [
        "s.yaml:4:7 load: must be greater than 0, got -1",
        "s.yaml:5:8 seeds: must be at most 100000, got 1000000",
        "s.yaml:8:35 axes[0].values: must have at least 1 entry, got 0",
        "s.yaml:9:45 axes[1].extra: unknown key; known keys: path, values",
        "s.yaml:10:18 sample.method: must be 'random' or 'latin_hypercube', got 'lhs'",
        "s.yaml:10:26 sample.n: must be at least 1, got 0",
        "s.yaml:10:60 sample.over[0].high: must be greater than low, which is 3",
        "s.yaml:10:79 sample.over[1].low: must be greater than 0 on a logarithmic scale, got 0",
        "s.yaml:10:88 sample.over[1].high: must be a whole number, got 2.5",
    ]


def test_what_concerns_several_keys(tmp_path):
    found = faults(
        tmp_path,
        HEAD
        + """load: 2
metrics: [uxcos, uxcost, uxcost]
axes:
  - {path: scenario.load, values: [1]}
  - {path: mapper.alpha, values: [1]}
points: [{mapper.alpha: 2, mapper.beta: 1}]
sample: {method: random, n: 1, over: [{path: mapper.beta, low: 0, high: 1}, {path: mapper.beta, low: 0, high: 1}]}
seeds: [1, 1]
""",
    )
    assert found == [
        "s.yaml:5:11 metrics[0]: unknown metric 'uxcos'; did you mean 'uxcost'?",
        "s.yaml:5:26 metrics[2]: 'uxcost' is there twice",
        "s.yaml:7:12 axes[0].path: 'scenario.load' is set by load too",
        "s.yaml:9:25 points[0].'mapper.alpha': is set by axes[1] too",
        "s.yaml:10:46 sample.over[0].path: 'mapper.beta' is set by points too",
        "s.yaml:10:84 sample.over[1].path: 'mapper.beta' is set by points too",
        "s.yaml:11:12 seeds[1]: 1 is there twice",
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": 100_000, "policies": list("abcdefghijk")}, "has 1,100,000 runs (11 policies x 100,000 seeds); at most 1,000,000"),
        ({"axes": [{"path": f"a.{i}", "values": list(range(1000))} for i in range(10)]}, "runs (1,000 values of axes[0] x 1,000 values"),
        ({"axes": [{"path": f"a.{i}", "values": list(range(1000))} for i in range(200)]}, "has more than 1e300 runs"),
    ],
)
def test_a_study_that_is_too_large(keys, message):
    with pytest.raises(ValueError, match="at most 1,000,000 are possible") as caught:
        made(**keys)
    assert message in str(caught.value)


def test_the_largest_study_is_not_made_to_be_counted():
    study = made(seeds=100_000, axes=[{"path": "a.b", "values": list(range(10))}])
    assert study.n_runs == MAX_RUNS
    with pytest.raises(ValueError, match="must be at most 10,000 with 1000 ranges"):
        Sample(method="random", n=10_001, over=[{"path": f"a.{i}", "low": 0, "high": 1} for i in range(1000)])


def test_what_a_study_names_is_looked_for(tmp_path):
    assert faults(tmp_path, "name: s\nscenarios: [vr_gamin, x.txt]\nplatforms: [dream_4k_2w]\npolicies: [fcfs, ed, no.py:P]\n", True) == [
        "s.yaml:4:18 policies[1]: unknown policy 'ed'; did you mean 'edf'?",
        f"s.yaml:4:22 policies[2]: {tmp_path}/no.py: no such file",
        "s.yaml:2:13 scenarios[0]: unknown scenario 'vr_gamin'; did you mean 'vr_gaming'?",
        "s.yaml:2:23 scenarios[1]: unknown scenario 'x.txt'; known scenarios: " + ", ".join(rtsched.library.scenarios()),
        "s.yaml:3:13 platforms[0]: unknown platform 'dream_4k_2w'; did you mean 'dream_4k_2ws'?",
    ]


def test_every_value_is_tried(tmp_path):
    found = faults(
        tmp_path,
        HEAD
        + """axes:
  - {path: scenario.load, values: [1, -1.5, 1.5]}
  - {path: scenario.loud, values: [1]}
  - {path: mapper.alpha, values: [1, x, -1]}
  - {path: mapper.zeta, values: [1]}
  - {path: scenarios.load, values: [1]}
points:
  - {platform.memory.efficiency: [2]}
  - {platform.memory.peak_gb_per_s: 0, mapper.beta: 100}
sample: {method: random, n: 5, over: [{path: scenario.tasks.gaze.fps, low: -5, high: 60}]}
""",
        check=True,
    )
    assert sorted(found) == sorted(
        [
            "s.yaml:5:39 axes[0].values[1]: must be greater than 0, got -1.5",
            "s.yaml:6:36 axes[1].values[0]: unknown key 'loud'; did you mean 'load'?",
            "s.yaml:7:38 axes[2].values[1]: setting 'mapper.alpha': must be a number, got 'x'",
            "s.yaml:7:41 axes[2].values[2]: setting 'mapper.alpha': must be at least 0.0, got -1.0",
            "s.yaml:8:34 axes[3].values[0]: 'mapper.zeta': none of the policies has this setting; did you mean 'mapper.beta'?",
            "s.yaml:9:37 axes[4].values[0]: a path begins with scenario, platform, mapper, dropper, selector, regulator or tuner; "
            "did you mean 'scenario'?",
            "s.yaml:11:34 points[0].'platform.memory.efficiency': [0] must be at most 1, got 2",
            "s.yaml:12:37 points[1].'platform.memory.peak_gb_per_s': must be greater than 0, got 0",
            "s.yaml:12:53 points[1].'mapper.beta': setting 'mapper.beta': must be at most 2.0, got 100.0",
            "s.yaml:13:76 sample.over[0].low: must be greater than 0, got -5.0",
        ]
    )


def test_a_scenario_without_a_platform_of_its_own(tmp_path):
    (tmp_path / "own.yaml").write_text("name: own\ntasks: [{name: t, model: kws_res8, fps: 30}]\n")
    (found,) = faults(tmp_path, "name: s\nscenarios: [own.yaml]\npolicies: [edf]\n", check=True)
    assert "scenario 'own' names no platform of its own; the study must have platforms" in found
    study = read(tmp_path, "name: s\nscenarios: [own.yaml]\nplatforms: [dream_4k_2ws]\npolicies: [edf]\n")
    study.check()


def test_long_names_are_shortened(tmp_path):
    """Found by damaged files."""
    axes = f"axes: [{{path: {'y' * 5000}, values: [1]}}]\n"
    found = faults(tmp_path, HEAD.replace("fcfs", "x" * 5000) + axes, check=True)
    assert [len(one) < 300 for one in found] == [True, True]
    assert "unknown policy 'xxx" in found[0]
    assert "did you mean 'mapper.yyy" in found[1]


# Draws


def test_draws_are_these_in_every_version():
    """PCG64's stream is promised; whoever changes what is made of it changes what studies mean."""
    assert unit_points("random", 2, 2, 7).tolist() == [
        [0.625095466604667, 0.7756856902451935],
        [0.8972138009695755, 0.22520718999059186],
    ]
    over = [Dimension(path="a.b", low=1, high=100, scale="log"), Dimension(path="a.c", low=1, high=3, integer=True)]
    assert Sample(method="latin_hypercube", n=4, seed=7, over=over).points() == [
        {"a.b": 20.5375074178, "a.c": 1},
        {"a.b": 2.80935680372, "a.c": 2},
        {"a.b": 77.2401031567, "a.c": 2},
        {"a.b": 4.09829857449, "a.c": 3},
    ]


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 2**64 - 1))
def test_each_part_of_each_range_has_one_point(n, n_dimensions, seed):
    points = unit_points("latin_hypercube", n, n_dimensions, seed)
    assert points.shape == (n, n_dimensions)
    assert np.sort(np.floor(points * n), axis=0).tolist() == [[i] * n_dimensions for i in range(n)]
    assert (points == unit_points("latin_hypercube", n, n_dimensions, seed)).all()
    assert (points[:, :1] == unit_points("latin_hypercube", n, 1, seed)).all()


def test_random_points_fill_the_cube():
    points = unit_points("random", 20_000, 2, 3)
    counts = np.histogram2d(*points.T, bins=10, range=[[0, 1], [0, 1]])[0]
    assert abs(counts - 200).max() < 5 * math.sqrt(200)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.lists(st.floats(0, 1, exclude_max=True), max_size=20), st.booleans(), st.booleans())
def test_values_lie_in_their_range(low, width, unit, is_log, is_integer):
    low = abs(low) + 1 if is_log else low
    low, high = (math.floor(low), math.floor(low) + math.ceil(width)) if is_integer else (low, low + width)
    values = on_scale(np.array(unit), low, high, "log" if is_log else "linear", is_integer=is_integer)
    assert all(low <= one <= high for one in values)
    assert not is_integer or all(isinstance(one, int) for one in values)


def test_scales():
    unit = np.array([0.0, 0.5, 1 - 2**-53])
    assert on_scale(unit, 1, 100, "log", is_integer=False) == [1, 10, 100]
    assert on_scale(unit, -1, 1, "linear", is_integer=False) == [-1, 0, pytest.approx(1)]
    counts = np.bincount(on_scale(np.arange(300) / 300, 1, 3, "linear", is_integer=True))
    assert counts.tolist() == [0, 100, 100, 100]


@given(st.lists(st.integers(1, 5), max_size=4), st.integers(1, 3), st.integers(1, 4), st.integers(0, 5))
def test_the_size_of_a_study_is_that_of_its_grid(sizes, n_policies, n_seeds, n_drawn):
    axes = [Axis(path=f"scenario.a{i}", values=tuple(range(n))) for i, n in enumerate(sizes)]
    sample = Sample(method="random", n=n_drawn, over=(Dimension(path="mapper.x", low=0, high=1),)) if n_drawn else None
    study = made(axes=axes, policies=[f"p{i}" for i in range(n_policies)], seeds=n_seeds, sample=sample)
    grid = Grid(study)
    cells = list(grid.cells())
    assert len(cells) == grid.n_cells == math.prod(sizes) * max(n_drawn, 1)
    assert study.n_runs == grid.n_cells * n_policies * n_seeds
    assert [grid.cell(i) for i in range(len(cells))] == cells
