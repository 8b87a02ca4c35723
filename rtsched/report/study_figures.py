"""Figures of studies: vector graphics with one colour and one mark for each policy in all of them.

Needs matplotlib, which is imported when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from rtsched.report.figures.style import drawing, to_bytes
from rtsched.report.palette import BASELINES, HUES, VARIANTS
from rtsched.study.reproduce.tables import Table

__all__ = ["SUFFIX", "can_draw", "figure_of", "legend", "settings_figure", "styles"]

SUFFIX = ".svg"

MARKS = "ovs^D<>PX*hpd"
"""One for each policy, so that figures can be read without colours."""

COLUMNS = 3
PANEL_INCHES = (2.6, 2.1)


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def styles(baselines: Sequence[str], variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and mark of each policy."""
    colours = [BASELINES[i % len(BASELINES)] for i in range(len(baselines))]
    colours += [VARIANTS[i % len(VARIANTS)] for i in range(len(variants))]
    named = (*baselines, *variants)
    return {name: {"color": colours[i], "marker": MARKS[i % len(MARKS)]} for i, name in enumerate(named)}


@contextmanager
def figure_of(
    n_panels: int, size: tuple[float, float] = PANEL_INCHES, columns: int = COLUMNS, **shared: Any
) -> Iterator[tuple[Any, list[Any], BytesIO]]:
    """A figure with panels, which is written into a file at the end."""
    columns, file = min(n_panels, columns), BytesIO()
    with drawing(None, n_panels, (size[0] * columns + 0.4, size[1], 0.6), columns, **shared) as (figure, axes):
        yield figure, axes, file
        file.write(to_bytes(figure, SUFFIX))


def legend(figure: Any, look: Mapping[str, dict[str, Any]], shown: Sequence[str]) -> None:
    """What each colour and mark is, above the panels."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=name, markersize=4, linewidth=1, **look[name]) for name in look if name in shown]
    # What fits beside each other: a name of a policy with its mark takes about 1.2 inches.
    columns = max(1, min(len(handles), int(figure.get_size_inches()[0] / 1.2)))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=7)


def settings_figure(table: Table, metric: str) -> bytes:
    """What each other value of a setting does to a metric, the largest change first."""
    ratio = table.columns[table.columns.index("cells") + 1]
    rows = [row for row in zip(*map(table.column, ("setting", "value", ratio, "low", "high")), strict=True) if row[2] == row[2]]
    height = max(1.2, 0.16 * len(rows))
    label = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 7}
    with figure_of(1, (5.5, height)) as (_, axes, file):
        for place, (setting, value, *numbers) in enumerate(rows):
            mean, low, high = map(float, numbers)
            axes[0].plot([low, high], [-place, -place], color=HUES["blue"], linewidth=1)
            axes[0].plot([mean], [-place], color=HUES["blue"], marker="o", markersize=3)
            axes[0].annotate(f"{setting} = {value}", (0, -place), (-4, 0), **label)
        axes[0].axvline(1, color="black", linewidth=0.6)
        axes[0].set(yticks=[], xlabel=f"{metric} / {metric} with the default")
    return file.getvalue()
