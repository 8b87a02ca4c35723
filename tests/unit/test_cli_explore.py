"""``rtsched explore``."""

import json
import re
import shlex
import signal
import sys
import time

import pytest
from program import Broken, invoke, is_running, messages, start

import rtsched
from rtsched.policies import registry
from rtsched.policies.roles import Policy
from rtsched.report.exploration import to_csv, to_json

GRID = ("--pes", "256,512", "--dataflows", "ws,os", "--accelerators", "1-2", "--bandwidth", "15,90")
BRIEF = ("explore", "ar_call", "-P", "eft", *GRID, "--seeds", "3", "--duration", "0.5", "--load", "1.5")


@pytest.fixture(scope="module")
def found():
    grid = {"pes": [256, 512], "dataflows": ["ws", "os"], "accelerators": [1, 2], "bandwidth_gb_per_s": [15, 90]}
    return rtsched.explore("ar_call", None, "eft", **grid, seeds=3, duration_s=0.5, load=1.5)


def test_tables_are_printed_to_standard_output():
    result = invoke(*BRIEF)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "ar_call, platforms made of dream_4k_1ws2os, policy eft, load 1.5, 3 seeds (0 to 2), 500 ms each"
    assert re.fullmatch(
        r"28 candidates: 1 or 2 arrays, ws or os of 256 or 512 PEs; 15 or 90 GB/s, 700 MHz; \d+ runs", " ".join(lines[1:3]).strip()
    )
    assert "the smallest platform that meets 99 % of the deadlines" in lines
    assert re.search(r"^512  ws 512 +90  700 +0 +\d\d\.\d$", result.stdout, flags=re.MULTILINE)


def test_files_and_standard_output(tmp_path, found):
    result = invoke(*BRIEF, "--json", "-", "--csv", tmp_path / "all.csv", "--threads", 1)
    assert result.stdout == to_json(found)
    assert "the smallest platform" in result.stderr
    assert (tmp_path / "all.csv").read_text() == "".join(to_csv(found))
    result = invoke(*BRIEF, "--csv", "-", "--json", tmp_path / "out.json", "--threads", 3)
    assert result.stdout == "".join(to_csv(found))
    assert (tmp_path / "out.json").read_text() == to_json(found)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_figure(tmp_path, suffix):
    pictures = []
    for place in range(2):
        assert invoke(*BRIEF, "--figure", tmp_path / f"{place}{suffix}").exit_code == 0
        pictures.append((tmp_path / f"{place}{suffix}").read_bytes())
    assert pictures[0] == pictures[1]
    if suffix == ".svg":
        text = pictures[0].decode()
        assert "smallest: ws 512" in text
        assert "target: 99 % met" in text


def test_the_platform_that_is_written_meets_the_target_when_it_is_run(tmp_path, monkeypatch, found):
    monkeypatch.chdir(tmp_path)
    settings = ("--set", "platform.memory.arbiter=fair", "--set", "scenario.drain_s=0.2")
    result = invoke(*BRIEF, *settings, "-o", "small.yaml", "--json", "found.json")
    (line,) = result.stderr.splitlines()
    command = "rtsched run ar_call -p small.yaml -P eft --duration 0.5 --load 1.5 --set scenario.drain_s=0.2"
    assert line == f"to run it: {command}"
    smallest = json.loads((tmp_path / "found.json").read_text())["smallest"]
    jobs = violated = energy_j = 0
    for seed in range(3):
        told = json.loads(invoke(*shlex.split(command)[1:], "--seed", seed, "--json", "-").stdout)["metrics"]
        jobs += sum(one["counting"] for one in told["tasks"])
        violated += sum(one["violated"] for one in told["tasks"])
        energy_j += told["energy_j"]["total"]
    assert (jobs, violated, energy_j) == (smallest["jobs"], smallest["violated"], smallest["energy_j"])
    assert jobs - violated >= 0.99 * jobs


def test_when_no_platform_meets_the_target(tmp_path):
    result = invoke(*BRIEF, "--load", "40", "-o", tmp_path / "small.yaml")
    assert result.exit_code == 1
    assert "no candidate meets 99 % of the deadlines; try more PEs, arrays, bandwidth or a higher clock\n" in result.stdout
    assert result.stderr == f"{tmp_path}/small.yaml is not written: no platform was found that meets the target\n"
    assert list(tmp_path.iterdir()) == []
    assert invoke(*BRIEF, "--load", "40").exit_code == 0


def test_examples_of_the_help_are_accepted():
    examples = re.findall(r"^    rtsched (explore (?:vr_gaming|ar_call) .*)$", invoke("explore", "--help").stdout, flags=re.MULTILINE)
    assert len(examples) == 3
    for arguments in map(str.split, examples):
        brief = ("--pes", "512", "--accelerators", "1", "--duration", "0.05", "--seeds", "1")
        assert invoke(*arguments, *brief).exit_code == 0, arguments


def test_settings_of_the_policy(tmp_path):
    arguments = ("explore", "ar_call", "-P", "dream-fixed", *GRID, "--seeds", "2", "--duration", "0.2")
    told = json.loads(invoke(*arguments, "--set", "mapper.alpha=0.5", "--json", "-").stdout)["provenance"]
    plain = json.loads(invoke(*arguments, "--json", "-").stdout)["provenance"]
    assert told["settings"] == {"mapper.alpha": 0.5, "scenario.duration_s": 0.2}
    assert told["policy_sha256"] != plain["policy_sha256"]


def test_tables_fit_narrow_terminals():
    text = start(*BRIEF, environment={"COLUMNS": "60"}).communicate()[0]
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text
    assert "ws 512" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--pes", "x"), ["--pes: must be whole numbers, as 1-3 or 256,512,1024; got 'x'"]),
        (("--pes", "512-256"), ["--pes: 512-256 holds no number; the smaller one comes first"]),
        (("--pes", "1-99999999"), ["--pes: must be at most 10,000 numbers, got '1-99999999'"]),
        (("--accelerators", "1,1"), ["accelerators: 1 is there twice"]),
        (("--bandwidth", "1;2"), ["--bandwidth: must be numbers, as 22.5,45,90; got '1;2'"]),
        (("--clock", "inf"), ["clock: must be a number greater than 0 and at most 1,000,000, got inf"]),
        (("--dataflows", "nv"), ["dataflows: must be of ws, os, rs, got 'nv'"]),
        (("--dataflows", ","), ["dataflows: give at least one value"]),
        (("--meet", "99"), ["meet: must be greater than 0 and at most 1, got 99.0"]),
        (("--seeds", "x", "--threads", "0"),
         ["--seeds: must be a number of seeds, or seeds as 5-24 or 1,2,9; got 'x'", "threads: must be at least 1, got 0"]),
        (("--seeds", "0"), ["seeds: must be 1 to 100000 of them, got 0"]),
        (("-P", "edg"), ["unknown policy 'edg'; did you mean 'edf'?"]),
        (("-o", "p.txt"), ["-o p.txt: must end in .yaml or .yml"]),
        (("--figure", "p.txt"), ["p.txt: must end in .png, .svg or .pdf"]),
        (("--json", "-", "--csv", "-"), ["--json and --csv cannot both be written to -"]),
    ],
)  # fmt: skip
def test_mistakes(arguments, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert messages(*BRIEF, *arguments) == expected
    assert list(tmp_path.iterdir()) == []


def test_a_platform_file_is_not_overwritten(tmp_path):
    path = tmp_path / "base.yaml"
    assert invoke(*BRIEF, "-o", path).exit_code == 0
    before = path.read_text()
    assert messages(*BRIEF, "-p", path, "-o", path) == [f"-o {path}: would overwrite the platform"]
    assert path.read_text() == before


def test_without_matplotlib_a_figure_is_refused_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert messages(*BRIEF, "--figure", "front.svg") == ["pictures need matplotlib: pip install 'rtsched[plot]'"]


def test_a_policy_that_breaks_its_contract(monkeypatch):
    monkeypatch.setitem(sys.modules, "broken_policy", type("module", (), {"policy": staticmethod(lambda: Policy(Broken(), name="broken"))}))
    monkeypatch.setitem(registry.POLICIES, "broken", "broken_policy")
    result = invoke(*BRIEF, "-P", "broken")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "policy 'broken'" in result.stderr


def test_ctrl_c_prints_what_is_known(tmp_path):
    process = start("explore", "vr_gaming", "--duration", "2", "--seeds", "500", "--json", tmp_path / "out.json")
    while not is_running(process.pid):
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted; [\d,]+ of 908 candidates have run\n", errors)
    assert "PARTIAL: interrupted" in output
    assert json.loads((tmp_path / "out.json").read_text())["run"]["complete"] is False
