"""The dataflow cost model against ZigZag's figures for layers of MobileNetV2 and ResNet-18 on like hardware.

``benchmarks/zigzag_layers.py`` writes the figures and tells the hardware; both tools are analytical, so neither is the truth.
"""

import measurements
import numpy as np
import pytest

STEMS = {"mobilenetv2 stem": 2 / 3, "resnet18 stem": 10 / 12}
"""Blocks of 16 (channel, tap) pairs over those of ZigZag, which puts whole factors of the loops on an axis: 27 pairs as 3 x 9,
147 as 12 parts of 14 or 16."""

POINTWISE_STRIDED = ("resnet18 2.downsample", "resnet18 3.downsample", "resnet18 4.downsample")


@pytest.fixture(scope="module")
def script():
    return measurements.script("zigzag_accuracy")


@pytest.fixture(scope="module")
def rows(script):
    return script.read()


@pytest.fixture(scope="module")
def compared(script, rows, show_table):
    found = {hardware: script.compare(rows, hardware) for hardware in script.HARDWARE}
    show_table("Layers of MobileNetV2 and ResNet-18, ours over ZigZag's", "\n".join(map(script.summary, found.values())))
    return found


def named(comparison, attribute):
    """Ours over ZigZag's, by layer."""
    return dict(zip(comparison.ours.names, getattr(comparison.ours, attribute) / getattr(comparison.zigzag, attribute), strict=True))


def test_all_layers_are_there(script, rows):
    shapes = {}
    for row in rows:
        shapes.setdefault((row["hardware"], row["network"]), []).append(row["layer"])
    assert set(shapes) == {(hardware, network) for hardware in script.HARDWARE for network in ("mobilenetv2", "resnet18")}
    for (_, network), layers in shapes.items():
        assert len(layers) == len(set(layers)) >= 10
        assert layers == shapes["ws", network]
    assert len({row["tool"] for row in rows}) == 1


def test_macs_agree(compared):
    for comparison in compared.values():
        np.testing.assert_array_equal(comparison.ours.macs, comparison.zigzag.macs)


@pytest.mark.parametrize("hardware", ["ws", "ws-sums", "ws-160k"])
def test_weight_stationary_array_cycles_agree_exactly(compared, hardware):
    ratios = named(compared[hardware], "array_cycles")
    assert {name: ratio for name, ratio in ratios.items() if ratio != 1.0} == pytest.approx(STEMS, rel=1e-12)


@pytest.mark.parametrize("hardware", ["ws", "ws-sums", "ws-160k"])
def test_weight_stationary_total_cycles(compared, hardware):
    """ZigZag adds what it cannot overlap, 7 % of the shortest layer; and beats DRAM's bandwidth by 6 % where that is the limit."""
    for name, ratio in named(compared[hardware], "total_cycles").items():
        assert ratio / STEMS.get(name, 1.0) == pytest.approx(1.0, abs=0.08), name


@pytest.mark.parametrize("hardware", ["ws", "ws-sums", "os"])
def test_dram_bytes_agree_exactly_where_all_fits(compared, hardware):
    """But for strided 1x1 kernels: ours fetch the pixels between the windows, ZigZag's do not."""
    comparison = compared[hardware]
    between = {
        layer.name: layer.in_channels * (layer.size[0] * layer.size[1] - layer.output_size[0] * layer.output_size[1])
        for layer in comparison.ours.layers
        if layer.name in POINTWISE_STRIDED
    }
    differences = dict(zip(comparison.ours.names, comparison.ours.dram_bytes - comparison.zigzag.dram_bytes, strict=True))
    assert {name: difference for name, difference in differences.items() if difference} == between


def test_output_stationary_array_cycles_agree_exactly_without_the_noc(script, rows, compared):
    fast = [{**row, "noc_bytes_per_cycle": str(2**20)} for row in rows if row["hardware"] == "os"]
    np.testing.assert_array_equal(script.ours(fast).array_cycles, compared["os"].zigzag.array_cycles)


def test_output_stationary_noc_costs_at_most_four_times_as_long(compared):
    """Ours reads the inputs of 1x1 kernels anew for every output channel; ZigZag keeps them in the array."""
    ratios = np.array(list(named(compared["os"], "array_cycles").values()))
    assert ratios.min() == 1.0
    assert ratios.max() <= 4.0
