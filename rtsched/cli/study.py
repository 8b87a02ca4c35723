"""``rtsched study``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.cli.sweep import store_path
from rtsched.errors import FaultList, InputError

if TYPE_CHECKING:
    from rtsched.report.html.study.subject import StudySubject
    from rtsched.study.sweep.results import StudyRuns

__all__ = ["NameOption", "app", "cells_done", "place_of", "read_subject"]

SHOW_EPILOG = """\b
Examples:
  rtsched study show study.yaml
  rtsched study show results.sqlite --study loads --metric energy_j
  rtsched study show study.yaml --precision 0.001 --json -

Every policy saw the same frames under the same seed, so policies are compared seed by seed. docs/studies.md explains the tables,
docs/formats.md what is in the file."""

EXPORT_EPILOG = """\b
Examples:
  rtsched study export study.yaml -o runs.csv
  rtsched study export results.sqlite --study loads -o runs.parquet
  rtsched study export study.yaml -o - | head

A row for each run with everything that varies and every metric; docs/formats.md has the columns."""

StudyArgument = Annotated[
    str,
    typer.Argument(metavar="STORE|STUDY.yaml", help="An SQLite file, its folder, or a study whose runs are where rtsched sweep puts them."),
]
NameOption = Annotated[str | None, typer.Option("--study", metavar="NAME", help="Which study.  [default: the only one]")]

app = typer.Typer(rich_markup_mode=None, help="Look at studies that were run.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at studies that were run."""


@app.command("ls")
def ls(where: StudyArgument) -> None:
    """List the studies of a store."""
    from rtsched.report.console import console
    from rtsched.report.study import studies_table
    from rtsched.study.store import Store
    from rtsched.study.sweep.studies import Studies

    path, _ = _store(where, None)
    with Store(path) as store:
        known, n_runs = Studies(store).names(), len(store)
    if known:
        console().print(studies_table(known))
    else:
        console().print(f"no study; {n_runs:,} runs", markup=False)


@app.command(epilog=SHOW_EPILOG)
def show(
    where: StudyArgument,
    study: NameOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Some of: rtsched list metrics. The first one ranks. May be repeated.  [default: those of the study]",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare the others with this policy.  [default: the best by the first metric]")
    ] = None,
    precision: Annotated[float, typer.Option(metavar="X", help="Half width of an interval that is wanted, as a part of 1.")] = 0.01,
    json: Annotated[str | None, typer.Option(metavar="FILE", help="Write every cell as JSON; - for standard output.")] = None,
) -> None:
    """Compare the policies of a study: over all cells, and in each of them.

    The tables are printed to standard output; to standard error if a file goes to standard output.
    """
    from rtsched.cli._inputs import check_outputs
    from rtsched.report import files
    from rtsched.report.console import console, progress
    from rtsched.report.study import study_answer
    from rtsched.report.study_export import study_to_json
    from rtsched.study.sweep.findings import asked

    faults = FaultList()
    names = None if metric is None else [name.strip() for text in metric for name in text.split(",") if name.strip()]
    found = faults.of(_runs, where, study, names or ())
    question = None if found is None else faults.of(asked, found, names, baseline, precision)
    check_outputs(faults, {"--json": json}, {str(place_of(where)): "the store"})
    faults.report()
    assert question is not None
    if json is not None:
        with progress(console(is_error=True), cells_done) as report:
            text = study_to_json(question, report)
        files.write(json, [text])
    console(is_error=json == files.STDOUT).print(study_answer(question))


@app.command(epilog=EXPORT_EPILOG)
def export(
    where: StudyArgument,
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="*.csv or *.parquet; - for CSV on standard output.")],
    study: NameOption = None,
) -> None:
    """Write every run of a study as a table."""
    from rtsched.cli._inputs import check_outputs
    from rtsched.report import files
    from rtsched.report.study_export import check_table_file, study_to_csv, study_to_parquet

    faults = FaultList()
    faults.of(check_table_file, output)
    found = faults.of(_runs, where, study)
    check_outputs(faults, {"-o": output}, {str(place_of(where)): "the store"})
    faults.report()
    assert found is not None
    files.write(output, [study_to_parquet(found)] if output.lower().endswith(".parquet") else study_to_csv(found))


def _runs(where: str, study: str | None, metrics: Sequence[str] | None = None) -> StudyRuns:
    """Read a study from its store; with no metrics those that it names, with None all."""
    from rtsched.study.store import Store
    from rtsched.study.sweep.results import StudyRuns

    path, name = _store(where, study)
    with Store(path) as store:
        return StudyRuns.read(store, name, metrics)


def read_subject(where: str, study: str | None, progress: Callable[[int, int], None] | None = None) -> StudySubject:
    """Read what the page of a study is about."""
    from rtsched.report.html.study.subject import ALWAYS, StudySubject
    from rtsched.study.store import Store
    from rtsched.study.sweep.results import StudyRuns
    from rtsched.study.sweep.studies import Studies

    path, name = _store(where, study)
    with Store(path) as store:
        own = StudyRuns.read(store, name, ())
        wanted = tuple(dict.fromkeys([*own.metrics, *ALWAYS]))
        runs = own if wanted == own.metrics else StudyRuns.read(store, name, wanted)
        origin = Studies(store).origin(runs.study.name)
    return StudySubject.of(runs, origin, path.name, progress)


def _store(where: str, study: str | None) -> tuple[Path, str | None]:
    """The store that is meant, which is there, and the study in it."""
    from rtsched.library import YAML
    from rtsched.study.sweep.model import Study

    path = Path(where)
    if path.suffix.lower() in YAML:
        study = Study.read(where).name if study is None else study
        path = store_path(where, None)
    elif path.is_dir():
        path = store_path(where, where)
    if not path.exists():
        sweep = f"; rtsched sweep {where} makes it" if Path(where).suffix.lower() in YAML else ""
        raise InputError(f"{path}: no such file{sweep}")
    return path, study


def place_of(where: str) -> Path:
    """The real path of the store that is meant, so far as it is there."""
    try:
        return _store(where, "")[0].resolve()
    except InputError:  # reported before
        return Path()


def cells_done(n_done: int, n_cells: int) -> str:
    """Say how many cells are compared."""
    return f"{n_done:,} of {n_cells:,} cells"
