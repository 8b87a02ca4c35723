"""The latency estimate that MoCA's runtime uses, for comparison with `SystolicCost`."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from rtsched.cost.model import KINDS, LIMITS, Costs, Energy, LayerTable
from rtsched.cost.systolic import SystolicCost

__all__ = ["MocaPublishedCost"]

PRODUCTS = tuple(KINDS.index(kind) for kind in ("conv", "gemm", "recurrent"))
DIM = 16
"""Rows and columns of the array, and bytes of a memory beat."""
OVERLAP = 0.3
"""Part of the shorter of compute and memory time that adds to the longer one."""
OVERLAP_SINGLE_ROW = 0.5
"""The same for a matrix product with one row."""
OVERLAP_SMALL = 0.7
"""The same where no more than `SMALL` rows or pixels share the weights."""
SMALL = 49
"""7 x 7 pixels; the artifact has 13 x 13 with the usual part, and nothing between."""
OVERLAP_STEM = 1.0
"""The same for a convolution with stride and fewer channels than rows of the array."""
STREAM_BEAT_CYCLES = 2.0
"""Cycles per 16 bytes of a residual addition or a pooling."""

Kib = Annotated[int, Field(ge=2, le=2**20, strict=True)]
Rate = Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]


class MocaPublishedCost(BaseModel):
    r"""Gemmini tiles as MoCA's Algorithm 1 estimates them; `SystolicCost` is closer to measurements.

    Attributes
    ----------
    model : {'moca_published'}
        Selects this cost model.
    clock_mhz : float
        Of the tiles and the L2.
    scratchpad_kib, accumulator_kib : int
        Of one tile.
    l2_kib : int
        The L2 of the whole accelerator, 1024 bytes.
    l2_bytes_per_cycle : float
        Of one tile.
    dram_bytes_per_cycle : float
        What the estimate takes the DRAM to deliver.

    Notes
    -----
    ``cycles = max(compute, memory) + f min(compute, memory)`` on n tiles, with ``compute = MACs / (256 n)``, where fewer than 16
    input channels count as 16, and one row of a product too, and
    ``memory = max(L2 bytes / (n l2_bytes_per_cycle), DRAM bytes / dram_bytes_per_cycle)``.
    f = 0.3; 0.5 with one row; 0.7 with up to 49 rows or output pixels; 1 for strided convolutions of fewer than 16 channels. Other
    layers take 2 cycles per 16 bytes, shared by the tiles. f and these 2 cycles follow from the estimates that the artifact prints.
    Traffic and energy are those of `SystolicCost`, whose blocks are not exactly the artifact's.

    References
    ----------
    .. [1] Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, Algorithm 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["moca_published"] = "moca_published"
    clock_mhz: Rate = 1000.0
    scratchpad_kib: Kib = 128
    accumulator_kib: Kib = 64
    l2_kib: Kib = 2048
    l2_bytes_per_cycle: Rate = 16.0
    dram_bytes_per_cycle: Rate = 16.0

    def estimate(self, accelerator: str, tiles: int, layers: LayerTable, energy: Energy) -> Costs:
        """Estimate every layer on 1..tiles tiles.

        Parameters
        ----------
        accelerator : str
            For messages.
        tiles : int
        layers : LayerTable
        energy : Energy

        Returns
        -------
        Costs

        Raises
        ------
        rtsched.errors.InputError
            As `SystolicCost.estimate`.
        """
        memories = self.model_dump(include={"clock_mhz", "scratchpad_kib", "accumulator_kib", "l2_kib"})
        costs = SystolicCost(**memories).estimate(accelerator, tiles, layers, energy)
        n = np.arange(1.0, tiles + 1.0)
        l2_cycles = costs.l2_bytes / (n * self.l2_bytes_per_cycle)
        memory = np.maximum(l2_cycles, costs.dram_bytes / self.dram_bytes_per_cycle)
        channels = np.maximum(layers.c // layers.groups, 1)
        padded = np.maximum(1.0, DIM / channels) * np.where(_is_single_row(layers), DIM, 1)
        compute = (layers.macs * padded / DIM**2)[:, np.newaxis] / n
        overlapped = np.maximum(compute, memory) + _overlap(layers)[:, np.newaxis] * np.minimum(compute, memory)
        streamed = STREAM_BEAT_CYCLES * costs.l2_bytes / (n * DIM)
        is_product = np.isin(layers.kind, PRODUCTS)[:, np.newaxis]
        cycles = np.ceil(np.where(is_product, overlapped, streamed))
        return Costs(
            compute_ns=cycles * 1000.0 / self.clock_mhz,
            dram_bytes=costs.dram_bytes,
            l2_bytes=costs.l2_bytes,
            fetch_bytes=costs.fetch_bytes,
            keep_bytes=costs.keep_bytes,
            energy_j=costs.energy_j,
            cycles=cycles,
            limit=np.where(is_product & (compute >= memory), LIMITS.index("compute"), LIMITS.index("noc")).astype(np.int8),
            peak_macs_per_ns=costs.peak_macs_per_ns,
        )


def _is_single_row(layers: LayerTable) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.not_equal(layers.kind, KINDS.index("conv")) & np.equal(layers.yo, 1)
    return found


def _overlap(layers: LayerTable) -> np.ndarray:
    """F of every layer."""
    is_stem = np.equal(layers.kind, KINDS.index("conv")) & (layers.c < DIM) & (layers.stride_y * layers.stride_x > 1)
    cases = [_is_single_row(layers), is_stem, layers.yo * layers.xo <= SMALL]
    return np.select(cases, [OVERLAP_SINGLE_ROW, OVERLAP_STEM, OVERLAP_SMALL], OVERLAP)
