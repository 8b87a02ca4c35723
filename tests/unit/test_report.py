"""What is printed: numbers that do not lie, tables that fit, names taken literally."""

import math
import re
import sys
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of, rows_of
from rich.console import Console

import rtsched
from rtsched.cost.dataflow import DataflowCost
from rtsched.errors import InputError
from rtsched.interop.onnx import ImportedModel, UnknownOperator
from rtsched.metrics import SCALARS
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.policies.roles import Dropper, Policy
from rtsched.report.catalogue import describe, describe_import, listing
from rtsched.report.console import console, progress, simulated_time
from rtsched.report.scenarios import _cascades, _deadline_ms, _rates, describe_scenario
from rtsched.report.terminal import summary
from rtsched.report.text import Fitting, digits, name, percent, scale, scaled, seconds, table
from rtsched.workload.layer import Gemm, Reshape
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task, WeightedPriority


def text_of(renderable, width=80, **options):
    shown_on = Console(width=width, highlight=False, **options)
    with shown_on.capture() as captured:
        shown_on.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


# Numbers and names


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (-13.77, "-13.8"), (999_999, "999,999"),
        (0.00012, "0.000120"), (1.5e-7, "1.50e-07"), (math.nan, "-"), (math.inf, "inf"),
    ],
)  # fmt: skip
def test_digits(value, text):
    assert digits(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0"),
        (1, "100"),
        (1e-6, "0.000100"),
        (0.0005, "0.0500"),
        (0.0123, "1.2"),
        (0.9985, "99.9"),
        (0.9999999, ">99.9"),
        (math.nan, "-"),
    ],
)
def test_percent_does_not_look_like_all_or_nothing(fraction, text):
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 J"), (999.4, "999 J"), (999.6, "1.00 kJ"), (1e-15, "0.00100 pJ"), (2.5e21, "2,500 EJ"), (0.034, "34.0 mJ")]
)
def test_scaled(value, text):
    assert scaled(value, "J") == text
    assert scale(value)[1] + "J" == text.split()[1]


def test_names_are_literal():
    assert text_of(name("[red]x[/] :smile:")) == "[red]x[/] :smile:"
    assert text_of(name("a\x1b[31m\nb")) == "a\\x1b[31m\\nb"


def test_numbers_are_never_cut():
    made = table(["word", "number"], words=("word",), totals=["all", "123,456"])
    made.add_row("w" * 30, "123,456")
    assert text_of(made, width=12).splitlines()[2] == "ww…  123,456"


def test_the_widest_that_fits():
    choices = Fitting("a" * 9, "b" * 5, "c" * 3)
    assert [text_of(choices, width)[0] for width in (9, 8, 5, 4, 2)] == ["a", "b", "b", "c", "c"]


# Summary


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", duration_s=1, load=1.5)


def test_summary_of_vr_gaming(outcome):
    metrics = outcome.metrics
    lines = text_of(outcome.summary(), 100).splitlines()
    heading = f"vr_gaming on dream_4k_1ws2os, policy fcfs, load 1.5, seed 0: {seconds(outcome.end_ns)} simulated"
    assert " ".join("\n".join(lines).partition("\n\n")[0].split()) == f"{heading}; with scenario.duration_s=1"
    row = next(line.split() for line in lines if line.startswith("hand "))
    met, late = metrics.status_counts[1, :2]
    assert row[:5] == ["hand", "hand_pose", str(metrics.released[1]), str(met), str(late)]
    assert row[5:8] == [str(n) for n in metrics.status_counts[1, 2:]]
    assert row[-4:] == [
        percent(metrics.violation_rate[1]),
        digits(metrics.latency_ns[1, 0] * 1e-6),
        digits(metrics.latency_ns[1, 2] * 1e-6),
        digits(metrics.energy_j[1].sum()),
    ]
    text = "\n".join(lines)
    assert f"UXCost   {digits(metrics.uxcost)} (" in text
    for part in ("mac", "sram", "l2", "dram", "switch", "idle"):
        assert f" {part} " in text
    assert f"migrations {outcome.n_migrations:,}, preemptions {int(metrics.n_preemptions.sum()):,}" in text
    assert f"subnets  ofa_mobilenetv3: d4_e6_k7 {metrics.subnet_counts[2]}, d4_e3_k3 0" in text
    assert "PARTIAL" not in text


@pytest.mark.parametrize("width", [80, 100, 120])
def test_summary_fits(outcome, width):
    text = text_of(summary(outcome), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert ("hand_pose" in text) == (width > 80)
    assert ("unfinished" in text) == (width > 100)


def test_partial_summary_says_so(outcome):
    text = text_of(summary(replace(outcome, is_complete=False, end_ns=250_000_000)), 100)
    assert "PARTIAL: interrupted at 250 ms of 1.00 s" in text


class DropsOdd(Dropper):
    def drop(self, state):
        return np.flatnonzero(state.frame % 2)


def test_deadlines_from_the_source_are_noted():
    def summary_of(start):
        tasks = [
            once("root", "m", 1, deadline_ns=50, period_ns=100),
            Task(name="child", model=chain("n", 2), parents=("root",), deadline_from=start),
        ]
        return text_of(summary(rtsched.run(problem_of(tasks, {"m": [[60]], "n": [[10]] * 2}, duration_s=1e-6))), 120)

    note = "latency counts from the job's own release; the deadline of child from its root's"
    assert note in summary_of("source").splitlines()
    assert "latency counts" not in summary_of("trigger")


def test_metrics_are_described():
    text = text_of(describe("stp_jobs"))
    assert text.startswith("stp_jobs  metric\nmean over counting jobs")
    assert "add 0 to the sum and 1 to the denominator" in " ".join(text.split())
    assert "better  more" in text
    for one in SCALARS.values():
        assert one.definition


def test_signatures_are_no_descriptions():
    text = text_of(describe("herald"))
    assert "mapper  LeastCost: The pair whose next layer costs least first." in text
    assert "**given" not in text


def test_every_status_has_a_column_when_it_occurs():
    tasks = [
        once("root", "m", 1, deadline_ns=50, period_ns=100),
        Task(name="child", model=chain("n", 2), parents=("root",)),
        once("slow", "s", 1, deadline_ns=900, period_ns=100),
    ]
    problem = problem_of(tasks, {"m": [[60, 70]], "n": [[10, 20]] * 2, "s": [[3000, 3000]]}, duration_s=1e-6, drain_s=0)
    mapper = rtsched.load_policy("fcfs").mapper
    out = rtsched.run(problem, Policy(mapper=mapper, dropper=DropsOdd(), name="[b]odd"))
    text = text_of(summary(out), 120)
    assert "policy [b]odd" in text
    assert all(status in text.splitlines()[3] for status in ("met", "late", "dropped", "unfinished", "suppressed"))
    assert "jobs" not in text
    assert "sup-" in text_of(summary(out), 80)


def test_summary_of_nothing():
    problem = problem_of([once("late", "m", 1, deadline_ns=10, release_ns=5000)], {"m": [[10]]})
    text = text_of(summary(rtsched.run(problem)))
    assert "UXCost   - (" in text
    assert [line.split() for line in text.splitlines() if line.startswith("late")] == [["late", "m", *"000000", "-", "-", "-", "0"]]


def test_short_latencies_have_a_short_unit():
    text = text_of(summary(rtsched.run(problem_of([once("a", "m", 1, deadline_ns=500)], {"m": [[250]]}, duration_s=1e-6))), 100)
    assert re.search(r"p50 ns +p99 ns", text)
    assert re.search(r"^a +m +1 +1 +0 +0 +0 +0 +0 +250 +250 +0$", text, flags=re.MULTILINE)


def test_many_accelerators_are_summed_up():
    problem = problem_of([once("a", "m", 1, deadline_ns=500)], {"m": [[500] * 9]}, duration_s=1e-6)
    assert "busy     0 to 50.0 %, mean 5.6 % of 9 accelerators" in text_of(summary(rtsched.run(problem)))


# Catalogue


@pytest.mark.parametrize("what", ["scenarios", "platforms", "models"])
def test_lists_hold_everything(what):
    from rtsched import library

    text = text_of(listing(what), 1000)
    assert [line.split()[0] for line in text.splitlines()[2:]] == list(getattr(library, what)())


def test_list_of_policies():
    from rtsched.policies.registry import policy_names, policy_summary

    lines = text_of(listing("policies"), 1000).splitlines()[2:]
    assert [line.split(maxsplit=1) for line in lines] == [[one, policy_summary(one)] for one in policy_names()]


def test_scenarios_are_described():
    text = text_of(describe("vr_gaming"))
    assert text.startswith("vr_gaming  scenario\nGaze, hands")
    assert "when keyword" in text
    assert "cascades  keyword ─ 50 % → translate\n" in text
    assert "up to the longest deadline, 66.7 ms" in " ".join(text.split())
    assert "platform  dream_4k_1ws2os" in text


def scenario_of(**options):
    laws = [
        {"name": "a", "fps": 50, "offset_ms": 1, "jitter_ms": 2},
        {
            "name": "b",
            "rate_hz": 40,
            "deadline_ms": 7,
            "priority": (WeightedPriority(value=3, weight=1), WeightedPriority(value=9, weight=3)),
        },
        {"name": "c", "parents": ("a",), "deadline_ms": 5},
        {"name": "d", "parents": ("c",), "trigger": 0.25},
        {"name": "e", "parents": ("b",)},
    ]
    return Scenario(name="s", tasks=tuple(Task(model=chain("m", 1), **law) for law in laws), **options)


def shown_deadlines_ns(scenario):
    rates_hz, _ = _rates("s", scenario)
    return [round(_deadline_ms(task, scenario, rates_hz) * 1e6) for task in scenario.tasks]


def test_deadlines_are_those_of_the_problem():
    scenario = scenario_of(load=1.6)
    problem = rtsched.compile(scenario, platform_of(rows_of("m", [[10]])))
    assert shown_deadlines_ns(scenario) == problem.task_deadline_ns.tolist()


def test_arrivals_and_priorities_are_described(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["rtsched.report.scenarios"], "load_scenario", lambda ref: scenario_of(load=2, drain_s=0.5))
    text = text_of(describe_scenario("s"), 140)
    arrivals = (
        "100 per s, every 10.0 ms, first at 1 ms, each up to 2 ms late",
        "80 per s on average, at random (Poisson)",
        "when a ends ",
        "when c ends, 25 % of times",
    )
    for part in (*arrivals, "3 (25%), 9 (75%)"):
        assert part in text
    assert "cascades  a → c ─ 25 % → d\n          b → e\n" in text
    assert "given for b, c, else the (mean) time between a task's arrivals; in a cascade that of its root" in " ".join(text.split())
    assert "up to 0.5 s" in text
    assert "none of its own" in text
    assert "load      2: rates" in text
    assert "qos" not in text


def test_quality_of_service_is_told(monkeypatch):
    scenario = scenario_of(qos="H")
    monkeypatch.setattr(sys.modules["rtsched.report.scenarios"], "load_scenario", lambda ref: scenario)
    assert "qos       H: given deadlines above are 0.8 times as long" in text_of(describe_scenario("s"), 140)
    problem = rtsched.compile(scenario, platform_of(rows_of("m", [[10]])))
    assert shown_deadlines_ns(scenario) == problem.task_deadline_ns.tolist()


WEIGHTED = """
name: s
capacity: {groups: 4, tiles: 2}
jobs: 50
tasks:
  - {name: a, model: squeezenet, weight: 3}
  - {name: b, model: yolo_lite, weight: 1, deadline_ms: 7}
"""


def test_rates_that_follow_from_the_platform_are_those_on_the_scenarios_own(tmp_path):
    (tmp_path / "own.yaml").write_text(WEIGHTED + "platform: moca_gemmini_8\n")
    problem = rtsched.compile(tmp_path / "own.yaml")
    text = text_of(describe_scenario(str(tmp_path / "own.yaml")), 140)
    words = " ".join(text.split())
    own = f"{problem.task_rate_hz[0]:.4g} per s on average, at random (Poisson, weight 3) {problem.task_deadline_ns[0] * 1e-6:.3f}"
    assert f"{own} 0 0.349 b yolo_lite" in words
    assert f"{problem.task_rate_hz[1]:.4g} per s on average, at random (Poisson, weight 1) 7.00 0" in words
    assert (
        "capacity tasks with a weight need all the time of 4 groups of 2 tiles at load 1, on average; their rates are those on moca_"
        in words
    )
    assert f"runs until 50 jobs have arrived on average, {problem.duration_ns * 1e-9:.4g} s, then waits" in words
    (tmp_path / "none.yaml").write_text(WEIGHTED.replace("4, tiles: 2", "1"))
    words = " ".join(text_of(describe_scenario(str(tmp_path / "none.yaml")), 140).split())
    assert "a squeezenet at random (Poisson, weight 3) - 0" in words
    assert "all the time of 1 group of 1 tile at load 1, on average; their rates follow from the platform" in words
    assert "runs until 50 jobs have arrived on average, then waits for jobs to end for up to the longest deadline" in words


def test_cascades_are_drawn_path_by_path():
    laws = [("a", {"fps": 50}), ("b", {"parents": ("a",)}), ("c", {"parents": ("a",), "trigger": 0.5}), ("d", {"parents": ("b",)})]
    tasks = tuple(Task(name=one, model=chain("m", 1), **law) for one, law in laws)
    assert _cascades(Scenario(name="s", tasks=tasks)) == ["a → b → d", "a ─ 50 % → c"]
    assert _cascades(Scenario(name="s", tasks=tasks[:1])) == []


def test_platforms_are_described(monkeypatch):
    text = text_of(describe("dream_4k_1ws2os"))
    assert "weight-sta…" not in text
    assert "ws0          WS            1  2,048  700   4,096      512   1,434     -  33.0" in text
    assert "moves activations through DRAM" in text
    from rtsched.report import catalogue

    array = DataflowCost(dataflow="os", pes=64, clock_mhz=100, sram_kib=8, noc_elements_per_cycle=16, element_bytes=2)
    tabled = platform_of(rows_of("m", [[10]]), tiles=(4,)).accelerators[0]
    memory = Memory(peak_gb_per_s=8, efficiency=(0.9, 0.8), arbiter="fair", l2_gb_per_s=20)
    accelerators = (Accelerator(name="x", cost=array, port_gb_per_s=2), tabled)
    monkeypatch.setattr(
        catalogue, "load_platform", lambda ref: Platform(name="p", accelerators=accelerators, memory=memory, regroup_ns=1500, sync_ns=20)
    )
    text = text_of(catalogue._platform("p"), 120)
    words = " ".join(text.split())
    assert "memory DRAM 8 GB/s, of which it delivers 90 % to 1 layer, 80 % to 2 or more layers; arbiter fair: " in words
    assert "; shared L2 20 GB/s, likewise" in words
    assert "moves nothing; another number of tiles than before costs 1,500 ns; a layer on several tiles costs 20 ns" in words
    assert "a0           measured      4" in text
    assert "dataflow  OS output-stationary\n" in text
    assert "MAESTRO" in text
    assert "measured  a0: times from rows in place\n" in text
    assert "element   2 bytes for a weight or an activation\n" in text
    assert "0.23 pJ per MAC, 0.386 pJ per register access, 4.28 pJ per buffer element, 46.0 pJ per byte of DRAM" in words
    monkeypatch.setattr(catalogue, "load_platform", lambda ref: Platform(name="p", accelerators=(tabled,), memory=Memory(peak_gb_per_s=8)))
    words = " ".join(text_of(catalogue._platform("p"), 120).split())
    assert "of which it delivers 100 %; arbiter proportional: " in words
    assert "MAESTRO" not in words
    assert "the shared L2 is no limit" in words
    assert "energy as measured; switches 46.0 pJ per byte" in words
    assert "dataflow WS" not in words


def test_policies_are_described():
    text = text_of(describe("llf"))
    assert text.startswith("llf  policy\n\nLeast laxity first")
    assert "mapper    LeastLaxity: Smallest slack minus to-go first." in text
    assert "waits     no" in text
    assert f"source    rtsched {rtsched.__version__}, rtsched.policies.llf" in text
    assert "settings  none" in text


SCRIPT = '''
import rtsched


class Mine(rtsched.Mapper):
    """Something.

    A list:

    - one
    - two

    A paragraph
    in two lines.
    """

    waits = True
    settings = (
        rtsched.Setting("alpha", 0.5, "strength", low=0, high=1),
        rtsched.Setting("window_ns", 10**9, "length", "ns", low=1),
        rtsched.Setting("most", 3.0, "the most", high=9),
        rtsched.Setting("mode", "auto", "how", choices=("auto", "spatial")),
        rtsched.Setting("lanes", (1, 2), "which", low=0),
        rtsched.Setting("is_eager", False, "at once"),
        rtsched.Setting("bound", None, "anything"),
    )

    def key(self, state, row):
        return 0
'''


def test_settings_are_described(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SCRIPT)
    text = text_of(describe("mine.py:Mine"))
    assert text.startswith("Mine  policy\n\nSomething.\n\nA list:\n\n- one\n- two\n\nA paragraph in two lines.\n\n")
    assert "waits   yes" in text
    assert "mapper  Mine\n" in text
    assert text.count("Something.") == 1
    assert [re.split(" {2,}", line) for line in text.splitlines() if line.startswith("mapper.")] == [
        ["mapper.alpha", "0.5", "-", "0 to 1", "strength"],
        ["mapper.window_ns", "1000000000", "ns", "at least 1", "length"],
        ["mapper.most", "3", "-", "at most 9", "the most"],
        ["mapper.mode", "auto", "-", "auto or spatial", "how"],
        ["mapper.lanes", "1, 2", "-", "list: at least 0", "which"],
        ["mapper.is_eager", "false", "-", "true or false", "at once"],
        ["mapper.bound", "none", "-", "any", "anything"],
    ]


def test_supernets_are_described():
    text = text_of(describe("ofa_mobilenetv3"))
    assert "note8_22ms      67  67.2        4.30      70.4" in text
    assert "Layers of the largest, d4_e6_k7" in text


def test_dynamic_models_and_what_was_left_out_are_described():
    layers = [Gemm(name="g", m=10, n=20, k=30), Gemm(name="h", m=1, n=1, k=1)]
    blocks = (Block(layers=(layers[0], Reshape(name="r")), exit=0.5), Block(layers=(layers[1],), skip=0.1))
    model = Model(name="[b]m", source="nowhere", subnets=(Subnet(name="m", blocks=blocks),))
    operators = (UnknownOperator("Foo", "vendor", 2, "n1"), UnknownOperator("Bar", "", 1, "n2"))
    text = text_of(describe_import(ImportedModel(model, operators)))
    assert text.startswith("[b]m  model\nnowhere")
    assert "reshape (free)" in text
    assert "all layers           3  6.00" in text
    assert "blocks  2; 1 may be skipped, after 1 an inference may end" in text
    assert "free  operator Foo of domain 'vendor' (2 nodes, first 'n1')\n      operator Bar (1 node, first 'n2')" in text


def test_files_tell_what_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text("name: net\nlayers:\n- {name: g, kind: gemm, m: 1, n: 2, k: 3}\n")
    (tmp_path / "s.yaml").write_text("name: s\ntasks:\n- {name: t, model: net.yaml, fps: 1}\n")
    (tmp_path / "p.yaml").write_text("name: p\naccelerators: []\n")
    (tmp_path / "other.yaml").write_text("name: other\n")
    (tmp_path / "list.yaml").write_text("[tasks]\n")
    assert text_of(describe("net.yaml")).startswith("net  model")
    assert text_of(describe("s.yaml")).startswith("s  scenario")
    with pytest.raises(InputError, match=r"p.yaml:2:1[0-9 ]* accelerators: must have at least 1 entry"):
        describe("p.yaml")
    for file in ("other.yaml", "list.yaml"):
        with pytest.raises(InputError, match=f"^{file}: is no scenario, platform or model: it has none of the keys tasks, "):
            describe(file)


def test_nothing_of_that_name():
    with pytest.raises(InputError, match=r"^nothing is named 'vr_gamin'; did you mean 'vr_gaming'\?$"):
        describe("vr_gamin")
    with pytest.raises(InputError, match=r"^nothing is named '@'; see rtsched list$"):
        describe("@")


# Consoles


def test_progress_needs_a_terminal(capsys):
    with progress(console(is_error=True), simulated_time) as report:
        assert report is None


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal in the place of standard error; called in the test, because pytest captures that anew for each phase."""

    def install():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stderr", Terminal())
        return sys.stderr

    return install


def test_progress_of_short_runs_is_not_shown(terminal):
    stream = terminal()
    with progress(console(is_error=True), simulated_time) as report:
        report(1, 2)
    assert stream.getvalue() == ""


def test_progress_of_long_runs_is_shown_and_cleaned_up(terminal, monkeypatch):
    monkeypatch.setattr("rtsched.report.console.PROGRESS_AFTER_S", 0.0)
    stream = terminal()
    with progress(console(is_error=True), simulated_time) as report:
        report(1_500_000_000, 2_000_000_000)
    assert "1.5 of 2.0 s" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")


def test_pipes_are_wide_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console().width == 120
    monkeypatch.setenv("COLUMNS", "70")
    assert console().width == 70
    assert console(pipe_columns=200).width == 200


def test_forced_colours_do_not_make_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress(console(is_error=True), simulated_time) as report:
        assert report is None
