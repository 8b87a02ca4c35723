"""``rtsched report``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rtsched.cli._inputs import check_outputs
from rtsched.cli.study import NameOption, cells_done, place_of, read_subject
from rtsched.errors import FaultList

__all__ = ["EPILOG", "report"]

EPILOG = """\b
Examples:
  rtsched run vr_gaming -P edf --save edf.npz
  rtsched run vr_gaming -P herald --save herald.npz
  rtsched report edf.npz herald.npz -o report.html
  rtsched report study.yaml -o study.html

docs/report.md tells what is on the page. It is one file that needs no network, on phones and on paper too; written whole or not at all."""

ABOUT = "Files that 'rtsched run --save' wrote; or one study that 'rtsched sweep' runs: its file, its store or the store's folder."


def report(
    subjects: Annotated[list[str], typer.Argument(metavar="RUN_OR_STUDY", help=ABOUT)],
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE.html", help="The page; - for standard output.")],
    study: NameOption = None,
) -> None:
    """Write a page about saved outcomes, or about a study.

    Of outcomes it has deadlines, causes, hardware, energy and a timeline; those of the same problem and seed are compared. Of a
    study it has its policies over all cells, over each axis and in each cell, with intervals and ranks.
    """
    from rtsched.report import files

    faults = FaultList()
    studies = [one for one in subjects if _is_study(one)]
    inputs = {os.path.realpath(one): "the study" if one in studies else "a result" for one in subjects}
    inputs |= {str(place_of(one)): "the store" for one in studies}
    if output != files.STDOUT and not output.lower().endswith((".html", ".htm")):
        faults.add(f"-o {output}: must end in .html")
    else:
        check_outputs(faults, {"-o": output}, inputs)
    if study is not None and not studies:
        faults.add(f"--study {study}: chooses one of a store, but no store was given")
    write = _write_study if studies else _write_results
    write(faults, output, subjects, study)


def _write_results(faults: FaultList, output: str, paths: Sequence[str], _: str | None) -> None:
    from rtsched.report import files
    from rtsched.report.console import console, progress
    from rtsched.report.html.page import page
    from rtsched.report.html.results import read_results

    with progress(console(is_error=True), _read, "reading") as told:
        found = faults.of(read_results, paths, told, or_else="; or a study, its store or its folder")
    faults.report()
    assert found is not None
    with progress(console(is_error=True), _written, "writing") as told:
        files.write(output, page(found, told))


def _write_study(faults: FaultList, output: str, paths: Sequence[str], study: str | None) -> None:
    from rtsched.report import files
    from rtsched.report.console import console, progress
    from rtsched.report.html.study.page import study_page

    if len(paths) > 1:
        one = next(filter(_is_study, paths))
        faults.add(f"{one}: is a study, whose page is about nothing else, but {len(paths) - 1} more were given")
        faults.report()
    with progress(console(is_error=True), cells_done, "comparing") as told:
        found = faults.of(read_subject, paths[0], study, told)
    faults.report()
    assert found is not None
    with progress(console(is_error=True), _written, "writing") as told:
        files.write(output, study_page(found, told))


def _is_study(path: str) -> bool:
    from rtsched.library import YAML

    return Path(path).suffix.lower() in (*YAML, ".sqlite") or Path(path).is_dir()


def _read(n_done: int, n_all: int) -> str:
    return f"{n_done} of {n_all} results"


def _written(n_done: int, n_all: int) -> str:
    return f"{n_done} of {n_all} sections"
