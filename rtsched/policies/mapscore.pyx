"""MapScore, DREAM's mapper: urgency and preference for an accelerator, starvation, and energy, in one score per pair.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023.
"""

from libc.math cimport INFINITY, NAN, fabs, isnan
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc

from rtsched._core.execute cimport flushed_bytes, has_to_fetch, pick_tiles
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, is_earlier, latency_ns
from rtsched._core.types cimport Job, lowest_bit

import numpy as np

from rtsched._core.kept import kept_for
from rtsched._core.roles import ContractError
from rtsched.policies.roles import Setting

cdef enum:
    # Columns of `MapScore.terms`: of a layer, then four of it on each accelerator.
    TOGO_NS = 0
    PER_STARVED_NS = 1  # 1 / what waiting is held against
    ON_ACCELERATOR = 2
    LATENCY = 0  # LatPref; NaN: cannot run there
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


cdef enum:
    # Columns of `MapScore.ready`, one value per ready job: what its score needs wherever it runs, kept as long as it is ready,
    R_DEADLINE_NS = 0
    R_LAST_END_NS = 1
    R_TOGO_NS = 2
    R_PER_STARVED_NS = 3
    R_ON_ACCELERATOR = 4  # and four for each accelerator, as above; the bytes are 0 of a job's first layer.
    # Rows are scored so many at a time, and filled up to a multiple of the other number by rows of no job, whose scores are NaN.
    BLOCK = 128
    UNIT = 4

cdef double EXACT = 9007199254740992.0  # 2^53: below, times are exact in double

cdef int64_t ONE_FOUND = <int64_t>1 << 32

cdef double NO_SLACK_NS = 1e-300  # what remains is above every cap when it is divided by this

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
    cdef const double[:, ::1] terms  # [layer, column]: side by side, so that a job's are one or two cache lines
    cdef int[::1] last  # [accelerator]: slot of the last job on its only tile, -1 for none; of this decision
    cdef double[::1] flush_bytes  # [accelerator]: what another job than that displaces; of this decision
    # Where accelerators have one tile, the terms of the ready jobs. A column's values stand side by side, so that what is done to all
    # of them is done to several at once.
    cdef double *ready  # [column * capacity + row of the ready set]
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
        run.terms = kept_for(problem, terms_of, self.preference, self.starvation).view()
        run.last, run.flush_bytes = np.full(n, -1, dtype=np.intc), np.zeros(n)
        run.parameters = run.weights = np.array([self.alpha, self.beta])
        latest_ns = problem.end_ns + int(problem.task_deadline_ns.max())
        if problem.togo_mean_ns.shape[1] == 1 and latest_ns < EXACT:  # no accelerator has several tiles
            run.form, run.keeps_rows = FORM_ASSIGN, True
        return run

    def __dealloc__(self):
        free(self.ready)

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
                    if isnan(there[LATENCY]):
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
        cdef int i, word, a
        cdef uint64_t bits
        cdef Best best
        cdef double *per_starved_ns
        self.keep_up(s)
        if not (fabs(self.weights[0]) <= LARGEST_WEIGHT and fabs(self.weights[1]) <= LARGEST_WEIGHT):
            with gil:
                raise ContractError(
                    f"{self!r}: the weights are {self.weights[0]} and {self.weights[1]}; they must be numbers up to {LARGEST_WEIGHT:g}"
                )
        if s.t.has_switch:
            for word in range(s.n_idle_words):
                bits = s.idle[word]
                while bits:
                    self.look_at(s, &s.jobs[s.ready[0]], (word << 6) + lowest_bit(bits))
                    bits &= bits - 1
        per_starved_ns = self.ready + R_PER_STARVED_NS * <int64_t>self.capacity
        for i in range(s.n_ready, whole_units(s.n_ready)):
            per_starved_ns[i] = NAN
        while n_left > 0:
            best.row, best.score = -1, -INFINITY
            for word in range(s.n_idle_words):
                bits = s.idle[word]
                while bits:
                    a = (word << 6) + lowest_bit(bits)
                    bits &= bits - 1
                    if not is_promised(dispatches, a):
                        self.best_on(s, a, &best)
            if best.row < 0:
                break
            add_dispatch(dispatches, s.ready[best.row], best.accelerator, 1, 1)
            per_starved_ns[best.row] = NAN  # no score of it is the largest; its row is new next time
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
        # What was kept is taken anew.
        cdef size_t n = whole_units(s.n_slots)
        cdef void *ready = realloc(self.ready, n * (R_ON_ACCELERATOR + N_ON_ACCELERATOR * s.t.n_accelerators) * sizeof(double))
        if ready == NULL:
            with gil:
                raise MemoryError(f"no memory for the scores of {n} jobs")
        self.ready = <double *>ready
        self.capacity = <int>n
        return 0

    cdef void take_row(self, const State *s, int row) noexcept nogil:
        cdef const Job *job = &s.jobs[s.ready[row]]
        cdef const double *layer = &self.terms[job.layer, 0]
        cdef int64_t step = self.capacity
        cdef double *ready = self.ready + row
        # A job that has begun is on its tile as long as no other was there, and then it switches nothing.
        cdef double has_begun = job.start_ns >= 0
        cdef int _a
        ready[R_DEADLINE_NS * step], ready[R_LAST_END_NS * step] = <double>job.deadline_ns, <double>job.last_end_ns
        ready[R_TOGO_NS * step], ready[R_PER_STARVED_NS * step] = layer[TOGO_NS], layer[PER_STARVED_NS]
        ready += R_ON_ACCELERATOR * step
        layer += ON_ACCELERATOR
        for _a in range(s.t.n_accelerators):
            ready[LATENCY * step], ready[ENERGY * step] = layer[LATENCY], layer[ENERGY]
            if s.t.has_switch:
                ready[PER_BYTE * step], ready[FETCH_BYTES * step] = layer[PER_BYTE], has_begun * layer[FETCH_BYTES]
            ready += N_ON_ACCELERATOR * step
            layer += N_ON_ACCELERATOR

    cdef double score_of(self, const State *s, int row, int accelerator, bint is_last) noexcept nogil:
        # Of one ready job on an accelerator, where it switches nothing if it was the last one there; NaN when it cannot run there.
        cdef int64_t step = self.capacity
        cdef const double *ready = self.ready + row
        cdef const double *there = ready + (R_ON_ACCELERATOR + N_ON_ACCELERATOR * accelerator) * step
        cdef double now_ns = <double>s.now_ns
        cdef double energy = there[ENERGY * step]
        cdef double starved = self.weights[0] * ((now_ns - ready[R_LAST_END_NS * step]) * ready[R_PER_STARVED_NS * step])
        cdef double urgency = self.urgency_of(ready[R_TOGO_NS * step], ready[R_DEADLINE_NS * step] - now_ns)
        if s.t.has_switch and not is_last:
            energy -= (self.flush_bytes[accelerator] + there[FETCH_BYTES * step]) * there[PER_BYTE * step]
        return urgency * there[LATENCY * step] + starved + self.weights[1] * energy

    cdef void score_rows(self, const State *s, int accelerator, int first, int n, double *scores) noexcept nogil:
        # Of n rows on an accelerator where another job was the last; `score_of` without a branch, so for several at once.
        cdef int64_t step = self.capacity
        cdef const double *ready = self.ready + first
        cdef const double *deadline_ns = ready + R_DEADLINE_NS * step
        cdef const double *last_end_ns = ready + R_LAST_END_NS * step
        cdef const double *togo_ns = ready + R_TOGO_NS * step
        cdef const double *per_starved_ns = ready + R_PER_STARVED_NS * step
        cdef const double *latency = ready + (R_ON_ACCELERATOR + N_ON_ACCELERATOR * accelerator) * step
        cdef const double *energy = latency + ENERGY * step
        cdef const double *per_byte = latency + PER_BYTE * step
        cdef const double *fetch_bytes = latency + FETCH_BYTES * step
        cdef double energies[BLOCK]
        cdef double alpha = self.weights[0]
        cdef double beta = self.weights[1]
        cdef double cap = self.urgency_cap
        cdef double flush_bytes = self.flush_bytes[accelerator]
        cdef double now_ns = <double>s.now_ns
        cdef int i
        cdef double slack_ns, urgency
        if s.t.has_switch:
            for i in range(n):
                energies[i] = energy[i] - (flush_bytes + fetch_bytes[i]) * per_byte[i]
            energy = energies
        for i in range(n):
            slack_ns = deadline_ns[i] - now_ns
            urgency = togo_ns[i] / (slack_ns if slack_ns > 0.0 else NO_SLACK_NS)
            urgency = cap if cap < urgency else urgency
            scores[i] = urgency * latency[i] + alpha * ((now_ns - last_end_ns[i]) * per_starved_ns[i]) + beta * energy[i]

    cdef void best_on(self, const State *s, int accelerator, Best *best) noexcept nogil:
        cdef double scores[BLOCK]
        cdef int last = s.jobs[self.last[accelerator]].ready_row if self.last[accelerator] >= 0 else -1
        cdef int n_rows = whole_units(s.n_ready)
        cdef int block, first, n, i
        cdef double largest
        for block in range((n_rows + BLOCK - 1) // BLOCK):
            first = block * BLOCK
            n = min(BLOCK, n_rows - first)
            if self.late == LATE_CAP:
                self.score_rows(s, accelerator, first, n, scores)
            else:
                for i in range(n):
                    scores[i] = self.score_of(s, first + i, accelerator, False)
            if first <= last < first + n:
                scores[last - first] = self.score_of(s, last, accelerator, True)
            largest = largest_of(scores, n)
            if largest >= best.score and largest > -INFINITY:
                self.take_best(s, accelerator, first, n, scores, largest, best)

    cdef void take_best(
        self, const State *s, int accelerator, int first, int n, const double *scores, double largest, Best *best
    ) noexcept nogil:
        # The first by `goes_before` of those rows that have the largest score, which is no less than that of the best so far.
        cdef int i
        cdef int64_t found = 0  # in its upper half how many; if it is one, in the lower half which
        for i in range(n):
            found += (ONE_FOUND + i) & -<int64_t>(scores[i] >= largest)
        if found < 2 * ONE_FOUND and largest > best.score:
            best.row, best.accelerator, best.score = first + <int>(found - ONE_FOUND), accelerator, largest
            return
        for i in range(n):
            if scores[i] == largest and (largest > best.score or self.goes_before(s, first + i, accelerator, best)):
                best.row, best.accelerator, best.score = first + i, accelerator, largest

    cdef bint goes_before(self, const State *s, int row, int accelerator, const Best *best) noexcept nogil:
        # At equal scores: as by scores that the engine compares.
        cdef const Job *job = &s.jobs[s.ready[row]]
        if row != best.row:
            return is_earlier(job, &s.jobs[s.ready[best.row]])
        return latency_ns(s, job.layer, accelerator, 1) < latency_ns(s, job.layer, best.accelerator, 1)


cdef inline int whole_units(int n) noexcept nogil:
    return (n + UNIT - 1) & -UNIT


cdef inline double largest_of(const double *scores, int n) noexcept nogil:
    # Of n that are a multiple of UNIT, which is the number of lines below, those aside that are NaN; -inf for none.
    cdef double largest = -INFINITY
    cdef double second = -INFINITY
    cdef int i
    for i in range(0, n, 4):
        largest = scores[i] if scores[i] > largest else largest
        second = scores[i + 1] if scores[i + 1] > second else second
        largest = scores[i + 2] if scores[i + 2] > largest else largest
        second = scores[i + 3] if scores[i + 3] > second else second
    return largest if largest > second else second


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
    there[~is_able, LATENCY] = np.nan
    terms.setflags(write=False)
    return terms


def ratio(whole, costs):
    """Return whole / costs; 0 where a cost is 0."""
    return np.divide(whole, costs, out=np.zeros(costs.shape), where=costs > 0)
