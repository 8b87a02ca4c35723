"""Reads the rows of a cost table, from CSV or from Python, and reports every fault at once."""

from __future__ import annotations

import csv
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rtsched.cost.model import ENERGY_COMPONENTS
from rtsched.errors import InputError

__all__ = ["COLUMNS", "SPLIT_ENERGY", "read_csv", "read_rows"]

MAX_TILES = 64
MAX_BYTES = 100_000_000
MAX_FAULTS = 1_000
MAX_JOULE = 1e6
EXACT = 2**53
"""Larger integers are not all representable in float64."""

SPLIT_ENERGY = tuple(f"energy_{component}_j" for component in ENERGY_COMPONENTS)
_NAMES = ("model", "layer", "accelerator")
_REQUIRED = (*_NAMES, "latency_ns")
_DEFAULTS: dict[str, Any] = {"tiles": 1, **dict.fromkeys(("dram_bytes", "l2_bytes", "energy_j", *SPLIT_ENERGY), 0)}
COLUMNS = (*_REQUIRED, *_DEFAULTS)

_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


def read_rows(rows: Iterable[Mapping[str, Any]], source: str) -> dict[str, list[Any]]:
    """Read rows from Python.

    Parameters
    ----------
    rows : iterable of mapping
        Column to value; None stands for an empty cell.
    source : str
        What messages call it.

    Returns
    -------
    dict of str to list
        Every column of `COLUMNS`, defaults filled in.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``rows[3].latency_ns: message``.
    """
    checked = _Rows()
    for i, row in enumerate(rows):
        place = f"{source}[{i}]"
        if not isinstance(row, Mapping):
            checked.faults.append(f"{place}: must map columns to values, got {_shown(row)}")
            continue
        checked.faults += [_unknown(f"{place}.{name}") for name in row if name not in COLUMNS]
        checked.add(row, f"{source}[{i}]", lambda name, place=place: f"{place}.{name}")  # type: ignore[misc]
    return checked.columns(source)


def read_csv(path: str | os.PathLike[str]) -> dict[str, list[Any]]:
    """Read a file; see `rtsched.cost.table.CostTable.from_csv` for its columns.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to list
        Every column of `COLUMNS`, defaults filled in.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``costs.csv:7:30 latency_ns: message``.
    """
    file = os.fspath(path)
    checked = _Rows()
    lines = _lines(file, _text(file), checked.faults)
    header = _header(file, next(lines, None), checked.faults)
    absent = [name for name in _REQUIRED if name not in header]
    for number, line, cells in lines:
        if len(cells) != len(header):
            checked.faults.append(f"{file}:{number}:1: must have {len(header)} cells, as the header does, got {len(cells)}")
            continue
        row = {name: cell if cell.strip() else None for name, cell in zip(header, cells, strict=True)}
        checked.add(row, f"line {number}", partial(_csv_place, file, number, line, header), absent)
    return checked.columns(file)


class _Rows:
    """Rows as they are read, and their faults."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._first: dict[tuple[Any, ...], str] = {}

    def add(self, cells: Mapping[str, Any], name: str, place: Callable[[str], str], absent: Iterable[str] = ()) -> None:
        """Check a row and keep it.

        `name` is what messages about other rows call it, `place` gives the position of one of its columns; `absent` columns
        have been reported already.
        """
        order = dict.fromkeys([*(column for column in cells if column in COLUMNS), *COLUMNS])
        row = {column: self._read(column, cells.get(column), place) for column in order if column not in absent}
        self._rows.append(row)
        if cells.get("energy_j") is not None and any(cells.get(column) is not None for column in SPLIT_ENERGY):
            self.faults.append(f"{place('energy_j')}: must stand alone or be split into {', '.join(SPLIT_ENERGY)}, not both")
        key = tuple(row.get(column) for column in (*_NAMES, "tiles"))
        if None not in key and self._first.setdefault(key, name) != name:
            model, layer, accelerator, tiles = key
            self.faults.append(
                f"{place('model')}: repeats {self._first[key]}: layer {layer!r} of model {model!r} on {accelerator!r}, tiles {tiles}"
            )

    def columns(self, source: str) -> dict[str, list[Any]]:
        if not self.faults and not self._rows:
            self.faults.append(f"{source}: has no rows")
        if self.faults:
            raise InputError(_capped(self.faults, source))
        return {column: [row[column] for row in self._rows] for column in COLUMNS}

    def _read(self, column: str, value: Any, place: Callable[[str], str]) -> Any:
        """The value; None when it is at fault."""
        if value is None and column in _DEFAULTS:
            return _DEFAULTS[column]
        reader, expected = _READERS[column]
        try:
            return reader(value)
        except _RangeError as error:
            expected = str(error)
        except (ValueError, OverflowError):  # OverflowError: an integer beyond float64
            pass
        self.faults.append(f"{place(column)}: must be {expected}, got {_shown(value)}")
        return None


# ---- Cells


class _RangeError(ValueError):
    """A number that breaks a finer rule than its column's; the message is what was expected."""


def _number(value: Any) -> float | int:
    """A finite number out of text or a Python or NumPy number."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = float(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return value


def _latency_ns(value: Any) -> int:
    number = _number(value)
    if number <= 0:
        raise ValueError
    if not 1 <= _rounded(number) <= EXACT:
        raise _RangeError("a number that rounds to 1 to 2^53 ns")
    return _rounded(number)


def _bytes(value: Any) -> int:
    number = _number(value)
    if not 0 <= number <= EXACT:
        raise ValueError
    return _rounded(number)


def _rounded(number: float | int) -> int:
    """Round to the nearest integer, halves up."""
    return int(number) if number == int(number) else math.floor(number + 0.5)


def _tiles(value: Any) -> int:
    number = _number(value)
    if number not in range(1, MAX_TILES + 1):
        raise ValueError
    return int(number)


def _joule(value: Any) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError
    if number > MAX_JOULE:
        raise _RangeError(f"a number from 0 to {MAX_JOULE:,.0f} J")
    return float(number)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return str(value.strip())


_BYTES = (_bytes, "a number from 0 to 2^53")
_JOULE = (_joule, "a number, 0 or greater")
_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    **dict.fromkeys(_NAMES, (_name, "a name")),
    "latency_ns": (_latency_ns, "a number greater than 0"),
    "tiles": (_tiles, f"an integer from 1 to {MAX_TILES}"),
    **dict.fromkeys(("dram_bytes", "l2_bytes"), _BYTES),
    **dict.fromkeys(("energy_j", *SPLIT_ENERGY), _JOULE),
}


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "nothing"
    text = value.strip() if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _capped(faults: list[str], source: str) -> list[str]:
    n_more = len(faults) - MAX_FAULTS
    return faults if n_more <= 0 else [*faults[:MAX_FAULTS], f"{source}: {n_more} more faults"]


def _unknown(place: str) -> str:
    return f"{place}: unknown column; known columns: {', '.join(COLUMNS)}"


# ---- CSV


def _csv_place(file: str, number: int, line: str, header: Sequence[str], column: str) -> str:
    start = _starts(line)[header.index(column)] if column in header else 1
    return f"{file}:{number}:{start} {column}"


def _text(file: str) -> str:
    """The file's text, without a byte order mark."""
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
        raise InputError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
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
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            cells = next(csv.reader([line], strict=True, skipinitialspace=True))
        except csv.Error as error:
            faults.append(f"{file}:{number}:1: is not CSV: {error}")
            continue
        yield number, line, cells


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


def _header(file: str, first: tuple[int, str, list[str]] | None, faults: list[str]) -> list[str]:
    """Names of the columns; notes which are unknown, doubled or missing."""
    if first is None:
        raise InputError(_capped(faults, file) or f"{file}: is empty; its first line must name the columns {', '.join(_REQUIRED)}")
    number, line, cells = first
    names = [cell.strip() for cell in cells]
    for i, (start, name) in enumerate(zip(_starts(line), names, strict=True)):
        if name not in COLUMNS:
            faults.append(_unknown(f"{file}:{number}:{start} {name}"))
        elif name in names[:i]:
            faults.append(f"{file}:{number}:{start} {name}: this column stands twice")
    faults += [f"{file}:{number}:1 {name}: this column is missing" for name in _REQUIRED if name not in names]
    return names
