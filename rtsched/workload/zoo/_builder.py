"""The builder that every network of the zoo is written with.

It appends layers and follows the shape of the activation through them, so that a network's file needs to say only what its
paper's table says: kernels, channels, strides.

Conventions of the zoo
----------------------
Networks are described as they run at inference, for one input (batch 1). Batch normalisation is folded into the convolution
next to it and activation functions are applied where a layer writes its output, so neither is a layer of its own; what
remains of a normalisation is the bias of its convolution. Residual additions, poolings, squeeze-and-excitation
products and upsampling are layers, for they read and write whole activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from rtsched.workload.layer import Conv, Elementwise, Embedding, FusedPool, Gemm, Layer, Measured, Pool, Recurrent, Reshape, Softmax
from rtsched.workload.model import Block, Model, Subnet

__all__ = ["Builder", "Shape", "inverted_residual", "round_channels"]

Pair = int | tuple[int, int]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _sides(padding: Pair) -> tuple[int, int, int, int]:
    return (*_pair(padding), *_pair(padding))


def _reads_one_activation(layer: Layer) -> bool:
    """False for layers without input, and for those with several operands, which need not have the same shape."""
    if isinstance(layer, Gemm):
        return layer.has_weights
    return not isinstance(layer, Elementwise | Embedding | Measured | Reshape)


class Shape(NamedTuple):
    """Shape of one activation. A sequence has one row per step and one column; a vector has one of each.

    Attributes
    ----------
    channels, rows, columns : int
    """

    channels: int
    rows: int = 1
    columns: int = 1

    @property
    def elements(self) -> int:
        """Number of elements."""
        return self.channels * self.rows * self.columns

    @property
    def positions(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns

    def __str__(self) -> str:
        return f"{self.channels}x{self.rows}x{self.columns}"


class Builder:
    """Builds a network layer by layer.

    Each method appends one layer that reads the current activation, and makes its output the current activation.

    Parameters
    ----------
    channels, rows, columns : int
        Shape of the network's input.

    Attributes
    ----------
    shape : Shape
        The current activation. Keep it before a block to come back to it: see `branch` and `add`.
    """

    def __init__(self, channels: int, rows: int = 1, columns: int = 1) -> None:
        self.shape = Shape(channels, rows, columns)
        self._scopes: list[str] = []
        self._blocks: list[Block] = []
        self._open: list[Layer] = []
        self._in_block = False

    # Structure

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of the layers inside with ``name.``; scopes nest."""
        self._scopes.append(name)
        yield
        self._scopes.pop()

    @contextmanager
    def branch(self, start: Shape) -> Iterator[None]:
        """Build the layers inside from `start`; afterwards the activation is the one from before the branch."""
        trunk, self.shape = self.shape, start
        yield
        self.shape = trunk

    @contextmanager
    def block(self, *, skip: float = 0.0, exit: float = 0.0) -> Iterator[None]:  # noqa: A002
        """Make the layers inside one `Block` of the network. Layers outside of any block form plain blocks.

        Parameters
        ----------
        skip : float
            Probability that an inference skips the block; the block must keep the activation's shape.
        exit : float
            Probability that an inference that executed the block ends after it.

        Raises
        ------
        ValueError
            When blocks nest, when the block is empty, or when it can be skipped but changes the shape.
        """
        if self._in_block:
            raise ValueError("blocks do not nest")
        self._close()
        self._in_block, entry = True, self.shape
        yield
        self._in_block = False
        if skip > 0 and self.shape != entry:
            raise ValueError(f"a block that can be skipped must keep the shape {entry}, not turn it into {self.shape}")
        if not self._open:
            raise ValueError("a block needs at least one layer")
        self._close(skip, exit)

    def _close(self, skip: float = 0.0, exit: float = 0.0) -> None:  # noqa: A002
        if self._open:
            self._blocks.append(Block(layers=tuple(self._open), skip=skip, exit=exit))
            self._open = []

    def named(self, name: str) -> str:
        """`name` with the scopes' prefix: what a layer given to `append` must be called."""
        return ".".join([*self._scopes, name])

    def append(self, layer: Layer, output: Shape) -> None:
        """Append any layer, for operations that have no method here.

        Parameters
        ----------
        layer : Layer
        output : Shape
            Becomes the current activation.

        Raises
        ------
        ValueError
            When the layer does not read the current activation (where that is its one operand), or does not write as many
            elements as `output` has.
        """
        if _reads_one_activation(layer) and layer.input_elements != self.shape.elements:
            raise ValueError(f"layer {layer.name!r} reads {layer.input_elements} elements, not the {self.shape.elements} of {self.shape}")
        if not layer.is_free and layer.output_elements != output.elements:
            raise ValueError(f"layer {layer.name!r} writes {layer.output_elements} elements, not the {output.elements} of {output}")
        self._open.append(layer)
        self.shape = output

    # Images

    def conv(
        self,
        name: str,
        out_channels: int,
        kernel: Pair = 1,
        *,
        stride: Pair = 1,
        padding: Pair | None = None,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        pool: FusedPool | None = None,
    ) -> None:
        """Convolution.

        Parameters
        ----------
        name : str
        out_channels : int
        kernel, stride, dilation : int or (int, int)
            Rows and columns.
        padding : int or (int, int), optional
            On both sides. Default: half the dilated kernel, which keeps the size at stride 1 and divides it at stride 2.
        groups : int
        bias : bool
            True also when it comes from a folded batch normalisation.
        pool : FusedPool, optional
            A pooling that is part of the layer; default none.
        """
        kernel, dilation = _pair(kernel), _pair(dilation)
        if padding is None:
            padding = ((kernel[0] - 1) * dilation[0] // 2, (kernel[1] - 1) * dilation[1] // 2)
        layer = Conv(
            name=self.named(name),
            in_channels=self.shape.channels,
            out_channels=out_channels,
            size=self.shape[1:],
            kernel=kernel,
            stride=_pair(stride),
            padding=_sides(padding),
            dilation=dilation,
            groups=groups,
            bias=bias,
            pool=pool,
        )
        self.append(layer, Shape(out_channels, *layer.pooled_size))

    def depthwise(self, name: str, kernel: Pair, *, stride: Pair = 1, bias: bool = True) -> None:
        """Depthwise convolution: one filter per channel."""
        self.conv(name, self.shape.channels, kernel, stride=stride, groups=self.shape.channels, bias=bias)

    def pool(self, name: str, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> None:
        """Maximum or average pooling; the stride is the kernel unless given."""
        layer = Pool(
            name=self.named(name),
            channels=self.shape.channels,
            size=self.shape[1:],
            kernel=_pair(kernel),
            stride=_pair(kernel if stride is None else stride),
            padding=_sides(padding),
        )
        self.append(layer, Shape(self.shape.channels, *layer.output_size))

    def global_pool(self, name: str) -> None:
        """Average over all positions."""
        self.pool(name, self.shape[1:])

    def upsample(self, name: str, rows: int, columns: int) -> None:
        """Repetition or interpolation to `rows` and `columns` times as many. It counts as reading what it writes."""
        output = self.shape._replace(rows=self.shape.rows * rows, columns=self.shape.columns * columns)
        self.append(Elementwise(name=self.named(name), elements=output.elements), output)

    # Element by element

    def add(self, name: str, *others: Shape) -> None:
        """Sum of the current activation and `others`.

        Raises
        ------
        ValueError
            When the shapes differ.
        """
        for other in others:
            if other != self.shape:
                raise ValueError(f"layer {self.named(name)!r} cannot add {other} to {self.shape}")
        layer = Elementwise(name=self.named(name), elements=self.shape.elements, operands=1 + len(others), channels=self.shape.channels)
        self.append(layer, self.shape)

    def squeeze_excite(self, name: str, hidden: int) -> None:
        """Squeeze-and-excitation: two layers on the pooled channels give one gain per channel.

        The product reads the activation once more; the gains, one per channel, are not counted.
        """
        entry = self.shape
        with self.scope(name):
            with self.branch(entry):
                self.global_pool("pool")
                self.conv("reduce", hidden)
                self.conv("expand", entry.channels)
            self.append(Elementwise(name=self.named("scale"), elements=entry.elements), entry)

    def softmax(self, name: str) -> None:
        """Softmax over the channels."""
        self.append(Softmax(name=self.named(name), elements=self.shape.elements), self.shape)

    # Sequences and vectors

    def linear(self, name: str, outputs: int, *, bias: bool = True) -> None:
        """Fully connected over the channels, at each position. To connect a whole map, `reshape` it to a vector before."""
        layer = Gemm(name=self.named(name), m=self.shape.positions, n=outputs, k=self.shape.channels, bias=bias)
        self.append(layer, self.shape._replace(channels=outputs))

    def recurrent(self, name: str, hidden: int, *, gates: Literal[1, 3, 4] = 4, directions: Literal[1, 2] = 1) -> None:
        """Recurrent layer over the rows; gates: 4 LSTM, 3 GRU, 1 plain. Two directions write both outputs side by side."""
        layer = Recurrent(
            name=self.named(name),
            input_size=self.shape.channels,
            hidden_size=hidden,
            gates=gates,
            steps=self.shape.rows,
            directions=directions,
            bias=True,
        )
        self.append(layer, Shape(directions * hidden, self.shape.rows))

    def embedding(self, name: str, vocabulary: int, width: int) -> None:
        """One row of a table for each position; the current activation holds the indices."""
        layer = Embedding(name=self.named(name), rows=vocabulary, width=width, lookups=self.shape.positions)
        self.append(layer, self.shape._replace(channels=width))

    # Free of cost

    def reshape(self, name: str, output: Shape) -> None:
        """The same elements in another shape.

        Raises
        ------
        ValueError
            When the number of elements differs.
        """
        if output.elements != self.shape.elements:
            raise ValueError(f"layer {self.named(name)!r} cannot turn {self.shape} into {output}")
        self.append(Reshape(name=self.named(name)), output)

    def concat(self, name: str, *others: Shape) -> None:
        """Stack `others` on the current activation's channels.

        Raises
        ------
        ValueError
            When rows or columns differ.
        """
        for other in others:
            if other[1:] != self.shape[1:]:
                raise ValueError(f"layer {self.named(name)!r} cannot stack {other} on {self.shape}")
        channels = self.shape.channels + sum(other.channels for other in others)
        self.append(Reshape(name=self.named(name)), self.shape._replace(channels=channels))

    def resized(self, name: str, rows: int, columns: int) -> None:
        """A map of another size that costs nothing, as the figures that the network stands beside have it; its file says why."""
        self.append(Reshape(name=self.named(name)), self.shape._replace(rows=rows, columns=columns))

    # Results

    def subnet(self, name: str, *, accuracy: float | None = None) -> Subnet:
        """What has been built, as one variant of a Supernet."""
        return Subnet(name=name, blocks=self._all_blocks(), accuracy=accuracy)

    def model(self, name: str, *, source: str) -> Model:
        """What has been built, as a network with one variant."""
        return Model(name=name, source=source, blocks=self._all_blocks())

    def _all_blocks(self) -> tuple[Block, ...]:
        self._close()
        return tuple(self._blocks)


def round_channels(channels: float, divisor: int = 8) -> int:
    """Nearest multiple of `divisor`, but never more than 10 % below `channels`: the rule of the MobileNet family."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


def inverted_residual(
    net: Builder, out_channels: int, kernel: int, *, hidden: int | None, stride: int = 1, squeeze: int | None = None
) -> None:
    """MobileNetV2's block: expand by a 1x1 kernel, filter depthwise, project by a 1x1 kernel; a residual where the shape is kept.

    Parameters
    ----------
    net : Builder
    out_channels, kernel, stride : int
    hidden : int, optional
        Channels of the expanded map. None leaves the expansion out.
    squeeze : int, optional
        Inner channels of a squeeze-and-excitation between filter and projection, as MobileNetV3 has it.

    References
    ----------
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 1.
    Howard et al., "Searching for MobileNetV3", ICCV 2019, figure 4.
    """
    entry = net.shape
    if hidden is not None:
        net.conv("expand", hidden)
    net.depthwise("filter", kernel, stride=stride)
    if squeeze is not None:
        net.squeeze_excite("squeeze", squeeze)
    net.conv("project", out_channels)
    if net.shape == entry and stride == 1:
        net.add("add", entry)
