"""Names that other tools allow twice."""

from __future__ import annotations

__all__ = ["unused_name"]


def unused_name(name: str, taken: dict[str, int]) -> str:
    """Return the name, with a number behind it if it is taken, and take it.

    Parameters
    ----------
    name : str
    taken : dict
        Names that are taken, each with the last number that was put behind it; changed.

    Examples
    --------
    >>> taken = {}
    >>> [unused_name("conv", taken) for _ in range(3)]
    ['conv', 'conv_2', 'conv_3']
    """
    free, number = name, taken.get(name, 0)
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    if free != name:
        taken[name] = number
    taken[free] = 1
    return free
