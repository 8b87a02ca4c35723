"""Speed of the engine: layers completed per CPU second, memory, compile and import time. Run with ``asv run`` in the folder above."""

import subprocess
import sys
import time
from typing import ClassVar

import rtsched
from rtsched.compiler import compile_problem
from rtsched.library import load_platform, load_scenario
from rtsched.policies.registry import policy_names
from rtsched.study.many import simulate_many

from .workloads import speed_problem


def layers_per_second(problem, policy, repeats=5, **recorded):
    """Best of five, since other programs only slow it down."""
    rates = []
    for _ in range(repeats):
        began = time.process_time()
        outcome = rtsched.run(problem, policy, **recorded)
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


class Accelerators:
    """The speed workload on more accelerators: every layer that begins or ends is shared with all that run."""

    params: ClassVar = (["edf", "dream-mapscore"], [1, 4, 16, 64])
    param_names = ("policy", "accelerators")
    unit = "layers per CPU second"

    def setup(self, policy, accelerators):
        self.problem = speed_problem(jobs=max(1, 2500 // accelerators), layers=10, accelerators=accelerators)

    def track_layers_per_second(self, policy, accelerators):
        return layers_per_second(self.problem, policy)


class Scenario:
    """Ten simulated seconds of a built-in scenario, at a load at which jobs pile up now and then."""

    params: ClassVar = (list(policy_names()), ["vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social"])
    param_names = ("policy", "scenario")
    unit = "layers per CPU second"

    def setup(self, policy, scenario):
        self.problem = rtsched.compile(scenario, load=1.5)

    def track_layers_per_second(self, policy, scenario):
        return layers_per_second(self.problem, policy)


class Large:
    """Ten million layers in one run, and a million jobs of one layer."""

    timeout = 600
    unit = "layers per CPU second"

    def setup(self):
        self.layers, self.jobs = speed_problem(jobs=12_500), speed_problem(jobs=62_500, layers=1)

    def track_ten_million_layers(self):
        return layers_per_second(self.layers, "edf", repeats=1)

    def peakmem_ten_million_layers(self):
        rtsched.run(self.layers, "edf")

    def peakmem_million_jobs(self):
        rtsched.run(self.jobs, "edf")


class Recording:
    """CPU time of a run that keeps its layers, and the changes of their rates, over that of one that keeps neither."""

    params: ClassVar = [{"layers": True}, {"layers": True, "rates": True}]
    param_names = ("recorded",)
    unit = "times"

    def setup(self, recorded):
        self.problem = speed_problem(jobs=400)

    def track_ratio(self, recorded):
        # In turns: whether the core is shared changes from second to second.
        rates = [[layers_per_second(self.problem, "edf", repeats=1, **given) for given in ({}, recorded)] for _ in range(10)]
        plain, kept = (max(column) for column in zip(*rates, strict=True))
        return plain / kept


class Cores:
    """Runs per second of wall time in two threads over those in one."""

    unit = "times"

    def setup(self):
        self.problem = speed_problem(jobs=100)

    def track_ratio(self):
        return self.seconds(1) / self.seconds(2)

    def seconds(self, threads):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            simulate_many(self.problem, [("edf", seed) for seed in range(20)], lambda outcome: None, threads=threads)
            times.append(time.perf_counter() - began)
        return min(times)


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
    def setup(self):
        self.scenario, self.platform = load_scenario("vr_gaming"), load_platform("dream_4k_1ws2os")

    def time_from_files(self):
        rtsched.compile("vr_gaming")

    def time_problem(self):
        compile_problem(self.scenario, self.platform)

    def time_import(self):
        subprocess.run([sys.executable, "-c", "import rtsched"], check=True)
