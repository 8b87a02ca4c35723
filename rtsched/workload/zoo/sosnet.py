"""SOSNet: descriptors of image patches, for visual odometry.

Tian et al., "SOSNet: Second Order Similarity Regularization for Local Descriptor Learning", CVPR 2019, on the architecture of Tian, Fan
and Wu, "L2-Net: Deep Learning of Discriminative Patch Descriptor in Euclidean Space", CVPR 2017: seven convolutions. The papers have no
counts; the convolutions make 1.33 M weights and 39 M MACs per patch.

Input: grey patches of 32 x 32, all patches of an image as one batch.

Assumed: batch normalisation without trained scale and shift, as in the release, is folded, and the convolutions' only biases come from it;
the descriptor's normalisation, 128 numbers, is not counted. The number of patches per image is a reconstruction.
"""

from __future__ import annotations

from rtsched.workload.layer import Conv
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["PATCHES", "sosnet"]

PATCHES = 256
"""Patches per image: 10 G MACs, which take 7 ms on 2048 weight-stationary PEs and 10 ms on as many output-stationary ones."""

_SIZE = 32
_LAYERS = (
    # Output channels, kernel, stride, padding.
    (32, 3, 1, 1),
    (32, 3, 1, 1),
    (64, 3, 2, 1),
    (64, 3, 1, 1),
    (128, 3, 2, 1),
    (128, 3, 1, 1),
    (128, 8, 1, 0),
)


def sosnet() -> Model:
    """SOSNet for the patches of one image. The activation has the patches one below the other."""
    net = Builder(1, PATCHES * _SIZE, _SIZE)
    for number, (out_channels, kernel, stride, padding) in enumerate(_LAYERS, start=1):
        layer = Conv(
            name=f"conv{number}",
            in_channels=net.shape.channels,
            out_channels=out_channels,
            size=(net.shape.rows // PATCHES, net.shape.columns),
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding, padding, padding, padding),
            batch=PATCHES,
            bias=True,
        )
        rows, columns = layer.output_size
        net.append(layer, Shape(out_channels, PATCHES * rows, columns))
    return net.model("sosnet", source=f"Tian et al., SOSNet, CVPR 2019, on L2-Net, CVPR 2017; {PATCHES} patches of 32 x 32")
