"""The ONNX importer against published MACs, and operator by operator against numbers worked out by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from rtsched.errors import InputError
from rtsched.interop.model_yaml import dump_model
from rtsched.interop.onnx import load_onnx
from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, LayerBase, Norm, Pool, Recurrent, Softmax
from rtsched.workload.model import Model

onnx = pytest.importorskip("onnx")
helper = onnx.helper

FLOAT, INT64, INT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT8

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"

Shapes = Mapping[str, Sequence[int | str | None] | None]


def node(op: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> Any:
    """Build a node; ``-`` stands for an input that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), **attributes)


def make_model(
    nodes: Sequence[Any],
    inputs: Shapes,
    weights: Mapping[str, Any],
    *,
    opset: int = 17,
    outputs: Sequence[str] | None = None,
    stated: Shapes | None = None,
    types: Mapping[str, int] | None = None,
    **fields: Any,
) -> Any:
    """Build a model. A weight is its shape as a list (zeros), or an array."""
    types = types or {}
    tensors = []
    for name, weight in weights.items():
        dtype = helper.tensor_dtype_to_np_dtype(types.get(name, FLOAT))
        array = np.zeros(weight, dtype) if isinstance(weight, list) else np.asarray(weight)
        tensors.append(onnx.numpy_helper.from_array(array, name))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, types.get(name, FLOAT), shape) for name, shape in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs or [each for each in nodes[-1].output if each][:1]],
        tensors,
        value_info=[helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in (stated or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *fields.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, **fields)


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Any]:
    """Save a model and import it."""

    def run(
        nodes: Any, inputs: Shapes, weights: Mapping[str, Any] | None = None, load: Mapping[str, Any] | None = None, **fields: Any
    ) -> Any:
        path = tmp_path / "net.onnx"
        nodes = nodes if isinstance(nodes, list) else [nodes]
        path.write_bytes(make_model(nodes, inputs, weights or {}, **fields).SerializeToString())
        return load_onnx(path, **(load or {}))

    return run


@pytest.fixture
def layers_of(imported: Callable[..., Any]) -> Callable[..., tuple[LayerBase, ...]]:
    """Import a model and answer its layers."""
    return lambda *args, **kwargs: imported(*args, **kwargs).model.layers


# Real networks


@pytest.mark.parametrize(
    ("name", "published_mmacs", "macs", "parameters"),
    [
        ("bvlc_alexnet", 655, 654_560_384, 60_965_224),
        ("densenet121", 2834, 2_834_161_664, 7_978_856),
        ("inception_v1", 1432, 1_431_556_352, 6_998_552),
        ("inception_v2", 2019, 2_018_851_840, 11_194_984),
        ("resnet50", 4089, 4_089_184_256, 25_557_032),
        ("shufflenet", 125, 124_664_528, 1_393_320),
        ("squeezenet", 349, 349_151_936, 1_235_496),
        ("vgg19", 19632, 19_632_062_464, 143_667_240),
        ("zfnet512", 1482, 1_481_727_008, 87_250_536),
    ],
)
def test_macs_of_published_networks(name: str, published_mmacs: int, macs: int, parameters: int) -> None:
    model = load_onnx(LIGHT / f"light_{name}.onnx").model
    counted = sum(layer.macs for layer in model.layers or () if isinstance(layer, (Conv, Gemm)))
    assert counted == pytest.approx(published_mmacs * 1e6, rel=0.01)
    assert (counted, model.macs, model.parameters) == (macs, macs, parameters)


def test_layers_of_resnet50() -> None:
    model = load_onnx(LIGHT / "light_resnet50.onnx").model
    kinds = [layer.kind for layer in model.layers or ()]
    # The graph also has 239 weights that are made by nodes, and a reshape.
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "conv": 53,
        "elementwise": 49 + 16,
        "gemm": 1,
        "norm": 53,
        "pool": 2,
        "softmax": 1,
    }
    assert (model.name, model.source) == ("light_resnet50", "ONNX file light_resnet50.onnx")
    assert model.layers is not None
    assert model.layers[0] == Conv(name="n0", in_channels=3, out_channels=64, size=224, kernel=7, stride=2, padding=3, batch=1)
    assert model.layers[-1] == Softmax(name="n175", elements=1000)
    assert [layer.operands for layer in model.layers if isinstance(layer, Elementwise)].count(2) == 16


# One operator at a time: input shapes, weight shapes, the layers expected


X1, X2 = [1, 4, 10], [1, 4, 5, 6]
W1, W2 = [8, 4, 3], [8, 4, 3, 3]


@pytest.mark.parametrize(
    ("made", "size", "weight", "expected", "macs", "output"),
    [
        (node("Conv", "x w"), X2, W2, {}, 8 * 4 * 9 * 3 * 4, (3, 4)),
        (node("Conv", "x w", strides=[2, 1], pads=[1, 0, 0, 2]), X2, W2, {"stride": (2, 1), "padding": (1, 0, 0, 2)}, 288 * 2 * 6, (2, 6)),
        (node("Conv", "x w", dilations=[2, 1]), X2, W2, {"dilation": (2, 1)}, 288 * 1 * 4, (1, 4)),
        (node("Conv", "x w", group=2), X2, [8, 2, 3, 3], {"groups": 2}, 144 * 3 * 4, (3, 4)),
        (node("Conv", "x w", group=4), X2, [8, 1, 3, 3], {"groups": 4}, 72 * 3 * 4, (3, 4)),
        # SAME: ceil(5 / 2) x ceil(6 / 2); 2 rows and 1 column are added, the odd one at the end (UPPER) or the beginning (LOWER).
        (node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2]), X2, W2, {"stride": (2, 2), "padding": (1, 0, 1, 1)}, 288 * 9, (3, 3)),
        (node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2]), X2, W2, {"stride": (2, 2), "padding": (1, 1, 1, 0)}, 288 * 9, (3, 3)),
        (node("Conv", "x w", auto_pad="VALID", strides=[2, 2]), X2, W2, {"stride": (2, 2)}, 288 * 2 * 2, (2, 2)),
        # SAME for a kernel that covers 5 rows and 3 columns: as many outputs as inputs.
        (node("Conv", "x w", auto_pad="SAME_UPPER", dilations=[2, 1]), X2, W2, {"dilation": (2, 1), "padding": (2, 1)}, 288 * 30, (5, 6)),
        # 10 columns, 3 more at the ends, a kernel that covers 5.
        (
            node("Conv", "x w", strides=[3], pads=[1, 2], dilations=[2]),
            X1,
            W1,
            {"stride": (1, 3), "padding": (0, 1, 0, 2), "dilation": (1, 2)},
            96 * 3,
            (1, 3),
        ),
    ],
)
def test_conv(
    layers_of: Any, made: Any, size: list[int], weight: list[int], expected: dict[str, Any], macs: int, output: tuple[int, int]
) -> None:
    (layer,) = layers_of(made, {"x": size}, {"w": weight})
    row = (1,) * (4 - len(size))
    assert layer == Conv(name="y", in_channels=4, out_channels=8, size=(*row, *size[2:]), kernel=(*row, *weight[2:]), **expected)
    assert (layer.macs, layer.output_size) == (macs, output)


def test_conv_bias_is_counted_when_given(layers_of: Any) -> None:
    (layer,) = layers_of(node("Conv", "x w b", name="stem"), {"x": X2}, {"w": W2, "b": [8]})
    assert (layer.name, layer.parameters) == ("stem", 8 * 4 * 9 + 8)


@pytest.mark.parametrize(
    ("attributes", "output"),
    [
        ({"strides": [2, 2]}, (11, 13)),
        ({"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, (10, 12)),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (10, 12)),
        ({"strides": [2, 2], "output_shape": [10, 13]}, (10, 13)),
        ({"strides": [2, 2], "output_shape": [12, 13]}, (12, 13)),
        ({"dilations": [2, 1]}, (9, 8)),
    ],
)
def test_conv_transpose(layers_of: Any, attributes: dict[str, Any], output: tuple[int, int]) -> None:
    (layer,) = layers_of(node("ConvTranspose", "x w", **attributes), {"x": X2}, {"w": [4, 8, 3, 3]})
    assert layer.transposed
    assert layer.output_size == output
    assert (layer.in_channels, layer.out_channels, layer.macs) == (4, 8, 5 * 6 * 4 * 8 * 9)


def test_conv_transpose_of_groups_and_one_dimension(layers_of: Any) -> None:
    made = node("ConvTranspose", "x w b", group=2, strides=[3])
    (layer,) = layers_of(made, {"x": X1}, {"w": [4, 5, 3], "b": [10]})
    assert (layer.groups, layer.out_channels, layer.output_size, layer.bias) == (2, 10, (1, 30), True)
    assert layer.weight_elements == 4 * 5 * 3


@pytest.mark.parametrize(
    ("made", "inputs", "weights", "expected"),
    [
        # Fully connected: A (m x k) activations, B weights; also transposed, also with the weights on the left.
        (node("Gemm", "a b c"), {"a": [2, 3]}, {"b": [3, 5], "c": [5]}, Gemm(name="y", m=2, k=3, n=5, bias=True)),
        (node("Gemm", "a b", transA=1, transB=1), {"a": [3, 2]}, {"b": [5, 3]}, Gemm(name="y", m=2, k=3, n=5)),
        (node("Gemm", "b a"), {"a": [3, 2]}, {"b": [5, 3]}, Gemm(name="y", m=2, k=3, n=5)),
        (node("Gemm", "a b"), {"a": [2, 3], "b": [3, 5]}, {}, Gemm(name="y", m=2, k=3, n=5, has_weights=False)),
        # Shared weights: the batch is more rows. Weights of their own: more products.
        (node("MatMul", "a b"), {"a": [4, 7, 3]}, {"b": [3, 5]}, Gemm(name="y", m=28, k=3, n=5)),
        (node("MatMul", "a b"), {"a": [4, 7, 3]}, {"b": [1, 3, 5]}, Gemm(name="y", m=28, k=3, n=5)),
        (node("MatMul", "a b"), {"a": [4, 7, 3]}, {"b": [4, 3, 5]}, Gemm(name="y", m=7, k=3, n=5, count=4)),
        (node("MatMul", "b a"), {"a": [4, 3, 7]}, {"b": [5, 3]}, Gemm(name="y", m=28, k=3, n=5)),
        # Vectors.
        (node("MatMul", "a b"), {"a": [3]}, {"b": [3, 5]}, Gemm(name="y", m=1, k=3, n=5)),
        (node("MatMul", "a b"), {"a": [7, 3]}, {"b": [3]}, Gemm(name="y", m=7, k=3, n=1)),
        # Attention: scores of 2 x 4 heads; with keys that heads share, their rows are joined.
        (
            node("MatMul", "q k"),
            {"q": [2, 4, 6, 8], "k": [2, 4, 8, 9]},
            {},
            Gemm(name="y", m=6, k=8, n=9, count=8, has_weights=False),
        ),
        (
            node("MatMul", "q k"),
            {"q": [2, 4, 6, 8], "k": [2, 1, 8, 9]},
            {},
            Gemm(name="y", m=24, k=8, n=9, count=2, has_weights=False),
        ),
        (
            node("Einsum", "q k", equation="bqhd, bkhd -> bhqk"),
            {"q": [2, 6, 4, 8], "k": [2, 9, 4, 8]},
            {},
            Gemm(name="y", m=6, k=8, n=9, count=8, has_weights=False),
        ),
        (node("Einsum", "a b", equation="bsi,io->bso"), {"a": [2, 7, 3]}, {"b": [3, 5]}, Gemm(name="y", m=14, k=3, n=5)),
    ],
)
def test_matrix_products(layers_of: Any, made: Any, inputs: Shapes, weights: dict[str, Any], expected: Gemm) -> None:
    assert layers_of(made, inputs, weights) == (expected,)


@pytest.mark.parametrize(
    ("inputs", "fields", "expected"),
    [
        # 4 heads, each with its own keys; then 4 heads that share 2 of keys, three-dimensional tensors and a cache of 3 keys.
        ({"q": [2, 4, 6, 8], "k": [2, 4, 9, 8], "v": [2, 4, 9, 5]}, {}, [(6, 9, 8, 8), (6, 5, 9, 8), 2 * 4 * 6 * 9]),
        ({"q": [2, 6, 32], "k": [2, 9, 16], "v": [2, 9, 10]}, {"q_num_heads": 4, "kv_num_heads": 2}, [(12, 9, 8, 4), (12, 5, 9, 4), 432]),
        (
            {"q": [2, 4, 6, 8], "k": [2, 4, 9, 8], "v": [2, 4, 9, 5], "pk": [2, 4, 3, 8], "pv": [2, 4, 3, 5]},
            {},
            [(6, 12, 8, 8), (6, 5, 12, 8), 2 * 4 * 6 * 12],
        ),
    ],
)
def test_attention(layers_of: Any, inputs: Shapes, fields: dict[str, int], expected: list[Any]) -> None:
    names = ["q", "k", "v", "", "pk", "pv"] if "pk" in inputs else ["q", "k", "v"]
    outputs = ["y", "present_k", "present_v"] if "pk" in inputs else ["y"]
    scores, softmax, context = layers_of(helper.make_node("Attention", names, outputs, name="mha", **fields), inputs, opset=23)
    assert [(one.m, one.n, one.k, one.count) for one in (scores, context)] == expected[:2]
    assert not scores.has_weights
    assert not context.has_weights
    assert softmax.elements == expected[2]
    assert [one.name for one in (scores, softmax, context)] == ["mha.scores", "mha.softmax", "mha.context"]


@pytest.mark.parametrize(
    ("made", "size", "expected"),
    [
        (node("MaxPool", kernel_shape=[2, 3], strides=[2, 3]), X2, Pool(name="y", channels=4, size=(5, 6), kernel=(2, 3), stride=(2, 3))),
        # Rounded up, five rows give three windows of two: one row is added below.
        (
            node("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
            X2,
            Pool(name="y", channels=4, size=(5, 6), kernel=2, stride=2, padding=(0, 0, 1, 0)),
        ),
        (node("LpPool", kernel_shape=[3], pads=[1, 1]), X1, Pool(name="y", channels=4, size=(1, 10), kernel=(1, 3), padding=(0, 1))),
        (
            node("MaxPool", "x", "y where", kernel_shape=[3, 3], dilations=[2, 2]),
            X2,
            Pool(name="y", channels=4, size=(5, 6), kernel=3, dilation=2),
        ),
        (node("GlobalAveragePool"), X2, Pool(name="y", channels=4, size=(5, 6), kernel=(5, 6))),
        (node("GlobalMaxPool"), [2, 3, 4, 5, 6], Pool(name="y", channels=3, batch=2, size=(20, 6), kernel=(20, 6))),
        (node("ReduceMean", axes=[2, 3]), X2, Pool(name="y", channels=4, size=(1, 30), kernel=(1, 30))),
        (node("ReduceMax", keepdims=0), X2, Pool(name="y", channels=1, size=(1, 120), kernel=(1, 120))),
        (node("ArgMax", axis=1), X2, Pool(name="y", channels=30, size=(1, 4), kernel=(1, 4))),
        (node("Softmax"), X2, Softmax(name="y", elements=120)),
        (node("LogSoftmax"), X2, Softmax(name="y", elements=120)),
        (node("LRN", size=5), X2, Norm(name="y", elements=120, channels=4, has_weights=False)),
        (node("MeanVarianceNormalization"), X2, Norm(name="y", elements=120, channels=4, has_weights=False)),
        (node("InstanceNormalization", "x s s"), X2, Norm(name="y", elements=120, channels=4)),
        (node("BatchNormalization", "x s s s s"), X2, Norm(name="y", elements=120, channels=4)),
        (node("LayerNormalization", "x width width"), X2, Norm(name="y", elements=120, channels=6)),
        (node("Clip", "x - limit"), X2, Elementwise(name="y", elements=120)),
        (node("Relu"), X2, Elementwise(name="y", elements=120)),
        (node("Erf"), X2, Elementwise(name="y", elements=120)),
        (node("HardSwish"), X2, Elementwise(name="y", elements=120)),
        (node("Mul", "x width"), X2, Elementwise(name="y", elements=120)),
        (node("Add", "x x"), X2, Elementwise(name="y", elements=120, operands=2)),
        (node("Sum", "x x x"), X2, Elementwise(name="y", elements=120, operands=3)),
        (node("QuantizeLinear", "x limit"), X2, Elementwise(name="y", elements=120)),
        (node("TopK", "x two", "y where"), X2, Elementwise(name="y", elements=120)),
        (node("Resize", "x - scales"), X2, Elementwise(name="y", elements=480)),
        (node("Resize", "x - - sizes"), X2, Elementwise(name="y", elements=4 * 7 * 8)),
    ],
)
def test_operators_without_macs(layers_of: Any, made: Any, size: list[int], expected: LayerBase) -> None:
    weights = {
        "s": [4],
        "width": [6],
        "limit": np.float32(6.0),
        "two": np.array([2]),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "sizes": np.array([1, 4, 7, 8]),
    }
    assert layers_of(made, {"x": size}, {name: weights[name] for name in made.input if name in weights}) == (expected,)


@pytest.mark.parametrize(
    ("made", "opset", "expected"),
    [
        (node("Gelu"), 20, Elementwise(name="y", elements=120)),
        (node("GroupNormalization", "x s s", num_groups=2), 21, Norm(name="y", elements=120, channels=4)),
        (node("GroupNormalization", "x g g", num_groups=2), 18, Norm(name="y", elements=120, channels=2)),
        (node("RMSNormalization", "x width"), 23, Norm(name="y", elements=120, channels=6)),
        (node("ReduceMean", "x axes"), 18, Pool(name="y", channels=20, size=(1, 6), kernel=(1, 6))),
        (node("Upsample", "x scales"), 9, Elementwise(name="y", elements=480)),
        (node("BatchNormalization", "x s s s s"), 7, Norm(name="y", elements=120, channels=4)),
    ],
)
def test_operators_of_other_opsets(layers_of: Any, made: Any, opset: int, expected: LayerBase) -> None:
    weights = {"s": [4], "g": [2], "width": [6], "axes": np.array([-1]), "scales": np.array([1, 1, 2, 2], np.float32)}
    assert layers_of(made, {"x": X2}, {name: weights[name] for name in made.input if name in weights}, opset=opset) == (expected,)


@pytest.mark.parametrize(
    ("op", "gates", "attributes", "directions", "size"),
    [
        ("LSTM", 4, {}, 1, [5, 2, 3]),
        ("LSTM", 4, {"direction": "bidirectional"}, 2, [5, 2, 3]),
        ("GRU", 3, {"direction": "reverse"}, 1, [5, 2, 3]),
        ("RNN", 1, {"layout": 1}, 1, [2, 5, 3]),
    ],
)
def test_recurrent(layers_of: Any, op: str, gates: int, attributes: dict[str, Any], directions: int, size: list[int]) -> None:
    made = node(op, "x w r b", "y h", hidden_size=7, **attributes)
    weights = {"w": [directions, gates * 7, 3], "r": [directions, gates * 7, 7], "b": [directions, 2 * gates * 7]}
    (layer,) = layers_of(made, {"x": size}, weights)
    assert layer == Recurrent(name="y", input_size=3, hidden_size=7, gates=gates, steps=5, batch=2, directions=directions, bias=True)
    assert layer.macs == 5 * 2 * directions * gates * 7 * (3 + 7)


def test_gather_from_a_table_is_an_embedding(layers_of: Any) -> None:
    layers = layers_of(node("Gather", "table ids"), {"ids": [2, 9]}, {"table": [100, 16]}, types={"ids": INT64})
    assert layers == (Embedding(name="y", rows=100, width=16, lookups=18),)


def test_gather_from_an_activation_is_free(layers_of: Any) -> None:
    nodes = [node("Gather", "x first", "token", axis=1), node("Relu", "token")]
    assert layers_of(nodes, {"x": [1, 9, 16]}, {"first": np.array(0)}) == (Elementwise(name="y", elements=16),)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            node("QLinearConv", "x s z w s z s z bias"),
            Conv(name="y", in_channels=4, out_channels=8, size=(5, 6), kernel=3, bias=True),
        ),
        (node("QLinearConv", "x s z w s z s z"), Conv(name="y", in_channels=4, out_channels=8, size=(5, 6), kernel=3)),
        (node("ConvInteger", "x w z"), Conv(name="y", in_channels=4, out_channels=8, size=(5, 6), kernel=3)),
        (node("QLinearMatMul", "x s z m s z s z"), Gemm(name="y", m=20, k=6, n=7)),
        (node("MatMulInteger", "x m"), Gemm(name="y", m=20, k=6, n=7)),
        (node("DequantizeLinear", "x s"), Elementwise(name="y", elements=120)),
    ],
)
def test_quantised_operators(layers_of: Any, made: Any, expected: LayerBase) -> None:
    weights = {
        "s": np.float32(0.1),
        "z": np.int8(0),
        "w": np.zeros(W2, np.int8),
        "m": np.zeros([6, 7], np.int8),
        "bias": np.zeros([8], np.int32),
    }
    used = {name: weights[name] for name in made.input if name in weights}
    assert layers_of(made, {"x": X2}, used, types={"x": INT8}) == (expected,)


def test_weights_that_are_dequantised_are_constants(layers_of: Any) -> None:
    nodes = [node("DequantizeLinear", "q s", "w"), node("Conv", "x w")]
    (layer,) = layers_of(nodes, {"x": X2}, {"q": np.zeros(W2, np.int8), "s": np.float32(0.1)})
    assert layer.macs == 8 * 4 * 9 * 3 * 4


# Graphs


def test_free_operators_yield_no_layer(layers_of: Any) -> None:
    nodes = [
        node("Identity", "x", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 3, 1]),
        node("Flatten", "b", "c"),
        node("Dropout", "c", "d"),
        node("Cast", "d", "e", to=FLOAT),
        node("Unsqueeze", "e zero", "f"),
        node("Squeeze", "f zero", "g"),
        node("Split", "g", "h i", axis=1),
        node("Concat", "h i h", "j", axis=1),
        node("Slice", "j zero ninety one", "k"),
        node("Expand", "k two", "l"),
        node("Pad", "l pads", "m"),
        node("Tile", "m repeats", "n"),
        node("Relu", "n"),
    ]
    constants = {"zero": [0], "one": [1], "two": [2, 1], "ninety": [90], "pads": [0, 5, 0, 5], "repeats": [1, 3]}
    (layer,) = layers_of(nodes, {"x": X2}, {name: np.array(values) for name, values in constants.items()})
    assert layer == Elementwise(name="y", elements=2 * (90 + 10) * 3)


def test_arithmetic_on_shapes_is_no_layer(layers_of: Any) -> None:
    """The flattening that exporters write, and the expansion whose -1 is put right by Where."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Constant", "", "minus_one", value_ints=[-1]),
        node("Unsqueeze", "batch axis", "batch_1d"),
        node("Concat", "batch_1d minus_one", "target", axis=0),
        node("Reshape", "x target", "flat"),
        node("ConstantOfShape", "two", "ones", value=helper.make_tensor("one", INT64, [1], [1])),
        node("Mul", "ones minus_one", "negative"),
        node("Equal", "wanted negative", "is_open"),
        node("Where", "is_open ones wanted", "full"),
        node("Expand", "row full", "expanded"),
        node("Add", "flat expanded"),
    ]
    constants = {"zero": np.array(0), "axis": np.array([0]), "two": np.array([2]), "wanted": np.array([-1, 120]), "row": [1, 1]}
    assert layers_of(nodes, {"x": X2}, constants) == (Elementwise(name="y", elements=120, operands=2),)


def test_size_of_an_upsampling_that_is_computed(layers_of: Any) -> None:
    nodes = [
        node("Shape", "x", "size", start=2),
        node("Cast", "size", "as_float", to=FLOAT),
        node("Mul", "as_float scale", "larger"),
        node("Floor", "larger", "whole"),
        node("Cast", "whole", "target", to=INT64),
        node("Concat", "front target", "sizes", axis=0),
        node("Resize", "x - - sizes"),
    ]
    (layer,) = layers_of(nodes, {"x": X2}, {"scale": np.array(1.5, np.float32), "front": np.array([1, 4])})
    assert layer == Elementwise(name="y", elements=4 * 7 * 9)


def test_positions_that_nonzero_computes(layers_of: Any) -> None:
    """How exporters once wrote a range: the indices of the nonzero elements of ones."""
    nodes = [
        node("Shape", "ids", "shape", start=1),
        node("ConstantOfShape", "shape", "ones", value=helper.make_tensor("one", INT64, [1], [1])),
        node("NonZero", "ones", "indices"),
        node("Gather", "table indices", "positions"),
        node("Gather", "words ids", "tokens"),
        node("Add", "tokens positions"),
    ]
    layers = layers_of(nodes, {"ids": [1, 9]}, {"table": [50, 16], "words": [100, 16]}, types={"ids": INT64})
    # The positions are a constant that is as large as the tokens.
    assert layers == (Embedding(name="tokens", rows=100, width=16, lookups=9), Elementwise(name="y", elements=144, operands=2))


def test_names_are_kept_and_made_unique(layers_of: Any) -> None:
    nodes = [
        node("Relu", "x", "a", name="act"),
        node("Relu", "a", "b", name="act"),
        node("Relu", "b", "c", name="act"),
        node("Relu", "c", "act_2"),
        node("Relu", "act_2"),
    ]
    assert [layer.name for layer in layers_of(nodes, {"x": X2})] == ["act", "act_2", "act_3", "act_2_2", "y"]


def test_weights_that_are_also_inputs_are_weights(layers_of: Any) -> None:
    inputs = {"w": W2, "x": [2, 4, 5, 6]}
    (layer,) = layers_of(node("Conv", "x w"), inputs, {"w": W2}, load={"batch": 3})
    assert (layer.batch, layer.weight_elements) == (3, 288)


def test_sparse_weights_are_weights(tmp_path: Path) -> None:
    model = make_model([node("MatMul", "x w")], {"x": [2, 3]}, {})
    values = helper.make_tensor("w", FLOAT, [1], [1.0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, helper.make_tensor("at", INT64, [1], [4]), [3, 5]))
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    assert load_onnx(path).model.layers == (Gemm(name="y", m=2, k=3, n=5),)


def test_empty_tensors_take_no_time(layers_of: Any) -> None:
    nodes = [node("Slice", "x zero zero", "none"), node("Relu", "none", "z"), node("Relu")]
    assert [layer.name for layer in layers_of(nodes, {"x": X2}, {"zero": np.array([0])})] == ["y"]


@pytest.mark.parametrize("opset", [17, 13])
def test_local_functions_are_inlined(layers_of: Any, opset: int) -> None:
    body = [node("Conv", "data kernel", "c"), node("Relu", "c", "out")]
    opsets = [helper.make_opsetid("", opset)]
    function = helper.make_function("mine", "ConvRelu", ["data", "kernel"], ["out"], body, opsets)
    nodes = [node("ConvRelu", "x w", domain="mine")]
    layers = layers_of(nodes, {"x": X2}, {"w": W2}, functions=[function], opsets=[helper.make_opsetid("mine", 1)])
    assert [layer.kind for layer in layers] == ["conv", "elementwise"]


def test_long_name_of_the_standard_domain(layers_of: Any) -> None:
    assert layers_of(node("Relu", domain="ai.onnx"), {"x": X2}) == (Elementwise(name="y", elements=120),)


# Sizes


def test_open_batch_is_one_unless_asked(imported: Any) -> None:
    made, inputs, weights = node("Conv", "x w"), {"x": ["N", 4, 5, 6]}, {"w": W2}
    one, eight = imported(made, inputs, weights).model, imported(made, inputs, weights, load={"batch": 8}).model
    assert (one.layers[0].batch, eight.layers[0].batch) == (1, 8)
    assert eight.macs == 8 * one.macs
    assert one.source == "ONNX file net.onnx, N=1"


def test_batch_replaces_a_written_one_only_when_asked(layers_of: Any) -> None:
    made, inputs = node("Mul", "x scale"), {"x": [4, 10], "scale": [1, 10]}
    assert layers_of(made, inputs) == (Elementwise(name="y", elements=40),)
    assert layers_of(made, inputs, load={"batch": 2}) == (Elementwise(name="y", elements=20),)


def test_a_stated_shape_of_another_batch_is_not_believed(layers_of: Any) -> None:
    made, relu = node("NonZero", "x", "z"), node("Relu", "z")
    fields: dict[str, Any] = {"stated": {"z": [2, 7]}, "outputs": ["y"], "types": {}}
    assert layers_of([made, relu], {"x": [4, 10]}, **fields)[-1] == Elementwise(name="y", elements=14)
    with pytest.raises(InputError, match="depends on data"):
        layers_of([made, relu], {"x": [4, 10]}, load={"batch": 2}, **fields)


def test_question_marks_are_dimensions_of_their_own(layers_of: Any) -> None:
    layers = layers_of(node("Relu"), {"x": ["N", "?", "?"]}, load={"dimensions": {"x[1]": 3, "x[2]": 5}})
    assert layers == (Elementwise(name="y", elements=15),)


def test_symbolic_dimensions(layers_of: Any) -> None:
    made, inputs, weights = node("MatMul", "x w"), {"x": ["batch", "seq", None, 8]}, {"w": [8, 3]}
    layers = layers_of(made, inputs, weights, load={"dimensions": {"seq": 128, "x[2]": 5}, "batch": 2})
    assert layers == (Gemm(name="y", m=2 * 128 * 5, k=8, n=3),)
    with pytest.raises(InputError) as caught:
        layers_of(made, inputs, weights)
    assert [fault.partition("net.onnx: ")[2] for fault in caught.value.faults] == [
        "dimension 'seq' (axis 1 of input 'x') has no size; set it with dimensions={'seq': SIZE}",
        "dimension 'x[2]' (axis 2 of input 'x') has no size; set it with dimensions={'x[2]': SIZE}",
    ]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"dimensions": {"sqe": 128, "seq": 128}}, "no input has a dimension 'sqe'; symbolic ones: batch, seq"),
        ({"dimensions": {"seq": 0}}, "dimension 'seq' must be 1 to 2147483647, got 0"),
        ({"batch": -1}, "batch must be 1 to 2147483647, got -1"),
    ],
)
def test_wrong_sizes_are_refused(layers_of: Any, load: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        layers_of(node("Relu"), {"x": ["batch", "seq"]}, load=load)


def test_a_reshape_written_for_another_batch_is_found(layers_of: Any) -> None:
    nodes = [node("Reshape", "x target", "flat", name="head"), node("Relu", "flat")]
    constants = {"target": np.array([1, 120])}
    assert layers_of(nodes, {"x": X2}, constants)[0].elements == 120
    with pytest.raises(InputError, match=r"node 'head' \(Reshape\): cannot give \[2, 4, 5, 6\] the shape \[1, 120\]"):
        layers_of(nodes, {"x": X2}, constants, load={"batch": 2})


# Refusals


def test_control_flow_is_refused_by_name(layers_of: Any) -> None:
    branch = helper.make_graph([node("Relu", "x", "z")], "branch", [], [onnx.ValueInfoProto(name="z")])
    nodes = [node("ReduceMax", "x", "top", keepdims=0), node("Cast", "top", "sign", to=onnx.TensorProto.BOOL)]
    nodes.append(node("If", "sign", name="gate", then_branch=branch, else_branch=branch))
    with pytest.raises(InputError, match=r"net.onnx: node 'gate' \(If\): control flow is not supported"):
        layers_of(nodes, {"x": X2})


def test_unknown_operators_are_all_listed(imported: Any) -> None:
    nodes = [
        node("Fancy", "x", "a", name="f1", domain="com.acme"),
        node("Fancy", "a", "b", name="f2", domain="com.acme"),
        node("Einsum", "x", "t", name="trace", equation="abcc->ab"),
        node("Einsum", "x w", "u", name="sum first", equation="abcd,dbce->bce"),
        node("Einsum", "x x", "v", name="implicit", equation="abcd,abcd"),
        node("Einsum", "x w", "d", name="diagonal", equation="abcc,dbce->abde"),
        node("Relu", "x", "r"),
        node("Relu", "x", "s", domain="com.acme"),
    ]
    with pytest.raises(InputError) as caught:
        imported(nodes, {"x": [1, 2, 3, 3]}, {"w": [3, 2, 3, 5]}, opsets=[helper.make_opsetid("com.acme", 1)])
    expected = (
        "operator Fancy of domain 'com.acme' (2 nodes, first 'f1')",
        "operator Einsum (4 nodes, first 'trace')",
        "operator Relu of domain 'com.acme' (1 node, first 's')",
    )
    assert [fault.partition("net.onnx: ")[2] for fault in caught.value.faults] == [f"{one} has no layer" for one in expected]
    accepted = imported(
        nodes, {"x": [1, 2, 3, 3]}, {"w": [3, 2, 3, 5]}, opsets=[helper.make_opsetid("com.acme", 1)], load={"unknown": "free"}
    )
    assert tuple(map(str, accepted.unknown)) == expected
    assert accepted.model.layers == (Elementwise(name="r", elements=18),)


def test_shape_behind_an_unknown_operator_must_be_stated(imported: Any) -> None:
    nodes = [node("Fancy", "x", "a", name="f", domain="com.acme"), node("Relu", "a", "b"), node("Relu", "b")]
    fields: dict[str, Any] = {"load": {"unknown": "free"}, "opsets": [helper.make_opsetid("com.acme", 1)]}
    with pytest.raises(InputError) as caught:
        imported(nodes, {"x": ["N", 4]}, **fields)
    assert len(caught.value.faults) == 1
    assert "node 'f' (Fancy): the shape of its output 'a'" in caught.value.faults[0]
    assert imported(nodes, {"x": ["N", 4]}, stated={"a": ["N", 7]}, **fields).model.layers[0].elements == 7


@pytest.mark.parametrize(
    ("nodes", "size", "message"),
    [
        ([node("Conv", "x w3")], [1, 4, 5, 6, 7], r"node 'y' \(Conv\): input 0 has the shape \[1, 4, 5, 6, 7\], expected 3 or 4"),
        ([node("Conv", "x w")], [1, 4, 5, 6, 7], r"node 'y' \(Conv\): Number of spatial dimensions"),
        ([node("Conv", "x w")], [1, 5, 5, 6], "the input has 5 channels, the weights are for 1 x 4"),
        ([node("ConvTranspose", "x w")], [1, 5, 5, 6], "the input has 5 channels, the weights are for 8"),
        ([node("MatMul", "x w")], [1, 4, 5, 6], r"node 'y' \(MatMul\): Incompatible dimensions"),
        ([node("Einsum", "x w", equation="bcyx,ocyx->bo")], [1, 4, 5, 6], "index 'y' of 'bcyx,ocyx->bo' has the sizes 5 and 3"),
        ([node("Add", "x gone")], [1, 4, 5, 6], r"node 'y' \(Add\) reads 'gone', which no earlier node writes"),
        ([node("Flatten")], [1, 4, 5, 6], "no node computes anything"),
        ([node("NonZero", "x", "i"), node("Relu", "i")], [4, 5], r"node 'i' \(NonZero\): the shape of its output 'i' depends on data"),
        ([node("Relu")], None, "input 'x' has no shape"),
        ([node("Relu")], [2**40], r"node 'y' \(Relu\): .*elements: .*less than or equal to 2147483647"),
    ],
)
def test_graphs_that_cannot_be_read(layers_of: Any, nodes: list[Any], size: list[int] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        layers_of(nodes, {"x": size}, {"w": W2, "w3": [8, 4, 3, 3, 3]})


@pytest.mark.parametrize("opset", [5, 99])
def test_opsets_that_cannot_be_read(layers_of: Any, opset: int) -> None:
    with pytest.raises(InputError, match=f"uses opset {opset}; the installed onnx package reads 6 to "):
        layers_of(node("Relu"), {"x": X2}, opset=opset)


# Files


def test_external_weights_need_not_be_there(tmp_path: Path) -> None:
    model = make_model([node("Conv", "x w")], {"x": X2}, {"w": W2})
    path = tmp_path / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").unlink()
    assert load_onnx(path).model.macs == 8 * 4 * 9 * 3 * 4


def test_shapes_in_external_files_are_told(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x target", "z"), node("Relu", "z")]
    path = tmp_path / "net.onnx"
    onnx.save(make_model(nodes, {"x": X2}, {"target": np.array([2, 60])}), path, save_as_external_data=True, size_threshold=0)
    with pytest.raises(
        InputError, match=r"node 'z' \(Reshape\): the shape of its output 'z' depends on data, or on weights in another file"
    ):
        load_onnx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an ONNX model: it has no graph"),
        (b"{'not': 'onnx'}", "is not an ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (None, "no such file"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_onnx(path)
    assert caught.value.faults[0].startswith(f"{path}: {message}")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: is a directory"):
        load_onnx(tmp_path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with path.open("wb") as stream:
        stream.truncate(2**31 + 1)  # sparse: takes no room
    with pytest.raises(InputError, match="larger than 2 GiB"):
        load_onnx(path)


def test_damaged_files_end_in_a_message(tmp_path: Path) -> None:
    """Whatever byte is wrong, the user is told, and no other exception leaks."""
    whole = (LIGHT / "light_squeezenet.onnx").read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "net.onnx"
    n_refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for at in random.integers(len(whole), size=2):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        try:
            load_onnx(path)
        except InputError:
            n_refused += 1
    assert n_refused > 50


def test_missing_onnx_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'rtsched\[onnx\]'"):
        load_onnx(tmp_path / "net.onnx")


# As YAML


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_imported_models_survive_yaml(name: str) -> None:
    model = load_onnx(LIGHT / f"light_{name}.onnx").model
    text = dump_model(model)
    assert Model.model_validate(YAML(typ="safe", pure=True).load(text)) == model
    # Name, source, the key of the layers, and a line for each.
    assert len(text.splitlines()) == 3 + len(model.layers or ())


# The example


def test_tenants_example_names_graphs_that_are_there() -> None:
    path = Path(__file__).parents[2] / "examples/tenants.yaml"
    tasks = YAML(typ="safe", pure=True).load(path)["tasks"]
    assert len(tasks) == 4
    for task in tasks:
        package, _, inside = task["model"].removeprefix("package:").partition("/")
        assert package == "onnx"
        assert load_onnx(Path(onnx.__file__).parent / inside).model.macs > 0


def test_names_of_any_length_make_messages_of_one_line(imported: Callable[..., Any]) -> None:
    with pytest.raises(InputError) as caught:
        imported([node("Nonsense", name="a\nb" * 500)], {"x": [1, "n" * 5_000]})
    with pytest.raises(InputError) as unknown:
        imported([node("Nonsense" * 500, name="a\nb")], {"x": [1, 2]})
    for fault in (*caught.value.faults, *unknown.value.faults):
        assert "\n" not in fault
        assert len(fault) < 700
        assert fault.endswith("...")


@pytest.mark.parametrize(
    "damaged",
    [
        node("Shape", "", "s"),
        node("Size", "", "s"),
        helper.make_node("Shape", ["x"], []),
        helper.make_node("GroupNormalization", ["x"], []),
        node("Size", "wide", "s"),
    ],
)
def test_nodes_without_inputs_or_outputs_and_sizes_beyond_int64(imported: Callable[..., Any], damaged: Any) -> None:
    nodes = [damaged, node("Relu", "x", "y")]
    try:
        found = imported(nodes, {"x": [1, 8, 4], "wide": [2**40, 2**40]}, opset=21)
    except InputError:
        return
    assert found.model.layers[0].elements == 32
