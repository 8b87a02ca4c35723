"""Studies for terminals and notebooks: how policies compare over all cells, and in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rtsched.metrics import SCALARS
from rtsched.report.text import NOTHING, Fitting, digits, facts, json_value, name, table
from rtsched.study.statistics import RankedValues
from rtsched.study.sweep.findings import Question, Ratio, asked, ranked_cells, ratios
from rtsched.study.sweep.model import Study
from rtsched.study.sweep.results import StudyRuns

__all__ = [
    "MAX_CELLS",
    "coordinates",
    "headings",
    "rank_text",
    "seeds_warning",
    "studies_table",
    "study_answer",
    "study_tables",
]

MAX_CELLS = 30
"""Cells in a printed table."""

MAX_VALUE = 30
"""Characters of a value in a printed table."""

FEW_SEEDS = 10
"""Below as many, intervals are told to be too narrow."""


def study_tables(runs: StudyRuns) -> RenderableType:
    """Lay out what a study says with the metrics that it names."""
    return study_answer(asked(runs))


def study_answer(question: Question) -> RenderableType:
    """Lay out what is asked: the policies over all cells for each metric, and the first cells for the first one."""
    runs = question.runs
    parts: list[RenderableType] = [_title(runs), *(Text(one, "bold yellow") for one in _warnings(runs)), ""]
    if not len(runs.whole):
        return Group(*parts[:-1])
    for metric in question.metrics:
        parts += [
            Text.assemble((metric, "bold"), f" over all cells, as a ratio to {question.baseline}"),
            _overall(ratios(question, metric)),
            "",
        ]
    shown = runs.whole[:MAX_CELLS].tolist()
    found = list(ranked_cells(question, question.metrics[:1], shown))
    more = f"; the first {len(shown)} of {len(runs.whole):,}" if len(runs.whole) > len(shown) else ""
    parts += [Text.assemble((question.metrics[0], "bold"), f" by cell: mean and rank{more}")]
    parts += [Fitting(_by_policy(question, found), _by_ranking(question, found)), "", facts(_legend(question))]
    return Group(*parts)


def studies_table(known: Mapping[str, tuple[Study, int]]) -> Table:
    """List studies: how many of their runs are there, and what they are of."""
    made = table(("study", "runs", "of", "scenarios", "policies", "varied"), ("study", "scenarios", "policies", "varied"))
    for one, (study, n_runs) in known.items():
        words = (", ".join(study.scenarios), ", ".join(study.policies), ", ".join(study.paths) or NOTHING)
        made.add_row(name(one), f"{n_runs:,}", f"{study.n_runs:,}", *map(name, words))
    return made


def _title(runs: StudyRuns) -> Text:
    study, grid = runs.study, runs.grid
    about = f"\n{study.description}" if study.description else ""
    sizes = [(grid.n_cells, "cell"), (grid.n_policies, "polic"), (grid.n_seeds, "seed")]
    told = " x ".join(f"{n:,} {what}{('ies' if n != 1 else 'y') if what == 'polic' else '' if n == 1 else 's'}" for n, what in sizes)
    return Text.assemble(name(study.name, "bold"), f": {told}", name(about) if about.isprintable() else Text(about))


def _warnings(runs: StudyRuns) -> list[str]:
    told = []
    n_there = int(runs.is_there.sum())
    if n_there < runs.grid.n_runs:
        cells = f"{len(runs.whole):,} of {runs.grid.n_cells:,} cells have all of theirs and are shown"
        told.append(f"PARTIAL: {n_there:,} of {runs.grid.n_runs:,} runs are there; {cells}")
    if few := seeds_warning(runs.grid.n_seeds):
        told.append(few)
    return told


def seeds_warning(n_seeds: int) -> str:
    """What too few seeds do to intervals; empty where there are enough."""
    if n_seeds == 1:
        return "One seed: there is no interval, and nothing is better or worse beyond doubt"
    return f"Only {n_seeds} seeds: intervals of fewer than {FEW_SEEDS} are too narrow" if n_seeds < FEW_SEEDS else ""


def _overall(found: Sequence[Ratio]) -> Table:
    made = table(("policy", "ratio", "95 % interval", "cells", "seeds needed"), ("policy",))
    for one in found:
        interval = f"{digits(one.low)}..{digits(one.high)}" if one.low == one.low else NOTHING
        made.add_row(name(one.policy), digits(one.mean), interval, f"{one.n_cells:,}", f"{one.n_seeds:,}" if one.n_seeds else NOTHING)
    return made


def _varied(runs: StudyRuns) -> list[str]:
    """Names of the columns that tell cells apart."""
    pairs = {"scenario": runs.study.scenarios, "platform": runs.study.platforms or tuple(runs.platforms.values())}
    return [*(key for key, values in pairs.items() if len(set(values)) > 1), *runs.study.paths]


def headings(runs: StudyRuns) -> list[str]:
    """Names of the columns that tell cells apart, paths as short as they can be told apart."""
    keys = _varied(runs)

    def shortest(key: str) -> str:
        steps = key.split(".")
        endings = (".".join(steps[-n:]) for n in range(1, len(steps)))
        others = [*(one for one in keys if one != key), *runs.study.policies, "ranking"]
        return next((end for end in endings if not any(f".{one}".endswith(f".{end}") for one in others)), key)

    return [shortest(key) for key in keys]


def coordinates(runs: StudyRuns, cell: int) -> list[Text]:
    """What stands in these columns."""
    own = runs.grid.coordinates(cell)
    values: dict[str, Any] = {"scenario": runs.grid.cell(cell).scenario, "platform": runs.platform(cell), **own}
    return [name(_short(values[key])) if key in values else Text() for key in _varied(runs)]


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json_value(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def rank_text(ranked: RankedValues, i: int, m: int = 0) -> str:
    """A policy's rank in a metric, with a sign when another one cannot be told from it."""
    ties = any(ranked.is_tie(m, i, j) for j in range(len(ranked.policies)) if j != i)
    return f"{ranked.ranks[m, i] or NOTHING}{'=' if ties else ''}"


def _by_policy(question: Question, found: Sequence[tuple[int, RankedValues]]) -> Table:
    words = headings(question.runs)
    made = table((*words, *question.policies), words)
    for cell, ranked in found:
        cells = [f"{digits(float(ranked.means.mean[0, i]))} {rank_text(ranked, i):<2}" for i in range(len(question.policies))]
        made.add_row(*coordinates(question.runs, cell), *cells)
    return made


def _by_ranking(question: Question, found: Sequence[tuple[int, RankedValues]]) -> Table:
    """For more policies than there is room for."""
    words = [*headings(question.runs), "ranking"]
    made = table(words, words)
    for cell, ranked in found:
        ranking = ", ".join(f"{question.policies[i]} {rank_text(ranked, i)}" for i in ranked.order)
        made.add_row(*coordinates(question.runs, cell), name(ranking))
    return made


def _legend(question: Question) -> list[tuple[str, str]]:
    rows = [(metric, f"{SCALARS[metric].meaning}; {SCALARS[metric].better} is better") for metric in question.metrics]
    return [
        *rows,
        ("ratio", "geometric mean over cells and seeds, with its 95 % interval over seeds"),
        ("seeds needed", f"for an interval of this ratio of +-{100 * question.precision:g} %, as these seeds let expect"),
        ("rank", "1 + number of policies that are better with an interval of the difference that leaves out 0; =: another one ties"),
    ]
