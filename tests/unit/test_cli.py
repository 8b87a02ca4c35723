"""The command line: what each command prints and where, exit codes, and nothing but messages for whatever goes wrong."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app
from rtsched.library import models, platforms, scenarios
from rtsched.policies import registry
from rtsched.policies.roles import Mapper, Policy
from rtsched.report.export import comparison_to_json, to_csv, to_json

MALFORMED = Path(__file__).parent / "malformed"
PROGRAM = [sys.executable, "-P", "-c", "from rtsched.cli import main; main()"]
SQUEEZENET = "package:onnx/backend/test/data/light/light_squeezenet.onnx"
SHORT = ("run", "vr_gaming", "--duration", "0.2")


def invoke(*arguments):
    """Run a command in this process; an exception that is no exit code fails the test."""
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def start(*arguments, **options):
    """Start a command in a process of its own."""
    environment = {**os.environ, "COLUMNS": "100", **options.pop("environment", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], env=environment, **options)


def messages(*arguments):
    """The lines of a command whose input is at fault."""
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()


# Help and version


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_without_a_command_there_is_help(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("Usage: rtsched [OPTIONS] COMMAND")
    assert re.findall(r"^  (\w+)  ", result.stdout, flags=re.MULTILINE) == [
        "run",
        "compare",
        "check",
        "list",
        "show",
        "roofline",
        "schema",
        "import",
    ]
    assert "completion" not in result.stdout


@pytest.mark.parametrize(
    "command", [("run",), ("compare",), ("check",), ("list",), ("show",), ("roofline",), ("schema",), ("import",), ("import", "onnx")]
)
def test_help_of_commands_fits_a_terminal(command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\b" not in result.stdout


def test_examples_of_the_help_are_accepted(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import rtsched\nclass LeastLaxity(rtsched.Mapper):\n    def key(self, state, row): return 0\n")
    text = "".join(invoke(*command, "--help").stdout for command in [(), ("run",), ("compare",), ("show",)])
    examples = re.findall(r"^    rtsched ((?:run|compare) vr_gaming[^|\n]*|list .*|show [\w.:]+)$", text, flags=re.MULTILINE)
    assert len(examples) == 12
    for arguments in map(str.split, examples):
        result = invoke(*arguments, *(["--duration", "0.05"] if arguments[0] in ("run", "compare") else []))
        assert result.exit_code == 0, arguments


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"rtsched {rtsched.__version__}\n")


# run


def test_a_run_prints_its_summary_to_standard_error():
    result = invoke(*SHORT, "-P", "edf", "-p", "dream_8k_2ws", "--seed", 7, "--load", 1.5)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.startswith("vr_gaming on dream_8k_2ws, policy edf, load 1.5, seed 7: ")
    assert "UXCost" in result.stderr


def test_json_on_standard_output_is_pure():
    result = invoke(*SHORT, "--seed", 2, "--json", "-")
    outcome = rtsched.simulate("vr_gaming", seed=2, duration_s=0.2)
    assert result.stdout == to_json(outcome)
    assert "UXCost" in result.stderr


def test_files(tmp_path):
    result = invoke(*SHORT, "--json", tmp_path / "out.json", "--csv", tmp_path / "jobs.csv")
    outcome = rtsched.simulate("vr_gaming", duration_s=0.2)
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "out.json").read_text() == to_json(outcome)
    assert (tmp_path / "jobs.csv").read_text() == "".join(to_csv(outcome))
    assert len(list(tmp_path.iterdir())) == 2


def test_json_in_a_file_and_csv_on_standard_output(tmp_path):
    result = invoke(*SHORT, "--json", tmp_path / "out.json", "--csv", "-")
    assert len(list(csv.reader(result.stdout.splitlines()))) == 1 + json.loads((tmp_path / "out.json").read_text())["run"]["jobs"]


def test_the_same_seed_gives_the_same_bytes_in_every_process():
    outputs = set()
    for hash_seed in ("0", "17"):
        process = start(*SHORT, "--seed", 5, "--json", "-", environment={"PYTHONHASHSEED": hash_seed}, stderr=subprocess.DEVNULL)
        outputs.add(process.communicate()[0])
        assert process.returncode == 0
    assert outputs == {to_json(rtsched.simulate("vr_gaming", seed=5, duration_s=0.2))}


# Faults


@pytest.mark.parametrize("file", sorted(path.name for path in MALFORMED.glob("*.yaml")))
def test_malformed_scenarios(file, monkeypatch, tmp_path):
    """One message per fault, exit code 2, and nothing is written."""
    monkeypatch.chdir(MALFORMED)
    expected = Path(file).with_suffix(".expected").read_text(encoding="utf-8")
    assert "\n".join(messages("run", file, "--json", tmp_path / "out.json", "--csv", tmp_path / "jobs.csv")) + "\n" == expected
    assert list(tmp_path.iterdir()) == []


def test_there_are_many_malformed_scenarios():
    assert len(list(MALFORMED.glob("*.yaml"))) >= 40


@pytest.mark.parametrize("file", ["several_faults.yaml", "binary.yaml", "alias_bomb.yaml"])
def test_malformed_scenarios_in_a_process(file):
    process = start("run", file, "--json", "-", cwd=MALFORMED)
    expected = (MALFORMED / file).with_suffix(".expected").read_text(encoding="utf-8")
    assert process.communicate() == ("", expected)
    assert process.returncode == 2


def test_faults_of_all_options_come_together(tmp_path):
    missing = tmp_path / "missing"
    arguments = ("-p", "dream_4k_2wss", "-P", "edff", "--json", missing / "a", "--csv", missing / "b")
    found = messages("run", "vr_gamin", *arguments)
    assert found[:2] == [
        "unknown scenario 'vr_gamin'; did you mean 'vr_gaming'?",
        "unknown platform 'dream_4k_2wss'; did you mean 'dream_4k_2ws'?",
    ]
    assert found[2].startswith("unknown policy 'edff'; did you mean 'edf'?")
    assert found[3:] == [f"{missing}/{name}: cannot be written: no such file or directory" for name in "ab"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--duration", "-1"), ["duration_s: must be greater than 0, got -1.0"]),
        (("--duration", "nan", "--load", "0"), ["duration_s: must be a finite number, got nan", "load: must be greater than 0, got 0.0"]),
        (("--seed", "-1"), ["seed must be an integer from 0 to 2**64 - 1, got -1"]),
        (("--seed", str(2**64)), [f"seed must be an integer from 0 to 2**64 - 1, got {2**64}"]),
        (("--json", "-", "--csv", "-"), ["--json and --csv cannot both be written to -"]),
        (("--json", "."), [".: cannot be written: is a folder"]),
    ],
)
def test_values_of_options(arguments, expected):
    assert messages("run", "vr_gaming", *arguments) == expected


def test_settings_change_the_run_and_its_provenance():
    plain, changed = (
        json.loads(invoke(*SHORT, *options, "--json", "-").stdout)
        for options in ([], ["--set", "scenario.tasks.gaze.fps=90", "--set", "platform.memory.efficiency=[1.0, 0.8]"])
    )
    assert (plain["metrics"]["tasks"][0]["released"], changed["metrics"]["tasks"][0]["released"]) == (12, 18)
    assert plain["provenance"]["inputs_sha256"] != changed["provenance"]["inputs_sha256"]


def test_faults_of_settings_come_with_those_of_other_options():
    arguments = ("--set", "scenario.tasks.gaze.fps=-3", "--set", "taks.gaze=1", "--set", "mapper.no_such=1", "--load", 0, "--seed", -1)
    found = messages("run", "vr_gaming", *arguments)
    assert found[0].startswith("--set taks.gaze=1: a path begins with scenario, ")
    assert found[1:3] == ["--set scenario.tasks.gaze.fps=-3: must be greater than 0, got -3", "load: must be greater than 0, got 0.0"]
    assert "mapper" in found[3]
    assert found[4:] == ["seed must be an integer from 0 to 2**64 - 1, got -1"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",), ("run", "vr_gaming", "--seed", "x"), ("run", "vr_gaming", "--seed", "1.5"), ("run", "vr_gaming", "--duration", "long"),
        ("run", "vr_gaming", "--load"), ("run", "vr_gaming", "--sede", "1"), ("run", "vr_gaming", "extra"), ("list", "tasks"),
        ("compare", "vr_gaming"), ("compare", "vr_gaming", "-P", "edf", "--threads", "x"),
        ("show",), ("frobnicate",), ("import", "tflite"), ("import", "onnx"), ("import", "onnx", "m.onnx", "--unknown", "drop"),
    ],
)  # fmt: skip
def test_usage(arguments):
    assert [line for line in messages(*arguments) if not line.startswith(("Usage: rtsched ", "Try 'rtsched ", "\t"))][-1].startswith(
        "Error: "
    )


def test_what_cannot_be_written_is_found_before_the_run(tmp_path):
    process = start("run", "vr_gaming", "--duration", "1e6", "--json", tmp_path / "a/b")
    try:
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert errors == f"{tmp_path}/a/b: cannot be written: no such file or directory\n"
    assert list(tmp_path.iterdir()) == []


# What goes wrong later


class Broken(Mapper):
    def score(self, state):
        return np.full(state.n_ready, np.nan if state.now_ns > 50_000_000 else 0.0)


def test_a_policy_that_breaks_its_contract(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "broken_policy", SimpleNamespace(policy=lambda: Policy(mapper=Broken(), name="broken")))
    monkeypatch.setitem(registry.POLICIES, "broken", "broken_policy")
    result = invoke(*SHORT, "-P", "broken", "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    failure, partial = result.stderr.splitlines()
    assert failure.startswith("policy 'broken': ")
    assert re.match(r"The run had reached 0\.\d+ s with \d+ jobs; no file was written\. .*PolicyError\.outcome", partial)
    assert list(tmp_path.iterdir()) == []


FAILING = """
import rtsched


class Score(rtsched.Mapper):
    def score(self, state):
        return state.nothing


class Start(rtsched.Mapper):
    def start(self, problem):
        raise RuntimeError("not today")

    def key(self, state, row):
        return 0
"""


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("Score", "line 7, in score", "AttributeError: 'rtsched._core.view.StateView' object has no attribute 'nothing'"),
        ("Start", "line 12, in start", "RuntimeError: not today"),
    ],
)
def test_a_role_that_fails(name, place, reason, tmp_path, monkeypatch):
    """The lines of the user's file, and none of the program's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rtsched").mkdir()
    (tmp_path / "rtsched" / "mine.py").write_text(FAILING)
    result = invoke(*SHORT, "-P", f"rtsched/mine.py:{name}", "--json", "out.json")
    lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert (lines[0], lines[1], lines[-1]) == (f"policy '{name}' failed:", f'  File "rtsched/mine.py", {place}', reason)
    assert len(lines) <= 5
    assert [path.name for path in tmp_path.iterdir()] == ["rtsched"]


LEAVING = """
import sys

import rtsched


class Leave(rtsched.Mapper):
    def key(self, state, row):
        sys.exit(0)
"""


def test_a_role_that_leaves_the_program_has_failed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(LEAVING)
    result = invoke(*SHORT, "-P", "mine.py:Leave", "--json", "out.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "SystemExit: 0"
    result = invoke("check", "mine.py:Leave")
    assert result.exit_code == 1
    assert "raised SystemExit: 0" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("name", "reason"), [("Score", "AttributeError: "), ("Start", "RuntimeError: not today"), ("Leave", "SystemExit: 0")]
)
def test_a_role_that_fails_in_a_comparison(name, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(LEAVING if name == "Leave" else FAILING)
    options = ("--duration", "0.2", "--seeds", "5-7", "--json", "out.json")
    result = invoke("compare", "vr_gaming", "-P", f"edf,mine.py:{name}", *options)
    lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert (lines[0], lines[-1]) == ("a policy failed:", f"in the run with policy '{name}' and seed 5")
    assert lines[-2].startswith(reason)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_what_standard_output_cannot_encode_is_escaped(tmp_path):
    (tmp_path / "mine.py").write_text(LEAVING.replace("sys.exit(0)", r"raise ValueError('half \ud800')"))
    process = start("check", tmp_path / "mine.py:Leave")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, "")
    assert r"ValueError: half \ud800" in output


SERIES = """
name: s
platform: dream_4k_1ws2os
time_factor: {values: all.csv}
tasks:
  - {name: a, model: kws_res8, trace: lab/a.csv, deadline_ms: 50}
  - {name: b, model: kws_res8, fps: 30, time_factor: {values: b.csv}}
"""


def test_recorded_series_are_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    files = {"s.yaml": SERIES, "lab/a.csv": "release_ms\n1\n", "all.csv": "factor\n1\n", "b.csv": "factor\n2\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert messages("run", "s.yaml", "--json", "lab/a.csv", "--csv", tmp_path / "all.csv") == [
        "--json lab/a.csv: would overwrite the trace of task 'a'",
        f"--csv {tmp_path / 'all.csv'}: would overwrite the time factors of the scenario",
    ]
    assert messages("compare", "s.yaml", "-P", "edf", "--json", "b.csv") == ["--json b.csv: would overwrite the time factors of task 'b'"]
    assert {name: (tmp_path / name).read_text() for name in files} == files


def test_names_in_saved_outcomes_do_not_reach_the_terminal(tmp_path):
    escape = ("--set", r'scenario.name="\e[2Jevil"', "--set", r'scenario.tasks.gaze.name="\e]0;evil\a"')
    assert invoke(*SHORT, *escape, "--save", tmp_path / "a.npz").exit_code == 0
    result = invoke("check", tmp_path / "a.npz")
    assert result.exit_code == 0
    assert r"\x1b[2Jevil" in result.stdout
    assert "\x1b" not in result.stdout


def test_faults_of_the_program_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(sys.modules["rtsched.run"], "_outcome", lambda *arguments: [][0])
    with pytest.raises(IndexError):
        invoke(*SHORT)


def test_ctrl_c_leaves_a_partial_result(tmp_path):
    process = start("run", "vr_gaming", "--duration", "1e6", "--json", tmp_path / "out.json", "--csv", tmp_path / "jobs.csv")
    time.sleep(0.2)
    while process.poll() is None and not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 1
    assert process.returncode == 130
    assert output == ""
    assert "PARTIAL: interrupted at " in errors
    assert "Traceback" not in errors
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["run"]["complete"] is False
    assert 0 < found["run"]["end_ns"] < 10**15
    assert len((tmp_path / "jobs.csv").read_text().splitlines()) == 1 + found["run"]["jobs"]


def is_running(pid):
    """Whether a process has imported everything: the core is the last."""
    return "_core/loop" in Path(f"/proc/{pid}/maps").read_text() and "_core/mappers" in Path(f"/proc/{pid}/maps").read_text()


def test_ctrl_c_before_the_run(monkeypatch):
    def interrupt(ref):
        raise KeyboardInterrupt

    monkeypatch.setattr("rtsched.inputs.load_scenario", interrupt)
    result = invoke(*SHORT)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    "arguments", [("list", "models"), (*SHORT, "--csv", "-"), ("show", "vr_gaming"), ("schema", "scenario"), ("--help",)]
)
def test_a_reader_that_goes_away(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*arguments, stdout=writer)
    os.close(writer)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [("list", "models"), ("show", "vr_gaming"), (*SHORT, "--json", "-")])
def test_a_full_disk(arguments):
    with Path("/dev/full").open("w") as full:
        process = start(*arguments, stdout=full)
        _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.lower().rstrip().endswith("cannot be written: no space left on device")
    assert len(errors.splitlines()) == 1


# compare


BRIEF = ("compare", "vr_gaming", "-P", "fcfs,edf", "--duration", "0.2", "--seeds", "4")


def test_the_comparison_is_printed_to_standard_output():
    result = invoke(*BRIEF, "--metric", "energy_j", "--metric", "uxcost", "--baseline", "fcfs")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("vr_gaming on dream_4k_1ws2os, 4 seeds (0 to 3), 200 ms each\n")
    assert result.stdout.index("energy_j (mJ)") < result.stdout.index("uxcost ")
    assert "minus fcfs" in result.stdout


def test_a_comparison_as_json(tmp_path):
    expected = comparison_to_json(rtsched.compare("vr_gaming", None, ["fcfs", "edf"], 4, duration_s=0.2))
    result = invoke(*BRIEF, "--threads", 1, "--json", "-")
    assert result.stdout == expected
    assert "minus edf" in result.stderr
    result = invoke(*BRIEF, "--threads", 3, "--json", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == expected
    assert "minus edf" in result.stdout


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("5-7", [5, 6, 7]), ("9,2", [9, 2]), ("1, 4-5", [1, 4, 5]), (f"{2**64 - 1},0", [2**64 - 1, 0])],
)
def test_seeds_of_a_comparison(text, seeds):
    found = invoke("compare", "vr_gaming", "-P", "edf", "--duration", "0.05", "--seeds", text, "--json", "-")
    assert json.loads(found.stdout)["run"]["seeds"] == seeds


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--seeds", "0"), ["seeds: must be 1 to 100000 of them, got 0"]),
        (("--seeds", "x"), ["--seeds: must be a number of seeds, or seeds as 5-24 or 1,2,9; got 'x'"]),
        (("--seeds", "1,,2"), ["--seeds: must be a number of seeds, or seeds as 5-24 or 1,2,9; got '1,,2'"]),
        (("--seeds", "1-"), ["--seeds: must be a number of seeds, or seeds as 5-24 or 1,2,9; got '1-'"]),
        (("--seeds", "7-3"), ["--seeds: 7-3 holds no seed; the smaller one comes first"]),
        (("--seeds", "1-3,2"), ["seeds: 2 is there twice"]),
        (("--seeds", "1-99999999999"), ["--seeds: must be 1 to 100000 of them, got '1-99999999999'"]),
        (("--seeds", f"{2**64},1"), [f"seeds: each must be an integer from 0 to 2**64 - 1, got {2**64}"]),
        (("-P", " , "), ["policies: name at least one to compare"]),
        (("-P", "edf,edf"), ["policies: 'edf' is there twice; names must differ"]),
        (("--threads", "0"), ["threads: must be at least 1, got 0"]),
        (("--load", "0", "--seeds", "2-1"), ["load: must be greater than 0, got 0.0",
         "--seeds: 2-1 holds no seed; the smaller one comes first"]),
    ],
)  # fmt: skip
def test_options_of_a_comparison(arguments, expected):
    assert messages(*BRIEF, *arguments) == expected


def test_a_comparison_with_a_policy_that_breaks_its_contract(monkeypatch):
    monkeypatch.setitem(sys.modules, "broken_policy", SimpleNamespace(policy=lambda: Policy(mapper=Broken(), name="broken")))
    monkeypatch.setitem(registry.POLICIES, "broken", "broken_policy")
    result = invoke(*BRIEF, "-P", "edf,broken")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.match(r"policy 'broken': .* \(seed 0\)$", result.stderr.splitlines()[0])


def test_ctrl_c_leaves_a_partial_comparison(tmp_path):
    process = start("compare", "vr_gaming", "-P", "fcfs,edf", "--seeds", "100000", "--duration", "1", "--json", tmp_path / "out.json")
    while process.poll() is None and not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    found = json.loads((tmp_path / "out.json").read_text())
    n_seeds = len(found["run"]["seeds"])
    assert 0 < n_seeds < 100_000
    assert found["run"]["complete"] is False
    assert errors == f"interrupted; {n_seeds} of 100000 seeds are compared\n"
    assert "PARTIAL" in output


def test_ctrl_c_before_a_seed_is_finished(tmp_path):
    process = start("compare", "vr_gaming", "-P", "fcfs,edf", "--duration", "1e6", "--json", tmp_path / "out.json")
    while process.poll() is None and not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "interrupted before every policy had finished a seed\n")
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


# list and show


@pytest.mark.parametrize(
    ("what", "names"), [("scenarios", scenarios()), ("platforms", platforms()), ("policies", registry.policy_names()), ("models", models())]
)
def test_lists_in_a_pipe_have_a_line_for_each(what, names):
    lines = start("list", what, environment={"COLUMNS": "40"}).communicate()[0].splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(names)


def test_lists_of_everything():
    lists = [start("list", what).communicate()[0] for what in ("scenarios", "platforms", "policies", "models")]
    assert start("list").communicate()[0] == "\n".join(lists)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "scenario") for name in scenarios()),
        *((name, "platform") for name in platforms()),
        *((name, "policy") for name in registry.policy_names()),
        *((name, "model") for name in models()),
    ],
)
def test_everything_can_be_shown(name, kind):
    result = invoke("show", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == f"{name}  {kind}"


def test_show_of_what_is_not_there():
    assert messages("show", "gnmtt") == ["nothing is named 'gnmtt'; did you mean 'gnmt'?"]
    assert messages("show", "gone.yaml") == ["gone.yaml: no such file"]
    assert messages("show", "gone.onnx")


# import


def test_import_onnx_round_trip(tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "net.yaml"
    result = invoke("import", "onnx", SQUEEZENET, "-o", path, "--name", "squeezenet", "--batch", 2)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("squeezenet  model\nONNX file light_squeezenet.onnx, batch=2\n")
    assert re.search(r"^conv +26 +698 +1\.24", result.stderr, flags=re.MULTILINE)
    model = rtsched.load_model(path)
    assert model.name == "squeezenet"
    assert model.macs == 2 * rtsched.load_model(SQUEEZENET).macs
    assert invoke("import", "onnx", SQUEEZENET, "-o", "-", "--name", "squeezenet", "--batch", 2).stdout == path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_import_onnx_without_output_is_a_summary():
    pytest.importorskip("onnx")
    result = invoke("import", "onnx", SQUEEZENET)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "all layers" in result.stderr


@pytest.fixture
def onnx_file(tmp_path):
    """A product over a sequence of open length, and a vendor's operator."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm"), helper.make_node("Magic", ["y"], ["z"], name="magic", domain="acme")]
    inputs = [helper.make_tensor_value_info("x", kind, ["batch", "sequence", 8])]
    outputs = [helper.make_tensor_value_info("z", kind, None)]
    weights = [helper.make_tensor("w", kind, [8, 4], [0.0] * 32)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    return path


def test_import_onnx_lists_what_is_free(onnx_file):
    result = invoke("import", "onnx", onnx_file, "--dim", "sequence=16", "--unknown", "free")
    assert result.exit_code == 0
    assert "free  operator Magic of domain 'acme' (1 node, first 'magic')" in result.stderr
    assert re.search(r"^gemm +1 +512 +32\.0", result.stderr, flags=re.MULTILINE)


def test_import_onnx_faults(onnx_file, tmp_path):
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "net.yaml"
    assert "sequence" in messages("import", "onnx", onnx_file, "-o", out)[0]
    assert "operator Magic" in messages("import", "onnx", onnx_file, "--dim", "sequence=16", "-o", out)[0]
    assert messages(
        "import", "onnx", "net", "--dim", "=3", "--dim", "a", "--dim", "b=x", "--dim", "c=1", "--dim", "c=2", "-o", onnx_file
    ) == [
        "net: must be a file that ends in .onnx",
        "--dim: must be NAME=N with a whole number N, got '=3'",
        "--dim: must be NAME=N with a whole number N, got 'a'",
        "--dim: must be NAME=N with a whole number N, got 'b=x'",
        "--dim: 'c' is given twice",
        f"{onnx_file}: must end in .yaml or .yml, or be - for standard output",
    ]
    assert sorted(tmp_path.iterdir()) == before


def test_the_package_runs_as_a_program():
    done = subprocess.run([sys.executable, "-P", "-m", "rtsched", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"rtsched {rtsched.__version__}\n")


# check


def test_a_saved_run_is_checked(tmp_path):
    saved = tmp_path / "run.npz"
    assert invoke(*SHORT, "--save", saved).exit_code == 0
    result = invoke("check", saved)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{saved}: vr_gaming on dream_4k_1ws2os, policy fcfs, seed 0; ")
    assert result.stdout.endswith("no fault found\n")


def test_a_wrong_result_is_found(tmp_path):
    outcome = rtsched.simulate("vr_gaming", duration_s=0.2)
    jobs = outcome.jobs.copy()
    jobs["deadline_ns"][0] += 1
    replace(outcome, jobs=jobs).save(tmp_path / "wrong.npz")
    result = invoke("check", tmp_path / "wrong.npz")
    assert result.exit_code == 1
    assert "1 fault found:\n  deadline: task 'gaze' frame 0: has deadline 16,666,668 ns, must be 16,666,667 ns\n" in result.stdout


def test_policies_are_checked(tmp_path):
    assert invoke("check", "edf").stdout.endswith("no fault found\n")
    (tmp_path / "mine.py").write_text("import rtsched\nclass Never(rtsched.Mapper):\n    def assign(self, state, dispatches): pass\n")
    result = invoke("check", f"{tmp_path}/mine.py:Never")
    assert result.exit_code == 1
    assert "FAULT" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "nothing.npz"), "nothing.npz: "),
        (("check", "edff"), "unknown policy 'edff'; did you mean 'edf'?"),
        ((*SHORT, "--save", "run.json"), "--save run.json: must end in .npz"),
        ((*SHORT, "--save", "no/where.npz"), "no/where.npz: cannot be written: no such file or directory"),
    ],
)
def test_what_cannot_be_checked_or_saved(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert messages(*arguments)[0].startswith(message)
    assert list(tmp_path.iterdir()) == []
