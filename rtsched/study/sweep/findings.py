"""What a study says about its policies: over all cells, and in each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rtsched.documents import hint
from rtsched.errors import InputError
from rtsched.metrics import SCALARS
from rtsched.study.statistics import RankedValues, estimated, log_ratios, seeds_needed
from rtsched.study.sweep.results import StudyRuns

__all__ = ["DEFAULT_PRECISION", "Question", "Ratio", "asked", "ranked_cells", "ratios", "seeds_of"]

DEFAULT_PRECISION = 0.01

CHUNK_CELLS = 20
"""Cells whose intervals are resampled together."""


@dataclass(frozen=True)
class Question:
    """What is asked of the runs of a study.

    Attributes
    ----------
    runs : StudyRuns
    metrics : tuple of str
        The first one ranks.
    baseline : str
        The policy that the others are compared with.
    precision : float
        Half width of an interval that is wanted, as a part of the baseline's value.
    """

    runs: StudyRuns
    metrics: tuple[str, ...]
    baseline: str
    precision: float

    @property
    def policies(self) -> tuple[str, ...]:
        """Of the study."""
        return self.runs.study.policies

    @property
    def base(self) -> int:
        """Which policy the baseline is."""
        return self.policies.index(self.baseline)


@dataclass(frozen=True)
class Ratio:
    """A policy's metric over the baseline's, in all cells.

    Attributes
    ----------
    policy : str
    mean, low, high : float
        Geometric mean over cells and seeds, with its 95 % interval over seeds; NaN where it is undefined.
    n_cells : int
        Cells that are in it: those in which the metric is above 0 under every seed, for both.
    n_seeds : int or None
        How many seeds it takes for an interval as narrow as wanted.
    """

    policy: str
    mean: float
    low: float
    high: float
    n_cells: int
    n_seeds: int | None


def asked(
    runs: StudyRuns, metrics: Sequence[str] | None = None, baseline: str | None = None, precision: float = DEFAULT_PRECISION
) -> Question:
    """Check what is asked.

    Parameters
    ----------
    runs : StudyRuns
    metrics : sequence of str, optional
        Default: those of the study.
    baseline : str, optional
        Default: the best one by the first metric.
    precision : float

    Raises
    ------
    rtsched.errors.InputError
        Every fault at once.
    """
    chosen = tuple(dict.fromkeys(metrics or runs.study.metrics))
    faults = [f"unknown metric {name!r:.60}{hint(name, SCALARS, 'known metrics')}" for name in chosen if name not in SCALARS]
    policies = runs.study.policies
    if baseline is not None and baseline not in policies:
        faults.append(f"baseline: must be one of the study's policies, got {baseline!r:.60}{hint(baseline, policies, 'policies')}")
    if not 0 < precision < 1:
        faults.append(f"precision: must be greater than 0 and less than 1, got {precision:g}")
    if faults:
        raise InputError(faults)
    return Question(runs, chosen, policies[_best(runs, chosen[0])] if baseline is None else baseline, precision)


def ratios(question: Question, metric: str) -> list[Ratio]:
    """Compare every policy with the baseline in all whole cells."""
    values = question.runs.values[question.runs.metrics.index(metric), question.runs.whole]
    logs = log_ratios(values, question.base)
    found = estimated(logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_cells = np.isfinite(np.log(values / values[:, [question.base]])).all(axis=2).sum(axis=0)
    wanted = math.log1p(question.precision)
    mean, low, high = (np.exp(part).tolist() for part in (found.mean, found.low, found.high))
    needed = [None if i == question.base else seeds_needed(row, wanted) for i, row in enumerate(logs)]
    return [Ratio(*row) for row in zip(question.policies, mean, low, high, n_cells.tolist(), needed, strict=True)]


def ranked_cells(question: Question, metrics: Sequence[str], cells: Sequence[int]) -> Iterator[tuple[int, RankedValues]]:
    """Yield cells with the values of their policies, whose means, differences and ranks are computed some cells at a time."""
    rows = [question.runs.metrics.index(name) for name in metrics]
    for first in range(0, len(cells), CHUNK_CELLS):
        some = list(cells[first : first + CHUNK_CELLS])
        values = question.runs.values[rows][:, some]
        n_metrics, n_cells, n_policies, n_seeds = values.shape
        # As if they were further metrics: one call for all resamples them alike, and takes little longer than for one.
        names = tuple(name for name in metrics for _ in some)
        together = RankedValues(question.policies, names, values.reshape(n_metrics * n_cells, n_policies, n_seeds))
        for i, cell in enumerate(some):
            yield cell, together.part([m * n_cells + i for m in range(n_metrics)])


def seeds_of(question: Question, ranked: RankedValues, m: int, i: int) -> int | None:
    """How many seeds it takes to tell a policy's difference to the baseline in a cell as precisely as wanted."""
    base = ranked.values[m, question.base]
    known = base[np.isfinite(base)]
    return seeds_needed(ranked.values[m, i] - base, question.precision * abs(float(known.mean()))) if len(known) else None


def _best(runs: StudyRuns, metric: str) -> int:
    """The policy with the best mean over whole cells, as ratios to the first if these are defined."""
    sign = 1.0 if SCALARS[metric].better == "less" else -1.0
    values = runs.values[runs.metrics.index(metric), runs.whole]
    logs = log_ratios(values, 0)
    scores = logs if np.isfinite(logs).all() and logs.size else values.transpose(1, 0, 2).reshape(len(runs.study.policies), -1)
    means = [sign * float(row[np.isfinite(row)].mean()) if np.isfinite(row).any() else np.inf for row in scores]
    return int(np.argmin(means))
