"""A binary heap of ranked handles in which any handle can be found and removed: O(log n) push, pop and removal.

What happens in every decision is inline here; the rest is in heap.pyx.
"""

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
# Room for one more entry with this handle; 0, or -1 with MemoryError set.
cdef int grow(Heap *h, int32_t handle) except -1 nogil


cdef inline bint before(const Entry *a, const Entry *b) noexcept nogil:
    if a.key != b.key:
        return a.key < b.key
    if a.second != b.second:
        return a.second < b.second
    if a.task != b.task:
        return a.task < b.task
    return a.frame < b.frame


cdef inline void put(Heap *h, int at, const Entry *entry) noexcept nogil:
    h.entries[at] = entry[0]
    if h.is_indexed:
        h.place[entry.handle] = at


cdef inline void rise(Heap *h, int at, Entry entry) noexcept nogil:
    # Put the entry at its place between `at` and the root.
    cdef int parent
    while at > 0:
        parent = (at - 1) >> 1
        if not before(&entry, &h.entries[parent]):
            break
        put(h, at, &h.entries[parent])
        at = parent
    put(h, at, &entry)


cdef inline void sink(Heap *h, int at, Entry entry) noexcept nogil:
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


cdef inline int push(Heap *h, Entry entry) except -1 nogil:
    # 0, or -1 with MemoryError set.
    if h.n == h.capacity or (h.is_indexed and entry.handle >= h.n_handles):
        grow(h, entry.handle)
    h.n += 1
    rise(h, h.n - 1, entry)
    return 0


cdef inline Entry pop(Heap *h) noexcept nogil:
    # The heap must not be empty.
    cdef Entry top = h.entries[0]
    if h.is_indexed:
        h.place[top.handle] = -1
    h.n -= 1
    if h.n > 0:
        sink(h, 0, h.entries[h.n])
    return top


cdef inline int append(Heap *h, Entry entry) except -1 nogil:
    # For a queue that is made anew each time, and of which mostly one is taken: put in no order, into a heap that is not indexed. Then
    # comes `bring_first`, if the first one is enough, or `put_in_order`. 0, or -1 with MemoryError set.
    if h.n == h.capacity:
        grow(h, entry.handle)
    h.entries[h.n] = entry
    h.n += 1
    return 0


cdef inline void bring_first(Heap *h) noexcept nogil:
    # To the root; the others stay in no order.
    cdef int i
    cdef int first = 0
    for i in range(1, h.n):
        first = i if before(&h.entries[i], &h.entries[first]) else first
    if first > 0:
        h.entries[0], h.entries[first] = h.entries[first], h.entries[0]


cdef inline void put_in_order(Heap *h) noexcept nogil:
    # As if all had been pushed.
    cdef int i
    for i in range(h.n // 2 - 1, -1, -1):
        sink(h, i, h.entries[i])


cdef inline Entry replace(Heap *h, Entry entry) noexcept nogil:
    # A pop and a push in one; the heap must not be empty, and have room for the handle if it is indexed.
    cdef Entry top = h.entries[0]
    if h.is_indexed:
        h.place[top.handle] = -1
    sink(h, 0, entry)
    return top


cdef inline bint holds(const Heap *h, int32_t handle) noexcept nogil:
    return handle < h.n_handles and h.place[handle] >= 0


cdef inline void remove(Heap *h, int32_t handle) noexcept nogil:
    # Does nothing when absent.
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
