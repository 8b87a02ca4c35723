"""Section: where the study came from."""

from __future__ import annotations

import json

from rtsched._version import __version__
from rtsched.report.html.markup import Html, table, words
from rtsched.report.html.study.subject import StudySubject
from rtsched.report.text import json_value
from rtsched.study.intervals import CONFIDENCE, N_RESAMPLES

__all__ = ["section"]

MAX_LETTERS = 2000
"""Of a value: a study may list 100,000 seeds."""


def section(subject: StudySubject) -> Html:
    """The store, versions, and every key of the study."""
    origin = subject.origin
    facts: dict[str, object] = {
        "store": subject.source,
        "inputs_sha256": origin.inputs_sha256,
        "rtsched of the runs": ", ".join(origin.versions),
        "intervals": f"{100 * CONFIDENCE:g} %, BCa bootstrap of seeds, {N_RESAMPLES:,} resamples",
        "baseline": subject.question.baseline,
    }
    facts |= {f"study: {key}": value for key, value in json.loads(subject.runs.study.definition).items()}
    rows = [[what, Html(f"<code>{words(_text(value))}</code>")] for what, value in facts.items()]
    return Html(table(subject.runs.study.name, ["what", "value"], rows, n_prose=1) + f"<p>Written by rtsched {words(__version__)}.</p>")


def _text(value: object) -> str:
    text = json_value(value)
    return text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]} ..."
