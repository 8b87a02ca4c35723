"""Section: what UXCost is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.outcome import Outcome
from rtsched.report.html.markup import Html, figure, grid, legend, note, numbers, table
from rtsched.report.html.results import Result
from rtsched.report.html.svg import area_sample, stacked
from rtsched.report.text import digits

__all__ = ["factors_of", "section"]


def factors_of(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """What each task adds to the two sums whose product is UXCost: violation rates and normalised energies, float64 of shape (n_tasks,)."""
    metrics = outcome.metrics
    has_jobs = metrics.n_counting > 0
    counting = np.maximum(metrics.n_counting, 1)
    rate = np.where(metrics.n_violated > 0, metrics.n_violated / counting, 0.5 / counting) * has_jobs
    return rate, metrics.norm_energy * has_jobs


def section(results: Sequence[Result]) -> Html:
    """Its two factors, each a sum over tasks."""
    tasks = list(dict.fromkeys(name for one in results for name in one.outcome.problem.task_names))
    rates, energies, rows = [], [], []
    for one in results:
        names, metrics = one.outcome.problem.task_names, one.outcome.metrics
        rate, energy = factors_of(one.outcome)
        by_task = {name: (float(rate[i]), float(energy[i])) for i, name in enumerate(names)}
        rates.append((f"{one.label}: {digits(float(rate.sum()))}", [by_task.get(name, (0.0, 0.0))[0] for name in tasks]))
        energies.append((f"{one.label}: {digits(float(energy.sum()))}", [by_task.get(name, (0.0, 0.0))[1] for name in tasks]))
        rows += [[name, one.label, *(digits(value) for value in by_task[name]), ""] for name in names]
        rows.append(["sum; product", one.label, digits(float(rate.sum())), digits(float(energy.sum())), digits(metrics.uxcost)])
    told = note(
        "UXCost is the sum of the violation rates of all tasks times the sum of their normalised energies: their energy over that of the "
        "same layers each on its most energy-hungry option. A task that violated nothing enters with half a job's rate."
    )
    drawn = [
        figure(stacked("uxcost-rates", "Violation rates by task", rates, tasks), "Sum of violation rates, by task"),
        figure(stacked("uxcost-energies", "Normalised energies by task", energies, tasks), "Sum of normalised energies, by task"),
    ]
    columns = ["task", "result", "violation rate", "normalised energy", "UXCost"]
    samples = legend([(area_sample(i), task) for i, task in enumerate(tasks)])
    return Html(told + samples + grid(drawn) + numbers(table("What enters UXCost", columns, rows, n_words=2)))
