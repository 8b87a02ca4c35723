"""Pieces of HTML. Whatever comes from outside goes through `words`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rtsched.report.text import name

__all__ = ["Html", "figure", "grid", "legend", "note", "numbers", "table", "words"]


MAX_LETTERS = 24
"""Of a cell; a longer one is wrapped, so that it leaves room for the others."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def words(text: object) -> Html:
    """A text as HTML: nothing in it takes effect, and control characters are seen."""
    return text if isinstance(text, Html) else Html(escape(str(name(str(text)))))


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    n_words: int = 1,
    n_prose: int = 0,
    total: Sequence[object] = (),
) -> Html:
    """A table that scrolls by itself where it is too wide.

    Parameters
    ----------
    caption : str
    columns : sequence of str
        Titles.
    rows : sequence of sequences
        The first cell of each names it.
    n_words : int
        So many columns from the left hold words; the others numbers.
    n_prose : int
        So many from the right hold sentences, which are wrapped.
    total : sequence
        The last row, apart from the others; none when it is empty.
    """
    kinds = ["" if i < n_words else "w" if i >= len(columns) - n_prose else "n" for i in range(len(columns))]

    def line(cells: Sequence[object]) -> str:
        rest = "".join(_cell("td", one, kind) for one, kind in zip(cells[1:], kinds[1:], strict=True))
        return f"<tr>{_cell('th', cells[0], kinds[0], 'row')}{rest}</tr>"

    heads = "".join(_cell("th", one, kind, "col") for one, kind in zip(columns, kinds, strict=True))
    body = "".join(map(line, rows))
    foot = f"<tfoot>{line(total)}</tfoot>" if total else ""
    return Html(
        f'<div class="scroll" role="region" tabindex="0" aria-label="{words(caption)}"><table><caption>{words(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>{foot}</table></div>"
    )


def _cell(tag: str, content: object, kind: str, scope: str = "") -> str:
    is_long = len(str(content)) > MAX_LETTERS and kind != "w" and not isinstance(content, Html)
    classes = f"{kind} long".strip() if is_long else kind
    attributes = (f' scope="{scope}"' if scope else "") + (f' class="{classes}"' if classes else "")
    return f"<{tag}{attributes}>{words(content)}</{tag}>"


def numbers(content: Html) -> Html:
    """What stands behind a figure, open at first, so that it is printed."""
    return Html(f"<details open><summary>Numbers</summary>{content}</details>")


def figure(svg: Html, caption: str, *, is_wide: bool = False) -> Html:
    """A picture with its caption; a wide one scrolls by itself on a narrow screen."""
    kind = ' class="wide"' if is_wide else ""
    inner = f'<div class="scroll" role="region" tabindex="0" aria-label="{words(caption)}">{svg}</div>' if is_wide else svg
    return Html(f"<figure{kind}><figcaption>{words(caption)}</figcaption>{inner}</figure>")


def grid(pieces: Sequence[Html]) -> Html:
    """Pieces side by side, as many as there is room for."""
    return Html(f'<div class="grid">{"".join(pieces)}</div>')


def note(text: object) -> Html:
    """A paragraph that explains."""
    return Html(f'<p class="note">{words(text)}</p>')


def legend(entries: Sequence[tuple[Html, str]]) -> Html:
    """Samples with what they mean."""
    items = "".join(f"<li>{sample}{words(text)}</li>" for sample, text in entries)
    return Html(f'<ul class="legend">{items}</ul>')
