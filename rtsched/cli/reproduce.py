"""``rtsched reproduce``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.cli._program import INTERRUPTED, complain
from rtsched.errors import InputError, PolicyError, reason_of

if TYPE_CHECKING:
    from rtsched.study.reproduce.plan import DreamPlan

__all__ = ["app"]

EPILOG = """\b
Examples:
  rtsched reproduce dream --quick
  rtsched reproduce dream -o dream
  rtsched reproduce dream -o dream --seeds 40

The folder gets README.md, which tells what was found, tables as CSV and Markdown, figures (with matplotlib: pip install
'rtsched[plot]'), and runs.sqlite with every finished run.

Ctrl-C ends it. The folder then holds what is done, and the same command goes on from there. So does one with more seeds. The full
study takes hours; its main table comes first. docs/reproducing.md has more."""

app = typer.Typer(rich_markup_mode=None, help="Do the evaluation of a published scheduler again.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Do the evaluation of a published scheduler again."""


@app.command(epilog=EPILOG)
def dream(
    is_quick: Annotated[bool, typer.Option("--quick", help="Less than a minute: few and short runs, to see that all works.")] = False,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FOLDER", help="For the results.  [default: dream, or dream-quick]")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Runs side by side.  [default: the number of CPUs]")] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", help="Simulated time of a run.  [default: 60; quick: 5]")] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds of the tables, from 0.  [default: 20; quick: 2]")] = None,
) -> None:
    """DREAM (ASPLOS 2023): every scheduler on five scenarios and eight platforms, sweeps of what the paper does not state."""
    from rtsched.study.many import check_threads
    from rtsched.study.reproduce.dream import check_plan
    from rtsched.study.reproduce.plan import FULL, QUICK

    plan = QUICK if is_quick else FULL
    if duration is not None:
        plan = replace(plan, duration_s=duration)
    if seeds is not None:
        plan = replace(plan, n_seeds=seeds)
    faults: list[str] = []
    for check in (lambda: check_plan(plan), lambda: check_threads(workers)):
        try:
            check()
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    folder = Path(output if output is not None else "dream-quick" if is_quick else "dream")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"-o {folder}: cannot be made: {reason_of(error)}") from error
    given = {"--quick": is_quick, "--duration": duration, "--seeds": seeds}
    options = [option if value is True else f"{option} {value:g}" for option, value in given.items() if value]
    _run(plan, folder, workers, " ".join(["rtsched reproduce dream", *options]))


def _run(plan: DreamPlan, folder: Path, workers: int | None, command: str) -> None:
    """Run a plan into a folder, with its progress on a terminal."""
    from rtsched.report.console import StageWording, console, progress
    from rtsched.report.failures import role_failure
    from rtsched.report.reproduction import STORE, Writer
    from rtsched.study.reproduce.dream import reproduce_dream
    from rtsched.study.reproduce.session import Session
    from rtsched.study.store import Store

    writer = Writer(folder, command)
    wording = StageWording()
    with Store(folder / STORE) as store, progress(console(is_error=True), wording) as report:

        def tell(title: str, n_done: int, n_runs: int) -> None:
            wording.begin(title)
            if report is not None:
                report(n_done, n_runs)

        session = Session(store, workers, tell)
        try:
            reproduce_dream(plan, session, writer.tell)
        except KeyboardInterrupt:
            complain([f"interrupted; {len(store):,} finished runs are kept in {store.path}. To go on: {command} -o {folder}"])
            raise typer.Exit(INTERRUPTED) from None
        except (Exception, SystemExit) as error:
            if not (told := role_failure(error)):
                raise
            raise PolicyError("\n".join(told)) from error
    for note in writer.notes:
        typer.echo(note, err=True)
    typer.echo(f"{folder / 'README.md'} tells what was found; {session.n_new:,} runs are new", err=True)
