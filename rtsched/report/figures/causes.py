"""Why deadlines were missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.attribution import PARTS, attribute
from rtsched.errors import InputError
from rtsched.outcome import Outcome
from rtsched.report.figures.results import legend, part_handles, results_of, stack
from rtsched.report.figures.style import PAGE_INCHES, drawing

__all__ = ["causes"]

BAR_INCHES = 0.2


def causes(outcomes: Outcome | Sequence[Outcome], *, ax: Any = None, width_inches: float = PAGE_INCHES) -> Any:
    """Draw where the time of late jobs went (docs/attribution.md): a bar for each task with late jobs and each outcome.

    Parameters
    ----------
    outcomes : Outcome or sequence of Outcome
        With their layers and rates.
    ax : matplotlib Axes, optional
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    rtsched.errors.InputError
        Layers or rates were not recorded, or no job was late.
    """
    results = results_of(outcomes)
    rows, labels = [], []
    for one in results:
        found = attribute(one.outcome)
        for task in np.flatnonzero(found.n_late).tolist():
            n = int(found.n_late[task])
            rows.append(100.0 * found.late_ns[task] / found.late_ns[task].sum())
            labels.append(f"{one.outcome.problem.task_names[task]}{f', {one.label}' if len(results) > 1 else ''} ({n:,})")
    if not rows:
        raise InputError("outcomes: no finished job was late")
    values = np.array(rows)
    with drawing(ax, 1, (width_inches, BAR_INCHES * len(rows) + 0.45, 0.3)) as (figure, (panel,)):
        stack(panel, values, labels)
        panel.set(xlim=(0, 100), xlabel="response time of late jobs, %")
        handles = part_handles(PARTS)
        legend(figure, [panel], [handles[i] for i in np.flatnonzero(values.any(axis=0)).tolist()], is_own=ax is None)
    return figure
