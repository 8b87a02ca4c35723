"""The search for the smallest platform: its grid, its answer, and what it leaves out."""

import json
import re
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import rtsched
from rtsched.bounds.jobs import count_jobs
from rtsched.errors import InputError
from rtsched.interop.model_yaml import dump_platform
from rtsched.policies.registry import load_policy
from rtsched.report.exploration import to_csv, to_dict, to_json
from rtsched.report.exploration_figure import draw_exploration
from rtsched.study.explore.exploration import Exploration
from rtsched.study.explore.search import Search
from rtsched.study.explore.space import DATAFLOWS, space_of

FORMATS = Path(__file__).parents[2] / "docs/formats.md"

TINY = {"pes": [256, 512], "dataflows": ["ws", "os"], "accelerators": [1, 2], "bandwidth_gb_per_s": [15, 90]}
LARGER = {**TINY, "pes": [256, 512, 1024]}
BRIEF = {**TINY, "load": 1.5, "seeds": 4, "duration_s": 0.5, "threads": 2}


def faults(*arguments, **options):
    with pytest.raises(InputError) as caught:
        rtsched.explore(*arguments, **options)
    return list(caught.value.faults)


@pytest.fixture(scope="module")
def found():
    return rtsched.explore("ar_call", None, "eft", **BRIEF)


def brute_force(scenario, grid, n_seeds, **options):
    """Every candidate of a grid under every seed, run as a user would: PEs, violation rate and energy per met job."""
    rows = {}
    for one in space_of(rtsched.load_platform("dream_4k_1ws2os"), grid).candidates():
        problem = rtsched.compile(scenario, one.platform, **options)
        metrics = [rtsched.run(problem, "eft", seed=seed).metrics for seed in range(n_seeds)]
        sums = [sum(values) for values in zip(*((m.n_violated.sum(), m.n_counting.sum(), m.total_energy_j) for m in metrics), strict=True)]
        rows[one] = (one.n_pes, sums[0] / sums[1], sums[2] / (sums[1] - sums[0]) if sums[1] > sums[0] else np.inf)
    return rows


# The grid


def test_a_grid_has_every_mix_once():
    space = space_of(rtsched.load_platform("dream_4k_1ws2os"), TINY)
    candidates = space.candidates()
    assert len(candidates) == len(set(candidates)) == space.n_candidates == (4 + 4 * 5 // 2) * 2
    assert len({(tuple(sorted(one.arrays)), one.size) for one in candidates}) == len(candidates)
    assert [one.size for one in candidates] == sorted(one.size for one in candidates)
    assert {one.mix for one in candidates if one.n_pes == 768} == {
        "ws 512 + ws 256", "ws 512 + os 256", "ws 256 + os 512", "os 512 + os 256"
    }  # fmt: skip


def test_the_default_grid_is_made_around_the_platform():
    space = space_of(rtsched.load_platform("dream_8k_2ws"), {})
    assert space.to_dict() == {
        "pes": [512, 1024, 2048, 4096],
        "dataflows": list(DATAFLOWS),
        "bandwidth_gb_per_s": [45, 90],
        "clock_mhz": [700],
        "accelerators": [1, 2],
    }


def test_arrays_smaller_than_a_unit_are_no_candidates():
    base = rtsched.load_platform("dream_4k_1ws2os")
    assert space_of(base, {"pes": [64, 256], "dataflows": ["ws", "os"]}).types == [("ws", 256), ("os", 256), ("os", 64)]
    tiled = base.model_copy(update={"accelerators": tuple(one.model_copy(update={"tiles": 2}) for one in base.accelerators)})
    assert space_of(tiled, {"pes": [256, 512], "dataflows": ["ws"]}).types == [("ws", 512)]


def test_a_platform_is_scaled_from_the_array_of_its_dataflow():
    base = rtsched.load_platform("dream_4k_1ws2os")
    grid = {"pes": [1024], "dataflows": ["ws", "os", "rs"], "accelerators": [3], "clock_mhz": [350], "bandwidth_gb_per_s": [30]}
    (one,) = [one for one in space_of(base, grid).candidates() if one.mix == "ws 1024 + 2 x os 1024"]
    made = one.platform
    assert (made.name, made.memory.peak_gb_per_s) == ("ws1024_2xos1024_30gbps_350mhz", 30)
    ws, os0, os1 = made.accelerators
    assert [one.name for one in made.accelerators] == ["ws0", "os0", "os1"]
    # The ws array of the platform has 2048 PEs, its os arrays 1024.
    assert (ws.cost.pes, ws.cost.sram_kib, ws.cost.noc_elements_per_cycle, ws.idle_power_w) == (1024, 2048, 256, 0.033 / 4)
    assert (os0.cost.sram_kib, os0.cost.noc_elements_per_cycle, os0.idle_power_w) == (2048, 256, 0.0165 / 2)
    assert os0.cost == os1.cost
    assert (made.switch, made.energy, made.memory.efficiency) == (base.switch, base.energy, base.memory.efficiency)


def test_an_array_takes_after_the_one_of_its_dataflow():
    base = rtsched.load_platform("dream_4k_1ws2os")
    os_arrays = [one.model_copy(update={"cost": one.cost.model_copy(update={"sram_kib": 1000})}) for one in base.accelerators[1:]]
    base = base.model_copy(update={"accelerators": (base.accelerators[0], *os_arrays)})
    (mixed,) = [one for one in space_of(base, {"pes": [512], "accelerators": [3]}).candidates() if len(set(one.arrays)) == 3][-1:]
    # rs has no array of its own there, so it takes after the largest.
    assert [(one.cost.dataflow, one.cost.sram_kib) for one in mixed.platform.accelerators] == [("ws", 1024), ("os", 500), ("rs", 1024)]


def test_the_platform_itself_is_a_candidate():
    base = rtsched.load_platform("dream_4k_1ws2os")
    same = [one for one in space_of(base, {}).candidates() if one.arrays == (("ws", 2048), ("os", 1024), ("os", 1024))]
    (made,) = [one.platform for one in same if one.bandwidth_gb_per_s == base.memory.peak_gb_per_s]
    assert made.accelerators == base.accelerators
    assert made.memory == base.memory


def test_a_platform_written_as_yaml_is_the_same(tmp_path):
    base = rtsched.load_platform("dream_4k_1ws2os")
    grid = {"pes": [640], "dataflows": ["rs", "os"], "accelerators": [3], "clock_mhz": [333.3], "bandwidth_gb_per_s": [1 / 3]}
    for place, one in enumerate([base, rtsched.load_platform("moca_gemmini_8"), *(c.platform for c in space_of(base, grid).candidates())]):
        path = tmp_path / f"{place}.yaml"
        path.write_text(dump_platform(one))
        assert rtsched.load_platform(path) == one


# The search


@pytest.mark.parametrize(
    ("scenario", "meet", "n_seeds", "load"), [("ar_call", 0.99, 4, 1.5), ("vr_gaming", 0.78, 5, 1.0), ("ar_social", 0.6, 3, 1.0)]
)
def test_brute_force_finds_the_same(scenario, meet, n_seeds, load):
    options = {"duration_s": 0.25, "load": load}
    everything = brute_force(scenario, LARGER, n_seeds, **options)
    found = rtsched.explore(scenario, None, "eft", **LARGER, meet=meet, seeds=n_seeds, **options)
    meeting = [(one.size, energy_j, one) for one, (_, rate, energy_j) in everything.items() if rate <= 1 - meet]
    smallest = min(meeting, key=lambda row: row[:2])[2]
    assert found.smallest.candidate == smallest
    assert any(one.n_pes < smallest.n_pes for one in everything)
    assert len({one.n_seeds for one in found.evaluated}) > 1  # some were left out early

    def is_beaten(row):
        return any(all(a <= b for a, b in zip(other, row, strict=True)) and other != row for other in everything.values())

    whole = [one for one in found.evaluated if one.n_seeds == n_seeds]
    assert [(one.candidate.n_pes, one.violation_rate, one.energy_per_met_j) for one in whole] == [
        pytest.approx(everything[one.candidate]) for one in whole
    ]
    # A platform of the true front that is not on the one found was beaten under the first seeds.
    left_out = {one for one, row in everything.items() if not is_beaten(row)} - {one.candidate for one in found.front}
    assert all(one.n_seeds < n_seeds for one in found.evaluated if one.candidate in left_out)
    assert len(left_out) <= 1


def test_every_candidate_runs_and_none_that_is_smaller_meets_the_target(found):
    assert len(found.evaluated) == found.space.n_candidates
    assert found.n_runs == sum(one.n_seeds for one in found.evaluated) < 4 * found.space.n_candidates
    problem = rtsched.compile("ar_call", duration_s=0.5, load=1.5)
    n_jobs = [count_jobs(problem, seed) for seed in range(4)]
    for one in found.evaluated:
        if one.candidate.size < found.smallest.candidate.size:
            assert one.n_violated > 0.01 * (one.n_counting + sum(n_jobs[one.n_seeds :]))


@pytest.mark.parametrize("scenario", ["vr_gaming", "ar_call", "ar_social"])
def test_jobs_are_counted_before_they_run(scenario):
    roomy = rtsched.compile(scenario, "dream_8k_1ws2os", duration_s=1)
    cramped = rtsched.compile(scenario, "dream_4k_2os", duration_s=1, load=1.0)
    for seed in range(3):
        n_jobs = count_jobs(roomy, seed)
        assert n_jobs == count_jobs(cramped, seed)
        assert rtsched.run(roomy, "eft", seed=seed).metrics.n_counting.sum() <= n_jobs
        assert rtsched.run(cramped, "srpt", seed=seed).metrics.n_counting.sum() <= n_jobs
        assert len(rtsched.run(roomy, "eft", seed=seed).jobs) >= 0.9 * n_jobs


def test_the_target_is_met_exactly():
    """99 % of 100 jobs are 99: one may be violated, two may not."""
    base = rtsched.load_platform("dream_4k_1ws2os")
    candidates = space_of(base, TINY).candidates()[:2]
    search = Search(rtsched.load_scenario("ar_call"), load_policy("fcfs"), candidates, [0], Fraction("0.99"))
    search.counting[:], search.violated[:], search.energy_j[:] = 100, [[1], [2]], 1.0
    assert [search.meets(place) for place in range(2)] == [True, False]


def test_without_a_known_number_of_jobs_every_candidate_has_all_seeds(tmp_path):
    task = rtsched.Task(name="loop", model="kws_res8", outstanding=1, deadline_ms=0.5)
    scenario = rtsched.Scenario(name="closed", tasks=(task,), duration_s=0.05)
    assert count_jobs(rtsched.compile(scenario, "dream_4k_2ws"), 0) is None
    found = rtsched.explore(scenario, "dream_4k_2ws", pes=[256], accelerators=[1], dataflows=["ws", "os"], seeds=3)
    assert [one.n_seeds for one in found.evaluated] == [3] * 4


def test_when_none_meets_the_target():
    found = rtsched.explore("ar_call", None, "eft", pes=[256], accelerators=[1], dataflows=["os"], seeds=3, duration_s=0.2)
    assert found.smallest is None
    assert found.front
    assert to_dict(found)["smallest"] is None


def test_scenario_settings_and_load_count():
    options = {**BRIEF, "load": None, "dataflows": ["ws"], "accelerators": [1], "pes": [512, 1024, 2048]}
    plain = rtsched.explore("ar_call", None, "eft", **options)
    loaded = rtsched.explore("ar_call", None, "eft", settings={"platform.memory.efficiency": [0.5]}, **{**options, "load": 4})
    assert loaded.smallest is None or loaded.smallest.candidate.size > plain.smallest.candidate.size
    assert loaded.problem.platform.memory.efficiency == (0.5,)
    assert loaded.front[0].platform.memory.efficiency == (0.5,)
    assert loaded.provenance["settings"] == {"platform.memory.efficiency": [0.5], "scenario.load": 4, "scenario.duration_s": 0.5}


# What it says


def test_any_number_of_threads_gives_the_same_bytes(found):
    again = rtsched.explore("ar_call", None, "eft", **{**BRIEF, "threads": 1})
    assert to_json(again) == to_json(found)
    assert list(to_csv(again)) == list(to_csv(found))


def test_columns(found):
    table = found.columns()
    assert "".join(to_csv(found)).splitlines()[0] == ",".join(table)
    assert table["platform"].tolist() == [one.platform.name for one in found.evaluated]
    assert table["is_smallest"].sum() == 1
    assert [name for name, is_there in zip(table["platform"], table["on_front"], strict=True) if is_there] == [
        one.platform.name for one in found.front
    ]
    pytest.importorskip("pandas")
    assert found.to_pandas()["violated"].sum() == sum(one.n_violated for one in found.evaluated)


def test_energy_without_a_met_job_is_no_number():
    found = rtsched.explore("drone_indoor", None, "eft", pes=[256], dataflows=["os"], accelerators=[1], seeds=1, duration_s=0.1)
    assert np.isnan(found.columns()["energy_per_met_j"]).all()
    assert "".join(to_csv(found)).splitlines()[1].endswith(",1.0,,True,False")
    assert to_dict(found)["front"][0]["energy_per_met_j"] is None


def test_every_key_of_the_json_is_described(found):
    page = FORMATS.read_text(encoding="utf-8")
    part = page[page.index("## JSON of a search") : page.index("## CSV of a search")]
    told = to_dict(found)
    keys = {*told, *told["front"][0], *told["grid"], *told["front"][0]["arrays"][0]}
    assert [key for key in sorted(keys) if f"`{key}`" not in part] == []
    csv = page[page.index("## CSV of a search") :]
    assert [key for key in found.columns() if f"`{key}`" not in csv] == []
    assert json.loads(to_json(found)) == told


# Progress, Ctrl-C and mistakes


def test_progress_tells_what_is_run():
    told = []
    rtsched.explore("ar_call", None, "eft", **BRIEF, progress=lambda title, done, total: told.append((title, done, total)))
    titles = list(dict.fromkeys(title for title, _, _ in told))
    assert titles[0] == "screening"
    assert titles[-1] == "the front"
    assert re.fullmatch(r"platforms of \d+ PEs", titles[1])
    assert all(0 <= done <= total for _, done, total in told)
    assert told[-1][1] == told[-1][2]


@pytest.mark.parametrize("after", [1, 12, 40])
def test_ctrl_c_leaves_what_is_known(after):
    calls = count()

    def interrupt(title, done, total):
        if done >= after or (title != "screening" and after == 40) or next(calls) > 1000:
            raise KeyboardInterrupt

    with pytest.raises(rtsched.ExplorationInterrupted) as caught:
        rtsched.explore("ar_call", None, "eft", **BRIEF, progress=interrupt)
    found = caught.value.exploration
    assert isinstance(found, Exploration)
    assert not found.is_complete
    assert 0 < len(found.evaluated) <= found.space.n_candidates
    assert all(one.n_seeds >= 1 for one in found.evaluated)
    assert json.loads(to_json(found))["run"]["complete"] is False


def test_ctrl_c_before_anything_is_known():
    def interrupt(title, done, total):
        raise KeyboardInterrupt

    with pytest.raises(rtsched.ExplorationInterrupted) as caught:
        rtsched.explore("vr_gaming", None, "eft", **{**BRIEF, "duration_s": 3000}, progress=interrupt)
    found = caught.value.exploration
    assert (found.evaluated, found.front, found.smallest) == ((), (), None)
    assert len(list(to_csv(found))) == 1
    assert to_dict(found)["front"] == []
    assert draw_exploration(found, ".svg")
    console = Console(width=80)
    with console.capture() as captured:
        console.print(found.summary())
    assert "no platform is known yet that meets 99 % of the deadlines" in captured.get()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pes": []}, ["pes: give at least one value"]),
        ({"pes": [0, 2.5]}, [f"pes: must be a whole number from 1 to 16,777,216, got {value}" for value in ("0", "2.5")]),
        ({"pes": [512, 512]}, ["pes: 512 is there twice"]),
        ({"pes": [63]}, ["pes: no array is as large as a unit of its dataflow on each tile, which has 256 for ws, 64 for os, 64 for rs"]),
        ({"dataflows": ["wz"]}, ["dataflows: must be of ws, os, rs, got 'wz'"]),
        ({"dataflows": ["ws", "ws"], "clock_mhz": [-1]},
         ["dataflows: 'ws' is there twice", "clock: must be a number greater than 0 and at most 1,000,000, got -1"]),
        ({"bandwidth_gb_per_s": [float("nan")]}, ["bandwidth: must be a number greater than 0 and at most 1,000,000, got nan"]),
        ({"accelerators": [9]},
         ["335,920 candidates are more than 50,000; narrow pes, dataflows, bandwidth, clock or accelerators"]),
        ({"meet": 0}, ["meet: must be greater than 0 and at most 1, got 0"]),
        ({"meet": True, "threads": 0}, ["meet: must be greater than 0 and at most 1, got True", "threads: must be at least 1, got 0"]),
        ({"seeds": 100_000}, ["908 candidates under 100,000 seeds are more than 10,000,000 runs; take fewer"]),
    ],
)  # fmt: skip
def test_mistakes(options, expected):
    assert faults("ar_call", **options) == expected


def test_other_cost_models_and_rates_that_follow_the_platform_are_refused():
    kind = "its accelerator 'gemmini' has the cost model 'systolic'; only arrays of the model 'dataflow' can be scaled"
    assert faults("ar_call", "moca_gemmini_8") == [f"platform 'moca_gemmini_8': {kind}"]
    (first, second) = faults("moca_a")
    assert first.startswith("scenario 'moca_a': its rates are parts of what the platform can serve (capacity)")
    assert second.startswith("platform 'moca_gemmini_8'")
