"""A tuned policy as a table and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from rtsched.metrics import SCALARS
from rtsched.report.comparison import seed_ranges
from rtsched.report.export import as_json, comparison_to_dict, told_run
from rtsched.report.text import digits, heading, name, seconds, table

if TYPE_CHECKING:
    from rtsched.study.tune.tuning import Tuning

__all__ = ["TUNING_FORMAT", "summary", "to_dict", "to_json"]

TUNING_FORMAT = "rtsched.tuning/1"


def summary(found: Tuning) -> RenderableType:
    """Lay out the settings, and what they bring on seeds that the search has not seen.

    Parameters
    ----------
    found : Tuning

    Returns
    -------
    rich renderable
    """
    n, n_trials = len(found.seeds), len(found.trials)
    told = f"{n:,} seed{'s' if n > 1 else ''} ({seed_ranges(found.seeds)}), {seconds(found.problem.duration_ns)} each"
    shown = ("scenario.load", "scenario.duration_s")
    parts: list[RenderableType] = [heading(found.problem, told, found.provenance, shown, found.policy.name)]
    if not found.is_complete:
        parts.append(Text("PARTIAL: interrupted; the best settings so far", "bold yellow"))
    parts += ["", _settings(found), "", _means(found)]
    parts.append(Text(f"{n_trials:,} settings tried, the policy's own among them"))
    if found.comparison is not None:
        parts += ["", Text("on seeds that the search has not seen", "bold"), found.comparison.summary()]
    return Group(*parts)


def _settings(found: Tuning) -> RenderableType:
    made = table(("setting", "from", "to", "own", "best"), ("setting",))
    for one in found.ranges:
        values = (one.low, one.high, found.own[one.path], found.best[one.path])
        made.add_row(name(one.path), *(f"{value:g}" for value in values))
    return made


def _means(found: Tuning) -> Text:
    """What the search made of the metric."""
    if found.best == found.own:
        return Text(f"none is better in {found.metric} than the policy's own settings, which have {digits(found.own_mean)}", "bold")
    change = (found.best_mean - found.own_mean) / abs(found.own_mean) if found.own_mean else math.nan
    share = "" if math.isnan(change) else f" ({100 * change:+.1f} %)"
    unit = f" {SCALARS[found.metric].unit}" if SCALARS[found.metric].unit else ""
    return Text(f"{found.metric} on the seeds above: {digits(found.own_mean)}{unit} -> {digits(found.best_mean)}{unit}{share}", "bold")


def to_dict(found: Tuning) -> dict[str, Any]:
    """Return a tuned policy as numbers, strings, lists and dictionaries, ready for JSON.

    Parameters
    ----------
    found : Tuning
    """
    return {
        "format": TUNING_FORMAT,
        "provenance": found.provenance,
        "run": {**told_run(found.problem, found.is_complete, found.seeds), "held_out": list(found.held_out)},
        "metric": found.metric,
        "unit": SCALARS[found.metric].unit,
        "better": SCALARS[found.metric].better,
        "over": [{"path": one.path, "low": one.low, "high": one.high} for one in found.ranges],
        "own": {"settings": found.own, "mean": found.own_mean},
        "best": {"settings": found.best, "mean": found.best_mean},
        "trials": [{"settings": settings, "mean": mean if math.isfinite(mean) else None} for settings, mean in found.trials],
        "comparison": None if found.comparison is None else comparison_to_dict(found.comparison),
    }


def to_json(found: Tuning) -> str:
    """Return `to_dict` as JSON, indented, with a line break at the end.

    Parameters
    ----------
    found : Tuning

    Returns
    -------
    str
        ASCII.
    """
    return as_json(to_dict(found))
