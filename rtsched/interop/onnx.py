"""ONNX files as models: shapes only, weights are never read.

Every node that computes becomes a layer of the same name; see :mod:`rtsched.interop.onnx_operators` for which. Reshapes,
transpositions, concatenations and the like are free and yield no layer, and so does whatever is computed from weights and
shapes alone. What cannot be imported is refused by name: operators without a layer, control flow (``If``, ``Loop``, ``Scan``),
convolutions and poolings over three spatial axes, and dimensions that depend on data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from rtsched._files import open_regular
from rtsched.errors import InputError, reason_of
from rtsched.interop.names import unused_name
from rtsched.interop.onnx_operators import UnmappedError, translate
from rtsched.interop.onnx_shapes import GraphError, Node, UnknownShapeError, UnsupportedNodeError, activation, label, name_of, walk
from rtsched.workload.layer import MAX_DIMENSION, LayerBase
from rtsched.workload.model import Model

if TYPE_CHECKING:
    import onnx

__all__ = ["ImportedModel", "UnknownOperator", "load_onnx", "node_names"]

MAX_BYTES = 2**31
"""No protobuf message, and so no ONNX file, is larger; larger networks keep their weights in separate files."""

MAX_MESSAGE = 500
"""Characters of a message about a file: names in it, and what ONNX says of it, have any length."""

OLDEST_OPSET = 6
"""Older operators know no shape inference."""


@dataclass(frozen=True)
class UnknownOperator:
    """An operator that has no layer.

    Attributes
    ----------
    op : str
    domain : str
        Empty for ONNX's own.
    count : int
        Nodes of the graph that use it.
    first : str
        Name of the first of them.
    """

    op: str
    domain: str
    count: int
    first: str

    def __str__(self) -> str:
        """Describe it for a message."""
        domain = f" of domain {self.domain!r}" if self.domain else ""
        return f"operator {self.op}{domain} ({self.count} node{'s' if self.count > 1 else ''}, first {self.first!r})"


@dataclass(frozen=True)
class ImportedModel:
    """A model with what the import left out.

    Attributes
    ----------
    model : Model
    unknown : tuple of UnknownOperator
        Operators that were accepted as free, in the order in which they first occur.
    """

    model: Model
    unknown: tuple[UnknownOperator, ...] = ()


def load_onnx(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    batch: int | None = None,
    dimensions: Mapping[str, int] | None = None,
    unknown: Literal["refuse", "free"] = "refuse",
) -> ImportedModel:
    """Read the layers of an ONNX file.

    Parameters
    ----------
    path : str or path
        External weights need not be there.
    name : str, optional
        The model's name. Default: the file's, without its suffix.
    batch : int, optional
        First dimension of the graph's inputs. Default: what the file says, 1 where it says nothing.
    dimensions : mapping of str to int, optional
        Sizes of symbolic dimensions, such as ``{"seq": 128}``. One without a name is called ``input[axis]``.
    unknown : {"refuse", "free"}
        What to do with operators that have no layer, such as a vendor's own: refuse the file, or take them as free.

    Returns
    -------
    ImportedModel

    Raises
    ------
    rtsched.errors.InputError
        One message per fault: no such file, not ONNX, dimensions that are not fixed, control flow, operators without a layer,
        shapes that do not fit; or the `onnx` package is missing.

    Notes
    -----
    One-dimensional convolutions and poolings have one row. Reductions are poolings. ``Attention`` is two products and a softmax.
    Element types are not kept: cost models assume one for the whole network.
    """
    file = os.fspath(path)
    try:
        proto = _inlined(_parsed(Path(path)))
        _check_graph(proto)
        sizes = _fix_dimensions(proto.graph, batch, dimensions or {})
        layers, left_out = _layers(_nodes(proto), unknown)
    except InputError as error:
        raise InputError(_told(file, error)) from error
    source = f"ONNX file {Path(path).name}" + "".join(f", {dimension}={size}" for dimension, size in sizes.items())
    return ImportedModel(Model(name=name or Path(path).stem, source=source, layers=layers), left_out)


def _told(file: str, error: InputError) -> list[str]:
    """Faults of a file, each on one line of bounded length."""
    lines = [" ".join(fault.split()) for fault in error.faults]
    return [f"{file}: {one if len(one) <= MAX_MESSAGE else one[: MAX_MESSAGE - 3] + '...'}" for one in lines]


def node_names(path: Path) -> list[tuple[str, str, bool]]:
    """Read what the nodes of a file are called, without their shapes.

    Returns
    -------
    list of (str, str, bool)
        Operator, the name that `load_onnx` gives, and whether the file itself gives one.

    Raises
    ------
    rtsched.errors.InputError
    """
    try:
        nodes = _parsed(path).graph.node
    except InputError as error:
        raise InputError(_told(os.fspath(path), error)) from error.__cause__
    return [(node.op_type, name_of(node, index), bool(node.name)) for index, node in enumerate(nodes)]


def _parsed(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise InputError("reading ONNX files needs the onnx package: pip install 'rtsched[onnx]'") from error
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError("is larger than 2 GiB, which no ONNX file can be")
        with open_regular(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise InputError("no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"cannot be read: {reason_of(error)}") from error
    if data.startswith(b"version https://git-lfs"):
        raise InputError("is a Git LFS pointer, not the model itself; fetch it with git lfs pull")
    try:
        proto = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError, which has no public name that is typed
        raise InputError("is not an ONNX model, or is cut off") from error
    if not proto.graph.node:
        raise InputError("is not an ONNX model: it has no graph, or a graph without nodes")
    return proto


def _inlined(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Replace calls of the model's own functions by their bodies, and the long name of ONNX's domain by its empty one."""
    if proto.functions:
        from onnx.helper import make_tensor_value_info
        from onnx.inliner import inline_local_functions

        listed = {one.name for one in proto.graph.input}
        weights = [one for one in proto.graph.initializer if one.name not in listed]
        try:
            # A function of another opset is converted, for which the inliner looks up its arguments' types among the inputs.
            proto.graph.input.extend(make_tensor_value_info(one.name, one.data_type, one.dims) for one in weights)
            proto = inline_local_functions(proto, convert_version=True)
        except Exception as error:  # the inliner and the version converter raise what they like
            raise InputError(f"its local functions cannot be inlined, export the model without them: {error}") from error
    for one in (*proto.graph.node, *proto.opset_import):
        if one.domain == "ai.onnx":
            one.domain = ""
    return proto


def _check_graph(proto: onnx.ModelProto) -> None:
    """Refuse what no walk over the nodes can understand."""
    from onnx import AttributeProto
    from onnx.defs import onnx_opset_version

    opset = max((one.version for one in proto.opset_import if not one.domain), default=None)
    if opset is not None and not OLDEST_OPSET <= opset <= onnx_opset_version():
        raise InputError(
            f"uses opset {opset}; the installed onnx package reads {OLDEST_OPSET} to {onnx_opset_version()}: "
            "upgrade it, or convert the model with onnx.version_converter"
        )
    if not all(isinstance(text, str) for text in _texts(proto.graph)):  # protobuf hands out bytes for what is not UTF-8
        raise InputError("is damaged: a name in it is not UTF-8 text")
    subgraphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    faults = [
        f"{label(node, index)}: control flow is not supported; export the model without it"
        for index, node in enumerate(proto.graph.node)
        if any(attribute.type in subgraphs for attribute in node.attribute)
    ]
    if faults:
        raise InputError(faults)


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    """Every name that is used as a key or in a message."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output, *(one.name for one in node.attribute))
    yield from (one.name for one in graph.initializer)
    yield from (one.values.name for one in graph.sparse_initializer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        yield from (value.name, *(dim.dim_param for dim in _dims(value)))


def _fix_dimensions(graph: onnx.GraphProto, batch: int | None, dimensions: Mapping[str, int]) -> dict[str, int]:
    """Give every dimension of the graph's inputs a size, in place.

    A batch that is asked for replaces a written one in the first input and in those that begin with the same size. What the file
    states of other tensors then holds no longer.

    Returns
    -------
    dict of str to int
        The dimensions that the file left open, with their sizes.
    """
    _check_sizes(batch, dimensions)
    inputs = _inputs(graph)
    symbols = _symbols(inputs)
    firsts = [_dims(one)[0] for one in inputs if _dims(one)]
    written = firsts[0].dim_value if firsts else 0
    sizes = dict(dimensions)
    for dim in firsts:
        if dim.dim_param:
            sizes.setdefault(dim.dim_param, batch or 1)
        elif batch is not None and dim.dim_value == written:
            dim.dim_value = batch
    unused = [
        f"no input has a dimension {name!r}; symbolic ones: {', '.join(symbols) or 'none'}" for name in dimensions if name not in symbols
    ]
    open_ = [f"{where} has no size; set it with dimensions={{{name!r}: SIZE}}" for name, where in symbols.items() if name not in sizes]
    if unused or open_:
        raise InputError(unused + open_)
    if batch is not None and written not in (0, batch):
        del graph.value_info[:], graph.output[:]
    for one in (*inputs, *graph.value_info, *graph.output):
        for dim in _dims(one):
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
    return ({"batch": batch} if batch is not None else {}) | {name: sizes[name] for name in symbols}


def _inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are not weights; older files list those, too."""
    weights = {one.name for one in graph.initializer} | {one.values.name for one in graph.sparse_initializer}
    return [one for one in graph.input if one.name not in weights]


def _check_sizes(batch: int | None, dimensions: Mapping[str, int]) -> None:
    asked = [(f"dimension {name!r}", size) for name, size in dimensions.items()]
    if batch is not None:
        asked.append(("batch", batch))
    faults = [f"{what} must be 1 to {MAX_DIMENSION}, got {size}" for what, size in asked if not 1 <= size <= MAX_DIMENSION]
    if faults:
        raise InputError(faults)


def _dims(one: onnx.ValueInfoProto) -> Sequence[onnx.TensorShapeProto.Dimension]:
    dims: Sequence[onnx.TensorShapeProto.Dimension] = one.type.tensor_type.shape.dim
    return dims


def _symbols(inputs: Iterable[onnx.ValueInfoProto]) -> dict[str, str]:
    """Names of the dimensions that the file leaves open, with where they are; those without a name are given one in place."""
    symbols: dict[str, str] = {}
    for one in inputs:
        for axis, dim in enumerate(_dims(one)):
            if dim.dim_value > 0:
                continue
            if dim.dim_param in ("", "?"):
                dim.dim_param = f"{one.name}[{axis}]"
            symbols.setdefault(dim.dim_param, f"dimension {dim.dim_param!r} (axis {axis} of input {one.name!r})")
    return symbols


def _nodes(proto: onnx.ModelProto) -> Iterator[Node]:
    graph = proto.graph
    inputs = {one.name: activation(one.name, one.type) for one in _inputs(graph)}
    declared = {one.name: one.type for one in (*graph.value_info, *graph.output)}
    try:
        yield from walk(proto, inputs, declared)
    except GraphError as error:
        raise InputError(str(error)) from error


def _layers(nodes: Iterable[Node], unknown: Literal["refuse", "free"]) -> tuple[tuple[LayerBase, ...], tuple[UnknownOperator, ...]]:
    layers: list[LayerBase] = []
    taken: dict[str, int] = {}
    faults: dict[str, None] = {}
    uses: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        where = f"node {node.name!r} ({node.op})"
        try:
            found = translate(node)
        except UnmappedError:
            uses.setdefault((node.op, node.domain), []).append(node.name)
        except UnknownShapeError as error:
            faults[str(error)] = None
        except UnsupportedNodeError as error:
            faults[f"{where}: {error}"] = None
        except ValidationError as error:
            faults[f"{where}: {_first_fault(error)}"] = None
        else:
            layers += [_renamed(layer, taken) for layer in found]
    operators = tuple(UnknownOperator(op, domain, len(names), names[0]) for (op, domain), names in uses.items())
    refused = [f"{operator} has no layer" for operator in operators] if unknown == "refuse" else []
    if refused or faults:
        raise InputError([*refused, *faults])
    if not layers:
        raise InputError("no node computes anything")
    return tuple(layers), operators


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".removeprefix(": ")


def _renamed(layer: LayerBase, taken: dict[str, int]) -> LayerBase:
    """The layer with a name that no earlier one has."""
    name = unused_name(layer.name, taken)
    return layer if name == layer.name else layer.model_copy(update={"name": name})
