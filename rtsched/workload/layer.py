"""Layers: the smallest unit that is scheduled, described by shape alone.

A layer knows its arithmetic (multiply-accumulates), its parameters and the number of elements that it reads and writes.
What these cost on an accelerator is the business of :mod:`rtsched.cost`.

Dimensions follow the accelerator literature: N batch, K output channels, C input channels, Y/X input rows and columns,
R/S kernel rows and columns.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from rtsched.workload.layer_base import MAX_DIMENSION, LayerBase, Size
from rtsched.workload.window import Conv, FusedPool, Pool

__all__ = [
    "MAX_DIMENSION",
    "Conv",
    "Elementwise",
    "Embedding",
    "FusedPool",
    "Gemm",
    "Layer",
    "LayerBase",
    "Measured",
    "Norm",
    "Pool",
    "Recurrent",
    "Reshape",
    "Softmax",
]


class Gemm(LayerBase):
    """Matrix product: (m x k) times (k x n), `count` of them.

    Attributes
    ----------
    m, n, k : int
        Rows, columns and depth. A fully connected layer has m = batch, k = inputs, n = outputs.
    count : int
        Independent products of this shape (attention heads).
    has_weights : bool
        False when both operands are activations, as in attention.
    bias : bool
        Counts in `parameters` only.
    """

    kind: Literal["gemm"] = "gemm"
    m: Size
    n: Size
    k: Size
    count: Size = 1
    has_weights: bool = True
    bias: bool = False

    @property
    def macs(self) -> int:
        return self.count * self.m * self.n * self.k

    @property
    def weight_elements(self) -> int:
        return self.count * self.k * self.n if self.has_weights else 0

    @property
    def parameters(self) -> int:
        return self.weight_elements + (self.count * self.n if self.bias else 0)

    @property
    def input_elements(self) -> int:
        second = 0 if self.has_weights else self.k * self.n
        return self.count * (self.m * self.k + second)

    @property
    def output_elements(self) -> int:
        return self.count * self.m * self.n


class Recurrent(LayerBase):
    """A recurrent layer over `steps` time steps; each step is one (batch x (input + hidden)) by (gates * hidden) product.

    Attributes
    ----------
    input_size, hidden_size : int
        Width of the step's input and of the state.
    gates : int
        4 for LSTM, 3 for GRU, 1 for a plain recurrent network.
    steps : int
        Sequence length.
    batch : int
        Sequences side by side.
    directions : int
        2 when it runs over the sequence both ways.
    bias : bool
        Counts in `parameters` only.
    """

    kind: Literal["recurrent"] = "recurrent"
    input_size: Size
    hidden_size: Size
    gates: Literal[1, 3, 4] = 4
    steps: Size
    batch: Size = 1
    directions: Literal[1, 2] = 1
    bias: bool = False

    @property
    def macs(self) -> int:
        return self.steps * self.batch * self.weight_elements

    @property
    def weight_elements(self) -> int:
        return self.directions * self.gates * self.hidden_size * (self.input_size + self.hidden_size)

    @property
    def parameters(self) -> int:
        return self.weight_elements + (self.directions * self.gates * self.hidden_size if self.bias else 0)

    @property
    def input_elements(self) -> int:
        return self.steps * self.batch * self.input_size

    @property
    def output_elements(self) -> int:
        return self.steps * self.batch * self.directions * self.hidden_size


class Elementwise(LayerBase):
    """Activation functions, additions, products: `operands` inputs of `elements` each, one output.

    An `operands` of 2 is a residual addition.

    Attributes
    ----------
    elements : int
        Of each input and of the output.
    operands : int
        Inputs that are activations.
    channels : int
        Length of a row of the tensors in memory, where that matters (rows of 45 bytes begin between words); 1: not known.
    """

    kind: Literal["elementwise"] = "elementwise"
    elements: Size
    operands: Size = 1
    channels: Size = 1

    @model_validator(mode="after")
    def _rows_are_whole(self) -> Any:
        if self.elements % self.channels:
            raise ValueError(f"channels {self.channels} must divide elements {self.elements}")
        return self

    @property
    def input_elements(self) -> int:
        return self.operands * self.elements

    @property
    def output_elements(self) -> int:
        return self.elements


class Norm(LayerBase):
    """Batch, layer, instance or group normalisation with a scale and a shift per channel.

    Attributes
    ----------
    elements : int
        Of the input and of the output.
    channels : int
        With a scale and a shift each.
    has_weights : bool
        False without scale and shift, as in local response normalisation.
    """

    kind: Literal["norm"] = "norm"
    elements: Size
    channels: Size
    has_weights: bool = True

    @property
    def weight_elements(self) -> int:
        return 2 * self.channels if self.has_weights else 0

    @property
    def input_elements(self) -> int:
        return self.elements

    @property
    def output_elements(self) -> int:
        return self.elements


class Softmax(LayerBase):
    """Softmax over `elements` values in all.

    Attributes
    ----------
    elements : int
        Of the input and of the output, all rows together.
    """

    kind: Literal["softmax"] = "softmax"
    elements: Size

    @property
    def input_elements(self) -> int:
        return self.elements

    @property
    def output_elements(self) -> int:
        return self.elements


class Embedding(LayerBase):
    """Table look-up: `lookups` rows of `width` elements out of a table of `rows`.

    Attributes
    ----------
    rows : int
        Entries of the table.
    width : int
        Elements of a row.
    lookups : int
        Rows that one inference reads.
    """

    kind: Literal["embedding"] = "embedding"
    rows: Size
    width: Size
    lookups: Size

    @property
    def parameters(self) -> int:
        return self.rows * self.width

    @property
    def weight_elements(self) -> int:
        return self.lookups * self.width

    @property
    def output_elements(self) -> int:
        return self.lookups * self.width


class Measured(LayerBase):
    """A layer known by its name alone; its costs come from a table."""

    kind: Literal["measured"] = "measured"


class Reshape(LayerBase):
    """Reshape, transpose, concatenation and the like: free, and removed when a problem is compiled."""

    kind: Literal["reshape"] = "reshape"
    is_free: ClassVar[bool] = True


Layer = Annotated[
    Conv | Gemm | Recurrent | Pool | Elementwise | Norm | Softmax | Embedding | Measured | Reshape,
    Field(discriminator="kind"),
]
