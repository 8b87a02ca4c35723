"""Policies side by side, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.errors import InputError, listed, quoted
from rtsched.metrics import SCALARS
from rtsched.report.figures.results import told
from rtsched.report.figures.style import PAGE_INCHES, colour_of, drawing, grid, panel_columns
from rtsched.report.palette import slots
from rtsched.report.text import scale
from rtsched.study.compare import Comparison

__all__ = ["comparison"]

MIN_PANEL_INCHES = 1.9
BAR_INCHES = 0.2


def comparison(found: Comparison, metrics: Sequence[str] | None = None, *, ax: Any = None, width_inches: float = PAGE_INCHES) -> Any:
    """Draw the means of metrics over seeds with their 95 % intervals: a panel for each metric, a bar for each policy.

    Parameters
    ----------
    found : Comparison
    metrics : sequence of str, optional
        Of those that were compared.  Default: all of them.
    ax : matplotlib Axes or sequence of them, optional
        As many as metrics.
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    rtsched.errors.InputError
        A metric was not compared.
    """
    chosen = list(metrics or found.metrics)
    unknown = [one for one in chosen if one not in found.metrics]
    if unknown:
        raise InputError(f"metrics: {quoted(unknown[0])} was not compared; {listed(found.metrics)} were")
    colours = [colour_of(slot) for slot in slots(found.policies)]
    columns = panel_columns(width_inches, MIN_PANEL_INCHES)
    inches = BAR_INCHES * len(found.policies) + 0.65
    with drawing(ax, len(chosen), (width_inches, inches, 0.0), columns, sharey=True) as (figure, panels):
        for panel, metric in zip(panels, chosen, strict=True):
            _panel(panel, found, metric, colours)
        for panel in panels[:: columns if ax is None else 1]:
            panel.set_yticks(range(len(found.policies)), [told(one) for one in found.policies])
    return figure


def _panel(ax: Any, found: Comparison, metric: str, colours: Sequence[str]) -> None:
    estimates, unit = found.means[found.metrics.index(metric)], SCALARS[metric].unit
    factor = 1e-9 if unit == "ns" else 1.0
    divisor, prefix = scale(float(np.nanmax(np.abs(estimates.mean), initial=0)) * factor) if unit in ("ns", "J") else (1.0, "")
    mean, low, high = (values * factor / divisor for values in (estimates.mean, estimates.low, estimates.high))
    y = np.arange(len(colours))
    ax.barh(y, mean, height=0.72, color=colours)
    known = np.isfinite(mean) & np.isfinite(low)
    ends = np.maximum([(mean - low)[known], (high - mean)[known]], 0)
    for colour, points in (("white", 2.2), ("black", 0.8)):  # seen on dark bars and on light ones
        ax.errorbar(mean[known], y[known], xerr=ends, linestyle="", color=colour, linewidth=points, capsize=2, capthick=points)
    named = "UXCost" if metric == "uxcost" else metric.removesuffix("_ns").removesuffix("_j").replace("_", " ")
    told_unit = {"ns": f", {prefix}s", "J": f", {prefix}J"}.get(unit, f", {unit}" if unit else "")
    ax.set(ylim=(len(colours) - 0.5, -0.5), xlabel=f"{named}{told_unit}\n{SCALARS[metric].better} is better")
    grid(ax, "x")
