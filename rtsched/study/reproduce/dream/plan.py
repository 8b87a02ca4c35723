"""What the reproduction of DREAM runs: policies, scenarios, platforms, loads, seeds and sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rtsched.errors import InputError
from rtsched.policies.roles import Policy
from rtsched.study.reproduce.policies import load_policies

__all__ = ["FULL", "QUICK", "DreamPlan", "DreamPolicies", "ScanRule"]


@dataclass(frozen=True)
class DreamPolicies:
    """The policies of the reproduction, by the part that they play. This is the one place with their names.

    Attributes
    ----------
    baselines, variants : tuple of str
        Others' schedulers; DREAM with more and more of its parts.
    rivals : tuple of str
        Of the baselines, those that the paper calls the state of the art.
    scan : str
        The baseline whose misses tell at which loads to compare.
    fixed, tuned : str
        Of the variants, those with every part: without and with the tuner.
    plain : str
        The baseline whose mapper takes the place of DREAM's in the ablation.
    axes : (str, str)
        Settings of `fixed` that the tuner changes.
    given : mapping of str to Policy
        In place of what the registry has under these names.
    """

    baselines: tuple[str, ...] = ("fcfs-static", "fcfs", "edf", "eft", "llf", "planaria", "veltair")
    variants: tuple[str, ...] = ("dream-mapscore", "dream-smartdrop", "dream-fixed", "dream", "dream-balanced")
    rivals: tuple[str, ...] = ("planaria", "veltair")
    scan: str = "fcfs"
    fixed: str = "dream-fixed"
    tuned: str = "dream"
    plain: str = "fcfs"
    axes: tuple[str, str] = ("mapper.alpha", "mapper.beta")
    given: Mapping[str, Policy] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every policy, once."""
        return tuple(dict.fromkeys((*self.baselines, *self.variants)))

    def load(self) -> dict[str, Policy]:
        """Load every policy.

        Raises
        ------
        InputError
            A message for each that this installation does not have.
        """
        return load_policies(self.names, self.given)


@dataclass(frozen=True)
class ScanRule:
    """How the loads are found at which policies are compared, for each scenario and platform.

    The scanned policy runs at `first`, `first` * `factor`, ... until its violation rate, mean over the seeds, is at least
    `collapse`, or the load exceeds `last`. The first load with at least `miss` is that of the first misses, the last one that
    was run that of the collapse. The policies are compared at `shares` of the way from one to the other.

    Attributes
    ----------
    first, factor, last : float
    miss, collapse : float
        Violation rates.
    shares : tuple of float
    n_seeds : int
    duration_s : float
    """

    first: float = 0.5
    factor: float = 1.1
    last: float = 10.0
    miss: float = 0.01
    collapse: float = 0.5
    shares: tuple[float, ...] = (0.25, 0.5, 0.75)
    n_seeds: int = 3
    duration_s: float = 4.0

    @property
    def grid(self) -> tuple[float, ...]:
        """Loads, ascending, in steps that are written with three digits after the point."""
        found = []
        step = 0
        while (load := round(self.first * self.factor**step, 3)) <= self.last:
            found.append(load)
            step += 1
        return tuple(found)


@dataclass(frozen=True)
class DreamPlan:
    """What is run.

    Attributes
    ----------
    name : str
        What the results are called.
    scenarios, platforms : tuple of str
    n_seeds : int
        Seeds 0, 1, 2, ... of the tables.
    duration_s : float
        Of every run but those of the scan.
    policies : DreamPolicies
    scan : ScanRule
    sweep_scenarios, sweep_platforms : tuple of str
        Of the sweeps, the ablation and the landscape.
    n_sweep_seeds, n_landscape_seeds : int
    triggers : tuple of float
        Probabilities that a cascade goes on.
    errors : tuple of float
        By how much times of layers are off their estimates: standard deviation / mean.
    n_grid : int
        Points per axis of the landscape.
    """

    name: str = "full"
    scenarios: tuple[str, ...] = ("vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social")
    platforms: tuple[str, ...] = tuple(f"dream_{size}_{mix}" for size in ("4k", "8k") for mix in ("1ws2os", "1os2ws", "2ws", "2os"))
    n_seeds: int = 20
    duration_s: float = 60.0
    policies: DreamPolicies = field(default_factory=DreamPolicies)
    scan: ScanRule = field(default_factory=ScanRule)
    sweep_scenarios: tuple[str, ...] = ("vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social")
    sweep_platforms: tuple[str, ...] = ("dream_4k_1ws2os", "dream_4k_2ws")
    n_sweep_seeds: int = 10
    n_landscape_seeds: int = 5
    triggers: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    errors: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
    n_grid: int = 9

    def check(self) -> None:
        """Refuse numbers that make no study.

        Raises
        ------
        InputError
        """
        faults = [f"--seeds: must be at least 2, got {self.n_seeds}"] if self.n_seeds < 2 else []
        if not 0 < self.duration_s < float("inf"):
            faults.append(f"--duration: must be a positive number of seconds, got {self.duration_s:g}")
        if faults:
            raise InputError(faults)


FULL = DreamPlan()

QUICK = DreamPlan(
    name="quick",
    scenarios=("vr_gaming", "drone_indoor", "ar_social"),
    platforms=("dream_4k_1ws2os", "dream_4k_2ws"),
    n_seeds=2,
    duration_s=5.0,
    scan=ScanRule(factor=1.25, n_seeds=1, duration_s=1.0),
    sweep_scenarios=("vr_gaming", "drone_indoor"),
    sweep_platforms=("dream_4k_1ws2os",),
    n_sweep_seeds=2,
    n_landscape_seeds=1,
    triggers=(0.5, 1.0),
    errors=(0.0, 0.1, 0.5),
    n_grid=5,
)
"""Shows in less than a minute that everything works. Its numbers mean little: too few seeds, too short."""
