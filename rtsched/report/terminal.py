"""The summary of an outcome, for terminals and notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from rtsched.metrics import PERCENTILES, PRIORITY_GROUPS
from rtsched.outcome import ENERGY_COMPONENTS, STATUSES
from rtsched.report.text import Fitting, digits, facts, heading, name, percent, scale, scaled, seconds, table

if TYPE_CHECKING:
    from rich.table import Table

    from rtsched.outcome import Outcome

__all__ = ["summary"]

BROKEN = {"released": "re-\nleased", "dropped": "drop-\nped", "unfinished": "unfin-\nished", "suppressed": "sup-\npressed"}
"""Headings for narrow terminals."""

MANY_ACCELERATORS = 8
"""Beyond as many, utilisation is summed up."""


def summary(outcome: Outcome) -> RenderableType:
    """Summarise an outcome: a line per task, then the totals.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    rich renderable
        About 80 columns wide.
    """
    tasks = Fitting(
        _tasks(outcome),
        _tasks(outcome, is_tight=True),
        _tasks(outcome, is_tight=True, has_models=False),
    )
    head = [_title(outcome)] if outcome.is_complete else [_title(outcome), _partial(outcome)]
    return Group(*head, "", tasks, *_latency_note(outcome), "", facts(_totals(outcome)))


def _title(outcome: Outcome) -> Text:
    told = f"seed {outcome.seed}: {seconds(outcome.end_ns)} simulated"
    return heading(outcome.problem, told, outcome.provenance, ("scenario.load",), outcome.policy)


def _partial(outcome: Outcome) -> Text:
    problem = outcome.problem
    return Text(
        f"PARTIAL: interrupted at {seconds(outcome.end_ns)} of {seconds(problem.duration_ns)}; "
        "every figure is of the part that was simulated",
        "bold yellow",
    )


def _tasks(outcome: Outcome, *, is_tight: bool = False, has_models: bool = True) -> Table:
    metrics, problem = outcome.metrics, outcome.problem
    energy_j = metrics.energy_j.sum(axis=1)
    joule, prefix = scale(energy_j.max())
    latency_s = metrics.latency_ns[:, [PERCENTILES.index(50.0), PERCENTILES.index(99.0)]] * 1e-9
    second, small = _latency_unit(latency_s)
    counts = np.column_stack([metrics.released, metrics.status_counts])
    headings = [BROKEN.get(title, title) if is_tight else title for title in ("released", *STATUSES)]
    total = [f"{n:,}" for n in counts.sum(axis=0)]
    made = table(
        [
            "task",
            *(["model"] if has_models else []),
            *headings,
            "vio-\nlated %" if is_tight else "violated\n%",
            f"latency\np50 {small}s",
            f"\np99 {small}s",
            f"energy\n{prefix}J",
        ],
        words=("task", "model"),
        totals=[
            "all" if is_tight else "all tasks",
            *([""] if has_models else []),
            *total,
            _rate(metrics.total_violation_rate),
            "",
            "",
            digits(energy_j.sum() / joule),
        ],
        is_tight=is_tight,
    )
    for i, model in enumerate(problem.task_model):
        made.add_row(
            name(problem.task_names[i]),
            *([name(problem.model_names[model])] if has_models else []),
            *(f"{n:,}" for n in counts[i]),
            _rate(float(metrics.violation_rate[i])),
            *(digits(value / second) for value in latency_s[i]),
            digits(energy_j[i] / joule),
        )
    return made


def _latency_note(outcome: Outcome) -> list[Text]:
    """Return a line about the tasks whose latency and deadline count from different releases."""
    problem = outcome.problem
    names = ", ".join(problem.task_names[i] for i in np.flatnonzero(problem.task_from_source))
    if not names:
        return []
    return [Text.assemble("latency counts from the job's own release; the deadline of ", name(names), " from its root's")]


def _latency_unit(latency_s: np.ndarray) -> tuple[float, str]:
    """Choose ms, or less where all are shorter, as in problems made by hand."""
    return min(scale(float(np.nanmax(latency_s))), (1e-3, "m")) if np.isfinite(latency_s).any() else (1e-3, "m")


def _rate(value: float) -> Text:
    return Text(percent(value), "red" if value > 0 else "green" if value == 0 else "")


def _totals(outcome: Outcome) -> list[tuple[str, str]]:
    metrics = outcome.metrics
    dynamic = dict(zip(ENERGY_COMPONENTS, metrics.energy_j.sum(axis=0), strict=True))
    parts = ", ".join(f"{part} {scaled(value, 'J')}" for part, value in {**dynamic, "idle": outcome.idle_energy_j.sum()}.items())
    traffic = f"{percent(metrics.memory_utilisation)} % of {digits(outcome.problem.peak_bytes_per_ns)} GB/s"
    counts = {
        "run": outcome.n_layers,
        "switches": outcome.n_switches,
        "migrations": outcome.n_migrations,
        "preemptions": int(metrics.n_preemptions.sum()),
    }
    return [
        ("UXCost", f"{digits(metrics.uxcost)} (deadline violations x normalised energy; less is better)"),
        *_sharing(outcome),
        ("energy", f"{scaled(metrics.total_energy_j, 'J')}: {parts}"),
        ("busy", _busy(outcome)),
        ("DRAM", f"{traffic}, {scaled(outcome.served_bytes, 'B')} moved"),
        ("layers", ", ".join(f"{what} {n:,}" for what, n in counts.items())),
        *(("subnets" if i == 0 else "", line) for i, line in enumerate(_subnets(outcome))),
    ]


def _sharing(outcome: Outcome) -> list[tuple[str, str]]:
    """Return a line for the metrics of shared accelerators, and one for the groups of priorities where there are several."""
    metrics = outcome.metrics
    lost = int((metrics.n_counting - metrics.n_finished).sum())
    left_out = f" ({lost:,} that did not finish left out)" if lost else ""
    sharing = (
        f"STP {digits(metrics.stp)} ({digits(metrics.stp_jobs)} per job), ANTT {digits(metrics.antt)}{left_out}, "
        f"fairness {digits(metrics.fairness)}, XRBench {digits(metrics.xrbench)}"
    )
    sla = f"{percent(metrics.sla)} %"
    groups = [
        f"{group} ({span[0]}-{span[-1]}) {percent(rate)} %"
        for (group, span), rate, n in zip(PRIORITY_GROUPS.items(), metrics.group_sla, metrics.group_counting, strict=True)
        if n
    ]
    if len(groups) < 2:
        return [("sharing", f"SLA {sla}, {sharing}")]
    return [("SLA", f"{sla} of deadlines met; by priority: {', '.join(groups)}"), ("sharing", sharing)]


def _busy(outcome: Outcome) -> str:
    problem = outcome.problem
    first = problem.option_first
    busy = [float(np.mean(outcome.metrics.utilisation[first[a] : first[a + 1]])) for a in range(problem.n_accelerators)]
    if len(busy) <= MANY_ACCELERATORS:
        return ", ".join(f"{name(one)} {percent(value)} %" for one, value in zip(problem.accelerator_names, busy, strict=True))
    return f"{percent(min(busy))} to {percent(max(busy))} %, mean {percent(float(np.mean(busy)))} % of {len(busy)} accelerators"


def _subnets(outcome: Outcome) -> list[str]:
    """Return a line for each model that has several subnets."""
    problem, counts = outcome.problem, outcome.metrics.subnet_counts
    first = problem.model_first_subnet
    return [
        f"{name(model)}: " + ", ".join(f"{name(problem.subnet_names[s])} {counts[s]:,}" for s in range(first[m], first[m + 1]))
        for m, model in enumerate(problem.model_names)
        if first[m + 1] - first[m] > 1
    ]
