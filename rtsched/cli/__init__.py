"""The command line. Each command reads its inputs, calls the library and prints what it answers.

Results go to the files that are asked for, and to standard output where that is asked for; whatever else a run tells goes to
standard error. ``compare``, ``bound``, ``explore``, ``tune``, ``check``, ``timeline``, ``list``, ``show``, ``schema``, ``--help`` and
``--version`` are questions: they answer on standard output.

A file holds a command or a pair; this one puts them together. What a command needs is imported when it runs, so that ``--help``
comes at once.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from rtsched._version import __version__
from rtsched.cli import (
    bandwidth,
    bound,
    catalogue,
    check,
    compare,
    explore,
    import_costs,
    importing,
    replay,
    report,
    reproduce,
    roofline,
    run,
    schema,
    study,
    sweep,
    timeline,
    tune,
)
from rtsched.cli._program import INTERRUPTED, Program, complain

__all__ = ["app", "main"]

EPILOG = """\b
Examples:
  rtsched list scenarios
  rtsched show vr_gaming
  rtsched run vr_gaming -P edf
  rtsched compare vr_gaming -P fcfs,edf

Exit code: 0 when all went well, 1 when a policy failed or broke its contract, 2 when an input or an option is at fault (with one
message per fault), 130 after Ctrl-C."""

app = typer.Typer(cls=Program, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def main() -> None:
    """Run the program ``rtsched``."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names and messages may hold what it cannot encode
    try:
        app(prog_name="rtsched")
    except KeyboardInterrupt:  # before the command, or while its result is being told
        complain(["interrupted"])
        sys.exit(INTERRUPTED)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"rtsched {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=EPILOG)
def _root(
    context: typer.Context,
    is_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Simulate real-time multi-model DNN workloads on multi-accelerator systems.

    A scenario (which models run, how often, by when) runs on a platform (accelerators that share a memory) under a policy
    (who runs where, and when). Scenarios, platforms and models are built in or come from YAML files.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(epilog=run.EPILOG)(run.run)
app.command(epilog=compare.EPILOG)(compare.compare)
app.command(epilog=bound.EPILOG)(bound.bound)
app.command(epilog=explore.EPILOG)(explore.explore)
app.command(epilog=tune.EPILOG)(tune.tune)
app.command(epilog=sweep.EPILOG)(sweep.sweep)
app.add_typer(study.app, name="study")
app.command(epilog=check.EPILOG)(check.check)
app.command(epilog=replay.EPILOG)(replay.replay)
app.command(epilog=report.EPILOG)(report.report)
app.command(epilog=timeline.EPILOG)(timeline.timeline)
app.command("list")(catalogue.list_)
app.command(epilog=catalogue.SHOW_EPILOG)(catalogue.show)
app.command(epilog=roofline.EPILOG)(roofline.roofline)
importing.app.add_typer(import_costs.app)
app.add_typer(importing.app, name="import")
app.add_typer(reproduce.app, name="reproduce")
app.command(epilog=bandwidth.EPILOG)(bandwidth.bandwidth)
app.command(epilog=schema.EPILOG)(schema.schema)
