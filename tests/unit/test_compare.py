"""Comparisons: differences by hand, ranks and ties, plans, the table, JSON, and the same bytes for any number of threads."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builders import once, problem_of
from rich.console import Console

import rtsched
from rtsched.errors import InputError, PolicyError
from rtsched.metrics import SCALARS, Metrics
from rtsched.policies.roles import Mapper, Policy, Setting
from rtsched.report.export import comparison_to_csv, comparison_to_dict, comparison_to_json
from rtsched.report.text import digits
from rtsched.study.compare import Comparison, ComparisonInterrupted, compare_problem
from rtsched.study.many import ManyInterrupted, simulate_many
from rtsched.study.plan import DEFAULT_METRICS, MAX_SEEDS, plan

FORMATS = Path(__file__).parents[2] / "docs/formats.md"
POLICIES = ("fcfs", "edf", "llf")
NAN = np.nan


@pytest.fixture(scope="module")
def found():
    return rtsched.compare("vr_gaming", None, POLICIES, 12, duration_s=0.5, load=1.5)


def made(*values, metrics=("uxcost",), baseline="a", seeds=None):
    """A comparison of policies a, b, ... with given values: by metric, then policy, then seed."""
    array = np.array(values if len(metrics) > 1 else [values], dtype=float)
    problem = SimpleNamespace(scenario_name="s", platform_name="p", duration_ns=10**9, end_ns=2 * 10**9, scenario=SimpleNamespace(load=1.0))
    seeds = tuple(range(array.shape[2])) if seeds is None else seeds
    return Comparison(problem, tuple("abcdefgh"[: array.shape[1]]), seeds, metrics, array, baseline, True, {"version": "0"})


def text_of(comparison, width=100):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(comparison.summary())
    return captured.get()


def faults(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return list(caught.value.faults)


# Arithmetic


def test_the_values_are_those_of_single_runs(found):
    for p, policy in enumerate(POLICIES):
        for seed in (0, 7):
            metrics = rtsched.simulate("vr_gaming", policy=policy, seed=seed, duration_s=0.5, load=1.5).metrics
            expected = [metrics.uxcost, metrics.total_violation_rate, metrics.total_energy_j]
            assert found.values[:, p, seed].tolist() == expected
    assert (found.policies, found.seeds, found.metrics) == (POLICIES, tuple(range(12)), DEFAULT_METRICS)


def test_differences_are_paired_by_seed():
    one = made([1, 5, 9, 3], [2, 6, 10, 4], [2, 5, 10, 3])
    assert one.means.mean[0].tolist() == [4.5, 5.5, 5.0]
    assert one.differences.mean[0].tolist() == [[0, -1, -0.5], [1, 0, 0.5], [0.5, -0.5, 0]]
    # Every seed says 1, so there is no doubt; the means themselves are far from certain.
    assert (one.differences.low[0, 1, 0], one.differences.high[0, 1, 0]) == (1, 1)
    assert one.means.low[0, 1] < one.means.mean[0, 0] < one.means.high[0, 1]
    assert one.differences.low[0, 0, 2] == -one.differences.high[0, 2, 0]
    assert one.differences.n[0].tolist() == [[4] * 3] * 3


def test_ranks_count_those_that_are_better_beyond_doubt():
    noise = np.tile([0.3, -0.3], 10)
    a, b, c, d = np.full(20, 1.0), 1.01 + noise, np.full(20, 5.0), 5.001 + 0.1 * noise
    less = made(a, b, c, d)
    assert less.ranks.tolist() == [[1, 1, 3, 3]]
    assert less.is_better[0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert made(d, c, b, a).order == (3, 2, 1, 0)


def test_more_may_be_better(monkeypatch):
    monkeypatch.setattr(
        "rtsched.study.statistics.SCALARS", {"uxcost": SimpleNamespace(name="uxcost", unit="", better="more", meaning="m", of=float)}
    )
    one = made([1, 1.5, 1], [3, 3, 3.5], [2, 2.5, 2])
    assert one.ranks.tolist() == [[3, 1, 2]]
    assert one.order == (1, 2, 0)


def test_rounding_is_no_difference():
    one = made([0.1 + 0.2, 0.7], [0.3, 0.7])
    assert one.differences.mean[0].tolist() == [[0, 0], [0, 0]]
    assert one.ranks.tolist() == [[1, 1]]


def test_undefined_values_are_left_out_by_pairs():
    one = made([1, 2, NAN, 4], [2, NAN, 3, 5], [NAN] * 4)
    assert one.means.n[0].tolist() == [3, 3, 0]
    assert one.differences.n[0].tolist() == [[3, 2, 0], [2, 3, 0], [0, 0, 0]]
    assert one.differences.mean[0, 1, 0] == 1
    assert one.ranks.tolist() == [[1, 2, 0]]
    assert one.order == (0, 1, 2)
    lines = text_of(one).splitlines()
    assert lines[3].split()[-1] == "seeds"
    assert [line.split()[-1] for line in lines if line.startswith("  ")] == ["3", "3", "0"]
    assert json.loads(comparison_to_json(one))["metrics"][0]["policies"][2]["mean"] is None


def test_one_seed_has_no_interval():
    one = made([1], [2])
    assert np.isnan(one.means.low).all()
    assert one.ranks.tolist() == [[1, 1]]
    text = text_of(one)
    assert "One seed: there is no interval" in text
    assert not re.search(r"^  .*(tie|better|worse) *$", text, flags=re.MULTILINE)
    assert "Only 2 seeds" in text_of(made([1, 2], [2, 2]))


def test_what_is_the_same_under_every_seed_ties():
    problem = problem_of([once("t", "m", 1, deadline_ns=100)], {"m": [[10]]})
    one = compare_problem(problem, plan(["fcfs", "edf"], 5))
    assert one.ranks.tolist() == [[1, 1]] * 3
    assert (one.means.low == one.means.high).all()
    assert text_of(one).count("same") == 3
    assert "tie" not in text_of(one)


def test_nothing_is_defined_where_no_job_counts():
    problem = problem_of([once("t", "m", 1, deadline_ns=10, release_ns=5000)], {"m": [[10]]})
    one = compare_problem(problem, plan(["fcfs", "edf"], 3))
    assert one.ranks.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert one.baseline == "fcfs"
    assert "-" in text_of(one)


def test_the_baseline_is_the_best_unless_one_is_named(found):
    assert found.baseline == POLICIES[int(found.means.mean[0].argmin())]
    assert rtsched.compare("vr_gaming", None, POLICIES, 2, duration_s=0.1, baseline="llf").baseline == "llf"


# Threads, interruption, failures


@pytest.mark.parametrize("threads", [1, 4])
def test_any_number_of_threads_gives_the_same_bytes(found, threads):
    again = rtsched.compare("vr_gaming", None, POLICIES, range(12), duration_s=0.5, load=1.5, threads=threads)
    assert comparison_to_json(again) == comparison_to_json(found)


def test_interrupted_comparisons_have_whole_seeds(monkeypatch, found):
    def stops(problem, jobs, *arguments, **options):
        results = simulate_many(problem, jobs, *arguments, **options)
        raise ManyInterrupted([*results[:7], None, *results[8:9], *[None] * (len(results) - 9)])

    monkeypatch.setattr("rtsched.study.compare.simulate_many", stops)
    with pytest.raises(ComparisonInterrupted) as caught:
        rtsched.compare("vr_gaming", None, POLICIES, 12, duration_s=0.5, load=1.5)
    part = caught.value.comparison
    assert (part.seeds, part.is_complete) == ((0, 1), False)
    assert (part.values == found.values[:, :, :2]).all()
    assert "PARTIAL" in text_of(part)
    assert comparison_to_dict(part)["run"]["complete"] is False
    assert part.provenance["inputs_sha256"] != found.provenance["inputs_sha256"]


def test_interrupted_before_a_seed_is_finished(monkeypatch):

    def stops(problem, jobs, *arguments, **options):
        raise ManyInterrupted([[1.0], None, None])

    monkeypatch.setattr("rtsched.study.compare.simulate_many", stops)
    with pytest.raises(ComparisonInterrupted) as caught:
        rtsched.compare("vr_gaming", None, POLICIES, 1, duration_s=0.1)
    assert caught.value.comparison is None


class Broken(Mapper):
    def score(self, state):
        return np.full(state.n_ready, np.nan)


def test_a_policy_that_breaks_its_contract_is_named_with_the_seed():
    policies = ["edf", Policy(mapper=Broken(), name="broken")]
    with pytest.raises(PolicyError, match=r"^policy 'broken': .*\(seed 5\)$"):
        rtsched.compare("vr_gaming", None, policies, [5, 6], duration_s=0.1)


# Plans


def test_plans():
    own = Policy(mapper=Broken(), name="mine")
    chosen = plan(["edf", own], np.arange(3, dtype=np.uint64), metrics="energy_j", baseline="mine")
    assert [one.name for one in chosen.policies] == ["edf", "mine"]
    assert (chosen.seeds, chosen.metrics, chosen.baseline) == ((0, 1, 2), ("energy_j",), "mine")
    assert all(type(seed) is int for seed in chosen.seeds)
    assert [one.name for one in plan(iter(["llf", "edf"]), 2).policies] == ["llf", "edf"]
    assert plan("edf", 2).metrics == DEFAULT_METRICS
    assert plan(["edf"], range(2**64 - 2, 2**64)).seeds == (2**64 - 2, 2**64 - 1)


def test_faults_of_plans_come_together():
    found = faults(plan, ["edf", "edff", "edf"], 0, metrics=["uxcst", "energy_j", "energy_j"])
    assert found[0].startswith("unknown policy 'edff'; did you mean 'edf'?")
    assert found[1:3] == ["policies: 'edf' is there twice; names must differ", f"seeds: must be 1 to {MAX_SEEDS} of them, got 0"]
    assert found[3].startswith("unknown metric 'uxcst'; did you mean 'uxcost'?")
    assert found[4:] == ["metrics: 'energy_j' is there twice"]


@pytest.mark.parametrize(
    ("policies", "seeds", "options", "fault"),
    [
        ((), 1, {}, "policies: name at least one to compare"),
        (("edf",), -3, {}, f"seeds: must be 1 to {MAX_SEEDS} of them, got -3"),
        (("edf",), 10**9, {}, f"seeds: must be 1 to {MAX_SEEDS} of them, got 1000000000"),
        (("edf",), range(10**9), {}, f"seeds: must be 1 to {MAX_SEEDS} of them, got 1000000000"),
        (("edf",), [], {}, "seeds: give at least one"),
        (("edf",), "5", {}, "seeds must be a number of seeds or a list of them, got '5'"),
        (("edf",), True, {}, "seeds must be a number of seeds or a list of them, got True"),
        (("edf",), [1, -1], {}, "seeds: each must be an integer from 0 to 2**64 - 1, got -1"),
        (("edf",), [1.0], {}, "seeds: each must be an integer from 0 to 2**64 - 1, got 1.0"),
        (("edf",), [1, 2, 1], {}, "seeds: 1 is there twice"),
        (("edf",), 1, {"metrics": []}, "metrics: name at least one"),
        (("edf", "llf"), 1, {"baseline": "edg"}, "baseline: must be one of the compared policies, got 'edg'; did you mean 'edf'?"),
    ],
)
def test_faults_of_plans(policies, seeds, options, fault):
    assert faults(plan, policies, seeds, **options) == [fault]


def test_faults_of_comparisons_come_together():
    found = faults(rtsched.compare, "vr_gamin", None, ["edff"], 0, settings={"no": 1}, load=0, threads=0)
    assert [one.partition(" ")[0].rstrip(":") for one in found] == ["unknown", "settings['no']", "load", "unknown", "seeds", "threads"]


def test_settings_reach_the_problem_and_the_policies():
    settings = {"scenario.tasks.gaze.fps": 90, "mapper.balance": 1.5}
    one = rtsched.compare("vr_gaming", None, ["edf", "herald"], 2, duration_s=0.1, settings=settings)
    assert one.problem.scenario.tasks[0].fps == 90
    assert one.provenance["settings"] == {**settings, "scenario.duration_s": 0.1}
    assert text_of(one, 200).splitlines()[0].rstrip().endswith(", 100 ms each; with scenario.tasks.gaze.fps=90, mapper.balance=1.5")
    assert "mapper" in faults(rtsched.compare, "vr_gaming", None, ["edf"], 2, settings={"mapper.no_such": 1})[0]


# Output


def test_the_table_fits_100_columns(found):
    lines = text_of(found).splitlines()
    assert f"  minus {found.baseline}  " in lines[2]
    assert lines[0] == "vr_gaming on dream_4k_1ws2os, load 1.5, 12 seeds (0 to 11), 500 ms each"
    assert max(len(line.rstrip()) for line in lines) <= 100
    assert not any("…" in line for line in lines)
    by_metric = [line.split()[0] for line in lines if re.match(r"  \w", line)]
    assert by_metric == 3 * [POLICIES[i] for i in found.order]


@pytest.mark.parametrize(("policies", "width"), [(("fcfs", "edf", "eft", "herald"), 80), (POLICIES, 80), (POLICIES, 60)])
def test_narrow_tables_cut_no_name_and_no_number(policies, width):
    one = rtsched.compare("vr_gaming", None, policies, 12, duration_s=0.5)
    text = text_of(one, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    rows = [line.split() for line in text.splitlines() if re.match(r"  \w", line)]
    assert [row[0] for row in rows] == 3 * [policies[i] for i in one.order]
    heads = [line.rstrip() for line in text.splitlines() if re.match(r"\w+( \(\w+\))? *$", line)]
    assert heads[-3:] == ["uxcost", "violation_rate", "energy (J)"]
    assert [row[2] for row in rows[: len(policies)]] == [digits(one.means.mean[0, i]) for i in one.order]


def test_long_names_are_the_last_to_be_cut():
    one = made([1, 2, 4], [2, 3, 4], baseline="a-policy-with-a-very-long-name")
    one = replace(one, policies=("a-policy-with-a-very-long-name", "another-policy-with-a-long-name"))
    text = text_of(one, 50)
    assert all(f"\n  {policy}" in text for policy in one.policies)
    assert "baseline  a-policy-with-a-very-long-name" in " ".join(text.split("\n"))


def test_ties_are_shown_with_names():
    """The policy a ties with b and b with c, but c is worse than a beyond doubt; a and d are equal."""
    noise = np.tile([0.3, -0.3], 10)
    b = 1.05 + noise
    one = made(np.full(20, 1.0), b, np.full(20, 1.1), np.full(20, 1.0))
    assert one.ranks.tolist() == [[1, 1, 3, 1]]
    rows = {line.split()[0]: line.split() for line in text_of(one).splitlines() if re.match(r"  \w", line)}
    assert rows["a"][-1] == "1.00..1.00"
    assert rows["b"][-3:] == ["tie", "d,", "c"]
    assert "ties" not in text_of(made(np.full(20, 1.0), b))
    assert rows["c"][-2:] == ["worse", "b"]
    assert rows["d"][-2:] == ["same", "b"]
    assert one.is_same[0].tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]
    assert "ties" not in text_of(made([1.0] * 4, [2.0] * 4))


def test_many_ties_are_abbreviated():
    many = [[1.0, 2.0]] * 8
    assert re.search(r"same  b, c, d, e, f, g\b|same  c, d, e, f, g, h", text_of(made(*many), 120))
    assert re.search(r"^  b .*same +c, d \+4|^  b .*same +c \+5|^  b .*same +\+6", text_of(made(*many), 60), flags=re.MULTILINE)


def test_one_policy_has_no_differences():
    text = text_of(made([1, 2, 3]))
    assert not re.search("minus|rank  1|ties|same", text)


def test_what_is_equal_where_both_are_defined_is_the_same():
    assert made([1, NAN, 3], [1, 2, 3]).is_same[0, 0, 1]
    assert not made([NAN, NAN], [1, 2]).is_same[0, 0, 1]


class Patient(Mapper):
    settings = (Setting("patience", 4.0, "how long", low=1.0),)

    def key(self, state, row):
        return 0


def test_settings_hold_for_the_policies_that_have_them():
    chosen = plan(["edf", Patient(), "herald"], 1, roles={"mapper.patience": 3, "mapper.balance": 2.0})
    assert (chosen.policies[1].mapper.patience, chosen.policies[2].mapper.balance) == (3.0, 2.0)
    assert faults(plan, ["edf", Patient(), "herald"], 1, roles={"mapper.patienc": 3, "tuner.x": 1}) == [
        "setting 'mapper.patienc': none of the policies has it; did you mean 'mapper.patience'?",
        "setting 'tuner.x': none of the policies has it; they have: mapper.patience, mapper.objective, mapper.balance",
    ]
    assert faults(plan, ["edf", "fcfs"], 1, roles={"mapper.x": 3}) == [
        "setting 'mapper.x': none of the policies has it; they have no settings"
    ]
    assert faults(plan, ["edf", Patient()], 1, roles={"mapper.patience": 0}) == ["setting 'mapper.patience': must be at least 1.0, got 0.0"]
    assert "has no setting 'x'" in faults(plan, ["herald"], 1, roles={"mapper.x": 3})[0]


def test_columns_are_long(found):
    columns = found.columns()
    assert list(columns) == ["metric", "unit", "policy", "seed", "value"]
    assert {len(column) for column in columns.values()} == {found.values.size}
    rows = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    assert rows[0] == ("uxcost", "", POLICIES[0], 0, found.values[0, 0, 0])
    for metric, unit, policy, seed, value in rows:
        assert unit == SCALARS[metric].unit
        assert value == found.values[found.metrics.index(metric), POLICIES.index(policy), found.seeds.index(seed)]


def test_csv_has_the_columns_and_empty_cells():
    one = made([1, NAN], [2.5, 3], seeds=(2**64 - 1, 7))
    assert "".join(comparison_to_csv(one)) == (
        f"metric,unit,policy,seed,value\nuxcost,,a,{2**64 - 1},1.0\nuxcost,,a,7,\nuxcost,,b,{2**64 - 1},2.5\nuxcost,,b,7,3.0\n"
    )


def test_columns_of_csv_are_documented(found):
    text = FORMATS.read_text(encoding="utf-8")
    assert set(found.columns()) - set(re.findall(r"`(\w+)`", text[text.index("## CSV of a comparison") :])) == set()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(found, library):
    pytest.importorskip(library)
    frame = getattr(found, f"to_{library}")()
    assert list(frame.columns) == list(found.columns())
    assert frame["value"].to_numpy().tolist() == found.values.ravel().tolist()


def test_seeds_are_written_as_ranges():
    assert "(3 to 5, 9)" in text_of(made([1, 2, 3, 4], seeds=(3, 4, 5, 9)))
    assert "(0, 2, 4, 6, 8, ...)" in text_of(made([1] * 7, seeds=tuple(range(0, 14, 2))))


def test_units_are_scaled():
    text = text_of(made([[1, 2]], [[0.002, 0.004]], metrics=("uxcost", "energy_j")))
    assert "\nenergy (mJ)" in text
    assert "\nenergy_j  dynamic" in text
    assert "\nlatency_worst (us)" in text_of(made([1000, 4000], metrics=("latency_worst_ns",))).replace("µ", "u")
    assert "3.00" in text


def test_json_has_every_value_and_where_it_comes_from(found):
    read = json.loads(comparison_to_json(found), parse_constant=pytest.fail)
    assert list(read) == ["format", "provenance", "run", "baseline", "confidence", "metrics"]
    assert read["format"] == "rtsched.comparison/1"
    assert read["provenance"] == found.provenance
    assert read["provenance"]["problem_sha256"] == found.problem.digest
    assert [one["policy"] for one in read["provenance"]["policies"]] == list(POLICIES)
    assert len({one["policy_sha256"] for one in read["provenance"]["policies"]}) == 3
    assert read["run"]["seeds"] == list(range(12))
    for m, metric in enumerate(read["metrics"]):
        assert [one["values"] for one in metric["policies"]] == found.values[m].tolist()
        assert [one["rank"] for one in metric["policies"]] == found.ranks[m].tolist()
        pairs = {(one["policy"], one["minus"]): one["mean"] for one in metric["differences"]}
        assert len(pairs) == 6
        assert pairs["llf", "edf"] == pytest.approx(np.mean(found.values[m, 2] - found.values[m, 1]))


def keys(value):
    """Every key of a JSON value but the paths of settings, which are the user's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key != "settings":
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_every_key_is_documented(found):
    text = FORMATS.read_text(encoding="utf-8")
    section = text[text.index("## JSON of a comparison") :]
    assert set(keys(comparison_to_dict(found))) - set(re.findall(r"`(\w+)`", section)) == set()


def test_defaults_are_metrics():
    outcome = rtsched.simulate("vr_gaming", duration_s=0.1)
    for name in DEFAULT_METRICS:
        assert SCALARS[name].name == name
        assert SCALARS[name].of(Metrics(outcome)) >= 0
