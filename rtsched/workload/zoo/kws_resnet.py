"""Residual networks for keyword spotting.

Tang and Lin, "Deep Residual Learning for Small-Footprint Keyword Spotting", ICASSP 2018.
Published for res8: 110 K parameters, 30 M multiplies, 94.1 % accuracy on 12 classes of Google's Speech Commands.

Input: one second of speech as 101 frames of 40 mel-frequency cepstral coefficients.

Assumed: the first convolution is not padded, as the paper's own count says (1.52 M multiplies with 405 weights make 99 x 38
positions); the 4x3 pooling drops incomplete windows at the border, so that the residual blocks work on 24 x 12. This makes
33 M multiplies, 10 % more than published. The published sum follows when the pooled map is one shorter each way, 23 x 11
(as for the larger res26: 48 x 18 behind a 2x2 pooling makes its published 380 M). The authors' released code pads
the first convolution and makes 37 M.

Batch normalisation stands behind the additions, has no trained scale or shift, and is folded into the next convolution;
convolutions have no bias.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder

__all__ = ["kws_res8"]

_FRAMES, _COEFFICIENTS = 101, 40
_CHANNELS = 45
_BLOCKS = 3
_POOL = (4, 3)
_CLASSES = 12


def kws_res8() -> Model:
    """The network res8: three residual blocks behind a strong average pooling."""
    net = Builder(1, _FRAMES, _COEFFICIENTS)
    net.conv("stem", _CHANNELS, 3, padding=0, bias=False)
    net.pool("stem_pool", _POOL)
    for block in range(1, _BLOCKS + 1):
        entry = net.shape
        with net.scope(f"block{block}"):
            net.conv("conv1", _CHANNELS, 3, bias=False)
            net.conv("conv2", _CHANNELS, 3, bias=False)
            net.add("add", entry)
    net.global_pool("pool")
    net.linear("classifier", _CLASSES)
    net.softmax("softmax")
    return net.model("kws_res8", source="Tang and Lin, Deep residual learning for small-footprint keyword spotting, ICASSP 2018; 101 x 40")
