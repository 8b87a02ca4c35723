"""The shared memory: who gets how much bandwidth, and when each running layer is done at that rate.

Layers in execution stand at the *place* of their lowest tile (accelerators' tiles numbered through). Two lists hold places:
`by_ask`, those that ask for DRAM, ascending by (ask, place); `by_l2`, those that ask for L2 bandwidth, ascending by (L2
demand, place).
"""

from libc.stdint cimport int64_t

from rtsched._core.types cimport Running, Tables


cdef struct Memory:
    const Tables *t
    Running *running  # [place], n_places of them
    int64_t *finish_ns  # [place]; NEVER_NS where nothing runs, and where what runs is not served
    int *by_ask
    int *by_l2
    int n_running
    int n_asking
    int n_l2
    bint is_l2_limited  # else `by_l2` stays empty


cdef int init(Memory *m, const Tables *t) except -1 nogil
cdef void release(Memory *m) noexcept nogil
# A layer whose record stands at `place` begins or ends; rates are stale until the next rerate.
cdef void enter(Memory *m, int place) noexcept nogil
cdef void leave(Memory *m, int place) noexcept nogil
# Set the cap of a running layer (> 0 or inf).
cdef void set_cap(Memory *m, int place, double cap_bytes_per_ns) noexcept nogil
# Share the bandwidth among the running layers; touches only those whose rate changes.
cdef void rerate(Memory *m, int64_t now_ns) noexcept nogil
# The place that finishes first, the smallest at equal times; -1 when none does.
cdef int first_to_finish(const Memory *m) noexcept nogil
# The places of all running layers, ascending; returns their number.
cdef int list_running(const Memory *m, int *places) noexcept nogil
