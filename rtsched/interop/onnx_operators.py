"""The operators of ONNX as layers: operator type -> function, from shapes alone.

Nothing here needs the `onnx` package. Weights are inputs that are constants; every other input is an activation. Weights
of a convolution or a recurrent network that are computed at run time count as weights all the same.

Data that only changes its place or type (`FREE`) costs nothing, so it yields no layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

from rtsched.interop.onnx_shapes import Node, Shape, UnsupportedNodeError, words
from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, LayerBase, Norm, Pool, Recurrent, Softmax

__all__ = ["FREE", "OPERATORS", "UnmappedError", "translate"]

Layers = Sequence[LayerBase]


class UnmappedError(ValueError):
    """The operator, or this use of it, has no layer."""


def translate(node: Node) -> Layers:
    """Turn a node into layers, none when it is free or constant.

    Parameters
    ----------
    node : Node

    Returns
    -------
    sequence of LayerBase

    Raises
    ------
    UnmappedError
        The operator is not in `OPERATORS` or `FREE`.
    UnsupportedNodeError
        This node of a known operator cannot be a layer, or a shape that it needs is not known.
    pydantic.ValidationError
        A dimension is out of range.
    """
    if node.is_constant or (node.op in FREE and not node.domain):
        return ()
    if node.op not in OPERATORS or node.domain:
        raise UnmappedError
    if any(tensor is not None and tensor.shape is not None and 0 in tensor.shape for tensor in node.outputs):
        return ()
    return OPERATORS[node.op](node)


def _window(node: Node, size: Shape, kernel: Sequence[int], output: Shape) -> dict[str, Any]:
    """Size, kernel, stride, padding and dilation of a window over rows and columns; one spatial axis is one row.

    ONNX may leave the padding open (``auto_pad``) or round the output size up (``ceil_mode``): what the output needs is added.
    """
    rank = len(size)
    stride = node.integers("strides", (1,) * rank)
    dilation = node.integers("dilations", (1,) * rank)
    pads = node.integers("pads", (0,) * (2 * rank))
    auto = node.text("auto_pad", "NOTSET")
    begin, end = [], []
    for axis in range(rank):
        extent = (kernel[axis] - 1) * dilation[axis] + 1
        needed = max((output[axis] - 1) * stride[axis] + extent - size[axis], 0)
        if auto == "NOTSET":
            begin.append(pads[axis])
            end.append(max(pads[axis + rank], needed - pads[axis]))
        else:
            begin.append((needed + (auto == "SAME_LOWER")) // 2)
            end.append(needed - begin[-1])
    row = (1,) * (2 - rank)
    edge = (0,) * (2 - rank)
    return {
        "size": (*row, *size),
        "kernel": (*row, *kernel),
        "stride": (*row, *stride),
        "dilation": (*row, *dilation),
        "padding": (*edge, *begin, *edge, *end),
    }


def _conv(node: Node, weights: int = 1, bias: int = 2) -> Layers:
    batch, channels, *size = node.input_shape(0, 3, 4)
    out_channels, depth, *kernel = node.input_shape(weights, 2 + len(size))
    groups = node.integer("group", 1)
    if depth * groups != channels:
        raise UnsupportedNodeError(f"the input has {channels} channels, the weights are for {groups} x {depth}")
    window = _window(node, tuple(size), kernel, node.output_shape()[2:])
    return [
        Conv(
            name=node.name,
            in_channels=channels,
            out_channels=out_channels,
            groups=groups,
            batch=batch,
            bias=node.is_weight(bias),
            **window,
        )
    ]


def _conv_transpose(node: Node) -> Layers:
    """The padding follows from the output size, whichever attribute fixed it (pads, auto_pad, output_shape)."""
    batch, channels, *size = node.input_shape(0, 3, 4)
    depth, per_group, *kernel = node.input_shape(1, 2 + len(size))
    if depth != channels:
        raise UnsupportedNodeError(f"the input has {channels} channels, the weights are for {depth}")
    rank, output = len(size), node.output_shape()[2:]
    stride = node.integers("strides", (1,) * rank)
    dilation = node.integers("dilations", (1,) * rank)
    excess = [(size[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - output[i] for i in range(rank)]
    row, edge = (1,) * (2 - rank), (0,) * (2 - rank)
    cut = [max(each, 0) for each in excess]
    groups = node.integer("group", 1)
    return [
        Conv(
            name=node.name,
            in_channels=channels,
            out_channels=per_group * groups,
            groups=groups,
            size=(*row, *size),
            kernel=(*row, *kernel),
            stride=(*row, *stride),
            dilation=(*row, *dilation),
            padding=(*edge, *(each // 2 for each in cut), *edge, *(each - each // 2 for each in cut)),
            output_padding=(*edge, *(max(-each, 0) for each in excess)),
            transposed=True,
            batch=batch,
            bias=node.is_weight(2),
        )
    ]


def _pool(node: Node) -> Layers:
    batch, channels, *size = node.input_shape(0, 3, 4)
    kernel = node.integers("kernel_shape", (1,) * len(size))
    return [Pool(name=node.name, channels=channels, batch=batch, **_window(node, tuple(size), kernel, node.output_shape()[2:]))]


def _global_pool(node: Node) -> Layers:
    batch, channels, *size = node.input_shape(0)
    plane = (prod(size[:-1]), size[-1]) if size else (1, 1)
    return [Pool(name=node.name, channels=channels, batch=batch, size=plane, kernel=plane)]


def _reduction(node: Node) -> Layers:
    """A pooling: each output element reads its share of the input."""
    kept = prod(node.output_shape())
    span = (1, prod(node.input_shape(0)) // kept)
    return [Pool(name=node.name, channels=kept, size=span, kernel=span)]


def _elementwise(node: Node) -> Layers:
    """Operands that are broadcast (a scale per channel, the bounds of a clip) are small beside the output and do not count."""
    elements = prod(node.output_shape())
    full = sum(prod(node.input_shape(index)) >= elements for index in range(len(node.inputs)) if node.has(index))
    return [Elementwise(name=node.name, elements=elements, operands=max(full, 1))]


def _copy(node: Node) -> Layers:
    """Irregular movement: as many elements as are written, each read once."""
    return [Elementwise(name=node.name, elements=prod(node.output_shape()))]


def _scan(node: Node) -> Layers:
    """Every input element is looked at, few are kept."""
    return [Elementwise(name=node.name, elements=prod(node.input_shape(0)))]


def _norm(node: Node) -> Layers:
    return [Norm(name=node.name, elements=prod(node.output_shape()), channels=prod(node.input_shape(1)))]


def _norm_without_scale(node: Node) -> Layers:
    shape = node.output_shape()
    return [Norm(name=node.name, elements=prod(shape), channels=shape[1] if len(shape) > 1 else 1, has_weights=False)]


def _softmax(node: Node) -> Layers:
    return [Softmax(name=node.name, elements=prod(node.output_shape()))]


def _gemm(node: Node) -> Layers:
    first, second = node.input_shape(0, 2), node.input_shape(1, 2)
    rows, depth = reversed(first) if node.integer("transA", 0) else first
    columns = second[0] if node.integer("transB", 0) else second[1]
    return _product(node, (rows, depth), (depth, columns), 1, bias=node.is_weight(2))


def _matmul(node: Node, second: int = 1) -> Layers:
    """One-dimensional operands are one row or one column, as in NumPy."""
    a, b = node.input_shape(0), node.input_shape(second)
    a = a if len(a) > 1 else (1, *a)
    b = b if len(b) > 1 else (*b, 1)
    return _product(node, a, b, second)


def _product(node: Node, a: Shape, b: Shape, second: int, bias: bool = False) -> Layers:
    """(..., m, k) times (..., k, n). A batch in which one operand repeats is more rows of one product, not more products."""
    if node.is_weight(0) and not node.is_weight(second):
        a, b = (*b[:-2], b[-1], b[-2]), (*a[:-2], a[-1], a[-2])
    (m, k), n, batches = a[-2:], b[-1], _broadcast(a[:-2], b[:-2])
    count = prod(b[:-2])
    has_weights = node.is_weight(0) or node.is_weight(second)
    return [Gemm(name=node.name, m=m * (batches // count), n=n, k=k, count=count, has_weights=has_weights, bias=bias)]


def _broadcast(a: Shape, b: Shape) -> int:
    """Number of elements of two shapes broadcast together."""
    rank = max(len(a), len(b))
    return prod(max(pair) for pair in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))


def _einsum(node: Node) -> Layers:
    """A batched matrix product, when the equation is one: two operands, and every summed index is in both."""
    equation = node.text("equation").replace(" ", "")
    terms, arrow, result = equation.partition("->")
    operands = terms.split(",")
    if not arrow or len(operands) != 2 or "." in equation:
        raise UnmappedError
    shapes = [node.input_shape(index) for index in range(2)]
    if any(len(set(term)) != len(term) for term in (*operands, result)):
        raise UnmappedError
    sizes: dict[str, int] = {}
    for term, shape in zip(operands, shapes, strict=True):
        for index, size in zip(term, shape, strict=True):
            if sizes.setdefault(index, size) != size:
                raise UnsupportedNodeError(f"index {index!r} of {equation!r} has the sizes {sizes[index]} and {size}")
    left, right, out = map(set, (*operands, result))
    if (left ^ right) - out:
        raise UnmappedError
    extent = {key: prod(sizes[index] for index in group) for key, group in _roles(left, right, out).items()}
    batch = extent["batch"]
    return _product(node, (batch, extent["rows"], extent["depth"]), (batch, extent["depth"], extent["columns"]), 1)


def _roles(left: set[str], right: set[str], out: set[str]) -> dict[str, set[str]]:
    return {"batch": left & right & out, "rows": left - right, "columns": right - left, "depth": (left & right) - out}


def _attention(node: Node) -> Layers:
    """Scores, softmax and weighted sum; heads that share keys are more rows of one product. The mask is fused."""
    q, k, v = (node.input_shape(index, 3, 4) for index in range(3))
    heads = node.integer("q_num_heads", q[1] if len(q) == 4 else 1)
    groups = node.integer("kv_num_heads", k[1] if len(k) == 4 else 1)
    if heads < 1 or groups < 1 or heads % groups:
        raise UnsupportedNodeError(f"{heads} heads cannot share {groups} heads of keys")
    width, value_width = (each[-1] if len(each) == 4 else each[-1] // groups for each in (k, v))
    length = k[-2] + (node.input_shape(4, 4)[-2] if node.has(4) else 0)
    rows, count = q[-2] * heads // groups, q[0] * groups
    return [
        Gemm(name=f"{node.name}.scores", m=rows, n=length, k=width, count=count, has_weights=False),
        Softmax(name=f"{node.name}.softmax", elements=count * rows * length),
        Gemm(name=f"{node.name}.context", m=rows, n=value_width, k=length, count=count, has_weights=False),
    ]


def _recurrent(node: Node, gates: int) -> Layers:
    """LSTM, GRU or RNN. ONNX's second bias per gate is not counted, as hardware adds the two beforehand."""
    steps, batch, width = node.input_shape(0, 3)
    if node.integer("layout", 0):
        steps, batch = batch, steps
    directions, _, hidden = node.input_shape(2, 3)
    fields: dict[str, Any] = {"gates": gates, "directions": directions, "bias": node.is_weight(3)}
    return [Recurrent(name=node.name, input_size=width, hidden_size=hidden, steps=steps, batch=batch, **fields)]


def _gather(node: Node) -> Layers:
    """A look-up in a constant table; picking a part of an activation is free, like a slice."""
    if not node.is_weight(0):
        return ()
    width, lookups = list(node.input_shape(0)), prod(node.input_shape(1))
    rows = width.pop(node.integer("axis", 0))
    return [Embedding(name=node.name, rows=rows, width=prod(width), lookups=lookups)]


def _reshape(node: Node) -> Layers:
    """Free, but a target that was written for another batch is found here."""
    before, after = node.inputs[0], node.outputs[0]
    if before and after and before.shape and after.shape and prod(before.shape) != prod(after.shape):
        wanted, given = list(after.shape), list(before.shape)
        raise UnsupportedNodeError(f"cannot give {given} the shape {wanted}, which the file states as constants; was it for another batch?")
    return ()


_ELEMENTWISE = words(
    """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Celu Clip Cos Cosh
    CumProd CumSum DequantizeLinear Div DynamicQuantizeLinear Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid
    HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow QuantizeLinear Reciprocal
    Relu RotaryEmbedding Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Trilu
    Where Xor
    """
)

_COPY = words(
    """
    Compress GatherElements GatherND GridSample MaxRoiPool MaxUnpool OneHot Resize ReverseSequence RoiAlign Scatter ScatterElements
    ScatterND Upsample
    """
)

_REDUCTION = words(
    """
    ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    """
)

_NORM = words("BatchNormalization GroupNormalization InstanceNormalization LayerNormalization RMSNormalization")
_NORM_WITHOUT_SCALE = words("LRN LpNormalization MeanVarianceNormalization")

FREE = words(
    """
    BitCast Cast CastLike CenterCropPad Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten Identity Pad
    RandomNormalLike RandomUniformLike Range Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze
    """
)
"""Operators that yield no layer: they move, retype or describe data."""

OPERATORS: Mapping[str, Callable[[Node], Layers]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_COPY, _copy),
    **dict.fromkeys(("NonMaxSuppression", "NonZero", "TopK", "Unique"), _scan),
    **dict.fromkeys(_REDUCTION, _reduction),
    **dict.fromkeys(_NORM, _norm),
    **dict.fromkeys(_NORM_WITHOUT_SCALE, _norm_without_scale),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), _softmax),
    "Conv": _conv,
    "ConvInteger": partial(_conv, bias=4),  # four inputs at most, so none
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matmul),
    "QLinearConv": partial(_conv, weights=3, bias=8),
    "QLinearMatMul": partial(_matmul, second=3),
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Attention": _attention,
    "LSTM": partial(_recurrent, gates=4),
    "GRU": partial(_recurrent, gates=3),
    "RNN": partial(_recurrent, gates=1),
    "Gather": _gather,
    "Reshape": _reshape,
}
"""Operators that may yield layers."""
