"""Fit the constants of `rtsched.SystolicCost` to measured layers, and tell how far off it is.

    python benchmarks/fit_systolic.py gemmini_layers.csv

The CSV has one row per layer of a network on one Gemmini tile at 1 GHz: ``model``, ``layer``, ``kind`` (conv, matmul, pool,
resadd), its shape, ``usable`` and ``measured_cycles_median``. Prints the tables of docs/accuracy.md: constants, errors per
network, errors of networks that the constants were not fitted to, and the worst layers.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from rtsched.cost.moca import MocaPublishedCost
from rtsched.cost.model import CostModel, Energy, LayerKey, LayerTable
from rtsched.cost.systolic import SystolicCost
from rtsched.workload.layer import Conv, Elementwise, FusedPool, Gemm, LayerBase, Pool

CONSTANTS = (
    "load_bytes_per_cycle",
    "unaligned_beat_cycles",
    "store_row_cycles",
    "switch_stall",
    "pool_read_cycles",
    "stream_beat_cycles",
    "stream_start_cycles",
    "layer_start_cycles",
)
FITTED = ("resnet50", "alexnet", "squeezenet", "kws_res26")
"""Networks that the constants are fitted to; others that the file has are a check."""
PRODUCTS = ("conv", "matmul")
IN_TOTAL = (*PRODUCTS, "resadd")
OUTLIER = 0.05
"""Relative error from which on the fit counts residuals linearly instead of squared."""


@dataclass(frozen=True)
class Measured:
    """Layers with their measured cycles, in the order of the file.

    Attributes
    ----------
    network, kind : ndarray of str, shape (n,)
    layers : tuple of LayerBase
    cycles, published : ndarray of float64, shape (n,)
        Measured cycles (NaN: not known), and what MoCA's estimator predicted.
    """

    network: np.ndarray
    kind: np.ndarray
    layers: tuple[LayerBase, ...]
    cycles: np.ndarray
    published: np.ndarray

    @property
    def networks(self) -> list[str]:
        """Those with measurements."""
        return list(dict.fromkeys(self.network[np.isfinite(self.cycles)].tolist()))

    def part(self, kinds: Sequence[str], network: str | None = None) -> np.ndarray:
        """Measured layers of these kinds, as a mask."""
        mask = np.isfinite(self.cycles) & np.isin(self.kind, kinds)
        return mask if network is None else mask & (self.network == network)


def read(path: Path) -> Measured:
    """Read the file; rows that are not usable, and kinds without a shape, are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["usable"] == "1" and row["kind"] in (*IN_TOTAL, "pool")]

    def number(row: dict[str, str], column: str) -> float:
        return float(row.get(column) or "nan")

    return Measured(
        np.array([row["model"] for row in rows]),
        np.array([row["kind"] for row in rows]),
        tuple(layer_of(row) for row in rows),
        np.array([number(row, "measured_cycles_median") for row in rows]),
        np.array([number(row, "predicted_cycles_published") for row in rows]),
    )


def layer_of(row: dict[str, str]) -> LayerBase:
    """Make a layer of a row."""
    value = {name: int(text) for name, text in row.items() if text.isdigit()}
    name = row["layer"]
    if row["kind"] == "matmul":
        return Gemm(name=name, m=value["rows_i"], n=value["cols_j"], k=value["depth_k"])
    if row["kind"] == "resadd":
        return Elementwise(name=name, elements=value["rows_i"] * value["cols_j"], operands=2, channels=value["cols_j"])
    if row["kind"] == "pool":
        size, kernel, stride = value["in_dim"], value["pool_size"], value["pool_stride"]
        padding = padding_for(size, value["out_dim"], kernel, stride)
        return Pool(name=name, channels=value["in_ch"], size=size, kernel=kernel, stride=stride, padding=padding)
    pool = None
    if "fused_pool_size" in value:
        kernel, stride = value["fused_pool_size"], value["fused_pool_stride"]
        padding = padding_for(value["out_dim"], -(-value["out_dim"] // stride) - (value["out_dim"] % stride), kernel, stride)
        pool = FusedPool(kernel=kernel, stride=stride, padding=padding)
    padding = padding_for(value["in_dim"], value["out_dim"], value["kernel"], value["stride"])
    return Conv(
        name=name,
        in_channels=value["in_ch"],
        out_channels=value["out_ch"],
        size=value["in_dim"],
        kernel=value["kernel"],
        stride=value["stride"],
        padding=padding,
        pool=pool,
    )


def padding_for(size: int, wanted: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right padding that gives the wanted output, as even as may be."""
    total = max(0, (wanted - 1) * stride + kernel - size)
    return (total // 2, total // 2, total - total // 2, total - total // 2)


def cycles(model: CostModel, measured: Measured) -> np.ndarray:
    """Cycles of every layer on one tile."""
    keys = [LayerKey(network, layer.name) for network, layer in zip(measured.network, measured.layers, strict=True)]
    costs = model.estimate("tile", 1, LayerTable.of(keys, measured.layers), Energy())
    return costs.compute_ns[:, 0]  # at 1 GHz


def fit(measured: Measured, networks: Sequence[str] = FITTED) -> SystolicCost:
    """Fit the constants to all layers of these networks: least squares of the logarithms, outliers counted linearly."""
    mask = np.isfinite(measured.cycles) & np.isin(measured.network, networks)
    start = SystolicCost()
    keys = [LayerKey(network, layer.name) for network, layer in zip(measured.network, measured.layers, strict=True)]
    table = LayerTable.of(keys, measured.layers)

    def model(logarithms: np.ndarray) -> SystolicCost:
        return start.model_copy(update=dict(zip(CONSTANTS, np.exp(logarithms).tolist(), strict=True)))

    def residuals(logarithms: np.ndarray) -> np.ndarray:
        predicted = model(logarithms).estimate("tile", 1, table, Energy()).compute_ns[:, 0]
        return np.log(predicted[mask] / measured.cycles[mask])

    first = np.log([getattr(start, name) for name in CONSTANTS])
    result = least_squares(residuals, first, bounds=(first - 2.0, first + 2.0), diff_step=0.01, loss="soft_l1", f_scale=OUTLIER)
    return model(result.x)


def mean_error(predicted: np.ndarray, measured: Measured, mask: np.ndarray) -> float:
    """Mean absolute relative error; NaN without layers."""
    return float(np.mean(np.abs(predicted[mask] / measured.cycles[mask] - 1.0))) if mask.any() else float("nan")


def total_error(predicted: np.ndarray, measured: Measured, network: str) -> float:
    """Relative error of the sum over convolutions, matmuls and residual additions."""
    mask = measured.part(IN_TOTAL, network)
    return float(predicted[mask].sum() / measured.cycles[mask].sum() - 1.0)


def percent(value: float, sign: str = "") -> str:
    """Print an error; a dash where there is none."""
    return "-" if np.isnan(value) else f"{100 * value:{sign}.1f} %"


def error_rows(predicted: np.ndarray, published: np.ndarray, measured: Measured) -> list[list[str]]:
    """One row per network, then all: layers, errors by kind and of totals, those of the published estimate beside."""
    rows = []
    for network in [*measured.networks, None]:
        products = measured.part(PRODUCTS, network)
        by_kind = [percent(mean_error(predicted, measured, measured.part((kind,), network))) for kind in (*IN_TOTAL, "pool")]
        totals = ["-", "-"]
        if network is not None:
            totals = [percent(total_error(one, measured, network), "+") for one in (predicted, published)]
        errors = [percent(mean_error(one, measured, products)) for one in (predicted, published)]
        rows.append([network or "all", str(products.sum()), *errors, *totals, *by_kind])
    return rows


def left_out(measured: Measured) -> list[list[str]]:
    """Errors of each network under constants that were fitted to the others; then the mean over all layers."""
    predicted = np.full(len(measured.layers), np.nan)
    rows = []
    for network in FITTED:
        mine = measured.network == network
        predicted[mine] = cycles(fit(measured, [other for other in FITTED if other != network]), measured)[mine]
        error = mean_error(predicted, measured, measured.part(PRODUCTS, network))
        rows.append([network, percent(error), percent(total_error(predicted, measured, network), "+")])
    everything = measured.part(PRODUCTS) & np.isfinite(predicted)
    return [*rows, ["all", percent(mean_error(predicted, measured, everything)), "-"]]


def worst(predicted: np.ndarray, measured: Measured, count: int = 12) -> list[list[str]]:
    """The layers that are furthest off, each shape once."""
    error = np.where(measured.part((*IN_TOTAL, "pool")), predicted / measured.cycles - 1.0, 0.0)
    rows: list[list[str]] = []
    for i in np.argsort(-np.abs(error), kind="stable"):
        shape = str(measured.layers[i].model_dump(exclude={"name"}, exclude_defaults=True))
        if len(rows) < count and all(shape != row[-1] for row in rows):
            rows.append([f"{measured.network[i]} {measured.layers[i].name}", str(measured.kind[i]), f"{100 * error[i]:+.0f} %", shape])
    return [row[:3] for row in rows]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def errors_table(model: SystolicCost, measured: Measured) -> str:
    """Errors per network and kind of layer, in Markdown."""
    head = ["network", "products", "error", "published", "total", "published", "conv", "matmul", "residual adds", "poolings"]
    return markdown(head, error_rows(cycles(model, measured), measured.published, measured))


def worst_table(model: SystolicCost, measured: Measured) -> str:
    """The layers that are furthest off, in Markdown."""
    return markdown(["layer", "kind", "error"], worst(cycles(model, measured), measured))


def left_out_table(measured: Measured) -> str:
    """Errors of networks that the constants were not fitted to, in Markdown."""
    return markdown(["left out", "error", "total"], left_out(measured))


def published_table(measured: Measured) -> str:
    """How far `MocaPublishedCost` is from the estimates that MoCA's artifact logs, by kind of layer, in Markdown."""
    ours = cycles(MocaPublishedCost(), measured)
    rows = []
    for kind in IN_TOTAL:
        mask = measured.part((kind,)) & np.isfinite(measured.published)
        differences = np.abs(ours[mask] / measured.published[mask] - 1.0)
        worst = np.flatnonzero(mask)[differences.argmax()]
        of = [differences.mean(), np.median(differences), differences.max()]
        rows.append([kind, str(mask.sum()), *map(percent, of), f"{measured.network[worst]} {measured.layers[worst].name}"])
    return markdown(["kind", "layers", "mean", "median", "largest", "layer"], rows)


def constants_table(measured: Measured) -> str:
    """Constants of the model and what a fit to all measured layers gives, in Markdown."""
    fitted, default = fit(measured), SystolicCost()
    return markdown(["constant", "default", "fitted"], [[n, f"{getattr(default, n):g}", f"{getattr(fitted, n):.3g}"] for n in CONSTANTS])


def main() -> None:
    """Fit and print."""
    arguments = argparse.ArgumentParser(description="Fit the constants of the systolic cost model and print its errors.")
    arguments.add_argument("csv", type=Path)
    measured = read(arguments.parse_args().csv)
    model = SystolicCost()
    print(constants_table(measured), errors_table(model, measured), worst_table(model, measured), left_out_table(measured), sep="\n")


if __name__ == "__main__":
    main()
