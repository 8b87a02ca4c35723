"""Jobs in flight in reused slots, the dense ready set, free tiles."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from rtsched._core cimport heap, memory
from rtsched._core.types cimport CostRow, Job, Tables

import numpy as np

from rtsched._core.kept import kept_for


cdef class TableOwner:
    """A problem's arrays as the C struct that the engine reads."""

    def __cinit__(self, problem):
        cdef Tables *t = &self.tables
        self.arrays = []
        n_tasks, n_layers, n_accelerators = problem.n_tasks, problem.n_layers, problem.n_accelerators
        n_blocks, n_subnets = len(problem.block_skip), len(problem.subnet_accuracy)
        t.n_tasks, t.n_layers, t.n_accelerators = n_tasks, n_layers, n_accelerators
        t.n_options = t.n_places = int(problem.option_first[n_accelerators])
        t.max_tiles = int(problem.accelerator_tiles.max())
        t.duration_ns, t.end_ns = problem.duration_ns, problem.end_ns
        int32, int64, double = np.int32, np.int64, np.float64
        t.task_model = <const int32_t *>self.pointer(problem, "task_model", int32, (n_tasks,))
        t.task_arrival = <const int32_t *>self.pointer(problem, "task_arrival", int32, (n_tasks,))
        t.task_rate_hz = <const double *>self.pointer(problem, "task_rate_hz", double, (n_tasks,))
        t.task_offset_ns = <const int64_t *>self.pointer(problem, "task_offset_ns", int64, (n_tasks,))
        t.task_jitter_ns = <const int64_t *>self.pointer(problem, "task_jitter_ns", int64, (n_tasks,))
        t.task_outstanding = <const int32_t *>self.pointer(problem, "task_outstanding", int32, (n_tasks,))
        t.task_period_ns = <const int64_t *>self.pointer(problem, "task_period_ns", int64, (n_tasks,))
        t.task_deadline_ns = <const int64_t *>self.pointer(problem, "task_deadline_ns", int64, (n_tasks,))
        t.task_from_source = <const int8_t *>self.pointer(problem, "task_from_source", np.bool_, (n_tasks,))
        t.task_in_order = <const int8_t *>self.pointer(problem, "task_in_order", np.bool_, (n_tasks,))
        t.task_max_backlog = <const int32_t *>self.pointer(problem, "task_max_backlog", int32, (n_tasks,))
        t.task_trigger = <const double *>self.pointer(problem, "task_trigger", double, (n_tasks,))
        t.parent_first = self.firsts(problem, "parent_first")
        t.child_first = self.firsts(problem, "child_first")
        t.child_task = <const int32_t *>self.members(problem, "child_first", "child_task", int32)
        t.ancestor_first = self.firsts(problem, "ancestor_first")
        t.ancestor_task = <const int32_t *>self.members(problem, "ancestor_first", "ancestor_task", int32)
        t.trace_first = self.firsts(problem, "trace_first")
        t.trace_ns = <const int64_t *>self.members(problem, "trace_first", "trace_ns", int64)
        t.priority_first = self.firsts(problem, "priority_first")
        t.priority_value = <const int32_t *>self.members(problem, "priority_first", "priority_value", int32)
        t.priority_upto = <const double *>self.members(problem, "priority_first", "priority_upto", double)
        t.factor_sigma = <const double *>self.pointer(problem, "factor_sigma", double, (n_tasks,))
        t.factor_first = self.firsts(problem, "factor_first")
        t.factor_value = <const double *>self.members(problem, "factor_first", "factor_value", double)
        t.has_factors = bool(problem.factor_sigma.any() or len(problem.factor_value))
        n_recorded = len(problem.recorded_ns)
        t.recorded_first = self.firsts(problem, "recorded_first")
        t.recorded_place = <const int32_t *>self.members(problem, "recorded_first", "recorded_place", int32)
        t.recorded_ns = <const int64_t *>self.pointer(problem, "recorded_ns", int64, (n_recorded,))
        t.recorded_sparsity = <const double *>self.pointer(problem, "recorded_sparsity", double, (n_recorded,))
        t.has_recorded, t.is_strict = n_recorded > 0, problem.is_strict
        t.layer_sparsity = <const double *>self.pointer(problem, "layer_sparsity", double, (n_layers,))
        n_models = len(problem.model_names)
        t.model_first_subnet = <const int32_t *>self.pointer(problem, "model_first_subnet", int32, (n_models + 1,))
        t.subnet_first_block = <const int32_t *>self.pointer(problem, "subnet_first_block", int32, (n_subnets + 1,))
        t.block_first_layer = <const int32_t *>self.pointer(problem, "block_first_layer", int32, (n_blocks + 1,))
        t.block_draw = <const int32_t *>self.pointer(problem, "block_draw", int32, (n_blocks,))
        t.block_skip = <const double *>self.pointer(problem, "block_skip", double, (n_blocks,))
        t.block_exit = <const double *>self.pointer(problem, "block_exit", double, (n_blocks,))
        t.layer_block = <const int32_t *>self.pointer(problem, "layer_block", int32, (n_layers,))
        if problem.costs.dtype.itemsize != sizeof(CostRow):
            raise ValueError(f"a cost row has {sizeof(CostRow)} bytes, got {problem.costs.dtype.itemsize}")
        t.costs = <const CostRow *>self.pointer(problem, "costs", problem.costs.dtype, (n_layers, t.n_options))
        t.t_iso_ns = <const int64_t *>self.address(np.ascontiguousarray(problem.costs["t_iso_ns"]))
        t.layer_worst_energy_j = <const double *>self.pointer(problem, "layer_worst_energy_j", double, (n_layers,))
        t.layer_reference_ns = <const int64_t *>self.pointer(problem, "layer_reference_ns", int64, (n_layers,))
        t.togo_mean_ns = <const int64_t *>self.pointer(problem, "togo_mean_ns", int64, (n_layers, t.max_tiles))
        t.togo_min_ns = <const int64_t *>self.pointer(problem, "togo_min_ns", int64, (n_layers, t.max_tiles))
        t.after_mean_ns = <const int64_t *>self.pointer(problem, "after_mean_ns", int64, (n_layers, t.max_tiles))
        t.after_min_ns = <const int64_t *>self.pointer(problem, "after_min_ns", int64, (n_layers, t.max_tiles))
        t.accelerator_tiles = <const int32_t *>self.pointer(problem, "accelerator_tiles", int32, (n_accelerators,))
        t.option_first = <const int32_t *>self.pointer(problem, "option_first", int32, (n_accelerators + 1,))
        t.port_bytes_per_ns = <const double *>self.pointer(problem, "port_bytes_per_ns", double, (n_accelerators,))
        t.peak_bytes_per_ns, t.l2_bytes_per_ns = problem.peak_bytes_per_ns, problem.l2_bytes_per_ns
        t.n_efficiency = len(problem.efficiency)
        t.efficiency = <const double *>self.pointer(problem, "efficiency", double, (t.n_efficiency,))
        t.is_fair, t.has_switch = problem.is_fair, problem.has_switch
        t.regroup_ns, t.dram_j_per_byte = problem.regroup_ns, problem.dram_j_per_byte

    cdef const int32_t *firsts(self, object problem, str name) except NULL:
        """Where each task's members begin."""
        return <const int32_t *>self.pointer(problem, name, np.int32, (self.tables.n_tasks + 1,))

    cdef const void *members(self, object problem, str firsts, str name, object dtype) except NULL:
        """The members of all tasks."""
        return self.pointer(problem, name, dtype, (int(getattr(problem, firsts)[self.tables.n_tasks]),))

    cdef const void *pointer(self, object problem, str name, object dtype, object shape) except NULL:
        """The address of an attribute's data, after a check of its type and shape."""
        array = getattr(problem, name)
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{name} must be a contiguous array of {dtype} and shape {shape}, got {array.dtype} and {array.shape}")
        return self.address(array)

    cdef const void *address(self, object array) except NULL:
        """The address of an array's data, which lives as long as this object."""
        cdef const unsigned char[::1] data
        if array.size == 0:
            array = np.zeros(1, array.dtype)  # an address that is never read
        data = array.reshape(-1).view(np.uint8)
        self.arrays.append(array)
        return &data[0]


cdef TableOwner tables_of(object problem):
    return kept_for(problem, TableOwner)


cdef int init(State *s, const Tables *t, uint64_t seed) except -1 nogil:
    cdef int i, a, n_tiles
    memset(s, 0, sizeof(State))
    s.t = t[0]
    s.seed = seed
    s.free_slot = -1
    heap.init(&s.ranked, True)
    s.n_idle_words = (t.n_accelerators + 63) >> 6
    s.queue_head = <int *>calloc(t.n_tasks, sizeof(int))
    s.queue_tail = <int *>calloc(t.n_tasks, sizeof(int))
    s.n_unstarted = <int *>calloc(t.n_tasks, sizeof(int))
    s.free_tiles = <uint64_t *>calloc(t.n_accelerators, sizeof(uint64_t))
    s.n_free = <int *>calloc(t.n_accelerators, sizeof(int))
    s.idle = <uint64_t *>calloc(s.n_idle_words, sizeof(uint64_t))
    s.running = <int *>calloc(t.n_places, sizeof(int))
    s.tile_job = <int *>calloc(t.n_places, sizeof(int))
    s.tile_uid = <int32_t *>calloc(t.n_places, sizeof(int32_t))
    memory.init(&s.memory, &s.t)
    if (
        s.queue_head == NULL or s.queue_tail == NULL or s.n_unstarted == NULL or s.free_tiles == NULL or s.n_free == NULL
        or s.idle == NULL or s.running == NULL or s.tile_job == NULL or s.tile_uid == NULL
    ):
        with gil:
            raise MemoryError(f"no memory for {t.n_tasks} tasks and {t.n_places} tiles")
    for i in range(t.n_tasks):
        s.queue_head[i] = s.queue_tail[i] = -1
    for i in range(t.n_places):
        s.tile_job[i] = -1
    for a in range(t.n_accelerators):
        n_tiles = t.accelerator_tiles[a]
        give_tiles(s, a, ~<uint64_t>0 >> (64 - n_tiles), n_tiles)
    return 0


cdef void release(State *s) noexcept nogil:
    free(s.jobs)
    free(s.ready)
    free(s.new_rows)
    free(s.queue_head)
    free(s.queue_tail)
    free(s.n_unstarted)
    free(s.free_tiles)
    free(s.n_free)
    free(s.idle)
    free(s.running)
    free(s.tile_job)
    free(s.tile_uid)
    heap.release(&s.ranked)
    memory.release(&s.memory)
    memset(s, 0, sizeof(State))


cdef int grow_slots(State *s) except -1 nogil:
    cdef int i
    cdef int n = 2 * s.n_slots + 64
    cdef void *jobs = realloc(s.jobs, n * sizeof(Job))
    if jobs != NULL:
        s.jobs = <Job *>jobs
    cdef void *ready = realloc(s.ready, n * sizeof(int))
    if ready != NULL:
        s.ready = <int *>ready
    cdef void *new_rows = realloc(s.new_rows, n * sizeof(int))
    if new_rows != NULL:
        s.new_rows = <int *>new_rows
    if jobs == NULL or ready == NULL or new_rows == NULL:
        with gil:
            raise MemoryError(f"no memory for {n} jobs in flight")
    for i in range(n - 1, s.n_slots - 1, -1):
        s.jobs[i].next_job = s.free_slot
        s.jobs[i].ready_row = s.jobs[i].uid = -1
        s.free_slot = i
    if s.n_new_rows > s.n_slots:
        s.n_new_rows = n + 1  # still all of them
    s.n_slots = n
    return 0


cdef int new_job(State *s) except -1 nogil:
    cdef int slot
    if s.free_slot < 0:
        grow_slots(s)
    slot = s.free_slot
    s.free_slot = s.jobs[slot].next_job
    memset(&s.jobs[slot], 0, sizeof(Job))
    s.jobs[slot].uid = s.next_uid
    s.next_uid += 1
    s.n_live += 1
    return slot


cdef void free_job(State *s, int slot) noexcept nogil:
    s.jobs[slot].uid = -1
    s.jobs[slot].next_job = s.free_slot
    s.free_slot = slot
    s.n_live -= 1


cdef void enqueue(State *s, int slot) noexcept nogil:
    cdef int task = s.jobs[slot].task
    cdef int tail = s.queue_tail[task]
    s.n_unstarted[task] += 1
    s.jobs[slot].previous_job = tail
    s.jobs[slot].next_job = -1
    if tail < 0:
        s.queue_head[task] = slot
    else:
        s.jobs[tail].next_job = slot
    s.queue_tail[task] = slot


cdef void unqueue(State *s, int slot) noexcept nogil:
    cdef int task = s.jobs[slot].task
    cdef int before = s.jobs[slot].previous_job
    cdef int after = s.jobs[slot].next_job
    s.n_unstarted[task] -= s.jobs[slot].start_ns < 0
    if before < 0:
        s.queue_head[task] = after
    else:
        s.jobs[before].next_job = after
    if after < 0:
        s.queue_tail[task] = before
    else:
        s.jobs[after].previous_job = before
