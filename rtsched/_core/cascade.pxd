"""What a job's end means to its children: a release, or a record that they never run."""

from libc.stdint cimport int64_t

from rtsched._core.record cimport Record
from rtsched._core.releases cimport Releases
from rtsched._core.state cimport State


# Both do something only where this job was the last of its child's parents to end.
cdef int release_children(Releases *r, const State *s, int task, int64_t frame, int64_t source_ns) except -1 nogil
cdef int suppress_children(
    Releases *r, State *s, Record *rec, int task, int64_t frame, int64_t deadline_ns, int64_t finish_ns
) except -1 nogil
