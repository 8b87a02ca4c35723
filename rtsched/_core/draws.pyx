"""Draws and the paths and arrivals that follow from them."""

from libc.math cimport cos, exp, floor, log, sqrt
from libc.stdint cimport int64_t, uint64_t

from rtsched._core.types cimport NEVER_NS, Tables


cdef int64_t nearest(double x) noexcept nogil:
    # A time beyond the clock never comes.
    x = floor(x + 0.5)
    return <int64_t>x if x < <double>NEVER_NS else NEVER_NS


cdef int64_t periodic_release_ns(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil:
    cdef int64_t base = t.task_offset_ns[task] + nearest(<double>frame * 1e9 / t.task_rate_hz[task])
    if t.task_jitter_ns[task] == 0:
        return base
    return base + <int64_t>floor(<double>t.task_jitter_ns[task] * uniform(seed, task, frame, DRAW_ARRIVAL, 0))


cdef int64_t poisson_gap_ns(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil:
    cdef double u = uniform(seed, task, frame, DRAW_ARRIVAL, 0)
    cdef int64_t gap = nearest(-log(1.0 - u) * 1e9 / t.task_rate_hz[task])
    return gap if gap > 1 else 1


cdef bint is_triggered(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil:
    return uniform(seed, task, frame, DRAW_TRIGGER, 0) < t.task_trigger[task]


cdef double time_factor(const Tables *t, uint64_t seed, int task, int64_t frame, int index) noexcept nogil:
    cdef int first = t.factor_first[task]
    cdef int n = t.factor_first[task + 1] - first
    cdef double sigma = t.factor_sigma[task]
    cdef double u, z
    if n == 0 and sigma == 0.0:
        return 1.0
    u = uniform(seed, task, frame, DRAW_FACTOR, 2 * <int64_t>index)
    if n > 0:
        return t.factor_value[first + <int>(u * n)]
    # Box and Muller; the constant is 2 pi.
    z = sqrt(-2.0 * log(1.0 - u)) * cos(6.283185307179586 * uniform(seed, task, frame, DRAW_FACTOR, 2 * <int64_t>index + 1))
    return exp(sigma * z - 0.5 * (sigma * sigma))


cdef int recorded_at(const Tables *t, int task, int64_t frame) noexcept nogil:
    cdef int first = t.recorded_first[task]
    cdef int n = t.recorded_first[task + 1] - first
    return -1 if n == 0 else t.recorded_place[first + <int>(frame % n)]


cdef int priority_of(const Tables *t, uint64_t seed, int task, int64_t frame) noexcept nogil:
    cdef int i = t.priority_first[task]
    cdef double u
    if t.priority_first[task + 1] - i > 1:
        u = uniform(seed, task, frame, DRAW_PRIORITY, 0)
        while u >= t.priority_upto[i]:
            i += 1
    return t.priority_value[i]


cdef int first_executed(const Tables *t, uint64_t seed, int task, int64_t frame, int block, int last) noexcept nogil:
    # The first layer of the first block from `block` on that is not skipped; -1 when there is none before `last`.
    while block < last:
        if t.block_skip[block] <= 0.0 or uniform(seed, task, frame, DRAW_SKIP, t.block_draw[block]) >= t.block_skip[block]:
            return t.block_first_layer[block]
        block += 1
    return -1


cdef int first_layer(const Tables *t, uint64_t seed, int task, int64_t frame, int subnet) noexcept nogil:
    return first_executed(t, seed, task, frame, t.subnet_first_block[subnet], t.subnet_first_block[subnet + 1])


cdef int layer_after(const Tables *t, uint64_t seed, int task, int64_t frame, int subnet, int block) noexcept nogil:
    if t.block_exit[block] > 0.0 and uniform(seed, task, frame, DRAW_EXIT, t.block_draw[block]) < t.block_exit[block]:
        return -1
    return first_executed(t, seed, task, frame, block + 1, t.subnet_first_block[subnet + 1])


def task_set_uniform(uint64_t seed, int task, int64_t attempt, int64_t index):
    """Draw for a synthetic task set: uniform in [0, 1), a pure function of its arguments."""
    return uniform(seed, task, attempt, DRAW_TASK_SET, index)
