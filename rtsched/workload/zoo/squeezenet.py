"""SqueezeNet: AlexNet's accuracy with fifty times fewer parameters.

Iandola et al., "SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters and < 0.5 MB Model Size", arXiv 1602.07360, 2016. Version
1.1 of the authors' released networks, with 2.4 times fewer operations than the paper's.
Published: torchvision's model list has 1.24 M parameters and 0.35 G MACs.

Input: 224 x 224 RGB.

Assumed, as MoCA's artifact runs it: the two poolings between the modules are part of the convolutions that write the two halves of the
map, and the average behind the last convolution is left out: see `rtsched.workload.zoo.gemmini_rows`.
"""

from __future__ import annotations

from rtsched.workload.layer import FusedPool
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["squeezenet"]

_CLASSES = 1000

_MODULES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeezed channels and channels of each of the two expansions, of the modules fire2 to fire9."""

_POOLED = (3, 5)
_HALVING = FusedPool(kernel=3, stride=2)


def squeezenet() -> Model:
    """SqueezeNet 1.1."""
    net = Builder(3, 224, 224)
    net.conv("conv1", 64, 3, stride=2, padding=0)
    net.pool("pool1", 3, stride=2)
    for number, (squeezed, expanded) in enumerate(_MODULES, start=2):
        with net.scope(f"fire{number}"):
            _fire(net, squeezed, expanded, _HALVING if number in _POOLED else None)
    net.conv("classifier", _CLASSES)
    return net.model("squeezenet", source="Iandola et al., SqueezeNet, arXiv 1602.07360, 2016, version 1.1; 224 x 224")


def _fire(net: Builder, squeezed: int, expanded: int, pool: FusedPool | None) -> None:
    net.conv("squeeze", squeezed)
    with net.branch(net.shape):
        net.conv("expand1", expanded, pool=pool)
        half = net.shape
    net.conv("expand3", expanded, 3, pool=pool)
    net.concat("concat", half)
