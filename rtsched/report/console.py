"""Where text goes: the terminal, a pipe or a file; and the progress of long runs."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["StageWording", "console", "finished_bounds", "finished_runs", "parts_written", "progress", "simulated_time"]

PIPE_COLUMNS = 120
"""Width where there is no terminal: every summary fits without a cut."""

_FILLING = re.compile(r"(?: |\x1b\[[\d;]*m)+$", flags=re.MULTILINE)

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
    kind = Console if _is_terminal(Console(stderr=is_error)) else _Pipe
    made = kind(stderr=is_error, highlight=False)
    if not _is_terminal(made) and (pipe_columns or "COLUMNS" not in os.environ):
        made.width = pipe_columns or PIPE_COLUMNS
    return made


class _Pipe(Console):
    """No terminal: nobody sees the blanks that fill lines up, but whoever compares files does."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print without blanks at the ends of lines, before or after the codes of colours."""
        with self.capture() as captured:
            super().print(*objects, **options)
        text = _FILLING.sub(lambda end: end[0].replace(" ", ""), captured.get())
        super().print(text, end="", markup=False, emoji=False, highlight=False, no_wrap=True, overflow="ignore", crop=False)


@contextmanager
def progress(
    shown_on: Console, wording: Callable[[int, int], str], doing: str = "simulating"
) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far a computation is, once it takes longer than `PROGRESS_AFTER_S`, and clean up behind it.

    Parameters
    ----------
    shown_on : rich.console.Console
    wording : callable
        Says how much is done of how much: `simulated_time`, `finished_runs` or `finished_bounds`.
    doing : str
        What it does.

    Yields
    ------
    callable or None
        What `rtsched.run` and `rtsched.compare` take as ``progress``; None where there is no terminal to show it on.
    """
    if not _is_terminal(shown_on) or shown_on.is_dumb_terminal:
        yield None
        return
    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.fields[done]}"), TimeRemainingColumn())
    bar = Progress(*columns, console=shown_on, transient=True)
    row = bar.add_task("", total=None, done="")
    began = time.monotonic()

    def report(done: int, total: int) -> None:
        if time.monotonic() - began < PROGRESS_AFTER_S:
            return
        bar.update(row, completed=done, total=total, done=wording(done, total))
        if not bar.live.is_started:
            bar.start()

    try:
        yield report
    finally:
        bar.stop()


def simulated_time(now_ns: int, end_ns: int) -> str:
    """Say how far a run is."""
    return f"{now_ns * 1e-9:.1f} of {end_ns * 1e-9:.1f} s"


def finished_runs(n_done: int, n_runs: int) -> str:
    """Say how many runs are done."""
    return f"{n_done:,} of {n_runs:,} runs"


def finished_bounds(n_done: int, n_seeds: int) -> str:
    """Say of how many seeds the bound is known."""
    return f"{n_done:,} of {n_seeds:,} seed{'' if n_seeds == 1 else 's'}"


def parts_written(n_done: int, n_parts: int) -> str:
    """Say how much of a file is written."""
    return f"{n_done} of {n_parts} parts"


class StageWording:
    """Says how many runs of a part of a study are done, and how fast they come."""

    def __init__(self) -> None:
        self._title = ""
        self._began = time.monotonic()

    def begin(self, title: str) -> None:
        """Say which part it is; nothing happens when it is the same one."""
        if title != self._title:
            self._title = title
            self._began = time.monotonic()

    def __call__(self, n_done: int, n_runs: int) -> str:
        """Write it."""
        rate = n_done / max(time.monotonic() - self._began, 1e-3)
        return f"{self._title}: {finished_runs(n_done, n_runs)}, {rate:,.1f}/s"


def _is_terminal(one: Console) -> bool:
    # Not rich's answer: it says yes in a pipe too when colours are forced.
    stream = sys.stderr if one.stderr else sys.stdout
    return stream is not None and stream.isatty()
