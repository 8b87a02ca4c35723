"""The runs of a study in their order: cells, and in each its policies and seeds.

A cell is a scenario on a platform with certain settings. Settings that concern policies only vary fastest, so that cells of one
compiled problem follow one another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rtsched.policies.registry import ROLES
from rtsched.study.sweep.model import Study

__all__ = ["Cell", "Grid", "Probe"]


MAX_PROBED = 1000
"""Values of an axis that are tried before the first run; a value that cannot be set ends the study when its turn comes."""


class Cell(NamedTuple):
    """What the runs of some policies over some seeds have in common.

    Attributes
    ----------
    scenario : str
    platform : str or None
        None: the scenario's own.
    settings : mapping of path to value
        Of the scenario and the platform.
    of_policies : mapping of path to value
        Of roles; each holds for the policies that have it.
    """

    scenario: str
    platform: str | None
    settings: Mapping[str, Any]
    of_policies: Mapping[str, Any]


class Probe(NamedTuple):
    """A cell to try.

    Attributes
    ----------
    cell : Cell
    places : mapping of path of a setting to path in the study
        Where each value stands.
    """

    cell: Cell
    places: Mapping[str, tuple[str | int, ...]]


_Named = dict[str, tuple[Any, tuple[str | int, ...]]]
"""What a part of a study sets: path to value and where it stands."""


class Grid:
    """Cells of a study by number, and runs by place.

    Parameters
    ----------
    study : Study

    Attributes
    ----------
    study : Study
    n_cells, n_policies, n_seeds : int
        A run's place is (cell * n_policies + policy) * n_seeds + number of the seed.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        points = [axis.points() for axis in study.axes]
        points += [list(study.points)] if study.points else []
        points += [study.sample.points()] if study.sample is not None else []
        points.sort(key=_concerns_policies_only)  # stable: otherwise as in the file
        self._pairs = list(itertools.product(study.scenarios, study.platforms or (None,)))
        self._points: list[Sequence[Mapping[str, Any]]] = [*points]
        self._shape = (len(self._pairs), *map(len, points))
        self.n_cells = math.prod(self._shape)
        self.n_policies = len(study.policies)
        self.n_seeds = len(study.seed_list)

    @property
    def n_runs(self) -> int:
        """Of the whole study."""
        return self.n_cells * self.n_policies * self.n_seeds

    def cell(self, number: int) -> Cell:
        """A cell by its number."""
        chosen = []
        for size in reversed(self._shape):
            number, place = divmod(number, size)
            chosen.append(place)
        pair, *others = reversed(chosen)
        return self._cell(pair, others)

    def cells(self) -> Iterator[Cell]:
        """All cells, by number."""
        for pair, *chosen in itertools.product(*map(range, self._shape)):
            yield self._cell(pair, chosen)

    def coordinates(self, number: int) -> dict[str, Any]:
        """Path to value of what is varied in a cell; a path that the cell does not set is not there."""
        cell = self.cell(number)
        return {**cell.settings, **cell.of_policies}

    def probes(self) -> Iterator[Probe]:
        """Cells that together have every pair and every value that the file names; all else is as the file names it first.

        Of ranges the ends are there: what is drawn lies between. Of an axis, and of points, the first `MAX_PROBED`.
        """
        factors = self._named()
        chosen = [[one[0] for one in factors]]
        for one in factors:
            chosen += [[*(other[0] for other in factors if other is not one), value] for value in one[1:MAX_PROBED]]
        for parts in chosen:
            named = {path: found for part in parts for path, found in part.items()}
            settings = {path: value for path, (value, _) in named.items()}
            places = {path: place for path, (_, place) in named.items()}
            for scenario, platform in self._pairs:
                yield Probe(_sorted(scenario, platform, settings), places)

    def _named(self) -> list[list[_Named]]:
        """What each axis, the points and each range set."""
        study = self.study
        found: list[list[_Named]] = []
        for i, axis in enumerate(study.axes):
            found.append([{axis.path: (value, ("axes", i, "values", j))} for j, value in enumerate(axis.values[:MAX_PROBED])])
        if study.points:
            points = enumerate(study.points[:MAX_PROBED])
            found.append([{path: (value, ("points", i, path)) for path, value in point.items()} for i, point in points])
        for i, one in enumerate(study.sample.over if study.sample is not None else ()):
            found.append([{one.path: (value, ("sample", "over", i, end))} for end, value in one.ends.items()])
        return found

    def _cell(self, pair: int, chosen: Sequence[int]) -> Cell:
        settings: dict[str, Any] = {}
        for place, points in zip(chosen, self._points, strict=True):
            settings |= points[place]
        return _sorted(*self._pairs[pair], settings)


def _is_of_policy(path: str) -> bool:
    """Whether a setting belongs to a role of the policy."""
    return path.partition(".")[0] in ROLES


def _concerns_policies_only(points: Sequence[Mapping[str, Any]]) -> bool:
    return all(_is_of_policy(path) for point in points for path in point)


def _sorted(scenario: str, platform: str | None, settings: Mapping[str, Any]) -> Cell:
    of_policies = {path: value for path, value in settings.items() if _is_of_policy(path)}
    return Cell(scenario, platform, {path: value for path, value in settings.items() if path not in of_policies}, of_policies)
