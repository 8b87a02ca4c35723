"""What is particular to single networks of the zoo: skips and exits, correspondence with measured layers and with ONNX graphs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rtsched.interop.onnx import load_onnx
from rtsched.workload import zoo
from rtsched.workload.layer import Conv, Gemm, LayerBase, Pool
from rtsched.workload.model import Subnet
from rtsched.workload.zoo import gemmini_rows

MEGA = 1e6


def only_subnet(network: str) -> Subnet:
    (subnet,) = zoo.load(network).variants
    return subnet


def expected_macs(subnet: Subnet) -> float:
    """Mean over inferences, by the probabilities of its skips and exits."""
    reached, macs = 1.0, 0.0
    for block in subnet.all_blocks:
        executed = reached * (1 - block.skip)
        macs += executed * sum(layer.macs for layer in block.layers)
        reached -= executed * block.exit
    return macs


# Dynamic networks


def test_skipnet_skips_all_blocks_that_keep_the_shape_but_never_a_gate() -> None:
    blocks = only_subnet("skipnet").all_blocks
    skips = [block.skip for block in blocks if block.skip]
    assert len(skips) == 16 - 4
    assert skips == sorted(skips)
    assert (skips[0], skips[-1]) == (0.3, 0.6)
    for block in blocks:
        gates = [layer.name for layer in block.layers if ".gate." in layer.name]
        assert not (block.skip and gates)
    assert sum(".gate.lstm" in layer.name for layer in only_subnet("skipnet").all_layers) == len(skips)


def test_skipnet_is_resnet50_and_its_gates_are_as_small_as_the_paper_says() -> None:
    gates = [layer for layer in only_subnet("skipnet").all_layers if ".gate." in layer.name]
    rest = [layer for layer in only_subnet("skipnet").all_layers if ".gate." not in layer.name]
    stem, *body, _ = only_subnet("resnet50").all_layers
    assert isinstance(stem, Conv)
    assert [layer.model_dump() for layer in rest[2:-1]] == [layer.model_dump() for layer in body]
    # Its first pooling is a layer, not a part of the convolution.
    assert rest[0].model_dump(exclude={"name"}) == stem.model_dump(exclude={"name"}) | {"pool": None}
    assert isinstance(rest[1], Pool)
    assert rest[1].output_size == stem.pooled_size
    blocks = [block for block in only_subnet("skipnet").all_blocks if block.skip]
    assert sum(layer.macs for layer in gates) < 0.0004 * sum(layer.macs for block in blocks for layer in block.layers)


def test_rapid_rl_needs_a_quarter_of_the_operations_without_branches() -> None:
    """Kosta et al., abstract: 0.25 times the operations on drone navigation."""
    subnet = only_subnet("rapid_rl")
    trunk = sum(layer.macs for layer in subnet.all_layers if not layer.name.startswith("exit"))
    assert expected_macs(subnet) / trunk == pytest.approx(0.25, abs=0.005)
    assert [block.exit > 0 for block in subnet.all_blocks] == [True, True, False]


# Networks whose papers have no counts


def test_vgg_m_has_the_sizes_of_the_papers_table() -> None:
    """Nagrani et al., Interspeech 2017, table 5, column "data size"."""
    maps = [layer.output_size for layer in only_subnet("vgg_m").all_layers if isinstance(layer, Conv | Pool)]
    assert maps == [(254, 148), (126, 73), (62, 36), (30, 17), (30, 17), (30, 17), (30, 17), (9, 8), (1, 8), (1, 1)]
    assert [layer.output_elements for layer in only_subnet("vgg_m").all_layers[-2:]] == [1024, 1251]


def test_sosnet_describes_256_patches_in_128_numbers_by_l2_nets_convolutions() -> None:
    convs = [layer for layer in only_subnet("sosnet").all_layers if isinstance(layer, Conv)]
    assert [(conv.out_channels, conv.size[0]) for conv in convs] == [(32, 32), (32, 32), (64, 32), (64, 16), (128, 16), (128, 8), (128, 8)]
    weights = [9 * 32, 9 * 32 * 32, 9 * 32 * 64, 9 * 64 * 64, 9 * 64 * 128, 9 * 128 * 128, 64 * 128 * 128]
    positions = [32**2, 32**2, 16**2, 16**2, 8**2, 8**2, 1]
    assert sum(conv.weight_elements for conv in convs) == sum(weights) == 1_334_560
    assert sum(conv.macs for conv in convs) == 256 * sum(w * p for w, p in zip(weights, positions, strict=True))


def test_trailnet_has_resnet18s_convolutions() -> None:
    """Torchvision's ResNet-18 has 11.69 M parameters, of which 0.513 M are the classifier's, and normalisations of 2 per channel."""
    convs = [layer for layer in only_subnet("trailnet").all_layers if isinstance(layer, Conv)]
    assert sum(conv.weight_elements for conv in convs) == 11_689_512 - 513_000 - 2 * 4800
    assert sum(conv.out_channels for conv in convs) == 4800
    assert [conv.output_size for conv in convs if conv.kernel == (1, 1)] == [(22, 39), (11, 20), (6, 10)]


def test_focal_length_depth_encodes_by_vgg16() -> None:
    """Torchvision's VGG-16 has 138,357,544 parameters and 15.47 G MACs with its three fully connected layers."""
    encoder = [layer for layer in only_subnet("focal_length_depth").all_layers if layer.name.startswith("encoder")]
    connected = 25088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert sum(layer.parameters for layer in encoder) == 138_357_544 - connected - (4096 + 4096 + 1000)
    assert sum(layer.macs for layer in encoder) / 1e9 == pytest.approx(15.47 - connected / 1e9, rel=0.001)


def test_ed_tcn_has_the_papers_filters() -> None:
    convs = [layer for layer in only_subnet("ed_tcn").all_layers if isinstance(layer, Conv)]
    assert [(conv.in_channels, conv.out_channels, conv.size[0], conv.kernel) for conv in convs] == [
        (128, 96 + 32, 128, (25, 1)),
        (128, 96 + 64, 64, (25, 1)),
        (160, 96 + 64, 64, (25, 1)),
        (160, 96 + 32, 128, (25, 1)),
    ]


def test_ssd_has_1917_boxes() -> None:
    heads = [layer for layer in only_subnet("ssd_mobilenetv2").all_layers if layer.name.endswith(".boxes")]
    assert sum(head.output_elements for head in heads) == 1917 * 4


# Layers measured on Gemmini (tests/parity compares them with the table)

ROWS = {"resnet50": 71, "alexnet": 12, "googlenet": 70, "squeezenet": 27, "kws_res26": 36, "yolov2": 24, "yolo_lite": 12}


def test_every_costly_layer_is_one_row() -> None:
    assert {network: len(gemmini_rows.rows(network)) for network in gemmini_rows.NETWORKS} == ROWS
    for network in gemmini_rows.NETWORKS:
        assert list(gemmini_rows.rows(network)) == [layer for layer in only_subnet(network).all_layers if not layer.is_free]


def test_networks_that_were_not_measured_have_no_rows() -> None:
    with pytest.raises(KeyError, match="fbnet_c"):
        gemmini_rows.rows("fbnet_c")


# ONNX's graphs


def graph(name: str) -> list[LayerBase]:
    onnx = pytest.importorskip("onnx")
    file = Path(onnx.__file__).parent / f"backend/test/data/light/light_{name}.onnx"
    return [layer for layer in load_onnx(file).model.variants[0].all_layers if layer.macs]


def shapes(layers: list[LayerBase]) -> list[tuple[str, int, int, int]]:
    """What layers compute, read and write; convolutions before the pooling that is part of them."""
    alone = [layer.model_copy(update={"pool": None}) if isinstance(layer, Conv) else layer for layer in layers]
    return [(layer.kind, layer.macs, layer.input_elements, layer.output_elements) for layer in alone]


def counted(network: str) -> list[LayerBase]:
    return [layer for layer in only_subnet(network).all_layers if layer.macs]


@pytest.mark.parametrize("network", ["resnet50", "squeezenet"])
def test_layers_are_those_of_the_onnx_graph(network: str) -> None:
    """All of SqueezeNet's; ResNet-50's but the classifier, whose outputs are padded here."""
    ours, theirs = shapes(counted(network)), shapes(graph(network))
    last = -1 if network == "resnet50" else None
    assert Counter(ours[:last]) == Counter(theirs[:last])
    assert len(ours) == len(theirs)


def test_alexnets_fully_connected_layers_are_those_of_the_onnx_graph() -> None:
    """The graph has the grouped convolutions of 2012. Its classifier is not padded."""
    ours = [layer for layer in counted("alexnet") if isinstance(layer, Gemm)]
    theirs = [layer for layer in graph("bvlc_alexnet") if isinstance(layer, Gemm)]
    assert shapes(ours)[:-1] == shapes(theirs)[:-1]
    assert ours[-1].macs / theirs[-1].macs == 1.024


def test_googlenet_has_the_channels_of_the_onnx_graph() -> None:
    """The graph rounds sizes down where ours rounds up, and has 5x5 kernels where ours has 3x3: MACs per position and tap agree."""

    def channels(layers: list[LayerBase]) -> Counter[tuple[int, int]]:
        return Counter((layer.in_channels, layer.out_channels) for layer in layers if isinstance(layer, Conv))

    ours, theirs = counted("googlenet"), graph("inception_v1")
    assert channels(ours) == channels(theirs)
    five = [layer for layer in theirs if isinstance(layer, Conv) and layer.kernel == (5, 5)]
    second = [layer for layer in ours if layer.name.endswith("second_filter")]
    assert [25 * layer.weight_elements for layer in second] == [9 * layer.weight_elements for layer in five]
