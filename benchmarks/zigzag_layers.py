"""Run ZigZag on layers of MobileNetV2 and ResNet-18, on hardware like that of `rtsched.DataflowCost`.

    python -m venv zigzag && zigzag/bin/pip install zigzag-dse==3.9.1 six
    nice zigzag/bin/python benchmarks/zigzag_layers.py --workers 2

Writes ``benchmarks/data/zigzag_layers.csv``, one row per hardware and layer, which ``zigzag_accuracy.py`` compares with our
model. Takes some ten minutes; a second run writes the same bytes. Version 3.9.1 needs ``six`` without saying so.

The hardware
------------
Every choice follows from the docstring of `rtsched.DataflowCost`; ZigZag chooses the order of the loops and what each memory holds.

- The array is unrolled as ours: 16 input channels x 16 output channels x 8 output columns ('ws'), or 4 output columns x 16 input
  channels x 32 output rows ('os'). Where fewer than 16 input channels meet a larger kernel, taps share their axis ('ws'), or output
  channels take it ('os'); a product of one row has an output on every PE ('os').
- Weights: 512 bytes per PE of 'ws', double-buffered, so that 256 stay; one and the next per PE of 'os'.
- Inputs: a double-buffered row of registers for each input channel, 512 bytes ('ws') or 2 KiB ('os'), enough for the window of a step of
  every layer. Our model has the window of a step, and no size.
- Partial sums (32 bits): a lane of 'ws' holds all that a layer may need, for they are free in our model; 'ws-sums' has 64 per lane,
  32 KiB together. A PE of 'os' holds one, and the one before on its way out.
- Buffer: 4 MiB, double-buffered, so that half is usable. 512 bytes per cycle to the array and as many back. 'ws-160k' is 'ws-sums' with
  160 KiB, for the traffic to DRAM, and takes the mapping of least energy: the fastest ones waste bandwidth that is free.
- DRAM: one port of 128 bytes per cycle for reads and writes, 90 GB/s at 700 MHz.
- Energy: a MAC costs 0.23 pJ and three register accesses of 1.68 MACs, in one figure; the registers cost nothing beside. A byte costs
  18.6 MACs at each port of the buffer, 200 MACs at that of the DRAM.
"""

from __future__ import annotations

import argparse
import csv
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "zigzag_layers.csv"
HEAD = (
    *("network", "layer", "kind", "in_channels", "out_channels", "size", "kernel", "stride", "groups"),
    *("hardware", "dataflow", "pes", "sram_kib", "noc_bytes_per_cycle", "dram_bytes_per_cycle", "sums_bytes"),
    *("tool", "objective", "unrolling"),
    *("macs", "ideal_cycles", "temporal_cycles", "stall_cycles", "onload_cycles", "offload_cycles", "total_cycles"),
    *("noc_bytes", "dram_bytes", "energy_pj"),
)

MAC_PJ = 0.23
REGISTERS_PER_MAC = 3 * 1.68
BUFFER_PER_MAC = 18.6
DRAM_PER_MAC = 200.0
LANE = 16
"""PEs along the axes for channels."""

LOOPS = 6
"""Loops that ZigZag permutes: factors of the layer's loops, merged until no more are left. 7 take seven times as long."""
TILED_LOOPS = 8
"""The same where the two loops over taps are innermost, so that six are free."""


@dataclass(frozen=True)
class Layer:
    """A convolution with a square image and kernel, padded by half the kernel; a classifier is one of a single pixel."""

    network: str
    name: str
    in_channels: int
    out_channels: int
    size: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def padding(self) -> int:
        """Zeros on each side."""
        return (self.kernel - 1) // 2

    @property
    def out(self) -> int:
        """Output rows and columns."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Hardware:
    """A spatial array with its memories; see the docstring of the module.

    Attributes
    ----------
    sums_bytes : int
        For partial sums, per lane ('ws') or PE ('os').
    objective : {'latency', 'energy'}
        Which mapping is taken; the other one decides among equals.
    """

    name: str
    dataflow: str
    sums_bytes: int
    sram_kib: int = 4096
    pes: int = 2048
    noc_bytes_per_cycle: int = 512
    dram_bytes_per_cycle: int = 128
    objective: str = "latency"

    @property
    def units(self) -> int:
        """PEs along the axis of output columns ('ws') or rows ('os')."""
        return self.pes // (256 if self.dataflow == "ws" else 64)


HARDWARE = (
    Hardware("ws", "ws", sums_bytes=2**20),
    Hardware("ws-sums", "ws", sums_bytes=256),
    Hardware("ws-160k", "ws", sums_bytes=256, sram_kib=160, objective="energy"),
    Hardware("os", "os", sums_bytes=8),
)

LAYERS = (
    Layer("mobilenetv2", "stem", 3, 32, 224, 3, 2),
    Layer("mobilenetv2", "1.depthwise", 32, 32, 112, 3, 1, 32),
    Layer("mobilenetv2", "1.project", 32, 16, 112),
    Layer("mobilenetv2", "2.expand", 16, 96, 112),
    Layer("mobilenetv2", "2.depthwise", 96, 96, 112, 3, 2, 96),
    Layer("mobilenetv2", "2.project", 96, 24, 56),
    Layer("mobilenetv2", "3.expand", 24, 144, 56),
    Layer("mobilenetv2", "3.depthwise", 144, 144, 56, 3, 1, 144),
    Layer("mobilenetv2", "7.depthwise", 192, 192, 28, 3, 2, 192),
    Layer("mobilenetv2", "7.project", 192, 64, 14),
    Layer("mobilenetv2", "8.expand", 64, 384, 14),
    Layer("mobilenetv2", "17.depthwise", 960, 960, 7, 3, 1, 960),
    Layer("mobilenetv2", "17.project", 960, 320, 7),
    Layer("mobilenetv2", "last", 320, 1280, 7),
    Layer("mobilenetv2", "classifier", 1280, 1000, 1),
    Layer("resnet18", "stem", 3, 64, 224, 7, 2),
    Layer("resnet18", "1.conv", 64, 64, 56, 3),
    Layer("resnet18", "2.strided", 64, 128, 56, 3, 2),
    Layer("resnet18", "2.downsample", 64, 128, 56, 1, 2),
    Layer("resnet18", "2.conv", 128, 128, 28, 3),
    Layer("resnet18", "3.strided", 128, 256, 28, 3, 2),
    Layer("resnet18", "3.downsample", 128, 256, 28, 1, 2),
    Layer("resnet18", "3.conv", 256, 256, 14, 3),
    Layer("resnet18", "4.strided", 256, 512, 14, 3, 2),
    Layer("resnet18", "4.downsample", 256, 512, 14, 1, 2),
    Layer("resnet18", "4.conv", 512, 512, 7, 3),
    Layer("resnet18", "classifier", 512, 1000, 1),
)


def port(name: str, bytes_per_cycle: int, *serves: str) -> dict[str, Any]:
    """A port; `serves` are operands with a direction: to or from the level above (h) or below (l)."""
    kind = {"r": "read", "w": "write", "rw": "read_write"}[name.split("_")[0]]
    return {"name": name, "type": kind, "bandwidth_min": 8, "bandwidth_max": 8 * bytes_per_cycle, "allocation": list(serves)}


def memory(size: int, serves: str, *ports: dict[str, Any], byte_pj: float = 0.0, is_double: bool = True) -> dict[str, Any]:
    """A memory of `size` bytes, one for all PEs along the dimensions that it serves; an access is as wide as its ports."""
    access_pj = byte_pj * max(one["bandwidth_max"] for one in ports) / 8
    operands = sorted({use.split(",")[0] for one in ports for use in one["allocation"]})
    described = {"size": 8 * size, "r_cost": access_pj, "w_cost": access_pj, "area": 0.0, "latency": 1, "operands": operands}
    return described | {"ports": list(ports), "served_dimensions": serves.split(), "force_double_buffering": is_double}


def accelerator(hardware: Hardware) -> dict[str, Any]:
    """Describe the hardware in ZigZag's terms; I1 are inputs, I2 weights."""
    noc, dram, columns = hardware.noc_bytes_per_cycle, hardware.dram_bytes_per_cycle, hardware.units
    is_ws = hardware.dataflow == "ws"
    sums_ports = (port("r_port_1", 4, "O, tl"), port("w_port_1", 4, "O, fl"))
    sums_ports += (port("r_port_2", 4 * noc, "O, th"), port("w_port_2", 4 * noc, "O, fh"))
    window = columns if is_ws else 4 * columns
    to_array = port("r_port_1", noc, "I1, tl", "I2, tl", "O, tl")
    # As wide as the other ports, for ZigZag has one price per access and memory; the DRAM's port is the limit.
    to_dram = port("r_port_2", noc, "O, th"), port("w_port_2", noc, "I1, fh", "I2, fh", "O, fh")
    every = [f"{operand}, {way}" for operand in ("I1", "I2") for way in ("fh", "tl")] + [f"O, {way}" for way in ("fh", "tl", "fl", "th")]
    # Register files write two bytes per cycle, so that the NoC is what limits them.
    weights = memory(512 if is_ws else 2, "", port("r_port_1", 1, "I2, tl"), port("w_port_1", 2, "I2, fh"))
    inputs_ports = port("r_port_1", window, "I1, tl"), port("w_port_1", noc, "I1, fh")
    return {
        "name": hardware.name,
        "memories": {
            "weights": weights,
            "inputs": memory(512, "D2 D3", *inputs_ports) if is_ws else memory(2048, "D1 D3", *inputs_ports),
            "sums": memory(hardware.sums_bytes, "D1" if is_ws else "", *sums_ports, is_double=not is_ws),
            "buffer": memory(
                1024 * hardware.sram_kib,
                "D1 D2 D3",
                to_array,
                port("w_port_1", noc, "O, fl"),
                *to_dram,
                byte_pj=MAC_PJ * BUFFER_PER_MAC,
            ),
            "dram": memory(2**33, "D1 D2 D3", port("rw_port_1", dram, *every), byte_pj=MAC_PJ * DRAM_PER_MAC, is_double=False),
        },
        "operational_array": {
            "unit_energy": MAC_PJ * (1.0 + REGISTERS_PER_MAC),
            "unit_area": 1.0,
            "dimensions": ["D1", "D2", "D3"],
            "sizes": [LANE if is_ws else 4, LANE, columns],
        },
    }


def unrolling(layer: Layer, hardware: Hardware) -> dict[str, list[str]]:
    """Loops on the axes of the array."""
    channels = layer.in_channels // layer.groups
    if hardware.dataflow == "ws":
        rows = [f"C, {LANE}"]
        if channels < LANE and layer.kernel > 1:
            rows = [f"{loop}, {n}" for loop, n in zip(("C", "FX", "FY"), folded(channels, layer.kernel), strict=True) if n > 1]
        return {"D1": rows, "D2": [f"K, {LANE}"], "D3": [f"OX, {hardware.units}"]}
    if layer.out == 1:
        # ZigZag refuses to unroll further than the loop goes.
        lanes, rest = max(product(range(1, LANE + 1), range(1, hardware.units + 1)), key=lambda n: fitting(4 * n[0] * n[1], layer))
        return {"D1": ["K, 4"], "D2": [f"K, {lanes}"], "D3": [f"K, {rest}"]}
    loop = "C" if channels >= LANE else "G" if layer.groups > 1 else "K"
    return {"D1": ["OX, 4"], "D2": [f"{loop}, {LANE}"], "D3": [f"OY, {hardware.units}"]}


def folded(channels: int, kernel: int) -> tuple[int, int, int]:
    """Input channels, kernel columns and kernel rows on 16 PEs with the fewest steps, then PEs."""
    uses = [use for use in product(range(1, channels + 1), range(1, kernel + 1), range(1, kernel + 1)) if use[0] * use[1] * use[2] <= LANE]
    return min(uses, key=lambda n: (ceil(channels / n[0]) * ceil(kernel / n[1]) * ceil(kernel / n[2]), n[0] * n[1] * n[2]))


def fitting(pes: int, layer: Layer) -> int:
    """PEs that hold an output channel each; none if there are fewer channels."""
    return pes if pes <= layer.out_channels else 0


def taps_first(layer: Layer, hardware: Hardware) -> list[list[str | int]]:
    """Innermost loops, where the free ones must be tiled: with six loops, a kernel leaves none of the others to be split."""
    if hardware.objective == "latency" or layer.kernel == 1 or layer.in_channels // layer.groups < LANE:
        return []
    return [["FX", layer.kernel], ["FY", layer.kernel]]


def workload(layer: Layer) -> dict[str, Any]:
    """Describe the layer in ZigZag's terms."""
    return {
        "id": 0,
        "name": layer.name,
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "dimension_relations": [f"ix={layer.stride}*ox+1*fx", f"iy={layer.stride}*oy+1*fy"],
        "loop_dims": ["B", "K", "G", "OX", "OY", "C", "FX", "FY"],
        "loop_sizes": [
            *(1, layer.out_channels // layer.groups, layer.groups, layer.out, layer.out),
            *(layer.in_channels // layer.groups, layer.kernel, layer.kernel),
        ],
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
        "operand_source": {"W": 0},
        "pr_loop_dims": ["IX", "IY"],
        "pr_loop_sizes": [layer.size, layer.size],
        "padding": [[layer.padding, layer.padding]] * 2,
    }


def evaluate(layer: Layer, hardware: Hardware) -> Any:
    """ZigZag's evaluation of the best mapping."""
    import yaml
    from zigzag.mapping.temporal_mapping import TemporalMappingType
    from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
    from zigzag.stages.main import MainStage
    from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
    from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
    from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
    from zigzag.stages.parser.workload_parser import WorkloadParserStage
    from zigzag.stages.results.reduce_stages import MinimalEnergyStage, MinimalLatencyStage
    from zigzag.stages.workload_iterator import WorkloadStage

    logging.disable(logging.WARNING)
    links = {"O": "O", "W": "I2", "I": "I1"}
    mapping: dict[str, Any] = {"name": "default", "spatial_mapping": unrolling(layer, hardware), "memory_operand_links": links}
    ordered = taps_first(layer, hardware)
    if ordered:
        mapping["temporal_ordering"] = ordered
    best = MinimalEnergyStage if hardware.objective == "energy" else MinimalLatencyStage
    stages = [WorkloadParserStage, AcceleratorParserStage, WorkloadStage, best, SpatialMappingGeneratorStage]
    stages += [best, TemporalMappingGeneratorStage, CostModelStage]
    with tempfile.TemporaryDirectory() as folder:
        written = {"accelerator": accelerator(hardware), "workload": [workload(layer)], "mapping": [mapping]}
        files = {name: Path(folder) / f"{name}.yaml" for name in written}
        for name, file in files.items():
            file.write_text(yaml.safe_dump(written[name], sort_keys=False), encoding="utf-8")
        main_stage = MainStage(
            stages,
            **{name: str(file) for name, file in files.items()},
            loma_lpf_limit=TILED_LOOPS if ordered else LOOPS,
            loma_show_progress_bar=False,
            nb_mappings_generated=1,
            enable_mix_spatial_mapping_generation=False,
            access_same_data_considered_as_no_access=True,
            temporal_mapping_type=TemporalMappingType.UNEVEN,
        )
        return main_stage.run()[0][0]


def moved_bytes(evaluation: Any, level: int, ways: tuple[str, ...]) -> float:
    """Bytes that all operands move at a memory, counted from the outermost (-1), in these directions."""
    from zigzag.mapping.data_movement import DataDirection, DataMoveAttr

    attributes = (DataMoveAttr.DATA_TRANS_AMOUNT_PER_PERIOD, DataMoveAttr.DATA_TRANS_PERIOD_COUNT, DataMoveAttr.DATA_PRECISION)
    total = 0.0
    for operand, levels in evaluation.mapping.unit_mem_data_movement.items():
        one = levels[level]
        units = evaluation.mapping.spatial_mapping.unit_count[operand][len(levels) + level + 1]
        for way in (DataDirection[way] for way in ways):
            amount, periods, bits = (one.get_attribute(attribute).get(way) for attribute in attributes)
            total += amount * periods * bits * units / 8
    return total


def row(task: tuple[Hardware, Layer]) -> list[str]:
    """One row of the file, under `HEAD`."""
    hardware, layer = task
    made = evaluate(layer, hardware)
    array_side = ("RD_OUT_TO_LOW", "WR_IN_BY_LOW")
    shape = [layer.in_channels, layer.out_channels, layer.size, layer.kernel, layer.stride, layer.groups]
    memories = [hardware.pes, hardware.sram_kib, hardware.noc_bytes_per_cycle, hardware.dram_bytes_per_cycle, hardware.sums_bytes]
    axes = " / ".join(" ".join(loop.replace(", ", "") for loop in loops) for loops in unrolling(layer, hardware).values())
    counts = [
        *(made.layer.total_mac_count, made.ideal_cycle, made.ideal_temporal_cycle, made.stall_slack_comb),
        *(made.data_onloading_cycle, made.data_offloading_cycle, made.latency_total2),
        *(moved_bytes(made, -2, array_side), moved_bytes(made, -1, array_side), made.energy_total),
    ]
    kind = "linear" if layer.size == 1 else "conv"
    tool = f"zigzag-dse {version('zigzag-dse')}"
    described = [layer.network, layer.name, kind, *shape, hardware.name, hardware.dataflow, *memories, tool, hardware.objective, axes]
    return [str(one) for one in described] + [str(round(one)) for one in counts]


def rows(workers: int) -> Iterator[list[str]]:
    """All rows, in the order of `HARDWARE` and `LAYERS`."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(row, [(hardware, layer) for hardware in HARDWARE for layer in LAYERS])


def main() -> None:
    """Run all and write the file."""
    parser = argparse.ArgumentParser(description="Run ZigZag on layers of MobileNetV2 and ResNet-18.")
    parser.add_argument("csv", type=Path, nargs="?", default=FILE)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    with arguments.csv.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        for one in rows(arguments.workers):
            writer.writerow(one)
            file.flush()


if __name__ == "__main__":
    main()
