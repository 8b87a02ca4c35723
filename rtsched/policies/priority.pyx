"""Largest priority first, on the free accelerator with the smallest estimated latency.

Fixed priorities, as real-time operating systems have them; preemptive at layer boundaries. Which task gets which is up to the
scenario: Audsley, "Optimal priority assignment and feasibility of static priority tasks with arbitrary start times", University
of York, YCS 164, 1991, tells how to choose them. Equal priorities go by release.
"""

from libc.stdint cimport int64_t

from rtsched._core.mappers cimport KeyMapper
from rtsched._core.state cimport State

from rtsched.policies.roles import Policy


cdef class LargestPriority(KeyMapper):
    """Largest priority first."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = -<int64_t>s.jobs[slot].priority
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=LargestPriority(), name="priority")
