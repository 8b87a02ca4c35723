"""Who ran where, and which deadlines were missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from rtsched.metrics.metrics import MET
from rtsched.outcome import Outcome
from rtsched.report.figures.results import legend, part_handles, told
from rtsched.report.figures.style import PAGE_INCHES, drawing, look_of
from rtsched.testing.tables import sound_tables
from rtsched.timeline import Bars, bars_of, thinned, tile_names, violated, worst_window

__all__ = ["timeline"]

ROW_INCHES = 0.17
DOTS, MAX_BARS = 2000, 8000
LETTER_POINTS, POINTS = 3.6, 72
"""Width of a letter in a bar, and points of an inch."""


def timeline(
    outcome: Outcome, from_ns: int | None = None, to_ns: int | None = None, *, ax: Any = None, width_inches: float = PAGE_INCHES
) -> Any:
    """Draw jobs on tiles over time, and below the deadlines of each task: a line for one that was met, a cross for one that was not.

    Parameters
    ----------
    outcome : Outcome
        With its layers.
    from_ns, to_ns : int, optional
        The window.  Default: of the 100 ms with most missed deadlines.
    ax : matplotlib Axes, optional
    width_inches : float
        Of a figure of its own.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    rtsched.errors.InputError
        Layers were not recorded, or their rows mean nothing.
    """
    sound_tables(outcome, ("layers",))
    worst = worst_window([outcome])
    window = (worst[0] if from_ns is None else from_ns, worst[1] if to_ns is None else to_ns)
    bars = thinned(bars_of(outcome, *window), *window, DOTS, MAX_BARS)
    tiles, tasks = tile_names(outcome), outcome.problem.task_names
    rows = len(tiles) + len(tasks)
    with drawing(ax, 1, (width_inches, ROW_INCHES * rows + 0.4, 0.35)) as (figure, (panel,)):
        _bars(panel, bars)
        _names(panel, bars, tasks, window, width_inches - 0.9)
        _deadlines(panel, outcome, window, len(tiles))
        panel.axhline(len(tiles) - 0.5, color="#888888", linewidth=0.4)
        panel.set_yticks(range(rows), [told(one) for one in (*tiles, *tasks)])
        panel.tick_params(axis="y", length=0)
        panel.set(
            xlim=(window[0] * 1e-6, window[1] * 1e-6), ylim=(rows - 0.4, -0.6), xlabel="time, ms" + (", thinned" if bars.is_thinned else "")
        )
        seen = sorted({*bars.task.tolist()})
        legend(figure, [panel], [part_handles(tasks)[i] for i in seen] + _marks(), is_own=ax is None)
    return figure


def _bars(ax: Any, bars: Bars) -> None:
    """One collection of rectangles for each task."""
    from matplotlib.collections import PolyCollection

    left, right, low, high = bars.start_ns * 1e-6, bars.end_ns * 1e-6, bars.lane - 0.38, bars.lane + 0.38
    corners = np.stack([np.stack([x, y], axis=1) for x, y in ((left, low), (right, low), (right, high), (left, high))], axis=1)
    for task in np.unique(bars.task).tolist():
        look = look_of(task)
        edge = {"edgecolor": "white", "linewidth": 0.3} if look["hatch"] else {"linewidth": 0}
        ax.add_collection(PolyCollection(corners[bars.task == task], **look, **edge))


def _names(ax: Any, bars: Bars, tasks: tuple[str, ...], window: tuple[int, int], inches: float) -> None:
    """The task's name in each bar that is long enough."""
    from rtsched.report.palette import ON_AREAS

    points = (bars.end_ns - bars.start_ns) / (window[1] - window[0]) * inches * POINTS
    for i in np.flatnonzero(points > 4 * LETTER_POINTS).tolist():
        task = int(bars.task[i])
        shown = told(tasks[task])
        if points[i] > LETTER_POINTS * (len(shown) + 1):
            place = (bars.start_ns[i] + bars.end_ns[i]) * 0.5e-6, bars.lane[i] + 0.02
            ax.annotate(shown, place, ha="center", va="center", fontsize=6, color=ON_AREAS[task % len(ON_AREAS)])


def _deadlines(ax: Any, outcome: Outcome, window: tuple[int, int], first: int) -> None:
    jobs, missed = outcome.jobs, violated(outcome)
    inside = (jobs["deadline_ns"] > window[0]) & (jobs["deadline_ns"] <= window[1])
    for chosen, look in ((inside & (jobs["status"] == MET), MET_MARK), (inside & missed, MISSED_MARK)):
        ax.plot(jobs["deadline_ns"][chosen] * 1e-6, first + jobs["task"][chosen], linestyle="", **look)


MET_MARK: dict[str, Any] = {"marker": "|", "color": "#555555", "markersize": 5, "markeredgewidth": 0.8}
MISSED_MARK: dict[str, Any] = {"marker": "x", "color": "#b3261e", "markersize": 4.5, "markeredgewidth": 1.2}


def _marks() -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], label=label, linestyle="", **look) for label, look in (("deadline met", MET_MARK), ("deadline missed", MISSED_MARK))
    ]
