"""Measured costs: what is read, what it means, and what is said about every fault."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from builders import once, problem_of
from pydantic import ValidationError

from rtsched.cost.model import Energy, LayerKey, LayerTable
from rtsched.cost.table import CostTable, TableCost
from rtsched.errors import InputError
from rtsched.platform.platform import Platform
from rtsched.workload.layer import Measured

ROW = {"model": "net", "layer": "conv1", "accelerator": "npu", "latency_ns": 1000}


def row(**changes):
    return {**ROW, **changes}


def layers(*names):
    return LayerTable.of([LayerKey(*name) for name in names], [Measured(name=name[1]) for name in names])


def estimate(rows, *names, accelerator="npu", tiles=1):
    return TableCost(rows=rows).estimate(accelerator, tiles, layers(*names), Energy())


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write costs.csv into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(content):
        Path("costs.csv").write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def faults_of(content, write):
    write(content)
    with pytest.raises(InputError) as caught:
        CostTable.from_csv("costs.csv")
    return list(caught.value.faults)


# ---- What is read


def test_csv_in_any_order_with_defaults(write):
    write('latency_ns, layer ,model,accelerator,dram_bytes\n1.5e3, conv1,net,npu,\n\n7.6,"a, b",net/small,npu,12\n')
    table = CostTable.from_csv("costs.csv")
    assert len(table) == 2
    assert table.source == "costs.csv"
    assert table.model == ("net", "net/small")
    assert table.layer == ("conv1", "a, b")
    assert table.accelerator == ("npu", "npu")
    assert table.latency_ns.tolist() == [1500, 8]
    assert table.tiles.tolist() == [1, 1]
    assert table.dram_bytes.tolist() == [0, 12]
    assert table.l2_bytes.tolist() == [0, 0]
    assert not table.energy_j.any()


def test_windows_line_ends_and_byte_order_mark(write):
    write(b"\xef\xbb\xbfmodel,layer,accelerator,latency_ns\r\nnet,conv1,npu,1000\r\n")
    assert CostTable.from_csv("costs.csv").latency_ns.tolist() == [1000]


def test_whole_energy_counts_as_mac_and_split_energy_stays_split():
    table = CostTable.from_rows([row(energy_j=0.5), row(layer="b", energy_mac_j=1, energy_sram_j=2, energy_l2_j=3, energy_dram_j=4)])
    assert table.energy_j.tolist() == [[0.5, 0, 0, 0], [1, 2, 3, 4]]


def test_large_byte_counts_are_exact(write):
    write(f"model,layer,accelerator,latency_ns,dram_bytes\nnet,conv1,npu,1,{2**53 - 1}\n")
    assert CostTable.from_csv("costs.csv").dram_bytes.tolist() == [2**53 - 1]


def test_columns_may_be_arrays():
    columns = {"model": ["net"] * 2, "layer": np.array(["a", "b"]), "accelerator": ["npu"] * 2, "latency_ns": np.array([1.0, 2.4])}
    assert CostTable.from_columns(columns).latency_ns.tolist() == [1, 2]
    with pytest.raises(InputError, match="equally long: model has 2, layer has 1"):
        CostTable.from_columns({"model": ["net"] * 2, "layer": ["a"]})


def test_rows_survive_the_way_there_and_back():
    table = CostTable.from_rows([row(tiles=2, dram_bytes=3, energy_dram_j=0.25)])
    assert CostTable.from_rows(table.to_rows()) == table
    assert hash(CostTable.from_rows(table.to_rows())) == hash(table)
    assert CostTable.from_rows([row(tiles=3, dram_bytes=3, energy_dram_j=0.25)]) != table
    cost = TableCost(rows=table)
    assert TableCost.model_validate(cost.model_dump()) == cost
    assert TableCost.model_validate_json(cost.model_dump_json()) == cost
    assert pickle.loads(pickle.dumps(cost)) == cost


# ---- What it means


def test_latency_is_the_time_alone():
    costs = estimate([row(dram_bytes=5, l2_bytes=6, energy_j=7)], ("net", "conv1"))
    assert costs.compute_ns.tolist() == [[1000.0]]
    assert costs.dram_bytes.tolist() == [[5]]
    assert costs.l2_bytes.tolist() == [[6]]
    assert costs.energy_j.tolist() == [[[7.0, 0, 0, 0]]]
    assert costs.fetch_bytes.tolist() == costs.keep_bytes.tolist() == [[0]]


def test_layers_come_in_the_order_asked_for_and_as_often():
    rows = [row(), row(layer="b", latency_ns=2), row(model="net/s", latency_ns=3)]
    costs = estimate(rows, ("net/s", "conv1"), ("net", "b"), ("net", "conv1"), ("net", "b"))
    assert costs.compute_ns[:, 0].tolist() == [3, 2, 1000, 2]


def test_a_layer_known_elsewhere_cannot_run_here():
    rows = [row(dram_bytes=9, energy_j=1), row(layer="b", accelerator="gpu", dram_bytes=9, energy_j=1)]
    costs = estimate(rows, ("net", "conv1"), ("net", "b"))
    assert costs.compute_ns[0, 0] == 1000
    assert np.isnan(costs.compute_ns[1, 0])
    assert costs.dram_bytes[1, 0] == costs.energy_j[1].sum() == 0


def test_absent_numbers_of_tiles_cannot_run():
    rows = [row(tiles=1), row(tiles=3, latency_ns=400), row(tiles=9)]
    costs = estimate(rows, ("net", "conv1"), tiles=4)
    assert np.nan_to_num(costs.compute_ns, nan=-1.0).tolist() == [[1000, -1, 400, -1]]


def test_missing_layers_are_all_named():
    with pytest.raises(InputError) as caught:
        estimate([row()], ("net", "x"), ("net", "conv1"), ("other", "conv1"), ("net", "x"))
    assert caught.value.faults == ("rows: no row for layer 'x' of model 'net'", "rows: no row for layer 'conv1' of model 'other'")


def test_an_accelerator_without_any_row_is_a_fault():
    with pytest.raises(InputError, match="rows: no row for accelerator 'ngu'; it has rows for npu, gpu"):
        estimate([row(), row(accelerator="gpu")], ("net", "conv1"), accelerator="ngu")


# ---- Faults of the file

HEADER = "model,layer,accelerator,latency_ns,dram_bytes,energy_j,tiles\n"


# `|` marks where the fault stands.
@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        ("net,a,npu,|-5,,,", "latency_ns", "must be a number greater than 0, got -5"),
        ("net,a,npu, |0,,,", "latency_ns", "must be a number greater than 0, got 0"),
        ("net,a,npu,|0.4,,,", "latency_ns", "must be a number that rounds to 1 to 2^53 ns, got 0.4"),
        ("net,a,npu,|1e16,,,", "latency_ns", "must be a number that rounds to 1 to 2^53 ns, got 1e16"),
        ("net,a,npu,|nan,,,", "latency_ns", "must be a number greater than 0, got nan"),
        ("net,a,npu,|inf,,,", "latency_ns", "must be a number greater than 0, got inf"),
        ("net,a,npu,|1e999,,,", "latency_ns", "must be a number greater than 0, got 1e999"),
        ("net,a,npu,|1_000,,,", "latency_ns", "must be a number greater than 0, got 1_000"),
        ("net,a,npu,|fast,,,", "latency_ns", "must be a number greater than 0, got fast"),
        ("net,a,npu,|,,,", "latency_ns", "must be a number greater than 0, got nothing"),
        ("net,a,npu,5,|-1,,", "dram_bytes", "must be a number from 0 to 2^53, got -1"),
        ("net,a,npu,5,|-0.1,,", "dram_bytes", "must be a number from 0 to 2^53, got -0.1"),
        ("net,a,npu,5,|1e16,,", "dram_bytes", "must be a number from 0 to 2^53, got 1e16"),
        ("net,a,npu,5,,|nan,", "energy_j", "must be a number, 0 or greater, got nan"),
        ("net,a,npu,5,,|-1e-9,", "energy_j", "must be a number, 0 or greater, got -1e-9"),
        ("net,a,npu,5,,,|0", "tiles", "must be an integer from 1 to 64, got 0"),
        ("net,a,npu,5,,,|65", "tiles", "must be an integer from 1 to 64, got 65"),
        ("net,a,npu,5,,,|1.5", "tiles", "must be an integer from 1 to 64, got 1.5"),
        (" |,a,npu,5,,,", "model", "must be a name, got nothing"),
        ('"n,""x"",y", a,  |,5,,,', "accelerator", "must be a name, got nothing"),
        ('"net", "a",npu,|-5,,,', "latency_ns", "must be a number greater than 0, got -5"),
        ('5" net,a,npu,|-5,,,', "latency_ns", "must be a number greater than 0, got -5"),
    ],
)
def test_a_bad_cell_is_reported_where_it_stands(cells, column, message, write):
    found = faults_of(HEADER + "net,fine,npu,1,,,\n" + cells.replace("|", "") + "\n", write)
    assert found == [f"costs.csv:3:{cells.index('|') + 1} {column}: {message}"]


def test_every_fault_is_reported_at_once(write):
    found = faults_of(HEADER + "net,a,npu,-5,x,,99\nnet,b,npu,1,,,\n\nnet,c,npu,bad,,,\nnet,b,npu,2,,,1\nshort,line\n", write)
    assert [fault.split(": ")[0] for fault in found] == [
        "costs.csv:2:11 latency_ns",
        "costs.csv:2:14 dram_bytes",
        "costs.csv:2:17 tiles",
        "costs.csv:5:11 latency_ns",
        "costs.csv:6:1 model",
        "costs.csv:7:1",
    ]
    assert found[4].endswith("repeats line 3: layer 'b' of model 'net' on 'npu', tiles 1")
    assert found[5].endswith("must have 7 cells, as the header does, got 2")


def test_columns_that_are_missing_unknown_or_doubled(write):
    found = faults_of("model,layer,speed,layer\nnet,a,1,b\n", write)
    assert [fault.split(":", 2)[2] for fault in found][1:] == [
        "19 layer: this column stands twice",
        "1 accelerator: this column is missing",
        "1 latency_ns: this column is missing",
    ]
    assert found[0].startswith("costs.csv:1:13 speed: unknown column; known columns: model, layer, accelerator, latency_ns, tiles")


def test_energy_is_whole_or_split(write):
    (fault,) = faults_of("model,layer,accelerator,latency_ns,energy_j,energy_mac_j\nnet,a,npu,1,2,3\n", write)
    assert fault.startswith("costs.csv:2:13 energy_j: must stand alone or be split into energy_mac_j, ")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "costs.csv: is empty; its first line must name the columns model, layer, accelerator, latency_ns"),
        (" \n\n", "costs.csv: is empty; its first line must name the columns model, layer, accelerator, latency_ns"),
        ("model,layer,accelerator,latency_ns\n", "costs.csv: has no rows"),
        (b"model,layer,accelerator,latency_ns\nn\xe9t,a,npu,1\n", "costs.csv:2:2: is not UTF-8: byte 0xe9"),
        (b"\xff", "costs.csv:1:1: is not UTF-8: byte 0xff"),
        ('model,layer,accelerator,latency_ns\n"net,a,npu,1\n', "costs.csv:2:1: is not CSV: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_table(content, fault, write):
    assert faults_of(content, write) == [fault]


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        CostTable.from_csv(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        CostTable.from_csv(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        CostTable.from_csv("null\0character.csv")


def test_faults_of_rows_in_memory():
    with pytest.raises(InputError) as caught:
        CostTable.from_rows([row(), row(), 3, row(layer="b", latency_ns=True, speed=1), row(layer="c", dram_bytes=10**400)])
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [
        "rows[1].model",
        "rows[2]",
        "rows[3].speed",
        "rows[3].latency_ns",
        "rows[4].dram_bytes",
    ]
    assert "repeats rows[0]" in caught.value.faults[0]
    with pytest.raises(InputError, match="rows: has no rows"):
        CostTable.from_rows([])


# ---- In a document


def input_error(caught):
    (fault,) = caught.value.errors()
    return fault["ctx"]["error"]


def test_relative_files_start_from_the_document(tmp_path, monkeypatch):
    (tmp_path / "costs.csv").write_text("model,layer,accelerator,latency_ns\nnet,a,npu,1\n")
    cost = TableCost.model_validate({"model": "table", "file": "costs.csv"}, context={"base": tmp_path})
    assert cost.table.latency_ns.tolist() == [1]
    assert cost.file == "costs.csv"
    with pytest.raises(ValidationError) as caught:
        TableCost(file="costs.csv")
    assert input_error(caught).faults == ("costs.csv: no such file",)
    monkeypatch.chdir(tmp_path)
    assert TableCost(file="costs.csv") == cost


def test_faults_arrive_as_an_input_error(write):
    write("model,layer,accelerator,latency_ns\nnet,a,npu,x\nnet,b,npu,y\n")
    with pytest.raises(ValidationError) as caught:
        TableCost(file="costs.csv")
    error = input_error(caught)
    assert isinstance(error, InputError)
    assert len(error.faults) == 2
    with pytest.raises(ValidationError) as caught:
        TableCost(rows=[row(latency_ns=0)])
    assert input_error(caught).faults[0].startswith("rows[0].latency_ns: ")
    with pytest.raises(ValidationError) as caught:
        TableCost(rows=7)
    assert input_error(caught).faults == ("rows: must be a CostTable or a list of rows, got 7",)


@pytest.mark.parametrize("fields", [{}, {"file": "costs.csv", "rows": [ROW]}])
def test_either_a_file_or_rows(fields):
    with pytest.raises(ValidationError, match="must have either 'file' or 'rows'"):
        TableCost(**fields)


def test_a_platform_takes_tables_and_has_a_schema():
    platform = Platform.model_validate(
        {"name": "p", "memory": {"peak_gb_per_s": 1.0}, "accelerators": ({"name": "npu", "cost": {"model": "table", "rows": (ROW,)}},)},
        strict=True,
    )
    assert platform.accelerators[0].cost.table.layer == ("conv1",)
    properties = Platform.model_json_schema()["$defs"]["TableCost"]["properties"]
    assert set(properties) == {"model", "file", "rows"}


def test_names_of_unknown_columns_stay_on_one_line(write):
    (found,) = faults_of("model,layer,accelerator,latency_ns," + "x" * 5_000 + "\na,b,c,1,2\n", write)
    assert f" {'x' * 57}...: unknown column" in found
    with pytest.raises(InputError) as caught:
        CostTable.from_rows([{"model": "a", "layer": "b", "accelerator": "c", "latency_ns": 1, "d\ne": 2}])
    assert caught.value.faults[0].startswith("rows[0].'d\\ne': unknown column; known columns: model")
    with pytest.raises(InputError) as caught:
        CostTable.from_rows(["a\nb"])
    assert caught.value.faults == (r"rows[0]: must map columns to values, got 'a\nb'",)


def test_a_long_name_without_a_row_is_cut():
    with pytest.raises(InputError) as caught:
        problem_of([once("t", "m" * 500, 1, deadline_ns=9)], {"m": [[1]]})
    assert all(len(fault) < 200 for fault in caught.value.faults)
    assert "no row for layer 'l0' of model 'mmm" in caught.value.faults[0]
