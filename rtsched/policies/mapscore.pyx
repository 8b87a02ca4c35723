"""MapScore, DREAM's mapper: urgency and preference for an accelerator, starvation, and energy, in one score per pair.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from rtsched._core.execute cimport flushed_bytes, has_to_fetch, pick_tiles
from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State
from rtsched._core.types cimport Job, lowest_bit

import numpy as np

from rtsched.policies.roles import Setting

cdef enum:
    # Columns of `MapScore.terms`: of a layer, then four of it on each accelerator.
    TOGO_NS = 0
    PER_STARVED_NS = 1  # 1 / what waiting is held against
    ON_ACCELERATOR = 2
    LATENCY = 0  # LatPref; 0: cannot run there
    ENERGY = 1  # EnergyPref without CostSwitch; 0 without energy
    PER_BYTE = 2  # CostSwitch of a moved byte; 0 where switches are free
    FETCH_BYTES = 3  # activations that are not there
    N_ON_ACCELERATOR = 4

cdef enum Late:
    LATE_CAP = 0
    LATE_INFINITE = 1
    LATE_NEGATIVE = 2

LATE = ("cap", "infinite", "negative")
PREFERENCE = ("sum", "best")
STARVATION = ("layer", "job")

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

    That is the paper's score. In it, a layer that accelerators run very differently outweighs the most urgent one that they run
    alike (LatPref is their number there, and has no upper bound), and a short layer starves in microseconds. Two settings of our
    own put the terms of all jobs on one scale: `preference=best` divides LatPref and EnergyPref by their largest value over the
    accelerators, CostSwitch aside, so that both are 1 on the best; `starvation=job` counts waiting in ToGo(t).
    """

    settings = (
        Setting("alpha", 1.0, "weight of starvation", low=0.0, high=2.0),
        Setting("beta", 1.0, "weight of the energy's preference", low=0.0, high=2.0),
        Setting("urgency_cap", 1.0, "largest urgency; a late job has it too (reconstruction)", low=0.0, high=1e9),
        Setting(
            "late_urgency",
            "cap",
            "of late jobs: the cap; infinite (no cap, late jobs first); negative (ToGo / Slack, so late jobs lose) (reconstruction)",
            choices=LATE,
        ),
        Setting("preference", "sum", "LatPref and EnergyPref: sum (the paper's); best (ours), 1 on the best", choices=PREFERENCE),
        Setting("starvation", "layer", "unit of waiting: layer (the paper's), the next; job (ours), what is left", choices=STARVATION),
    )

    cdef readonly double alpha, beta, urgency_cap
    cdef readonly str late_urgency, preference, starvation
    cdef readonly object parameters  # ndarray of float64, shape (2,): alpha and beta, which a tuner may change
    cdef Late late
    cdef double[::1] weights  # the same memory
    cdef double[:, ::1] terms  # [layer, column]: side by side, so that a job's are one or two cache lines
    cdef int[::1] last  # [accelerator]: slot of the last job on its only tile, -1 for none; of this decision
    cdef double[::1] flush_bytes  # [accelerator]: what another job than that displaces; of this decision

    parameter_names = ("alpha", "beta")

    def __init__(self, **given):
        values = self.take(given)
        self.alpha, self.beta, self.urgency_cap = values["alpha"], values["beta"], values["urgency_cap"]
        self.late_urgency = values["late_urgency"]
        self.late = LATE.index(self.late_urgency)
        self.preference, self.starvation = values["preference"], values["starvation"]

    cpdef object start(self, object problem):
        cdef MapScore run = type(self)(**{one.name: getattr(self, one.name) for one in self.settings})
        n = problem.n_accelerators
        run.terms = terms_of(problem, self.preference, self.starvation)
        run.last, run.flush_bytes = np.zeros(n, dtype=np.intc), np.zeros(n)
        run.parameters = run.weights = np.array([self.alpha, self.beta])
        return run

    cpdef object parameter_vector(self):
        return self.parameters

    cdef inline double late_urgency_of(self, double togo_ns, double slack_ns) noexcept nogil:
        if self.late == LATE_CAP:
            return self.urgency_cap
        return LATEST - slack_ns if self.late == LATE_INFINITE else togo_ns / min(slack_ns, -1.0)

    cdef void look_at(self, const State *s, const Job *job, int accelerator) noexcept nogil:
        # Who was on the tile that a job would get, and what is to be flushed from there.
        cdef int tile = lowest_bit(pick_tiles(s, job, accelerator, 1))
        cdef int place = s.t.option_first[accelerator] + tile
        cdef int slot = s.tile_job[place]
        self.last[accelerator] = slot if slot >= 0 and s.jobs[slot].uid == s.tile_uid[place] else -1
        self.flush_bytes[accelerator] = <double>flushed_bytes(s, -1, accelerator, tile)

    cdef double switch_bytes(self, const State *s, int slot, int accelerator, const double *there) noexcept nogil:
        cdef const Job *job = &s.jobs[slot]
        if s.t.accelerator_tiles[accelerator] > 1:
            self.look_at(s, job, accelerator)
        if self.last[accelerator] == slot:
            return 0.0
        return self.flush_bytes[accelerator] + (there[FETCH_BYTES] if has_to_fetch(job, accelerator) else 0.0)

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int n = s.t.n_accelerators
        cdef int row, word, a
        cdef uint64_t bits
        cdef const Job *job
        cdef const double *layer
        cdef const double *there
        cdef double slack_ns, urgency, starved, energy
        is_pairs[0] = True
        if s.t.has_switch:
            for a in range(n):
                if s.n_free[a] > 0 and s.t.accelerator_tiles[a] == 1:
                    self.look_at(s, &s.jobs[s.ready[0]], a)
        for row in range(s.n_ready):
            job = &s.jobs[s.ready[row]]
            layer = &self.terms[job.layer, 0]
            slack_ns = <double>(job.deadline_ns - s.now_ns)
            if slack_ns > 0.0:
                urgency = layer[TOGO_NS] / slack_ns
                if urgency > self.urgency_cap and self.late != LATE_INFINITE:
                    urgency = self.urgency_cap
            else:
                urgency = self.late_urgency_of(layer[TOGO_NS], slack_ns)
            starved = self.weights[0] * (<double>(s.now_ns - job.last_end_ns) * layer[PER_STARVED_NS])
            for word in range(s.n_idle_words):
                bits = s.idle[word]
                while bits:
                    a = (word << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    there = layer + ON_ACCELERATOR + a * N_ON_ACCELERATOR
                    if there[LATENCY] == 0.0:
                        out[row * n + a] = -INFINITY
                        continue
                    energy = there[ENERGY]
                    if there[PER_BYTE] > 0.0:
                        energy -= self.switch_bytes(s, s.ready[row], a, there) * there[PER_BYTE]
                    out[row * n + a] = urgency * there[LATENCY] + starved + self.weights[1] * energy
        return 0


def terms_of(problem, preference, starvation):
    """Everything about layers that does not change: columns as named above.

    Parameters
    ----------
    problem : Problem
    preference, starvation : str
        As set.

    Returns
    -------
    ndarray of float64, shape (n_layers, 2 + 4 * n_accelerators)
    """
    costs = problem.costs[:, problem.option_first[: problem.n_accelerators]]
    latency_ns = costs["t_iso_ns"].astype(np.float64)
    is_able = latency_ns > 0
    energy_j = np.where(is_able, costs["energy_j"], 0.0)
    terms = np.empty((problem.n_layers, ON_ACCELERATOR + N_ON_ACCELERATOR * problem.n_accelerators))
    terms[:, TOGO_NS] = problem.togo_mean_ns[:, 0]
    terms[:, PER_STARVED_NS] = is_able.sum(axis=1) / np.maximum(latency_ns.sum(axis=1), 1.0)
    if starvation == "job":
        terms[:, PER_STARVED_NS] = 1.0 / np.maximum(terms[:, TOGO_NS], 1.0)
    there = terms[:, ON_ACCELERATOR:].reshape(problem.n_layers, problem.n_accelerators, N_ON_ACCELERATOR)
    there[..., LATENCY] = ratio(latency_ns.sum(axis=1, keepdims=True), latency_ns)
    there[..., ENERGY] = ratio(energy_j.sum(axis=1, keepdims=True), energy_j)
    there[..., PER_BYTE] = ratio(problem.dram_j_per_byte, energy_j) if problem.has_switch else 0.0
    there[..., FETCH_BYTES] = costs["fetch_bytes"]
    if preference == "best":
        for columns, on in (([LATENCY], LATENCY), ([PER_BYTE, ENERGY], ENERGY)):
            largest = there[..., on].max(axis=1)[:, np.newaxis, np.newaxis]
            there[..., columns] /= np.where(largest > 0.0, largest, 1.0)
    return terms


def ratio(whole, costs):
    """Return whole / costs; 0 where a cost is 0."""
    return np.divide(whole, costs, out=np.zeros(costs.shape), where=costs > 0)
