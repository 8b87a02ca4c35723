"""Section: where the results came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from rtsched._version import __version__
from rtsched.report.html.markup import Html, table, words
from rtsched.report.html.results import Result
from rtsched.report.text import json_value

__all__ = ["section"]


def section(results: Sequence[Result]) -> Html:
    """What each file says of itself."""
    return Html("".join(map(_facts, results)) + f"<p>Written by rtsched {words(__version__)}.</p>")


def _facts(result: Result) -> Html:
    outcome = result.outcome
    told = {
        "file": PurePath(result.source).name,
        **outcome.provenance,
        "seed": outcome.seed,
        "complete": "yes" if outcome.is_complete else "no",
    }
    told |= {"end_ns": f"{outcome.end_ns:,}", "recorded": ", ".join(["jobs", *(t for t in ("layers", "rates") if t not in result.lacks)])}
    rows = [[what, Html(f"<code>{words(json_value(value))}</code>")] for what, value in told.items()]
    return table(result.label, ["what", "value"], rows, n_prose=1)
