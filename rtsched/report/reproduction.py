"""The folder of a reproduction: tables, figures, and what they say in words.

Every file is written under another name and renamed when it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from rtsched.errors import InputError, reason_of
from rtsched.report import files
from rtsched.report.tables import table_to_csv, table_to_markdown
from rtsched.report.text import digits
from rtsched.study.reproduce.cells import Stage
from rtsched.study.reproduce.tables import Table, Value

__all__ = ["STORE", "Account", "Writer", "check_folder", "few_seeds", "files_of", "how_made", "signed", "status", "what_matters"]

STORE = "runs.sqlite"

README = "README.md"

NO_FIGURES = "no figures were drawn: they need matplotlib (pip install 'rtsched[plot]')"

FEW_SEEDS = 10

SMALL = 0.02
"""Changes that are called small."""

FindingsT = TypeVar("FindingsT")


@dataclass(frozen=True)
class Account(Generic[FindingsT]):
    """How a study tells what it found.

    Attributes
    ----------
    tables : callable
        The tables of a part, from the findings and its name.
    figures : callable
        Its figures by the names of their files, without a suffix.
    readme : callable
        The text about all parts, from the findings, the command without the folder, and the files of figures by their names.
    """

    tables: Callable[[FindingsT, str], Sequence[Table]]
    figures: Callable[[FindingsT, str], Mapping[str, bytes]]
    readme: Callable[[FindingsT, str, Mapping[str, str]], str]


class Writer(Generic[FindingsT]):
    """Writes what is found, part by part.

    Parameters
    ----------
    folder : Path
        It is there.
    command : str
        What makes the same runs again, without the folder.
    account : Account

    Attributes
    ----------
    notes : list of str
        What the user should be told.
    """

    def __init__(self, folder: Path, command: str, account: Account[FindingsT]) -> None:
        self._folder = folder
        self._command = command
        self._account = account
        self.notes: list[str] = []

    def tell(self, findings: FindingsT, name: str) -> None:
        """Write the files of a part, and anew what tells about all of them.

        Raises
        ------
        rtsched.errors.InputError
            A file cannot be written.
        """
        from rtsched.report.study_figures import SUFFIX, can_draw

        for table in self._account.tables(findings, name):
            files.write(str(self._folder / f"{table.name}.csv"), [table_to_csv(table)])
            files.write(str(self._folder / f"{table.name}.md"), [table_to_markdown(table)])
        self._tell_all(findings)  # drawing takes seconds, in which somebody may lose patience
        if can_draw():
            for figure, content in self._account.figures(findings, name).items():
                files.write(str(self._folder / f"{figure}{SUFFIX}"), [content])
        elif NO_FIGURES not in self.notes:
            self.notes.append(NO_FIGURES)
        self._tell_all(findings)

    def _tell_all(self, findings: FindingsT) -> None:
        from rtsched.report.study_figures import SUFFIX

        drawn = {path.stem: path.name for path in sorted(self._folder.glob(f"*{SUFFIX}"))}
        files.write(str(self._folder / README), [self._account.readme(findings, self._command, drawn)])


def check_folder(folder: Path, command: str) -> None:
    """Refuse a folder whose results are not those of this command: they would be overwritten. Other seeds go on with the same study.

    Parameters
    ----------
    folder : Path
    command : str
        Without the folder.

    Raises
    ------
    rtsched.errors.InputError
    """
    try:
        text = (folder / README).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{folder / README}: cannot be read: {reason_of(error)}") from error
    found = re.search(r"^(rtsched reproduce .*) -o FOLDER$", text, flags=re.MULTILINE)
    if found is None:
        raise InputError(f"-o {folder}: its {README} is none of this program's and would be overwritten; take another folder")
    if _but_for_seeds(found[1]) != _but_for_seeds(command):
        raise InputError(f"-o {folder}: holds the results of '{found[1]}', which would be overwritten; take another folder")


def _but_for_seeds(command: str) -> str:
    return re.sub(r" --seeds \S+", "", command)


def status(stages: Mapping[str, Stage], names: Sequence[str]) -> Iterator[str]:
    """Say what is not complete."""
    done = [name for name, stage in stages.items() if stage.is_complete]
    if len(done) == len(names):
        return
    partial = [f"{name} ({one.n_stored:,} of {one.n_planned:,} runs)" for name, one in stages.items() if not one.is_complete]
    missing = [name for name in names if name not in stages]
    known = [("done", done), ("begun", partial), ("missing", missing)]
    yield "**Not complete.** " + "; ".join(f"{word}: {', '.join(parts)}" for word, parts in known if parts) + ".\n"


def few_seeds(*numbers: int) -> Iterator[str]:
    """Say what intervals of few seeds are worth."""
    if min(numbers) < FEW_SEEDS:
        yield f"Intervals of fewer than {FEW_SEEDS} seeds are too narrow, those of two or three only span the values.\n"


def files_of(figures: Sequence[str], tables: Sequence[str], drawn: Mapping[str, str]) -> Iterator[str]:
    """Show figures, as far as they are drawn, and point at tables."""
    yield from (f"![{figure}]({drawn[figure]})\n" for figure in figures if figure in drawn)
    named = ", ".join(f"[{table}.csv]({table}.csv)" for table in tables)
    yield f"Tables: {named}; the same as `.md`.\n"


def signed(value: float) -> str:
    """Three digits, with a sign where it is negative."""
    return f"-{digits(-value)}" if value < 0 else digits(value)


def what_matters(table: Table, metric: str, mark: str = "a reconstruction") -> Iterator[str]:
    """Say which settings matter, from a table of `rtsched.study.reproduce.settings.changes_table`.

    Parameters
    ----------
    table : Table
    metric : str
        What its ratios are those of.
    mark : str
        What marked settings are.
    """
    place = table.columns.index("cells") + 1
    rows = [row for row in table.rows if np.isfinite(float(row[place]))]
    if rows:
        yield " ".join(_what_matters(rows, metric, mark, place)) + "\n"


def _what_matters(rows: Sequence[tuple[Value, ...]], metric: str, mark: str, ratio: int) -> Iterator[str]:
    low, high = ratio + 1, ratio + 2
    changes: dict[str, list[float]] = {}
    for row in rows:
        changes.setdefault(str(row[0]), []).append(abs(float(row[ratio]) - 1))
    marked = {str(row[0]) for row in rows if row[2] == "yes"}
    small = [path for path, values in changes.items() if max(values) < SMALL]
    sure = {str(row[0]) for row in rows if not float(row[low]) <= 1 <= float(row[high])}
    first = max(rows, key=lambda row: abs(np.log(float(row[ratio]))))
    yield f"{len(changes)} settings were changed, {len(marked)} of which say in their meaning that they are {mark}."
    yield (
        f"Most depends on `{first[0]}`: with {first[4]} instead of {first[3]}, {metric} is {digits(float(first[ratio]))} times as large "
        f"({digits(float(first[low]))}..{digits(float(first[high]))})."
    )
    yield (
        f"The intervals of {len(sure)} settings leave out 1; {len(small)} settings change {metric} by less than {100 * SMALL:g} % with "
        "each of their values."
    )


def how_made(stages: Mapping[str, Stage], command: str) -> Iterator[str]:
    """Commands, and what they took."""
    yield "## How this was made\n"
    yield f"```\n{command} -o FOLDER\n```\n"
    yield (
        f"Every run is in `{STORE}`, under a SHA-256 of its whole input: the command goes on where it was stopped and runs nothing "
        "twice. Wall times are those of the runs one after the other; so many workers, so much less.\n"
    )
    yield "| part | runs | simulated, h | wall time of runs, min |"
    yield "|---|---:|---:|---:|"
    yield from (_time_row(name, stage) for name, stage in stages.items())
    yield ""


def _time_row(name: str, stage: Stage) -> str:
    return f"| {name} | {stage.n_stored:,} | {digits(stage.simulated_s / 3600)} | {digits(stage.wall_s / 60)} |"
