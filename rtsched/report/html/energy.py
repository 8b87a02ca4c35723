"""Section: energy by component."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.outcome import ENERGY_COMPONENTS
from rtsched.report.html.markup import Html, figure, legend, numbers, table
from rtsched.report.html.results import Result
from rtsched.report.html.svg import area_sample, stacked
from rtsched.report.text import digits, scale, scaled

__all__ = ["section"]

COMPONENTS = (*ENERGY_COMPONENTS, "idle")


def section(results: Sequence[Result]) -> Html:
    """A bar for each result, and the components of each task."""
    spent = [np.append(one.outcome.task_energy_j.sum(axis=0), one.outcome.idle_energy_j.sum()) for one in results]
    bars = [(f"{one.label}: {scaled(float(parts.sum()), 'J')}", parts.tolist()) for one, parts in zip(results, spent, strict=True)]
    joule, prefix = scale(max((float(parts.max()) for parts in spent), default=0.0))
    rows = []
    for one, parts in zip(results, spent, strict=True):
        problem = one.outcome.problem
        n_finished = one.outcome.metrics.n_finished
        for i, task in enumerate(problem.task_names):
            own = one.outcome.task_energy_j[i]
            per_job = float(own.sum()) / int(n_finished[i]) if n_finished[i] else float("nan")
            rows.append([task, one.label, *_told(own, joule), "", digits(float(own.sum()) / joule), digits(per_job / joule)])
        rows.append(["idle tiles", one.label, *[""] * len(ENERGY_COMPONENTS), *_told(parts[-1:], joule), digits(parts[-1] / joule), ""])
    samples = legend([(area_sample(i), part) for i, part in enumerate(COMPONENTS)])
    drawn = stacked("energy-components", "Energy by component", bars, COMPONENTS)
    columns = ["task", "result", *COMPONENTS, "all", "per finished job"]
    return Html(
        samples + figure(drawn, "Energy by component, on one scale") + numbers(table(f"Energy, {prefix}J", columns, rows, n_words=2))
    )


def _told(values: np.ndarray, joule: float) -> list[str]:
    return [digits(float(value) / joule) for value in values]
