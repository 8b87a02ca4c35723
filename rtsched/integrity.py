"""Whether a problem's arrays fit together: types, shapes, ranges, and indices that stay inside what they point into.

The core trusts a `Problem`. One that the compiler has made is sound; one that comes from a file is checked here first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rtsched.platform.platform import MAX_TILES
from rtsched.problem import ARRIVALS, COST_ROW, MAX_TIME_NS, Problem
from rtsched.tasks import MAX_PART_NS, MAX_RATE_HZ, nearest_ns, ragged
from rtsched.workload.cascade import ancestors, cascade_faults
from rtsched.workload.scenario import MAX_OUTSTANDING, MAX_PRIORITY, MAX_SIGMA
from rtsched.workload.series import MAX_FACTOR

__all__ = ["ARRAYS", "Shape", "problem_faults", "shape_fault"]


@dataclass(frozen=True)
class Shape:
    """What an array of a problem must be.

    Attributes
    ----------
    dtype : dtype
    axes : tuple of str
        A name stands for one length in all arrays; ``name+1`` for one more.
    least, most : float
        Every entry lies between them; NaN never does, unless `may_be_nan`.
    """

    dtype: np.dtype
    axes: tuple[str, ...]
    least: float = -np.inf
    most: float = np.inf
    may_be_nan: bool = False


BOOL, INT32, INT64, FLOAT = np.dtype(np.bool_), np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.float64)
TIME = (0, MAX_PART_NS)
CODE = (0, 2**31 - 1)
PROBABILITY = (0.0, 1.0)
TO_GO = Shape(INT64, ("layers", "max_tiles"), 0, MAX_TIME_NS)
TINY, HUGE = math.ulp(0.0), float(np.finfo(np.float64).max)

ARRAYS: Mapping[str, Shape] = {
    "task_model": Shape(INT32, ("tasks",), *CODE),
    "task_arrival": Shape(INT32, ("tasks",), 0, len(ARRIVALS) - 1),
    "task_rate_hz": Shape(FLOAT, ("tasks",), 0.0, MAX_RATE_HZ),
    "task_offset_ns": Shape(INT64, ("tasks",), 0, MAX_TIME_NS // 2),
    "task_jitter_ns": Shape(INT64, ("tasks",), 0, MAX_PART_NS),
    "task_outstanding": Shape(INT32, ("tasks",), 0, MAX_OUTSTANDING),
    "task_period_ns": Shape(INT64, ("tasks",), *TIME),
    "task_deadline_ns": Shape(INT64, ("tasks",), *TIME),
    "task_from_source": Shape(BOOL, ("tasks",)),
    "task_in_order": Shape(BOOL, ("tasks",)),
    "task_max_backlog": Shape(INT32, ("tasks",), *CODE),
    "task_trigger": Shape(FLOAT, ("tasks",), *PROBABILITY),
    "parent_first": Shape(INT32, ("tasks+1",), *CODE),
    "parent_task": Shape(INT32, ("parents",), *CODE),
    "child_first": Shape(INT32, ("tasks+1",), *CODE),
    "child_task": Shape(INT32, ("children",), *CODE),
    "ancestor_first": Shape(INT32, ("tasks+1",), *CODE),
    "ancestor_task": Shape(INT32, ("ancestors",), *CODE),
    "trace_first": Shape(INT32, ("tasks+1",), *CODE),
    "trace_ns": Shape(INT64, ("recorded releases",), *TIME),
    "priority_first": Shape(INT32, ("tasks+1",), *CODE),
    "priority_value": Shape(INT32, ("priorities",), 0, MAX_PRIORITY),
    "priority_upto": Shape(FLOAT, ("priorities",), *PROBABILITY),
    "factor_sigma": Shape(FLOAT, ("tasks",), 0.0, MAX_SIGMA),
    "factor_first": Shape(INT32, ("tasks+1",), *CODE),
    "factor_value": Shape(FLOAT, ("factors",), TINY, MAX_FACTOR),
    "recorded_first": Shape(INT32, ("tasks+1",), *CODE),
    "recorded_place": Shape(INT32, ("recorded frames",), *CODE),
    "recorded_ns": Shape(INT64, ("recorded layers",), 1, MAX_PART_NS),
    "recorded_sparsity": Shape(FLOAT, ("recorded layers",), *PROBABILITY, may_be_nan=True),
    "model_first_subnet": Shape(INT32, ("models+1",), *CODE),
    "subnet_first_block": Shape(INT32, ("subnets+1",), *CODE),
    "subnet_accuracy": Shape(FLOAT, ("subnets",), 0.0, 100.0, may_be_nan=True),
    "block_first_layer": Shape(INT32, ("blocks+1",), *CODE),
    "block_draw": Shape(INT32, ("blocks",), *CODE),
    "block_skip": Shape(FLOAT, ("blocks",), *PROBABILITY),
    "block_exit": Shape(FLOAT, ("blocks",), *PROBABILITY),
    "layer_block": Shape(INT32, ("layers",), *CODE),
    "layer_sparsity": Shape(FLOAT, ("layers",), *PROBABILITY, may_be_nan=True),
    "costs": Shape(COST_ROW, ("layers", "options"), 0, HUGE),
    "layer_worst_energy_j": Shape(FLOAT, ("layers",), 0.0, HUGE),
    "layer_reference_ns": Shape(INT64, ("layers",), 1, MAX_TIME_NS),
    "togo_mean_ns": TO_GO,
    "togo_min_ns": TO_GO,
    "after_mean_ns": TO_GO,
    "after_min_ns": TO_GO,
    "accelerator_tiles": Shape(INT32, ("accelerators",), 1, MAX_TILES),
    "option_first": Shape(INT32, ("accelerators+1",), *CODE),
    "port_bytes_per_ns": Shape(FLOAT, ("accelerators",), TINY, HUGE),
    "idle_power_w": Shape(FLOAT, ("accelerators",), 0.0, HUGE),
    "efficiency": Shape(FLOAT, ("efficiencies",), TINY, 1.0),
}
"""Every array of a `Problem`."""

FIRSTS = (
    ("priority_first", "priorities"),
    ("model_first_subnet", "subnets"),
    ("subnet_first_block", "blocks"),
    ("block_first_layer", "layers"),
    ("option_first", "options"),
)
"""Arrays that tell where each one's members begin, and what the members are; each has some."""

TASK_LISTS = (
    ("parent_first", "parents"),
    ("child_first", "children"),
    ("ancestor_first", "ancestors"),
    ("trace_first", "recorded releases"),
    ("factor_first", "factors"),
    ("recorded_first", "recorded frames"),
)
"""The same of tasks, which may have none."""


def shape_fault(expected: Shape, dtype: np.dtype, shape: tuple[int, ...], sizes: dict[str, int]) -> str | None:
    """Compare a type and a shape with what they must be.

    Parameters
    ----------
    expected : Shape
    dtype : dtype
    shape : tuple of int
    sizes : dict of str to int
        Lengths by axis name; those that are met for the first time are entered.

    Returns
    -------
    str or None
        ``must be ..., got ...``.
    """
    if dtype != expected.dtype:
        return f"must be {_type_name(expected.dtype)}, got {_type_name(dtype)}"
    if len(shape) != len(expected.axes):
        return f"must have {len(expected.axes)} dimensions, got shape {shape}"
    for axis, length in zip(expected.axes, shape, strict=True):
        name, _, more = axis.partition("+")
        if sizes.setdefault(name, length - int(more or 0)) + int(more or 0) != length:
            return f"must have {sizes[name] + int(more or 0)} entries ({axis.replace('_', ' ')}), got shape {shape}"
    return None


def _type_name(dtype: np.dtype) -> str:
    return dtype.name if dtype.names is None else f"rows of {', '.join(dtype.names)}"


def problem_faults(problem: Problem) -> list[str]:
    """Find what the core must not be given.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of str
        ``name: message``; empty when the problem is sound.
    """
    names = ("task", "model", "subnet", "layer", "accelerator")
    sizes = {f"{name}s": len(getattr(problem, f"{name}_names")) for name in names}
    faults = []
    for name, expected in ARRAYS.items():
        array = getattr(problem, name)
        fault = shape_fault(expected, array.dtype, array.shape, sizes) or _range_fault(expected, array)
        if fault is not None:
            faults.append(f"{name}: {fault}")
    faults += _number_faults(problem)
    faults += [
        f"{name[:-1]}_names: must not be empty" for name in ("tasks", "models", "subnets", "layers", "accelerators") if not sizes[name]
    ]
    # The rest reads the arrays.
    return (
        faults
        or [*_first_faults(problem, sizes), *_index_faults(problem, sizes)]
        or [*_cascade_faults(problem), *_path_faults(problem), *_replay_faults(problem)]
    )


def _range_fault(expected: Shape, array: np.ndarray) -> str | None:
    parts = [array] if array.dtype.names is None else [array[name] for name in array.dtype.names]
    for part in parts:
        within = (part >= expected.least) & (part <= expected.most)
        if expected.may_be_nan:
            within |= np.isnan(part)
        if not within.all():
            return f"must lie between {expected.least:g} and {expected.most:g}, got {part[~within].flat[0]}"
    return None


def _number_faults(problem: Problem) -> Iterator[str]:
    if not 1 <= problem.duration_ns <= problem.end_ns <= MAX_TIME_NS // 2:
        yield f"duration_ns, end_ns: must be 1 <= duration <= end <= 2**61, got {problem.duration_ns} and {problem.end_ns}"
    if not 0 < problem.peak_bytes_per_ns <= HUGE:
        yield f"peak_bytes_per_ns: must be above 0, got {problem.peak_bytes_per_ns}"
    if not problem.l2_bytes_per_ns > 0:
        yield f"l2_bytes_per_ns: must be above 0, got {problem.l2_bytes_per_ns}"
    if not 0 <= problem.regroup_ns <= MAX_PART_NS:
        yield f"regroup_ns: must be from 0 to 2**60, got {problem.regroup_ns}"
    if not 0 <= problem.dram_j_per_byte <= HUGE:
        yield f"dram_j_per_byte: must be at least 0, got {problem.dram_j_per_byte}"


def _first_faults(problem: Problem, sizes: Mapping[str, int]) -> Iterator[str]:
    for least, firsts in ((1, FIRSTS), (0, TASK_LISTS)):
        for name, axis in firsts:
            first = getattr(problem, name)
            if first[0] != 0 or first[-1] != sizes[axis] or (np.diff(first) < least).any():
                yield f"{name}: must ascend from 0 to {sizes[axis]}"


def _index_faults(problem: Problem, sizes: Mapping[str, int]) -> Iterator[str]:
    for name, bound in (("task_model", "models"), ("parent_task", "tasks"), ("layer_block", "blocks")):
        if getattr(problem, name).max(initial=-1) >= sizes[bound]:
            yield f"{name}: must be below {sizes[bound]}, got {getattr(problem, name).max()}"
    if not sizes["efficiencies"]:
        yield "efficiency: must not be empty"
    if sizes["max_tiles"] != problem.accelerator_tiles.max() or (np.diff(problem.option_first) != problem.accelerator_tiles).any():
        yield "accelerator_tiles: must agree with option_first and the columns of togo_mean_ns"
    if problem.costs["t_iso_ns"].max() > MAX_TIME_NS // 2:
        yield f"costs: t_iso_ns must be at most 2**61, got {problem.costs['t_iso_ns'].max()}"
    if not (problem.costs["t_iso_ns"] > 0).any(axis=1).all():
        yield "costs: every layer must run on some option"


def _cascade_faults(problem: Problem) -> Iterator[str]:
    parents = [part.tolist() for part in np.split(problem.parent_task, problem.parent_first[1:-1])]
    law = problem.task_arrival
    if ((np.diff(problem.parent_first) > 0) != (law == ARRIVALS.index("child"))).any():
        yield "parent_first: children, and only they, must have parents"
    if (problem.task_rate_hz[np.isin(law, [ARRIVALS.index("periodic"), ARRIVALS.index("poisson")])] <= 0).any():
        yield "task_rate_hz: must be above 0 for periodic and Poisson arrivals"
    elif any(
        jitter_ns > nearest_ns(1e9 / rate_hz)
        for jitter_ns, rate_hz in zip(problem.task_jitter_ns.tolist(), problem.task_rate_hz.tolist(), strict=True)
        if jitter_ns > 0 and rate_hz > 0
    ):
        yield "task_jitter_ns: must be at most the period"  # else releases would not ascend
    if ((problem.task_outstanding > 0) != (law == ARRIVALS.index("closed"))).any():
        yield "task_outstanding: must be above 0 for closed loops, and only for them"
    if (problem.task_outstanding * problem.task_max_backlog).any():
        yield "task_max_backlog: must be 0 for closed loops"
    if any((np.diff(part) < 0).any() for part in np.split(problem.trace_ns, problem.trace_first[1:-1])):
        yield "trace_ns: must ascend for each task"
    if faults := cascade_faults(problem.task_names, parents):
        yield from (f"parent_task: {message}" for _, message in faults)
        return
    children: list[list[int]] = [[child for child, own in enumerate(parents) if task in own] for task in range(problem.n_tasks)]
    for name, lists in (("child", children), ("ancestor", [sorted(one) for one in ancestors(parents)])):
        for member, expected in ragged(name, "task", lists, np.int32).items():
            if not np.array_equal(getattr(problem, member), expected):
                yield f"{member}: must agree with parent_task"


def _path_faults(problem: Problem) -> Iterator[str]:
    if (problem.block_skip[problem.subnet_first_block[:-1]] > 0).any():
        yield "block_skip: the first block of a subnet must not be skipped"
    if (problem.layer_block != np.repeat(np.arange(len(problem.block_draw)), np.diff(problem.block_first_layer))).any():
        yield "layer_block: must agree with block_first_layer"
    if (problem.priority_upto[problem.priority_first[1:] - 1] < 1.0).any():
        yield "priority_upto: must end in 1 for every task"


def _replay_faults(problem: Problem) -> Iterator[str]:
    n_layers = np.diff(problem.block_first_layer[problem.subnet_first_block])
    most = np.maximum.reduceat(n_layers, problem.model_first_subnet[:-1])[problem.task_model]
    n_frames = np.diff(problem.recorded_first)
    if (problem.recorded_place + np.repeat(most, n_frames) > len(problem.recorded_ns)).any():
        yield "recorded_place: a time for every layer must follow"
    if ((n_frames > 0) & ((np.diff(problem.factor_first) > 0) | (problem.factor_sigma > 0))).any():
        yield "recorded_first: a task must not have both recorded times and factors"
    if problem.is_strict and (problem.task_arrival != ARRIVALS.index("trace")).any():
        yield "is_strict: all tasks must have recorded arrivals"
