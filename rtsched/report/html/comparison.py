"""Section: the results side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rtsched.metrics.scalars import SCALARS, Scalar
from rtsched.report.html.markup import Html, note, table, words
from rtsched.report.html.results import Result, groups
from rtsched.report.text import digits, percent, scaled

__all__ = ["FRACTIONS", "section"]

FRACTIONS = ("violation_rate", "sla", "sla_low", "sla_mid", "sla_high", "memory_utilisation")


def section(results: Sequence[Result]) -> Html:
    """A table for each group of results that have the same frames."""
    found = groups(results)
    tables = [_table(own, len(found) > 1) for own in found if len(own) > 1]
    alone = [own[0].label for own in found if len(own) == 1]
    pieces = [note("Results of the same problem and seed have the same frames. The best of each row is bold.")] if tables else []
    pieces += tables
    if alone:
        pieces.append(note(f"With nothing to compare, since no other result has the same problem and seed: {', '.join(alone)}."))
    pieces.append(note("One seed is an anecdote: 'rtsched compare' runs many and tells how sure the differences are."))
    return Html("".join(pieces))


def _table(results: Sequence[Result], is_one_of_many: bool) -> Html:
    rows = [row for one in SCALARS.values() if (row := _row(one, results)) is not None]
    problem = results[0].outcome.problem
    where = f"{problem.scenario_name} on {problem.platform_name}, seed {results[0].outcome.seed}" if is_one_of_many else "The same frames"
    columns = ["metric", *(one.label for one in results), "better", "meaning"]
    return table(where, columns, rows, n_prose=2)


def _row(scalar: Scalar, results: Sequence[Result]) -> list[object] | None:
    """The values of a metric, the best in bold; None where nobody has one."""
    values = [scalar.of(one.outcome.metrics) for one in results]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    best = min(finite) if scalar.better == "less" else max(finite)
    is_tied = all(value == best for value in values)
    cells: list[object] = [
        Html(f"<strong>{words(_told(scalar, value))}</strong>") if value == best and not is_tied else _told(scalar, value)
        for value in values
    ]
    return [scalar.name, *cells, scalar.better, scalar.meaning]


def _told(scalar: Scalar, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    if scalar.unit in ("ns", "J"):
        return scaled(value * 1e-9, "s") if scalar.unit == "ns" else scaled(value, "J")
    if scalar.name in FRACTIONS:
        return f"{percent(value)} %"
    return f"{value:,.0f}" if scalar.unit or value == int(value) else digits(value)
