"""How busy tiles and DRAM were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.outcome import Outcome
from rtsched.report.figures.results import legend, results_of, told
from rtsched.report.figures.style import COLUMN_INCHES, colour_of, drawing, grid
from rtsched.timeline import tile_names

__all__ = ["utilisation"]

DRAM = "DRAM"
BAR_INCHES, GAP_INCHES = 0.11, 0.1


def utilisation(outcomes: Outcome | Sequence[Outcome], *, ax: Any = None, width_inches: float = COLUMN_INCHES) -> Any:
    """Draw the part of the time that each tile was busy, and the part of its peak that the DRAM delivered: a bar for each outcome.

    Parameters
    ----------
    outcomes : Outcome or sequence of Outcome
    ax : matplotlib Axes, optional
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure
    """
    from matplotlib.patches import Patch

    results = results_of(outcomes)
    values = [dict(zip(tile_names(one.outcome), one.outcome.metrics.utilisation.tolist(), strict=True)) for one in results]
    names = [*dict.fromkeys(name for one in values for name in one), DRAM]
    for one, own in zip(results, values, strict=True):
        own[DRAM] = one.outcome.metrics.memory_utilisation
    inches = len(names) * (BAR_INCHES * len(results) + GAP_INCHES) + 0.4
    with drawing(ax, 1, (width_inches, inches, 0.3)) as (figure, (panel,)):
        thick = 0.78 / len(results)
        for i, (one, own) in enumerate(zip(results, values, strict=True)):
            y = np.arange(len(names)) + (i - (len(results) - 1) / 2) * thick
            panel.barh(y, [100 * own.get(name, np.nan) for name in names], height=thick * 0.92, color=colour_of(one.colour))
        panel.axhline(len(names) - 1.5, color="#888888", linewidth=0.4)
        panel.set_yticks(range(len(names)), [told(name) for name in names])
        panel.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.5), xlabel="busy; of the DRAM's peak, %")
        grid(panel, "x")
        handles = [Patch(label=told(one.label), color=colour_of(one.colour)) for one in results]
        legend(figure, [panel], handles, is_own=ax is None)
    return figure
