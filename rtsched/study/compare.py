"""Policies compared over the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsched._version import __version__
from rtsched.bounds.bounding import Bound, bounds_of
from rtsched.bounds.jobs import check_jobs_known
from rtsched.errors import FaultList
from rtsched.frames import Frames
from rtsched.metrics import SCALARS
from rtsched.outcome import STATUSES
from rtsched.overrides import Settings
from rtsched.platform.platform import Platform
from rtsched.problem import Problem
from rtsched.run import compile, sha256_of
from rtsched.study.intervals import Estimates
from rtsched.study.many import ManyInterrupted, available_cpus, check_threads, simulate_many
from rtsched.study.plan import Plan, plan
from rtsched.study.statistics import PairedValues, estimated
from rtsched.workload.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rtsched.outcome import Outcome

__all__ = ["Comparison", "ComparisonInterrupted", "Gap", "compare", "compare_problem"]


class ComparisonInterrupted(KeyboardInterrupt):
    """Ctrl-C during a comparison.

    Attributes
    ----------
    comparison : Comparison or None
        Of the seeds that every policy had finished; None when there was none.
    """

    def __init__(self, comparison: Comparison | None) -> None:
        super().__init__("interrupted")
        self.comparison = comparison


@dataclass(frozen=True, eq=False)
class Gap:
    """Jobs that policies met, and the most that any scheduler can meet.

    Attributes
    ----------
    n_jobs, at_most : ndarray of int64, shape (n_seeds,)
        Of `rtsched.Bound`: jobs that exist, and the most that can be met.
    met : ndarray of int64, shape (n_policies, n_seeds)
    """

    n_jobs: NDArray[np.int64]
    at_most: NDArray[np.int64]
    met: NDArray[np.int64]

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """Jobs that a better scheduler might meet, at most: shape (n_policies, n_seeds)."""
        return self.at_most - self.met

    @cached_property
    def means(self) -> Estimates:
        """Mean of `values` over seeds with its 95 % interval, shape (n_policies,)."""
        return estimated(self.values.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Comparison(PairedValues, Frames):
    """Metrics of several policies over the same seeds. Every policy saw the same frames, so differences are paired by seed.

    Attributes
    ----------
    problem : Problem
    policies : tuple of str
    seeds : tuple of int
    metrics : tuple of str
        Names in `rtsched.metrics.SCALARS`. The first one ranks.
    values : ndarray of float64, shape (n_metrics, n_policies, n_seeds)
        In the metrics' units; NaN where undefined.
    baseline : str
        The policy that the others are compared with.
    is_complete : bool
        False when it was interrupted; `seeds` are then those that every policy has finished.
    provenance : dict
        ``version``, names, a digest of the problem and of each policy, ``settings`` (what was changed of the inputs, path to
        value), and a digest of everything.
    gap : Gap or None
        How far the policies are from the best that any scheduler can do; None when it was not asked for.
    """

    problem: Problem = field(repr=False)
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    baseline: str
    is_complete: bool
    provenance: dict[str, Any] = field(repr=False)
    gap: Gap | None = None

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every value with what it is of, in long format: the columns of ``--csv``, in order; NaN where undefined."""
        n_metrics, n_policies, n_seeds = self.values.shape
        units = np.array([SCALARS[name].unit for name in self.metrics], dtype=object)
        return {
            "metric": np.array(self.metrics, dtype=object).repeat(n_policies * n_seeds),
            "unit": units.repeat(n_policies * n_seeds),
            "policy": np.tile(np.array(self.policies, dtype=object).repeat(n_seeds), n_metrics),
            "seed": np.tile(np.array(self.seeds, dtype=np.uint64), n_metrics * n_policies),
            "value": self.values.ravel(),
        }

    def summary(self) -> RenderableType:
        """Table by metric and policy, for ``rich.print`` and notebooks."""
        from rtsched.report.comparison import comparison

        return comparison(self)


def compare(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    policies: Sequence[Any] = (),
    seeds: int | Iterable[int] = 20,
    *,
    metrics: Sequence[str] | None = None,
    baseline: str | None = None,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    bound: bool = False,
) -> Comparison:
    """Compare policies on a scenario, seed by seed.

    For the same seed all policies see the same frames (common random numbers [1]_), so what differs between them is the
    policies' doing, and the difference needs far fewer seeds than the values themselves. Intervals are bootstrapped
    [2]_ over seeds; what lies within them is no difference to report [3]_.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a YAML file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    policies : sequence of str, Policy or mapper
        At least one; their names differ.
    seeds : int or iterable of int
        Seeds, or how many of 0, 1, 2, ... With a single one there are no intervals.
    metrics : sequence of str, optional
        Names in `rtsched.metrics.SCALARS`; the first one ranks. Default: `rtsched.study.plan.DEFAULT_METRICS`.
    baseline : str, optional
        The policy that the others are compared with. Default: the best by the first metric.
    duration_s, load, settings
        As for `rtsched.simulate`. The setting of a role holds for the policies that have it; one of them must.
    threads : int, optional
        Default: the number of available CPUs. The result is the same for any number.
    progress : callable, optional
        Called about every 50 ms with the number of finished runs and of all.
    bound : bool
        Tell how far the policies are from the most jobs that any scheduler can meet (`rtsched.bound`), under each seed.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        Every fault of the inputs at once.
    PolicyError
        A policy broke its contract; names the policy and the seed.
    ComparisonInterrupted
        Ctrl-C; carries the comparison so far.

    References
    ----------
    .. [1] Law, "Simulation Modeling and Analysis", 5th ed., 2015, section 11.2.
    .. [2] `rtsched.study.intervals.mean_intervals`.
    .. [3] Georges, Buytaert and Eeckhout, "Statistically Rigorous Java Performance Evaluation", OOPSLA 2007.
    """
    faults = FaultList()
    wanted = Settings.of(settings)
    problem = faults.of(compile, scenario, platform, duration_s=duration_s, load=load, settings=wanted.of_problem())
    chosen = faults.of(plan, policies, seeds, metrics=metrics, baseline=baseline, roles=wanted.roles)
    given = wanted.given(duration_s=duration_s, load=load)
    faults.of(check_threads, threads)
    if bound and problem is not None:
        faults.of(check_jobs_known, problem)
    faults.report()
    assert problem is not None
    assert chosen is not None
    bounds = bounds_of(problem, chosen.seeds, threads=threads or available_cpus()) if bound else None
    return compare_problem(problem, replace(chosen, settings=given), threads=threads, progress=progress, bounds=bounds)


def compare_problem(
    problem: Problem,
    plan: Plan,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    bounds: Sequence[Bound] | None = None,
) -> Comparison:
    """Compare policies on a compiled problem.

    Parameters
    ----------
    problem : Problem
    plan : Plan
    threads, progress
        As for `compare`.
    bounds : sequence of Bound, optional
        Of the plan's seeds, to tell how far the policies are from them.

    Raises
    ------
    PolicyError, ComparisonInterrupted
        As for `compare`.
    """
    scalars = [SCALARS[name] for name in plan.metrics]

    def reduce(outcome: Outcome) -> list[float]:
        n_met = outcome.metrics.status_counts[:, STATUSES.index("met")].sum()
        return [*(one.of(outcome.metrics) for one in scalars), float(n_met)]

    # Seed by seed, so that an interrupted comparison has whole seeds.
    runs = [(policy, seed) for seed in plan.seeds for policy in plan.policies]
    try:
        results = simulate_many(problem, runs, reduce, threads=threads, progress=progress)
    except ManyInterrupted as interruption:
        found: list[list[float] | None] = interruption.results
        size = len(plan.policies)
        whole = [i for i in range(len(plan.seeds)) if None not in found[i * size : (i + 1) * size]]
        if not whole:
            raise ComparisonInterrupted(None) from None
        seeds = tuple(plan.seeds[i] for i in whole)
        kept = [one for i in whole for one in found[i * size : (i + 1) * size] if one is not None]
        raise ComparisonInterrupted(_comparison(problem, plan, seeds, kept, bounds)) from None
    return _comparison(problem, plan, plan.seeds, results, bounds)


def _comparison(
    problem: Problem, plan: Plan, seeds: tuple[int, ...], results: list[list[float]], bounds: Sequence[Bound] | None
) -> Comparison:
    """Arrange the results, which come by seed and then by policy: the metrics, and the jobs that were met."""
    shape = (len(seeds), len(plan.policies), len(plan.metrics) + 1)
    found = np.array(results, dtype=np.float64).reshape(shape).transpose(2, 1, 0)
    values = np.ascontiguousarray(found[:-1])
    names = tuple(one.name for one in plan.policies)
    return Comparison(
        problem=problem,
        policies=names,
        seeds=seeds,
        metrics=plan.metrics,
        values=values,
        baseline=plan.baseline if plan.baseline is not None else names[_best(values[0], plan.metrics[0])],
        is_complete=seeds == plan.seeds,
        provenance=_provenance(problem, plan, seeds),
        gap=None if bounds is None else _gap(bounds, seeds, found[-1]),
    )


def _gap(bounds: Sequence[Bound], seeds: tuple[int, ...], n_met: NDArray[np.float64]) -> Gap:
    known = {one.seed: one for one in bounds}
    n_jobs, at_most = (np.array([getattr(known[seed], name) for seed in seeds], dtype=np.int64) for name in ("n_jobs", "n_met"))
    return Gap(n_jobs, at_most, n_met.astype(np.int64))


def _best(values: NDArray[np.float64], metric: str) -> int:
    """The policy with the best mean; the first of equals."""
    sign = 1.0 if SCALARS[metric].better == "less" else -1.0
    means = [sign * float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.inf for row in values]
    return int(np.argmin(means))


def _provenance(problem: Problem, plan: Plan, seeds: tuple[int, ...]) -> dict[str, Any]:
    made_of = [problem.digest, *map(repr, plan.policies), repr(seeds), repr(plan.metrics), repr(plan.baseline)]
    return {
        "version": __version__,
        "scenario": problem.scenario_name,
        "platform": problem.platform_name,
        "problem_sha256": problem.digest,
        "policies": [{"policy": one.name, "policy_sha256": sha256_of(repr(one))} for one in plan.policies],
        "settings": dict(plan.settings),
        "inputs_sha256": sha256_of("\n".join(made_of)),
    }
