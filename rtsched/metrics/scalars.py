"""The metrics that are one number for a run, for comparisons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from rtsched.metrics.metrics import PERCENTILES, PRIORITY_GROUPS
from rtsched.outcome import STATUSES

if TYPE_CHECKING:
    from rtsched.metrics.metrics import Metrics

__all__ = ["SCALARS", "Scalar"]


@dataclass(frozen=True)
class Scalar:
    """A metric that is one number for a run.

    Attributes
    ----------
    name : str
    unit : str
        ``ns``, ``J``, ``jobs``, ``layers``; empty for fractions, which go from 0 to 1, and other pure numbers.
    better : {'less', 'more'}
        Which direction is better, all else being equal.
    meaning : str
        One line.
    read : callable
        Takes `Metrics`, returns the number.
    """

    name: str
    unit: str
    better: Literal["less", "more"]
    meaning: str
    read: Callable[[Metrics], float]

    def of(self, metrics: Metrics) -> float:
        """Return the number of one run; NaN where it is undefined."""
        return float(self.read(metrics))


def _group_sla(group: str, metrics: Metrics) -> float:
    rate: float = metrics.group_sla[list(PRIORITY_GROUPS).index(group)]
    return rate


def _latency_ns(percent: float, metrics: Metrics) -> float:
    latency_ns: float = metrics.overall_latency_ns[PERCENTILES.index(percent)]
    return latency_ns


def _jobs(status: str, metrics: Metrics) -> int:
    return int(metrics.status_counts[:, STATUSES.index(status)].sum())


def _preemptions(metrics: Metrics) -> int:
    return int(metrics.n_preemptions.sum())


_GROUPS = {name: f"priorities {group[0]} to {group[-1]}" for name, group in PRIORITY_GROUPS.items()}

_ALL = (
    Scalar("uxcost", "", "less", "sum of violation rates times sum of normalised energies, over tasks", attrgetter("uxcost")),
    Scalar("violation_rate", "", "less", "violated / counting jobs", attrgetter("total_violation_rate")),
    Scalar("sla", "", "more", "met / counting jobs", attrgetter("sla")),
    *(Scalar(f"sla_{name}", "", "more", f"met / counting jobs of {which}", partial(_group_sla, name)) for name, which in _GROUPS.items()),
    Scalar("stp", "", "more", "system throughput: sum over tasks of mean isolated time / mean latency", attrgetter("stp")),
    Scalar("stp_jobs", "", "more", "mean over counting jobs of isolated time / latency, 0 for lost ones", attrgetter("stp_jobs")),
    Scalar("antt", "", "less", "mean over finished jobs of latency / isolated time", attrgetter("antt")),
    Scalar("fairness", "", "more", "smallest / largest progress per share of priority, over tasks", attrgetter("fairness")),
    Scalar("xrbench", "", "more", "XRBench score, 0 to 100: timeliness, energy and lost jobs, mean over tasks", attrgetter("xrbench")),
    Scalar("energy_j", "J", "less", "dynamic and idle energy", attrgetter("total_energy_j")),
    Scalar("dynamic_energy_j", "J", "less", "energy of layers and switches", attrgetter("dynamic_energy_j")),
    Scalar("latency_p50_ns", "ns", "less", "median latency of finished jobs", partial(_latency_ns, 50.0)),
    Scalar("latency_p99_ns", "ns", "less", "99th percentile of the latency of finished jobs", partial(_latency_ns, 99.0)),
    Scalar("latency_worst_ns", "ns", "less", "longest latency of a finished job", partial(_latency_ns, 100.0)),
    Scalar(
        "mean_tardiness_ns", "ns", "less", "mean of max(0, finish - deadline) of finished jobs", attrgetter("overall_mean_tardiness_ns")
    ),
    Scalar("max_lateness_ns", "ns", "less", "largest finish - deadline of a finished job", attrgetter("overall_max_lateness_ns")),
    Scalar("drops", "jobs", "less", "jobs that the policy gave up or a full backlog pushed out", partial(_jobs, "dropped")),
    Scalar("unfinished", "jobs", "less", "jobs that the end of the run cut", partial(_jobs, "unfinished")),
    Scalar("suppressed", "jobs", "less", "jobs never released because a parent was dropped or cut", partial(_jobs, "suppressed")),
    Scalar("preemptions", "", "less", "times that a job waited between two layers", _preemptions),
    Scalar("switches", "layers", "less", "layers that moved activations through DRAM", attrgetter("outcome.n_switches")),
    Scalar("migrations", "layers", "less", "layers on another accelerator than the job's layer before", attrgetter("outcome.n_migrations")),
    Scalar("memory_utilisation", "", "less", "DRAM bytes moved / what the peak could move", attrgetter("memory_utilisation")),
)

SCALARS: Mapping[str, Scalar] = MappingProxyType({one.name: one for one in _ALL})
"""By name, in the order in which they are shown.

A run has the same frames under every policy, so that less energy and less of the memory's bandwidth are better where the same
jobs were done; a policy that drops jobs saves both, too.
"""
