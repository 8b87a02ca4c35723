"""Accelerators with a spatial dataflow, in closed form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtsched._core.cost import LAYER_COLUMNS, UNIT_PES, Array
from rtsched.cost.model import ENERGY_COMPONENTS, KINDS, LIMITS, Costs, Energy, LayerTable
from rtsched.errors import InputError, quoted

__all__ = ["DataflowCost"]

MEASURED = KINDS.index("measured")


class DataflowCost(BaseModel):
    r"""An array of processing elements (PEs), a NoC that feeds it and an on-chip buffer, under one dataflow.

    The fields describe the whole accelerator; `t` of its `tiles` tiles are an accelerator with the fraction t / tiles of
    its PEs, NoC and buffer (rounded down), which run a layer together.

    Attributes
    ----------
    model : {'dataflow'}
        Selects this cost model.
    dataflow : {'ws', 'os', 'rs'}
        Weight-stationary as NVDLA, output-stationary as ShiDianNao, or row-stationary as Eyeriss.
    pes : int
        Processing elements, one multiply-accumulate (MAC) per cycle each; those beyond a multiple of 256 ('ws') or 64
        ('os', 'rs') idle.
    clock_mhz : float
        Of the array and the NoC.
    sram_kib : int
        On-chip buffer shared by the array, 1024 bytes.
    noc_elements_per_cycle : int
        From the buffer to the array; as many flow back at the same time.
    element_bytes : int
        Size of weights and activations.

    Notes
    -----
    **Time.** ``compute_ns = cycles * 1000 / clock_mhz``. With P PEs, W elements per cycle on the NoC and all quotients
    rounded up, a convolution of K x C channels, R x S taps and Yo x Xo outputs takes, on n units,

    - WS: a unit is 16 input by 16 output channels, n <= P // 256 units take neighbouring columns.
      ``steps = (C/16) (K/16) Yo (Xo/n)``, each R S cycles long. A step reads ``min(16, C) (S + min(n, Xo) - 1) h`` inputs,
      h = 1 when n >= Xo (the row above left the others in the array) and R otherwise; weights are read once per 16 x 16
      channels, while the 16 x 16 before compute, and in every step only if R S > 256. With C < 16, (channel, tap) pairs
      may take the place of channels, as in im2col: C R S of them and one tap.
    - OS: a unit is 4 columns by 16 input channels, n <= P // 64 units take neighbouring rows.
      ``steps = K (Yo/n) (Xo/4) (C/16)``, each R S cycles long, each reading
      ``min(16, C) (R + min(n, Yo) - 1) (S + min(4, Xo) - 1)`` inputs and min(16, C) R S weights. With C < 16, and so in
      depthwise layers, the channel axis may hold 16 output channels instead:
      ``steps = (K/16) (Yo/n) (Xo/4)``, each C R S cycles long. Where weights are not shared among the outputs of an image
      (gemm, recurrent, and convolutions with one output) every PE may hold an output of its own, as ShiDianNao's classifier
      layers do ([3]_, section 7.3): ``steps = M (K/(64 n))``, each C R S cycles long, each reading C R S inputs, which go to
      all PEs, and min(64 n, K) C R S weights.
    - RS: a unit is 4 kernel rows by 16 output columns, n <= P // 64 units take output channels.
      ``steps = Yo (Xo/16) (C/4) (K/n)``, each min(4, C) S (R/4) cycles long, each reading
      ``min(4, C) R (min(16, Xo) + S - 1)`` inputs and min(n, K) min(4, C) R S weights. PEs that this leaves idle are filled
      as Eyeriss replicates its sets ([4]_, section V-B): with R <= 2, 4 // R input channels share the rows of a unit and
      are added up there; with Xo <= 8, 16 // Xo output channels share its columns; units beyond K take further output rows.
      Groups stand side by side as output channels do, each with inputs of its own; the channels of a group are too few to
      use the C axis in depthwise layers.

    ``cycles = steps * max(step, ingress / W)``, for WS at least all traffic / W. The mapping is the one with the fewest
    cycles, then the least traffic, among these and over all n, so that more PEs are never slower. Beyond the plain case:

    - stride: windows are as far apart as it says, and only the inputs under them are read (h = min(R, stride));
    - groups run one after the other (WS, OS); batch: images side by side where units are left over, else one after the other;
    - transposed: stride x stride output phases are as many output channels of a convolution with 1/stride of the taps
      over the inputs, so zeros that were stuffed in cost nothing;
    - gemm: rows take the spatial output axis (X for WS and RS, Y x X for OS), repetitions run one after the other;
    - recurrent: one gemm per step and direction; weights that fit the array's registers (WS, 256 per PE) are loaded once;
    - elementwise, pool, norm, softmax, embedding stream at W elements per cycle each way, norm twice over its inputs
      (statistics, scaling), softmax three times (maximum, sum, quotient); one operation per PE and cycle, R S per pooled
      output;
    - a pooling that is part of a convolution takes no time, and only its results are written.

    **DRAM.** Of the buffer of S bytes, one half holds the tile that stays while the other operand streams past:
    ``min(weights + inputs * ceil(weights / (S/2)), inputs + weights * ceil(inputs / (S/2))) + outputs``, per group or
    repetition; so what fits crosses once. Recurrent weights are read once if they fit S/2, else in every step.
    An activation tensor *stays on chip* between layers when it is at most S/4: then even two operands and their result
    leave a quarter to stream through. The rule looks at the tensor alone, so that a consumer on the same tiles finds what
    the producer kept; each operand of an elementwise layer, and of a product of two activations, is a tensor. Inputs and
    outputs that stay are not in `dram_bytes` but in `fetch_bytes` and `keep_bytes`.

    **Energy.** 'mac': each MAC with its three register accesses (two reads, one accumulation). 'sram': each element that
    crosses the NoC, inputs and weights per step and outputs once. 'dram': `dram_bytes`. 'l2' is 0: these accelerators share DRAM only.

    **Sources.** The closed forms are those of MAESTRO's cost model [1]_ for an NVDLA-like [2]_, a ShiDianNao-like [3]_ and an
    Eyeriss-like [4]_ mapping. Register and pass counts are assumptions (named in ``_core/dataflows.pxd`` and ``_core/cost.pxd``).

    **Limits.** Partial sums of WS and RS are free. Dilation costs no extra inputs. OS and RS read the weights of a step anew
    for every step, and the NoC limits a gemm of one row on them to W MACs per cycle. Operations without MACs cost no 'mac' energy. A
    concatenation or slice changes a tensor's size, so its consumer may disagree with its producers about what stays; the
    second operand of a skip connection is assumed to wait on chip.

    References
    ----------
    .. [1] Kwon et al., "Understanding Reuse, Performance, and Hardware Cost of DNN Dataflows", MICRO 2019.
    .. [2] NVIDIA, "NVDLA Primer", 2017, http://nvdla.org.
    .. [3] Du et al., "ShiDianNao: Shifting Vision Processing Closer to the Sensor", ISCA 2015.
    .. [4] Chen, Emer and Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for Convolutional Neural
       Networks", ISCA 2016.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["dataflow"] = "dataflow"
    dataflow: Literal["ws", "os", "rs"]
    pes: Annotated[int, Field(ge=1, le=2**24, strict=True)]
    clock_mhz: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)]
    sram_kib: Annotated[int, Field(ge=1, le=2**30, strict=True)]
    noc_elements_per_cycle: Annotated[int, Field(ge=1, le=2**24, strict=True)]
    element_bytes: Annotated[int, Field(ge=1, le=16, strict=True)] = 1

    @model_validator(mode="after")
    def _holds_a_unit(self) -> Any:
        if self.pes < UNIT_PES[self.dataflow]:
            raise ValueError(f"pes must be at least {UNIT_PES[self.dataflow]} for {self.dataflow}, got {self.pes}")
        return self

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
            `compute_ns` is never NaN: a spatial array runs every layer.

        Raises
        ------
        rtsched.errors.InputError
            When a tile is smaller than the dataflow's unit, layers are of kind 'measured', or one exceeds 2^53 cycles or
            bytes; lists all such layers.
        """
        arrays = [self._part(accelerator, part, tiles) for part in range(1, tiles + 1)]
        refuse(
            accelerator, layers, np.equal(layers.kind, MEASURED), "is known by its name alone, so it needs a measured table, not a dataflow"
        )
        n = len(layers)
        columns = np.stack([getattr(layers, name) for name in LAYER_COLUMNS], axis=1, dtype=np.int64)
        cycles, compute_cycles, accesses = np.empty((3, n, tiles))
        traffic_bytes = np.empty((n, tiles, 3), dtype=np.int64)
        for part, array in enumerate(arrays):
            array.estimate(columns, cycles[:, part], compute_cycles[:, part], accesses[:, part], traffic_bytes[:, part])
        refuse(accelerator, layers, np.isinf(cycles.max(axis=1, initial=0.0)), "is too large: more than 2^53 cycles, accesses or bytes")
        return Costs(
            compute_ns=cycles * 1000.0 / self.clock_mhz,
            dram_bytes=np.ascontiguousarray(traffic_bytes[..., 0]),
            l2_bytes=np.zeros((n, tiles), dtype=np.int64),
            fetch_bytes=np.ascontiguousarray(traffic_bytes[..., 1]),
            keep_bytes=np.ascontiguousarray(traffic_bytes[..., 2]),
            energy_j=_energy_j(energy, layers.macs, accesses, traffic_bytes[..., 0]),
            cycles=cycles,
            limit=np.where(cycles > compute_cycles, LIMITS.index("noc"), LIMITS.index("compute")).astype(np.int8),
            peak_macs_per_ns=np.array([self.pes * part // tiles * self.clock_mhz / 1000.0 for part in range(1, tiles + 1)]),
        )

    def _part(self, accelerator: str, part: int, tiles: int) -> Array:
        """`part` of the `tiles` tiles as one array."""
        pes = self.pes * part // tiles
        if pes < UNIT_PES[self.dataflow]:
            raise InputError(
                f"accelerator {accelerator}: one of its {tiles} tiles has {pes} PEs,"
                f" and {self.dataflow} needs at least {UNIT_PES[self.dataflow]}"
            )
        return Array(
            self.dataflow,
            pes=pes,
            noc_elements_per_cycle=max(1, self.noc_elements_per_cycle * part // tiles),
            sram_bytes=self.sram_kib * 1024 * part // tiles,
            element_bytes=self.element_bytes,
        )


def refuse(accelerator: str, layers: LayerTable, is_at_fault: NDArray[np.bool_], fault: str) -> None:
    """Raise an InputError that names every layer at fault."""
    keys = [layers.keys[layer] for layer in np.flatnonzero(is_at_fault)]
    if keys:
        raise InputError([f"accelerator {accelerator}: layer {quoted(key.layer)} of model {quoted(key.model)} {fault}" for key in keys])


def _energy_j(energy: Energy, macs: NDArray[np.int64], accesses: NDArray[np.float64], dram_bytes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Energy by component, shape (n_layers, tiles, components)."""
    mac_j = energy.mac_pj * 1e-12
    by_component = np.zeros((*accesses.shape, len(ENERGY_COMPONENTS)))
    by_component[..., ENERGY_COMPONENTS.index("mac")] = (macs * (mac_j * (1.0 + 3.0 * energy.l1_per_mac)))[:, np.newaxis]
    by_component[..., ENERGY_COMPONENTS.index("sram")] = accesses * (mac_j * energy.sram_per_mac)
    by_component[..., ENERGY_COMPONENTS.index("dram")] = dram_bytes * energy.dram_j_per_byte
    return by_component
