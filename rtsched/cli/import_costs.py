"""``rtsched import scalesim``, ``zigzag`` and ``onnxruntime``: results of other tools as cost tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.cli._inputs import check_outputs
from rtsched.cli.importing import check_yaml
from rtsched.errors import FaultList

if TYPE_CHECKING:
    from rtsched.cost.table import CostTable
    from rtsched.interop.costs import Target

__all__ = ["app"]

app = typer.Typer()

ModelOption = Annotated[str, typer.Option(metavar="NAME", help="The model's name in the table; model/subnet for a Supernet.")]
AcceleratorOption = Annotated[str, typer.Option(metavar="NAME", help="The accelerator's name in the table.")]
TilesOption = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="On how many of its tiles.")]
ClockOption = Annotated[float, typer.Option(metavar="MHZ", help="The tool counts cycles; the clock makes them times.")]
OutputOption = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write the table; - for standard output.")]
ModelYamlOption = Annotated[
    str | None, typer.Option(metavar="FILE.yaml", help="Write a model of these layers, without shapes, that scenarios can use.")
]


@app.command(
    "scalesim",
    epilog="""\b
Examples:
  rtsched import scalesim COMPUTE_REPORT.csv --model alexnet \\
      --accelerator tpu --clock-mhz 700 -o costs.csv
  rtsched import scalesim COMPUTE_REPORT.csv --model alexnet \\
      --accelerator tpu --clock-mhz 700 -o costs.csv --topology alexnet.csv \\
      --access DETAILED_ACCESS_REPORT.csv --model-yaml alexnet.yaml""",
)
def import_scalesim(
    report: Annotated[str, typer.Argument(metavar="COMPUTE_REPORT.csv", help="Of SCALE-Sim v2 or v3.")],
    model: ModelOption,
    accelerator: AcceleratorOption,
    clock_mhz: ClockOption,
    tiles: TilesOption = 1,
    access: Annotated[
        str | None, typer.Option(metavar="DETAILED_ACCESS_REPORT.csv", help="Of the same run: the DRAM traffic.  [default: none]")
    ] = None,
    topology: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="The run's topology: names of the layers.  [default: 0, 1, ...]")
    ] = None,
    word_bytes: Annotated[float, typer.Option(metavar="N", help="Bytes of a word of DRAM traffic.")] = 1.0,
    output: OutputOption = None,
    model_yaml: ModelYamlOption = None,
) -> None:
    """Import a run of SCALE-Sim as a cost table.

    The table is summed up on standard error; with -o it is written as CSV.
    """
    from rtsched.interop.scalesim import load_scalesim

    inputs = {"the report": report, "the access report": access, "the topology": topology}
    _import(
        _target(model, accelerator, tiles),
        inputs,
        {"--output": output, "--model-yaml": model_yaml},
        lambda target: load_scalesim(report, target, clock_mhz=clock_mhz, access=access, topology=topology, word_bytes=word_bytes),
    )


@app.command(
    "zigzag",
    epilog="""\b
Examples:
  rtsched import zigzag conv1_complete.json conv2_complete.json --model net \\
      --accelerator tpu --clock-mhz 700 --access-bytes 8 -o costs.csv""",
)
def import_zigzag(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="LAYER_complete.json, its YAML, or LAYER_simple.json.")],
    model: ModelOption,
    accelerator: AcceleratorOption,
    clock_mhz: ClockOption,
    tiles: TilesOption = 1,
    layer: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Layer of a file, once per file.  [default: the files']")] = None,
    access_bytes: Annotated[
        float | None, typer.Option(metavar="N", help="Bytes of an access to DRAM, where the files do not tell (version 3.9).")
    ] = None,
    output: OutputOption = None,
    model_yaml: ModelYamlOption = None,
) -> None:
    """Import what ZigZag saved, a file per layer, as a cost table.

    The table is summed up on standard error; with -o it is written as CSV. Pickles are not read.
    """
    from rtsched.interop.zigzag import load_zigzag

    _import(
        _target(model, accelerator, tiles),
        {f"the result {file}": file for file in files},
        {"--output": output, "--model-yaml": model_yaml},
        lambda target: load_zigzag(files, target, clock_mhz=clock_mhz, layers=layer or None, access_bytes=access_bytes),
    )


@app.command(
    "onnxruntime",
    epilog="""\b
Examples:
  rtsched import onnxruntime profile.json --onnx net.onnx --model net \\
      --accelerator cpu -o costs.csv""",
)
def import_onnxruntime(
    profile: Annotated[str, typer.Argument(metavar="PROFILE.json", help="What SessionOptions.enable_profiling wrote.")],
    model: ModelOption,
    accelerator: AcceleratorOption,
    tiles: TilesOption = 1,
    onnx: Annotated[
        str | None, typer.Option(metavar="MODEL.onnx", help="The model: names nodes that have none as rtsched import onnx does.")
    ] = None,
    output: OutputOption = None,
    model_yaml: ModelYamlOption = None,
) -> None:
    """Import a profile of onnxruntime as a cost table: of each node, the median over the runs.

    The table is summed up on standard error; with -o it is written as CSV.
    """
    from rtsched.interop.onnxruntime import load_onnxruntime

    _import(
        _target(model, accelerator, tiles),
        {"the profile": profile, "the model": onnx},
        {"--output": output, "--model-yaml": model_yaml},
        lambda target: load_onnxruntime(profile, target, onnx=onnx),
    )


def _target(model: str, accelerator: str, tiles: int) -> Target:
    from rtsched.interop.costs import Target

    return Target(model, accelerator, tiles)


def _import(
    target: Target, inputs: Mapping[str, str | None], outputs: Mapping[str, str | None], load: Callable[[Target], CostTable]
) -> None:
    """Check the outputs, load the table, write what was asked for, and sum the table up."""
    from rtsched.interop.costs import dump_costs, measured_model
    from rtsched.interop.model_yaml import dump_model
    from rtsched.report import files
    from rtsched.report.catalogue import describe_costs
    from rtsched.report.console import console

    faults = FaultList()
    table_file, model_file = outputs["--output"], outputs["--model-yaml"]
    for option, name in (("--model", target.model), ("--accelerator", target.accelerator)):
        if not name.strip() or not name.isprintable():
            faults.add(f"{option}: must be a name, got {name!r:.60}")
    if table_file is not None and table_file != files.STDOUT and not table_file.lower().endswith(".csv"):
        faults.add(f"--output {table_file}: must end in .csv, or be - for standard output")
    if model_file is not None:
        faults.of(check_yaml, model_file)
        if "/" in target.model:
            faults.add(f"--model-yaml: writes one network; {target.model!r} is a subnet")
    check_outputs(faults, outputs, {os.path.realpath(path): what for what, path in inputs.items() if path is not None})
    faults.report()
    table = load(target)
    made = []  # both, before either is written
    if table_file is not None:
        made.append((table_file, dump_costs(table)))
    if model_file is not None:
        made.append((model_file, dump_model(measured_model(target.model.strip(), table.layer, "measured; rtsched import"))))
    for path, text in made:
        files.write(path, [text])
    console(is_error=True).print(describe_costs(table))
