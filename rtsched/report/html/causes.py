"""Section: why jobs were late."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.attribution import PARTS, Attribution
from rtsched.outcome import STATUSES
from rtsched.report.html.markup import Html, figure, legend, note, numbers, table
from rtsched.report.html.results import Result
from rtsched.report.html.svg import area_sample, stacked
from rtsched.report.text import digits

__all__ = ["section"]

MAX_BARS = 24
"""The worst; the table has all."""

LOST = ("dropped", "suppressed", "unfinished")


def section(results: Sequence[Result]) -> Html:
    """Where the time of late jobs went, and what became of the jobs that did not finish."""
    known = [(one, found) for one in results if not isinstance(found := one.attribution, str)]
    pieces = [note(f"Where the time of {one.label} went is not known: {why}") for one in results if isinstance(why := one.attribution, str)]
    if known:
        pieces.append(_late(known))
    pieces.append(_lost(results))
    return Html("".join(pieces))


def _late(known: Sequence[tuple[Result, Attribution]]) -> Html:
    bars, rows = [], []
    for one, found in known:
        for i, task in enumerate(one.outcome.problem.task_names):
            n = int(found.n_late[i])
            if n == 0:
                continue
            mean_ms = found.late_ns[i] / n * 1e-6
            bars.append((n, (f"{task}, {one.label}: {n:,} late, mean {digits(float(mean_ms.sum()))} ms", mean_ms.tolist())))
            rows.append([task, one.label, f"{n:,}", *(_cell(ms, int(k)) for ms, k in zip(mean_ms, found.n_decisive[i], strict=True))])
    if not rows:
        return note("No finished job was late.")
    bars = sorted(bars, key=lambda bar: -bar[0])[:MAX_BARS]
    told = note(
        "The response time of late jobs, from where the deadline counts from to the finish, split exactly: waiting with no layer of the "
        "job running; execution alone; switching of activations and tiles; regulation, which the caps would cost even with infinite "
        "bandwidth; contention, the rest of the slowdown; cascade, before the job's own release. Numbers in brackets are jobs that would "
        "have been in time without this part, all else being as it was."
    )
    drawn = stacked("causes-late", "Where the time of late jobs went", [bar for _, bar in bars], PARTS, is_share=True)
    caption = f"Shares of the response time of late jobs{', of the tasks with most of them' if len(rows) > MAX_BARS else ''}"
    samples = legend([(area_sample(i), part) for i, part in enumerate(PARTS)])
    columns = ["task", "result", "late", *PARTS]
    return Html(told + samples + figure(drawn, caption) + numbers(table("Mean ms per late job", columns, rows, n_words=2)))


def _cell(ms: float, n_decisive: int) -> str:
    return f"{digits(float(ms))} ({n_decisive:,})" if n_decisive else digits(float(ms))


def _lost(results: Sequence[Result]) -> Html:
    """Jobs that are violated without having finished late."""
    rows = []
    for one in results:
        jobs, counts = one.outcome.jobs, one.outcome.metrics.counts
        chosen = [counts & (jobs["status"] == STATUSES.index(status)) for status in LOST]
        n = np.array([np.bincount(jobs["task"][own], minlength=one.outcome.problem.n_tasks) for own in chosen])
        rows += [
            [one.outcome.problem.task_names[i], one.label, *(f"{k:,}" for k in n[:, i])] for i in np.flatnonzero(n.sum(axis=0)).tolist()
        ]
    if not rows:
        return note("No counting job was dropped, suppressed or left unfinished.")
    return table("Violated without finishing: jobs", ["task", "result", *LOST], rows, n_words=2)
