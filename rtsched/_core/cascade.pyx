"""Children that are released or suppressed when a job ends."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from rtsched._core cimport draws, record, releases
from rtsched._core.types cimport STATUS_SUPPRESSED, Job


cdef int release_children(Releases *r, const State *s, int task, int64_t frame, int64_t source_ns) except -1 nogil:
    cdef int i, child
    for i in range(s.t.child_first[task], s.t.child_first[task + 1]):
        child = s.t.child_task[i]
        if releases.exists(r, child, frame) and releases.report(r, child, frame, False):
            releases.schedule_child(r, child, frame, s.now_ns, source_ns)
    return 0


cdef int suppress_children(
    Releases *r, State *s, Record *rec, int task, int64_t frame, int64_t deadline_ns, int64_t finish_ns
) except -1 nogil:
    cdef int i, child
    for i in range(s.t.child_first[task], s.t.child_first[task + 1]):
        child = s.t.child_task[i]
        if releases.exists(r, child, frame) and releases.report(r, child, frame, True):
            suppress(r, s, rec, child, frame, deadline_ns, finish_ns)
    return 0


cdef int suppress(Releases *r, State *s, Record *rec, int task, int64_t frame, int64_t deadline_ns, int64_t finish_ns) except -1 nogil:
    # A child that exists but will never run, and its own children.
    cdef Job job
    memset(&job, 0, sizeof(Job))
    job.task, job.frame, job.deadline_ns = task, frame, deadline_ns
    job.release_ns = job.start_ns = job.subnet = -1
    job.priority = draws.priority_of(&s.t, s.seed, task, frame)
    job.uid = s.next_uid
    s.next_uid += 1
    record.add_job(rec, &job, STATUS_SUPPRESSED, finish_ns)
    return suppress_children(r, s, rec, task, frame, deadline_ns, finish_ns)
