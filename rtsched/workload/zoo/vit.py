"""Vision transformer: an image as a sentence of 16 x 16 patches.

Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021.
Published for ViT-Base: 86 M parameters (table 1). Torchvision's model list has 86.6 M parameters and 17.56 G MACs.

Input: 224 x 224 RGB: 196 patches and the class token.

Assumed: the classifier that reads the class token has ImageNet's 1000 classes. The table of position embeddings (0.15 M parameters) is an
operand of an addition and not counted among the parameters.
"""

from __future__ import annotations

from rtsched.workload.layer import Reshape
from rtsched.workload.model import Model
from rtsched.workload.zoo._attention import feed_forward, layer_norm, self_attention
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["vit_b16"]

_PATCH = 16
_WIDTH = 768
_HIDDEN = 3072
_HEADS = 12
_LAYERS = 12
_CLASSES = 1000


def vit_b16() -> Model:
    """ViT-Base with patches of 16 x 16."""
    net = Builder(3, 224, 224)
    net.conv("patches", _WIDTH, _PATCH, stride=_PATCH, padding=0)
    net.append(Reshape(name="class_token"), Shape(_WIDTH, net.shape.positions + 1))
    net.add("positions", net.shape)
    for layer in range(1, _LAYERS + 1):
        with net.scope(f"layer{layer}"):
            _layer(net)
    layer_norm(net, "norm")
    net.append(Reshape(name="take_class_token"), Shape(_WIDTH))
    net.linear("classifier", _CLASSES)
    return net.model("vit_b16", source="Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021, ViT-Base; 224 x 224")


def _layer(net: Builder) -> None:
    """Normalises before each half."""
    entry = net.shape
    layer_norm(net, "norm1")
    self_attention(net, _HEADS)
    net.add("add1", entry)
    layer_norm(net, "norm2")
    feed_forward(net, _HIDDEN)
    net.add("add2", entry)
