"""``rtsched reproduce``."""

import signal
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from program import Broken, invoke, messages, start
from standins import tiny_moca_plan, tiny_plan

from rtsched.policies.roles import Policy
from rtsched.study.reproduce.dream import plan as plans
from rtsched.study.reproduce.dream.plan import FULL
from rtsched.study.store import Store

BRIEF = ("reproduce", "dream", "--quick")


@pytest.fixture
def tiny(monkeypatch):
    """A plan of a second in the place of the quick one."""
    plan = tiny_plan(scenarios=("drone_outdoor",), sweep_scenarios=(), n_seeds=2)
    monkeypatch.setattr(plans, "QUICK", plan)
    monkeypatch.setattr("rtsched.report.dream_figures.stage_figures", lambda findings, name: {})  # they take most of the time
    return plan


def test_the_folder_and_what_is_told(tmp_path, tiny):
    folder = tmp_path / "new" / "folder"
    result = invoke(*BRIEF, "-o", folder, "--workers", 2)
    assert (result.exit_code, result.stdout) == (0, "")
    first = result.stderr.splitlines()
    assert len(first) == 1
    with Store(folder / "runs.sqlite") as store:
        assert first == [f"{folder}/README.md tells what was found; {len(store)} runs are new"]
    text = (folder / "README.md").read_text()
    assert "`rtsched reproduce dream --quick`, rtsched " in text
    assert "rtsched reproduce dream --quick -o FOLDER" in text
    again = invoke(*BRIEF, "-o", folder)
    assert again.stderr == f"{folder}/README.md tells what was found; 0 runs are new\n"


def test_the_default_folder_and_the_options(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke(*BRIEF, "--seeds", 3, "--duration", 0.05).exit_code == 0
    text = (tmp_path / "dream-quick" / "README.md").read_text()
    assert "`rtsched reproduce dream --quick --duration 0.05 --seeds 3`" in text
    assert ", 3 seeds, 0.05 s for each run" in text.replace("\n", " ")


def test_without_matplotlib_it_says_so(tmp_path, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lines = invoke(*BRIEF, "-o", tmp_path).stderr.splitlines()
    assert lines[0] == "no figures were drawn: they need matplotlib (pip install 'rtsched[plot]')"


def test_faults_come_together(tmp_path, tiny):
    assert messages(*BRIEF, "--seeds", 1, "--duration", 0, "--workers", 0, "-o", tmp_path / "x") == [
        "--seeds: must be at least 2, got 1",
        "--duration: must be a positive number of seconds, got 0",
        "--workers: must be at least 1, got 0",
    ]
    assert not (tmp_path / "x").exists()


def test_missing_policies_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "FULL", replace(FULL, policies=replace(FULL.policies, rivals=("velvet",), baselines=("fcfs", "velvet"))))
    found = messages("reproduce", "dream", "-o", tmp_path / "x")
    assert found[0].startswith("this study needs the policy 'velvet', which this installation does not have")
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_used(tmp_path, tiny):
    (tmp_path / "file").write_text("")
    assert messages(*BRIEF, "-o", tmp_path / "file") == [f"-o {tmp_path / 'file'}: cannot be made: file exists"]
    (tmp_path / "runs.sqlite").write_text("words " * 500)
    assert messages(*BRIEF, "-o", tmp_path) == [f"{tmp_path / 'runs.sqlite'}: is no store of runs"]
    assert (tmp_path / "runs.sqlite").read_text() == "words " * 500


def test_a_policy_that_breaks_its_contract(tmp_path, tiny, monkeypatch):
    given = {**tiny.policies.given, "dream": Policy(mapper=Broken(), name="dream")}
    monkeypatch.setattr(plans, "QUICK", replace(tiny, policies=replace(tiny.policies, given=given)))
    result = invoke(*BRIEF, "-o", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("policy 'dream': ")


# MoCA


@pytest.fixture
def tiny_moca(monkeypatch):
    """The same of MoCA, without figures and sweeps."""
    from rtsched.study.reproduce.moca import study

    plan = tiny_moca_plan(sets={"A": ("moca_a", "moca_a_artifact")}, n_seeds=2)
    monkeypatch.setattr("rtsched.study.reproduce.moca.plan.QUICK", plan)
    monkeypatch.setattr(study, "STAGES", {"main": study.STAGES["main"]})
    monkeypatch.setattr("rtsched.report.moca_figures.stage_figures", lambda findings, name: {})


def test_moca_writes_its_folder(tmp_path, tiny_moca, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("reproduce", "moca", "--quick", "--seeds", 3)
    with Store(tmp_path / "moca-quick" / "runs.sqlite") as store:
        n_runs = len(store)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"moca-quick/README.md tells what was found; {n_runs} runs are new\n"
    assert n_runs == 2 * 3 * 9
    assert "`rtsched reproduce moca --quick --seeds 3`, rtsched " in (tmp_path / "moca-quick" / "README.md").read_text()


def test_faults_of_moca_come_together(tmp_path, tiny_moca):
    assert messages("reproduce", "moca", "--quick", "--seeds", 1, "--workers", 0, "-o", tmp_path / "x") == [
        "--seeds: must be at least 2, got 1",
        "--workers: must be at least 1, got 0",
    ]
    assert not (tmp_path / "x").exists()


ENDLESS = """
import sys
from standins import tiny_plan
from rtsched.study.reproduce.dream import plan
plan.QUICK = tiny_plan(scenarios=("drone_outdoor",), n_seeds=2000, duration_s=0.2)
from rtsched.cli import main
main()
"""


def test_ctrl_c_keeps_what_is_finished(tmp_path, monkeypatch):
    tests = str(next(path for path in sys.path if path.endswith("tests")))
    monkeypatch.setattr("program.PROGRAM", [sys.executable, "-P", "-c", ENDLESS])
    process = start(*BRIEF, "-o", tmp_path / "out", environment={"PYTHONPATH": tests})
    path = tmp_path / "out" / "runs.sqlite"
    begun = time.monotonic()
    while not (path.exists() and path.stat().st_size) and process.poll() is None and time.monotonic() < begun + 120:
        time.sleep(0.05)
    with Store(path) as store:
        while len(store) < 5 and process.poll() is None:
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, ""), errors
    with Store(path) as store:
        n_runs = len(store)
    assert n_runs >= 5
    assert (
        errors == f"interrupted; {n_runs:,} finished runs are kept in {path}. To go on: rtsched reproduce dream --quick -o {path.parent}\n"
    )


def test_progress_has_a_rate_and_is_shown_only_on_a_terminal(monkeypatch):
    from rtsched.report import console

    now = SimpleNamespace(monotonic=lambda: 10.0)
    monkeypatch.setattr(console, "time", now)
    wording = console.StageWording()
    wording.begin("main")
    now.monotonic = lambda: 14.0
    wording.begin("main")
    assert wording(1000, 8800) == "main: 1,000 of 8,800 runs, 250.0/s"
    wording.begin("loads")
    now.monotonic = lambda: 15.0
    assert wording(3, 10) == "loads: 3 of 10 runs, 3.0/s"
