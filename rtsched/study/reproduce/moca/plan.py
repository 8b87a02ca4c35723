"""What the reproduction of MoCA runs: policies, sets of networks, loads, seeds and sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rtsched.errors import InputError
from rtsched.policies.roles import Policy
from rtsched.study.reproduce.policies import load_policies

__all__ = ["FULL", "QUICK", "TRACE", "Level", "MocaPlan", "MocaPolicies", "Together"]

TRACE = "trace"
"""What the recorded arrivals of MoCA's artifact are called, where otherwise a load stands."""


class Level(NamedTuple):
    """How a set of networks is asked for.

    Attributes
    ----------
    load : float or None
        Of Poisson arrivals; None: the recorded arrivals.
    qos : {'H', 'M', 'L'}
    """

    load: float | None
    qos: str

    @property
    def arrivals(self) -> str:
        """What the arrivals are called."""
        return TRACE if self.load is None else f"load {self.load:g}"

    @property
    def case(self) -> str:
        """What it is called."""
        return f"{self.arrivals}, QoS-{self.qos}"


@dataclass(frozen=True)
class MocaPolicies:
    """The policies of the reproduction, by the part that they play. This is the one place with their names.

    Attributes
    ----------
    baselines, variants : tuple of str
        Others' schedulers; MoCA and its parts.
    rivals : tuple of str
        Of the baselines, those that the paper compares with.
    whole, scheduler, regulator : str
        Of the variants: MoCA, and what it is without its regulation and without its scheduler.
    partition, queue : str
        Of the baselines: the static partition, and the same with MoCA's queue.
    regrouping : str
        The baseline that changes the tiles of running jobs.
    alone, joined : str
        DREAM, and DREAM with MoCA's regulation.
    given : mapping of str to Policy
        In place of what the registry has under these names.
    """

    baselines: tuple[str, ...] = ("static", "static-moca-queue", "prema", "planaria")
    variants: tuple[str, ...] = ("moca-regulator-only", "moca-scheduler-only", "moca-edf", "moca-fair", "moca")
    rivals: tuple[str, ...] = ("prema", "static", "planaria")
    whole: str = "moca"
    scheduler: str = "moca-scheduler-only"
    regulator: str = "moca-regulator-only"
    partition: str = "static"
    queue: str = "static-moca-queue"
    regrouping: str = "planaria"
    alone: str = "dream"
    joined: str = "dream+moca"
    given: Mapping[str, Policy] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of MoCA's sets, once."""
        return tuple(dict.fromkeys((*self.baselines, *self.variants)))

    def load(self) -> dict[str, Policy]:
        """Load every policy.

        Raises
        ------
        InputError
            A message for each that this installation does not have.
        """
        return load_policies((*self.names, self.alone, self.joined), self.given)


@dataclass(frozen=True)
class Together:
    """DREAM with and without MoCA's regulation.

    Attributes
    ----------
    scenarios, platforms : tuple of str
    bandwidths : tuple of float
        Of the DRAM, GB/s.
    n_seeds : int
    duration_s : float
    """

    scenarios: tuple[str, ...] = ("vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social")
    platforms: tuple[str, ...] = ("dream_4k_1ws2os", "dream_4k_1os2ws", "dream_4k_2ws", "dream_4k_2os")
    bandwidths: tuple[float, ...] = (90.0, 45.0, 22.0)
    n_seeds: int = 10
    duration_s: float = 60.0


@dataclass(frozen=True)
class MocaPlan:
    """What is run.

    Attributes
    ----------
    name : str
        What the results are called.
    sets : mapping of str to (str, str)
        Sets of networks: the scenarios with Poisson and with recorded arrivals.
    platform : str
    qualities : tuple of str
        Qualities of service.
    loads : tuple of float
        Of Poisson arrivals.
    n_seeds : int
        Seeds 0, 1, 2, ... of the tables.
    policies : MocaPolicies
    n_sweep_seeds : int
        Of everything but the main table.
    sweep_quality : str
    sweep_load : float
    arbiters : tuple of str
        Of the DRAM, for the decomposition.
    bandwidths : tuple of float
        GB/s.
    tiles : tuple of int
    regroups_us : tuple of float
        What another number of tiles costs a job.
    more_values : mapping of path to tuple
        Of MoCA's settings, beside half, twice and each other choice.
    together : Together
    """

    name: str = "full"
    sets: Mapping[str, tuple[str, str]] = field(
        default_factory=lambda: {one: (f"moca_{one.lower()}", f"moca_{one.lower()}_artifact") for one in "ABC"}
    )
    platform: str = "moca_gemmini_8"
    qualities: tuple[str, ...] = ("H", "M", "L")
    loads: tuple[float, ...] = (0.7, 1.0, 1.3)
    n_seeds: int = 20
    policies: MocaPolicies = field(default_factory=MocaPolicies)
    n_sweep_seeds: int = 20
    sweep_quality: str = "M"
    sweep_load: float = 1.0
    arbiters: tuple[str, ...] = ("proportional", "fair")
    bandwidths: tuple[float, ...] = (8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
    tiles: tuple[int, ...] = (4, 8, 12, 16)
    regroups_us: tuple[float, ...] = (0.0, 35.0, 100.0, 300.0, 1000.0)
    more_values: Mapping[str, tuple[float, ...]] = field(
        default_factory=lambda: {
            "regulator.urgency_weight": (0.0, 4.0),
            "regulator.urgency_cap": (4.0, 16.0),
            "regulator.min_share": (0.05, 1.0),
            "mapper.memory_share": (0.1,),
        }
    )
    together: Together = field(default_factory=Together)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Those of the main table."""
        return tuple(Level(load, qos) for load in (*self.loads, None) for qos in self.qualities)

    @property
    def sweep_levels(self) -> tuple[Level, ...]:
        """Those of parts that look at one quality of service."""
        return tuple(Level(load, self.sweep_quality) for load in (self.sweep_load, None))

    def check(self) -> None:
        """Refuse numbers that make no study.

        Raises
        ------
        InputError
        """
        if self.n_seeds < 2:
            raise InputError(f"--seeds: must be at least 2, got {self.n_seeds}")


FULL = MocaPlan()

QUICK = MocaPlan(
    name="quick",
    qualities=("M",),
    loads=(0.7, 1.0),
    n_seeds=2,
    n_sweep_seeds=2,
    bandwidths=(8.0, 16.0, 64.0),
    tiles=(4, 8, 16),
    regroups_us=(0.0, 300.0),
    more_values={},
    together=Together(scenarios=("vr_gaming", "ar_social"), platforms=("dream_4k_2ws",), n_seeds=2, duration_s=5.0),
)
"""Shows in less than a minute that everything works. Its numbers mean little: too few seeds."""
