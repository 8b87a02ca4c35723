"""``rtsched tune``."""

import json
import re
import shlex
import signal
import time

import pytest
from program import MINE, invoke, is_running, messages, start

import rtsched
from rtsched.report.tuning import to_json

OVER = ("--over", "mapper.alpha=0:2", "--over", "mapper.beta=0:2")
TRIALS = ("--seeds", "3", "--held-out", "4", "--trials", "20", "--duration", "0.3", "--load", "2")
BRIEF = ("tune", "vr_gaming", "-P", "dream-fixed", *OVER, *TRIALS)


@pytest.fixture(scope="module")
def found():
    options = {"seeds": 3, "held_out": 4, "trials": 20, "duration_s": 0.3, "load": 2.0}
    return rtsched.tune("vr_gaming", None, "dream-fixed", {"mapper.alpha": (0, 2), "mapper.beta": (0, 2)}, **options)


def test_tables_are_printed_to_standard_output():
    result = invoke(*BRIEF)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "vr_gaming on dream_4k_1ws2os, policy dream-fixed, load 2, 3 seeds (0 to 2), 300 ms each"
    assert re.search(r"^mapper.alpha +0 +2 +1 +[\d.]+$", result.stdout, flags=re.MULTILINE)
    assert re.search(r"^uxcost on the seeds above: [\d.]+ -> [\d.]+ \(-[\d.]+ %\)$", result.stdout, flags=re.MULTILINE)
    assert "vr_gaming on dream_4k_1ws2os, load 2, 4 seeds (3 to 6), 300 ms each" in lines
    assert "minus" in result.stdout


def test_json_is_the_same_for_any_number_of_threads(tmp_path, found):
    result = invoke(*BRIEF, "--json", "-", "--threads", 1)
    assert result.stdout == to_json(found)
    assert "on seeds that the search has not seen" in result.stderr
    invoke(*BRIEF, "--json", tmp_path / "out.json", "--threads", 2)
    assert (tmp_path / "out.json").read_text() == to_json(found)


def test_the_command_that_is_printed_runs_the_best(found):
    (line,) = [line for line in invoke(*BRIEF).stderr.splitlines() if line.startswith("to run it: ")]
    words = shlex.split(line.removeprefix("to run it: rtsched "))
    for place, seed in enumerate(found.held_out):
        told = json.loads(invoke(*words, "--seed", seed, "--json", "-").stdout)["metrics"]["uxcost"]
        assert told == found.comparison.values[0, 0, place]


def test_other_settings_stay_in_that_command():
    result = invoke(*BRIEF, "--set", "dropper.window=7", "--set", "mapper.alpha=0.3", "-p", "dream_4k_2ws")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("to run it: ")]
    told = "to run it: rtsched run vr_gaming -p dream_4k_2ws -P dream-fixed --duration 0.3 --load 2 --set dropper.window=7 "
    assert line.startswith(told)
    assert line.count("mapper.alpha=") == line.count("mapper.beta=") == 1


def test_when_nothing_is_better():
    result = invoke("tune", "ar_call", "-P", "dream-fixed", "--over", "selector.backlog_weight=0:5", *TRIALS[:-2])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "none is better in uxcost than the policy's own settings" in result.stdout
    assert "on seeds that" not in result.stdout


def test_settings_of_a_policy_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    result = invoke("tune", "vr_gaming", "-P", "mine.py:Greedy", "--over", "mapper.patience=1:3", *TRIALS, "--json", "-")
    told = json.loads(result.stdout)
    assert told["trials"][0]["settings"] == {"mapper.patience": 4}
    assert {one["settings"]["mapper.patience"] for one in told["trials"]} == {1, 2, 3, 4}
    assert messages("tune", "vr_gaming", "-P", "mine.py:Greedy", "--json", "mine.py")[0] == (
        "over: give at least one range, as mapper.patience=LOW:HIGH; of policy 'Greedy' can be tuned"
    )


def test_examples_of_the_help_are_accepted():
    examples = re.findall(r"^    rtsched (tune vr_gaming .*)$", invoke("tune", "--help").stdout, flags=re.MULTILINE)
    assert len(examples) == 3
    for arguments in map(str.split, examples):
        code = 0 if "--over" in arguments else 2  # which lists what can be tuned
        assert invoke(*arguments, "--trials", "5", "--duration", "0.05").exit_code == code, arguments


def test_a_policy_that_breaks_its_contract(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE.replace("return 0", "return 'soon'"))
    result = invoke("tune", "vr_gaming", "-P", "mine.py:Greedy", "--over", "mapper.patience=1:3", *TRIALS)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "policy 'Greedy'" in result.stderr
    assert "Traceback" not in result.stderr


def test_tables_fit_narrow_terminals():
    text = start(*BRIEF, environment={"COLUMNS": "72"}).communicate()[0]
    assert max(map(len, text.splitlines())) <= 72
    assert "…" not in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--over", "mapper.alpha=1"), ["--over mapper.alpha=1: must be PATH=LOW:HIGH, as mapper.alpha=0:2"]),
        (("--over", "mapper.alpha=0:2:3"), ["--over mapper.alpha=0:2:3: must be PATH=LOW:HIGH, as mapper.alpha=0:2"]),
        (("--over", "mapper.alpha=0:1"), ["--over mapper.alpha=0:1: is given twice"]),
        (("--over", "mapper.gamma=0:1"), ["setting 'mapper.gamma': MapScore has no setting 'gamma'; "
                                          "settings: alpha, beta, urgency_cap, late_urgency, preference, starvation"]),
        (("--over", "dropper.window=0:9"), ["setting 'dropper.window': must be at least 1, got 0"]),
        (("--seeds", "0-3", "--held-out", "3-5"), ["held_out: seed 3 is one that the search sees; the two must have none in common"]),
        (("--held-out", "x"), ["--held-out: must be a number of seeds, or seeds as 5-24 or 1,2,9; got 'x'"]),
        (("--metric", "uxcots", "--trials", "2"),
         ["unknown metric 'uxcots'; did you mean 'uxcost'?", "trials: must be a whole number from 5 to 1,000,000, got 2"]),
        (("--seed", "-1"), ["seed must be an integer from 0 to 2**64 - 1, got -1"]),
        (("-P", "edg"), ["unknown policy 'edg'; did you mean 'edf'?"]),
    ],
)  # fmt: skip
def test_mistakes(arguments, expected):
    assert messages(*BRIEF, *arguments) == expected


def test_held_out_seeds_follow_the_others():
    told = json.loads(invoke(*BRIEF, "--seeds", "5,2", "--held-out", "2", "--json", "-").stdout)
    assert (told["run"]["seeds"], told["run"]["held_out"]) == ([5, 2], [6, 7])


def test_ctrl_c_prints_the_best_so_far(tmp_path):
    arguments = ("tune", "vr_gaming", "-P", "dream-fixed", *OVER, "--load", "2", "--seeds", "2", "--duration", "20", "--trials", "100000")
    process = start(*arguments, "--json", tmp_path / "out.json")
    while not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^interrupted; [\d,]+ settings were tried$", errors, flags=re.MULTILINE)
    assert "Traceback" not in errors
    assert "PARTIAL: interrupted; the best settings so far" in output
    assert json.loads((tmp_path / "out.json").read_text())["run"]["complete"] is False
