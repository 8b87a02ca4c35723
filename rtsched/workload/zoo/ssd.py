"""SSD: objects and their boxes from one pass over feature maps of several sizes.

Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, on Sandler et al., "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", CVPR 2018. Published: OpenVINO's Open Model Zoo has, for `ssd_mobilenet_v2_coco` at 300 x 300, 16.8 M
parameters and 3.775 G operations, that is 1.89 G MACs.

Input: 300 x 300 RGB.

Assumed: the architecture of that release (TensorFlow's object detection models, March 2018): predictions by full 3x3 convolutions for 91
classes from the expanded map of the first block at stride 32, the last map of MobileNetV2 and four more maps, which are made by
depthwise separable convolutions; 1917 boxes. The lighter SSDLite of MobileNetV2's paper predicts by depthwise ones too. Left out:
choosing among overlapping boxes, which runs on the host.

DREAM uses it for objects and for faces; the number of classes for faces is smaller, and is left as it is.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape, inverted_residual

__all__ = ["ssd_mobilenetv2"]

_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280
_CLASSES = 91
_BOX = 4
_KERNEL = 3

_STAGES = (
    # Expansion, output channels, blocks, stride of the first block: MobileNetV2, table 2.
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_FIRST_SOURCE_STAGE = 6
_EXTRA = ((256, 512), (128, 256), (128, 256), (64, 128))
_BOXES = (3, 6, 6, 6, 6, 6)


def ssd_mobilenetv2() -> Model:
    """SSD on MobileNetV2."""
    net = Builder(3, 300, 300)
    first = _backbone(net)
    sources = [first, net.shape]
    for number, (reduced, channels) in enumerate(_EXTRA, start=1):
        with net.scope(f"extra{number}"):
            net.conv("reduce", reduced)
            net.depthwise("filter", 3, stride=2)
            net.conv("expand", channels)
            sources.append(net.shape)
    for number, (source, boxes) in enumerate(zip(sources, _BOXES, strict=True), start=1):
        with net.scope(f"head{number}"), net.branch(source):
            net.conv("boxes", boxes * _BOX, _KERNEL)
        with net.scope(f"head{number}"), net.branch(source):
            net.conv("classes", boxes * _CLASSES, _KERNEL)
    return net.model("ssd_mobilenetv2", source="Liu et al., SSD, ECCV 2016, on Sandler et al., MobileNetV2, CVPR 2018; 300 x 300")


def _backbone(net: Builder) -> Shape:
    """MobileNetV2 without pooling and classifier. Returns the map that the first predictions read."""
    net.conv("stem", _STEM_CHANNELS, 3, stride=2)
    source = net.shape
    for stage, (expansion, out_channels, blocks, stride) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            entry = net.shape
            hidden = expansion * entry.channels if expansion > 1 else None
            if stage == _FIRST_SOURCE_STAGE and block == 1:
                source = entry._replace(channels=expansion * entry.channels)
            with net.scope(f"stage{stage}.{block}"):
                inverted_residual(net, out_channels, 3, hidden=hidden, stride=stride if block == 1 else 1)
    net.conv("last", _LAST_CHANNELS)
    return source
