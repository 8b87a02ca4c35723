"""MapScore, DREAM's mapper: urgency and preference for an accelerator, starvation, and energy, in one score per pair.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from libc.math cimport INFINITY, NAN, fabs
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc

from rtsched._core.execute cimport flushed_bytes, has_to_fetch, pick_tiles
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, is_earlier, latency_ns
from rtsched._core.types cimport Job, lowest_bit

import numpy as np

from rtsched._core.roles import ContractError
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

cdef double LARGEST_WEIGHT = 1e100  # scores stay finite

cdef double LATEST = 1e12  # ns: above every urgency that is not late


cdef struct Row:
    # What a ready job's score needs wherever it runs; kept as long as it is ready.
    int64_t deadline_ns
    int64_t last_end_ns
    double togo_ns
    double per_starved_ns


cdef struct Pair:
    # What it needs on an accelerator: the columns above, but for the bytes, which are 0 of a job's first layer.
    double latency
    double energy
    double per_byte
    double fetch_bytes


cdef struct Best:
    # The largest (row, accelerator) so far; row < 0: none.
    int row
    int accelerator
    double score


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
    cdef double largest  # urgency of a job that is not late
    cdef double[::1] weights  # the same memory
    cdef double[:, ::1] terms  # [layer, column]: side by side, so that a job's are one or two cache lines
    cdef int[::1] last  # [accelerator]: slot of the last job on its only tile, -1 for none; of this decision
    cdef double[::1] flush_bytes  # [accelerator]: what another job than that displaces; of this decision
    # Where accelerators have one tile, the terms of the ready jobs, by row of the ready set.
    cdef Row *rows
    cdef Pair *pairs  # [accelerator * capacity + row]
    cdef int capacity

    parameter_names = ("alpha", "beta")

    def __init__(self, **given):
        values = self.take(given)
        self.alpha, self.beta, self.urgency_cap = values["alpha"], values["beta"], values["urgency_cap"]
        self.late_urgency = values["late_urgency"]
        self.late = LATE.index(self.late_urgency)
        self.largest = INFINITY if self.late == LATE_INFINITE else self.urgency_cap
        self.preference, self.starvation = values["preference"], values["starvation"]

    cpdef object start(self, object problem):
        cdef MapScore run = type(self)(**{one.name: getattr(self, one.name) for one in self.settings})
        n = problem.n_accelerators
        run.terms = terms_of(problem, self.preference, self.starvation)
        run.last, run.flush_bytes = np.full(n, -1, dtype=np.intc), np.zeros(n)
        run.parameters = run.weights = np.array([self.alpha, self.beta])
        if problem.togo_mean_ns.shape[1] == 1:  # no accelerator has several tiles
            run.form, run.keeps_rows = FORM_ASSIGN, True
        return run

    def __dealloc__(self):
        free(self.rows)
        free(self.pairs)

    cpdef object parameter_vector(self):
        return self.parameters

    cdef inline double urgency_of(self, double togo_ns, double slack_ns) noexcept nogil:
        if slack_ns > 0.0:
            return min(togo_ns / slack_ns, self.largest)
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
            urgency = self.urgency_of(layer[TOGO_NS], slack_ns)
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

    # ---- The same where every accelerator has one tile: decided here, from terms that are kept while a job is ready.

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        cdef int n_left = s.n_idle
        cdef int a
        cdef Best best
        self.keep_up(s)
        if not (fabs(self.weights[0]) <= LARGEST_WEIGHT and fabs(self.weights[1]) <= LARGEST_WEIGHT):
            with gil:
                raise ContractError(
                    f"{self!r}: the weights are {self.weights[0]} and {self.weights[1]}; they must be numbers up to {LARGEST_WEIGHT:g}"
                )
        if s.t.has_switch:
            for a in range(s.t.n_accelerators):
                if s.n_free[a] > 0:
                    self.look_at(s, &s.jobs[s.ready[0]], a)
        while n_left > 0:
            best.row, best.score = -1, -INFINITY
            for a in range(s.t.n_accelerators):
                if s.n_free[a] > 0 and not is_promised(dispatches, a):
                    self.best_on(s, a, &best)
            if best.row < 0:
                break
            add_dispatch(dispatches, s.ready[best.row], best.accelerator, 1, 1)
            self.rows[best.row].per_starved_ns = NAN  # no score of it is the largest; its row is new next time
            n_left -= 1
        return 0

    cdef int keep_up(self, const State *s) except -1 nogil:
        # Take the terms of jobs that stand in another row than the last time.
        cdef int i
        if self.capacity < s.n_slots:
            self.reserve(s)
        elif s.n_new_rows <= s.n_slots:
            for i in range(s.n_new_rows):
                if s.new_rows[i] < s.n_ready:
                    self.take_row(s, s.new_rows[i])
            return 0
        for i in range(s.n_ready):
            self.take_row(s, i)
        return 0

    cdef int reserve(self, const State *s) except -1 nogil:
        cdef size_t n = s.n_slots
        cdef void *rows = realloc(self.rows, n * sizeof(Row))
        if rows != NULL:
            self.rows = <Row *>rows
        cdef void *pairs = realloc(self.pairs, n * s.t.n_accelerators * sizeof(Pair))
        if pairs != NULL:
            self.pairs = <Pair *>pairs
        if rows == NULL or pairs == NULL:
            with gil:
                raise MemoryError(f"no memory for the scores of {n} jobs")
        self.capacity = s.n_slots
        return 0

    cdef void take_row(self, const State *s, int row) noexcept nogil:
        cdef const Job *job = &s.jobs[s.ready[row]]
        cdef const double *layer = &self.terms[job.layer, 0]
        cdef const double *there
        cdef int a
        self.rows[row] = Row(job.deadline_ns, job.last_end_ns, layer[TOGO_NS], layer[PER_STARVED_NS])
        for a in range(s.t.n_accelerators):
            there = layer + ON_ACCELERATOR + a * N_ON_ACCELERATOR
            # A job that has begun is on its tile as long as no other was there, and then it switches nothing.
            self.pairs[<int64_t>a * self.capacity + row] = Pair(
                there[LATENCY], there[ENERGY], there[PER_BYTE], there[FETCH_BYTES] if job.start_ns >= 0 else 0.0
            )

    cdef void best_on(self, const State *s, int accelerator, Best *best) noexcept nogil:
        cdef const Row *rows = self.rows
        cdef const Pair *pairs = self.pairs + <int64_t>accelerator * self.capacity
        cdef double alpha = self.weights[0]
        cdef double beta = self.weights[1]
        cdef double flush_bytes = self.flush_bytes[accelerator]
        cdef int64_t now_ns = s.now_ns
        cdef double best_score = best.score
        cdef int last_row = -1
        cdef int row
        cdef double score, urgency, energy, starved
        if self.last[accelerator] >= 0:
            last_row = s.jobs[self.last[accelerator]].ready_row
        for row in range(s.n_ready):
            if pairs[row].latency == 0.0:
                continue
            energy = pairs[row].energy
            if pairs[row].per_byte > 0.0 and row != last_row:
                energy -= (flush_bytes + pairs[row].fetch_bytes) * pairs[row].per_byte
            starved = alpha * (<double>(now_ns - rows[row].last_end_ns) * rows[row].per_starved_ns)
            urgency = self.urgency_of(rows[row].togo_ns, <double>(rows[row].deadline_ns - now_ns))
            score = urgency * pairs[row].latency + starved + beta * energy
            if score > best_score or (best.row >= 0 and score == best_score and self.goes_before(s, row, accelerator, best)):
                best.row, best.accelerator, best_score = row, accelerator, score
        best.score = best_score

    cdef bint goes_before(self, const State *s, int row, int accelerator, const Best *best) noexcept nogil:
        # At equal scores: as by scores that the engine compares.
        cdef const Job *job = &s.jobs[s.ready[row]]
        if row != best.row:
            return is_earlier(job, &s.jobs[s.ready[best.row]])
        return latency_ns(s, job.layer, accelerator, 1) < latency_ns(s, job.layer, best.accelerator, 1)


cdef inline bint is_promised(const DispatchList *dispatches, int accelerator) noexcept nogil:
    cdef int i
    for i in range(dispatches.n):
        if dispatches.items[i].accelerator == accelerator:
            return True
    return False


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
    time_ns = costs["t_iso_ns"].astype(np.float64)
    is_able = time_ns > 0
    energy_j = np.where(is_able, costs["energy_j"], 0.0)
    terms = np.empty((problem.n_layers, ON_ACCELERATOR + N_ON_ACCELERATOR * problem.n_accelerators))
    terms[:, TOGO_NS] = problem.togo_mean_ns[:, 0]
    terms[:, PER_STARVED_NS] = is_able.sum(axis=1) / np.maximum(time_ns.sum(axis=1), 1.0)
    if starvation == "job":
        terms[:, PER_STARVED_NS] = 1.0 / np.maximum(terms[:, TOGO_NS], 1.0)
    there = terms[:, ON_ACCELERATOR:].reshape(problem.n_layers, problem.n_accelerators, N_ON_ACCELERATOR)
    there[..., LATENCY] = ratio(time_ns.sum(axis=1, keepdims=True), time_ns)
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
