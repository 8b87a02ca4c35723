"""Compilation: a scenario on a platform becomes a `Problem`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rtsched.cost.model import Costs, LayerTable
from rtsched.cost.table import TableCost
from rtsched.documents import path_text
from rtsched.errors import Fault, FaultsError, InputError, quoted
from rtsched.library import load_model
from rtsched.platform.platform import Accelerator, Platform
from rtsched.problem import COST_ROW, MAX_TIME_NS, Problem, expected_after
from rtsched.rates import group_times_ns, rates_of
from rtsched.subnets import SubnetPart, subnet_parts
from rtsched.tasks import MAX_PART_NS, nearest_ns, task_arrays, task_faults
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario

__all__ = ["accelerator_costs", "compile_problem", "delivered_gb_per_s", "round_up_ns"]


MAX_COSTS = 10_000_000
"""Layers times options, of a problem: 1 GB of cost rows, 1,000 layers on 156 accelerators of 64 tiles."""


def round_up_ns(duration: np.ndarray) -> np.ndarray:
    """Round durations up to whole ns, at least 1; the one place where durations of models become integers."""
    rounded: np.ndarray = np.maximum(np.ceil(duration), 1.0).astype(np.int64)
    return rounded


def _unplaced(path: tuple[str | int, ...], message: str) -> str:
    """A fault of an object, which has no lines."""
    return f"{path_text(path)}: {message}"


def compile_problem(scenario: Scenario, platform: Platform, *, place: Callable[[tuple[str | int, ...], str], str] = _unplaced) -> Problem:
    """Compile a scenario on a platform.

    Parameters
    ----------
    scenario : Scenario
    platform : Platform
    place : callable
        Writes a fault that stands at a path of the scenario, as (path, message) -> text; where it comes from a file, with its line.

    Returns
    -------
    Problem

    Raises
    ------
    InputError
        A model is unknown, a layer can run nowhere or asks for more bandwidth than one accelerator can get, no accelerator can
        serve as a group of the scenario's capacity, or a time is out of range; every fault at once.
    """
    models, task_model = _models(scenario)
    times_ns = None
    of_scenario: list[Fault] = []
    of_costs: list[str] = []
    try:
        parts = subnet_parts(models)
        structure = _structure(models, parts)
        keys = [key for part in parts for key in part.keys]
        costs, hardware = _costs(platform, LayerTable.joined(keys, [part.cells for part in parts]))
        of_costs += _sum_faults(structure, costs, models)
        times_ns = group_times_ns(scenario, platform, structure, task_model, costs)
    except InputError as error:
        of_costs += error.faults
    except FaultsError as error:
        of_scenario += error.faults
    rates = rates_of(scenario, times_ns)
    faults = [*task_faults(scenario, rates.duration_s), *(place(*fault) for fault in (*of_scenario, *rates.faults)), *of_costs]
    if faults:
        raise InputError(faults)
    togo = _togo(structure, costs, hardware)
    tasks = task_arrays(scenario, rates.hz)
    duration_ns = nearest_ns(rates.duration_s * 1e9)
    longest_ns = int(tasks["task_deadline_ns"].max())
    drain_ns = longest_ns if scenario.drain_s is None else nearest_ns(scenario.drain_s * 1e9)
    return Problem(
        scenario_name=scenario.name,
        platform_name=platform.name,
        duration_ns=duration_ns,
        end_ns=duration_ns + drain_ns,
        task_names=tuple(task.name for task in scenario.tasks),
        model_names=tuple(model.name for model in models),
        layer_sparsity=np.full(len(keys), np.nan),
        is_strict=False,
        task_model=np.array(task_model, dtype=np.int32),
        costs=costs,
        regroup_ns=platform.regroup_ns,
        has_switch=platform.switch == "activations",
        dram_j_per_byte=platform.energy.dram_j_per_byte,
        layer_worst_energy_j=costs["energy_j"].max(axis=1),
        layer_reference_ns=_reference_ns(platform, costs, hardware["option_first"]),
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
            raise InputError(f"task {quoted(task.name)}: another model is named {quoted(model.name)} too; names of models must differ")
        index.append(known)
    return models, index


def _structure(models: Sequence[Model], parts: Sequence[SubnetPart]) -> dict[str, Any]:
    """Lay subnets, blocks and layers out as flat arrays."""
    subnets = [subnet for model in models for subnet in model.variants]
    layers_per_block = [n for part in parts for n in part.n_layers]
    return {
        "subnet_names": tuple(subnet.name for subnet in subnets),
        "layer_names": tuple(key.layer for part in parts for key in part.keys),
        "subnet_accuracy": np.array([np.nan if subnet.accuracy is None else subnet.accuracy for subnet in subnets]),
        "model_first_subnet": _firsts([len(model.variants) for model in models]),
        "subnet_first_block": _firsts([len(part.place) for part in parts]),
        "block_first_layer": _firsts(layers_per_block),
        "block_draw": np.array([place for part in parts for place in part.place], dtype=np.int32),
        "block_skip": np.array([skip for part in parts for skip in part.skip]),
        "block_exit": np.array([leave for part in parts for leave in part.leave]),
        "layer_block": np.repeat(np.arange(len(layers_per_block), dtype=np.int32), layers_per_block),
    }


def _firsts(sizes: list[int]) -> np.ndarray:
    """Where each of some groups of these sizes begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _costs(platform: Platform, table: LayerTable) -> tuple[np.ndarray, dict[str, Any]]:
    """Cost rows of every layer on every option, and the hardware's arrays."""
    memory = platform.memory
    tiles = [one.tiles for one in platform.accelerators]
    option_first = _firsts(tiles)
    ports = [delivered_gb_per_s(platform, one)[0] for one in platform.accelerators]
    if len(table) * int(option_first[-1]) > MAX_COSTS:
        raise InputError(
            f"platform {quoted(platform.name)}: {len(table):,} layers on {option_first[-1]:,} options, "
            f"a number of an accelerator's tiles each, have more than {MAX_COSTS:,} costs"
        )
    rows = np.zeros((len(table), int(option_first[-1])), dtype=COST_ROW)
    faults: list[str] = []
    for a, one in enumerate(platform.accelerators):
        try:
            rows[:, option_first[a] : option_first[a + 1]] = accelerator_costs(platform, one, table)[1]
        except InputError as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
    if not faults:
        faults = [
            f"layer {quoted(key.layer)} of model {quoted(key.model)} can run on no accelerator of platform {quoted(platform.name)}"
            for key, best_ns in zip(table.keys, rows["t_iso_ns"].max(axis=1), strict=True)
            if best_ns == 0
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
        "l2_bytes_per_ns": np.inf if memory.l2_gb_per_s is None else memory.l2_gb_per_s,
        "efficiency": np.array(memory.efficiency),
        "is_fair": memory.arbiter == "fair",
    }


def accelerator_costs(platform: Platform, accelerator: Accelerator, table: LayerTable) -> tuple[Costs, np.ndarray]:
    """Estimate what every layer costs on one accelerator of a platform, on 1..tiles of its tiles.

    Parameters
    ----------
    platform : Platform
    accelerator : Accelerator
    table : LayerTable

    Returns
    -------
    costs : Costs
        As its cost model answers.
    rows : ndarray of COST_ROW, shape (n_layers, tiles)

    Raises
    ------
    InputError
        The cost model cannot tell, or a layer asks for more bandwidth or time than there is; every fault at once.
    """
    costs = accelerator.cost.estimate(accelerator.name, accelerator.tiles, table, platform.energy)
    bandwidths = delivered_gb_per_s(platform, accelerator)
    is_measured = isinstance(accelerator.cost, TableCost)
    faults = _too_long(costs, table, accelerator.name, *bandwidths)
    if is_measured:
        has_narrow_port = bandwidths[0] < platform.memory.peak_gb_per_s * platform.memory.efficiency[0]
        bound = "its port_gb_per_s" if has_narrow_port else "memory.peak_gb_per_s times efficiency[0]"
        limits = (("DRAM", bandwidths[0], bound), ("L2", bandwidths[1], "memory.l2_gb_per_s"))
        faults += _too_greedy(costs, table, accelerator.name, limits)
    if faults:
        raise InputError(faults)
    rows = np.zeros((len(table), accelerator.tiles), dtype=COST_ROW)
    _fill(rows, costs, *bandwidths, platform.sync_ns, is_measured)
    return costs, rows


def delivered_gb_per_s(platform: Platform, accelerator: Accelerator) -> tuple[float, float]:
    """Bandwidths of DRAM and of L2 that an accelerator can draw alone, 10^9 bytes per second; L2 inf where it is no limit."""
    memory = platform.memory
    alone = memory.peak_gb_per_s * memory.efficiency[0]
    return min(alone, accelerator.port_gb_per_s or alone), np.inf if memory.l2_gb_per_s is None else memory.l2_gb_per_s


def _fill(rows: np.ndarray, costs: Costs, port_bytes_per_ns: float, l2_bytes_per_ns: float, sync_ns: int, is_measured: bool) -> None:
    """Turn one accelerator's costs into cost rows.

    The isolated time is compute, DRAM and L2 time overlapped; a measured one is what was measured, all of that included.
    """
    runs = ~np.isnan(costs.compute_ns)
    alone = np.where(runs, costs.compute_ns, 0.0)
    if not is_measured:
        alone = np.fmax(np.fmax(alone, costs.dram_bytes / port_bytes_per_ns), costs.l2_bytes / l2_bytes_per_ns)
    time_ns = round_up_ns(alone)
    if not is_measured:
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


def _too_long(costs: Costs, table: LayerTable, accelerator: str, port_bytes_per_ns: float, l2_bytes_per_ns: float) -> list[str]:
    """Faults of layers that the simulator's clock cannot time: one per layer and accelerator."""
    faults = []
    moved = costs.fetch_bytes.astype(np.float64) + costs.keep_bytes
    with np.errstate(over="ignore"):
        times = {
            "takes": np.where(np.isnan(costs.compute_ns), 0.0, costs.compute_ns),
            "draws from DRAM for": costs.dram_bytes / port_bytes_per_ns,
            "draws from L2 for": costs.l2_bytes / l2_bytes_per_ns,
            "has activations that move through DRAM for": moved / port_bytes_per_ns,
        }
    for what, time_ns in times.items():
        for i in np.flatnonzero((time_ns > MAX_PART_NS).any(axis=1)):
            key, longest_s = table.keys[i], time_ns[i].max() * 1e-9
            faults.append(
                f"layer {quoted(key.layer)} of model {quoted(key.model)} on {quoted(accelerator)} {what} {longest_s:.3g} s; "
                f"at most {MAX_PART_NS * 1e-9:.3g} s fit the simulator's clock"
            )
    return faults


def _too_greedy(costs: Costs, table: LayerTable, accelerator: str, limits: Sequence[tuple[str, float, str]]) -> list[str]:
    """Faults of measured rows that would need more bandwidth than one accelerator can get.

    Limits are of DRAM and L2: which of them, bytes per ns, and what sets it.
    """
    faults = []
    remedies = {"DRAM": "; what several layers share is less by the later entries of efficiency", "L2": ""}
    for what, most, bound in limits:
        moved = costs.dram_bytes if what == "DRAM" else costs.l2_bytes
        with np.errstate(over="ignore", invalid="ignore"):
            is_greedy = np.ceil(moved / most) > costs.compute_ns  # never where there is no row
        faults += [
            f"layer {quoted(table.keys[i].layer)} of model {quoted(table.keys[i].model)} on {quoted(accelerator)} with {_tiles(n + 1)}: "
            f"{moved[i, n]} bytes of {what} in {costs.compute_ns[i, n]:.0f} ns are {moved[i, n] / costs.compute_ns[i, n]:.6g} GB/s; "
            f"it can draw at most {most:.6g} GB/s ({bound}): lower {what.lower()}_bytes or raise latency_ns{remedies[what]}"
            for i, n in np.argwhere(is_greedy)
        ]
    return faults


def _tiles(count: int) -> str:
    return "1 tile" if count == 1 else f"{count} tiles"


def _sum_faults(structure: dict[str, Any], costs: np.ndarray, models: Sequence[Model]) -> list[str]:
    """Faults of subnets whose layers, one after the other on their slowest options, outlast the simulator's clock."""
    slowest_ns = costs["t_iso_ns"].max(axis=1).astype(np.float64)
    bounds = structure["block_first_layer"][structure["subnet_first_block"]]
    owners = [(model.name, subnet.name) for model in models for subnet in model.variants]
    sums = [float(slowest_ns[first:end].sum()) for first, end in pairwise(bounds)]
    return [
        f"model {quoted(model)}: the layers of subnet {quoted(subnet)} take {time_ns * 1e-9:.3g} s one after the other; "
        f"at most {MAX_PART_NS * 1e-9:.3g} s fit the simulator's clock"
        for (model, subnet), time_ns in zip(owners, sums, strict=True)
        if time_ns > MAX_PART_NS
    ]


def _reference_ns(platform: Platform, costs: np.ndarray, option_first: np.ndarray) -> np.ndarray:
    """Time alone of each layer on the platform's reference, or on its fastest option where it cannot run there."""
    wanted, n = platform.reference.accelerator, platform.reference.tiles
    options = [
        option
        for one, first in zip(platform.accelerators, option_first.tolist(), strict=False)
        if wanted in (None, one.name)
        for option in (range(first, first + one.tiles) if n is None else [first + min(n, one.tiles) - 1])
    ]
    time_ns = np.where(costs["t_iso_ns"] > 0, costs["t_iso_ns"], MAX_TIME_NS)
    there_ns = time_ns[:, options].min(axis=1)
    reference_ns: np.ndarray = np.where(there_ns < MAX_TIME_NS, there_ns, time_ns.min(axis=1))
    return reference_ns


def _togo(structure: dict[str, Any], costs: np.ndarray, hardware: dict[str, Any]) -> dict[str, Any]:
    """Compute the expected remaining time from each layer on, by tiles, mean and minimum over accelerators."""
    tiles = np.asarray(hardware["accelerator_tiles"])
    first = np.asarray(hardware["option_first"])
    # A layer that runs on no accelerator with so many tiles counts with its fastest option.
    spare = np.where(costs["t_iso_ns"] > 0, costs["t_iso_ns"], MAX_TIME_NS).min(axis=1).astype(np.float64)
    alone: dict[str, list[np.ndarray]] = {"mean": [], "min": []}
    for n in range(1, int(tiles.max()) + 1):
        options = first[:-1] + np.minimum(n, tiles) - 1
        time_ns = costs["t_iso_ns"][:, options].astype(np.float64)
        runs = time_ns > 0
        count = runs.sum(axis=1)
        alone["mean"].append(np.where(count > 0, time_ns.sum(axis=1) / np.maximum(count, 1), spare))
        alone["min"].append(np.where(count > 0, np.where(runs, time_ns, np.inf).min(axis=1), spare))
    answer: dict[str, np.ndarray] = {}
    for name, columns in alone.items():
        time_ns = np.stack(columns, axis=1)
        after_ns = expected_after(structure, time_ns)
        answer |= {f"togo_{name}_ns": time_ns + after_ns, f"after_{name}_ns": after_ns}
    return {name: np.ascontiguousarray(np.floor(time_ns + 0.5).astype(np.int64)) for name, time_ns in answer.items()}
