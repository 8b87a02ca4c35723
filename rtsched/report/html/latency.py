"""Section: how the latencies of each task are distributed, and where its deadline lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.metrics import PERCENTILES
from rtsched.report.html.markup import Html, figure, grid, legend, note, numbers, table
from rtsched.report.html.results import Result
from rtsched.report.html.svg import WIDTH, Axis, element, frame, line_sample, picture, polyline, text
from rtsched.report.text import digits, percent

__all__ = ["curve_of", "section"]

MAX_POINTS = 160
"""Of a curve; more cannot be seen."""

HEIGHT = 200.0


def section(results: Sequence[Result]) -> Html:
    """A figure for each task, with a curve for each result."""
    tasks = list(dict.fromkeys(name for one in results for name in one.outcome.problem.task_names))
    drawn = [_figure(i, task, results) for i, task in enumerate(tasks)]
    told = note(
        "The share of counting jobs that had ended after so long, counted from where the deadline counts from (the job's own release, "
        "or its root's). Where a curve crosses the dashed line is the share of deadlines met; what it lacks of 100 % at its end was "
        "dropped, suppressed or unfinished."
    )
    samples = legend([(line_sample(one.colour), one.label) for one in results])
    return Html(told + samples + grid([one for one in drawn if one]) + numbers(_percentiles(results)))


def curve_of(result: Result, task: str) -> tuple[np.ndarray, float, int] | None:
    """Response times in ms, ascending; the deadline in ms; how many jobs count. None where the result has no such jobs."""
    problem, metrics = result.outcome.problem, result.outcome.metrics
    if task not in problem.task_names:
        return None
    i = problem.task_names.index(task)
    n = int(metrics.n_counting[i])
    own = result.response_ns[result.outcome.jobs["task"] == i]
    return (np.sort(own[own >= 0]) * 1e-6, float(problem.task_deadline_ns[i]) * 1e-6, n) if n else None


def _figure(number: int, task: str, results: Sequence[Result]) -> Html | None:
    curves = [(one, curve) for one in results if (curve := curve_of(one, task)) is not None]
    if not curves:
        return None
    deadlines = sorted({deadline for _, (_, deadline, _) in curves})
    x = Axis.of(np.concatenate([deadlines, *(ms for _, (ms, _, _) in curves)]), 36, WIDTH - 10, is_log=True)
    y = Axis(0, 100, HEIGHT - 38, 28)
    body = [frame(x, y, "ms", "% ended")]
    told = []
    for one, (ms, _, n) in curves:
        at = np.unique(np.linspace(0, len(ms) - 1, min(len(ms), MAX_POINTS)).round().astype(np.int64)) if len(ms) else np.zeros(0, int)
        places, shares = np.append(x.start, x.at(ms[at])), np.append(0.0, 100.0 * (at + 1) / n)
        body.append(polyline(one.colour, np.append(places, x.end), np.append(y.at(shares), y.at(shares[-1])), is_stepped=True))
        told.append(f"{one.label}: {digits(len(ms) / n * 100)} % of {n:,} jobs ended")
    for deadline in deadlines:
        at_ms = float(x.at(deadline))
        is_right = at_ms > WIDTH * 0.6
        body.append(element("line", x1=at_ms, x2=at_ms, y1=y.start, y2=y.end, class_="d"))
        edge, anchor = (at_ms - 4, "end") if is_right else (max(at_ms + 4, 56.0), "start")  # 56: behind the name of the axis
        body.append(text(f"deadline {digits(deadline)}", edge, 12, text_anchor=anchor))
    title = f"Response times of {task}"
    return figure(picture(f"latency-{number}", title, "; ".join(told), HEIGHT, "".join(body)), task)


def _percentiles(results: Sequence[Result]) -> Html:
    rows = []
    for one in results:
        problem, metrics = one.outcome.problem, one.outcome.metrics
        for i, task in enumerate(problem.task_names):
            own = one.response_ns[one.outcome.jobs["task"] == i]
            own = np.sort(own[own >= 0])
            # Nearest rank, as everywhere; in integers.
            ranks = [max(1, -(-round(p * 10) * len(own) // 1000)) - 1 for p in PERCENTILES]
            cells = [digits(float(own[rank]) * 1e-6) if len(own) else "-" for rank in ranks]
            met = 1 - float(metrics.violation_rate[i])
            rows.append([task, one.label, *cells, digits(float(problem.task_deadline_ns[i]) * 1e-6), percent(met)])
    columns = ["task", "result", *(f"p{p:g}" for p in PERCENTILES[:-1]), "worst", "deadline", "met, %"]
    return table("Response times of finished jobs, ms", columns, rows, n_words=2)
