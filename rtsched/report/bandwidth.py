"""What running layers are given of the DRAM over time: as CSV, and as step functions that a figure shows.

All of it reads `rtsched.Outcome.rates`. A row holds from its time to that of the next row of the same layer; a *lane* is an
accelerator and the lowest tile of what runs there, where one layer follows the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtsched.errors import InputError
from rtsched.outcome import Outcome
from rtsched.report.export import csv_chunks
from rtsched.timeline import lanes_of_rates

__all__ = ["COLUMNS", "Steps", "busiest", "check_window", "steps_of", "to_csv"]

COLUMNS = ("time_ns", "job", "task", "frame", "layer", "accelerator", "demand", "allocation", "cap", "window", "threshold")
"""Of the CSV, in order; docs/formats.md explains them."""

BUSIEST_NS = 5_000_000
"""Length of the window that is shown when none is asked for."""
STRIDE_NS = 500_000
"""Between the beginnings of windows among which the busiest is found."""

MAX_STEPS = 2_000
"""A figure of more steps shows means over so many equal times: it has about as many dots."""


def check_window(from_ns: int | None, to_ns: int | None, end_ns: int) -> None:
    """Refuse a window in which nothing can be seen.

    Parameters
    ----------
    from_ns, to_ns : int or None
        None: from the beginning, to the end.
    end_ns : int
        Of the run.

    Raises
    ------
    rtsched.errors.InputError
    """
    given = {name: ns for name, ns in (("from", from_ns), ("to", to_ns)) if ns is not None}
    faults = [f"{name}: must not be negative, got {ns * 1e-6:g} ms" for name, ns in given.items() if ns < 0]
    if not faults and from_ns is not None and from_ns >= end_ns:
        faults.append(f"from: must be before the end of the run at {end_ns * 1e-6:g} ms, got {from_ns * 1e-6:g} ms")
    if not faults and to_ns is not None and to_ns <= (from_ns or 0):
        faults.append(f"to: must be later than {(from_ns or 0) * 1e-6:g} ms, where the window begins, got {to_ns * 1e-6:g} ms")
    if faults:
        raise InputError(faults)


def to_csv(outcome: Outcome, from_ns: int | None = None, to_ns: int | None = None) -> Iterator[str]:
    """Yield the recorded rates as CSV, some thousand lines at a time.

    Parameters
    ----------
    outcome : Outcome
        With its rates.
    from_ns, to_ns : int, optional
        Leave out what held only before or after; both ends included. Rows that hold at `from_ns` come with their own times.

    Yields
    ------
    str
        Whole lines; the first one names the columns, which are `COLUMNS`.
    """
    problem, rates = outcome.problem, _rates(outcome)
    lasts_past_start = (rates["time_ns"] >= (from_ns or 0)) | (_until_ns(rates) > (from_ns or 0))
    rates = rates[lasts_past_start & (rates["time_ns"] <= (outcome.end_ns if to_ns is None else to_ns))]
    jobs = outcome.jobs[rates["job"]]
    cap = rates["cap_bytes_per_ns"].astype(object)
    cap[np.isinf(rates["cap_bytes_per_ns"])] = None
    yield from csv_chunks(
        {
            "time_ns": rates["time_ns"],
            "job": rates["job"],
            "task": np.array(problem.task_names, dtype=object)[jobs["task"]],
            "frame": jobs["frame"],
            "layer": np.array(problem.layer_names, dtype=object)[rates["layer"]],
            "accelerator": np.array(problem.accelerator_names, dtype=object)[rates["accelerator"]],
            "demand": rates["demand_bytes_per_ns"],
            "allocation": rates["allocation_bytes_per_ns"],
            "cap": cap,
            "window": rates["window_cycles"],
            "threshold": rates["threshold"],
        }
    )


def busiest(outcome: Outcome) -> tuple[int, int]:
    """The 5 ms in which running layers demand most, as (from, to) in ns; the whole of a run that is not longer.

    Parameters
    ----------
    outcome : Outcome
        With its rates.

    Returns
    -------
    tuple of int
        Of equal ones the first. It begins at a multiple of 0.5 ms.
    """
    if outcome.end_ns <= BUSIEST_NS:
        return 0, outcome.end_ns
    rates = _rates(outcome)
    edges = np.arange(0, outcome.end_ns, STRIDE_NS)
    demanded = sum((_integral(rates[own], "demand_bytes_per_ns", edges) for own in lanes_of_rates(rates).values()), np.zeros(len(edges)))
    n = BUSIEST_NS // STRIDE_NS
    first = int(edges[np.argmax(demanded[n:] - demanded[:-n])]) if len(edges) > n else 0
    return first, first + BUSIEST_NS


@dataclass(frozen=True)
class Steps:
    """Step functions over a window.

    Attributes
    ----------
    edges_ns : ndarray of float64, shape (n + 1,)
        Where the steps begin, and where the last one ends.
    allocation : ndarray of float64, shape (n_tasks, n)
        Bytes per ns that the tasks' layers are given.
    demand, bandwidth : ndarray of float64, shape (n,)
        Bytes per ns that all layers demand, and that the DRAM delivers to as many.
    caps : list of (int, ndarray of float64, shape (n,))
        Task, and cap of its layers in one lane; NaN where there is none.
    mean_over_ns : float or None
        None when every change has a step of its own; else the steps are means over as much time each.
    """

    edges_ns: np.ndarray
    allocation: np.ndarray
    demand: np.ndarray
    bandwidth: np.ndarray
    caps: list[tuple[int, np.ndarray]]
    mean_over_ns: float | None


def steps_of(outcome: Outcome, from_ns: int, to_ns: int, max_steps: int = MAX_STEPS) -> Steps:
    """The rates in a window as step functions.

    Parameters
    ----------
    outcome : Outcome
        With its rates.
    from_ns, to_ns : int
    max_steps : int
        With more changes than that, means over so many equal times.

    Returns
    -------
    Steps
    """
    problem, rates = outcome.problem, _rates(outcome)
    task = outcome.jobs["task"][rates["job"]]
    times = rates["time_ns"]
    edges = np.unique(np.concatenate([[from_ns, to_ns], times[(times > from_ns) & (times < to_ns)]])).astype(np.float64)
    is_exact = len(edges) - 1 <= max_steps
    if not is_exact:
        edges = np.linspace(from_ns, to_ns, max_steps + 1)
    width = np.diff(edges)
    allocation, demand = np.zeros((problem.n_tasks, len(width))), np.zeros(len(width))
    caps = []
    for own in lanes_of_rates(rates).values():
        lane, owner = rates[own], task[own]
        demand += np.diff(_integral(lane, "demand_bytes_per_ns", edges)) / width
        for one in np.unique(owner).tolist():
            allocation[one] += np.diff(_integral(lane, "allocation_bytes_per_ns", edges, owner == one)) / width
            capped = (owner == one) & np.isfinite(lane["cap_bytes_per_ns"])
            capped_ns = np.diff(_integral(lane, None, edges, capped))
            if capped_ns.any():
                caps_summed = np.diff(_integral(lane, "cap_bytes_per_ns", edges, capped))
                caps.append((one, np.divide(caps_summed, capped_ns, out=np.full(len(width), np.nan), where=capped_ns > 0)))
    bandwidth = np.diff(_delivered(outcome, edges)) / width
    return Steps(edges, allocation, demand, bandwidth, caps, None if is_exact else float(width[0]))


def _rates(outcome: Outcome) -> np.ndarray:
    if outcome.rates is None:
        raise InputError("the outcome has no rates; run with rates=True")
    return outcome.rates


def _until_ns(rates: np.ndarray) -> np.ndarray:
    """When each row is followed by the next one of its lane; its own time for the last row of a layer."""
    until = rates["time_ns"].copy()
    for own in lanes_of_rates(rates).values():
        lane = rates[own]
        goes_on = (lane["job"][1:] == lane["job"][:-1]) & (lane["layer"][1:] == lane["layer"][:-1])
        until[own[:-1][goes_on]] = lane["time_ns"][1:][goes_on]
    return until


def _integral(lane: np.ndarray, name: str | None, at_ns: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """What a column of a lane, or 1, sums to from the lane's first row to each time; only over rows that count."""
    times = lane["time_ns"].astype(np.float64)
    value = np.ones(len(lane)) if name is None else lane[name]
    if counts is not None:
        value = np.where(counts, value, 0.0)
    summed = np.concatenate([[0.0], np.cumsum(value[:-1] * np.diff(times))])
    return np.asarray(np.interp(at_ns, times, summed))


def _delivered(outcome: Outcome, at_ns: np.ndarray) -> np.ndarray:
    """The bytes that the DRAM could deliver until each time, to as many layers as draw from it."""
    problem, rates = outcome.problem, _rates(outcome)
    times = np.unique(np.concatenate([rates["time_ns"], [0, outcome.end_ns]]))
    n_drawing = np.zeros(len(times), dtype=np.int64)
    draws = rates["demand_bytes_per_ns"] > 0
    np.add.at(n_drawing, np.searchsorted(times, rates["time_ns"][draws]), 1)
    np.add.at(n_drawing, np.searchsorted(times, _until_ns(rates)[draws]), -1)
    n_drawing = np.cumsum(n_drawing)[:-1]
    bandwidth = problem.peak_bytes_per_ns * problem.efficiency[np.clip(n_drawing, 1, len(problem.efficiency)) - 1]
    return np.asarray(np.interp(at_ns, times, np.concatenate([[0.0], np.cumsum(bandwidth * np.diff(times))])))
