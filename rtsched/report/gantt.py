"""What ran where, in the terminal: a letter for each task, a row for each tile, and rows of deadlines, DRAM and the queue.

It can be read without colours, and where the terminal has no other characters than ASCII.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from rtsched.metrics.metrics import MET
from rtsched.outcome import Outcome
from rtsched.report.html.hardware import mean_allocation
from rtsched.report.palette import AREAS, ON_AREAS
from rtsched.report.text import heading, name, seconds
from rtsched.timeline import bars_of, shares_of, tile_names, violated, waiting_steps

__all__ = ["Gantt"]

LETTERS = string.ascii_lowercase + string.ascii_uppercase
OTHER = "#"
"""Of tasks beyond the letters."""

MAX_LABEL = 14
MIN_COLUMNS = 12
TICK_COLUMNS = 12
"""About as many columns between two times of the scale."""

HALF = 0.5
"""Of a column's time that a tile is busy, from which it shows a letter."""

BLOCKS, DIGITS = " ▁▂▃▄▅▆▇█", " 123456789"


@dataclass(frozen=True)
class Gantt:
    """A window of an outcome, as wide as the terminal.

    Attributes
    ----------
    outcome : Outcome
        With its layers; a row of the DRAM with its rates.
    from_ns, to_ns : int
    """

    outcome: Outcome
    from_ns: int
    to_ns: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        outcome = self.outcome
        told = f"seed {outcome.seed}: {seconds(outcome.end_ns)} simulated"
        yield heading(outcome.problem, told, outcome.provenance, ("scenario.load",), outcome.policy)
        if not outcome.is_complete:
            yield Text("PARTIAL: the run was interrupted", "bold yellow")
        names = [*tile_names(outcome), *outcome.problem.task_names, "waiting"]
        label = min(MAX_LABEL, max(len(str(name(one))) for one in names)) + 3
        rows = _Rows(outcome, np.linspace(self.from_ns, self.to_ns, max(MIN_COLUMNS, options.max_width - label) + 1), options.ascii_only)
        yield self._told(rows)
        yield Text()
        yield Text(" " * label) + _scale(rows.edges_ns)
        for title, cells in rows.all():
            yield Text.assemble(_label(title, label - 1, is_ascii=options.ascii_only), " ", cells)
        yield Text()
        yield _legend(is_ascii=options.ascii_only, has_dram=outcome.rates is not None)

    def _told(self, rows: _Rows) -> Text:
        due = self.outcome.jobs["deadline_ns"]
        inside = (due > self.from_ns) & (due <= self.to_ns) & self.outcome.metrics.counts
        missed = int((inside & violated(self.outcome)).sum())
        when = f"{self.from_ns * 1e-6:,.6g} to {self.to_ns * 1e-6:,.6g} ms"
        column = seconds(float(rows.edges_ns[1] - rows.edges_ns[0])).replace("µ", "u" if rows.is_ascii else "µ")
        return Text(f"{when}: {missed:,} of {int(inside.sum()):,} deadlines missed; a column is {column}")


def _label(title: str | Text, width: int, *, is_ascii: bool) -> Text:
    text = title if isinstance(title, Text) else name(title)
    if text.cell_len > width:
        mark = "." if is_ascii else "…"
        text = Text(text.plain[: width - 1] + mark)
    return text + Text(" " * (width - text.cell_len))


def _scale(edges_ns: np.ndarray) -> Text:
    """Times in ms, each over the column that holds it."""
    n = len(edges_ns) - 1
    low, high = edges_ns[0] * 1e-6, edges_ns[-1] * 1e-6
    rough = (high - low) / max(1, n // TICK_COLUMNS)
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(one * unit for one in (1, 2, 5, 10) if one * unit >= rough * (1 - 1e-9))
    line = ""
    for k in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step)) + 1):
        at, told = int((k * step - low) / (high - low) * n), f"|{k * step:,.9g}"
        if at >= len(line) + (line != "") and at + len(told) <= n:
            line += " " * (at - len(line)) + told
    return Text((line + " ms") if len(line) + 3 <= n else line)


class _Rows:
    """The rows, column by column."""

    def __init__(self, outcome: Outcome, edges_ns: np.ndarray, is_ascii: bool) -> None:
        self.outcome, self.edges_ns, self.is_ascii = outcome, edges_ns, is_ascii
        self.n = len(edges_ns) - 1

    def all(self) -> Iterator[tuple[str | Text, Text]]:
        """Title and cells of each."""
        yield from self._tiles()
        yield "", Text()
        yield from self._tasks()
        yield "", Text()
        yield "waiting", self._waiting()
        if self.outcome.rates is not None:
            yield "DRAM", self._dram()

    def _tiles(self) -> Iterator[tuple[str, Text]]:
        names, n_tasks = tile_names(self.outcome), self.outcome.problem.n_tasks
        bars = bars_of(self.outcome, int(self.edges_ns[0]), int(self.edges_ns[-1]))
        shares = shares_of(bars, self.edges_ns, len(names), n_tasks)
        most, busy = shares.argmax(axis=1), shares.sum(axis=1)
        for lane, title in enumerate(names):
            cells = Text()
            for task, part in zip(most[lane].tolist(), busy[lane].tolist(), strict=True):
                if part >= HALF:
                    cells.append(_letter(task), Style(bgcolor=AREAS[task % len(AREAS)], color=_ink(task)))
                else:
                    cells.append(("." if self.is_ascii else "·") if part > 0 else " ")
            yield title, cells

    def _tasks(self) -> Iterator[tuple[Text, Text]]:
        """Deadlines."""
        jobs, missed = self.outcome.jobs, violated(self.outcome)
        inside = (jobs["deadline_ns"] > self.edges_ns[0]) & (jobs["deadline_ns"] <= self.edges_ns[-1])
        column = np.clip(np.searchsorted(self.edges_ns, jobs["deadline_ns"], side="left") - 1, 0, self.n - 1)
        for task, title in enumerate(self.outcome.problem.task_names):
            own = inside & (jobs["task"] == task)
            cells = np.full(self.n, " ")
            cells[column[own & (jobs["status"] == MET)]] = "|"
            cells[column[own & missed]] = "X"
            text = Text("".join(cells.tolist()))
            text.highlight_regex("X", Style(color="red", bold=True))
            yield Text.assemble((_letter(task), Style(bgcolor=AREAS[task % len(AREAS)], color=_ink(task))), " ", name(title)), text

    def _waiting(self) -> Text:
        """The most jobs that waited within each column."""
        time_ns, n_waiting = waiting_steps(self.outcome)
        first = np.maximum(np.searchsorted(time_ns, self.edges_ns[:-1], side="right") - 1, 0).tolist()
        behind = np.searchsorted(time_ns, self.edges_ns[1:], side="left").tolist()
        most = [int(n_waiting[a : max(a + 1, b)].max()) for a, b in zip(first, behind, strict=True)]
        return Text("".join(" " if n == 0 else str(n) if n < 10 else "+" for n in most))

    def _dram(self) -> Text:
        peak = self.outcome.problem.peak_bytes_per_ns
        parts = np.clip(mean_allocation(self.outcome, self.edges_ns) / peak, 0.0, 1.0) if peak > 0 else np.zeros(self.n)
        marks = DIGITS if self.is_ascii else BLOCKS
        return Text("".join(marks[i] for i in np.ceil(parts * (len(marks) - 1) - 1e-9).astype(int).tolist()))


def _letter(task: int) -> str:
    return LETTERS[task] if task < len(LETTERS) else OTHER


def _ink(task: int) -> str:
    return "#ffffff" if ON_AREAS[task % len(ON_AREAS)] == "#fff" else "#000000"


def _legend(*, is_ascii: bool, has_dram: bool) -> Text:
    told = [
        f"letter: the task that ran most; {'.' if is_ascii else '·'}: busy for less than half of the time",
        "|: deadline met; X: missed",
        "waiting: the most jobs that waited; +: 10 or more",
    ]
    if has_dram:
        told.append(f"DRAM: allocated of its peak, in {'ninths (9: all)' if is_ascii else 'eighths'}")
    return Text("\n".join(told), "dim")
