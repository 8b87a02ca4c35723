"""The runs of each part of the reproduction of MoCA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rtsched.library import load_platform
from rtsched.policies.moca_scheduler import NO_EXPRESS
from rtsched.policies.registry import configure
from rtsched.policies.roles import Policy
from rtsched.study.reproduce.cells import Case, Cell
from rtsched.study.reproduce.moca.plan import Level, MocaPlan
from rtsched.study.reproduce.settings import DEFAULT, Variation, setting_of, variations
from rtsched.study.runner import PlannedRun

__all__ = [
    "LEFT_OUT",
    "STEPS",
    "Plans",
    "bandwidth_cases",
    "main_cases",
    "queue_cases",
    "queue_label",
    "regroup_cases",
    "setting_cases",
    "step_cases",
    "tile_cases",
    "together_cases",
]

STEPS = ("static", "queue order", "late jobs last", "mixing", "idle tiles", "express", "regulation")
"""From the static partition to MoCA, each with what the one before has."""

LEFT_OUT = ("no queue order", "no late jobs last", "no mixing", "no idle tiles", "no express", "neither of ours")
"""MoCA without one of its parts, and without the two that are not the paper's; without its regulation it is the step before the last."""

NO_IDLE: dict[str, Any] = {"mapper.idle": "leave"}

NO_AHEAD: dict[str, Any] = {"mapper.express": NO_EXPRESS}


@dataclass(frozen=True)
class Plans:
    """What the runs of every part are made from.

    Attributes
    ----------
    plan : MocaPlan
    policies : mapping of str to Policy
    """

    plan: MocaPlan
    policies: Mapping[str, Policy]

    def scenario(self, name: str, level: Level) -> str:
        """The scenario of a set."""
        return self.plan.sets[name][level.load is None]

    def cell(self, name: str, level: Level, policy: str, case: str = "") -> Cell:
        """Where the runs of a policy on a set are."""
        return Cell(case or level.case, self.scenario(name, level), self.plan.platform, policy)

    def cases(
        self,
        levels: Iterable[Level],
        policies: Mapping[str, Policy],
        n_seeds: int,
        case: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> Iterator[Case]:
        """Policies on every set, for as long as its jobs take to arrive; a case is that of its level unless it has another name."""
        for name in self.plan.sets:
            for level in levels:
                scenario, load = self.scenario(name, level), level.load or 1.0
                changes = {"scenario.qos": level.qos, **(settings or {})}
                for seed in range(n_seeds):
                    for label, policy in policies.items():
                        run = PlannedRun(scenario, self.plan.platform, policy, seed, load=load, duration_s=None, settings=changes)
                        yield Case(case or level.case, label, run)

    def steps(self) -> dict[str, Policy]:
        """The policies of the decomposition."""
        names = self.plan.policies
        whole, queue = self.policies[names.whole], self.policies[names.queue]
        scheduler = self.policies[names.scheduler]
        added = (
            self.policies[names.partition], queue, configure(queue, {"mapper.late": "last"}),
            configure(scheduler, NO_IDLE | NO_AHEAD), configure(scheduler, NO_AHEAD), scheduler, whole,
        )  # fmt: skip
        changes = ({"mapper.queue": "fcfs"}, {"mapper.late": "queue"}, {"mapper.mix": False}, NO_IDLE, NO_AHEAD, NO_IDLE | NO_AHEAD)
        return dict(zip((*STEPS, *LEFT_OUT), (*added, *(configure(whole, one) for one in changes)), strict=True))

    def variations(self) -> list[Variation]:
        """Other values of MoCA's settings."""
        whole = self.policies[self.plan.policies.whole]
        return variations(whole, whole, self.plan.more_values)

    def queues(self) -> dict[str, Policy]:
        """MoCA with other queues, by what `queue_label` says."""
        whole = self.policies[self.plan.policies.whole]
        orders, lates = (setting_of(whole, path).choices or () for path in ("mapper.queue", "mapper.late"))
        chosen = [(order, late) for late in lates for order in orders]
        return {queue_label(order, late): configure(whole, {"mapper.queue": order, "mapper.late": late}) for order, late in chosen}


def queue_label(order: str, late: str) -> str:
    """What MoCA with another queue is called."""
    return f"{order}, late {late}"


def main_cases(plans: Plans) -> Iterator[Case]:
    """Every policy on every set at every level."""
    named = {name: plans.policies[name] for name in plans.plan.policies.names}
    yield from plans.cases(plans.plan.levels, named, plans.plan.n_seeds)


def step_cases(plans: Plans) -> Iterator[Case]:
    """From the static partition to MoCA, under each arbiter."""
    for arbiter in plans.plan.arbiters:
        for level in plans.plan.sweep_levels:
            case = f"{arbiter}, {level.case}"
            yield from plans.cases([level], plans.steps(), plans.plan.n_sweep_seeds, case, {"platform.memory.arbiter": arbiter})


def queue_cases(plans: Plans) -> Iterator[Case]:
    """MoCA with every queue."""
    yield from plans.cases(plans.plan.sweep_levels, plans.queues(), plans.plan.n_sweep_seeds)


def setting_cases(plans: Plans) -> Iterator[Case]:
    """MoCA with other values of its settings, one at a time."""
    plan, whole = plans.plan, plans.plan.policies.whole
    yield from plans.cases(plan.sweep_levels, {whole: plans.policies[whole]}, plan.n_sweep_seeds, DEFAULT)
    for one in plans.variations():
        yield from plans.cases(plan.sweep_levels, {whole: one.changed}, plan.n_sweep_seeds, one.case)


def _swept(plans: Plans, path: str, values: Iterable[float], policies: Iterable[str]) -> Iterator[Case]:
    named = {name: plans.policies[name] for name in policies}
    for value in values:
        yield from plans.cases(plans.plan.sweep_levels, named, plans.plan.n_sweep_seeds, f"{value:g}", {path: value})


def bandwidth_cases(plans: Plans) -> Iterator[Case]:
    """The static partition, MoCA and its halves with other DRAM."""
    yield from _swept(plans, "platform.memory.peak_gb_per_s", plans.plan.bandwidths, _halves(plans))


def tile_cases(plans: Plans) -> Iterator[Case]:
    """The same with other numbers of tiles."""
    (accelerator,) = load_platform(plans.plan.platform).accelerators
    yield from _swept(plans, f"platform.accelerators.{accelerator.name}.tiles", plans.plan.tiles, _halves(plans))


def _halves(plans: Plans) -> tuple[str, ...]:
    names = plans.plan.policies
    return (names.partition, names.regulator, names.scheduler, names.whole)


def regroup_cases(plans: Plans) -> Iterator[Case]:
    """What another number of tiles may cost; MoCA's jobs keep theirs."""
    names = plans.plan.policies
    for value in plans.plan.regroups_us:
        named = {name: plans.policies[name] for name in (names.regrouping, names.whole)}
        settings = {"platform.regroup_ns": round(1e3 * value)}
        yield from plans.cases(plans.plan.sweep_levels, named, plans.plan.n_sweep_seeds, f"{value:g}", settings)


def together_cases(plans: Plans) -> Iterator[Case]:
    """DREAM with and without MoCA's regulation, on DREAM's scenarios and platforms with less and less bandwidth."""
    rule, names = plans.plan.together, plans.plan.policies
    for bandwidth in rule.bandwidths:
        settings = {"platform.memory.peak_gb_per_s": bandwidth}
        for scenario in rule.scenarios:
            for platform in rule.platforms:
                for seed in range(rule.n_seeds):
                    for name in (names.alone, names.joined):
                        run = PlannedRun(scenario, platform, plans.policies[name], seed, duration_s=rule.duration_s, settings=settings)
                        yield Case(f"{bandwidth:g}", name, run)
