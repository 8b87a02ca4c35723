"""Tiles of a weight-stationary systolic array whose memories software manages, as Gemmini's."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from rtsched._core.cost import LAYER_COLUMNS
from rtsched._core.systolic import Tiles
from rtsched.cost.dataflow import MEASURED, refuse
from rtsched.cost.model import ENERGY_COMPONENTS, Costs, Energy, LayerTable

__all__ = ["SystolicCost"]

PES = 16 * 16

Cycles = Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)]


class SystolicCost(BaseModel):
    r"""Tiles that each have a systolic array of 16 x 16, a scratchpad and accumulators, and share an L2.

    int8 weights and activations, 32-bit accumulators. The memory fields describe one tile; the accelerator's `tiles` says how
    many there are.

    Attributes
    ----------
    model : {'systolic'}
        Selects this cost model.
    clock_mhz : float
        Of the tiles and the L2.
    scratchpad_kib, accumulator_kib : int
        Of one tile, 1024 bytes. Half of each holds what the array works on, the other half what is loaded meanwhile.
    l2_kib : int
        The L2 of the whole accelerator. A layer has the share of its tiles.
    load_bytes_per_cycle : float
        What a tile's DMA delivers from the L2. Fitted; the bus is 16 wide.
    unaligned_beat_cycles : float
        For each 16 bytes of memory that an input row touches, where rows do not begin at multiples of 16 bytes (three-channel
        images): such rows are fetched one after the other. Fitted.
    store_row_cycles : float
        For 16 results of one pixel. Fitted.
    switch_stall : float
        Cycles that the array waits for its next weights, per row that the pass before falls short of 16. Fitted.
    pool_read_cycles : float
        For each element (of 16 channels) that a pooling reads. Fitted.
    stream_beat_cycles : float
        For each 16 bytes in or out of layers that only stream. Fitted.
    stream_start_cycles : float
        Before a layer other than a pooling streams. Fitted.
    layer_start_cycles : float
        Software and an empty pipeline, once per layer. Fitted.

    Notes
    -----
    **Work of one tile.** A convolution with 1 x 1 taps and stride 1, a gemm and each step of a recurrent layer are products of
    matrices; every other convolution is done in place, without unfolding the image. Groups, heads, steps and images of a
    batch run one after the other; transposed convolutions as in `DataflowCost`. All sizes round up to blocks of 16.

    **Blocks.** Half of the scratchpad has 16-byte rows for inputs and weights, half of the accumulators rows for 16 results.

    - Matrices: the block begins with the largest square of accumulators and half of the rows, then columns, rows and depth
      grow by turns, as Gemmini's library does.
    - Convolutions: 16 columns of pixels and as many rows as the accumulators hold for 64 output channels (16 where C < 16);
      then as many output channels, then as many input channels as fit. With a pooling that is part of the layer, pixels form a
      square, since windows at its edges are computed twice. C < 16 input channels are kept q = min(S, 16 // C) times, beside
      their neighbours, so that q taps take one pass.

    **Time of a block.** All quotients are rounded up.

    - compute: for each 16 output channels, tap (or q taps) and 16 input channels, all pixels pass the array with the same
      weights, in passes of a row of up to 16 pixels, one cycle each, at least 4. The next weights enter during the last pass,
      of r pixels: it takes 16 + (16 - r) `switch_stall`.
    - load: inputs and weights at `load_bytes_per_cycle`; input rows of n bytes (q C where C < 16) that do not begin at multiples
      of 16 at least (n + 15) / 16 `unaligned_beat_cycles` each.
    - store: `store_row_cycles` for each 16 results, once the block has seen all inputs. A pooling that is part of the layer
      reads the accumulators instead, `pool_read_cycles` for each element of its windows, and the array waits.

    In each phase one block is loaded, the one before is computed and the one before that is stored:
    ``cycles = sum over n of max(load[n + 1], compute[n], store[n - 1])``, with the load of the first and the store of the last,
    and `layer_start_cycles` once.

    **Other layers.** 16-byte beats in and out take `stream_beat_cycles` each (rows whose `channels` are not a multiple of 16
    begin anywhere: n of their bytes, up to 16, touch (n + 15) / 16 beats), poolings `pool_read_cycles` per window element in
    addition, others `stream_start_cycles` once. Norm reads its inputs twice, softmax three times.

    **Several tiles** share the output channels, the rows, or the independent groups, images and heads, in equal parts rounded
    up to 16 channels or rows of a matrix: whichever is fastest, on as many of the tiles as help. Their synchronisation is
    `Platform.sync_ns`.

    **Traffic.** `l2_bytes` is all that tiles load and store, halos and repeated weights included; `dram_bytes` and `fetch_bytes`
    follow by the rules of `DataflowCost` from the part of the L2 that a layer has: on n of N tiles, n / N of it, since jobs on the
    other tiles fill the rest (assumed). Results are found there by the next layer when they fit, but the L2 writes back, so all of
    them reach memory sooner or later: they count in `dram_bytes`, and `keep_bytes` is 0. MoCA's estimate counts them too [2]_.

    **Energy.** 'mac' as in `DataflowCost`; 'sram': elements that the array reads from the scratchpad, and those that enter or leave
    it; 'l2': `l2_bytes`; 'dram': `dram_bytes`. Partial sums are free.

    **Fit.** ``benchmarks/fit_systolic.py`` on layers that were measured on one tile [2]_; docs/accuracy.md has the errors.

    **Limits.** Taps that fall on padding are computed (the hardware skips some: up to a fifth on 7 x 7 images). Blocks are chosen
    by the rules above, not by those of a particular compiler version. Dilation costs no inputs.

    References
    ----------
    .. [1] Genc et al., "Gemmini: Enabling Systematic Deep-Learning Architecture Evaluation via Full-Stack Integration", DAC 2021.
    .. [2] Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, and its artifact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["systolic"] = "systolic"
    clock_mhz: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)] = 1000.0
    scratchpad_kib: Annotated[int, Field(ge=1, le=2**20, strict=True)] = 128
    accumulator_kib: Annotated[int, Field(ge=2, le=2**20, strict=True)] = 64
    l2_kib: Annotated[int, Field(ge=1, le=2**30, strict=True)] = 2048
    load_bytes_per_cycle: Annotated[float, Field(gt=0.0, le=1024.0, allow_inf_nan=False)] = 14.0
    unaligned_beat_cycles: Cycles = 4.92
    store_row_cycles: Cycles = 4.1
    switch_stall: Cycles = 0.41
    pool_read_cycles: Cycles = 2.16
    stream_beat_cycles: Cycles = 1.52
    stream_start_cycles: Cycles = 33800.0
    layer_start_cycles: Cycles = 1350.0

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
            `compute_ns` is the time when the DRAM is infinitely fast; the tile's own path to the L2 is part of it. Never NaN.

        Raises
        ------
        rtsched.errors.InputError
            When layers are of kind 'measured', or one exceeds 2^53 cycles, accesses or bytes; lists all such layers.
        """
        refuse(
            accelerator,
            layers,
            np.equal(layers.kind, MEASURED),
            "is known by its name alone, so it needs a measured table, not a systolic array",
        )
        n = len(layers)
        columns = np.stack([getattr(layers, name) for name in LAYER_COLUMNS], axis=1, dtype=np.int64)
        cycles, accesses = np.empty((2, n, tiles))
        traffic_bytes, limit = np.empty((n, tiles, 3), dtype=np.int64), np.empty((n, tiles), dtype=np.int8)
        self._tiles().estimate(columns, cycles, accesses, traffic_bytes, limit)
        refuse(accelerator, layers, np.isinf(cycles.max(axis=1, initial=0.0)), "is too large: more than 2^53 cycles, accesses or bytes")
        dram_bytes, fetch_bytes, l2_bytes = (np.ascontiguousarray(traffic_bytes[..., i]) for i in range(3))
        return Costs(
            compute_ns=cycles * 1000.0 / self.clock_mhz,
            dram_bytes=dram_bytes,
            l2_bytes=l2_bytes,
            fetch_bytes=fetch_bytes,
            keep_bytes=np.zeros_like(dram_bytes),
            energy_j=_energy_j(energy, layers.macs, accesses, l2_bytes, dram_bytes),
            cycles=cycles,
            limit=limit,
            peak_macs_per_ns=np.arange(1, tiles + 1) * (PES * self.clock_mhz / 1000.0),
        )

    def _tiles(self) -> Tiles:
        return Tiles(
            scratchpad_bytes=self.scratchpad_kib * 1024,
            accumulator_bytes=self.accumulator_kib * 1024,
            l2_bytes=self.l2_kib * 1024,
            load_bytes_per_cycle=self.load_bytes_per_cycle,
            unaligned_beat_cycles=self.unaligned_beat_cycles,
            store_row_cycles=self.store_row_cycles,
            switch_stall=self.switch_stall,
            pool_read_cycles=self.pool_read_cycles,
            stream_beat_cycles=self.stream_beat_cycles,
            stream_start_cycles=self.stream_start_cycles,
            layer_start_cycles=self.layer_start_cycles,
        )


def _energy_j(
    energy: Energy,
    macs: NDArray[np.int64],
    accesses: NDArray[np.float64],
    l2_bytes: NDArray[np.int64],
    dram_bytes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Energy by component, shape (n_layers, tiles, components)."""
    mac_j = energy.mac_pj * 1e-12
    by_component = np.zeros((*accesses.shape, len(ENERGY_COMPONENTS)))
    by_component[..., ENERGY_COMPONENTS.index("mac")] = (macs * (mac_j * (1.0 + 3.0 * energy.l1_per_mac)))[:, np.newaxis]
    by_component[..., ENERGY_COMPONENTS.index("sram")] = accesses * (mac_j * energy.sram_per_mac)
    by_component[..., ENERGY_COMPONENTS.index("l2")] = l2_bytes * (mac_j * energy.sram_per_mac)
    by_component[..., ENERGY_COMPONENTS.index("dram")] = dram_bytes * energy.dram_j_per_byte
    return by_component
