"""Section: what the study is of, what is there of it, and each policy in short."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.report.html.markup import Html, note, table, words
from rtsched.report.html.study.subject import StudySubject, Unit
from rtsched.report.html.svg import line_sample
from rtsched.report.study import seeds_warning
from rtsched.report.text import digits, json_value
from rtsched.study.sweep.findings import ratios

__all__ = ["section"]

MAX_MISSING = 40
"""Cells in the table of what is missing."""

MAX_VALUES = 12
"""Values of an axis."""


def section(subject: StudySubject) -> Html:
    """Cards of the policies, what is varied, and what is missing."""
    runs = subject.runs
    pieces: list[str] = [note(runs.study.description)] if runs.study.description else []
    if not runs.is_complete:
        pieces.append(f'<p class="bad">{words(_partial(subject))}</p>')
    if few := seeds_warning(runs.grid.n_seeds):
        pieces.append(f'<p class="bad">{words(few)}.</p>')
    pieces.append(_cards(subject) if len(runs.whole) else note("No cell has all of its runs, so nothing is said over all cells."))
    pieces.append(table("What it is of", ["what", "how many", "values"], _axes(subject), n_prose=1))
    if not runs.is_complete:
        pieces.append(_missing(subject))
    return Html("".join(pieces))


def _partial(subject: StudySubject) -> str:
    runs = subject.runs
    there, n_whole, n_cells = int(runs.is_there.sum()), len(runs.whole), runs.grid.n_cells
    return (
        f"Partial: {there:,} of {runs.grid.n_runs:,} runs are there. {n_whole:,} of {n_cells:,} cells have all of theirs; only these are "
        "in what is said over all cells and over an axis. rtsched sweep with the same file runs what is missing."
    )


def _cards(subject: StudySubject) -> str:
    """Every policy over all whole cells, the best first."""
    question = subject.question
    first = question.metrics[0]
    found = ratios(question, first)
    whole = subject.runs.whole
    means = {metric: subject.over_cells(metric, whole).mean for metric in subject.metrics}
    units = {metric: Unit.of(metric, values) for metric, values in means.items()}
    cards = []
    for i in sorted(range(len(found)), key=lambda i: (not math.isfinite(found[i].mean), found[i].mean)):
        one = found[i]
        facts = [(f"{first}, ratio", digits(one.mean))]
        if math.isfinite(one.low) and i != question.base:
            facts.append(("95 % interval", f"{digits(one.low)} to {digits(one.high)}"))
        facts += [
            (f"mean {metric}", f"{digits(float(means[metric][i]) / units[metric].divisor)} {units[metric].name}".strip())
            for metric in subject.metrics
        ]
        rows = "".join(f"<dt>{words(what)}</dt><dd>{words(value)}</dd>" for what, value in facts)
        heading = f"<h3>{line_sample(subject.colours[i])}{words(subject.policies[i])}</h3>"
        cards.append(f'<div class="card">{heading}<dl>{rows}</dl></div>')
    told = note(f"Over {len(whole):,} cells and all seeds. The ratio is to {question.baseline}.")
    return f'<div class="cards">{"".join(cards)}</div>{told}'


def _axes(subject: StudySubject) -> list[list[object]]:
    study, grid = subject.runs.study, subject.runs.grid
    platforms = study.platforms or tuple(dict.fromkeys(subject.runs.platforms.values()))
    rows = [[what, ", ".join(values), f"{len(values):,}"] for what, values in (("scenarios", study.scenarios), ("platforms", platforms))]
    rows.append(["policies", ", ".join(study.policies), f"{grid.n_policies:,}"])
    rows += [[axis.path, _values(axis.values), f"{len(axis.values):,}"] for axis in study.axes]
    if study.points:
        paths = dict.fromkeys(path for point in study.points for path in point)
        rows.append(["points", f"of {', '.join(paths)}" if paths else "", f"{len(study.points):,}"])
    if study.sample is not None:
        drawn = ", ".join(f"{one.path} from {one.low:g} to {one.high:g}" for one in study.sample.over)
        rows.append(["drawn points", drawn, f"{study.sample.n:,}"])
    seeds = f"0 to {study.seeds - 1}" if isinstance(study.seeds, int) else _values(study.seeds)
    rows += [["seeds", seeds, f"{grid.n_seeds:,}"], ["cells", "", f"{grid.n_cells:,}"], ["runs", "", f"{grid.n_runs:,}"]]
    return [[what, n, values] for what, values, n in rows]


def _values(values: Sequence[Any]) -> str:
    told = [json_value(one) for one in values[:MAX_VALUES]]
    return ", ".join(told) + (", ..." if len(values) > MAX_VALUES else "")


def _missing(subject: StudySubject) -> Html:
    """How many runs each policy has in the cells that lack some."""
    runs = subject.runs
    n_there = runs.is_there.sum(axis=2)
    lacking = np.flatnonzero((n_there < runs.grid.n_seeds).any(axis=1))
    rows = [
        [subject.where(cell), *(f"{n} of {runs.grid.n_seeds}" if n < runs.grid.n_seeds else "all" for n in n_there[cell].tolist())]
        for cell in lacking[:MAX_MISSING].tolist()
    ]
    more = f"; the first {MAX_MISSING} of {len(lacking):,} cells" if len(lacking) > MAX_MISSING else ""
    return table(f"What is missing: runs that are there{more}", ["cell", *subject.policies], rows)
