"""What the reproduction of MoCA says: its tables, its figures, and in words.

What is said is computed from the runs; only what the paper's abstract reports and what its published logs are is written down here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rtsched._version import __version__
from rtsched.library import load_platform
from rtsched.report import moca_figures
from rtsched.report.reproduction import Account, few_seeds, files_of, how_made, signed, status, what_matters
from rtsched.report.tables import table_to_markdown
from rtsched.report.text import digits
from rtsched.study.reproduce.cells import Ratio
from rtsched.study.reproduce.moca.plan import TRACE
from rtsched.study.reproduce.moca.stages import STEPS
from rtsched.study.reproduce.moca.study import STAGES, MocaFindings
from rtsched.study.reproduce.moca.sweeps import queues_table, settings_table, stage_tables, steps_table, swept_table, together_table
from rtsched.study.reproduce.moca.tables import (
    EVERY,
    MEANINGS,
    RIVALS,
    Comparison,
    comparisons,
    high_priority_table,
    n_high_priority,
    summary_table,
)
from rtsched.study.reproduce.tables import Table, Value

__all__ = ["ABSTRACT", "MOCA", "readme"]

ABSTRACT = {"sla": (1.8, 3.9), "stp": (1.7, 2.3), "fairness": (1.2, 1.3)}
"""What the abstract reports: on average and at most so many times as much as prior work."""

METRICS = {"sla": "SLA satisfaction", "stp": "system throughput", "fairness": "fairness"}

ABSTRACT_COLUMNS = (
    "metric", "abstract: mean", "at most", "arrivals", "over", "cells", "here: mean", "95 % interval", "at most", "where",
)  # fmt: skip

LEFT_OUT = ("sets", "length_s", "mid_percent", "fairness")
"""Columns of sweeps that only the files have."""

MAX_ROWS = 20
"""Cells that the text lists; the table has all."""

LOGS = """\
## What the published logs can tell

The artifact that was published with the paper has logs of its runs. Nothing above is compared with those of MoCA's runs, because

- an index that slips leaves some jobs unexecuted (all of YOLO-LITE in set A) or executed in part, and they count as met;
- the score cancels out of the bandwidth of convolutions, so that priorities have no effect on it there;
- STP and fairness are computed with shifted reference times.

What they confirm is the ground on which this stands: measured cycles of layers on one tile, to which the costs here are fitted, and
the times that jobs took in the runs of the static partition, four pairs of tiles beside each other on one DRAM. docs/accuracy.md
compares with both. The numbers beside the abstract's come from runs in which every layer of every job is executed, and priorities count
wherever bandwidth is short; they need not agree.
"""


def readme(findings: MocaFindings, command: str, drawn: Mapping[str, str]) -> str:
    """Tell what was found.

    Parameters
    ----------
    findings : MocaFindings
    command : str
    drawn : mapping of str to str
        Names of figures to their files.
    """
    parts = [*_head(findings, command)]
    sections = {
        "main": _main,
        "steps": _steps,
        "queues": _queues,
        "bandwidth": _bandwidth,
        "tiles": _tiles,
        "regroup": _regroup,
        "settings": _settings,
        "together": _together,
    }
    shown_with = {"main": ("main", "priorities", "ratios"), **{name: (name,) for name in sections if name != "main"}}
    tables = {
        "main": ("main", "main_summary", "ratios", "high_priority"),
        "settings": ("settings_summary",),
        "together": ("together", "together_summary"),
    }
    for name, section in sections.items():
        if name in findings.stages and findings.stages[name].runs:
            parts += [*section(findings), *files_of(shown_with[name], tables.get(name, (name,)), drawn)]
            parts += [LOGS] if name == "main" else []
    return "\n".join([*parts, *how_made(findings.stages, command)])


def _head(findings: MocaFindings, command: str) -> Iterator[str]:
    plan = findings.plan
    yield f"# MoCA's evaluation, done again ({plan.name})\n"
    if plan.name == "quick":
        yield "**A quick run: few seeds and some of the loads and values. It shows that everything works; its numbers mean little.**\n"
    yield from status(findings.stages, tuple(STAGES))
    loads = ", ".join(f"{load:g}" for load in plan.loads)
    yield (
        f"`{command}`, rtsched {__version__}. Sets {', '.join(plan.sets)} on {plan.platform}, qualities of service "
        f"{', '.join(plan.qualities)}; Poisson arrivals at loads {loads}, 250 jobs on average, and the arrivals of the artifact (trace), "
        f"where seeds vary the priorities. {plan.n_seeds} seeds, {plan.n_sweep_seeds} in the sweeps. All policies see the same jobs under "
        "the same seed; intervals are 95 % bootstrap intervals over seeds.\n"
    )
    yield from few_seeds(plan.n_seeds, plan.n_sweep_seeds, plan.together.n_seeds)


def _times(ratio: Ratio) -> str:
    return f"{digits(ratio.mean)} times ({digits(ratio.low)}..{digits(ratio.high)})"


def _main(findings: MocaFindings) -> Iterator[str]:
    names = findings.plan.policies
    found = comparisons(findings)
    yield from _abstract(findings, found)
    yield "## Every policy\n"
    summary = summary_table(findings)
    for arrivals in (EVERY, TRACE):
        yield from _best(summary, arrivals)
    for one in found:
        if one.metric == "sla" and one.arrivals in (EVERY, TRACE) and one.other in (names.scheduler, names.regulator):
            yield f"- {one.arrivals}: `{names.whole}` meets {_times(one.ratio)} as many deadlines as `{one.other}`"
    yield f"\n{summary.about}\n"
    rows = tuple(row for row in summary.rows if row[0] in (EVERY, TRACE))
    yield table_to_markdown(replace(summary, rows=rows), summary.columns)
    yield from _high_priority(findings)


def _abstract(findings: MocaFindings, found: Sequence[Comparison]) -> Iterator[str]:
    """Our ratios beside those of the abstract."""
    names = findings.plan.policies
    yield "## Beside the abstract\n"
    yield (
        f"How many times as much `{names.whole}` reaches as {', '.join(f'`{one}`' for one in names.rivals)}: geometric means over sets and "
        "qualities of service, and the largest of them.\n"
    )
    for metric, (mean, _) in ABSTRACT.items():
        said = [
            f"{digits(one.ratio.mean)} ({one.arrivals})" for one in found if (one.metric, one.other) == (metric, RIVALS) and _shown(one)
        ]
        if said:
            yield f"- {METRICS[metric]}: {' and '.join(said)}, abstract: {mean:g}"
    yield f"\n| {' | '.join(ABSTRACT_COLUMNS)} |"
    yield "|---|---:|---:|---|---|---:|---:|---|---:|---|"
    for one in found:
        if _shown(one) and one.other in (RIVALS, *names.rivals):
            yield _abstract_row(one)
    yield (
        "\nThe abstract does not say over which means it averages. A ratio of a cell is that of two means over seeds. When "
        f"`{names.regrouping}` gives a job another number of tiles, that costs {_regroup_us(findings):g} us here; another part tells what "
        "more would change.\n"
    )


def _regroup_us(findings: MocaFindings) -> float:
    return load_platform(findings.plan.platform).regroup_ns / 1e3


def _shown(one: Comparison) -> bool:
    return one.arrivals in (EVERY, TRACE) and one.ratio.n_cells > 0


def _abstract_row(one: Comparison) -> str:
    ratio, (mean, most) = one.ratio, ABSTRACT[one.metric]
    where = "" if one.most is None else f"{one.most.name}, {one.most.level.case}" + (f", {one.most_other}" if one.other == RIVALS else "")
    is_first = one.other == RIVALS
    cells = (
        METRICS[one.metric], *((f"{mean:g}", f"{most:g}") if is_first else ("", "")), one.arrivals, one.other, str(ratio.n_cells),
        digits(ratio.mean), f"{digits(ratio.low)}..{digits(ratio.high)}", digits(ratio.most), where,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _rows(table: Table, **wanted: Value) -> list[dict[str, Value]]:
    named = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return [row for row in named if all(row[column] == value for column, value in wanted.items())]


def _best(summary: Table, arrivals: str) -> Iterator[str]:
    """Who meets most deadlines, of all jobs and of those with high priorities."""
    rows = _rows(summary, arrivals=arrivals)
    if not rows:
        return
    words = {"sla_percent": "of all jobs", "high_percent": "of those with high priorities", "low_percent": "of those with low ones"}
    best = {column: max(rows, key=lambda row, c=column: float(row[c])) for column in words}  # type: ignore[misc]
    said = [f"`{row['policy']}` {words[column]} ({digits(float(row[column]))} %)" for column, row in best.items()]
    yield f"- {arrivals}: most deadlines are met by {', '.join(said)}"


def _high_priority(findings: MocaFindings) -> Iterator[str]:
    table = high_priority_table(findings)
    whole = findings.plan.policies.whole
    yield f"### {table.title}\n"
    n_sure = len(_rows(table, sure="yes"))
    yield (
        f"At loads up to 1 and on the trace, jobs with high priorities meet fewer deadlines under `{whole}` than under another policy in "
        f"{len(table.rows)} of {n_high_priority(findings)} comparisons, surely in {n_sure}.\n"
    )
    if table.rows:
        worst = sorted(table.rows, key=lambda row: float(row[table.columns.index("difference")]))[:MAX_ROWS]
        shown = replace(table, rows=tuple(worst))
        yield f"{table.about}{' The largest differences:' if len(table.rows) > MAX_ROWS else ''}\n"
        yield table_to_markdown(shown, table.columns)


def _shown_table(table: Table) -> Iterator[str]:
    """A table below a list, without what the first one explains and without what few ask for."""
    yield f"\n{table.about.removesuffix(MEANINGS).strip()}\n"
    yield table_to_markdown(table, tuple(column for column in table.columns if column not in LEFT_OUT))


def _steps(findings: MocaFindings) -> Iterator[str]:
    table = steps_table(findings)
    yield "## What each part brings\n"
    for arbiter, arrivals in dict.fromkeys((str(row[0]), str(row[1])) for row in table.rows):
        rows = {str(row["step"]): row for row in _rows(table, arbiter=arbiter, arrivals=arrivals)}
        said = [f"{step} {digits(float(rows[step]['sla_ratio']))}" for step in STEPS[1:]]
        yield f"- `{arbiter}` arbiter, {arrivals}: deadlines met, times that of the step before: {', '.join(said)}"
    yield from _shown_table(table)


def _queues(findings: MocaFindings) -> Iterator[str]:
    table = queues_table(findings)
    yield "## Which queue\n"
    for arrivals in dict.fromkeys(str(value) for value in table.column("arrivals")):
        rows = _rows(table, arrivals=arrivals)
        best = [max(rows, key=lambda row, c=column: float(row[c])) for column in ("sla_percent", "high_percent")]  # type: ignore[misc]
        of_all, of_high = (f"`{row['queue']}` with late jobs {_late(row)}" for row in best)
        yield f"- {arrivals}: most deadlines in all with {of_all}, most of high priority with {of_high}"
    yield from _shown_table(table)


def _late(row: Mapping[str, Value]) -> str:
    return "last" if row["late"] == "last" else "as the queue says"


def _swept(findings: MocaFindings, part: str, title: str) -> Iterator[str]:
    table = swept_table(findings, part)
    yield f"## {title}\n"
    yield ("Poisson arrivals keep four groups of two tiles busy on the changed platform, however many it has; the trace stays as it is.\n")
    yield from _regulation(findings, table)
    yield from _shown_table(table)


def _regulation(findings: MocaFindings, table: Table) -> Iterator[str]:
    """At which value the regulation brings most."""
    names, column = findings.plan.policies, table.columns[1]
    for arrivals in dict.fromkeys(str(value) for value in table.column("arrivals")):
        with_it, without = (
            {row[column]: float(row["sla_percent"]) for row in _rows(table, arrivals=arrivals, policy=policy)}
            for policy in (names.whole, names.scheduler)
        )
        gains = {value: with_it[value] - without[value] for value in with_it if value in without}
        if gains:
            most, least = max(gains, key=lambda one: gains[one]), min(gains, key=lambda one: gains[one])
            yield (
                f"- {arrivals}: regulation (`{names.whole}` against `{names.scheduler}`) brings most at {most} ({signed(gains[most])} "
                f"points of deadlines met) and least at {least} ({signed(gains[least])})"
            )


def _bandwidth(findings: MocaFindings) -> Iterator[str]:
    yield from _swept(findings, "bandwidth", "Other bandwidths of the DRAM, GB/s")


def _tiles(findings: MocaFindings) -> Iterator[str]:
    yield from _swept(findings, "tiles", "Other numbers of tiles")


def _regroup(findings: MocaFindings) -> Iterator[str]:
    table = swept_table(findings, "regroup")
    names, column = findings.plan.policies, table.columns[1]
    yield "## What another number of tiles costs a job, us\n"
    for arrivals in dict.fromkeys(str(value) for value in table.column("arrivals")):
        for policy in (names.regrouping, names.whole):
            said = [f"{row[column]}: {digits(float(row['sla_percent']))} %" for row in _rows(table, arrivals=arrivals, policy=policy)]
            yield f"- {arrivals}, deadlines met under `{policy}`: {', '.join(said)}"
    yield from _shown_table(table)


def _settings(findings: MocaFindings) -> Iterator[str]:
    table = settings_table(findings)
    yield "## How much MoCA's settings matter\n"
    yield from what_matters(table, "the SLA rate", "assumed or ours")
    yield f"{table.about} high_ratio, stp_ratio: the same of the jobs with high priorities and of the system throughput.\n"
    yield table_to_markdown(table, table.columns)


def _together(findings: MocaFindings) -> Iterator[str]:
    table, names = together_table(findings), findings.plan.policies
    yield f"## {table.title}\n"
    for row in _rows(table, pairs="all"):
        mean, low, high, most = (float(row[column]) for column in ("uxcost_ratio", "low", "high", "most"))
        alone, joined = (digits(float(row[column])) for column in ("alone_violated_percent", "joined_violated_percent"))
        word = "less" if high < 1 else "more" if low > 1 else "no sure difference in"
        yield (
            f"- DRAM of {row['dram_gb_per_s']} GB/s: {word} UXCost with MoCA's regulation: {digits(mean)} times "
            f"({digits(low)}..{digits(high)}), at most {digits(most)} in {row['most_at']}; deadlines violated {alone} % under "
            f"`{names.alone}`, {joined} % under `{names.joined}`"
        )
    yield from _shown_table(table)


def _figures(findings: MocaFindings, name: str) -> dict[str, bytes]:
    return moca_figures.stage_figures(findings, name)


MOCA = Account(tables=stage_tables, figures=_figures, readme=readme)
