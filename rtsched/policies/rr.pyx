"""Round robin over tasks: the task that was served the longest ago first, on the fastest free accelerator.

Kleinrock, "Queueing systems, volume 2", Wiley, 1976; the quantum is one layer (or the block that is committed), since layers are not
interrupted. Tasks that were never served go first, in the order of the scenario; several ready jobs of one task by release.
"""

from libc.stdint cimport int64_t

from rtsched._core.roles cimport NOTE_DISPATCH, NativeMapper
from rtsched._core.state cimport State

import numpy as np

from rtsched.policies.roles import Policy


cdef class RoundRobin(NativeMapper):
    """The task that was served the longest ago first."""

    cdef int64_t[::1] turn  # [task]: number of the dispatch that served it last; below 0 before
    cdef int64_t n_turns

    def __cinit__(self, *args, **kwargs):
        self.is_rescored = True
        self.notes = NOTE_DISPATCH

    cpdef object start(self, object problem):
        cdef RoundRobin run = RoundRobin()
        run.turn = np.arange(-problem.n_tasks, 0, dtype=np.int64)
        return run

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int row
        for row in range(s.n_ready):
            out[row] = -<double>self.turn[s.jobs[s.ready[row]].task]
        return 0

    cdef int on_dispatch(self, const State *s, int slot) except -1 nogil:
        self.turn[s.jobs[slot].task] = self.n_turns
        self.n_turns += 1
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=RoundRobin(), name="rr")
