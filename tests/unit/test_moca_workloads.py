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


# Rates of moca_a to moca_c, jobs per second, and durations, computed apart for `moca_gemmini_8`, to five and four digits.
RATES_HZ = {
    "a": (495.42, 346.8, 412.85),
    "b": (81.024, 121.54, 108.03, 121.54),
    "c": (57.51, 86.265, 76.68, 143.78, 100.64, 86.265, 119.81),
}
DURATIONS_S = {"a": 0.1992, "b": 0.5785, "c": 0.3726}


@pytest.mark.parametrize("name", SETS)
def test_random_scenarios_are_those_of_the_script(script: ModuleType, name: str) -> None:
    assert (script.FOLDER / f"moca_{name}.yaml").read_text(encoding="utf-8") == script.random(name)
    assert {task.name: task.weight for task in load_scenario(f"moca_{name}").tasks} == {one: WEIGHTS[one] for one in SETS[name]}


@pytest.mark.parametrize("name", SETS)
def test_rates_on_the_usual_platform(name: str) -> None:
    problem = rtsched.compile(f"moca_{name}")
    assert tuple(float(f"{rate_hz:.5g}") for rate_hz in problem.task_rate_hz) == RATES_HZ[name]
    assert float(f"{problem.duration_ns * 1e-9:.4g}") == DURATIONS_S[name]


def group_ms(problem: rtsched.Problem) -> np.ndarray:
    """Time of each task's network alone on two tiles of the one accelerator."""
    bounds = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet]]
    sums_ns = np.add.reduceat(problem.costs["t_iso_ns"][:, 1], bounds[:-1])
    times_ms: np.ndarray = sums_ns[problem.task_model] * 1e-6
    return times_ms


@pytest.mark.parametrize(
    "settings",
    [
        {"platform.memory.peak_gb_per_s": 8},
        {"platform.accelerators.gemmini.tiles": 4, "platform.accelerators.gemmini.cost.clock_mhz": 500},
        {"platform.sync_ns": 0},
    ],
)
@pytest.mark.parametrize("name", SETS)
def test_rates_follow_the_platform(name: str, settings: dict[str, float]) -> None:
    usual, changed = rtsched.compile(f"moca_{name}"), rtsched.compile(f"moca_{name}", settings=settings)
    assert abs(group_ms(changed) / group_ms(usual) - 1).max() > 0.01
    for problem in (usual, changed):
        # Four groups of two tiles are just busy, and 250 jobs arrive.
        assert (problem.task_rate_hz * group_ms(problem) * 1e-3).sum() == pytest.approx(4.0, rel=1e-12)
        assert problem.task_rate_hz.sum() * problem.duration_ns * 1e-9 == pytest.approx(250, rel=1e-8)
        weights = [WEIGHTS[network] for network in SETS[name]]
        assert problem.task_rate_hz / problem.task_rate_hz[0] == pytest.approx(np.array(weights) / weights[0], rel=1e-12)


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
