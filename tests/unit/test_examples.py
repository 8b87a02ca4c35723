"""Every file in examples/ does what its comments say, on the command line and as a script."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCENARIOS = ("drone", "glasses", "tenants")
PLATFORMS = ("board", "server")
SCRIPTS = ("compare_policies", "own_policy")
STUDIES = ("study",)  # test_cli_sweep.py sweeps it, test_docs_studies.py holds it against its page
needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="needs onnx")
scenarios = pytest.mark.parametrize("name", [pytest.param(one, marks=needs_onnx) if one == "tenants" else one for one in SCENARIOS])


def python(*arguments, folder):
    """What a program prints on standard output, and on standard error."""
    program = [sys.executable, "-P", "-W", "error", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "140"}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def invoke(*arguments):
    """Run a command in this process; return all that it prints."""
    result = CliRunner(env={"COLUMNS": "140"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def measured(folder, name, policy):
    """The metrics of a run on the command line, in a process of its own: {task: {figure: value}}."""
    text, _ = python("-m", "rtsched", "run", EXAMPLES / f"{name}.yaml", "-P", policy, "--json", "-", folder=folder)
    found = json.loads(text)
    assert found["provenance"]["policy"] == policy
    return {task["task"]: task for task in found["metrics"]["tasks"]}


def violated(tasks):
    return {name: task["violation_rate"] for name, task in tasks.items()}


def simulated(name, policy, **options):
    """Metrics with other settings, as the comments propose them."""
    return rtsched.simulate(str(EXAMPLES / f"{name}.yaml"), policy=policy, **options).metrics


def test_flight_critical_tasks_keep_their_deadlines_by_priority_alone(tmp_path):
    by_priority, by_deadline = (violated(measured(tmp_path, "drone", policy)) for policy in ("priority", "edf"))
    assert by_priority["avoid"] == by_priority["land"] == 0
    assert min(by_priority["mapping"], by_priority["video"], by_priority["survey"]) > 0.05
    assert min(by_deadline["avoid"], by_deadline["land"]) > 0.05
    assert simulated("drone", "edf", load=0.5).total_violation_rate < 0.01


def test_deadlines_keep_long_networks_out_of_the_way_of_the_cascade(tmp_path):
    by_release, by_deadline = (measured(tmp_path, "glasses", policy) for policy in ("fcfs", "edf"))
    assert violated(by_release)["hands"] > 0.1 > 0.05 > violated(by_deadline)["hands"]
    assert violated(by_release)["overlay"] > 0.05 > violated(by_deadline)["overlay"]
    for tasks in (by_release, by_deadline):
        assert tasks["camera"]["released"] == tasks["eyes"]["released"] == tasks["hands"]["released"] == 300
        assert 0 < tasks["speech"]["released"] < tasks["sounds"]["released"]
    exact = {"scenario.time_factor": None, "scenario.tasks.hands.time_factor": None}
    assert simulated("glasses", "edf", settings=exact).violation_rate.sum() < sum(violated(by_deadline).values())


@needs_onnx
def test_priority_does_not_help_where_the_memory_is_shared_by_who_asks_most(tmp_path):
    starved, by_release = (measured(tmp_path, "tenants", policy) for policy in ("priority", "fcfs"))
    fair = simulated("tenants", "priority", settings={"platform.memory.arbiter": "fair"})
    ample = simulated("tenants", "priority", settings={"platform.memory.peak_gb_per_s": 64})
    assert violated(starved)["camera"] == 1
    assert fair.total_violation_rate == ample.total_violation_rate == 0
    assert ample.released[3] > 2 * starved["archive"]["released"]  # what a closed loop tells
    assert violated(by_release)["search"] > 0.9
    n_requests = len((EXAMPLES / "arrivals.csv").read_text(encoding="utf-8").split()) - 1
    assert starved["search"]["released"] == n_requests


@scenarios
def test_commands_in_the_comments_run(name, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    head = re.split(r"^name:", (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)[0]
    commands = re.findall(r"rtsched ((?:run|compare) .*)$", head, flags=re.MULTILINE)
    assert len(commands) >= 3
    for command in commands:
        assert f"{name} on" in invoke(*command.split(), "--duration", "0.1")


def test_policies_are_compared_and_the_numbers_used(tmp_path):
    text, _ = python(EXAMPLES / "compare_policies.py", folder=tmp_path)
    found = rtsched.compare(str(EXAMPLES / "drone.yaml"), policies=["priority", "rm", "fcfs"], seeds=10, metrics=["violation_rate"])
    best = found.order[0]
    assert f"{found.policies[best]} violates {found.means.mean[0, best]:.1%} of the deadlines on average" in text
    low, high = (bound[0, found.policies.index("fcfs"), best] for bound in (found.differences.low, found.differences.high))
    assert f"fcfs: between {low:+.1%} and {high:+.1%} more, beyond doubt" in text
    assert text.index("priority: between") < text.index("edf: between") < text.index("fcfs: between")
    assert re.search(r"rm: mapping fares worst, up to \d+\.\d ms late", text)


def test_a_policy_of_ones_own_runs_beside_built_in_ones(tmp_path):
    lines = python(EXAMPLES / "own_policy.py", folder=tmp_path)[0].splitlines()
    rates = {line[:18].strip(): line[18:] for line in lines}
    assert rates["head start 0 ms"] == rates["edf"]
    assert rates["head start 1000 ms"] == rates["priority"]
    totals = [float(rates[f"head start {value} ms"].rpartition(" ")[2].rstrip("%")) for value in ("0", "5", "12", "20", "1000")]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > 2 * totals[-1]
    policy = f"{EXAMPLES / 'own_policy.py'}:head_start"
    assert "policy head_start" in invoke(
        "run", EXAMPLES / "drone.yaml", "-P", policy, "--set", "mapper.head_start_ms=20", "--duration", "0.1"
    )


def test_every_file_is_mentioned_and_tested():
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    named = {f"{one}.yaml" for one in (*SCENARIOS, *PLATFORMS, *STUDIES)} | {f"{one}.py" for one in SCRIPTS} | {"costs.csv", "arrivals.csv"}
    assert files == named
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert {one for one in named if f"examples/{one}" not in pages} == set()


def test_lines_are_no_longer_than_in_the_code():
    assert [line for path in EXAMPLES.glob("*.yaml") for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 140] == []
