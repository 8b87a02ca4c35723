"""Outcomes and comparisons as JSON and as CSV. What each field means is in ``docs/formats.md``.

The same inputs give the same bytes, in every process: keys have a fixed order and nothing depends on the clock.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched.metrics import SCALARS
from rtsched.study.intervals import CONFIDENCE

if TYPE_CHECKING:
    from rtsched.outcome import Outcome
    from rtsched.problem import Problem
    from rtsched.study.compare import Comparison, Gap
    from rtsched.study.intervals import Estimates

__all__ = [
    "COMPARISON_FORMAT",
    "FORMAT",
    "as_json",
    "comparison_to_csv",
    "comparison_to_dict",
    "comparison_to_json",
    "csv_chunks",
    "to_csv",
    "to_dict",
    "to_json",
    "told_run",
]

FORMAT = "rtsched.outcome/1"
"""Name and version of the JSON format. The version grows when a field is removed or changes its meaning, not when one is added."""

COMPARISON_FORMAT = "rtsched.comparison/1"
"""Likewise, of comparisons."""

CHUNK_ROWS = 10_000
"""Jobs that are held as text at a time: about 1 MB."""


def as_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, indented, with a line break at the end: ASCII, without NaN."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def told_run(problem: Problem, is_complete: bool, seeds: Sequence[int]) -> dict[str, Any]:
    """What documents about many runs of a problem tell of each."""
    return {
        "complete": is_complete,
        "duration_ns": problem.duration_ns,
        "drain_ns": problem.end_ns - problem.duration_ns,
        "load": problem.scenario.load,
        "seeds": list(seeds),
    }


def to_dict(outcome: Outcome) -> dict[str, Any]:
    """Return where an outcome came from, how far it ran and its metrics, as numbers, strings, lists and dictionaries.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    dict
    """
    problem = outcome.problem
    return {
        "format": FORMAT,
        "provenance": outcome.provenance,
        "run": {
            "complete": outcome.is_complete,
            "duration_ns": problem.duration_ns,
            "drain_ns": problem.end_ns - problem.duration_ns,
            "end_ns": outcome.end_ns,
            "load": problem.scenario.load,
            "jobs": len(outcome.jobs),
        },
        "metrics": outcome.metrics.to_dict(),
    }


def to_json(outcome: Outcome) -> str:
    """Return `to_dict` as JSON, indented, with a line break at the end.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    str
        ASCII.
    """
    return as_json(to_dict(outcome))


def comparison_to_dict(found: Comparison) -> dict[str, Any]:
    """Return a comparison as numbers, strings, lists and dictionaries: each value, the intervals, and where they came from.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    dict
    """
    return {
        "format": COMPARISON_FORMAT,
        "provenance": found.provenance,
        "run": told_run(found.problem, found.is_complete, found.seeds),
        "baseline": found.baseline,
        "confidence": CONFIDENCE,
        "metrics": [_compared(found, m, name) for m, name in enumerate(found.metrics)],
        **({} if found.gap is None else {"bound": _bounded(found.policies, found.gap)}),
    }


def _bounded(policies: Sequence[str], gap: Gap) -> dict[str, Any]:
    """The most jobs that can be met under each seed, and what the policies met of them."""
    return {
        "n_jobs": gap.n_jobs.tolist(),
        "n_met_at_most": gap.at_most.tolist(),
        "policies": [{"policy": name, "n_met": gap.met[i].tolist(), "gap": _estimate(gap.means[i])} for i, name in enumerate(policies)],
    }


def _compared(found: Comparison, m: int, metric: str) -> dict[str, Any]:
    """One metric: the policies as they were given, then the differences of all pairs."""
    policies = found.policies
    return {
        "metric": metric,
        "unit": SCALARS[metric].unit,
        "better": SCALARS[metric].better,
        "policies": [
            {
                "policy": name,
                "rank": int(found.ranks[m, i]) or None,
                **_estimate(found.means[m, i]),
                "values": [_number(value) for value in found.values[m, i].tolist()],
            }
            for i, name in enumerate(policies)
        ],
        "differences": [
            {"policy": name, "minus": other, **_estimate(found.differences[m, i, j])}
            for j, other in enumerate(policies)
            for i, name in enumerate(policies)
            if i != j
        ],
    }


def _estimate(one: Estimates) -> dict[str, Any]:
    return {"mean": _number(float(one.mean)), "low": _number(float(one.low)), "high": _number(float(one.high)), "n_seeds": int(one.n)}


def _number(value: float) -> float | None:
    """None for what is not defined, which JSON does not have."""
    return value if math.isfinite(value) else None


def comparison_to_json(found: Comparison) -> str:
    """Return `comparison_to_dict` as JSON, indented, with a line break at the end.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    str
        ASCII.
    """
    return as_json(comparison_to_dict(found))


def comparison_to_csv(found: Comparison) -> Iterator[str]:
    """Yield every value of a comparison as CSV, some thousand lines at a time; what is undefined is an empty cell.

    Parameters
    ----------
    found : Comparison

    Yields
    ------
    str
        Whole lines; the first one names the columns, which are those of `rtsched.study.compare.Comparison.columns`.
    """
    columns = found.columns()
    columns["value"] = np.array([_number(value) for value in columns["value"].tolist()], dtype=object)
    yield from csv_chunks(columns)


def to_csv(outcome: Outcome) -> Iterator[str]:
    """Yield the job table as CSV, some thousand lines at a time.

    Parameters
    ----------
    outcome : Outcome

    Yields
    ------
    str
        Whole lines; the first one names the columns, which are those of `rtsched.outcome.Outcome.columns`.
    """
    yield from csv_chunks(outcome.columns())


def csv_chunks(columns: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Yield columns as CSV, some thousand lines at a time.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        At least one. None is an empty cell.

    Yields
    ------
    str
        Whole lines; the first one names the columns.
    """
    yield _lines([tuple(columns)])
    for first in range(0, len(next(iter(columns.values()))), CHUNK_ROWS):
        # NumPy's own numbers would take a third longer to write.
        chunk = [column[first : first + CHUNK_ROWS].tolist() for column in columns.values()]
        yield _lines(zip(*chunk, strict=True))


def _lines(rows: Any) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
