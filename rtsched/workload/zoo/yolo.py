"""Two early detectors of the YOLO family, as MoCA measured them.

`yolov2`: Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", CVPR 2017. This is Darknet-19, the classifier that the detector is
built from: MoCA's artifact runs it at 224 x 224 up to its last convolution, and calls it YOLOv2. (The detector replaces that
convolution by three of 3x3 and works at 416 x 416.) Published in the paper, table 6: 19 convolutions, 5.58 G operations, that is
2.79 G MACs, for an image of 224 x 224; the authors' site has a weight file of 80 MB, 20 M parameters.

`yolo_lite`: Huang, Pedoeem and Chen, "YOLO-LITE: A Real-Time Object Detection Algorithm Optimized for Non-GPU Computers", IEEE Big Data
2018. Published: 7 convolutions, 482 M operations, that is 241 M MACs.

Inputs: 224 x 224 RGB.

Assumed: the last convolutions have 1024 and 128 outputs, the 1000 classes and the 125 numbers per position padded, as MoCA's artifact
runs them (0.1 % and 2 % of the parameters). Pooling and softmax of Darknet-19 are not in the artifact and not here.
See `rtsched.workload.zoo.gemmini_rows`.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["yolo_lite", "yolov2"]

_CLASSES_PADDED = 1024
_NUMBERS_PADDED = 128

_DARKNET19 = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))
"""Channels of the convolutions of each stage: 3x3 and 1x1 in turn. A pooling stands between two stages."""

_LITE = (16, 32, 64, 128, 128)


def yolov2() -> Model:
    """Darknet-19 up to its last convolution."""
    net = Builder(3, 224, 224)
    for stage, channels in enumerate(_DARKNET19, start=1):
        if stage > 1:
            net.pool(f"pool{stage - 1}", 2)
        for number, width in enumerate(channels, start=1):
            net.conv(f"conv{stage}.{number}", width, 3 if number % 2 else 1)
    net.conv("classifier", _CLASSES_PADDED)
    return net.model("yolov2", source="Redmon and Farhadi, YOLO9000, CVPR 2017: Darknet-19 without pooling and softmax; 224 x 224")


def yolo_lite() -> Model:
    """YOLO-LITE, without batch normalisation."""
    net = Builder(3, 224, 224)
    for number, channels in enumerate(_LITE, start=1):
        net.conv(f"conv{number}", channels, 3)
        net.pool(f"pool{number}", 2)
    net.conv("conv6", 256, 3)
    net.conv("detect", _NUMBERS_PADDED)
    return net.model("yolo_lite", source="Huang et al., YOLO-LITE, IEEE Big Data 2018; 224 x 224")
