"""The draws of a run, all frames at a time, written from docs/engine.md alone: no code of the engine is used here.

Arrival times, triggers, priorities and paths follow from (seed, task, frame), so they can be known without running anything.
"""

from __future__ import annotations

import math

import numpy as np

from rtsched.problem import ARRIVALS, MAX_TIME_NS, Problem

__all__ = [
    "executed_blocks",
    "is_triggered",
    "nearest_ns",
    "parents_of",
    "priorities",
    "recorded_ns",
    "root_releases",
    "sums_ns",
    "time_factors",
    "uniform",
    "whole_ns",
]

ARRIVAL, TRIGGER, SKIP, EXIT, FACTOR, PRIORITY = range(6)
"""Purposes of draws."""

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
SPLITMIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(z: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64; unsigned arrays wrap around."""
    z = (z ^ (z >> np.uint64(30))) * SPLITMIX[0]
    z = (z ^ (z >> np.uint64(27))) * SPLITMIX[1]
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed


def uniform(seed: int, task: int, frames: np.ndarray, purpose: int, index: int | np.ndarray = 0) -> np.ndarray:
    """Uniform draws in [0, 1).

    Parameters
    ----------
    seed : int
    task : int
    frames : ndarray of int
    purpose : int
        `ARRIVAL` to `PRIORITY`.
    index : int, or ndarray of int
        Of a shape that goes with that of `frames`.

    Returns
    -------
    ndarray of float64
    """
    state = _mixed(np.array([(seed + GOLDEN) & MASK], dtype=np.uint64))
    for value in (np.array([task]), np.asarray(frames), np.array([purpose]), np.atleast_1d(index)):
        state = _mixed(state + np.uint64(GOLDEN) * (value.astype(np.uint64) + np.uint64(1)))
    drawn: np.ndarray = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


def nearest_ns(values: np.ndarray) -> np.ndarray:
    """Round to whole ns, halves up; what lies beyond the clock stays at its end."""
    rounded = np.floor(values + 0.5)
    whole: np.ndarray = np.where(rounded < MAX_TIME_NS, rounded, 0).astype(np.int64)
    return np.where(rounded < MAX_TIME_NS, whole, MAX_TIME_NS)


def root_releases(problem: Problem, seed: int, task: int, n: int) -> np.ndarray | None:
    """Release times of a root's first `n` frames, in ns, whether or not the run lasts so long; None where draws do not tell."""
    law = ARRIVALS[problem.task_arrival[task]]
    if law == "periodic":
        return _periodic(problem, seed, task, np.arange(n))
    if law == "poisson":
        return _poisson(problem, seed, task, np.arange(n))
    if law == "trace":
        return _recorded(problem, task, n)
    return None


def _periodic(problem: Problem, seed: int, task: int, frames: np.ndarray) -> np.ndarray:
    late = np.floor(float(problem.task_jitter_ns[task]) * uniform(seed, task, frames, ARRIVAL)).astype(np.int64)
    releases: np.ndarray = problem.task_offset_ns[task] + nearest_ns(frames * 1e9 / problem.task_rate_hz[task]) + late
    return releases


def _poisson(problem: Problem, seed: int, task: int, frames: np.ndarray) -> np.ndarray:
    # NumPy's logarithm may differ from the C library's in the last bit.
    logarithms = np.array([math.log(1.0 - u) for u in uniform(seed, task, frames, ARRIVAL).tolist()])
    gaps = np.maximum(1, nearest_ns(-logarithms * 1e9 / problem.task_rate_hz[task]))
    with np.errstate(over="ignore"):
        sums: np.ndarray = np.cumsum(gaps)
    # A sum that has wrapped around is behind the first one that is beyond the clock.
    is_beyond = np.maximum.accumulate((sums >= MAX_TIME_NS) | (sums < 0)) if len(sums) else sums
    return np.where(is_beyond, MAX_TIME_NS, sums)


def _recorded(problem: Problem, task: int, n: int) -> np.ndarray:
    own = problem.trace_ns[problem.trace_first[task] : problem.trace_first[task + 1]][:n]
    return np.concatenate([own, np.full(n - len(own), MAX_TIME_NS)])


def parents_of(problem: Problem, task: int) -> list[int]:
    """Tasks whose jobs release the task's jobs; empty for roots."""
    parents: list[int] = problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]].tolist()
    return parents


def is_triggered(problem: Problem, seed: int, task: int, frames: np.ndarray) -> np.ndarray:
    """Whether the end of the parents' job of each frame triggers the task's."""
    triggered: np.ndarray = uniform(seed, task, frames, TRIGGER) < problem.task_trigger[task]
    return triggered


def priorities(problem: Problem, seed: int, task: int, frames: np.ndarray) -> np.ndarray:
    """Priority of each frame's job."""
    first, last = problem.priority_first[task], problem.priority_first[task + 1]
    drawn = np.searchsorted(problem.priority_upto[first:last], uniform(seed, task, frames, PRIORITY), side="right")
    values: np.ndarray = problem.priority_value[first + np.minimum(drawn, last - first - 1)]
    return values


def executed_blocks(problem: Problem, seed: int, task: int, frames: np.ndarray, subnet: int) -> np.ndarray:
    """Which blocks the task's jobs run when they run to their end.

    Parameters
    ----------
    problem : Problem
    seed, task : int
    frames : ndarray of int, shape (n,)
    subnet : int
        Among all subnets.

    Returns
    -------
    ndarray of bool, shape (n, n_blocks of the subnet)
    """
    first, last = problem.subnet_first_block[subnet], problem.subnet_first_block[subnet + 1]
    runs = np.ones((len(frames), last - first), dtype=bool)
    has_left = np.zeros(len(frames), dtype=bool)
    for column, block in enumerate(range(first, last)):
        if problem.block_skip[block] > 0:
            runs[:, column] = uniform(seed, task, frames, SKIP, int(problem.block_draw[block])) >= problem.block_skip[block]
        runs[:, column] &= ~has_left
        if problem.block_exit[block] > 0:
            leaves = uniform(seed, task, frames, EXIT, int(problem.block_draw[block])) < problem.block_exit[block]
            has_left |= runs[:, column] & leaves
    return runs


def time_factors(problem: Problem, seed: int, task: int, frames: np.ndarray, layers: np.ndarray) -> np.ndarray | None:
    """What layers take over their estimates.

    Parameters
    ----------
    problem : Problem
    seed, task : int
    frames, layers : ndarray of int
        Of shapes that go together; a layer is counted from the first of its subnet.

    Returns
    -------
    ndarray of float64, or None
        None where all take exactly their estimates.
    """
    values = problem.factor_value[problem.factor_first[task] : problem.factor_first[task + 1]]
    sigma = float(problem.factor_sigma[task])
    if not len(values) and sigma == 0.0:
        return None
    first = uniform(seed, task, frames, FACTOR, 2 * layers)
    if len(values):
        chosen: np.ndarray = values[np.floor(first * len(values)).astype(np.int64)]
        return chosen
    second = uniform(seed, task, frames, FACTOR, 2 * layers + 1)
    # Box and Muller's transform; NumPy's functions may differ from the C library's in the last bit.
    drawn = [
        math.exp(sigma * (math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * v)) - 0.5 * (sigma * sigma))
        for u, v in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)
    ]
    return np.array(drawn).reshape(first.shape)


def recorded_ns(problem: Problem, task: int, frames: np.ndarray, layers: np.ndarray) -> np.ndarray | None:
    """Recorded times of layers.

    Parameters
    ----------
    problem : Problem
    task : int
    frames, layers : ndarray of int
        As for `time_factors`.

    Returns
    -------
    ndarray of int64, or None
        None where none were recorded.
    """
    places = problem.recorded_place[problem.recorded_first[task] : problem.recorded_first[task + 1]]
    if not len(places):
        return None
    # A layer of another model has a place that means nothing; whoever checks paths tells.
    at = np.clip(places[frames % len(places)] + layers, 0, len(problem.recorded_ns) - 1)
    recorded: np.ndarray = problem.recorded_ns[at]
    return recorded


def sums_ns(owner: np.ndarray, times_ns: np.ndarray, n_owners: int) -> np.ndarray:
    """Sum the times of each owner, up to what the clock has: int64, shape (n_owners,)."""
    exact = np.zeros(n_owners, dtype=np.int64)
    np.add.at(exact, owner, times_ns)
    # Where the integers may have wrapped around, the rounded sum tells.
    is_sound = np.bincount(owner, times_ns, n_owners) < 1.5 * MAX_TIME_NS
    return np.where(is_sound, np.minimum(exact, MAX_TIME_NS), MAX_TIME_NS)


def whole_ns(durations: np.ndarray) -> np.ndarray:
    """Round durations up to whole ns, at least 1, at most what the clock has."""
    whole: np.ndarray = np.maximum(np.ceil(np.minimum(durations, float(MAX_TIME_NS))), 1.0).astype(np.int64)
    return whole
