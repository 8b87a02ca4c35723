"""Once-for-All: one set of weights from which networks of many sizes are cut.

Cai et al., "Once-for-All: Train One Network and Specialize it for Efficient Deployment", ICLR 2020. The space is built around
MobileNetV3-Large (Howard et al., "Searching for MobileNetV3", ICCV 2019): each of five stages takes its first 2 to 4 blocks, each block
a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6, and the input has 128 to 224 rows and columns. Width multiplier 1.

Inputs: RGB, the size stated with each subnet.

The four subnets are those whose architecture and accuracy are both published (top-1 on ImageNet):

============ ===== ================================================================ ======== ======== ========
subnet       input architecture                                                     MACs     params   accuracy
============ ===== ================================================================ ======== ======== ========
d4_e6_k7     224   all depths 4, expansions 6, kernels 7: the largest               566 M    7.6 M    77.5
d4_e3_k3     224   all depths 4, expansions 3, kernels 3 (paper, section 4.1)       226 M    4.4 M    74.8
note8_31ms   152   found for 31 ms on a Samsung Note8 (the authors' model list)     101 M    4.6 M    72.8
note8_22ms   140   found for 22 ms on a Samsung Note8 (the authors' model list)     67 M     4.3 M    70.4
============ ===== ================================================================ ======== ======== ========

Assumed: the largest one's accuracy is the one that OpenMMLab's MMRazor lists for the authors' weights, perhaps measured at a larger
input than 224. The two smallest were fine-tuned for 25 epochs after they had been cut, so their accuracy lies a little
above what the shared weights give.
"""

from __future__ import annotations

from typing import NamedTuple

from rtsched.workload.model import Model, Subnet
from rtsched.workload.zoo._builder import Builder, inverted_residual, round_channels

__all__ = ["ofa_mobilenetv3"]


class _Stage(NamedTuple):
    out_channels: int
    stride: int
    has_squeeze: bool


_STEM_CHANNELS = 16
_STAGES = (_Stage(24, 2, False), _Stage(40, 2, True), _Stage(80, 2, False), _Stage(112, 1, True), _Stage(160, 2, True))
_HEAD_CHANNELS = 960
_MIX_CHANNELS = 1280
_CLASSES = 1000
_SQUEEZE = 4

_Choice = tuple[tuple[tuple[int, int], ...], ...]
"""Per stage, the (kernel, expansion) of each block that it takes."""

_NOTE8_31MS: _Choice = (
    ((5, 3), (3, 3)),
    ((5, 4), (5, 3)),
    ((3, 4), (3, 4), (5, 4)),
    ((3, 4), (5, 3), (7, 4)),
    ((3, 6), (3, 3), (5, 3), (5, 3)),
)
_NOTE8_22MS: _Choice = (
    ((3, 3), (3, 3)),
    ((5, 3), (5, 3)),
    ((7, 4), (3, 3)),
    ((5, 3), (3, 4)),
    ((3, 6), (7, 6)),
)


def ofa_mobilenetv3() -> Model:
    """The Supernet with four of its subnets, the largest first."""
    return Model(
        name="ofa_mobilenetv3",
        source="Cai et al., Once-for-All, ICLR 2020; MobileNetV3 space of width 1.0, inputs of 140 to 224",
        subnets=(
            _subnet("d4_e6_k7", 224, _uniform(depth=4, expansion=6, kernel=7), accuracy=77.5),
            _subnet("d4_e3_k3", 224, _uniform(depth=4, expansion=3, kernel=3), accuracy=74.8),
            _subnet("note8_31ms", 152, _NOTE8_31MS, accuracy=72.8),
            _subnet("note8_22ms", 140, _NOTE8_22MS, accuracy=70.4),
        ),
    )


def _uniform(*, depth: int, expansion: int, kernel: int) -> _Choice:
    return (((kernel, expansion),) * depth,) * len(_STAGES)


def _subnet(name: str, size: int, choice: _Choice, *, accuracy: float) -> Subnet:
    net = Builder(3, size, size)
    net.conv("stem", _STEM_CHANNELS, 3, stride=2)
    with net.scope("stage1.1"):
        inverted_residual(net, _STEM_CHANNELS, 3, hidden=None)
    for number, (stage, blocks) in enumerate(zip(_STAGES, choice, strict=True), start=2):
        for block, (kernel, expansion) in enumerate(blocks, start=1):
            hidden = round_channels(expansion * net.shape.channels)
            squeeze = round_channels(hidden / _SQUEEZE) if stage.has_squeeze else None
            stride = stage.stride if block == 1 else 1
            with net.scope(f"stage{number}.{block}"):
                inverted_residual(net, stage.out_channels, kernel, hidden=hidden, stride=stride, squeeze=squeeze)
    net.conv("head", _HEAD_CHANNELS)
    net.global_pool("pool")
    net.conv("mix", _MIX_CHANNELS, bias=False)
    net.linear("classifier", _CLASSES)
    return net.subnet(name, accuracy=accuracy)
