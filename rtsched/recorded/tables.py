"""Reads the tables of a replay, with the line and column of every fault; seconds become whole ns here, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtsched._csv import RangeError, capped, csv_rows, number, rounded, shown
from rtsched.errors import InputError
from rtsched.workload.scenario import MAX_PRIORITY

__all__ = ["Estimate", "Latencies", "Request", "Sample", "mean_estimates", "read_estimates", "read_latencies", "read_requests"]

MAX_S = 9e6
"""About 104 days: ns up to here are exact in float64."""

TOLERANCE_NS = 2
"""What a deadline may differ from arrival plus target: three values are rounded."""

Path = str | os.PathLike[str]
Place = Callable[[str], str]


@dataclass(frozen=True)
class Request:
    """One line of the table of requests.

    Attributes
    ----------
    request_id, model, sample_id : str
    arrival_ns, target_ns : int
        The target is the relative deadline.
    priority : int
    place : callable
        Where a column stands in the file, for messages.
    """

    request_id: str
    model: str
    sample_id: str
    arrival_ns: int
    target_ns: int
    priority: int
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True)
class Sample:
    """What one sample of a model really took: float64 in s, and its sparsity (NaN where there is none), a value per layer."""

    latency_s: np.ndarray
    sparsity: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """What schedulers expect of a model: int64 in ns, over all patterns of sparsity and for its own; and its sparsity, or NaN."""

    model_ns: np.ndarray
    pattern_ns: np.ndarray
    sparsity: np.ndarray


Latencies = dict[tuple[str, str], Sample]
"""By model and sample."""


def read_requests(path: Path) -> list[Request]:
    """Read the requests, in the order of their arrival; those that arrive together as they stand in the file.

    Parameters
    ----------
    path : str or path
        Columns ``request_id``, ``arrival_s``, ``model``, ``sample_id``, ``priority``, ``target_lat_s``, and ``deadline_s``, which must be
        the sum of arrival and target where it stands; others are passed over.

    Raises
    ------
    InputError
        One message per fault, as ``requests.csv:7:12 arrival_s: message``.
    """
    file, faults = os.fspath(path), list[str]()
    first: dict[str, int] = {}
    found = []
    readers: dict[str, _Reader] = {
        "request_id": _NAME,
        "arrival_s": _TIME,
        "model": _NAME,
        "sample_id": _NAME,
        "priority": _PRIORITY,
        "target_lat_s": _POSITIVE,
    }
    for line, row, place in csv_rows(file, None, tuple(readers), faults):
        value = {name: _read(faults, row, place, name, reader) for name, reader in readers.items()}
        deadline_s = None if row.get("deadline_s") is None else _read(faults, row, place, "deadline_s", _TIME)
        if (before := first.setdefault(value["request_id"], line)) != line and value["request_id"] is not None:
            faults.append(f"{place('request_id')}: {value['request_id']!r:.60} stands in line {before} already")
        if None in value.values():
            continue
        arrival_ns, target_ns = _ns(value["arrival_s"]), _ns(value["target_lat_s"])
        if deadline_s is not None and abs(_ns(deadline_s) - arrival_ns - target_ns) > TOLERANCE_NS:
            expected = shown(value["arrival_s"] + value["target_lat_s"])
            faults.append(f"{place('deadline_s')}: must be arrival_s + target_lat_s, {expected}, got {shown(row['deadline_s'])}")
        found.append(Request(value["request_id"], value["model"], value["sample_id"], arrival_ns, target_ns, value["priority"], place))
    _refuse(file, faults, found)
    return sorted(found, key=lambda one: one.arrival_ns)


def read_latencies(path: Path) -> Latencies:
    """Read what each layer of each sample really took.

    Parameters
    ----------
    path : str or path
        Columns ``model``, ``sample_id``, ``layer`` (from 0), ``latency_s`` and, where it was measured, ``sparsity`` (0 to 1).

    Raises
    ------
    InputError
        One message per fault.
    """
    rows = _Layers(os.fspath(path), ("model", "sample_id"), {"latency_s": _LATENCY, "sparsity": _SPARSITY}, ("latency_s",))
    return {
        (model, sample): Sample(np.array(columns["latency_s"]), _or_nan(columns["sparsity"]))
        for (model, sample), columns in rows.by_owner().items()
    }


def read_estimates(path: Path) -> dict[str, Estimate]:
    """Read what schedulers expect, by model.

    Parameters
    ----------
    path : str or path
        Columns ``model``, ``layer`` (from 0), ``avg_lat_per_model_s`` and, where they are known, ``avg_lat_per_pattern_s`` and
        ``avg_sparsity`` (0 to below 1).

    Raises
    ------
    InputError
        One message per fault.
    """
    readers = {"avg_lat_per_model_s": _LATENCY, "avg_lat_per_pattern_s": _LATENCY, "avg_sparsity": _AVERAGE}
    rows = _Layers(os.fspath(path), ("model",), readers, ("avg_lat_per_model_s",))
    made = {}
    for (model,), columns in rows.by_owner().items():
        model_s, pattern_s = columns["avg_lat_per_model_s"], columns["avg_lat_per_pattern_s"]
        own_s = [one if pattern is None else pattern for one, pattern in zip(model_s, pattern_s, strict=True)]
        made[model] = Estimate(_all_ns(model_s), _all_ns(own_s), _or_nan(columns["avg_sparsity"]))
    return made


def mean_estimates(latencies: Latencies) -> dict[str, Estimate]:
    """Expect the mean over a model's samples, layer by layer; of samples of one model, which have equally many layers."""
    samples: dict[str, list[Sample]] = {}
    for (model, _), one in latencies.items():
        samples.setdefault(model, []).append(one)
    made = {}
    for model, own in samples.items():
        time_ns = _all_ns(np.mean([one.latency_s for one in own], axis=0).tolist())
        sparsity = np.mean([one.sparsity for one in own], axis=0)
        made[model] = Estimate(time_ns, time_ns, np.where(sparsity < 1.0, sparsity, np.nan))
    return made


class _Layers:
    """Rows of layers that belong to somebody, from 0 on without gaps."""

    def __init__(self, file: str, owner: tuple[str, ...], readers: dict[str, _Reader], required: tuple[str, ...]) -> None:
        self.file, self.readers = file, readers
        self.faults: list[str] = []
        self.rows: dict[Any, dict[int, dict[str, Any]]] = {}
        self.first: dict[Any, Place] = {}
        names = (*owner, "layer")
        for _, row, place in csv_rows(file, None, (*names, *required), self.faults):
            key = [_read(self.faults, row, place, name, _LAYER if name == "layer" else _NAME) for name in names]
            wanted = {name: one for name, one in readers.items() if name in required or row.get(name) is not None}
            values = {name: _read(self.faults, row, place, name, reader) for name, reader in wanted.items()}
            if None not in key:
                self._add(tuple(key[:-1]), key[-1], values, place)

    def _add(self, owner: Any, layer: int, values: dict[str, Any], place: Place) -> None:
        own = self.rows.setdefault(owner, {})
        self.first.setdefault(owner, place)
        if layer in own:
            self.faults.append(f"{place('layer')}: layer {layer} of {_told(owner)} stands in the table already")
        own[layer] = values

    def by_owner(self) -> dict[Any, dict[str, list[Any]]]:
        """Columns of each owner's layers in order."""
        for owner, own in self.rows.items():
            missing = next((layer for layer in range(len(own)) if layer not in own), None)
            if missing is not None:
                place = self.first[owner]
                self.faults.append(f"{place('layer')}: {_told(owner)} has {len(own)} layers, but not layer {missing}; they count from 0")
        n_layers: dict[str, int] = {}
        for owner, own in self.rows.items():
            if n_layers.setdefault(owner[0], len(own)) != len(own):
                place = self.first[owner]
                self.faults.append(
                    f"{place('model')}: {_told(owner)} has {len(own)} layers; the model's samples before it have {n_layers[owner[0]]}"
                )
        _refuse(self.file, self.faults, list(self.rows))
        return {
            owner: {name: [own[layer].get(name) for layer in range(len(own))] for name in self.readers} for owner, own in self.rows.items()
        }


def _told(owner: tuple[str, ...]) -> str:
    return f"model {owner[0]!r:.60}" + "".join(f", sample {one!r:.60}" for one in owner[1:])


def _refuse(file: str, faults: list[str], found: list[Any]) -> None:
    if not faults and not found:
        faults.append(f"{file}: has no rows")
    if faults:
        raise InputError(capped(faults, file))


# ---- Cells

_Reader = tuple[Callable[[Any], Any], str]


def _read(faults: list[str], row: dict[str, str | None], place: Place, column: str, reader: _Reader) -> Any:
    """The value of a cell; None when it is at fault, or its column is missing, which was told before."""
    if column not in row:
        return None
    read, expected = reader
    try:
        return read(row[column])
    except RangeError as error:
        expected = str(error)
    except (ValueError, OverflowError):
        pass
    faults.append(f"{place(column)}: must be {expected}, got {shown(row[column])}")
    return None


def _ns(time_s: float) -> int:
    return rounded(time_s * 1e9)


def _all_ns(times_s: list[float]) -> np.ndarray:
    return np.array([_ns(one) for one in times_s], dtype=np.int64)


def _or_nan(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if one is None else one for one in values])


def _within(least: float, most: float, *, is_open: bool = False) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        parsed = float(number(value))
        if not least <= parsed <= most or (is_open and parsed == most):
            raise ValueError
        return parsed

    return read


def _name(value: Any) -> str:
    if value is None or not value.strip():
        raise ValueError
    return str(value.strip())


def _integer(most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        parsed = number(value)
        if parsed != int(parsed) or not 0 <= parsed <= most:
            raise ValueError
        return int(parsed)

    return read


def _latency_s(value: Any) -> float:
    parsed = float(number(value))
    if parsed <= 0:
        raise ValueError
    if not 1 <= _ns(parsed) <= MAX_S * 1e9:
        raise RangeError(f"a time that rounds to at least 1 ns and is at most {MAX_S:,.0f} s")
    return parsed


_NAME: _Reader = (_name, "a name")
_TIME: _Reader = (_within(0.0, MAX_S), f"a time from 0 to {MAX_S:,.0f} s")
_LATENCY: _Reader = (_latency_s, "a time greater than 0 s")
_POSITIVE = _LATENCY
_PRIORITY: _Reader = (_integer(MAX_PRIORITY), f"an integer from 0 to {MAX_PRIORITY}")
_LAYER: _Reader = (_integer(10**6), "an integer from 0 on")
_SPARSITY: _Reader = (_within(0.0, 1.0), "a number from 0 to 1")
_AVERAGE: _Reader = (_within(0.0, 1.0, is_open=True), "a number from 0 to below 1")
