"""Rate monotonic: shortest period first, on the free accelerator with the smallest estimated latency.

Liu and Layland, "Scheduling algorithms for multiprogramming in a hard-real-time environment", J. ACM 20(1), 1973; preemptive at
layer boundaries. The period of a task is the mean time between the releases of its cascade's root; a closed loop, which has none,
takes its relative deadline. Equal periods go by release.
"""

from libc.stdint cimport int64_t

from rtsched._core.mappers cimport KeyMapper
from rtsched._core.state cimport State

from rtsched.policies.roles import Policy


cdef class ShortestPeriod(KeyMapper):
    """Shortest period first."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = s.t.task_period_ns[s.jobs[slot].task]
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=ShortestPeriod(), name="rm")
