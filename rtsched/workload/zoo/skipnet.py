"""SkipNet: a ResNet that decides for each image which of its blocks to skip.

Wang et al., "SkipNet: Learning Dynamic Routing in Convolutional Networks", ECCV 2018; ResNet-50 for ImageNet (see `resnet`).
Published: the gates need 0.04 % of a residual block's operations.

Input: 224 x 224 RGB.

A gate stands before every block that can be skipped: the average over the positions of the block's input, a linear layer to ten
features, an LSTM of ten units that all gates share, and one output. The gate is executed also when it skips its block.

Assumed
-------
The first block of a stage changes the shape and is never skipped; that leaves twelve of sixteen. Their skip probabilities, a
reconstruction, rise from 0.3 for the first to 0.6 for the last. Draws are independent of each other: the paper's gates see what the
gates before them have decided. The LSTM's weights, which are shared, count once per gate (0.01 % of the parameters).
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder
from rtsched.workload.zoo.resnet import RESNET50, bottleneck, stem

__all__ = ["skipnet"]

_GATE_UNITS = 10
_CLASSES = 1000
_LEAST_SKIP, _LARGEST_SKIP = 0.3, 0.6


def skipnet() -> Model:
    """SkipNet of ResNet-50 with recurrent gates."""
    net = Builder(3, 224, 224)
    stem(net)
    skippable = sum(blocks - 1 for _, blocks, _ in RESNET50)
    gate = 0
    for stage, (inner, blocks, stride) in enumerate(RESNET50, start=1):
        with net.scope(f"stage{stage}.1"):
            bottleneck(net, inner, stride)
        for block in range(2, blocks + 1):
            skip = _LEAST_SKIP + (_LARGEST_SKIP - _LEAST_SKIP) * gate / (skippable - 1)
            gate += 1
            with net.scope(f"stage{stage}.{block}"):
                _gate(net)
                with net.block(skip=round(skip, 3)):
                    bottleneck(net, inner)
    net.global_pool("pool")
    net.linear("classifier", _CLASSES)
    return net.model("skipnet", source="Wang et al., SkipNet, ECCV 2018, of ResNet-50; skip probabilities reconstructed; 224 x 224")


def _gate(net: Builder) -> None:
    with net.scope("gate"), net.branch(net.shape):
        net.global_pool("pool")
        net.linear("features", _GATE_UNITS)
        net.recurrent("lstm", _GATE_UNITS)
        net.linear("decide", 1)
