"""The two halves of a transformer's layer.

Vaswani et al., "Attention Is All You Need", NIPS 2017. Heads are independent products, so they are one layer with a count. Scores are
scaled and biases added where a product is written.
"""

from __future__ import annotations

from rtsched.workload.layer import Gemm, Norm, Softmax
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["feed_forward", "layer_norm", "self_attention"]


def self_attention(net: Builder, heads: int) -> None:
    """Every position looks at all of them: one product for queries, keys and values, scores, context, projection."""
    entry = net.shape
    positions, width = entry.positions, entry.channels
    with net.scope("attention"):
        net.linear("qkv", 3 * width)
        scores = Gemm(name=net.named("scores"), m=positions, n=positions, k=width // heads, count=heads, has_weights=False)
        net.append(scores, Shape(heads * positions, positions))
        net.append(Softmax(name=net.named("softmax"), elements=net.shape.elements), net.shape)
        context = Gemm(name=net.named("context"), m=positions, n=width // heads, k=positions, count=heads, has_weights=False)
        net.append(context, entry)
        net.linear("project", width)


def feed_forward(net: Builder, hidden: int) -> None:
    """Two linear layers at each position."""
    width = net.shape.channels
    with net.scope("feed_forward"):
        net.linear("expand", hidden)
        net.linear("project", width)


def layer_norm(net: Builder, name: str) -> None:
    """Layer normalisation over the channels of each position."""
    net.append(Norm(name=net.named(name), elements=net.shape.elements, channels=net.shape.channels), net.shape)
