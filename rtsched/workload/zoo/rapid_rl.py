"""RAPID-RL: a Q-network that may answer early.

Kosta et al., "RAPID-RL: A Reconfigurable Architecture with Preemptive-Exits for Efficient Deep-Reinforcement Learning", ICRA 2022 (arXiv
2109.08231). Side branches between the layers of a deep Q-network give an answer and how sure they are of it; when one is sure enough,
the rest is not executed. Published for drone navigation: 0.25 times the operations of the network without branches.

Input: 103 x 103 RGB.

Assumed, a reconstruction
-------------------------
The network without branches is the duelling AlexNet that comes with PEDRA, the drone simulator which the paper uses (Anwar and
Raychowdhury, IEEE Access 2020): five convolutions, two streams of five fully connected layers, 25 actions. Branches stand behind the
first and the second pooling, each a 3x3 convolution of 32 channels with stride 2, a hidden layer of 128, and the 25 actions with the
confidence. They answer for three of four images that reach them, which gives the published mean of 0.25.
"""

from __future__ import annotations

from rtsched.workload.layer import Elementwise
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["rapid_rl"]

_ACTIONS = 25
_EXITS = (0.75, 0.75)
_BRANCH_CHANNELS = 32
_BRANCH_HIDDEN = 128
_STREAM = (2048, 1024, 1024, 512)


def rapid_rl() -> Model:
    """RAPID-RL for drone navigation with two preemptive exits."""
    net = Builder(3, 103, 103)
    with net.block(exit=_EXITS[0]):
        net.conv("conv1", 96, 11, stride=4, padding=0)
        net.pool("pool1", 3, stride=2)
        _branch(net, "exit1")
    with net.block(exit=_EXITS[1]):
        net.conv("conv2", 256, 5)
        net.pool("pool2", 3, stride=2)
        _branch(net, "exit2")
    net.conv("conv3", 384, 3)
    net.conv("conv4", 384, 3)
    net.conv("conv5", 256, 3)
    net.pool("pool5", 3, stride=2)
    net.reshape("flatten", Shape(net.shape.elements))
    _streams(net)
    return net.model("rapid_rl", source="Kosta et al., RAPID-RL, ICRA 2022, reconstructed on PEDRA's AlexNet; 103 x 103")


def _branch(net: Builder, name: str) -> None:
    with net.scope(name), net.branch(net.shape):
        net.conv("conv", _BRANCH_CHANNELS, 3, stride=2)
        net.reshape("flatten", Shape(net.shape.elements))
        net.linear("hidden", _BRANCH_HIDDEN)
        net.linear("actions", _ACTIONS + 1)


def _streams(net: Builder) -> None:
    """Value of the state, and advantage of each action over it."""
    features = net.shape
    for name, outputs in (("value", 1), ("advantage", _ACTIONS)):
        with net.scope(name), net.branch(features):
            for number, width in enumerate(_STREAM, start=6):
                net.linear(f"fc{number}", width)
            net.linear("fc10", outputs)
    net.append(Elementwise(name="combine", elements=_ACTIONS), Shape(_ACTIONS))
