"""What the layers of a model cost on an accelerator: as a table, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from rtsched.layer_costs import LayerCosts
from rtsched.report.export import as_json
from rtsched.report.text import NOTHING, Fitting, digits, facts, name, percent, scale, table, title
from rtsched.workload.layer import Conv, Elementwise, Embedding, Gemm, LayerBase, Norm, Pool, Recurrent, Softmax

__all__ = ["BOUND_NAMES", "FORMAT", "describe_layers", "layers_to_dict", "layers_to_json", "shape_of"]

FORMAT = "rtsched.layers/1"
"""Name and version of the JSON format. The version grows when a field is removed or changes its meaning, not when one is added."""

BOUND_NAMES = {"compute": "compute", "noc": "NoC", "start-up": "start-up", "dram": "DRAM", "l2": "L2", "sync": "sync"}
"""How `rtsched.layer_costs.BOUNDS` are written for readers."""

MAX_NAME, SHORT_NAME, MAX_SHAPE = 28, 14, 24
"""Characters of a layer's name, of the same where there is little room, and there of its kind with its shape."""

INTENSITY = "MACs\n/byte"


# Shapes


def shape_of(layer: LayerBase) -> str:
    """Write a layer's shape on one line.

    Examples
    --------
    >>> shape_of(Conv(name="a", in_channels=3, out_channels=64, size=224, kernel=7, stride=2, padding=3))
    '7x7/2 3→64 112x112'
    >>> shape_of(Gemm(name="a", m=1, n=1000, k=512)), shape_of(Elementwise(name="a", elements=4096, operands=2))
    ('1x512x1000', '2 of 4,096')
    """
    match layer:
        case Conv():
            parts = [_window(layer), *_channels(layer), _by(layer.output_size), *_times("images", layer.batch)]
            return " ".join(["up", *parts] if layer.transposed else parts)
        case Pool():
            return " ".join([_window(layer), str(layer.channels), _by(layer.output_size), *_times("images", layer.batch)])
        case Gemm():
            return " ".join([f"{layer.m}x{layer.k}x{layer.n}", *_times("times", layer.count)])
        case Recurrent():
            ways = ["both ways"] if layer.directions == 2 else []
            return " ".join([f"{layer.input_size}→{layer.hidden_size}", f"{layer.steps} steps", *ways, *_times("rows", layer.batch)])
        case Elementwise():
            return f"{layer.operands} of {layer.elements:,}"
        case Norm() | Softmax():
            return f"{layer.elements:,}"
        case Embedding():
            return f"{layer.lookups} of {layer.rows:,} x{layer.width}"
    return ""


def _channels(layer: Conv) -> list[str]:
    if layer.groups == layer.in_channels == layer.out_channels > 1:
        return [f"dw {layer.groups}"]
    return [f"{layer.in_channels}→{layer.out_channels}", *([f"in {layer.groups}"] if layer.groups > 1 else [])]


def _by(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"


def _times(what: str, count: int) -> list[str]:
    return [f"{count} {what}"] if count > 1 else []


def _window(layer: Conv | Pool) -> str:
    stride = "" if layer.stride == (1, 1) else f"/{layer.stride[0]}" if layer.stride[0] == layer.stride[1] else f"/{_by(layer.stride)}"
    return _by(layer.kernel) + stride


# The table


def describe_layers(found: LayerCosts) -> RenderableType:
    """Return a line for each layer with its cost, the totals, and what bounds the model.

    Parameters
    ----------
    found : LayerCosts
    """
    subnet = f", subnet {found.subnet}" if found.subnet != found.model else ""
    about = f"Layers{subnet} on {found.accelerator.name} of {found.platform}, each alone"
    rows = [
        ("peak", _peak(found)),
        ("bound", _bounds(found)),
        ("use", "MACs done of those that the array could do in that time"),
        ("DRAM", "without the activations that stay on chip between layers"),
        ("shape", "kernel/stride, channels in→out (dw: depthwise), output; of a gemm rows x inputs x outputs"),
    ]
    kind, shape, *numbers = _columns(found)
    both = [f"{a} {b}".removeprefix("conv ") for a, b in zip(kind[1], shape[1], strict=True)]
    medium = [("shape", [one if len(one) <= MAX_SHAPE else one[: MAX_SHAPE - 1] + "…" for one in both], ""), *numbers]
    narrow = [kind, *(one for one in numbers if one[0] != INTENSITY)]
    tables = (_table(found, [kind, shape, *numbers], MAX_NAME), _table(found, medium, SHORT_NAME), _table(found, narrow, SHORT_NAME))
    return Group(title(found.model, "model", about), Fitting(*tables), "", facts(rows))


Column = tuple[str, Sequence[str], str]
"""Heading, cells, total."""


def _columns(found: LayerCosts) -> list[Column]:
    runs = found.latency_ns > 0
    kinds = [layer.kind for layer in found.layers]
    bounds = [BOUND_NAMES.get(one or "", NOTHING) for one in found.bound]
    return [
        ("kind", kinds, ""),
        ("shape", [shape_of(layer) for layer in found.layers], ""),
        _scaled("MACs", "", found.macs.astype(float), digits),
        _scaled("cycles", "", found.cycles, digits),
        ("use\n%", [percent(one) for one in found.utilisation], percent(found.total_utilisation)),
        _scaled("DRAM", "B", np.where(runs, found.dram_bytes, np.nan), digits),
        (INTENSITY, [digits(one) for one in found.macs_per_dram_byte], digits(_over(found.macs.sum(), found.dram_bytes.sum()))),
        _scaled("time", "s", np.where(runs, found.latency_ns * 1e-9, np.nan), digits),
        _scaled("energy", "J", np.where(runs, found.energy_j, np.nan), digits),
        ("bound", bounds, ""),
    ]


def _scaled(heading: str, unit: str, values: np.ndarray, write: Callable[[float], str]) -> Column:
    """A column in the unit in which its median is easy to read; NaN where there is no number, which the total leaves out."""
    known = values[np.isfinite(values) & (values > 0)]
    divisor, prefix = scale(float(np.median(known))) if len(known) else (1.0, "")
    total = float(np.nansum(values)) if np.isfinite(values).any() else math.nan
    return f"{heading}\n{prefix}{unit}", [write(one / divisor) for one in values.tolist()], write(total / divisor)


def _table(found: LayerCosts, columns: Sequence[Column], longest: int) -> RenderableType:
    headings = ["#", "layer", *(heading for heading, _, _ in columns)]
    totals = ["", "all", *(total for _, _, total in columns)]
    # No column of words is wrapped: a layer is a line.
    made = table(headings, words=("layer", "kind", "shape", "bound"), totals=totals, is_tight=True)
    for column in made.columns:
        column.no_wrap = True
    for i, layer in enumerate(found.layers):
        made.add_row(str(i), _tail(layer.name, longest), *(cells[i] for _, cells, _ in columns))
    return made


def _tail(text: str, longest: int) -> Text:
    """The end of a name, which tells layers apart."""
    shown = name(text).plain
    return Text(shown if len(shown) <= longest else "…" + shown[1 - longest :])


def _peak(found: LayerCosts) -> str:
    array = "MACs unknown" if math.isnan(found.peak_macs_per_ns) else f"{digits(found.peak_macs_per_ns)} GMAC/s"
    tiles = "" if found.accelerator.tiles == 1 else f" of {found.tiles} of its {found.accelerator.tiles} tiles"
    return f"{array}{tiles}, {digits(found.dram_bytes_per_ns)} GB/s of DRAM"


def _bounds(found: LayerCosts) -> str:
    """Shares of the time, the largest first."""
    time_ns: dict[str, int] = {}
    for bound, latency_ns in zip(found.bound, found.latency_ns.tolist(), strict=True):
        time_ns[BOUND_NAMES.get(bound or "", "unknown")] = time_ns.get(BOUND_NAMES.get(bound or "", "unknown"), 0) + latency_ns
    total = max(1, sum(time_ns.values()))
    shares = sorted(time_ns.items(), key=lambda item: -item[1])
    stuck = int((found.latency_ns == 0).sum())
    cannot = f"; {stuck} layer{'' if stuck == 1 else 's'} cannot run there" if stuck else ""
    return ", ".join(f"{who} {percent(part / total)} %" for who, part in shares if part) + " of the time" + cannot


def _over(part: float, whole: float) -> float:
    return part / whole if whole else math.inf if part else math.nan


# JSON


def layers_to_dict(found: LayerCosts) -> dict[str, Any]:
    """Return the costs as numbers, strings, lists and dictionaries; None for what is not known.

    Parameters
    ----------
    found : LayerCosts

    Returns
    -------
    dict
    """
    return {
        "format": FORMAT,
        "model": found.model,
        "subnet": found.subnet,
        "platform": found.platform,
        "accelerator": found.accelerator.name,
        "tiles": found.tiles,
        "peak_macs_per_ns": _number(found.peak_macs_per_ns),
        "dram_bytes_per_ns": found.dram_bytes_per_ns,
        "layers": [_layer(found, i) for i in range(len(found))],
        "totals": {
            "layers": len(found),
            "macs": int(found.macs.sum()),
            "cycles": None if np.isnan(found.cycles).all() else int(np.nansum(found.cycles)),
            "latency_ns": int(found.latency_ns.sum()),
            "dram_bytes": int(found.dram_bytes.sum()),
            "l2_bytes": int(found.l2_bytes.sum()),
            "energy_j": float(found.energy_j.sum()),
            "utilisation": _number(found.total_utilisation),
        },
    }


def _layer(found: LayerCosts, i: int) -> dict[str, Any]:
    runs = found.latency_ns[i] > 0
    return {
        "index": i,
        "name": found.layers[i].name,
        "kind": found.layers[i].kind,
        "shape": shape_of(found.layers[i]),
        "macs": int(found.macs[i]),
        "cycles": None if np.isnan(found.cycles[i]) else int(found.cycles[i]),
        "latency_ns": int(found.latency_ns[i]) if runs else None,
        "dram_bytes": int(found.dram_bytes[i]) if runs else None,
        "l2_bytes": int(found.l2_bytes[i]) if runs else None,
        "energy_j": float(found.energy_j[i]) if runs else None,
        "utilisation": _number(float(found.utilisation[i])) if runs else None,
        "macs_per_dram_byte": _number(float(found.macs_per_dram_byte[i])) if runs else None,
        "bound": found.bound[i],
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def layers_to_json(found: LayerCosts) -> str:
    """Return `layers_to_dict` as JSON, indented, with a line break at the end.

    Parameters
    ----------
    found : LayerCosts

    Returns
    -------
    str
        ASCII.
    """
    return as_json(layers_to_dict(found))
