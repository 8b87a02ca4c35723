"""``rtsched sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtsched.cli._program import INTERRUPTED, complain
from rtsched.errors import FaultList, InputError, reason_of

__all__ = ["EPILOG", "store_path", "sweep"]

EPILOG = """\b
Examples:
  rtsched sweep study.yaml
  rtsched sweep study.yaml -o results.sqlite --workers 4
  rtsched study show study.yaml

docs/studies.md explains what stands in the file; rtsched schema study prints its JSON Schema.

Every finished run is kept in the store at once. Ctrl-C, a crash or kill -9 loses what was under way; the same command goes on
from there. So does one whose file has grown: runs that are there already are not done again, whatever study asked for them.

The back ends give the same results. loky starts processes on this machine. dask starts a local cluster, or takes the one whose
scheduler DASK_SCHEDULER_ADDRESS names; ray likewise with RAY_ADDRESS. On other machines the files of a study must be found under
the same paths."""

STORE, SUFFIX = "runs.sqlite", ".sqlite"


def sweep(
    study: Annotated[str, typer.Argument(metavar="STUDY.yaml", help="The study.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="STORE", help="*.sqlite, or a folder for runs.sqlite.  [default: STUDY.sqlite]"),
    ] = None,
    backend: Annotated[str, typer.Option(metavar="NAME", help="Whose processes do the runs: loky, dask or ray.")] = "loky",
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes.  [default: the number of CPUs]")] = None,
) -> None:
    """Run every combination that a study names.

    What it says afterwards is shown by: rtsched study show.
    """
    from rtsched.report.console import StageWording, console, progress
    from rtsched.study.store import Store
    from rtsched.study.sweep.backends import check_backend
    from rtsched.study.sweep.model import Study
    from rtsched.study.sweep.run import SweepInterrupted, run_study

    faults = FaultList()
    faults.of(check_backend, backend, workers)
    if output is not None and not output.strip():
        faults.add("-o: must be the name of a file or a folder, got nothing")
    found = faults.of(Study.read, study)
    inputs = None if found is None else faults.of(found.check)
    faults.report()
    assert found is not None
    assert inputs is not None
    path = store_path(study, output)
    _make(path.parent)
    with Store(path) as store, progress(console(is_error=True), StageWording()) as report:
        try:
            n_new = run_study(inputs, store, backend=backend, workers=workers, progress=report)  # type: ignore[arg-type]
        except SweepInterrupted as interruption:
            again = f"rtsched sweep {study}" + ("" if output is None else f" -o {output}")
            complain([f"interrupted; {interruption.n_new:,} new runs are kept in {path}. To go on: {again}"])
            raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{path} has all {found.n_runs:,} runs of {found.name}; {n_new:,} are new", err=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"-o {folder}: cannot be made: {reason_of(error)}") from error


def store_path(study: str, output: str | None) -> Path:
    """Where the runs of a study are.

    Parameters
    ----------
    study : str
        Its file.
    output : str, optional
        A file that ends in .sqlite, or a folder.
    """
    if output is None:
        return Path(f"{Path(study).stem}{SUFFIX}")
    path = Path(output)
    return path if path.suffix.lower() == SUFFIX else path / STORE
