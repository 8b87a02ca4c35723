"""``rtsched timeline``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from rtsched.cli._inputs import FromOption, ToOption, check_outputs, nanoseconds
from rtsched.errors import FaultList, InputError

if TYPE_CHECKING:
    from rtsched.outcome import Outcome

__all__ = ["EPILOG", "timeline"]

EPILOG = """\b
Examples:
  rtsched run vr_gaming -P edf --save edf.npz
  rtsched timeline edf.npz
  rtsched timeline edf.npz --from 1.2s --to 1.3s -o timeline.pdf
  rtsched timeline edf.npz -o edf.pftrace

docs/timeline.md tells what is shown. Pictures need matplotlib: pip install 'rtsched[plot]'"""

TRACE = ".pftrace"


def timeline(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="A file that 'rtsched run --save' wrote.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="A picture (.png, .svg, .pdf), or a trace of the whole run (.pftrace).  [default: the terminal]",
        ),
    ] = None,
    since: FromOption = None,
    until: ToOption = None,
) -> None:
    """Show who ran where and when, and which deadlines were missed.

    In the terminal, as a picture, or as a trace for https://ui.perfetto.dev. Without --from and --to it shows the 100 ms
    with most missed deadlines.
    """
    from rtsched.report.console import console
    from rtsched.report.figures.style import SUFFIXES, matplotlib_parts, suffix_of
    from rtsched.report.html.results import read_results
    from rtsched.timeline import worst_window

    faults = FaultList()
    suffix = None if output is None else faults.of(suffix_of, output, (*SUFFIXES, TRACE))
    if suffix in SUFFIXES:
        faults.of(matplotlib_parts)
    if suffix is not None:
        check_outputs(faults, {"-o": output}, {os.path.realpath(result): "the result"})
    if suffix == TRACE and (since, until) != (None, None):
        faults.add(f"-o {output}: a trace is of the whole run; leave out --from and --to")
    window = faults.of(nanoseconds, "from", since), faults.of(nanoseconds, "to", until)
    found = faults.of(read_results, [result])
    faults.report()
    assert found is not None
    outcome = found[0].outcome
    _check(result, outcome, window)
    worst = worst_window([outcome])
    shown = (worst[0], worst[1]) if window == (None, None) else (window[0] or 0, min(window[1] or outcome.end_ns, outcome.end_ns))
    if suffix is None:
        from rtsched.report.gantt import Gantt

        console().print(Gantt(outcome, *shown))
    else:
        _write(outcome, output or "", suffix, shown)


def _check(path: str, outcome: Outcome, window: tuple[int | None, int | None]) -> None:
    """Refuse what cannot be shown."""
    from rtsched.report.bandwidth import check_window
    from rtsched.testing.tables import sound_tables

    if outcome.layers is None:
        raise InputError(f"{path}: has no layers. Save it with 'rtsched run --save', or in Python run it with layers=True")
    check_window(*window, outcome.end_ns)
    try:
        sound_tables(outcome, ("layers",))
    except InputError as error:
        raise InputError([f"{path}: {fault}" for fault in error.faults]) from None


def _write(outcome: Outcome, path: str, suffix: str, window: tuple[int, int]) -> None:
    """A trace or a picture."""
    from rtsched.interop.perfetto import trace_pieces
    from rtsched.report import files
    from rtsched.report.console import console, parts_written, progress

    if suffix == TRACE:
        with progress(console(is_error=True), parts_written, "writing") as report:
            files.write(path, trace_pieces(outcome, report))
        return
    from rtsched.report.figures import timeline as draw
    from rtsched.report.figures.style import to_bytes

    files.write(path, [to_bytes(draw(outcome, *window), suffix)])
