"""``rtsched compare``."""

import json
import re
import signal
import sys
import time
from types import SimpleNamespace

import pytest
from program import BRIEF, MINE, Broken, invoke, is_running, messages, start

import rtsched
from rtsched.policies import registry
from rtsched.policies.roles import Policy
from rtsched.report.export import comparison_to_csv, comparison_to_json


def test_the_comparison_is_printed_to_standard_output():
    result = invoke(*BRIEF, "--metric", "energy_j", "--metric", "uxcost", "--baseline", "fcfs")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("vr_gaming on dream_4k_1ws2os, 4 seeds (0 to 3), 200 ms each\n")
    assert result.stdout.index("\nenergy (mJ)\n") < result.stdout.index("\nuxcost\n")
    assert "minus fcfs" in result.stdout


def test_a_comparison_as_json(tmp_path):
    expected = comparison_to_json(rtsched.compare("vr_gaming", None, ["fcfs", "edf"], 4, duration_s=0.2))
    result = invoke(*BRIEF, "--threads", 1, "--json", "-")
    assert result.stdout == expected
    assert "minus edf" in result.stderr
    result = invoke(*BRIEF, "--threads", 3, "--json", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == expected
    assert "minus edf" in result.stdout


def test_a_comparison_fits_80_columns():
    arguments = ("compare", "vr_gaming", "-P", "fcfs,edf,eft,herald", "--duration", "0.5")
    text = start(*arguments, environment={"COLUMNS": "80"}).communicate()[0]
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(f"\n{metric}\n" in text for metric in ("uxcost", "violation_rate", "energy (J)"))
    assert all(text.count(f"\n  {policy} ") == 3 for policy in ("fcfs", "edf", "eft", "herald"))


def test_policies_and_metrics_may_be_repeated():
    arguments = ("--duration", "0.05", "--seeds", "2", "--json", "-")
    found = invoke("compare", "vr_gaming", "-P", "fcfs", "-P", "llf,edf", "--metric", "energy_j,antt", "--metric", "stp", *arguments)
    assert [one["metric"] for one in json.loads(found.stdout)["metrics"]] == ["energy_j", "antt", "stp"]
    assert [one["policy"] for one in json.loads(found.stdout)["provenance"]["policies"]] == ["fcfs", "llf", "edf"]
    assert messages("compare", "vr_gaming", "-P", " , ", "--duration", "0.05") == ["policies: name at least one to compare"]


def test_a_comparison_as_csv(tmp_path):
    expected = "".join(comparison_to_csv(rtsched.compare("vr_gaming", None, ["fcfs", "edf"], 4, duration_s=0.2)))
    result = invoke(*BRIEF, "--csv", "-", "--json", tmp_path / "out.json")
    assert result.stdout == expected
    assert "minus edf" in result.stderr
    assert invoke(*BRIEF, "--csv", tmp_path / "out.csv").stdout.startswith("vr_gaming on ")
    assert (tmp_path / "out.csv").read_text() == expected
    assert messages(*BRIEF, "--csv", "-", "--json", "-") == ["--json and --csv cannot both be written to -"]


def test_settings_of_roles_hold_for_the_policies_that_have_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    result = invoke(*BRIEF, "-P", "mine.py:Greedy,mine.py:p8", "--set", "mapper.patience=3", "--json", "-")
    assert result.exit_code == 0
    provenance = json.loads(result.stdout)["provenance"]
    assert provenance["settings"] == {"mapper.patience": 3, "scenario.duration_s": 0.2}
    assert "; with mapper.patience=3\n" in result.stderr
    plain = json.loads(invoke(*BRIEF, "-P", "mine.py:Greedy,mine.py:p8", "--json", "-").stdout)["provenance"]
    is_changed = [one != other for one, other in zip(provenance["policies"], plain["policies"], strict=True)]
    assert is_changed == [False, False, True, True]
    assert [one["policy"] for one in plain["policies"]] == ["fcfs", "edf", "Greedy", "p8"]
    assert messages(*BRIEF, "-P", "mine.py:Greedy", "--set", "mapper.haste=3") == [
        "setting 'mapper.haste': none of the policies has it; did you mean 'mapper.patience'?"
    ]


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
        (("-P", "edf"), ["policies: 'edf' is there twice; names must differ"]),
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
    result = invoke(*BRIEF, "-P", "broken")
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
