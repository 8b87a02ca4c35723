"""Section: the 100 ms in which most deadlines were missed, tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtsched.metrics.metrics import MET
from rtsched.outcome import Outcome
from rtsched.report.html.hardware import tile_names
from rtsched.report.html.markup import Html, figure, legend, note
from rtsched.report.html.results import Result, groups
from rtsched.report.html.svg import LETTER, N_COLOURS, Axis, area, area_sample, element, picture, text

__all__ = ["Bars", "bars_of", "section", "worst_window"]

WINDOW_NS = 100_000_000
AFTER_NS = 10_000_000
"""Of the window, behind the last of the missed deadlines."""

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


def _violated(outcome: Outcome) -> np.ndarray:
    missed: np.ndarray = outcome.metrics.counts & (outcome.jobs["status"] != MET)
    return missed


def worst_window(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """The time in which they miss most deadlines together, (from, to) in ns; of equal ones the first."""
    end_ns = max(max(one.end_ns for one in outcomes), 1)
    if end_ns <= WINDOW_NS:
        return 0, end_ns
    due = np.sort(np.concatenate([one.jobs["deadline_ns"][_violated(one)] for one in outcomes]))
    due = np.minimum(due, end_ns)
    if len(due):
        since = np.searchsorted(due, due - (WINDOW_NS - AFTER_NS), side="left")
        last = int(due[np.argmax(np.arange(1, len(due) + 1) - since)])
    else:
        last = max((_closest(one) for one in outcomes), default=(0.0, 0))[1]
    from_ns = min(max(0, last + AFTER_NS - WINDOW_NS), end_ns - WINDOW_NS)
    return from_ns, from_ns + WINDOW_NS


def _closest(outcome: Outcome) -> tuple[float, int]:
    """How much of its time the job took that took most of it, and its deadline."""
    jobs = outcome.jobs[outcome.jobs["status"] == MET]
    if not len(jobs):
        return 0.0, 0
    allowed = outcome.problem.task_deadline_ns[jobs["task"]]
    used = 1.0 - (jobs["deadline_ns"] - jobs["finish_ns"]) / allowed
    i = int(np.argmax(used))
    return float(used[i]), int(jobs["deadline_ns"][i])


@dataclass(frozen=True)
class Bars:
    """Jobs on tiles.

    Attributes
    ----------
    lane, task : ndarray of int64, shape (n,)
        Tile, those of all accelerators in order.
    start_ns, end_ns : ndarray of int64, shape (n,)
    is_thinned : bool
        Some of the shortest were left out.
    """

    lane: np.ndarray
    task: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    is_thinned: bool


def bars_of(outcome: Outcome, from_ns: int, to_ns: int) -> Bars:
    """What ran in a window; layers of a job that follow each other on a tile are one bar."""
    layers, problem = outcome.layers, outcome.problem
    assert layers is not None
    until = np.where(layers["finish_ns"] < 0, outcome.end_ns, layers["finish_ns"])
    seen = (layers["start_ns"] < to_ns) & (until > from_ns)
    layers, until = layers[seen], until[seen]
    lane, row = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for tile in range(int(problem.accelerator_tiles.max(initial=0))):
        is_on = (layers["tiles"] >> np.uint64(tile) & np.uint64(1)).astype(bool) & (problem.accelerator_tiles[layers["accelerator"]] > tile)
        row.append(np.flatnonzero(is_on))
        lane.append(problem.option_first[layers["accelerator"][is_on]].astype(np.int64) + tile)
    lanes, rows = np.concatenate(lane), np.concatenate(row)
    order = np.lexsort((layers["start_ns"][rows], lanes))
    lanes, rows = lanes[order], rows[order]
    job, start, end = layers["job"][rows], layers["start_ns"][rows], until[rows]
    goes_on = (lanes[1:] == lanes[:-1]) & (job[1:] == job[:-1]) & (start[1:] == end[:-1])
    first = np.flatnonzero(np.append(True, ~goes_on)) if len(rows) else np.zeros(0, dtype=np.int64)
    last = np.append(first[1:] - 1, len(rows) - 1)[: len(first)]
    start, end = np.maximum(start[first], from_ns), np.minimum(end[last], to_ns)
    lanes, task = lanes[first], outcome.jobs["task"][job[first]].astype(np.int64)
    if len(first) <= MAX_BARS:
        return Bars(lanes, task, start, end, False)
    dot = (start - from_ns) * DOTS // (to_ns - from_ns)
    kept = np.unique(lanes * DOTS + dot, return_index=True)[1]
    return Bars(lanes[kept], task[kept], start[kept], end[kept], True)


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
    missed = _violated(outcome) & (outcome.jobs["deadline_ns"] > from_ns) & (outcome.jobs["deadline_ns"] <= to_ns)
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
    missed = _violated(outcome)
    met = seen & (jobs["status"] == MET)

    def places(chosen: np.ndarray) -> list[tuple[float, float]]:
        dots = np.column_stack([np.round(x.at(due_ms[chosen]), 1), top + jobs["task"][chosen] * TASK])
        return [(a, b) for a, b in np.unique(dots, axis=0).tolist()]

    lines = "".join(f"M{a:.1f} {b + 4:.0f}v7" for a, b in places(met))
    crosses = "".join(f"M{a - 3.5:.1f} {b + 4:.0f}l7 7m0-7l-7 7" for a, b in places(seen & missed))
    return "".join(element("path", d=d, class_=kind) for d, kind in ((lines, "r"), (crosses, "x")) if d)
