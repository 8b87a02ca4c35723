"""onnxruntime's profiles: the time that every node took.

References
----------
The format is what onnxruntime 1.32.0 writes with ``SessionOptions.enable_profiling``, one event per line (Chrome's trace
events): ``cat`` is ``Node`` and the name ``NODE_kernel_time`` for the work of a node, ``dur`` whole µs; ``model_run`` of ``cat``
``Session`` follows on the nodes of each run. A node without a name is called ``OP_INDEX`` there, INDEX being its place among
the nodes of the file that are no constants.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rtsched._csv import is_text, read_text, shown
from rtsched.cost.table import CostTable
from rtsched.errors import InputError
from rtsched.interop.costs import LayerCost, Rows, Target, quantity

__all__ = ["load_onnxruntime"]

KERNEL = "_kernel_time"
RUN = "model_run"
NS_PER_US = 1_000
BELOW_RESOLUTION_NS = 500
"""What stands for the 0 µs of a node that takes less than one."""

_BLANKS = frozenset(" \t\r\n")
NEWLINE = "\n"
ENDS = "ends too early; was the session ended?"


@dataclass(frozen=True)
class _Event:
    """A time in a profile: of a node, or of a whole run."""

    node: str
    us: float
    start_us: float
    is_run: bool
    place: str


def load_onnxruntime(profile: str | os.PathLike[str], target: Target, *, onnx: str | os.PathLike[str] | None = None) -> CostTable:
    """Read the profile of a session.

    A layer's latency is the median over the runs of the time of its node, in a run that executes a node several times their
    sum. A profile says nothing of DRAM traffic and energy; these are 0. What stands after the last complete run is left aside.

    Parameters
    ----------
    profile : str or path
        The file that ``InferenceSession.end_profiling`` names.
    target : Target
    onnx : str or path, optional
        The model that was profiled. Nodes without a name are then called as `rtsched.interop.onnx.load_onnx` calls them.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``profile.json:7:1 dur: message``.
    """
    file = os.fspath(profile)
    names = {} if onnx is None else _unnamed(Path(onnx))
    rows = Rows(file)
    times_us, first = _times(file, rows.faults)
    rows.report()
    for node, times in times_us.items():
        layer = names.get(node, node)
        if rows.claim(layer, first[node]):
            rows.add(LayerCost(layer, median(times) * NS_PER_US or BELOW_RESOLUTION_NS), first[node])
    return rows.table(target)


def _times(file: str, faults: list[str]) -> tuple[dict[str, list[float]], dict[str, str]]:
    """The times of every node, one per run that it was part of, and the place of its first event."""
    times_us: dict[str, list[float]] = {}
    first: dict[str, str] = {}
    run_us: dict[str, float] = {}
    end_us = -1.0
    for event in _events(file, faults):
        if not event.is_run:
            run_us[event.node] = run_us.get(event.node, 0.0) + event.us
            first.setdefault(event.node, event.place)
            continue
        if event.start_us < end_us:
            faults.append(f"{event.place}: this run begins before the one before it ends; profile runs one after the other")
        end_us = event.start_us + event.us
        for node, us in run_us.items():
            times_us.setdefault(node, []).append(us)
        run_us.clear()
    if end_us < 0 and not faults:
        faults.append(f"{file}: has no complete run (an event {RUN!r} of the category 'Session')")
    return times_us, first


def _events(file: str, faults: list[str]) -> Iterator[_Event]:
    """The times of nodes and of runs, in the order of the file."""
    for place, value in _values(file):
        if not isinstance(value, dict):
            faults.append(f"{place}: must be an event, got {shown(value)}")
            continue
        name, category = value.get("name"), value.get("cat")
        is_run = category == "Session" and name == RUN
        if not (is_run or (category == "Node" and isinstance(name, str) and name.endswith(KERNEL))):
            continue
        node = str(name).removesuffix(KERNEL) if not is_run else RUN
        if not node.strip() or not is_text(node):
            faults.append(f"{place} name: must name a node, got {shown(name)}")
            continue
        before = len(faults)
        us, start_us = (quantity(value.get(key), f"{place} {key}", faults) for key in ("dur", "ts"))
        if len(faults) == before:
            yield _Event(node, us, start_us, is_run, place)


def _values(file: str) -> Iterator[tuple[str, Any]]:
    """The members of the list that a file of JSON holds, each with its place."""
    cursor = _Cursor(file)
    if cursor.character != "[":
        raise InputError(f"{file}:1:1: must be a list of events, as onnxruntime writes it")
    cursor.move(cursor.at + 1)
    is_more = cursor.character != "]"
    while is_more:
        yield cursor.place, cursor.value()
        if cursor.character not in (",", "]"):
            raise InputError(f"{cursor.place}: {'must have a comma or ] here' if cursor.character else ENDS}")
        is_more = cursor.character == ","
        cursor.move(cursor.at + is_more)
    cursor.move(cursor.at + 1)
    if cursor.character:
        raise InputError(f"{cursor.place}: must end after its list")


class _Cursor:
    """A place in a text."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._text = read_text(file)
        self._decoder = json.JSONDecoder()
        self._line, self._line_start = 1, 0
        self.at = 0
        self.move(0)

    @property
    def place(self) -> str:
        return f"{self._file}:{self._line}:{self.at - self._line_start + 1}"

    @property
    def character(self) -> str:
        """Empty at the end."""
        return self._text[self.at : self.at + 1]

    def move(self, to: int) -> None:
        """Go forward to `to`, and over the blanks there."""
        while self._text[to : to + 1] in _BLANKS:
            to += 1
        n_lines = self._text.count(NEWLINE, self.at, to)
        if n_lines:
            self._line += n_lines
            self._line_start = self._text.rfind(NEWLINE, self.at, to) + 1
        self.at = to

    def value(self) -> Any:
        """Read a value and go behind it."""
        try:
            value, end = self._decoder.raw_decode(self._text, self.at)
        except json.JSONDecodeError as error:
            why = ENDS if error.pos >= len(self._text.rstrip()) else f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
            raise InputError(f"{self._file}:{error.lineno}:{error.colno}: {why}") from error
        except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
            raise InputError(f"{self.place}: is not JSON that can be read: {shown(str(error))}") from error
        self.move(end)
        return value


def _unnamed(path: Path) -> Mapping[str, str]:
    """How a model's nodes without a name are called in a profile, and how the importer of models calls them."""
    from rtsched.interop.onnx import node_names

    operators = [(op, name, has_name) for op, name, has_name in node_names(path) if op != "Constant"]
    return {f"{op}_{index}": name for index, (op, name, has_name) in enumerate(operators) if not has_name}
