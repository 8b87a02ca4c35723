"""What a run leaves behind: one record per ended job, one per executed layer on demand, and sums."""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core.roles cimport WindowSums
from rtsched._core.rows cimport Rows, append
from rtsched._core.state cimport State
from rtsched._core.types cimport Job, LayerRow, Running, lowest_bit


cdef struct Record:
    Rows jobs  # JobRecords by uid, each with what is beyond 48 bits in its times where some may have more
    int64_t n_jobs
    Rows layers  # LayerRows in the order in which they ended
    bint keeps_layers
    double *task_energy_j  # [task * N_ENERGY + component]
    int64_t *busy_ns  # [place]
    int64_t served_bytes  # of completed layers
    double partial_bytes  # of layers that the end of the run cut
    int64_t n_layers  # completed
    int64_t *task_switches  # [task]; layers that moved activations
    int64_t *task_migrations  # [task]; layers on another accelerator than the job's layer before
    int64_t n_events
    WindowSums window


cdef int init(Record *r, const State *s, bint keeps_layers) except -1 nogil
cdef void release(Record *r) noexcept nogil
cdef int add_job(Record *r, const Job *job, int status, int64_t finish_ns) except -1 nogil
# Hand over the ended jobs by (task, frame): their bytes, to be seen as rtsched.outcome.JOB_DTYPE, and which row each uid has. Once.
cdef tuple take_jobs(Record *r, const State *s)
cdef void clear_window(Record *r, int64_t start_ns) noexcept nogil
# Hand over the executed layers by (job, start): their bytes, to be seen as rtsched.outcome.LAYER_DTYPE. `row`: from `take_jobs`. Layers
# are recorded when they end, so those of a job stand in order. Once.
cdef object take_layers(Record *r, const int64_t[::1] row)
# Everything but these, as arrays and numbers by name.
cdef dict results(const Record *r, const State *s)


cdef inline int add_layer(Record *r, const Job *job, const Running *layer, int64_t finish_ns) except -1 nogil:
    cdef LayerRow *row = <LayerRow *>append(&r.layers)
    row.job, row.layer, row.accelerator, row.tiles = job.uid, layer.layer, layer.accelerator, layer.tiles
    row.start_ns, row.finish_ns, row.switch_bytes = layer.start_ns, finish_ns, layer.switch_bytes
    return 0


cdef inline void add_busy(Record *r, const State *s, const Running *layer, int64_t until_ns) noexcept nogil:
    cdef int first = s.t.option_first[layer.accelerator]
    cdef uint64_t tiles = layer.tiles
    while tiles:
        r.busy_ns[first + lowest_bit(tiles)] += until_ns - layer.start_ns
        tiles &= tiles - 1
