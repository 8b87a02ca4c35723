"""What studies keep of a run: its label, the metrics that are one number, and what figures need by task and by subnet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from rtsched._version import __version__
from rtsched.metrics import SCALARS
from rtsched.metrics.metrics import PERCENTILES
from rtsched.outcome import STATUSES, Outcome
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import sha256_of

__all__ = ["RunLabel", "StoredRun", "SubnetJobs", "TaskResult", "run_key", "stored_run"]


@dataclass(frozen=True)
class RunLabel:
    """What a run is, for those who read a store. What it is exactly is in its key.

    Attributes
    ----------
    scenario, platform, policy : str
        Names.
    load, duration_s : float
    seed : int
        0 to 2**64 - 1.
    settings : mapping of path to value
        What was changed of the scenario, the platform and the policy; ready for JSON.
    version : str
        Of rtsched.
    """

    scenario: str
    platform: str
    policy: str
    load: float
    duration_s: float
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__


@dataclass(frozen=True)
class TaskResult:
    """One task of one run; what is undefined is NaN. `rtsched.metrics.Metrics` defines each.

    Attributes
    ----------
    task : str
    n_released, n_counting, n_violated, n_dropped : int
    norm_energy, energy_j, latency_p50_ns, latency_p99_ns : float
    """

    task: str
    n_released: int
    n_counting: int
    n_violated: int
    n_dropped: int
    norm_energy: float
    energy_j: float
    latency_p50_ns: float
    latency_p99_ns: float

    def values(self) -> tuple[Any, ...]:
        """Every field, in order."""
        return tuple(getattr(self, one.name) for one in fields(self))


@dataclass(frozen=True)
class SubnetJobs:
    """How many jobs of one run took one subnet of a Supernet.

    Attributes
    ----------
    model, subnet : str
    accuracy : float
        Per cent; NaN when unknown.
    n_jobs : int
    """

    model: str
    subnet: str
    accuracy: float
    n_jobs: int

    def values(self) -> tuple[Any, ...]:
        """Every field, in order."""
        return tuple(getattr(self, one.name) for one in fields(self))


@dataclass(frozen=True)
class StoredRun:
    """A finished run.

    Attributes
    ----------
    label : RunLabel
    scalars : mapping of str to float
        Every metric of `rtsched.metrics.SCALARS`; NaN where undefined.
    tasks : tuple of TaskResult
        In the order of the scenario.
    subnets : tuple of SubnetJobs
        Of models with several; all their subnets.
    wall_s : float
        What the run took. No result: it differs from time to time.
    """

    label: RunLabel
    scalars: Mapping[str, float]
    tasks: tuple[TaskResult, ...] = ()
    subnets: tuple[SubnetJobs, ...] = ()
    wall_s: float = field(default=0.0, compare=False)

    @property
    def accuracy(self) -> float:
        """Mean accuracy of the subnets that ran, over the jobs of Supernets in per cent; NaN when there were none.

        Jobs that never started have no subnet and are not in it.
        """
        known = [one for one in self.subnets if np.isfinite(one.accuracy)]
        n_jobs = sum(one.n_jobs for one in known)
        return sum(one.accuracy * one.n_jobs for one in known) / n_jobs if n_jobs else float("nan")


def run_key(problem: Problem, policy: Policy, seed: int) -> str:
    """Return the SHA-256 over all that decides a run and what is kept of it.

    Two builds of one version count as the same: after a change to a policy's code, begin a new store.

    Parameters
    ----------
    problem : Problem
    policy : Policy
    seed : int
    """
    return sha256_of(json.dumps([__version__, problem.digest, repr(policy), int(seed), list(SCALARS)]))


def stored_run(outcome: Outcome, label: RunLabel, wall_s: float) -> StoredRun:
    """Reduce an outcome to what is kept of it.

    Parameters
    ----------
    outcome : Outcome
    label : RunLabel
    wall_s : float
    """
    metrics, problem = outcome.metrics, outcome.problem
    dropped = metrics.status_counts[:, STATUSES.index("dropped")]
    columns = (
        metrics.released.tolist(),
        metrics.n_counting.tolist(),
        metrics.n_violated.tolist(),
        dropped.tolist(),
        metrics.norm_energy.tolist(),
        metrics.energy_j.sum(axis=1).tolist(),
        *(metrics.latency_ns[:, PERCENTILES.index(percent)].tolist() for percent in (50.0, 99.0)),
    )
    tasks = tuple(TaskResult(*values) for values in zip(problem.task_names, *columns, strict=True))
    scalars = {name: one.of(metrics) for name, one in SCALARS.items()}
    return StoredRun(label, scalars, tasks, _subnets(problem, metrics.subnet_counts), wall_s)


def _subnets(problem: Problem, counts: np.ndarray) -> tuple[SubnetJobs, ...]:
    found = []
    for model, (first, end) in enumerate(zip(problem.model_first_subnet[:-1], problem.model_first_subnet[1:], strict=True)):
        if end - first > 1:
            found += [
                SubnetJobs(problem.model_names[model], problem.subnet_names[i], float(problem.subnet_accuracy[i]), int(counts[i]))
                for i in range(first, end)
            ]
    return tuple(found)
