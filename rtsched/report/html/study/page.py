"""The page of a study: one HTML file that needs nothing else, as that of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rtsched.report.html.markup import Html
from rtsched.report.html.page import written
from rtsched.report.html.study import axes, cells, overall, provenance, summary
from rtsched.report.html.study.subject import StudySubject

__all__ = ["STUDY_SECTIONS", "study_page"]

STUDY_SECTIONS: tuple[tuple[str, str, Callable[[StudySubject], Html]], ...] = (
    ("summary", "Summary", summary.section),
    ("overall", "Policies over all cells", overall.section),
    ("costs", "Deadlines and energy", overall.costs),
    ("axes", "What varies", axes.section),
    ("cells", "Cells", cells.section),
    ("provenance", "Provenance", provenance.section),
)
"""Name, title and content, in the order of the page."""


def study_page(subject: StudySubject, progress: Callable[[int, int], None] | None = None) -> Iterator[str]:
    """Write the page, a piece at a time.

    Parameters
    ----------
    subject : StudySubject
    progress : callable, optional
        Called with how many sections are written, of how many.

    Yields
    ------
    str
    """
    grid = subject.runs.grid
    sizes = [f"{n:,} {what}{'' if n == 1 else 's'}" for n, what in ((grid.n_cells, "cell"), (grid.n_seeds, "seed"))]
    policies = f"{grid.n_policies:,} polic{'y' if grid.n_policies == 1 else 'ies'}"
    about = f"A study: {policies} x {' x '.join(sizes)} = {grid.n_runs:,} runs"
    yield from written(subject.runs.study.name, about, STUDY_SECTIONS, subject, progress)
