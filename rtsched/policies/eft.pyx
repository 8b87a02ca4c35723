"""Earliest finish time: by deadline, each job to the accelerator that will finish its next layer first, busy ones included.

The processor selection of HEFT (Topcuoglu, Hariri and Wu, "Performance-effective and low-complexity task scheduling for heterogeneous
computing", IEEE TPDS 13(3), 2002) with the order of earliest deadline first. A job waits when a busy accelerator is worth waiting for; its
place there counts for the jobs behind it. Estimates are of layers alone; a running block counts to the end of its current layer.
"""

from libc.stdint cimport int64_t

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, latency_ns, remaining_ns
from rtsched._core.types cimport NO_JOB, Job, Running

import numpy as np

from rtsched.policies.roles import Policy


cdef inline bint is_free(const State *s, int accelerator, int place) noexcept nogil:
    return s.free_tiles[accelerator] >> (place - s.t.option_first[accelerator]) & 1


cdef class EarliestFinish(NativeMapper):
    """By deadline, each job to the accelerator that will finish its next layer first."""

    cdef Heap jobs  # by deadline
    cdef int64_t[::1] available_ns  # [place]: when the tile could begin another layer

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_ASSIGN
        self.waits = True
        heap.init(&self.jobs, False)

    def __dealloc__(self):
        heap.release(&self.jobs)

    cpdef object start(self, object problem):
        cdef EarliestFinish run = EarliestFinish()
        run.available_ns = np.zeros(int(problem.option_first[problem.n_accelerators]), dtype=np.int64)
        return run

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        cdef const Job *job
        cdef int row, slot, accelerator, place
        cdef int n_free = 0
        for accelerator in range(s.t.n_accelerators):
            n_free += s.n_free[accelerator]
        self.look_ahead(s)
        self.jobs.n = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            job = &s.jobs[slot]
            heap.push(&self.jobs, Entry(job.deadline_ns, job.release_ns, job.frame, job.task, slot))
        while n_free > 0 and self.jobs.n > 0:
            slot = heap.pop(&self.jobs).handle
            place = self.first_to_finish(s, s.jobs[slot].layer, &accelerator)
            if place < 0:
                continue
            if self.available_ns[place] == s.now_ns and is_free(s, accelerator, place):
                add_dispatch(dispatches, slot, accelerator, 1, 1)
                n_free -= 1
            self.available_ns[place] += latency_ns(s, s.jobs[slot].layer, accelerator, 1)
        return 0

    cdef void look_ahead(self, const State *s) noexcept nogil:
        # When each tile is available: now, or at the estimated end of the layer that it runs.
        cdef const Running *running
        cdef int place, tile
        for place in range(s.t.n_places):
            self.available_ns[place] = s.now_ns
        for place in range(s.t.n_places):
            running = &s.memory.running[place]
            if running.job == NO_JOB:
                continue
            for tile in range(s.t.accelerator_tiles[running.accelerator]):
                if running.tiles >> tile & 1:
                    self.available_ns[s.t.option_first[running.accelerator] + tile] = s.now_ns + remaining_ns(s, running)

    cdef int first_to_finish(self, const State *s, int layer, int *accelerator) noexcept nogil:
        # The tile on which a layer would end first, and its accelerator; -1 for none. Equal ends: the smaller accelerator, and
        # there a free tile rather than one whose layer is late.
        cdef int a, place
        cdef int best = -1
        cdef int64_t latency, end_ns
        cdef int64_t best_ns = 0
        accelerator[0] = -1
        for a in range(s.t.n_accelerators):
            latency = latency_ns(s, layer, a, 1)
            if latency == 0:
                continue
            for place in range(s.t.option_first[a], s.t.option_first[a + 1]):
                end_ns = self.available_ns[place] + latency
                if best < 0 or end_ns < best_ns or (
                    end_ns == best_ns and a == accelerator[0] and is_free(s, a, place) and not is_free(s, a, best)
                ):
                    best, best_ns, accelerator[0] = place, end_ns, a
        return best


def policy():
    """Return the composition."""
    return Policy(mapper=EarliestFinish(), name="eft")
