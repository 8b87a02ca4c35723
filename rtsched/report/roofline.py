"""The layers of a model under the rooflines of a platform's accelerators, as a picture for a paper.

Needs matplotlib, which is imported when a picture is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rtsched.errors import InputError
from rtsched.layer_costs import LayerCosts
from rtsched.report.figures.style import SETTINGS, SUFFIXES, label, matplotlib_parts, suffix_of, to_bytes
from rtsched.report.layers import BOUND_NAMES
from rtsched.report.palette import HUES
from rtsched.report.text import digits

__all__ = ["SUFFIXES", "draw_rooflines", "suffix_of"]

COLOURS = {
    "compute": HUES["blue"],
    "noc": HUES["orange"],
    "start-up": HUES["purple"],
    "dram": HUES["vermilion"],
    "l2": HUES["green"],
    "sync": HUES["sky"],
}
"""By what bounds a layer."""
UNKNOWN_COLOUR = "#666666"

MARKERS = {"conv": "o", "gemm": "s", "recurrent": "^"}
"""The kinds with multiply-accumulates; others are not drawn."""

N_NAMED = 4
"""Places of a panel that bear the name of a layer: those where the layers take longest, together."""

PANEL_INCHES = (3.6, 2.9)
AXES_INCHES = (3.2, 2.1)
"""About what is left of a panel for the dots."""
LETTER_INCHES, LINE_INCHES = 0.047, 0.1
"""About the size of a letter of a name."""

MAX_COLUMNS = 3


def draw_rooflines(costs: Sequence[LayerCosts], suffix: str) -> bytes:
    """Draw a panel for each accelerator: its roof, and every layer with multiply-accumulates as a dot.

    A dot stands at MACs per byte of DRAM and MACs per ns of the layer alone; its area grows with the layer's share of the
    time. Layers without DRAM traffic stand at the right edge. Accelerators that cost the same share a panel.

    Parameters
    ----------
    costs : sequence of LayerCosts
        Of one model.
    suffix : str
        One of `SUFFIXES`.

    Returns
    -------
    bytes
        The file; the same for the same costs and version of matplotlib.

    Raises
    ------
    rtsched.errors.InputError
        Matplotlib is not installed, or no layer has multiply-accumulates.

    References
    ----------
    .. [1] Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
       Architectures", CACM 2009.
    """
    rc_context, figure_class = matplotlib_parts()
    panels = _panels(costs)
    if not any(_is_drawn(one).any() for one, _ in panels):
        raise InputError(f"model {costs[0].model!r}: no layer that runs there has multiply-accumulates to draw")
    columns = 2 if len(panels) == 4 else min(len(panels), MAX_COLUMNS)
    rows = -(-len(panels) // columns)
    with rc_context(SETTINGS):
        figure = figure_class(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows + 0.3), layout="constrained")
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        x, y = _limits([one for one, _ in panels])
        for place, (ax, (one, names)) in enumerate(zip(axes.flat, panels, strict=False)):
            ax.set(xscale="log", yscale="log", xlim=x, ylim=y)
            _panel(ax, one, names, x)
            if place % columns == 0:
                ax.set_ylabel("GMAC/s")
            if place + columns >= len(panels):
                ax.set_xlabel("MACs per byte of DRAM")
                ax.xaxis.set_tick_params(labelbottom=True)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        _legend(figure, [one for one, _ in panels])
        figure.suptitle(_heading(costs[0]), fontsize=9)
    return to_bytes(figure, suffix)


def _panels(costs: Sequence[LayerCosts]) -> list[tuple[LayerCosts, list[str]]]:
    """Accelerators that cost the same, together."""
    panels: list[tuple[LayerCosts, list[str]]] = []
    for one in costs:
        for other, names in panels:
            same_roof = (one.dram_bytes_per_ns, repr(one.peak_macs_per_ns)) == (other.dram_bytes_per_ns, repr(other.peak_macs_per_ns))
            if same_roof and all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("latency_ns", "dram_bytes")):
                names.append(one.accelerator.name)
                break
        else:
            panels.append((one, [one.accelerator.name]))
    return panels


def _is_drawn(one: LayerCosts) -> np.ndarray:
    return np.asarray((one.macs > 0) & (one.latency_ns > 0))


def _limits(costs: Sequence[LayerCosts]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Axes that hold every dot, ridge and roof."""
    x: list[float] = []
    y: list[float] = []
    for one in costs:
        drawn = _is_drawn(one)
        intensity = one.macs_per_dram_byte[drawn]
        x += intensity[np.isfinite(intensity)].tolist()
        y += (one.macs[drawn] / one.latency_ns[drawn]).tolist()
        if np.isfinite(one.peak_macs_per_ns):
            x.append(one.peak_macs_per_ns / one.dram_bytes_per_ns)
            y.append(one.peak_macs_per_ns)
    x = x or [1.0]
    return (min(x) / 2, max(x) * 4), (min(y) / 2, max(y) * 3)


def _panel(ax: Any, one: LayerCosts, names: list[str], x: tuple[float, float]) -> None:
    drawn = np.flatnonzero(_is_drawn(one))
    edge = x[1] / 1.4
    intensity = np.minimum(one.macs_per_dram_byte[drawn], edge)
    rate = one.macs[drawn] / one.latency_ns[drawn]
    share = one.latency_ns[drawn] / max(1, one.latency_ns.sum())
    for kind, marker in MARKERS.items():
        own = [i for i, layer in enumerate(drawn) if one.layers[layer].kind == kind]
        colours = [COLOURS.get(one.bound[drawn[i]] or "", UNKNOWN_COLOUR) for i in own]
        area = 8 + 300 * share[own]
        ax.scatter(intensity[own], rate[own], s=area, c=colours, marker=marker, alpha=0.75, linewidths=0.3, edgecolors="white", zorder=3)
    grid = np.geomspace(*x, 200)
    roof = np.minimum(grid * one.dram_bytes_per_ns, np.inf if np.isnan(one.peak_macs_per_ns) else one.peak_macs_per_ns)
    ax.plot(grid, roof, color="black", linewidth=1.0, zorder=2)
    tiles = "" if one.accelerator.tiles == 1 else f", {one.tiles} of {one.accelerator.tiles} tiles"
    ax.set_title(", ".join(names) + tiles, fontsize=8)
    peak = "" if np.isnan(one.peak_macs_per_ns) else f"{digits(one.peak_macs_per_ns)} GMAC/s, "
    ax.annotate(f"{peak}{digits(one.dram_bytes_per_ns)} GB/s", (0.97, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=7)
    ax.grid(True, which="major", linewidth=0.3, color="#cccccc", zorder=0)
    _name_dots(ax, (intensity, rate), share, [one.layers[i].name for i in drawn])


def _name_dots(ax: Any, at: tuple[np.ndarray, np.ndarray], share: np.ndarray, names: list[str]) -> None:
    """Name the places of a panel where most of the time is spent, as far as names fit beside each other."""
    bounds = np.log10([ax.get_xlim(), ax.get_ylim()])
    inches = [(np.log10(values) - low) / (high - low) * size for values, (low, high), size in zip(at, bounds, AXES_INCHES, strict=True)]
    places: dict[tuple[float, float], list[int]] = {}
    for i in np.argsort(-share, kind="stable").tolist():
        places.setdefault((round(inches[0][i], 1), round(inches[1][i], 1)), []).append(i)
    taken = [np.array([[AXES_INCHES[0] / 2, AXES_INCHES[1] - 0.25], AXES_INCHES])]  # the roof's figures stand there
    for dots in sorted(places.values(), key=lambda dots: -share[dots].sum())[:N_NAMED]:
        first = dots[0]
        text = label(names[first]) + (f" +{len(dots) - 1}" if len(dots) > 1 else "")
        box = _free_box(LETTER_INCHES * len(text), (inches[0][first], inches[1][first]), taken, np.stack(inches, axis=1))
        if box is not None:
            taken.append(box)
            shift = 72 * (box[0] - (inches[0][first], inches[1][first]))
            line = {"arrowstyle": "-", "linewidth": 0.3, "color": "#888888", "shrinkA": 0, "shrinkB": 1}
            place = {"xy": (at[0][first], at[1][first]), "xytext": tuple(shift), "textcoords": "offset points"}
            ax.annotate(text, **place, arrowprops=line, fontsize=6, zorder=4)


def _free_box(width: float, at: tuple[float, float], taken: list[np.ndarray], dots: np.ndarray) -> np.ndarray | None:
    """Lower left and upper right corner of a name near its dot that covers neither a dot nor a name; None where there is no room."""
    for lift in (-0.15, 0.08, -0.25, 0.18, -0.35, 0.28, -0.45, 0.38):
        for shift in (0.06, -0.06 - width, -width / 2):
            box = np.array([[at[0] + shift, at[1] + lift], [at[0] + shift + width, at[1] + lift + LINE_INCHES]])
            is_inside = (box[0] > 0.05).all() and (box[1] < np.array(AXES_INCHES) - 0.05).all()
            covers = ((dots > box[0] - 0.03) & (dots < box[1] + 0.03)).all(axis=1).any()
            if is_inside and not covers and not any((box[0] < other[1]).all() and (other[0] < box[1]).all() for other in taken):
                return box
    return None


def _legend(figure: Any, costs: Sequence[LayerCosts]) -> None:
    """Kinds and bounds, as far as they occur."""
    from matplotlib.lines import Line2D

    kinds = {one.layers[i].kind for one in costs for i in np.flatnonzero(_is_drawn(one))}
    bounds = {one.bound[i] for one in costs for i in np.flatnonzero(_is_drawn(one))}
    dots = [Line2D([], [], linestyle="", marker=m, color="#444444", markersize=4, label=k) for k, m in MARKERS.items() if k in kinds]
    dots += [
        Line2D([], [], linestyle="", marker="o", color=colour, markersize=4, label=f"{BOUND_NAMES[bound]}-bound")
        for bound, colour in COLOURS.items()
        if bound in bounds
    ]
    if None in bounds:
        dots.append(Line2D([], [], linestyle="", marker="o", color=UNKNOWN_COLOUR, markersize=4, label="measured"))
    figure.legend(
        handles=dots, loc="outside lower center", ncols=len(dots), frameon=False, fontsize=7, handletextpad=0.2, columnspacing=1.2
    )


def _heading(one: LayerCosts) -> str:
    subnet = "" if one.subnet == one.model else f", {one.subnet}"
    return label(one.model) + subnet.replace("$", r"\$") + f" on {label(one.platform)}"
