"""The DRAM's bandwidth over time as a picture: who is given how much, and under which caps.

Needs matplotlib, which is imported when a picture is drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rtsched.errors import InputError
from rtsched.outcome import Outcome
from rtsched.report.bandwidth import Steps, steps_of
from rtsched.report.figures.style import SETTINGS, grid, label, look_of, matplotlib_parts, to_bytes
from rtsched.report.palette import AREAS as COLOURS

__all__ = ["COLOURS", "draw_bandwidth", "look_of"]

WIDTH_INCHES = 7.0
DEMAND_INCHES, SHARE_INCHES, CAP_INCHES = 1.0, 2.4, 1.4
"""Heights of the panels: what is demanded may be many times what is delivered, so it has one of its own."""

DRAM_LINE: dict[str, Any] = {"color": "black", "linewidth": 1.3}
DEMAND_LINE: dict[str, Any] = {"color": "#555555", "linewidth": 0.6}

ROOM = 1.06
"""Height of a panel over its highest line."""


def draw_bandwidth(outcome: Outcome, suffix: str, from_ns: int, to_ns: int) -> bytes:
    """Draw what layers demand of the DRAM, what those of each task are given, stacked, and their caps.

    The panel of caps is left out when nobody has one. A task has the same colour whatever the window.

    Parameters
    ----------
    outcome : Outcome
        With its rates.
    suffix : str
        One of `rtsched.report.figures.style.SUFFIXES`.
    from_ns, to_ns : int
        The window.

    Returns
    -------
    bytes
        The file; the same for the same outcome and version of matplotlib.

    Raises
    ------
    rtsched.errors.InputError
        Matplotlib is not installed, or nothing draws from the DRAM in the window.
    """
    rc_context, figure_class = matplotlib_parts()
    steps = steps_of(outcome, from_ns, to_ns)
    if not steps.demand.any():
        raise InputError(f"no layer draws from the DRAM between {from_ns * 1e-6:g} and {to_ns * 1e-6:g} ms")
    with rc_context(SETTINGS):
        heights = [DEMAND_INCHES, SHARE_INCHES, *([CAP_INCHES] if steps.caps else [])]
        figure = figure_class(figsize=(WIDTH_INCHES, sum(heights) + 0.5), layout="constrained")
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _demand(axes[0], steps)
        _shares(axes[1], steps)
        if steps.caps:
            _caps(axes[2], steps)
        for ax in axes:
            grid(ax, "y")
        figure.align_ylabels(axes)
        axes[-1].set_xlabel("time, ms" + ("" if steps.mean_over_ns is None else f" (means over {_time(steps.mean_over_ns)})"))
        axes[-1].set_xlim(from_ns * 1e-6, to_ns * 1e-6)
        _legend(figure, outcome, steps)
        figure.suptitle(_heading(outcome), fontsize=9)
    return to_bytes(figure, suffix)


def _demand(ax: Any, steps: Steps) -> None:
    """The demand of all layers, and the line above which it is not met."""
    edges = steps.edges_ns * 1e-6
    ax.stairs(steps.demand, edges, fill=True, color="#dddddd", linewidth=0)
    ax.stairs(steps.demand, edges, baseline=None, **DEMAND_LINE)
    ax.stairs(steps.bandwidth, edges, baseline=None, **DRAM_LINE)
    ax.set(ylabel="demand, GB/s", ylim=(0, ROOM * max(steps.demand.max(), steps.bandwidth.max())))


def _shares(ax: Any, steps: Steps) -> None:
    """Stacked allocations under what the DRAM delivers."""
    edges = steps.edges_ns * 1e-6
    below = np.zeros(len(edges) - 1)
    for task in np.flatnonzero(steps.allocation.any(axis=1)).tolist():
        above = below + steps.allocation[task]
        ax.stairs(above, edges, baseline=below, fill=True, linewidth=0, edgecolor="white", **look_of(task))
        below = above
    ax.stairs(steps.bandwidth, edges, baseline=None, **DRAM_LINE)
    ax.set(ylabel="allocation, GB/s", ylim=(0, ROOM * steps.bandwidth.max()))


def _caps(ax: Any, steps: Steps) -> None:
    """The caps of running layers, where they have one."""
    edges = steps.edges_ns * 1e-6
    for task, caps in steps.caps:
        ax.stairs(caps, edges, baseline=None, color=look_of(task)["facecolor"], linewidth=1.1)
    ax.set(ylabel="caps, GB/s", ylim=(0, ROOM * max(np.nanmax(caps) for _, caps in steps.caps)))


def _legend(figure: Any, outcome: Outcome, steps: Steps) -> None:
    """The tasks that are seen, and the two lines."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    seen = np.flatnonzero(steps.allocation.any(axis=1)).tolist()
    handles: list[Any] = [
        Patch(label=label(outcome.problem.task_names[task]), edgecolor="white", linewidth=0, **look_of(task)) for task in seen
    ]
    handles += [Line2D([], [], label="DRAM delivers", **DRAM_LINE), Line2D([], [], label="layers demand", **DEMAND_LINE)]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=7)


def _heading(outcome: Outcome) -> str:
    problem = outcome.problem
    return f"{label(problem.scenario_name)} on {label(problem.platform_name)}, {label(outcome.policy)}, seed {outcome.seed}"


def _time(ns: float) -> str:
    return f"{ns * 1e-6:.3g} ms" if ns >= 1e6 else f"{ns * 1e-3:.3g} µs"
