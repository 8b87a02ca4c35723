"""Reads CSV and checks cells, with the line and column of every fault."""

from __future__ import annotations

import csv
import math
import re
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rtsched.errors import InputError, reason_of, short

__all__ = ["RangeError", "Row", "capped", "csv_rows", "is_text", "number", "read_text", "rounded", "shown", "unknown"]

MAX_BYTES = 100_000_000
MAX_FAULTS = 1_000

_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)

Row = tuple[int, dict[str, str | None], Callable[[str], str]]
"""A line's number, its cells by column (None for an empty one), and where each column stands in it, for messages."""


def csv_rows(file: str, columns: Collection[str] | None, required: Sequence[str], faults: list[str]) -> Iterator[Row]:
    """Read a file: UTF-8, separated by commas, no line breaks inside cells; the first line names the columns.

    Parameters
    ----------
    file : str
    columns : collection of str, optional
        Those that are known. None: any may be there, as in the files of other tools.
    required : sequence of str
    faults : list of str
        Faults are appended here, as ``costs.csv:7:30 latency_ns: message``: line, and column of the cell's first character.

    Yields
    ------
    Row
        Cells of a missing required column are left out.

    Raises
    ------
    rtsched.errors.InputError
        It cannot be read at all.
    """
    lines = _lines(file, read_text(file), faults)
    header = _header(file, next(lines, None), columns, required, faults)
    for line_number, line, cells in lines:
        if len(cells) != len(header):
            faults.append(f"{file}:{line_number}:1: must have {len(header)} cells, as the header does, got {len(cells)}")
            continue
        row = {name: cell if cell.strip() else None for name, cell in zip(header, cells, strict=True)}
        yield line_number, row, partial(_place, file, line_number, line, header)


# ---- Cells


class RangeError(ValueError):
    """A number that breaks a finer rule than its column's; the message is what was expected."""


def number(value: Any) -> float | int:
    """Return a finite number out of text or a Python or NumPy number; else raise ValueError."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = float(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return value


def is_text(value: str) -> bool:
    """Whether text can be written: JSON may hold halves of characters, which UTF-8 has not."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def rounded(value: float | int) -> int:
    """Round to the nearest integer, halves up."""
    return int(value) if value == int(value) else math.floor(value + 0.5)


def shown(value: Any) -> str:
    """A value as messages quote it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "nothing"
    text = value.strip() if isinstance(value, str) else repr(value)
    return short(text if "\n" not in text else repr(text))


def capped(faults: list[str], source: str) -> list[str]:
    """The first faults, and how many more there are."""
    n_more = len(faults) - MAX_FAULTS
    return faults if n_more <= 0 else [*faults[:MAX_FAULTS], f"{source}: {n_more} more faults"]


def unknown(place: str, name: Any, columns: Collection[str]) -> str:
    """The fault of a column that is not known; `name` follows its `place`, on one line and shortened."""
    text = name if isinstance(name, str) and name.isprintable() else repr(name)
    return f"{place}{short(text)}: unknown column; known columns: {', '.join(columns)}"


# ---- Files


def _place(file: str, line_number: int, line: str, header: Sequence[str], column: str) -> str:
    start = _starts(line)[header.index(column)] if column in header else 1
    return f"{file}:{line_number}:{start} {column}"


def read_text(file: str) -> str:
    """Read a regular file of UTF-8, without its byte order mark.

    Parameters
    ----------
    file : str

    Raises
    ------
    rtsched.errors.InputError
        It cannot be read, is too large, or is not UTF-8, then with line and column.
    """
    try:
        mode = Path(file).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe, or a device that never ends
            raise InputError(f"{file}: must be a regular file")
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{file}: cannot be read: {reason_of(error)}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{file}: is larger than {MAX_BYTES // 1_000_000} MB")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - before.rfind(b"\n")
        message = f"{file}:{before.count(10) + 1}:{column}: is not UTF-8: byte 0x{data[error.start]:02x}"
        raise InputError(message) from error


def _lines(file: str, text: str, faults: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Number, text and cells of every line that is not blank."""
    for line_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = next(csv.reader([line], strict=True, skipinitialspace=True))
        except csv.Error as error:
            faults.append(f"{file}:{line_number}:1: is not CSV: {error}")
            continue
        yield line_number, line, cells


def _starts(line: str) -> list[int]:
    """Column, from 1, of the first character of each cell, blanks skipped, in a line that is valid CSV."""
    starts, is_begun, has_quotes, is_quoted = [], False, False, False
    for i, character in enumerate(line + ","):
        if not is_begun and character != " ":
            starts.append(i + 1)
            is_begun = True
            has_quotes = is_quoted = character == '"'
        elif character == '"' and has_quotes:  # quotes inside a cell that does not begin with one are text
            is_quoted = not is_quoted
        if character == "," and not is_quoted:
            is_begun = False
    return starts


def _header(
    file: str, first: tuple[int, str, list[str]] | None, columns: Collection[str] | None, required: Sequence[str], faults: list[str]
) -> list[str]:
    """Names of the columns; notes which are unknown, doubled or missing."""
    if first is None:
        raise InputError(capped(faults, file) or f"{file}: is empty; its first line must name the columns {', '.join(required)}")
    line_number, line, cells = first
    names = [cell.strip() for cell in cells]
    before: set[str] = set()
    for start, name in zip(_starts(line), names, strict=True):
        if columns is not None and name not in columns:
            faults.append(unknown(f"{file}:{line_number}:{start} ", name, columns))
        elif name in before and (columns is not None or name in required):
            faults.append(f"{file}:{line_number}:{start} {name}: this column stands twice")
        before.add(name)
    faults += [f"{file}:{line_number}:1 {name}: this column is missing" for name in required if name not in names]
    return names
