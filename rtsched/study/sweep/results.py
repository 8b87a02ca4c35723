"""What is there of a study: every metric of every run, by cell, policy and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsched.frames import Frames
from rtsched.metrics import SCALARS
from rtsched.study.store import Store
from rtsched.study.sweep.grid import Grid
from rtsched.study.sweep.model import Study
from rtsched.study.sweep.studies import Studies

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["StudyRuns"]


@dataclass(frozen=True, eq=False)
class StudyRuns(Frames):
    """The runs of a study that a store has.

    A cell is a scenario on a platform with certain settings; `grid` says which.

    Attributes
    ----------
    grid : Grid
    platforms : mapping of scenario to str
        Names of the platforms that scenarios name, for studies without platforms.
    metrics : tuple of str
        Names in `rtsched.metrics.SCALARS`.
    values : ndarray of float64, shape (n_metrics, n_cells, n_policies, n_seeds)
        NaN where undefined or not there.
    is_there : ndarray of bool, shape (n_cells, n_policies, n_seeds)
    """

    grid: Grid = field(repr=False)
    platforms: Mapping[str, str]
    metrics: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    is_there: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def read(cls, store: Store, name: str | None = None, metrics: Sequence[str] | None = None) -> StudyRuns:
        """Read a study from a store.

        Parameters
        ----------
        store : Store
        name : str, optional
            Default: the only one.
        metrics : sequence of str, optional
            Names in `rtsched.metrics.SCALARS`; others are left out. None of them: those that the study names. Default: all.

        Raises
        ------
        rtsched.errors.InputError
            The store has no such study, or several.
        """
        wanted = [one for one in (SCALARS if metrics is None else metrics) if one in SCALARS]
        found = Studies(store).members(name, wanted)
        grid = Grid(found.study)
        shape = (grid.n_cells, grid.n_policies, grid.n_seeds)
        values = np.full((len(found.metrics), grid.n_runs), np.nan)
        is_there = np.zeros(grid.n_runs, dtype=bool)
        values[:, found.places], is_there[found.places] = found.values, True
        return cls(grid, found.platforms, found.metrics, values.reshape(-1, *shape), is_there.reshape(shape))

    @property
    def study(self) -> Study:
        """What was asked for."""
        return self.grid.study

    @property
    def is_complete(self) -> bool:
        """Whether every run is there."""
        return bool(self.is_there.all())

    @cached_property
    def whole(self) -> NDArray[np.int64]:
        """Numbers of the cells of which every run is there; only these are compared, so that all policies have the same."""
        return np.flatnonzero(self.is_there.all(axis=(1, 2)))

    def platform(self, cell: int) -> str:
        """The name of a cell's platform."""
        found = self.grid.cell(cell)
        return self.platforms[found.scenario] if found.platform is None else found.platform

    def columns(self) -> dict[str, NDArray[Any]]:
        """A row for each run that is there, in the order of the study: the columns of ``rtsched study export``.

        ``scenario``, ``platform``, ``policy``, a column for each path that is varied, ``seed``, and one for each metric, NaN where
        it is undefined. A path's column holds numbers when all of its values are numbers, else text: what is no text as JSON,
        nothing where a cell does not set it.
        """
        grid = self.grid
        places = np.flatnonzero(self.is_there)
        cell, rest = np.divmod(places, grid.n_policies * grid.n_seeds)
        policy, seed = np.divmod(rest, grid.n_seeds)
        cells = list(grid.cells())
        platforms = [self.platforms[one.scenario] if one.platform is None else one.platform for one in cells]
        found: dict[str, NDArray[Any]] = {
            "scenario": np.array([one.scenario for one in cells], dtype=object)[cell],
            "platform": np.array(platforms, dtype=object)[cell],
            "policy": np.array(self.study.policies, dtype=object)[policy],
        }
        for path in self.study.paths:
            found[path] = _column([{**one.settings, **one.of_policies}.get(path, _UNSET) for one in cells])[cell]
        found["seed"] = np.array(self.study.seed_list, dtype=np.uint64)[seed]
        flat = self.values.reshape(len(self.metrics), -1)
        return found | {name: flat[row, places] for row, name in enumerate(self.metrics)}

    def summary(self) -> RenderableType:
        """Tables of policies over all cells and in each, for ``rich.print`` and notebooks."""
        from rtsched.report.study import study_tables

        return study_tables(self)


_UNSET = object()


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """Values as numbers, if all of them are, else as text."""
    kinds = {type(one) for one in values}
    if kinds == {int} and all(-(2**63) <= one < 2**63 for one in values):
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.array(values, dtype=np.float64)
    return np.array([_text(one) for one in values], dtype=object)


def _text(value: Any) -> str:
    if value is _UNSET:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
