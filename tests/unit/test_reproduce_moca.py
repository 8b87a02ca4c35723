"""The reproduction of MoCA's evaluation: its runs, its tables, and that what it says is what its runs say."""

import csv
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from standins import tiny_moca_plan

import rtsched
from rtsched.errors import InputError
from rtsched.policies.moca_scheduler import NO_EXPRESS
from rtsched.policies.registry import configure, load_policy
from rtsched.report.moca import ABSTRACT, MOCA
from rtsched.report.reproduction import STORE, Writer
from rtsched.report.text import digits
from rtsched.study.reproduce.cells import Case, Cell, Stage, paired_means, ratios
from rtsched.study.reproduce.moca.plan import FULL, QUICK, Level, MocaPolicies
from rtsched.study.reproduce.moca.stages import LEFT_OUT, STEPS
from rtsched.study.reproduce.moca.study import STAGES, reproduce_moca
from rtsched.study.reproduce.session import Session
from rtsched.study.runner import PlannedRun, RunsInterrupted
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel, StoredRun

COMMAND = "rtsched reproduce moca"


def reproduce(folder, plan, progress=None):
    folder.mkdir(exist_ok=True)
    with Store(folder / STORE) as store:
        session = Session(store, 2, progress)
        return reproduce_moca(plan, session, Writer(folder, COMMAND, MOCA).tell), session.n_new


def bare(folder):
    """Texts of a folder but for figures and what the clock says."""
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".md", ".csv")}
    said = texts["README.md"].partition("## How this was made")[0]
    texts["README.md"] = re.sub(r"^!.*\n\n", "", said, flags=re.MULTILINE)
    return texts


@pytest.fixture
def undrawn(monkeypatch):
    """No figures, which take most of the time."""
    monkeypatch.setattr("rtsched.report.study_figures.can_draw", lambda: False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced")


@pytest.fixture(scope="module")
def findings(folder):
    return reproduce(folder, tiny_moca_plan())[0]


@pytest.fixture(scope="module")
def text(folder, findings):
    return (folder / "README.md").read_text()


def rows(folder, name, **wanted):
    with (folder / f"{name}.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[column] == value for column, value in wanted.items())]


def row(folder, name, **wanted):
    (found,) = rows(folder, name, **wanted)
    return found


# Ratios of means


def stage_of(values):
    """A stage from SLA rates by (platform, policy) and seed."""
    cases, found = [], []
    for (platform, policy), numbers in values.items():
        for seed, number in enumerate(numbers):
            cases.append(Case("c", policy, SimpleNamespace(scenario="s", platform=platform)))
            found.append(StoredRun(RunLabel("s", platform, policy, 1.0, 1.0, seed), {"sla": number}))
    return Stage.of("main", "", cases, found)


def compared(values):
    stage = stage_of(values)
    own = [cell for cell in stage.runs if cell.policy == "a"]
    return paired_means(stage, "sla", lambda cell: cell._replace(policy="b"), own)


def test_a_ratio_of_means_by_hand():
    """One platform: (0.6 + 0) / (0.1 + 0.2) = 2, other platform: 1 / 2, a seed with 0 in it being no harm."""
    found = compared({("p", "a"): [0.6, 0.0], ("p", "b"): [0.1, 0.2], ("q", "a"): [0.1, 0.3], ("q", "b"): [0.4, 0.4]})
    assert np.exp(found.logs.mean(axis=1)) == pytest.approx([2, 0.5])
    assert found.logs[0] == pytest.approx([math.log(2) + 2 - 2 / 3, math.log(2) + 0 - 4 / 3])
    (ratio,) = ratios([found])
    assert (ratio.mean, ratio.n_cells) == (pytest.approx(1), 2)
    assert (ratio.most, ratio.most_at) == (pytest.approx(2), Cell("c", "s", "p", "a"))
    assert (ratio.least, ratio.least_at) == (pytest.approx(0.5), Cell("c", "s", "q", "a"))


def test_the_linearised_spread_is_that_of_the_ratio():
    """To first order, the standard error is that of the ratio of two means over drawn samples."""
    draws = np.random.default_rng(1)
    own, other = draws.uniform(0.4, 0.8, (2, 2000, 30))
    exact = np.log(own.mean(axis=1) / other.mean(axis=1)).std()
    found = [compared({("p", "a"): x, ("p", "b"): y}).logs[0] for x, y in zip(own[:200], other[:200], strict=True)]
    assert np.mean([logs.std(ddof=1) / math.sqrt(30) for logs in found]) == pytest.approx(exact, rel=0.05)


def test_cells_without_any_met_deadline_have_no_ratio():
    found = compared({("p", "a"): [0.5, 0.5], ("p", "b"): [0.0, 0.0], ("q", "a"): [0.1, 0.3], ("q", "b"): [0.4, 0.4]})
    assert [cell.platform for cell in found.cells] == ["q"]


# The whole study


def test_every_part_is_there(folder, findings, text):
    assert list(findings.stages) == list(STAGES)
    assert all(stage.is_complete for stage in findings.stages.values())
    names = {path.name for path in folder.iterdir()}
    for name in ("main", "main_summary", "ratios", "high_priority", "steps", "queues", "bandwidth", "tiles", "regroup",
                 "settings_summary", "together", "together_summary"):  # fmt: skip
        assert {f"{name}.csv", f"{name}.md"} <= names
    assert {f"{name}.svg" for name in ("main", "priorities", "ratios", *STAGES)} <= names
    assert not [name for name in names if name.endswith(".tmp")]
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert len(links) > 20
    for link in links:
        assert (folder / link).is_file()
    assert "Not complete" not in text


def test_the_main_table_is_what_single_runs_say(folder, findings):
    assert len(rows(folder, "main")) == 2 * 2 * len(findings.plan.policies.names)
    for scenario, arrivals in (("moca_c", "load 1"), ("moca_c_artifact", "trace")):
        one = row(folder, "main", set="C", arrivals=arrivals, policy="moca", qos="M")
        found = [rtsched.simulate(scenario, "moca_gemmini_8", "moca", seed=seed, load=1.0).metrics for seed in range(3)]
        assert float(one["sla_percent"]) == pytest.approx(100 * np.mean([run.sla for run in found]))
        assert float(one["high_percent"]) == pytest.approx(100 * np.mean([run.group_sla[2] for run in found]))
        assert float(one["low_percent"]) == pytest.approx(100 * np.mean([run.group_sla[0] for run in found]))
        assert float(one["stp"]) == pytest.approx(np.mean([run.stp for run in found]))
        assert float(one["fairness"]) == pytest.approx(np.mean([run.fairness for run in found]))


def test_levels_reach_the_runs():
    """Load, quality of service and recorded arrivals, in the problems themselves."""
    from rtsched.study.reproduce.moca.stages import Plans

    plan = replace(FULL, sets={"B": FULL.sets["B"]})
    plans = Plans(plan, {"static": load_policy("static")})
    levels = [Level(1.0, "M"), Level(0.5, "M"), Level(1.0, "H"), Level(None, "L")]
    plain, slow, strict, trace = (case.run.compiled() for case in plans.cases(levels, plans.policies, 1))
    assert slow.duration_ns == pytest.approx(2 * plain.duration_ns, rel=1e-6)
    assert (strict.duration_ns, strict.scenario_name) == (plain.duration_ns, "moca_b")
    assert strict.task_deadline_ns == pytest.approx(0.8 * plain.task_deadline_ns)
    assert trace.task_deadline_ns == pytest.approx(1.2 * plain.task_deadline_ns)
    assert trace.scenario_name == "moca_b_artifact"
    assert [level.case for level in levels] == ["load 1, QoS-M", "load 0.5, QoS-M", "load 1, QoS-H", "trace, QoS-L"]


def test_a_run_may_last_as_long_as_its_scenario():
    planned = PlannedRun("moca_c_artifact", "moca_gemmini_8", load_policy("static"), 0, duration_s=None)
    problem = planned.compiled()
    assert planned.label(problem).duration_s == pytest.approx(problem.duration_ns * 1e-9) == pytest.approx(0.503)


def test_the_figures_of_the_readme_can_be_computed_again(folder, findings, text):
    """Geometric means of ratios of means from single rows, without the code of the tables."""
    for metric, column, words in (("sla", "sla_percent", "SLA satisfaction"), ("stp", "stp", "system throughput")):
        every = []
        for rival in ("prema", "static", "planaria"):
            of = {
                (one["set"], one["policy"]): float(one[column])
                for one in rows(folder, "main", arrivals="trace")
                if one["policy"] in ("moca", rival)
            }
            logs = [math.log(of[name, "moca"] / of[name, rival]) for name in "AC"]
            every += logs
            assert f"| {words} |  |  | trace | {rival} | 2 | {digits(math.exp(np.mean(logs)))} |" in text
        mean, most = ABSTRACT[metric]
        assert f"| {words} | {mean:g} | {most:g} | trace | all three | 6 | {digits(math.exp(np.mean(every)))} |" in text
        assert f"- {words}: " in text
        assert f"{digits(math.exp(np.mean(every)))} (trace), abstract: {mean:g}" in text


def test_the_best_are_named(folder, text):
    for arrivals in ("every load", "trace"):
        summary = {one["policy"]: one for one in rows(folder, "main_summary", arrivals=arrivals)}
        best = max(summary, key=lambda policy: float(summary[policy]["high_percent"]))
        said = next(line for line in text.splitlines() if line.startswith(f"- {arrivals}: most deadlines are met by"))
        assert f"`{best}` of those with high priorities ({digits(float(summary[best]['high_percent']))} %)" in said


def test_high_priorities_that_fare_worse_are_listed(tmp_path, undrawn, monkeypatch):
    """At loads up to 1 and on the trace. PREMA is ahead of MoCA as published at low load with strict deadlines."""
    monkeypatch.setattr("rtsched.study.reproduce.moca.study.STAGES", {"main": STAGES["main"]})
    published = configure(load_policy("moca"), {"mapper.express": NO_EXPRESS, "mapper.idle": "leave"})
    plan = tiny_moca_plan(
        sets={"C": ("moca_c", "moca_c_artifact")},
        qualities=("H",),
        loads=(0.7, 1.5),
        n_seeds=6,
        policies=MocaPolicies(given={"moca": published}),
    )
    reproduce(tmp_path, plan)
    assert {one["arrivals"] for one in rows(tmp_path, "main")} == {"load 0.7", "load 1.5", "trace"}
    wanted = {}
    for one in rows(tmp_path, "main"):
        own = row(tmp_path, "main", set="C", arrivals=one["arrivals"], policy="moca")
        difference = float(own["high_percent"]) - float(one["high_percent"])
        if difference < -1e-9 and one["arrivals"] != "load 1.5":
            wanted[one["arrivals"], one["policy"]] = difference
    assert ("load 0.7", "prema") in wanted
    table = rows(tmp_path, "high_priority")
    assert {(one["arrivals"], one["other"]): float(one["difference"]) for one in table} == pytest.approx(wanted)
    assert all((one["sure"] == "yes") == (float(one["high"]) < 0) for one in table)
    said = (tmp_path / "README.md").read_text()
    n_sure = sum(one["sure"] == "yes" for one in table)
    assert f"than under another policy in {len(table)} of {2 * 8} comparisons, surely in {n_sure}." in said


def test_the_steps_go_from_the_static_partition_to_moca(folder, findings, text):
    steps = findings.plans.steps()
    whole, before = steps["regulation"], steps["express"]
    assert list(steps) == [*STEPS, *LEFT_OUT]
    assert (repr(steps["static"].mapper), before.regulator) == (repr(load_policy("static").mapper), None)
    assert (repr(whole.mapper), repr(whole.regulator)) == tuple(
        repr(getattr(load_policy("moca"), role)) for role in ("mapper", "regulator")
    )
    assert (steps["late jobs last"].mapper.late, steps["queue order"].mapper.late) == ("last", "queue")
    for what, name, value in (("queue order", "queue", "fcfs"), ("mixing", "mix", False), ("idle tiles", "idle", "leave")):
        assert getattr(steps[f"no {what}"].mapper, name) == value
    ours = {
        label: (steps[label].mapper.idle, steps[label].mapper.express) for label in ("mixing", "idle tiles", "express", "neither of ours")
    }
    assert ours == {"mixing": ("leave", 12), "idle tiles": ("take", 12), "express": ("take", 9), "neither of ours": ("leave", 12)}
    found = {one["step"]: one for one in rows(folder, "steps", arbiter="proportional", arrivals="trace")}
    by_set = []
    for name in "AC":
        runs = [rtsched.simulate(f"moca_{name.lower()}_artifact", "moca_gemmini_8", steps["regulation"], seed=seed) for seed in range(2)]
        rest = [rtsched.simulate(f"moca_{name.lower()}_artifact", "moca_gemmini_8", steps["express"], seed=seed) for seed in range(2)]
        by_set.append(sum(run.metrics.sla for run in runs) / sum(run.metrics.sla for run in rest))
    assert float(found["regulation"]["sla_ratio"]) == pytest.approx(math.sqrt(math.prod(by_set)))
    assert f"regulation {digits(math.sqrt(math.prod(by_set)))}" in text
    fair = row(folder, "steps", arbiter="fair", arrivals="trace", step="static")
    assert float(fair["sla_percent"]) != float(found["static"]["sla_percent"])


def test_every_queue_runs_with_late_jobs_last_or_not(folder, findings):
    table = rows(folder, "queues", arrivals="trace")
    assert [(one["queue"], one["late"]) for one in table] == [
        (queue, late) for late in ("queue", "last") for queue in ("fcfs", "moca", "edf", "dream")
    ]
    own = next(one for one in table if (one["queue"], one["late"]) == ("moca", "last"))
    assert float(own["sla_ratio"]) == 1.0
    policy = configure(load_policy("moca"), {"mapper.queue": "edf"})
    edf = [rtsched.simulate(f"moca_{name}_artifact", "moca_gemmini_8", policy, seed=seed) for name in "ac" for seed in range(2)]
    found = next(one for one in table if (one["queue"], one["late"]) == ("edf", "last"))
    assert float(found["sla_percent"]) == pytest.approx(100 * np.mean([run.metrics.sla for run in edf]))


def test_sweeps_change_the_platform(folder, findings, text):
    for part, column, path in (
        ("bandwidth", "dram_gb_per_s", "platform.memory.peak_gb_per_s"),
        ("tiles", "tiles", "platform.accelerators.gemmini.tiles"),
    ):
        for value in (8, 64) if part == "bandwidth" else (4, 8):
            one = row(folder, part, arrivals="trace", policy="static", **{column: str(value)})
            runs = [rtsched.simulate(f"moca_{name}_artifact", "moca_gemmini_8", "static", settings={path: value}) for name in "ac"]
            assert float(one["sla_percent"]) == pytest.approx(100 * np.mean([run.metrics.sla for run in runs]))
    gains = {}
    for value in ("8", "64"):
        with_it, without = (
            float(row(folder, "bandwidth", arrivals="trace", policy=policy, dram_gb_per_s=value)["sla_percent"])
            for policy in ("moca", "moca-scheduler-only")
        )
        gains[value] = with_it - without
    most = max(gains, key=gains.get)
    assert f"- trace: regulation (`moca` against `moca-scheduler-only`) brings most at {most} (" in text


def test_regrouping_costs_planaria_more_than_moca(folder, findings):
    planaria, moca = (
        [float(one["stp"]) for one in rows(folder, "regroup", arrivals="trace", policy=policy)] for policy in ("planaria", "moca")
    )
    assert planaria[1] / planaria[0] < moca[1] / moca[0]


def test_the_settings_are_read_from_the_policy(folder, findings, text):
    changed = {(one["setting"], one["value"]): one for one in rows(folder, "settings_summary")}
    assert {"mapper.late", "mapper.mix", "mapper.queue", "regulator.weight", "regulator.urgency_weight", "regulator.urgency_cap",
            "regulator.min_share"} <= {path for path, _ in changed}  # fmt: skip
    assert ("regulator.min_share", "1.0") in changed
    assert changed["mapper.late", "queue"]["reconstructed"] == "yes"
    assert changed["mapper.mix", "False"]["reconstructed"] == "no"
    logs = []
    for name in "ac":
        for scenario in (f"moca_{name}", f"moca_{name}_artifact"):
            default, other = (
                sum(rtsched.simulate(scenario, "moca_gemmini_8", "moca", seed=seed, settings=settings).metrics.sla for seed in range(2))
                for settings in ({}, {"mapper.mix": False})
            )
            logs.append(math.log(other / default))
    assert float(changed["mapper.mix", "False"]["sla_ratio"]) == pytest.approx(math.exp(np.mean(logs)))
    assert "which say in their meaning that they are assumed or ours" in text


def test_dream_with_and_without_regulation(folder, findings, text):
    one = row(folder, "together", dram_gb_per_s="22")
    logs, violated = [], []
    for seed in range(2):
        options = {"seed": seed, "duration_s": 0.2, "settings": {"platform.memory.peak_gb_per_s": 22}}
        joined, alone = (rtsched.simulate("vr_gaming", "dream_4k_2ws", policy, **options).metrics for policy in ("dream+moca", "dream"))
        logs.append(math.log(joined.uxcost / alone.uxcost))
        violated.append(joined.total_violation_rate)
    ratio = math.exp(np.mean(logs))
    assert float(one["uxcost_ratio"]) == pytest.approx(ratio)
    assert float(one["joined_violated_percent"]) == pytest.approx(100 * np.mean(violated))
    said = next(line for line in text.splitlines() if line.startswith("- DRAM of 22 GB/s: "))
    assert f"regulation: {digits(ratio)} times (" in said
    assert f"), at most {digits(ratio)} in vr_gaming on dream_4k_2ws; deadlines violated" in said
    summary = row(folder, "together_summary", dram_gb_per_s="22", pairs="all")
    word = "less" if float(summary["high"]) < 1 else "more" if float(summary["low"]) > 1 else "no sure difference in"
    assert f": {word} UXCost" in said


def test_running_again_runs_nothing_and_writes_the_same(folder, findings):
    before, figures = bare(folder), {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    assert reproduce(folder, tiny_moca_plan())[1] == 0
    assert bare(folder) == before
    assert {path.name: path.read_bytes() for path in folder.glob("*.svg")} == figures


def test_more_seeds_run_only_what_is_new(tmp_path, undrawn, monkeypatch):
    monkeypatch.setattr("rtsched.study.reproduce.moca.study.STAGES", {"main": STAGES["main"]})
    plan = tiny_moca_plan(sets={"A": ("moca_a", "moca_a_artifact")}, n_seeds=2)
    reproduce(tmp_path, plan)
    assert reproduce(tmp_path, replace(plan, n_seeds=3))[1] == 2 * len(plan.policies.names)


def test_a_study_that_was_stopped_is_usable_and_goes_on(tmp_path, folder, findings, undrawn):
    """Ctrl-C in the second part: the first is written, and what comes later makes the same files."""

    def stop(title, n_done, n_runs):
        if title == STAGES["steps"].title and n_done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(RunsInterrupted):
        reproduce(tmp_path, tiny_moca_plan(), stop)
    said = (tmp_path / "README.md").read_text()
    assert "**Not complete.** done: main; " in said
    assert "missing: " in said
    assert bare(tmp_path)["main.csv"] == bare(folder)["main.csv"]
    reproduce(tmp_path, tiny_moca_plan())
    assert bare(tmp_path) == bare(folder)


# Plans


def test_the_names_of_the_plans_are_there():
    for plan in (FULL, QUICK):
        for scenario in (*(one for both in plan.sets.values() for one in both), *plan.together.scenarios):
            rtsched.load_scenario(scenario)
        for platform in (plan.platform, *plan.together.platforms):
            rtsched.load_platform(platform)
        names = plan.policies
        assert {*names.rivals, names.partition, names.queue, names.regrouping} <= set(names.baselines)
        assert {names.whole, names.scheduler, names.regulator} <= set(names.variants)
        assert names.load()["moca"].name == "moca"
    assert (FULL.n_seeds, len(FULL.levels), FULL.together.duration_s) == (20, 12, 60.0)


def test_faults_of_a_plan_are_named():
    wanted = MocaPolicies(baselines=("static", "planarai"), given={"moca": load_policy("edf")})
    with pytest.raises(InputError, match=r"^this study needs the policy 'planarai', which this installation does not have"):
        wanted.load()
    with pytest.raises(InputError, match=r"^--seeds: must be at least 2, got 1$"):
        reproduce_moca(tiny_moca_plan(n_seeds=1), None, None)
