"""Models: subnets of blocks of layers.

A plain network is one subnet of one block. A dynamic one has blocks that may be skipped (SkipNet), blocks after which it
may stop (early exit), or several subnets of which one is chosen per inference (a Supernet such as Once-for-All).
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtsched.errors import FaultsError, quoted, repeated_names
from rtsched.workload.layer import Layer, LayerBase

__all__ = ["MAX_LAYERS", "Block", "Model", "Subnet"]

MAX_LAYERS = 100_000
"""Of a model, its subnets together. The largest networks that are exported have some thousand, recurrent ones unrolled ten times that."""

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Layers = Annotated[tuple[Layer, ...], Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Block(_Frozen):
    """Consecutive layers that are executed together or not at all.

    Attributes
    ----------
    layers : tuple of Layer
        In the order in which they are executed, at least one.
    skip : float
        Probability that an inference skips the block.
    exit : float
        Probability that an inference which executed the block ends after it.
    """

    layers: Layers
    skip: Probability = 0.0
    exit: Probability = 0.0


Blocks = Annotated[tuple[Block, ...], Field(min_length=1)]


def _one_of(owner: Any, *names: str) -> None:
    given = [name for name in names if getattr(owner, name) is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}; got {' and '.join(given) or 'none'}")


class Subnet(_Frozen):
    """One variant of a model.

    Attributes
    ----------
    name : str
        Unique within the model.
    layers, blocks : tuple
        Exactly one of them: plain layers, or blocks.
    accuracy : float, optional
        Task accuracy in per cent, as published: what is given up by choosing a lighter subnet.
    """

    name: Annotated[str, Field(min_length=1)]
    layers: Layers | None = None
    blocks: Blocks | None = None
    accuracy: Annotated[float, Field(ge=0.0, le=100.0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Subnet:
        _one_of(self, "layers", "blocks")
        seen: set[str] = set()
        for layer in self.all_layers:
            if layer.name in seen:
                raise ValueError(f"subnet {quoted(self.name)} has two layers named {quoted(layer.name)}")
            seen.add(layer.name)
        is_costly = [any(not layer.is_free for layer in block.layers) for block in self.all_blocks]
        if not any(is_costly):
            raise ValueError(f"subnet {quoted(self.name)} has no layer that takes time")
        if any(block.skip or block.exit for block, has_cost in zip(self.all_blocks, is_costly, strict=True) if not has_cost):
            raise ValueError(f"subnet {quoted(self.name)}: a block with skip or exit needs a layer that takes time")
        if self.all_blocks[is_costly.index(True)].skip > 0:
            raise ValueError(f"subnet {quoted(self.name)}: its first block cannot be skipped, or an inference could be empty")
        return self

    @cached_property
    def all_blocks(self) -> tuple[Block, ...]:
        """Its blocks, whichever way it was written."""
        return self.blocks if self.blocks is not None else (Block(layers=self.layers or ()),)

    @cached_property
    def all_layers(self) -> tuple[LayerBase, ...]:
        """Its layers in order, skippable ones included."""
        return tuple(layer for block in self.all_blocks for layer in block.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates when nothing is skipped."""
        return sum(layer.macs for layer in self.all_layers)

    @property
    def parameters(self) -> int:
        """Trained parameters."""
        return sum(layer.parameters for layer in self.all_layers)


class Model(_Frozen):
    """A network: exactly one of `layers`, `blocks` and `subnets`.

    Attributes
    ----------
    name : str
        Stands in results and in tables of costs.
    source : str
        Where its shape comes from.
    layers, blocks : tuple
        A network with one variant.
    subnets : tuple of Subnet
        The variants of a Supernet, the largest first.
    """

    name: Annotated[str, Field(min_length=1)]
    source: str = ""
    layers: Layers | None = None
    blocks: Blocks | None = None
    subnets: Annotated[tuple[Subnet, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Model:
        _one_of(self, "layers", "blocks", "subnets")
        if (n_layers := sum(len(subnet.all_layers) for subnet in self.variants)) > MAX_LAYERS:
            raise ValueError(f"model {quoted(self.name)} has {n_layers:,} layers in all subnets together; must be at most {MAX_LAYERS:,}")
        if faults := repeated_names("subnets", self.variants):
            raise FaultsError(*faults)
        largest = max(self.variants, key=lambda subnet: subnet.macs)
        if largest.macs > self.variants[0].macs:
            raise ValueError(
                f"model {quoted(self.name)}: the largest subnet stands first; {quoted(largest.name)} with {largest.macs} MACs comes after "
                f"{quoted(self.variants[0].name)} with {self.variants[0].macs}"
            )
        return self

    @cached_property
    def variants(self) -> tuple[Subnet, ...]:
        """Its subnets; one, named like the model, when it is no Supernet."""
        if self.subnets is not None:
            return self.subnets
        return (Subnet(name=self.name, layers=self.layers, blocks=self.blocks),)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the largest subnet."""
        return self.variants[0].macs

    @property
    def parameters(self) -> int:
        """Trained parameters of the largest subnet."""
        return self.variants[0].parameters
