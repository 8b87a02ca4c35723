"""Compilation of a scenario's tasks: arrivals, cascades, deadlines, priorities and actual times as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.errors import quoted
from rtsched.problem import ARRIVALS, MAX_TIME_NS
from rtsched.workload.cascade import ancestors, roots
from rtsched.workload.scenario import LAWS, QOS_FACTORS, Scenario, Task, TimeFactor

__all__ = ["MAX_PART_NS", "MAX_RATE_HZ", "nearest_ns", "ragged", "task_arrays", "task_faults"]

MAX_PART_NS = MAX_TIME_NS // 4
"""The longest layer, inference, period or deadline: sums of a few stay below `MAX_TIME_NS`."""

MAX_RATE_HZ = 1e9
"""One release per ns: at a higher rate the clock would stand still."""


def nearest_ns(value: float) -> int:
    """Round a finite value to the nearest integer, halves up."""
    return int(np.floor(value + 0.5))


def task_faults(scenario: Scenario, duration_s: float) -> list[str]:
    """Faults of given times: of the run, and of the tasks at the scenario's load, on a clock of whole ns.

    Parameters
    ----------
    scenario : Scenario
    duration_s : float
        NaN where it is not known.
    """
    return [
        *_run_faults(scenario, duration_s),
        *(fault for task in scenario.tasks for fault in _faults_of(task, scenario.load, QOS_FACTORS[scenario.qos])),
    ]


def _run_faults(scenario: Scenario, duration_s: float) -> list[str]:
    if scenario.duration_s is not None and duration_s * 1e9 < 0.5:
        return [f"duration_s: {duration_s:g} s are less than 1 ns"]
    most_s = MAX_TIME_NS // 2 * 1e-9
    if scenario.drain_s is not None and duration_s + scenario.drain_s >= most_s:
        return [f"drain_s: {scenario.drain_s:g} s after duration_s, {duration_s:g} s, end beyond the clock's {most_s:.3g} s"]
    return []


def _faults_of(task: Task, load: float, factor: float) -> list[str]:
    faults = []
    slowest_hz = 1e9 / MAX_PART_NS
    given = task.fps or task.rate_hz
    rate_hz = (given or 0.0) * load
    if given is not None and not slowest_hz < rate_hz <= MAX_RATE_HZ:
        faults.append(
            f"task {quoted(task.name)}: {task.law} {given:g} at load {load:g} makes {rate_hz:g} per second; "
            f"must be more than {slowest_hz:.3g} and at most 1e9"
        )
    elif task.jitter_ms and nearest_ns(task.jitter_ms * 1e6) > nearest_ns(1e9 / rate_hz):
        faults.append(
            f"task {quoted(task.name)}: jitter_ms {task.jitter_ms:g} is longer than its period of {1e3 / rate_hz:g} ms at load {load:g}"
        )
    if task.trace is not None and task.trace.values[-1] / load * 1e6 > MAX_PART_NS:
        faults.append(
            f"task {quoted(task.name)}: its last release, at {task.trace.values[-1] * 1e-3:g} s, comes after "
            f"{task.trace.values[-1] * 1e-3 / load:.3g} s at load {load:g}; at most {MAX_PART_NS * 1e-9:.3g} s fit the simulator's clock"
        )
    if task.deadline_ms is not None and task.deadline_ms * factor * 1e6 < 0.5:
        faults.append(f"task {quoted(task.name)}: deadline_ms {task.deadline_ms * factor:g} is less than 1 ns")
    return faults


def task_arrays(scenario: Scenario, rates_hz: np.ndarray) -> dict[str, Any]:
    """Return the arrays of `Problem` that describe tasks, with these rates at the scenario's load."""
    tasks = scenario.tasks
    place = {task.name: i for i, task in enumerate(tasks)}
    parents = [[place[parent] for parent in task.parents or ()] for task in tasks]
    children: list[list[int]] = [[] for _ in tasks]
    for child, own in enumerate(parents):
        for parent in own:
            children[parent].append(child)
    root_of = [min(found) for found in roots(parents)]
    factor = QOS_FACTORS[scenario.qos]
    deadlines_ns = [_deadline_ns(tasks[i], tasks[root_of[i]], rates_hz[root_of[i]], factor) for i in range(len(tasks))]
    traces = [_trace_ns(task, scenario.load) for task in tasks]
    periods_ns = [_period_ns(rates_hz[root], traces[root], deadlines_ns[root]) for root in root_of]
    return {
        "task_arrival": np.array([_ARRIVAL_OF[task.law] for task in tasks], dtype=np.int32),
        "task_rate_hz": rates_hz,
        "task_offset_ns": _times_ns([task.offset_ms for task in tasks]),
        "task_jitter_ns": _times_ns([task.jitter_ms for task in tasks]),
        "task_outstanding": np.array([task.outstanding or 0 for task in tasks], dtype=np.int32),
        "task_period_ns": np.array(periods_ns, dtype=np.int64),
        "task_deadline_ns": np.array(deadlines_ns, dtype=np.int64),
        "task_from_source": np.array([task.deadline_from == "source" for task in tasks]),
        "task_in_order": np.array([task.in_order for task in tasks]),
        "task_max_backlog": np.array([task.max_backlog or 0 for task in tasks], dtype=np.int32),
        "task_trigger": np.array([task.trigger for task in tasks]),
        **ragged("parent", "task", parents, np.int32),
        **ragged("child", "task", children, np.int32),
        **ragged("ancestor", "task", [sorted(one) for one in ancestors(parents)], np.int32),
        **ragged("trace", "ns", traces, np.int64),
        **_priorities(tasks),
        **_factors([task.time_factor or scenario.time_factor for task in tasks]),
        **ragged("recorded", "place", [[] for _ in tasks], np.int32),
        "recorded_ns": np.zeros(0, dtype=np.int64),
        "recorded_sparsity": np.zeros(0),
    }


_ARRIVAL_OF = dict(zip(LAWS, map(ARRIVALS.index, ("periodic", "poisson", "poisson", "closed", "trace", "child")), strict=True))


def _times_ns(times_ms: Sequence[float]) -> np.ndarray:
    return np.array([nearest_ns(time_ms * 1e6) for time_ms in times_ms], dtype=np.int64)


def _trace_ns(task: Task, load: float) -> list[int]:
    return [] if task.trace is None else [nearest_ns(time_ms * 1e6 / load) for time_ms in task.trace.values]


def _deadline_ns(task: Task, root: Task, rate_hz: float, factor: float) -> int:
    """Relative deadline: `factor` times its own, else times its root's, else the mean time between arrivals."""
    explicit_ms = root.deadline_ms if task.deadline_ms is None else task.deadline_ms
    return nearest_ns(1e9 / rate_hz) if explicit_ms is None else nearest_ns(explicit_ms * factor * 1e6)


def _period_ns(rate_hz: float, trace_ns: Sequence[int], deadline_ns: int) -> int:
    """Mean time between the releases of a root, where there is one, else its relative deadline."""
    if rate_hz > 0:
        return nearest_ns(1e9 / rate_hz)
    if len(trace_ns) > 1 and trace_ns[-1] > trace_ns[0]:
        return nearest_ns((trace_ns[-1] - trace_ns[0]) / (len(trace_ns) - 1))
    return deadline_ns


def ragged(name: str, value: str, lists: Sequence[Sequence[Any]], dtype: Any) -> dict[str, np.ndarray]:
    """Lists of different length as one array, and where each begins."""
    first = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    return {f"{name}_first": first.astype(np.int32), f"{name}_{value}": np.array([item for one in lists for item in one], dtype=dtype)}


def _priorities(tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Priority values and the cumulative probabilities up to and including each."""
    values: list[list[int]] = []
    upto: list[float] = []
    for task in tasks:
        if isinstance(task.priority, int):
            values.append([task.priority])
            upto.append(1.0)
        else:
            weights = np.cumsum([entry.weight for entry in task.priority])
            values.append([entry.value for entry in task.priority])
            upto.extend([*(weights[:-1] / weights[-1]), 1.0])
    return {**ragged("priority", "value", values, np.int32), "priority_upto": np.array(upto)}


def _factors(factors: Sequence[TimeFactor | None]) -> dict[str, np.ndarray]:
    """Laws of the actual times: the sigma of a lognormal (0: none), or equally likely values."""
    sigma = [0.0 if one is None or one.sigma is None else one.sigma for one in factors]
    values = [() if one is None or one.values is None else one.values.values for one in factors]
    return {"factor_sigma": np.array(sigma), **ragged("factor", "value", values, np.float64)}
