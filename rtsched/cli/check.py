"""``rtsched check``: whether a result is possible, and whether a policy keeps its contract."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["EPILOG", "check"]

FOUND = 1
"""Exit code when there are faults."""

EPILOG = """\b
Examples:
  rtsched run vr_gaming -P edf --save run.npz && rtsched check run.npz
  rtsched check edf
  rtsched check mine.py:LeastLaxity

Exit code: 0 when no fault was found, 1 when there are some, 2 when there is no such file or policy. docs/checking.md tells what is
examined."""


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="What 'rtsched run --save' wrote; or a policy: a name that 'rtsched list' shows, or FILE.py:NAME."
        ),
    ],
) -> None:
    """Examine a saved outcome or a policy.

    An outcome is judged by itself, without the engine that made it: arrivals, paths, order, times, energy, traffic. A policy is
    run on small workloads of every kind, to see whether it keeps its contract.
    """
    from rtsched.report.text import name
    from rtsched.testing import judge

    verdict = judge(what)
    # Names in a file or a policy may hold anything.
    typer.echo("\n".join(str(name(line)) for line in str(verdict).split("\n")))
    if not verdict.is_sound:
        raise typer.Exit(FOUND)
