"""Shapes and constants of an ONNX graph, node by node.

A graph is walked once, in its topological order. Each node's output shapes come from ONNX's own shape inference, which is given
the small constants that it may need (the target of a reshape). Constants are followed through the arithmetic on shapes that
exporters leave behind (Shape, Gather, Concat, Where, ...) by ONNX's own evaluator. Large weights are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

__all__ = [
    "GraphError",
    "Node",
    "Shape",
    "Tensor",
    "UnknownShapeError",
    "UnsupportedNodeError",
    "activation",
    "label",
    "name_of",
    "walk",
    "words",
]

Shape = tuple[int, ...]

MAX_INTEGERS = 65_536
MAX_FLOATS = 64
"""The largest constants whose elements are followed: shapes and indices are integers, the scales of a resize floats."""


def words(text: str) -> frozenset[str]:
    """Split names."""
    return frozenset(text.split())


_EVALUATED = words(
    """
    Abs Add And Cast Ceil Concat Constant ConstantOfShape CumSum Div Equal Expand Flatten Floor Gather GatherElements GatherND
    Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg NonZero Not Or Pow Range ReduceMax ReduceMin ReduceProd
    ReduceSum Reshape Round ScatterElements ScatterND Sign Slice Split Sqrt Squeeze Sub Sum Tile Transpose Unsqueeze Where
    """
)
"""What exporters build shapes with."""

_LIKE_FIRST_INPUT = words("GroupNormalization MeanVarianceNormalization")
"""Operators whose output has the shape of the first input, but ONNX's inference does not see it in every version."""


class GraphError(ValueError):
    """The graph contradicts itself."""


class UnsupportedNodeError(ValueError):
    """A node that cannot become a layer."""


class UnknownShapeError(ValueError):
    """A shape that a layer needs is not known; the message names the node where it was lost."""


@dataclass(frozen=True)
class Tensor:
    """What is known of a tensor before the network runs.

    Attributes
    ----------
    type : onnx.TypeProto
        Element type and shape as shape inference takes them.
    shape : tuple of int, optional
        None when not known.
    is_constant : bool
        A weight, or computed from weights and shapes only.
    value : onnx.TensorProto, optional
        The elements of a small constant.
    why_unknown : str
        Where and why the shape was lost.
    """

    type: onnx.TypeProto
    shape: Shape | None = None
    is_constant: bool = False
    value: onnx.TensorProto | None = None
    why_unknown: str = ""


@dataclass(frozen=True)
class Node:
    """A node with the tensors that it reads and writes; None stands for an optional one that is left out.

    Attributes
    ----------
    name, op, domain : str
        `domain` is empty for ONNX's own operators.
    attributes : mapping of str to int, tuple of int or str
        None where they are of another type.
    inputs, outputs : tuple of Tensor or None
    """

    name: str
    op: str
    domain: str
    attributes: Mapping[str, int | tuple[int, ...] | str | None]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]

    @property
    def is_constant(self) -> bool:
        """True when nothing that it writes depends on the values of activations."""
        return all(tensor is None or tensor.is_constant for tensor in self.outputs)

    def has(self, index: int) -> bool:
        """Tell whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def is_weight(self, index: int) -> bool:
        """Tell whether an input is given and constant."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        return tensor is not None and tensor.is_constant

    def input_shape(self, index: int, *ranks: int) -> Shape:
        """Shape of an input, of one of the given ranks."""
        return self._shape(self.inputs, "input", index, ranks)

    def output_shape(self, index: int = 0) -> Shape:
        """Shape of an output."""
        return self._shape(self.outputs, "output", index, ())

    def _shape(self, tensors: tuple[Tensor | None, ...], what: str, index: int, ranks: tuple[int, ...]) -> Shape:
        tensor = tensors[index] if index < len(tensors) else None
        if tensor is None:
            raise UnsupportedNodeError(f"{what} {index} is missing")
        if tensor.shape is None:
            raise UnknownShapeError(tensor.why_unknown)
        if ranks and len(tensor.shape) not in ranks:
            wanted = " or ".join(map(str, ranks))
            raise UnsupportedNodeError(f"{what} {index} has the shape {list(tensor.shape)}, expected {wanted} dimensions")
        return tensor.shape

    def integer(self, name: str, default: int) -> int:
        """Attribute that is an integer."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise UnsupportedNodeError(f"attribute {name} must be an integer")
        return value

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Attribute that is a list of integers, as long as its default."""
        value = self.attributes.get(name, default)
        if not isinstance(value, tuple) or len(value) != len(default):
            raise UnsupportedNodeError(f"attribute {name} must be a list of {len(default)} integers")
        return value

    def text(self, name: str, default: str = "") -> str:
        """Attribute that is text."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise UnsupportedNodeError(f"attribute {name} must be text")
        return value


def activation(name: str, type_: onnx.TypeProto) -> Tensor:
    """Make the tensor of a graph's input.

    Parameters
    ----------
    name : str
    type_ : onnx.TypeProto
        With every dimension fixed.
    """
    return Tensor(type=type_, shape=_shape_of(type_), why_unknown=f"input {name!r} has no shape")


def label(node: onnx.NodeProto, index: int) -> str:
    """How messages call the node."""
    return f"node {name_of(node, index)!r} ({node.op_type})"


def name_of(node: onnx.NodeProto, index: int) -> str:
    """The node's name, or that of its first output, for many files name no nodes."""
    return str(node.name or next(filter(None, node.output), f"{node.op_type} {index}"))


def walk(proto: onnx.ModelProto, inputs: Mapping[str, Tensor], declared: Mapping[str, onnx.TypeProto]) -> Iterator[Node]:
    """Yield the nodes of a graph in order, with the shapes of what they read and write.

    Parameters
    ----------
    proto : onnx.ModelProto
        Without local functions and subgraphs.
    inputs : mapping of str to Tensor
        The graph's inputs that are not weights.
    declared : mapping of str to onnx.TypeProto
        Types that the file states; believed where inference does not know.

    Raises
    ------
    GraphError
        Shapes that do not fit, or a tensor that nothing writes.
    """
    tensors = {**_weights(proto.graph), **inputs}
    for index, one in enumerate(proto.graph.node):
        where = label(one, index)
        missing = [each for each in one.input if each and each not in tensors]
        if missing:
            raise GraphError(f"{where} reads {missing[0]!r}, which no earlier node writes")
        read = tuple(tensors[each] if each else None for each in one.input)
        try:
            written = _outputs(one, read, proto.opset_import, declared, where)
        except GraphError as error:
            raise GraphError(f"{where}: {error}") from error
        tensors.update((each, tensor) for each, tensor in zip(one.output, written, strict=True) if tensor is not None)
        attributes = {each.name: _plain(each) for each in one.attribute}
        yield Node(name_of(one, index), one.op_type, one.domain, attributes, read, written)


def _weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    weights = {one.name: _weight(one, tuple(one.dims)) for one in graph.initializer}
    return weights | {one.values.name: _weight(one.values, tuple(one.dims)) for one in graph.sparse_initializer}


def _weight(proto: onnx.TensorProto, shape: Shape) -> Tensor:
    from onnx.helper import make_tensor_type_proto

    is_followed = tuple(proto.dims) == shape and _is_small(proto.data_type, shape) and proto.data_location != proto.EXTERNAL
    return Tensor(make_tensor_type_proto(proto.data_type, shape), shape, is_constant=True, value=proto if is_followed else None)


def _is_small(element_type: int, shape: Shape) -> bool:
    from onnx import TensorProto as Types

    if element_type in (Types.INT64, Types.INT32, Types.BOOL):
        return prod(shape) <= MAX_INTEGERS
    return element_type in (Types.FLOAT, Types.DOUBLE, Types.FLOAT16) and prod(shape) <= MAX_FLOATS


def _shape_of(type_: onnx.TypeProto) -> Shape | None:
    if not type_.tensor_type.HasField("shape"):
        return None
    dims = type_.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims) else None


def _plain(attribute: onnx.AttributeProto) -> int | tuple[int, ...] | str | None:
    """The attribute's value, of the types that layers are made from."""
    if attribute.type == attribute.INT:
        return attribute.i
    if attribute.type == attribute.INTS:
        return tuple(attribute.ints)
    return attribute.s.decode(errors="replace") if attribute.type == attribute.STRING else None


def _reason(error: Exception) -> str:
    """The message of an exception of ONNX without its prefixes and line breaks."""
    return str(error).strip().splitlines()[-1].rpartition("Error] ")[2]


def _outputs(
    node: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    opsets: Sequence[onnx.OperatorSetIdProto],
    declared: Mapping[str, onnx.TypeProto],
    where: str,
) -> tuple[Tensor | None, ...]:
    types = _inferred(node, inputs, opsets)
    for name in filter(None, node.output):
        if _shape_of(types[name]) is None and _shape_of(declared.get(name, types[name])) is not None:
            types[name] = declared[name]
    is_constant = node.op_type in ("Shape", "Size") or all(each is None or each.is_constant for each in inputs)
    values = _values(node, inputs, opsets, types) if is_constant else {}
    lost = next((each.why_unknown for each in inputs if each is not None and each.shape is None), None)
    written: list[Tensor | None] = []
    for name in node.output:
        why = lost or f"{where}: the shape of its output {name!r} depends on data, or on weights in another file, which is not read"
        if name in values:
            written.append(_weight(values[name], tuple(values[name].dims)))
        else:
            written.append(Tensor(types[name], _shape_of(types[name]), is_constant, None, why) if name else None)
    return tuple(written)


def _inferred(
    node: onnx.NodeProto, inputs: Sequence[Tensor | None], opsets: Sequence[onnx.OperatorSetIdProto]
) -> dict[str, onnx.TypeProto]:
    """Types of the outputs; an empty one where nothing is known. Inference runs on a model of this node alone."""
    import onnx

    unknown = {name: onnx.TypeProto() for name in node.output}
    if node.op_type in _LIKE_FIRST_INPUT and node.output and inputs and inputs[0] is not None:
        return unknown | {node.output[0]: inputs[0].type}
    if not onnx.defs.has(node.op_type, node.domain):
        return unknown
    given = {name: each for name, each in zip(node.input, inputs, strict=True) if each is not None}
    graph = onnx.GraphProto(
        name="node",
        node=[node],
        input=[onnx.ValueInfoProto(name=name, type=each.type) for name, each in given.items()],
        output=[onnx.ValueInfoProto(name=name) for name in node.output if name],
        initializer=[_named(name, each.value) for name, each in given.items() if each.value is not None],
    )
    alone = onnx.ModelProto(ir_version=onnx.IR_VERSION, graph=graph, opset_import=opsets)
    try:
        result = onnx.shape_inference.infer_shapes(alone, strict_mode=True, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise GraphError(_reason(error)) from error
    return unknown | {one.name: one.type for one in result.graph.output}


def _named(name: str, value: onnx.TensorProto) -> onnx.TensorProto:
    copy = type(value)()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _values(
    node: onnx.NodeProto,
    inputs: Sequence[Tensor | None],
    opsets: Sequence[onnx.OperatorSetIdProto],
    types: Mapping[str, onnx.TypeProto],
) -> dict[str, onnx.TensorProto]:
    """Elements of the outputs of a constant node, none when they are not known or not worth following."""
    from onnx.numpy_helper import from_array

    if not node.output:
        return {}
    if node.op_type in ("Shape", "Size") and inputs and inputs[0] is not None:
        if inputs[0].shape is None or prod(inputs[0].shape) >= 2**63:
            return {}
        bounds = {each.name: each.i for each in node.attribute}
        part = inputs[0].shape[slice(bounds.get("start"), bounds.get("end"))]
        return {node.output[0]: from_array(np.array(part if node.op_type == "Shape" else prod(part), dtype=np.int64))}
    if node.op_type not in _EVALUATED or any(each is not None and each.value is None for each in inputs):
        return {}
    for name in filter(None, node.output):
        shape = _shape_of(types[name])
        is_bounded = node.op_type == "NonZero" if shape is None else _is_small(types[name].tensor_type.elem_type, shape)
        if not is_bounded:
            return {}
    if any(each.t.data_location == each.t.EXTERNAL for each in node.attribute):
        return {}
    return _evaluated(node, inputs, opsets)


def _evaluated(
    node: onnx.NodeProto, inputs: Sequence[Tensor | None], opsets: Sequence[onnx.OperatorSetIdProto]
) -> dict[str, onnx.TensorProto]:
    import onnx
    from onnx.numpy_helper import from_array, to_array
    from onnx.reference import ReferenceEvaluator

    given = {name: each.value for name, each in zip(node.input, inputs, strict=True) if each is not None and each.value is not None}
    graph = onnx.GraphProto(
        name="node",
        node=[node],
        input=[onnx.ValueInfoProto(name=name) for name in given],
        output=[onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    alone = onnx.ModelProto(ir_version=onnx.IR_VERSION, graph=graph, opset_import=opsets)
    try:
        values = ReferenceEvaluator(alone).run(None, {name: to_array(value) for name, value in given.items()})
    except Exception as error:  # whatever the evaluator's operators raise on bad data
        raise GraphError(f"cannot be evaluated: {_reason(error)}") from error
    return {one.name: from_array(np.asarray(value)) for one, value in zip(graph.output, values, strict=True)}
