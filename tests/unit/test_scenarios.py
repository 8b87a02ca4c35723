"""The built-in scenarios are what their comments and docs/scenarios.md say.

The page is written by benchmarks/scenarios.py, whose functions are used here: what they compute now must be what the page says.
"""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

import rtsched
from rtsched.library import load_scenario

ROOT = Path(__file__).parents[2]


def load_script() -> ModuleType:
    spec = spec_from_file_location("benchmarks_scenarios", ROOT / "benchmarks" / "scenarios.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


script = load_script()
PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))


class Row(NamedTuple):
    """What the page says of a scenario on a platform; loads that are beyond the largest are None."""

    scenario: str
    platform: str
    utilisation: str
    first_miss: float | None
    collapse: float | None
    load: float
    fcfs: str
    policy: str
    best: str
    gain: float


def rows() -> list[Row]:
    found = []
    for scenario, text in SECTIONS.items():
        for line in re.findall(r"^\| (dream_.*) \|$", text, flags=re.MULTILINE):
            platform, utilisation, first_miss, collapse, load, fcfs, best, gain = line.split(" | ")
            loads = [None if ">" in cell else float(cell) for cell in (first_miss, collapse)]
            policy, rate = best.split(" ", 1)
            found.append(Row(scenario, platform, utilisation, *loads, float(load), fcfs, policy, rate, float(gain.split()[0]) / 100))
    return found


ROWS = rows()
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.scenario}-{row.platform}")


def test_the_page_has_every_scenario_on_every_4k_platform() -> None:
    platforms = {name for name in rtsched.library.platforms() if name.startswith("dream_4k_")}
    assert {(row.scenario, row.platform) for row in ROWS} == {(s, p) for s in script.SCENARIOS for p in platforms}
    assert {"vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social"} == set(script.SCENARIOS)


@EACH
def test_some_policy_violates_a_fifth_fewer_deadlines_than_fcfs_at_a_load_between_a_half_and_two(row: Row) -> None:
    fcfs, best = script.violation_rates(row.scenario, row.platform, row.load, ("fcfs", row.policy))
    assert 0.5 <= row.load <= 2
    assert best <= 0.8 * fcfs
    assert best < script.COLLAPSE
    assert (script.percent(fcfs), script.percent(best)) == (row.fcfs, row.best)
    assert row.gain == pytest.approx((fcfs - best) / fcfs, abs=0.005)


@EACH
def test_fcfs_first_misses_where_the_page_says(row: Row) -> None:
    assert row.first_miss is not None
    assert script.violation_rates(row.scenario, row.platform, row.first_miss, ("fcfs",))[0] > 0
    before = script.LOADS[: script.LOADS.index(row.first_miss)]
    if before:
        assert script.violation_rates(row.scenario, row.platform, before[-1], ("fcfs",))[0] == 0


@pytest.mark.parametrize("row", [row for row in ROWS if row.platform == "dream_4k_1os2ws" and row.collapse], ids=lambda row: row.scenario)
def test_even_the_best_policy_collapses_where_the_page_says(row: Row) -> None:
    before = script.LOADS[script.LOADS.index(row.collapse) - 1]
    assert script.violation_rates(row.scenario, row.platform, row.collapse).min() >= script.COLLAPSE
    assert script.violation_rates(row.scenario, row.platform, before).min() < script.COLLAPSE


@EACH
def test_every_task_alone_meets_its_deadline_on_some_accelerator(row: Row) -> None:
    problem = rtsched.compile(row.scenario, row.platform)
    late = [problem.task_names[t] for t in range(problem.n_tasks) if script.alone_ms(problem, t) * 1e6 > problem.task_deadline_ns[t]]
    assert late == []
    assert script.percent(script.utilisation(problem), 0) == row.utilisation


@pytest.mark.parametrize("scenario", script.SCENARIOS)
def test_the_page_lists_the_tasks(scenario: str) -> None:
    for line in script.task_rows(scenario):
        assert line in SECTIONS[scenario].splitlines()
    assert load_scenario(scenario).description in SECTIONS[scenario]


def test_sweep_finds_first_miss_collapse_and_the_load_that_tells_policies_apart() -> None:
    rates = np.zeros((len(script.LOADS), 2))
    rates[5:, 0] = 0.3
    rates[8, 0] = 0.5
    rates[12, 1] = 0.2  # not yet for good
    rates[20:] = 0.9
    found = script.Sweep("s", "p", 0.0, rates)
    assert (found.first_miss, found.collapse, found.telling) == (script.LOADS[5], script.LOADS[20], 8)
    nothing = script.Sweep("s", "p", 0.0, np.zeros_like(rates))
    assert (nothing.first_miss, nothing.collapse, nothing.telling) == (None, None, None)


@pytest.mark.parametrize(
    ("scenario", "tasks"),
    [
        (
            "ar_call",
            [
                ("keyword", "kws_res8", 20, None, 1.0),
                ("translate", "gnmt", None, ("keyword",), 0.5),
                ("context", "skipnet", 30, None, 1.0),
            ],
        ),
        (
            "drone_outdoor",
            [
                ("detect", "ssd_mobilenetv2", 30, None, 1.0),
                ("navigate", "trailnet", 60, None, 1.0),
                ("odometry", "sosnet", 60, None, 1.0),
            ],
        ),
        (
            "drone_indoor",
            [
                ("detect", "ssd_mobilenetv2", 30, None, 1.0),
                ("avoid", "rapid_rl", 60, None, 1.0),
                ("odometry", "sosnet", 90, None, 1.0),
                ("classify", "googlenet", None, ("detect",), 0.5),
            ],
        ),
        (
            "ar_social",
            [
                ("depth", "focal_length_depth", 45, None, 1.0),
                ("action", "ed_tcn", 45, None, 1.0),
                ("face", "ssd_mobilenetv2", 60, None, 1.0),
                ("verify", "vgg_m", None, ("face",), 0.5),
                ("context", "ofa_mobilenetv3", 60, None, 1.0),
            ],
        ),
    ],
)
def test_tasks(scenario: str, tasks: list[tuple[object, ...]]) -> None:
    loaded = load_scenario(scenario)
    assert loaded.platform == "dream_4k_1ws2os"
    found = [(task.name, getattr(task.model, "name", task.model), task.fps, task.parents, task.trigger) for task in loaded.tasks]
    assert found == tasks
