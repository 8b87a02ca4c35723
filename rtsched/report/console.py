"""Where text goes: the terminal, a pipe or a file; and the progress of long runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["console", "progress"]

PIPE_COLUMNS = 120
"""Width where there is no terminal: every summary fits without a cut."""

PROGRESS_AFTER_S = 1.0
"""Runs that are over by then show no progress."""


def console(*, is_error: bool = False, pipe_columns: int | None = None) -> Console:
    """Return a console on standard output or standard error.

    Parameters
    ----------
    is_error : bool
    pipe_columns : int, optional
        Width where it is no terminal. Default: what the environment variable ``COLUMNS`` says, or else `PIPE_COLUMNS`.
    """
    made = Console(stderr=is_error, highlight=False)
    if not _is_terminal(made) and (pipe_columns or "COLUMNS" not in os.environ):
        made.width = pipe_columns or PIPE_COLUMNS
    return made


@contextmanager
def progress(shown_on: Console) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far a run is, once it takes longer than `PROGRESS_AFTER_S`, and clean up behind it.

    Parameters
    ----------
    shown_on : rich.console.Console

    Yields
    ------
    callable or None
        What `rtsched.run` takes as ``progress``; None where there is no terminal to show it on.
    """
    if not _is_terminal(shown_on) or shown_on.is_dumb_terminal:
        yield None
        return
    columns = (TextColumn("simulating"), BarColumn(), TextColumn("{task.fields[done]}"), TimeRemainingColumn())
    bar = Progress(*columns, console=shown_on, transient=True)
    row = bar.add_task("", total=None, done="")
    began = time.monotonic()

    def report(now_ns: int, end_ns: int) -> None:
        if time.monotonic() - began < PROGRESS_AFTER_S:
            return
        bar.update(row, completed=now_ns, total=end_ns, done=f"{now_ns * 1e-9:.1f} of {end_ns * 1e-9:.1f} s")
        if not bar.live.is_started:
            bar.start()

    try:
        yield report
    finally:
        bar.stop()


def _is_terminal(one: Console) -> bool:
    # Not rich's answer: it says yes in a pipe too when colours are forced.
    stream = sys.stderr if one.stderr else sys.stdout
    return stream is not None and stream.isatty()
