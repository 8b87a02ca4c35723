"""Work conservation: whether a job waited beside a tile that was free and could have run it."""

from __future__ import annotations

import numpy as np

from rtsched.outcome import Outcome
from rtsched.testing.findings import DROPPED, NEVER_NS, Findings
from rtsched.testing.paths import Paths

__all__ = ["waiting_faults"]

RULE = "work conservation"


def waiting_faults(outcome: Outcome, *, needs_all_tiles: bool) -> list[str]:
    """Find jobs that waited although an accelerator could have run them.

    Parameters
    ----------
    outcome : Outcome
        Complete, sound, with its layers recorded.
    needs_all_tiles : bool
        An accelerator counts as free only when all its tiles are, because the mapper may have wanted several; else when one is.

    Returns
    -------
    list of str
    """
    findings = Findings(outcome)
    job, layer, since, until = _waits(findings)
    events = np.unique(np.concatenate([findings.layers["start_ns"], findings.layer_end_ns, since]))
    begin, end = np.searchsorted(events, since), np.searchsorted(events, until)
    found = np.full(len(job), -1)
    for a in range(findings.problem.n_accelerators):
        n_tiles = int(findings.problem.accelerator_tiles[a])
        is_free = _free(findings, a, events) >= (n_tiles if needs_all_tiles else 1)
        first = int(findings.problem.option_first[a])
        options = findings.problem.costs["t_iso_ns"][:, first : first + (n_tiles if needs_all_tiles else 1)]
        runs = options.max(axis=1) > 0
        # How often it was free until each event.
        count = np.concatenate([[0], np.cumsum(is_free)])
        found = np.where((found < 0) & runs[layer] & (count[end] > count[begin]), a, found)
    names = findings.problem.layer_names
    findings.add_rows(
        RULE,
        found >= 0,
        lambda i: (
            f"{findings.job(job[i])} waited with layer {names[layer[i]]!r} between {since[i]:,} and {until[i]:,} ns while "
            f"{findings.place(found[i])} was free and could run it"
        ),
    )
    return findings.faults


def _free(findings: Findings, accelerator: int, events: np.ndarray) -> np.ndarray:
    """Free tiles of an accelerator from each event to the next."""
    own = findings.layers["accelerator"] == accelerator
    change = np.zeros(len(events) + 1, dtype=np.int64)
    np.add.at(change, np.searchsorted(events, findings.layers["start_ns"][own]), findings.n_tiles[own])
    np.add.at(change, np.searchsorted(events, findings.layer_end_ns[own]), -findings.n_tiles[own])
    free: np.ndarray = findings.problem.accelerator_tiles[accelerator] - np.cumsum(change)[: len(events)]
    return free


def _waits(findings: Findings) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All times at which a job was ready: its row, the layer that came next, since when, and until it started or left."""
    jobs, layers = findings.jobs, findings.layers
    left_ns = np.where(jobs["status"] == DROPPED, jobs["finish_ns"], findings.outcome.end_ns)
    first_ready = _first_ready_ns(findings)
    rows = np.flatnonzero(first_ready >= 0)
    started = jobs["start_ns"][rows]
    first = (rows, _first_layers(findings)[rows], first_ready[rows], np.where(started >= 0, started, left_ns[rows]))
    inside = np.flatnonzero(~findings.is_first)
    later = (layers["job"][inside], layers["layer"][inside], findings.layer_end_ns[inside - 1], layers["start_ns"][inside])
    # Jobs that stopped in the middle of their path.
    paths = Paths(findings)
    flat, begin = paths.layers()
    n_run = np.bincount(layers["job"], minlength=len(jobs))
    is_last = np.roll(findings.is_first, -1)
    stopped = np.flatnonzero(is_last & (layers["finish_ns"] >= 0) & (n_run < paths.length)[layers["job"]])
    row = layers["job"][stopped]
    last = (row, flat[begin[row] + n_run[row]], findings.layer_end_ns[stopped], left_ns[row])
    job, layer, since, until = (np.concatenate(parts) for parts in zip(first, later, last, strict=True))
    return job, layer, since, until


def _first_layers(findings: Findings) -> np.ndarray:
    """The layer that each job waits with first: that of the largest subnet, as long as none is chosen."""
    problem = findings.problem
    subnet = problem.model_first_subnet[problem.task_model[findings.jobs["task"]]]
    layers: np.ndarray = problem.block_first_layer[problem.subnet_first_block[subnet]]
    return layers


def _first_ready_ns(findings: Findings) -> np.ndarray:
    """When each job came to the head of its task; -1 if it never did."""
    jobs = findings.jobs
    ready = np.full(len(jobs), -1)
    for task in range(findings.problem.n_tasks):
        rows = findings.released_rows(task)
        finish = np.where(jobs["finish_ns"][rows] < 0, NEVER_NS, jobs["finish_ns"][rows])
        ahead = np.maximum.accumulate(np.concatenate([[0], finish]))[: len(rows)]
        if not findings.problem.task_in_order[task]:
            ahead = np.zeros(len(rows), dtype=np.int64)
        ready[rows] = np.where(ahead < NEVER_NS, np.maximum(jobs["release_ns"][rows], ahead), -1)
    return ready
