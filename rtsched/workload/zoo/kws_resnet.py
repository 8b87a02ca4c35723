"""Residual networks for keyword spotting.

Tang and Lin, "Deep Residual Learning for Small-Footprint Keyword Spotting", ICASSP 2018.
Published for res8: 110 K parameters, 30 M multiplies, 94.1 % accuracy on 12 classes of Google's Speech Commands; for res26: 438 K
parameters, 380 M multiplies.

`kws_res8`
----------
Input: one second of speech as 101 frames of 40 mel-frequency cepstral coefficients.

Assumed: the first convolution is not padded, as the paper's own count says (1.52 M multiplies with 405 weights make 99 x 38
positions), and the residual blocks work on 23 x 11, which its sum of 30 M needs (as for the larger res26: 48 x 18 behind a 2x2
pooling makes its published 380 M). A 4x3 pooling that drops incomplete windows leaves 24 x 12, hence 33 M; its last row and column
are cut off. The authors' released code pads the first convolution and makes 37 M.

Batch normalisation stands behind the additions, has no trained scale or shift, and is folded into the next convolution;
convolutions have no bias.

`kws_res26`
-----------
The network that MoCA's artifact runs under this name: res26's convolutions and so its parameters, but for an input of 96 x 96 with three
channels, which takes 2.7 times the published multiplies. Two more things are as they are there, since its measured times include them:
the additions work on maps of 96 x 96, four times as large as what the convolutions write, and the network ends with the last
block's second convolution, without its addition, the average and the classifier (0.1 % of the parameters). The pooling by two costs
nothing: see `rtsched.workload.zoo.gemmini_rows`.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["kws_res8", "kws_res26"]

_FRAMES, _COEFFICIENTS = 101, 40
_CHANNELS = 45
_BLOCKS = 3
_POOL = (4, 3)
_COUNTED = (23, 11)
_CLASSES = 12

_RES26_INPUT = Shape(3, 96, 96)
_RES26_BLOCKS = 12


def kws_res8() -> Model:
    """The network res8: three residual blocks behind a strong average pooling."""
    net = Builder(1, _FRAMES, _COEFFICIENTS)
    net.conv("stem", _CHANNELS, 3, padding=0, bias=False)
    net.pool("stem_pool", _POOL)
    net.resized("border", *_COUNTED)
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


def kws_res26() -> Model:
    """The network res26 as MoCA measured it: twelve residual blocks behind a pooling by two."""
    net = Builder(*_RES26_INPUT)
    net.conv("stem", _CHANNELS, 3, bias=False)
    net.resized("stem_pool", 48, 48)
    added = net.shape._replace(rows=_RES26_INPUT.rows, columns=_RES26_INPUT.columns)
    for block in range(1, _RES26_BLOCKS + 1):
        with net.scope(f"block{block}"):
            net.conv("conv1", _CHANNELS, 3, bias=False)
            net.conv("conv2", _CHANNELS, 3, bias=False)
            if block < _RES26_BLOCKS:
                with net.branch(added):
                    net.add("add", added)
    return net.model("kws_res26", source="Tang and Lin, ICASSP 2018, res26 as in MoCA (Kim et al., HPCA 2023); 96 x 96 x 3")
