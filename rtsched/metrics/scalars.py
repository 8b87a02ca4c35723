"""The metrics that are one number for a run, for comparisons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from rtsched.metrics.metrics import PERCENTILES, PRIORITY_GROUPS, Metrics
from rtsched.outcome import STATUSES, Outcome

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
    source : str
        The property of `Metrics`, or below its ``outcome``, that holds it and whose docstring defines it.
    pick : callable
        Takes what `source` holds, returns the number.
    """

    name: str
    unit: str
    better: Literal["less", "more"]
    meaning: str
    source: str
    pick: Callable[[Any], float] = float

    @property
    def definition(self) -> str:
        """What the docstring of its source says."""
        owner = Outcome if self.source.startswith("outcome.") else Metrics
        return inspect.cleandoc(getattr(owner, self.source.removeprefix("outcome.")).__doc__ or "")

    def of(self, metrics: Metrics) -> float:
        """Return the number of one run; NaN where it is undefined."""
        return float(self.pick(attrgetter(self.source)(metrics)))


def _at(place: int, values: np.ndarray) -> float:
    return float(values[place])


def _percentile(percent: float, latency_ns: np.ndarray) -> float:
    return float(latency_ns[PERCENTILES.index(percent)])


def _jobs(status: str, counts: np.ndarray) -> int:
    return int(counts[:, STATUSES.index(status)].sum())


_GROUPS = {name: f"priorities {group[0]} to {group[-1]}" for name, group in PRIORITY_GROUPS.items()}

_ALL = (
    Scalar("uxcost", "", "less", "sum of violation rates times sum of normalised energies, over tasks", "uxcost"),
    Scalar("violation_rate", "", "less", "violated / counting jobs", "total_violation_rate"),
    Scalar("sla", "", "more", "met / counting jobs", "sla"),
    *(
        Scalar(f"sla_{name}", "", "more", f"met / counting jobs of {which}", "group_sla", partial(_at, place))
        for place, (name, which) in enumerate(_GROUPS.items())
    ),
    Scalar("stp", "", "more", "system throughput: sum over tasks of mean isolated time / mean latency", "stp"),
    Scalar("stp_jobs", "", "more", "mean over counting jobs of isolated time / latency, 0 for lost ones", "stp_jobs"),
    Scalar("antt", "", "less", "mean over finished jobs of latency / isolated time", "antt"),
    Scalar("fairness", "", "more", "smallest / largest progress per share of priority, over tasks", "fairness"),
    Scalar("xrbench", "", "more", "XRBench score, 0 to 100: timeliness, energy and lost jobs, mean over tasks", "xrbench"),
    Scalar("energy_j", "J", "less", "dynamic and idle energy", "total_energy_j"),
    Scalar("dynamic_energy_j", "J", "less", "energy of layers and switches", "dynamic_energy_j"),
    Scalar("latency_p50_ns", "ns", "less", "median latency of finished jobs", "overall_latency_ns", partial(_percentile, 50.0)),
    Scalar(
        "latency_p99_ns", "ns", "less", "99th percentile of the latency of finished jobs", "overall_latency_ns", partial(_percentile, 99.0)
    ),
    Scalar("latency_worst_ns", "ns", "less", "longest latency of a finished job", "overall_latency_ns", partial(_percentile, 100.0)),
    Scalar("mean_tardiness_ns", "ns", "less", "mean of max(0, finish - deadline) of finished jobs", "overall_mean_tardiness_ns"),
    Scalar("max_lateness_ns", "ns", "less", "largest finish - deadline of a finished job", "overall_max_lateness_ns"),
    Scalar(
        "drops", "jobs", "less", "jobs that the policy gave up or a full backlog pushed out", "status_counts", partial(_jobs, "dropped")
    ),
    Scalar("unfinished", "jobs", "less", "jobs that the end of the run cut", "status_counts", partial(_jobs, "unfinished")),
    Scalar(
        "suppressed",
        "jobs",
        "less",
        "jobs never released because a parent was dropped or cut",
        "status_counts",
        partial(_jobs, "suppressed"),
    ),
    Scalar("preemptions", "", "less", "times that a job waited between two layers", "n_preemptions", np.sum),
    Scalar("switches", "layers", "less", "layers that moved activations through DRAM", "outcome.n_switches"),
    Scalar("migrations", "layers", "less", "layers on another accelerator than the job's layer before", "outcome.n_migrations"),
    Scalar("memory_utilisation", "", "less", "DRAM bytes moved / what the peak could move", "memory_utilisation"),
)

SCALARS: Mapping[str, Scalar] = MappingProxyType({one.name: one for one in _ALL})
"""By name, in the order in which they are shown.

A run has the same frames under every policy, so that less energy and less of the memory's bandwidth are better where the same
jobs were done; a policy that drops jobs saves both, too.
"""
