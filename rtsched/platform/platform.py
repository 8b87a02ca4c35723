"""Platforms: accelerators and the memory they share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.moca import MocaPublishedCost
from rtsched.cost.model import Energy
from rtsched.cost.systolic import SystolicCost
from rtsched.cost.table import TableCost
from rtsched.errors import Fault, FaultsError, listed, quoted, repeated_names

__all__ = ["MAX_ACCELERATORS", "MAX_TILES", "Accelerator", "AnyCost", "Memory", "Platform", "Reference"]

MAX_ACCELERATORS = 1024
MAX_TILES = 64

Name = Annotated[str, Field(min_length=1)]
Bandwidth = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, le=1e12, allow_inf_nan=False)]

AnyCost = Annotated[DataflowCost | SystolicCost | MocaPublishedCost | TableCost, Field(discriminator="model")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Accelerator(_Frozen):
    """One accelerator.

    Attributes
    ----------
    name : str
        Unique within the platform.
    cost : DataflowCost, SystolicCost, MocaPublishedCost or TableCost
        What layers cost on it: its array and buffers, or a table of measured times.
    tiles : int
        Identical slices; a layer runs on one or several, and several jobs share the accelerator tile by tile. 1 to 64.
    port_gb_per_s : float, optional
        The most it can draw from DRAM, 10^9 bytes per second. Default: what the DRAM delivers to one.
    idle_power_w : float
        Drawn by each tile while it does not run.
    """

    name: Name
    cost: AnyCost
    tiles: Annotated[int, Field(ge=1, le=MAX_TILES, strict=True)] = 1
    port_gb_per_s: Bandwidth | None = None
    idle_power_w: NonNegative = 0.0


class Memory(_Frozen):
    """The shared DRAM and L2.

    Attributes
    ----------
    peak_gb_per_s : float
        10^9 bytes per second, that is bytes per ns.
    efficiency : tuple of float
        ``efficiency[n - 1]`` of the peak is delivered while n layers draw from DRAM; beyond the end the last entry holds.
    arbiter : {'proportional', 'fair'}
        What happens when layers ask for more than there is: all are scaled alike, so that whoever asks more gets more (a
        controller without quality of service), or max-min fair shares.
    l2_gb_per_s : float, optional
        Bandwidth of the shared L2, same arbiter. Default: never a limit.
    """

    peak_gb_per_s: Bandwidth
    efficiency: Annotated[tuple[Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)], ...], Field(min_length=1)] = (1.0,)
    arbiter: Literal["proportional", "fair"] = "proportional"
    l2_gb_per_s: Bandwidth | None = None


class Reference(_Frozen):
    """On what the isolated time of a layer is measured, which the metrics of shared accelerators compare with.

    A layer that cannot run there counts with its fastest option (decision).

    Attributes
    ----------
    accelerator : str, optional
        Its name. Default: the fastest one, layer by layer.
    tiles : int, optional
        How many of an accelerator's tiles; all of one that has fewer. Default: the fastest number, layer by layer.
    """

    accelerator: Name | None = None
    tiles: Annotated[int, Field(ge=1, le=MAX_TILES, strict=True)] | None = None


class Platform(_Frozen):
    """What a scenario runs on.

    Attributes
    ----------
    name : str
        Stands in results.
    description : str
        A line for those who read it.
    accelerators : tuple of Accelerator
        At least one.
    memory : Memory
        The DRAM and the L2 that all of them share.
    switch : {'free', 'activations'}
        Whether moving a job to other tiles, or displacing one, moves its activations through DRAM.
    regroup_ns : int
        Paid by a layer that runs on another number of tiles than the job's layer before.
    sync_ns : int
        Synchronisation of several tiles, once per layer that runs on more than one.
    energy : Energy
        What operations and accesses cost, for analytical cost models and for switches.
    reference : Reference
        What a job's isolated time is measured on. Default: the fastest option of each layer.
    """

    name: Name
    description: str = ""
    accelerators: Annotated[tuple[Accelerator, ...], Field(min_length=1, max_length=MAX_ACCELERATORS)]
    memory: Memory
    switch: Literal["free", "activations"] = "free"
    regroup_ns: Annotated[int, Field(ge=0, le=10**15, strict=True)] = 0
    sync_ns: Annotated[int, Field(ge=0, le=10**15, strict=True)] = 0
    energy: Energy = Energy()
    reference: Reference = Reference()

    @model_validator(mode="after")
    def _check(self) -> Platform:
        if faults := repeated_names("accelerators", self.accelerators) + self._reference_faults():
            raise FaultsError(*faults)
        return self

    def _reference_faults(self) -> list[Fault]:
        wanted, n = self.reference.accelerator, self.reference.tiles
        tiles = {one.name: one.tiles for one in self.accelerators}
        if wanted is not None and wanted not in tiles:
            return [(("reference", "accelerator"), f"unknown accelerator {quoted(wanted)}; accelerators: {listed(tiles)}")]
        most = max(tiles.values()) if wanted is None else tiles[wanted]
        if n is not None and n > most:
            owner = "the largest accelerator" if wanted is None else f"accelerator {quoted(wanted)}"
            return [(("reference", "tiles"), f"must be at most {most}, the tiles of {owner}, got {n}")]
        return []
