"""A policy tuned: which settings, and what they bring on seeds that the search has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from rtsched.run import check_seed, compile, sha256_of
from rtsched.study.compare import Comparison, ComparisonInterrupted, compare_problem
from rtsched.study.many import check_threads
from rtsched.study.plan import DEFAULT_METRICS, Plan, plan
from rtsched.study.tune.ranges import Range, ranges_of
from rtsched.study.tune.search import MIN_TRIALS, Trials
from rtsched.workload.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["DEFAULT_TRIALS", "TunePlan", "Tuning", "TuningInterrupted", "tune", "tune_plan", "tune_problem"]

DEFAULT_TRIALS = 200

MAX_TRIALS = 1_000_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TunePlan:
    """What is tuned, checked.

    Attributes
    ----------
    policy : Policy
    ranges : tuple of Range
    metric : str
    seeds, held_out : tuple of int
        They have no seed in common.
    trials : int
    seed : int
    settings : mapping of path to value
        What was changed to make the problem and the policy, for the provenance; it changes nothing here.
    """

    policy: Policy
    ranges: tuple[Range, ...]
    metric: str
    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    trials: int
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Tuning(Frames):
    """The best settings that were found, and how they compare with the policy's own.

    Attributes
    ----------
    problem : Problem
    policy : Policy
        With its own settings.
    tuned : Policy
        With the best ones; `policy` itself when none were better.
    ranges : tuple of Range
    metric : str
        Name in `rtsched.metrics.SCALARS`; its mean over `seeds` was made better.
    seeds, held_out : tuple of int
        Those that the search saw, and those of `comparison`.
    trials : tuple of (settings, mean)
        What was tried, the policy's own settings first: a dict of path to value, and the metric's mean over `seeds`.
    own, best : dict
        Path to value.
    own_mean, best_mean : float
        The metric's mean over `seeds`; `best_mean` is never the worse one.
    comparison : Comparison or None
        Of `tuned` and `policy` under the seeds that the search has not seen. None when no other settings were better, or after Ctrl-C.
    is_complete : bool
        False when it was interrupted.
    provenance : dict
        ``version``, names, digests, ``settings`` (what was changed of the inputs, path to value), and a digest of everything.
    """

    problem: Problem = field(repr=False)
    policy: Policy = field(repr=False)
    tuned: Policy = field(repr=False)
    ranges: tuple[Range, ...]
    metric: str
    seeds: tuple[int, ...]
    held_out: tuple[int, ...]
    trials: tuple[tuple[dict[str, float], float], ...] = field(repr=False)
    own: dict[str, float]
    best: dict[str, float]
    own_mean: float
    best_mean: float
    comparison: Comparison | None = field(repr=False)
    is_complete: bool
    provenance: dict[str, Any] = field(repr=False)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every trial in order, the policy's own settings first: a column for each setting, and the metric's mean."""
        settings = {one.path: np.array([values[one.path] for values, _ in self.trials]) for one in self.ranges}
        return {**settings, self.metric: np.array([mean for _, mean in self.trials])}

    def summary(self) -> RenderableType:
        """The settings, and the comparison on held-out seeds, for ``rich.print`` and notebooks."""
        from rtsched.report.tuning import summary

        return summary(self)


class TuningInterrupted(KeyboardInterrupt):
    """Ctrl-C during a search.

    Attributes
    ----------
    tuning : Tuning or None
        The best so far; None when not even the policy's own settings had all seeds.
    """

    def __init__(self, tuning: Tuning | None) -> None:
        super().__init__("interrupted")
        self.tuning = tuning


def tune(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    policy: Any = "dream-fixed",
    over: Mapping[str, tuple[float, float]] | None = None,
    *,
    metric: str = DEFAULT_METRICS[0],
    seeds: int | Iterable[int] = 10,
    held_out: int | Iterable[int] = 20,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Find settings of a policy that make a metric better, and judge them on other seeds.

    The search is SciPy's differential evolution [1]_. Every trial runs under the same seeds, so what differs between two trials is
    the settings' doing. The best of many trials looks better than it is; so it is compared with the policy's own settings under
    seeds that the search has not seen, seed by seed.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a YAML file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    policy : str, Policy or mapper
        As for `rtsched.simulate`.
    over : mapping of path to (low, high)
        Ranges of settings, such as ``{"mapper.alpha": (0, 2)}``. Whole numbers are tried of settings that are whole numbers.
    metric : str
        Name in `rtsched.metrics.SCALARS`.
    seeds : int or iterable of int
        Seeds that trials run under, or how many of 0, 1, 2, ...
    held_out : int or iterable of int
        Other seeds, for the comparison; or how many of those that follow the largest of `seeds`.
    trials : int
        Settings that are tried at most, beside the policy's own.
    seed : int
        Of the draws of the search. The same one gives the same result, with the same versions of NumPy and SciPy.
    duration_s, load, settings
        As for `rtsched.simulate`. Settings of roles are where the search starts, and what it is compared with.
    threads : int, optional
        Default: the number of available CPUs. The result is the same for any number.
    progress : callable, optional
        Called about every 50 ms with what is being run, how many runs of it are finished, and how many it takes at most.

    Returns
    -------
    Tuning

    Raises
    ------
    InputError
        Every fault of the inputs at once; or the metric is undefined with the policy's own settings.
    PolicyError
        The policy broke its contract.
    TuningInterrupted
        Ctrl-C; carries the best so far.

    References
    ----------
    .. [1] Storn and Price, "Differential Evolution", J. Global Optimization 11, 1997.
    """
    faults = FaultList()
    wanted = Settings.of(settings)
    problem = faults.of(compile, scenario, platform, duration_s=duration_s, load=load, settings=wanted.of_problem())
    chosen = faults.of(
        tune_plan, policy, over or {}, metric=metric, seeds=seeds, held_out=held_out, trials=trials, seed=seed, roles=wanted.roles
    )
    faults.of(check_threads, threads)
    faults.report()
    assert problem is not None
    assert chosen is not None
    given = wanted.given(duration_s=duration_s, load=load)
    return tune_problem(problem, replace(chosen, settings=given), threads=threads, progress=progress)


def tune_plan(
    policy: Any,
    over: Mapping[str, Any],
    *,
    metric: str = DEFAULT_METRICS[0],
    seeds: int | Iterable[int] = 10,
    held_out: int | Iterable[int] = 20,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    roles: Mapping[str, object] | None = None,
) -> TunePlan:
    """Check what is to be tuned.

    Parameters
    ----------
    policy, over, metric, seeds, held_out, trials, seed
        As for `tune`.
    roles : mapping of path to value, optional
        Settings of roles.

    Raises
    ------
    InputError
        Every fault at once.
    """
    faults = FaultList()
    chosen = faults.of(plan, [policy], seeds, metrics=(metric,), roles=roles)
    ranges = None if chosen is None else faults.of(ranges_of, chosen.policies[0], over)
    others = None if chosen is None else faults.of(_held_out, chosen.seeds, held_out)
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or not MIN_TRIALS <= trials <= MAX_TRIALS:
        faults.add(f"trials: must be a whole number from {MIN_TRIALS} to {MAX_TRIALS:,}, got {trials!r:.60}")
    faults.of(check_seed, seed)
    faults.report()
    assert chosen is not None
    assert ranges is not None
    assert others is not None
    return TunePlan(chosen.policies[0], ranges, metric, chosen.seeds, others, int(trials), int(seed))


def tune_problem(problem: Problem, plan: TunePlan, *, threads: int | None = None, progress: Progress | None = None) -> Tuning:
    """Tune a policy on a compiled problem.

    Parameters
    ----------
    problem : Problem
    plan : TunePlan
    threads, progress
        As for `tune`.

    Raises
    ------
    InputError, PolicyError, TuningInterrupted
        As for `tune`.
    """

    def telling(title: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda n_done, n_runs: progress(title, n_done, n_runs)

    options: dict[str, Any] = {"at_most": plan.trials, "threads": threads, "progress": telling("trials")}
    trials = Trials(problem, plan.policy, plan.ranges, plan.metric, plan.seeds, **options)
    try:
        if np.isnan(trials.try_own()):
            raise InputError(f"metric {plan.metric!r} is undefined with the policy's own settings, so nothing can be compared with them")
        trials.search(plan.seed)
    except KeyboardInterrupt:
        raise TuningInterrupted(_tuning(problem, plan, trials, is_complete=False) if trials.means else None) from None
    found = _tuning(problem, plan, trials, is_complete=True)
    if found.tuned is plan.policy:
        return found
    metrics = tuple(dict.fromkeys((plan.metric, *DEFAULT_METRICS)))
    judged = Plan((found.tuned, plan.policy), plan.held_out, metrics, plan.policy.name, plan.settings)
    try:
        comparison = compare_problem(problem, judged, threads=threads, progress=telling("held-out seeds"))
    except ComparisonInterrupted as interruption:
        raise TuningInterrupted(replace(found, comparison=interruption.comparison, is_complete=False)) from None
    return replace(found, comparison=comparison)


def _held_out(seeds: Sequence[int], asked: int | Iterable[int]) -> tuple[int, ...]:
    """Check seeds that are held out, or make as many as are asked for."""
    try:
        found = plan(["fcfs"], asked).seeds
        if isinstance(asked, (int, np.integer)):
            first = max(seeds) + 1
            found = plan(["fcfs"], range(first, first + len(found))).seeds
    except InputError as error:
        raise InputError([f"held_out: {fault.removeprefix('seeds: ')}" for fault in error.faults]) from None
    if common := sorted(set(seeds) & set(found)):
        raise InputError(f"held_out: seed {common[0]} is one that the search sees; the two must have none in common")
    return found


def _tuning(problem: Problem, plan: TunePlan, trials: Trials, *, is_complete: bool) -> Tuning:
    own, best = next(iter(trials.means)), trials.best()
    tuned = plan.policy if best == own else replace(trials.policy_of(best), name=f"{plan.policy.name} tuned")
    return Tuning(
        problem=problem,
        policy=plan.policy,
        tuned=tuned,
        ranges=plan.ranges,
        metric=plan.metric,
        seeds=plan.seeds,
        held_out=plan.held_out,
        trials=tuple((trials.named(values), mean) for values, mean in trials.means.items()),
        own=trials.named(own),
        best=trials.named(best),
        own_mean=trials.means[own],
        best_mean=trials.means[best],
        comparison=None,
        is_complete=is_complete,
        provenance=_provenance(problem, plan),
    )


def _provenance(problem: Problem, plan: TunePlan) -> dict[str, Any]:
    asked = (plan.ranges, plan.metric, plan.seeds, plan.held_out, plan.trials, plan.seed)
    return {
        "version": __version__,
        "scenario": problem.scenario_name,
        "platform": problem.platform_name,
        "problem_sha256": problem.digest,
        "policy": plan.policy.name,
        "policy_sha256": sha256_of(repr(plan.policy)),
        "settings": dict(plan.settings),
        "seed": plan.seed,
        "inputs_sha256": sha256_of("\n".join([problem.digest, repr(plan.policy), repr(asked)])),
    }
