"""Where the time of finished jobs went: waiting, execution, switching, regulation, contention, cascade. docs/attribution.md defines them.

All of it follows from the outcome's tables and from the problem; nothing is run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rtsched.outcome import Outcome
from rtsched.testing.findings import LATE, NEVER_NS, Findings
from rtsched.testing.layers import execution_ns, switching_ns
from rtsched.testing.tables import sound_tables

__all__ = ["ATTRIBUTION_DTYPE", "PARTS", "Attribution", "attribute"]

PARTS = ("waiting", "execution", "switching", "regulation", "contention", "cascade")
"""What a job's response time is made of; columns of sums are in this order."""

ATTRIBUTION_DTYPE = np.dtype([(name, np.int64) for name in ("job", "response_ns", "lateness_ns", *(f"{part}_ns" for part in PARTS))])

ROUNDING = 1e-6
"""Of a ns, by which the engine lets a layer end early, so that repeated re-rating does not creep."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """The finished jobs of an outcome, each one's time split.

    Attributes
    ----------
    outcome : Outcome
    jobs : ndarray of ATTRIBUTION_DTYPE, shape (n_finished,)
        One row per job that was met or late, ascending by ``job``, its row in ``outcome.jobs``. ``response_ns`` is its finish less the
        instant from which its deadline counts, ``lateness_ns`` its finish less its deadline. The columns of `PARTS`, each at least 0,
        sum to ``response_ns`` exactly; without ``cascade_ns`` they sum to its latency, its finish less its release.
    """

    outcome: Outcome = field(repr=False)
    jobs: np.ndarray = field(repr=False)

    @cached_property
    def parts_ns(self) -> np.ndarray:
        """The parts side by side: ndarray of int64, shape (n_finished, 6), columns as in `PARTS`."""
        return np.column_stack([self.jobs[f"{one}_ns"] for one in PARTS])

    @cached_property
    def is_late(self) -> np.ndarray:
        """Which of the rows are late jobs: ndarray of bool, shape (n_finished,)."""
        late: np.ndarray = self.outcome.jobs["status"][self.jobs["job"]] == LATE
        return late

    @cached_property
    def n_late(self) -> np.ndarray:
        """Late jobs per task: ndarray of int64, shape (n_tasks,)."""
        return np.bincount(self._task[self.is_late], minlength=self.outcome.problem.n_tasks)

    @cached_property
    def late_ns(self) -> np.ndarray:
        """Parts summed over the late jobs of each task: ndarray of int64, shape (n_tasks, 6), columns as in `PARTS`."""
        return self._sums(self.parts_ns, self.is_late)

    @cached_property
    def finished_ns(self) -> np.ndarray:
        """Parts summed over all finished jobs of each task: ndarray of int64, shape (n_tasks, 6), columns as in `PARTS`."""
        return self._sums(self.parts_ns, np.ones(len(self.jobs), dtype=bool))

    @cached_property
    def n_decisive(self) -> np.ndarray:
        """Late jobs of each task that a part alone has made late: ndarray of int64, shape (n_tasks, 6), columns as in `PARTS`.

        The part is at least as long as the job is late: with all others as they were, the job would have met its deadline without it.
        None, one or several parts of a job may be so.
        """
        return self._sums((self.parts_ns >= self.jobs["lateness_ns"][:, None]).astype(np.int64), self.is_late)

    @cached_property
    def _task(self) -> np.ndarray:
        task: np.ndarray = self.outcome.jobs["task"][self.jobs["job"]]
        return task

    def _sums(self, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        sums = np.zeros((self.outcome.problem.n_tasks, len(PARTS)), dtype=np.int64)
        np.add.at(sums, self._task[chosen], values[chosen])
        return sums


def attribute(outcome: Outcome) -> Attribution:
    """Split the time of every finished job of an outcome.

    Parameters
    ----------
    outcome : Outcome
        With its layers and rates.

    Returns
    -------
    Attribution

    Raises
    ------
    rtsched.errors.InputError
        Layers or rates were not recorded, or rows of theirs mean nothing.

    Examples
    --------
    >>> import rtsched
    >>> outcome = rtsched.simulate("vr_gaming", policy="edf", duration_s=0.5, layers=True, rates=True)
    >>> found = rtsched.attribute(outcome)
    >>> bool((found.parts_ns.sum(axis=1) == found.jobs["response_ns"]).all())
    True
    """
    findings = sound_tables(outcome)
    jobs, layers = outcome.jobs, findings.layers
    rows = np.flatnonzero(jobs["status"] <= LATE)
    own = jobs[rows]
    is_split = (jobs["status"] <= LATE)[layers["job"]] & (layers["finish_ns"] >= 0)
    by_layer = _layer_parts(findings)
    sums = {name: _summed(layers["job"][is_split], values[is_split], len(jobs))[rows] for name, values in by_layer.items()}
    found = np.zeros(len(rows), dtype=ATTRIBUTION_DTYPE)
    found["job"] = rows
    found["lateness_ns"] = own["finish_ns"] - own["deadline_ns"]
    found["response_ns"] = found["lateness_ns"] + outcome.problem.task_deadline_ns[own["task"]]
    for name, values in sums.items():
        found[f"{name}_ns"] = values
    latency_ns = own["finish_ns"] - own["release_ns"]
    found["waiting_ns"] = latency_ns - sum(sums.values())
    found["cascade_ns"] = found["response_ns"] - latency_ns
    return Attribution(outcome, found)


def _summed(owner: np.ndarray, values: np.ndarray, n_owners: int) -> np.ndarray:
    """Exact sums; those of `np.bincount` are rounded."""
    sums = np.zeros(n_owners, dtype=np.int64)
    np.add.at(sums, owner, values)
    return sums


def _layer_parts(findings: Findings) -> dict[str, np.ndarray]:
    """The time of each executed layer split, int64 of shape (n_layers,) each; the sum is its finish less its start."""
    layers = findings.layers
    took = layers["finish_ns"] - layers["start_ns"]
    # Beyond 2^50 ns a layer may seem faster than alone: the floating-point number that counts its time down is coarser than the clock.
    switching = np.minimum(switching_ns(findings), took)
    execution = np.minimum(execution_ns(findings), took - switching)
    alone_ns = execution + switching
    regulation = np.clip(_capped_ns(findings, alone_ns) - alone_ns, 0, took - alone_ns)
    return {
        "execution": execution,
        "switching": switching,
        "regulation": regulation,
        "contention": took - alone_ns - regulation,
    }


def _capped_ns(findings: Findings, alone_ns: np.ndarray) -> np.ndarray:
    """What each layer would have taken under its caps with infinite bandwidth: int64, shape (n_layers,)."""
    layers, n = findings.layers, findings.problem.n_layers
    takes_ns = alone_ns.copy()
    rates = findings.rates[findings.rates["demand_bytes_per_ns"] > 0]  # not the ends
    keys, layer_keys = rates["job"] * n + rates["layer"], layers["job"] * n + layers["layer"]  # a job runs each layer once
    capped = np.intersect1d(keys[rates["cap_bytes_per_ns"] < rates["demand_bytes_per_ns"]], layer_keys)
    if not len(capped):
        return takes_ns
    order = np.argsort(keys, kind="stable")
    order = order[np.isin(keys[order], capped)]
    rates, keys = rates[order], keys[order]
    rate = np.minimum(1.0, rates["cap_bytes_per_ns"] / rates["demand_bytes_per_ns"])
    is_first = np.append(True, keys[1:] != keys[:-1])
    changes = is_first | np.append(True, rate[1:] != rate[:-1])
    by_key = np.argsort(layer_keys, kind="stable")
    row = by_key[np.searchsorted(layer_keys[by_key], capped)]
    finish_ns = _finish_ns(rates["time_ns"][changes], rate[changes], np.flatnonzero(is_first[changes]), alone_ns[row])
    takes_ns[row] = finish_ns - layers["start_ns"][row]
    return takes_ns


def _finish_ns(time_ns: np.ndarray, rate: np.ndarray, begin: np.ndarray, alone_ns: np.ndarray) -> np.ndarray:
    """When layers finish that go on at given rates, in the engine's arithmetic, to the bit.

    Parameters
    ----------
    time_ns, rate : ndarray of int64, of float64, shape (n_changes,)
        From when on each rate holds; by layer, ascending. No rate is followed by itself.
    begin : ndarray of int64, shape (n,)
        Where the changes of each layer begin.
    alone_ns : ndarray of int64, shape (n,)
        What each takes at rate 1.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    count = np.diff(np.append(begin, len(rate)))
    order = np.argsort(-count, kind="stable")  # so that those with a k-th change are the first ones
    begin, n_with = begin[order], np.searchsorted(-count[order], -np.arange(1, count.max() + 1), side="right")
    remaining = alone_ns[order].astype(np.float64)
    since, speed, finish = time_ns[begin].copy(), np.zeros(len(begin)), np.full(len(begin), NEVER_NS)
    for k, n in enumerate(n_with.tolist()):
        now = time_ns[begin[:n] + k]
        on = np.flatnonzero(finish[:n] > now)
        at, now = begin[on] + k, now[on]
        remaining[on] -= (now - since[on]) * speed[on]
        since[on], speed[on] = now, rate[at]
        waits = np.minimum(np.ceil(remaining[on] / rate[at] - ROUNDING), float(NEVER_NS))
        finish[on] = np.minimum(now + np.maximum(waits, 1.0).astype(np.int64), NEVER_NS)
    answer = np.empty_like(finish)
    answer[order] = finish
    return answer
