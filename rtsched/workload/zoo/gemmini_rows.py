"""The layers that MoCA's authors measured on Gemmini.

The artifact of MoCA (Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023) has
a table of measured layers for each of its seven networks, numbered from 0. The zoo's networks of those names have the same layers in the
same order: row i is layer i, not counting layers that cost nothing (concatenations, reshapes).

Two poolings are in no row and in no measured time, so they cost nothing here: those behind `stem.conv2` of googlenet and behind `stem` of
kws_res26.
"""

from __future__ import annotations

from rtsched.workload import zoo
from rtsched.workload.layer import LayerBase

__all__ = ["NETWORKS", "rows"]

NETWORKS = ("resnet50", "alexnet", "googlenet", "squeezenet", "kws_res26", "yolov2", "yolo_lite")
"""The networks that have measured rows, in the artifact's order."""


def rows(network: str) -> tuple[LayerBase, ...]:
    """The layer of each measured row of a network.

    Parameters
    ----------
    network : str
        One of `NETWORKS`.

    Raises
    ------
    KeyError
        When the network was not measured.
    """
    if network not in NETWORKS:
        raise KeyError(network)
    return tuple(layer for layer in zoo.load(network).variants[0].all_layers if not layer.is_free)
