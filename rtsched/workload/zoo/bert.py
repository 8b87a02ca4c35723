"""BERT: a transformer that reads a text both ways.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019.
Published for BERT-base: 110 M parameters. Jiao et al., "TinyBERT", Findings of EMNLP 2020, table 1, have 109 M parameters and 22.5 G
operations, that is 11.25 G MACs, for 128 tokens.

Input: 128 tokens.

Assumed: the released uncased vocabulary of 30,522 word pieces; the pooled output of the first token, without a classifier, which depends
on the task and is small.
"""

from __future__ import annotations

from rtsched.workload.layer import Reshape
from rtsched.workload.model import Model
from rtsched.workload.zoo._attention import feed_forward, layer_norm, self_attention
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["bert_base"]

_TOKENS = 128
_VOCABULARY = 30_522
_POSITIONS = 512
_SEGMENTS = 2
_WIDTH = 768
_HIDDEN = 3072
_HEADS = 12
_LAYERS = 12


def bert_base() -> Model:
    """BERT-base on a sequence of 128."""
    tokens = Shape(1, _TOKENS)
    net = Builder(*tokens)
    with net.scope("embedding"):
        for name, rows in (("positions", _POSITIONS), ("segments", _SEGMENTS)):
            with net.branch(tokens):
                net.embedding(name, rows, _WIDTH)
        net.embedding("words", _VOCABULARY, _WIDTH)
        net.add("add", net.shape, net.shape)
        layer_norm(net, "norm")
    for layer in range(1, _LAYERS + 1):
        with net.scope(f"layer{layer}"):
            _layer(net)
    net.append(Reshape(name="take_first_token"), Shape(_WIDTH))
    net.linear("pooler", _WIDTH)
    return net.model("bert_base", source="Devlin et al., BERT, NAACL 2019; 128 tokens")


def _layer(net: Builder) -> None:
    """Normalises behind each half's addition."""
    entry = net.shape
    self_attention(net, _HEADS)
    net.add("add1", entry)
    layer_norm(net, "norm1")
    feed_forward(net, _HIDDEN)
    net.add("add2", entry)
    layer_norm(net, "norm2")
