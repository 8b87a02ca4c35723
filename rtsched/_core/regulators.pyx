"""MoCA's access counter, cycle by cycle: one tile whose loads are counted and stalled.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, section III. The simulator caps
rates instead (a fluid model); this is what the cap stands for, and the tests hold one against the other.
"""

from libc.stdint cimport int64_t

from dataclasses import dataclass
from numbers import Integral, Real

MOST_LOADS = 10**9

cdef enum:
    LARGEST = 65535  # of the counter's two registers
    EIGHTHS = 8  # in which debts and stalls are counted


@dataclass(frozen=True)
class CountedRun:
    """What became of a stream of loads.

    Attributes
    ----------
    cycles : int
        Until the last load was made.
    stalled : int
        Of these, cycles in which loads were held back.
    n_windows : int
        Windows that ended.
    """

    cycles: int
    stalled: int
    n_windows: int


cdef inline int64_t part_of(int64_t debt, int64_t threshold) noexcept nogil:
    # Eighths of a window that a debt, in eighths of an access, stalls for: 8, 6, 5 from as many eighths of the threshold on; else 4.
    if debt >= EIGHTHS * threshold:
        return 8
    if debt >= 6 * threshold:
        return 6
    return 5 if debt >= 5 * threshold else 4


def count_accesses(n_loads, loads_per_cycle, window, threshold):
    """Let a tile make loads at a steady rate, under an access counter.

    In a window of so many cycles the loads are counted. At its end the debt grows by the count less the threshold. While twice the
    debt exceeds the threshold, loads stall for a part f of a window and the debt falls by f of the threshold: f = 1, 3/4 or 5/8 when
    the debt is at least that part of the threshold, else 1/2. Nothing is counted in a stall; after it a new window begins. The stream
    does not catch up: its array stalls with it.

    Parameters
    ----------
    n_loads : int
        1 to 10**9; takes about a nanosecond for each and for each cycle.
    loads_per_cycle : float
        Above 0, at most 1: what the array asks for.
    window, threshold : int
        Cycles and loads, at most 65535; a window of 0 counts nothing. A part of a window is rounded to the nearest cycle.

    Returns
    -------
    CountedRun

    Raises
    ------
    ValueError
        A number is out of range.
    """
    least = 0 if window == 0 else 1
    whole = (("n_loads", n_loads, 1, MOST_LOADS), ("window", window, 0, LARGEST), ("threshold", threshold, least, LARGEST))
    faults = [
        f"{name} must be a whole number, {low} to {high}, got {value!r}"
        for name, value, low, high in whole
        if not isinstance(value, Integral) or not low <= value <= high
    ]
    if not isinstance(loads_per_cycle, Real) or not 0.0 < loads_per_cycle <= 1.0:
        faults.append(f"loads_per_cycle must be a number above 0, at most 1, got {loads_per_cycle!r}")
    if faults:
        raise ValueError("\n".join(faults))
    return CountedRun(*step(n_loads, loads_per_cycle, window, threshold))


cdef (int64_t, int64_t, int64_t) step(int64_t n_loads, double rate, int64_t window, int64_t threshold) noexcept nogil:
    cdef int64_t made = 0, counted = 0, debt = 0  # the debt in eighths of a load
    cdef int64_t cycle = 0, in_window = 0, stalled = 0, n_windows = 0, part, stall
    cdef double due = 0.0
    while True:
        cycle += 1
        due += rate
        if due >= 1.0:
            due -= 1.0
            made += 1
            counted += 1
            if made == n_loads:
                return cycle, stalled, n_windows
        in_window += 1
        if in_window != window:
            continue
        n_windows += 1
        debt += EIGHTHS * (counted - threshold)
        counted = in_window = 0
        while 2 * debt > EIGHTHS * threshold:
            part = part_of(debt, threshold)
            stall = (part * window + EIGHTHS // 2) // EIGHTHS
            cycle += stall
            stalled += stall
            debt -= part * threshold
