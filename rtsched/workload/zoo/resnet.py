"""ResNet: deep networks whose layers learn what to add to their input.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
Published for ResNet-50: torchvision's model list has 25.6 M parameters and 4.09 G MACs.

Input: 224 x 224 RGB.

Assumed: stages halve the image in the 3x3 convolution of their first block, as all current releases do (the paper does it in the
1x1 before, with 3.86 G MACs). The pooling behind the first convolution is part of it, and the classifier has 1024 outputs, the 1000
classes padded, as MoCA's artifact runs them (0.2 % more parameters): see `rtsched.workload.zoo.gemmini_rows`.
"""

from __future__ import annotations

from rtsched.workload.layer import FusedPool
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["RESNET50", "bottleneck", "resnet50", "stem"]

RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Per stage: inner channels, blocks, stride of the first block."""

_EXPANSION = 4
_OUTPUTS = 1024


def resnet50() -> Model:
    """ResNet-50."""
    net = Builder(3, 224, 224)
    net.conv("stem", 64, 7, stride=2, pool=FusedPool(kernel=3, stride=2, padding=1))
    for stage, (inner, blocks, stride) in enumerate(RESNET50, start=1):
        for block in range(1, blocks + 1):
            with net.scope(f"stage{stage}.{block}"):
                bottleneck(net, inner, stride if block == 1 else 1)
    net.global_pool("pool")
    net.linear("classifier", _OUTPUTS)
    return net.model("resnet50", source="He et al., Deep residual learning, CVPR 2016; 224 x 224")


def stem(net: Builder) -> None:
    """What every ResNet begins with: to a quarter of the size."""
    with net.scope("stem"):
        net.conv("conv", 64, 7, stride=2)
        net.pool("pool", 3, stride=2, padding=1)


def bottleneck(net: Builder, inner: int, stride: int = 1) -> None:
    """Reduce by a 1x1 kernel, filter, expand by a 1x1 kernel; the shortcut has a convolution where the shape changes.

    Parameters
    ----------
    net : Builder
    inner, stride : int
        Channels and stride of the 3x3 convolution. The block has four times as many outputs.
    """
    entry = shortcut = net.shape
    net.conv("reduce", inner)
    net.conv("filter", inner, 3, stride=stride)
    net.conv("expand", _EXPANSION * inner)
    if net.shape != entry:
        with net.branch(entry):
            net.conv("shortcut", _EXPANSION * inner, stride=stride)
            shortcut = net.shape
    net.add("add", shortcut)
