"""Whether the memory could have served the layers in the time that they took."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

import numpy as np

from rtsched.testing.findings import Findings

__all__ = ["check_bandwidth"]

SLACK_NS = 2.0
"""A layer's finish is a whole ns, and is rounded up only from a millionth on: what it moves may be late by that."""

RELATIVE = 1e-9


def check_bandwidth(findings: Findings) -> None:
    """In no window of time do the layers that lie wholly inside move more bytes than DRAM and L2 deliver in it.

    There are n^2 windows. Earliest deadline first finds them all at once: on one resource it is optimal, so if it serves each
    layer's bytes between the layer's start and finish, no window is overfull, and else one that ends at a missed finish is.

    References
    ----------
    Liu, Layland, "Scheduling algorithms for multiprogramming in a hard-real-time environment", J. ACM 20(1), 1973;
    Baruah, Rosier, Howell, "Algorithms and complexity concerning the preemptive scheduling of periodic, real-time tasks on one
    processor", Real-Time Systems 2(4), 1990.
    """
    problem, costs = findings.problem, findings.layer_costs
    dram = costs["dram_bytes"] + findings.layers["switch_bytes"]
    _check(findings, "DRAM", dram, problem.peak_bytes_per_ns * problem.efficiency)
    if np.isfinite(problem.l2_bytes_per_ns):
        _check(findings, "L2", costs["l2_bytes"], np.array([problem.l2_bytes_per_ns]))


def _check(findings: Findings, what: str, n_bytes: np.ndarray, bandwidth: np.ndarray) -> None:
    """`bandwidth` is in bytes per ns, by the number of layers that draw, the last entry for all more."""
    draws = n_bytes > 0
    starts, ends = findings.layers["start_ns"][draws], findings.layer_end_ns[draws]
    times, delivered = _delivered(starts, ends, bandwidth)
    is_whole = findings.layers["finish_ns"][draws] >= 0
    starts, ends, moved = starts[is_whole], ends[is_whole], n_bytes[draws][is_whole].astype(np.float64)
    # On a clock that shows what has been delivered, the bandwidth is one.
    begin, until = delivered[np.searchsorted(times, starts)], delivered[np.searchsorted(times, ends)]
    late = _lateness(begin, until, moved)
    slack = SLACK_NS * bandwidth.max() + RELATIVE * until
    worst = np.flatnonzero(late > slack)
    if len(worst):
        last = worst[ends[worst].argmin()]
        findings.add("bandwidth", _overfull(what, int(ends[last]), starts, ends, begin, moved, float(until[last])))


def _delivered(starts: np.ndarray, ends: np.ndarray, bandwidth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The instants at which layers start or end, and the most bytes that could have been delivered until each."""
    times, place = np.unique(np.concatenate([starts, ends]), return_inverse=True)
    change = np.zeros(len(times), dtype=np.int64)
    np.add.at(change, place[: len(starts)], 1)
    np.add.at(change, place[len(starts) :], -1)
    n = np.cumsum(change)[:-1]
    rates = bandwidth[np.clip(n, 1, len(bandwidth)) - 1]
    return times, np.concatenate([[0.0], np.cumsum(rates * np.diff(times))])


def _lateness(begin: np.ndarray, until: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Serve each layer's bytes from `begin` on, the earliest `until` first, at rate one; return how far behind each is."""
    late = np.zeros(len(begin))
    order = np.argsort(begin, kind="stable")
    begins, untils, left = begin[order].tolist(), until[order].tolist(), moved[order].tolist()
    waiting: list[tuple[float, int, float]] = []
    now = 0.0
    for i in range(len(begins) + 1):
        next_one = begins[i] if i < len(begins) else np.inf
        while waiting and now < next_one:
            due, which, rest = waiting[0]
            if now + rest > next_one:
                heapreplace(waiting, (due, which, rest - (next_one - now)))
                break
            now += rest
            heappop(waiting)
            late[order[which]] = now - due
        if i < len(begins):
            now = next_one
            heappush(waiting, (untils[i], i, left[i]))
    return late


def _overfull(
    what: str, end_ns: int, starts: np.ndarray, ends: np.ndarray, begin: np.ndarray, moved: np.ndarray, until: float
) -> str:  # fmt: skip
    """Name the window up to `end_ns` that is overfull most."""
    inside = np.flatnonzero(ends <= end_ns)
    inside = inside[np.argsort(-starts[inside], kind="stable")]
    excess = np.cumsum(moved[inside]) - (until - begin[inside])
    first = int(excess.argmax())
    room = until - begin[inside[first]]
    return (
        f"the layers that lie between {starts[inside[first]]:,} and {end_ns:,} ns move {excess[first] + room:,.0f} bytes; "
        f"{what} delivers at most {room:,.0f} in that time"
    )
