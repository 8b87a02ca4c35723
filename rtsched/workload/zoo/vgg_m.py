"""VGG-M for speakers: who is it that speaks.

Nagrani, Chung and Zisserman, "VoxCeleb: A Large-Scale Speaker Identification Dataset", Interspeech 2017, table 5, after Chatfield et al.,
"Return of the Devil in the Details", BMVC 2014.

Input: a spectrogram of three seconds, 512 frequencies by 300 frames.

Table 5 has every layer's kernel, channels and size, and this network has exactly those. The paper's text says that replacing the fully
connected layer cuts the parameters from 319 M to 67 M; the table's layers have 17.9 M (and 2.8 G MACs), so neither is met.
The convolutions' paddings follow from the table's sizes.
"""

from __future__ import annotations

from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["vgg_m"]

_SPEAKERS = 1251


def vgg_m() -> Model:
    """VGG-M on spectrograms, for 1251 speakers."""
    net = Builder(1, 512, 300)
    net.conv("conv1", 96, 7, stride=2, padding=1)
    net.pool("pool1", 3, stride=2)
    net.conv("conv2", 256, 5, stride=2, padding=1)
    net.pool("pool2", 3, stride=2)
    net.conv("conv3", 384, 3)
    net.conv("conv4", 256, 3)
    net.conv("conv5", 256, 3)
    net.pool("pool5", (5, 3), stride=(3, 2))
    net.conv("fc6", 4096, (9, 1), padding=0)
    net.global_pool("pool6")
    net.reshape("flatten", Shape(net.shape.elements))
    net.linear("fc7", 1024)
    net.linear("fc8", _SPEAKERS)
    return net.model("vgg_m", source="Nagrani et al., VoxCeleb, Interspeech 2017; spectrogram of 512 x 300")
