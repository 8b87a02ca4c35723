"""TrailNet: where a drone is and looks with respect to a forest trail.

Smolyanskiy et al., "Toward Low-Flying Autonomous MAV Trail Navigation using Deep Neural Networks for Environmental Awareness",
IROS 2017. No operation counts are published; the architecture is that of the authors' released network (`TrailNet_SResNet-18` of
NVIDIA's redtail), a ResNet-18 (He et al., CVPR 2016) with shifted rectifiers in place of batch normalisation.

Input: 320 x 180 RGB.

Unlike in ResNet-18, the first convolution and the first pooling are not padded, and a stage halves the image in the second convolution
of its first block, so that the first works on the larger map: 2.6 G MACs where ResNet-18's order would take 2.0 G. Two classifiers, for
the view's angle and the lateral offset, read an average over 3 x 3 positions.

Assumed: poolings that round up (the release's framework does) have the same size as those that round down here.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["trailnet"]

_STAGES = (64, 128, 256, 512)
_BLOCKS = 2
_DIRECTIONS = 3


def trailnet() -> Model:
    """TrailNet on the released S-ResNet-18."""
    net = Builder(3, 180, 320)
    net.conv("stem", _STAGES[0], 7, stride=2, padding=0)
    net.pool("stem_pool", 3, stride=2)
    for stage, channels in enumerate(_STAGES, start=1):
        for block in range(1, _BLOCKS + 1):
            with net.scope(f"stage{stage}.{block}"):
                _residual(net, channels, stride=2 if stage > 1 and block == 1 else 1)
    net.pool("average", 3, stride=1)
    net.reshape("flatten", Shape(net.shape.elements))
    features = net.shape
    for name in ("angle", "offset"):
        with net.scope(name), net.branch(features):
            net.linear("classifier", _DIRECTIONS)
            net.softmax("softmax")
    return net.model("trailnet", source="Smolyanskiy et al., Toward low-flying autonomous MAV trail navigation, IROS 2017; 320 x 180")


def _residual(net: Builder, channels: int, *, stride: int) -> None:
    entry = shortcut = net.shape
    net.conv("conv1", channels, 3)
    net.conv("conv2", channels, 3, stride=stride)
    if net.shape != entry:
        with net.branch(entry):
            net.conv("shortcut", channels, stride=stride)
            shortcut = net.shape
    net.add("add", shortcut)
