"""``rtsched list`` and ``rtsched show``: what there is, and what it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rtsched.cli._inputs import check_outputs, input_files, table_files
from rtsched.errors import FaultList, InputError

__all__ = ["SHOW_EPILOG", "list_", "show"]

LISTING_COLUMNS = 1_000
"""Width of lists that do not go to a terminal: a line for each entry."""

SHOW_EPILOG = """\b
Examples:
  rtsched show vr_gaming
  rtsched show boards/board.yaml
  rtsched show mine.py:LeastLaxity
  rtsched show fbnet_c -p dream_4k_2ws --accelerator ws1
  rtsched show package:onnx/backend/test/data/light/light_resnet50.onnx"""


class _Kind(StrEnum):
    SCENARIOS = "scenarios"
    PLATFORMS = "platforms"
    POLICIES = "policies"
    MODELS = "models"
    METRICS = "metrics"


def list_(
    what: Annotated[
        _Kind | None, typer.Argument(metavar="WHAT", help="scenarios, platforms, policies, models or metrics.  [default: all of them]")
    ] = None,
) -> None:
    """List what is built in, and the policies that installed packages offer.

    In a pipe or a file each takes one line below the heading, the name first. Packages that offer policies are imported.
    """
    from rtsched.report.catalogue import listing
    from rtsched.report.console import console

    console(pipe_columns=LISTING_COLUMNS).print(listing(None if what is None else what.value))


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name that 'rtsched list' shows, a YAML or ONNX file, package:NAME/path/inside, or FILE.py:POLICY."
        ),
    ],
    platform: Annotated[
        str | None, typer.Option("-p", "--platform", metavar="PLATFORM", help="Of a model: cost every layer on an accelerator of it.")
    ] = None,
    accelerator: Annotated[str | None, typer.Option(metavar="NAME", help="With -p: which one.  [default: the first]")] = None,
    tiles: Annotated[int | None, typer.Option(metavar="N", help="With -p: how many of its tiles run a layer.  [default: 1]")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="With -p: write the costs as JSON; - for standard output, in place of the table.")
    ] = None,
) -> None:
    """Explain a scenario, platform, policy, model or metric.

    Of a scenario the tasks are shown, of a platform the accelerators, of a policy the roles and their settings, of a model the
    kinds of layers; with -p what each layer costs on an accelerator, and what bounds it.
    """
    from rtsched.report.catalogue import describe
    from rtsched.report.console import console

    if platform is not None:
        _show_layers(name, platform, accelerator, 1 if tiles is None else tiles, json)
        return
    alone = {"--accelerator": accelerator, "--tiles": tiles, "--json": json}
    if given := [option for option, value in alone.items() if value is not None]:
        raise InputError([f"{option}: needs -p PLATFORM, and a model to cost" for option in given])
    console().print(describe(name))


def _show_layers(model: str, platform: str, accelerator: str | None, tiles: int, json: str | None) -> None:
    from rtsched.layer_costs import layer_costs
    from rtsched.library import load_model, load_platform
    from rtsched.report import files
    from rtsched.report.console import console
    from rtsched.report.layers import describe_layers, layers_to_json

    faults = FaultList()
    network, hardware = faults.of(load_model, model), faults.of(load_platform, platform)
    inputs = input_files({model: "the model", platform: "the platform"})
    check_outputs(faults, {"--json": json}, inputs if hardware is None else inputs | table_files(hardware))
    found = None if network is None or hardware is None else faults.of(layer_costs, network, hardware, accelerator, tiles)
    faults.report()
    assert found is not None
    if json is not None:
        files.write(json, [layers_to_json(found)])
    if json != files.STDOUT:
        console().print(describe_layers(found))
