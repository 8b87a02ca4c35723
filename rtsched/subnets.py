"""What a subnet brings into every problem that it is part of; kept, since studies compile the same networks again and again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rtsched.cost.model import LayerKey, layer_cells
from rtsched.errors import InputError
from rtsched.workload.model import Model, Subnet

__all__ = ["SubnetPart", "subnet_parts"]

KEPT = 64
"""Subnets that are kept, those that were used last."""


@dataclass(frozen=True)
class SubnetPart:
    """The layers of a subnet that take time, and the blocks that they stand in.

    Attributes
    ----------
    keys : tuple of LayerKey
    cells : ndarray of int64, shape (n_layers, 25)
        See `rtsched.cost.model.layer_cells`.
    n_layers : tuple of int
        Of each block that has any.
    place : tuple of int
        Of these blocks among all of the subnet's.
    skip, leave : tuple of float
        Probabilities of these blocks.
    """

    keys: tuple[LayerKey, ...]
    cells: np.ndarray
    n_layers: tuple[int, ...]
    place: tuple[int, ...]
    skip: tuple[float, ...]
    leave: tuple[float, ...]


class _Same:
    """A subnet that is equal to none but itself: to compare all of its layers takes longer than to look at them."""

    __slots__ = ("subnet",)

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet

    def __hash__(self) -> int:
        return id(self.subnet)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.subnet is other.subnet


@lru_cache(maxsize=KEPT)
def _part(owner: str, same: _Same) -> SubnetPart:
    costly = [
        (place, block, layers)
        for place, block in enumerate(same.subnet.all_blocks)
        if (layers := [layer for layer in block.layers if not layer.is_free])
    ]
    layers = [layer for _, _, some in costly for layer in some]
    keys = tuple(LayerKey(owner, layer.name) for layer in layers)
    cells = layer_cells(keys, layers)
    cells.setflags(write=False)
    return SubnetPart(
        keys,
        cells,
        tuple(len(some) for _, _, some in costly),
        tuple(place for place, _, _ in costly),
        tuple(block.skip for _, block, _ in costly),
        tuple(block.exit for _, block, _ in costly),
    )


def subnet_parts(models: list[Model]) -> list[SubnetPart]:
    """The parts of all subnets of some models, in order.

    Raises
    ------
    rtsched.errors.InputError
        A layer is too large for a table; names every such layer.
    """
    parts: list[SubnetPart] = []
    faults: list[str] = []
    for model in models:
        for subnet in model.variants:
            owner = model.name if len(model.variants) == 1 else f"{model.name}/{subnet.name}"
            try:
                parts.append(_part(owner, _Same(subnet)))
            except InputError as error:
                faults.extend(error.faults)
    if faults:
        raise InputError(faults)
    return parts
