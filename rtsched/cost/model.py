"""What a cost model is given and what it answers.

An accelerator *is* described by its cost model: a dataflow with its array and buffers, or a table of measured times. A
new one is one file with one class: a frozen pydantic model with a ``model`` tag, its hardware parameters, and `estimate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, NamedTuple, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rtsched.errors import InputError, quoted
from rtsched.workload.layer import Conv, Elementwise, Gemm, LayerBase, Pool, Recurrent

__all__ = ["ENERGY_COMPONENTS", "KINDS", "LIMITS", "CostModel", "Costs", "Energy", "LayerKey", "LayerTable", "layer_cells"]

KINDS = ("conv", "gemm", "recurrent", "pool", "elementwise", "norm", "softmax", "embedding", "measured")
"""Layer kinds; a layer's code in `LayerTable.kind` is its index here."""

MAX_SIZE = 2**63 - 1
"""The most that a dimension, or a layer's number of multiply-accumulates or elements, may be: what the table's int64 holds."""

ENERGY_COMPONENTS = ("mac", "sram", "l2", "dram")
"""Components that a cost model answers for; switch and idle energy are the engine's."""

LIMITS = ("compute", "noc", "start-up")
"""What takes the time when memory is infinitely fast: the array, what feeds it, or what a layer costs before it begins."""


class Energy(BaseModel):
    """Energy constants of a platform, relative to one multiply-accumulate.

    Attributes
    ----------
    mac_pj : float
        One int8 multiply-accumulate, 28 nm.
    l1_per_mac : float
        One register or L1 access, in units of `mac_pj`.
    sram_per_mac : float
        One access to the shared on-chip SRAM (L2), per element, in units of `mac_pj`.
    dram_per_mac : float
        One DRAM byte moved, in units of `mac_pj`.
    source : str
        Where the figures come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mac_pj: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 0.23
    l1_per_mac: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 1.68
    sram_per_mac: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 18.6
    dram_per_mac: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] = 200.0
    source: str = "int8 MAC in 28 nm; access ratios as in MAESTRO (Kwon et al., MICRO 2019), assumed for every preset"

    @property
    def dram_j_per_byte(self) -> float:
        """Joule per byte moved to or from DRAM."""
        return self.mac_pj * self.dram_per_mac * 1e-12


class LayerKey(NamedTuple):
    """Names one layer of a problem.

    Attributes
    ----------
    model : str
        The model; for a Supernet with several subnets ``model/subnet``.
    layer : str
    """

    model: str
    layer: str


@dataclass(frozen=True)
class LayerTable:
    """Every layer of a problem as columns, so that cost models work on arrays.

    One row is a layer; dimensions that a kind does not have are 1. A `Gemm` has yo = m, k = n, c = k and count = its
    count; a `Recurrent` has yo = batch, k = gates * hidden, c = input + hidden and count = steps * directions; an
    `Elementwise` has c = k = channels.

    Attributes
    ----------
    keys : tuple of LayerKey
    kind : ndarray of int8, shape (n,)
        Index into `KINDS`.
    batch, k, c, y, x, r, s, stride_y, stride_x, yo, xo, groups, count : ndarray of int64, shape (n,)
        N, output channels, input channels, input rows and columns, kernel rows and columns (not dilated), strides, output
        rows and columns, groups, repetitions one after the other.
    transposed : ndarray of int64, shape (n,)
        1 for transposed convolutions.
    pool_r, pool_s, pool_stride_y, pool_stride_x : ndarray of int64, shape (n,)
        Window and strides of the pooling that is part of a convolution; 1 without.
    po, qo : ndarray of int64, shape (n,)
        Output rows and columns after it; those of the convolution without.
    macs, weights, inputs, outputs : ndarray of int64, shape (n,)
        Multiply-accumulates and elements of one inference. `weights` counts each once, however many steps re-read it.
    """

    keys: tuple[LayerKey, ...]
    kind: np.ndarray
    batch: np.ndarray
    k: np.ndarray
    c: np.ndarray
    y: np.ndarray
    x: np.ndarray
    r: np.ndarray
    s: np.ndarray
    stride_y: np.ndarray
    stride_x: np.ndarray
    yo: np.ndarray
    xo: np.ndarray
    groups: np.ndarray
    count: np.ndarray
    transposed: np.ndarray
    pool_r: np.ndarray
    pool_s: np.ndarray
    pool_stride_y: np.ndarray
    pool_stride_x: np.ndarray
    po: np.ndarray
    qo: np.ndarray
    macs: np.ndarray
    weights: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray

    @classmethod
    def of(cls, keys: Sequence[LayerKey], layers: Sequence[LayerBase]) -> LayerTable:
        """Build the table.

        Parameters
        ----------
        keys : sequence of LayerKey
        layers : sequence of LayerBase, same length
            None of them free.

        Raises
        ------
        rtsched.errors.InputError
            A layer is larger than `MAX_SIZE` in some way; names every such layer.
        """
        return cls.joined(keys, [layer_cells(keys, layers)])

    @classmethod
    def joined(cls, keys: Sequence[LayerKey], cells: Sequence[np.ndarray]) -> LayerTable:
        """Build the table of layers whose cells are there (see `layer_cells`), one after the other."""
        columns = np.ascontiguousarray(np.concatenate(cells).T)
        return cls(tuple(keys), columns[0].astype(np.int8), *columns[1:])

    def __len__(self) -> int:
        return len(self.keys)


N_COLUMNS = 25


def layer_cells(keys: Sequence[LayerKey], layers: Sequence[LayerBase]) -> np.ndarray:
    """Kind code, dimensions and counts of layers: a row for each, a column for each of `LayerTable`.

    Parameters
    ----------
    keys : sequence of LayerKey
        For messages.
    layers : sequence of LayerBase, same length

    Returns
    -------
    ndarray of int64, shape (n_layers, 25)

    Raises
    ------
    rtsched.errors.InputError
        A layer is larger than `MAX_SIZE` in some way; names every such layer.
    """
    rows = [(*_dimensions(one), *one.counts) for one in layers]
    faults = [
        f"layer {quoted(key.layer)} of model {quoted(key.model)}: a dimension, its multiply-accumulates or its elements are 2^63 or more"
        for key, row in zip(keys, rows, strict=True)
        if max(row) > MAX_SIZE
    ]
    if faults:
        raise InputError(faults)
    return np.fromiter(chain.from_iterable(rows), np.int64, count=N_COLUMNS * len(layers)).reshape(len(layers), N_COLUMNS)


_NO_POOL = (1,) * 4


def _dimensions(layer: LayerBase) -> tuple[int, ...]:
    """Kind code, then the columns of `LayerTable` from `batch` to `qo`."""
    kind = KINDS.index(layer.kind)
    match layer:
        case Conv():
            (y, x), (r, s), (sy, sx), (yo, xo) = layer.size, layer.kernel, layer.stride, layer.output_size
            n, k, c = layer.batch, layer.out_channels, layer.in_channels
            (pr, ps), (py, px) = ((1, 1), (1, 1)) if layer.pool is None else (layer.pool.kernel, layer.pool.stride)
            pooled = (yo, xo) if layer.pool is None else layer.pooled_size
            return (kind, n, k, c, y, x, r, s, sy, sx, yo, xo, layer.groups, 1, int(layer.transposed), pr, ps, py, px, *pooled)
        case Pool():
            (y, x), (r, s), (sy, sx), (yo, xo) = layer.size, layer.kernel, layer.stride, layer.output_size
            return (kind, layer.batch, layer.channels, layer.channels, y, x, r, s, sy, sx, yo, xo, layer.channels, 1, 0, *_NO_POOL, yo, xo)
        case Gemm():
            return (kind, 1, layer.n, layer.k, layer.m, 1, 1, 1, 1, 1, layer.m, 1, 1, layer.count, 0, *_NO_POOL, layer.m, 1)
        case Recurrent():
            k, c = layer.gates * layer.hidden_size, layer.input_size + layer.hidden_size
            n, count = layer.batch, layer.steps * layer.directions
            return (kind, 1, k, c, n, 1, 1, 1, 1, 1, n, 1, 1, count, 0, *_NO_POOL, n, 1)
        case Elementwise():
            return (kind, 1, layer.channels, layer.channels, *(1,) * 10, 0, *_NO_POOL, 1, 1)
        case _:
            return (kind, *(1,) * 13, 0, *_NO_POOL, 1, 1)


@dataclass(frozen=True)
class Costs:
    """Costs of every layer on one accelerator, on 1..tiles tiles, alone and warm.

    *Warm*: input activations that fit the accelerator's buffer are found there, and output activations that fit stay there.

    Attributes
    ----------
    compute_ns : ndarray of float64, shape (n_layers, tiles)
        Time when memory is infinitely fast; not rounded. NaN where the layer cannot run.
    dram_bytes, l2_bytes : ndarray of int64, shape (n_layers, tiles)
        Traffic while the layer runs.
    fetch_bytes : ndarray of int64, shape (n_layers, tiles)
        Input activations that warm execution finds on chip: read from DRAM when they are not there.
    keep_bytes : ndarray of int64, shape (n_layers, tiles)
        Output activations that stay on chip: written to DRAM when another job displaces them.
    energy_j : ndarray of float64, shape (n_layers, tiles, 4)
        By `ENERGY_COMPONENTS`.
    cycles : ndarray of float64, shape (n_layers, tiles), optional
        Clock cycles of `compute_ns`; NaN where the layer cannot run. None where the model knows of no clock.
    limit : ndarray of int8, shape (n_layers, tiles), optional
        What most of `compute_ns` goes to, as an index into `LIMITS`. None where the model does not know.
    peak_macs_per_ns : ndarray of float64, shape (tiles,), optional
        Multiply-accumulates that 1..tiles tiles can do at most. None where the model does not know.
    """

    compute_ns: np.ndarray
    dram_bytes: np.ndarray
    l2_bytes: np.ndarray
    fetch_bytes: np.ndarray
    keep_bytes: np.ndarray
    energy_j: np.ndarray
    cycles: np.ndarray | None = None
    limit: np.ndarray | None = None
    peak_macs_per_ns: np.ndarray | None = None


class CostModel(Protocol):
    """Turns layers into costs.

    **Contract**: a pure function of its arguments and its own frozen fields; called once per accelerator when a problem
    is compiled, for all layers at once.
    """

    def estimate(self, accelerator: str, tiles: int, layers: LayerTable, energy: Energy) -> Costs:
        """Estimate every layer.

        Parameters
        ----------
        accelerator : str
            The accelerator's name (tables have rows by name).
        tiles : int
            Answer for 1..tiles tiles.
        layers : LayerTable
        energy : Energy

        Returns
        -------
        Costs

        Raises
        ------
        rtsched.errors.InputError
            When a layer has no cost on any account (a table without it).
        """
        ...
