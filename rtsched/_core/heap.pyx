"""An indexed binary heap: O(log n) push, pop and removal of any handle."""

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


cdef inline void put(Heap *h, int at, const Entry *entry) noexcept nogil:
    h.entries[at] = entry[0]
    if h.is_indexed:
        h.place[entry.handle] = at


cdef void rise(Heap *h, int at, Entry entry) noexcept nogil:
    # Put the entry at its place between `at` and the root.
    cdef int parent
    while at > 0:
        parent = (at - 1) >> 1
        if not before(&entry, &h.entries[parent]):
            break
        put(h, at, &h.entries[parent])
        at = parent
    put(h, at, &entry)


cdef void sink(Heap *h, int at, Entry entry) noexcept nogil:
    # Put the entry at its place between `at` and the leaves.
    cdef int child
    while True:
        child = 2 * at + 1
        if child >= h.n:
            break
        if child + 1 < h.n and before(&h.entries[child + 1], &h.entries[child]):
            child += 1
        if not before(&h.entries[child], &entry):
            break
        put(h, at, &h.entries[child])
        at = child
    put(h, at, &entry)


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


cdef int push(Heap *h, Entry entry) except -1 nogil:
    if h.n == h.capacity or (h.is_indexed and entry.handle >= h.n_handles):
        grow(h, entry.handle)
    h.n += 1
    rise(h, h.n - 1, entry)
    return 0


cdef Entry pop(Heap *h) noexcept nogil:
    cdef Entry top = h.entries[0]
    if h.is_indexed:
        h.place[top.handle] = -1
    h.n -= 1
    if h.n > 0:
        sink(h, 0, h.entries[h.n])
    return top


cdef bint holds(const Heap *h, int32_t handle) noexcept nogil:
    return handle < h.n_handles and h.place[handle] >= 0


cdef void remove(Heap *h, int32_t handle) noexcept nogil:
    cdef int at
    cdef Entry last
    if not holds(h, handle):
        return
    at = h.place[handle]
    h.place[handle] = -1
    h.n -= 1
    if at == h.n:
        return
    last = h.entries[h.n]
    if at > 0 and before(&last, &h.entries[(at - 1) >> 1]):
        rise(h, at, last)
    else:
        sink(h, at, last)
