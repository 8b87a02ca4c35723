"""Colours of all pictures, on pages and on paper: Okabe and Ito's, which colour-blind readers tell apart, and shades of them.

Nothing is told by colour alone: lines have dashes or marks too, areas hatches, and both their names.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["AREAS", "BASELINES", "DARK_LINES", "HUES", "LINES", "ON_AREAS", "VARIANTS", "slots"]

HUES = {
    "black": "#000000",
    "orange": "#e69f00",
    "sky": "#56b4e9",
    "green": "#009e73",
    "yellow": "#f0e442",
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
}
"""Okabe and Ito's, by name."""

LINES = ("#0072b2", "#c04f00", "#00795c", "#a8457f", "#8a6d00", "#222222", "#2d7fb8", "#777777")
"""On white; with a contrast of 3 to 1, as the next ones have on black."""
DARK_LINES = ("#59b0e8", "#f08a4b", "#45c9a5", "#e79bc8", "#e6b93c", "#eeeeee", "#9ad0f5", "#a8a8a8")

AREAS = ("#0072b2", "#e69f00", "#56b4e9", "#f0e442", "#cc79a7", "#d55e00", "#33a089", "#999999")
"""Of tasks and of parts of a sum, by their number."""
ON_AREAS = ("#fff", "#000", "#000", "#000", "#000", "#fff", "#000", "#000")
"""Of letters on them."""

BASELINES = ("#999999", "#000000", "#e69f00", "#56b4e9", "#f0e442", "#cc79a7", "#d55e00")
VARIANTS = ("#66c2a5", "#33a089", "#0072b2", "#003f6b", "#7b3294")
"""In studies of many policies: a paper's variants are blues and greens, light to dark; ours purple."""

_PREFERRED = (
    ("dream", 0),
    ("moca", 2),
    ("edf", 5),
    ("fcfs", 7),
    ("herald", 1),
    ("planaria", 3),
    ("veltair", 4),
    ("eft", 6),
    ("prema", 4),
    ("dysta", 6),
    ("sdrm3", 1),
    ("llf", 3),
    ("static", 7),
)
"""Beginnings of policies' names, and the colour of `LINES` that they get where it is free."""


def slots(policies: Sequence[str]) -> list[int]:
    """A number in `LINES` for each policy: the same in every picture as far as it is free there, and none twice while there are free ones.

    Parameters
    ----------
    policies : sequence of str
        Of one picture, in order. Beyond as many as there are colours, numbers go on; they are meant modulo the colours.

    Examples
    --------
    >>> slots(["edf", "dream", "dream-fixed", "mine"]), slots(["mine", "dream"])
    ([5, 0, 1, 2], [1, 0])
    """
    wanted = [next((slot for start, slot in _PREFERRED if name.startswith(start)), None) for name in policies]
    found: dict[int, int] = {}
    for i, slot in enumerate(wanted):
        if slot is not None and slot not in found.values():
            found[i] = slot
    free = (slot for slot in range(len(policies) + len(LINES)) if slot not in found.values())
    return [found[i] if i in found else next(free) for i in range(len(policies))]
