"""MobileNetV3: a network for phones, found by search and finished by hand.

Howard et al., "Searching for MobileNetV3", ICCV 2019, table 1.
Published for MobileNetV3-Large: 219 M MACs, 5.4 M parameters, 75.2 % top-1 on ImageNet.

Input: 224 x 224 RGB.

Assumed: squeeze-and-excitation has a quarter of the expanded channels, rounded to a multiple of 8, as in all releases; the layer between
pooling and classifier has a bias.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, inverted_residual, round_channels

__all__ = ["mobilenetv3_large"]

_STEM_CHANNELS = 16
_HEAD_CHANNELS = 960
_MIX_CHANNELS = 1280
_CLASSES = 1000
_SQUEEZE = 4

_BLOCKS = (
    # Kernel, expanded channels, output channels, squeeze-and-excitation, stride.
    (3, 16, 16, False, 1),
    (3, 64, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, True, 1),
    (5, 960, 160, True, 1),
)


def mobilenetv3_large() -> Model:
    """MobileNetV3-Large, width 1. The first block does not expand and so has no expanding convolution."""
    net = Builder(3, 224, 224)
    net.conv("stem", _STEM_CHANNELS, 3, stride=2)
    for block, (kernel, expanded, out_channels, has_squeeze, stride) in enumerate(_BLOCKS, start=1):
        hidden = expanded if expanded != net.shape.channels else None
        squeeze = round_channels(expanded / _SQUEEZE) if has_squeeze else None
        with net.scope(f"block{block}"):
            inverted_residual(net, out_channels, kernel, hidden=hidden, stride=stride, squeeze=squeeze)
    net.conv("head", _HEAD_CHANNELS)
    net.global_pool("pool")
    net.linear("mix", _MIX_CHANNELS)
    net.linear("classifier", _CLASSES)
    return net.model("mobilenetv3_large", source="Howard et al., Searching for MobileNetV3, ICCV 2019; 224 x 224")
