"""The platforms that a search looks at: a full grid of variations of one platform."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, TypeVar

import numpy as np

from rtsched._core.cost import UNIT_PES
from rtsched.cost.dataflow import DataflowCost
from rtsched.errors import FaultList, InputError, quoted
from rtsched.platform.platform import MAX_ACCELERATORS, Accelerator, Platform, Reference

__all__ = ["DATAFLOWS", "MAX_CANDIDATES", "Candidate", "Space", "space_of"]

ValueT = TypeVar("ValueT", int, float)

DATAFLOWS = tuple(UNIT_PES)
"""Known ones, in the order of a candidate's arrays."""

MAX_CANDIDATES = 50_000
"""So many take an hour; more are a mistake."""

MAX_PES, MAX_SRAM_KIB, MAX_NOC, MAX_RATE = 2**24, 2**30, 2**24, 1e6
"""The largest values of `DataflowCost` and `Memory`; the last one is of GB/s and of MHz."""

DEFAULT_PARTS = (8, 4, 2, 1)
"""An array has the PEs of the largest one of the platform, divided by these."""

DEFAULT_ACCELERATORS = 3
"""The most that are tried unless more are asked for: mixes of four take ten times as long."""

DEFAULT_BANDWIDTHS = (0.5, 1.0)
"""Times the platform's."""


@dataclass(frozen=True)
class Candidate:
    """A platform of the grid.

    Attributes
    ----------
    arrays : tuple of (dataflow, PEs)
        Its accelerators: by dataflow, in the order of `DATAFLOWS`, then by size, the largest first.
    bandwidth_gb_per_s : float
        Peak of the DRAM.
    clock_mhz : float
        Of every array.
    base : Platform
        What everything else is taken from.
    """

    arrays: tuple[tuple[str, int], ...]
    bandwidth_gb_per_s: float
    clock_mhz: float
    base: Platform = field(repr=False, compare=False)

    @property
    def n_pes(self) -> int:
        """Processing elements of all arrays."""
        return sum(pes for _, pes in self.arrays)

    @property
    def size(self) -> tuple[int, float, float]:
        """What makes a platform smaller than another: fewer PEs, then less bandwidth, then a lower clock."""
        return self.n_pes, self.bandwidth_gb_per_s, self.clock_mhz

    @property
    def mix(self) -> str:
        """Its arrays in words, such as ``ws 1024 + 2 x os 512``."""
        counts = {one: self.arrays.count(one) for one in dict.fromkeys(self.arrays)}
        return " + ".join(f"{f'{n} x ' if n > 1 else ''}{dataflow} {pes}" for (dataflow, pes), n in counts.items())

    @property
    def name(self) -> str:
        """Of the platform."""
        return f"{self.mix.replace(' + ', '_').replace(' ', '')}_{self.bandwidth_gb_per_s:g}gbps_{self.clock_mhz:g}mhz"

    @property
    def platform(self) -> Platform:
        """The platform. Buffers and NoC follow the PEs of the array that is the pattern, its idle power the clock too."""
        accelerators: list[Accelerator] = []
        for dataflow, pes in self.arrays:
            n_before = sum(one.name.startswith(dataflow) for one in accelerators)
            accelerators.append(_scaled(_pattern(self.base, dataflow), f"{dataflow}{n_before}", dataflow, pes, self.clock_mhz))
        changes = {
            "name": self.name,
            "description": f"found from {self.base.name}: {self.mix}, {self.bandwidth_gb_per_s:g} GB/s, {self.clock_mhz:g} MHz",
            "accelerators": tuple(accelerators),
            "memory": self.base.memory.model_copy(update={"peak_gb_per_s": self.bandwidth_gb_per_s}),
            "reference": Reference(),
        }
        return self.base.model_copy(update=changes)


@dataclass(frozen=True)
class Space:
    """The grid.

    Attributes
    ----------
    base : Platform
    pes : tuple of int
        Of an array.
    dataflows : tuple of str
    bandwidth_gb_per_s, clock_mhz : tuple of float
    accelerators : tuple of int
        How many arrays a platform has.
    """

    base: Platform
    pes: tuple[int, ...]
    dataflows: tuple[str, ...]
    bandwidth_gb_per_s: tuple[float, ...]
    clock_mhz: tuple[float, ...]
    accelerators: tuple[int, ...]

    @property
    def types(self) -> list[tuple[str, int]]:
        """Kinds of arrays; one that is smaller than the unit of its dataflow is none."""
        sizes = sorted(self.pes, reverse=True)
        tiles = {dataflow: _pattern(self.base, dataflow).tiles for dataflow in self.dataflows}
        return [(one, pes) for one in self.dataflows for pes in sizes if pes // tiles[one] >= UNIT_PES[one]]

    @property
    def n_candidates(self) -> int:
        """How many platforms it has; order makes no difference between two."""
        n_types = len(self.types)
        n_mixes = sum(math.comb(n_types + n - 1, n) for n in self.accelerators) if n_types else 0
        return n_mixes * len(self.bandwidth_gb_per_s) * len(self.clock_mhz)

    def candidates(self) -> list[Candidate]:
        """All of them, the smallest first; of equal size as their arrays come in the grid."""
        return sorted(self._all(), key=lambda one: one.size)

    def _all(self) -> Iterator[Candidate]:
        for n in self.accelerators:
            for arrays in combinations_with_replacement(self.types, n):
                for bandwidth in self.bandwidth_gb_per_s:
                    for clock in self.clock_mhz:
                        yield Candidate(arrays, bandwidth, clock, self.base)

    def to_dict(self) -> dict[str, Any]:
        """Its lists, ready for JSON."""
        names = ("pes", "dataflows", "bandwidth_gb_per_s", "clock_mhz", "accelerators")
        return {name: list(getattr(self, name)) for name in names}


def space_of(base: Platform, given: Mapping[str, Sequence[Any] | None]) -> Space:
    """Make the grid around a platform.

    Parameters
    ----------
    base : Platform
        Its accelerators have analytical dataflows.
    given : mapping of str to sequence
        ``pes``, ``dataflows``, ``bandwidth_gb_per_s``, ``clock_mhz`` and ``accelerators``; None, or not there, for the default.

    Raises
    ------
    InputError
        Every fault at once: the platform has other cost models, a value is out of range or there twice, or there are too many
        candidates or none.
    """
    faults = FaultList()
    for one in base.accelerators:
        if not isinstance(one.cost, DataflowCost):
            kind = f"its accelerator {quoted(one.name)} has the cost model {one.cost.model!r}"
            faults.add(f"platform {quoted(base.name)}: {kind}; only arrays of the model 'dataflow' can be scaled")
    faults.report()
    largest = max(_cost(one).pes for one in base.accelerators)
    defaults = {
        "pes": sorted({max(1, largest // part) for part in DEFAULT_PARTS}),
        "dataflows": DATAFLOWS,
        "bandwidth_gb_per_s": [part * base.memory.peak_gb_per_s for part in DEFAULT_BANDWIDTHS],
        "clock_mhz": [max(_cost(one).clock_mhz for one in base.accelerators)],
        "accelerators": range(1, min(len(base.accelerators), DEFAULT_ACCELERATORS) + 1),
    }
    wanted = {name: tuple(default if given.get(name) is None else given[name] or ()) for name, default in defaults.items()}
    found = Space(
        base=base,
        pes=faults.of(_numbers, "pes", wanted["pes"], MAX_PES, is_whole=True) or (),
        dataflows=faults.of(_dataflows, wanted["dataflows"]) or (),
        bandwidth_gb_per_s=faults.of(_numbers, "bandwidth", wanted["bandwidth_gb_per_s"], MAX_RATE) or (),
        clock_mhz=faults.of(_numbers, "clock", wanted["clock_mhz"], MAX_RATE) or (),
        accelerators=faults.of(_numbers, "accelerators", wanted["accelerators"], MAX_ACCELERATORS, is_whole=True) or (),
    )
    faults.report()
    n = found.n_candidates
    if n == 0:
        units = ", ".join(f"{UNIT_PES[one]} for {one}" for one in found.dataflows)
        raise InputError(f"pes: no array is as large as a unit of its dataflow on each tile, which has {units}")
    if n > MAX_CANDIDATES:
        raise InputError(f"{n:,} candidates are more than {MAX_CANDIDATES:,}; narrow pes, dataflows, bandwidth, clock or accelerators")
    return found


def _numbers(name: str, values: Sequence[Any], most: ValueT, *, is_whole: bool = False) -> tuple[ValueT, ...]:
    """Check values of the grid and sort them."""
    faults = FaultList()
    if not values:
        faults.add(f"{name}: give at least one value")
    kind = "a whole number from 1 to" if is_whole else "a number greater than 0 and at most"
    types = (int, np.integer) if is_whole else (int, float, np.integer, np.floating)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, types) or not 0 < value <= most:
            faults.add(f"{name}: must be {kind} {most:,.0f}, got {value!r:.60}")
    faults.report()
    found = sorted((int if is_whole else float)(value) for value in values)
    for value in dict.fromkeys(one for one in found if found.count(one) > 1):
        faults.add(f"{name}: {value:g} is there twice")
    faults.report()
    return tuple(found)  # type: ignore[arg-type]


def _dataflows(values: Sequence[Any]) -> tuple[str, ...]:
    faults = FaultList()
    if not values:
        faults.add("dataflows: give at least one value")
    for value in values:
        if value not in DATAFLOWS:
            faults.add(f"dataflows: must be of {', '.join(DATAFLOWS)}, got {value!r:.60}")
    for value in dict.fromkeys(str(one) for one in values if list(values).count(one) > 1):
        faults.add(f"dataflows: {value!r:.60} is there twice")
    faults.report()
    return tuple(one for one in DATAFLOWS if one in values)


def _pattern(base: Platform, dataflow: str) -> Accelerator:
    """The array that one of a dataflow is scaled from: the largest of that dataflow, or else the largest of all."""
    same = [one for one in base.accelerators if _cost(one).dataflow == dataflow]
    return max(same or base.accelerators, key=lambda one: _cost(one).pes)


def _scaled(pattern: Accelerator, name: str, dataflow: str, pes: int, clock_mhz: float) -> Accelerator:
    """An array with as much buffer, NoC and idle power for each PE as the pattern has."""
    cost = _cost(pattern)
    size, speed = pes / cost.pes, clock_mhz / cost.clock_mhz
    changes = {
        "dataflow": dataflow,
        "pes": pes,
        "clock_mhz": clock_mhz,
        "sram_kib": min(max(1, round(cost.sram_kib * size)), MAX_SRAM_KIB),
        "noc_elements_per_cycle": min(max(1, round(cost.noc_elements_per_cycle * size)), MAX_NOC),
    }
    update = {"name": name, "cost": cost.model_copy(update=changes), "idle_power_w": pattern.idle_power_w * size * speed}
    return pattern.model_copy(update=update)


def _cost(one: Accelerator) -> DataflowCost:
    assert isinstance(one.cost, DataflowCost)
    return one.cost
