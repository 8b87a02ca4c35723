"""``rtsched roofline``."""

from __future__ import annotations

from typing import Annotated

import typer

from rtsched.cli._inputs import check_outputs, input_files, table_files
from rtsched.errors import FaultList, InputError

__all__ = ["EPILOG", "roofline"]

EPILOG = """\b
Examples:
  rtsched roofline fbnet_c -p dream_4k_1ws2os -o roofline.png
  rtsched roofline net.onnx -p board.yaml --accelerator npu -o roof.pdf

It needs matplotlib: pip install 'rtsched[plot]'"""


def roofline(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A built-in name, a YAML or ONNX file, or package:NAME/path/inside.")],
    platform: Annotated[str, typer.Option("-p", "--platform", metavar="PLATFORM", help="A built-in name or a YAML file.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="The picture: .png, .svg or .pdf.")],
    accelerator: Annotated[str | None, typer.Option(metavar="NAME", help="Only this one.  [default: all of them]")] = None,
    tiles: Annotated[int, typer.Option(metavar="N", help="Tiles that run a layer; all of an accelerator that has fewer.")] = 1,
) -> None:
    """Draw the layers of a model under the rooflines of a platform.

    Each accelerator has a panel with its peak and its DRAM bandwidth. A dot is a layer that runs alone: larger the longer it
    takes, coloured by what bounds it. `rtsched show MODEL -p PLATFORM` has the numbers.
    """
    from rtsched.layer_costs import layer_costs
    from rtsched.library import load_model, load_platform
    from rtsched.report import files
    from rtsched.report.figures.style import suffix_of
    from rtsched.report.roofline import draw_rooflines

    faults = FaultList()
    suffix = faults.of(suffix_of, output)
    network = faults.of(load_model, model)
    hardware = faults.of(load_platform, platform)
    if suffix is not None:
        inputs = input_files({model: "the model", platform: "the platform"})
        check_outputs(faults, {"-o": output}, inputs if hardware is None else inputs | table_files(hardware))
    faults.report()
    assert network is not None
    assert hardware is not None
    chosen = [one for one in hardware.accelerators if accelerator in (None, one.name)]
    if tiles < 1:  # one fault, not one per accelerator
        raise InputError(f"--tiles: must be at least 1, got {tiles}")
    costs = [faults.of(layer_costs, network, hardware, one.name, min(tiles, one.tiles)) for one in chosen]
    if not chosen:
        faults.of(layer_costs, network, hardware, accelerator)
    faults.report()
    files.write(output, [draw_rooflines([one for one in costs if one is not None], suffix or "")])
