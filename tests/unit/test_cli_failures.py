"""What goes wrong on the command line once the inputs are read: policies, Ctrl-C, outputs."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from program import SHORT, Broken, invoke, is_running, messages, start

from rtsched.policies import registry
from rtsched.policies.roles import Policy


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
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == ""
    assert "PARTIAL: interrupted at " in errors
    assert "Traceback" not in errors
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["run"]["complete"] is False
    assert 0 < found["run"]["end_ns"] < 10**15
    assert len((tmp_path / "jobs.csv").read_text().splitlines()) == 1 + found["run"]["jobs"]


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
