"""The metrics of one outcome.

A job *counts* when it was released and its end or its deadline lies in the run; a triggered child that was suppressed
counts as violated. Violated are late, dropped and suppressed jobs, and unfinished ones past their deadline. *Finished* jobs are
met or late; all of them count. Tasks without a counting job are left out of sums and means over tasks.

The isolated time of a job, T_isolated, is that of the layers it executed, uncontended and without switches on the platform's
`rtsched.platform.platform.Reference`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched.metrics.xrbench import xrbench_scores
from rtsched.outcome import STATUSES
from rtsched.uxcost import norm_energy, uxcost

if TYPE_CHECKING:
    from rtsched.outcome import Outcome

__all__ = ["PERCENTILES", "PRIORITY_GROUPS", "Metrics"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
"""Reported latency percentiles; 100 is the worst."""

PRIORITY_GROUPS = {"low": range(3), "mid": range(3, 9), "high": range(9, 12)}
"""MoCA's groups of priorities."""

MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(len(STATUSES))


@dataclass(frozen=True, eq=False)
class _Finished:
    """Columns of the finished jobs, in the order of the job table."""

    task: np.ndarray
    latency_ns: np.ndarray
    lateness_ns: np.ndarray
    isolated_ns: np.ndarray
    energy_j: np.ndarray


class Metrics:
    """Metrics of one outcome, each computed when first read.

    Parameters
    ----------
    outcome : Outcome
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._jobs = outcome.jobs
        self._n_tasks = outcome.problem.n_tasks

    def _per_task(self, chosen: np.ndarray) -> np.ndarray:
        """Count the chosen jobs by task."""
        return np.bincount(self._jobs["task"][chosen], minlength=self._n_tasks)

    @cached_property
    def _finished(self) -> _Finished:
        own = self._jobs[self._jobs["status"] <= LATE]
        finish_ns = own["finish_ns"]
        return _Finished(
            task=own["task"].copy(),
            latency_ns=finish_ns - own["release_ns"],
            lateness_ns=finish_ns - own["deadline_ns"],
            isolated_ns=own["isolated_ns"].copy(),
            energy_j=own["energy_j"].copy(),
        )

    # Counts

    @cached_property
    def status_counts(self) -> np.ndarray:
        """Jobs by task and status: ndarray of int64, shape (n_tasks, 5), columns as in `rtsched.outcome.STATUSES`."""
        codes = self._jobs["task"].astype(np.int64) * len(STATUSES) + self._jobs["status"]
        return np.bincount(codes, minlength=self._n_tasks * len(STATUSES)).reshape(self._n_tasks, len(STATUSES))

    @cached_property
    def released(self) -> np.ndarray:
        """Released jobs per task: all but the suppressed ones, ndarray of int64."""
        released: np.ndarray = self.status_counts.sum(axis=1) - self.status_counts[:, SUPPRESSED]
        return released

    @cached_property
    def counts(self) -> np.ndarray:
        """Whether each job counts, ndarray of bool: its end or its deadline lies in the run."""
        ended: np.ndarray = self._jobs["finish_ns"] >= 0
        return ended | (self._jobs["deadline_ns"] <= self.outcome.end_ns)

    @cached_property
    def n_counting(self) -> np.ndarray:
        """Counting jobs per task: the denominator of rates, ndarray of int64."""
        return self._per_task(self.counts)

    @cached_property
    def n_violated(self) -> np.ndarray:
        """Counting jobs per task that did not meet their deadline, ndarray of int64."""
        return self._per_task(self.counts & (self._jobs["status"] != MET))

    @cached_property
    def n_finished(self) -> np.ndarray:
        """Jobs per task that were met or late, ndarray of int64."""
        finished: np.ndarray = self.status_counts[:, [MET, LATE]].sum(axis=1)
        return finished

    @cached_property
    def n_preemptions(self) -> np.ndarray:
        """Times that a job waited between two of its layers, per task: ndarray of int64. Jobs of every status."""
        return np.bincount(self._jobs["task"], self._jobs["preemptions"], self._n_tasks).astype(np.int64)

    @cached_property
    def subnet_counts(self) -> np.ndarray:
        """Jobs that ran each subnet: ndarray of int64, shape (n_subnets,)."""
        problem, chosen = self.outcome.problem, self._jobs["subnet"] >= 0
        subnet = problem.model_first_subnet[self._jobs["model"]] + self._jobs["subnet"]
        return np.bincount(subnet[chosen], minlength=len(problem.subnet_names))

    # Deadlines

    @cached_property
    def violation_rate(self) -> np.ndarray:
        """Deadline violation rate per task: violated / counting; NaN without counting jobs.

        References
        ----------
        DREAM (Kim et al., ASPLOS 2023): RateDLV.
        """
        return _ratio(self.n_violated, self.n_counting)

    @property
    def total_violation_rate(self) -> float:
        """Violated / counting over all tasks; NaN without counting jobs."""
        total = int(self.n_counting.sum())
        return int(self.n_violated.sum()) / total if total else math.nan

    @property
    def sla(self) -> float:
        """SLA satisfaction rate: met / counting over all tasks; NaN without counting jobs.

        References
        ----------
        MoCA (Kim et al., HPCA 2023).
        """
        total = int(self.n_counting.sum())
        return int(self.status_counts[:, MET].sum()) / total if total else math.nan

    @cached_property
    def group_counting(self) -> np.ndarray:
        """Counting jobs by group of priorities: ndarray of int64, shape (3,), as in `PRIORITY_GROUPS`."""
        return self._per_group(self.counts)

    @cached_property
    def group_sla(self) -> np.ndarray:
        """SLA satisfaction rate by group of priorities: met / counting jobs of the group.

        ndarray of float64, shape (3,), as in `PRIORITY_GROUPS`; NaN without counting jobs. A job has its own priority, drawn
        at its release, so one task's jobs may be in several groups.

        References
        ----------
        MoCA (Kim et al., HPCA 2023): the groups and the rate.
        """
        return _ratio(self._per_group(self._jobs["status"] == MET), self.group_counting)

    def _per_group(self, chosen: np.ndarray) -> np.ndarray:
        bounds = [group.start for group in PRIORITY_GROUPS.values()][1:]
        return np.bincount(np.searchsorted(bounds, self._jobs["priority"][chosen], side="right"), minlength=len(PRIORITY_GROUPS))

    @cached_property
    def max_lateness_ns(self) -> np.ndarray:
        """Largest finish - deadline of finished jobs per task, negative when all were early; float64, NaN for none."""
        lateness = np.full(self._n_tasks, -np.inf)
        np.maximum.at(lateness, self._finished.task, self._finished.lateness_ns)
        return np.where(np.isinf(lateness), np.nan, lateness)

    @property
    def overall_max_lateness_ns(self) -> float:
        """Largest finish - deadline of all finished jobs; NaN for none. Dropped and unfinished jobs are not in it."""
        return float(self._finished.lateness_ns.max()) if len(self._finished.task) else math.nan

    @cached_property
    def mean_tardiness_ns(self) -> np.ndarray:
        """Mean of max(0, finish - deadline) over finished jobs per task; float64, NaN for none.

        Dropped and unfinished jobs have no finish and are not in it.
        """
        tardiness = np.bincount(self._finished.task, np.maximum(self._finished.lateness_ns, 0), self._n_tasks)
        return _ratio(tardiness, self.n_finished)

    @cached_property
    def overall_mean_tardiness_ns(self) -> float:
        """Mean of max(0, finish - deadline) over all finished jobs; NaN for none."""
        return _mean(np.maximum(self._finished.lateness_ns, 0))

    # Latency

    @cached_property
    def latency_ns(self) -> np.ndarray:
        """Latency percentiles of finished jobs: ndarray of float64, shape (n_tasks, 5), columns as in `PERCENTILES`.

        Finish minus release; nearest rank, so each is some job's. NaN where nothing finished. Dropped and unfinished jobs
        have no latency and are not in here.
        """
        return _percentiles(self._finished.latency_ns, self._finished.task, self._n_tasks)

    @cached_property
    def overall_latency_ns(self) -> np.ndarray:
        """Latency percentiles over the finished jobs of all tasks: ndarray of float64, shape (5,), else as `latency_ns`."""
        everyone = np.zeros(len(self._finished.task), dtype=np.int64)
        overall: np.ndarray = _percentiles(self._finished.latency_ns, everyone, 1)[0]
        return overall

    # Sharing

    @cached_property
    def progress(self) -> np.ndarray:
        """Normalised progress per task: mean T_isolated / mean latency of finished jobs, ndarray of float64.

        0 where jobs count but none finished (decision); NaN without counting jobs. It may exceed 1 when a job ran faster than
        on the reference. It sees only what finished: dropping jobs that would have been slow improves it, see `stp_jobs`.
        """
        latency_ns = np.bincount(self._finished.task, self._finished.latency_ns, self._n_tasks)
        isolated_ns = np.bincount(self._finished.task, self._finished.isolated_ns, self._n_tasks)
        progress = np.where(self.n_counting > 0, 0.0, np.nan)
        return np.divide(isolated_ns, latency_ns, out=progress, where=latency_ns > 0)

    @cached_property
    def stp(self) -> float:
        """System throughput: sum over tasks of `progress`; NaN without counting jobs.

        A task of which nothing finished adds 0. MoCA sums over models, which is the same where every task has its own model.

        References
        ----------
        Eyerman and Eeckhout, "System-level performance metrics for multiprogram workloads", IEEE Micro 2008: STP; over
        streams of jobs as in MoCA (Kim et al., HPCA 2023).
        """
        progress = self.progress[self.n_counting > 0]
        return float(progress.sum()) if len(progress) else math.nan

    @cached_property
    def stp_jobs(self) -> float:
        """Mean over counting jobs of T_isolated / latency; NaN without counting jobs.

        Dropped, suppressed and unfinished jobs that count add 0 to the sum and 1 to the denominator, so that a policy cannot
        gain by dropping. At most 1 when no job runs faster than on the reference.

        References
        ----------
        Eyerman and Eeckhout, IEEE Micro 2008: normalised progress; the mean over jobs is a decision of this project.
        """
        total = int(self.n_counting.sum())
        return float((self._finished.isolated_ns / self._finished.latency_ns).sum()) / total if total else math.nan

    @cached_property
    def antt(self) -> float:
        """Average normalised turnaround time: arithmetic mean over finished jobs of latency / T_isolated; NaN for none.

        Less is better. Dropped, suppressed and unfinished jobs are not in it: read it beside their numbers.

        References
        ----------
        Eyerman and Eeckhout, IEEE Micro 2008: ANTT; here over jobs instead of programs.
        """
        return _mean(self._finished.latency_ns / self._finished.isolated_ns)

    @cached_property
    def proportional_progress(self) -> np.ndarray:
        """PP per task: `progress` / priority share; ndarray of float64, NaN without counting jobs.

        The priority share is (mean priority of the counting jobs + 1) / its sum over tasks; the 1 lets priority 0 have a share.

        References
        ----------
        PREMA (Choi and Rhu, HPCA 2020); MoCA (Kim et al., HPCA 2023).
        """
        sums = np.bincount(self._jobs["task"][self.counts], self._jobs["priority"][self.counts], self._n_tasks)
        weight = _ratio(sums, self.n_counting) + 1.0
        proportional: np.ndarray = self.progress / (weight / np.nansum(weight))
        return proportional

    @cached_property
    def fairness(self) -> float:
        """Smallest over largest `proportional_progress` among tasks with counting jobs, 0 to 1; more is better.

        1 for a single task. 0 when nothing of some task finished, though another's did (decision); NaN when nothing finished.

        References
        ----------
        PREMA (Choi and Rhu, HPCA 2020); MoCA (Kim et al., HPCA 2023): min over i, j of PP_i / PP_j.
        """
        proportional = self.proportional_progress[self.n_counting > 0]
        largest = proportional.max(initial=0.0)
        return float(proportional.min() / largest) if largest > 0 else math.nan

    @cached_property
    def xrbench(self) -> float:
        """XRBench score: 100 * mean over tasks of `rtsched.metrics.xrbench_scores`; NaN without counting jobs.

        Tasks stand for XRBench's models (decision). The energy of a job is that of its layers and switches.

        References
        ----------
        XRBench (Kwon et al., MLSys 2023).
        """
        done = self._finished
        scores = xrbench_scores(done.task, done.lateness_ns, done.energy_j, self.n_counting)
        return 100.0 * _mean(scores[self.n_counting > 0])

    # Energy and hardware

    @cached_property
    def norm_energy(self) -> np.ndarray:
        """Energy of executed layers and switches / energy of the same layers each on its most energy-hungry option, per task.

        Idle energy is excluded; 1 where nothing ran. The most energy-hungry option is taken over all accelerators and tiles.
        """
        worst = np.bincount(self._jobs["task"], self._jobs["worst_energy_j"], self._n_tasks)
        spent = self.outcome.task_energy_j.sum(axis=1)
        return norm_energy(spent, worst)

    @cached_property
    def uxcost(self) -> float:
        """(Sum over tasks of RateDLV) * (sum over tasks of NormEnergy); NaN without counting jobs.

        A task that violated nothing enters with 1 / (2 * counting), so the figure depends on the length of the run when
        every deadline is met.

        References
        ----------
        DREAM (Kim et al., ASPLOS 2023), UXCost; the floor and the energy's normalisation are a reconstruction.
        """
        return uxcost(self.n_counting, self.n_violated, self.norm_energy)

    @property
    def energy_j(self) -> np.ndarray:
        """Dynamic energy: ndarray of float64, shape (n_tasks, 5), columns as in `rtsched.outcome.ENERGY_COMPONENTS`."""
        return self.outcome.task_energy_j

    @property
    def dynamic_energy_j(self) -> float:
        """Energy of the layers and switches of all jobs, those of dropped and unfinished ones included."""
        return float(self.energy_j.sum())

    @property
    def total_energy_j(self) -> float:
        """Dynamic and idle energy of the run."""
        return float(self.energy_j.sum() + self.outcome.idle_energy_j.sum())

    @cached_property
    def utilisation(self) -> np.ndarray:
        """Busy / elapsed per tile, accelerators in order: ndarray of float64, shape (n_tiles,)."""
        return self.outcome.busy_ns / max(self.outcome.end_ns, 1)

    @cached_property
    def memory_utilisation(self) -> float:
        """Served DRAM bytes / (peak bandwidth * elapsed)."""
        return self.outcome.served_bytes / (self.outcome.problem.peak_bytes_per_ns * max(self.outcome.end_ns, 1))

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as numbers, strings, lists and dictionaries, ready for JSON; what is undefined is None."""
        from rtsched.metrics.export import to_dict

        return to_dict(self)


def _percentiles(values: np.ndarray, owner: np.ndarray, n_owners: int) -> np.ndarray:
    """Percentiles by nearest rank of each owner's values: float64, shape (n_owners, 5); NaN where there are none.

    Ranks are computed in integers, since 99.9 % of 2000 must be 1998 and not a little more.
    """
    ranked = values[np.lexsort((values, owner))]
    count = np.bincount(owner, minlength=n_owners)
    first = np.cumsum(count) - count
    per_mille = np.array([round(percent * 10) for percent in PERCENTILES])
    rank = np.maximum(1, -(-per_mille * count[:, None] // 1000))
    table = np.full((n_owners, len(PERCENTILES)), np.nan)
    has_some = count > 0
    table[has_some] = ranked[(first[:, None] + rank - 1)[has_some]]
    return table


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN for 0 / 0."""
    with np.errstate(invalid="ignore"):
        ratio: np.ndarray = numerator / denominator
    return ratio


def _mean(values: np.ndarray) -> float:
    """Mean; NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan
