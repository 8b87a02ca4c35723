"""The core's C-only pieces as Python objects, for the tests alone."""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t

from rtsched._core cimport draws, heap, memory
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.memory cimport Memory
from rtsched._core.roles cimport (
    NativeDropper,
    NativeMapper,
    NativeRegulator,
    NativeSelector,
    NativeTuner,
    RowList,
    WindowSums,
    add_row,
)
from rtsched._core.state cimport State, TableOwner
from rtsched._core.types cimport NO_JOB, Running, Tables, lowest_bit

import numpy as np


cdef class RankedHandles:
    """An indexed heap."""

    cdef Heap h

    def __cinit__(self):
        heap.init(&self.h, True)

    def __dealloc__(self):
        heap.release(&self.h)

    def __len__(self):
        return self.h.n

    def __contains__(self, int handle):
        return heap.holds(&self.h, handle)

    def push(self, int64_t key, int64_t second, int task, int64_t frame, int handle):
        heap.push(&self.h, Entry(key, second, frame, task, handle))

    def pop(self):
        return heap.pop(&self.h).handle

    def replace(self, int64_t key, int64_t second, int task, int64_t frame, int handle):
        if handle >= self.h.n_handles:
            heap.grow(&self.h, handle)
        return heap.replace(&self.h, Entry(key, second, frame, task, handle)).handle

    def remove(self, int handle):
        heap.remove(&self.h, handle)

    def hold(self, int64_t n, int64_t longest):
        """Pop the first and push it again with a key that is larger by 1 to `longest`, drawn, n times."""
        cdef Entry entry
        cdef int64_t i
        for i in range(n):
            entry = heap.pop(&self.h)
            entry.key += 1 + <int64_t>(draws.mix(i) % <uint64_t>longest)
            heap.push(&self.h, entry)


cdef class UnorderedHandles:
    """A queue that is filled in no order, looked at and put in order."""

    cdef Heap h

    def __cinit__(self):
        heap.init(&self.h, False)

    def __dealloc__(self):
        heap.release(&self.h)

    def append(self, int64_t key, int64_t second, int task, int64_t frame, int handle):
        heap.append(&self.h, Entry(key, second, frame, task, handle))

    def first(self):
        heap.bring_first(&self.h)
        return self.h.entries[0].handle

    def pop_all(self):
        heap.put_in_order(&self.h)
        return [heap.pop(&self.h).handle for _ in range(self.h.n)]


cdef class SharedMemory:
    """The memory model over `n_places` tiles, apart from any run."""

    cdef Memory m
    cdef Tables t
    cdef double[::1] efficiency
    cdef readonly int64_t now_ns

    def __cinit__(self, int n_places, double peak, efficiency, bint is_fair, double l2=INFINITY):
        self.efficiency = np.array(efficiency, dtype=np.float64)
        self.t.n_places, self.t.n_accelerators = n_places, 1
        self.t.peak_bytes_per_ns, self.t.l2_bytes_per_ns, self.t.is_fair = peak, l2, is_fair
        self.t.efficiency, self.t.n_efficiency = &self.efficiency[0], len(efficiency)
        memory.init(&self.m, &self.t)

    def __dealloc__(self):
        memory.release(&self.m)

    def enter(self, int place, int64_t t_ns, double demand, double l2_demand=0.0):
        self.begin(place, t_ns, demand, l2_demand)

    cdef void begin(self, int place, int64_t t_ns, double demand, double l2_demand) noexcept nogil:
        cdef Running *r = &self.m.running[place]
        r.t_ns, r.remaining_ns, r.since_ns, r.start_ns = t_ns, <double>t_ns, self.now_ns, self.now_ns
        r.demand_bytes_per_ns, r.l2_demand_bytes_per_ns, r.job = demand, l2_demand, 0
        memory.enter(&self.m, place)

    def leave(self, int place):
        memory.leave(&self.m, place)

    def set_cap(self, int place, double cap):
        memory.set_caps(&self.m, &place, &cap, 1)

    def rerate(self):
        memory.rerate(&self.m, self.now_ns)

    def advance(self, int64_t now_ns):
        self.now_ns = now_ns

    def exchange(self, int64_t n):
        """Let the layer that finishes first end and another begin in its place, whose time and demand are drawn, n times."""
        cdef bint is_alone
        cdef int64_t i
        cdef int place
        cdef uint64_t drawn
        memory.rerate(&self.m, self.now_ns)
        for i in range(n):
            place = memory.first_to_finish(&self.m, &is_alone)
            self.now_ns = self.m.finish_ns[place]
            memory.leave(&self.m, place)
            drawn = draws.mix(i)
            self.begin(place, 50_000 + <int64_t>(drawn % 450_000), <double>(drawn >> 32) * 2.0 ** -32 * self.t.peak_bytes_per_ns, 0.0)
            memory.rerate(&self.m, self.now_ns)

    def first_to_finish(self):
        cdef bint is_alone
        return memory.first_to_finish(&self.m, &is_alone)

    def running(self):
        """{place: (rate, remaining_ns as of since_ns, since_ns, finish_ns)}"""
        answer = {}
        for place in range(self.t.n_places):
            r = &self.m.running[place]
            if r.job != NO_JOB:
                answer[place] = (r.rate, r.remaining_ns, r.since_ns, self.m.finish_ns[place])
        return answer


cdef class Draws:
    """Draws of a problem and a seed."""

    cdef TableOwner tables
    cdef uint64_t seed

    def __cinit__(self, problem, uint64_t seed):
        self.tables, self.seed = TableOwner(problem), seed

    def uniform(self, int task, int64_t frame, int purpose, int64_t index):
        return draws.uniform(self.seed, task, frame, <draws.Purpose>purpose, index)

    def periodic_release_ns(self, int task, int64_t frame):
        return draws.periodic_release_ns(&self.tables.tables, self.seed, task, frame)

    def poisson_gap_ns(self, int task, int64_t frame):
        return draws.poisson_gap_ns(&self.tables.tables, self.seed, task, frame)

    def is_triggered(self, int task, int64_t frame):
        return bool(draws.is_triggered(&self.tables.tables, self.seed, task, frame))

    def priority(self, int task, int64_t frame):
        return draws.priority_of(&self.tables.tables, self.seed, task, frame)

    def path(self, int task, int64_t frame, int subnet):
        """Layers of the job's path, `subnet` counted over all models."""
        layers = []
        layer = draws.first_layer(&self.tables.tables, self.seed, task, frame, subnet)
        while layer >= 0:
            layers.append(layer)
            layer = draws.next_layer(&self.tables.tables, self.seed, task, frame, subnet, layer)
        return layers


cdef class SlackScore(NativeMapper):
    """A native score per job: the smallest slack first."""

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int row
        for row in range(s.n_ready):
            out[row] = -<double>(s.jobs[s.ready[row]].deadline_ns - s.now_ns)
        return 0


cdef class TunedScore(NativeMapper):
    """A native score per pair with one parameter: the tilt between release and deadline, less the accelerator's index."""

    cdef double[::1] parameters
    cdef readonly object vector

    def __init__(self):
        self.vector = np.array([0.5])
        self.parameters = self.vector

    cpdef object start(self, object problem):
        return TunedScore()

    cpdef object parameter_vector(self):
        return self.vector

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int row, a
        cdef double tilt = self.parameters[0]
        is_pairs[0] = True
        for row in range(s.n_ready):
            for a in range(s.t.n_accelerators):
                out[row * s.t.n_accelerators + a] = (
                    tilt * s.jobs[s.ready[row]].release_ns - (1.0 - tilt) * s.jobs[s.ready[row]].deadline_ns - a
                )
        return 0


cdef class LateDropper(NativeDropper):
    """Drops every ready job whose deadline has passed."""

    cdef int drop(self, const State *s, RowList *rows) except -1 nogil:
        cdef int row
        for row in range(s.n_ready):
            if s.jobs[s.ready[row]].deadline_ns < s.now_ns:
                add_row(rows, s.ready[row])
        return 0


cdef class LightestSelector(NativeSelector):
    """The last subnet."""

    cdef int select(self, const State *s, int slot) except -1 nogil:
        cdef int model = s.t.task_model[s.jobs[slot].task]
        return s.t.model_first_subnet[model + 1] - s.t.model_first_subnet[model] - 1


cdef class HalfRegulator(NativeRegulator):
    """Caps every layer at half of its demand, or at 1 where it has none."""

    cdef int regulate(self, const State *s, double *caps) except -1 nogil:
        cdef int i
        cdef double demand
        for i in range(s.memory.n_running):
            demand = s.memory.running[s.running[i]].demand_bytes_per_ns
            caps[i] = 0.5 * demand if demand > 0.0 else 1.0
        return 0


cdef class CountedRegulator(HalfRegulator):
    """The same caps, from counters whose settings tell where they are."""

    cdef void counter(self, const State *s, int place, int32_t *window, int32_t *threshold) noexcept nogil:
        window[0] = 1000 + s.memory.running[place].accelerator
        threshold[0] = 1 + lowest_bit(s.memory.running[place].tiles)


cdef class ViolationTuner(NativeTuner):
    """Sets the first parameter to the share of violated jobs."""

    def __init__(self, int64_t window_ns):
        self.window_ns = window_ns

    cdef int tune(self, const WindowSums *window, double *parameters, int n_parameters) except -1 nogil:
        cdef int task
        cdef int64_t ended = 0
        cdef int64_t violated = 0
        for task in range(window.n_tasks):
            ended += window.n_ended[task]
            violated += window.n_violated[task]
        parameters[0] = <double>violated / ended if ended > 0 else 0.0
        return 0
