"""What UXCost is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.outcome import Outcome
from rtsched.report.figures.results import legend, part_handles, results_of, stack
from rtsched.report.figures.style import PAGE_INCHES, drawing
from rtsched.report.html.composition import factors_of
from rtsched.report.text import digits

__all__ = ["uxcost"]

BAR_INCHES = 0.22
WIDE_INCHES = 5.0
"""From which on the panels stand side by side."""


def uxcost(outcomes: Outcome | Sequence[Outcome], *, ax: Any = None, width_inches: float = PAGE_INCHES) -> Any:
    """Draw the two factors of UXCost, each a sum over tasks: two panels, a bar for each outcome with its UXCost beside it.

    Parameters
    ----------
    outcomes : Outcome or sequence of Outcome
    ax : sequence of two matplotlib Axes, optional
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure
    """
    results = results_of(outcomes)
    tasks = list(dict.fromkeys(name for one in results for name in one.outcome.problem.task_names))
    factors = np.zeros((2, len(results), len(tasks)))
    for i, one in enumerate(results):
        factors[:, i, [tasks.index(name) for name in one.outcome.problem.task_names]] = factors_of(one.outcome)
    labels = [f"{one.label}: {digits(one.outcome.metrics.uxcost)}" for one in results]
    columns = 2 if width_inches >= WIDE_INCHES else 1
    with drawing(ax, 2, (width_inches, BAR_INCHES * len(results) + 0.55, 0.35), columns, sharey=True) as (figure, panels):
        for panel, values, told in zip(panels, factors, ("violation rates", "normalised energies"), strict=True):
            stack(panel, values, labels)
            panel.set_xlabel(f"sum of {told}")
        legend(figure, panels, part_handles(tasks), is_own=ax is None)
    return figure
