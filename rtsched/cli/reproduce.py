"""``rtsched reproduce``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import typer

from rtsched.cli._program import INTERRUPTED, complain
from rtsched.errors import InputError, PolicyError, reason_of

if TYPE_CHECKING:
    from rtsched.report.reproduction import Account
    from rtsched.study.reproduce.session import Session

__all__ = ["app"]

PlanT = TypeVar("PlanT")
FindingsT = TypeVar("FindingsT")

FOLDER = """\
The folder gets README.md, which tells what was found, tables as CSV and Markdown, figures (with matplotlib: pip install
'rtsched[plot]'), and runs.sqlite with every finished run.

Ctrl-C ends it. The folder then holds what is done, and the same command goes on from there. So does one with more seeds."""

DREAM_EPILOG = f"""\b
Examples:
  rtsched reproduce dream --quick
  rtsched reproduce dream -o dream
  rtsched reproduce dream -o dream --seeds 40

{FOLDER} The full
study takes hours; its main table comes first. docs/reproducing.md has more."""

MOCA_EPILOG = f"""\b
Examples:
  rtsched reproduce moca --quick
  rtsched reproduce moca -o moca
  rtsched reproduce moca -o moca --seeds 40

{FOLDER} The full
study takes ten minutes on two CPUs; its main table comes first. docs/reproducing.md has more."""

app = typer.Typer(rich_markup_mode=None, help="Do the evaluation of a published scheduler again.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Do the evaluation of a published scheduler again."""


@app.command(epilog=DREAM_EPILOG)
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
    from rtsched.report.dream import DREAM
    from rtsched.study.reproduce.dream.plan import FULL, QUICK
    from rtsched.study.reproduce.dream.study import check_plan, reproduce_dream

    plan = QUICK if is_quick else FULL
    if duration is not None:
        plan = replace(plan, duration_s=duration)
    if seeds is not None:
        plan = replace(plan, n_seeds=seeds)
    given = {"--quick": is_quick, "--duration": duration, "--seeds": seeds}
    study = _Study("dream", plan, check_plan, reproduce_dream, DREAM)
    _run(study, output if output is not None else "dream-quick" if is_quick else "dream", workers, given)


@app.command(epilog=MOCA_EPILOG)
def moca(
    is_quick: Annotated[bool, typer.Option("--quick", help="Less than a minute: few seeds and values, to see that all works.")] = False,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FOLDER", help="For the results.  [default: moca, or moca-quick]")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Runs side by side.  [default: the number of CPUs]")] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds of the main table, from 0.  [default: 20; quick: 2]")] = None,
) -> None:
    """MoCA (HPCA 2023): sets of networks on eight tiles that share a DRAM, what each part brings, and DREAM with its regulation."""
    from rtsched.report.moca import MOCA
    from rtsched.study.reproduce.moca.plan import FULL, QUICK
    from rtsched.study.reproduce.moca.study import check_plan, reproduce_moca

    plan = QUICK if is_quick else FULL
    if seeds is not None:
        plan = replace(plan, n_seeds=seeds)
    study = _Study("moca", plan, check_plan, reproduce_moca, MOCA)
    _run(study, output if output is not None else "moca-quick" if is_quick else "moca", workers, {"--quick": is_quick, "--seeds": seeds})


@dataclass(frozen=True)
class _Study(Generic[PlanT, FindingsT]):
    """A study: what is run, what checks it, what runs it, and how it tells what it found."""

    name: str
    plan: PlanT
    check: Callable[[PlanT], object]
    reproduce: Callable[[PlanT, Session, Callable[[FindingsT, str], None]], FindingsT]
    account: Account[FindingsT]


def _run(study: _Study[PlanT, FindingsT], output: str, workers: int | None, given: Mapping[str, bool | float | None]) -> None:
    """Run a study into a folder, with its progress on a terminal."""
    from rtsched.report.console import StageWording, console, progress
    from rtsched.report.failures import role_failure
    from rtsched.report.reproduction import STORE, Writer, check_folder
    from rtsched.study.reproduce.session import Session
    from rtsched.study.store import Store

    _check(study, workers)
    folder = _folder(output)
    options = [option if value is True else f"{option} {value:g}" for option, value in given.items() if value]
    command = " ".join([f"rtsched reproduce {study.name}", *options])
    check_folder(folder, command)
    writer = Writer(folder, command, study.account)
    wording = StageWording()
    with Store(folder / STORE) as store, progress(console(is_error=True), wording) as report:

        def tell(title: str, n_done: int, n_runs: int) -> None:
            wording.begin(title)
            if report is not None:
                report(n_done, n_runs)

        session = Session(store, workers, tell)
        try:
            study.reproduce(study.plan, session, writer.tell)
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


def _check(study: _Study[PlanT, FindingsT], workers: int | None) -> None:
    """Refuse what is wrong with a plan and with the options, all of it at once."""
    from rtsched.study.many import check_threads

    faults: list[str] = []
    checks: tuple[Callable[[], object], ...] = (lambda: study.check(study.plan), lambda: check_threads(workers, "--workers"))
    for check in checks:
        try:
            check()
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)


def _folder(output: str) -> Path:
    """Make the folder."""
    if not output.strip():
        raise InputError("-o: must be the name of a folder, got nothing")
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"-o {folder}: cannot be made: {reason_of(error)}") from error
    return folder
