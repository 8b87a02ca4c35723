"""The DRAM's bandwidth over time: rows as CSV, step functions, pictures, and what the command refuses."""

import csv
import io
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of, rows_of
from hypothesis import given
from hypothesis import strategies as st
from program import invoke, is_running, messages, start
from reference import roles
from strategies import policies, problems, seeds

import rtsched
from rtsched._core import _testing
from rtsched.errors import InputError
from rtsched.platform.platform import Memory
from rtsched.policies.roles import Policy
from rtsched.report.bandwidth import COLUMNS, busiest, check_window, steps_of, to_csv
from rtsched.report.bandwidth_figure import COLOURS, draw_bandwidth, look_of
from rtsched.run import run

FORMATS = Path(__file__).parents[2] / "docs/formats.md"
CAPPED = """
import numpy as np
import rtsched


class Half(rtsched.Regulator):
    def regulate(self, state):
        demand = state.running.demand_bytes_per_ns
        return np.where(demand > 0, demand / 2, np.inf)


def half():
    return rtsched.Policy(mapper=rtsched.load_policy("edf").mapper, regulator=Half())


class Breaks(rtsched.Regulator):
    def regulate(self, state):
        raise ZeroDivisionError("mine")


def breaks():
    return rtsched.Policy(mapper=rtsched.load_policy("edf").mapper, regulator=Breaks())
"""


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", policy="edf", duration_s=0.2, rates=True)


@pytest.fixture(scope="module")
def capped():
    """Two tasks that share 10 bytes per ns, each capped at half of its demand of 9; counters set."""
    tasks = [once(name, "m", 2, deadline_ns=900, period_ns=500) for name in ("a", "b")]
    problem = problem_of(tasks, {"m": [[100, 100]] * 2}, dram_bytes=900, memory=Memory(peak_gb_per_s=10.0))
    return run(problem, Policy(mapper=roles.LeastLaxity(), regulator=_testing.CountedRegulator()), rates=True)


def table(outcome, *window):
    return list(csv.DictReader(io.StringIO("".join(to_csv(outcome, *window)))))


# CSV


def test_the_page_explains_every_column_and_its_example_runs():
    page = FORMATS.read_text(encoding="utf-8")
    described = page[page.index("## CSV of rates") :].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", described, flags=re.MULTILINE) == list(COLUMNS)
    (code,) = re.findall(r"^```python\n(.*?)^```$", described, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3


def test_rows_name_what_they_are_of(capped):
    rows = table(capped)
    assert list(rows[0].values()) == ["0", "0", "a", "0", "l0", "a0", "9.0", "4.5", "4.5", "1000", "1"]
    assert list(rows[1].values())[1:6] == ["2", "b", "0", "l0", "a1"]
    assert list(rows[2].values()) == ["200", "0", "a", "0", "l0", "a0", "0.0", "0.0", "", "0", "0"]


def test_numbers_come_back(outcome):
    rows = table(outcome)
    assert len(rows) == len(outcome.rates)
    for name, column in (
        ("time_ns", "time_ns"),
        ("job", "job"),
        ("demand", "demand_bytes_per_ns"),
        ("allocation", "allocation_bytes_per_ns"),
    ):
        assert [float(row[name]) for row in rows] == outcome.rates[column].tolist()
    assert [row["task"] for row in rows] == [outcome.problem.task_names[task] for task in outcome.jobs["task"][outcome.rates["job"]]]


def test_a_window_begins_with_what_holds_there(capped):
    """200 ns is the end of the first layers and the start of the second; 300 is in the middle of these."""
    assert [row["time_ns"] for row in table(capped, 300, 399)] == ["200", "200"]
    assert [row["allocation"] for row in table(capped, 300, 399)] == ["4.5", "4.5"]
    assert [row["time_ns"] for row in table(capped, 300, 400)] == ["200", "200", "400", "400"]
    assert [row["time_ns"] for row in table(capped, 200, 399)] == ["200"] * 4
    assert table(capped, 401, 499) == []


@given(problems(), policies(), seeds, st.integers(0, 30_000), st.integers(0, 30_000))
def test_a_window_leaves_out_what_does_not_matter_in_it(problem, policy, seed, one, other):
    """Step functions made of the rows of a window are those of the whole run there."""
    outcome = run(problem, policy, seed=seed, rates=True)
    first, last = sorted((one, other))
    whole, part = table(outcome), table(outcome, first, last)
    assert [row for row in whole if first <= int(row["time_ns"]) <= last] == [row for row in part if int(row["time_ns"]) >= first]
    given = {}
    for row in whole:
        if int(row["time_ns"]) < first:
            given[row["job"], row["layer"]] = row
    at_start = [row for row in part if int(row["time_ns"]) < first]
    # What is gone has ended.
    assert all(row in at_start or float(row["demand"]) == 0 for row in given.values())
    assert all(given[row["job"], row["layer"]] == row for row in at_start)


# Steps


def test_steps_of_two_capped_tasks(capped):
    steps = steps_of(capped, 0, 600)
    assert steps.edges_ns.tolist() == [0, 200, 400, 500, 600]
    assert steps.allocation.tolist() == [[4.5, 4.5, 0, 4.5]] * 2
    assert steps.demand.tolist() == [18, 18, 0, 18]
    assert steps.bandwidth.tolist() == [10, 10, 10, 10]
    assert [(task, np.nan_to_num(caps, nan=-1).tolist()) for task, caps in steps.caps] == [(task, [4.5, 4.5, -1, 4.5]) for task in (0, 1)]
    assert steps.mean_over_ns is None


def test_tasks_that_follow_each_other_on_a_tile_have_caps_of_their_own():
    tasks = [once(name, "m", 1, deadline_ns=900) for name in ("a", "b")]
    problem = problem_of(tasks, {"m": [[100]]}, dram_bytes=90)
    outcome = run(problem, Policy(mapper=roles.LeastLaxity(), regulator=_testing.HalfRegulator()), rates=True)
    steps = steps_of(outcome, 0, 400)
    assert steps.edges_ns.tolist() == [0, 200, 400]
    assert [(task, np.nan_to_num(caps, nan=-1).tolist()) for task, caps in steps.caps] == [(0, [0.45, -1]), (1, [-1, 0.45])]


def test_what_the_dram_delivers_depends_on_how_many_draw():
    rows = rows_of("m", [[100, 100]], dram_bytes=500)
    memory = Memory(peak_gb_per_s=10.0, efficiency=(1.0, 0.8))
    tasks = [rtsched.Task(name=name, model=chain("m", 1), trace=times, deadline_ms=1.0) for name, times in (("a", (0.0,)), ("b", (5e-5,)))]
    scenario = rtsched.Scenario(name="two", tasks=tuple(tasks), duration_s=1e-6)
    outcome = run(rtsched.compile(scenario, platform_of(rows, (1, 1), memory)), rates=True)
    steps = steps_of(outcome, 0, 200)
    assert steps.edges_ns.tolist()[:2] == [0, 50]
    assert steps.bandwidth.tolist()[:2] == [10, 8]
    assert steps.bandwidth[-1] == 10


@given(problems(), policies(), seeds, st.sampled_from([1, 7, 10**6]))
def test_steps_move_the_bytes_of_the_rows(problem, policy, seed, max_steps):
    outcome = run(problem, policy, seed=seed, rates=True)
    if outcome.end_ns == 0:
        return
    steps = steps_of(outcome, 0, outcome.end_ns, max_steps)
    width = np.diff(steps.edges_ns)
    most_ns = 2 * outcome.n_layers  # finishes are whole ns
    moved = (steps.allocation * width).sum()
    assert moved == pytest.approx(outcome.served_bytes, rel=1e-6, abs=1e-6 + most_ns * problem.peak_bytes_per_ns)
    assert len(width) <= max_steps
    assert (steps.mean_over_ns is None) or len(width) == max_steps
    assert (steps.allocation.sum(axis=0) <= steps.bandwidth * (1 + 1e-6)).all()
    assert (steps.allocation.sum(axis=0) <= steps.demand * (1 + 1e-6) + 1e-6).all()


def test_the_busiest_window(outcome):
    first, last = busiest(outcome)
    assert last - first == 5_000_000
    assert first % 500_000 == 0
    demanded = {
        start: float((steps.demand * np.diff(steps.edges_ns)).sum())
        for start in range(0, outcome.end_ns - 5_000_000, 500_000)
        for steps in [steps_of(outcome, start, start + 5_000_000)]
    }
    assert demanded[first] == pytest.approx(max(demanded.values()))


def test_a_short_run_is_shown_whole(capped):
    assert busiest(capped) == (0, capped.end_ns)


def test_rates_must_have_been_recorded():
    with pytest.raises(InputError, match="rates=True"):
        next(to_csv(rtsched.simulate("vr_gaming", duration_s=0.01)))


@pytest.mark.parametrize(
    ("window", "faults"),
    [
        ((-1_000_000, -2_000_000), ["from: must not be negative, got -1 ms", "to: must not be negative, got -2 ms"]),
        ((10_000_000, None), ["from: must be before the end of the run at 10 ms, got 10 ms"]),
        ((5_000_000, 5_000_000), ["to: must be later than 5 ms, where the window begins, got 5 ms"]),
        ((None, 0), ["to: must be later than 0 ms, where the window begins, got 0 ms"]),
    ],
)
def test_windows_in_which_nothing_can_be_seen(window, faults):
    with pytest.raises(InputError) as caught:
        check_window(*window, 10_000_000)
    assert list(caught.value.faults) == faults


def test_windows_that_are_fine():
    check_window(None, None, 10)
    check_window(0, 99, 10)
    check_window(9, None, 10)


# Pictures


def draw(*arguments):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    return draw_bandwidth(*arguments)


def words(svg):
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(("suffix", "beginning"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_files_are_what_their_suffix_says_and_the_same_every_time(outcome, suffix, beginning):
    first = draw(outcome, suffix, 100_000_000, 103_000_000)
    assert first.startswith(beginning)
    assert first == draw(outcome, suffix, 100_000_000, 103_000_000)


def test_a_picture_names_tasks_and_lines(outcome, capped):
    shown = words(draw(outcome, ".svg", *busiest(outcome)))
    for text in ("vr_gaming on dream_4k_1ws2os, edf, seed 0", "hand", "DRAM delivers", "layers demand", "allocation, GB/s", "time, ms"):
        assert text in shown
    assert "caps, GB/s" not in shown
    shown = words(draw(capped, ".svg", 0, 600))
    for text in ("a", "b", "caps, GB/s"):
        assert text in shown


def test_many_changes_are_shown_as_means(outcome):
    assert "time, ms (means over 100 µs)" in words(draw(outcome, ".svg", 0, 200_000_000))


def test_tasks_differ_in_colour_or_hatch():
    looks = [tuple(look_of(task).values()) for task in range(4 * len(COLOURS))]
    assert len(set(looks)) == len(looks) == 32
    assert look_of(0)["hatch"] == ""


def test_nothing_to_draw(capped):
    with pytest.raises(InputError, match=r"no layer draws from the DRAM between 0\.00041 and 0\.00049 ms"):
        draw(capped, ".svg", 410, 490)


def test_without_matplotlib_nothing_is_simulated(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    expected = "pictures need matplotlib: pip install 'rtsched[plot]'"
    assert messages("bandwidth", "vr_gaming", "-o", tmp_path / "a.png", "--duration", 1e6) == [expected]


# The command

SHORT = ("bandwidth", "vr_gaming", "-P", "edf", "--duration", 0.2)


def test_the_command_writes_rows(tmp_path, outcome):
    result = invoke(*SHORT, "-o", tmp_path / "a.csv")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "".join(to_csv(outcome))
    result = invoke(*SHORT, "-o", "-", "--from", 20, "--to", 21.5)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "".join(to_csv(outcome, 20_000_000, 21_500_000))


def test_the_command_writes_pictures(tmp_path, outcome):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    for options, window in (((), busiest(outcome)), (("--from", 150), (150_000_000, outcome.end_ns)), (("--to", 1e9), (0, outcome.end_ns))):
        result = invoke(*SHORT, *options, "-o", tmp_path / "a.SVG")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        assert (tmp_path / "a.SVG").read_bytes() == draw_bandwidth(outcome, ".svg", *window)


def test_caps_of_a_file_of_policies(tmp_path):
    (tmp_path / "mine.py").write_text(CAPPED)
    result = invoke("bandwidth", "vr_gaming", "-P", f"{tmp_path / 'mine.py'}:half", "--duration", 0.05, "-o", "-")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert all(float(row["cap"]) == float(row["demand"]) / 2 for row in rows if float(row["demand"]) > 0)
    assert all(row["cap"] == "" for row in rows if float(row["demand"]) == 0)


def test_a_policy_that_fails_is_told_and_nothing_is_written(tmp_path):
    (tmp_path / "mine.py").write_text(CAPPED)
    result = invoke("bandwidth", "vr_gaming", "-P", f"{tmp_path / 'mine.py'}:breaks", "-o", tmp_path / "a.csv")
    assert result.exit_code == 1
    assert "raise ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr
    assert [one.name for one in tmp_path.iterdir() if one.name != "__pycache__"] == ["mine.py"]


def test_faults_are_reported_together_and_nothing_is_written(tmp_path):
    found = messages("bandwidth", "vr_gamin", "-p", "dream_4k_2wss", "-P", "edff", "--seed", -1, "-o", tmp_path / "a.gif", "--to", "nan")
    assert [one.split(";")[0] for one in found] == [
        "unknown scenario 'vr_gamin'",
        "unknown platform 'dream_4k_2wss'",
        "unknown policy 'edff'",
        "seed must be an integer from 0 to 2**64 - 1, got -1",
        f"{tmp_path / 'a.gif'}: must end in .png, .svg, .pdf or .csv",
        "to: must be a finite number, got nan",
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--from", -1), "from: must not be negative, got -1 ms"),
        (("--from", 3, "--to", 2), "to: must be later than 3 ms, where the window begins, got 2 ms"),
        (("--from", "1e300"), "from: must be before the end of the run at "),
        (("--from", 201), "from: must be before the end of the run at 2"),
    ],
)
def test_windows_of_the_command(tmp_path, options, expected):
    (found,) = messages(*SHORT, *options, "-o", tmp_path / "a.csv")
    assert found.startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_inputs_are_not_overwritten(tmp_path):
    (tmp_path / "mine.csv").write_text("x")
    scenario = Path(__file__).parents[2] / "examples/glasses.yaml"
    costs = scenario.with_name("costs.csv")
    before = costs.read_bytes()
    (found,) = messages("bandwidth", scenario, "-o", costs)
    assert found == f"-o {costs}: would overwrite the cost table of accelerator 'dsp'"
    assert costs.read_bytes() == before


def test_ctrl_c_writes_nothing(tmp_path):
    process = start("bandwidth", "vr_gaming", "--duration", "100000", "-o", tmp_path / "a.csv")
    while not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "interrupted\n")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_after_a_detour(tmp_path, outcome):
    """Saved and read again."""
    outcome.save(tmp_path / "run.npz")
    assert "".join(to_csv(rtsched.load_outcome(tmp_path / "run.npz"))) == "".join(to_csv(outcome))
    assert replace(outcome, rates=None).rates is None
