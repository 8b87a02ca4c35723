"""Outcomes as JSON and CSV. What each field means is in ``docs/formats.md``.

The same inputs give the same bytes, in every process: keys have a fixed order and nothing depends on the clock.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtsched.outcome import Outcome

__all__ = ["FORMAT", "to_csv", "to_dict", "to_json"]

FORMAT = "rtsched.outcome/1"
"""Name and version of the JSON format. The version grows when a field is removed or changes its meaning, not when one is added."""

CHUNK_ROWS = 10_000
"""Jobs that are held as text at a time: about 1 MB."""


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
    return json.dumps(to_dict(outcome), indent=2, allow_nan=False) + "\n"


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
    columns = outcome.columns()
    yield _lines([tuple(columns)])
    for first in range(0, len(outcome.jobs), CHUNK_ROWS):
        # NumPy's own numbers would take a third longer to write.
        chunk = [column[first : first + CHUNK_ROWS].tolist() for column in columns.values()]
        yield _lines(zip(*chunk, strict=True))


def _lines(rows: Any) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
