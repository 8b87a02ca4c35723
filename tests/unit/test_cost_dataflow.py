"""The dataflow cost model against numbers worked out by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from rtsched._core.cost import LAYER_COLUMNS, Array
from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.model import LIMITS, Energy, LayerKey, LayerTable
from rtsched.errors import InputError
from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, Measured, Norm, Pool, Recurrent, Softmax

KIB = 1024


def array(dataflow, **changes):
    fields = {"pes": 2048, "clock_mhz": 1000.0, "sram_kib": 4096, "noc_elements_per_cycle": 512}
    return DataflowCost(dataflow=dataflow, **{**fields, **changes})


def estimate(model, *layers, tiles=1, energy=None):
    keys = [LayerKey("net", layer.name) for layer in layers]
    return model.estimate("acc", tiles, LayerTable.of(keys, layers), energy or Energy())


def cycles(model, layer):
    """At 1000 MHz a cycle is a nanosecond."""
    return estimate(model, layer).compute_ns[0, 0]


def traffic(model, layer):
    costs = estimate(model, layer)
    return costs.dram_bytes[0, 0], costs.fetch_bytes[0, 0], costs.keep_bytes[0, 0]


def conv(k, c, size, kernel, **changes):
    return Conv(name="conv", out_channels=k, in_channels=c, size=size, kernel=kernel, **changes)


WS, OS, RS = array("ws"), array("os"), array("rs")


@pytest.mark.parametrize(
    ("layer", "ws", "os"),
    [
        # 14 columns on 8 units; 14 rows on 32 units, 14 columns 4 at a time.
        (conv(64, 32, 14, 3, padding=1), 2 * 4 * 14 * 2 * 9, 64 * 1 * 4 * 2 * 9),
        # OS: each step reads 16 channels of (31 + 3) x (3 + 3) inputs and 9 weights, 3408 elements, 7 cycles: less than 9.
        (conv(32, 16, 32, 3, padding=1), 2 * 32 * 4 * 9, 32 * 8 * 9),
        # A 1 x 1 kernel starves OS: the 16 x 28 x 4 + 16 elements of a step take 4 cycles.
        (conv(16, 16, 28, 1), 28 * 4, 16 * 7 * 4),
        # Stride 2: windows of 8 columns are 17 wide, and of 28 rows 57 high: 16 (57 x 9 + 9) elements take 17 cycles, of 14
        # rows 16 (29 x 9 + 9) = 4320 take 9, as long as the taps; twice as many steps.
        (conv(16, 16, 56, 3, stride=2, padding=1), 28 * 4 * 9, 16 * 7 * 17),
        # Three channels: 27 (channel, tap) pairs in 2 blocks of rows, or on OS 16 output channels in 27 cycles each.
        (conv(16, 3, 32, 3, padding=1), 2 * 32 * 4, 8 * 27),
        # Depthwise: one of 32 groups after the other, 9 taps as rows; OS has 2 x 16 channels side by side.
        (conv(32, 32, 16, 3, padding=1, groups=32), 32 * 16 * 2, 2 * 4 * 9),
        # Two groups of 32 channels each.
        (conv(64, 64, 14, 3, padding=1, groups=2), 2 * (2 * 2 * 14 * 2 * 9), 2 * (32 * 4 * 2 * 9)),
        # Four images side by side on 8 units: 2 columns each.
        (conv(16, 16, (2, 2), 1, batch=8), 2 * 2, None),
        # Stride 2, 4 x 4 taps: four phases of 2 x 2 taps over 8 x 8 inputs.
        (conv(16, 16, 8, 4, stride=2, padding=1, transposed=True), 4 * 8 * 1 * 4, None),
        # Padding cuts the 10 rows that stride 2 makes of 5 down to 4, but all 5 are computed, in 4 phases of 1 tap each.
        (conv(16, 16, 5, 2, stride=2, padding=3, transposed=True), 4 * 5 * 1, 64 * 2),
        # Ten groups of 2 x 2 channels: 16 output channels of 8 groups take their 2 x 9 taps side by side.
        (conv(20, 20, 16, 3, padding=1, groups=10), 10 * 16 * 2 * 2, 2 * 4 * 18),
        # 15 channels still have something to gain.
        (conv(16, 15, 16, 3, padding=1), 16 * 2 * 9, 4 * 15 * 9),
        # One row uses one of the units of WS; 300 rows fill them. On OS each PE has an output: 1000 weights and an input per cycle.
        (Gemm(name="fc", m=1, n=1000, k=512), 63 * 32, 1001),
        (Gemm(name="fc", m=300, n=64, k=64), 4 * 4 * 38, None),
        (Gemm(name="qk", m=16, n=16, k=16, count=12, has_weights=False), 12 * 2, 12 * 16),
        (Recurrent(name="lstm", input_size=16, hidden_size=16, steps=10), 10 * 2 * 4, 10 * 32),
        # A kernel as large as the image is a fully connected layer too: 64 outputs, 64 x 4 cycles each.
        (conv(64, 64, 2, 2), None, 64 * 4),
        # 512 elements per cycle; reading is the busier direction, except that softmax reads three times, norm twice.
        (Elementwise(name="add", elements=5120, operands=2), 20, 20),
        (Softmax(name="softmax", elements=5120), 30, 30),
        (Norm(name="norm", elements=5120, channels=256), 21, 21),
        (Embedding(name="table", rows=10**6, width=512, lookups=7), 7, 7),
        # A window of 9 for each of 64 x 32 x 32 outputs on 2048 PEs: 288 cycles; inputs alone take 136.
        (Pool(name="pool", channels=64, size=33, kernel=3, stride=1, padding=(0, 0, 1, 1)), 9 * 64 * 32 * 32 / 2048, None),
        (Pool(name="pool", channels=512, size=7, kernel=7), 49, 49),
    ],
)
def test_cycles_by_hand(layer, ws, os):
    if ws is not None:
        assert cycles(WS, layer) == ws
    if os is not None:
        assert cycles(OS, layer) == os


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # A step is one row of at most 16 columns, 4 input channels and 32 output channels: 4 x 3 cycles for 3 columns of taps.
        (conv(64, 32, 14, 3, padding=1), 14 * 8 * 2 * 12),
        (conv(32, 16, 32, 3, padding=1), 32 * 2 * 4 * 12),
        # Kernels of one row: four input channels side by side. 16 output channels leave units for a second row.
        (conv(16, 16, 28, 1), 14 * 2 * 4 * 1),
        # Kernels of two rows: two and two.
        (conv(32, 16, 16, 2), 15 * 4 * 2 * 2),
        # Kernels of five rows take two passes.
        (conv(32, 4, 20, 5, padding=2), 20 * 2 * 40),
        # Two rows at stride 2 need 5 rows of 33 inputs; computing takes longer.
        (conv(16, 16, 56, 3, stride=2, padding=1), 14 * 2 * 4 * 12),
        (conv(16, 3, 32, 3, padding=1), 16 * 2 * 9),
        # 8 columns: twice as many output channels or rows, here 4 rows.
        (conv(16, 16, 8, 3, padding=1), 2 * 4 * 12),
        # Depthwise: one channel per unit, 3 cycles for the taps, 4 for 32 x (3 x 18 + 9) elements.
        (conv(32, 32, 16, 3, padding=1, groups=32), 16 * 4),
        (conv(64, 64, 14, 3, padding=1, groups=2), 14 * 8 * 2 * 12),
        # All 16 rows of eight images at once: 16 channels x 16 rows x 2 columns on 512 columns.
        (conv(16, 16, (2, 2), 1, batch=8), 4),
        # Stride 2, 4 x 4 taps: 64 output channels with 2 x 2 taps over 8 x 8 inputs, all of them on 32 units of two.
        (conv(16, 16, 8, 4, stride=2, padding=1, transposed=True), 8 * 4 * 2 * 2),
        # One row: 512 columns hold outputs, and the NoC brings them 512 weights per cycle.
        (Gemm(name="fc", m=1, n=1000, k=512), 128 * 2 * 4),
        (Gemm(name="fc", m=300, n=64, k=64), 19 * 2 * 16),
        (Gemm(name="qk", m=16, n=16, k=16, count=12, has_weights=False), 12 * 4),
        (Recurrent(name="lstm", input_size=16, hidden_size=16, steps=10), 10 * 8),
        (Elementwise(name="add", elements=5120, operands=2), 20),
    ],
)
def test_row_stationary_cycles_by_hand(layer, expected):
    assert cycles(RS, layer) == expected


@pytest.mark.parametrize(
    ("layer", "is_noc"),
    [(conv(64, 32, 14, 3, padding=1), False), (conv(32, 32, 16, 3, padding=1, groups=32), True), (Softmax(name="s", elements=9900), True)],
)
def test_what_limits_a_layer(layer, is_noc):
    costs = estimate(RS, layer)
    assert LIMITS[costs.limit[0, 0]] == ("noc" if is_noc else "compute")
    assert costs.cycles[0, 0] == costs.compute_ns[0, 0]


def test_tiles_have_their_part_of_the_peak():
    costs = estimate(array("ws", pes=2050, clock_mhz=500.0), Softmax(name="s", elements=99), tiles=4)
    assert costs.peak_macs_per_ns.tolist() == [256, 512.5, 768.5, 1025]
    assert (costs.compute_ns == costs.cycles * 2).all()


def accesses(model, layer):
    """Elements between the buffer and the array, read off the energy."""
    costs = estimate(model, layer, energy=Energy(mac_pj=1e6, l1_per_mac=0.0, sram_per_mac=1.0))
    return round(costs.energy_j[0, 0, 1] * 1e6, 6)


def test_of_equally_fast_mappings_the_one_that_moves_least_is_taken():
    # 28, 14 or 7 rows at once take 4, 2 or 1 cycles per step in 1, 2 or 4 times as many steps. Weights make the difference.
    layer = conv(16, 16, 28, 1)
    assert cycles(array("os", noc_elements_per_cycle=2048), layer) == 16 * 7
    assert cycles(OS, layer) == 16 * 7 * 4
    assert accesses(OS, layer) == 16 * 7 * (16 * 28 * 4 + 16) + layer.output_elements


def test_output_stationary_gives_each_pe_an_output_where_no_weight_is_shared():
    # 1000 weights and an input per cycle, which the NoC brings in two; 500 at a time would send the inputs twice.
    layer = Gemm(name="fc", m=1, n=1000, k=512)
    assert accesses(OS, layer) == 512 * (1000 + 1) + layer.output_elements
    # Three rows of outputs one after the other.
    rows = Gemm(name="fc", m=3, n=1000, k=512)
    assert cycles(OS, rows) == 3 * cycles(OS, layer)


def test_row_stationary_reads_inputs_and_weights_in_every_step():
    layer = conv(32, 4, 16, 3, padding=1)
    assert accesses(RS, layer) == 16 * (4 * 3 * 18 + 32 * 4 * 9) + layer.output_elements
    # Rows side by side share the inputs between them: 4 rows of outputs need 6.
    rows = conv(8, 4, 16, 3, padding=1)
    assert accesses(RS, rows) == 4 * (4 * 6 * 18 + 8 * 4 * 9) + rows.output_elements
    # Groups have inputs of their own.
    groups = conv(32, 8, 16, 3, padding=1, groups=2)
    assert accesses(RS, groups) == 16 * (2 * 4 * 3 * 18 + 32 * 4 * 9) + groups.output_elements


def test_weight_stationary_weights_are_loaded_once_per_block():
    layer = conv(16, 16, 16, 3, padding=1)
    # 16 rows in two halves of 8 columns, each with 3 rows of 10 inputs of 16 channels.
    assert accesses(WS, layer) == 16 * 2 * (16 * 10 * 3) + 16 * 16 * 9 + layer.output_elements


def test_weight_stationary_keeps_input_rows_when_the_array_holds_a_row_of_outputs():
    layer = conv(16, 16, 8, 3, padding=1)
    assert accesses(WS, layer) == 8 * (16 * 10) + 16 * 16 * 9 + layer.output_elements
    strided = conv(16, 16, 16, 3, padding=1, stride=2)
    assert accesses(WS, strided) == 8 * (16 * 17 * 2) + 16 * 16 * 9 + strided.output_elements


@pytest.mark.parametrize(("edge", "loads"), [(16, 1), (17, 2)])
def test_weight_stationary_reloads_kernels_that_do_not_fit_the_registers(edge, loads):
    # A row of nine columns takes two steps; five at a time move less than eight.
    layer = conv(16, 16, (edge, edge + 8), edge)
    assert accesses(WS, layer) == 2 * 16 * (edge + 4) * edge + loads * 256 * edge * edge + layer.output_elements


@pytest.mark.parametrize(("hidden", "loads"), [(176, 1), (192, 100)])
def test_recurrent_weights_that_fit_the_registers_are_loaded_once(hidden, loads):
    # 22 x 11 = 242 or 24 x 12 = 288 weights per PE.
    layer = Recurrent(name="rnn", input_size=hidden, hidden_size=hidden, gates=1, steps=100)
    blocks = (2 * hidden // 16) * (hidden // 16)
    assert accesses(WS, layer) == 100 * blocks * 16 + loads * blocks * 256 + layer.output_elements


def test_a_narrow_noc_limits_the_weights_of_a_fully_connected_layer():
    layer = Gemm(name="fc", m=1, n=1024, k=1024)
    assert cycles(array("ws", noc_elements_per_cycle=64), layer) == 64 * 64 * (256 + 16) / 64


def test_units_count_not_pes():
    layer = conv(16, 16, 16, 3, padding=1)
    assert cycles(array("ws", pes=256 * 5 - 1), layer) == cycles(array("ws", pes=256 * 4), layer)
    assert cycles(array("ws", pes=256 * 4), layer) == 16 * 4 * 9


# ---- DRAM, with a buffer of 1024 bytes: tiles of 512, tensors up to 256 stay

TINY = array("ws", sram_kib=1)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # Input 256 and output 256 stay; weights of 512 or not, they cross once.
        (Gemm(name="l", m=2, n=128, k=128), (128 * 128, 256, 256)),
        # One element more in the output is written.
        (Gemm(name="l", m=1, n=257, k=2), (257 * 2 + 257, 2, 0)),
        # Input 16 x 64 = 1024 does not stay, weights 512 fit: all once.
        (Gemm(name="l", m=16, n=8, k=64), (512 + 1024, 0, 128)),
        # Weights 1024, input 1088: 1024 + 1088 x 2 against 1088 + 1024 x 3.
        (Gemm(name="l", m=17, n=16, k=64), (1024 + 2 * 1088 + 272, 0, 0)),
        # Weights 1088, input 1024: 1088 + 1024 x 3 against 1024 + 1088 x 2.
        (Gemm(name="l", m=16, n=17, k=64), (1024 + 2 * 1088 + 272, 0, 0)),
        # Two heads of 17 x 64 by 64 x 16, both activations.
        (Gemm(name="l", m=17, n=16, k=64, count=2, has_weights=False), (2 * (1024 + 2 * 1088) + 544, 0, 0)),
        # One operand stays, the other does not.
        (Gemm(name="l", m=4, n=10, k=64, has_weights=False), (640, 256, 40)),
        # Each group by itself: 2 x (weights 576 + input 2 x 1600): inputs twice, or 576 x 4.
        (conv(16, 16, (10, 20), 3, groups=2, padding=1), (2 * (576 + 2 * 1600) + 3200, 0, 0)),
        # 2 x 256 = 512 bytes of weights per step fit; 544 do not, and are read in each of the 5 steps.
        (Recurrent(name="l", input_size=16, hidden_size=16, gates=1, steps=5), (512, 80, 80)),
        (Recurrent(name="l", input_size=18, hidden_size=16, gates=1, steps=5), (5 * 544, 90, 80)),
        (Recurrent(name="l", input_size=18, hidden_size=16, gates=1, steps=5, directions=2), (10 * 544, 90, 160)),
        (Recurrent(name="l", input_size=16, hidden_size=16, gates=1, steps=5, directions=2), (2 * 512, 80, 160)),
        # Operands are tensors of their own: two of 256 stay, two of 257 do not.
        (Elementwise(name="l", elements=256, operands=2), (0, 512, 256)),
        (Elementwise(name="l", elements=257, operands=2), (3 * 257, 0, 0)),
        (Norm(name="l", elements=300, channels=3), (606, 0, 0)),
        (Embedding(name="l", rows=10**6, width=10, lookups=3), (30, 0, 30)),
    ],
)
def test_dram_traffic_by_hand(layer, expected):
    assert traffic(TINY, layer) == expected


def test_elements_of_two_bytes_move_twice_as_much():
    layer = Gemm(name="l", m=1, n=129, k=2)
    assert traffic(array("ws", sram_kib=1, element_bytes=2), layer) == (2 * (258 + 129), 4, 0)


# ---- Energy, tiles, faults


def test_energy_by_component():
    layer = Gemm(name="fc", m=1, n=16, k=16)
    energy = Energy(mac_pj=2.0, l1_per_mac=3.0, sram_per_mac=5.0, dram_per_mac=7.0)
    (mac, sram, l2, dram) = estimate(WS, layer, energy=energy).energy_j[0, 0]
    assert mac == pytest.approx(256 * 2e-12 * (1 + 3 * 3))
    assert sram == pytest.approx((256 + 16 + 16) * 2e-12 * 5)
    assert l2 == 0
    assert dram == pytest.approx(256 * 2e-12 * 7)


def test_tiles_share_the_accelerator_and_run_a_layer_together():
    layer = conv(16, 16, 16, 3, padding=1)
    costs = estimate(array("ws", sram_kib=32), layer, tiles=8)
    assert costs.compute_ns.shape == (1, 8)
    assert costs.compute_ns[0].tolist() == [16 * ceil * 9 for ceil in (16, 8, 6, 4, 4, 3, 3, 2)]
    # 4096 bytes stay in a quarter of 16 KiB, which half of the tiles have.
    assert costs.keep_bytes[0].tolist() == [0] * 3 + [4096] * 5
    assert costs.energy_j.shape == (1, 8, 4)


def test_no_layers():
    costs = estimate(WS, tiles=3)
    assert costs.compute_ns.shape == costs.dram_bytes.shape == (0, 3)
    assert costs.energy_j.shape == (0, 3, 4)


def test_measured_layers_are_all_named():
    with pytest.raises(InputError) as caught:
        estimate(WS, Measured(name="a"), Softmax(name="b", elements=3), Measured(name="c"))
    assert len(caught.value.faults) == 2
    assert "accelerator acc: layer 'a' of model 'net'" in caught.value.faults[0]
    assert "layer 'c'" in caught.value.faults[1]


def test_layers_too_large_for_exact_numbers_are_all_named():
    huge = Gemm(name="huge", m=2**20, n=2**20, k=2**22)
    with pytest.raises(InputError, match=r"'huge' of model 'net' is too large: more than 2\^53") as caught:
        estimate(array("ws", pes=256), huge, Softmax(name="b", elements=3), huge)
    assert len(caught.value.faults) == 2


def test_large_layers_do_not_overflow():
    layer = Gemm(name="large", m=2**16, n=2**15, k=2**15)
    assert cycles(array("ws", pes=256, noc_elements_per_cycle=10**6), layer) == layer.macs // 256


def test_a_tile_smaller_than_the_array_s_unit_is_refused():
    with pytest.raises(InputError, match="one of its 9 tiles has 227 PEs, and ws needs at least 256"):
        estimate(WS, Softmax(name="l", elements=3), tiles=9)
    assert estimate(OS, Softmax(name="l", elements=3), tiles=32).compute_ns.shape == (1, 32)


@pytest.mark.parametrize(
    "changes",
    [
        {"pes": 255},
        {"pes": 0},
        {"pes": 512.0},
        {"clock_mhz": 0.0},
        {"clock_mhz": float("nan")},
        {"sram_kib": 0},
        {"noc_elements_per_cycle": 0},
        {"element_bytes": 0},
        {"dataflow": "nlr"},
        {"unknown": 1},
    ],
)
def test_faulty_fields_are_refused(changes):
    with pytest.raises(ValidationError):
        array(**{"dataflow": "ws", **changes})


def test_the_core_checks_its_arguments():
    core = Array("ws", pes=256, noc_elements_per_cycle=1, sram_bytes=4, element_bytes=1)
    rows = np.ones((2, len(LAYER_COLUMNS)), dtype=np.int64)
    good = [np.empty(2), np.empty(2), np.empty(2), np.empty((2, 3), dtype=np.int64)]
    core.estimate(rows, *good)
    bad = [np.empty(1), np.empty(3), np.empty(1), np.empty((2, 2), dtype=np.int64)]
    for i in range(4):
        with pytest.raises(ValueError, match="expected 2 layers"):
            core.estimate(rows, *good[:i], bad[i], *good[i + 1 :])
    with pytest.raises(ValueError, match="expected 2 layers"):
        core.estimate(rows[:, :-1].copy(), *good)
    with pytest.raises(ValueError, match="dataflow must be one of ws, os, rs, got 'xs'"):
        Array("xs", pes=256, noc_elements_per_cycle=1, sram_bytes=4, element_bytes=1)
    with pytest.raises(ValueError, match="at least 256 PEs"):
        Array("ws", pes=255, noc_elements_per_cycle=1, sram_bytes=4, element_bytes=1)


def test_columns_are_those_of_a_layer_table():
    assert set(LAYER_COLUMNS) == set(LayerTable.__dataclass_fields__) - {"keys", "macs"}
