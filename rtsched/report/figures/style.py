"""How figures for papers look, and how they are written: widths of columns, letters that stay letters, no date.

Needs matplotlib, which is imported when something is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import PurePath
from typing import Any

from rtsched.errors import InputError
from rtsched.report.palette import AREAS, LINES

__all__ = [
    "COLUMN_INCHES",
    "PAGE_INCHES",
    "SETTINGS",
    "SUFFIXES",
    "UNDATED",
    "colour_of",
    "drawing",
    "grid",
    "label",
    "line_of",
    "look_of",
    "matplotlib_parts",
    "panel_columns",
    "save",
    "suffix_of",
    "to_bytes",
]

SUFFIXES = (".png", ".svg", ".pdf")

COLUMN_INCHES, PAGE_INCHES = 3.3, 7.0
"""Widths of one column and of both."""

HATCHES = ("", "////", "....", "xxxx")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 1.5)),
    (0, (1.5, 1.5)),
    (0, (7, 1.5, 1.5, 1.5)),
    (0, (3.5, 1.5)),
    (0, (1, 1.5)),
    (0, (9, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
)

SETTINGS = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "svg.hashsalt": "rtsched",  # else every file has other identifiers
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # letters stay letters: journals ask for it
}

UNDATED: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Metadata that leave the date out: the same inputs give the same bytes."""


def suffix_of(path: str, known: Sequence[str] = SUFFIXES) -> str:
    """Return which of the known suffixes a file has.

    Raises
    ------
    rtsched.errors.InputError
        None of them.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in known:
        raise InputError(f"{path}: must end in {', '.join(known[:-1])} or {known[-1]}")
    return suffix


def matplotlib_parts() -> tuple[Any, Any]:
    """Import what draws: ``rc_context`` and ``Figure``.

    Raises
    ------
    rtsched.errors.InputError
        Matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("pictures need matplotlib: pip install 'rtsched[plot]'") from None
    return rc_context, Figure


def label(name: str) -> str:
    """The end of a name, as text that is not read as a formula."""
    shown = name if name.isprintable() else repr(name)[1:-1]
    return (shown if len(shown) <= 24 else "…" + shown[-23:]).replace("$", r"\$")


def look_of(task: int) -> dict[str, Any]:
    """Colour and hatch of a task or of a part, by its number: the same in every picture of a scenario."""
    return {"facecolor": AREAS[task % len(AREAS)], "hatch": HATCHES[task // len(AREAS) % len(HATCHES)]}


def colour_of(slot: int) -> str:
    """Colour of a policy, by its number in `rtsched.report.palette.slots`."""
    return LINES[slot % len(LINES)]


def line_of(slot: int) -> dict[str, Any]:
    """Colour and dashes of a policy, by its number in `rtsched.report.palette.slots`."""
    return {"color": colour_of(slot), "linestyle": DASHES[slot % len(DASHES)]}


@contextmanager
def drawing(
    ax: Any, n_panels: int, inches: tuple[float, float, float], columns: int | None = None, **shared: Any
) -> Iterator[tuple[Any, list[Any]]]:
    """A figure with panels, in the style of all of them; or the panels that the caller has.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of them, or None
        As many as there are panels; None for a figure of its own.
    n_panels : int
    inches : tuple of float
        Width of the figure, height of a row of panels, and height of the legend.
    columns : int, optional
        Panels side by side.  Default: all.
    **shared
        For ``Figure.subplots``.

    Yields
    ------
    figure : matplotlib Figure
    panels : list of matplotlib Axes

    Raises
    ------
    rtsched.errors.InputError
        Matplotlib is not installed, or there are not as many axes as panels.
    """
    rc_context, figure_class = matplotlib_parts()
    with rc_context(SETTINGS):
        if ax is not None:
            panels = list(ax) if isinstance(ax, Sequence) or hasattr(ax, "__iter__") else [ax]
            if len(panels) != n_panels:
                raise InputError(f"ax: must be {n_panels} axes, one for each panel, got {len(panels)}")
            yield panels[0].figure, panels
            return
        columns = min(columns or n_panels, n_panels)
        rows = -(-n_panels // columns)
        figure = figure_class(figsize=(inches[0], inches[1] * rows + inches[2]), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **shared)
        for one in axes.flat[n_panels:]:
            one.set_visible(False)
        yield figure, list(axes.flat[:n_panels])


def grid(ax: Any, axis: str = "both") -> None:
    """Thin grey lines below everything else."""
    ax.grid(True, axis=axis, linewidth=0.3, color="#cccccc")
    ax.set_axisbelow(True)


def panel_columns(width_inches: float, least_inches: float, most: int = 3) -> int:
    """How many panels stand side by side in a figure."""
    return max(1, min(most, int(width_inches / least_inches)))


def to_bytes(figure: Any, suffix: str) -> bytes:
    """A figure as a file: the same bytes for the same figure and version of matplotlib."""
    rc_context, _ = matplotlib_parts()
    file = BytesIO()
    with rc_context(SETTINGS):
        figure.savefig(file, format=suffix[1:], dpi=300, metadata=UNDATED[suffix])
    return file.getvalue()


def save(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a figure: letters stay letters in PDF and SVG, there is no date in it, and the file is whole or not there.

    Parameters
    ----------
    figure : matplotlib Figure
    path : str or path
        ``.pdf``, ``.svg`` or ``.png``.

    Raises
    ------
    rtsched.errors.InputError
        Another suffix, or it cannot be written.
    """
    from rtsched.report import files

    suffix = suffix_of(os.fspath(path))
    files.write(os.fspath(path), [to_bytes(figure, suffix)])
