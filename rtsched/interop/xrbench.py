"""XRBench's benchmark files as scenarios.

References
----------
Kwon et al.: XRBench: An extended reality (XR) machine learning benchmark suite for the metaverse, MLSys 2023; the files are those
of github.com/XRBench/XRBench-MLSys2023 (``XRbench_evaluation/usage_scenarios`` at db094a5f), their grammar is in
:mod:`rtsched.interop.maestro`.

- A network is a task and its model. FPS is its rate; with a Dependency it waits for those networks' jobs of the same frame, and
  Probability is that of its trigger. Deadlines are the end of the frame's period, also of dependent networks, as in
  ``HET_load-generator.hpp``.
- Y and X are sizes of the input without padding, and layers keep them (3 x 3 kernels on 2 x 2 inputs occur): so a
  convolution is padded until its output is the input over the stride, rounded up. MAESTRO's own files have the padding in Y
  and X; for them it is "none".
- TRCONV makes its output larger by the stride, which is 2 unless given, as in MAESTRO's parser.
- DSCONV is depthwise: K counts its output channels, or is 1 for one per input channel.
- NGCONV has G groups; C counts the channels of all of them. So does K, unless G times K is C, or K is no multiple of G: then it
  counts those of one group. MAESTRO's networks have both forms.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from rtsched._csv import capped, shown
from rtsched.errors import InputError
from rtsched.interop.maestro import LayerText, NetworkText, read_networks
from rtsched.interop.names import unused_name
from rtsched.workload.cascade import cascade_faults, roots
from rtsched.workload.layer import MAX_DIMENSION, Conv
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task

__all__ = ["Padding", "load_xrbench"]

Padding = Literal["same", "none"]

TYPES = ("CONV", "DSCONV", "TRCONV", "NGCONV")
REQUIRED = ("K", "C", "Y", "X", "R", "S")
TRANSPOSED_STRIDE = 2


def load_xrbench(path: str | os.PathLike[str], *, name: str | None = None, padding: Padding = "same") -> Scenario:
    """Read a usage scenario.

    Parameters
    ----------
    path : str or path
        A ``.m`` file of networks.
    name : str, optional
        The scenario's name. Default: the file's.
    padding : {"same", "none"}
        Whether convolutions are padded, or Y and X have the padding in them.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``vr.m:12:5: message``.
    """
    if padding not in get_args(Padding):
        raise InputError(f"padding: must be one of {', '.join(get_args(Padding))}, got {padding!r:.60}")
    file, faults = os.fspath(path), list[str]()
    networks = read_networks(file, faults)
    if not (networks or faults):
        faults.append(f"{file}: has no networks")
    layers = [_layers(network, padding, faults) for network in networks]
    parents = _parents(networks, faults)
    if parents is not None:
        _check_rates(networks, parents, faults)
    if faults:
        raise InputError(capped(faults, file))
    source = f"XRBench file {Path(path).name}"
    tasks = [_task(network, tuple(made), source) for network, made in zip(networks, layers, strict=True)]
    return Scenario(name=name or Path(path).stem, description=source, tasks=tuple(tasks))


def _task(network: NetworkText, layers: tuple[Conv, ...], source: str) -> Task:
    name = network.name.text
    model = Model(name=name, source=source, layers=layers)
    if not network.parents:
        return Task(name=name, model=model, fps=network.fps[1] if network.fps else None)
    trigger = network.probability[1] if network.probability else 1.0
    return Task(name=name, model=model, parents=tuple(one.text for one in network.parents), trigger=trigger, deadline_from="source")


# ---- Networks


def _parents(networks: Sequence[NetworkText], faults: list[str]) -> list[tuple[int, ...]] | None:
    """Which networks each depends on; None where that makes no sense."""
    before = len(faults)
    index: dict[str, int] = {}
    for i, network in enumerate(networks):
        if index.setdefault(network.name.text, i) != i:
            first = networks[index[network.name.text]].name.place
            faults.append(f"{network.name.place}: another network is named {shown(network.name.text)} too, at {first}")
    for network in networks:
        names = [one.text for one in network.parents]
        for i, one in enumerate(network.parents):
            if one.text not in index:
                faults.append(f"{one.place}: unknown network {shown(one.text)}; networks: {', '.join(map(shown, index))}")
            elif one.text in names[:i]:
                faults.append(f"{one.place}: {shown(one.text)} stands twice")
    if len(faults) > before:
        return None
    parents = [tuple(index[one.text] for one in network.parents) for network in networks]
    for path, message in cascade_faults([network.name.text for network in networks], parents):
        network = networks[int(path[1])]
        faults.append(f"{network.parents[0].place}: {message}")
    return parents if len(faults) == before else None


def _check_rates(networks: Sequence[NetworkText], parents: Sequence[tuple[int, ...]], faults: list[str]) -> None:
    """Find rates that are missing or differ within a cascade, and triggers of what nothing triggers."""
    for network, before, origin in zip(networks, parents, roots(parents), strict=True):
        name = network.name.text
        if not before:
            if not network.has_fps:
                faults.append(f"{network.name.place}: network {shown(name)} has no FPS")
            if network.probability is not None and network.probability[1] != 1:
                faults.append(f"{network.probability[0].place}: network {shown(name)} has no Dependency, so it runs for every frame")
            continue
        root = networks[min(origin)]
        if network.fps is not None and root.fps is not None and network.fps[1] != root.fps[1]:
            word, fps = network.fps
            faults.append(f"{word.place}: must be {root.fps[1]:g}, the FPS of {shown(root.name.text)}, whose frames it has, got {fps:g}")


# ---- Layers


def _layers(network: NetworkText, padding: Padding, faults: list[str]) -> list[Conv]:
    if not network.layers:
        faults.append(f"{network.name.place}: network {shown(network.name.text)} has no layers")
    taken: dict[str, int] = {}
    made = [_conv(layer, padding, unused_name(layer.name.text, taken), faults) for layer in network.layers]
    return [one for one in made if one is not None]


def _conv(layer: LayerText, padding: Padding, name: str, faults: list[str]) -> Conv | None:
    before = len(faults)
    kind = layer.type.text if layer.type is not None else None
    if kind not in TYPES:
        place, got = (layer.type.place, shown(str(layer.type))) if layer.type is not None else (layer.name.place, "nothing")
        faults.append(f"{place}: the type of layer {shown(layer.name.text)} must be one of {', '.join(TYPES)}, got {got}")
    if not layer.is_whole:
        return None
    missing = [one for one in (*REQUIRED, *(["G"] if kind == "NGCONV" else [])) if one not in layer.dimensions]
    if missing:
        faults.append(
            f"{layer.name.place}: layer {shown(layer.name.text)} lacks the dimension{'s' * (len(missing) > 1)} {', '.join(missing)}"
        )
    if len(faults) > before or kind is None:
        return None
    try:
        return _shaped(layer, kind, padding, name)
    except _ShapeError as error:
        faults.append(f"{layer.name.place}: layer {shown(layer.name.text)}: {error}")
        return None


class _ShapeError(ValueError):
    """Dimensions of a layer that do not fit together."""


def _shaped(layer: LayerText, kind: str, padding: Padding, name: str) -> Conv:
    is_transposed = kind == "TRCONV"
    size, kernel = (layer.dimensions["Y"], layer.dimensions["X"]), (layer.dimensions["R"], layer.dimensions["S"])
    default = TRANSPOSED_STRIDE if is_transposed else 1
    stride = (layer.stride.get("Y", default), layer.stride.get("X", default))
    out_channels, groups = _channels(layer, kind)
    total = [0, 0]
    if padding == "same":
        total = [_same(size[axis], kernel[axis], stride[axis], is_transposed) for axis in (0, 1)]
    elif not is_transposed and (kernel[0] > size[0] or kernel[1] > size[1]):
        raise _ShapeError(f"the kernel {kernel[0]} x {kernel[1]} is larger than the input {size[0]} x {size[1]}")
    (top, bottom), (left, right) = ((max(one, 0) // 2, (max(one, 0) + 1) // 2) for one in total)
    return Conv(
        name=name,
        in_channels=layer.dimensions["C"],
        out_channels=out_channels,
        size=size,
        kernel=kernel,
        stride=stride,
        padding=(top, left, bottom, right),
        groups=groups,
        batch=layer.dimensions.get("N", 1),
        transposed=is_transposed,
        output_padding=(max(-total[0], 0), max(-total[1], 0)),
    )


def _same(size: int, kernel: int, stride: int, is_transposed: bool) -> int:
    """Padding, of both sides together, with which an output is the input times or over the stride; negative: too small."""
    if is_transposed:
        return kernel - stride
    return max(0, (-(-size // stride) - 1) * stride + kernel - size)


def _channels(layer: LayerText, kind: str) -> tuple[int, int]:
    """Output channels, and groups."""
    out, into, groups = layer.dimensions["K"], layer.dimensions["C"], layer.dimensions.get("G", 1)
    if kind == "DSCONV":
        out, groups = into if out == 1 else out, into
    elif kind == "NGCONV" and (groups * out == into or out % groups):
        out *= groups
    elif kind != "NGCONV" and groups > 1:
        raise _ShapeError(f"G belongs to NGCONV, got {groups}")
    if into % groups or out % groups:
        raise _ShapeError(f"{groups} groups must divide the channels, K {out} and C {into}")
    if out > MAX_DIMENSION:
        raise _ShapeError(f"it has {out} output channels; must be at most 2^31 - 1")
    return out, groups
