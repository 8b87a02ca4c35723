"""What `rtsched check` says."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app
from rtsched.policies import registry
from rtsched.policies.registry import policy_names
from rtsched.testing import judge


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", policy="edf", duration_s=0.2, layers=True)


def test_a_sound_outcome(outcome, tmp_path):
    outcome.save(tmp_path / "run.npz")
    verdict = judge(str(tmp_path / "run.npz"))
    assert verdict.is_sound
    lines = str(verdict).splitlines()
    jobs, layers = len(outcome.jobs), len(outcome.layers)
    assert lines[0] == f"{tmp_path}/run.npz: vr_gaming on dream_4k_1ws2os, policy edf, seed 0; {jobs} jobs, {layers:,} layers"
    assert "ok     A tile runs one layer at a time." in lines
    assert lines[-1] == "no fault found"
    assert all(line.startswith("ok     ") and line.endswith(".") for line in lines[2:-2])


def test_without_layers_it_says_what_was_not_examined(outcome, tmp_path):
    replace(outcome, layers=None, is_complete=False).save(tmp_path / "run.npz")
    text = str(judge(str(tmp_path / "run.npz")))
    assert ", stopped early; " in text
    assert "jobs, no layers\n" in text
    assert "No layers were recorded: paths, tiles, times of layers and bandwidth were not examined." in text


def test_a_faulty_outcome(outcome, tmp_path):
    jobs = outcome.jobs.copy()
    jobs["deadline_ns"][0] += 1
    replace(outcome, jobs=jobs).save(tmp_path / "run.npz")
    verdict = judge(str(tmp_path / "run.npz"))
    assert not verdict.is_sound
    lines = str(verdict).splitlines()
    assert "FAULT  A deadline is the release, the job's own or its frame's root's, plus the task's relative deadline." in lines
    assert "       A tile runs one layer at a time." in lines
    assert lines[-2] == "1 fault found:"
    assert lines[-1].startswith("  deadline: task 'gaze' frame 0: has deadline ")


def test_names_cannot_command_a_terminal(outcome, tmp_path):
    problem = replace(outcome.problem, scenario_name="\x1b[2Jnew")
    replace(outcome, problem=problem).save(tmp_path / "run.npz")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "run.npz")])
    assert result.exit_code == 0
    assert ": \\x1b[2Jnew on " in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("name", policy_names())
def test_registered_policies(name):
    verdict = judge(name)
    assert str(verdict).startswith(f"policy {name}, on the problems plain, overload, ")
    assert verdict.is_sound


def test_a_faulty_policy(monkeypatch):
    class Dice(rtsched.Mapper):
        def score(self, state):
            return np.random.random(state.n_ready)

    monkeypatch.setattr("rtsched.testing.verdict.load_policy", lambda name: None)
    monkeypatch.setattr("rtsched.testing.policy.load_policy", lambda name: registry.load_policy(Dice()))
    text = str(judge("dice"))
    assert "FAULT  The same seed gives the same bytes again, after other runs too." in text
    assert "3 faults found:" in text


def test_a_policy_in_a_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import rtsched\n\n\nclass First(rtsched.Mapper):\n    def key(self, state, row):\n        return 0\n", encoding="utf-8"
    )
    verdict = judge(f"{tmp_path}/mine.py:First")
    assert str(verdict).startswith(f"policy {tmp_path}/mine.py:First, on the problems ")
    assert verdict.is_sound


def test_what_is_not_there():
    with pytest.raises(rtsched.InputError, match="unknown policy 'edff'; did you mean 'edf'"):
        judge("edff")
    with pytest.raises(rtsched.InputError, match="no such file"):
        judge("run.npz")


def test_the_examples_of_the_page_run_and_print_what_it_says(tmp_path):
    page = (Path(__file__).parents[2] / "docs/checking.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```$\n(?:\n```text\n(.*?)^```$)?", page, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    for code, expected in examples:
        done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not expected or done.stdout == expected
    assert [line for line in page.splitlines() if len(line) > 140 and not line.startswith("|")] == []
