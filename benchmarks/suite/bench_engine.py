"""Speed of the engine: layers completed per CPU second, memory, compile and import time. Run with ``asv run`` in the folder above."""

import subprocess
import sys
import time
from typing import ClassVar

import rtsched

from .workloads import speed_problem


class Engine:
    """The speed workload per policy; everything recorded per job."""

    params: ClassVar = (["jittered", "regular"], ["fcfs", "edf", "llf", "srpt"])
    param_names = ("preset", "policy")
    unit = "layers per CPU second"
    timeout = 300

    def setup(self, preset, policy):
        self.problem = speed_problem(preset, jobs=1000)

    def track_layers_per_second(self, preset, policy):
        """Best of five, since other programs only slow it down."""
        rates = []
        for _ in range(5):
            began = time.process_time()
            outcome = rtsched.run(self.problem, policy)
            rates.append(outcome.n_layers / (time.process_time() - began))
        return max(rates)

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
