"""The tables of the parts of the reproduction of MoCA that change one thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.study.reproduce.cells import Cell, Paired, paired, paired_means, ratios
from rtsched.study.reproduce.moca.plan import Level
from rtsched.study.reproduce.moca.stages import LEFT_OUT, STEPS
from rtsched.study.reproduce.moca.study import MocaFindings
from rtsched.study.reproduce.moca.tables import COLUMNS, MEANINGS, main_tables, means_of
from rtsched.study.reproduce.settings import changes_table
from rtsched.study.reproduce.tables import Table, Value, mean_of

__all__ = ["queues_table", "settings_table", "stage_tables", "steps_table", "swept_table", "together_cells_table", "together_table"]

SWEPT = {"bandwidth": "dram_gb_per_s", "tiles": "tiles", "regroup": "regroup_us"}
"""What is changed in parts that sweep one number."""


def _number(case: str) -> int | float:
    """What a case is called, as a number."""
    value = float(case)
    return int(value) if value.is_integer() else value


def _cells(findings: MocaFindings, part: str, level: Level, policy: str, case: str) -> list[Cell]:
    """Those of a policy on every set, as far as they are there."""
    found = [findings.plans.cell(name, level, policy, case) for name in findings.plan.sets]
    return [cell for cell in found if cell in findings.stages[part].runs]


def steps_table(findings: MocaFindings) -> Table:
    """What each part of MoCA brings: added one after the other, and left out alone."""
    stage, plan = findings.stages["steps"], findings.plan
    before = {**dict(zip(STEPS[1:], STEPS, strict=False)), **dict.fromkeys(LEFT_OUT, STEPS[-1])}
    rows: list[tuple[Value, ...]] = []
    found: dict[str, list[Paired]] = {"sla": [], "stp": []}
    for arbiter in plan.arbiters:
        for level in plan.sweep_levels:
            for step in (*STEPS, *LEFT_OUT):
                cells = _cells(findings, "steps", level, step, f"{arbiter}, {level.case}")
                if cells:
                    rows.append((arbiter, level.arrivals, step, len(cells), *means_of(stage, cells)))
                    for metric, kept in found.items():
                        other = before.get(step, step)
                        kept.append(paired_means(stage, metric, lambda cell, other=other: cell._replace(policy=other), cells))  # type: ignore[misc]
    sla, stp = (ratios(one) for one in found.values())
    entries = [(*row, one.mean, one.low, one.high, more.mean) for row, one, more in zip(rows, sla, stp, strict=True)]
    about = (
        f"Each step has what the one before has; `{LEFT_OUT[0]}` and the like are MoCA without one part. sla_ratio, stp_ratio: to the step "
        "before, or of MoCA without the part to MoCA; geometric mean over sets, with its 95 % interval for the SLA rate. " + MEANINGS
    )
    columns = ("arbiter", "arrivals", "step", "sets", *COLUMNS, "sla_ratio", "low", "high", "stp_ratio")
    return Table("steps", stage.title, about, columns, tuple(entries))


def queues_table(findings: MocaFindings) -> Table:
    """MoCA with every queue, late jobs last or not."""
    stage, plan = findings.stages["queues"], findings.plan
    whole = findings.policies[plan.policies.whole].mapper
    rows: list[tuple[Value, ...]] = []
    found: list[Paired] = []
    own = next(label for label, one in findings.plans.queues().items() if repr(one.mapper) == repr(whole))
    for level in plan.sweep_levels:
        for label, policy in findings.plans.queues().items():
            if cells := _cells(findings, "queues", level, label, level.case):
                mapper = policy.mapper
                rows.append((level.arrivals, mapper.queue, mapper.late, len(cells), *means_of(stage, cells)))
                found.append(paired_means(stage, "sla", lambda cell: cell._replace(policy=own), cells))
    entries = [(*row, one.mean, one.low, one.high) for row, one in zip(rows, ratios(found), strict=True)]
    about = (
        "late: jobs that would miss their deadline even alone stand where the queue says, or last. sla_ratio: to MoCA's own order, "
        f"geometric mean over sets with its 95 % interval. {MEANINGS}"
    )
    columns = ("arrivals", "queue", "late", "sets", *COLUMNS, "sla_ratio", "low", "high")
    return Table("queues", stage.title, about, columns, tuple(entries))


def swept_table(findings: MocaFindings, part: str) -> Table:
    """Policies by one number."""
    stage, plan = findings.stages[part], findings.plan
    policies = list(dict.fromkeys(cell.policy for cell in stage.runs))
    base = policies[0] if policies else ""
    rows: list[tuple[Value, ...]] = []
    found: list[Paired] = []
    for level in plan.sweep_levels:
        for case in stage.cases:
            for policy in policies:
                if cells := _cells(findings, part, level, policy, case):
                    length_s = mean_of([stage.runs[cell][0].label.duration_s for cell in cells])
                    rows.append((level.arrivals, _number(case), policy, len(cells), length_s, *means_of(stage, cells)))
                    found.append(paired_means(stage, "sla", lambda cell: cell._replace(policy=base), cells))
    entries = [(*row, one.mean, one.low, one.high) for row, one in zip(rows, ratios(found), strict=True)]
    about = (
        f"sla_ratio: to {base}, geometric mean over sets with its 95 % interval; length_s: time in which jobs arrive, mean over sets. "
        f"{MEANINGS}"
    )
    columns = ("arrivals", SWEPT[part], "policy", "sets", "length_s", *COLUMNS, "sla_ratio", "low", "high")
    return Table(part, stage.title, about, columns, tuple(entries))


def settings_table(findings: MocaFindings) -> Table:
    """What each setting is worth, those that matter most first."""
    metrics = {"sla_ratio": "sla", "high_ratio": "sla_high", "stp_ratio": "stp"}
    return changes_table(findings.stages["settings"], findings.plans.variations(), metrics, paired_means)


def together_cells_table(findings: MocaFindings) -> Table:
    """DREAM with and without the regulation, by scenario and platform."""
    stage, names = findings.stages["together"], findings.plan.policies
    pairs = [cell for cell in stage.runs if cell.policy == names.joined]
    found = ratios([paired(stage, "uxcost", lambda cell: cell._replace(policy=names.alone), [cell]) for cell in pairs])
    rows: list[tuple[Value, ...]] = []
    for cell, ratio in zip(pairs, found, strict=True):
        sides = (cell._replace(policy=names.alone), cell)
        rates = [100 * stage.mean(side, "violation_rate") for side in sides]
        rows.append((_number(cell.case), *cell.pair, ratio.mean, ratio.low, ratio.high, *rates))
    about = f"uxcost_ratio: {names.joined} over {names.alone}, geometric mean over the seeds with its 95 % interval; below 1: better."
    columns = ("dram_gb_per_s", "scenario", "platform", "uxcost_ratio", "low", "high", "alone_violated_percent", "joined_violated_percent")
    return Table("together", stage.title, about, columns, tuple(rows))


def together_table(findings: MocaFindings) -> Table:
    """The same over scenarios and platforms: all of them, and those in which either misses a deadline."""
    stage, names = findings.stages["together"], findings.plan.policies
    rows: list[tuple[Value, ...]] = []
    found: list[Paired] = []
    for case in stage.cases:
        cells = [cell for cell in stage.runs if cell.case == case and cell.policy == names.joined]
        contested = stage.contested(cell for cell in stage.runs if cell.case == case)
        for where, chosen in (("all", cells), ("contested", [cell for cell in cells if cell.pair in contested])):
            rates = [_violated(findings, chosen, policy) for policy in (names.alone, names.joined)]
            rows.append((_number(case), where, len(chosen), *rates))
            found.append(paired(stage, "uxcost", lambda cell: cell._replace(policy=names.alone), chosen))
    entries = [
        (*row, one.mean, one.low, one.high, one.least, one.most, "" if one.most_at is None else " on ".join(one.most_at.pair))
        for row, one in zip(rows, ratios(found), strict=True)
    ]
    about = (
        f"uxcost_ratio: {names.joined} over {names.alone}, geometric mean over scenarios, platforms and seeds with its 95 % interval, then "
        "the smallest and the largest of a scenario on a platform; below 1: better. contested: pairs of a scenario and a platform in which "
        "either misses a deadline."
    )
    columns = (
        "dram_gb_per_s", "pairs", "cells", "alone_violated_percent", "joined_violated_percent", "uxcost_ratio", "low", "high", "least",
        "most", "most_at",
    )  # fmt: skip
    return Table("together_summary", f"{names.joined} and {names.alone}", about, columns, tuple(entries))


def _violated(findings: MocaFindings, cells: Sequence[Cell], policy: str) -> float:
    rates = [findings.stages["together"].mean(cell._replace(policy=policy), "violation_rate") for cell in cells]
    return 100 * float(np.mean(rates)) if rates else float("nan")


def stage_tables(findings: MocaFindings, name: str) -> list[Table]:
    """The tables of one part."""
    if name == "main":
        return list(main_tables(findings))
    if name in SWEPT:
        return [swept_table(findings, name)]
    made = {
        "steps": (steps_table,),
        "queues": (queues_table,),
        "settings": (settings_table,),
        "together": (together_cells_table, together_table),
    }
    return [table(findings) for table in made[name]]
