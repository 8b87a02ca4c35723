"""MapScore, DREAM's mapper: urgency and preference for an accelerator, starvation, and energy, in one score per pair.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t

from rtsched._core.execute cimport fetched_bytes, flushed_bytes, pick_tiles
from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State, cost_of, togo
from rtsched._core.types cimport Job, lowest_bit

import numpy as np

from rtsched.policies.roles import Setting

cdef enum Late:
    LATE_CAP = 0
    LATE_INFINITE = 1
    LATE_NEGATIVE = 2

LATE = ("cap", "infinite", "negative")

cdef double LATEST = 1e12  # ns: above every urgency that is not late


cdef class MapScore(NativeMapper):
    """Urgency * LatPref + alpha * Starv + beta * EnergyPref; the largest (ready job, free accelerator) pair goes first.

    Of a job t, its next layer nl and an accelerator a, with Lat and En the estimated latency and energy on one tile::

        ToGo(t)          expected time of the remaining layers, each the mean over the accelerators
        Slack(t)         deadline - now
        Urgency(t)       min(ToGo(t) / Slack(t), urgency_cap); a late job as `late_urgency` says
        LatPref(t, a)    sum over a' of Lat(nl, a') / Lat(nl, a)
        Starv(t)         (now - end of t's last layer, at first its release) / mean over a' of Lat(nl, a')
        EnergyPref(t, a) sum over a' of En(nl, a') / En(nl, a) - CostSwitch(t, a); 0 where En(nl, a) = 0
        CostSwitch(t, a) DRAM energy of the activations that t fetches and displaces on a, / En(nl, a); 0 if the last job on a
                         was t, or where switches are free

    Sums and means go over the accelerators that can run nl; no job goes to another. On an accelerator with several tiles,
    the tile is the one that the engine would take.
    """

    settings = (
        Setting("alpha", 1.0, "weight of starvation", low=0.0, high=2.0),
        Setting("beta", 1.0, "weight of the energy's preference", low=0.0, high=2.0),
        Setting("urgency_cap", 1.0, "largest urgency; a late job has it too (reconstruction)", low=0.0),
        Setting(
            "late_urgency",
            "cap",
            "of late jobs: the cap; infinite (no cap, late jobs first); negative (ToGo / Slack, so late jobs lose) (reconstruction)",
            choices=LATE,
        ),
    )

    cdef readonly double alpha, beta, urgency_cap
    cdef readonly str late_urgency
    cdef readonly object parameters  # ndarray of float64, shape (2,): alpha and beta, which a tuner may change
    cdef Late late
    cdef double[::1] weights  # the same memory
    cdef double[::1] mean_ns  # [layer]: mean latency over the accelerators that can run it
    cdef double[:, ::1] latency_preference  # [layer, accelerator]; 0: cannot run there
    cdef double[:, ::1] energy_preference  # [layer, accelerator]

    parameter_names = ("alpha", "beta")

    def __init__(self, **given):
        values = self.take(given)
        self.alpha, self.beta, self.urgency_cap = values["alpha"], values["beta"], values["urgency_cap"]
        self.late_urgency = values["late_urgency"]
        self.late = LATE.index(self.late_urgency)

    cpdef object start(self, object problem):
        cdef MapScore run = type(self)(**{one.name: getattr(self, one.name) for one in self.settings})
        costs = problem.costs[:, problem.option_first[: problem.n_accelerators]]
        latency_ns, energy_j = costs["t_iso_ns"].astype(np.float64), costs["energy_j"].copy()
        is_able = latency_ns > 0
        energy_j[~is_able] = 0.0
        run.mean_ns = latency_ns.sum(axis=1) / np.maximum(is_able.sum(axis=1), 1)
        run.latency_preference = preference(latency_ns)
        run.energy_preference = preference(energy_j)
        run.parameters = run.weights = np.array([self.alpha, self.beta])
        return run

    cpdef object parameter_vector(self):
        return self.parameters

    cdef double urgency(self, const State *s, const Job *job) noexcept nogil:
        cdef double slack_ns = <double>(job.deadline_ns - s.now_ns)
        cdef double togo_ns = <double>togo(s, s.t.togo_mean_ns, job.layer, 1)
        if slack_ns <= 0.0:
            if self.late == LATE_INFINITE:
                return LATEST - slack_ns
            return self.urgency_cap if self.late == LATE_CAP else togo_ns / min(slack_ns, -1.0)
        return togo_ns / slack_ns if self.late == LATE_INFINITE else min(togo_ns / slack_ns, self.urgency_cap)

    cdef double switch_cost(self, const State *s, int slot, int accelerator) noexcept nogil:
        cdef const Job *job = &s.jobs[slot]
        cdef int tile = lowest_bit(pick_tiles(s, job, accelerator, 1))
        cdef int place = s.t.option_first[accelerator] + tile
        cdef int64_t moved_bytes
        if s.tile_job[place] == slot and s.tile_uid[place] == job.uid:
            return 0.0
        moved_bytes = fetched_bytes(s, job, accelerator, 1) + flushed_bytes(s, slot, accelerator, tile)
        return <double>moved_bytes * s.t.dram_j_per_byte / cost_of(s, job.layer, accelerator, 1).energy_j

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int n = s.t.n_accelerators
        cdef int row, word, a
        cdef uint64_t bits
        cdef const Job *job
        cdef double urgency, starved, energy
        is_pairs[0] = True
        for row in range(s.n_ready):
            job = &s.jobs[s.ready[row]]
            urgency = self.urgency(s, job)
            starved = self.weights[0] * (<double>(s.now_ns - job.last_end_ns) / self.mean_ns[job.layer])
            for word in range(s.n_idle_words):
                bits = s.idle[word]
                while bits:
                    a = (word << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    if self.latency_preference[job.layer, a] == 0.0:
                        out[row * n + a] = -INFINITY
                        continue
                    energy = self.energy_preference[job.layer, a]
                    if energy > 0.0 and s.t.has_switch:
                        energy -= self.switch_cost(s, s.ready[row], a)
                    out[row * n + a] = urgency * self.latency_preference[job.layer, a] + starved + self.weights[1] * energy
        return 0


def preference(costs):
    """Sum of each row / each entry; 0 where an entry is 0.

    Parameters
    ----------
    costs : ndarray of float64, shape (n_layers, n_accelerators)

    Returns
    -------
    ndarray of float64, shape (n_layers, n_accelerators)
    """
    return np.divide(costs.sum(axis=1, keepdims=True), costs, out=np.zeros(costs.shape), where=costs > 0)
