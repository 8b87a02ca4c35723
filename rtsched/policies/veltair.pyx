"""Veltair's layer blocks: each block to the fewest tiles that meet its share of the deadline; earliest block deadline first.

Liu et al., "VELTAIR: Towards high-performance multi-tenant deep learning services via adaptive compilation and scheduling", ASPLOS 2022,
section 4.2: whole models hold resources for too long, single layers conflict too often, so consecutive layers are committed together, the
fewer the more jobs there are. A block has at most ceil(`layers` * tiles / active jobs) layers, from 1 to `layers`; tiles count over all
accelerators, active jobs are those that are ready or run. Its deadline is the release plus the part of the relative deadline that
belongs to the layers up to its end. Of the options that are free now and meet it with a `margin` to spare, the one with the fewest tiles is
taken, then the one that ends first; else the one that meets it with most to spare. If none does, the block goes where it is least late, and
waits for an accelerator without a free tile if that is the one, until its blocks end.

Departures. The margin stands for interference, which the paper predicts: without it the fewest tiles are late as soon as others use the
memory. The paper shares the deadline out by operations; here a layer counts with its expected time on the fastest single tile
(`Problem.after_min_ns`), which for layers bound by memory is closer to what they need. Its compiler makes code for several levels of
interference; here there is one, and estimates are of layers alone. The paper has cores that are alike; the choice among unequal
accelerators, and waiting for one, are ours. Layers that a job may skip count in full in the time of a block. A block ends before a layer
that cannot run on its tiles.
"""

from libc.stdint cimport int32_t, int64_t

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State
from rtsched._core.types cimport NO_JOB, Job, Running

import numpy as np

from rtsched.policies.roles import Policy, Setting


cdef struct Option:
    # Where a block may go.
    int accelerator
    int n_tiles
    int end  # of the block, exclusive
    bint is_free  # now
    int64_t start_ns
    int64_t end_ns
    int grade  # 0: free now and in time with the margin, 1: without it, 2: later or not free
    int64_t late_ns  # end_ns less the block's deadline


def work_after(problem):
    """Part of a job's work that lies behind each layer.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    ndarray of float64, shape (n_layers,)
        Expected time after the layer over that of its whole subnet, on the fastest single tiles.
    """
    first, end = _subnet_bounds(problem)
    return problem.after_min_ns[:, 0] / np.repeat(problem.togo_min_ns[first, 0], end - first)


def ends_on_options(problem):
    """Where a block that begins at a layer must end on an option: at a layer that cannot run there, or with the subnet.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    ndarray of int32, shape (n_layers, n_options)
        Index of the layer after its last; the layer itself where that cannot run.
    """
    first, end = _subnet_bounds(problem)
    ends = np.empty(problem.costs.shape, dtype=np.int32)
    ends[:] = np.repeat(end, end - first)[:, None]
    for layer in range(problem.n_layers - 1, -1, -1):
        if layer + 1 < ends[layer, 0]:
            ends[layer] = ends[layer + 1]
        ends[layer, problem.costs["t_iso_ns"][layer] == 0] = layer
    return ends


def _subnet_bounds(problem):
    bounds = problem.block_first_layer[problem.subnet_first_block]
    return bounds[: len(bounds) - 1], bounds[1:]


cdef class LayerBlocks(NativeMapper):
    """Earliest block deadline first, each block to the fewest tiles that meet it."""

    settings = (
        Setting("layers", 20, "most layers of a block, as many where there is a tile for every job (reconstruction)", low=1, high=10**6),
        Setting("margin", 0.25, "part of its time by which a block may take longer and be in time (reconstruction)", low=0.0, high=100.0),
    )

    cdef readonly int layers
    cdef readonly double margin
    cdef Heap jobs  # by the deadline of their next block
    cdef int64_t[:, ::1] before_ns  # [layer, option]: time of all layers before it; one row more than there are layers
    cdef const int32_t[:, ::1] ends  # [layer, option]
    cdef const double[::1] after  # [layer]
    cdef int64_t[::1] available_ns  # [place]: when tiles are free, ascending for each accelerator, those first that are free now
    cdef int[::1] n_free  # [accelerator]: of those now
    cdef int[::1] n_known  # [accelerator]: entries in available_ns

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_ASSIGN
        self.waits = True
        heap.init(&self.jobs, False)

    def __dealloc__(self):
        heap.release(&self.jobs)

    def __init__(self, **given):
        values = self.take(given)
        self.layers, self.margin = values["layers"], values["margin"]

    cpdef object start(self, object problem):
        cdef LayerBlocks run = LayerBlocks(layers=self.layers, margin=self.margin)
        before_ns = np.zeros((problem.n_layers + 1, problem.costs.shape[1]), dtype=np.int64)
        np.cumsum(problem.costs["t_iso_ns"], axis=0, out=before_ns[1:])
        run.before_ns, run.ends, run.after = before_ns, ends_on_options(problem), work_after(problem)
        run.available_ns = np.zeros(before_ns.shape[1], dtype=np.int64)
        run.n_free = np.zeros(problem.n_accelerators, dtype=np.int32)
        run.n_known = np.zeros(problem.n_accelerators, dtype=np.int32)
        return run

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        cdef const Job *job
        cdef Option option
        cdef int row, slot
        cdef int n_free = self.look_ahead(s)
        cdef int size = self.block_size(s)
        self.jobs.n = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            job = &s.jobs[slot]
            heap.push(
                &self.jobs,
                Entry(self.deadline_ns(job, min(job.layer + size, self.last_end(s, job))), job.release_ns, job.frame, job.task, slot),
            )
        while n_free > 0 and self.jobs.n > 0:
            slot = heap.pop(&self.jobs).handle
            self.choose(s, &s.jobs[slot], size, &option)
            if option.is_free:
                add_dispatch(dispatches, slot, option.accelerator, option.n_tiles, option.end - s.jobs[slot].layer)
            n_free -= self.occupy(s, &option)
        return 0

    cdef int block_size(self, const State *s) noexcept nogil:
        cdef int n_active = s.n_ready + s.memory.n_running
        cdef int64_t size = (<int64_t>self.layers * s.t.n_places + n_active - 1) // n_active
        return <int>min(size, <int64_t>self.layers)

    cdef int last_end(self, const State *s, const Job *job) noexcept nogil:
        # Of the job's subnet.
        cdef int subnet = s.t.model_first_subnet[s.t.task_model[job.task]] + (job.subnet if job.subnet > 0 else 0)
        return s.t.block_first_layer[s.t.subnet_first_block[subnet + 1]]

    cdef int64_t deadline_ns(self, const Job *job, int end) noexcept nogil:
        # Of the job's layers before `end`.
        cdef int64_t relative_ns = max(0, job.deadline_ns - job.release_ns)
        return job.deadline_ns - <int64_t>(<double>relative_ns * self.after[end - 1])

    cdef int look_ahead(self, const State *s) noexcept nogil:
        # When each tile is available: now, or at the estimated end of the block that it runs. Returns how many are now.
        cdef const Running *running
        cdef int a, place, option, end
        cdef int n_free = 0
        cdef int64_t left_ns
        for a in range(s.t.n_accelerators):
            self.n_free[a] = self.n_known[a] = s.n_free[a]
            n_free += s.n_free[a]
            for place in range(s.t.option_first[a], s.t.option_first[a] + s.n_free[a]):
                self.available_ns[place] = s.now_ns
        for place in range(s.t.n_places):
            running = &s.memory.running[place]
            if running.job == NO_JOB:
                continue
            option = s.t.option_first[running.accelerator] + running.n_tiles - 1
            end = min(running.block_end, self.ends[running.layer, option])
            left_ns = max(0, running.estimate_ns - (s.now_ns - running.start_ns))
            left_ns += self.before_ns[end, option] - self.before_ns[running.layer + 1, option]
            self.enter(s, running.accelerator, running.n_tiles, s.now_ns + left_ns)
        return n_free

    cdef void enter(self, const State *s, int accelerator, int n_tiles, int64_t time_ns) noexcept nogil:
        # So many tiles will be available then.
        cdef int first = s.t.option_first[accelerator]
        cdef int i = first + self.n_known[accelerator] - 1
        while i >= first + self.n_free[accelerator] and self.available_ns[i] > time_ns:
            self.available_ns[i + n_tiles] = self.available_ns[i]
            i -= 1
        for i in range(i + 1, i + 1 + n_tiles):
            self.available_ns[i] = time_ns
        self.n_known[accelerator] += n_tiles

    cdef int occupy(self, const State *s, const Option *option) noexcept nogil:
        # Take the tiles that are available first until the block's end; returns how many of them were free.
        cdef int a = option.accelerator
        cdef int first = s.t.option_first[a]
        cdef int n_taken = min(option.n_tiles, self.n_free[a])
        cdef int place
        for place in range(first, first + self.n_known[a] - option.n_tiles):
            self.available_ns[place] = self.available_ns[place + option.n_tiles]
        self.n_known[a] -= option.n_tiles
        self.n_free[a] -= n_taken
        self.enter(s, a, option.n_tiles, option.end_ns)
        return n_taken

    cdef void choose(self, const State *s, const Job *job, int size, Option *best) noexcept nogil:
        # Every layer can run somewhere, so there is an option.
        cdef Option one
        cdef int a, n, column
        cdef int64_t time_ns
        best.n_tiles = 0
        for a in range(s.t.n_accelerators):
            for n in range(1, s.t.accelerator_tiles[a] + 1):
                column = s.t.option_first[a] + n - 1
                one.accelerator, one.n_tiles = a, n
                one.end = min(job.layer + size, self.ends[job.layer, column])
                one.is_free = n <= self.n_free[a]
                if one.end == job.layer or (not one.is_free and self.n_free[a] > 0):
                    continue
                one.start_ns = self.available_ns[column]
                time_ns = self.before_ns[one.end, column] - self.before_ns[job.layer, column]
                if job.start_ns >= 0 and job.n_tiles != n:
                    time_ns += s.t.regroup_ns
                one.end_ns = one.start_ns + time_ns
                one.late_ns = one.end_ns - self.deadline_ns(job, one.end)
                one.grade = 2
                if one.is_free and one.late_ns <= 0:
                    one.grade = one.late_ns + <int64_t>(self.margin * <double>time_ns) > 0
                if best.n_tiles == 0 or self.is_better(&one, best):
                    best[0] = one

    cdef bint is_better(self, const Option *one, const Option *best) noexcept nogil:
        # Whether an option goes before one with a smaller accelerator, or with fewer tiles of the same.
        if one.grade != best.grade:
            return one.grade < best.grade
        if one.grade == 0 and one.n_tiles != best.n_tiles:
            return one.n_tiles < best.n_tiles
        if one.late_ns != best.late_ns:
            return one.late_ns < best.late_ns
        if one.is_free != best.is_free:
            return one.is_free
        return one.n_tiles < best.n_tiles


def policy():
    """Return the composition."""
    return Policy(mapper=LayerBlocks(), name="veltair")
