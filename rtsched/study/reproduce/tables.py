"""Tables of studies, and what several of them are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtsched.study.reproduce.cells import Cell, Stage

__all__ = ["Table", "Value", "geometric", "mean_of", "means_with_intervals", "pivot"]

Value = str | int | float


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Of its files, without a suffix.
    title : str
    about : str
        What its columns mean.
    columns : tuple of str
        Names carry their unit.
    rows : tuple of tuple
        NaN where there is no number.
    """

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def column(self, name: str) -> list[Value]:
        """Values of one column."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]


def means_with_intervals(
    stage: Stage, cells: Sequence[Cell], metrics: Sequence[tuple[str, str, float]]
) -> tuple[list[str], list[list[float]]]:
    """Means over the seeds with their intervals.

    Parameters
    ----------
    stage : Stage
    cells : sequence of Cell
        They have the same seeds.
    metrics : sequence of (metric, column, factor)

    Returns
    -------
    columns : list of str
        Three for each metric.
    values : list of list of float
        A row for each cell.
    """
    columns: list[str] = []
    parts: list[list[float]] = []
    for metric, name, factor in metrics:
        columns += [name, f"{name}_low", f"{name}_high"]
        found = stage.means(cells, metric) if cells else None
        parts += [] if found is None else [(factor * one).tolist() for one in (found.mean, found.low, found.high)]
    return columns, [[part[place] for part in parts] for place in range(len(cells))]


def geometric(parts: Sequence[np.ndarray]) -> float:
    """Geometric mean of what is above 0; NaN when there is nothing."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.exp(np.log(values).mean())) if len(values) else float("nan")


def mean_of(values: Sequence[float]) -> float:
    """Mean of what is defined; NaN when there is nothing."""
    known = [one for one in values if np.isfinite(one)]
    return float(np.mean(known)) if known else float("nan")


def pivot(table: Table, metric: str) -> Table:
    """One column of a summary, a row for each policy and a column for each case."""
    columns = (table.column(name) for name in ("case", "policy", metric))
    values = {(case, policy): value for case, policy, value in zip(*columns, strict=True)}
    cases = list(dict.fromkeys(str(case) for case in table.column("case")))
    policies = list(dict.fromkeys(str(policy) for policy in table.column("policy")))
    rows = [(policy, *(values.get((case, policy), float("nan")) for case in cases)) for policy in policies]
    return Table(f"{table.name}_{metric}", f"{table.title}: {metric}", table.about, ("policy", *cases), tuple(rows))
