"""The loads at which policies are compared: between the first misses of one policy and its collapse."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rtsched.policies.roles import Policy
from rtsched.study.reproduce.cells import Pair
from rtsched.study.reproduce.dream.plan import DreamPlan, ScanRule
from rtsched.study.reproduce.session import Session
from rtsched.study.runner import PlannedRun

__all__ = ["LEVELS", "PairLoads", "find_loads"]

LEVELS = ("light", "middle", "heavy")
"""What the loads are called, from the first misses to the collapse."""


@dataclass(frozen=True)
class PairLoads:
    """What the scan found for a scenario on a platform.

    Attributes
    ----------
    pair : (str, str)
    miss, collapse : float
        Loads; NaN where the scan did not come to it. Without a collapse the scan's last load stands in its place below.
    loads : tuple of float
        One for each share of the way; empty when nothing is missed.
    """

    pair: Pair
    miss: float
    collapse: float
    loads: tuple[float, ...]

    def load(self, level: str) -> float:
        """One of `loads` by what it is called; 1 where there is none."""
        return self.loads[LEVELS.index(level)] if self.loads else 1.0


def find_loads(plan: DreamPlan, policy: Policy, session: Session) -> dict[Pair, PairLoads]:
    """Scan loads upwards, all scenarios and platforms side by side, as `ScanRule` says.

    Raises
    ------
    rtsched.study.runner.RunsInterrupted
    """
    rule = plan.scan
    pairs = [(scenario, platform) for scenario in plan.scenarios for platform in plan.platforms]
    rates: dict[Pair, list[tuple[float, float]]] = {pair: [] for pair in pairs}
    for load in rule.grid:
        waiting = [pair for pair in pairs if not rates[pair] or rates[pair][-1][1] < rule.collapse]
        if not waiting:
            break
        planned = [
            PlannedRun(*pair, policy, seed, load=load, duration_s=rule.duration_s) for pair in waiting for seed in range(rule.n_seeds)
        ]
        found = session.results(f"scan at load {load:g}", planned)
        for place, pair in enumerate(waiting):
            runs = found[place * rule.n_seeds : (place + 1) * rule.n_seeds]
            rates[pair].append((load, sum(run.scalars["violation_rate"] for run in runs if run is not None) / rule.n_seeds))
    return {pair: chosen_loads(rule, pair, rates[pair]) for pair in pairs}


def chosen_loads(rule: ScanRule, pair: Pair, rates: list[tuple[float, float]]) -> PairLoads:
    """Apply the rule to violation rates by ascending load."""
    miss = next((load for load, rate in rates if rate >= rule.miss), math.nan)
    last, rate = rates[-1]
    loads = () if math.isnan(miss) else tuple(round(miss + share * (last - miss), 3) for share in rule.shares)
    return PairLoads(pair, miss, last if rate >= rule.collapse else math.nan, loads)
