"""From the layers that MoCA's authors measured on Gemmini to the layers of the zoo.

The artifact of MoCA (Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023) has
a table of measured layers for each of its seven networks, numbered from 0. The zoo's networks of those names have the same layers in the
same order, so a row is one layer, except that a pooling which the table has no row for belongs to the row of the convolution
before it. Layers that cost nothing (concatenations, reshapes) have no row.

A row of the table that states a fused pooling was measured with it. Three poolings are in no measured time: `stem.pool2` of
googlenet, `stem_pool` of kws_res26, and `pool` of squeezenet, which the artifact leaves out.
"""

from __future__ import annotations

from rtsched.workload import zoo
from rtsched.workload.layer import LayerBase

__all__ = ["NETWORKS", "rows"]

_WITHOUT_ROW: dict[str, tuple[str, ...]] = {
    "resnet50": ("stem.pool",),
    "alexnet": (),
    "googlenet": ("stem.pool1", "stem.pool2"),
    "squeezenet": ("fire3.pool1", "fire3.pool3", "fire5.pool1", "fire5.pool3", "pool"),
    "kws_res26": ("stem_pool",),
    "yolov2": (),
    "yolo_lite": (),
}

NETWORKS = tuple(_WITHOUT_ROW)
"""The networks that have measured rows, in the artifact's order."""


def rows(network: str) -> tuple[tuple[LayerBase, ...], ...]:
    """Layers of each measured row of a network.

    Parameters
    ----------
    network : str
        One of `NETWORKS`.

    Returns
    -------
    tuple of tuple of Layer
        Item i has the layers of row i, in their order: one, or a convolution and the pooling behind it.

    Raises
    ------
    KeyError
        When the network was not measured.
    """
    without_row = _WITHOUT_ROW[network]
    found: list[list[LayerBase]] = []
    for layer in zoo.load(network).variants[0].all_layers:
        if layer.name in without_row:
            found[-1].append(layer)
        elif not layer.is_free:
            found.append([layer])
    return tuple(tuple(row) for row in found)
