"""EfficientNet: depth, width and resolution scaled together.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1.
Published for B0: 0.39 G MACs, 5.3 M parameters, 77.1 % top-1 on ImageNet.

Input: 224 x 224 RGB.

Assumed: squeeze-and-excitation has a quarter of the block's *input* channels, as in the authors' release.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, inverted_residual

__all__ = ["efficientnet_b0"]

_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_CLASSES = 1000
_SQUEEZE = 4

_STAGES = (
    # Kernel, expansion, output channels, blocks, stride of the first block.
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)


def efficientnet_b0() -> Model:
    """EfficientNet-B0, the one that the others are scaled from."""
    net = Builder(3, 224, 224)
    net.conv("stem", _STEM_CHANNELS, 3, stride=2)
    for stage, (kernel, expansion, out_channels, blocks, stride) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            width = net.shape.channels
            hidden = expansion * width if expansion > 1 else None
            with net.scope(f"stage{stage}.{block}"):
                inverted_residual(net, out_channels, kernel, hidden=hidden, stride=stride if block == 1 else 1, squeeze=width // _SQUEEZE)
    net.conv("head", _HEAD_CHANNELS)
    net.global_pool("pool")
    net.linear("classifier", _CLASSES)
    return net.model("efficientnet_b0", source="Tan and Le, EfficientNet, ICML 2019; 224 x 224")
