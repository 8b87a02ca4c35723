"""The Python view of a run's state: NumPy arrays filled on demand, no allocation once they have their size."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from rtsched._core.memory cimport list_running
from rtsched._core.roles cimport add_dispatch
from rtsched._core.state cimport latency_ns, monitored_sparsity, remaining_ns, togo
from rtsched._core.types cimport Job, Running

import numpy as np

from rtsched._core.roles import ContractError


cdef class Column:
    def __cinit__(self, dtype, int width):
        self.row_shape = [width] if width else []
        self.array = np.empty([0, *self.row_shape], dtype=dtype)
        self.heads = []
        self.start = NULL

    cdef char *reserve(self, int n) except NULL:
        """Return the address of at least n rows."""
        cdef unsigned char[::1] data
        if n >= len(self.heads):
            rows = 2 * n + 16
            self.array = np.empty([rows, *self.row_shape], dtype=self.array.dtype)
            self.heads = [None] * rows
            data = self.array.reshape(-1).view(np.uint8)
            self.start = <char *>&data[0]
        return self.start

    cdef object head(self, int n):
        """Return the array of the first n rows."""
        head = self.heads[n]
        if head is None:
            head = self.heads[n] = self.array[:n]
        return head


cdef Column column_of(list columns, Field field, dtype, int width):
    column = columns[<int>field]
    if column is None:
        column = columns[<int>field] = Column(dtype, width)
    return <Column>column


cdef int64_t job_value(const State *s, const Job *job, Field field, int n_tiles) noexcept:
    if field == TASK:
        return job.task
    if field == FRAME:
        return job.frame
    if field == PRIORITY:
        return job.priority
    if field == RELEASE_NS:
        return job.release_ns
    if field == DEADLINE_NS:
        return job.deadline_ns
    if field == SLACK_NS:
        return job.deadline_ns - s.now_ns
    if field == START_NS:
        return job.start_ns
    if field == LAST_END_NS:
        return job.last_end_ns
    if field == LAYER:
        return job.layer
    if field == SUBNET:
        return job.subnet
    return togo(s, s.t.togo_mean_ns if field == TOGO_MEAN_NS else s.t.togo_min_ns, job.layer, n_tiles)


cdef int64_t running_value(const State *s, const Running *r, Field field, int n_tiles) noexcept:
    if field == LAYER:
        return r.layer
    if field == ACCELERATOR:
        return r.accelerator
    if field == N_TILES:
        return r.n_tiles
    if field == START_NS:
        return r.start_ns
    if field == REMAINING_NS:
        return remaining_ns(s, r)
    if field == TOGO_MEAN_NS or field == TOGO_MIN_NS:
        return remaining_ns(s, r) + togo(s, s.t.after_mean_ns if field == TOGO_MEAN_NS else s.t.after_min_ns, r.layer, n_tiles)
    return job_value(s, &s.jobs[r.job], field, n_tiles)


cdef double running_rate(const Running *r, Field field) noexcept:
    if field == DEMAND:
        return r.estimated_demand_bytes_per_ns
    if field == CAP:
        return r.cap_bytes_per_ns
    return r.rate * r.estimated_demand_bytes_per_ns


cdef class RunningView:
    """The layers in execution, ascending by accelerator, then lowest tile; one row each.

    Attributes
    ----------
    n : int
    task, frame, layer, accelerator, n_tiles, priority : ndarray of int64, shape (n,)
    start_ns, deadline_ns, slack_ns : ndarray of int64, shape (n,)
        `start_ns` is the layer's.
    remaining_ns : ndarray of int64, shape (n,)
        Estimated remaining time of the layer: its whole estimate less what has passed, at least 0.
    togo_mean_ns, togo_min_ns : ndarray of int64, shape (n,)
        `remaining_ns` plus the expected time of the job's later layers, mean over accelerators and on the fastest for each.
    demand_bytes_per_ns, allocation_bytes_per_ns, cap_bytes_per_ns : ndarray of float64, shape (n,)
        What it would draw alone by its estimate, the part of that which it is served, and its cap (inf: none).
    """

    def __cinit__(self):
        self.columns = [None] * N_FIELDS

    def __init__(self):
        raise TypeError("a view belongs to a run; roles are given one")

    cdef object gather(self, Field field):
        cdef Column column = column_of(self.columns, field, np.int64, 0)
        cdef int i
        cdef int n = list_running(&self.s.memory, self.s.running)
        cdef int64_t *out = <int64_t *>column.reserve(n)
        for i in range(n):
            out[i] = running_value(self.s, &self.s.memory.running[self.s.running[i]], field, self.estimate_tiles)
        return column.head(n)

    cdef object gather_rates(self, Field field):
        cdef Column column = column_of(self.columns, field, np.float64, 0)
        cdef int i
        cdef int n = list_running(&self.s.memory, self.s.running)
        cdef double *out = <double *>column.reserve(n)
        for i in range(n):
            out[i] = running_rate(&self.s.memory.running[self.s.running[i]], field)
        return column.head(n)

    @property
    def n(self):
        return self.s.memory.n_running

    @property
    def task(self):
        return self.gather(TASK)

    @property
    def frame(self):
        return self.gather(FRAME)

    @property
    def layer(self):
        return self.gather(LAYER)

    @property
    def accelerator(self):
        return self.gather(ACCELERATOR)

    @property
    def n_tiles(self):
        return self.gather(N_TILES)

    @property
    def priority(self):
        return self.gather(PRIORITY)

    @property
    def start_ns(self):
        return self.gather(START_NS)

    @property
    def deadline_ns(self):
        return self.gather(DEADLINE_NS)

    @property
    def slack_ns(self):
        return self.gather(SLACK_NS)

    @property
    def remaining_ns(self):
        return self.gather(REMAINING_NS)

    @property
    def togo_mean_ns(self):
        return self.gather(TOGO_MEAN_NS)

    @property
    def togo_min_ns(self):
        return self.gather(TOGO_MIN_NS)

    @property
    def demand_bytes_per_ns(self):
        return self.gather_rates(DEMAND)

    @property
    def allocation_bytes_per_ns(self):
        return self.gather_rates(ALLOCATION)

    @property
    def cap_bytes_per_ns(self):
        return self.gather_rates(CAP)


cdef class StateView:
    """What Python roles read: the ready jobs, the free tiles, and the layers in execution.

    The ready arrays have one row per ready job, in no particular order but the same in every run of the same input. They
    are filled when read, into buffers that are used again: valid until the role's method returns.

    Attributes
    ----------
    problem : Problem
    now_ns : int
    n_ready : int
    task, frame, priority : ndarray of int64, shape (n_ready,)
    release_ns, deadline_ns, slack_ns : ndarray of int64, shape (n_ready,)
    start_ns : ndarray of int64, shape (n_ready,)
        Of the job's first layer; -1 before it started.
    last_end_ns : ndarray of int64, shape (n_ready,)
        End of the job's last layer; its release before it started.
    layer : ndarray of int64, shape (n_ready,)
        The next layer, as an index into the problem's layers.
    subnet : ndarray of int64, shape (n_ready,)
        -1 until it is chosen; the next layer is then that of the largest.
    togo_mean_ns, togo_min_ns : ndarray of int64, shape (n_ready,)
        Expected time of the remaining layers, mean and minimum over accelerators, on the mapper's `estimate_tiles`.
    sparsity : ndarray of float64, shape (n_ready,)
        Measured in the job's last executed layer; NaN before the first one, and where none is recorded.
    latency_ns : ndarray of float64, shape (n_ready, n_accelerators)
        Estimated time of the next layer alone, on `estimate_tiles` tiles or all; inf where it cannot run.
    free_tiles : ndarray of int64, shape (n_accelerators,)
    running : RunningView
    """

    def __cinit__(self):
        self.columns = [None] * N_FIELDS

    def __init__(self):
        raise TypeError("a view belongs to a run; roles are given one")

    cdef object gather(self, Field field):
        cdef Column column = column_of(self.columns, field, np.int64, 0)
        cdef int row
        cdef int n = self.s.n_ready
        cdef int64_t *out = <int64_t *>column.reserve(n)
        for row in range(n):
            out[row] = job_value(self.s, &self.s.jobs[self.s.ready[row]], field, self.estimate_tiles)
        return column.head(n)

    @property
    def now_ns(self):
        return self.s.now_ns

    @property
    def n_ready(self):
        return self.s.n_ready

    @property
    def task(self):
        return self.gather(TASK)

    @property
    def frame(self):
        return self.gather(FRAME)

    @property
    def priority(self):
        return self.gather(PRIORITY)

    @property
    def release_ns(self):
        return self.gather(RELEASE_NS)

    @property
    def deadline_ns(self):
        return self.gather(DEADLINE_NS)

    @property
    def slack_ns(self):
        return self.gather(SLACK_NS)

    @property
    def start_ns(self):
        return self.gather(START_NS)

    @property
    def last_end_ns(self):
        return self.gather(LAST_END_NS)

    @property
    def layer(self):
        return self.gather(LAYER)

    @property
    def subnet(self):
        return self.gather(SUBNET)

    @property
    def togo_mean_ns(self):
        return self.gather(TOGO_MEAN_NS)

    @property
    def togo_min_ns(self):
        return self.gather(TOGO_MIN_NS)

    @property
    def sparsity(self):
        cdef Column column = column_of(self.columns, SPARSITY, np.float64, 0)
        cdef double *out = <double *>column.reserve(self.s.n_ready)
        cdef int row
        for row in range(self.s.n_ready):
            out[row] = monitored_sparsity(self.s, self.s.ready[row])
        return column.head(self.s.n_ready)

    @property
    def latency_ns(self):
        cdef int n_accelerators = self.s.t.n_accelerators
        cdef Column column = column_of(self.columns, LATENCY_NS, np.float64, n_accelerators)
        cdef double *out = <double *>column.reserve(self.s.n_ready)
        cdef int row, a, n_tiles
        cdef int64_t time_ns
        for row in range(self.s.n_ready):
            for a in range(n_accelerators):
                n_tiles = min(self.estimate_tiles, self.s.t.accelerator_tiles[a])
                time_ns = latency_ns(self.s, self.s.jobs[self.s.ready[row]].layer, a, n_tiles)
                out[row * n_accelerators + a] = <double>time_ns if time_ns > 0 else INFINITY
        return column.head(self.s.n_ready)

    @property
    def free_tiles(self):
        cdef Column column = column_of(self.columns, FREE_TILES, np.int64, 0)
        cdef int64_t *out = <int64_t *>column.reserve(self.s.t.n_accelerators)
        cdef int a
        for a in range(self.s.t.n_accelerators):
            out[a] = self.s.n_free[a]
        return column.head(self.s.t.n_accelerators)


cdef class Dispatches:
    """Collects what `Mapper.assign` decides; open during that call only."""

    def append(self, int row, int accelerator, int n_tiles=1, int n_layers=1):
        """Dispatch the ready job in `row` to `n_tiles` tiles of `accelerator` for `n_layers` consecutive model layers.

        Raises
        ------
        ContractError
            There is no such row, or `assign` is over.
        """
        if self.target == NULL:
            raise ContractError("dispatches are taken during a call of assign only")
        if not 0 <= row < self.s.n_ready:
            raise ContractError(f"dispatch of row {row} to accelerator {accelerator}: there are {self.s.n_ready} ready jobs")
        add_dispatch(self.target, self.s.ready[row], accelerator, n_tiles, n_layers)


cdef StateView make_view(const State *s, object owner, object problem, int estimate_tiles):
    """A view that keeps `owner`, whose memory it reads, alive."""
    cdef StateView view = StateView.__new__(StateView)
    cdef RunningView running = RunningView.__new__(RunningView)
    view.s = running.s = s
    view.owner = running.owner = owner
    view.problem = problem
    view.estimate_tiles = running.estimate_tiles = estimate_tiles
    view.running = running
    return view
