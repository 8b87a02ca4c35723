"""What the page of a study is about: its runs, with what has been computed of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtsched.metrics import SCALARS
from rtsched.report.html.comparison import FRACTIONS
from rtsched.report.palette import slots
from rtsched.report.study import coordinates, headings
from rtsched.report.text import digits, scale
from rtsched.study.intervals import Estimates
from rtsched.study.statistics import RankedValues, estimated
from rtsched.study.sweep.findings import Question, asked, ranked_cells
from rtsched.study.sweep.grid import Cell
from rtsched.study.sweep.results import StudyRuns
from rtsched.study.sweep.studies import Origin

__all__ = ["ALWAYS", "MAX_CELLS", "Pair", "StudySubject", "Unit", "rest_of"]

MAX_CELLS = 60
"""Cells that are shown by themselves."""

ALWAYS = ("violation_rate", "energy_j")
"""Metrics that the page shows, whatever the study names."""


@dataclass(frozen=True)
class Unit:
    """In what a metric is written.

    Attributes
    ----------
    divisor : float
    name : str
        Empty for pure numbers.
    """

    divisor: float
    name: str

    @classmethod
    def of(cls, metric: str, values: NDArray[np.float64]) -> Unit:
        """One in which these values are short."""
        finite = np.abs(values[np.isfinite(values)])
        largest = float(finite.max()) if finite.size else 0.0
        scalar = SCALARS[metric]
        if metric in FRACTIONS:
            return cls(0.01, "%")
        if scalar.unit == "ns":
            divisor, prefix = scale(largest * 1e-9)
            return cls(divisor * 1e9, f"{prefix}s")
        if scalar.unit == "J":
            divisor, prefix = scale(largest)
            return cls(divisor, f"{prefix}J")
        return cls(1.0, scalar.unit)

    def titled(self, metric: str) -> str:
        """A metric with its unit."""
        return f"{metric}, {self.name}" if self.name else metric

    def mean(self, found: Estimates) -> str:
        """One mean."""
        return digits(float(found.mean) / self.divisor)

    def interval(self, found: Estimates) -> str:
        """Its interval; nothing where there is none."""
        low, high = float(found.low) / self.divisor, float(found.high) / self.divisor
        return f"{digits(low)} to {digits(high)}" if np.isfinite(low) else ""

    def both(self, found: Estimates) -> str:
        """One mean with its interval."""
        interval = self.interval(found)
        return f"{self.mean(found)} ({interval})" if interval else self.mean(found)


@dataclass(frozen=True)
class Pair:
    """A scenario on a platform.

    Attributes
    ----------
    label : str
        Empty where the study has only one.
    cells : tuple of int
        Those of which every run is there.
    """

    label: str
    cells: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class StudySubject:
    """A study, and what is told of it.

    Attributes
    ----------
    question : Question
        The metrics of the study, and the baseline.
    origin : Origin
    source : str
        The store's name.
    cells : tuple of int
        Cells that are shown by themselves: the first ones of which runs are there.
    ranked : tuple of RankedValues
        Of these cells.
    """

    question: Question
    origin: Origin
    source: str
    cells: tuple[int, ...]
    ranked: tuple[RankedValues, ...]

    @classmethod
    def of(cls, runs: StudyRuns, origin: Origin, source: str, progress: Callable[[int, int], None] | None = None) -> StudySubject:
        """Rank the policies in the cells that are shown.

        Parameters
        ----------
        runs : StudyRuns
            With the metrics of the study, and those of `ALWAYS`.
        origin : Origin
        source : str
        progress : callable, optional
            Called with how many cells are done, of how many.
        """
        question = asked(runs)
        cells = np.flatnonzero(runs.is_there.any(axis=(1, 2)))[:MAX_CELLS].tolist()
        ranked = []
        for _, one in ranked_cells(question, question.metrics, cells):
            _ = one.ranks
            ranked.append(one)
            if progress is not None:
                progress(len(ranked), len(cells))
        return cls(question, origin, source, tuple(cells), tuple(ranked))

    @property
    def runs(self) -> StudyRuns:
        """The runs."""
        return self.question.runs

    @property
    def policies(self) -> tuple[str, ...]:
        """Of the study."""
        return self.question.policies

    @cached_property
    def colours(self) -> list[int]:
        """Numbers of the policies' colours."""
        return slots(self.policies)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the study, and those that are always shown."""
        return tuple(dict.fromkeys([*self.question.metrics, *ALWAYS]))

    def values(self, metric: str) -> NDArray[np.float64]:
        """By cell, policy and seed."""
        found: NDArray[np.float64] = self.runs.values[self.runs.metrics.index(metric)]
        return found

    def over_cells(self, metric: str, cells: Sequence[int] | NDArray[np.int64]) -> Estimates:
        """Means over cells and seeds with their intervals over seeds, by policy; a seed counts where every cell has a value."""
        return estimated(self.values(metric)[np.asarray(cells)].mean(axis=0))

    @cached_property
    def places(self) -> list[Cell]:
        """Every cell of the study."""
        return list(self.runs.grid.cells())

    def is_whole(self, cell: int) -> bool:
        """Whether every run of a cell is there."""
        return bool(self.runs.is_there[cell].all())

    def where(self, cell: int) -> str:
        """What tells a cell from the others."""
        told = zip(headings(self.runs), coordinates(self.runs, cell), strict=True)
        parts = [f"{key} {value}" for key, value in told if str(value)]
        return ", ".join(parts) or f"{self.places[cell].scenario} on {self.runs.platform(cell)}"

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every scenario on every platform, with its whole cells; without those that have none."""
        found: dict[str, list[int]] = {}
        for cell in self.runs.whole.tolist():
            found.setdefault(f"{self.places[cell].scenario} on {self.runs.platform(cell)}", []).append(cell)
        n_pairs = len({(one.scenario, one.platform) for one in self.places})
        return [Pair(label if n_pairs > 1 else "", tuple(cells)) for label, cells in found.items()]


def rest_of(cell: Cell, path: str) -> str:
    """All settings of a cell but one, as text."""
    others = {key: value for key, value in {**cell.settings, **cell.of_policies}.items() if key != path}
    return json.dumps(others, sort_keys=True)
