"""Layers: the smallest unit that is scheduled, described by shape alone.

A layer knows its arithmetic (multiply-accumulates), its parameters and the number of elements that it reads and writes.
What these cost on an accelerator is the business of :mod:`rtsched.cost`.

Dimensions follow the accelerator literature: N batch, K output channels, C input channels, Y/X input rows and columns,
R/S kernel rows and columns.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

__all__ = [
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

MAX_DIMENSION = 2**31 - 1

Size = Annotated[int, Field(ge=1, le=MAX_DIMENSION, strict=True)]
Padding = Annotated[int, Field(ge=0, le=MAX_DIMENSION, strict=True)]


def _pair(value: Any) -> Any:
    """Accept one integer for both directions."""
    return (value, value) if isinstance(value, int) else value


def _four(value: Any) -> Any:
    """Accept one integer for all four sides, or (vertical, horizontal)."""
    if isinstance(value, int):
        return (value,) * 4
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return (value[0], value[1], value[0], value[1])
    return value


def _written(least: int, *lengths: int) -> WithJsonSchema:
    """Tell editors what the validators above accept: one integer, or a list of one of the lengths."""
    integer = {"type": "integer", "minimum": least, "maximum": MAX_DIMENSION}
    lists = [{"type": "array", "items": integer, "minItems": n, "maxItems": n} for n in lengths]
    return WithJsonSchema({"anyOf": [integer, *lists]})


Pair = Annotated[tuple[Size, Size], BeforeValidator(_pair), _written(1, 2)]
Sides = Annotated[tuple[Padding, Padding, Padding, Padding], BeforeValidator(_four), _written(0, 2, 4)]


class LayerBase(BaseModel):
    """What every layer has.

    Attributes
    ----------
    name : str
        Unique within its subnet.
    kind : str
        Selects the class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    kind: str

    is_free: ClassVar[bool] = False
    """True for layers that take no time and move no bytes; they are removed when a problem is compiled."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    @property
    def parameters(self) -> int:
        """Number of trained parameters, biases included where the layer has them."""
        return self.weight_elements

    @property
    def weight_elements(self) -> int:
        """Weight elements that one inference reads."""
        return 0

    @property
    def input_elements(self) -> int:
        """Activation elements read."""
        return 0

    @property
    def output_elements(self) -> int:
        """Activation elements written."""
        return 0


class _Window(LayerBase):
    """A kernel that slides over an image: shape arithmetic shared by convolution and pooling.

    Attributes
    ----------
    size : (int, int)
        Input rows and columns, without padding. One integer stands for both.
    kernel, stride, dilation : (int, int)
        Rows and columns.
    padding : (int, int, int, int)
        Top, left, bottom, right. One integer stands for all; two for vertical and horizontal.
    batch : int
        N.
    """

    size: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    batch: Size = 1

    @property
    def output_size(self) -> tuple[int, int]:
        """Output rows and columns."""
        (y, x), (r, s), (stride_y, stride_x) = self.size, self.kernel, self.stride
        (top, left, bottom, right), (dilation_y, dilation_x) = self.padding, self.dilation
        return (
            (y + top + bottom - (r - 1) * dilation_y - 1) // stride_y + 1,
            (x + left + right - (s - 1) * dilation_x - 1) // stride_x + 1,
        )

    @model_validator(mode="after")
    def _fits(self) -> Any:
        if min(self.output_size) < 1:
            raise ValueError(f"the kernel {self.kernel} (dilation {self.dilation}) is larger than the padded input {self.size}")
        return self


class FusedPool(BaseModel):
    """A maximum pooling that the convolution before it does on its way out, so that only the result is written.

    Attributes
    ----------
    kernel, stride : (int, int)
        Rows and columns.
    padding : (int, int, int, int)
        Top, left, bottom, right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)


class Conv(_Window):
    """Two-dimensional convolution; one-dimensional ones have one row.

    Attributes
    ----------
    in_channels, out_channels : int
        C and K.
    groups : int
        C and K are split into as many groups; depthwise when it equals C.
    transposed : bool
        A transposed (fractionally strided) convolution: the output is ``stride`` times as large.
    output_padding : (int, int)
        Rows and columns added to the output of a transposed convolution.
    bias : bool
        Counts in `parameters` only.
    pool : FusedPool, optional
        A maximum pooling of its output that is part of the layer.
    """

    kind: Literal["conv"] = "conv"
    in_channels: Size
    out_channels: Size
    groups: Size = 1
    transposed: bool = False
    output_padding: Annotated[tuple[Padding, Padding], BeforeValidator(_pair), _written(0, 2)] = (0, 0)
    bias: bool = False
    pool: FusedPool | None = None

    @model_validator(mode="after")
    def _pool_fits(self) -> Any:
        if min(self.pooled_size) < 1:
            kernel = None if self.pool is None else self.pool.kernel
            raise ValueError(f"the pool's kernel {kernel} is larger than the padded output {self.output_size}")
        return self

    @model_validator(mode="after")
    def _groups_divide(self) -> Any:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"groups {self.groups} must divide in_channels {self.in_channels} and out_channels {self.out_channels}")
        return self

    @property
    def output_size(self) -> tuple[int, int]:
        """Output rows and columns, before a pooling."""
        if not self.transposed:
            return super().output_size
        (y, x), (r, s), (stride_y, stride_x) = self.size, self.kernel, self.stride
        (top, left, bottom, right), (dilation_y, dilation_x) = self.padding, self.dilation
        return (
            (y - 1) * stride_y + (r - 1) * dilation_y + 1 + self.output_padding[0] - top - bottom,
            (x - 1) * stride_x + (s - 1) * dilation_x + 1 + self.output_padding[1] - left - right,
        )

    @property
    def pooled_size(self) -> tuple[int, int]:
        """Rows and columns that are written: `output_size`, pooled."""
        if self.pool is None:
            return self.output_size
        pool, (rows, columns) = self.pool, self.output_size
        top, left, bottom, right = pool.padding
        return (
            (rows + top + bottom - pool.kernel[0]) // pool.stride[0] + 1,
            (columns + left + right - pool.kernel[1]) // pool.stride[1] + 1,
        )

    @property
    def macs(self) -> int:
        positions = prod(self.size) if self.transposed else prod(self.output_size)
        return self.batch * positions * self.weight_elements

    @property
    def weight_elements(self) -> int:
        return self.out_channels * (self.in_channels // self.groups) * prod(self.kernel)

    @property
    def parameters(self) -> int:
        return self.weight_elements + (self.out_channels if self.bias else 0)

    @property
    def input_elements(self) -> int:
        return self.batch * self.in_channels * prod(self.size)

    @property
    def output_elements(self) -> int:
        return self.batch * self.out_channels * prod(self.pooled_size)


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


class Pool(_Window):
    """Maximum or average over a sliding window; a global pooling has kernel = size.

    Attributes
    ----------
    channels : int
        C, pooled each for itself.
    """

    kind: Literal["pool"] = "pool"
    channels: Size

    @property
    def input_elements(self) -> int:
        return self.batch * self.channels * prod(self.size)

    @property
    def output_elements(self) -> int:
        return self.batch * self.channels * prod(self.output_size)


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
