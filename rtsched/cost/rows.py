"""Reads the rows of a cost table, from CSV or from Python, and reports every fault at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rtsched._csv import RangeError, capped, csv_rows, number, rounded, shown, unknown
from rtsched.cost.model import ENERGY_COMPONENTS
from rtsched.errors import InputError, quoted

__all__ = ["COLUMNS", "SPLIT_ENERGY", "read_csv", "read_rows"]

MAX_TILES = 64
MAX_JOULE = 1e6
EXACT = 2**53
"""Larger integers are not all representable in float64."""

SPLIT_ENERGY = tuple(f"energy_{component}_j" for component in ENERGY_COMPONENTS)
_NAMES = ("model", "layer", "accelerator")
_REQUIRED = (*_NAMES, "latency_ns")
_DEFAULTS: dict[str, Any] = {"tiles": 1, **dict.fromkeys(("dram_bytes", "l2_bytes", "energy_j", *SPLIT_ENERGY), 0)}
COLUMNS = (*_REQUIRED, *_DEFAULTS)


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
            checked.faults.append(f"{place}: must map columns to values, got {shown(row)}")
            continue
        checked.faults += [unknown(f"{place}.", name, COLUMNS) for name in row if name not in COLUMNS]
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
    for line_number, row, place in csv_rows(file, COLUMNS, _REQUIRED, checked.faults):
        checked.add(row, f"line {line_number}", place, [name for name in _REQUIRED if name not in row])
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
                f"{place('model')}: repeats {self._first[key]}: "
                f"layer {quoted(layer)} of model {quoted(model)} on {quoted(accelerator)}, tiles {tiles}"
            )

    def columns(self, source: str) -> dict[str, list[Any]]:
        if not self.faults and not self._rows:
            self.faults.append(f"{source}: has no rows")
        if self.faults:
            raise InputError(capped(self.faults, source))
        return {column: [row[column] for row in self._rows] for column in COLUMNS}

    def _read(self, column: str, value: Any, place: Callable[[str], str]) -> Any:
        """The value; None when it is at fault."""
        if value is None and column in _DEFAULTS:
            return _DEFAULTS[column]
        reader, expected = _READERS[column]
        try:
            return reader(value)
        except RangeError as error:
            expected = str(error)
        except (ValueError, OverflowError):  # OverflowError: an integer beyond float64
            pass
        self.faults.append(f"{place(column)}: must be {expected}, got {shown(value)}")
        return None


# ---- Cells


def _latency_ns(value: Any) -> int:
    parsed = number(value)
    if parsed <= 0:
        raise ValueError
    if not 1 <= rounded(parsed) <= EXACT:
        raise RangeError("a number that rounds to 1 to 2^53 ns")
    return rounded(parsed)


def _bytes(value: Any) -> int:
    parsed = number(value)
    if not 0 <= parsed <= EXACT:
        raise ValueError
    return rounded(parsed)


def _tiles(value: Any) -> int:
    parsed = number(value)
    if parsed not in range(1, MAX_TILES + 1):
        raise ValueError
    return int(parsed)


def _joule(value: Any) -> float:
    parsed = number(value)
    if parsed < 0:
        raise ValueError
    if parsed > MAX_JOULE:
        raise RangeError(f"a number from 0 to {MAX_JOULE:,.0f} J")
    return float(parsed)


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
