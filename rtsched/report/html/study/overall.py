"""Sections: the policies over all cells; violated deadlines and energy."""

from __future__ import annotations

import numpy as np

from rtsched.metrics import SCALARS
from rtsched.report.html.markup import Html, figure, grid, note, numbers, table
from rtsched.report.html.study.subject import ALWAYS, Pair, StudySubject, Unit
from rtsched.report.html.svg import WIDTH, Axis, element, picture, text
from rtsched.report.text import NOTHING, digits
from rtsched.study.intervals import Estimates
from rtsched.study.sweep.findings import ratios

__all__ = ["costs", "section"]

ROW = 30.0


def section(subject: StudySubject) -> Html:
    """A table of ratios for each metric."""
    question = subject.question
    if not len(subject.runs.whole):
        return note("No cell has all of its runs.")
    told = note(
        "The geometric mean, over cells and seeds, of a policy's metric over the baseline's, seed by seed. Its 95 % interval is of "
        "resampled seeds, not of other cells or scenarios. Cells in which one of the two is not above 0 under every seed are left out. "
        f"The last column is how many seeds would make it +-{100 * question.precision:g} % wide."
    )
    tables = []
    for metric in question.metrics:
        rows = [
            [
                one.policy,
                digits(one.mean),
                f"{digits(one.low)} to {digits(one.high)}" if one.low == one.low else NOTHING,
                f"{one.n_cells:,}",
                f"{one.n_seeds:,}" if one.n_seeds else NOTHING,
            ]
            for one in ratios(question, metric)
        ]
        tables.append(note(f"{metric}: {SCALARS[metric].meaning}; {SCALARS[metric].better} is better."))
        tables.append(
            table(f"{metric} as a ratio to {question.baseline}", ["policy", "ratio", "95 % interval", "cells", "seeds needed"], rows)
        )
    return Html("".join([told, *tables]))


def costs(subject: StudySubject) -> Html:
    """Violated deadlines and energy of each policy, for each scenario on each platform."""
    if not subject.pairs:
        return note("No cell has all of its runs.")
    drawn, rows, names = [], [], [""] * len(ALWAYS)
    for number, pair in enumerate(subject.pairs):
        own = [[*([pair.label] if pair.label else []), policy] for policy in subject.policies]
        for m, metric in enumerate(ALWAYS):
            found = subject.over_cells(metric, pair.cells)
            unit = Unit.of(metric, subject.values(metric))
            names[m] = unit.titled(metric)
            drawn.append(_whiskers(f"costs-{number}-{metric}", subject, pair, metric, unit, found))
            for i, row in enumerate(own):
                row += [unit.mean(found[i]), unit.interval(found[i])]
        rows += own
    told = note("Means over cells and seeds; the lines are 95 % intervals over seeds. Less is better. Dropping jobs saves energy.")
    where = ["where"] if subject.pairs[0].label else []
    columns = [*where, "policy", *(title for name in names for title in (name, "95 % interval"))]
    return Html(told + grid(drawn) + numbers(table("Violated deadlines and energy", columns, rows, n_words=1 + len(where))))


def _whiskers(name: str, subject: StudySubject, pair: Pair, metric: str, unit: Unit, found: Estimates) -> Html:
    """A dot with its interval for each policy."""
    ends = np.concatenate([found.mean, found.low, found.high]) / unit.divisor
    x = Axis.of(ends, 4.0, WIDTH - 60.0)
    bottom = len(subject.policies) * ROW + 6
    body = []
    for value in x.ticks():
        at = float(x.at(value))
        body.append(element("line", x1=at, x2=at, y1=4.0, y2=bottom, class_="g"))
        body.append(text(f"{value:.6g}", at, bottom + 14, text_anchor="middle"))
    for i, policy in enumerate(subject.policies):
        mean, low, high = (float(one[i]) / unit.divisor for one in (found.mean, found.low, found.high))
        middle, colour = i * ROW + 24, subject.colours[i] % 8
        body.append(text(policy if len(policy) <= 48 else f"{policy[:47]}…", 4, middle - 8))
        if low == low:
            start, end = x.at(np.array([low, high])).tolist()
            body.append(element("line", x1=start, x2=end, y1=middle, y2=middle, class_=f"l s{colour}"))
        if mean == mean:
            body.append(element("circle", cx=float(x.at(mean)), cy=middle, r=3.5, class_=f"b{colour}"))
            body.append(text(digits(mean), WIDTH, middle + 3.5, text_anchor="end"))
    about = "; ".join(f"{policy} {unit.mean(found[i])}" for i, policy in enumerate(subject.policies))
    what = f"{unit.titled(metric)}{f': {pair.label}' if pair.label else ''}"
    return figure(picture(name, what, about, bottom + 20, "".join(body)), what)
