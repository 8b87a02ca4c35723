"""SqueezeNet: AlexNet's accuracy with fifty times fewer parameters.

Iandola et al., "SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters and < 0.5 MB Model Size", arXiv 1602.07360, 2016. Version
1.1 of the authors' released networks, with 2.4 times fewer operations than the paper's.
Published: torchvision's model list has 1.24 M parameters and 0.35 G MACs.

Input: 224 x 224 RGB.

Assumed: the two poolings between the modules are executed on each half of the map, right behind the convolution that writes it, as MoCA's
artifact runs them; `rtsched.workload.zoo.gemmini_rows` tells which of its measured layers is which here.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["squeezenet"]

_CLASSES = 1000

_MODULES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeezed channels and channels of each of the two expansions, of the modules fire2 to fire9."""

_POOLED = (3, 5)


def squeezenet() -> Model:
    """SqueezeNet 1.1."""
    net = Builder(3, 224, 224)
    net.conv("conv1", 64, 3, stride=2, padding=0)
    net.pool("pool1", 3, stride=2)
    for number, (squeezed, expanded) in enumerate(_MODULES, start=2):
        with net.scope(f"fire{number}"):
            _fire(net, squeezed, expanded, is_pooled=number in _POOLED)
    net.conv("classifier", _CLASSES)
    net.global_pool("pool")
    return net.model("squeezenet", source="Iandola et al., SqueezeNet, arXiv 1602.07360, 2016, version 1.1; 224 x 224")


def _fire(net: Builder, squeezed: int, expanded: int, *, is_pooled: bool) -> None:
    net.conv("squeeze", squeezed)
    with net.branch(net.shape):
        net.conv("expand1", expanded)
        if is_pooled:
            net.pool("pool1", 3, stride=2)
        half = net.shape
    net.conv("expand3", expanded, 3)
    if is_pooled:
        net.pool("pool3", 3, stride=2)
    net.concat("concat", half)
