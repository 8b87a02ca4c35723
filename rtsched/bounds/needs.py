"""What a job needs at least: its time, and its time on each class of accelerators by valid cuts.

A layer of a job runs on one of several choices, a class and a number of tiles. It takes some time there, and so many times its
tiles of tile time. All choices of all layers of a path make a polyhedron of tile times by class: the Minkowski sum of the layers'.
For prices w of a tile's time by class, no job can do with less than the sum over its layers of the cheapest choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtsched._core import foresight
from rtsched.bounds.classes import Classes
from rtsched.problem import Problem

__all__ = ["MAX_PRICES", "Needs", "needs_of"]

MAX_PRICES = 8
"""Cuts per job. On overloaded built-in scenarios 2 to 40 of them gave the same bounds."""

URGENCIES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Prices of a job's own time, in those of a tile: what it is worth to end in time on more tiles or a faster accelerator."""

CHUNK_CELLS = 2_000_000
"""Jobs times layers times choices that are held at a time."""

CANNOT_NS = 1e18
"""Time of a choice that a layer does not have; above every sum of real times."""


@dataclass(frozen=True, eq=False)
class Needs:
    """What jobs of one task need.

    Attributes
    ----------
    prices : ndarray of float64, shape (n_prices, n_classes)
        Of tile time by class.
    cost : ndarray of float64, shape (n_jobs, n_prices)
        The least that a job in time pays, in ns at these prices.
    late_cost : ndarray of float64, shape (n_jobs, n_prices)
        The least that a job pays which ends at any time.
    least_ns : ndarray of float64, shape (n_jobs,)
        Of its own time, from start to end.
    """

    prices: np.ndarray
    cost: np.ndarray
    late_cost: np.ndarray
    least_ns: np.ndarray


def needs_of(problem: Problem, classes: Classes, seed: int, task: int, frames: np.ndarray, limit_ns: np.ndarray) -> Needs:
    """Return what the jobs of some frames of a task need.

    Parameters
    ----------
    problem : Problem
    classes : Classes
    seed, task : int
    frames : ndarray of int64, shape (n_jobs,)
    limit_ns : ndarray of float64, shape (n_jobs,)
        The most time that a job in time has from its start to its end.
    """
    model = problem.task_model[task]
    subnets = range(problem.model_first_subnet[model], problem.model_first_subnet[model + 1])
    prices = _prices(_times(problem, classes, subnets[0], None), classes)
    shape = (len(frames), len(prices))
    cost, late_cost = np.full(shape, np.inf), np.full(shape, np.inf)
    least_ns = np.full(len(frames), np.inf)
    for subnet in subnets:
        n_layers = int(np.diff(_layers(problem, subnet))[0])
        step = max(1, CHUNK_CELLS // (n_layers * len(classes.option)))
        for at in range(0, len(frames), step):
            part = slice(at, at + step)
            found = _subnet_needs(problem, classes, seed, task, frames[part], limit_ns[part], subnet, prices)
            for whole, own in zip((cost, late_cost, least_ns), found, strict=True):
                whole[part] = np.minimum(whole[part], own)
    return Needs(prices, cost, late_cost, least_ns)


def _layers(problem: Problem, subnet: int) -> tuple[int, int]:
    """The first layer of a subnet and of the next one."""
    return tuple(problem.block_first_layer[problem.subnet_first_block[subnet : subnet + 2]].tolist())


def _subnet_needs(
    problem: Problem,
    classes: Classes,
    seed: int,
    task: int,
    frames: np.ndarray,
    limit_ns: np.ndarray,
    subnet: int,
    prices: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Costs in time, costs at any time and least times, when the jobs run one subnet."""
    runs = foresight.paths(problem, seed, task, frames, subnet).astype(np.float64)
    actual = _actual(problem, seed, task, frames, runs.shape[1])
    if actual is None:
        runs, back = np.unique(runs, axis=0, return_inverse=True)
        times = _times(problem, classes, subnet, None)
    else:
        back, times = np.arange(len(frames)), _times(problem, classes, subnet, actual)

    def summed(values: np.ndarray) -> np.ndarray:
        # Of the layers that each job runs; a little less, so that rounding never makes it too much.
        total = runs @ values if values.ndim == 1 else (runs * values).sum(axis=1)
        return np.asarray(total)[back] * (1 - 1e-12)

    least_ns = np.ceil(summed(times.min(axis=-1)))
    is_late = least_ns > limit_ns
    cost = np.empty((len(frames), len(prices)))
    late_cost = np.empty_like(cost)
    for p, price in enumerate(prices):
        tile_price = price[classes.owner] * classes.n_tiles
        late_cost[:, p] = summed((times * tile_price).min(axis=-1))
        cost[:, p] = late_cost[:, p]
        for urgency in URGENCIES[1:]:
            own = urgency * price.mean()
            urgent = summed((times * (tile_price + own)).min(axis=-1)) - own * limit_ns
            np.maximum(cost[:, p], urgent, out=cost[:, p])
    cost[is_late] = np.inf
    return cost, late_cost, least_ns


def _actual(problem: Problem, seed: int, task: int, frames: np.ndarray, n_layers: int) -> tuple[bool, np.ndarray] | None:
    """Recorded times (True) or factors (False) of layers; None where all take their estimates."""
    recorded = foresight.recorded(problem, task, frames, n_layers)
    if recorded is not None:
        return True, recorded
    has_table = problem.factor_first[task] < problem.factor_first[task + 1]
    if not has_table and problem.factor_sigma[task] == 0:
        return None
    return False, foresight.factors(problem, seed, task, frames, n_layers)


def _times(problem: Problem, classes: Classes, subnet: int, actual: tuple[bool, np.ndarray] | None) -> np.ndarray:
    """What layers take alone on each choice, in ns: shape ([n_jobs,] n_layers, n_choices)."""
    first, last = _layers(problem, subnet)
    costs = problem.costs[first:last][:, classes.option]
    estimate = costs["t_iso_ns"].astype(np.float64)
    if actual is None:
        return np.where(estimate > 0, estimate, CANNOT_NS)
    is_recorded, values = actual
    scaled = values[:, :, np.newaxis] if is_recorded else np.maximum(np.ceil(values[:, :, np.newaxis] * estimate), 1.0)
    needed = np.ceil(costs["dram_bytes"] / classes.port_bytes_per_ns)
    is_estimate = np.logical_not(is_recorded) & (values[:, :, np.newaxis] == 1.0)
    times = np.where(is_estimate, estimate, np.maximum(scaled, needed))
    return np.where(estimate > 0, times, CANNOT_NS)


def _prices(times: np.ndarray, classes: Classes) -> np.ndarray:
    """Prices at which the layers of a model change from one class to another: shape (n_prices, n_classes).

    At the prices 1 / (time on each class) a layer may run anywhere. Of those of all layers, the mean by work and then the ones
    farthest from those chosen before.
    """
    tile_time = np.full((len(times), classes.n), CANNOT_NS)
    for choice, owner in enumerate(classes.owner):
        np.minimum(tile_time[:, owner], times[:, choice] * classes.n_tiles[choice], out=tile_time[:, owner])
    least = tile_time.min(axis=1)
    ratios = np.log(np.minimum(tile_time / least[:, np.newaxis], 64.0))
    ratios -= ratios.mean(axis=1, keepdims=True)
    chosen = [np.zeros(classes.n)]
    if classes.n > 1:
        chosen.append(-np.average(ratios, axis=0, weights=least))
    candidates = -ratios
    while classes.n > 1 and len(chosen) < MAX_PRICES:
        gaps = np.min([np.abs(candidates - one).max(axis=1) for one in chosen], axis=0) * np.sqrt(least)
        farthest = int(np.argmax(gaps))
        if gaps[farthest] <= 0:
            break
        chosen.append(candidates[farthest])
    return np.exp(np.array(chosen))
