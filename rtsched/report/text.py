"""Numbers, names and tables for terminals."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rtsched.problem import Problem

__all__ = [
    "NOTHING",
    "Fitting",
    "changed",
    "digits",
    "facts",
    "heading",
    "json_value",
    "name",
    "percent",
    "scale",
    "scaled",
    "seconds",
    "table",
    "title",
]

NOTHING = "-"
"""Stands where there is no number."""

MAX_WIDTH = 10_000

PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


def digits(value: float) -> str:
    """Write a number with three significant digits, or all that stand before the point.

    Examples
    --------
    >>> [digits(value) for value in (0, 0.01234, 1.5, 16.6667, 12345.6, float("nan"))]
    ['0', '0.0123', '1.50', '16.7', '12,346', '-']
    """
    if math.isnan(value):
        return NOTHING
    if value == 0 or math.isinf(value):
        return f"{value:.0f}"
    exponent = int(f"{value:.2e}".partition("e")[2])
    return f"{value:.2e}" if exponent < -4 else f"{value:,.{max(0, 2 - exponent)}f}"


def percent(fraction: float) -> str:
    """Write a fraction in per cent, without the sign; what is neither 0 nor 1 does not look like it.

    Examples
    --------
    >>> [percent(fraction) for fraction in (0, 0.00012, 0.125, 0.99999, 1, float("nan"))]
    ['0', '0.0120', '12.5', '>99.9', '100', '-']
    """
    if math.isnan(fraction):
        return NOTHING
    if fraction in (0, 1):
        return f"{100 * fraction:.0f}"
    if 0.999 < fraction < 1:
        return ">99.9"
    return digits(100 * fraction) if fraction < 0.001 else f"{100 * fraction:.1f}"


def scale(largest: float) -> tuple[float, str]:
    """Choose a unit for numbers up to `largest`.

    Returns
    -------
    divisor : float
    prefix : str

    Examples
    --------
    >>> scale(0.0234), scale(float("nan"))
    ((0.001, 'm'), (1.0, ''))
    """
    exponent = 0 if not largest or not math.isfinite(largest) else 3 * math.floor(int(f"{largest:.2e}".partition("e")[2]) / 3)
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    return 10.0**exponent, PREFIXES[exponent]


def scaled(value: float, unit: str) -> str:
    """Write a number with its unit.

    Examples
    --------
    >>> scaled(4_221_337_600, "MACs"), scaled(0.0339, "J")
    ('4.22 GMACs', '33.9 mJ')
    """
    divisor, prefix = scale(value)
    return f"{digits(value / divisor)} {prefix}{unit}"


def seconds(time_ns: float) -> str:
    """Write a time.

    Examples
    --------
    >>> seconds(12_345e9), seconds(2_500_000)
    ('12,345 s', '2.50 ms')
    """
    return f"{digits(time_ns * 1e-9)} s" if time_ns >= 1e9 else scaled(time_ns * 1e-9, "s")


def name(text: str, style: str = "") -> Text:
    """What a user has named, literally: neither markup nor control characters in it take effect."""
    return Text(text if text.isprintable() else repr(text)[1:-1], style)


def changed(provenance: Mapping[str, Any], shown: Collection[str] = ()) -> Text:
    """Write what was changed of the inputs, as the end of a heading; empty when nothing was.

    Parameters
    ----------
    provenance : mapping
        Of an outcome or a comparison.
    shown : collection of str
        Paths that the heading has already.
    """
    settings = {path: value for path, value in provenance.get("settings", {}).items() if path not in shown}
    parts = [name(f"{path}={_value(value)}") for path, value in settings.items()]
    return Text.assemble("; with ", Text(", ").join(parts)) if parts else Text()


def heading(problem: Problem, told: str, provenance: Mapping[str, Any], shown: Collection[str], policy: str | None = None) -> Text:
    """Say what ran on what: scenario, platform, the policy if there is one, the load, and what is `told` beside.

    Parameters
    ----------
    problem : Problem
    told : str
    provenance, shown
        As for `changed`.
    policy : str, optional
    """
    return Text.assemble(
        name(problem.scenario_name, "bold"),
        " on ",
        name(problem.platform_name, "bold"),
        Text() if policy is None else Text(", policy ") + name(policy, "bold"),
        f", load {problem.scenario.load:g}" if problem.scenario.load != 1 else "",
        f", {told}",
        changed(provenance, shown),
    )


def json_value(value: object) -> str:
    """A value of JSON; text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(value: Any) -> str:
    """A value of JSON, at most 40 characters of it."""
    text = json_value(value)
    return text if len(text) <= 40 else text[:37] + "..."


def table(
    columns: Sequence[str],
    words: Collection[str],
    *,
    totals: Sequence[str | Text] = (),
    is_tight: bool = False,
    widths: Sequence[int] = (),
    has_header: bool = True,
) -> Table:
    """Return an empty table.

    Parameters
    ----------
    columns : sequence of str
        Titles.
    words : collection of str
        Those of the columns that hold words, which are wrapped or cut where there is no room; the others hold numbers, which
        never are.
    totals : sequence of str or Text
        The last line, below a rule; none when it is empty.
    is_tight : bool
        One space between columns instead of two.
    widths : sequence of int
        Of the columns, which are then never cut; default: what their content needs.
    has_header : bool
    """
    made = Table(
        box=box.SIMPLE,
        show_edge=False,
        show_header=has_header,
        pad_edge=False,
        padding=(0, 0 if is_tight else 1, 0, 0),
        show_footer=bool(totals),
        footer_style="bold",
    )
    for place, heading in enumerate(columns):
        is_word = heading in words
        made.add_column(
            heading,
            totals[place] if totals else "",
            justify="left" if is_word else "right",
            no_wrap=not is_word,
            overflow="ellipsis",
            min_width=widths[place] if widths else None,
        )
    return made


def title(text: str, kind: str, about: str) -> Text:
    """Return a heading: a name, the kind of thing, and a line about it if there is one."""
    parts = [name(text, "bold"), Text(f"  {kind}", "dim"), *([Text("\n"), name(about)] if about else []), Text("\n")]
    return Text.assemble(*parts)


def facts(rows: Sequence[tuple[str, str | Text]]) -> Table:
    """Return labels with their values beside them, the values wrapped under themselves."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column()
    for label, value in rows:
        made.add_row(label, Text(value) if isinstance(value, str) else value)
    return made


class Fitting:
    """The first of several renderables that fits the width at hand, or else the last.

    Parameters
    ----------
    *choices : rich renderable
        The widest first.
    """

    def __init__(self, *choices: RenderableType) -> None:
        self._choices = choices

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose."""
        unlimited = options.update(width=MAX_WIDTH)
        fits = (one for one in self._choices if Measurement.get(console, unlimited, one).maximum <= options.max_width)
        yield next(fits, self._choices[-1])
