"""Metrics as plain values for JSON. ``docs/formats.md`` says what each key means."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched.metrics.metrics import PERCENTILES, PRIORITY_GROUPS
from rtsched.outcome import ENERGY_COMPONENTS, STATUSES

if TYPE_CHECKING:
    from rtsched.metrics.metrics import Metrics

__all__ = ["to_dict"]


def to_dict(metrics: Metrics) -> dict[str, Any]:
    """Return metrics as numbers, strings, lists and dictionaries, ready for JSON; what is undefined is None.

    Parameters
    ----------
    metrics : Metrics

    Returns
    -------
    dict
    """
    outcome = metrics.outcome
    return {
        "uxcost": _number(metrics.uxcost),
        "violation_rate": _number(metrics.total_violation_rate),
        "sla": _number(metrics.sla),
        **{f"sla_{group}": _number(rate) for group, rate in zip(PRIORITY_GROUPS, metrics.group_sla, strict=True)},
        "stp": _number(metrics.stp),
        "stp_jobs": _number(metrics.stp_jobs),
        "antt": _number(metrics.antt),
        "fairness": _number(metrics.fairness),
        "xrbench": _number(metrics.xrbench),
        **_counts(metrics.released.sum(), metrics.status_counts.sum(axis=0), metrics.n_counting.sum(), metrics.n_violated.sum()),
        "latency_ns": _latency(metrics.overall_latency_ns),
        "mean_tardiness_ns": _number(metrics.overall_mean_tardiness_ns),
        "max_lateness_ns": _number(metrics.overall_max_lateness_ns),
        "energy_j": {
            "total": metrics.total_energy_j,
            "idle": float(outcome.idle_energy_j.sum()),
            **_energy(metrics.energy_j.sum(axis=0)),
        },
        "memory_utilisation": metrics.memory_utilisation,
        "dram_bytes": outcome.served_bytes,
        "layers": outcome.n_layers,
        "preemptions": int(metrics.n_preemptions.sum()),
        "switches": outcome.n_switches,
        "migrations": outcome.n_migrations,
        "tasks": _tasks(metrics),
        "accelerators": _accelerators(metrics),
    }


def _tasks(metrics: Metrics) -> list[dict[str, Any]]:
    outcome, problem = metrics.outcome, metrics.outcome.problem
    runs = _subnet_runs(metrics)
    made = []
    for i, model in enumerate(problem.task_model):
        first, last = problem.model_first_subnet[model : model + 2]
        made.append(
            {
                "task": problem.task_names[i],
                "model": problem.model_names[model],
                **_counts(metrics.released[i], metrics.status_counts[i], metrics.n_counting[i], metrics.n_violated[i]),
                "violation_rate": _number(metrics.violation_rate[i]),
                "latency_ns": _latency(metrics.latency_ns[i]),
                "mean_tardiness_ns": _number(metrics.mean_tardiness_ns[i]),
                "max_lateness_ns": _number(metrics.max_lateness_ns[i]),
                "progress": _number(metrics.progress[i]),
                "proportional_progress": _number(metrics.proportional_progress[i]),
                "preemptions": int(metrics.n_preemptions[i]),
                "switches": int(outcome.task_switches[i]),
                "migrations": int(outcome.task_migrations[i]),
                "norm_energy": _number(metrics.norm_energy[i]),
                "energy_j": {"total": float(metrics.energy_j[i].sum()), **_energy(metrics.energy_j[i])},
                "subnets": dict(zip(problem.subnet_names[first:last], runs[i].tolist(), strict=False)),
            }
        )
    return made


def _subnet_runs(metrics: Metrics) -> np.ndarray:
    """Jobs by task and chosen subnet of its model: int64, shape (n_tasks, most subnets of a model)."""
    problem, jobs = metrics.outcome.problem, metrics.outcome.jobs
    width = int(np.diff(problem.model_first_subnet).max())
    chosen = jobs["subnet"] >= 0
    codes = jobs["task"][chosen].astype(np.int64) * width + jobs["subnet"][chosen]
    return np.bincount(codes, minlength=problem.n_tasks * width).reshape(problem.n_tasks, width)


def _accelerators(metrics: Metrics) -> list[dict[str, Any]]:
    problem = metrics.outcome.problem
    return [
        {
            "accelerator": name,
            "utilisation": metrics.utilisation[problem.option_first[a] : problem.option_first[a + 1]].tolist(),
            "idle_energy_j": float(metrics.outcome.idle_energy_j[a]),
        }
        for a, name in enumerate(problem.accelerator_names)
    ]


def _counts(released: int, by_status: Iterable[int], counting: int, violated: int) -> dict[str, int]:
    return {
        "released": int(released),
        **{status: int(n) for status, n in zip(STATUSES, by_status, strict=True)},
        "counting": int(counting),
        "violated": int(violated),
    }


def _latency(row: np.ndarray) -> dict[str, float | None]:
    return {f"p{percent:g}": _number(value) for percent, value in zip(PERCENTILES, row, strict=True)}


def _energy(row: np.ndarray) -> dict[str, float]:
    return dict(zip(ENERGY_COMPONENTS, row.tolist(), strict=True))


def _number(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if math.isnan(value) else float(value)
