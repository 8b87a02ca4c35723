"""Arrival laws and cascades."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from rtsched._core cimport draws, heap
from rtsched._core.heap cimport Entry
from rtsched._core.types cimport ARRIVAL_CHILD, ARRIVAL_CLOSED, ARRIVAL_PERIODIC, ARRIVAL_POISSON, Tables


cdef int init(Releases *r, const Tables *t, uint64_t seed) except -1:
    cdef int task, _i
    memset(r, 0, sizeof(Releases))
    heap.init(&r.heap, False)
    r.t, r.seed, r.free_join = t, seed, -1
    r.next_frame = <int64_t *>calloc(t.n_tasks, sizeof(int64_t))
    r.join_head = <int *>malloc(t.n_tasks * sizeof(int))
    r.join_tail = <int *>malloc(t.n_tasks * sizeof(int))
    if r.next_frame == NULL or r.join_head == NULL or r.join_tail == NULL:
        raise MemoryError(f"no memory for {t.n_tasks} tasks")
    for task in range(t.n_tasks):
        r.join_head[task] = r.join_tail[task] = -1
        if t.task_arrival[task] == ARRIVAL_CLOSED:
            for _i in range(t.task_outstanding[task]):
                another(r, task, 0)
        elif t.task_arrival[task] != ARRIVAL_CHILD:
            schedule_root(r, task, 0, 0)
    return 0


cdef void release(Releases *r) noexcept nogil:
    heap.release(&r.heap)
    free(r.source_ns)
    free(r.next_frame)
    free(r.joins)
    free(r.join_head)
    free(r.join_tail)
    memset(r, 0, sizeof(Releases))


cdef int no_memory(int n) except -1 nogil:
    with gil:
        raise MemoryError(f"no memory for {n} jobs that wait for their parents")


cdef int push(Releases *r, int task, int64_t frame, int64_t time_ns) except -1 nogil:
    # Roots are released before the end of the duration only.
    if time_ns < r.t.duration_ns:
        heap.push(&r.heap, Entry(time_ns, 0, frame, task, -1))
    return 0


cdef int schedule_root(Releases *r, int task, int64_t frame, int64_t previous_ns) except -1 nogil:
    cdef int place
    if r.t.task_arrival[task] == ARRIVAL_PERIODIC:
        return push(r, task, frame, draws.periodic_release_ns(r.t, r.seed, task, frame))
    if r.t.task_arrival[task] == ARRIVAL_POISSON:
        return push(r, task, frame, previous_ns + draws.poisson_gap_ns(r.t, r.seed, task, frame))
    if frame < r.t.trace_first[task + 1] - r.t.trace_first[task]:
        place = r.t.trace_first[task] + <int>frame
        return push(r, task, frame, r.t.trace_ns[place])
    return 0


cdef int another(Releases *r, int task, int64_t time_ns) except -1 nogil:
    cdef int64_t frame = r.next_frame[task]
    r.next_frame[task] += 1
    return push(r, task, frame, time_ns)


cdef int pop(Releases *r, Release *next) except -1 nogil:
    cdef Entry entry = heap.pop(&r.heap)
    next.task, next.frame, next.source_ns = entry.task, entry.frame, entry.key
    if entry.handle >= 0:
        next.source_ns = r.source_ns[entry.handle]
        # Children are scheduled and released in one instant, first the ones and then the others.
        r.n_sources = 0
    elif r.t.task_arrival[entry.task] != ARRIVAL_CLOSED:
        schedule_root(r, entry.task, entry.frame + 1, entry.key)
    return 0


cdef bint exists(const Releases *r, int child, int64_t frame) noexcept nogil:
    cdef int i
    if not draws.is_triggered(r.t, r.seed, child, frame):
        return False
    if r.t.parent_first[child + 1] - r.t.parent_first[child] > 1:
        for i in range(r.t.ancestor_first[child], r.t.ancestor_first[child + 1]):
            if not draws.is_triggered(r.t, r.seed, r.t.ancestor_task[i], frame):
                return False
    return True


cdef int schedule_child(Releases *r, int child, int64_t frame, int64_t now_ns, int64_t source_ns) except -1 nogil:
    cdef int n = 2 * r.source_capacity + 16
    cdef void *grown
    if r.n_sources == r.source_capacity:
        grown = realloc(r.source_ns, n * sizeof(int64_t))
        if grown == NULL:
            return no_memory(n)
        r.source_ns = <int64_t *>grown
        r.source_capacity = n
    r.source_ns[r.n_sources] = source_ns
    heap.push(&r.heap, Entry(now_ns, 0, frame, child, r.n_sources))
    r.n_sources += 1
    return 0


cdef int new_join(Releases *r) except -1 nogil:
    cdef int i
    cdef int n = 2 * r.n_joins + 16
    cdef void *grown
    if r.free_join < 0:
        grown = realloc(r.joins, n * sizeof(Join))
        if grown == NULL:
            return no_memory(n)
        r.joins = <Join *>grown
        for i in range(n - 1, r.n_joins - 1, -1):
            r.joins[i].next_join = r.free_join
            r.free_join = i
        r.n_joins = n
    i = r.free_join
    r.free_join = r.joins[i].next_join
    return i


cdef int join_of(Releases *r, int child, int64_t frame, int *before) except -1 nogil:
    # The frame's join, made when there is none, and the one before it (-1: none). Parents mostly end in the order of frames,
    # so what is there is near the head, and what is new goes behind the tail.
    cdef int join, new
    cdef int tail = r.join_tail[child]
    before[0] = -1
    join = r.join_head[child]
    if tail >= 0 and r.joins[tail].frame < frame:
        before[0], join = tail, -1
    while join >= 0 and r.joins[join].frame < frame:
        before[0], join = join, r.joins[join].next_join
    if join >= 0 and r.joins[join].frame == frame:
        return join
    new = new_join(r)
    r.joins[new] = Join(frame, 0, False, join)
    if before[0] < 0:
        r.join_head[child] = new
    else:
        r.joins[before[0]].next_join = new
    if join < 0:
        r.join_tail[child] = new
    return new


cdef void end_join(Releases *r, int child, int join, int before) noexcept nogil:
    cdef int after = r.joins[join].next_join
    if before < 0:
        r.join_head[child] = after
    else:
        r.joins[before].next_join = after
    if after < 0:
        r.join_tail[child] = before
    r.joins[join].next_join = r.free_join
    r.free_join = join


cdef bint report(Releases *r, int child, int64_t frame, bint has_failed) except -1 nogil:
    cdef int n_parents = r.t.parent_first[child + 1] - r.t.parent_first[child]
    cdef int join, before
    cdef bint is_last, had_failed
    if n_parents == 1:
        return True
    join = join_of(r, child, frame, &before)
    had_failed = r.joins[join].has_failed
    r.joins[join].has_failed = had_failed or has_failed
    r.joins[join].n_reported += 1
    is_last = r.joins[join].n_reported == n_parents
    if is_last:
        end_join(r, child, join, before)
    return not had_failed and (has_failed or is_last)
