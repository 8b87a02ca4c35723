"""The networks that come with rtsched, each built from its paper's published architecture.

One file per family; a function per network, named as the network is in scenarios. `gemmini_rows` tells which layers were measured on
Gemmini.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from rtsched.workload.model import Model

__all__ = ["load", "names"]

_FAMILIES = {
    "alexnet": "alexnet",
    "bert_base": "bert",
    "ed_tcn": "ed_tcn",
    "efficientnet_b0": "efficientnet",
    "fbnet_c": "fbnet",
    "focal_length_depth": "focal_length_depth",
    "gnmt": "gnmt",
    "googlenet": "googlenet",
    "hand_pose": "hand_graph_cnn",
    "kws_res26": "kws_resnet",
    "kws_res8": "kws_resnet",
    "mobilenetv3_large": "mobilenetv3",
    "ofa_mobilenetv3": "once_for_all",
    "rapid_rl": "rapid_rl",
    "resnet50": "resnet",
    "skipnet": "skipnet",
    "sosnet": "sosnet",
    "squeezenet": "squeezenet",
    "ssd_mobilenetv2": "ssd",
    "trailnet": "trailnet",
    "vgg_m": "vgg_m",
    "vit_b16": "vit",
    "yolo_lite": "yolo",
    "yolov2": "yolo",
    "yolov8n": "yolov8",
}
"""Network -> the module that has the function of that name. Modules are imported when a network of theirs is asked for."""


def names() -> tuple[str, ...]:
    """Names of all networks, in alphabetical order."""
    return tuple(sorted(_FAMILIES))


@cache
def load(name: str) -> Model:
    """Build a network, once per process.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Model

    Raises
    ------
    KeyError
        When there is no network of that name.
    """
    family = import_module(f"{__name__}.{_FAMILIES[name]}")
    model: Model = getattr(family, name)()
    return model
