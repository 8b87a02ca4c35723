"""What a decision costs: nanoseconds of CPU per decision, everything included, with a given number of ready jobs."""

import time
from typing import ClassVar

import rtsched

from .workloads import busy_problem


def ns_per_layer(problem, policy):
    """Best of ten, since other programs only slow it down."""
    times = []
    for _ in range(10):
        began = time.process_time()
        outcome = rtsched.run(problem, policy)
        times.append((time.process_time() - began) / outcome.n_layers)
    return 1e9 * min(times)


class Decision:
    """Four accelerators that are never idle, and as many ready jobs as the parameter says at every decision.

    A decision comes with the end of each layer. The figure is the time of a run over its layers: events and sharing of the memory
    are in it, so it is an upper bound of what the policy takes.
    """

    params: ClassVar = (["fcfs", "edf", "dream-mapscore", "dream-fixed", "eft", "herald", "planaria", "sdrm3", "veltair"], [8, 64])
    param_names = ("policy", "ready")
    unit = "ns of CPU per decision"

    def setup(self, policy, ready):
        self.problem = busy_problem(ready)

    def track_decision(self, policy, ready):
        return ns_per_layer(self.problem, policy)


class MoreThanFirstCome:
    """The same less that of `fcfs`, whose own decision takes some 40 ns: what a policy's decision takes, to within that."""

    params: ClassVar = (["dream-mapscore", "dream-fixed", "dream"], [8, 64])
    param_names = ("policy", "ready")
    unit = "ns of CPU per decision"

    def setup(self, policy, ready):
        self.problem = busy_problem(ready)

    def track_decision(self, policy, ready):
        return ns_per_layer(self.problem, policy) - ns_per_layer(self.problem, "fcfs")
