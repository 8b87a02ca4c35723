"""Dysta: shortest remaining time first, corrected by the sparsity that was measured, with slack and waiting as a correction.

Fan et al., "Sparse-DySta: Sparsity-aware dynamic and static scheduling for sparse multi-DNN workloads", MICRO 2023, algorithm 2: the
smallest T + beta * (max(0, slack - T) + (idle / e0) / n) goes first, all in seconds. T = g * expected remaining time; idle is the time
since the job was last served, e0 the estimated time of the whole job alone, n the number of jobs that are ready or run. g is the mean
over the job's executed layers of (1 - sparsity) / (1 - average sparsity): 1 before the first layer, and for layers of which one of the
two is not known.
"""

from libc.math cimport isnan
from libc.stdlib cimport free, realloc

from rtsched._core.roles cimport NOTE_LAYER_END, NOTE_RELEASE
from rtsched._core.state cimport State, monitored_sparsity, togo, whole_job
from rtsched._core.types cimport Job

from rtsched.policies.roles import Policy, Setting


cdef class LeastScore(NativeMapper):
    """The smallest score first."""

    settings = (Setting("beta", 0.01, "weight of slack and waiting", low=0.0, high=1e6),)

    def __cinit__(self, *args, **kwargs):
        self.is_monitored = True
        self.notes = NOTE_RELEASE | NOTE_LAYER_END

    def __dealloc__(self):
        free(self.measured)

    def __init__(self, **given):
        self.beta = self.take(given)["beta"]

    cpdef object start(self, object problem):
        return type(self)(beta=self.beta)

    cdef int reserve(self, int n_slots) except -1 nogil:
        cdef void *grown
        if n_slots > self.n_measured:
            grown = realloc(self.measured, n_slots * sizeof(Measured))
            if grown == NULL:
                with gil:
                    raise MemoryError(f"no memory for what was measured of {n_slots} jobs")
            self.measured = <Measured *>grown
            self.n_measured = n_slots
        return 0

    cdef int on_release(self, const State *s, int slot) except -1 nogil:
        self.reserve(s.n_slots)
        self.measured[slot] = Measured(0.0, 0)
        return 0

    cdef int on_layer_end(self, const State *s, int slot) except -1 nogil:
        cdef double sparsity = monitored_sparsity(s, slot)
        cdef double average = s.t.layer_sparsity[s.jobs[slot].last_layer]
        cdef bint is_known = not isnan(sparsity) and not isnan(average) and average < 1.0
        self.measured[slot].sum += (1.0 - sparsity) / (1.0 - average) if is_known else 1.0
        self.measured[slot].n_layers += 1
        return 0

    cdef double ratio(self, int slot) noexcept nogil:
        if not self.is_monitored or self.measured[slot].n_layers == 0:
            return 1.0
        return self.measured[slot].sum / <double>self.measured[slot].n_layers

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef const Job *job
        cdef int row
        cdef double left_s, spare_s, waited
        cdef double n_live = <double>(s.n_ready + s.memory.n_running)
        for row in range(s.n_ready):
            job = &s.jobs[s.ready[row]]
            left_s = self.ratio(s.ready[row]) * (<double>togo(s, s.t.togo_mean_ns, job.layer, self.estimate_tiles) / 1e9)
            spare_s = <double>(job.deadline_ns - s.now_ns) / 1e9 - left_s
            if spare_s < 0.0:
                spare_s = 0.0
            waited = <double>(s.now_ns - job.last_end_ns) / <double>togo(s, s.t.togo_mean_ns, whole_job(s, job), self.estimate_tiles)
            out[row] = -(left_s + self.beta * (spare_s + waited / n_live))
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=LeastScore(), name="dysta")
