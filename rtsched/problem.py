"""The compiled problem: a scenario on a platform as flat arrays, which are all that the engine and the policies read.

Estimates and actuals are different things: a `Problem` holds what schedulers may know. What really happens in a run are the
draws of its seed, which the engine makes itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from rtsched.platform.platform import Platform
from rtsched.workload.scenario import Scenario

__all__ = ["ARRIVALS", "COST_ROW", "MAX_TIME_NS", "Problem", "expected_after"]

MAX_TIME_NS = 2**62
"""Simulated time stays below this, so that sums of two times fit int64."""

ARRIVALS = ("periodic", "poisson", "child", "closed", "trace")
"""Arrival laws; a task's code in `Problem.task_arrival` is its index here."""

COST_ROW = np.dtype(
    [
        ("t_iso_ns", np.int64),
        ("dram_bytes", np.int64),
        ("l2_bytes", np.int64),
        ("fetch_bytes", np.int64),
        ("keep_bytes", np.int64),
        ("demand_bytes_per_ns", np.float64),
        ("l2_demand_bytes_per_ns", np.float64),
        ("energy_mac_j", np.float64),
        ("energy_sram_j", np.float64),
        ("energy_l2_j", np.float64),
        ("energy_dram_j", np.float64),
        ("energy_j", np.float64),
    ]
)
"""One layer on one option (an accelerator and a number of tiles). ``t_iso_ns == 0``: it cannot run there."""


def expected_after(structure: Mapping[str, Any], alone_ns: np.ndarray) -> np.ndarray:
    """Expected time after each layer, given that it was reached: later blocks count by their probability.

    Parameters
    ----------
    structure : mapping
        A problem's `subnet_first_block`, `block_first_layer`, `block_skip` and `block_exit`.
    alone_ns : ndarray of float64, shape (n_layers, ...)
        What each layer takes.

    Returns
    -------
    ndarray of float64, shape (n_layers, ...)
    """
    first_block, first_layer = np.asarray(structure["subnet_first_block"]), np.asarray(structure["block_first_layer"])
    skip, leave = np.asarray(structure["block_skip"]), np.asarray(structure["block_exit"])
    after = np.zeros_like(alone_ns)
    for subnet in range(len(first_block) - 1):
        rest = np.zeros(alone_ns.shape[1:])
        for block in range(first_block[subnet + 1] - 1, first_block[subnet] - 1, -1):
            layers = slice(first_layer[block], first_layer[block + 1])
            behind = np.concatenate(((1.0 - leave[block]) * rest[np.newaxis], alone_ns[layers][::-1]))
            behind = np.add.accumulate(behind)
            after[layers] = behind[-2::-1]
            rest = (1.0 - skip[block]) * behind[-1] + skip[block] * rest
    return after


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A compiled scenario: immutable estimate tables.

    Layers are numbered through over all models, subnets and blocks; free layers are gone. An *option* is an accelerator
    with a number of tiles: option ``option_first[a] + n - 1`` is accelerator a with n tiles. ``X_first`` arrays have one
    entry more than there are X: the children of i are ``first[i]`` to ``first[i + 1]``.

    Attributes
    ----------
    scenario_name, platform_name : str
    duration_ns, end_ns : int
        Roots are released before `duration_ns`; the run ends at `end_ns` at the latest.
    task_names, model_names, subnet_names, layer_names, accelerator_names : tuple of str
    task_model : ndarray of int32, shape (n_tasks,)
    task_arrival : ndarray of int32, shape (n_tasks,)
        Index into `ARRIVALS`.
    task_rate_hz : ndarray of float64, shape (n_tasks,)
        Frames per second times load, of periodic and Poisson arrivals; 0 for the others.
    task_offset_ns, task_jitter_ns : ndarray of int64, shape (n_tasks,)
        Of periodic arrivals.
    task_outstanding : ndarray of int32, shape (n_tasks,)
        Jobs of a closed loop in flight; 0 for other arrivals.
    task_period_ns : ndarray of int64, shape (n_tasks,)
        Mean time between the releases of its root; the root's relative deadline where that has no rate (a closed loop, a
        trace of one instant).
    task_deadline_ns : ndarray of int64, shape (n_tasks,)
        Relative.
    task_from_source : ndarray of bool, shape (n_tasks,)
        Whether the deadline counts from the release of the frame's root, instead of the job's own.
    task_in_order : ndarray of bool, shape (n_tasks,)
        Whether a frame waits for the earlier ones of its task to end.
    task_max_backlog : ndarray of int32, shape (n_tasks,)
        More frames than that which wait to start are dropped, the oldest first; 0: no limit.
    task_trigger : ndarray of float64, shape (n_tasks,)
        Probability that the end of the parents triggers a job; 1 for roots.
    parent_first, child_first, ancestor_first : ndarray of int32, shape (n_tasks + 1,)
    parent_task, child_task, ancestor_task : ndarray of int32
        Cascades. Ancestors are those that are no roots.
    trace_first : ndarray of int32, shape (n_tasks + 1,)
    trace_ns : ndarray of int64
        Recorded releases, ascending for each task.
    priority_first : ndarray of int32, shape (n_tasks + 1,)
    priority_value : ndarray of int32
    priority_upto : ndarray of float64
        A job whose uniform is below the entry, and of no entry before, has the value beside it.
    factor_sigma : ndarray of float64, shape (n_tasks,)
        Actual times of layers are estimates times a lognormal factor of mean 1; 0: exactly the estimates.
    factor_first : ndarray of int32, shape (n_tasks + 1,)
    factor_value : ndarray of float64
        Equally likely factors, in place of the lognormal, for tasks that have some.
    recorded_first : ndarray of int32, shape (n_tasks + 1,)
    recorded_place : ndarray of int32
        For tasks whose actual times were recorded: where those of a frame begin, one per layer from the first of its subnet
        on. With n entries, frames k, k + n, k + 2n, ... take the k-th. They take the place of factors.
    recorded_ns : ndarray of int64
    recorded_sparsity : ndarray of float64, shape of `recorded_ns`
        What a monitor measures in the layer; NaN where it was not recorded.
    layer_sparsity : ndarray of float64, shape (n_layers,)
        What schedulers expect; NaN where nothing is known.
    is_strict : bool
        Jobs are requests of a replay, which come in between layers only; docs/engine.md has the rule.
    model_first_subnet, subnet_first_block, block_first_layer : ndarray of int32
    subnet_accuracy : ndarray of float64
        Per cent; NaN when unknown.
    block_draw : ndarray of int32
        The block's place in its subnet as written, which names its draws.
    block_skip, block_exit : ndarray of float64
    layer_block : ndarray of int32, shape (n_layers,)
    costs : ndarray of COST_ROW, shape (n_layers, n_options)
    layer_worst_energy_j : ndarray of float64, shape (n_layers,)
        On the most energy-hungry option.
    layer_reference_ns : ndarray of int64, shape (n_layers,)
        Uncontended on the platform's `Reference`; by default on the fastest option.
    togo_mean_ns, togo_min_ns : ndarray of int64, shape (n_layers, max_tiles)
        Expected time from the start of this layer, once it is reached, to the end of the job: mean and minimum over
        the accelerators that can run each layer, on column + 1 tiles (fewer where an accelerator has fewer).
    after_mean_ns, after_min_ns : ndarray of int64, shape (n_layers, max_tiles)
        The same without this layer.
    accelerator_tiles : ndarray of int32, shape (n_accelerators,)
    option_first : ndarray of int32, shape (n_accelerators + 1,)
    port_bytes_per_ns : ndarray of float64, shape (n_accelerators,)
        The smaller of the port's bandwidth and what the DRAM delivers to one.
    idle_power_w : ndarray of float64, shape (n_accelerators,)
        Per tile.
    peak_bytes_per_ns, l2_bytes_per_ns : float
        The L2's is inf when it never limits.
    efficiency : ndarray of float64
    is_fair, has_switch : bool
    regroup_ns : int
    dram_j_per_byte : float
    """

    scenario_name: str
    platform_name: str
    duration_ns: int
    end_ns: int
    task_names: tuple[str, ...]
    model_names: tuple[str, ...]
    subnet_names: tuple[str, ...]
    layer_names: tuple[str, ...]
    accelerator_names: tuple[str, ...]
    task_model: np.ndarray
    task_arrival: np.ndarray
    task_rate_hz: np.ndarray
    task_offset_ns: np.ndarray
    task_jitter_ns: np.ndarray
    task_outstanding: np.ndarray
    task_period_ns: np.ndarray
    task_deadline_ns: np.ndarray
    task_from_source: np.ndarray
    task_in_order: np.ndarray
    task_max_backlog: np.ndarray
    task_trigger: np.ndarray
    parent_first: np.ndarray
    parent_task: np.ndarray
    child_first: np.ndarray
    child_task: np.ndarray
    ancestor_first: np.ndarray
    ancestor_task: np.ndarray
    trace_first: np.ndarray
    trace_ns: np.ndarray
    priority_first: np.ndarray
    priority_value: np.ndarray
    priority_upto: np.ndarray
    factor_sigma: np.ndarray
    factor_first: np.ndarray
    factor_value: np.ndarray
    recorded_first: np.ndarray
    recorded_place: np.ndarray
    recorded_ns: np.ndarray
    recorded_sparsity: np.ndarray
    model_first_subnet: np.ndarray
    subnet_first_block: np.ndarray
    subnet_accuracy: np.ndarray
    block_first_layer: np.ndarray
    block_draw: np.ndarray
    block_skip: np.ndarray
    block_exit: np.ndarray
    layer_block: np.ndarray
    layer_sparsity: np.ndarray
    costs: np.ndarray
    layer_worst_energy_j: np.ndarray
    layer_reference_ns: np.ndarray
    togo_mean_ns: np.ndarray
    togo_min_ns: np.ndarray
    after_mean_ns: np.ndarray
    after_min_ns: np.ndarray
    accelerator_tiles: np.ndarray
    option_first: np.ndarray
    port_bytes_per_ns: np.ndarray
    idle_power_w: np.ndarray
    peak_bytes_per_ns: float
    l2_bytes_per_ns: float
    efficiency: np.ndarray
    is_fair: bool
    has_switch: bool
    is_strict: bool
    regroup_ns: int
    dram_j_per_byte: float
    scenario: Scenario
    platform: Platform

    def __repr__(self) -> str:
        return (
            f"Problem({self.scenario_name!r} on {self.platform_name!r}: {self.n_tasks} tasks, {self.n_layers} layers, "
            f"{self.n_accelerators} accelerators)"
        )

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return len(self.task_names)

    @property
    def n_layers(self) -> int:
        """Number of layers over all models and subnets."""
        return len(self.layer_names)

    @property
    def n_accelerators(self) -> int:
        """Number of accelerators."""
        return len(self.accelerator_names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that the engine reads, as hexadecimal digits."""
        state = hashlib.sha256()
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in ("scenario", "platform"):
                continue
            state.update(one.name.encode())
            if isinstance(value, np.ndarray):
                state.update(repr((value.shape, value.dtype.str)).encode())
                state.update(value.tobytes())
            else:
                state.update(repr(value).encode())
        return state.hexdigest()
