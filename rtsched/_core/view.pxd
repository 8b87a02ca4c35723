"""What Python roles see: one persistent view over the state of a run."""

from rtsched._core.roles cimport DispatchList
from rtsched._core.state cimport State


cdef enum Field:
    TASK
    FRAME
    PRIORITY
    RELEASE_NS
    DEADLINE_NS
    SLACK_NS
    START_NS
    LAST_END_NS
    LAYER
    SUBNET
    ACCELERATOR
    N_TILES
    REMAINING_NS
    TOGO_MEAN_NS
    TOGO_MIN_NS
    DEMAND
    ALLOCATION
    CAP
    SPARSITY
    LATENCY_NS
    FREE_TILES
    N_FIELDS


cdef class Column:
    # A buffer that grows, with the arrays over its first n rows made once each.
    cdef object array
    cdef list heads
    cdef list row_shape
    cdef char *start
    cdef char *reserve(self, int n) except NULL
    cdef object head(self, int n)


cdef class RunningView:
    cdef const State *s
    cdef object owner  # of the memory behind s
    cdef int estimate_tiles
    cdef list columns  # by Field
    cdef object gather(self, Field field)
    cdef object gather_rates(self, Field field)


cdef class StateView:
    cdef const State *s
    cdef object owner  # of the memory behind s
    cdef int estimate_tiles
    cdef list columns  # by Field
    cdef readonly object problem
    cdef readonly RunningView running
    cdef object gather(self, Field field)


cdef class Dispatches:
    # Collects a Python mapper's answer; rows become slots at once. `target` is NULL but during a call of `assign`.
    cdef const State *s
    cdef DispatchList *target


cdef StateView make_view(const State *s, object owner, object problem, int estimate_tiles)
