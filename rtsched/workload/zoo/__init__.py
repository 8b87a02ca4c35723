"""The networks that come with rtsched, each built from its paper's published architecture.

One file per family; a function per network, named as the network is in scenarios.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from rtsched.workload.model import Model

__all__ = ["load", "names"]

_FAMILIES = {
    "fbnet_c": "fbnet",
    "gnmt": "gnmt",
    "hand_pose": "hand_graph_cnn",
    "kws_res8": "kws_resnet",
    "ofa_mobilenetv3": "once_for_all",
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
