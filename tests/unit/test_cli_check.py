"""``rtsched check`` and what it reads."""

from dataclasses import replace

import pytest
from program import SHORT, invoke, messages

import rtsched


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
