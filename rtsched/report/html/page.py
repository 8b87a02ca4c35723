"""A report: one HTML file that needs nothing else, neither a network nor scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from string import Template
from typing import TypeVar

import numpy as np

from rtsched.report.html import (
    causes,
    comparison,
    composition,
    energy,
    hardware,
    latency,
    provenance,
    summary,
    timeline,
)
from rtsched.report.html.markup import Html, words
from rtsched.report.html.results import Result
from rtsched.report.html.style import CSS, PATTERNS

__all__ = ["SECTIONS", "page", "written"]

Subject = TypeVar("Subject")

Section = Callable[[Sequence[Result]], Html]

SECTIONS: tuple[tuple[str, str, Section], ...] = (
    ("summary", "Summary", summary.section),
    ("comparison", "Comparison", comparison.section),
    ("latency", "Latency", latency.section),
    ("causes", "Why deadlines were missed", causes.section),
    ("timeline", "The worst 100 ms", timeline.section),
    ("hardware", "Accelerators and bandwidth", hardware.section),
    ("energy", "Energy", energy.section),
    ("uxcost", "UXCost", composition.section),
    ("provenance", "Provenance", provenance.section),
)
"""Name, title and content, in the order of the page; the comparison only where there are several results."""

HEAD = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
$patterns
<header><h1>$title</h1><p class="dim">$about</p></header>
<nav aria-label="Sections"><ul>$links</ul></nav>
<main id="main">
""")

TAIL = "</main>\n</body>\n</html>\n"


def page(results: Sequence[Result], progress: Callable[[int, int], None] | None = None) -> Iterator[str]:
    """Write the page, a piece at a time.

    Parameters
    ----------
    results : sequence of Result
        At least one.
    progress : callable, optional
        Called with how many sections are written, of how many.

    Yields
    ------
    str
    """
    shown = [one for one in SECTIONS if len(results) > 1 or one[0] != "comparison"]
    yield from written(*_heading(results), shown, results, progress)


def written(
    title: str,
    about: str,
    sections: Sequence[tuple[str, str, Callable[[Subject], Html]]],
    subject: Subject,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[str]:
    """Write a page of sections.

    Parameters
    ----------
    title, about : str
        At its top.
    sections : sequence of (name, title, content)
        Names are ids.
    subject : object
        What every section is of.
    progress : callable, optional
        Called with how many sections are written, of how many.

    Yields
    ------
    str
    """
    links = "".join(f'<li><a href="#{name}">{words(heading)}</a></li>' for name, heading, _ in sections)
    yield HEAD.substitute(title=words(title), about=words(about), style=CSS, patterns=PATTERNS, links=links)
    for i, (name, heading, section) in enumerate(sections):
        with np.errstate(all="ignore"):  # a damaged outcome may hold anything
            content = section(subject)
        yield f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{words(heading)}</h2>\n{content}\n</section>\n'
        if progress is not None:
            progress(i + 1, len(sections))
    yield TAIL


def _heading(results: Sequence[Result]) -> tuple[str, str]:
    """What all results share, and what they are."""

    def told(values: Sequence[str]) -> str:
        return ", ".join(dict.fromkeys(values))

    scenarios = told([one.outcome.problem.scenario_name for one in results])
    platforms = told([one.outcome.problem.platform_name for one in results])
    seeds = told([str(one.outcome.seed) for one in results])
    policies = told([one.outcome.policy for one in results])
    n = f"{len(results)} results: " if len(results) > 1 else ""
    return f"{scenarios} on {platforms}", f"{n}{policies}; seed {seeds}"
