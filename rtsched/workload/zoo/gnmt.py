"""GNMT: translation by deep recurrent networks with attention.

Wu et al., "Google's Neural Machine Translation System: Bridging the Gap between Human and Machine Translation", arXiv 1609.08144, 2016.
Published figures, from the table of WMT'14 English to French in Shazeer et al., "Outrageously Large Neural Networks", ICLR 2017:
278 M parameters, 214 M multiply-adds per time step.

Input: one sentence of 20 tokens; output: 20 tokens, decoded greedily (no beam).

Assumed
-------
Vocabularies of 32,000 word pieces; one embedding table for the source and one for the target, and an output projection of its own. The
first encoder layer runs both ways with 1024 units each, so the second one reads 2048. The context that the bottom decoder layer
finds goes to "all the remaining decoder layers", which therefore read 2048: the layer below and the context. Residual
connections start at the third layer of each stack. Attention has one hidden layer of 1024, whose part for the encoder's
output is computed once per sentence.

Counted: the published multiply-adds are met when the output projection is included, so a time step here is a token
through encoder, decoder, attention and projection.

A layer covers all its 20 steps, in the decoder too. A real decoder takes a token through all its layers before it starts the next
one. The arithmetic is the same; where the network can be preempted, and how often weights that do not stay on chip are read, is not.
"""

from __future__ import annotations

from rtsched.workload.layer import Elementwise, Gemm, Softmax
from rtsched.workload.model import Model
from rtsched.workload.zoo._builder import Builder, Shape

__all__ = ["gnmt"]

_TOKENS = 20
_VOCABULARY = 32_000
_WIDTH = 1024
_LAYERS = 8
_FIRST_RESIDUAL = 3


def gnmt() -> Model:
    """GNMT with eight encoder and eight decoder layers of 1024 LSTM units."""
    tokens = Shape(1, _TOKENS)
    net = Builder(*tokens)
    with net.scope("encoder"):
        _encoder(net)
    encoded = net.shape
    with net.branch(tokens), net.scope("decoder"):
        _decoder(net, encoded)
        net.linear("projection", _VOCABULARY)
        net.softmax("softmax")
    return net.model("gnmt", source="Wu et al., Google's neural machine translation system, 2016; 20 tokens")


def _encoder(net: Builder) -> None:
    net.embedding("embedding", _VOCABULARY, _WIDTH)
    net.recurrent("lstm1", _WIDTH, directions=2)
    for layer in range(2, _LAYERS + 1):
        _residual_lstm(net, layer, net.shape)


def _decoder(net: Builder, encoded: Shape) -> None:
    net.embedding("embedding", _VOCABULARY, _WIDTH)
    net.recurrent("lstm1", _WIDTH)
    bottom = net.shape
    with net.branch(bottom), net.scope("attention"):
        _attention(net, encoded)
        context = net.shape
    for layer in range(2, _LAYERS + 1):
        entry = net.shape
        net.concat(f"concat{layer}", context)
        _residual_lstm(net, layer, entry)


def _residual_lstm(net: Builder, layer: int, entry: Shape) -> None:
    net.recurrent(f"lstm{layer}", _WIDTH)
    if layer >= _FIRST_RESIDUAL:
        net.add(f"add{layer}", entry)


def _attention(net: Builder, encoded: Shape) -> None:
    """Additive attention: weight of a source token = v . tanh(W query + U encoded)."""
    pairs = net.shape.positions * encoded.positions
    net.linear("query", _WIDTH, bias=False)
    query = net.shape
    with net.branch(encoded):
        net.linear("keys", _WIDTH, bias=False)
    net.append(Elementwise(name=net.named("tanh"), elements=pairs * _WIDTH), Shape(_WIDTH, query.rows, encoded.rows))
    net.append(Gemm(name=net.named("scores"), m=pairs, n=1, k=_WIDTH), Shape(1, query.rows, encoded.rows))
    net.append(Softmax(name=net.named("weights"), elements=pairs), Shape(encoded.rows, query.rows))
    product = Gemm(name=net.named("context"), m=query.rows, n=encoded.channels, k=encoded.rows, has_weights=False)
    net.append(product, Shape(encoded.channels, query.rows))
