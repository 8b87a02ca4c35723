"""Section: how busy tiles and DRAM were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtsched.outcome import Outcome
from rtsched.report.html.markup import Html, figure, grid, note, numbers, table
from rtsched.report.html.results import Result
from rtsched.report.html.svg import WIDTH, Axis, element, frame, picture, polyline, text
from rtsched.report.text import digits, percent, scaled
from rtsched.timeline import tile_names

__all__ = ["mean_allocation", "section"]

N_STEPS = 100
"""Of the run; each is a mean."""

HEIGHT = 190.0
ROW, BAR, MAX_ROWS = 13.0, 10.0, 64


def section(results: Sequence[Result]) -> Html:
    """Tiles, then DRAM over the run."""
    drawn = [figure(_tiles(one), f"Busy time of tiles, {one.label}") for one in results]
    drawn += [figure(_dram(one), f"DRAM in use over the run, {one.label}") for one in results if one.outcome.rates is not None]
    pieces = [grid(drawn)]
    without = [one.label for one in results if one.outcome.rates is None]
    if without:
        pieces.append(note(f"DRAM over time needs recorded rates ('rtsched run --save'), which these have not: {', '.join(without)}."))
    return Html("".join(pieces) + numbers(_table(results)))


def _tiles(result: Result) -> Html:
    names, busy = tile_names(result.outcome), result.outcome.metrics.utilisation
    body = []
    for i, (name, part) in enumerate(zip(names[:MAX_ROWS], busy.tolist(), strict=False)):
        top = i * ROW + 2
        width = float(np.clip(np.nan_to_num(part), 0.0, 1.0)) * (WIDTH - 140)
        body.append(text(name if len(name) <= 14 else name[:13] + "…", 0, top + 9))
        body.append(element("rect", x=90.0, y=top, width=WIDTH - 140, height=BAR, fill="none", class_="a"))
        body.append(element("rect", x=90.0, y=top, width=width, height=BAR, class_=f"b{result.colour % 8}"))
        body.append(text(f"{percent(part)} %", WIDTH, top + 9, text_anchor="end"))
    told = "; ".join(f"{name} {percent(part)} %" for name, part in zip(names[:MAX_ROWS], busy.tolist(), strict=False))
    return picture(
        f"tiles-{result.place}", f"Busy time of tiles under {result.label}", told, min(len(names), MAX_ROWS) * ROW + 4, "".join(body)
    )


def mean_allocation(outcome: Outcome, edges_ns: np.ndarray) -> np.ndarray:
    """Mean bytes per ns that all layers were given between two edges each: float64, shape (n_edges - 1,)."""
    rates = outcome.rates
    assert rates is not None
    key = rates["job"] * outcome.problem.n_layers + rates["layer"]
    order = np.argsort(key, kind="stable")
    given = rates["allocation_bytes_per_ns"][order]
    change = np.empty(len(rates))
    change[order] = given - np.append(0.0, given[:-1]) * np.append(0.0, key[order][1:] == key[order][:-1]) if len(rates) else given
    times = rates["time_ns"].astype(np.float64)
    moved = np.append(0.0, np.cumsum(np.cumsum(change)[:-1] * np.diff(times)))
    until = np.interp(edges_ns, times, moved) if len(rates) else np.zeros(len(edges_ns))
    means: np.ndarray = np.diff(until) / np.diff(edges_ns)
    return means


def _dram(result: Result) -> Html:
    outcome = result.outcome
    edges = np.linspace(0, max(outcome.end_ns, 1), N_STEPS + 1)
    peak = outcome.problem.peak_bytes_per_ns
    x, y = Axis(0.0, float(edges[-1]) * 1e-9, 36, WIDTH - 10), Axis(0.0, 100.0, HEIGHT - 38, 28)
    shares = y.at(100.0 * mean_allocation(outcome, edges) / peak)
    line = polyline(result.colour, x.at(edges * 1e-9), np.append(shares, shares[-1:]), is_stepped=True)
    told = f"{percent(outcome.metrics.memory_utilisation)} % on average"
    title = f"DRAM in use under {result.label}, % of {digits(peak)} GB/s"
    return picture(f"dram-{result.place}", title, told, HEIGHT, frame(x, y, "s", f"% of {digits(peak)} GB/s") + line)


def _table(results: Sequence[Result]) -> Html:
    rows = []
    for one in results:
        busy = one.outcome.metrics.utilisation
        rows += [[name, one.label, f"{percent(part)} %", ""] for name, part in zip(tile_names(one.outcome), busy.tolist(), strict=True)]
        moved = scaled(one.outcome.served_bytes, "B")
        rows.append(["DRAM", one.label, f"{percent(one.outcome.metrics.memory_utilisation)} % of peak", moved])
    return table("Busy time of tiles, and DRAM over the whole run", ["what", "result", "in use", "moved"], rows, n_words=2)
