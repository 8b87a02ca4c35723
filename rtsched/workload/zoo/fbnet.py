"""FBNet: networks found by differentiable architecture search for mobile phones.

Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search", CVPR 2019.
Published for FBNet-C: 375 M MACs, 5.5 M parameters, 74.9 % top-1 on ImageNet.

Input: 224 x 224 RGB.

Assumed: the last 1x1 convolution has 1984 channels, as in the authors' released definition of FBNet-C; the classifier has ImageNet's
1000 classes.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, inverted_residual

__all__ = ["fbnet_c"]

_STEM_CHANNELS = 16
_HEAD_CHANNELS = 1984
_CLASSES = 1000

_FBNET_C = (
    # Per stage: (kernel, expansion, output channels, stride). Stage 2 has lost a block: the search chose "skip", the identity.
    ((3, 1, 16, 1),),
    ((3, 6, 24, 2), (3, 1, 24, 1), (3, 1, 24, 1)),
    ((5, 6, 32, 2), (5, 3, 32, 1), (5, 6, 32, 1), (3, 6, 32, 1)),
    ((5, 6, 64, 2), (5, 3, 64, 1), (5, 6, 64, 1), (5, 6, 64, 1)),
    ((5, 6, 112, 1), (5, 6, 112, 1), (5, 6, 112, 1), (5, 3, 112, 1)),
    ((5, 6, 184, 2), (5, 6, 184, 1), (5, 6, 184, 1), (5, 6, 184, 1)),
    ((3, 6, 352, 1),),
)


def fbnet_c() -> Model:
    """FBNet-C, the largest of the three general ones.

    The search space keeps the expanding 1x1 convolution also at an expansion of 1, unlike MobileNetV2.
    """
    net = Builder(3, 224, 224)
    net.conv("stem", _STEM_CHANNELS, 3, stride=2)
    for stage, blocks in enumerate(_FBNET_C, start=1):
        for block, (kernel, expansion, out_channels, stride) in enumerate(blocks, start=1):
            with net.scope(f"stage{stage}.{block}"):
                inverted_residual(net, out_channels, kernel, hidden=expansion * net.shape.channels, stride=stride)
    net.conv("head", _HEAD_CHANNELS)
    net.global_pool("pool")
    net.linear("classifier", _CLASSES)
    return net.model("fbnet_c", source="Wu et al., FBNet, CVPR 2019; 224 x 224")
