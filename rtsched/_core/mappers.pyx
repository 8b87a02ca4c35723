"""Native mappers with static keys: first come first served, earliest deadline, least laxity, shortest remaining time."""

from libc.stdint cimport int64_t

from rtsched._core.roles cimport FORM_KEY
from rtsched._core.state cimport State, togo
from rtsched._core.types cimport Job

__all__ = ["EarliestDeadline", "FirstCome", "LeastLaxity", "ShortestRemaining"]


cdef class KeyMapper:
    """Base: ranks a job once, when it becomes ready."""

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_KEY


cdef class FirstCome(KeyMapper):
    """Earliest release first."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = s.jobs[slot].release_ns
        return 0


cdef class EarliestDeadline(KeyMapper):
    """Earliest deadline first."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = s.jobs[slot].deadline_ns
        return 0


cdef class LeastLaxity(KeyMapper):
    """Smallest slack minus to-go first. Both fall alike while a job waits, so the order is that of deadline minus to-go."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        cdef const Job *job = &s.jobs[slot]
        key[0] = job.deadline_ns - togo(s, s.t.togo_mean_ns, job.layer, self.estimate_tiles)
        return 0


cdef class ShortestRemaining(KeyMapper):
    """Smallest to-go first."""

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = togo(s, s.t.togo_mean_ns, s.jobs[slot].layer, self.estimate_tiles)
        return 0
