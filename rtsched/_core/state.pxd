"""The state of one run: jobs in flight, the ready set, free tiles, and the layers in execution.

**Contract** for roles: everything may be read; nothing may be changed but through what a role answers. `ready` is in no
particular order (a job that leaves is replaced by the last), but the same in every run of the same input. Pointers are
valid until the role returns.
"""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t, uint64_t

from rtsched._core.draws cimport recorded_at
from rtsched._core.heap cimport Entry, Heap, before, grow, pop, push, remove, replace
from rtsched._core.memory cimport Memory
from rtsched._core.types cimport CostRow, Job, Running, Tables


cdef class TableOwner:
    # Keeps a problem's arrays alive and C-contiguous while `tables` points into them.
    cdef Tables tables
    cdef list arrays
    cdef const int32_t *firsts(self, object problem, str name) except NULL
    cdef const void *members(self, object problem, str firsts, str name, object dtype) except NULL
    cdef const void *pointer(self, object problem, str name, object dtype, object shape) except NULL
    cdef const void *address(self, object array) except NULL


# Made once for all runs of a problem, whose arrays nobody writes to.
cdef TableOwner tables_of(object problem)


cdef struct State:
    Tables t
    Memory memory
    uint64_t seed
    int64_t now_ns
    Job *jobs  # [slot]
    int n_slots
    int free_slot  # head of the list of unused slots through next_job; -1 when none
    int n_live  # jobs released and not ended
    int32_t next_uid
    int *ready  # slots of the ready jobs
    int n_ready
    int *new_rows  # of `ready` that hold another job than when the mapper was asked last, in no order, some twice; if it wants them
    int n_new_rows  # more than n_slots: all of them
    bint keeps_new_rows
    Heap ranked  # between decisions the ready jobs by key, when the mapper gives keys; without the newcomer
    Entry newcomer  # the job that was ranked last: it mostly goes on at once, and then never enters the heap
    bint has_newcomer
    int *queue_head  # [task]: slot of its earliest job in flight, -1 for none
    int *queue_tail
    int *n_unstarted  # [task]: its jobs in flight that no layer of has started
    uint64_t *free_tiles  # [accelerator]: mask
    int *n_free  # [accelerator]
    uint64_t *idle  # bit set of accelerators with a free tile
    int n_idle_words
    int n_idle  # accelerators with a free tile
    int *running  # scratch of list_running, n_places
    int *tile_job  # [place]: slot of the last job there, -1 for none
    int32_t *tile_uid  # [place]: that job's uid, since slots are used again


cdef int init(State *s, const Tables *t, uint64_t seed) except -1 nogil
cdef void release(State *s) noexcept nogil
# A job in a free slot, zeroed but for uid; -1 with MemoryError set. Moves `jobs`: no pointer survives.
cdef int new_job(State *s) except -1 nogil
cdef void free_job(State *s, int slot) noexcept nogil
# Jobs of a task in flight, in order of release.
cdef void enqueue(State *s, int slot) noexcept nogil
cdef void unqueue(State *s, int slot) noexcept nogil


cdef inline const CostRow *cost_of(const State *s, int layer, int accelerator, int n_tiles) noexcept nogil:
    # n_tiles must be 1 to the accelerator's tiles.
    return &s.t.costs[<int64_t>layer * s.t.n_options + s.t.option_first[accelerator] + n_tiles - 1]


cdef inline int64_t latency_ns(const State *s, int layer, int accelerator, int n_tiles) noexcept nogil:
    # Estimated isolated time; 0 when the layer cannot run so.
    if n_tiles < 1 or n_tiles > s.t.accelerator_tiles[accelerator]:
        return 0
    return s.t.t_iso_ns[<int64_t>layer * s.t.n_options + s.t.option_first[accelerator] + n_tiles - 1]


cdef inline int64_t togo(const State *s, const int64_t *table, int layer, int n_tiles) noexcept nogil:
    # An entry of togo_mean_ns and its kin; more tiles than any accelerator has count as the most.
    return table[<int64_t>layer * s.t.max_tiles + (n_tiles if n_tiles < s.t.max_tiles else s.t.max_tiles) - 1]


cdef inline int64_t remaining_ns(const State *s, const Running *r) noexcept nogil:
    # Of a layer in execution, as estimated; 0 when it takes longer.
    cdef int64_t left_ns = r.estimate_ns - (s.now_ns - r.start_ns)
    return left_ns if left_ns > 0 else 0
cdef inline int place_in_subnet(const State *s, const Job *job, int layer) noexcept nogil:
    # A layer of the job's chosen subnet, counted from its first one.
    cdef int subnet = s.t.model_first_subnet[s.t.task_model[job.task]] + job.subnet
    return layer - s.t.block_first_layer[s.t.subnet_first_block[subnet]]


cdef inline double monitored_sparsity(const State *s, int slot) noexcept nogil:
    # What the hardware's monitor measured in the job's last executed layer; NaN before its first one and where none was recorded.
    cdef const Job *job = &s.jobs[slot]
    cdef int first
    if not s.t.has_recorded or job.last_layer < 0:
        return NAN
    first = recorded_at(&s.t, job.task, job.frame)
    return NAN if first < 0 else s.t.recorded_sparsity[first + place_in_subnet(s, job, job.last_layer)]


cdef inline int whole_job(const State *s, const Job *job) noexcept nogil:
    # The first layer of the job's subnet, of the largest one until it is chosen: the place of the whole job's times in the tables.
    cdef int subnet = s.t.model_first_subnet[s.t.task_model[job.task]] + (job.subnet if job.subnet > 0 else 0)
    return s.t.block_first_layer[s.t.subnet_first_block[subnet]]


cdef inline double mean_latency_ns(const State *s, int layer, int n_tiles) noexcept nogil:
    # Of a layer on n_tiles tiles, over the accelerators that can run it so; 0 where none can.
    cdef double sum_ns = 0.0
    cdef int n = 0
    cdef int a
    cdef int64_t time_ns
    for a in range(s.t.n_accelerators):
        time_ns = latency_ns(s, layer, a, n_tiles)
        if time_ns > 0:
            sum_ns += <double>time_ns
            n += 1
    return sum_ns / n if n > 0 else 0.0


cdef inline bint is_earlier(const Job *a, const Job *b) noexcept nogil:
    # Which of two jobs goes first where nothing else tells: by release, task and frame.
    if a.release_ns != b.release_ns:
        return a.release_ns < b.release_ns
    if a.task != b.task:
        return a.task < b.task
    return a.frame < b.frame


cdef inline void note_row(State *s, int row) noexcept nogil:
    if s.keeps_new_rows and s.n_new_rows <= s.n_slots:
        if s.n_new_rows < s.n_slots:
            s.new_rows[s.n_new_rows] = row
        s.n_new_rows += 1


cdef inline void append_ready(State *s, int slot) noexcept nogil:
    note_row(s, s.n_ready)
    s.ready[s.n_ready] = slot
    s.jobs[slot].ready_row = s.n_ready
    s.n_ready += 1


cdef inline int rank(State *s, int slot) except -1 nogil:
    # Rank a ready job by its key.
    cdef const Job *job = &s.jobs[slot]
    if s.has_newcomer:
        push(&s.ranked, s.newcomer)
    if slot >= s.ranked.n_handles:
        grow(&s.ranked, slot)
    s.newcomer = Entry(job.key, job.release_ns, job.frame, job.task, slot)
    s.has_newcomer = True
    return 0


cdef inline void unrank(State *s, int slot) noexcept nogil:
    # Does nothing when it is not ranked.
    if s.has_newcomer and s.newcomer.handle == slot:
        s.has_newcomer = False
    else:
        remove(&s.ranked, slot)


cdef inline int first_ranked(State *s) noexcept nogil:
    # The slot of the first in rank, which is ranked no more; -1 when none is.
    if not s.has_newcomer:
        return pop(&s.ranked).handle if s.ranked.n > 0 else -1
    s.has_newcomer = False
    if s.ranked.n == 0 or before(&s.newcomer, &s.ranked.entries[0]):
        return s.newcomer.handle
    return replace(&s.ranked, s.newcomer).handle


cdef inline void remove_ready(State *s, int slot) noexcept nogil:
    cdef int row = s.jobs[slot].ready_row
    cdef int last
    s.n_ready -= 1
    last = s.ready[s.n_ready]
    note_row(s, row)
    s.ready[row] = last
    s.jobs[last].ready_row = row
    s.jobs[slot].ready_row = -1


cdef inline void take_tiles(State *s, int accelerator, uint64_t tiles, int n_tiles) noexcept nogil:
    s.free_tiles[accelerator] &= ~tiles
    s.n_free[accelerator] -= n_tiles
    if s.n_free[accelerator] == 0:
        s.idle[accelerator >> 6] &= ~(<uint64_t>1 << (accelerator & 63))
        s.n_idle -= 1


cdef inline void give_tiles(State *s, int accelerator, uint64_t tiles, int n_tiles) noexcept nogil:
    if s.n_free[accelerator] == 0:
        s.idle[accelerator >> 6] |= <uint64_t>1 << (accelerator & 63)
        s.n_idle += 1
    s.free_tiles[accelerator] |= tiles
    s.n_free[accelerator] += n_tiles
