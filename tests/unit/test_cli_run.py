"""``rtsched run``: results, faults of inputs and options."""

import csv
import json
import subprocess
from pathlib import Path

import pytest
from program import MALFORMED, SHORT, invoke, messages, start

import rtsched
from rtsched.report.export import to_csv, to_json


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


def test_settings_stand_in_the_provenance_and_the_heading():
    options = ("--set", "scenario.tasks.gaze.fps=90", "--set", "mapper.objective=energy", "--set", "platform.memory.efficiency=[1.0, 0.8]")
    result = invoke(*SHORT, "-P", "herald", "--load", 1.5, *options, "--json", "-")
    settings = json.loads(result.stdout)["provenance"]["settings"]
    assert settings == {
        "scenario.tasks.gaze.fps": 90,
        "platform.memory.efficiency": [1.0, 0.8],
        "mapper.objective": "energy",
        "scenario.duration_s": 0.2,
        "scenario.load": 1.5,
    }
    heading = " ".join(result.stderr.partition("\n\n")[0].split())
    given = "scenario.tasks.gaze.fps=90, platform.memory.efficiency=[1.0, 0.8], mapper.objective=energy, scenario.duration_s=0.2"
    assert heading.endswith(f"simulated; with {given}")
    again = rtsched.simulate("vr_gaming", policy="herald", settings=settings)
    assert again.metrics.to_dict() == json.loads(result.stdout)["metrics"]


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
