"""Tuning: what can be tuned, the search, and what is told of it."""

import json
from pathlib import Path

import numpy as np
import pytest

import rtsched
from rtsched.errors import InputError
from rtsched.policies.registry import configure, load_policy
from rtsched.report.tuning import to_dict, to_json
from rtsched.study.tune.ranges import Range, ranges_of, tunable
from rtsched.study.tune.search import Trials

FORMATS = Path(__file__).parents[2] / "docs/formats.md"

OVER = {"mapper.alpha": (0, 2), "mapper.beta": (0, 2)}
BRIEF = {"seeds": 3, "held_out": 4, "trials": 20, "duration_s": 0.3, "load": 2}


class Valley(rtsched.Mapper):
    """Meets deadlines only with settings that are close to one point: whoever is far from it lets jobs wait."""

    waits = True
    settings = (
        rtsched.Setting("x", 5.0, "a number", low=0, high=10),
        rtsched.Setting("n", 8, "a whole number", low=1, high=10),
        rtsched.Setting("kind", "a", "a word", choices=("a", "b")),
        rtsched.Setting("flag", False, "yes or no"),
        rtsched.Setting("level", 1, "one of some numbers", choices=(1, 2, 4)),
    )

    def score(self, state):
        distance = abs(self.x - 2) / 10 + abs(self.n - 3) / 10
        is_late = state.slack_ns < distance * 3e7
        return np.where(is_late, -np.inf, 0.0)


def faults(*arguments, **options):
    with pytest.raises(InputError) as caught:
        rtsched.tune(*arguments, **options)
    return list(caught.value.faults)


@pytest.fixture(scope="module")
def found():
    return rtsched.tune("vr_gaming", None, "dream-fixed", OVER, **BRIEF)


# What can be tuned


def test_numbers_can_be_tuned():
    assert list(tunable(rtsched.Policy(Valley()))) == ["mapper.x", "mapper.n"]
    assert {"mapper.alpha", "dropper.window", "selector.backlog_weight"} <= set(tunable(load_policy("dream-fixed")))


def test_without_ranges_those_settings_are_listed():
    (told,) = faults("vr_gaming", None, Valley())
    assert told.splitlines() == [
        "over: give at least one range, as mapper.x=LOW:HIGH; of policy 'Valley' can be tuned",
        "  mapper.x  number from 0 to 10, now 5: a number",
        "  mapper.n  whole number from 1 to 10, now 8: a whole number",
    ]
    assert faults("vr_gaming", None, "fcfs") == ["policy 'fcfs' has no setting that is a number, so there is nothing to tune"]


def test_values_of_ranges():
    whole, number = ranges_of(rtsched.Policy(Valley()), {"mapper.n": (2, 4), "mapper.x": (0, 1)})
    assert whole == Range("mapper.n", 2, 4, is_whole=True)
    assert [whole.at(x) for x in (2, 2.99, 3, 4.5, 5)] == [2, 2, 3, 4, 4]
    assert [type(whole.at(2.5)), type(number.at(0.5))] == [int, float]
    assert [number.at(x) for x in (0, 1 / 3, 0.9999999, 1)] == [0, 0.333333, 1, 1]
    assert [whole.position(x) for x in (1, 2, 4, 5)] == [None, 2.5, 4.5, None]
    assert whole.at(whole.position(4)) == 4


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"mapper.y": (0, 1)}, ["setting 'mapper.y': Valley has no setting 'y'; settings: x, n, kind, flag, level"]),
        ({"mapper.kind": (0, 1)}, ["setting 'mapper.kind': must be text, got 0"]),
        ({"mapper.flag": (0, 1)}, ["setting 'mapper.flag': must be true or false, got 0"]),
        ({"mapper.level": (1, 4)}, ["setting 'mapper.level': must be one of 1, 2, 4, got 0"]),
        ({"mapper.x": (1, 1)}, ["over 'mapper.x': must be two numbers, the smaller one first, got 1 and 1"]),
        ({"mapper.x": 3}, ["over 'mapper.x': must be two numbers, the smaller one first, got 3"]),
        ({"mapper.x": (0, float("inf"))}, ["over 'mapper.x': must be two numbers, the smaller one first, got (0, inf)"]),
        ({"mapper.x": (0, 11)}, ["setting 'mapper.x': must be at most 10, got 11.0"]),
        ({"mapper.n": (1.5, 3)}, ["over 'mapper.n': takes whole numbers, got 1.5 and 3"]),
    ],
)
def test_mistakes_in_ranges(over, expected):
    assert faults("ar_call", None, Valley(), over) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"metric": "uxcots"}, ["unknown metric 'uxcots'; did you mean 'uxcost'?"]),
        ({"trials": 4}, ["trials: must be a whole number from 5 to 1,000,000, got 4"]),
        ({"seed": -1, "threads": 0}, ["seed must be an integer from 0 to 2**64 - 1, got -1", "threads: must be at least 1, got 0"]),
        ({"held_out": 0}, ["held_out: must be 1 to 100000 of them, got 0"]),
        ({"held_out": [5, 2]}, ["held_out: seed 2 is one that the search sees; the two must have none in common"]),
        ({"seeds": [2**64 - 1], "held_out": 1}, [f"held_out: each must be an integer from 0 to 2**64 - 1, got {2**64}"]),
        ({"metric": "sla_high", "duration_s": 0.1},
         ["metric 'sla_high' is undefined with the policy's own settings, so nothing can be compared with them"]),
    ],
)  # fmt: skip
def test_mistakes(options, expected):
    assert faults("ar_call", None, Valley(), {"mapper.x": (0, 10)}, **options) == expected


# The search


@pytest.mark.parametrize(("metric", "sign"), [("violation_rate", 1), ("sla", -1)])
def test_it_finds_the_valley_whichever_direction_is_better(metric, sign):
    over = {"mapper.x": (0, 10), "mapper.n": (1, 10)}
    found = rtsched.tune("vr_gaming", None, Valley(), over, metric=metric, seeds=2, held_out=2, trials=60, duration_s=0.2)
    assert sign * found.best_mean < sign * found.own_mean
    assert abs(found.best["mapper.x"] - 2) / 10 + abs(found.best["mapper.n"] - 3) / 10 < 0.5  # its own: 0.8
    assert isinstance(found.best["mapper.n"], int)
    assert sign * found.best_mean == min(sign * mean for _, mean in found.trials)


def test_the_best_is_what_its_own_runs_say(found):
    own, best = (
        [rtsched.simulate("vr_gaming", None, policy, seed=seed, duration_s=0.3, load=2).metrics.uxcost for seed in range(3)]
        for policy in ("dream-fixed", configure(load_policy("dream-fixed"), found.best))
    )
    assert found.own_mean == pytest.approx(np.mean(own), rel=1e-12)
    assert found.best_mean == pytest.approx(np.mean(best), rel=1e-12)
    assert found.best_mean < found.own_mean
    assert found.trials[0] == ({"mapper.alpha": 1.0, "mapper.beta": 1.0}, found.own_mean)
    assert len(found.trials) <= 21
    assert all(0 <= value <= 2 for settings, _ in found.trials for value in settings.values())


def test_the_best_is_judged_on_other_seeds(found):
    comparison = found.comparison
    assert (comparison.seeds, comparison.policies) == ((3, 4, 5, 6), ("dream-fixed tuned", "dream-fixed"))
    assert (comparison.metrics[0], comparison.baseline) == ("uxcost", "dream-fixed")
    tuned = configure(load_policy("dream-fixed"), found.best)
    values = [rtsched.simulate("vr_gaming", None, tuned, seed=seed, duration_s=0.3, load=2).metrics.uxcost for seed in range(3, 7)]
    assert comparison.values[0, 0].tolist() == values


def test_own_settings_stay_when_nothing_is_better():
    """With no jobs in between every trial is the same."""
    found = rtsched.tune("ar_call", None, "dream-fixed", {"selector.backlog_weight": (0, 5)}, **{**BRIEF, "trials": 6, "load": 1})
    assert found.best == found.own == {"selector.backlog_weight": 3.0}
    assert found.best_mean == found.own_mean
    assert found.tuned is found.policy
    assert found.comparison is None


def test_the_search_starts_from_settings_that_are_given():
    settings = {"mapper.alpha": 0.25, "dropper.window": 5}
    found = rtsched.tune("vr_gaming", None, "dream-fixed", {"mapper.alpha": (0.5, 1)}, settings=settings, **{**BRIEF, "trials": 5})
    assert found.own == {"mapper.alpha": 0.25}  # outside of what is tried
    assert found.tuned.dropper.window == 5
    assert all(0.5 <= values["mapper.alpha"] <= 1 for values, _ in found.trials[1:])
    assert found.provenance["settings"] == {**settings, "scenario.duration_s": 0.3, "scenario.load": 2}
    better = min(mean for _, mean in found.trials)
    assert found.best_mean == better


def test_settings_are_tried_once():
    problem = rtsched.compile("ar_call", duration_s=0.05)
    (n,) = ranges_of(rtsched.Policy(Valley()), {"mapper.n": (1, 3)})
    totals = []
    options = {"at_most": 30, "progress": lambda done, total: totals.append(total)}
    trials = Trials(problem, rtsched.Policy(Valley()), [n], "energy_j", [0, 1], **options)
    trials.try_own()
    trials.search(0)
    assert sorted(trials.means) == [(1,), (2,), (3,), (8,)]
    assert set(totals) == {31 * 2}


def test_settings_that_lack_a_seed_do_not_count():
    problem = rtsched.compile("ar_call", duration_s=0.05)
    (n,) = ranges_of(rtsched.Policy(Valley()), {"mapper.n": (1, 3)})
    trials = Trials(problem, rtsched.Policy(Valley()), [n], "energy_j", [0, 1], at_most=30)
    trials._keep([(1,), (2,), (3,)], [0.5, None, 0.125, 0.375, None, None])
    assert trials.means == {(2,): 0.25}


# What it says


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(found):
    same = [rtsched.tune("vr_gaming", None, "dream-fixed", OVER, **BRIEF, threads=threads) for threads in (1, 2)]
    assert [to_json(one) == to_json(found) for one in same] == [True, True]
    other = rtsched.tune("vr_gaming", None, "dream-fixed", OVER, **BRIEF, seed=1)
    assert [values for values, _ in other.trials] != [values for values, _ in found.trials]


def test_columns(found):
    pytest.importorskip("pandas")
    table = found.to_pandas()
    assert list(table.columns) == ["mapper.alpha", "mapper.beta", "uxcost"]
    assert table.iloc[0].tolist() == [1.0, 1.0, found.own_mean]
    assert table["uxcost"].min() == found.best_mean


def test_every_key_of_the_json_is_described(found):
    page = FORMATS.read_text(encoding="utf-8")
    part = page[page.index("## JSON of a tuned policy") :]
    told = to_dict(found)
    keys = {*told, *told["run"], *told["over"][0], *told["own"], *told["trials"][0]}
    assert [key for key in sorted(keys) if f"`{key}`" not in part] == []
    assert json.loads(to_json(found)) == told


# Ctrl-C


@pytest.mark.parametrize("title", ["trials", "held-out seeds"])
def test_ctrl_c_leaves_the_best_so_far(title):
    def interrupt(what, done, total):
        if what == title and done >= (9 if title == "trials" else 3):
            raise KeyboardInterrupt

    options = {**BRIEF, "duration_s": 1}
    with pytest.raises(rtsched.TuningInterrupted) as caught:
        rtsched.tune("vr_gaming", None, "dream-fixed", OVER, **options, progress=interrupt, threads=1)
    found = caught.value.tuning
    assert not found.is_complete
    assert found.best_mean <= found.own_mean
    assert json.loads(to_json(found))["run"]["complete"] is False
    assert (found.comparison is None) == (title == "trials")


def test_ctrl_c_before_anything_is_known():
    def interrupt(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(rtsched.TuningInterrupted) as caught:
        rtsched.tune("vr_gaming", None, "dream-fixed", OVER, **{**BRIEF, "duration_s": 20}, progress=interrupt)
    assert caught.value.tuning is None
