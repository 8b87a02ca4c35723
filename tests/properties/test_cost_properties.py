"""What holds for any layer on any spatial accelerator."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from layers import any_layer, convolutions
from reference import cost as reference

from rtsched._core.cost import LAYER_COLUMNS, Array
from rtsched.compiler import compile_problem
from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.model import ENERGY_COMPONENTS, KINDS, LIMITS, Energy, LayerKey, LayerTable
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.workload.layer import Conv, Elementwise, Pool
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task

accelerators = st.builds(
    DataflowCost,
    dataflow=st.sampled_from(["ws", "os", "rs"]),
    pes=st.integers(256, 5000),
    clock_mhz=st.sampled_from([200.0, 700.0, 1234.5]),
    sram_kib=st.sampled_from([1, 4, 30, 8192]),
    noc_elements_per_cycle=st.sampled_from([1, 16, 100, 512]),
    element_bytes=st.sampled_from([1, 2]),
)


def table(*layers):
    return LayerTable.of([LayerKey("m", f"l{i}") for i in range(len(layers))], layers)


def cycles(model, layers):
    return np.round(model.estimate("a", 1, layers, Energy()).compute_ns[:, 0] * model.clock_mhz / 1000.0)


hardware = st.fixed_dictionaries(
    {
        "pes": st.integers(256, 5000),
        "noc_elements_per_cycle": st.sampled_from([1, 16, 40, 100, 300, 512]),
        "sram_bytes": st.sampled_from([4, 1001, 30_000, 2**23]),
        "element_bytes": st.sampled_from([1, 2]),
    }
)


@settings(max_examples=200)
@given(st.lists(st.one_of(convolutions(), any_layer), min_size=4, max_size=16), st.sampled_from(["ws", "os", "rs"]), hardware)
def test_core_equals_the_plain_python_twin(layers, dataflow, fields):
    rows = table(*layers)
    cycles, compute_cycles, accesses = np.empty((3, len(layers)))
    traffic = np.empty((len(layers), 3), dtype=np.int64)
    columns = np.stack([getattr(rows, name) for name in LAYER_COLUMNS], axis=1, dtype=np.int64)
    Array(dataflow, **fields).estimate(columns, cycles, compute_cycles, accesses, traffic)
    for i in range(len(layers)):
        row = SimpleNamespace(**{name: int(getattr(rows, name)[i]) for name in LAYER_COLUMNS})
        expected = reference.estimate(
            KINDS[row.kind], row, SimpleNamespace(dataflow=dataflow, noc=fields["noc_elements_per_cycle"], **fields)
        )
        assert (cycles[i], accesses[i], *traffic[i]) == expected


@given(any_layer, accelerators)
def test_no_array_beats_its_peak(layer, model):
    assert layer.macs <= cycles(model, table(layer))[0] * model.pes


def closed_form(layer, model):
    """Cycles of a plain convolution in one pass over all units, as MAESTRO's model has them for the two mappings."""
    (yo, xo), (r, s), k, c = layer.output_size, layer.kernel, layer.out_channels, layer.in_channels
    units = model.pes // 64
    if model.dataflow == "rs":
        lanes = min(4, c)
        steps = yo * -(-xo // 16) * -(-c // 4) * -(-k // units)
        cycles, ingress = lanes * s * -(-r // 4), lanes * r * (min(16, xo) + s - 1) + min(units, k) * lanes * r * s
    else:
        lanes = min(16, c)
        steps = k * -(-yo // units) * -(-xo // 4) * -(-c // 16)
        cycles, ingress = r * s, lanes * (r + min(units, yo) - 1) * (min(4, xo) + s - 1) + lanes * r * s
    return steps * max(cycles, -(-ingress // model.noc_elements_per_cycle))


@given(convolutions(), accelerators.filter(lambda model: model.dataflow != "ws"))
def test_no_plain_convolution_is_slower_than_the_closed_form(layer, model):
    plain = layer.model_copy(update={"groups": 1, "stride": (1, 1), "batch": 1, "transposed": False, "dilation": (1, 1)})
    assert cycles(model, table(plain))[0] <= closed_form(plain, model)


@given(any_layer, accelerators, st.integers(1, 3))
def test_no_number_of_tiles_beats_its_peak(layer, model, tiles):
    whole = model.model_copy(update={"pes": tiles * model.pes})
    costs = whole.estimate("a", tiles, table(layer), Energy())
    utilisation = layer.macs / (costs.compute_ns[0] * costs.peak_macs_per_ns)
    assert (utilisation <= 1 + 1e-12).all()
    assert np.array_equal(costs.cycles, np.floor(costs.cycles))


@given(any_layer, accelerators)
def test_a_wide_noc_helps_where_the_noc_is_the_limit(layer, model):
    limit = LIMITS[model.estimate("a", 1, table(layer), Energy()).limit[0, 0]]
    unlimited = model.model_copy(update={"noc_elements_per_cycle": 2**24})
    faster = cycles(unlimited, table(layer))[0] < cycles(model, table(layer))[0]
    assert faster or limit == "compute"


@given(any_layer.filter(lambda layer: not isinstance(layer, (Conv, Pool))), accelerators)
def test_everything_crosses_the_noc_once(layer, model):
    # Windows may skip inputs; all other layers need every one of theirs.
    elements = layer.input_elements + layer.weight_elements
    assert elements <= cycles(model, table(layer))[0] * model.noc_elements_per_cycle


@given(any_layer, accelerators, st.integers(0, 3000))
@example(
    Conv(name="l", in_channels=16, out_channels=16, size=(9, 9), kernel=3, batch=3),
    DataflowCost(dataflow="ws", pes=256 * 9, clock_mhz=700.0, sram_kib=64, noc_elements_per_cycle=16),
    256 * 9,
)
def test_more_pes_are_never_slower(layer, model, more):
    larger = model.model_copy(update={"pes": model.pes + more})
    assert cycles(larger, table(layer))[0] <= cycles(model, table(layer))[0]


@given(any_layer, accelerators, st.integers(0, 600))
def test_a_wider_noc_is_never_slower(layer, model, more):
    wider = model.model_copy(update={"noc_elements_per_cycle": model.noc_elements_per_cycle + more})
    assert cycles(wider, table(layer))[0] <= cycles(model, table(layer))[0]


@given(any_layer, accelerators)
def test_dram_moves_all_that_is_not_on_chip(layer, model):
    costs = model.estimate("a", 1, table(layer), Energy())
    moved, fetch, keep = costs.dram_bytes[0, 0], costs.fetch_bytes[0, 0], costs.keep_bytes[0, 0]
    needed = model.element_bytes * (layer.weight_elements + layer.input_elements + layer.output_elements)
    assert moved + fetch + keep >= needed
    assert 0 <= fetch <= model.element_bytes * layer.input_elements
    assert keep in (0, model.element_bytes * layer.output_elements)
    if needed <= model.sram_kib * 1024 // 4:
        assert moved + fetch + keep == needed


@given(any_layer, accelerators, st.integers(0, 100))
def test_a_larger_buffer_never_moves_more(layer, model, more):
    larger = model.model_copy(update={"sram_kib": model.sram_kib + more})
    assert (
        larger.estimate("a", 1, table(layer), Energy()).dram_bytes[0, 0] <= model.estimate("a", 1, table(layer), Energy()).dram_bytes[0, 0]
    )


@given(any_layer, any_layer, accelerators)
def test_layers_do_not_depend_on_their_neighbours(first, second, model):
    both = model.estimate("a", 1, table(first, second), Energy())
    for i, layer in enumerate((first, second)):
        alone = model.estimate("a", 1, table(layer), Energy())
        for name in ("compute_ns", "dram_bytes", "l2_bytes", "fetch_bytes", "keep_bytes", "energy_j"):
            assert np.array_equal(getattr(both, name)[i], getattr(alone, name)[0])


@given(st.lists(any_layer, min_size=1, max_size=6), accelerators)
def test_energy_adds_up_over_layers_and_components(layers, model):
    energy_j = model.estimate("a", 1, table(*layers), Energy()).energy_j[:, 0]
    alone_j = [model.estimate("a", 1, table(layer), Energy()).energy_j[0, 0] for layer in layers]
    assert energy_j.sum() == pytest.approx(sum(one.sum() for one in alone_j), rel=1e-12)
    parts = {"l1_per_mac": "mac", "sram_per_mac": "sram", "dram_per_mac": "dram"}
    for constant, component in parts.items():
        without = model.estimate("a", 1, table(*layers), Energy(**{constant: 0.0})).energy_j[:, 0]
        others = [i for i, name in enumerate(ENERGY_COMPONENTS) if name != component]
        assert np.array_equal(without[:, others], energy_j[:, others])
        assert (without[:, ENERGY_COMPONENTS.index(component)] <= energy_j[:, ENERGY_COMPONENTS.index(component)]).all()


@given(any_layer, accelerators, st.floats(1.0, 1e5))
def test_cycles_do_not_depend_on_the_clock(layer, model, clock_mhz):
    other = model.model_copy(update={"clock_mhz": clock_mhz})
    here, there = (one.estimate("a", 1, table(layer), Energy()) for one in (model, other))
    assert np.array_equal(here.cycles, there.cycles)
    assert there.compute_ns[0, 0] == there.cycles[0, 0] * 1000.0 / clock_mhz


@given(any_layer, accelerators)
def test_time_scales_with_the_clock_exactly(layer, model):
    faster = model.model_copy(update={"clock_mhz": 2 * model.clock_mhz})
    slow, fast = (one.estimate("a", 1, table(layer), Energy()) for one in (model, faster))
    assert slow.compute_ns[0, 0] == 2 * fast.compute_ns[0, 0]
    assert np.array_equal(slow.energy_j, fast.energy_j)


@given(any_layer, accelerators, st.integers(1, 4))
def test_tiles_are_a_fraction_of_the_accelerator(layer, model, tiles):
    whole = model.model_copy(update={name: tiles * getattr(model, name) for name in ("pes", "sram_kib", "noc_elements_per_cycle")})
    costs = whole.estimate("a", tiles, table(layer), Energy())
    alone = model.estimate("a", 1, table(layer), Energy())
    assert costs.compute_ns[0, 0] == alone.compute_ns[0, 0]
    assert costs.dram_bytes[0, 0] == alone.dram_bytes[0, 0]
    assert (np.diff(costs.compute_ns[0]) <= 0).all()


@given(any_layer, accelerators)
def test_kept_tensors_are_found_again(layer, model):
    keep = model.estimate("a", 1, table(layer), Energy()).keep_bytes[0, 0]
    consumer = Elementwise(name="next", elements=layer.output_elements)
    assert model.estimate("a", 1, table(consumer), Energy()).fetch_bytes[0, 0] == keep


@settings(max_examples=50)
@given(st.lists(any_layer, min_size=1, max_size=5), st.lists(accelerators, min_size=1, max_size=3), st.integers(1, 3), st.integers(1, 100))
def test_compiled_layers_keep_the_bounds(layers, models, tiles, gb_per_s):
    layers = [layer.model_copy(update={"name": f"l{i}"}) for i, layer in enumerate(layers)]
    arrays = [
        Accelerator(name=f"a{i}", tiles=tiles, cost=model.model_copy(update={"pes": tiles * model.pes})) for i, model in enumerate(models)
    ]
    platform = Platform(name="p", accelerators=arrays, memory=Memory(peak_gb_per_s=gb_per_s))
    scenario = Scenario(name="s", tasks=[Task(name="t", model=Model(name="m", layers=layers), fps=1)])
    costs = compile_problem(scenario, platform).costs
    for i, layer in enumerate(layers):
        rows = costs[i].reshape(len(models), tiles)
        for model, row in zip(models, rows, strict=True):
            peak_macs_per_ns = model.pes * np.arange(1, tiles + 1) * model.clock_mhz * 1e-3
            assert (row["t_iso_ns"] * (1 + 1e-12) >= layer.macs / peak_macs_per_ns).all()
            assert (row["t_iso_ns"] * gb_per_s >= row["dram_bytes"]).all()
            needed = model.element_bytes * (layer.weight_elements + layer.input_elements + layer.output_elements)
            assert (row["dram_bytes"] + row["fetch_bytes"] + row["keep_bytes"] >= needed).all()
    parts = sum(costs[f"energy_{component}_j"] for component in ENERGY_COMPONENTS)
    assert costs["energy_j"] == pytest.approx(parts, rel=1e-12)
