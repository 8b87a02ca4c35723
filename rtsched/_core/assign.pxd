"""The default assignment: greedy over scores, or by static keys."""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core.roles cimport DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, first_ranked
from rtsched._core.types cimport NEVER_NS, lowest_bit


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
# The same for static keys; what is dispatched is ranked no more.
cdef int by_key(Greedy *g, State *s, NativeMapper mapper, DispatchList *dispatches) except -1 nogil
# Rank the jobs that were put aside.
cdef int rank_again(Greedy *g, State *s) except -1 nogil
# Raise what is wrong with a dispatch that cannot be carried out.
cdef int refuse(const State *s, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil


cdef inline int fastest_idle(const State *s, const uint64_t *idle, int layer, int64_t *best_ns) noexcept nogil:
    # The accelerator among those of a bit set on which one tile runs a layer fastest; -1 when none can.
    cdef const int64_t *times_ns = s.t.t_iso_ns + <int64_t>layer * s.t.n_options
    cdef int word, a
    cdef int best = -1
    cdef uint64_t bits
    cdef int64_t time_ns
    best_ns[0] = NEVER_NS
    for word in range(s.n_idle_words):
        bits = idle[word]
        while bits:
            a = (word << 6) + lowest_bit(bits)
            bits &= bits - 1
            time_ns = times_ns[s.t.option_first[a]]
            if 0 < time_ns < best_ns[0]:
                best, best_ns[0] = a, time_ns
    return best


cdef inline int next_by_key(Greedy *g, State *s, int *accelerator) except -2 nogil:
    # The same for one job at a time, where every dispatch is one layer on one tile and is carried out at once: the slot of the next
    # job, which is ranked no more; -1 when no other can begin. `rank_again` has to follow.
    cdef int64_t time_ns
    cdef int slot
    while s.n_idle > 0:
        slot = first_ranked(s)
        if slot < 0:
            return -1
        accelerator[0] = fastest_idle(s, s.idle, s.jobs[slot].layer, &time_ns)
        if accelerator[0] >= 0:
            return slot
        add_dispatch(&g.aside, slot, 0, 0, 0)
    return -1
