"""Jobs on groups of tiles, for the static partition and for MoCA's scheduler."""

from libc.stdint cimport int64_t

from rtsched._core.heap cimport Heap
from rtsched._core.roles cimport DispatchList, NativeMapper
from rtsched._core.state cimport State
from rtsched._core.types cimport Job


cdef enum Queue:
    QUEUE_FCFS = 0
    QUEUE_MOCA = 1
    QUEUE_EDF = 2
    QUEUE_DREAM = 3

cdef enum:
    N_KINDS = 2  # of jobs, that a subclass may tell apart


cdef class StaticPartition(NativeMapper):
    cdef readonly int groups
    cdef readonly str queue, late
    cdef Queue order
    cdef readonly double patience
    cdef bint is_late_last
    cdef Heap waiting[2 * N_KINDS]  # the waiting jobs of each kind, then those that come last; scratch
    cdef const int[::1] size  # [accelerator]: tiles of a group
    cdef const int[::1] n_groups  # [accelerator]
    cdef const int64_t[:, ::1] time_ns  # [task, accelerator]: of the whole job; 0: cannot run there
    cdef const double[::1] alone_ns  # [task]: the smallest of these
    cdef const double[::1] first_ns  # [task]: of the first layer there
    cdef unsigned char[::1] kinds  # [task]: of its jobs; all 0, unless a subclass tells them apart
    cdef int[::1] n_free  # [accelerator]: free groups; scratch of `assign`, like the two below
    cdef int n_left  # their sum
    cdef int n_running[N_KINDS]  # jobs on tiles; known while the queue is looked at
    # What a subclass sees of a problem, in the object of one run.
    cdef int prepare(self, object problem) except -1
    # The parts of `assign`: count what is free; dispatch a job to a group; fill the groups that are left from the queue. They call
    # each other directly, so that only `is_queued` and `choose` may be overridden.
    cdef void look(self, const State *s) noexcept nogil
    cdef void count_kinds(self, const State *s, const DispatchList *dispatches) noexcept nogil
    cdef int give(self, const State *s, DispatchList *dispatches, int slot, int accelerator, int n_layers) except -1 nogil
    cdef int fill(self, const State *s, DispatchList *dispatches, int n_layers) except -1 nogil
    # Whether a ready job is in the queue, and from which of two that wait, the first of each first, the next job comes.
    cdef bint is_queued(self, const State *s, const Job *job) noexcept nogil
    cdef int choose(self, const State *s, const Heap *waiting) noexcept nogil
    cdef bint is_lost(self, const State *s, const Job *job) noexcept nogil
    cdef int64_t rank(self, const State *s, const Job *job) noexcept nogil
    cdef int fastest(self, int task, int n_accelerators) noexcept nogil
