"""Section: the policies in each cell."""

from __future__ import annotations

from rtsched.report.html.markup import Html, note, numbers, table, words
from rtsched.report.html.study.subject import MAX_CELLS, StudySubject, Unit
from rtsched.report.study import coordinates, headings, rank_text
from rtsched.report.text import NOTHING
from rtsched.study.statistics import RankedValues
from rtsched.study.sweep.findings import seeds_of

__all__ = ["section"]


def section(subject: StudySubject) -> Html:
    """For each metric the cells below each other; then a table for each cell."""
    question = subject.question
    if not subject.cells:
        return note("No run is there.")
    n_all = int(subject.runs.is_there.any(axis=(1, 2)).sum())
    told = note(
        "A mean over seeds, and the rank: 1 + the number of policies that are better with an interval of the paired difference that "
        "leaves out 0. A = behind it: another policy ties with this one. Rank 1 is bold. With many cells some show a difference that is "
        "none. Seeds needed are those that would tell the difference to "
        f"{question.baseline} to +-{100 * question.precision:g} % of its mean."
    )
    more = note(f"The first {MAX_CELLS} of {n_all:,} cells; rtsched study show --json has all.") if n_all > MAX_CELLS else ""
    partial = ""
    if not all(map(subject.is_whole, subject.cells)):
        partial = note("In partial cells, means are over the seeds that are there, and there is no rank.")
    overview = "".join(_overview(subject, m) for m in range(len(question.metrics)))
    own = "".join(_cell(subject, cell, ranked) for cell, ranked in zip(subject.cells, subject.ranked, strict=True))
    return Html(told + partial + more + overview + "<h3>Cell by cell</h3>" + numbers(Html(own)))


def _overview(subject: StudySubject, m: int) -> Html:
    """A metric: cells below, policies beside each other."""
    names = headings(subject.runs) or ["cell"]
    metric = subject.question.metrics[m]
    unit = Unit.of(metric, subject.values(metric))
    rows = []
    for cell, ranked in zip(subject.cells, subject.ranked, strict=True):
        means = [unit.mean(ranked.means[m, i]) for i in range(len(subject.policies))]
        if subject.is_whole(cell):
            means = [f"{mean} {rank_text(ranked, i, m)}" for i, mean in enumerate(means)]
        is_best = [subject.is_whole(cell) and rank == 1 for rank in ranked.ranks[m].tolist()]
        marked = [Html(f"<strong>{words(one)}</strong>") if best else one for one, best in zip(means, is_best, strict=True)]
        own = [str(one) for one in coordinates(subject.runs, cell)]
        rows.append([*(own or [subject.where(cell)]), *marked])
    return table(f"{unit.titled(metric)}, by cell: mean and rank", [*names, *subject.policies], rows, n_words=len(names))


def _cell(subject: StudySubject, cell: int, ranked: RankedValues) -> Html:
    """Every metric of every policy, the best first."""
    rows = []
    for m, metric in enumerate(subject.question.metrics):
        unit = Unit.of(metric, ranked.values[m])
        ranks = ranked.ranks[m].tolist() if subject.is_whole(cell) else [0] * len(subject.policies)
        for i in sorted(range(len(ranks)), key=lambda i: (ranks[i] or len(ranks) + 1, i)):
            found = ranked.means[m, i]
            rank = Html("<strong>1</strong>") if ranks[i] == 1 else str(ranks[i] or NOTHING)
            n_needed, ties = _needed(subject, ranked, m, i) if subject.is_whole(cell) else (NOTHING, "")
            rows.append(
                [subject.policies[i], unit.titled(metric), rank, unit.mean(found), unit.interval(found), f"{found.n}", n_needed, ties]
            )
    there = subject.runs.is_there[cell]
    partial = "" if subject.is_whole(cell) else f" (partial: {there.sum():,} of {there.size:,} runs)"
    columns = ["policy", "metric", "rank", "mean", "95 % interval", "seeds", "needed", "ties with"]
    return table(f"{subject.where(cell)}{partial}", columns, rows, n_words=2, n_prose=1)


def _needed(subject: StudySubject, ranked: RankedValues, m: int, i: int) -> tuple[str, str]:
    """How many seeds it takes to tell a policy from the baseline, and which others tie with it."""
    n_seeds = None if i == subject.question.base else seeds_of(subject.question, ranked, m, i)
    ties = [name for j, name in enumerate(subject.policies) if j != i and ranked.is_tie(m, i, j)]
    return f"{n_seeds:,}" if n_seeds else NOTHING, ", ".join(ties)
