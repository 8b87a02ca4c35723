"""The table of a comparison, for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rtsched.metrics import SCALARS
from rtsched.report.text import NOTHING, Fitting, digits, facts, heading, name, percent, scale, seconds, table

if TYPE_CHECKING:
    from rtsched.study.compare import Comparison
    from rtsched.study.intervals import Estimates

__all__ = ["comparison", "seed_ranges"]

MEAN_INTERVAL = 3
"""Place of a column that can be left out where there is no room."""

LONG_NAME = 14
"""A baseline with a longer name is named below the table."""

BREAK = "\n"

FEW_SEEDS = 10
"""Below as many, intervals are told to be too narrow."""


@dataclass(frozen=True)
class _Column:
    """A column of the table.

    Attributes
    ----------
    heading : str
    cells : list of list of str or Text
        By metric, then policy in the order of the rows.
    is_word : bool
    """

    heading: str
    cells: list[list[str | Text]]
    is_word: bool = False


def comparison(found: Comparison) -> RenderableType:
    """Lay a comparison out: for each metric a line per policy, the best first by the first metric.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    rich renderable
        Narrower where there is less room: with less space between columns, fewer names of ties, and then without the intervals
        of means. Names of policies and metrics are never cut.
    """
    # The widest first; each is (narrow, width of the names of ties, interval of the mean).
    choices = [(False, 40, True), (True, 40, True), (True, 13, True), (True, 8, True), (True, 4, True), (True, 4, False)]
    made = Fitting(*(_table(found, *choice) for choice in choices))
    return Group(_title(found), *_warnings(found), "", made, *_gap(found), "", facts(_legend(found)))


def _gap(found: Comparison) -> list[RenderableType]:
    """How far each policy is from the most jobs that any scheduler can meet; nothing where that is not known."""
    gap = found.gap
    if gap is None:
        return []
    at_most = float(gap.at_most.mean())
    made = table(("policy", "met", "gap", "95 % interval", "gap (%)"), ("policy",))
    for i in found.order:
        share = percent(float(gap.means.mean[i]) / at_most) if at_most else NOTHING
        cells = [digits(float(gap.met[i].mean())), digits(float(gap.means.mean[i])), _interval(gap.means[i], 1.0), share]
        made.add_row(Text("  ").append(name(found.policies[i])), *cells)
    heading = f"jobs met of at most {digits(at_most)} that any scheduler can meet ({digits(float(gap.n_jobs.mean()))} jobs)"
    return ["", Text(heading, "bold"), made]


def _table(found: Comparison, is_tight: bool, ties_width: int, has_means: bool) -> Group:
    """Lay the metrics out one below the other: tables with columns of the same widths, each below a line with the metric's name."""
    columns = _columns(found, ties_width, is_tight=is_tight)
    if not has_means:
        columns = [one for place, one in enumerate(columns) if place != MEAN_INTERVAL]
    widths = [max(cell_len(line) for cell in (one.heading, *chain(*one.cells)) for line in str(cell).split("\n")) for one in columns]
    headings, words = [one.heading for one in columns], [one.heading for one in columns if one.is_word]

    def part(*, has_header: bool) -> Table:
        return table(headings, words, is_tight=is_tight, widths=widths, has_header=has_header)

    parts: list[RenderableType] = [part(has_header=True)]
    for m, metric in enumerate(found.metrics):
        made = part(has_header=False)
        for cells in zip(*(one.cells[m] for one in columns), strict=True):
            made.add_row(*cells)
        parts += [name(_heading(metric, _unit(metric, found.means.mean[m])[0]), "bold"), made]
    return Group(*parts)


def _columns(found: Comparison, ties_width: int, *, is_tight: bool) -> list[_Column]:
    """Columns of policies, ranks and means; of differences if there are any, of ties if there are some, of seeds if some are missing."""
    base = found.policies.index(found.baseline)
    places = [(m, i) for m in range(len(found.metrics)) for i in found.order]
    divisors = [_unit(metric, found.means.mean[m])[1] for m, metric in enumerate(found.metrics)]

    def column(heading: str, write: Callable[[int, int], str | Text], *, is_word: bool = False) -> _Column:
        cells = [write(m, i) for m, i in places]
        size = len(found.policies)
        return _Column(heading, [cells[first : first + size] for first in range(0, len(cells), size)], is_word)

    def difference(write: Callable[[Estimates, float], str]) -> Callable[[int, int], str]:
        return lambda m, i: "" if i == base else write(found.differences[m, i, base], divisors[m])

    columns = [
        column("policy", lambda m, i: Text("  ").append(name(found.policies[i])), is_word=True),
        column("rank", lambda m, i: str(found.ranks[m, i] or NOTHING)),
        column("mean", lambda m, i: digits(float(found.means.mean[m, i]) / divisors[m])),
        column("95 % interval", lambda m, i: _interval(found.means[m, i], divisors[m])),
    ]
    if len(found.policies) > 1:
        named = found.baseline if len(found.baseline) <= LONG_NAME else "baseline"
        columns += [
            column(f"minus{BREAK if is_tight else ' '}{named}", difference(lambda one, unit: _signed(float(one.mean) / unit))),
            column("95 % interval", difference(lambda one, unit: _interval(one, unit, is_signed=True))),
            column("", lambda m, i: _verdict(found, m, i, base), is_word=True),
        ]
    ties = column(f"ties{BREAK if is_tight else ' '}with", lambda m, i: _ties(found, m, i, base, ties_width), is_word=True)
    if any(chain(*ties.cells)):
        columns.append(ties)
    if (found.means.n != len(found.seeds)).any():
        columns.append(column("seeds", lambda m, i: str(found.means.n[m, i])))
    return columns


def _ties(found: Comparison, m: int, i: int, base: int, width: int) -> Text:
    """The policies that one ties with, so many as there is room for; of ties with the baseline the verdicts tell."""
    names = [found.policies[j] for j in found.order if base not in (i, j) and i != j and found.is_tie(m, i, j)]
    for n_shown in range(len(names), -1, -1):
        more = len(names) - n_shown
        text = ", ".join(names[:n_shown]) + (f"{' ' if n_shown else ''}+{more}" if more else "")
        if len(text) <= width:
            return name(text)
    return name(f"+{len(names)}")


def _heading(metric: str, unit: str) -> str:
    """A metric's name with the unit in which it is printed, in place of the one in its name."""
    plain = metric.removesuffix("_ns").removesuffix("_j")
    return f"{plain} ({unit})" if unit else plain


def _unit(metric: str, means: np.ndarray) -> tuple[str, float]:
    """Choose a unit for the means of a metric: its name, and what to divide by."""
    unit = SCALARS[metric].unit
    if unit not in ("J", "ns"):
        return unit, 1.0
    largest = float(np.max(np.abs(means), initial=0.0, where=np.isfinite(means)))
    to_si, symbol = (1.0, "J") if unit == "J" else (1e-9, "s")
    divisor, prefix = scale(largest * to_si)
    return prefix + symbol, divisor / to_si


def _interval(one: Estimates, divisor: float, *, is_signed: bool = False) -> str:
    write = _signed if is_signed else digits
    low, high = float(one.low), float(one.high)
    return NOTHING if np.isnan(low) else f"{write(low / divisor)}..{write(high / divisor)}"


def _signed(value: float) -> str:
    return f"+{digits(value)}" if value > 0 else digits(value)


def _verdict(found: Comparison, m: int, i: int, base: int) -> Text:
    """How a policy compares with the baseline; nothing for itself, or when there are too few seeds to tell."""
    if found.is_better[m, i, base]:
        return Text("better", "green")
    if found.is_better[m, base, i]:
        return Text("worse", "red")
    if i == base or not found.is_tie(m, i, base):
        return Text()
    return Text("same" if found.is_same[m, i, base] else "tie")


def _title(found: Comparison) -> Text:
    n = len(found.seeds)
    told = f"{n:,} seed{'s' if n > 1 else ''} ({seed_ranges(found.seeds)}), {seconds(found.problem.duration_ns)} each"
    return heading(found.problem, told, found.provenance, ("scenario.load", "scenario.duration_s"))


def seed_ranges(seeds: Sequence[int]) -> str:
    """Write seeds as ranges, the first few of them."""
    ends: list[list[int]] = []
    for seed in seeds:
        if ends and seed == ends[-1][1] + 1:
            ends[-1][1] = seed
        else:
            ends.append([seed, seed])
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ends[:5]]
    return ", ".join([*shown, *(["..."] if len(ends) > 5 else [])])


def _warnings(found: Comparison) -> list[Text]:
    told = []
    if not found.is_complete:
        told.append("PARTIAL: interrupted; only the seeds that every policy has finished are compared")
    if len(found.seeds) == 1:
        told.append("One seed: there is no interval, and nothing is better or worse beyond doubt")
    elif len(found.seeds) < FEW_SEEDS:
        told.append(f"Only {len(found.seeds)} seeds: intervals of fewer than {FEW_SEEDS} are too narrow")
    return [Text(one, "bold yellow") for one in told]


def _legend(found: Comparison) -> list[tuple[str, str]]:
    rows = [(metric, f"{SCALARS[metric].meaning}; {SCALARS[metric].better} is better") for metric in found.metrics]
    if len(found.policies) > 1:
        rows.append(("rank", "1 + number of policies that are better with an interval that leaves out 0"))
        if len(found.baseline) > LONG_NAME:
            rows.append(("baseline", str(name(found.baseline))))
    if found.gap is not None:
        rows.append(("gap", "most jobs that a better scheduler could meet beyond the policy's; the truth may be less"))
    return rows
