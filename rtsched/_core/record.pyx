"""Records of jobs and layers, and the sums of a run and of a tuning window."""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from rtsched._core cimport rows
from rtsched._core.rows cimport add_block, free_block, row_at, rows_filled
from rtsched._core.types cimport (
    AT_DEADLINE,
    AT_FINISH,
    AT_RELEASE,
    AT_START,
    N_ENERGY,
    N_TIMES,
    STATUS_MET,
    JobRecord,
    JobRow,
    LayerRow,
)

import numpy as np


cdef enum:
    TIME_BITS = 48


cdef int64_t latest_ns(const State *s) noexcept nogil:
    # No time in a record is later. Both terms are below 2^62.
    cdef int64_t deadline_ns = 0
    cdef int task
    for task in range(s.t.n_tasks):
        deadline_ns = max(deadline_ns, s.t.task_deadline_ns[task])
    return s.t.end_ns + deadline_ns


cdef int init(Record *r, const State *s, bint keeps_layers) except -1 nogil:
    cdef int n = s.t.n_tasks
    memset(r, 0, sizeof(Record))
    r.keeps_layers = keeps_layers
    rows.init(&r.jobs, sizeof(JobRecord) + (N_TIMES * sizeof(uint16_t) if latest_ns(s) >> (TIME_BITS - 1) else 0))
    rows.init(&r.layers, sizeof(LayerRow))
    r.task_energy_j = <double *>calloc(n * N_ENERGY, sizeof(double))
    r.busy_ns = <int64_t *>calloc(s.t.n_places, sizeof(int64_t))
    r.task_switches = <int64_t *>calloc(n, sizeof(int64_t))
    r.task_migrations = <int64_t *>calloc(n, sizeof(int64_t))
    r.window.n_tasks = n
    r.window.n_ended = <int64_t *>calloc(n, sizeof(int64_t))
    r.window.n_violated = <int64_t *>calloc(n, sizeof(int64_t))
    r.window.energy_j = <double *>calloc(n, sizeof(double))
    r.window.worst_energy_j = <double *>calloc(n, sizeof(double))
    if (
        r.task_energy_j == NULL or r.busy_ns == NULL or r.task_switches == NULL or r.task_migrations == NULL
        or r.window.n_ended == NULL or r.window.n_violated == NULL or r.window.energy_j == NULL or r.window.worst_energy_j == NULL
    ):
        with gil:
            raise MemoryError(f"no memory for the sums of {n} tasks")
    return 0


cdef void release(Record *r) noexcept nogil:
    rows.release(&r.jobs)
    rows.release(&r.layers)
    free(r.task_energy_j)
    free(r.busy_ns)
    free(r.task_switches)
    free(r.task_migrations)
    free(r.window.n_ended)
    free(r.window.n_violated)
    free(r.window.energy_j)
    free(r.window.worst_energy_j)
    memset(r, 0, sizeof(Record))


cdef inline void put_time(const Record *r, JobRecord *row, int which, int64_t time_ns) noexcept nogil:
    cdef uint64_t bits = <uint64_t>time_ns
    row.low[which], row.middle[which] = <uint32_t>bits, <uint16_t>(bits >> 32)
    if r.jobs.row_bytes > <int>sizeof(JobRecord):
        (<uint16_t *>(row + 1))[which] = <uint16_t>(bits >> TIME_BITS)


cdef inline int64_t time_of(const Record *r, const JobRecord *row, int which) noexcept nogil:
    cdef uint64_t bits = row.low[which] | <uint64_t>row.middle[which] << 32
    if r.jobs.row_bytes > <int>sizeof(JobRecord):
        return <int64_t>(bits | <uint64_t>(<const uint16_t *>(row + 1))[which] << TIME_BITS)
    return <int64_t>(bits << (64 - TIME_BITS)) >> (64 - TIME_BITS)  # with its sign


cdef int add_job(Record *r, const Job *job, int status, int64_t finish_ns) except -1 nogil:
    cdef int block
    cdef JobRecord *row = <JobRecord *>row_at(&r.jobs, job.uid, &block)
    while row == NULL:
        add_block(&r.jobs)
        row = <JobRecord *>row_at(&r.jobs, job.uid, &block)
    r.n_jobs += 1
    put_time(r, row, AT_RELEASE, job.release_ns)
    put_time(r, row, AT_START, job.start_ns)
    put_time(r, row, AT_FINISH, finish_ns)
    put_time(r, row, AT_DEADLINE, job.deadline_ns)
    row.isolated_ns, row.energy_j, row.worst_energy_j = job.isolated_ns, job.energy_j, job.worst_energy_j
    row.frame, row.task, row.preemptions, row.subnet = <int32_t>job.frame, job.task, job.preemptions, job.subnet
    row.priority, row.status = job.priority, status
    # Jobs that the end of the run cuts come after the last window, so they need no exception.
    r.window.n_ended[job.task] += 1
    r.window.n_violated[job.task] += status != STATUS_MET
    r.window.energy_j[job.task] += job.energy_j
    r.window.worst_energy_j[job.task] += job.worst_energy_j
    return 0


cdef void clear_window(Record *r, int64_t start_ns) noexcept nogil:
    cdef int n = r.window.n_tasks
    r.window.start_ns = start_ns
    memset(r.window.n_ended, 0, n * sizeof(int64_t))
    memset(r.window.n_violated, 0, n * sizeof(int64_t))
    memset(r.window.energy_j, 0, n * sizeof(double))
    memset(r.window.worst_energy_j, 0, n * sizeof(double))


cdef dict results(const Record *r, const State *s):
    cdef int i
    return {
        "task_energy_j": np.array([r.task_energy_j[i] for i in range(s.t.n_tasks * N_ENERGY)]),
        "busy_ns": np.array([r.busy_ns[i] for i in range(s.t.n_places)], dtype=np.int64),
        "served_bytes": r.served_bytes + r.partial_bytes,
        "n_layers": r.n_layers,
        "task_switches": np.array([r.task_switches[i] for i in range(s.t.n_tasks)], dtype=np.int64),
        "task_migrations": np.array([r.task_migrations[i] for i in range(s.t.n_tasks)], dtype=np.int64),
        "n_events": r.n_events,
    }


cdef tuple take_jobs(Record *r, const State *s):
    # Block by block, so that at no time all of them are there twice.
    cdef int64_t i
    cdef int64_t n = r.n_jobs
    cdef int block
    cdef int at = 0
    cdef const JobRecord *job
    cdef JobRow *table
    cdef const int64_t[::1] row
    cdef unsigned char[::1] memory
    if n != s.next_uid:
        raise ValueError(f"{n} of {s.next_uid} jobs have a record")
    row_array = rows_by_frame(r)
    answer = np.empty(n * sizeof(JobRow), dtype=np.uint8)
    if n == 0:
        return answer, row_array
    row, memory = row_array, answer
    table = <JobRow *>&memory[0]
    with nogil:
        for i in range(n):
            job = <const JobRecord *>row_at(&r.jobs, i, &block)
            if block > at:
                free_block(&r.jobs, at)
                at = block
            table[row[i]] = JobRow(
                row[i], job.task, job.frame, s.t.task_model[job.task], job.subnet, job.priority,
                time_of(r, job, AT_RELEASE), time_of(r, job, AT_START), time_of(r, job, AT_FINISH), time_of(r, job, AT_DEADLINE),
                job.status, job.energy_j, job.preemptions, job.worst_energy_j, job.isolated_ns,
            )
    r.n_jobs = -1  # they are gone
    return answer, row_array


cdef object rows_by_frame(const Record *r):
    # [uid]: the row by (task, frame).
    cdef int64_t i
    cdef int block
    cdef const JobRecord *job
    task_array, frame_array = np.empty(r.n_jobs, dtype=np.int32), np.empty(r.n_jobs, dtype=np.int32)
    cdef int32_t[::1] task = task_array
    cdef int32_t[::1] frame = frame_array
    for i in range(r.n_jobs):
        job = <const JobRecord *>row_at(&r.jobs, i, &block)
        task[i], frame[i] = job.task, job.frame
    row = np.empty(r.n_jobs, dtype=np.int64)
    row[np.lexsort((frame_array, task_array))] = np.arange(r.n_jobs)
    return row


cdef object take_layers(Record *r, const int64_t[::1] row):
    cdef int64_t[::1] first = np.zeros(len(row) + 1, dtype=np.int64)  # place of each job's next layer
    cdef const LayerRow *source
    cdef LayerRow *target
    cdef int64_t i, job
    cdef int block
    table = np.empty(r.layers.n * sizeof(LayerRow), dtype=np.uint8)
    cdef unsigned char[::1] memory = table
    if r.layers.n == 0:
        return table
    target = <LayerRow *>&memory[0]
    with nogil:
        for block in range(r.layers.n_blocks):
            source = <const LayerRow *>r.layers.blocks[block]
            for i in range(rows_filled(&r.layers, block)):
                first[row[source[i].job] + 1] += 1
        for i in range(1, len(row)):
            first[i] += first[i - 1]
        for block in range(r.layers.n_blocks):
            source = <const LayerRow *>r.layers.blocks[block]
            for i in range(rows_filled(&r.layers, block)):
                job = row[source[i].job]
                target[first[job]] = source[i]
                target[first[job]].job = job
                first[job] += 1
            free_block(&r.layers, block)
    rows.release(&r.layers)
    return table
