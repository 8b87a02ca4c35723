"""The reference that the time of a job alone is measured on."""

import pytest
from builders import chain, platform_of
from reference import roles
from reference.compare import assert_equal_runs, run_reference

from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.library import load_platform
from rtsched.platform.platform import Reference
from rtsched.policies.roles import Policy
from rtsched.report.catalogue import _reference
from rtsched.run import run
from rtsched.testing import outcome_faults
from rtsched.workload.scenario import Scenario, Task

# ns of three layers on a0 with 1, 2 and 3 tiles, on a1 with 1 and 2, on a2 with 1. More tiles are not always faster.
TIMES = {
    "l0": {("a0", 1): 90, ("a0", 2): 50, ("a0", 3): 60, ("a1", 1): 80, ("a1", 2): 70, ("a2", 1): 55},
    "l1": {("a0", 1): 40, ("a0", 2): 45, ("a0", 3): 30, ("a2", 1): 35},
    "l2": {("a0", 3): 20, ("a1", 1): 25},
}


def problem_on(reference):
    rows = [
        {"model": "m", "layer": layer, "accelerator": name, "tiles": tiles, "latency_ns": time_ns}
        for layer, options in TIMES.items()
        for (name, tiles), time_ns in options.items()
    ]
    scenario = Scenario(name="hand", tasks=(Task(name="t", model=chain("m", 3), fps=1e6),), duration_s=1e-6)
    return compile_problem(scenario, platform_of(rows, tiles=(3, 2, 1), reference=reference))


@pytest.mark.parametrize(
    ("reference", "expected_ns"),
    [
        (Reference(), [50, 30, 20]),
        # l2 runs on a1 only.
        (Reference(tiles=1), [55, 35, 25]),
        # Two of a0 and a1, the one of a2. l2 runs on none of them: its fastest.
        (Reference(tiles=2), [50, 35, 20]),
        (Reference(tiles=3), [55, 30, 20]),
        (Reference(accelerator="a0"), [50, 30, 20]),
        # l1 runs nowhere on a1.
        (Reference(accelerator="a1"), [70, 30, 25]),
        (Reference(accelerator="a0", tiles=1), [90, 40, 20]),
        (Reference(accelerator="a1", tiles=1), [80, 30, 25]),
        (Reference(accelerator="a2", tiles=1), [55, 35, 20]),
    ],
)
def test_the_time_alone_is_that_on_the_reference(reference, expected_ns):
    problem = problem_on(reference)
    assert problem.layer_reference_ns.tolist() == expected_ns
    (job,) = run(problem).jobs
    assert job["isolated_ns"] == sum(expected_ns)


def test_times_alone_end_with_the_clock():
    """The reference may take so much longer than what a job runs on that the sum of its layers' times fits no integer."""
    rows = [
        {"model": "m", "layer": f"l{i}", "accelerator": name, "latency_ns": time_ns}
        for i in range(3)
        for name, time_ns in (("a0", 1), ("a1", 2**53))
    ]
    task = Task(name="t", model=chain("m", 3), fps=1, time_factor={"values": [1e6]})
    scenario = Scenario(name="slow", tasks=(task,), duration_s=1)
    problem = compile_problem(scenario, platform_of(rows, tiles=(1, 1), reference=Reference(accelerator="a1")))
    outcome = run(problem, layers=True)
    assert outcome.jobs["isolated_ns"].tolist() == [2**62]
    assert outcome_faults(outcome) == []
    assert_equal_runs(outcome, run_reference(problem, Policy(mapper=roles.FirstCome()), 0))


def test_the_reference_changes_no_schedule_but_is_an_input():
    default, two = problem_on(Reference()), problem_on(Reference(tiles=2))
    names = [name for name in run(default).jobs.dtype.names if name != "isolated_ns"]
    assert (run(default).jobs[names] == run(two).jobs[names]).all()
    assert default.digest != two.digest


PLATFORM = """name: p
accelerators:
- {name: a0, tiles: 2, cost: {model: table, rows: []}}
- {name: a1, cost: {model: table, rows: []}}
memory: {peak_gb_per_s: 1.0}
reference: """


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("{accelerator: npu}", "6:26 reference.accelerator: unknown accelerator 'npu'; accelerators: a0, a1"),
        ("{accelerator: npu, tiles: 9}", "6:26 reference.accelerator: unknown accelerator 'npu'; accelerators: a0, a1"),
        ("{tiles: 3}", "6:20 reference.tiles: must be at most 2, the tiles of the largest accelerator, got 3"),
        ("{accelerator: a1, tiles: 2}", "6:37 reference.tiles: must be at most 1, the tiles of accelerator 'a1', got 2"),
        ("{tiles: 0}", "6:20 reference.tiles: must be at least 1, got 0"),
        ("{tile: 1}", "6:13 reference.tile: unknown key; did you mean 'tiles'?"),
    ],
)
def test_a_wrong_reference_is_named(tmp_path, monkeypatch, reference, fault):
    monkeypatch.chdir(tmp_path)
    rows = "rows: [{model: m, layer: l, accelerator: a0, latency_ns: 1}]"
    (tmp_path / "p.yaml").write_text(PLATFORM.replace("rows: []", rows) + reference + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_platform("p.yaml")
    assert caught.value.faults == (f"p.yaml:{fault}",)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (Reference(tiles=2), "the fastest accelerator with 2 tiles: the time of a job alone"),
        (Reference(accelerator="a0", tiles=1), "a0 with 1 tile: the time of a job alone"),
        (Reference(accelerator="[b]a"), "[b]a with any number of tiles: the time of a job alone"),
    ],
)
def test_the_reference_is_described(reference, text):
    assert _reference(reference) == text
