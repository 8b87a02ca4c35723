"""The default assignment: greedy over scores, or by static keys."""

from libc.stdint cimport uint64_t

from rtsched._core.roles cimport DispatchList, NativeMapper
from rtsched._core.state cimport State


cdef struct Greedy:
    # Scratch memory of one run.
    double *scores
    int n_scores  # capacity
    uint64_t *idle  # bit set of accelerators with tiles that are not promised yet
    DispatchList aside  # of by_key: jobs that fit nowhere now
    int *promised  # [accelerator]: tiles given away within this decision; all 0 between decisions


cdef int init(Greedy *g, const State *s) except -1 nogil
cdef void release(Greedy *g) noexcept nogil
# Append dispatches: repeat { the best pair with a score above -inf that fits } until none is left, or once if rescored.
cdef int by_score(Greedy *g, State *s, NativeMapper mapper, DispatchList *dispatches) except -1 nogil
# The same for static keys, from s.ranked; what is dispatched has left it.
cdef int by_key(Greedy *g, State *s, NativeMapper mapper, DispatchList *dispatches) except -1 nogil
# Raise what is wrong with a dispatch that cannot be carried out.
cdef int refuse(const State *s, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil
