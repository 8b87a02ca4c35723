"""Draws: pure functions of (seed, task, frame, purpose, index) by a counter-based generator."""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core.types cimport Tables


cdef enum Purpose:
    DRAW_ARRIVAL = 0
    DRAW_TRIGGER = 1
    DRAW_SKIP = 2
    DRAW_EXIT = 3
    DRAW_FACTOR = 4
    DRAW_PRIORITY = 5
    DRAW_TASK_SET = 6  # of synthetic task sets; no run draws it


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    # The finaliser of splitmix64.
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint64_t absorb(uint64_t h, uint64_t value) noexcept nogil:
    return mix(h + <uint64_t>0x9E3779B97F4A7C15 * (value + 1))


cdef inline double uniform(uint64_t seed, int task, int64_t frame, Purpose purpose, int64_t index) noexcept nogil:
    # Uniform in [0, 1), 53 bits.
    cdef uint64_t h = mix(seed + <uint64_t>0x9E3779B97F4A7C15)
    h = absorb(h, <uint64_t>task)
    h = absorb(h, <uint64_t>frame)
    h = absorb(h, <uint64_t>purpose)
    h = absorb(h, <uint64_t>index)
    return <double>(h >> 11) * 2.0 ** -53


cdef int64_t nearest(double x) noexcept nogil
cdef int64_t periodic_release_ns(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil
cdef int64_t poisson_gap_ns(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil
# By the task's own draw.
cdef bint is_triggered(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil
# What the `index`th layer of a job's subnet takes, as a multiple of its estimate.
cdef double time_factor(const Tables *t, uint64_t seed, int task, int64_t frame, int index) noexcept nogil
# The place of a frame's recorded times, one per layer from the first of its subnet on; -1 where none were recorded.
cdef int recorded_at(const Tables *t, int task, int64_t frame) noexcept nogil
cdef int priority_of(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil
cdef int first_layer(const Tables *t, uint64_t seed, int task, int64_t frame, int subnet) noexcept nogil
# The layer of a job's path after the last one of a block; -1 at its end.
cdef int layer_after(const Tables *t, uint64_t seed, int task, int64_t frame, int subnet, int block) noexcept nogil


cdef inline int next_layer(const Tables *t, uint64_t seed, int task, int64_t frame, int subnet, int layer) noexcept nogil:
    # The layer of the job's path after `layer`; -1 at its end.
    cdef int block = t.layer_block[layer]
    if layer + 1 < t.block_first_layer[block + 1]:
        return layer + 1
    return layer_after(t, seed, task, frame, subnet, block)
