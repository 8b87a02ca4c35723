"""What figures share: outcomes with their names, legends, bars that are made of parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.errors import InputError
from rtsched.outcome import Outcome
from rtsched.report.figures.style import grid, look_of
from rtsched.report.html.results import Result, labelled
from rtsched.report.text import name

__all__ = ["LETTER_INCHES", "legend", "part_handles", "results_of", "stack", "told"]

LETTER_INCHES = 0.062
"""About the width of a letter of a legend."""

MAX_LETTERS = 28


def told(text: str) -> str:
    """A name as text that is not read as a formula, and not longer than there is room."""
    shown = str(name(text))
    return (shown if len(shown) <= MAX_LETTERS else shown[: MAX_LETTERS - 1] + "…").replace("$", r"\$")


def results_of(outcomes: Outcome | Sequence[Outcome]) -> list[Result]:
    """One or several outcomes with the names by which a figure tells them apart.

    Raises
    ------
    rtsched.errors.InputError
        There is none.
    """
    given = [outcomes] if isinstance(outcomes, Outcome) else list(outcomes)
    if not given:
        raise InputError("outcomes: must be at least one")
    return labelled([("", one) for one in given])


def legend(figure: Any, panels: Sequence[Any], handles: Sequence[Any], *, is_own: bool) -> None:
    """Above a figure of its own, else within the first of the caller's axes."""
    if not is_own:
        panels[0].legend(handles=handles, fontsize=6, frameon=False)
        return
    letters = max(len(one.get_label()) for one in handles)
    columns = max(1, min(len(handles), int(figure.get_size_inches()[0] / (LETTER_INCHES * letters + 0.4))))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=7, handlelength=1.6, columnspacing=1.2
    )


def part_handles(parts: Sequence[str]) -> list[Any]:
    """What the areas of a stack are."""
    from matplotlib.patches import Patch

    return [Patch(label=told(part), edgecolor="white", linewidth=0, **look_of(i)) for i, part in enumerate(parts)]


def stack(ax: Any, values: np.ndarray, labels: Sequence[str]) -> None:
    """Horizontal bars that are made of parts, the first one on top.

    Parameters
    ----------
    ax : matplotlib Axes
    values : ndarray of float64, shape (n_bars, n_parts)
    labels : sequence of str
    """
    left = np.zeros(len(values))
    for i, part in enumerate(values.T):
        ax.barh(np.arange(len(values)), part, left=left, height=0.72, edgecolor="white", linewidth=0.3, **look_of(i))
        left += part
    ax.set_yticks(range(len(labels)), [told(one) for one in labels])
    ax.set_ylim(len(values) - 0.4, -0.6)
    grid(ax, "x")
