"""Depth from one image, given the camera's focal length.

He, Wang and Hu, "Learning Depth from Single Images with Deep Neural Network Embedding Focal Length", IEEE Transactions on Image Processing
27, 2018 (arXiv 1803.10039): a pretrained VGG-16 (Simonyan and Zisserman, ICLR 2015), a decoder that fuses what the encoder found at
several sizes, and fully connected layers that embed the focal length.

Input: 224 x 224 RGB and one number; output: a depth map of 112 x 112.

Published for VGG-16's convolutions, which make nine tenths of this network: 15.35 G MACs and 14.7 M parameters (torchvision's VGG-16,
15.47 G and 138.36 M, less its fully connected layers). The paper has no counts of the whole.

Assumed, a reconstruction
-------------------------
The focal length goes through two linear layers of 64 and is stacked on the 7 x 7 x 512 map at every position, whereupon a 1x1 convolution
merges the two. The decoder has four stages, each an upsampling by two, a stack with the encoder's map of that size reduced by a 1x1
convolution to as many channels as the stage writes, and a 3x3 convolution; they write 256, 128, 64 and 32 channels. A last 3x3
convolution writes the depth.
"""

from __future__ import annotations

from rtsched.workload.layer import Reshape
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["focal_length_depth"]

_VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Per stage: channels, 3x3 convolutions; a pooling stands behind each."""

_DECODER = (256, 128, 64, 32)
_EMBEDDING = 64


def focal_length_depth() -> Model:
    """VGG-16 encoder, focal length, decoder."""
    net = Builder(3, 224, 224)
    with net.scope("encoder"):
        features = _encoder(net)
    with net.scope("focal_length"):
        _embed(net)
    with net.scope("decoder"):
        for stage, (channels, feature) in enumerate(zip(_DECODER, reversed(features[1:]), strict=True), start=1):
            with net.scope(f"stage{stage}"):
                _stage(net, channels, feature)
        net.conv("depth", 1, 3)
    return net.model("focal_length_depth", source="He et al., Depth embedding focal length, TIP 2018, decoder reconstructed; 224 x 224")


def _encoder(net: Builder) -> list[Shape]:
    """VGG-16's convolutions. Returns the map before each pooling."""
    features: list[Shape] = []
    for stage, (channels, convolutions) in enumerate(_VGG16, start=1):
        for number in range(1, convolutions + 1):
            net.conv(f"conv{stage}.{number}", channels, 3)
        features.append(net.shape)
        net.pool(f"pool{stage}", 2)
    return features


def _embed(net: Builder) -> None:
    entry = net.shape
    with net.branch(Shape(1)):
        net.linear("fc1", _EMBEDDING)
        net.linear("fc2", _EMBEDDING)
    net.append(Reshape(name=net.named("stack")), entry._replace(channels=entry.channels + _EMBEDDING))
    net.conv("merge", entry.channels)


def _stage(net: Builder, channels: int, feature: Shape) -> None:
    net.upsample("upsample", 2, 2)
    with net.branch(feature):
        net.conv("lateral", channels)
        lateral = net.shape
    net.concat("concat", lateral)
    net.conv("conv", channels, 3)
