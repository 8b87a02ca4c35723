"""Replays of recorded requests: tables, faults with their places, results, and what Python gets."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from fuzz.seeds import ESTIMATES, LATENCIES, REQUESTS
from program import invoke, messages

import rtsched
from rtsched.integrity import problem_faults
from rtsched.policies.registry import load_policy
from rtsched.recorded.replay import REPLAY_SETTINGS, finish_lines, load_recording, replay_policy
from rtsched.testing import check_outcome
from rtsched.testing.outcome import outcome_faults


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("requests", REQUESTS), ("latencies", LATENCIES), ("estimates", ESTIMATES)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


FILES = ("--requests", "requests.csv", "--latencies", "latencies.csv")
ALL = (*FILES, "--estimates", "estimates.csv")


def replayed(*options):
    result = invoke("replay", *FILES, *options)
    assert result.exit_code == 0, result.stderr
    return result


def test_requests_finish_when_their_samples_are_through(tables):
    result = replayed("-o", "-")
    # r0 from 0.010 to 0.030 (10,000,000 + 10,000,000 ns), large to 0.230, then the second sample, 30,000,001 ns in its second layer.
    assert result.stdout == ("request_id,finish_s,violated,finish_rank\nr0,0.030000000,0,0\nr1,0.230000000,0,1\nr2,0.290000001,1,2\n")
    assert "requests on recorded, policy fcfs" in result.stderr


def ranks(*options):
    return [row["finish_rank"] for row in csv.DictReader(replayed(*options, "-o", "-").stdout.splitlines())]


def test_requests_are_seen_between_layers(tables):
    # r1 and r2 come while the last layer of r0 runs. The accelerator is empty when it ends, and takes the first of them.
    assert ranks("-P", "sjf") == ["0", "1", "2"]
    # Now they come while the first one runs. By the means over samples r2 has 40 ms to go, r1 200.
    for before, after in (("0.020", "0.012"), ("0.52", "0.512"), ("0.021", "0.013"), ("0.031", "0.023")):
        change(tables, "requests", before, after)
    assert ranks("-P", "sjf") == ["0", "2", "1"]


def test_metrics_go_to_json(tables):
    replayed("--json", "metrics.json", "-P", "prema", "--set", "mapper.classes=[1, 9]")
    found = json.loads((tables / "metrics.json").read_text())
    assert found["provenance"]["settings"] == {"mapper.mode": "replay", "mapper.classes": [1, 9]}
    assert found["provenance"]["policy"] == "prema"
    assert [task["task"] for task in found["metrics"]["tasks"]] == ["small p1", "large p9", "small p3"]


def test_python_gets_the_same(tables):
    outcome = rtsched.replay("requests.csv", "latencies.csv", "sjf", estimates="estimates.csv", layers=True)
    assert outcome.is_complete
    assert outcome.policy == "srpt"
    recording = load_recording("requests.csv", "latencies.csv", "estimates.csv")
    assert "".join(finish_lines(recording, outcome)) == invoke("replay", *ALL, "-P", "sjf", "-o", "-").stdout
    rows = recording.jobs(outcome)
    assert outcome.jobs["release_ns"][rows].tolist() == [10_000_000, 20_000_000, 21_000_000]
    assert outcome.jobs["deadline_ns"][rows].tolist() == [510_000_000, 520_000_000, 31_000_000]
    assert outcome.jobs["isolated_ns"][rows].tolist() == [20_000_000, 200_000_000, 60_000_001]
    check_outcome(outcome)


def test_schedulers_see_the_estimates(tables):
    recording = load_recording("requests.csv", "latencies.csv", "estimates.csv")
    plain, aware = recording.problem(), recording.problem(is_pattern_aware=True)
    assert plain.costs["t_iso_ns"].ravel().tolist() == [40_000_000, 50_000_000, 100_000_000]
    assert aware.costs["t_iso_ns"].ravel().tolist() == [20_000_000, 20_000_000, 100_000_000]
    np.testing.assert_array_equal(plain.layer_sparsity, [0.25, np.nan, 0.5])
    assert plain.recorded_ns.tolist() == [10_000_000, 10_000_000, 200_000_000, 30_000_000, 30_000_001]
    assert rtsched.replay("requests.csv", "latencies.csv", "dysta", estimates="estimates.csv").problem.digest == aware.digest
    means = load_recording("requests.csv", "latencies.csv").problem()
    assert means.costs["t_iso_ns"].ravel().tolist() == [20_000_000, 20_000_001, 200_000_000]
    np.testing.assert_array_equal(means.layer_sparsity, [0.3, 0.3, np.nan])


def test_a_replay_switches_its_rules_on(tables):
    for name, settings in REPLAY_SETTINGS.items():
        if name in rtsched.policies.registry.POLICIES:
            policy, changed = replay_policy(name)
            assert changed == settings
            assert all(getattr(policy.mapper, path.partition(".")[2]) == value for path, value in settings.items())
    assert replay_policy("prema", {"mapper.mode": "auto"})[0].mapper.mode == "auto"
    # What is given as an object stays as it is, and ordinary runs know nothing of it.
    assert replay_policy(load_policy("prema"))[0].mapper.mode == "auto"
    assert rtsched.simulate("vr_gaming", duration_s=0.01).problem.is_strict is False


def test_saved_replays_can_be_checked(tables):
    replayed("--save", "run.npz", "-P", "dysta")
    assert invoke("check", "run.npz").exit_code == 0
    read = rtsched.load_outcome("run.npz")
    assert read.problem.is_strict
    assert read.jobs.tobytes() == rtsched.replay("requests.csv", "latencies.csv", "dysta").jobs.tobytes()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"recorded_place": lambda a: a + 1}, "recorded_place: a time for every layer must follow"),
        ({"factor_sigma": lambda a: a + 1}, "recorded_first: a task must not have both recorded times and factors"),
        ({"task_arrival": lambda a: a * 0, "task_rate_hz": lambda a: a + 1}, "is_strict: all tasks must have recorded arrivals"),
        ({"recorded_ns": lambda a: a * 0}, "recorded_ns: must lie between 1 and 1.15292e+18, got 0"),
        ({"recorded_sparsity": lambda a: a + 1}, "recorded_sparsity: must lie between 0 and 1, got 1.5"),
    ],
)
def test_problems_that_would_lead_the_core_astray(tables, changes, fault):
    problem = load_recording("requests.csv", "latencies.csv").problem()
    assert problem_faults(problem) == []
    broken = replace(problem, **{name: change(getattr(problem, name)) for name, change in changes.items()})
    assert problem_faults(broken) == [fault]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"recorded_ns": lambda a: a + 1}, "alone it takes"),
        ({"recorded_ns": lambda a: a - 1}, "has isolated_ns"),
    ],
)
def test_outcomes_of_other_times_are_found_out(tables, changes, fault):
    outcome = rtsched.replay("requests.csv", "latencies.csv", layers=True)
    other = replace(outcome.problem, **{name: change(getattr(outcome.problem, name)) for name, change in changes.items()})
    assert any(fault in one for one in outcome_faults(replace(outcome, problem=other)))


@pytest.mark.parametrize(("row", "layer"), [(3, 2), (2, 0)])
def test_layers_of_other_models_are_found_out(tables, row, layer):
    outcome = rtsched.replay("requests.csv", "latencies.csv", layers=True)
    layers = outcome.layers.copy()
    layers["layer"][row] = layer  # what would be its recorded time lies outside the table, or is another sample's
    assert any("the next layer of its path" in one for one in outcome_faults(replace(outcome, layers=layers)))


def test_several_targets_of_one_model_make_several_tasks(tables):
    (tables / "requests.csv").write_text(REQUESTS.replace("r2,0.021,small,1,3", "r2,0.021,small,1,1"))
    outcome = rtsched.replay("requests.csv", "latencies.csv")
    assert outcome.problem.task_names == ("small p1 500000000 ns", "large p9", "small p1 10000000 ns")


def test_the_order_of_lines_does_not_matter(tables):
    head, *lines = REQUESTS.splitlines()
    (tables / "requests.csv").write_text("\n".join([head, *reversed(lines)]))
    (tables / "latencies.csv").write_text("\n".join([LATENCIES.splitlines()[0], *reversed(LATENCIES.splitlines()[1:])]))
    assert [line[:2] for line in replayed("-o", "-").stdout.splitlines()[1:]] == ["r0", "r1", "r2"]


def change(tables, file, before, after):
    path = tables / f"{file}.csv"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after, 1))


@pytest.mark.parametrize(
    ("file", "before", "after", "fault"),
    [
        ("requests", "r1,0.020", "r1,-1", "requests.csv:3:4 arrival_s: must be a time from 0 to 9,000,000 s, got -1"),
        ("requests", "r1,0.020", "r0,0.020", "requests.csv:3:1 request_id: 'r0' stands in line 2 already"),
        ("requests", "large,0,9", "large,0,12", "requests.csv:3:18 priority: must be an integer from 0 to 11, got 12"),
        ("requests", "9,0.5,", "9,0,", "requests.csv:3:20 target_lat_s: must be a time greater than 0 s, got 0"),
        ("requests", "0.52\n", "0.53\n", "requests.csv:3:24 deadline_s: must be arrival_s + target_lat_s, 0.52, got 0.53"),
        ("requests", "large,0", "huge,0", "requests.csv:3:10 model: the table of latencies has no model 'huge'"),
        ("requests", "large,0", "large,7", "requests.csv:3:16 sample_id: the table of latencies has no sample '7' of model 'large'"),
        ("requests", "request_id,", "id,", "requests.csv:1:1 request_id: this column is missing"),
        ("requests", "r1,0.020,large,", "r1,0.020,,", "requests.csv:3:10 model: must be a name, got nothing"),
        ("requests", REQUESTS.partition("\n")[2], "", "requests.csv: has no rows"),
        ("latencies", "0.0100000004", "soon", "latencies.csv:3:11 latency_s: must be a time greater than 0 s, got soon"),
        (
            "latencies",
            "0.0100000004",
            "1e-10",
            "latencies.csv:3:11 latency_s: must be a time that rounds to at least 1 ns and is at most 9,000,000 s, got 1e-10",
        ),
        ("latencies", "0.0100000004,0.5", "0.01,1.5", "latencies.csv:3:16 sparsity: must be a number from 0 to 1, got 1.5"),
        (
            "latencies",
            "small,0,1,",
            "small,0,0,",
            "latencies.csv:3:9 layer: layer 0 of model 'small', sample '0' stands in the table already",
        ),
        (
            "latencies",
            "small,0,0,",
            "small,0,3,",
            "latencies.csv:2:9 layer: model 'small', sample '0' has 2 layers, but not layer 0; they count from 0",
        ),
        (
            "latencies",
            "small,1,1,0.0300000006,0.1\n",
            "",
            "latencies.csv:4:1 model: model 'small', sample '1' has 1 layers; the model's samples before it have 2",
        ),
        ("estimates", "large,0,0.1,,0.5\n", "", "requests.csv:3:10 model: estimates.csv has no model 'large'"),
        (
            "estimates",
            "small,1,0.050,0.020,\n",
            "",
            "requests.csv:2:10 model: estimates.csv has 1 layers of model 'small', the table of latencies 2",
        ),
        ("estimates", "0.25", "1", "estimates.csv:2:21 avg_sparsity: must be a number from 0 to below 1, got 1"),
    ],
)
def test_faults_name_their_place(tables, file, before, after, fault):
    change(tables, file, before, after)
    assert fault in messages("replay", *ALL, "-o", "finish.csv")
    assert not (tables / "finish.csv").exists()


def test_one_message_per_fault(tables):
    change(tables, "requests", "r1,0.020", "r1,never")
    change(tables, "estimates", "0.25", "2")
    told = messages("replay", *ALL, "-P", "nobody", "--set", "scenario.load=2", "--set", "mapper", "-o", "requests.csv", "--save", "x.zip")
    assert [line.partition(" ")[0] for line in told] == [
        "requests.csv:3:4",
        "estimates.csv:2:21",
        *["--set"] * 2,
        "unknown",
        *["--output", "--save"],
    ]
    assert "a replay has settings of the policy only" in told[3]
    assert told[5] == "--output requests.csv: would overwrite the requests"


def test_missing_files_and_settings_that_are_not_there(tables):
    assert messages("replay", "--requests", "no.csv", "--latencies", "latencies.csv") == ["no.csv: no such file"]
    (fault,) = messages("replay", *FILES, "-P", "fcfs", "--set", "mapper.alpha=1")
    assert "has no settings" in fault


def test_a_policy_that_fails_leaves_no_file(tables):
    (tables / "mine.py").write_text(
        "import rtsched\n\n\nclass Nan(rtsched.Mapper):\n    def score(self, state):\n        return state.now_ns * [float('nan')]\n"
    )
    result = invoke("replay", *FILES, "-P", "mine.py:Nan", "-o", "finish.csv")
    assert result.exit_code == 1
    assert not (tables / "finish.csv").exists()


def test_requests_that_never_run_have_no_time(tables):
    (tables / "mine.py").write_text(
        "import rtsched\n\n\nclass Never(rtsched.Mapper):\n    waits = True\n\n    def assign(self, state, dispatches):\n        pass\n"
    )
    lines = replayed("-P", "mine.py:Never", "-o", "-").stdout.splitlines()
    assert lines[1:] == ["r0,,1,", "r1,,1,", "r2,,1,"]
