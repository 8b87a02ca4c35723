"""How often the jobs of a scenario's tasks arrive on a platform, and so how long its run is.

Rates are given, or follow from what groups of the platform's tiles can serve (`rtsched.workload.scenario.Capacity`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsched.errors import Fault, FaultsError, quoted
from rtsched.platform.platform import Platform
from rtsched.problem import expected_after
from rtsched.tasks import MAX_PART_NS, MAX_RATE_HZ
from rtsched.workload.scenario import Scenario

__all__ = ["Rates", "group_times_ns", "rates_of"]

DEFAULT_DURATION_S = 10.0
MAX_DURATION_S = 1e9
MAX_SHOWN = 3
"""Accelerators that a message names."""


@dataclass(frozen=True, eq=False)
class Rates:
    """When the jobs of a scenario arrive.

    Attributes
    ----------
    hz : ndarray of float64, shape (n_tasks,)
        Frames per second of each task times load; 0 for arrivals without a rate, NaN where it is not known.
    duration_s : float
        How long they arrive; NaN where it is not known.
    faults : tuple of (path, message)
        Of what follows from the platform; those of given times are told by `rtsched.tasks.task_faults`.
    """

    hz: np.ndarray
    duration_s: float
    faults: tuple[Fault, ...]


def group_times_ns(
    scenario: Scenario, platform: Platform, structure: Mapping[str, Any], task_model: Sequence[int], costs: np.ndarray
) -> np.ndarray:
    """Return the expected time of a job of each task with a weight, alone on one group of the scenario's capacity.

    Parameters
    ----------
    scenario : Scenario
    platform : Platform
    structure : mapping
        What a problem says about subnets, blocks and layers, `model_first_subnet` to `layer_names`.
    task_model : sequence of int
        Each task's model.
    costs : ndarray of COST_ROW, shape (n_layers, n_options)

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        On the fastest accelerator that can run all of the model's largest subnet; NaN for tasks without a weight.

    Raises
    ------
    rtsched.errors.FaultsError
        No accelerator can; one fault per task, or one of the capacity that is too large for all. Paths are the scenario's.
    """
    times_ns = np.full(len(scenario.tasks), np.nan)
    if scenario.capacity is None:
        return times_ns
    n = scenario.capacity.tiles
    tiles = np.array([one.tiles for one in platform.accelerators])
    places = np.flatnonzero(tiles >= n)
    if len(places) == 0:
        most = f"{tiles.max()}, the tiles of the largest accelerator of platform {quoted(platform.name)}"
        raise FaultsError((("capacity", "tiles"), f"must be at most {most}, got {n}"))
    alone_ns = costs["t_iso_ns"][:, (np.cumsum(tiles) - tiles)[places] + n - 1].astype(np.float64)
    job_ns = alone_ns + expected_after(structure, alone_ns)
    bounds = structure["block_first_layer"][structure["subnet_first_block"]]
    faults: list[Fault] = []
    for i, task in enumerate(scenario.tasks):
        if task.weight is None:
            continue
        subnet = structure["model_first_subnet"][task_model[i]]
        first, end = bounds[subnet], bounds[subnet + 1]
        runs = alone_ns[first:end] > 0
        can_all = runs.all(axis=0)
        if can_all.any():
            times_ns[i] = job_ns[first, can_all].min()
            continue
        lacking = zip(places[:MAX_SHOWN].tolist(), runs.argmin(axis=0), strict=False)
        names = [f"{quoted(platform.accelerators[a].name)} not {quoted(structure['layer_names'][first + layer])}" for a, layer in lacking]
        wanted = f"an accelerator of platform {quoted(platform.name)} must run all of its layers on {n} tile{'' if n == 1 else 's'}"
        faults.append((("tasks", i, "model"), f"{wanted} (capacity.tiles), of which its rate is a part; {', '.join(names)}"))
    if faults:
        raise FaultsError(*faults)
    return times_ns


def rates_of(scenario: Scenario, times_ns: np.ndarray | None = None) -> Rates:
    """Return when the jobs of a scenario arrive.

    The rate of a task with a weight is ``load * groups * weight / sum(weight * time)``, the sum over all of them.

    Parameters
    ----------
    scenario : Scenario
    times_ns : ndarray of float64, shape (n_tasks,), optional
        As `group_times_ns` answers. Default: not known, and so are the rates that follow.
    """
    hz = np.array([task.fps or task.rate_hz or 0.0 for task in scenario.tasks])
    if scenario.capacity is not None:
        weights = np.array([task.weight or 0.0 for task in scenario.tasks])
        shares = weights > 0
        need_ns = np.nan if times_ns is None else (weights[shares] * times_ns[shares]).sum()
        hz[shares] = scenario.capacity.groups * weights[shares] * 1e9 / need_ns
    hz *= scenario.load
    return Rates(hz, _duration_s(scenario, hz), tuple(_faults(scenario, hz)))


def _duration_s(scenario: Scenario, hz: np.ndarray) -> float:
    if scenario.duration_s is not None:
        return scenario.duration_s
    if scenario.jobs is None:
        return DEFAULT_DURATION_S
    with np.errstate(divide="ignore", over="ignore"):
        return float(scenario.jobs / hz.sum())


def _faults(scenario: Scenario, hz: np.ndarray) -> list[Fault]:
    slowest_hz = 1e9 / MAX_PART_NS
    faults: list[Fault] = []
    for i, (task, rate_hz) in enumerate(zip(scenario.tasks, hz.tolist(), strict=True)):
        if task.weight is not None and (rate_hz <= slowest_hz or rate_hz > MAX_RATE_HZ):
            made = f"{task.weight:g} at load {scenario.load:g} makes {rate_hz:g} per second"
            faults.append((("tasks", i, "weight"), f"{made}; must be more than {slowest_hz:.3g} and at most {MAX_RATE_HZ:g}"))
    duration_s = _duration_s(scenario, hz)
    if scenario.duration_s is None and (duration_s < 0.5e-9 or duration_s > MAX_DURATION_S):
        bounds = f"must be at least 1 ns and at most {MAX_DURATION_S:g} s"
        faults.append((("jobs",), f"{scenario.jobs} take {duration_s:g} s to arrive; {bounds}"))
    return faults
