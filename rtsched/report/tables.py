"""Tables of studies as CSV and as Markdown."""

from __future__ import annotations

import csv
import math
from io import StringIO

from rtsched.report.text import NOTHING, digits
from rtsched.study.reproduce.tables import Table

__all__ = ["markdown_cell", "table_to_csv", "table_to_markdown"]


def table_to_csv(table: Table) -> str:
    """Every digit; empty where there is no number."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([["" if _is_nan(value) else value for value in row] for row in table.rows])
    return text.getvalue()


def table_to_markdown(table: Table, columns: tuple[str, ...] = ()) -> str:
    """Three digits, as a table that GitHub shows; with a title and what the columns mean unless only some of them are asked for.

    Parameters
    ----------
    table : Table
    columns : tuple of str
        Only these.
    """
    places = [table.columns.index(name) for name in columns or table.columns]
    is_number = [bool(table.rows) and not any(isinstance(row[place], str) for row in table.rows) for place in places]
    lines = [] if columns else [f"# {table.title}", "", table.about, ""]
    lines += [f"| {' | '.join(table.columns[place].replace('_', ' ') for place in places)} |"]
    lines += [f"|{'|'.join('---:' if one else '---' for one in is_number)}|"]
    lines += [f"| {' | '.join(markdown_cell(row[place]) for place in places)} |" for row in table.rows]
    return "\n".join(lines) + "\n"


def markdown_cell(value: str | int | float) -> str:
    """One cell: numbers with three digits."""
    if isinstance(value, float):
        return digits(value) if value >= 0 or math.isnan(value) else f"-{digits(-value)}"
    return (str(value).replace("|", "\\|")) or NOTHING


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
