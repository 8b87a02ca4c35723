"""The tables of the reproduction of MoCA: what its runs say, computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rtsched.study.intervals import mean_intervals
from rtsched.study.reproduce.cells import Cell, Paired, Ratio, Stage, paired_means, ratios
from rtsched.study.reproduce.moca.plan import TRACE, Level
from rtsched.study.reproduce.moca.study import MocaFindings
from rtsched.study.reproduce.tables import Table, Value, mean_of, means_with_intervals

__all__ = [
    "COLUMNS",
    "EVERY",
    "MEANINGS",
    "RATIOS",
    "RIVALS",
    "Comparison",
    "Place",
    "comparisons",
    "high_priority_table",
    "main_tables",
    "means_of",
    "n_high_priority",
    "places",
    "ratios_table",
    "summary_table",
]

INTERVALS = (
    ("sla", "sla_percent", 100.0), ("sla_low", "low_percent", 100.0), ("sla_mid", "mid_percent", 100.0),
    ("sla_high", "high_percent", 100.0), ("stp", "stp", 1.0), ("fairness", "fairness", 1.0),
)  # fmt: skip
"""Metric, column, factor."""

COLUMNS = tuple(column for _, column, _ in INTERVALS)

RATIOS = ("sla", "stp", "fairness")
"""Metrics of which ratios are taken."""

EVERY = "every load"
RIVALS = "all three"

MEANINGS = (
    "sla_percent: deadlines met, in per cent of the jobs; low, mid, high: of the jobs with priorities 0 to 2, 3 to 8 and 9 to 11; stp: sum "
    "over networks of mean time alone / mean latency; fairness: smallest / largest progress per share of priority."
)


class Place(NamedTuple):
    """A set of networks at a level of the main table."""

    name: str
    level: Level


def places(findings: MocaFindings) -> list[Place]:
    """Those of the main table whose runs are there."""
    plan, stage = findings.plan, findings.stages["main"]
    whole = plan.policies.whole
    found = [Place(name, level) for level in plan.levels for name in plan.sets]
    return [one for one in found if findings.plans.cell(one.name, one.level, whole) in stage.runs]


def means_of(stage: Stage, cells: Sequence[Cell]) -> tuple[float, ...]:
    """Arithmetic means over cells of the metrics in `COLUMNS`."""
    return tuple(factor * mean_of([stage.mean(cell, metric) for cell in cells]) for metric, _, factor in INTERVALS)


def main_table(findings: MocaFindings) -> Table:
    """Every policy on every set at every level."""
    stage, names = findings.stages["main"], findings.plan.policies.names
    rows = [(one, policy, findings.plans.cell(one.name, one.level, policy)) for one in places(findings) for policy in names]
    columns, values = means_with_intervals(stage, [cell for _, _, cell in rows], INTERVALS)
    entries: list[tuple[Value, ...]] = [
        (one.name, one.level.arrivals, one.level.qos, policy, len(stage.runs[cell]), *own)
        for (one, policy, cell), own in zip(rows, values, strict=True)
    ]
    about = f"Means over the seeds with 95 % intervals (low, high). {MEANINGS}"
    return Table("main", stage.title, about, ("set", "arrivals", "qos", "policy", "seeds", *columns), tuple(entries))


def _arrivals(findings: MocaFindings) -> list[tuple[str, list[Place]]]:
    """Places by their arrivals, and those of all loads together."""
    found = places(findings)
    named = {name: [one for one in found if one.level.arrivals == name] for name in dict.fromkeys(one.level.arrivals for one in found)}
    poisson = [one for one in found if one.level.load is not None]
    trace = named.pop(TRACE, [])
    return [*named.items(), *([(EVERY, poisson)] if poisson else []), *([(TRACE, trace)] if trace else [])]


def summary_table(findings: MocaFindings) -> Table:
    """Each policy over all sets and qualities of service."""
    stage, names = findings.stages["main"], findings.plan.policies.names
    rows: list[tuple[Value, ...]] = [
        (arrivals, policy, len(where), *means_of(stage, [findings.plans.cell(*one, policy) for one in where]))
        for arrivals, where in _arrivals(findings)
        for policy in names
    ]
    about = f"Arithmetic means over sets, qualities of service and seeds. {MEANINGS}"
    return Table("main_summary", "All sets and qualities of service", about, ("arrivals", "policy", "cells", *COLUMNS), tuple(rows))


class Comparison(NamedTuple):
    """How many times as much of a metric MoCA has as another policy.

    Attributes
    ----------
    metric : str
    arrivals : str
    other : str
        A policy, or `RIVALS` for all with which the paper compares.
    ratio : Ratio
    most : Place or None
        Where it is largest.
    most_other : str
        Over whom.
    """

    metric: str
    arrivals: str
    other: str
    ratio: Ratio
    most: Place | None
    most_other: str


def comparisons(findings: MocaFindings) -> list[Comparison]:
    """Compare MoCA with every other policy."""
    stage, names, plans = findings.stages["main"], findings.plan.policies, findings.plans
    what: list[tuple[str, str, str]] = []
    found: list[Paired] = []
    at = {plans.cell(*one, names.whole): one for one in places(findings)}
    for arrivals, where in _arrivals(findings):
        cells = [plans.cell(*one, names.whole) for one in where]
        for metric in RATIOS:
            singles = {other: _over(stage, metric, other, cells) for other in names.names if other != names.whole}
            rivals = [singles[other] for other in names.rivals if singles[other].cells]
            together = (
                Paired(np.vstack([one.logs for one in rivals]), sum((one.cells for one in rivals), ()))
                if rivals
                else Paired(np.array([]), ())
            )
            what += [(metric, arrivals, other) for other in (RIVALS, *singles)]
            found += [together, *singles.values()]
    made = dict(zip(what, ratios(found), strict=True))
    entries = []
    for (metric, arrivals, other), ratio in made.items():
        largest = max(names.rivals, key=lambda one, m=metric, a=arrivals: np.nan_to_num(made[m, a, one].most)) if other == RIVALS else other  # type: ignore[misc]
        entries.append(Comparison(metric, arrivals, other, ratio, None if ratio.most_at is None else at[ratio.most_at], largest))
    return entries


def _over(stage: Stage, metric: str, other: str, cells: Iterable[Cell]) -> Paired:
    return paired_means(stage, metric, lambda cell: cell._replace(policy=other), cells)


def ratios_table(findings: MocaFindings) -> Table:
    """The comparisons as a table."""
    rows: list[tuple[Value, ...]] = []
    for one in comparisons(findings):
        ratio = one.ratio
        where = "" if one.most is None else f"{one.most.name}, {one.most.level.case}"
        rows.append(
            (one.metric, one.arrivals, one.other, ratio.n_cells, ratio.mean, ratio.low, ratio.high, ratio.least, ratio.most, where)
        )  # fmt: skip
    names = findings.plan.policies
    about = (
        f"{names.whole} over the other policy, from means over the seeds: geometric mean over sets and qualities of service with its 95 % "
        f"interval, the smallest and the largest ratio of a cell. {RIVALS}: {', '.join(names.rivals)}. Cells in which one side has 0 are "
        "left out."
    )
    columns = ("metric", "arrivals", "other", "cells", "ratio", "low", "high", "least", "most", "most_at")
    return Table("ratios", f"{names.whole} over every other policy", about, columns, tuple(rows))


def high_priority_table(findings: MocaFindings) -> Table:
    """Where the high priorities fare worse under MoCA than under another policy, at loads up to 1 and on the trace."""
    stage, names, plans = findings.stages["main"], findings.plan.policies, findings.plans
    where = [one for one in places(findings) if one.level.load is None or one.level.load <= 1]
    pairs = [(one, other) for one in where for other in names.names if other != names.whole]
    rows: list[tuple[Value, ...]] = []
    if pairs:
        sides = [[stage.values(plans.cell(*one, policy), "sla_high") for policy in (names.whole, other)] for one, other in pairs]
        found = mean_intervals(100 * np.array([own - others for own, others in sides]).T)
        for place, (one, other) in enumerate(pairs):
            if found.mean[place] < 0:
                own, others = (100 * stage.mean(plans.cell(*one, policy), "sla_high") for policy in (names.whole, other))
                interval = (found.mean[place], found.low[place], found.high[place])
                sure = "yes" if found.high[place] < 0 else "no"
                rows.append((one.name, one.level.arrivals, one.level.qos, other, own, others, *map(float, interval), sure))
    about = (
        f"Deadlines met of the jobs with priorities 9 to 11, in per cent, in every cell in which that is less under {names.whole} than "
        "under another policy: difference in points with its 95 % interval over the seeds; sure: the interval leaves out 0."
    )
    columns = ("set", "arrivals", "qos", "other", f"{names.whole}_percent", "other_percent", "difference", "low", "high", "sure")
    return Table("high_priority", "High priorities that fare worse", about, columns, tuple(rows))


def n_high_priority(findings: MocaFindings) -> int:
    """How many comparisons the table of high priorities looks at."""
    where = [one for one in places(findings) if one.level.load is None or one.level.load <= 1]
    return len(where) * (len(findings.plan.policies.names) - 1)


def main_tables(findings: MocaFindings) -> Iterator[Table]:
    """The tables of the main part."""
    for table in (main_table, summary_table, ratios_table, high_priority_table):
        yield table(findings)
