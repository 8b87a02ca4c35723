"""DREAM: MapScore, smart frame drop, Supernet switching, and weights that are tuned while it runs.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023. The score's terms and the range of
its weights are published; settings marked (reconstruction) are ours, since neither the paper's code nor all of its rules are.

Four compositions are the paper's: `dream-mapscore` (the mapper alone), `dream-smartdrop` (with the dropper), `dream-fixed` (with the
selector too), and `dream` (with the tuner, which needs some 20 windows: let it run for a minute or more). A fifth is ours:
`dream-balanced`, whose score has the terms of all jobs on one scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rtsched.errors import InputError
from rtsched.policies.mapscore import MapScore
from rtsched.policies.roles import Policy, Setting, Tuner
from rtsched.policies.smartdrop import SmartDrop
from rtsched.policies.supernet import SupernetSwitch
from rtsched.uxcost import norm_energy, uxcost

if TYPE_CHECKING:
    from rtsched._core.bridges import Window
    from rtsched.problem import Problem

__all__ = [
    "MapScore",
    "ScoreTuner",
    "SmartDrop",
    "SupernetSwitch",
    "dream",
    "dream_balanced",
    "dream_fixed",
    "dream_mapscore",
    "dream_smartdrop",
]

SIDES = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))
"""Where the neighbours of a point lie, in the order in which they are tried."""

LARGEST = 2.0
"""Of a weight; the least is 0."""


class ScoreTuner(Tuner):
    """Hill climbing on (alpha, beta) with UXCost over windows as the objective.

    From the weights that the mapper has, the four neighbours at `radius`, clipped to [0, 2], are tried for one window each. If the
    best of them is better than the centre by more than `least_gain`, it becomes the centre; else the radius is halved, and the
    search stops when it is below `least_radius`. Then the mean of the next `restart_windows` windows is what later means of as many are
    held against: when one is off by more than `restart_change`, the workload has changed and the search starts again from where it
    stands.

    A job counts in the window in which it ends; windows in which none ends say nothing and are skipped.
    """

    settings: ClassVar = (
        Setting("window_s", 1.0, "length of a window (reconstruction)", unit="s", low=1e-6, high=1e6),
        Setting("radius", 0.5, "first distance of a neighbour (reconstruction)", low=1e-6, high=LARGEST),
        Setting("least_radius", 0.05, "below it the search stops (reconstruction)", low=1e-9, high=LARGEST),
        Setting("least_gain", 0.05, "relative gain below which a neighbour is no better (reconstruction)", low=0.0, high=1.0),
        Setting("restart_change", 0.5, "relative change of the objective that starts it again (reconstruction)", low=0.0, high=1e6),
        Setting("restart_windows", 3, "windows over which that change is looked for (reconstruction)", low=1, high=10**6),
    )

    window_s: float
    radius: float
    least_radius: float
    least_gain: float
    restart_change: float
    restart_windows: int

    @property
    def window_ns(self) -> int:  # type: ignore[override]
        """Length of a window."""
        return round(self.window_s * 1e9)

    def start(self, problem: Problem) -> _Search:
        """Return the search of one run."""
        return _Search(self)


class _Search(ScoreTuner):
    """The state of one run: at a centre, its neighbours still to be tried and those that were."""

    def __init__(self, tuner: ScoreTuner) -> None:
        super().__init__(**{one.name: getattr(tuner, one.name) for one in tuner.settings})
        self.n_moves: list[int] = []
        """Of every search so far."""
        self.centre: tuple[float, float] | None = None
        self.path: list[tuple[int, float, float, float]] = []
        """Time, alpha, beta and objective of every window that counted."""

    def tune(self, window: Window, parameters: np.ndarray) -> None:
        """Take note of a window and choose the weights of the next one."""
        if len(parameters) != len(SIDES) // 2:
            raise InputError(f"ScoreTuner tunes {len(SIDES) // 2} parameters, the mapper has {len(parameters)}")
        objective = uxcost(window.n_ended, window.n_violated, norm_energy(window.energy_j, window.worst_energy_j))
        if np.isnan(objective):
            return
        here = (float(parameters[0]), float(parameters[1]))
        self.path.append((window.end_ns, *here, objective))
        if self.centre is None:
            self._begin(here)
        parameters[:] = self._next(here, objective)

    def _begin(self, centre: tuple[float, float]) -> None:
        self.centre, self.reach = centre, self.radius
        self.best = np.inf
        self.n_moves.append(0)
        self.tried: dict[tuple[float, float], float] = {}
        self.waiting = [centre]
        self.at_rest: list[float] = []
        self.level = np.nan

    def _next(self, here: tuple[float, float], objective: float) -> tuple[float, float]:
        """The point of the next window, after the objective of the one at `here`."""
        assert self.centre is not None
        if not self.waiting:
            return self._rest(objective)
        self.tried[self.waiting.pop(0)] = objective
        if not self.waiting:
            self._step()
        return self.waiting[0] if self.waiting else self.centre

    def _step(self) -> None:
        """All points around the centre were tried: move to the best, or look closer."""
        point, objective = min(self.tried.items(), key=lambda pair: pair[1])
        if objective < self.best * (1.0 - self.least_gain):
            self.n_moves[-1] += self.best < np.inf
            self.centre, self.best = point, objective
        else:
            self.reach /= 2.0
        self.tried = {}
        if self.reach >= self.least_radius:
            self.waiting = self._neighbours()

    def _neighbours(self) -> list[tuple[float, float]]:
        assert self.centre is not None
        alpha, beta = self.centre
        points = [(_clipped(alpha + da * self.reach), _clipped(beta + db * self.reach)) for da, db in SIDES]
        return [point for point in dict.fromkeys(points) if point != self.centre]

    def _rest(self, objective: float) -> tuple[float, float]:
        """The search is over; begin again if the objective has left its level."""
        assert self.centre is not None
        self.at_rest.append(objective)
        if len(self.at_rest) == self.restart_windows:
            mean = float(np.mean(self.at_rest))
            self.at_rest = []
            if np.isnan(self.level):
                self.level = mean
            elif abs(mean - self.level) > self.restart_change * self.level:
                self._begin(self.centre)
        return self.centre


def _clipped(weight: float) -> float:
    return min(max(weight, 0.0), LARGEST)


def dream_mapscore() -> Policy:
    """DREAM's mapper alone: MapScore with fixed weights."""
    return Policy(mapper=MapScore(), name="dream-mapscore")


def dream_smartdrop() -> Policy:
    """DREAM's mapper and dropper: MapScore with fixed weights, smart frame drop."""
    return Policy(mapper=MapScore(), dropper=SmartDrop(), name="dream-smartdrop")


def dream_fixed() -> Policy:
    """DREAM without tuning: MapScore with fixed weights, smart frame drop, Supernet switching."""
    return Policy(mapper=MapScore(), dropper=SmartDrop(lightest=True), selector=SupernetSwitch(), name="dream-fixed")


def dream() -> Policy:
    """DREAM: MapScore with tuned weights, smart frame drop, Supernet switching."""
    return Policy(mapper=MapScore(), dropper=SmartDrop(lightest=True), selector=SupernetSwitch(), tuner=ScoreTuner(), name="dream")


BALANCED = 0.25
"""Weights of `dream-balanced`: the middle of a range, 0.1 to 0.5, in which little changes on DREAM's scenarios."""


def dream_balanced() -> Policy:
    """Ours: DREAM without tuning, its preferences relative to the best accelerator and its starvation to all that is left."""
    mapper = MapScore(alpha=BALANCED, beta=BALANCED, preference="best", starvation="job")
    return Policy(mapper=mapper, dropper=SmartDrop(lightest=True), selector=SupernetSwitch(), name="dream-balanced")
