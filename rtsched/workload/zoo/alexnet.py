"""AlexNet, in the one-column form that is used today.

Krizhevsky, "One Weird Trick for Parallelizing Convolutional Neural Networks", arXiv 1404.5997, 2014, after Krizhevsky, Sutskever and
Hinton, NIPS 2012. Published: torchvision's model list has 61.1 M parameters and 0.71 G MACs.

Input: 224 x 224 RGB.

The 2012 network has more channels and splits three convolutions into two groups (61.0 M parameters).

Assumed: the classifier has 1024 outputs, the 1000 classes padded, as MoCA's artifact runs it (0.2 % more parameters). Behind the last
pooling stands an average pooling to 6 x 6, which that artifact runs too although the map has that size already.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["alexnet"]

_OUTPUTS = 1024


def alexnet() -> Model:
    """AlexNet with five convolutions in one column."""
    net = Builder(3, 224, 224)
    net.conv("conv1", 64, 11, stride=4, padding=2)
    net.pool("pool1", 3, stride=2)
    net.conv("conv2", 192, 5)
    net.pool("pool2", 3, stride=2)
    net.conv("conv3", 384, 3)
    net.conv("conv4", 256, 3)
    net.conv("conv5", 256, 3)
    net.pool("pool5", 3, stride=2)
    net.pool("average", 1)
    net.reshape("flatten", Shape(net.shape.elements))
    net.linear("fc6", 4096)
    net.linear("fc7", 4096)
    net.linear("fc8", _OUTPUTS)
    return net.model("alexnet", source="Krizhevsky, One weird trick, arXiv 1404.5997, 2014; 224 x 224")
