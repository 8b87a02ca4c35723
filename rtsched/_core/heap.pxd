"""A binary heap of ranked handles in which any handle can be found and removed."""

from libc.stdint cimport int32_t, int64_t


cdef struct Entry:
    # Ordered by (key, second, task, frame), ascending.
    int64_t key
    int64_t second
    int64_t frame
    int32_t task
    int32_t handle  # in an indexed heap >= 0 and at most once


cdef struct Heap:
    Entry *entries
    int32_t *place  # [handle]: its place in entries, -1 when absent
    int n
    int capacity  # of entries
    int n_handles  # of place
    bint is_indexed  # else handles are not looked up, `place` is not used and nothing can be removed


cdef void init(Heap *h, bint is_indexed) noexcept nogil
cdef void release(Heap *h) noexcept nogil
# 0, or -1 with MemoryError set.
cdef int push(Heap *h, Entry entry) except -1 nogil
cdef Entry pop(Heap *h) noexcept nogil  # the heap must not be empty
cdef void remove(Heap *h, int32_t handle) noexcept nogil  # does nothing when absent
cdef bint holds(const Heap *h, int32_t handle) noexcept nogil


cdef inline bint before(const Entry *a, const Entry *b) noexcept nogil:
    if a.key != b.key:
        return a.key < b.key
    if a.second != b.second:
        return a.second < b.second
    if a.task != b.task:
        return a.task < b.task
    return a.frame < b.frame
