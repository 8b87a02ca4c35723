"""Metrics: every one with its unit, its denominator and its treatment of drops.

A job *counts* when it was released and its end or its deadline lies in the run; a triggered child that was suppressed
counts as violated. Violated are late, dropped and suppressed jobs, and unfinished ones past their deadline. Tasks without a
counting job are left out of sums over tasks.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched.outcome import ENERGY_COMPONENTS, STATUSES

if TYPE_CHECKING:
    from rtsched.outcome import Outcome

__all__ = ["PERCENTILES", "Metrics"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
"""Reported latency percentiles; 100 is the worst."""

MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(len(STATUSES))


class Metrics:
    """Metrics of one outcome, each computed when first read.

    Parameters
    ----------
    outcome : Outcome
    """

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._jobs = outcome.jobs
        self._n_tasks = outcome.problem.n_tasks

    def _per_task(self, chosen: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Count the chosen jobs by task, or sum their weights."""
        return np.bincount(self._jobs["task"][chosen], None if weights is None else weights[chosen], self._n_tasks)

    @cached_property
    def status_counts(self) -> np.ndarray:
        """Jobs by task and status: ndarray of int64, shape (n_tasks, 5), columns as in `rtsched.outcome.STATUSES`."""
        codes = self._jobs["task"].astype(np.int64) * len(STATUSES) + self._jobs["status"]
        return np.bincount(codes, minlength=self._n_tasks * len(STATUSES)).reshape(self._n_tasks, len(STATUSES))

    @property
    def released(self) -> np.ndarray:
        """Released jobs per task: all but the suppressed ones, ndarray of int64."""
        released: np.ndarray = self.status_counts.sum(axis=1) - self.status_counts[:, SUPPRESSED]
        return released

    @cached_property
    def counts(self) -> np.ndarray:
        """Whether each job counts, ndarray of bool: its end or its deadline lies in the run."""
        ended: np.ndarray = self._jobs["finish_ns"] >= 0
        return ended | (self._jobs["deadline_ns"] <= self._outcome.end_ns)

    @cached_property
    def n_counting(self) -> np.ndarray:
        """Counting jobs per task: the denominator of rates, ndarray of int64."""
        return self._per_task(self.counts)

    @cached_property
    def n_violated(self) -> np.ndarray:
        """Counting jobs per task that did not meet their deadline, ndarray of int64."""
        return self._per_task(self.counts & (self._jobs["status"] != MET))

    @cached_property
    def violation_rate(self) -> np.ndarray:
        """Deadline violation rate per task: violated / counting; NaN without counting jobs.

        References
        ----------
        DREAM (Kim et al., ASPLOS 2023): RateDLV.
        """
        with np.errstate(invalid="ignore"):
            rate: np.ndarray = self.n_violated / self.n_counting
        return rate

    @property
    def total_violation_rate(self) -> float:
        """Violated / counting over all tasks; NaN without counting jobs."""
        total = int(self.n_counting.sum())
        return int(self.n_violated.sum()) / total if total else math.nan

    @cached_property
    def norm_energy(self) -> np.ndarray:
        """Energy of executed layers and switches / energy of the same layers each on its most energy-hungry option, per task.

        Idle energy is excluded; 1 where nothing ran. The most energy-hungry option is taken over all accelerators and tiles.
        """
        worst = self._per_task(np.ones(len(self._jobs), dtype=bool), self._jobs["worst_energy_j"])
        spent = self._outcome.task_energy_j.sum(axis=1)
        normed: np.ndarray = np.divide(spent, worst, out=np.ones(self._n_tasks), where=worst > 0)
        return normed

    @cached_property
    def uxcost(self) -> float:
        """(Sum over tasks of RateDLV) * (sum over tasks of NormEnergy); NaN without counting jobs.

        A task that violated nothing enters with 1 / (2 * counting), so the figure depends on the length of the run when
        every deadline is met.

        References
        ----------
        DREAM (Kim et al., ASPLOS 2023), UXCost; the floor and the energy's normalisation are a reconstruction.
        """
        has_jobs = self.n_counting > 0
        if not has_jobs.any():
            return math.nan
        counting = np.maximum(self.n_counting, 1)
        rate = np.where(self.n_violated > 0, self.n_violated / counting, 0.5 / counting)
        return float(rate[has_jobs].sum() * self.norm_energy[has_jobs].sum())

    @cached_property
    def latency_ns(self) -> np.ndarray:
        """Latency percentiles of finished jobs: ndarray of float64, shape (n_tasks, 5), columns as in `PERCENTILES`.

        Finish minus release; nearest rank, so each is some job's. NaN where nothing finished. Dropped and unfinished jobs
        have no latency and are not in here.
        """
        finished = self._jobs["status"] <= LATE
        latency = (self._jobs["finish_ns"] - self._jobs["release_ns"])[finished]
        owner = self._jobs["task"][finished]
        table = np.full((self._n_tasks, len(PERCENTILES)), np.nan)
        for task in range(self._n_tasks):
            own = np.sort(latency[owner == task])
            if len(own):
                table[task] = own[[_rank(percent, len(own)) - 1 for percent in PERCENTILES]]
        return table

    @cached_property
    def max_lateness_ns(self) -> np.ndarray:
        """Largest finish - deadline of finished jobs per task, negative when all were early; float64, NaN for none."""
        finished = self._jobs["status"] <= LATE
        lateness = np.full(self._n_tasks, -np.inf)
        np.maximum.at(lateness, self._jobs["task"][finished], (self._jobs["finish_ns"] - self._jobs["deadline_ns"])[finished])
        return np.where(np.isinf(lateness), np.nan, lateness)

    @property
    def energy_j(self) -> np.ndarray:
        """Dynamic energy: ndarray of float64, shape (n_tasks, 5), columns as in `rtsched.outcome.ENERGY_COMPONENTS`."""
        return self._outcome.task_energy_j

    @property
    def total_energy_j(self) -> float:
        """Dynamic and idle energy of the run."""
        return float(self.energy_j.sum() + self._outcome.idle_energy_j.sum())

    @cached_property
    def utilisation(self) -> np.ndarray:
        """Busy / elapsed per tile, accelerators in order: ndarray of float64, shape (n_tiles,)."""
        return self._outcome.busy_ns / max(self._outcome.end_ns, 1)

    @cached_property
    def memory_utilisation(self) -> float:
        """Served DRAM bytes / (peak bandwidth * elapsed)."""
        return self._outcome.served_bytes / (self._outcome.problem.peak_bytes_per_ns * max(self._outcome.end_ns, 1))

    @cached_property
    def subnet_counts(self) -> np.ndarray:
        """Jobs that ran each subnet: ndarray of int64, shape (n_subnets,)."""
        problem, chosen = self._outcome.problem, self._jobs["subnet"] >= 0
        subnet = problem.model_first_subnet[self._jobs["model"]] + self._jobs["subnet"]
        return np.bincount(subnet[chosen], minlength=len(problem.subnet_names))

    @property
    def n_preemptions(self) -> np.ndarray:
        """Times that a job waited between two of its layers, per task: ndarray of float64."""
        return self._per_task(np.ones(len(self._jobs), dtype=bool), self._jobs["preemptions"])

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as numbers, strings, lists and dictionaries, ready for JSON; what is undefined is None."""
        outcome = self._outcome
        return {
            "uxcost": _number(self.uxcost),
            "violation_rate": _number(self.total_violation_rate),
            "energy_j": {
                "total": self.total_energy_j,
                "idle": float(outcome.idle_energy_j.sum()),
                **self._energy(self.energy_j.sum(axis=0)),
            },
            "memory_utilisation": self.memory_utilisation,
            "dram_bytes": outcome.served_bytes,
            "layers": outcome.n_layers,
            "switches": outcome.n_switches,
            "migrations": outcome.n_migrations,
            "tasks": [self._task(i) for i in range(self._n_tasks)],
            "accelerators": self._accelerators(),
        }

    @staticmethod
    def _energy(row: np.ndarray) -> dict[str, float]:
        return dict(zip(ENERGY_COMPONENTS, row.tolist(), strict=True))

    def _task(self, i: int) -> dict[str, Any]:
        problem = self._outcome.problem
        model = problem.task_model[i]
        chosen = (self._jobs["task"] == i) & (self._jobs["subnet"] >= 0)
        first, last = problem.model_first_subnet[model : model + 2]
        runs = np.bincount(self._jobs["subnet"][chosen], minlength=last - first)
        return {
            "task": problem.task_names[i],
            "model": problem.model_names[model],
            "released": int(self.released[i]),
            **{status: int(n) for status, n in zip(STATUSES, self.status_counts[i], strict=True)},
            "counting": int(self.n_counting[i]),
            "violated": int(self.n_violated[i]),
            "violation_rate": _number(self.violation_rate[i]),
            "latency_ns": {f"p{p:g}": _number(v) for p, v in zip(PERCENTILES, self.latency_ns[i], strict=True)},
            "max_lateness_ns": _number(self.max_lateness_ns[i]),
            "preemptions": int(self.n_preemptions[i]),
            "norm_energy": _number(self.norm_energy[i]),
            "energy_j": {"total": float(self.energy_j[i].sum()), **self._energy(self.energy_j[i])},
            "subnets": {name: int(n) for name, n in zip(problem.subnet_names[first:last], runs, strict=True)},
        }

    def _accelerators(self) -> list[dict[str, Any]]:
        problem = self._outcome.problem
        return [
            {
                "accelerator": name,
                "utilisation": self.utilisation[problem.option_first[a] : problem.option_first[a + 1]].tolist(),
                "idle_energy_j": float(self._outcome.idle_energy_j[a]),
            }
            for a, name in enumerate(problem.accelerator_names)
        ]


def _rank(percent: float, n: int) -> int:
    """Nearest rank of a percentile among n, from 1; in integers, since 99.9 % of 2000 must be 1998 and not a little more."""
    per_mille = round(percent * 10)
    return max(1, -(-per_mille * n // 1000))


def _number(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if math.isnan(value) else float(value)
