"""Layers whose kernel slides over an image: convolution and pooling."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator

from rtsched.workload.layer_base import MAX_DIMENSION, LayerBase, Padding, Size

__all__ = ["Conv", "FusedPool", "Pool"]


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

    @cached_property
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

    @cached_property
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

    @cached_property
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
        return self.counts[0]

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
        return self.counts[3]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """All at once, for they share the output's size, which takes longest."""
        output, weights = self.output_size, self.weight_elements
        written = output if self.pool is None else self.pooled_size
        positions = prod(self.size if self.transposed else output)
        return self.batch * positions * weights, weights, self.input_elements, self.batch * self.out_channels * prod(written)


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
