"""The systolic cost model against numbers worked out by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

import rtsched
from rtsched._core.cost import LAYER_COLUMNS
from rtsched._core.systolic import Tiles
from rtsched.cost.moca import MocaPublishedCost
from rtsched.cost.model import LIMITS, Energy, LayerKey, LayerTable
from rtsched.cost.systolic import SystolicCost
from rtsched.errors import InputError
from rtsched.workload.layer import Conv, Elementwise, FusedPool, Gemm, Measured, Norm, Pool, Recurrent, Softmax

SPEEDS = {
    "load_bytes_per_cycle": 16.0,
    "unaligned_beat_cycles": 32.0,
    "store_row_cycles": 4.0,
    "switch_stall": 0.5,
    "pool_read_cycles": 2.0,
    "stream_beat_cycles": 2.0,
    "stream_start_cycles": 100.0,
    "layer_start_cycles": 0.0,
}
ROUND = SystolicCost(**SPEEDS)


def estimate(model, *layers, tiles=1, energy=None):
    keys = [LayerKey("net", layer.name) for layer in layers]
    return model.estimate("acc", tiles, LayerTable.of(keys, layers), energy or Energy())


def cycles(layer, tiles=1, model=ROUND):
    """At 1000 MHz a cycle is a nanosecond."""
    return estimate(model, layer, tiles=tiles).compute_ns[0, tiles - 1]


def conv(k, c, size, kernel, **changes):
    return Conv(name="conv", out_channels=k, in_channels=c, size=size, kernel=kernel, **changes)


def gemm(m, n, k, **changes):
    return Gemm(name="gemm", m=m, n=n, k=k, **changes)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # Load 16 rows and 16 weights of 16 bytes, 16 cycles in the array, store 16 x 4.
        (gemm(16, 16, 16), 32 + 16 + 64),
        # One row: the next weights take 16 + 15 / 2 cycles.
        (gemm(1, 16, 16), 17 + 23.5 + 4),
        # Two blocks of 512 rows, as many as the accumulators hold; while one is computed the other is loaded or stored.
        (gemm(1024, 16, 16), 528 + 528 + 2048 + 2048),
        # Rows of 17 bytes are fetched one after the other; each touches two beats.
        (gemm(16, 16, 17), 16 * 2 * 32 + 17 + 2 * 16 + 64),
        # Two heads, two steps in each of two directions.
        (gemm(16, 16, 16, count=2), 2 * 112),
        (Recurrent(name="rnn", input_size=8, hidden_size=8, gates=1, steps=2, directions=2, batch=16), None),
        # 1 x 1 taps make a product of 256 rows.
        (conv(16, 16, 16, 1), 256 + 16 + 256 + 1024),
        # 256 pixels and 9 taps; padding is not loaded.
        (conv(16, 16, 16, 3, padding=1), 256 + 144 + 9 * 256 + 1024),
        # Three channels: three taps share a pass; rows of three pixels, 9 bytes, come one after the other and touch 1.5 beats.
        (conv(16, 3, 16, 3, padding=1), 256 * 48 + 27 + 3 * 256 + 1024),
        # The accumulators hold 32 of 64 output channels; the other 32 load the image again.
        (conv(64, 3, 16, 3, padding=1), 2 * (256 * 48 + 54) + 2048 + 2048),
        # Halved twice, 24 of 96 channels fit; while a block is loaded, the last but one is stored, one after the other.
        (conv(96, 3, 16, 3, padding=1), 4 * (256 * 48 + 40.5) + 4 * 2048),
        # 23 and 22 of 45 channels, not 32 and 13.
        (conv(45, 3, 16, 3, padding=1), 2 * 256 * 48 + 27 * 45 / 16 + 2048 + 2048),
        # 7 columns: seven passes, the last one takes 16 + 9 / 2.
        (conv(16, 16, 7, 3, padding=1), 49 + 144 + 9 * (42 + 20.5) + 49 * 4),
        # 2 columns pass in 4 cycles.
        (conv(16, 16, 2, 3, padding=1), 4 + 144 + 9 * (4 + 23) + 16),
        # A pooling reads 9 results for each of 4 x 4; 9 x 9 pixels.
        (conv(16, 16, 9, 1, pool=FusedPool(kernel=3, stride=2)), 81 + 16 + (72 + 19.5) + 16 * 9 * 2),
        # Two images one after the other; with 1 x 1 taps as one product.
        (conv(16, 16, 16, 3, padding=1, batch=2), 2 * 3728),
        (conv(16, 16, 4, 1, batch=2), 32 + 16 + 32 + 128),
        # Depthwise: sixteen times one channel.
        (conv(16, 16, 16, 3, padding=1, groups=16), 16 * (256 * 18 / 16 * 32 + 9 / 16 + 3 * 256 + 1024)),
        # Four phases of 1 x 1 taps are 64 output channels.
        (conv(16, 16, 4, 2, stride=2, transposed=True), 16 + 64 + 4 * 16 + 16 * 4 * 4),
        # 100 blocks of 16 in from each of two operands, 100 out.
        (Elementwise(name="add", elements=1600, operands=2, channels=16), 300 * 2 + 100),
        (Elementwise(name="add", elements=1600, operands=2), 300 * 2 + 100),
        # 12 rows of 45 bytes that begin anywhere: pieces of 16, 16 and 13 touch 31/16, 31/16 and 28/16 beats.
        (Elementwise(name="add", elements=180, operands=2, channels=45), 68 * 2 + 100),
        (Softmax(name="softmax", elements=160), 40 * 2 + 100),
        (Norm(name="norm", elements=160, channels=16, has_weights=False), 30 * 2 + 100),
        # 16 blocks in, 4 out, each of those from four elements.
        (Pool(name="pool", channels=16, size=4, kernel=2, stride=2), 20 * 2 + 4 * 4 * 2),
    ],
)
def test_cycles_by_hand(layer, expected):
    if expected is None:  # each step is 16 rows, 16 inputs and 8 columns
        expected = 4 * (16 + 8 + 16 + 64)
    assert cycles(layer) == np.ceil(expected)


@pytest.mark.parametrize(
    ("layer", "tiles", "expected"),
    [
        # 8 rows each, with one row of halo at the inner side and one of padding.
        (conv(16, 16, 16, 3, padding=1), 2, 160 + 144 + 9 * 128 + 512),
        # 16 output channels each.
        (gemm(16, 32, 16), 2, 112),
        # Three tiles cannot share two blocks better than two can.
        (gemm(16, 32, 16), 3, 112),
        (gemm(16, 16, 16, count=3), 2, 2 * 112),
        (Elementwise(name="add", elements=1600, operands=2), 4, 75 * 2 + 100),
    ],
)
def test_tiles_share_a_layer(layer, tiles, expected):
    assert cycles(layer, tiles) == expected


@pytest.mark.parametrize("layer", [gemm(16, 16, 16, count=3), Softmax(name="softmax", elements=160)])
def test_every_layer_starts_once(layer):
    slower = ROUND.model_copy(update={"layer_start_cycles": 7.0})
    assert cycles(layer, 2, slower) == cycles(layer, 2) + 7


def test_recurrent_steps_wait_for_each_other():
    layer = Recurrent(name="rnn", input_size=8, hidden_size=8, gates=1, steps=4)
    assert cycles(layer, 4) == cycles(layer, 1)


def test_blocks_follow_the_memories():
    layer = gemm(512, 16, 16)
    # Half of 64 KiB holds the results of 512 rows; half of 32 KiB of 256, and the second block is loaded meanwhile.
    assert cycles(layer) == 528 + 512 + 2048
    assert cycles(layer, model=ROUND.model_copy(update={"accumulator_kib": 32})) == 272 + 272 + 1024 + 1024


def test_traffic():
    costs = estimate(ROUND, gemm(16, 16, 16), conv(16, 16, 16, 3, padding=1), tiles=2)
    assert costs.l2_bytes[0].tolist() == [768, 768]
    # Each tile of two reads 10 rows of inputs and all weights.
    assert costs.l2_bytes[1].tolist() == [4096 + 2304 + 4096, 2 * (2560 + 2304 + 2048)]
    # Results stay in the L2, which writes them back all the same.
    assert costs.dram_bytes.tolist() == [[256 + 256] * 2, [2304 + 4096] * 2]
    assert costs.fetch_bytes.tolist() == [[256] * 2, [4096] * 2]
    assert not costs.keep_bytes.any()
    # 1 KiB of L2 keeps tensors of up to 256 bytes.
    small = estimate(ROUND.model_copy(update={"l2_kib": 1}), conv(16, 16, 16, 3, padding=1))
    assert small.fetch_bytes[0, 0] == 0
    assert small.dram_bytes[0, 0] >= 4096 + 2304 + 4096
    # On n of 4 tiles a layer has n * 8 KiB of the L2, which keep tensors of up to n * 2 KiB.
    shared = estimate(ROUND.model_copy(update={"l2_kib": 32}), conv(16, 16, 16, 3, padding=1), tiles=4)
    assert shared.dram_bytes[0].tolist() == [4096 + 2304 + 4096, *[2304 + 4096] * 3]
    assert shared.fetch_bytes[0].tolist() == [0, 4096, 4096, 4096]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (conv(16, 16, 16, 3, padding=1), "compute"),
        (conv(16, 3, 16, 3, padding=1), "noc"),  # unaligned rows
        (gemm(256, 64, 16), "noc"),  # stores
        (gemm(16, 64, 640), "noc"),  # weights
        (Elementwise(name="add", elements=160, operands=2), "start-up"),
        (Elementwise(name="add", elements=16000, operands=2), "noc"),
        (Pool(name="pool", channels=16, size=16, kernel=8, stride=4), "compute"),
    ],
)
def test_limits(layer, expected):
    costs = estimate(ROUND, layer, tiles=2)
    assert [LIMITS[limit] for limit in costs.limit[0]] == [expected] * 2
    assert costs.cycles[0, 0] == costs.compute_ns[0, 0]
    assert costs.peak_macs_per_ns.tolist() == [256.0, 512.0]


def test_limits_include_what_a_layer_needs_to_start():
    slow = ROUND.model_copy(update={"layer_start_cycles": 1e5})
    assert LIMITS[estimate(slow, conv(16, 16, 16, 3, padding=1)).limit[0, 0]] == "start-up"


def test_energy_by_component():
    energy = Energy(mac_pj=2.0, l1_per_mac=3.0, sram_per_mac=5.0, dram_per_mac=7.0)
    mac, sram, l2, dram = estimate(ROUND, gemm(16, 16, 16), energy=energy).energy_j[0, 0]
    assert mac == pytest.approx(4096 * 2e-12 * 10)
    # The array reads 256 inputs and 256 weights; 768 bytes enter or leave.
    assert sram == pytest.approx((512 + 768) * 2e-12 * 5)
    assert l2 == pytest.approx(768 * 2e-12 * 5)
    assert dram == pytest.approx(512 * 2e-12 * 7)


def test_layers_without_a_cost_are_all_named():
    with pytest.raises(InputError) as caught:
        estimate(ROUND, Measured(name="a"), gemm(1, 1, 1), Measured(name="b"))
    assert list(caught.value.faults) == [
        f"accelerator acc: layer {name!r} of model 'net' is known by its name alone, so it needs a measured table, not a systolic array"
        for name in "ab"
    ]
    huge = gemm(2**20, 2**20, 2**22)
    with pytest.raises(InputError, match=r"'gemm' of model 'net' is too large: more than 2\^53"):
        estimate(ROUND, huge)


def test_large_layers_take_no_time_to_estimate_and_do_not_overflow():
    layer = gemm(2**16, 2**15, 2**15)
    assert layer.macs // 256 <= cycles(layer) <= 1.2 * (layer.macs // 256)


def test_no_layers():
    costs = estimate(ROUND, tiles=3)
    assert costs.compute_ns.shape == costs.l2_bytes.shape == (0, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"clock_mhz": 0.0},
        {"scratchpad_kib": 0},
        {"scratchpad_kib": 1.5},
        {"accumulator_kib": 1},
        {"l2_kib": 0},
        {"load_bytes_per_cycle": 0.0},
        {"switch_stall": -0.1},
        {"unaligned_beat_cycles": float("nan")},
        {"unknown": 1},
    ],
)
def test_faulty_fields_are_refused(changes):
    with pytest.raises(ValidationError):
        SystolicCost(**changes)


def test_the_core_checks_its_arguments():
    core = Tiles(scratchpad_bytes=1024, accumulator_bytes=2048, l2_bytes=4, **SPEEDS)
    rows = np.ones((2, len(LAYER_COLUMNS)), dtype=np.int64)
    good = [np.empty((2, 3)), np.empty((2, 3)), np.empty((2, 3, 3), dtype=np.int64), np.empty((2, 3), dtype=np.int8)]
    core.estimate(rows, *good)
    bad = [np.empty((1, 3)), np.empty((2, 2)), np.empty((2, 3, 4), dtype=np.int64), np.empty((2, 2), dtype=np.int8)]
    for i in range(4):
        with pytest.raises(ValueError, match="expected 2 layers"):
            core.estimate(rows, *good[:i], bad[i], *good[i + 1 :])
    with pytest.raises(ValueError, match="expected 2 layers"):
        core.estimate(rows[:, :-1].copy(), *good)
    with pytest.raises(ValueError, match="at least 1024 bytes of scratchpad"):
        Tiles(scratchpad_bytes=1023, accumulator_bytes=2048, l2_bytes=4, **SPEEDS)


# ---- The published estimate


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 256 rows in, 16 rows of weights, 256 rows out; 256 cycles of MACs.
        (gemm(256, 16, 16), 256 + 256 + 16 + 0.3 * 256),
        # One row takes as long as 16; half of the shorter time adds.
        (gemm(1, 16, 16), 18 + 0.5 * 16),
        # 49 rows: seven tenths.
        (gemm(49, 16, 16), 49 + 16 + 49 + 0.7 * 49),
        (Elementwise(name="add", elements=1600, operands=2), 600),
    ],
)
def test_published_estimate_by_hand(layer, expected):
    assert estimate(MocaPublishedCost(), layer).compute_ns[0, 0] == np.ceil(expected)


def test_published_estimate_on_two_tiles():
    layer = Elementwise(name="add", elements=1600, operands=2)
    assert estimate(MocaPublishedCost(), layer, tiles=2).compute_ns[0].tolist() == [600, 300]


# ---- On a platform


def test_both_models_run_on_a_platform():
    tiles = [
        rtsched.Accelerator(name="ours", tiles=2, cost=rtsched.SystolicCost()),
        rtsched.Accelerator(name="theirs", tiles=2, cost=rtsched.MocaPublishedCost()),
    ]
    platform = rtsched.Platform(name="soc", accelerators=tiles, memory=rtsched.Memory(peak_gb_per_s=16.0), sync_ns=1000)
    net = rtsched.Model(name="net", layers=[conv(64, 16, 32, 3, padding=1), gemm(1, 10, 64)])
    problem = rtsched.compile(rtsched.Scenario(name="s", tasks=[rtsched.Task(name="t", model=net, fps=30)]), platform)
    assert (problem.costs["t_iso_ns"] > 0).all()
    assert (problem.costs["l2_bytes"] > 0).all()


# ---- Layers with a pooling


def test_a_pooling_that_is_part_of_a_convolution_shrinks_what_is_written():
    layer = conv(64, 3, 224, 7, stride=2, padding=3, pool=FusedPool(kernel=3, stride=2, padding=1))
    assert layer.output_size == (112, 112)
    assert layer.pooled_size == (56, 56)
    assert layer.output_elements == 64 * 56 * 56
    assert layer.macs == 64 * 3 * 49 * 112 * 112


def test_pools_and_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValidationError, match=r"the pool's kernel \(3, 3\) is larger than the padded output \(2, 2\)"):
        conv(16, 16, 2, 1, pool=FusedPool(kernel=3))
    with pytest.raises(ValidationError, match="channels 3 must divide elements 16"):
        Elementwise(name="add", elements=16, channels=3)
