"""How long jobs take: the share that had ended after so long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.errors import InputError, listed, quoted
from rtsched.outcome import Outcome
from rtsched.report.figures.results import legend, results_of, told
from rtsched.report.figures.style import PAGE_INCHES, drawing, line_of, panel_columns
from rtsched.report.html.latency import curve_of

__all__ = ["latency"]

MIN_PANEL_INCHES = 1.7
HEIGHT_INCHES, LEGEND_INCHES = 1.55, 0.4


def latency(
    outcomes: Outcome | Sequence[Outcome], tasks: Sequence[str] | None = None, *, ax: Any = None, width_inches: float = PAGE_INCHES
) -> Any:
    """Draw the distribution of response times, with the deadline: a panel for each task, a line for each outcome.

    Response times count from where the deadline counts from. A line ends below 100 % where jobs were dropped, suppressed or
    unfinished.

    Parameters
    ----------
    outcomes : Outcome or sequence of Outcome
    tasks : sequence of str, optional
        Default: all with a job that counts.
    ax : matplotlib Axes or sequence of them, optional
        As many as tasks.
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    rtsched.errors.InputError
        There is no such task, or none has a job that counts.
    """
    from matplotlib.lines import Line2D

    results = results_of(outcomes)
    known = list(dict.fromkeys(name for one in results for name in one.outcome.problem.task_names))
    unknown = [one for one in tasks or () if one not in known]
    if unknown:
        raise InputError(f"tasks: there is no {quoted(unknown[0])}; there are {listed(known)}")
    curves = {task: [(one, curve) for one in results if (curve := curve_of(one, task)) is not None] for task in tasks or known}
    shown = [task for task, found in curves.items() if found or tasks]
    if not any(curves.values()):
        raise InputError("outcomes: no job counts, so there are no response times")
    columns = panel_columns(width_inches, MIN_PANEL_INCHES)
    with drawing(ax, len(shown), (width_inches, HEIGHT_INCHES, LEGEND_INCHES), columns, sharey=True) as (figure, panels):
        for panel, task in zip(panels, shown, strict=True):
            _panel(panel, task, curves[task])
        for panel in panels[:: columns if ax is None else 1]:
            panel.set_ylabel("jobs ended, %")
        handles = [Line2D([], [], label=told(one.label), linewidth=1.2, **line_of(one.colour)) for one in results]
        handles.append(Line2D([], [], label="deadline", color="black", linewidth=0.6))
        legend(figure, panels, handles, is_own=ax is None)
    return figure


def _panel(ax: Any, task: str, curves: Sequence[Any]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    ends = [deadline for _, (_, deadline, _) in curves]
    for _, (ms, _, _) in curves:
        ends += [float(ms[0]), float(ms[-1])] if len(ms) else []
    low, high = (min(ends) / 1.3, max(ends) * 1.3) if ends else (1.0, 10.0)
    for one, (ms, _, n) in curves:
        shares = 100.0 * np.arange(1, len(ms) + 1) / n
        x, y = np.concatenate([[low], ms, [high]]), np.concatenate([[0.0], shares, shares[-1:] if len(ms) else [0.0]])
        ax.step(x, y, where="post", linewidth=1.2, **line_of(one.colour))
    for deadline in sorted({deadline for _, (_, deadline, _) in curves}):
        ax.axvline(deadline, color="black", linewidth=0.6)
    ax.set(xscale="log", xlim=(low, high), ylim=(0, 103), title=told(task), xlabel="response time, ms")
    ax.title.set_fontsize(8)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,), numticks=6))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(True, linewidth=0.3, color="#cccccc")
