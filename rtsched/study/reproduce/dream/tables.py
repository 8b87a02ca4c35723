"""The tables of the reproduction of DREAM: what its runs say, computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rtsched.study.reproduce.cells import Cell, Paired, Ratio, Stage, paired, ratios
from rtsched.study.reproduce.dream.loads import LEVELS
from rtsched.study.reproduce.dream.study import DreamFindings
from rtsched.study.reproduce.settings import DEFAULT, against_default, changes_table, variations
from rtsched.study.reproduce.tables import Table, Value, geometric, mean_of, means_with_intervals

__all__ = [
    "Reduction",
    "ablation_table",
    "cells_table",
    "landscape_table",
    "loads_table",
    "reductions",
    "settings_table",
    "stage_tables",
    "summary_table",
]


@dataclass(frozen=True)
class Reduction:
    """How much less UXCost one policy has than another.

    Attributes
    ----------
    where : str
        `"all"` pairs of scenario and platform, or those that are `"contested"`.
    case : str
        A load by its name, or `"every load"`.
    policy, baseline : str
    uxcost, energy : Ratio
    violations_percent : (float, float)
        Mean violation rates of the policy and of the baseline.
    """

    where: str
    case: str
    policy: str
    baseline: str
    uxcost: Ratio
    energy: Ratio
    violations_percent: tuple[float, float]


CELL_COLUMNS = ("case", "scenario", "platform", "policy", "load", "seeds")
INTERVALS = (("uxcost", "uxcost", 1.0), ("violation_rate", "violated_percent", 100.0), ("energy_j", "energy_j", 1.0))


def cells_table(stage: Stage) -> Table:
    """Every cell of a stage: means over the seeds with their intervals."""
    cells = list(stage.runs)
    columns, values = means_with_intervals(stage, cells, INTERVALS)
    rows: list[tuple[Value, ...]] = []
    for cell, own in zip(cells, values, strict=True):
        runs = stage.runs[cell]
        rows.append((*cell, runs[0].label.load, len(runs), *own, stage.mean(cell, "accuracy")))
    about = (
        "Means over the seeds with 95 % intervals (low, high). accuracy_percent: mean accuracy of the subnets that ran, over the jobs of "
        "Supernets; empty where there is none."
    )
    return Table(stage.name, stage.title, about, (*CELL_COLUMNS, *columns, "accuracy_percent"), tuple(rows))


def summary_table(stage: Stage, findings: DreamFindings) -> Table:
    """Each policy over all scenarios and platforms of a case."""
    rows = []
    for case in stage.cases:
        for policy in findings.plan.policies.names:
            cells = [cell for cell in stage.runs if (cell.case, cell.policy) == (case, policy)]
            if cells:
                accuracy = [stage.mean(cell, "accuracy") for cell in cells]
                rows.append(
                    (
                        case,
                        policy,
                        len(cells),
                        geometric([stage.values(cell, "uxcost") for cell in cells]),
                        100 * mean_of([stage.mean(cell, "violation_rate") for cell in cells]),
                        mean_of([stage.mean(cell, "energy_j") for cell in cells]),
                        mean_of(accuracy),
                    )
                )
    about = (
        "uxcost: geometric mean over scenarios, platforms and seeds; violated, energy and accuracy: arithmetic means. accuracy: of the "
        "subnets that ran, over the jobs of Supernets."
    )
    columns = ("case", "policy", "cells", "uxcost", "violated_percent", "energy_j", "accuracy_percent")
    return Table(f"{stage.name}_summary", f"{stage.title}: all scenarios and platforms", about, columns, tuple(rows))


def reductions(findings: DreamFindings) -> list[Reduction]:
    """Compare every variant of DREAM with every baseline, at load 1 and at the other loads."""
    names = findings.plan.policies
    what: list[tuple[str, str, str, str]] = []
    rates: list[tuple[float, float]] = []
    uxcost: list[Paired] = []
    energy: list[Paired] = []
    for stage, cases in _levels(findings):
        cells = [cell for cell in stage.runs if cell.case in cases]
        contested = {case: stage.contested(cell for cell in cells if cell.case == case) for case in cases}
        label = cases[0] if len(cases) == 1 else "every load"
        for where, policy, baseline in product(("all", "contested"), names.variants, names.baselines):
            others = {
                cell: cell._replace(policy=baseline)
                for cell in cells
                if cell.policy == policy and (where == "all" or cell.pair in contested[cell.case])
            }
            others = {cell: other for cell, other in others.items() if other in stage.runs}
            what.append((where, label, policy, baseline))
            sides = [100 * mean_of([stage.mean(cell, "violation_rate") for cell in side]) for side in (others, others.values())]
            rates.append((sides[0], sides[1]))
            uxcost.append(paired(stage, "uxcost", others.__getitem__, others))
            energy.append(paired(stage, "energy_j", others.__getitem__, others))
    return [Reduction(*one) for one in zip(*zip(*what, strict=True), ratios(uxcost), ratios(energy), rates, strict=True)] if what else []


def _levels(findings: DreamFindings) -> Iterator[tuple[Stage, tuple[str, ...]]]:
    for name in ("main", "loads"):
        stage = findings.stages.get(name)
        if stage is not None:
            for case in stage.cases:
                yield stage, (case,)
            if len(stage.cases) > 1:
                yield stage, stage.cases


def reductions_table(found: Sequence[Reduction]) -> Table:
    """The comparisons as a table."""
    rows = [
        (
            one.case,
            one.where,
            one.uxcost.n_cells,
            one.policy,
            one.baseline,
            *reduced(one.uxcost),
            100 * (1 - one.uxcost.least),
            "" if one.uxcost.least_at is None else f"{one.uxcost.least_at.scenario} on {one.uxcost.least_at.platform}",
            *one.violations_percent,
            *reduced(one.energy),
        )
        for one in found
    ]
    columns = (
        "case", "pairs", "cells", "policy", "baseline", "less_uxcost_percent", "low_percent", "high_percent", "largest_percent",
        "largest_at", "violated_percent", "baseline_violated_percent", "less_energy_percent", "less_energy_low", "less_energy_high",
    )  # fmt: skip
    about = (
        "less_uxcost: 1 - geometric mean, over scenarios, platforms and seeds, of the ratio of UXCost, with its 95 % interval (paired, "
        "seeds resampled); negative: more. largest: of one scenario and platform. contested: pairs of scenario and platform in which some "
        "policy misses a deadline. violated: mean rates."
    )
    return Table("reductions", "UXCost of DREAM against the baselines", about, columns, tuple(rows))


def reduced(ratio: Ratio) -> tuple[float, float, float]:
    """Per cent less, with the ends of the interval ascending."""
    return 100 * (1 - ratio.mean), 100 * (1 - ratio.high), 100 * (1 - ratio.low)


def loads_table(findings: DreamFindings) -> Table:
    """What the scan found."""
    rule, scanned = findings.plan.scan, findings.plan.policies.scan
    rows: list[tuple[Value, ...]] = [
        (*one.pair, one.miss, one.collapse, *(one.loads or (float("nan"),) * len(LEVELS))) for one in findings.loads.values()
    ]
    shares = ", ".join(f"{100 * share:g} %" for share in rule.shares)
    about = (
        f"first_miss: least load of {rule.grid[0]:g}, times {rule.factor:g}, ... {rule.grid[-1]:g} at which {scanned} violates "
        f"{100 * rule.miss:g} % of the deadlines or more ({rule.n_seeds} seeds of {rule.duration_s:g} s each); collapse: first load at "
        f"which it violates {100 * rule.collapse:g} %; then the loads at {shares} of the way from one to the other."
    )
    return Table("scan", "Loads", about, ("scenario", "platform", "first_miss", "collapse", *LEVELS), tuple(rows))


def landscape_table(findings: DreamFindings) -> Table:
    """The best point of each landscape, and where the tuner went."""
    stage, names = findings.stages["landscape"], findings.plan.policies
    rows = []
    for pair in dict.fromkeys(cell.pair for cell in stage.runs):
        points = [cell for cell in stage.runs if cell.pair == pair and "," in cell.case]
        whole, tuned = (Cell(DEFAULT, *pair, policy) for policy in (names.fixed, names.tuned))
        if not points or whole not in stage.runs or tuned not in stage.runs:
            continue
        values = [geometric([stage.values(cell, "uxcost")]) for cell in points]
        best = int(np.nanargmin(values))
        path = findings.paths.get(pair[0])
        last = path.parameters[-1].tolist() if path is not None and path.parameters.size else [float("nan")] * 2
        n_moves = len(path.parameters) - 1 if path is not None else 0
        x, y = map(float, points[best].case.split(","))
        worst = float(np.nanmax(values)) / values[best]
        others = [geometric([stage.values(cell, "uxcost")]) / values[best] for cell in (whole, tuned)]
        rows.append((*pair, stage.runs[whole][0].label.load, x, y, values[best], worst, *others, *last[:2], n_moves))
    short = [path.partition(".")[2] for path in names.axes]
    columns = (
        "scenario", "platform", "load", *(f"best_{one}" for one in short), "best_uxcost", "worst_over_best", "default_over_best",
        "tuned_over_best", *(f"last_{one}" for one in short), "changes",
    )  # fmt: skip
    about = (
        "UXCost: geometric mean over the seeds. best: of the grid; default: without the tuner; tuned: with it, its search included; last: "
        "parameters at the end of the tuner's way under seed 0, which changed them so many times, probes included."
    )
    return Table("landscape_summary", "The tuner and the best fixed parameters", about, columns, tuple(rows))


def ablation_table(findings: DreamFindings) -> Table:
    """What each part is worth."""
    stage = findings.stages["ablation"]
    by_case = {case: [cell for cell in stage.runs if cell.case == case] for case in stage.cases}
    uxcost, energy = (ratios([against_default(stage, metric, cells) for cells in by_case.values()]) for metric in ("uxcost", "energy_j"))
    rows = []
    for (case, cells), ratio, spent in zip(by_case.items(), uxcost, energy, strict=True):
        rates = 100 * mean_of([stage.mean(cell, "violation_rate") for cell in cells])
        accuracy = mean_of([stage.mean(cell, "accuracy") for cell in cells])
        rows.append((case, ratio.n_cells, ratio.mean, ratio.low, ratio.high, rates, spent.mean, accuracy))
    about = f"uxcost_ratio: to {findings.plan.policies.fixed} (default), geometric mean with its 95 % interval; more than 1: worse."
    columns = ("case", "cells", "uxcost_ratio", "low", "high", "violated_percent", "energy_ratio", "accuracy_percent")
    return Table("ablation_summary", "What each part is worth", about, columns, tuple(rows))


def settings_table(findings: DreamFindings) -> Table:
    """What each setting is worth, those that matter most first."""
    names = findings.plan.policies
    changed = variations(findings.policies[names.fixed], findings.policies[names.tuned])
    return changes_table(findings.stages["settings"], changed, {"uxcost_ratio": "uxcost"})


def stage_tables(findings: DreamFindings, name: str) -> list[Table]:
    """The tables of one stage."""
    stage = findings.stages[name]
    tables = [cells_table(stage)]
    if name in ("main", "loads", "cascade", "errors"):
        tables.append(summary_table(stage, findings))
    if name in ("main", "loads"):
        tables.append(reductions_table(reductions(findings)))
    if name == "loads":
        tables.append(loads_table(findings))
    more = {"landscape": landscape_table, "ablation": ablation_table, "settings": settings_table}
    if name in more:
        tables.append(more[name](findings))
    return tables
