"""Series of numbers that a scenario takes from a list or from a CSV file: recorded arrivals, measured ratios of times."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from rtsched._csv import capped, csv_rows, number, shown
from rtsched._files import outside_fault
from rtsched.errors import Fault, FaultsError, InputError, plain

__all__ = ["Factors", "Series", "Trace"]

MAX_MS = 1e12
MAX_FACTOR = 1e6

Check = Callable[[float, float | None], str | None]
"""What is expected of a value after the one before it (None at first), when it is at fault; else None."""


@dataclass(frozen=True)
class Series:
    """Numbers, and where they come from.

    Attributes
    ----------
    values : tuple of float
    source : str
        The file as it was named; empty for a list. It does not count when series are compared.
    path : str
        Where that file is; empty for a list.
    """

    values: tuple[float, ...]
    source: str = field(default="", compare=False)
    path: str = field(default="", compare=False, repr=False)


def _release_fault(value: float, before: float | None) -> str | None:
    if not 0 <= value <= MAX_MS:
        return f"a time from 0 to {MAX_MS:g} ms"
    if before is not None and value < before:
        return f"at least {before:g}, the time before it"
    return None


def _factor_fault(value: float, before: float | None) -> str | None:
    return None if 0 < value <= MAX_FACTOR else f"a factor greater than 0 and at most {MAX_FACTOR:g}"


def _from_file(path: Path, named: str, column: str, check: Check) -> Series:
    faults: list[str] = []
    values: list[float] = []
    file = os.fspath(path)
    for _, row, place in csv_rows(file, (column,), (column,), faults):
        if column in row and (expected := _take(values, row[column], check)):
            faults.append(f"{place(column)}: must be {expected}, got {shown(row[column])}")
    if not faults and not values:
        faults.append(f"{file}: has no rows")
    if faults:
        raise InputError(capped(faults, file))
    return Series(tuple(values), named, str(path.resolve()))


def _from_list(items: Sequence[Any], check: Check) -> Series:
    faults: list[Fault] = []
    values: list[float] = []
    for i, item in enumerate(items):
        if isinstance(item, str):
            faults.append(((i,), f"must be a number, got {item!r:.60}"))
        elif expected := _take(values, item, check):
            faults.append(((i,), f"must be {expected}, got {shown(item)}"))
    if not items:
        faults.append(((), "must have at least 1 entry, got 0"))
    if faults:
        raise FaultsError(*faults)
    return Series(tuple(values))


def _take(values: list[float], item: Any, check: Check) -> str | None:
    """Append a value, or say what was expected."""
    try:
        value = float(number(item))
    except (ValueError, OverflowError):
        return "a number"
    expected = check(value, values[-1] if values else None)
    if expected is None:
        values.append(value)
    return expected


def _reader(column: str, check: Check) -> Callable[[Any, ValidationInfo], Series]:
    def read(value: Any, info: ValidationInfo) -> Series:
        if isinstance(value, Series):
            return value
        if isinstance(value, str) and value:
            base = (info.context or {}).get("base", Path())
            if base is None:
                raise ValueError("must hold numbers, not the name of a file")
            if (info.context or {}).get("is_confined") and (fault := outside_fault(base, value)):
                raise ValueError(f"{plain(value)}: {fault}")
            return _from_file(Path(base) / value, value, column, check)
        if isinstance(value, (list, tuple)):
            return _from_list(value, check)
        raise ValueError(f"must be a list of numbers or the name of a CSV file, got {shown(value)}")

    return read


def _schema(minimum: dict[str, float], maximum: float, column: str) -> dict[str, Any]:
    return {
        "anyOf": [
            {"type": "string", "minLength": 1, "description": f"A CSV file with the column {column}."},
            {"type": "array", "minItems": 1, "items": {"type": "number", **minimum, "maximum": maximum}},
        ]
    }


_as_list = PlainSerializer(lambda series: list(series.values), return_type=list[float])

Trace = Annotated[
    Series,
    PlainValidator(_reader("release_ms", _release_fault)),
    _as_list,
    WithJsonSchema(_schema({"minimum": 0}, MAX_MS, "release_ms")),
]
"""Release times in ms, ascending; a file has the column ``release_ms``."""

Factors = Annotated[
    Series,
    PlainValidator(_reader("factor", _factor_fault)),
    _as_list,
    WithJsonSchema(_schema({"exclusiveMinimum": 0}, MAX_FACTOR, "factor")),
]
"""Ratios of actual to estimated time, equally likely; a file has the column ``factor``."""
