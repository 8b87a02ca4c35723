"""The runs of each part of the reproduction of DREAM."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rtsched.library import load_scenario
from rtsched.policies.registry import ROLES, configure
from rtsched.policies.roles import Policy, Setting
from rtsched.study.reproduce.cells import Case, Pair
from rtsched.study.reproduce.dream.loads import LEVELS, PairLoads
from rtsched.study.reproduce.dream.plan import DreamPlan
from rtsched.study.reproduce.settings import DEFAULT, setting_of, variations
from rtsched.study.runner import PlannedRun

__all__ = [
    "Plans",
    "ablation_cases",
    "axis",
    "cascade_cases",
    "error_cases",
    "landscape_cases",
    "load_cases",
    "main_cases",
    "setting_cases",
]


@dataclass(frozen=True)
class Plans:
    """What the runs of every stage are made from.

    Attributes
    ----------
    plan : DreamPlan
    policies : mapping of str to Policy
    loads : mapping of pair to PairLoads
        Of the scan; empty before it.
    """

    plan: DreamPlan
    policies: Mapping[str, Policy]
    loads: Mapping[Pair, PairLoads]

    def run(self, pair: Pair, policy: Policy, seed: int, load: float, **options: Any) -> PlannedRun:
        """A run of the plan's duration."""
        return PlannedRun(*pair, policy, seed, load=load, duration_s=self.plan.duration_s, **options)

    def sweep_pairs(self) -> list[Pair]:
        """Scenarios and platforms of the sweeps."""
        return [(scenario, platform) for scenario in self.plan.sweep_scenarios for platform in self.plan.sweep_platforms]

    def sweep_load(self, pair: Pair) -> float:
        """The middle of the loads that the scan found; 1 where it found none."""
        return self.loads[pair].load(LEVELS[1]) if pair in self.loads else 1.0


def main_cases(plans: Plans) -> Iterator[Case]:
    """Every policy on every scenario and platform at load 1."""
    plan = plans.plan
    for scenario in plan.scenarios:
        for platform in plan.platforms:
            for seed in range(plan.n_seeds):
                for name, policy in plans.policies.items():
                    yield Case("load 1", name, plans.run((scenario, platform), policy, seed, 1.0))


def load_cases(plans: Plans) -> Iterator[Case]:
    """The same at the loads that the scan found; pairs at which nothing was missed are left out."""
    for level in LEVELS:
        for pair, found in plans.loads.items():
            if found.loads:
                for seed in range(plans.plan.n_seeds):
                    for name, policy in plans.policies.items():
                        yield Case(level, name, plans.run(pair, policy, seed, found.load(level)))


def axis(setting: Setting, n: int) -> list[float]:
    """Points of the landscape along a setting, over its whole range; 0 to 2 where that has no end."""
    low = 0.0 if setting.low is None or not math.isfinite(setting.low) else float(setting.low)
    high = 2.0 if setting.high is None or not math.isfinite(setting.high) else float(setting.high)
    return [round(float(value), 6) for value in np.linspace(low, high, n)]


def landscape_cases(plans: Plans) -> Iterator[Case]:
    """DREAM without its tuner at every point of the plane that the tuner searches, and with it.

    The case of a point is its two values with a comma between them.
    """
    plan, names = plans.plan, plans.plan.policies
    fixed = plans.policies[names.fixed]
    x, y = (axis(setting_of(fixed, path), plan.n_grid) for path in names.axes)
    points = {f"{a:g},{b:g}": dict(zip(names.axes, (a, b), strict=True)) for a in x for b in y}
    changed = {case: configure(fixed, changes) for case, changes in points.items()}
    for scenario in plan.sweep_scenarios:
        pair = (scenario, plan.sweep_platforms[0])
        load = plans.sweep_load(pair)
        for seed in range(plan.n_landscape_seeds):
            for name in (names.tuned, names.fixed):
                yield Case(DEFAULT, name, plans.run(pair, plans.policies[name], seed, load))
            for case, changes in points.items():
                yield Case(case, names.fixed, plans.run(pair, changed[case], seed, load, changes=changes))


def ablation_cases(plans: Plans) -> Iterator[Case]:
    """DREAM without one of its parts after the other."""
    names = plans.plan.policies
    whole, tuned = plans.policies[names.fixed], plans.policies[names.tuned]
    parts = {f"{names.plain}'s mapper": replace(whole, mapper=plans.policies[names.plain].mapper)}
    for place in ROLES:
        if place != "mapper" and getattr(whole, place) is not None:
            without: dict[str, Any] = {place: None}
            parts[f"no {place}"] = replace(whole, **without)
    parts["mapper alone"] = Policy(mapper=whole.mapper)
    parts = {case: replace(policy, name=f"{names.fixed}, {case}") for case, policy in parts.items()}
    parts = {DEFAULT: whole, **parts, "with the tuner": tuned}
    for pair in plans.sweep_pairs():
        for seed in range(plans.plan.n_sweep_seeds):
            for case, policy in parts.items():
                yield Case(case, names.fixed, plans.run(pair, policy, seed, plans.sweep_load(pair)))


def cascade_cases(plans: Plans) -> Iterator[Case]:
    """Every policy at other probabilities that a cascade goes on, in scenarios that have one."""
    plan = plans.plan
    for pair in plans.sweep_pairs():
        children = [task.name for task in load_scenario(pair[0]).tasks if task.parents]
        for trigger in plan.triggers if children else ():
            changes = {f"scenario.tasks.{name}.trigger": trigger for name in children}
            for seed in range(plan.n_sweep_seeds):
                for name, policy in plans.policies.items():
                    yield Case(f"{trigger:g}", name, plans.run(pair, policy, seed, plans.sweep_load(pair), settings=changes))


def error_cases(plans: Plans) -> Iterator[Case]:
    """Every policy when layers take longer or shorter than estimated.

    Times are estimates times a lognormal factor of mean 1 for each layer; the case is its standard deviation in per cent.
    """
    for pair in plans.sweep_pairs():
        for error in plans.plan.errors:
            factor = {"scenario.time_factor": {"sigma": math.sqrt(math.log1p(error**2))}} if error else {}
            for seed in range(plans.plan.n_sweep_seeds):
                for name, policy in plans.policies.items():
                    yield Case(f"{100 * error:g}", name, plans.run(pair, policy, seed, plans.sweep_load(pair), settings=factor))


def setting_cases(plans: Plans) -> Iterator[Case]:
    """DREAM with other values of its settings, one at a time."""
    names = plans.plan.policies
    fixed, tuned = plans.policies[names.fixed], plans.policies[names.tuned]
    changes = variations(fixed, tuned)
    for pair in plans.sweep_pairs():
        load = plans.sweep_load(pair)
        for seed in range(plans.plan.n_sweep_seeds):
            for policy in (fixed, tuned):
                yield Case(DEFAULT, policy.name, plans.run(pair, policy, seed, load))
            for one in changes:
                yield Case(one.case, one.policy, plans.run(pair, one.changed, seed, load, changes={one.path: one.value}))
