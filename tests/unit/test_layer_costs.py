"""What the layers of a model cost on an accelerator: the numbers, the table, the JSON and the command."""

import json
import math

import numpy as np
import pytest
from builders import chain, platform_of, rows_of
from rich.console import Console
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app
from rtsched.cost.dataflow import DataflowCost
from rtsched.errors import InputError
from rtsched.layer_costs import layer_costs
from rtsched.library import load_model
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.report.layers import describe_layers, layers_to_dict, layers_to_json, shape_of
from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, Norm, Pool, Recurrent, Reshape, Softmax
from rtsched.workload.model import Model, Subnet

# At 1000 MHz a cycle is a ns; 1 GB/s is a byte per ns.
ARRAY = DataflowCost(dataflow="ws", pes=512, clock_mhz=1000.0, sram_kib=64, noc_elements_per_cycle=64)


def platform(gb_per_s=10.0, **options):
    accelerators = [Accelerator(name="npu", cost=ARRAY, tiles=2), Accelerator(name="other", cost=ARRAY, port_gb_per_s=1.0)]
    return Platform(name="board", accelerators=accelerators, memory=Memory(peak_gb_per_s=gb_per_s), **options)


CONV = Conv(name="conv", in_channels=16, out_channels=16, size=16, kernel=3, padding=1)
FC = Gemm(name="fc", m=1, n=64, k=256)
ADD = Elementwise(name="add", elements=4096, operands=2)
MODEL = Model(name="net", layers=(CONV, Reshape(name="flat"), ADD, FC))


def test_layers_by_hand():
    found = layer_costs(MODEL, platform())
    # One unit: 16 rows of 16 columns and 9 taps; 2 x 4096 elements at 32 per cycle (half of the NoC); 4 x 16 blocks of 256 + 16.
    assert found.cycles.tolist() == [16 * 16 * 9, 256, 4 * 16 * (256 + 16) / 32]
    # The activations stay; weights cross at 10 bytes per ns. 16,384 of them take longer than the array does.
    assert found.dram_bytes.tolist() == [16 * 16 * 9, 0, 256 * 64]
    assert found.latency_ns.tolist() == [2304, 256, 1639]
    assert found.bound == ("compute", "noc", "dram")
    assert found.macs.tolist() == [CONV.macs, 0, FC.macs]
    assert [layer.name for layer in found.layers] == ["conv", "add", "fc"]
    assert found.peak_macs_per_ns == 256
    assert found.utilisation.tolist() == [1.0, 0.0, pytest.approx(256 * 64 / (1639 * 256))]
    assert found.macs_per_dram_byte[[0, 2]].tolist() == [256, 1]
    assert np.isnan(found.macs_per_dram_byte[1])
    assert found.total_utilisation == pytest.approx((CONV.macs + FC.macs) / (256 * (2304 + 256 + 1639)))


def test_they_are_what_schedulers_see():
    problem = rtsched.compile("vr_gaming", "dream_4k_1ws2os")
    first = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet[problem.model_names.index("ofa_mobilenetv3")]]]
    for option, name in enumerate(("ws0", "os0", "os1")):
        found = layer_costs("ofa_mobilenetv3", "dream_4k_1ws2os", name)
        rows = problem.costs[first : first + len(found), option]
        assert np.array_equal(found.latency_ns, rows["t_iso_ns"])
        assert np.array_equal(found.energy_j, rows["energy_j"])
        assert np.array_equal(found.dram_bytes, rows["dram_bytes"])
        assert found.subnet == "d4_e6_k7"


def test_tiles_share_the_layers():
    found = layer_costs(MODEL, platform(sync_ns=5000), "npu", 2)
    assert found.cycles[0] == 16 * 8 * 9
    assert found.latency_ns[0] == 16 * 8 * 9 + 5000
    assert found.peak_macs_per_ns == 512
    assert found.bound == ("sync", "sync", "sync")
    assert "512 GMAC/s of 2 of its 2 tiles" in text_of(found, 100)


def test_an_accelerator_may_have_a_port_of_its_own():
    found = layer_costs(MODEL, platform(), "other")
    assert (found.accelerator.name, found.dram_bytes_per_ns, found.latency_ns[2]) == ("other", 1.0, 16384)


@pytest.mark.parametrize(
    ("accelerator", "tiles", "message"),
    [
        ("gpu", 1, "platform 'board' has no accelerator 'gpu'; it has npu, other"),
        ("npu", 3, "accelerator 'npu' of platform 'board' has 1 to 2 tiles to run on, got 3"),
        (None, 0, "accelerator 'npu' of platform 'board' has 1 to 2 tiles to run on, got 0"),
    ],
)
def test_what_is_not_there_is_refused(accelerator, tiles, message):
    with pytest.raises(InputError) as caught:
        layer_costs(MODEL, platform(), accelerator, tiles)
    assert caught.value.faults == (message,)


def test_measured_layers_show_what_they_can():
    rows = rows_of("net", [[1000, 10], [None, 20]], dram_bytes=500)
    found = layer_costs(chain("net", 2), platform_of(rows, (1, 1)))
    assert found.latency_ns.tolist() == [1000, 0]
    assert found.bound == (None, None)
    told = layers_to_dict(found)
    first, second = told["layers"]
    assert (first["latency_ns"], first["dram_bytes"], first["cycles"], first["utilisation"], first["bound"]) == (
        1000,
        500,
        None,
        None,
        None,
    )
    assert (second["latency_ns"], second["dram_bytes"], second["energy_j"]) == (None, None, None)
    assert told["totals"]["cycles"] is None
    assert "unknown 100 % of the time; 1 layer cannot run there" in text_of(found, 100)


# Shapes


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (CONV, "3x3 16→16 16x16"),
        (Conv(name="l", in_channels=8, out_channels=8, groups=8, size=8, kernel=(1, 3), stride=2, batch=4), "1x3/2 dw 8 4x3 4 images"),
        (Conv(name="l", in_channels=8, out_channels=4, groups=2, size=8, kernel=2, stride=(1, 2)), "2x2/1x2 8→4 in 2 7x4"),
        (Conv(name="l", in_channels=8, out_channels=4, size=8, kernel=2, stride=2, transposed=True), "up 2x2/2 8→4 16x16"),
        (Pool(name="l", channels=8, size=8, kernel=8), "8x8 8 1x1"),
        (Gemm(name="l", m=1, n=10, k=20, count=3), "1x20x10 3 times"),
        (Recurrent(name="l", input_size=4, hidden_size=8, steps=5, batch=2, directions=2), "4→8 5 steps both ways 2 rows"),
        (ADD, "2 of 4,096"),
        (Norm(name="l", elements=1000, channels=10), "1,000"),
        (Softmax(name="l", elements=1000), "1,000"),
        (Embedding(name="l", rows=1000, width=8, lookups=3), "3 of 1,000 x8"),
        (rtsched.Measured(name="l"), ""),
    ],
)
def test_shapes_on_one_line(layer, shape):
    assert shape_of(layer) == shape


# The table


def text_of(found, width):
    shown_on = Console(width=width, highlight=False)
    with shown_on.capture() as captured:
        shown_on.print(describe_layers(found))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def test_the_table():
    text = text_of(layer_costs(MODEL, platform()), 100)
    assert text.startswith("net  model\nLayers on npu of board, each alone\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["0", "conv", "conv", "3x3", "16→16", "16x16", "590", "2,304", "100", "2.30", "256", "2.30", "1,110", "compute"] in lines
    assert ["1", "add", "elementwise", "2", "of", "4,096", "0", "256", "0", "0", "-", "0.256", "52.6", "NoC"] in lines
    assert "bound  compute 54.9 %, DRAM 39.0 %, NoC 6.1 % of the time" in text
    assert "peak   256 GMAC/s of 1 of its 2 tiles, 10.0 GB/s of DRAM" in text
    assert any(line[:1] == ["all"] for line in lines)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("model", ["fbnet_c", "gnmt", "hand_pose"])
def test_every_layer_is_one_line_at_any_width(model, width):
    found = layer_costs(model, "dream_4k_1ws2os", "os0")
    lines = text_of(found, width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.split()[:1] and line.split()[0].isdecimal()]
    assert [int(row.split()[0]) for row in rows] == list(range(len(found)))
    assert all(row.split()[-1] in ("compute", "NoC", "DRAM") for row in rows)
    assert ("shape" in lines[4]) == (width >= 100)


def test_long_names_keep_their_end():
    layers = (CONV.model_copy(update={"name": "/features/block.1/conv.0/Conv"}),)
    assert "…1/conv.0/Conv" in text_of(layer_costs(Model(name="net", layers=layers), platform()), 80)


def test_the_largest_subnet_is_shown():
    subnets = (Subnet(name="big", layers=(CONV, FC)), Subnet(name="small", layers=(FC,)))
    found = layer_costs(Model(name="net", subnets=subnets), platform())
    assert (found.subnet, len(found)) == ("big", 2)
    assert "Layers, subnet big on npu" in text_of(found, 100)


# JSON


def test_json():
    found = layer_costs(MODEL, platform())
    told = json.loads(layers_to_json(found))
    assert told["format"] == "rtsched.layers/1"
    assert (told["model"], told["platform"], told["accelerator"], told["tiles"]) == ("net", "board", "npu", 1)
    assert [row["index"] for row in told["layers"]] == [0, 1, 2]
    assert [row["name"] for row in told["layers"]] == ["conv", "add", "fc"]
    first = told["layers"][0]
    assert {key: first[key] for key in ("kind", "macs", "cycles", "latency_ns", "dram_bytes", "bound")} == {
        "kind": "conv", "macs": CONV.macs, "cycles": 2304, "latency_ns": 2304, "dram_bytes": 2304, "bound": "compute"
    }  # fmt: skip
    assert told["layers"][1]["macs_per_dram_byte"] is None
    totals = told["totals"]
    for key in ("macs", "cycles", "latency_ns", "dram_bytes", "l2_bytes"):
        assert totals[key] == sum(row[key] for row in told["layers"])
    assert math.isclose(totals["energy_j"], sum(row["energy_j"] for row in told["layers"]))


# The command


def invoke(*arguments):
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_show_prints_the_table():
    result = invoke("show", "kws_res8", "-p", "dream_4k_1ws2os", "--accelerator", "os1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Layers on os1 of dream_4k_1ws2os, each alone" in result.stdout


def test_show_writes_json(tmp_path):
    expected = layers_to_json(layer_costs("kws_res8", "dream_4k_2ws"))
    assert invoke("show", "kws_res8", "-p", "dream_4k_2ws", "--json", "-").stdout == expected
    result = invoke("show", "kws_res8", "-p", "dream_4k_2ws", "--json", tmp_path / "layers.json")
    assert (tmp_path / "layers.json").read_text(encoding="ascii") == expected
    assert "Layers on ws0" in result.stdout


def test_faults_of_the_options(tmp_path):
    def messages(*arguments):
        result = invoke("show", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr.splitlines()

    assert messages("kws_res8", "--tiles", 2, "--json", "-") == [
        "--tiles: needs -p PLATFORM, and a model to cost",
        "--json: needs -p PLATFORM, and a model to cost",
    ]
    assert "has one tile to run on, got 2" in messages("kws_res8", "-p", "dream_4k_2ws", "--tiles", 2)[0]
    assert len(messages("kws_res9", "-p", "dream_4k_3ws")) == 2
    board = tmp_path / "board.yaml"
    board.write_text(platform().model_dump_json(exclude_none=True), encoding="utf-8")
    assert messages("kws_res8", "-p", board, "--json", board) == [f"--json {board}: would overwrite the platform"]


def test_the_cost_table_of_a_platform_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "model,layer,accelerator,latency_ns\n" + "".join(f"kws_res8,{layer.name},npu,9\n" for layer in layers_of("kws_res8"))
    (tmp_path / "costs.csv").write_text(rows, encoding="utf-8")
    board = "name: b\naccelerators: [{name: npu, cost: {model: table, file: costs.csv}}]\nmemory: {peak_gb_per_s: 1}\n"
    (tmp_path / "board.yaml").write_text(board, encoding="utf-8")
    result = invoke("show", "kws_res8", "-p", "board.yaml", "--json", "costs.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "--json costs.csv: would overwrite the cost table of accelerator 'npu'\n"
    assert (tmp_path / "costs.csv").read_text(encoding="utf-8") == rows
    assert invoke("show", "kws_res8", "-p", "board.yaml", "--json", "new.json").exit_code == 0


def layers_of(model):
    return [layer for layer in load_model(model).variants[0].all_layers if not layer.is_free]
