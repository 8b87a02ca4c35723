"""What happened when: who ran on which tile, how many jobs waited, what layers drew from the DRAM, and the worst time of a run.

Pictures, traces and the terminal show it. All of it follows from the tables of an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtsched.metrics.metrics import MET
from rtsched.outcome import STATUSES, Outcome

__all__ = [
    "AFTER_NS",
    "WINDOW_NS",
    "Bars",
    "Misses",
    "Runs",
    "bars_of",
    "dram_steps",
    "job_end_ns",
    "lanes_of_rates",
    "misses_of",
    "runs_of",
    "shares_of",
    "thinned",
    "tile_names",
    "violated",
    "waiting_steps",
    "worst_window",
]

WINDOW_NS = 100_000_000
AFTER_NS = 10_000_000
"""Of the window, behind the last of the missed deadlines."""

DROPPED, UNFINISHED, SUPPRESSED = (STATUSES.index(one) for one in ("dropped", "unfinished", "suppressed"))


def tile_names(outcome: Outcome) -> list[str]:
    """A name for each tile, those of all accelerators in order."""
    problem = outcome.problem
    return [
        name if n == 1 else f"{name} {tile}"
        for name, n in zip(problem.accelerator_names, problem.accelerator_tiles.tolist(), strict=True)
        for tile in range(n)
    ]


# ---- The worst time


def violated(outcome: Outcome) -> np.ndarray:
    """Which jobs count and did not meet their deadlines: bool, shape (n_jobs,)."""
    missed: np.ndarray = outcome.metrics.counts & (outcome.jobs["status"] != MET)
    return missed


def worst_window(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """The time in which they miss most deadlines together, (from, to) in ns; of equal ones the first."""
    end_ns = max(max(one.end_ns for one in outcomes), 1)
    if end_ns <= WINDOW_NS:
        return 0, end_ns
    due = np.sort(np.concatenate([one.jobs["deadline_ns"][violated(one)] for one in outcomes]))
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


# ---- Who ran where


@dataclass(frozen=True)
class Runs:
    """Executed layers on tiles: a row for each layer and tile, by tile, then by time.

    Attributes
    ----------
    lane : ndarray of int64, shape (n,)
        Tile, those of all accelerators in order.
    row : ndarray of int64, shape (n,)
        Of `Outcome.layers`.
    start_ns, end_ns : ndarray of int64, shape (n,)
        A layer that the end of the run cut ends there.
    is_first : ndarray of bool, shape (n,)
        Whether it does not just go on with the job that ran on the tile until then.
    is_lowest : ndarray of bool, shape (n,)
        Whether this is the lowest tile of the layer: true once for each layer.
    """

    lane: np.ndarray
    row: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    is_first: np.ndarray
    is_lowest: np.ndarray


def runs_of(outcome: Outcome, from_ns: int = 0, to_ns: int | None = None) -> Runs:
    """What ran in a window, layer by layer; by default in the whole run.

    Parameters
    ----------
    outcome : Outcome
        With its layers.
    from_ns, to_ns : int
    """
    layers, problem = outcome.layers, outcome.problem
    assert layers is not None
    until = np.where(layers["finish_ns"] < 0, outcome.end_ns, layers["finish_ns"])
    seen = np.flatnonzero((layers["start_ns"] < to_ns) & (until > from_ns)) if to_ns is not None else np.arange(len(layers))
    tiles, accelerator = layers["tiles"][seen], layers["accelerator"][seen]
    lanes, rows, lowest = ([np.zeros(0, dtype=kind)] for kind in (np.int64, np.int64, bool))
    for tile in range(int(problem.accelerator_tiles.max(initial=0))):
        on = np.flatnonzero((tiles >> np.uint64(tile) & np.uint64(1)).astype(bool) & (problem.accelerator_tiles[accelerator] > tile))
        rows.append(seen[on])
        lanes.append(problem.option_first[accelerator[on]].astype(np.int64) + tile)
        lowest.append((tiles[on] & np.uint64((1 << tile) - 1)) == 0)
    lane, row = np.concatenate(lanes), np.concatenate(rows)
    order = np.lexsort((layers["start_ns"][row], lane))
    lane, row, is_lowest = lane[order], row[order], np.concatenate(lowest)[order]
    job, start, end = layers["job"][row], layers["start_ns"][row], until[row]
    goes_on = (lane[1:] == lane[:-1]) & (job[1:] == job[:-1]) & (start[1:] == end[:-1])
    return Runs(lane, row, start, end, np.append(True, ~goes_on)[: len(row)], is_lowest)


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
    is_thinned: bool = False


def bars_of(outcome: Outcome, from_ns: int, to_ns: int) -> Bars:
    """What ran in a window; layers of a job that follow each other on a tile are one bar."""
    runs = runs_of(outcome, from_ns, to_ns)
    assert outcome.layers is not None
    first = np.flatnonzero(runs.is_first)
    last = np.append(first[1:], len(runs.row))[: len(first)] - 1
    start, end = np.maximum(runs.start_ns[first], from_ns), np.minimum(runs.end_ns[last], to_ns)
    task = outcome.jobs["task"][outcome.layers["job"][runs.row[first]]].astype(np.int64)
    return Bars(runs.lane[first], task, start, end)


def thinned(bars: Bars, from_ns: int, to_ns: int, n_dots: int, max_bars: int) -> Bars:
    """Of too many bars, the first of those that begin in the same of so many parts of the window, on each tile."""
    if len(bars.lane) <= max_bars:
        return bars
    dot = (bars.start_ns - from_ns) * n_dots // (to_ns - from_ns)
    kept = np.unique(bars.lane * n_dots + dot, return_index=True)[1]
    return Bars(bars.lane[kept], bars.task[kept], bars.start_ns[kept], bars.end_ns[kept], True)


def shares_of(bars: Bars, edges_ns: np.ndarray, n_lanes: int, n_tasks: int) -> np.ndarray:
    """What part of each time between two edges the tasks ran on the tiles.

    Parameters
    ----------
    bars : Bars
    edges_ns : ndarray of float64, shape (n + 1,)
        Ascending.
    n_lanes, n_tasks : int

    Returns
    -------
    ndarray of float64, shape (n_lanes, n_tasks, n)
    """
    shares = np.zeros((n_lanes, n_tasks, len(edges_ns) - 1))
    if not len(bars.lane):
        return shares
    pair = bars.lane * n_tasks + bars.task
    order = np.lexsort((bars.start_ns, pair))
    names, first = np.unique(pair[order], return_index=True)
    for name, own in zip(names.tolist(), np.split(order, first[1:]), strict=True):
        times = np.column_stack([bars.start_ns[own], bars.end_ns[own]]).ravel().astype(np.float64)
        busy = np.append(0.0, np.cumsum(np.diff(times) * (np.arange(len(times) - 1) % 2 == 0)))
        shares[name // n_tasks, name % n_tasks] = np.diff(np.interp(edges_ns, times, busy)) / np.diff(edges_ns)
    return shares


# ---- Jobs


def job_end_ns(outcome: Outcome) -> np.ndarray:
    """When each job finished, was dropped, or was cut by the end of the run: int64, shape (n_jobs,)."""
    finish = outcome.jobs["finish_ns"]
    return np.where(finish < 0, outcome.end_ns, finish)


@dataclass(frozen=True)
class Misses:
    """Missed deadlines, ascending by time.

    Attributes
    ----------
    job : ndarray of int64, shape (n,)
        Rows of `Outcome.jobs`.
    time_ns : ndarray of int64, shape (n,)
        The deadline of a late or unfinished job, but the drop of one that was dropped before; not after the end of the run.
    """

    job: np.ndarray
    time_ns: np.ndarray


def misses_of(outcome: Outcome) -> Misses:
    """When deadlines were missed, of the jobs that count."""
    job = np.flatnonzero(violated(outcome))
    own = outcome.jobs[job]
    is_given_up = ((own["status"] == DROPPED) | (own["status"] == SUPPRESSED)) & (own["finish_ns"] >= 0)
    time_ns = np.clip(np.where(is_given_up, np.minimum(own["finish_ns"], own["deadline_ns"]), own["deadline_ns"]), 0, outcome.end_ns)
    order = np.argsort(time_ns, kind="stable")
    return Misses(job[order], time_ns[order])


def waiting_steps(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """How many jobs were released, had not ended and did not run.

    Parameters
    ----------
    outcome : Outcome
        With its layers.

    Returns
    -------
    time_ns, n_waiting : ndarray of int64, shape (n,)
        Ascending times; each number holds until the next one, and differs from the one before.
    """
    layers = outcome.layers
    assert layers is not None
    released = outcome.jobs["status"] != SUPPRESSED
    ends = np.where(layers["finish_ns"] < 0, outcome.end_ns, layers["finish_ns"])
    times = [outcome.jobs["release_ns"][released], job_end_ns(outcome)[released], layers["start_ns"], ends]
    change = np.repeat([1, -1, -1, 1], [len(one) for one in times])
    time_ns, at = np.unique(np.concatenate([[0], *times]), return_inverse=True)
    change_at = np.zeros(len(time_ns), dtype=np.int64)
    np.add.at(change_at, at[1:], change)
    kept = np.append(0, np.flatnonzero(change_at[1:]) + 1)
    return time_ns[kept], np.cumsum(change_at)[kept]


# ---- DRAM


def lanes_of_rates(rates: np.ndarray) -> dict[int, np.ndarray]:
    """The rows of each accelerator and lowest tile, where one layer follows the other: ascending by time."""
    lowest = rates["tiles"] & (~rates["tiles"] + np.uint64(1))
    lane = 64 * rates["accelerator"].astype(np.int64) + np.log2(lowest.astype(np.float64)).astype(np.int64)
    order = np.argsort(lane, kind="stable")
    names, first = np.unique(lane[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, first[1:]), strict=True)) if len(rates) else {}


def dram_steps(outcome: Outcome) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What all running layers demand of the DRAM, are given, and may draw at most under their caps.

    Parameters
    ----------
    outcome : Outcome
        With its rates.

    Returns
    -------
    time_ns : ndarray of int64, shape (n,)
        Every instant at which one of them changes, ascending.
    steps : dict of str to ndarray of float64, shape (n,)
        ``demand``, ``allocation`` and ``cap``, bytes per ns, from each time to the next. ``cap`` sums those of the layers that have
        one; 0 when nobody has.
    """
    rates = outcome.rates
    assert rates is not None
    times = rates["time_ns"]  # ascending
    time_ns = times[np.append(True, times[1:] != times[:-1])[: len(times)]]
    steps = {name: np.zeros(len(time_ns)) for name in ("demand", "allocation", "cap")}
    for own in lanes_of_rates(rates).values():
        lane = rates[own]
        at = np.searchsorted(lane["time_ns"], time_ns, side="right") - 1  # of several at one instant the last: ends come first
        for name, summed in steps.items():
            value = lane[f"{name}_bytes_per_ns"]
            summed += np.where(at >= 0, np.where(np.isfinite(value), value, 0.0)[at], 0.0)
    return time_ns, steps
