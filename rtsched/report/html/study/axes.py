"""Section: every metric over every axis of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtsched.metrics import SCALARS
from rtsched.report.html.markup import Html, figure, grid, legend, note, numbers, table, words
from rtsched.report.html.study.subject import Pair, StudySubject, Unit, rest_of
from rtsched.report.html.svg import WIDTH, Axis, element, frame, line_sample, picture, polyline
from rtsched.study.intervals import Estimates
from rtsched.study.statistics import estimated
from rtsched.study.sweep.axes import MAX_MAGNITUDE

__all__ = ["Line", "lines_of", "section"]

MAX_POINTS = 40
"""Values of an axis in a figure."""

MAX_FIGURES = 60

HEIGHT = 190.0

WIDE = 30.0
"""Ratio of the largest to the smallest value from which a scale is logarithmic."""


@dataclass(frozen=True)
class Line:
    """An axis in one scenario on one platform.

    Attributes
    ----------
    path : str
    pair : Pair
    values : tuple of float
        Ascending.
    cells : ndarray of int64, shape (n_values, n_others)
        The cells of each value; those in a column differ in nothing else.
    """

    path: str
    pair: Pair
    values: tuple[float, ...]
    cells: NDArray[np.int64]

    def of(self, subject: StudySubject, metric: str) -> Estimates:
        """Means over cells and seeds with their interval over seeds, shape (n_values, n_policies)."""
        return estimated(subject.values(metric)[self.cells].mean(axis=1))


def lines_of(subject: StudySubject) -> list[Line]:
    """Axes with two values or more that are numbers, as far as they are whole."""
    found = []
    for axis in subject.runs.study.axes:
        if len(axis.values) > 1 and all(map(_is_number, axis.values)):
            found += [line for pair in subject.pairs if (line := _line(subject, axis.path, pair)) is not None]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_MAGNITUDE


def _line(subject: StudySubject, path: str, pair: Pair) -> Line | None:
    """The cells of an axis: at every value those that are there at every value, so that nothing else differs."""
    by_value: dict[float, dict[str, int]] = {}
    for number in pair.cells:
        cell = subject.places[number]
        value = {**cell.settings, **cell.of_policies}[path]
        by_value.setdefault(float(value), {})[rest_of(cell, path)] = number
    values = sorted(by_value)
    if len(values) > MAX_POINTS:
        values = [values[i] for i in np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(int).tolist()]
    shared = [rest for rest in by_value[values[0]] if all(rest in by_value[value] for value in values)] if values else []
    if len(values) < 2 or not shared:
        return None
    return Line(path, pair, tuple(values), np.array([[by_value[value][rest] for rest in shared] for value in values]))


def section(subject: StudySubject) -> Html:
    """A figure for each metric, and a table for each axis."""
    lines = lines_of(subject)
    if not lines:
        return note("No axis has two values that are numbers and cells of which every run is there.")
    told = note(
        "Means over seeds and over all cells that differ in nothing else; bands are their 95 % intervals over seeds. A setting of a policy "
        "is a level line for the others. Beyond a ratio of 30 scales are logarithmic."
    )
    pieces = [told]
    n_left = MAX_FIGURES
    for number, line in enumerate(lines):
        metrics = subject.metrics[:n_left]
        n_left -= len(metrics)
        if not metrics:
            pieces.append(note(f"Of {len(lines) - number:,} more axes and scenarios there are no figures."))
            break
        pieces.append(_of_line(subject, number, line, metrics))
    return Html("".join(pieces))


def _of_line(subject: StudySubject, number: int, line: Line, metrics: Sequence[str]) -> Html:
    where = f", {line.pair.label}" if line.pair.label else ""
    drawn, rows = [], []
    for metric in metrics:
        found = line.of(subject, metric)
        unit = Unit.of(metric, found.mean)
        drawn.append(_figure(f"axis-{number}-{metric}", subject, line, metric, unit, found))
        for j, value in enumerate(line.values):
            rows.append([unit.titled(metric), f"{value:.6g}", *(unit.both(found[j, i]) for i in range(len(subject.policies)))])
    n = line.cells.shape[1]
    caption = f"{line.path}{where}: means over {n:,} cell{'' if n == 1 else 's'} each, with 95 % intervals"
    numbered = numbers(table(caption, ["metric", line.path, *subject.policies], rows))
    samples = legend([(line_sample(colour), policy) for colour, policy in zip(subject.colours, subject.policies, strict=True)])
    return Html(f"<h3>{words(line.path + where)}</h3>" + samples + grid(drawn) + numbered)


def _figure(name: str, subject: StudySubject, line: Line, metric: str, unit: Unit, found: Estimates) -> Html:
    x = _scale(np.array(line.values), 40.0, WIDTH - 10.0, has_zero=False)
    ends = np.concatenate([found.mean.ravel(), found.low.ravel(), found.high.ravel()]) / unit.divisor
    y = _scale(ends, HEIGHT - 38, 8.0, has_zero=True)
    path = line.path if len(line.path) <= 50 else f"…{line.path[-49:]}"
    bands, strokes, told = [], [], []
    for i, policy in enumerate(subject.policies):
        colour = subject.colours[i]
        mean, low, high = (one[:, i] / unit.divisor for one in (found.mean, found.low, found.high))
        known = np.isfinite(mean)
        at, level = x.at(np.array(line.values)), y.at(mean)
        sure = known & np.isfinite(low)
        if sure.sum() > 1:
            edge = np.concatenate([at[sure], at[sure][::-1]])
            heights = np.concatenate([y.at(high[sure]), y.at(low[sure])[::-1]])
            corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(edge.tolist(), heights.tolist(), strict=True))
            bands.append(element("polygon", points=corners, class_=f"b{colour % 8} band"))
        if known.any():
            strokes.append(polyline(colour, at[known], level[known]))
            strokes += [
                element("circle", cx=a, cy=b, r=2.4, class_=f"b{colour % 8}")
                for a, b in zip(at[known].tolist(), level[known].tolist(), strict=True)
            ]
        told.append(f"{policy}: " + ", ".join(unit.mean(found[j, i]) for j in range(len(line.values))))
    what = f"{unit.titled(metric)}; {SCALARS[metric].better} is better"
    where = f", {line.pair.label}" if line.pair.label else ""
    body = frame(x, y, path) + "".join(bands) + "".join(strokes)
    return figure(picture(name, f"{metric} over {line.path}{where}", "; ".join(told), HEIGHT, body), what)


def _scale(values: NDArray[np.float64], start: float, end: float, *, has_zero: bool) -> Axis:
    """An axis for values: logarithmic where they differ by orders of magnitude, else, if it shall have it, with 0."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Axis(0.0, 1.0, start, end)
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > WIDE * low:
        return Axis.of(values, start, end, is_log=True)
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    if has_zero:
        return Axis(low - room * (low < 0), high + room * (high > 0 or low == high), start, end)
    return Axis(low - room, high + room, start, end)
