"""Memory of the binary heap."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, realloc


cdef void init(Heap *h, bint is_indexed) noexcept nogil:
    h.is_indexed = is_indexed
    h.entries = NULL
    h.place = NULL
    h.n = h.capacity = h.n_handles = 0


cdef void release(Heap *h) noexcept nogil:
    free(h.entries)
    free(h.place)
    init(h, h.is_indexed)


cdef int grow(Heap *h, int32_t handle) except -1 nogil:
    cdef int capacity
    cdef void *memory
    if h.n == h.capacity:
        capacity = 2 * h.capacity + 16
        memory = realloc(h.entries, capacity * sizeof(Entry))
        if memory == NULL:
            with gil:
                raise MemoryError(f"no memory for a heap of {capacity} entries")
        h.entries = <Entry *>memory
        h.capacity = capacity
    if h.is_indexed and handle >= h.n_handles:
        capacity = 2 * handle + 16
        memory = realloc(h.place, capacity * sizeof(int32_t))
        if memory == NULL:
            with gil:
                raise MemoryError(f"no memory for a heap of {capacity} handles")
        h.place = <int32_t *>memory
        while h.n_handles < capacity:
            h.place[h.n_handles] = -1
            h.n_handles += 1
    return 0
