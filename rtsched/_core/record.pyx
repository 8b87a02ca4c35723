"""Growing arrays of records, and the sums of a run and of a tuning window."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from rtsched._core.types cimport N_ENERGY, STATUS_MET, JobRecord, LayerRecord, LayerRow

import numpy as np


cdef int init(Record *r, const State *s, bint keeps_layers) except -1 nogil:
    cdef int n = s.t.n_tasks
    memset(r, 0, sizeof(Record))
    r.keeps_layers = keeps_layers
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
    free(r.jobs)
    free(r.layers)
    free(r.task_energy_j)
    free(r.busy_ns)
    free(r.task_switches)
    free(r.task_migrations)
    free(r.window.n_ended)
    free(r.window.n_violated)
    free(r.window.energy_j)
    free(r.window.worst_energy_j)
    memset(r, 0, sizeof(Record))


cdef void *grown(void *memory, int64_t *capacity, size_t item_bytes) except NULL nogil:
    cdef int64_t n = 2 * capacity[0] + 256
    memory = realloc(memory, n * item_bytes)
    if memory == NULL:
        with gil:
            raise MemoryError(f"no memory for {n} records")
    capacity[0] = n
    return memory


cdef int add_job(Record *r, const Job *job, int status, int64_t finish_ns) except -1 nogil:
    cdef JobRecord *row
    if r.n_jobs == r.job_capacity:
        r.jobs = <JobRecord *>grown(r.jobs, &r.job_capacity, sizeof(JobRecord))
    row = &r.jobs[r.n_jobs]
    r.n_jobs += 1
    row.release_ns, row.start_ns, row.finish_ns, row.deadline_ns = job.release_ns, job.start_ns, finish_ns, job.deadline_ns
    row.frame, row.isolated_ns, row.energy_j, row.worst_energy_j = job.frame, job.isolated_ns, job.energy_j, job.worst_energy_j
    row.uid, row.task, row.preemptions, row.subnet = job.uid, job.task, job.preemptions, job.subnet
    row.priority, row.status = job.priority, status
    # Jobs that the end of the run cuts come after the last window, so they need no exception.
    r.window.n_ended[job.task] += 1
    r.window.n_violated[job.task] += status != STATUS_MET
    r.window.energy_j[job.task] += job.energy_j
    r.window.worst_energy_j[job.task] += job.worst_energy_j
    return 0


cdef int add_layer(Record *r, const Job *job, const Running *layer, int64_t finish_ns) except -1 nogil:
    cdef LayerRecord *row
    if r.n_layer_records == r.layer_capacity:
        r.layers = <LayerRecord *>grown(r.layers, &r.layer_capacity, sizeof(LayerRecord))
    row = &r.layers[r.n_layer_records]
    r.n_layer_records += 1
    row.start_ns, row.finish_ns, row.tiles, row.switch_bytes = layer.start_ns, finish_ns, layer.tiles, layer.switch_bytes
    row.uid, row.layer, row.accelerator = job.uid, layer.layer, layer.accelerator
    return 0


cdef void clear_window(Record *r, int64_t start_ns) noexcept nogil:
    cdef int n = r.window.n_tasks
    r.window.start_ns = start_ns
    memset(r.window.n_ended, 0, n * sizeof(int64_t))
    memset(r.window.n_violated, 0, n * sizeof(int64_t))
    memset(r.window.energy_j, 0, n * sizeof(double))
    memset(r.window.worst_energy_j, 0, n * sizeof(double))


cdef object copied(const void *data, int64_t n_bytes):
    cdef unsigned char[::1] target
    answer = np.empty(n_bytes, dtype=np.uint8)
    if n_bytes:
        target = answer
        memcpy(&target[0], data, n_bytes)
    return answer


cdef dict results(const Record *r, const State *s):
    cdef int i
    return {
        "jobs": copied(r.jobs, r.n_jobs * sizeof(JobRecord)),
        "task_energy_j": np.array([r.task_energy_j[i] for i in range(s.t.n_tasks * N_ENERGY)]),
        "busy_ns": np.array([r.busy_ns[i] for i in range(s.t.n_places)], dtype=np.int64),
        "served_bytes": r.served_bytes + r.partial_bytes,
        "n_layers": r.n_layers,
        "task_switches": np.array([r.task_switches[i] for i in range(s.t.n_tasks)], dtype=np.int64),
        "task_migrations": np.array([r.task_migrations[i] for i in range(s.t.n_tasks)], dtype=np.int64),
        "n_events": r.n_events,
    }


cdef object layers_by_job(const Record *r, const int64_t[::1] row):
    cdef int64_t[::1] first = np.zeros(len(row) + 1, dtype=np.int64)  # place of each job's next layer
    cdef const LayerRecord *source
    cdef LayerRow *target
    cdef int64_t i, job
    if len(row) != r.n_jobs or (r.n_jobs > 0 and not 0 <= np.min(row) <= np.max(row) < r.n_jobs):
        raise ValueError(f"row must hold a row of the {r.n_jobs} jobs for each of their uids")
    table = np.empty(r.n_layer_records * sizeof(LayerRow), dtype=np.uint8)
    cdef unsigned char[::1] memory = table
    if r.n_layer_records == 0:
        return table
    target = <LayerRow *>&memory[0]
    with nogil:
        for i in range(r.n_layer_records):
            first[row[r.layers[i].uid] + 1] += 1
        for i in range(1, len(row)):
            first[i] += first[i - 1]
        for i in range(r.n_layer_records):
            source = &r.layers[i]
            job = row[source.uid]
            target[first[job]] = LayerRow(
                job, source.layer, source.accelerator, source.tiles, source.start_ns, source.finish_ns, source.switch_bytes
            )
            first[job] += 1
    return table
