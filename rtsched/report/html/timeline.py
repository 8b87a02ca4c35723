"""Section: the 100 ms in which most deadlines were missed, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched import timeline
from rtsched.metrics.metrics import MET
from rtsched.outcome import Outcome
from rtsched.report.html.markup import Html, figure, legend, note
from rtsched.report.html.results import Result, groups
from rtsched.report.html.svg import LETTER, N_COLOURS, Axis, area, area_sample, element, picture, text
from rtsched.timeline import WINDOW_NS, Bars, tile_names, violated, worst_window

__all__ = ["WINDOW_NS", "bars_of", "section", "worst_window"]

WIDTH, LEFT, RIGHT = 900.0, 110.0, 8.0
LANE, TASK = 18.0, 15.0
MAX_LANES, MAX_TASKS, MAX_NAMES = 64, 32, 160

DOTS = 1600
"""Places of a lane in which a bar may begin, when there are more than `MAX_BARS`."""
MAX_BARS = 6000


def section(results: Sequence[Result]) -> Html:
    """A figure for each result; those with the same frames show the same time."""
    pieces = [
        note(
            "The 100 ms with most missed deadlines, of results with the same frames together; where none is missed, those of the job that "
            "came closest. Bars are jobs on tiles. Below, the deadlines of each task: a small line for one that was met, a cross for one "
            "that was not."
        )
    ]
    for own in groups(results):
        from_ns, to_ns = worst_window([one.outcome for one in own])
        pieces += [_figure(one, from_ns, to_ns) for one in own]
    return Html("".join(pieces))


def bars_of(outcome: Outcome, from_ns: int, to_ns: int) -> Bars:
    """What ran in a window, and of more than `MAX_BARS` bars those that can be told apart."""
    return timeline.thinned(timeline.bars_of(outcome, from_ns, to_ns), from_ns, to_ns, DOTS, MAX_BARS)


def _figure(result: Result, from_ns: int, to_ns: int) -> Html:
    outcome = result.outcome
    if outcome.layers is None:
        return note(f"{result.label}: its file has no layers. Save it with 'rtsched run --save', or in Python run it with layers=True.")
    x = Axis(from_ns * 1e-6, to_ns * 1e-6, LEFT, WIDTH - RIGHT)
    names = tile_names(outcome)[:MAX_LANES]
    tasks = list(outcome.problem.task_names)[:MAX_TASKS]
    bars = bars_of(outcome, from_ns, to_ns)
    top = len(names) * LANE + 8
    bottom = top + len(tasks) * TASK
    body = [_scale(x, bottom), _lanes(names), _bars(bars, x, tasks), _due(outcome, x, top, len(tasks))]
    body += [text(_short(name), 0, top + i * TASK + 11) for i, name in enumerate(tasks)]
    missed = violated(outcome) & (outcome.jobs["deadline_ns"] > from_ns) & (outcome.jobs["deadline_ns"] <= to_ns)
    when = f"{from_ns * 1e-6:,.1f} to {to_ns * 1e-6:,.1f} ms"
    told = f"{result.label}, {when}: {int(missed.sum()):,} deadlines missed"
    if bars.is_thinned:
        told += "; of bars that begin within the same 1/1600 of the time, only one is shown"
    if len(names) < len(outcome.busy_ns):
        told += f"; the first {MAX_LANES} of {len(outcome.busy_ns)} tiles"
    drawn = picture(f"timeline-{result.place}", f"Timeline of {result.label}", told, bottom + 34, "".join(body), WIDTH)
    return Html(figure(drawn, told, is_wide=True) + legend([(area_sample(i), task) for i, task in enumerate(tasks)]))


def _short(name: str) -> str:
    most = int(LEFT / LETTER) - 1
    return name if len(name) <= most else name[: most - 1] + "…"


def _scale(x: Axis, bottom: float) -> str:
    parts = []
    for value in x.ticks(10):
        at = float(x.at(value))
        parts.append(element("line", x1=at, x2=at, y1=0.0, y2=bottom + 4, class_="g"))
        parts.append(text(f"{value:.9g}", at, bottom + 16, text_anchor="middle"))
    parts.append(text("ms", (x.start + x.end) / 2, bottom + 30, text_anchor="middle"))
    return "".join(parts)


def _lanes(names: Sequence[str]) -> str:
    return "".join(
        text(_short(name), 0, i * LANE + 13) + element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=(i + 1) * LANE, y2=(i + 1) * LANE, class_="g")
        for i, name in enumerate(names)
    )


def _bars(bars: Bars, x: Axis, tasks: Sequence[str]) -> str:
    """One path for each task, and its name in the bars that are long enough."""
    parts = []
    left, right = x.at(bars.start_ns * 1e-6), x.at(bars.end_ns * 1e-6)
    width = right - left
    width = np.where(width > 3, width - 0.8, np.maximum(width, 0.2))  # a gap between neighbours that can be told apart
    shown = bars.lane < MAX_LANES
    for task in np.unique(bars.task[shown]).tolist():
        own = shown & (bars.task == task)
        places = zip(left[own].tolist(), (bars.lane[own] * LANE + 2).tolist(), width[own].tolist(), strict=True)
        parts.append(area(task, "".join(f"M{a:.1f} {b:.0f}h{w:.1f}v14h-{w:.1f}z" for a, b, w in places)))
    n_names = 0
    for i in np.flatnonzero(shown & (bars.task < len(tasks))).tolist():
        name = tasks[bars.task[i]]
        if width[i] > LETTER * (len(name) + 1) and n_names < MAX_NAMES:
            n_names += 1
            at = float(left[i] + width[i] / 2)
            parts.append(text(name, at, float(bars.lane[i]) * LANE + 13, text_anchor="middle", class_=f"on{bars.task[i] % N_COLOURS}"))
    return "".join(parts)


def _due(outcome: Outcome, x: Axis, top: float, n_tasks: int) -> str:
    """Deadlines in the window: lines and crosses in the row of each task."""
    jobs = outcome.jobs
    due_ms = jobs["deadline_ns"] * 1e-6
    seen = (due_ms > x.low) & (due_ms <= x.high) & (jobs["task"] < n_tasks)
    missed = violated(outcome)
    met = seen & (jobs["status"] == MET)

    def places(chosen: np.ndarray) -> list[tuple[float, float]]:
        dots = np.column_stack([np.round(x.at(due_ms[chosen]), 1), top + jobs["task"][chosen] * TASK])
        return [(a, b) for a, b in np.unique(dots, axis=0).tolist()]

    lines = "".join(f"M{a:.1f} {b + 4:.0f}v7" for a, b in places(met))
    crosses = "".join(f"M{a - 3.5:.1f} {b + 4:.0f}l7 7m0-7l-7 7" for a, b in places(seen & missed))
    return "".join(element("path", d=d, class_=kind) for d, kind in ((lines, "r"), (crosses, "x")) if d)
