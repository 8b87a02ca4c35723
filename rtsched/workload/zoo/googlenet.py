"""GoogLeNet: modules of parallel convolutions of several sizes.

Szegedy et al., "Going Deeper with Convolutions", CVPR 2015.
Published: torchvision's model list has 6.6 M parameters and 1.50 G MACs. The paper was designed for 1.5 G.

Input: 224 x 224 RGB.

This is the network that current releases have and that MoCA measured: the 5x5 convolutions of the paper are 3x3, and the training's
two auxiliary classifiers are left out. The same network serves DREAM, which classifies cars: the number of classes changes the
last layer only, 0.07 % of the MACs.

Assumed: the poolings of stride 2 that round up are padded on all sides, which gives the same size. The order of a module's branches,
which depends on nothing, is that of MoCA's artifact; as there, the first pooling is part of the convolution before it and the second costs
nothing: see `rtsched.workload.zoo.gemmini_rows`.
"""

from __future__ import annotations

from typing import NamedTuple

from rtsched.workload.layer import FusedPool
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["googlenet"]

_CLASSES = 1000


class _Module(NamedTuple):
    """Outputs of the 1x1 convolution, of the two pairs (1x1, 3x3), and of the 1x1 behind the pooling; order of the branches."""

    ones: int
    first: tuple[int, int]
    second: tuple[int, int]
    projection: int
    order: tuple[str, ...] = ("ones", "first", "second", "pool", "projection")


_HALVING = FusedPool(kernel=3, stride=2, padding=1)

_POOL_FIRST = ("pool", "ones", "first", "second", "projection")

_MODULES = {
    "3a": _Module(64, (96, 128), (16, 32), 32),
    "3b": _Module(128, (128, 192), (32, 96), 64),
    "4a": _Module(192, (96, 208), (16, 48), 64),
    "4b": _Module(160, (112, 224), (24, 64), 64),
    "4c": _Module(128, (128, 256), (24, 64), 64),
    "4d": _Module(112, (144, 288), (32, 64), 64),
    "4e": _Module(256, (160, 320), (32, 128), 128, _POOL_FIRST),
    "5a": _Module(256, (160, 320), (32, 128), 128, ("pool", "projection", "ones", "first", "second")),
    "5b": _Module(384, (192, 384), (48, 128), 128, _POOL_FIRST),
}


def googlenet() -> Model:
    """GoogLeNet without its auxiliary classifiers."""
    net = Builder(3, 224, 224)
    with net.scope("stem"):
        net.conv("conv1", 64, 7, stride=2, pool=_HALVING)
        net.conv("reduce2", 64)
        net.conv("conv2", 192, 3)
        net.resized("pool2", 28, 28)
    for name, module in _MODULES.items():
        with net.scope(f"inception{name}"):
            _inception(net, module)
        if name == "3b":
            net.pool("pool3", 3, stride=2, padding=1)
        if name == "4e":
            net.pool("pool4", 2)
    net.global_pool("pool5")
    net.linear("classifier", _CLASSES)
    return net.model("googlenet", source="Szegedy et al., Going deeper with convolutions, CVPR 2015; 5x5 kernels as 3x3; 224 x 224")


def _inception(net: Builder, module: _Module) -> None:
    entry = net.shape
    outputs: list[Shape] = []
    for branch in module.order:
        with net.branch(entry):
            if branch == "pool":
                net.pool("pool", 3, stride=1, padding=1)
                continue
            _convolutions(net, branch, module)
            outputs.append(net.shape)
    net.shape, *others = outputs
    net.concat("concat", *others)


def _convolutions(net: Builder, branch: str, module: _Module) -> None:
    if branch == "ones":
        net.conv("ones", module.ones)
    elif branch == "projection":
        net.conv("projection", module.projection)
    else:
        reduced, filtered = module.first if branch == "first" else module.second
        net.conv(f"{branch}_reduce", reduced)
        net.conv(f"{branch}_filter", filtered, 3)
