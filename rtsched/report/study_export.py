"""Studies as JSON, CSV and Parquet. What each field means is in ``docs/formats.md``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rtsched.errors import InputError
from rtsched.metrics import SCALARS
from rtsched.report.export import csv_chunks
from rtsched.report.files import STDOUT
from rtsched.study.intervals import CONFIDENCE
from rtsched.study.statistics import RankedValues
from rtsched.study.sweep.findings import Question, ranked_cells, ratios, seeds_of
from rtsched.study.sweep.results import StudyRuns

__all__ = ["STUDY_FORMAT", "check_table_file", "study_to_csv", "study_to_json", "study_to_parquet"]

STUDY_FORMAT = "rtsched.study/1"
"""Name and version; the version grows when a field is removed or changes its meaning."""

SUFFIXES = (".csv", ".parquet")


def check_table_file(path: str) -> None:
    """Refuse a file that a table cannot be written to.

    Raises
    ------
    rtsched.errors.InputError
        It ends neither in .csv nor in .parquet; or in the latter, and polars is not installed.
    """
    suffix = Path(path).suffix.lower()
    if path != STDOUT and suffix not in SUFFIXES:
        raise InputError(f"-o {path}: must end in {' or '.join(SUFFIXES)}")
    if suffix == ".parquet" and find_spec("polars") is None:
        raise InputError(f"-o {path}: needs polars, which is not installed: pip install 'rtsched[tables]'")


def study_to_csv(runs: StudyRuns) -> Iterator[str]:
    """Yield CSV: a line for each run that is there, with every digit; empty where there is no number."""
    columns = runs.columns()
    for key in runs.metrics:
        values = columns[key].astype(object)
        values[np.isnan(columns[key])] = None
        columns[key] = values
    return csv_chunks(columns)


def study_to_parquet(runs: StudyRuns) -> bytes:
    """The same rows as Parquet (polars must be installed)."""
    written = BytesIO()
    runs.to_polars().write_parquet(written)
    return written.getvalue()


def study_to_json(question: Question, progress: Callable[[int, int], None] | None = None) -> str:
    """What a study says, as JSON, indented, with a line break at the end.

    Parameters
    ----------
    question : Question
    progress : callable, optional
        Called with the number of cells that are done, and of all.
    """
    runs = question.runs
    cells = []
    for cell, ranked in ranked_cells(question, question.metrics, runs.whole.tolist()):
        cells.append(_cell(question, cell, ranked))
        if progress is not None:
            progress(len(cells), len(runs.whole))
    made = {
        "format": STUDY_FORMAT,
        "study": _plain(json.loads(runs.study.definition)),
        "run": {"complete": runs.is_complete, "runs": int(runs.is_there.sum()), "of": runs.grid.n_runs, "whole_cells": len(runs.whole)},
        "baseline": question.baseline,
        "confidence": CONFIDENCE,
        "precision": question.precision,
        "metrics": [_metric(question, name) for name in question.metrics],
        "cells": cells,
    }
    return json.dumps(made, indent=2, allow_nan=False) + "\n"


def _metric(question: Question, metric: str) -> dict[str, Any]:
    scalar = SCALARS[metric]
    return {
        "metric": metric,
        "unit": scalar.unit,
        "better": scalar.better,
        "policies": [
            {
                "policy": one.policy,
                "ratio": _number(one.mean),
                "low": _number(one.low),
                "high": _number(one.high),
                "cells": one.n_cells,
                "seeds_needed": one.n_seeds,
            }
            for one in ratios(question, metric)
        ],
    }


def _cell(question: Question, cell: int, ranked: RankedValues) -> dict[str, Any]:
    found = question.runs.grid.cell(cell)
    return {
        "scenario": found.scenario,
        "platform": question.runs.platform(cell),
        "settings": _plain({**found.settings, **found.of_policies}),
        "metrics": [
            {"metric": metric, "policies": [_policy(question, ranked, m, i) for i in range(len(question.policies))]}
            for m, metric in enumerate(question.metrics)
        ],
    }


def _policy(question: Question, ranked: RankedValues, m: int, i: int) -> dict[str, Any]:
    mean, difference = ranked.means[m, i], ranked.differences[m, i, question.base]
    return {
        "policy": question.policies[i],
        "rank": int(ranked.ranks[m, i]) or None,
        "ties_with": [name for j, name in enumerate(question.policies) if j != i and ranked.is_tie(m, i, j)],
        "mean": _number(mean.mean),
        "low": _number(mean.low),
        "high": _number(mean.high),
        "n_seeds": int(mean.n),
        "minus_baseline": {part: _number(getattr(difference, part)) for part in ("mean", "low", "high")},
        "seeds_needed": None if i == question.base else seeds_of(question, ranked, m, i),
    }


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """What JSON can hold: infinity as text."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
