"""Compare `rtsched.DataflowCost` with ZigZag, layer by layer.

    python benchmarks/zigzag_accuracy.py

Reads ``benchmarks/data/zigzag_layers.csv``, which ``zigzag_layers.py`` wrote and whose docstring tells the hardware, and prints
a table and a summary for each hardware.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.model import ENERGY_COMPONENTS, Energy, LayerKey, LayerTable
from rtsched.workload.layer import Conv, Gemm

FILE = Path(__file__).parent / "data" / "zigzag_layers.csv"
HARDWARE = ("ws", "ws-sums", "ws-160k", "os")
HEAD = (
    *("layer", "shape", "array cycles", "ZigZag", "ratio", "used", "with DRAM: ratio", "DRAM bytes", "ZigZag", "ratio"),
    *("NoC bytes: ratio", "energy: ratio"),
)
COUNTS = ("macs", "ideal_cycles", "temporal_cycles", "stall_cycles", "total_cycles", "noc_bytes", "dram_bytes", "energy_pj")
CLOCK_MHZ = 700.0


@dataclass(frozen=True)
class Results:
    """Layers on one hardware, with what ZigZag or our model says of them.

    Attributes
    ----------
    layers : tuple of Conv or Gemm
    names : tuple of str
        With the network's: ``resnet18 1.conv``.
    macs : ndarray of float64, shape (n,)
    array_cycles : ndarray of float64, shape (n,)
        As if DRAM were infinitely fast (ours: with the NoC), or the cycles of the loops alone (ZigZag).
    total_cycles : ndarray of float64, shape (n,)
        With DRAM; ZigZag's also with what it cannot overlap.
    noc_bytes, dram_bytes, energy_pj : ndarray of float64, shape (n,)
        Between array and buffer; between buffer and DRAM, nothing being on chip before; in all.
    """

    layers: tuple[Conv | Gemm, ...]
    names: tuple[str, ...]
    macs: NDArray[np.float64]
    array_cycles: NDArray[np.float64]
    total_cycles: NDArray[np.float64]
    noc_bytes: NDArray[np.float64]
    dram_bytes: NDArray[np.float64]
    energy_pj: NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Both on the same hardware."""

    hardware: str
    pes: int
    ours: Results
    zigzag: Results


def read(path: Path = FILE) -> list[dict[str, str]]:
    """Read the rows of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def layer_of(row: dict[str, str]) -> Conv | Gemm:
    """Describe the layer of a row."""
    name = f"{row['network']} {row['layer']}"
    channels, outputs, kernel = int(row["in_channels"]), int(row["out_channels"]), int(row["kernel"])
    if row["kind"] == "linear":
        return Gemm(name=name, m=1, n=outputs, k=channels)
    return Conv(
        name=name,
        in_channels=channels,
        out_channels=outputs,
        size=int(row["size"]),
        kernel=kernel,
        stride=int(row["stride"]),
        padding=(kernel - 1) // 2,
        groups=int(row["groups"]),
    )


def zigzag(rows: Sequence[dict[str, str]]) -> Results:
    """Collect what ZigZag says."""
    layers = tuple(layer_of(row) for row in rows)
    counts = {name: np.array([float(row[name]) for row in rows]) for name in COUNTS}
    return Results(
        layers,
        tuple(layer.name for layer in layers),
        counts["macs"],
        counts["temporal_cycles"],
        counts["total_cycles"],
        counts["noc_bytes"],
        counts["dram_bytes"],
        counts["energy_pj"],
    )


def ours(rows: Sequence[dict[str, str]]) -> Results:
    """Estimate the layers of the rows, which share their hardware, each by itself: nothing stays on chip before or after it."""
    first, layers = rows[0], tuple(layer_of(row) for row in rows)
    model = DataflowCost(
        dataflow=first["dataflow"],
        pes=int(first["pes"]),
        clock_mhz=CLOCK_MHZ,
        sram_kib=int(first["sram_kib"]),
        noc_elements_per_cycle=int(first["noc_bytes_per_cycle"]),
    )
    energy = Energy()
    costs = model.estimate("array", 1, LayerTable.of([LayerKey("zigzag", layer.name) for layer in layers], layers), energy)
    stays_bytes = costs.fetch_bytes[:, 0] + costs.keep_bytes[:, 0]
    dram_bytes = (costs.dram_bytes[:, 0] + stays_bytes).astype(np.float64)
    array_cycles = costs.compute_ns[:, 0] * CLOCK_MHZ / 1000.0
    sram_j = costs.energy_j[:, 0, ENERGY_COMPONENTS.index("sram")]
    return Results(
        layers,
        tuple(layer.name for layer in layers),
        np.array([float(layer.macs) for layer in layers]),
        array_cycles,
        np.maximum(array_cycles, dram_bytes / int(first["dram_bytes_per_cycle"])),
        sram_j / (energy.mac_pj * energy.sram_per_mac * 1e-12),
        dram_bytes,
        (costs.energy_j[:, 0].sum(axis=1) + stays_bytes * energy.dram_j_per_byte) * 1e12,
    )


def compare(rows: Sequence[dict[str, str]], hardware: str) -> Comparison:
    """Compare on one hardware of the file."""
    mine = [row for row in rows if row["hardware"] == hardware]
    return Comparison(hardware, int(mine[0]["pes"]), ours(mine), zigzag(mine))


def geometric_mean(ratios: NDArray[np.float64]) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))


def shape_of(layer: Conv | Gemm) -> str:
    """In short: channels, output, kernel, stride."""
    if isinstance(layer, Gemm):
        return f"{layer.k} > {layer.n}"
    stride = f" / {layer.stride[0]}" if layer.stride[0] > 1 else ""
    groups = " depthwise" if layer.groups > 1 else f" > {layer.out_channels}"
    return f"{layer.in_channels}{groups} @ {layer.output_size[0]}, {layer.kernel[0]}x{layer.kernel[1]}{stride}"


def table(comparison: Comparison) -> str:
    """One row per layer, as Markdown. Ratios are ours over ZigZag's; *used* is our MACs per PE and cycle, DRAM included."""
    one, other = comparison.ours, comparison.zigzag
    lines = [HEAD, ["---"] * len(HEAD)]
    for i, layer in enumerate(one.layers):
        cells = [layer.name, shape_of(layer)]
        cells += pair(one.array_cycles[i], other.array_cycles[i])
        used = one.macs[i] / (comparison.pes * one.total_cycles[i])
        cells += [f"{100 * used:.0f} %", f"{one.total_cycles[i] / other.total_cycles[i]:.2f}"]
        cells += pair(one.dram_bytes[i], other.dram_bytes[i])
        lines.append([*cells, f"{one.noc_bytes[i] / other.noc_bytes[i]:.2f}", f"{one.energy_pj[i] / other.energy_pj[i]:.2f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def pair(one: float, other: float) -> list[str]:
    """Both numbers, and their ratio."""
    return [f"{one:,.0f}", f"{other:,.0f}", f"{one / other:.2f}"]


def summary(comparison: Comparison) -> str:
    """Geometric means of ours over ZigZag's, the layers within 5 %, and those that are furthest off."""
    parts = []
    for name, attribute in (
        ("array cycles", "array_cycles"),
        ("cycles with DRAM", "total_cycles"),
        ("DRAM bytes", "dram_bytes"),
        ("NoC bytes", "noc_bytes"),
        ("energy", "energy_pj"),
    ):
        ratios = getattr(comparison.ours, attribute) / getattr(comparison.zigzag, attribute)
        furthest = int(np.argmax(np.abs(np.log(ratios))))
        near = int(np.sum(np.abs(ratios - 1.0) <= 0.05))
        worst = f"furthest {comparison.ours.names[furthest]}, {ratios[furthest]:.2f}"
        parts.append(f"{name} {geometric_mean(ratios):.2f} ({near} of {len(ratios)} within 5 %, {worst})")
    return f"{comparison.hardware}: " + "; ".join(parts) + ".\n"


def tables(path: Path = FILE) -> str:
    """All tables and summaries."""
    rows = read(path)
    return "\n".join(f"{table(one)}\n{summary(one)}" for one in (compare(rows, hardware) for hardware in HARDWARE))


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description="Compare the dataflow cost model with ZigZag.")
    parser.add_argument("csv", type=Path, nargs="?", default=FILE)
    print(tables(parser.parse_args().csv))


if __name__ == "__main__":
    main()
