"""Least laxity first: smallest slack minus expected remaining time, on the fastest free accelerator.

Mok, "Fundamental design problems of distributed systems for the hard-real-time environment", MIT, 1983. Remaining time is
the mean over accelerators of each remaining layer's estimate (ToGo).
"""

from rtsched._core.mappers import LeastLaxity
from rtsched.policies.roles import Policy


def policy() -> Policy:
    """Return the composition."""
    return Policy(mapper=LeastLaxity(), name="llf")
