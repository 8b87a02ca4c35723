"""What a decision costs: nanoseconds of CPU per decision, everything included, with a given number of ready jobs."""

import time
from typing import ClassVar

import rtsched

from .workloads import busy_problem


class Decision:
    """Four accelerators that are never idle, and as many ready jobs as the parameter says at every decision.

    A decision comes with the end of each layer. The figure is the time of a run over its layers: events and sharing of the memory
    are in it, so it is an upper bound of what the policy takes.
    """

    params: ClassVar = (["fcfs", "edf", "dream-mapscore", "dream-fixed"], [8, 64])
    param_names = ("policy", "ready")
    unit = "ns of CPU per decision"

    def setup(self, policy, ready):
        self.problem = busy_problem(ready)

    def track_decision(self, policy, ready):
        """Best of five, since other programs only slow it down."""
        times = []
        for _ in range(5):
            began = time.process_time()
            outcome = rtsched.run(self.problem, policy)
            times.append((time.process_time() - began) / outcome.n_layers)
        return 1e9 * min(times)
