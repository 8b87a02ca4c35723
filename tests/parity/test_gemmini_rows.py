"""The zoo's seven networks of MoCA, row by row as they were measured on a Gemmini tile, and as ``rtsched show`` prints them."""

import csv
import json

import numpy as np
import pytest
from measurements import LAYERS, needs
from program import invoke

from rtsched.workload.layer import Conv, Elementwise, Gemm, Pool
from rtsched.workload.zoo import gemmini_rows

pytestmark = needs(LAYERS)


def table_rows(network):
    with LAYERS.open(newline="", encoding="utf-8") as file:
        yield from (row for row in csv.DictReader(file) if row["model"] == network)


def as_in_the_table(layer, kind):
    """Write a layer's shape in the columns that the table has for the kind."""
    if kind == "matmul":
        if isinstance(layer, Conv):
            assert layer.kernel == layer.stride == (1, 1)
            rows, columns, depth = layer.output_size[0] * layer.output_size[1], layer.out_channels, layer.in_channels
        else:
            assert isinstance(layer, Gemm)
            rows, columns, depth = layer.m, layer.n, layer.k
        return {"rows_i": rows, "cols_j": columns, "depth_k": depth, "macs": layer.macs}
    if kind == "resadd":
        assert isinstance(layer, Elementwise)
        return {"elements": layer.elements, "operands": layer.operands, "channels": layer.channels}
    if kind == "global_avg":
        assert isinstance(layer, Pool)
        return {}
    assert isinstance(layer, Conv if kind == "conv" else Pool)
    assert layer.size[0] == layer.size[1]
    shape = {"in_dim": layer.size[0], "out_dim": layer.output_size[0]}
    if isinstance(layer, Pool):
        return shape | {"in_ch": layer.channels, "pool_size": layer.kernel[0], "pool_stride": layer.stride[0]}
    channels = {"in_ch": layer.in_channels, "out_ch": layer.out_channels}
    window = {"kernel": layer.kernel[0], "stride": layer.stride[0], "padding": layer.padding[0]}
    return shape | channels | window | {"macs": layer.macs}


def expected_shape(row):
    if row["kind"] == "resadd":
        return {"elements": int(row["rows_i"]) * int(row["cols_j"]), "operands": 2, "channels": int(row["cols_j"])}
    columns = {
        "conv": ("in_dim", "out_dim", "in_ch", "out_ch", "kernel", "stride", "padding", "macs"),
        "pool": ("in_dim", "out_dim", "in_ch", "pool_size", "pool_stride"),
        "matmul": ("rows_i", "cols_j", "depth_k", "macs"),
        "global_avg": (),
    }[row["kind"]]
    shape = {column: int(row[column]) for column in columns}
    if shape.get("cols_j") == 1:  # a vector from the left
        shape["rows_i"], shape["cols_j"] = 1, shape["rows_i"]
    return shape


@pytest.mark.parametrize("network", gemmini_rows.NETWORKS)
def test_rows_are_those_of_the_table(network):
    measured = list(table_rows(network))
    ours = gemmini_rows.rows(network)
    assert [int(row["layer"]) for row in measured] == list(range(len(ours)))
    for row, layer in zip(measured, ours, strict=True):
        assert as_in_the_table(layer, row["kind"]) == expected_shape(row), layer.name
        has_pool = isinstance(layer, Conv) and layer.pool is not None
        assert has_pool == bool(row["fused_pool_size"])
        if has_pool:
            assert (layer.pool.kernel[0], layer.pool.stride[0]) == (int(row["fused_pool_size"]), int(row["fused_pool_stride"]))


@pytest.mark.parametrize("network", gemmini_rows.NETWORKS)
def test_what_show_prints_is_as_close_to_the_measurements(network):
    """The bounds of test_gemmini_layers.py, on the program's own answer."""
    layers = json.loads(invoke("show", network, "-p", "moca_gemmini_8", "--json", "-").stdout)["layers"]
    rows = list(table_rows(network))
    assert [layer["index"] for layer in layers] == [int(row["layer"]) for row in rows]
    assert [layer["macs"] for layer in layers] == [int(row["macs"] or 0) for row in rows]
    usable = [(row, layer) for row, layer in zip(rows, layers, strict=True) if row["usable"] == "1" and row["measured_cycles_median"]]
    if not usable:
        pytest.skip(f"nothing of {network} was measured in this file")
    kind = np.array([row["kind"] for row, _ in usable])
    measured = np.array([float(row["measured_cycles_median"]) for row, _ in usable])
    for column in ("cycles", "latency_ns"):  # at 1 GHz, and DRAM is no limit to one tile
        predicted = np.array([layer[column] for _, layer in usable])
        errors, products, total = np.abs(predicted / measured - 1), np.isin(kind, ["conv", "matmul"]), kind != "pool"
        assert errors[products].mean() <= 0.12
        assert abs(predicted[total].sum() / measured[total].sum() - 1) <= 0.08
        if (kind == "resadd").any():
            assert errors[kind == "resadd"].mean() <= 0.20
