"""What a search for the smallest platform found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsched._version import __version__
from rtsched.errors import FaultList, InputError
from rtsched.frames import Frames
from rtsched.overrides import Settings
from rtsched.platform.platform import Platform
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import compile, sha256_of
from rtsched.study.explore.search import Progress, Search
from rtsched.study.explore.space import Candidate, Space, space_of
from rtsched.study.many import check_threads
from rtsched.study.plan import plan
from rtsched.workload.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "DEFAULT_MEET",
    "Evaluated",
    "Exploration",
    "ExplorationInterrupted",
    "check_meet",
    "check_rates_given",
    "explore",
    "explore_problem",
]

DEFAULT_MEET = 0.99

MAX_RUNS = 10_000_000
"""Candidates times seeds: what a search may have to remember."""


@dataclass(frozen=True)
class Evaluated:
    """A candidate, and what its runs say.

    Attributes
    ----------
    candidate : Candidate
    n_seeds : int
        Under how many of the first seeds it ran.
    n_counting, n_violated : int
        Jobs of all these runs, as metrics count them.
    energy_j : float
        Of all these runs, dynamic and idle.
    """

    candidate: Candidate
    n_seeds: int
    n_counting: int
    n_violated: int
    energy_j: float

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.candidate.platform

    @property
    def violation_rate(self) -> float:
        """Violated / counting jobs; 0 without counting jobs, as the search takes it."""
        return self.n_violated / self.n_counting if self.n_counting else 0.0

    @property
    def energy_per_met_j(self) -> float:
        """Energy / met jobs; infinite when none is met."""
        met = self.n_counting - self.n_violated
        return self.energy_j / met if met else float("inf")


@dataclass(frozen=True, eq=False)
class Exploration(Frames):
    """The smallest platform that meets a target, and those that nothing else beats.

    Attributes
    ----------
    problem : Problem
        Of the platform that the candidates are made of.
    policy : str
    space : Space
        The grid.
    meet : float
        Part of the counting jobs that must be met, over all seeds together.
    seeds : tuple of int
    evaluated : tuple of Evaluated
        Every candidate that ran, the smallest first.
    smallest : Evaluated or None
        The smallest candidate that meets the target; None when none does. Of equal sizes the one with less energy per met job.
    front : tuple of Evaluated
        Of the candidates that ran under all seeds, those that no other one beats in PEs, violation rate and energy per met job
        together; the smallest first.
    is_complete : bool
        False when it was interrupted: a smaller platform may meet the target, and the front may lack some.
    provenance : dict
        ``version``, names, digests of the problem and of the policy, ``settings`` (what was changed of the inputs, path to value), and
        a digest of everything.
    """

    problem: Problem = field(repr=False)
    policy: str
    space: Space = field(repr=False)
    meet: float
    seeds: tuple[int, ...]
    evaluated: tuple[Evaluated, ...] = field(repr=False)
    smallest: Evaluated | None
    front: tuple[Evaluated, ...] = field(repr=False)
    is_complete: bool
    provenance: dict[str, Any] = field(repr=False)

    @property
    def n_runs(self) -> int:
        """Runs that were done."""
        return sum(one.n_seeds for one in self.evaluated)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every candidate that ran, the smallest first: the columns of ``--csv``, in order; energy is NaN where no job was met."""
        on_front = {one.candidate for one in self.front}
        smallest = None if self.smallest is None else self.smallest.candidate
        rows = self.evaluated
        energy_j = np.array([one.energy_per_met_j for one in rows])
        return {
            "platform": np.array([one.candidate.name for one in rows], dtype=object),
            "arrays": np.array([one.candidate.mix for one in rows], dtype=object),
            "pes": np.array([one.candidate.n_pes for one in rows], dtype=np.int64),
            "bandwidth_gb_per_s": np.array([one.candidate.bandwidth_gb_per_s for one in rows]),
            "clock_mhz": np.array([one.candidate.clock_mhz for one in rows]),
            "seeds": np.array([one.n_seeds for one in rows], dtype=np.int64),
            "jobs": np.array([one.n_counting for one in rows], dtype=np.int64),
            "violated": np.array([one.n_violated for one in rows], dtype=np.int64),
            "violation_rate": np.array([one.violation_rate for one in rows]),
            "energy_per_met_j": np.where(np.isfinite(energy_j), energy_j, np.nan),
            "on_front": np.array([one.candidate in on_front for one in rows], dtype=bool),
            "is_smallest": np.array([one.candidate == smallest for one in rows], dtype=bool),
        }

    def summary(self) -> RenderableType:
        """The smallest platform and the front as tables, for ``rich.print`` and notebooks."""
        from rtsched.report.exploration import summary

        return summary(self)


class ExplorationInterrupted(KeyboardInterrupt):
    """Ctrl-C during a search.

    Attributes
    ----------
    exploration : Exploration
        Of the runs that had finished.
    """

    def __init__(self, exploration: Exploration) -> None:
        super().__init__("interrupted")
        self.exploration = exploration


def explore(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    policy: Any = "fcfs",
    *,
    pes: Sequence[int] | None = None,
    dataflows: Sequence[str] | None = None,
    bandwidth_gb_per_s: Sequence[float] | None = None,
    clock_mhz: Sequence[float] | None = None,
    accelerators: Sequence[int] | None = None,
    meet: float = DEFAULT_MEET,
    seeds: int | Iterable[int] = 20,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Find the smallest platform on which a scenario meets its deadlines under a policy.

    The candidates are a full grid: every mix of as many arrays as `accelerators` has, each with one of `dataflows` and `pes`, at
    every bandwidth and clock. Everything else is the platform's; docs/exploring.md tells what follows the PEs, and why no smaller
    candidate than the one found meets the target.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a YAML file, or the object. Its rates must not follow from the platform.
    platform : str or Platform, optional
        What the candidates are made of. Default: the scenario's own.
    policy : str, Policy or mapper
        As for `rtsched.simulate`.
    pes : sequence of int, optional
        PEs of an array. Default: those of the platform's largest array, a half, a quarter and an eighth of it.
    dataflows : sequence of {'ws', 'os', 'rs'}, optional
        Default: all of them.
    bandwidth_gb_per_s : sequence of float, optional
        Peaks of the DRAM. Default: the platform's and a half of it.
    clock_mhz : sequence of float, optional
        Of all arrays. Default: the platform's highest.
    accelerators : sequence of int, optional
        Numbers of arrays. Default: from 1 to the platform's, at most 3.
    meet : float
        Part of the jobs that must meet their deadlines, over all seeds together: greater than 0, at most 1.
    seeds : int or iterable of int
        Seeds, or how many of 0, 1, 2, ...
    duration_s, load, settings
        As for `rtsched.simulate`; settings of the platform change what the candidates are made of.
    threads : int, optional
        Default: the number of available CPUs. The result is the same for any number.
    progress : callable, optional
        Called about every 50 ms with what is being run, how many runs of it are finished, and how many it takes.

    Returns
    -------
    Exploration

    Raises
    ------
    InputError
        Every fault of the inputs at once.
    PolicyError
        The policy broke its contract.
    ExplorationInterrupted
        Ctrl-C; carries what is known so far.
    """
    faults = FaultList()
    wanted = Settings.of(settings)
    problem = faults.of(compile, scenario, platform, duration_s=duration_s, load=load, settings=wanted.of_problem())
    chosen = faults.of(plan, [policy], seeds, roles=wanted.roles)
    given = {
        "pes": pes,
        "dataflows": dataflows,
        "bandwidth_gb_per_s": bandwidth_gb_per_s,
        "clock_mhz": clock_mhz,
        "accelerators": accelerators,
    }
    space = None
    if problem is not None:
        faults.of(check_rates_given, problem)
        space = faults.of(space_of, problem.platform, given)
    faults.of(check_meet, meet)
    faults.of(check_threads, threads)
    faults.report()
    assert problem is not None
    assert chosen is not None
    assert space is not None
    told = wanted.given(duration_s=duration_s, load=load)
    return explore_problem(problem, chosen.policies[0], space, chosen.seeds, meet=meet, settings=told, threads=threads, progress=progress)


def explore_problem(
    problem: Problem,
    policy: Policy,
    space: Space,
    seeds: Sequence[int],
    *,
    meet: float = DEFAULT_MEET,
    settings: Mapping[str, Any] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Exploration:
    """Search for the smallest platform of a grid.

    Parameters
    ----------
    problem : Problem
        The scenario, compiled on the platform that the grid is made of.
    policy : Policy
    space : Space
    seeds : sequence of int
    meet : float
    settings : mapping of path to value, optional
        What was changed to make the problem and the policy, for the provenance; it changes nothing here.
    threads, progress
        As for `explore`.

    Raises
    ------
    InputError
        There are too many candidates for so many seeds.
    PolicyError, ExplorationInterrupted
        As for `explore`.
    """
    if space.n_candidates * len(seeds) > MAX_RUNS:
        raise InputError(f"{space.n_candidates:,} candidates under {len(seeds):,} seeds are more than {MAX_RUNS:,} runs; take fewer")
    asked = Fraction(repr(float(meet)))
    search = Search(problem.scenario, policy, space.candidates(), seeds, asked, threads=threads, progress=progress)
    is_complete = False
    try:
        search.search()
        is_complete = True
    except KeyboardInterrupt:
        pass
    provenance = _provenance(problem, policy, space, seeds, meet, settings or {})
    found = _exploration(problem, policy.name, space, search, meet, seeds, is_complete, provenance)
    if not is_complete:
        raise ExplorationInterrupted(found)
    return found


def check_meet(meet: Any) -> None:
    """Refuse what is no part of jobs.

    Raises
    ------
    InputError
    """
    if isinstance(meet, bool) or not isinstance(meet, (int, float, np.floating)) or not 0 < meet <= 1:
        raise InputError(f"meet: must be greater than 0 and at most 1, got {meet!r:.60}")


def check_rates_given(problem: Problem) -> None:
    """Refuse a scenario whose load follows the platform, so that no platform is too small for it.

    Raises
    ------
    InputError
    """
    if problem.scenario.capacity is not None:
        raise InputError(
            f"scenario {problem.scenario_name!r:.60}: its rates are parts of what the platform can serve (capacity), so a smaller platform "
            "has less to do; give the tasks rates of their own (rate_hz)"
        )


def _exploration(
    problem: Problem,
    policy: str,
    space: Space,
    search: Search,
    meet: float,
    seeds: Sequence[int],
    is_complete: bool,
    provenance: dict[str, Any],
) -> Exploration:
    n_run = search.n_run.tolist()
    evaluated = {
        place: Evaluated(
            search.candidates[place],
            n,
            int(search.counting[place, :n].sum()),
            int(search.violated[place, :n].sum()),
            float(search.energy_j[place, :n].sum()),
        )
        for place, n in enumerate(n_run)
        if n
    }
    smallest = search.smallest()
    return Exploration(
        problem=problem,
        policy=policy,
        space=space,
        meet=float(meet),
        seeds=tuple(seeds),
        evaluated=tuple(evaluated.values()),
        smallest=None if smallest is None else evaluated[smallest],
        front=tuple(evaluated[place] for place in search.front()),
        is_complete=is_complete,
        provenance=provenance,
    )


def _provenance(
    problem: Problem, policy: Policy, space: Space, seeds: Sequence[int], meet: float, settings: Mapping[str, Any]
) -> dict[str, Any]:
    made_of = [problem.digest, repr(policy), repr(space.to_dict()), repr(tuple(seeds)), repr(float(meet))]
    return {
        "version": __version__,
        "scenario": problem.scenario_name,
        "platform": problem.platform_name,
        "problem_sha256": problem.digest,
        "policy": policy.name,
        "policy_sha256": sha256_of(repr(policy)),
        "settings": dict(settings),
        "inputs_sha256": sha256_of("\n".join(made_of)),
    }
