"""The reproduction of DREAM's evaluation with stand-ins: its runs, its tables, and that what it says is what its runs say."""

import csv
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from standins import Lightest, Walks, Weighted, stand_ins, tiny_plan

import rtsched
from rtsched.errors import InputError
from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Policy, Setting
from rtsched.report.dream import ABSTRACT_PERCENT, DREAM
from rtsched.report.reproduction import STORE, Writer, signed
from rtsched.study.intervals import mean_intervals
from rtsched.study.reproduce.cells import Case, Cell, Stage, paired, ratios
from rtsched.study.reproduce.dream.loads import chosen_loads
from rtsched.study.reproduce.dream.plan import FULL, QUICK, DreamPolicies, ScanRule
from rtsched.study.reproduce.dream.stages import axis
from rtsched.study.reproduce.dream.study import STAGES, reproduce_dream
from rtsched.study.reproduce.dream.tables import reductions
from rtsched.study.reproduce.dream.tuning import tuner_path
from rtsched.study.reproduce.session import Session
from rtsched.study.reproduce.settings import variations
from rtsched.study.reproduce.tables import Table
from rtsched.study.runner import RunsInterrupted
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel, StoredRun

COMMAND = "rtsched reproduce dream"


def reproduce(folder, plan, progress=None):
    folder.mkdir(exist_ok=True)
    with Store(folder / STORE) as store:
        session = Session(store, 2, progress)
        return reproduce_dream(plan, session, Writer(folder, COMMAND, DREAM).tell), session.n_new


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
    return reproduce(folder, tiny_plan())[0]


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# Ratios


def stage_of(values):
    """A stage from UXCost by (case, platform, policy) and seed."""
    cases, found = [], []
    for (case, platform, policy), numbers in values.items():
        for seed, number in enumerate(numbers):
            run = SimpleNamespace(scenario="s", platform=platform)
            cases.append(Case(case, policy, run))
            found.append(StoredRun(RunLabel("s", platform, policy, 1.0, 1.0, seed), {"uxcost": number, "violation_rate": 0.0}))
    return Stage.of("main", "", cases, found)


def test_a_geometric_ratio_by_hand():
    stage = stage_of({("c", "p", "a"): [1, 2], ("c", "p", "b"): [4, 2], ("c", "q", "a"): [1, 8], ("c", "q", "b"): [1, 1]})
    own = [cell for cell in stage.runs if cell.policy == "a"]
    (found,) = ratios([paired(stage, "uxcost", lambda cell: cell._replace(policy="b"), own)])
    # By seed: sqrt(1/4 * 1) = 1/2 and sqrt(1 * 8) = 2.83; by platform: sqrt(1/4 * 1) = 1/2 and sqrt(1 * 8).
    assert found.mean == pytest.approx(math.sqrt(0.5 * math.sqrt(8)))
    assert (found.n_cells, found.least, found.least_at) == (2, pytest.approx(0.5), Cell("c", "s", "p", "a"))
    interval = mean_intervals(np.log([[0.5], [math.sqrt(8)]]))
    assert (found.low, found.high) == (pytest.approx(math.exp(interval.low[0])), pytest.approx(math.exp(interval.high[0])))


def test_ratios_leave_out_what_is_not_there():
    stage = stage_of({("c", "p", "a"): [1, math.nan], ("c", "p", "b"): [1, 1], ("c", "q", "a"): [1, 1]})
    own = [cell for cell in stage.runs if cell.policy == "a"]
    (found,) = ratios([paired(stage, "uxcost", lambda cell: cell._replace(policy="b"), own)])
    assert found.n_cells == 0
    assert math.isnan(found.mean)


def test_cells_that_are_not_complete_are_left_out():
    case = Case("c", "a", SimpleNamespace(scenario="s", platform="p"))
    run = StoredRun(RunLabel("s", "p", "a", 1.0, 1.0, 0), {})
    other = case._replace(policy="b")
    stage = Stage.of("main", "", [case, other, other], [run, run, None])
    assert (stage.runs, stage.n_planned, stage.n_stored, stage.is_complete) == ({}, 3, 0, False)
    whole = Stage.of("main", "", [case, other, other._replace(case="d")], [run, run, None])
    assert (list(whole.runs), whole.n_stored) == ([case.cell, other.cell], 2)


# Loads and settings


def test_loads_lie_between_the_first_misses_and_the_collapse():
    rule = ScanRule()
    found = chosen_loads(rule, ("s", "p"), [(0.5, 0.0), (1.0, 0.009), (1.2, 0.01), (1.5, 0.2), (2.0, 0.6)])
    assert (found.miss, found.collapse, found.loads) == (1.2, 2.0, (1.4, 1.6, 1.8))
    assert [found.load(level) for level in ("light", "middle", "heavy")] == [1.4, 1.6, 1.8]
    found = chosen_loads(rule, ("s", "p"), [(0.5, 0.0), (1.0, 0.0)])
    assert math.isnan(found.miss)
    assert (found.loads, found.load("middle")) == ((), 1.0)
    found = chosen_loads(rule, ("s", "p"), [(0.5, 0.0), (1.0, 0.1), (2.0, 0.3)])
    assert math.isnan(found.collapse)
    assert found.loads == (1.25, 1.5, 1.75)


def test_the_grid_of_the_scan():
    assert ScanRule(first=0.5, factor=2, last=4).grid == (0.5, 1.0, 2.0, 4.0)
    assert FULL.scan.grid[:3] == (0.5, 0.55, 0.605)


def test_the_axes_of_the_landscape():
    assert axis(Setting("a", 1.0, "", low=0.0, high=2.0), 9) == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert axis(Setting("a", 1.0, ""), 3) == [0, 1, 2]


def test_settings_are_varied_within_their_ranges():
    class Many(Weighted):
        settings = (
            Setting("half", 0.5, "(reconstruction)", low=0.0, high=0.8),
            Setting("whole", 2, "n", low=1),
            Setting("zero", 0.0, "z", low=0.0, high=3.0),
            Setting("which", "a", "w", choices=("a", "b", "c")),
            Setting("is_on", True, "flag"),
            Setting("words", "x", "free text"),
            Setting("some", (1, 2), "a list"),
        )

    fixed = Policy(mapper=Many(), name="fixed")
    found = variations(fixed, replace(fixed, tuner=Walks(), name="tuned"))
    assert [(one.case, one.policy) for one in found] == [
        ("mapper.half=0.25", "fixed"), ("mapper.half=0.8", "fixed"), ("mapper.whole=1", "fixed"), ("mapper.whole=4", "fixed"),
        ("mapper.zero=1.0", "fixed"), ("mapper.zero=3.0", "fixed"), ("mapper.which=b", "fixed"), ("mapper.which=c", "fixed"),
        ("mapper.is_on=False", "fixed"), ("tuner.window_s=0.01", "tuned"), ("tuner.window_s=0.04", "tuned"),
    ]  # fmt: skip
    assert [one.is_reconstructed for one in found] == [True] * 2 + [False] * 9
    assert found[1].changed.mapper.half == 0.8
    assert (found[1].setting.name, found[1].default) == ("half", 0.5)


def test_the_way_of_a_tuner():
    problem = rtsched.compile("vr_gaming", "dream_4k_2os", duration_s=0.3)
    found = tuner_path(problem, stand_ins()["dream"], 0)
    assert found.parameters.tolist() == [[1, 1], [0.5, 1], [0.25, 1], [0.125, 1]]
    assert found.time_s == pytest.approx([0, 0.02, 0.04, 0.06])
    assert tuner_path(problem, load_policy("herald"), 0).parameters.size == 0


# The whole study


def test_every_part_is_there(folder, findings):
    assert list(findings.stages) == list(STAGES)
    assert findings.is_complete
    names = {path.name for path in folder.iterdir()}
    for name in ("main", "main_summary", "reductions", "loads", "scan", "landscape_summary", "ablation_summary", "cascade_summary",
                 "errors_summary", "settings_summary"):  # fmt: skip
        assert {f"{name}.csv", f"{name}.md"} <= names
    assert {f"{name}.svg" for name in ("main", "reductions", "loads", "cascade", "errors", "landscape", "settings")} <= names
    assert not [name for name in names if name.endswith(".tmp")]
    text = (folder / "README.md").read_text()
    for link in re.findall(r"\]\(([^)]*)\)", text):
        assert (folder / link).is_file()
    assert "Not complete" not in text


def test_the_main_table_is_what_single_runs_say(folder, findings):
    entries = rows(folder, "main")
    assert len(entries) == 2 * len(findings.plan.policies.names)
    one = next(row for row in entries if (row["scenario"], row["policy"]) == ("vr_gaming", "dream-smartdrop"))
    policy = stand_ins()["dream-smartdrop"]
    outcomes = [rtsched.simulate("vr_gaming", "dream_4k_2os", policy, seed=seed, duration_s=0.1) for seed in range(3)]
    assert float(one["uxcost"]) == pytest.approx(np.mean([outcome.metrics.uxcost for outcome in outcomes]))
    assert float(one["energy_j"]) == pytest.approx(np.mean([outcome.metrics.total_energy_j for outcome in outcomes]))
    assert float(one["violated_percent"]) == pytest.approx(100 * np.mean([one.metrics.total_violation_rate for one in outcomes]))
    light = next(row for row in entries if (row["scenario"], row["policy"]) == ("vr_gaming", "dream"))
    assert float(light["accuracy_percent"]) < float(one["accuracy_percent"])


def test_the_figures_of_the_readme_can_be_computed_again(folder, findings):
    """Geometric means from the stored runs themselves, without the code of the tables."""
    text = (folder / "README.md").read_text()
    with Store(folder / STORE) as store:
        runs = [run for _, run in store.runs() if run.label.load == 1.0 and run.label.duration_s == 0.1 and not run.label.settings]
    for rival in ("planaria", "veltair"):
        logs = {}
        for run in runs:
            if run.label.policy in ("dream", rival):
                sign = 1 if run.label.policy == "dream" else -1
                key = (run.label.scenario, run.label.seed)
                logs[key] = logs.get(key, 0.0) + sign * math.log(run.scalars["uxcost"])
        assert len(logs) == 6
        by_seed = [np.mean([value for (_, seed), value in logs.items() if seed == one]) for one in range(3)]
        found = mean_intervals(np.array(by_seed)[:, np.newaxis])
        mean, low, high = (signed(100 * (1 - math.exp(float(part[0])))) for part in (found.mean, found.high, found.low))
        assert f"| load 1 | all | {rival} | 2 | {mean} | {low}..{high} |" in text
    for mean, most in ABSTRACT_PERCENT:
        assert f"{mean:g} % (at most {most:g} %)" in text


def test_summaries_agree_with_the_cells(folder, findings):
    summary = {row["policy"]: row for row in rows(folder, "main_summary")}
    for policy in findings.plan.policies.names:
        own = [float(row["violated_percent"]) for row in rows(folder, "main") if row["policy"] == policy]
        assert float(summary[policy]["violated_percent"]) == pytest.approx(np.mean(own))
    found = {(one.case, one.where, one.policy, one.baseline): one for one in reductions(findings)}
    names = findings.plan.policies
    assert len(found) == 5 * 2 * len(names.variants) * len(names.baselines)
    assert found["load 1", "all", "dream", "fcfs"].uxcost.n_cells == 2
    table = rows(folder, "reductions")
    assert len(table) == len(found)
    first = next(row for row in table if row["case"] == "every load")
    key = (first["case"], first["pairs"], first["policy"], first["baseline"])
    assert float(first["less_uxcost_percent"]) == pytest.approx(100 * (1 - found[key].uxcost.mean))


def test_the_settings_are_read_from_the_policies(folder, findings):
    changed = {row["setting"]: row for row in rows(folder, "settings_summary")}
    assert set(changed) == {"mapper.alpha", "mapper.beta", "mapper.late", "dropper.patience_s", "tuner.window_s"}
    assert {path for path, row in changed.items() if row["reconstructed"] == "yes"} == {"mapper.late", "dropper.patience_s"}
    text = (folder / "README.md").read_text()
    assert "5 settings were changed, 2 of which say in their meaning that they are a reconstruction." in text
    first = rows(folder, "settings_summary")[0]
    assert f"Most depends on `{first['setting']}`" in text


def test_the_ablation_takes_every_part_away(folder, findings):
    cases = {row["case"]: row for row in rows(folder, "ablation_summary")}
    assert list(cases) == ["default", "fcfs's mapper", "no dropper", "no selector", "mapper alone", "with the tuner"]
    assert float(cases["default"]["uxcost_ratio"]) == 1.0
    assert float(cases["no selector"]["accuracy_percent"]) > float(cases["default"]["accuracy_percent"])


def test_cascades_are_swept_where_there_are_some(folder, findings):
    assert {row["scenario"] for row in rows(folder, "cascade")} == {"vr_gaming"}
    assert {row["scenario"] for row in rows(folder, "errors")} == {"vr_gaming", "drone_outdoor"}
    assert {row["case"] for row in rows(folder, "errors")} == {"0", "30"}


def test_running_again_runs_nothing_and_writes_the_same(folder, findings):
    before, figures = bare(folder), {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    assert reproduce(folder, tiny_plan())[1] == 0
    assert bare(folder) == before
    assert {path.name: path.read_bytes() for path in folder.glob("*.svg")} == figures


def test_more_seeds_run_only_what_is_new(tmp_path, undrawn):
    plan = tiny_plan(scenarios=("drone_outdoor",), sweep_scenarios=())
    _, n_first = reproduce(tmp_path, replace(plan, n_seeds=2))
    _, n_more = reproduce(tmp_path, replace(plan, n_seeds=3))
    n_loads = 4
    assert n_more == len(plan.policies.names) * n_loads
    assert n_first > n_more


def test_a_study_that_was_stopped_is_usable_and_goes_on(tmp_path, folder, findings, undrawn):
    """Ctrl-C in the second part: the first is written, and what comes later makes the same files."""

    def stop(title, n_done, n_runs):
        # So many that some cases are whole, even if one run takes as long as all others.
        if title == STAGES["loads"].title and n_done >= n_runs // 2:
            raise KeyboardInterrupt

    with pytest.raises(RunsInterrupted):
        reproduce(tmp_path, tiny_plan(), stop)
    text = (tmp_path / "README.md").read_text()
    assert "**Not complete.** done: main; " in text
    assert "; begun: loads (" in text
    assert "; missing: landscape, ablation, cascade, errors, settings." in text
    assert bare(tmp_path)["main.csv"] == bare(folder)["main.csv"]

    def stop_at_once(title, n_done, n_runs):
        raise KeyboardInterrupt

    before = bare(tmp_path)
    with pytest.raises(RunsInterrupted):
        reproduce(tmp_path, tiny_plan(), stop_at_once)
    assert bare(tmp_path) == before
    reproduce(tmp_path, tiny_plan())
    assert bare(tmp_path) == bare(folder)
    with Store(tmp_path / STORE) as one, Store(folder / STORE) as other:
        keys = [[key for key, _ in store.runs()] for store in (one, other)]
        assert keys[0] == keys[1]


def test_without_matplotlib_there_are_no_figures(tmp_path, undrawn):
    plan = tiny_plan(scenarios=("drone_outdoor",), sweep_scenarios=(), n_seeds=2)
    writer = Writer(tmp_path, COMMAND, DREAM)
    with Store(tmp_path / STORE) as store:
        reproduce_dream(plan, Session(store), writer.tell)
    assert writer.notes == ["no figures were drawn: they need matplotlib (pip install 'rtsched[plot]')"]
    assert not list(tmp_path.glob("*.svg"))
    assert "![" not in (tmp_path / "README.md").read_text()


# Plans


def test_the_names_of_the_plans_are_there():
    for plan in (FULL, QUICK):
        for scenario in (*plan.scenarios, *plan.sweep_scenarios):
            rtsched.load_scenario(scenario)
        for platform in (*plan.platforms, *plan.sweep_platforms):
            rtsched.load_platform(platform)
        assert set(plan.sweep_scenarios) <= set(plan.scenarios)
        assert set(plan.sweep_platforms) <= set(plan.platforms)
    assert (len(FULL.scenarios), len(FULL.platforms), FULL.n_seeds, FULL.duration_s, FULL.n_grid) == (5, 8, 20, 60.0, 9)


def test_policies_that_are_not_there_are_named():
    wanted = DreamPolicies(baselines=("fcfs", "planarai"), variants=("draem", "dream"), given={"dream": load_policy("edf")})
    with pytest.raises(InputError) as caught:
        wanted.load()
    assert [fault.partition("; ")[0] for fault in caught.value.faults] == [
        f"this study needs the policy '{name}', which this installation does not have" for name in ("planarai", "draem")
    ]
    assert replace(wanted, baselines=("fcfs",), variants=("dream",)).load()["dream"].name == "dream"


def test_an_axis_that_is_not_there_is_named():
    given = {**stand_ins(), "dream-fixed": Policy(mapper=load_policy("edf").mapper, selector=Lightest())}
    plan = tiny_plan(policies=replace(tiny_plan().policies, given=given))
    with pytest.raises(InputError, match=r"^this study needs the setting 'mapper.alpha' of policy 'dream-fixed', which does not have it$"):
        reproduce_dream(plan, None, None)


def test_tables_as_markdown():
    from rtsched.report.tables import table_to_csv, table_to_markdown

    table = Table("t", "Title", "About.", ("name", "less_percent"), (("a|b", -1.2345), ("c", math.nan)))
    assert table_to_markdown(table) == "# Title\n\nAbout.\n\n| name | less percent |\n|---|---:|\n| a\\|b | -1.23 |\n| c | - |\n"
    assert table_to_csv(table) == "name,less_percent\na|b,-1.2345\nc,\n"
