"""What each layer of a model costs on one accelerator, alone, and what bounds it: the table behind ``rtsched show -p``."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from rtsched.compiler import accelerator_costs, delivered_gb_per_s
from rtsched.cost.model import LIMITS, Costs, LayerKey, LayerTable
from rtsched.errors import FaultList, InputError, listed, quoted
from rtsched.library import load_model, load_platform
from rtsched.platform.platform import Accelerator, Platform
from rtsched.workload.layer import LayerBase
from rtsched.workload.model import Model

__all__ = ["BOUNDS", "LayerCosts", "layer_costs"]

BOUNDS = (*LIMITS, "dram", "l2", "sync")
"""What bounds a layer: one of `rtsched.cost.model.LIMITS`, DRAM or L2 bandwidth, or the synchronisation of several tiles."""


@dataclass(frozen=True, eq=False)
class LayerCosts:
    """Costs of the layers of a model's largest subnet on some tiles of one accelerator, each alone and warm.

    *Warm*: activations that fit the accelerator's buffer are found there and stay there. Free layers are left out.

    Attributes
    ----------
    model, subnet, platform : str
    accelerator : Accelerator
    tiles : int
    layers : tuple of LayerBase
    macs : ndarray of int64, shape (n,)
        Multiply-accumulates; 0 for layers without, and for those that are known by their name alone.
    cycles : ndarray of float64, shape (n,)
        Clock cycles when memory is infinitely fast; NaN where the cost model knows of no clock.
    latency_ns : ndarray of int64, shape (n,)
        0 where the layer cannot run.
    dram_bytes, l2_bytes : ndarray of int64, shape (n,)
    energy_j : ndarray of float64, shape (n,)
    bound : tuple of (str or None), length n
        One of `BOUNDS`; None where the cost model does not say, or the layer cannot run.
    peak_macs_per_ns : float
        What the tiles can do at most; NaN where the cost model does not say.
    dram_bytes_per_ns : float
        What the accelerator can draw from DRAM while it is alone.
    """

    model: str
    subnet: str
    platform: str
    accelerator: Accelerator
    tiles: int
    layers: tuple[LayerBase, ...]
    macs: np.ndarray
    cycles: np.ndarray
    latency_ns: np.ndarray
    dram_bytes: np.ndarray
    l2_bytes: np.ndarray
    energy_j: np.ndarray
    bound: tuple[str | None, ...]
    peak_macs_per_ns: float
    dram_bytes_per_ns: float

    @property
    def utilisation(self) -> np.ndarray:
        """MACs / (peak MACs in the layer's latency), shape (n,); NaN where the peak is unknown or the layer cannot run."""
        return _ratio(self.macs, self.latency_ns * self.peak_macs_per_ns)

    @property
    def macs_per_dram_byte(self) -> np.ndarray:
        """Arithmetic intensity, shape (n,): inf for MACs without DRAM traffic, NaN for neither."""
        return _ratio(self.macs, self.dram_bytes)

    @property
    def total_utilisation(self) -> float:
        """MACs / (peak MACs in the sum of latencies)."""
        return float(_ratio(self.macs.sum(), self.latency_ns.sum() * self.peak_macs_per_ns))

    def __len__(self) -> int:
        return len(self.layers)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(part, whole, dtype=np.float64))


def layer_costs(
    model: str | os.PathLike[str] | Model, platform: str | os.PathLike[str] | Platform, accelerator: str | None = None, tiles: int = 1
) -> LayerCosts:
    """Estimate what each layer of a model costs on an accelerator.

    Parameters
    ----------
    model : str, path or Model
        Its largest subnet is taken.
    platform : str, path or Platform
    accelerator : str, optional
        Its name. Default: the platform's first.
    tiles : int
        How many of the accelerator's tiles run each layer together.

    Returns
    -------
    LayerCosts

    Raises
    ------
    rtsched.errors.InputError
        The model, the platform or the accelerator is unknown, there are fewer tiles, or a layer has no cost.
    """
    faults = FaultList()
    network, hardware = faults.of(load_model, model), faults.of(load_platform, platform)
    faults.report()
    assert network is not None
    assert hardware is not None
    one = _accelerator(hardware, accelerator, tiles)
    subnet = network.variants[0]
    owner = network.name if len(network.variants) == 1 else f"{network.name}/{subnet.name}"
    layers = tuple(layer for layer in subnet.all_layers if not layer.is_free)
    table = LayerTable.of([LayerKey(owner, layer.name) for layer in layers], layers)
    costs, rows = accelerator_costs(hardware, one, table)
    row, column = rows[:, tiles - 1], tiles - 1
    return LayerCosts(
        model=network.name,
        subnet=subnet.name,
        platform=hardware.name,
        accelerator=one,
        tiles=tiles,
        layers=layers,
        macs=table.macs,
        cycles=np.full(len(layers), np.nan) if costs.cycles is None else costs.cycles[:, column],
        latency_ns=row["t_iso_ns"],
        dram_bytes=row["dram_bytes"],
        l2_bytes=row["l2_bytes"],
        energy_j=row["energy_j"],
        bound=_bound(costs, column, delivered_gb_per_s(hardware, one), hardware.sync_ns if tiles > 1 else 0),
        peak_macs_per_ns=np.nan if costs.peak_macs_per_ns is None else float(costs.peak_macs_per_ns[column]),
        dram_bytes_per_ns=delivered_gb_per_s(hardware, one)[0],
    )


def _accelerator(platform: Platform, name: str | None, tiles: int) -> Accelerator:
    found = next((one for one in platform.accelerators if name in (None, one.name)), None)
    if found is None:
        names = listed(one.name for one in platform.accelerators)
        raise InputError(f"platform {quoted(platform.name)} has no accelerator {quoted(name)}; it has {names}")
    if not 1 <= tiles <= found.tiles:
        has = "one tile" if found.tiles == 1 else f"1 to {found.tiles} tiles"
        raise InputError(f"accelerator {quoted(found.name)} of platform {quoted(platform.name)} has {has} to run on, got {tiles}")
    return found


def _bound(costs: Costs, column: int, bytes_per_ns: tuple[float, float], sync_ns: int) -> tuple[str | None, ...]:
    """What takes longest; of equals the first of `BOUNDS`."""
    if costs.limit is None:
        return (None,) * len(costs.compute_ns)
    compute_ns = costs.compute_ns[:, column]
    moved_ns = [costs.dram_bytes[:, column] / bytes_per_ns[0], costs.l2_bytes[:, column] / bytes_per_ns[1]]
    longest = np.argmax([compute_ns, *moved_ns, np.full(len(compute_ns), sync_ns)], axis=0)
    return tuple(
        None if np.isnan(time_ns) else LIMITS[limit] if place == 0 else BOUNDS[len(LIMITS) + place - 1]
        for time_ns, limit, place in zip(compute_ns, costs.limit[:, column], longest, strict=True)
    )
