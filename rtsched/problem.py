"""Compilation: a scenario on a platform becomes flat arrays, which are all that the engine and the policies read.

Estimates and actuals are different things: a `Problem` holds what schedulers may know, `rtsched.releases.Releases` what
really happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from rtsched.cost.model import Costs, LayerKey, LayerTable
from rtsched.cost.table import TableCost
from rtsched.errors import InputError
from rtsched.library import load_model
from rtsched.platform.platform import Platform
from rtsched.workload.layer import LayerBase
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task

__all__ = ["ARRIVALS", "COST_ROW", "MAX_TIME_NS", "Problem", "compile_problem", "nearest_ns", "round_up_ns"]

MAX_TIME_NS = 2**62
"""Simulated time stays below this, so that sums of two times fit int64."""

ARRIVALS = ("periodic", "poisson", "child")
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


def round_up_ns(duration: np.ndarray) -> np.ndarray:
    """Round durations up to whole ns, at least 1; the one place where durations of models become integers."""
    return np.maximum(np.ceil(duration), 1.0).astype(np.int64)


def nearest_ns(value: float) -> int:
    """Round to the nearest integer, halves up."""
    return int(np.floor(value + 0.5))


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
        Frames per second times load; 0 for children.
    task_offset_ns, task_jitter_ns, task_deadline_ns : ndarray of int64, shape (n_tasks,)
        Deadlines are relative.
    task_parent : ndarray of int32, shape (n_tasks,)
        -1 for roots.
    task_trigger : ndarray of float64, shape (n_tasks,)
    priority_first : ndarray of int32, shape (n_tasks + 1,)
    priority_value : ndarray of int32
    priority_upto : ndarray of float64
        A job whose uniform is below the entry, and of no entry before, has the value beside it.
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
        Uncontended on the fastest option.
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
    task_deadline_ns: np.ndarray
    task_parent: np.ndarray
    task_trigger: np.ndarray
    priority_first: np.ndarray
    priority_value: np.ndarray
    priority_upto: np.ndarray
    model_first_subnet: np.ndarray
    subnet_first_block: np.ndarray
    subnet_accuracy: np.ndarray
    block_first_layer: np.ndarray
    block_draw: np.ndarray
    block_skip: np.ndarray
    block_exit: np.ndarray
    layer_block: np.ndarray
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


def compile_problem(scenario: Scenario, platform: Platform) -> Problem:
    """Compile a scenario on a platform.

    Parameters
    ----------
    scenario : Scenario
    platform : Platform

    Returns
    -------
    Problem

    Raises
    ------
    InputError
        A model is unknown, a layer can run nowhere or asks for more bandwidth than one accelerator can get, or a time
        is out of range; every fault at once.
    """
    models, task_model = _models(scenario)
    structure, keys, layers = _structure(models)
    costs, hardware = _costs(platform, LayerTable.of(keys, layers))
    togo = _togo(structure, costs, hardware)
    tasks = _tasks(scenario)
    duration_ns = nearest_ns(scenario.duration_s * 1e9)
    longest_ns = int(tasks["task_deadline_ns"].max())
    drain_ns = longest_ns if scenario.drain_s is None else nearest_ns(scenario.drain_s * 1e9)
    if duration_ns < 1 or duration_ns + drain_ns >= MAX_TIME_NS // 2:
        raise InputError(f"duration_s + drain_s must be from 1 ns to {MAX_TIME_NS // 2 * 1e-9:.3g} s, got {scenario.duration_s:g} s")
    return Problem(
        scenario_name=scenario.name,
        platform_name=platform.name,
        duration_ns=duration_ns,
        end_ns=duration_ns + drain_ns,
        task_names=tuple(task.name for task in scenario.tasks),
        model_names=tuple(model.name for model in models),
        layer_names=tuple(key.layer for key in keys),
        task_model=np.array(task_model, dtype=np.int32),
        costs=costs,
        regroup_ns=platform.regroup_ns,
        has_switch=platform.switch == "activations",
        dram_j_per_byte=platform.energy.dram_j_per_byte,
        layer_worst_energy_j=costs["energy_j"].max(axis=1),
        layer_reference_ns=np.where(costs["t_iso_ns"] > 0, costs["t_iso_ns"], MAX_TIME_NS).min(axis=1),
        scenario=scenario,
        platform=platform,
        **tasks,
        **structure,
        **hardware,
        **togo,
    )


def _models(scenario: Scenario) -> tuple[list[Model], list[int]]:
    """Return the distinct models, and each task's index into them."""
    models: list[Model] = []
    index: list[int] = []
    for task in scenario.tasks:
        model = load_model(task.model)
        known = next((i for i, other in enumerate(models) if other.name == model.name), None)
        if known is None:
            models.append(model)
            known = len(models) - 1
        elif models[known] != model:
            raise InputError(f"task {task.name!r}: another model is named {model.name!r} too; names of models must differ")
        index.append(known)
    return models, index


def _structure(models: Sequence[Model]) -> tuple[dict[str, object], list[LayerKey], list[LayerBase]]:
    """Lay subnets, blocks and layers out as flat arrays; return them with each layer's names and shape."""
    first_subnet, first_block, first_layer = [0], [0], [0]
    names: list[str] = []
    accuracy: list[float] = []
    draw: list[int] = []
    skip: list[float] = []
    leave: list[float] = []
    keys: list[LayerKey] = []
    layers: list[LayerBase] = []
    for model in models:
        for subnet in model.variants:
            owner = model.name if len(model.variants) == 1 else f"{model.name}/{subnet.name}"
            names.append(subnet.name)
            accuracy.append(np.nan if subnet.accuracy is None else subnet.accuracy)
            for place, block in enumerate(subnet.all_blocks):
                costly = [layer for layer in block.layers if not layer.is_free]
                if not costly:
                    continue
                keys.extend(LayerKey(owner, layer.name) for layer in costly)
                layers.extend(costly)
                draw.append(place)
                skip.append(block.skip)
                leave.append(block.exit)
                first_layer.append(len(layers))
            first_block.append(len(draw))
        first_subnet.append(len(names))
    layers_per_block = np.diff(first_layer)
    arrays: dict[str, object] = {
        "subnet_names": tuple(names),
        "subnet_accuracy": np.array(accuracy),
        "model_first_subnet": np.array(first_subnet, dtype=np.int32),
        "subnet_first_block": np.array(first_block, dtype=np.int32),
        "block_first_layer": np.array(first_layer, dtype=np.int32),
        "block_draw": np.array(draw, dtype=np.int32),
        "block_skip": np.array(skip),
        "block_exit": np.array(leave),
        "layer_block": np.repeat(np.arange(len(draw), dtype=np.int32), layers_per_block),
    }
    return arrays, keys, layers


def _costs(platform: Platform, table: LayerTable) -> tuple[np.ndarray, dict[str, object]]:
    """Cost rows of every layer on every option, and the hardware's arrays."""
    memory = platform.memory
    alone = memory.peak_gb_per_s * memory.efficiency[0]
    l2_bytes_per_ns = np.inf if memory.l2_gb_per_s is None else memory.l2_gb_per_s
    tiles = [one.tiles for one in platform.accelerators]
    option_first = np.concatenate([[0], np.cumsum(tiles)]).astype(np.int32)
    ports = [min(alone, one.port_gb_per_s or alone) for one in platform.accelerators]
    rows = np.zeros((len(table), int(option_first[-1])), dtype=COST_ROW)
    faults: list[str] = []
    for a, one in enumerate(platform.accelerators):
        try:
            costs = one.cost.estimate(one.name, one.tiles, table, platform.energy)
        except InputError as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
            continue
        part = rows[:, option_first[a] : option_first[a + 1]]
        is_measured = isinstance(one.cost, TableCost)
        _fill(part, costs, ports[a], l2_bytes_per_ns, 0 if is_measured else platform.sync_ns)
        if is_measured:
            faults.extend(_too_greedy(part, table, one.name, ports[a]))
    if not faults:
        faults = [
            f"layer {key.layer!r} of model {key.model!r} can run on no accelerator of platform {platform.name!r}"
            for key, runs in zip(table.keys, (rows["t_iso_ns"] > 0).any(axis=1), strict=True)
            if not runs
        ]
    if faults:
        raise InputError(faults)
    return rows, {
        "accelerator_names": tuple(one.name for one in platform.accelerators),
        "accelerator_tiles": np.array(tiles, dtype=np.int32),
        "option_first": option_first,
        "port_bytes_per_ns": np.array(ports),
        "idle_power_w": np.array([one.idle_power_w for one in platform.accelerators]),
        "peak_bytes_per_ns": memory.peak_gb_per_s,
        "l2_bytes_per_ns": l2_bytes_per_ns,
        "efficiency": np.array(memory.efficiency),
        "is_fair": memory.arbiter == "fair",
    }


def _fill(rows: np.ndarray, costs: Costs, port_bytes_per_ns: float, l2_bytes_per_ns: float, sync_ns: int) -> None:
    """Turn one accelerator's costs into cost rows: the isolated time is compute, DRAM and L2 time overlapped."""
    runs = ~np.isnan(costs.compute_ns)
    alone = np.fmax(np.where(runs, costs.compute_ns, 0.0), costs.dram_bytes / port_bytes_per_ns)
    alone = np.fmax(alone, costs.l2_bytes / l2_bytes_per_ns)
    if alone.max(initial=0.0) > MAX_TIME_NS // 4:
        raise InputError(f"a layer takes {alone.max() * 1e-9:.3g} s; the simulator's clock ends at {MAX_TIME_NS // 4 * 1e-9:.3g} s")
    time_ns = round_up_ns(alone)
    time_ns[:, 1:] += sync_ns
    rows["t_iso_ns"] = np.where(runs, time_ns, 0)
    for name in ("dram_bytes", "l2_bytes", "fetch_bytes", "keep_bytes"):
        rows[name] = np.where(runs, getattr(costs, name), 0)
    rows["demand_bytes_per_ns"] = rows["dram_bytes"] / time_ns
    rows["l2_demand_bytes_per_ns"] = rows["l2_bytes"] / time_ns
    energy_j = np.where(runs[..., None], costs.energy_j, 0.0)
    for i, name in enumerate(("energy_mac_j", "energy_sram_j", "energy_l2_j", "energy_dram_j")):
        rows[name] = energy_j[..., i]
    rows["energy_j"] = rows["energy_mac_j"] + rows["energy_sram_j"] + rows["energy_l2_j"] + rows["energy_dram_j"]


def _too_greedy(rows: np.ndarray, table: LayerTable, accelerator: str, port_bytes_per_ns: float) -> list[str]:
    """Faults of measured rows that would need more bandwidth than one accelerator can get."""
    return [
        f"layer {table.keys[i].layer!r} of model {table.keys[i].model!r} on {accelerator!r} with {n + 1} tiles: "
        f"{rows[i, n]['dram_bytes']} bytes in {rows[i, n]['t_iso_ns']} ns are {rows[i, n]['demand_bytes_per_ns']:.4g} GB/s; "
        f"it can draw at most {port_bytes_per_ns:.4g} GB/s"
        for i, n in np.argwhere(rows["demand_bytes_per_ns"] > port_bytes_per_ns)
    ]


def _togo(structure: dict[str, object], costs: np.ndarray, hardware: dict[str, object]) -> dict[str, np.ndarray]:
    """Compute the expected remaining time from each layer on, by tiles, mean and minimum over accelerators."""
    tiles = np.asarray(hardware["accelerator_tiles"])
    first = np.asarray(hardware["option_first"])
    answer: dict[str, list[np.ndarray]] = {"togo_mean_ns": [], "togo_min_ns": [], "after_mean_ns": [], "after_min_ns": []}
    for n in range(1, int(tiles.max()) + 1):
        options = first[:-1] + np.minimum(n, tiles) - 1
        time_ns = costs["t_iso_ns"][:, options].astype(np.float64)
        runs = time_ns > 0
        # A layer that runs on no accelerator with this many tiles counts with its fastest option.
        spare = np.where(costs["t_iso_ns"] > 0, costs["t_iso_ns"], MAX_TIME_NS).min(axis=1).astype(np.float64)
        count = runs.sum(axis=1)
        mean = np.where(count > 0, time_ns.sum(axis=1) / np.maximum(count, 1), spare)
        least = np.where(count > 0, np.where(runs, time_ns, np.inf).min(axis=1), spare)
        for name, alone in (("mean", mean), ("min", least)):
            after = _expected_after(structure, alone)
            answer[f"togo_{name}_ns"].append(alone + after)
            answer[f"after_{name}_ns"].append(after)
    return {name: np.ascontiguousarray(np.floor(np.stack(rows, axis=1) + 0.5).astype(np.int64)) for name, rows in answer.items()}


def _expected_after(structure: dict[str, object], alone_ns: np.ndarray) -> np.ndarray:
    """Expected time after each layer, given that it was reached: later blocks count by their probability."""
    first_block = np.asarray(structure["subnet_first_block"])
    first_layer = np.asarray(structure["block_first_layer"])
    skip, leave = np.asarray(structure["block_skip"]), np.asarray(structure["block_exit"])
    after = np.zeros_like(alone_ns)
    for subnet in range(len(first_block) - 1):
        rest = 0.0
        for block in range(first_block[subnet + 1] - 1, first_block[subnet] - 1, -1):
            behind = (1.0 - leave[block]) * rest
            for layer in range(first_layer[block + 1] - 1, first_layer[block] - 1, -1):
                after[layer] = behind
                behind += alone_ns[layer]
            rest = (1.0 - skip[block]) * behind + skip[block] * rest
    return after


def _tasks(scenario: Scenario) -> dict[str, np.ndarray]:
    """Arrival laws, deadlines, cascades and priorities as arrays."""
    place = {task.name: i for i, task in enumerate(scenario.tasks)}
    rates = [(task.fps or task.rate_hz or 0.0) * scenario.load for task in scenario.tasks]
    arrivals = ["periodic" if task.fps else "poisson" if task.rate_hz else "child" for task in scenario.tasks]
    parents = [-1 if task.parents is None else place[task.parents[0]] for task in scenario.tasks]
    deadlines = [_deadline_ns(scenario, i, rates, parents) for i in range(len(parents))]
    for task, rate, deadline_ns in zip(scenario.tasks, rates, deadlines, strict=True):
        if rate > 1e9 or not 1 <= deadline_ns < MAX_TIME_NS // 4:
            raise InputError(
                f"task {task.name!r}: rate {rate:g} per second and deadline {deadline_ns} ns do not fit a clock of whole ns; "
                f"the rate may be at most 1e9, the deadline 1 to {MAX_TIME_NS // 4}"
            )
    first, values, upto = _priorities(scenario.tasks)
    return {
        "task_arrival": np.array([ARRIVALS.index(law) for law in arrivals], dtype=np.int32),
        "task_rate_hz": np.array(rates),
        "task_offset_ns": np.array([nearest_ns(task.offset_ms * 1e6) for task in scenario.tasks], dtype=np.int64),
        "task_jitter_ns": np.array([nearest_ns(task.jitter_ms * 1e6) for task in scenario.tasks], dtype=np.int64),
        "task_deadline_ns": np.array(deadlines, dtype=np.int64),
        "task_parent": np.array(parents, dtype=np.int32),
        "task_trigger": np.array([task.trigger for task in scenario.tasks]),
        "priority_first": first,
        "priority_value": values,
        "priority_upto": upto,
    }


def _deadline_ns(scenario: Scenario, task: int, rates: Sequence[float], parents: Sequence[int]) -> int:
    """Relative deadline: its own, else its root's, else the mean time between arrivals."""
    explicit_ms = scenario.tasks[task].deadline_ms
    if explicit_ms is not None:
        return nearest_ns(explicit_ms * 1e6)
    while parents[task] >= 0:
        task = parents[task]
    explicit_ms = scenario.tasks[task].deadline_ms
    return nearest_ns(explicit_ms * 1e6) if explicit_ms is not None else nearest_ns(1e9 / rates[task])


def _priorities(tasks: Sequence[Task]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Priority values and the cumulative probabilities up to and including each."""
    first, values, upto = [0], [], []
    for task in tasks:
        if isinstance(task.priority, int):
            values.append(task.priority)
            upto.append(1.0)
        else:
            weights = np.cumsum([entry.weight for entry in task.priority])
            values.extend(entry.value for entry in task.priority)
            upto.extend(weights[:-1] / weights[-1])
            upto.append(1.0)
        first.append(len(values))
    return np.array(first, dtype=np.int32), np.array(values, dtype=np.int32), np.array(upto)
