"""What holds for any layer on tiles of a systolic array."""

from types import SimpleNamespace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from layers import any_layer, convolutions
from reference import cost as dataflow_reference
from reference import systolic as reference

from rtsched._core.cost import LAYER_COLUMNS
from rtsched.cost.model import KINDS, Energy, LayerKey, LayerTable
from rtsched.cost.systolic import SystolicCost
from rtsched.workload.layer import Conv, Elementwise, FusedPool, Gemm

# Powers of two, so that sums are exact in any order.
SPEEDS = {
    "load_bytes_per_cycle": 8.0,
    "unaligned_beat_cycles": 32.5,
    "store_row_cycles": 4.25,
    "switch_stall": 0.5,
    "pool_read_cycles": 2.25,
    "stream_beat_cycles": 1.5,
    "stream_start_cycles": 1000.0,
    "layer_start_cycles": 40.0,
}
EXACT = SystolicCost(**SPEEDS)


@st.composite
def pooled(draw):
    layer = draw(convolutions())
    edge = min(3, *layer.output_size)
    kernel = draw(st.integers(1, edge))
    pool = FusedPool(kernel=kernel, stride=draw(st.integers(1, 3)), padding=draw(st.integers(0, kernel // 2)))
    return layer.model_copy(update={"pool": pool})


adds = st.builds(
    lambda rows, channels, operands: Elementwise(name="l", elements=rows * channels, operands=operands, channels=channels),
    st.integers(1, 300),
    st.integers(1, 70),
    st.integers(1, 3),
)
large_gemms = st.builds(Gemm, name=st.just("l"), m=st.integers(1, 900), n=st.integers(1, 900), k=st.integers(1, 3000))
large_convs = st.builds(
    Conv,
    name=st.just("l"),
    in_channels=st.sampled_from([3, 16, 45, 64, 200]),
    out_channels=st.sampled_from([16, 45, 64, 300]),
    size=st.integers(11, 70),
    kernel=st.sampled_from([1, 3, 5, 7, 11]),
    stride=st.sampled_from([1, 2, 4]),
    padding=st.sampled_from([0, 1]),
)
layers = st.one_of(any_layer, pooled(), adds, large_gemms, large_convs)
models = st.builds(
    SystolicCost,
    clock_mhz=st.sampled_from([500.0, 1000.0, 1234.5]),
    scratchpad_kib=st.sampled_from([1, 8, 128]),
    accumulator_kib=st.sampled_from([2, 8, 64]),
    l2_kib=st.sampled_from([1, 64, 2048]),
)


def table(*some):
    return LayerTable.of([LayerKey("m", f"l{i}") for i in range(len(some))], some)


def cycles(model, layer, tiles=1):
    return np.round(model.estimate("a", tiles, table(layer), Energy()).compute_ns[0] * model.clock_mhz / 1000.0)


@settings(max_examples=40, deadline=None)  # the twin does one block after the other
@given(layers, st.sampled_from([32, 128]), st.sampled_from([16, 64]))
@example(Conv(name="l", in_channels=40, out_channels=20, size=9, kernel=7), 1, 2)
@example(Conv(name="l", in_channels=3, out_channels=20, size=9, kernel=9, padding=2), 1, 2)
@example(Conv(name="l", in_channels=64, out_channels=64, size=30, kernel=3, pool=FusedPool(kernel=3, stride=2)), 128, 64)
def test_core_equals_the_plain_python_twin(layer, scratchpad_kib, accumulator_kib):
    model = EXACT.model_copy(update={"scratchpad_kib": scratchpad_kib, "accumulator_kib": accumulator_kib})
    rows = table(layer)
    costs = model.estimate("a", 3, rows, Energy(mac_pj=1e6, l1_per_mac=0.0, sram_per_mac=1.0))
    row = SimpleNamespace(**{name: int(getattr(rows, name)[0]) for name in LAYER_COLUMNS})
    machine = SimpleNamespace(scratchpad_rows=scratchpad_kib * 32, accumulator_rows=accumulator_kib * 8, **SPEEDS)
    expected = reference.estimate(KINDS[row.kind], row, 3, machine)
    accesses = np.round(costs.energy_j[0, :, 1] * 1e6)
    assert list(zip(costs.compute_ns[0], costs.l2_bytes[0], accesses, strict=True)) == expected
    for t in range(3):
        shared = SimpleNamespace(sram_bytes=model.l2_kib * 1024 * (t + 1) // 3, element_bytes=1)
        moved, fetched, kept = dataflow_reference.dram(KINDS[row.kind], row, shared)
        assert (costs.dram_bytes[0, t], costs.fetch_bytes[0, t], costs.keep_bytes[0, t]) == (moved + kept, fetched, 0)


@given(layers, models, st.integers(1, 8))
def test_no_array_beats_its_peak(layer, model, tiles):
    assert (layer.macs <= cycles(model, layer, tiles) * 256 * np.arange(1, tiles + 1)).all()


@given(layers, models)
def test_more_tiles_are_never_slower(layer, model):
    assert (np.diff(cycles(model, layer, 8)) <= 0).all()


@given(layers, models)
def test_traffic_holds_what_must_move(layer, model):
    costs = model.estimate("a", 3, table(layer), Energy())
    least = layer.weight_elements + layer.input_elements + layer.output_elements
    assert (costs.dram_bytes + costs.fetch_bytes + costs.keep_bytes >= least).all()
    if not isinstance(layer, Conv):  # windows may skip inputs
        assert (costs.l2_bytes >= least).all()


@given(layers, models, st.sampled_from([2.0, 4.0, 0.5]))
def test_scaling_by_the_clock_is_exact(layer, model, factor):
    faster = model.model_copy(update={"clock_mhz": model.clock_mhz * factor})
    ours, theirs = (one.estimate("a", 2, table(layer), Energy()).compute_ns for one in (model, faster))
    assert (ours == theirs * factor).all()


@given(st.lists(layers, min_size=1, max_size=4), models)
def test_layers_do_not_influence_each_other(some, model):
    together = model.estimate("a", 2, table(*some), Energy())
    for i, layer in enumerate(some):
        alone = model.estimate("a", 2, table(layer), Energy())
        assert (together.compute_ns[i] == alone.compute_ns[0]).all()
        assert (together.energy_j[i] == alone.energy_j[0]).all()


@given(layers, models)
def test_energy_is_additive_and_linear_in_its_constants(layer, model):
    energies = [
        Energy(mac_pj=1.0, **dict(zip(("l1_per_mac", "sram_per_mac", "dram_per_mac"), ratios, strict=True))) for ratios in np.eye(3)
    ]
    none = model.estimate("a", 1, table(layer), Energy(mac_pj=1.0, l1_per_mac=0, sram_per_mac=0, dram_per_mac=0)).energy_j[0, 0]
    parts = [model.estimate("a", 1, table(layer), one).energy_j[0, 0] - none for one in energies]
    together = model.estimate("a", 1, table(layer), Energy(mac_pj=1.0, l1_per_mac=1, sram_per_mac=1, dram_per_mac=1)).energy_j[0, 0]
    np.testing.assert_allclose(none + sum(parts), together, rtol=1e-9, atol=1e-24)
    assert none[0] == layer.macs * 1e-12
    assert (together >= 0).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_whole_blocks_of_a_matmul_cost_more_than_fewer(i, j, k):
    def at(i, j, k):
        return cycles(SystolicCost(), Gemm(name="l", m=16 * i, n=16 * j, k=16 * k))[0]

    # Not strictly monotone: another shape of blocks may overlap better. Never by more than a tenth.
    for larger in (at(i + 1, j, k), at(i, j + 1, k), at(i, j, k + 1)):
        assert larger >= 0.9 * at(i, j, k)
