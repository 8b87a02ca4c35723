"""What running layers are given of the DRAM, a row per change."""

import math


def add_changed(sim):
    """After a sharing: a row for every running layer whose allocation or cap is another one, by place."""
    for place in sorted(sim.running):
        r = sim.running[place]
        given = (r.rate * r.demand, r.cap)
        if given != r.given:
            r.given = given
            sim.rates.append((sim.now, r, r.demand, *given, *counter(sim.regulator, place)))


def add_end(sim, r, time):
    """The last row of a layer, unless it was never given anything: it ended at the instant at which it began."""
    if r.given is not None:
        sim.rates.append((time, r, 0.0, 0.0, math.inf, 0, 0))


def counter(regulator, place):
    """Window and threshold of the access counter that makes the cap of the layer at (accelerator, lowest tile)."""
    return regulator.counter(place) if hasattr(regulator, "counter") else (0, 0)
