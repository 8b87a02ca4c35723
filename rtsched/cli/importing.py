"""``rtsched import``: models and scenarios of other formats."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rtsched.errors import FaultList, InputError, short

__all__ = ["app"]

MAX_DIGITS = 15
"""Of the size of a dimension."""

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Turn models, scenarios and costs of other tools into files of this one."
)


@app.callback()
def _import() -> None:
    """Turn models, scenarios and costs of other tools into files of this one."""


class _Unknown(StrEnum):
    REFUSE = "refuse"
    FREE = "free"


@app.command(
    "onnx",
    epilog="""\b
Examples:
  rtsched import onnx resnet.onnx -o resnet.yaml
  rtsched import onnx bert.onnx --batch 1 --dim sequence=128 -o bert.yaml""",
)
def import_onnx(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="A file, or package:NAME/path/inside. Weights need not be there.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the model as YAML; - for standard output.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the model.  [default: the file's]")] = None,
    batch: Annotated[int | None, typer.Option(metavar="N", help="First dimension of the inputs.  [default: the file's]")] = None,
    dim: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="Size of a symbolic dimension; may be repeated.")] = None,
    unknown: Annotated[_Unknown, typer.Option(help="What to do with operators that have no layer.")] = _Unknown.REFUSE,
) -> None:
    """Import an ONNX model.

    Its layers are read and summed up on standard error; with -o they are written as YAML, to be edited and used by scenarios.
    """
    from rtsched.interop.model_yaml import dump_model
    from rtsched.interop.onnx import load_onnx
    from rtsched.report import files
    from rtsched.report.catalogue import describe_import
    from rtsched.report.console import console

    faults = FaultList()
    path = faults.of(_onnx_file, model)
    sizes = faults.of(_sizes, dim or [])
    if output is not None:
        faults.of(_check_yaml, output)
    if output is not None and path is not None and os.path.realpath(output) == os.path.realpath(path):
        faults.add(f"--output {output}: would overwrite the model")
    faults.report()
    imported = load_onnx(path or "", name=name, batch=batch, dimensions=sizes, unknown=unknown.value)
    if output is not None:
        files.write(output, [dump_model(imported.model)])
    console(is_error=True).print(describe_import(imported))


class _Padding(StrEnum):
    SAME = "same"
    NONE = "none"


@app.command(
    "xrbench",
    epilog="""\b
Examples:
  rtsched import xrbench VR_gaming.m -o vr.yaml
  rtsched run vr.yaml -p dream_4k_1ws2os -P edf""",
)
def import_xrbench(
    file: Annotated[str, typer.Argument(metavar="FILE.m", help="A usage scenario of XRBench.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the scenario as YAML; - for standard output.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the scenario.  [default: the file's]")] = None,
    padding: Annotated[
        _Padding, typer.Option(help="same: convolutions are padded to keep their sizes; none: Y and X have the padding in them.")
    ] = _Padding.SAME,
) -> None:
    """Import a usage scenario of XRBench, with its networks.

    Its tasks are summed up on standard error; with -o it is written as YAML, to be edited and run.
    """
    from rtsched.interop.model_yaml import dump_scenario
    from rtsched.interop.xrbench import load_xrbench
    from rtsched.report import files
    from rtsched.report.console import console
    from rtsched.report.scenarios import describe_scenario

    faults = FaultList()
    if output is not None:
        faults.of(_check_yaml, output)
        if os.path.realpath(output) == os.path.realpath(file):
            faults.add(f"--output {output}: would overwrite the file")
    if name is not None and not name.strip():
        faults.add("--name: must be a name, got nothing")
    faults.report()
    scenario = load_xrbench(file, name=name, padding=padding.value)
    if output is not None:
        files.write(output, [dump_scenario(scenario)])
    console(is_error=True).print(describe_scenario(scenario))


def _onnx_file(ref: str) -> Path:
    from rtsched.library import locate

    path = locate(ref, (".onnx",))
    if path is None:
        raise InputError(f"{ref}: must be a file that ends in .onnx")
    return path


def _sizes(dimensions: Sequence[str]) -> dict[str, int]:
    """Read ``NAME=N``; the name may hold equals signs."""
    sizes: dict[str, int] = {}
    faults = []
    for text in dimensions:
        name, _, size = text.rpartition("=")
        if not name or not size.isdecimal():
            faults.append(f"--dim: must be NAME=N with a whole number N, got {short(text)!r}")
        elif len(size) > MAX_DIGITS:
            faults.append(f"--dim: {short(name)!r} is a number of {len(size)} digits; at most {MAX_DIGITS} make sense")
        elif name in sizes:
            faults.append(f"--dim: {short(name)!r} is given twice")
        else:
            sizes[name] = int(size)
    if faults:
        raise InputError(faults)
    return sizes


def _check_yaml(output: str) -> None:
    """Refuse a file for YAML that is called otherwise, or cannot be written."""
    from rtsched.library import YAML
    from rtsched.report.files import STDOUT, check_writable

    if output != STDOUT and not output.lower().endswith(YAML):
        raise InputError(f"{output}: must end in {' or '.join(YAML)}, or be - for standard output")
    check_writable(output)
