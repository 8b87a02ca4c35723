"""Names that other tools allow twice."""

from __future__ import annotations

__all__ = ["unused_name"]


def unused_name(name: str, taken: set[str]) -> str:
    """Return the name, with a number behind it if it is taken, and take it.

    Examples
    --------
    >>> taken = set()
    >>> [unused_name("conv", taken) for _ in range(3)]
    ['conv', 'conv_2', 'conv_3']
    """
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
