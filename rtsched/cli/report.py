"""``rtsched report``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rtsched.cli._inputs import check_outputs
from rtsched.errors import FaultList

__all__ = ["EPILOG", "report"]

EPILOG = """\b
Examples:
  rtsched run vr_gaming -P edf --save edf.npz
  rtsched run vr_gaming -P herald --save herald.npz
  rtsched report edf.npz herald.npz -o report.html

docs/report.md tells what is on the page. It is one file that needs no network, on phones and on paper too; written whole or not at all."""


def report(
    results: Annotated[list[str], typer.Argument(metavar="RESULT", help="Files that 'rtsched run --save' wrote.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE.html", help="The page; - for standard output.")],
) -> None:
    """Write a page about saved outcomes.

    It has deadlines, causes, hardware, energy and a timeline. Several outcomes of the same problem and seed are compared.
    """
    from rtsched.report import files
    from rtsched.report.console import console, progress
    from rtsched.report.html.page import page
    from rtsched.report.html.results import read_results

    faults = FaultList()
    if output != files.STDOUT and not output.lower().endswith((".html", ".htm")):
        faults.add(f"-o {output}: must end in .html")
    else:
        check_outputs(faults, {"-o": output}, {os.path.realpath(one): "a result" for one in results})
    with progress(console(is_error=True), _read, "reading") as told:
        found = faults.of(read_results, results, told)
    faults.report()
    assert found is not None
    with progress(console(is_error=True), _written, "writing") as told:
        files.write(output, page(found, told))


def _read(n_done: int, n_all: int) -> str:
    return f"{n_done} of {n_all} results"


def _written(n_done: int, n_all: int) -> str:
    return f"{n_done} of {n_all} sections"
