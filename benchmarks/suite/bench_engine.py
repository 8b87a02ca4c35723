"""Speed of the engine: layers completed per CPU second, memory, compile and import time. Run with ``asv run`` in the folder above."""

import subprocess
import sys
import time
from typing import ClassVar

import rtsched

from .workloads import speed_problem


def layers_per_second(problem, policy):
    """Best of five, since other programs only slow it down."""
    rates = []
    for _ in range(5):
        began = time.process_time()
        outcome = rtsched.run(problem, policy)
        rates.append(outcome.n_layers / (time.process_time() - began))
    return max(rates)


class Engine:
    """The speed workload per policy; everything recorded per job."""

    params: ClassVar = (["jittered", "regular"], ["fcfs", "edf", "llf", "srpt"])
    param_names = ("preset", "policy")
    unit = "layers per CPU second"
    timeout = 300

    def setup(self, preset, policy):
        self.problem = speed_problem(preset, jobs=1000)

    def track_layers_per_second(self, preset, policy):
        return layers_per_second(self.problem, policy)

    def peakmem_run(self, preset, policy):
        rtsched.run(self.problem, policy)


class Scenario:
    """Ten simulated seconds of a built-in scenario."""

    params: ClassVar = ["fcfs", "edf", "llf", "srpt"]
    param_names = ("policy",)

    def setup(self, policy):
        self.problem = rtsched.compile("vr_gaming")

    def time_run(self, policy):
        rtsched.run(self.problem, policy)


class Tiles:
    """MoCA's set C on eight tiles, at a load at which jobs pile up."""

    params: ClassVar = ["static", "planaria", "moca-scheduler-only", "moca"]
    param_names = ("policy",)
    unit = "layers per CPU second"

    def setup(self, policy):
        self.problem = rtsched.compile("moca_c", duration_s=2.0)

    def track_layers_per_second(self, policy):
        return layers_per_second(self.problem, policy)


class LeastLaxity(rtsched.Mapper):
    def score(self, state):
        return -(state.slack_ns - state.togo_mean_ns)


class PythonRole:
    def setup(self):
        self.problem = speed_problem("jittered", jobs=40)

    def time_score(self):
        rtsched.run(self.problem, LeastLaxity())


class Compile:
    def time_compile(self):
        rtsched.compile("vr_gaming")

    def time_import(self):
        subprocess.run([sys.executable, "-c", "import rtsched"], check=True)
