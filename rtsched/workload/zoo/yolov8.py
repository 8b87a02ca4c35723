"""YOLOv8: a one-stage detector without anchors.

Jocher, Chaurasia and Qiu, "Ultralytics YOLOv8", 2023 (https://docs.ultralytics.com/models/yolov8); there is no paper.
Published for YOLOv8n on COCO at 640 x 640: 3.2 M parameters, 8.7 G operations, that is 4.35 G MACs.

Input: 640 x 640 RGB.

Assumed: the architecture of the release of January 2023, `yolov8.yaml` at scale n (depth 0.33, width 0.25). Counted: the boxes' expected
distances (softmax over 16 bins, and their mean) at all 8400 positions. Left out: choosing among overlapping boxes, which runs on the host.
"""

from __future__ import annotations

from rtsched.workload.layer import Reshape, Softmax
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["yolov8n"]

_BINS = 16
_SIDES = 4
_CLASSES = 80
_POOLINGS = 3


def yolov8n() -> Model:
    """YOLOv8 nano for 80 classes."""
    net = Builder(3, 640, 640)
    with net.scope("backbone"):
        eighth, sixteenth, last = _backbone(net)
    with net.scope("neck"):
        scales = _neck(net, eighth, sixteenth, last)
    with net.scope("head"):
        _head(net, scales)
    return net.model("yolov8n", source="Jocher et al., Ultralytics YOLOv8, 2023, scale n; 640 x 640")


def _c2f(net: Builder, name: str, out_channels: int, modules: int, *, has_shortcut: bool) -> None:
    """Half of the channels go through bottlenecks; every intermediate result is stacked before the last 1x1 convolution."""
    half = out_channels // 2
    with net.scope(name):
        net.conv("split", 2 * half)
        part = net.shape._replace(channels=half)
        net.append(Reshape(name=net.named("take_half")), part)
        for module in range(1, modules + 1):
            with net.scope(f"module{module}"):
                net.conv("conv1", half, 3)
                net.conv("conv2", half, 3)
                if has_shortcut:
                    net.add("add", part)
        net.concat("concat", *[part] * (modules + 1))
        net.conv("merge", out_channels)


def _backbone(net: Builder) -> tuple[Shape, Shape, Shape]:
    """Features at an eighth, a sixteenth and a thirty-second of the size."""
    net.conv("conv1", 16, 3, stride=2)
    features: list[Shape] = []
    for stage, (channels, modules) in enumerate(((32, 1), (64, 2), (128, 2), (256, 1)), start=2):
        net.conv(f"conv{stage}", channels, 3, stride=2)
        _c2f(net, f"c2f{stage}", channels, modules, has_shortcut=True)
        features.append(net.shape)
    with net.scope("pyramid"):
        net.conv("reduce", 128)
        pooled = net.shape
        for pooling in range(1, _POOLINGS + 1):
            net.pool(f"pool{pooling}", 5, stride=1, padding=2)
        net.concat("concat", *[pooled] * _POOLINGS)
        net.conv("merge", 256)
    return features[1], features[2], net.shape


def _neck(net: Builder, eighth: Shape, sixteenth: Shape, last: Shape) -> tuple[Shape, Shape, Shape]:
    """Features flow from coarse to fine and back."""
    net.upsample("upsample1", 2, 2)
    net.concat("concat1", sixteenth)
    _c2f(net, "c2f1", 128, 1, has_shortcut=False)
    middle = net.shape
    net.upsample("upsample2", 2, 2)
    net.concat("concat2", eighth)
    _c2f(net, "c2f2", 64, 1, has_shortcut=False)
    fine = net.shape
    net.conv("down1", 64, 3, stride=2)
    net.concat("concat3", middle)
    _c2f(net, "c2f3", 128, 1, has_shortcut=False)
    medium = net.shape
    net.conv("down2", 128, 3, stride=2)
    net.concat("concat4", last)
    _c2f(net, "c2f4", 256, 1, has_shortcut=False)
    return fine, medium, net.shape


def _head(net: Builder, scales: tuple[Shape, Shape, Shape]) -> None:
    """Distances to the four sides, and classes, at each position of each scale."""
    box_width = max(_BINS, scales[0].channels // 4, _BINS * _SIDES)
    class_width = max(scales[0].channels, _CLASSES)
    for number, scale in enumerate(scales, start=1):
        for name, width, outputs in (("box", box_width, _BINS * _SIDES), ("class", class_width, _CLASSES)):
            with net.scope(f"{name}{number}"), net.branch(scale):
                net.conv("conv1", width, 3)
                net.conv("conv2", width, 3)
                net.conv("predict", outputs)
    positions = sum(scale.positions for scale in scales)
    net.append(Reshape(name=net.named("flatten")), Shape(_BINS, _SIDES, positions))
    net.append(Softmax(name=net.named("softmax"), elements=net.shape.elements), net.shape)
    net.linear("distances", 1, bias=False)
