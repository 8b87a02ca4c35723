"""Stand-ins for the policies of a reproduction: short rules in Python with the settings and roles that studies change."""

from dataclasses import replace

import numpy as np

from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Dropper, Mapper, Policy, Selector, Setting, Tuner
from rtsched.study.reproduce.dream.plan import DreamPlan, DreamPolicies, ScanRule
from rtsched.study.reproduce.moca.plan import MocaPlan, Together


class Weighted(Mapper):
    """Least laxity, with a share of waiting and of cheap energy."""

    settings = (
        Setting("alpha", 1.0, "weight of waiting", low=0.0, high=2.0),
        Setting("beta", 1.0, "weight of energy", low=0.0, high=2.0),
        Setting("late", "cap", "late jobs (reconstruction)", choices=("cap", "first")),
    )
    parameter_names = ("alpha", "beta")

    def start(self, problem):
        started = Weighted(alpha=self.alpha, beta=self.beta, late=self.late)
        started.parameters = np.array([self.alpha, self.beta])
        return started

    def score(self, state):
        alpha, beta = self.parameters
        slack_ns = state.slack_ns - state.togo_mean_ns
        if self.late == "first":
            slack_ns = np.abs(slack_ns)
        return (-slack_ns + alpha * 1e6)[:, None] - (1 + beta) * state.latency_ns


class DropsLate(Dropper):
    """Gives up what is late by more than `patience_s`."""

    settings = (Setting("patience_s", 0.01, "time (reconstruction)", unit="s", low=0.0),)

    def drop(self, state):
        return np.flatnonzero(state.slack_ns < -self.patience_s * 1e9)


class Lightest(Selector):
    """Always the last subnet."""

    def select(self, state, row):
        return 1


class Walks(Tuner):
    """Takes half of the first parameter after each window."""

    settings = (Setting("window_s", 0.02, "window", unit="s", low=0.01),)

    @property
    def window_ns(self):
        return round(self.window_s * 1e9)

    def tune(self, window, parameters):
        if parameters[0] > 0.2:
            parameters[0] /= 2


def stand_ins():
    """Policies under the production names."""
    fixed = Policy(mapper=Weighted(), dropper=DropsLate(), selector=Lightest(), name="dream-fixed")
    return {
        "planaria": load_policy("llf"),
        "veltair": load_policy("herald"),
        "dream-mapscore": replace(fixed, dropper=None, selector=None),
        "dream-smartdrop": replace(fixed, selector=None),
        "dream-fixed": fixed,
        "dream": replace(fixed, tuner=Walks()),
        "dream-balanced": replace(fixed, mapper=load_policy("eft").mapper),
    }


def tiny_plan(**changes):
    """A study of a few seconds, two scenarios on one platform."""
    plan = DreamPlan(
        name="tiny",
        scenarios=("vr_gaming", "drone_outdoor"),
        platforms=("dream_4k_2os",),
        n_seeds=3,
        duration_s=0.1,
        policies=DreamPolicies(baselines=("fcfs", "planaria", "veltair"), given=stand_ins()),
        scan=ScanRule(first=1.0, factor=1.3, last=3.0, n_seeds=1, duration_s=0.1),
        sweep_scenarios=("vr_gaming", "drone_outdoor"),
        sweep_platforms=("dream_4k_2os",),
        n_sweep_seeds=2,
        n_landscape_seeds=1,
        triggers=(0.5, 1.0),
        errors=(0.0, 0.3),
        n_grid=2,
    )
    return replace(plan, **changes)


def tiny_moca_plan(**changes):
    """A study of MoCA of a few seconds, with the policies themselves."""
    plan = MocaPlan(
        name="tiny",
        sets={"A": ("moca_a", "moca_a_artifact"), "C": ("moca_c", "moca_c_artifact")},
        qualities=("M",),
        loads=(1.0,),
        n_seeds=3,
        n_sweep_seeds=2,
        bandwidths=(8.0, 64.0),
        tiles=(4, 8),
        regroups_us=(0.0, 300.0),
        more_values={"regulator.min_share": (1.0,)},
        together=Together(scenarios=("vr_gaming",), platforms=("dream_4k_2ws",), bandwidths=(90.0, 22.0), n_seeds=2, duration_s=0.2),
    )
    return replace(plan, **changes)
