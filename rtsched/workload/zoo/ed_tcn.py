"""ED-TCN: what a person does, over time.

Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection", CVPR 2017: convolutions along time, with poolings down
and upsamplings back up. The paper has no counts; its text and the authors' released code give every layer's shape.

Input: 128 steps of 128 features, which another network has extracted from the video's frames (that one is not part of this).

Assumed: two layers each way, of 96 + 32 l filters as the paper says, each 25 steps long as in the released code; 18 classes, as in the
"mid" set of 50 Salads; a window of 128 steps, of which the newest step is asked for. The rectifier that divides by the largest activation
of a step is a layer of its own.
"""

from __future__ import annotations

from rtsched.workload.layer import Norm
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["ed_tcn"]

_STEPS = 128
_FEATURES = 128
_FILTERS = (128, 160)
_DURATION = 25
_CLASSES = 18


def ed_tcn() -> Model:
    """Encoder-decoder temporal convolutional network of two layers each way."""
    net = Builder(_FEATURES, _STEPS)
    for layer, filters in enumerate(_FILTERS, start=1):
        with net.scope(f"encoder{layer}"):
            _convolution(net, filters)
            net.pool("pool", (2, 1))
    for layer, filters in enumerate(reversed(_FILTERS), start=1):
        with net.scope(f"decoder{layer}"):
            net.upsample("upsample", 2, 1)
            _convolution(net, filters)
    net.linear("classifier", _CLASSES)
    net.softmax("softmax")
    return net.model("ed_tcn", source="Lea et al., Temporal convolutional networks, CVPR 2017; 128 steps of 128 features")


def _convolution(net: Builder, filters: int) -> None:
    net.conv("conv", filters, (_DURATION, 1))
    norm = Norm(name=net.named("normalise"), elements=net.shape.elements, channels=filters, has_weights=False)
    net.append(norm, net.shape)
