"""Pictures as inline SVG that takes its colours from the page, so that they follow its theme.

Lines have classes `s0` to `s7` with a dash of their own, areas `t0` to `t7`; style.py has the colours. Texts are as large as they are
in a picture that is shown in its own size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from rtsched.report.html.markup import Html, words
from rtsched.report.text import digits

__all__ = [
    "LETTER",
    "N_COLOURS",
    "WIDTH",
    "Axis",
    "area",
    "area_sample",
    "element",
    "frame",
    "line_sample",
    "picture",
    "polyline",
    "stacked",
    "text",
]

WIDTH = 340.0
"""Of a picture that fits on a phone."""

N_COLOURS = 8
DASHES = ("", "7 2", "2 2", "8 2 2 2", "4 2", "1 2", "10 2", "6 2 1 2 1 2")
"""So that lines can be told apart without colours."""

HATCHES = 3
"""Of areas, when there are more than colours: patterns of the page, `h1` to `h3`."""

LETTER = 5.6
"""About the width of a letter."""


def _number(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def element(tag: str, content: str = "", **attributes: object) -> Html:
    """An element; `content` is HTML. A `_` at the end of a name is dropped, another one becomes `-`."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"' for key, value in attributes.items())
    return Html(f"<{tag}{told}>{content}</{tag}>" if content else f"<{tag}{told}/>")


def text(content: object, x: float, y: float, **attributes: object) -> Html:
    """A line of text."""
    return element("text", words(content), x=float(x), y=float(y), **attributes)


def picture(name: str, title: str, about: str, height: float, body: str, width: float = WIDTH) -> Html:
    """A picture with what it shows in words.

    Parameters
    ----------
    name : str
        No other picture of the page has it.
    title, about : str
        For those who cannot see it.
    height : float
    body : str
    width : float
    """
    head = f'<title id="{name}-t">{words(title)}</title><desc id="{name}-d">{words(about)}</desc>'
    size = f'viewBox="0 0 {_number(float(width))} {_number(float(height))}"'
    return Html(f'<svg id="{name}" role="img" aria-labelledby="{name}-t {name}-d" {size}>{head}{body}</svg>')


@dataclass(frozen=True)
class Axis:
    """Values to places.

    Attributes
    ----------
    low, high : float
        `low` < `high`; above 0 when it is logarithmic.
    start, end : float
        Where they stand.
    is_log : bool
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    @classmethod
    def of(cls, values: np.ndarray, start: float, end: float, *, is_log: bool = False) -> Axis:
        """One that has room for all finite values; from 0 on, unless it is logarithmic."""
        values = values[np.isfinite(values) & ((values > 0) | (not is_log))]
        low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 1.0)
        if is_log:
            return cls(low / 1.15, high * 1.15, start, end, True)
        return cls(0.0, high * 1.05 if high > 0 else 1.0, start, end)

    def at(self, values: np.ndarray | float) -> np.ndarray:
        """Places of values; those beyond the ends stay there."""
        clipped = np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64), nan=self.low), self.low, self.high)
        part = np.log(clipped / self.low) / math.log(self.high / self.low) if self.is_log else (clipped - self.low) / (self.high - self.low)
        placed: np.ndarray = self.start + part * (self.end - self.start)
        return placed

    def ticks(self, most: int = 5) -> list[float]:
        """Round values in it."""
        if self.is_log and self.high > 10 * self.low:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1, 2, 5), (1, 3), (1,)):
                found = [step * 10.0**e for e in exponents for step in steps if self.low <= step * 10.0**e <= self.high]
                if len(found) <= most:
                    return found
            return found[:: -(-len(found) // most)]
        rough = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(step * unit for step in (1, 2, 5, 10) if step * unit >= rough)
        first = math.ceil(self.low / step)
        return [min(max(i * step, self.low), self.high) for i in range(first, math.floor(self.high / step * (1 + 1e-12)) + 1)]


def _tick(value: float) -> str:
    return f"{value:.6g}"


def frame(x: Axis, y: Axis, x_label: str, y_label: str = "") -> str:
    """Axes with ticks, their numbers and a grid."""
    parts = []
    for value in y.ticks():
        at = float(y.at(value))
        parts.append(element("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="g"))
        parts.append(text(_tick(value), x.start - 4, at + 3.5, text_anchor="end"))
    for value in x.ticks():
        at = float(x.at(value))
        parts.append(element("line", x1=at, x2=at, y1=y.start, y2=y.start + 4, class_="a"))
        parts.append(text(_tick(value), at, y.start + 15, text_anchor="middle"))
    parts.append(element("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="a"))
    parts.append(text(x_label, (x.start + x.end) / 2, y.start + 30, text_anchor="middle"))
    if y_label:
        parts.append(text(y_label, 2, y.end - 14))
    return "".join(parts)


def _path(x: np.ndarray, y: np.ndarray, is_stepped: bool) -> str:
    places = zip(x.tolist(), y.tolist(), strict=True)
    first = next(places, (0.0, 0.0))
    rest = (f"H{a:.1f}V{b:.1f}" if is_stepped else f"L{a:.1f} {b:.1f}" for a, b in places)
    return f"M{first[0]:.1f} {first[1]:.1f}{''.join(rest)}"


def polyline(place: int, x: np.ndarray, y: np.ndarray, *, is_stepped: bool = False) -> Html:
    """A line in the colour, and with the dashes, of this number."""
    i = place % N_COLOURS
    dash = {"stroke_dasharray": DASHES[i]} if DASHES[i] else {}
    return element("path", d=_path(x, y, is_stepped), class_=f"l s{i}", **dash)


def area(place: int, d: str, *, is_outlined: bool = False) -> Html:
    """A filled path in the colour, and where they are used up with the hatch, of what is at `place`."""
    fill = element("path", d=d, class_=f"t{place % N_COLOURS}{' o' if is_outlined else ''}")
    hatch = place // N_COLOURS % (HATCHES + 1)
    return Html(fill + (element("path", d=d, fill=f"url(#h{hatch})") if hatch else ""))


def line_sample(place: int) -> Html:
    """For a legend."""
    body = polyline(place, np.array([0.0, 26.0]), np.array([5.0, 5.0]))
    return Html(f'<svg class="sample" width="26" height="10" aria-hidden="true">{body}</svg>')


def area_sample(place: int) -> Html:
    """For a legend."""
    return Html(f'<svg class="sample" width="14" height="10" aria-hidden="true">{area(place, "M0 0H14V10H0Z", is_outlined=True)}</svg>')


BAR, ROW = 14.0, 34.0


def stacked(name: str, title: str, rows: Sequence[tuple[str, Sequence[float]]], parts: Sequence[str], *, is_share: bool = False) -> Html:
    """Horizontal bars made of parts, each under its own label.

    Parameters
    ----------
    name, title : str
        Of the picture.
    rows : sequence of (label, values)
        Values that are negative or not finite count as 0.
    parts : sequence of str
        What the values are.
    is_share : bool
        Every bar is as long as the picture is wide; else they have one scale.
    """
    clean = [np.nan_to_num(np.maximum(np.array(values, dtype=np.float64), 0.0), nan=0.0, posinf=0.0) for _, values in rows]
    longest = max((float(values.sum()) for values in clean), default=0.0)
    body = []
    for i, ((label, _), values) in enumerate(zip(rows, clean, strict=True)):
        top, x = i * ROW + 16, 0.0
        whole = float(values.sum()) if is_share else longest
        body.append(text(label, 0, top - 4))
        for place, value in enumerate(values.tolist()):
            width = value / whole * WIDTH if whole > 0 else 0.0
            if width < 0.05:
                continue
            body.append(area(place, f"M{x:.1f} {top:.1f}h{width:.1f}v{BAR}h-{width:.1f}Z", is_outlined=True))
            share = f"{value / values.sum():.0%}"
            if width > LETTER * (len(share) + 1):
                body.append(text(share, x + width / 2, top + 10.5, text_anchor="middle", class_=f"on{place % N_COLOURS}"))
            x += width
    about = "; ".join(
        f"{label}: " + ", ".join(f"{part} {digits(float(v))}" for part, v in zip(parts, values, strict=True) if v)
        for (label, _), values in zip(rows, clean, strict=True)
    )
    return picture(name, title, about, len(rows) * ROW + 2, "".join(body))
