"""The native side of the five roles. Third parties may compile mappers, droppers, selectors, regulators and tuners against
this file; it changes with a major version only.

**Contract** for all: a role object is immutable configuration. `start(problem)` is called once per run with the GIL held
and returns the native object that the run talks to: the role itself when nothing changes during a run, else an object of
its own. The methods below are called without the GIL, in the thread that runs the simulation, and must not block. They
return 0 (or what is documented), or -1 with a Python exception set. Equal states get equal answers.
"""

from libc.stdint cimport int32_t, int64_t

from rtsched._core.state cimport State


cdef enum Form:
    # How a mapper decides; see rtsched.policies.roles.Mapper.
    FORM_SCORE = 0
    FORM_KEY = 1
    FORM_ASSIGN = 2

cdef enum Note:
    # Bits of NativeMapper.notes: which notifications it wants.
    NOTE_RELEASE = 1
    NOTE_LAYER_END = 2
    NOTE_JOB_END = 4
    NOTE_DISPATCH = 8


cdef struct Dispatch:
    int slot
    int accelerator
    int n_tiles
    int n_layers


cdef struct DispatchList:
    Dispatch *items
    int n
    int capacity


cdef int add_dispatch(DispatchList *d, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil


cdef struct RowList:
    # Slots of jobs to drop.
    int *slots
    int n
    int capacity


cdef int add_row(RowList *r, int slot) except -1 nogil


cdef struct WindowSums:
    # Sums over the jobs that ended in a window. Owner: the engine.
    int64_t start_ns
    int64_t end_ns
    int64_t *n_ended  # [task]; suppressed jobs included
    int64_t *n_violated
    double *energy_j
    double *worst_energy_j
    int n_tasks


cdef class NativeRole:
    cpdef object start(self, object problem)


cdef class NativeMapper(NativeRole):
    cdef readonly Form form
    cdef readonly bint is_rescored  # ask again after every dispatch
    cdef readonly bint waits  # may leave an eligible pair
    cdef readonly int estimate_tiles  # the to-go column that Python views of the state show; at least 1
    cdef readonly int notes  # bits of Note
    cdef readonly bint keeps_rows  # `assign` keeps something by row of the ready set, so the state tells which rows are new
    cdef readonly bint has_tiles  # `tiles` is to be asked; else every dispatch takes 1 tile
    cdef readonly bint has_block  # `block` is to be asked; else every dispatch commits 1 layer
    # FORM_KEY: rank a job that became ready; the smallest goes first.
    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil
    # FORM_SCORE: fill out[row] (is_pairs[0] = 0, the value on entry) or out[row * n_accelerators + accelerator]
    # (is_pairs[0] = 1) for every ready row; the largest goes first, -inf never; NaN and +inf are errors.
    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil
    # FORM_ASSIGN: append dispatches.
    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil
    cdef int tiles(self, const State *s, int slot, int accelerator) except -1 nogil
    cdef int block(self, const State *s, int slot, int accelerator) except -1 nogil
    cdef int on_release(self, const State *s, int slot) except -1 nogil
    # A dispatch has taken effect: the job's `accelerator`, `tiles` and `n_tiles` say where, `layer` which layer runs.
    cdef int on_dispatch(self, const State *s, int slot) except -1 nogil
    cdef int on_layer_end(self, const State *s, int slot) except -1 nogil
    cdef int on_job_end(self, const State *s, int slot, int status) except -1 nogil
    # What a tuner may change, or None; in the object that `start` returned.
    cpdef object parameter_vector(self)


cdef class NativeDropper(NativeRole):
    # Append ready jobs' slots, each once.
    cdef int drop(self, const State *s, RowList *rows) except -1 nogil


cdef class NativeSelector(NativeRole):
    # Index of the subnet among its model's.
    cdef int select(self, const State *s, int slot) except -1 nogil


cdef class NativeRegulator(NativeRole):
    # Fill caps[i] (bytes per ns, > 0 or inf) for the layer s.memory.running[s.running[i]], i < s.memory.n_running; on entry
    # they hold inf.
    cdef int regulate(self, const State *s, double *caps) except -1 nogil
    # How the access counters of the layer at a place are set; asked after `regulate` of layers
    # with a cap, when rates are recorded. 0: off.
    cdef void counter(self, const State *s, int place, int32_t *window, int32_t *threshold) noexcept nogil


cdef class NativeTuner(NativeRole):
    cdef readonly int64_t window_ns  # > 0
    cdef int tune(self, const WindowSums *window, double *parameters, int n_parameters) except -1 nogil
