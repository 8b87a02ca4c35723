"""Section: the figures of every result, and its tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.metrics import PERCENTILES
from rtsched.outcome import STATUSES
from rtsched.report.html.markup import Html, note, table, words
from rtsched.report.html.results import Result
from rtsched.report.html.svg import line_sample
from rtsched.report.text import digits, percent, scaled, seconds

__all__ = ["section"]


def section(results: Sequence[Result]) -> Html:
    """A card and a table for each result."""
    cards = "".join(map(_card, results))
    told = note("Latency counts from the job's own release here, as in the metrics.")
    return Html(f'<div class="cards">{cards}</div>' + "".join(map(_tasks, results)) + told)


def _card(result: Result) -> str:
    outcome, metrics = result.outcome, result.outcome.metrics
    facts = [
        ("UXCost", digits(metrics.uxcost)),
        ("deadlines violated", f"{percent(metrics.total_violation_rate)} %"),
        ("energy", scaled(metrics.total_energy_j, "J")),
        ("DRAM in use", f"{percent(metrics.memory_utilisation)} %"),
        ("layers run", f"{outcome.n_layers:,}"),
        ("simulated", seconds(outcome.end_ns)),
    ]
    rows = "".join(f"<dt>{words(what)}</dt><dd>{words(value)}</dd>" for what, value in facts)
    partial = "" if outcome.is_complete else '<p class="bad">Partial: the run was interrupted; every figure is of what was simulated.</p>'
    return f'<div class="card"><h3>{line_sample(result.colour)}{words(result.label)}</h3>{partial}<dl>{rows}</dl></div>'


def _tasks(result: Result) -> Html:
    metrics, problem = result.outcome.metrics, result.outcome.problem
    counts = np.column_stack([metrics.released, metrics.status_counts])
    latency_ns = metrics.latency_ns[:, [PERCENTILES.index(50.0), PERCENTILES.index(99.0)]]
    energy_j = metrics.energy_j.sum(axis=1)
    rows = [
        [
            problem.task_names[i],
            problem.model_names[model],
            *(f"{n:,}" for n in counts[i]),
            percent(float(metrics.violation_rate[i])),
            *(digits(ns * 1e-6) for ns in latency_ns[i]),
            digits(float(energy_j[i])),
        ]
        for i, model in enumerate(problem.task_model)
    ]
    total = [
        "all tasks",
        "",
        *(f"{n:,}" for n in counts.sum(axis=0)),
        percent(metrics.total_violation_rate),
        "",
        "",
        digits(energy_j.sum()),
    ]
    columns = ["task", "model", "released", *STATUSES, "violated, %", "p50, ms", "p99, ms", "energy, J"]
    return table(f"Tasks under {result.label}", columns, rows, n_words=2, total=total)
