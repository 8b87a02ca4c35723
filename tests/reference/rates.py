"""What running layers are given of the DRAM, a row per change."""

import math


def add_changed(sim):
    """After a sharing: a row for every running layer whose allocation or cap is another one, by place."""
    for i, r in enumerate(sim.running_in_order()):
        given = (r.rate * r.demand, r.cap)
        if given != r.given:
            r.given = given
            sim.rates.append((sim.now, r, r.demand, *given, *counter(sim.regulator, i, r.cap)))


def add_end(sim, r, time):
    """The last row of a layer, unless it was never given anything: it ended at the instant at which it began."""
    if r.given is not None:
        sim.rates.append((time, r, 0.0, 0.0, math.inf, 0, 0))


def counter(regulator, i, cap):
    """Window and threshold of the access counters of the i-th running layer."""
    return regulator.counters[i] if hasattr(regulator, "counters") and cap < math.inf else (0, 0)
