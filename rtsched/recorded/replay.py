"""Replays: recorded requests, with recorded times, on one accelerator under a policy."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from rtsched.compiler import compile_problem
from rtsched.cost.table import CostTable, TableCost
from rtsched.errors import FaultList, InputError
from rtsched.outcome import STATUSES, Outcome
from rtsched.overrides import Settings
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.policies.registry import ALIASES, configure, load_policy
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.recorded.tables import (
    Estimate,
    Latencies,
    Request,
    mean_estimates,
    read_estimates,
    read_latencies,
    read_requests,
)
from rtsched.run import run
from rtsched.tasks import MAX_PART_NS, ragged
from rtsched.workload.layer import Measured
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task

__all__ = ["ACCELERATOR", "REPLAY_SETTINGS", "Recording", "finish_lines", "load_recording", "replay", "replay_policy", "run_recording"]

ACCELERATOR = "accelerator"
"""The name of the only one."""

REPLAY_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "planaria": {"mapper.priority_offset": 0, "mapper.late": "replay"},
    "prema": {"mapper.mode": "replay"},
    "sdrm3": {"mapper.late": "replay"},
}
"""What a replay sets in policies unless it is told otherwise: the rules of the simulator whose results are replayed."""

PATTERN_AWARE = ("dysta",)
"""Policies that know a request's pattern of sparsity, and so the mean over that pattern instead of the one over all."""


@dataclass(frozen=True)
class Recording:
    """The tables of a replay, which belong together.

    Attributes
    ----------
    name : str
    requests : list of Request
        By arrival.
    latencies : dict
        Of (model, sample).
    estimates : dict
        Of models.
    """

    name: str
    requests: Sequence[Request]
    latencies: Latencies
    estimates: Mapping[str, Estimate]

    def problem(self, *, is_pattern_aware: bool = False) -> Problem:
        """Compile: a task for each model, priority and target; actual times and sparsity request by request."""
        tasks, frames = self._tasks()
        n_layers = {model: len(one.model_ns) for model, one in self.estimates.items()}
        models = {name: Model(name=name, layers=tuple(Measured(name=str(i)) for i in range(n))) for name, n in n_layers.items()}
        work_ns = sum(int(np.floor(self.latencies[one.model, one.sample_id].latency_s * 1e9 + 0.5).sum()) for one in self.requests)
        scenario = Scenario(
            name=self.name,
            tasks=tuple(
                Task(
                    name=name,
                    model=models[one.model],
                    trace=tuple(self.requests[i].arrival_ns / 1e6 for i in own),
                    deadline_ms=one.target_ns / 1e6,
                    priority=one.priority,
                    in_order=False,
                )
                for (name, one), own in zip(tasks, frames, strict=True)
            ),
            duration_s=(self.requests[-1].arrival_ns + 1) / 1e9,
            drain_s=work_ns / 1e9 + 1.0,
        )
        if self.requests[-1].arrival_ns + work_ns > MAX_PART_NS:
            raise InputError(f"the requests need {work_ns * 1e-9:.3g} s; at most {MAX_PART_NS * 1e-9:.3g} s fit the simulator's clock")
        problem = compile_problem(scenario, self._platform(is_pattern_aware))
        sparsity = np.concatenate([self.estimates[model].sparsity for model in problem.model_names])
        return replace(problem, layer_sparsity=sparsity, is_strict=True, **self._recorded(frames))

    def jobs(self, outcome: Outcome) -> np.ndarray:
        """For each request the row of its job: int64, shape (n_requests,); -1 where the run was stopped before it came in."""
        _, frames = self._tasks()
        jobs = outcome.jobs
        row_of = {key: row for row, key in enumerate(zip(jobs["task"].tolist(), jobs["frame"].tolist(), strict=True))}
        row = np.empty(len(self.requests), dtype=np.int64)
        for task, own in enumerate(frames):
            row[own] = [row_of.get((task, frame), -1) for frame in range(len(own))]
        return row

    def _tasks(self) -> tuple[list[tuple[str, Request]], list[list[int]]]:
        """Names of the tasks, each with its first request, in the order of these; and the requests of each."""
        groups: dict[tuple[str, int, int], list[int]] = {}
        for i, one in enumerate(self.requests):
            groups.setdefault((one.model, one.priority, one.target_ns), []).append(i)
        n_targets: dict[tuple[str, int], int] = {}
        for model, priority, _ in groups:
            n_targets[model, priority] = n_targets.get((model, priority), 0) + 1
        named = [
            (f"{model} p{priority}" + (f" {target_ns} ns" if n_targets[model, priority] > 1 else ""), self.requests[own[0]])
            for (model, priority, target_ns), own in groups.items()
        ]
        return named, list(groups.values())

    def _platform(self, is_pattern_aware: bool) -> Platform:
        rows = [
            {"model": model, "layer": str(i), "accelerator": ACCELERATOR, "latency_ns": time_ns}
            for model, one in self.estimates.items()
            for i, time_ns in enumerate((one.pattern_ns if is_pattern_aware else one.model_ns).tolist())
        ]
        cost = TableCost(rows=CostTable.from_rows(rows, source=self.name))
        return Platform(name="recorded", accelerators=(Accelerator(name=ACCELERATOR, cost=cost),), memory=Memory(peak_gb_per_s=1.0))

    def _recorded(self, frames: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Each used sample once, and where those of each task's frames begin."""
        used = {(one.model, one.sample_id): self.latencies[one.model, one.sample_id] for one in self.requests}
        begin = dict(zip(used, np.cumsum([0, *(len(one.latency_s) for one in used.values())]).tolist(), strict=False))
        places = [[begin[self.requests[i].model, self.requests[i].sample_id] for i in own] for own in frames]
        return {
            **ragged("recorded", "place", places, np.int32),
            "recorded_ns": np.floor(np.concatenate([one.latency_s for one in used.values()]) * 1e9 + 0.5).astype(np.int64),
            "recorded_sparsity": np.concatenate([one.sparsity for one in used.values()]),
        }


def load_recording(
    requests: str | os.PathLike[str], latencies: str | os.PathLike[str], estimates: str | os.PathLike[str] | None = None
) -> Recording:
    """Read the tables of a replay and check that they belong together.

    Parameters
    ----------
    requests, latencies : str or path
        CSV files; `rtsched.recorded.tables` has their columns.
    estimates : str or path, optional
        Default: the mean over the samples of each model.

    Returns
    -------
    Recording
        Models that no request runs are left out.

    Raises
    ------
    InputError
        Every fault of all tables at once.
    """
    faults = FaultList()
    asked = faults.of(read_requests, requests)
    actual = faults.of(read_latencies, latencies)
    expected = None if estimates is None else faults.of(read_estimates, estimates)
    faults.report()
    assert asked is not None
    assert actual is not None
    known = mean_estimates(actual) if expected is None else expected
    n_layers = {model: len(one.latency_s) for (model, _), one in actual.items()}
    told: set[tuple[str, str]] = set()
    for one in asked:
        if (fault := _fault(one, actual, n_layers, known, os.fspath(estimates or latencies))) is not None and fault[0] not in told:
            told.add(fault[0])
            faults.add(fault[1])
    faults.report()
    used = dict.fromkeys(one.model for one in asked)
    return Recording(Path(requests).stem, asked, actual, {model: known[model] for model in used})


def _fault(
    one: Request, actual: Latencies, n_layers: Mapping[str, int], known: Mapping[str, Estimate], source: str
) -> tuple[tuple[str, str], str] | None:
    """What a request asks for that is not there: what to tell once, and the message."""
    if one.model not in n_layers:
        return (one.model, ""), f"{one.place('model')}: the table of latencies has no model {one.model!r:.60}"
    if (one.model, one.sample_id) not in actual:
        where = one.place("sample_id")
        return (one.model, one.sample_id), f"{where}: the table of latencies has no sample {one.sample_id!r:.60} of model {one.model!r:.60}"
    if one.model not in known:
        return (one.model, ""), f"{one.place('model')}: {source} has no model {one.model!r:.60}"
    if len(known[one.model].model_ns) != n_layers[one.model]:
        n_known = len(known[one.model].model_ns)
        what = f"{source} has {n_known} layers of model {one.model!r:.60}, the table of latencies {n_layers[one.model]}"
        return (one.model, ""), f"{one.place('model')}: {what}"
    return None


def replay_policy(policy: Any, settings: Mapping[str, object] | None = None) -> tuple[Policy, dict[str, object]]:
    """Load a policy for a replay; return it, and which settings of its roles were changed.

    Parameters
    ----------
    policy : str, Policy or mapper
        One with a name of `REPLAY_SETTINGS` gets those settings, unless it is given as an object.
    settings : mapping of path to value, optional
        As for `rtsched.policies.registry.configure`; they win.

    Raises
    ------
    InputError
    """
    chosen = load_policy(policy)
    own = REPLAY_SETTINGS.get(ALIASES.get(policy, policy), {}) if isinstance(policy, str) else {}
    changes = {**own, **(settings or {})}
    return configure(chosen, changes), Settings.of(changes).given()


def replay(
    requests: str | os.PathLike[str],
    latencies: str | os.PathLike[str],
    policy: Any = "fcfs",
    *,
    estimates: str | os.PathLike[str] | None = None,
    settings: Mapping[str, object] | None = None,
    layers: bool = False,
) -> Outcome:
    """Replay recorded requests on one accelerator.

    Parameters
    ----------
    requests, latencies : str or path
        CSV files (docs/replay.md): who asks for what and when, and what each layer of each sample really takes.
    policy : str, Policy or mapper
        As for `rtsched.simulate`. A built-in one that is given by name follows the rules of the simulator whose results are
        replayed: `REPLAY_SETTINGS`.
    estimates : str or path, optional
        What schedulers see. Default: the mean over the samples of each model.
    settings : mapping of path to value, optional
        Of the policy's roles, such as ``{"mapper.alpha": 0.5}``.
    layers : bool
        Record every executed layer.

    Returns
    -------
    Outcome
        A task for each model, priority and target; its jobs are the requests in the order of their arrival.

    Raises
    ------
    InputError, PolicyError, Interrupted
        As for `rtsched.simulate`.
    """
    faults = FaultList()
    recording = faults.of(load_recording, requests, latencies, estimates)
    found = faults.of(replay_policy, policy, settings)
    faults.report()
    assert recording is not None
    assert found is not None
    return run_recording(recording, *found, layers=layers)


def run_recording(
    recording: Recording,
    policy: Policy,
    changes: Mapping[str, object],
    *,
    layers: bool = False,
    rates: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Run what `load_recording` read under what `replay_policy` made."""
    problem = recording.problem(is_pattern_aware=policy.name in PATTERN_AWARE)
    return run(problem, policy, layers=layers, rates=rates, progress=progress, settings=changes)


def finish_lines(recording: Recording, outcome: Outcome) -> Iterator[str]:
    """Yield when each request finished, as CSV, in the order of their arrival.

    Parameters
    ----------
    recording : Recording
    outcome : Outcome
        Of a run of its problem.

    Yields
    ------
    str
        Lines: ``request_id``, ``finish_s``, ``violated`` (1 or 0), ``finish_rank`` (from 0). Requests that did not finish are
        violated and have neither time nor rank.
    """
    jobs = outcome.jobs
    done = jobs["status"] <= STATUSES.index("late")
    rank = np.full(len(jobs), -1)
    rank[np.flatnonzero(done)[np.argsort(jobs["finish_ns"][done], kind="stable")]] = np.arange(done.sum())
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("request_id", "finish_s", "violated", "finish_rank"))
    for one, row in zip(recording.requests, recording.jobs(outcome).tolist(), strict=True):
        if row < 0 or not done[row]:
            writer.writerow((one.request_id, "", 1, ""))
            continue
        whole, part = divmod(int(jobs["finish_ns"][row]), 10**9)
        writer.writerow((one.request_id, f"{whole}.{part:09d}", int(jobs["status"][row] != 0), int(rank[row])))
    yield text.getvalue()
