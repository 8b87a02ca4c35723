"""The platforms that a search ran, as a picture: what PEs and energy buy.

Needs matplotlib, which is imported when a picture is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rtsched.report.figures.style import drawing, grid, label, to_bytes
from rtsched.report.palette import HUES
from rtsched.report.text import scale

if TYPE_CHECKING:
    from rtsched.study.explore.exploration import Evaluated, Exploration

__all__ = ["draw_exploration"]

SIZE_INCHES = (7.0, 2.4, 0.5)

REST: dict[str, Any] = {"color": "#bbbbbb", "marker": ".", "s": 8, "linewidths": 0}
FRONT: dict[str, Any] = {"color": HUES["blue"], "marker": "o", "s": 18, "linewidths": 0}
SMALLEST: dict[str, Any] = {"color": HUES["vermilion"], "marker": "*", "s": 110, "linewidths": 0.4, "edgecolors": "white"}

LINEAR_PERCENT = 1.0
"""Below as many per cent the axis of violations is linear, so that 0 has a place; above it is logarithmic."""

ROOM = 1.3

MOST_ENERGY = 3.0
"""Energy per met job that the second panel shows, times that of the smallest platform that meets the target."""


def draw_exploration(found: Exploration, suffix: str) -> bytes:
    """Draw the violation rate of every platform that ran, over its PEs and over its energy per met job.

    Platforms that need much more energy per met job than the others are left out of the second panel: they meet next to nothing.

    Parameters
    ----------
    found : Exploration
    suffix : str
        One of `rtsched.report.roofline.SUFFIXES`.

    Returns
    -------
    bytes
        The file; the same for the same exploration and version of matplotlib.

    Raises
    ------
    rtsched.errors.InputError
        Matplotlib is not installed.
    """
    rest = [one for one in found.evaluated if one not in found.front]
    smallest = [] if found.smallest is None else [found.smallest]
    usual_j = min((one.energy_per_met_j for one in smallest or found.front), default=math.nan)
    divisor, prefix = scale(usual_j)
    with drawing(None, 2, SIZE_INCHES, sharey=True) as (figure, (by_pes, by_energy)):
        for rows, look in ((rest, REST), (found.front, FRONT), (smallest, SMALLEST)):
            _dots(by_pes, rows, lambda one: one.candidate.n_pes, look)
            close = [one for one in rows if one.energy_per_met_j <= MOST_ENERGY * usual_j]
            _dots(by_energy, close, lambda one: one.energy_per_met_j / divisor, look)
        for ax in (by_pes, by_energy):
            ax.axhline(100 * (1 - found.meet), color="black", linewidth=0.6, linestyle="--")
            grid(ax)
        if found.evaluated:  # an axis without a dot cannot be logarithmic
            by_pes.set_xscale("log", base=2)
        by_pes.xaxis.set_major_formatter("{x:,.0f}")
        by_pes.set_yscale("symlog", linthresh=LINEAR_PERCENT)
        by_pes.set(ylim=(-0.1 * LINEAR_PERCENT, 100 * ROOM), xlabel="PEs", ylabel="violated, % of jobs")
        by_pes.yaxis.set_major_formatter("{x:g}")
        by_energy.set_xlabel(f"energy, {prefix}J per met job")
        _legend(figure, found)
        problem = found.problem
        figure.suptitle(
            f"{label(problem.scenario_name)} on platforms made of {label(problem.platform_name)}, {label(found.policy)}", fontsize=9
        )
        return to_bytes(figure, suffix)


def _dots(ax: Any, rows: Sequence[Evaluated], x: Any, look: dict[str, Any]) -> None:
    ax.scatter([x(one) for one in rows], [100 * one.violation_rate for one in rows], **look, zorder=3)


def _legend(figure: Any, found: Exploration) -> None:
    from matplotlib.lines import Line2D

    looks = {"other platforms": REST, "front": FRONT}
    if found.smallest is not None:
        looks[f"smallest: {found.smallest.candidate.mix}"] = SMALLEST
    handles = [
        Line2D([], [], linestyle="", marker=look["marker"], color=look["color"], markersize=look["s"] ** 0.5, label=text, markeredgewidth=0)
        for text, look in looks.items()
    ]
    handles.append(Line2D([], [], color="black", linewidth=0.6, linestyle="--", label=f"target: {100 * found.meet:g} % met"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=7)
