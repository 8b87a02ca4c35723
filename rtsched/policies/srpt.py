"""Shortest remaining processing time first: smallest expected remaining time, on the fastest free accelerator.

Schrage, "A proof of the optimality of the shortest remaining processing time discipline", Oper. Res. 16(3), 1968.
Remaining time is the mean over accelerators of each remaining layer's estimate (ToGo).
"""

from rtsched._core.mappers import ShortestRemaining
from rtsched.policies.roles import Policy


def policy() -> Policy:
    """Return the composition."""
    return Policy(mapper=ShortestRemaining(), name="srpt")
