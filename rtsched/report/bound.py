"""A bound as a table and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from rtsched.report.text import facts, heading, name, percent, seconds, table

if TYPE_CHECKING:
    from rtsched.bounds.bounding import Bound

__all__ = ["BOUND_FORMAT", "summary", "to_dict", "to_json"]

BOUND_FORMAT = "rtsched.bound/1"


def summary(found: Bound) -> RenderableType:
    """Lay a bound out: a line per task, then the bound.

    Parameters
    ----------
    found : Bound

    Returns
    -------
    rich renderable
        Some 60 columns wide.
    """
    problem = found.problem
    totals = ("all", f"{found.n_jobs:,}", f"{int(found.task_possible.sum()):,}")
    made = table(("task", "jobs", "possible alone"), ("task",), totals=totals)
    for task, n_jobs, n_possible in zip(problem.task_names, found.task_jobs.tolist(), found.task_possible.tolist(), strict=True):
        made.add_row(name(task), f"{n_jobs:,}", f"{n_possible:,}")
    told = f"seed {found.seed}, frames of {seconds(problem.duration_ns)}"
    title = heading(problem, told, found.provenance, ("scenario.load", "scenario.duration_s"))
    share = f" ({percent(found.n_met / found.n_jobs)} %)" if found.n_jobs else ""
    rows = [
        ("met by any scheduler", f"at most {found.n_met:,} of {found.n_jobs:,} jobs{share}"),
        ("possible alone", "jobs that would be in time if nothing else ran"),
    ]
    return Group(title, "", made, "", facts(rows))


def to_dict(found: Bound) -> dict[str, Any]:
    """Return a bound as numbers, strings, lists and dictionaries, ready for JSON.

    Parameters
    ----------
    found : Bound
    """
    problem = found.problem
    return {
        "format": BOUND_FORMAT,
        "provenance": found.provenance,
        "run": {
            "duration_ns": problem.duration_ns,
            "drain_ns": problem.end_ns - problem.duration_ns,
            "load": problem.scenario.load,
        },
        "n_jobs": found.n_jobs,
        "n_met_at_most": found.n_met,
        "optimum": found.value,
        "tasks": [
            {"task": task, "n_jobs": n_jobs, "n_possible": n_possible}
            for task, n_jobs, n_possible in zip(problem.task_names, found.task_jobs.tolist(), found.task_possible.tolist(), strict=True)
        ],
    }


def to_json(found: Bound) -> str:
    """Return `to_dict` as JSON, indented, with a line break at the end: ASCII.

    Parameters
    ----------
    found : Bound
    """
    return json.dumps(to_dict(found), indent=2, allow_nan=False) + "\n"
