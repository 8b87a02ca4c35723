"""Results of a study by cell, and their ratios with intervals.

A cell holds the runs of one policy in one case (a load, a trigger probability, a setting) of one scenario on one platform, one
for each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtsched.study.intervals import Estimates, mean_intervals
from rtsched.study.runner import PlannedRun
from rtsched.study.stored import StoredRun

__all__ = ["Case", "Cell", "Pair", "Paired", "Ratio", "Stage", "paired", "paired_means", "ratios"]

Pair = tuple[str, str]
"""A scenario and a platform."""


class Cell(NamedTuple):
    """Which runs belong together."""

    case: str
    scenario: str
    platform: str
    policy: str

    @property
    def pair(self) -> Pair:
        """Its scenario and platform."""
        return (self.scenario, self.platform)


class Case(NamedTuple):
    """A planned run and what the study calls it."""

    case: str
    policy: str
    run: PlannedRun

    @property
    def cell(self) -> Cell:
        """Where its result belongs."""
        return Cell(self.case, self.run.scenario, self.run.platform, self.policy)


@dataclass(frozen=True, eq=False)
class Stage:
    """A part of a study, as far as it is done.

    Attributes
    ----------
    name, title : str
    n_planned : int
        Runs.
    runs : mapping of Cell to tuple of StoredRun
        Of each cell by ascending seed; cells in the order in which they were planned.
    """

    name: str
    title: str
    n_planned: int
    runs: Mapping[Cell, tuple[StoredRun, ...]]

    @classmethod
    def of(cls, name: str, title: str, cases: Sequence[Case], found: Sequence[StoredRun | None]) -> Stage:
        """Sort results, None where there is none yet, into cells.

        A case of a scenario on a platform is left out as a whole while one of its runs is missing, so that all policies are
        compared on the same.
        """
        by_cell: dict[Cell, list[StoredRun | None]] = {}
        for case, run in zip(cases, found, strict=True):
            by_cell.setdefault(case.cell, []).append(run)
        missing = {(cell.case, cell.pair) for cell, members in by_cell.items() if None in members}
        runs = {}
        for cell, members in by_cell.items():
            if (cell.case, cell.pair) not in missing:
                runs[cell] = tuple(sorted((one for one in members if one is not None), key=lambda one: one.label.seed))
        return cls(name, title, len(cases), runs)

    @property
    def is_complete(self) -> bool:
        """Whether every planned run is there."""
        return self.n_stored == self.n_planned

    @property
    def n_stored(self) -> int:
        """Runs of complete cells."""
        return sum(map(len, self.runs.values()))

    @property
    def cases(self) -> tuple[str, ...]:
        """Cases, in the order in which they were planned."""
        return tuple(dict.fromkeys(cell.case for cell in self.runs))

    @property
    def simulated_s(self) -> float:
        """Simulated time of all runs."""
        return sum(run.label.duration_s for runs in self.runs.values() for run in runs)

    @property
    def wall_s(self) -> float:
        """Wall time of all runs, one after the other, whenever they were run."""
        return sum(run.wall_s for runs in self.runs.values() for run in runs)

    def values(self, cell: Cell, metric: str) -> NDArray[np.float64]:
        """A metric of a cell by seed; ``accuracy`` is that of the subnets that ran."""
        return np.array([one.accuracy if metric == "accuracy" else one.scalars[metric] for one in self.runs[cell]])

    def mean(self, cell: Cell, metric: str) -> float:
        """Mean of a metric over the seeds for which it is defined; NaN when there are none."""
        values = self.values(cell, metric)
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else float("nan")

    def means(self, cells: Sequence[Cell], metric: str) -> Estimates:
        """Mean of a metric over seeds with its interval, for cells with equally many seeds."""
        return mean_intervals(np.array([self.values(cell, metric) for cell in cells]).T)

    def contested(self, cells: Iterable[Cell]) -> set[Pair]:
        """Pairs of which at least one cell has a missed deadline: only there does UXCost tell schedulers apart."""
        return {cell.pair for cell in cells if self.mean(cell, "violation_rate") > 0}


@dataclass(frozen=True)
class Ratio:
    """Geometric mean, over pairs and seeds, of one policy's metric over another's.

    Attributes
    ----------
    mean, low, high : float
        With the 95 % interval; NaN when there is nothing to compare.
    n_cells : int
        Cells of either side.
    least : float
        The smallest ratio of a cell (geometric mean over seeds).
    least_at : Cell or None
    most : float
        The largest one.
    most_at : Cell or None
    """

    mean: float
    low: float
    high: float
    n_cells: int
    least: float
    least_at: Cell | None
    most: float
    most_at: Cell | None


class Paired(NamedTuple):
    """Logarithms of ratios, shape (n_cells, n_seeds), and the cells above the line."""

    logs: NDArray[np.float64]
    cells: tuple[Cell, ...]


def paired(stage: Stage, metric: str, other_of: Callable[[Cell], Cell], chosen: Iterable[Cell]) -> Paired:
    """Divide cells by others, seed by seed; runs of one seed saw the same frames.

    Parameters
    ----------
    stage : Stage
    metric : str
    other_of : callable
        The cell that a cell is divided by.
    chosen : iterable of Cell
        Those whose other is not there are left out, and those for which a ratio is undefined.
    """
    kept: dict[Cell, NDArray[np.float64]] = {}
    for cell in chosen:
        if cell in stage.runs and other_of(cell) in stage.runs:
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.log(stage.values(cell, metric) / stage.values(other_of(cell), metric))
            if np.isfinite(logs).all():
                kept[cell] = logs
    return Paired(np.array(list(kept.values())), tuple(kept))


def paired_means(stage: Stage, metric: str, other_of: Callable[[Cell], Cell], chosen: Iterable[Cell]) -> Paired:
    """Divide means over the seeds, as for rates, which may be 0 under a seed.

    The logarithm of the ratio of two means is linearised in the seeds: log(mean x / mean y) + x / mean x - y / mean y has the former as
    its mean, and the spread that it has to first order.

    Parameters
    ----------
    stage, metric, other_of, chosen
        As for `paired`; cells are left out where one of the means is 0.
    """
    kept: dict[Cell, NDArray[np.float64]] = {}
    for cell in chosen:
        if cell in stage.runs and other_of(cell) in stage.runs:
            own, other = stage.values(cell, metric), stage.values(other_of(cell), metric)
            if own.mean() > 0 and other.mean() > 0:
                kept[cell] = np.log(own.mean() / other.mean()) + own / own.mean() - other / other.mean()
    return Paired(np.array(list(kept.values())), tuple(kept))


def ratios(found: Sequence[Paired]) -> list[Ratio]:
    """Take geometric means with their intervals.

    For each seed the logarithms are averaged over the cells; the interval is that of the mean of these averages over the seeds
    (`rtsched.study.intervals.mean_intervals`): seeds are resampled, scenarios and platforms are not.
    """
    nothing = Ratio(np.nan, np.nan, np.nan, 0, np.nan, None, np.nan, None)
    made = [nothing] * len(found)
    by_seeds: dict[int, list[int]] = {}
    for place, one in enumerate(found):
        if one.cells:
            by_seeds.setdefault(one.logs.shape[1], []).append(place)
    for places in by_seeds.values():
        # Together: one call for each takes 14 ms, and there are hundreds.
        means = mean_intervals(np.array([found[place].logs.mean(axis=0) for place in places]).T)
        for column, place in enumerate(places):
            logs, cells = found[place]
            by_cell = logs.mean(axis=1)
            least, most = int(np.argmin(by_cell)), int(np.argmax(by_cell))
            mean, low, high = (float(np.exp(part[column])) for part in (means.mean, means.low, means.high))
            ends = (float(np.exp(by_cell[least])), cells[least], float(np.exp(by_cell[most])), cells[most])
            made[place] = Ratio(mean, low, high, len(cells), *ends)
    return made
