"""Earliest deadline first, on the free accelerator with the smallest estimated latency.

Liu and Layland, "Scheduling algorithms for multiprogramming in a hard-real-time environment", J. ACM 20(1), 1973;
preemptive at layer boundaries.
"""

from rtsched._core.mappers import EarliestDeadline
from rtsched.policies.roles import Policy


def policy() -> Policy:
    """Return the composition."""
    return Policy(mapper=EarliestDeadline(), name="edf")
