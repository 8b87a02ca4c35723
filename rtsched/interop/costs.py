"""Costs that another tool computed or measured, on their way into a cost table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rtsched._csv import capped, number, shown
from rtsched.cost.rows import EXACT, MAX_JOULE, SPLIT_ENERGY
from rtsched.cost.table import CostTable
from rtsched.errors import InputError, short
from rtsched.workload.layer import Measured
from rtsched.workload.model import Model

__all__ = ["LayerCost", "Rows", "Target", "dump_costs", "measured_model", "period_ns", "quantity"]

MAX_MHZ = 1e6

_OPTIONAL = {"tiles": 1, "dram_bytes": 0, "l2_bytes": 0, **dict.fromkeys(SPLIT_ENERGY, 0.0)}
"""Columns that are left out where every cell is at its default."""


@dataclass(frozen=True)
class Target:
    """Whose costs the rows of a table are.

    Attributes
    ----------
    model, accelerator : str
    tiles : int
        On how many of its tiles, 1 to 64.
    """

    model: str
    accelerator: str
    tiles: int = 1


@dataclass(frozen=True)
class LayerCost:
    """What a layer costs; None where the tool does not say.

    Attributes
    ----------
    layer : str
    latency_ns : float
        Alone, memory traffic included.
    dram_bytes : float, optional
    energy_mac_j, energy_sram_j, energy_dram_j : float, optional
    energy_j : float, optional
        All of it, where its parts are not known.
    """

    layer: str
    latency_ns: float
    dram_bytes: float | None = None
    energy_mac_j: float | None = None
    energy_sram_j: float | None = None
    energy_dram_j: float | None = None
    energy_j: float | None = None


class Rows:
    """Costs as they are read, each layer once, and their faults.

    Parameters
    ----------
    source : str
        What messages call the file or the files.
    """

    def __init__(self, source: str) -> None:
        self.faults: list[str] = []
        self._source = source
        self._costs: list[LayerCost] = []
        self._first: dict[str, str] = {}

    def claim(self, layer: str, place: str) -> bool:
        """Whether the layer is new; else note a fault. `place` is ``file:line:column``."""
        first = self._first.setdefault(layer, place)
        if first != place:
            self.faults.append(f"{place}: layer {short(repr(layer))} stands at {first} already")
        return first == place

    def add(self, cost: LayerCost, place: str) -> None:
        """Keep the costs of a layer, or note why a table cannot hold them."""
        if not 0.5 <= cost.latency_ns <= EXACT:
            self.faults.append(f"{place}: layer {short(repr(cost.layer))} takes {cost.latency_ns:g} ns; must be 1 to 2^53 ns")
        elif cost.dram_bytes is not None and cost.dram_bytes > EXACT:
            self.faults.append(f"{place}: layer {short(repr(cost.layer))} moves {cost.dram_bytes:g} bytes; must be at most 2^53")
        elif any(part is not None and part > MAX_JOULE for part in (cost.energy_j, *(getattr(cost, one, None) for one in SPLIT_ENERGY))):
            self.faults.append(f"{place}: layer {short(repr(cost.layer))} takes more than {MAX_JOULE:,.0f} J")
        else:
            self._costs.append(cost)

    def report(self) -> None:
        """Raise the faults, if there are any.

        Raises
        ------
        rtsched.errors.InputError
        """
        if self.faults:
            raise InputError(capped(self.faults, self._source))

    def table(self, target: Target) -> CostTable:
        """Return the table.

        Raises
        ------
        rtsched.errors.InputError
            The faults, or that there are no layers.
        """
        if not self.faults and not self._costs:
            self.faults.append(f"{self._source}: has no layers")
        self.report()
        whose = {"model": target.model, "accelerator": target.accelerator, "tiles": target.tiles}
        return CostTable.from_rows([{**whose, **vars(cost)} for cost in self._costs], source=self._source)


def quantity(value: Any, place: str, faults: list[str]) -> float | int:
    """Check a number that another tool wrote: finite, 0 or greater; else note a fault and return NaN.

    Parameters
    ----------
    value : object
        Text or a number.
    place : str
        ``file:line:column name``.
    faults : list of str
        Appended to.
    """
    try:
        parsed = number(value)
        if parsed >= 0:
            float(parsed)
            return parsed
    except (ValueError, OverflowError):  # OverflowError: an integer beyond float64
        pass
    faults.append(f"{place}: must be a number, 0 or greater, got {shown(value)}")
    return math.nan


def period_ns(clock_mhz: float) -> float:
    """The length of a cycle.

    Raises
    ------
    rtsched.errors.InputError
    """
    if not 0 < clock_mhz <= MAX_MHZ:
        raise InputError(f"clock_mhz: must be greater than 0 and at most {MAX_MHZ:g} MHz, got {clock_mhz:g}")
    return 1e3 / clock_mhz


def dump_costs(table: CostTable) -> str:
    """Write a cost table as CSV; columns that hold nothing are left out.

    Parameters
    ----------
    table : CostTable

    Returns
    -------
    str
        `CostTable.from_csv` reads an equal table from it.

    Raises
    ------
    rtsched.errors.InputError
        A name cannot stand in a line of CSV.

    Examples
    --------
    >>> row = {"model": "eyes", "layer": "stem", "accelerator": "npu", "latency_ns": 620_000, "dram_bytes": 410_000}
    >>> print(dump_costs(CostTable.from_rows([row])), end="")
    model,layer,accelerator,latency_ns,dram_bytes
    eyes,stem,npu,620000,410000
    """
    rows = table.to_rows()
    broken = [one for row in rows for one in (row["model"], row["layer"], row["accelerator"]) if "\n" in one or "\r" in one]
    if broken:
        names = [short(repr(one)) for one in broken]
        raise InputError([f"{table.source}: the name {name} has a line break, which a cost table cannot hold" for name in names])
    names = [name for name in rows[0] if name not in _OPTIONAL or any(row[name] != _OPTIONAL[name] for row in rows)]
    text = StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def measured_model(name: str, layers: Sequence[str], source: str = "") -> Model:
    """A model of layers that have costs but no shape.

    Parameters
    ----------
    name : str
    layers : sequence of str
        In the order in which they run.
    source : str
        Where the costs come from.
    """
    return Model(name=name, source=source, layers=tuple(Measured(name=layer) for layer in layers))
