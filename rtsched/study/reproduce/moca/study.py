"""MoCA's evaluation, done again: what is run, in which order, and what is found.

References
----------
Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rtsched.library import load_platform, load_scenario
from rtsched.policies.roles import Policy
from rtsched.study.reproduce.cells import Case, Stage
from rtsched.study.reproduce.moca.plan import MocaPlan
from rtsched.study.reproduce.moca.stages import (
    Plans,
    bandwidth_cases,
    main_cases,
    queue_cases,
    regroup_cases,
    setting_cases,
    step_cases,
    tile_cases,
    together_cases,
)
from rtsched.study.reproduce.parts import Part, run_parts
from rtsched.study.reproduce.session import Session

__all__ = ["KEPT", "STAGES", "MocaFindings", "check_plan", "reproduce_moca"]

KEPT = ("sla", "sla_low", "sla_mid", "sla_high", "stp", "fairness", "uxcost", "violation_rate")
"""Metrics that tables and figures are made of."""


@dataclass
class MocaFindings:
    """What is there of the reproduction.

    Attributes
    ----------
    plan : MocaPlan
    policies : mapping of str to Policy
    stages : dict of str to Stage
        Those that are done, and perhaps a part of the next one.
    """

    plan: MocaPlan
    policies: Mapping[str, Policy]
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def plans(self) -> Plans:
        """What runs are made from."""
        return Plans(self.plan, self.policies)


def check_plan(plan: MocaPlan) -> dict[str, Policy]:
    """Find out whether everything is there that a plan needs, and load its policies.

    Raises
    ------
    rtsched.errors.InputError
        Every fault at once.
    """
    plan.check()
    for scenario in (*(one for both in plan.sets.values() for one in both), *plan.together.scenarios):
        load_scenario(scenario)
    for platform in (plan.platform, *plan.together.platforms):
        load_platform(platform)
    return plan.policies.load()


def reproduce_moca(plan: MocaPlan, session: Session, tell: Callable[[MocaFindings, str], None]) -> MocaFindings:
    """Run a plan, as far as it is not in the store.

    Parameters
    ----------
    plan : MocaPlan
    session : Session
    tell : callable
        Called after each part with the findings so far, which grow, and the name of the part. After Ctrl-C too, when new
        runs are there that belong to a part.

    Raises
    ------
    rtsched.errors.InputError, rtsched.errors.PolicyError, KeyboardInterrupt
        As for `rtsched.study.reproduce.parts.run_parts`.
    """
    findings = MocaFindings(plan, check_plan(plan))
    session.kept = KEPT
    return run_parts(STAGES, findings, session, tell)


def _from(cases: Callable[[Plans], Iterable[Case]]) -> Callable[[MocaFindings], Iterable[Case]]:
    return lambda findings: cases(findings.plans)


STAGES = {
    "main": Part("every policy on every set", _from(main_cases)),
    "steps": Part("from the static partition to MoCA, part by part", _from(step_cases)),
    "queues": Part("MoCA with other queues", _from(queue_cases)),
    "bandwidth": Part("other bandwidths of the DRAM", _from(bandwidth_cases)),
    "tiles": Part("other numbers of tiles", _from(tile_cases)),
    "regroup": Part("what another number of tiles costs a job", _from(regroup_cases)),
    "settings": Part("other values of MoCA's settings", _from(setting_cases)),
    "together": Part("DREAM with MoCA's regulation", _from(together_cases)),
}
"""By name, in the order in which they are done: a study that is stopped has the most important ones."""
