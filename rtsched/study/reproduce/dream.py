"""DREAM's evaluation, done again: what is run, in which order, and what is found.

References
----------
Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rtsched.library import load_platform, load_scenario
from rtsched.policies.roles import Policy
from rtsched.run import compile
from rtsched.study.reproduce.cells import Pair, Stage
from rtsched.study.reproduce.loads import PairLoads, find_loads
from rtsched.study.reproduce.plan import DreamPlan
from rtsched.study.reproduce.session import Session, StageInterrupted
from rtsched.study.reproduce.stages import (
    Plans,
    ablation_cases,
    cascade_cases,
    error_cases,
    landscape_cases,
    load_cases,
    main_cases,
    setting_cases,
    setting_of,
)
from rtsched.study.reproduce.tuning import TunerPath, tuner_path
from rtsched.study.runner import RunsInterrupted

__all__ = ["STAGES", "DreamFindings", "check_plan", "reproduce_dream"]

STAGES = {
    "main": ("every policy at load 1", main_cases),
    "loads": ("every policy where deadlines begin to be missed", load_cases),
    "landscape": ("UXCost over the parameters that the tuner searches", landscape_cases),
    "ablation": ("DREAM without its parts", ablation_cases),
    "cascade": ("probability that a cascade goes on", cascade_cases),
    "errors": ("layers that take longer or shorter than estimated", error_cases),
    "settings": ("other values of what is reconstructed", setting_cases),
}
"""Name to title and runs, in the order in which they are done: a study that is stopped has the most important ones."""


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
    rtsched.errors.InputError, rtsched.errors.PolicyError
        As for `rtsched.study.runner.run_planned`.
    KeyboardInterrupt
        Ctrl-C. Every finished run is in the store.
    """
    findings = DreamFindings(plan, check_plan(plan))
    for name, (title, cases_of) in STAGES.items():
        if name == "loads":
            findings.loads = find_loads(plan, findings.policies[plan.policies.scan], session)
        try:
            findings.stages[name] = session.stage(name, title, list(cases_of(findings.plans)))
        except StageInterrupted as interruption:
            if session.n_new and interruption.stage.runs:
                findings.stages[name] = interruption.stage
                tell(findings, name)
            raise RunsInterrupted([], session.n_new) from None
        if name == "landscape":
            _follow(findings)
        tell(findings, name)
    return findings


def _follow(findings: DreamFindings) -> None:
    """Record the tuner's ways."""
    plan = findings.plan
    policy = findings.policies[plan.policies.tuned]
    for scenario in plan.sweep_scenarios if policy.tuner is not None else ():
        pair = (scenario, plan.sweep_platforms[0])
        problem = compile(*pair, duration_s=plan.duration_s, load=findings.plans.sweep_load(pair))
        findings.paths[scenario] = tuner_path(problem, policy, 0)
