"""Herald's greedy assignment: the (job, free accelerator) pair whose next layer costs least goes first.

Kwon et al., "Heterogeneous dataflow accelerators for multi-DNN workloads", HPCA 2021, section IV: layers go to the accelerator with the
least latency, energy or energy-delay product; where that piles up on one accelerator, to the least loaded one whose cost is still
near the best. Herald schedules before run time; this is its rule at run time, which sees the ready jobs only.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from rtsched._core.roles cimport NOTE_DISPATCH, NativeMapper
from rtsched._core.state cimport State, cost_of, latency_ns
from rtsched._core.types cimport CostRow

import numpy as np

from rtsched.policies.roles import Policy, Setting

cdef enum Objective:
    LATENCY = 0
    ENERGY = 1
    EDP = 2

OBJECTIVES = ("latency", "energy", "edp")


cdef class LeastCost(NativeMapper):
    """The pair whose next layer costs least first."""

    settings = (
        Setting("objective", "latency", "what the chosen accelerator has least of", choices=OBJECTIVES),
        Setting(
            "balance", 0.0, "the least loaded accelerator is taken while its cost is below this many times the least; 0: never", low=0.0
        ),
    )

    cdef readonly str objective
    cdef readonly double balance
    cdef Objective code
    cdef int64_t[::1] load_ns  # [accelerator]: estimated time of the layers that it was given

    def __init__(self, **given):
        values = self.take(given)
        self.objective, self.balance = values["objective"], values["balance"]
        self.code = OBJECTIVES.index(self.objective)
        self.is_rescored = self.balance > 0.0
        self.notes = NOTE_DISPATCH if self.is_rescored else 0

    cpdef object start(self, object problem):
        cdef LeastCost run = LeastCost(objective=self.objective, balance=self.balance)
        run.load_ns = np.zeros(problem.n_accelerators, dtype=np.int64)
        return run

    cdef double cost(self, const State *s, int layer, int accelerator) noexcept nogil:
        # Of a layer on one tile; inf where it cannot run.
        cdef const CostRow *row = cost_of(s, layer, accelerator, 1)
        if row.t_iso_ns == 0:
            return INFINITY
        if self.code == LATENCY:
            return <double>row.t_iso_ns
        return row.energy_j if self.code == ENERGY else row.energy_j * <double>row.t_iso_ns

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int n = s.t.n_accelerators
        cdef int row, a, chosen
        is_pairs[0] = True
        for row in range(s.n_ready):
            for a in range(n):
                out[row * n + a] = -self.cost(s, s.jobs[s.ready[row]].layer, a)
            if self.balance > 0.0:
                chosen = self.choice(s, &out[row * n])
                for a in range(n):
                    if a != chosen:
                        out[row * n + a] = -INFINITY
        return 0

    cdef int choice(self, const State *s, const double *scores) noexcept nogil:
        # Among the free accelerators the least loaded one if its cost is near the least, else the one of least cost.
        cdef int a
        cdef int best = -1
        cdef int idlest = -1
        for a in range(s.t.n_accelerators):
            if s.n_free[a] == 0 or scores[a] == -INFINITY:
                continue
            if best < 0 or scores[a] > scores[best]:
                best = a
            if idlest < 0 or self.load_ns[a] < self.load_ns[idlest]:
                idlest = a
        return idlest if best >= 0 and scores[idlest] > self.balance * scores[best] else best

    cdef int on_dispatch(self, const State *s, int slot) except -1 nogil:
        cdef int accelerator = s.jobs[slot].accelerator
        self.load_ns[accelerator] += latency_ns(s, s.jobs[slot].layer, accelerator, s.jobs[slot].n_tiles)
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=LeastCost(), name="herald")
