"""MoCA's workloads: the artifact's arrivals, and that the scenarios' files are what the script writes."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import rtsched
from rtsched.library import load_scenario
from rtsched.workload.moca import PRIORITIES, SETS, WEIGHTS, artifact_jobs
from rtsched.workload.scenario import WeightedPriority

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("benchmarks_moca_scenarios", ROOT / "benchmarks" / "moca_scenarios.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def times_ms(script: ModuleType) -> dict[str, float]:
    found: dict[str, float] = script.alone_ms()
    return found


@pytest.mark.parametrize(
    ("name", "last_cycles", "counts"),
    [
        ("a", 208.1e6, (111, 63, 76)),
        ("b", 750.6e6, (55, 72, 63, 60)),
        ("c", 502.7e6, (30, 35, 34, 56, 36, 33, 26)),
    ],
)
def test_artifact_jobs(name: str, last_cycles: float, counts: tuple[int, ...]) -> None:
    jobs = artifact_jobs(name)
    releases = [job.release_cycles for job in jobs]
    assert len(jobs) == sum(counts) == 250
    assert releases == sorted(releases)
    assert releases[-1] == pytest.approx(last_cycles, abs=0.05e6)
    assert all(release == np.float32(release) for release in releases)
    assert releases[0] == 0.0
    found = Counter(job.network for job in jobs)
    assert tuple(found[network] for network in SETS[name]) == counts
    assert {job.priority for job in jobs} == set(PRIORITIES)


def test_the_first_jobs_of_the_artifact_are_those_of_its_generator() -> None:
    # 777 * 1664525 + 1013904223 = 2307240148 mod 2^32, of which the upper 8 bits are 137: 137 mod 76 = 61 < 30 + 21 + 25 is a yolo_lite.
    first = next(job for job in artifact_jobs("a") if job.release_cycles == 0.0)
    assert (777 * 1664525 + 1013904223) % 2**32 >> 24 == 137
    assert first.network == "yolo_lite"


@pytest.mark.parametrize("name", SETS)
def test_recorded_scenarios_are_the_artifacts_jobs(script: ModuleType, name: str) -> None:
    scenario = load_scenario(f"moca_{name}_artifact")
    assert (script.FOLDER / f"moca_{name}_artifact.yaml").read_text(encoding="utf-8") == script.recorded(name)
    for task in scenario.tasks:
        assert task.trace is not None
        releases = [job.release_cycles for job in artifact_jobs(name) if job.network == task.name]
        assert np.array(task.trace.values) * 1e6 == pytest.approx(releases, abs=0.5)
        assert task.trace.values[-1] * 1e-3 < scenario.duration_s


@pytest.mark.parametrize("name", SETS)
def test_rates_of_the_random_scenarios_follow_from_times_alone(script: ModuleType, times_ms: dict[str, float], name: str) -> None:
    scenario = load_scenario(f"moca_{name}")
    assert (script.FOLDER / f"moca_{name}.yaml").read_text(encoding="utf-8") == script.random(name, times_ms)
    rates = {task.name: task.rate_hz or 0.0 for task in scenario.tasks}
    # Four groups of two tiles are just busy, and 250 jobs arrive.
    assert sum(rates[network] * times_ms[network] * 1e-3 for network in SETS[name]) == pytest.approx(4.0, rel=1e-4)
    assert sum(rates.values()) * scenario.duration_s == pytest.approx(250, rel=1e-3)
    assert len({round(rates[network] / WEIGHTS[network], 2) for network in SETS[name]}) == 1


@pytest.mark.parametrize("scenario", [f"moca_{name}{kind}" for name in SETS for kind in ("", "_artifact")])
def test_every_task_has_the_published_priorities_and_every_job_ends(scenario: str) -> None:
    loaded = load_scenario(scenario)
    weighted = tuple(WeightedPriority(value=value, weight=weight) for value, weight in PRIORITIES.items())
    assert all(task.priority == weighted and not task.in_order for task in loaded.tasks)
    outcome = rtsched.simulate(scenario, policy="static", layers=True)
    assert (outcome.jobs["finish_ns"] > 0).all()
    assert {tiles.bit_count() for tiles in outcome.layers["tiles"].tolist()} == {2}


def test_quality_of_service_scales_the_deadlines() -> None:
    deadlines = {qos: rtsched.compile("moca_a", settings={"scenario.qos": qos}).task_deadline_ns.tolist() for qos in "HML"}
    assert deadlines == {
        "H": [8_000_000, 26_664_000, 8_000_000],
        "M": [10**7, 33_330_000, 10**7],
        "L": [12 * 10**6, 39_996_000, 12 * 10**6],
    }
