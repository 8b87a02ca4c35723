"""DREAM's evaluation, done again: what is run, in which order, and what is found.

References
----------
Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rtsched.library import load_platform, load_scenario
from rtsched.policies.roles import Policy
from rtsched.run import compile
from rtsched.study.reproduce.cells import Case, Pair, Stage
from rtsched.study.reproduce.dream.loads import PairLoads, find_loads
from rtsched.study.reproduce.dream.plan import DreamPlan
from rtsched.study.reproduce.dream.stages import (
    Plans,
    ablation_cases,
    cascade_cases,
    error_cases,
    landscape_cases,
    load_cases,
    main_cases,
    setting_cases,
)
from rtsched.study.reproduce.dream.tuning import TunerPath, tuner_path
from rtsched.study.reproduce.parts import Part, run_parts
from rtsched.study.reproduce.session import Session
from rtsched.study.reproduce.settings import setting_of

__all__ = ["KEPT", "STAGES", "DreamFindings", "check_plan", "reproduce_dream"]

KEPT = ("uxcost", "violation_rate", "energy_j")
"""Metrics that tables and figures are made of. A full study has 50,000 runs; with all metrics they would take 200 MB."""


@dataclass
class DreamFindings:
    """What is there of the reproduction.

    Attributes
    ----------
    plan : DreamPlan
    policies : mapping of str to Policy
    stages : dict of str to Stage
        Those that are done, and perhaps a part of the next one.
    loads : mapping of pair to PairLoads
        Empty before the scan.
    paths : dict of str to TunerPath
        The tuner's way by scenario, under seed 0.
    """

    plan: DreamPlan
    policies: Mapping[str, Policy]
    stages: dict[str, Stage] = field(default_factory=dict)
    loads: Mapping[Pair, PairLoads] = field(default_factory=dict)
    paths: dict[str, TunerPath] = field(default_factory=dict)

    @property
    def plans(self) -> Plans:
        """What runs are made from."""
        return Plans(self.plan, self.policies, self.loads)

    @property
    def is_complete(self) -> bool:
        """Whether every run of every stage is there."""
        return len(self.stages) == len(STAGES) and all(one.is_complete for one in self.stages.values())


def check_plan(plan: DreamPlan) -> dict[str, Policy]:
    """Find out whether everything is there that a plan needs, and load its policies.

    Raises
    ------
    rtsched.errors.InputError
        Every fault at once.
    """
    plan.check()
    for scenario in plan.scenarios:
        load_scenario(scenario)
    for platform in plan.platforms:
        load_platform(platform)
    policies = plan.policies.load()
    for path in plan.policies.axes:
        setting_of(policies[plan.policies.fixed], path)
    return policies


def reproduce_dream(plan: DreamPlan, session: Session, tell: Callable[[DreamFindings, str], None]) -> DreamFindings:
    """Run a plan, as far as it is not in the store.

    Parameters
    ----------
    plan : DreamPlan
    session : Session
    tell : callable
        Called after each stage with the findings so far, which grow, and the name of the stage. After Ctrl-C too, when new
        runs are there that belong to a stage.

    Raises
    ------
    rtsched.errors.InputError, rtsched.errors.PolicyError, KeyboardInterrupt
        As for `rtsched.study.reproduce.parts.run_parts`.
    """
    findings = DreamFindings(plan, check_plan(plan))
    session.kept = KEPT
    return run_parts(STAGES, findings, session, tell)


def _scan(findings: DreamFindings, session: Session) -> None:
    """Find the loads."""
    plan = findings.plan
    findings.loads = find_loads(plan, findings.policies[plan.policies.scan], session)


def _follow(findings: DreamFindings, session: Session) -> None:
    """Record the tuner's ways."""
    plan = findings.plan
    policy = findings.policies[plan.policies.tuned]
    for scenario in plan.sweep_scenarios if policy.tuner is not None else ():
        pair = (scenario, plan.sweep_platforms[0])
        problem = compile(*pair, duration_s=plan.duration_s, load=findings.plans.sweep_load(pair))
        findings.paths[scenario] = tuner_path(problem, policy, 0)


def _from(cases: Callable[[Plans], Iterable[Case]]) -> Callable[[DreamFindings], Iterable[Case]]:
    return lambda findings: cases(findings.plans)


STAGES = {
    "main": Part("every policy at load 1", _from(main_cases)),
    "loads": Part("every policy where deadlines begin to be missed", _from(load_cases), before=_scan),
    "landscape": Part("UXCost over the parameters that the tuner searches", _from(landscape_cases), after=_follow),
    "ablation": Part("DREAM without its parts", _from(ablation_cases)),
    "cascade": Part("probability that a cascade goes on", _from(cascade_cases)),
    "errors": Part("layers that take longer or shorter than estimated", _from(error_cases)),
    "settings": Part("other values of what is reconstructed", _from(setting_cases)),
}
"""By name, in the order in which they are done: a study that is stopped has the most important ones."""
