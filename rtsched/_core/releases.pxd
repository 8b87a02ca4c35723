"""What is released when: a heap of coming releases, and the children that wait for some of their parents.

The heap holds the next frame of every periodic, Poisson and recorded task, what closed loops release, and the triggered
children of jobs that have just ended. So it grows with the tasks and with closed loops' outstanding jobs, not with the horizon.
"""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core.heap cimport Heap
from rtsched._core.types cimport NEVER_NS, Tables


cdef struct Join:
    # A frame of a child with several parents, from the first parent's end to the last one's.
    int64_t frame
    int n_reported
    bint has_failed
    int next_join  # the next frame of the same child, or the next unused one; -1 for none


cdef struct Release:
    int task
    int64_t frame
    int64_t source_ns  # release of the frame's root


cdef struct Releases:
    const Tables *t
    uint64_t seed
    Heap heap  # by (time, task, frame); handle: of a child its place in source_ns, else -1
    int64_t *source_ns
    int n_sources
    int source_capacity
    int64_t *next_frame  # [task] of a closed loop
    Join *joins
    int n_joins
    int free_join  # head of the list of unused joins; -1 for none
    int *join_head  # [task]: its waiting frames, ascending; -1 for none
    int *join_tail


# With the first release of every root.
cdef int init(Releases *r, const Tables *t, uint64_t seed) except -1
cdef void release(Releases *r) noexcept nogil
# The next release; there must be one. Schedules the following frame of a periodic, Poisson or recorded task.
cdef int pop(Releases *r, Release *next) except -1 nogil
# One more job of a closed loop.
cdef int another(Releases *r, int task, int64_t time_ns) except -1 nogil
# Whether the draws let a child's job exist, given that one of its parents' jobs does.
cdef bint exists(const Releases *r, int child, int64_t frame) noexcept nogil
# One parent's job has ended or failed: whether that releases or suppresses the child's, which exists. Each parent reports once.
cdef bint report(Releases *r, int child, int64_t frame, bint has_failed) except -1 nogil
cdef int schedule_child(Releases *r, int child, int64_t frame, int64_t now_ns, int64_t source_ns) except -1 nogil


cdef inline int64_t next_ns(const Releases *r) noexcept nogil:
    # The time of the next release; NEVER_NS for none.
    return r.heap.entries[0].key if r.heap.n > 0 else NEVER_NS
