"""Rates that follow from the platform, computed by hand, and what cannot be computed."""

import pytest
from builders import chain, platform_of

import rtsched
from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Capacity, Scenario, Task

US = 1_000


def rows_for(model, times):
    """Cost rows: times[(layer, accelerator, tiles)] in ns."""
    return [
        {"model": model, "layer": layer, "accelerator": accelerator, "tiles": tiles, "latency_ns": time_ns, "dram_bytes": 0}
        for (layer, accelerator, tiles), time_ns in times.items()
    ]


# On two tiles m takes 100 us on a0 and 70 on a1, which cannot run all of n; n takes 50 us on a0. On one tile, 210 and 80 on a0.
M = {
    ("l0", "a0", 1): 130 * US, ("l1", "a0", 1): 80 * US, ("l0", "a0", 2): 60 * US, ("l1", "a0", 2): 40 * US,
    ("l0", "a1", 2): 30 * US, ("l1", "a1", 2): 40 * US, ("l0", "a2", 1): 5000 * US, ("l1", "a2", 1): 1 * US,
}  # fmt: skip
N = {
    ("l0", "a0", 1): 30 * US, ("l1", "a0", 1): 50 * US, ("l0", "a0", 2): 20 * US, ("l1", "a0", 2): 30 * US, ("l1", "a1", 2): 1 * US,
}  # fmt: skip
PLATFORM = platform_of([*rows_for("m", M), *rows_for("n", N)], (2, 2, 1))


def task(name, model, **keys):
    return Task(name=name, model=chain(model, 2), **keys)


def scenario_of(*tasks, groups=4, tiles=2, **options):
    tasks = tasks or (task("x", "m", weight=3), task("y", "n", weight=1))
    return Scenario(name="s", tasks=tasks, capacity=Capacity(groups=groups, tiles=tiles), **options)


def faults_of(scenario, platform=PLATFORM):
    with pytest.raises(InputError) as caught:
        compile_problem(scenario, platform)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("options", "rates_hz"),
    [
        # Of 260 us, m has 3 * 70 and n 50: 4 groups do 4e6 / 260 rounds a second.
        ({}, (3 * 4e6 / 260, 4e6 / 260)),
        ({"groups": 1}, (3e6 / 260, 1e6 / 260)),
        ({"load": 0.5}, (3 * 2e6 / 260, 2e6 / 260)),
        # On one tile a1 has no row; a0 is faster than a2 with all of m.
        ({"tiles": 1}, (3 * 4e6 / 710, 4e6 / 710)),
    ],
)
def test_rates_by_hand(options, rates_hz):
    problem = compile_problem(scenario_of(**options), PLATFORM)
    assert problem.task_rate_hz.tolist() == pytest.approx(rates_hz, rel=1e-15)


def test_a_scenario_with_the_same_rates_written_out_is_the_same_problem():
    weighted = compile_problem(scenario_of(groups=13, jobs=100), PLATFORM)
    # 13e6 / 260 = 50,000 rounds of four jobs a second; 100 jobs take 500 us. Default deadlines are the mean times between jobs.
    given = Scenario(name="s", tasks=(task("x", "m", rate_hz=150_000), task("y", "n", rate_hz=50_000)), duration_s=5e-4)
    written = compile_problem(given, PLATFORM)
    assert weighted.digest == written.digest
    assert weighted.task_deadline_ns.tolist() == [6_667, 20_000]
    assert (weighted.scenario.duration_s, weighted.scenario.tasks[0].weight) == (None, 3)


def test_tasks_of_one_model_and_those_with_other_arrivals():
    tasks = (task("x", "m", weight=2), task("z", "n", fps=7), task("y", "m", weight=1), task("c", "n", parents=("x",)))
    problem = compile_problem(scenario_of(*tasks, groups=21, load=2), PLATFORM)
    assert problem.task_rate_hz.tolist() == pytest.approx([400_000, 14, 200_000, 0], rel=1e-15)


def test_blocks_count_by_their_probability_and_the_largest_subnet_alone():
    layer = {name: (Measured(name=name),) for name in "abcd"}
    blocks = (Block(layers=layer["a"], exit=0.25), Block(layers=layer["b"], skip=0.5), Block(layers=layer["c"]))
    model = Model(name="m", subnets=(Subnet(name="large", blocks=blocks), Subnet(name="small", layers=layer["d"])))
    times = {("a", "a0", 1): 1000, ("b", "a0", 1): 800, ("c", "a0", 1): 400, ("d", "a0", 1): 100}
    rows = [row for key, time_ns in times.items() for row in rows_for("m/small" if key[0] == "d" else "m/large", {key: time_ns})]
    problem = compile_problem(scenario_of(Task(name="t", model=model, weight=5), groups=3, tiles=1), platform_of(rows))
    assert problem.task_rate_hz[0] == pytest.approx(3e9 / (1000 + 0.75 * (0.5 * 800 + 400)), rel=1e-15)


@pytest.mark.parametrize(
    ("options", "duration_ns"),
    [
        ({"jobs": 100}, 500 * US),
        ({"jobs": 100, "load": 2}, 250 * US),
        ({"jobs": 100, "duration_s": 0.5}, 500_000 * US),
        ({}, 10**10),
    ],
)
def test_duration(options, duration_ns):
    assert compile_problem(scenario_of(groups=13, **options), PLATFORM).duration_ns == duration_ns


def test_jobs_of_given_rates_count_too():
    tasks = (task("x", "m", fps=30), task("y", "n", rate_hz=10), task("c", "n", parents=("x",)))
    assert compile_problem(Scenario(name="s", tasks=tasks, jobs=100), PLATFORM).duration_ns == 2_500_000_000


def test_duration_in_place_of_jobs():
    assert rtsched.compile("moca_a", duration_s=0.5).duration_ns == 500_000_000
    settings = {"scenario.capacity.groups": 8, "scenario.jobs": 100, "scenario.tasks.squeezenet.weight": 60}
    usual, changed = rtsched.compile("moca_a"), rtsched.compile("moca_a", settings=settings)
    assert changed.task_rate_hz[0] / changed.task_rate_hz[2] == pytest.approx(2 * usual.task_rate_hz[0] / usual.task_rate_hz[2])
    assert changed.duration_ns * changed.task_rate_hz.sum() == pytest.approx(100e9)


def test_groups_larger_than_any_accelerator():
    expected = "capacity.tiles: must be at most 2, the tiles of the largest accelerator of platform 'hand', got 3"
    assert faults_of(scenario_of(tiles=3)) == [expected]


def test_models_that_no_accelerator_can_run_whole():
    rows = [row for row in [*rows_for("m", M), *rows_for("n", N)] if (row["model"], row["layer"], row["tiles"]) != ("n", "l0", 2)]
    wanted = "an accelerator of platform 'hand' must run all of its layers on 2 tiles (capacity.tiles), of which its rate is a part"
    tasks = (task("x", "m", weight=3), task("y", "n", weight=1), task("z", "n", weight=2), task("fps", "n", fps=1))
    found = faults_of(scenario_of(*tasks, jobs=10), platform_of(rows, (2, 2, 1)))
    assert found == [f"tasks[{i}].model: {wanted}; 'a0' not 'l0', 'a1' not 'l0'" for i in (1, 2)]


def test_rates_and_durations_beyond_the_clock():
    assert faults_of(scenario_of(task("x", "m", weight=1e9), task("y", "n", weight=1e-12), jobs=10)) == [
        "tasks[1].weight: 1e-12 at load 1 makes 5.71429e-17 per second; must be more than 8.67e-10 and at most 1e+09"
    ]
    slow = (task("x", "m", rate_hz=1e-6),)
    assert faults_of(Scenario(name="s", tasks=slow, jobs=10**6)) == [
        "jobs: 1000000 take 1e+12 s to arrive; must be at least 1 ns and at most 1e+09 s"
    ]
    fast = (task("x", "m", rate_hz=1e9), task("y", "m", rate_hz=1e9), task("z", "m", rate_hz=1e9))
    assert faults_of(Scenario(name="s", tasks=fast, jobs=1)) == [
        "jobs: 1 take 3.33333e-10 s to arrive; must be at least 1 ns and at most 1e+09 s"
    ]
    (fault, _) = faults_of(Scenario(name="s", tasks=(task("x", "m", fps=1e-300),), jobs=1, load=5e-324))
    assert fault.startswith("task 'x': fps 1e-300 at load 4.94066e-324 makes 0 per second")


FILE = """\
name: s
platform: dream_4k_2ws
capacity:
  groups: 2
  tiles: 2
tasks:
  - {name: t, model: fbnet_c, weight: 1}
"""


def test_faults_of_files_have_their_line_and_those_of_settings_their_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.yaml").write_text(FILE)
    limit = "must be at most 1, the tiles of the largest accelerator of platform 'dream_4k_2ws', got"
    for call in (rtsched.compile, rtsched.simulate, lambda ref: rtsched.compare(ref, policies=["edf"], seeds=1)):
        with pytest.raises(InputError) as caught:
            call("in.yaml")
        assert caught.value.faults == (f"in.yaml:5:10 capacity.tiles: {limit} 2",)
    with pytest.raises(InputError) as caught:
        rtsched.compile("in.yaml", settings={"scenario.tasks.t.weight": 2, "scenario.load": 0.5})
    assert caught.value.faults == (f"in.yaml:5:10 capacity.tiles: {limit} 2",)
    for settings, inside in (({"scenario.capacity.tiles": 3}, ""), ({"scenario.capacity": {"groups": 1, "tiles": 3}}, "tiles ")):
        with pytest.raises(InputError) as caught:
            rtsched.compile("in.yaml", settings=settings)
        assert caught.value.faults == (f"settings[{next(iter(settings))!r}]: {inside}{limit} 3",)
    assert rtsched.compile("in.yaml", settings={"scenario.capacity.tiles": 1}).task_rate_hz[0] > 0


def test_outcomes_keep_the_weights(tmp_path):
    outcome = rtsched.simulate("moca_a", policy="edf", duration_s=0.02)
    outcome.save(tmp_path / "run.npz")
    again = rtsched.load_outcome(tmp_path / "run.npz").problem
    assert again.scenario == outcome.problem.scenario
    assert again.scenario.capacity == Capacity(groups=4, tiles=2)
    assert compile_problem(again.scenario, again.platform).digest == outcome.problem.digest == again.digest
