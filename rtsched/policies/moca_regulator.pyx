"""MoCA's runtime: who may draw how much from DRAM while more is asked than it delivers.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, Algorithm 2 and section III.
"""

from cython cimport final
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from rtsched._core.roles cimport NativeRegulator
from rtsched._core.state cimport State, cost_of, remaining_ns, togo
from rtsched._core.types cimport Job, Running

from rtsched.policies.roles import Setting

cdef enum Weight:
    WEIGHT_MAX_MIN = 0
    WEIGHT_INVERSE = 1
    WEIGHT_PUBLISHED = 2

WEIGHTS = ("max-min", "inverse", "published")

cdef double ACCESS_BYTES = 16.0  # of one counted access
cdef double LARGEST = 65535.0  # that the counter's registers hold


cdef struct Asking:
    # A running layer that asks for DRAM; rates in bytes per ns.
    int i  # among the running ones
    double demand
    double score
    double floor
    double allocation
    double is_open  # 1; 0 once it is settled at its floor or its demand. A factor: a branch would not be foreseen


cdef struct Counter:
    # The access counters of the tiles of a layer.
    int32_t layer  # that ran when the loads were counted
    int32_t n_tiles
    int32_t window  # as they are set; 0: off
    int32_t threshold
    double loads  # of each tile


cdef inline double up(double x) noexcept nogil:
    # The ceiling of what is not negative and below 2^63: two instructions where libm's is a call.
    cdef int64_t whole = <int64_t>x
    return <double>(whole + (<double>whole < x))


cdef bint cut(Asking *asking, int n, double bandwidth) noexcept nogil:
    # What is too much, taken from those above their floor by their inverse weights; False when that brought one to its floor.
    cdef Asking *one
    cdef int i
    cdef bint is_done = True
    cdef double over = -bandwidth, weights = 0.0
    for i in range(n):
        one = &asking[i]
        over += one.demand if one.is_open else one.floor
        weights += one.is_open * (one.demand / one.score)
    for i in range(n):
        one = &asking[i]
        if not one.is_open:
            continue
        one.allocation = one.demand - over * (one.demand / one.score) / weights
        if one.allocation < one.floor:
            one.allocation, one.is_open, is_done = one.floor, 0.0, False
    return is_done


cdef bint fill(Asking *asking, int n, double bandwidth) noexcept nogil:
    # What is left, given to the others by their scores. Where that is more than some ask, or less than the floor of some, whichever
    # is more in all is put right, and False returned.
    cdef Asking *one
    cdef int i
    cdef double left = bandwidth, scores = 0.0, above = 0.0, below = 0.0
    for i in range(n):
        one = &asking[i]
        left -= (1.0 - one.is_open) * one.allocation
        scores += one.is_open * one.score
    if scores == 0.0:
        return True  # none is open
    for i in range(n):
        one = &asking[i]
        one.allocation = one.is_open * (left * (one.score / scores)) + (1.0 - one.is_open) * one.allocation
        # Of those that are settled neither is above 0.
        above += max(0.0, one.allocation - one.demand)
        below += max(0.0, one.floor - one.allocation)
    if above == 0.0 and below == 0.0:
        return True
    if above > below:
        for i in range(n):
            asking[i].is_open *= asking[i].allocation <= asking[i].demand
            asking[i].allocation = min(asking[i].allocation, asking[i].demand)
    else:
        for i in range(n):
            asking[i].is_open *= asking[i].allocation >= asking[i].floor
            asking[i].allocation = max(asking[i].allocation, asking[i].floor)
    return False


@final
cdef class MocaRegulator(NativeRegulator):
    """Caps for all layers while their demands add up to more than the DRAM delivers; else none.

    Of a layer i with demand d_i as estimated, whose job has priority p, and the effective bandwidth B of so many layers::

        overflow  sum of d - B; nothing is capped while it is not above 0
        s_i       (p + 1) / 4 + urgency_weight * min(urgency_cap, remaining time of the job / slack); late: urgency_cap

    `weight` says who gives up how much. Under `max-min` (ours) layers share by score, none is given more than it asks, and what that
    leaves goes to the others; under `inverse` (ours) each gives up a part of the overflow. Both decide anew whenever a layer starts or
    ends, and the allocations add up to B::

        max-min   allocation_i = min(d_i, x * s_i), with the x that makes the sum B
        inverse   allocation_i = d_i - overflow * W_i / (sum of W),  W_i = d_i / s_i

    Under `published` (Algorithm 2) a layer is capped when it starts, until it ends::

        allocation_i = d_i - overflow * W / (s_i * d_i + W),  W = sum over the others of s_j * d_j

    No allocation is below min_share * d_i; what such a minimum holds back is taken from the others in the same way; if the minima
    alone exceed B, they are scaled to it.

    The cap is what the access counter of each tile can be set to: `threshold` loads in `window` cycles, both of 16 bits, rounded so
    that the cap is not above the allocation unless the window is at its end. They are made from all DRAM traffic of the layer, spread
    over its tiles, where the paper's runtime takes the loads of one inner iteration of the tiling: costs do not tell those, and the
    rate is the same.
    """

    settings = (
        Setting("weight", "max-min", "who gives up how much: max-min, inverse (ours); published (Algorithm 2)", choices=WEIGHTS),
        Setting("urgency_weight", 1.0, "of remaining time over slack in the score (assumed)", low=0.0, high=1e6),
        Setting("urgency_cap", 1.0, "largest remaining time over slack; a late job has it too (assumed)", low=0.0, high=1e6),
        Setting("min_share", 0.25, "part of its demand that a layer keeps at least", low=1e-3, high=1.0),
        Setting("clock_ghz", 1.0, "clock of the access counters", unit="GHz", low=1e-3, high=1e3),
    )

    cdef readonly str weight
    cdef readonly double urgency_weight, urgency_cap, min_share, clock_ghz
    cdef Weight rule
    cdef Asking *asking  # scratch of `regulate`
    cdef Counter *counters  # [place]

    def __dealloc__(self):
        free(self.asking)
        free(self.counters)

    def __init__(self, **given):
        values = self.take(given)
        self.weight, self.urgency_weight, self.urgency_cap = values["weight"], values["urgency_weight"], values["urgency_cap"]
        self.min_share, self.clock_ghz = values["min_share"], values["clock_ghz"]
        self.rule = WEIGHTS.index(self.weight)

    cpdef object start(self, object problem):
        cdef MocaRegulator run = type(self)(**{one.name: getattr(self, one.name) for one in self.settings})
        n_places = int(problem.accelerator_tiles.sum())
        run.asking = <Asking *>calloc(n_places, sizeof(Asking))
        run.counters = <Counter *>calloc(n_places, sizeof(Counter))  # of no tiles: of no layer
        if run.asking == NULL or run.counters == NULL:
            raise MemoryError(f"no memory for {n_places} tiles")
        return run

    cdef int regulate(self, const State *s, double *caps) except -1 nogil:
        cdef int i
        cdef int n = 0
        cdef double bandwidth, demand
        cdef double overflow = 0.0
        for i in range(s.memory.n_running):
            demand = s.memory.running[s.running[i]].estimated_demand_bytes_per_ns
            self.asking[n].i, self.asking[n].demand = i, demand
            overflow += demand
            n += demand > 0.0
        bandwidth = s.t.peak_bytes_per_ns * s.t.efficiency[(min(n, s.t.n_efficiency) if n > 0 else 1) - 1]
        overflow -= bandwidth
        if self.rule == WEIGHT_PUBLISHED:
            self.cap_new(s, n, overflow, caps)
        elif overflow > 0.0:
            self.share(s, n, bandwidth)
            for i in range(n):
                self.set_counter(s, &self.asking[i], caps)
        else:
            for i in range(s.memory.n_running):
                self.counters[s.running[i]].window = self.counters[s.running[i]].threshold = 0
        return 0

    cdef double score(self, const State *s, const Running *r) noexcept nogil:
        cdef const Job *job = &s.jobs[r.job]
        cdef double slack_ns = <double>(job.deadline_ns - s.now_ns)
        cdef double urgency = self.urgency_cap
        if slack_ns > 0.0:
            urgency = min(urgency, <double>(remaining_ns(s, r) + togo(s, s.t.after_mean_ns, r.layer, r.n_tiles)) / slack_ns)
        return (job.priority + 1) / 4.0 + self.urgency_weight * urgency

    cdef void share(self, const State *s, int n, double bandwidth) noexcept nogil:
        # Allocations of all that ask; their sum is the bandwidth.
        cdef Asking *one
        cdef int i
        cdef double floors = 0.0
        for i in range(n):
            one = &self.asking[i]
            one.score = self.score(s, &s.memory.running[s.running[one.i]])
            one.floor, one.allocation, one.is_open = self.min_share * one.demand, 0.0, 1.0
            floors += one.floor
        if floors >= bandwidth:
            for i in range(n):
                self.asking[i].allocation = self.asking[i].floor * (bandwidth / floors)
        elif self.rule == WEIGHT_INVERSE:
            while not cut(self.asking, n, bandwidth):
                pass
        else:
            while not fill(self.asking, n, bandwidth):
                pass

    cdef void cap_new(self, const State *s, int n, double overflow, double *caps) noexcept nogil:
        # Caps of the layers that start now, by the published weights; the others keep theirs.
        cdef Asking *one
        cdef const Running *r
        cdef int i
        cdef double others
        cdef double total = 0.0
        for i in range(s.memory.n_running):
            caps[i] = s.memory.running[s.running[i]].cap_bytes_per_ns
        for i in range(n):
            one = &self.asking[i]
            one.score = self.score(s, &s.memory.running[s.running[one.i]])
            total += one.score * one.demand
        for i in range(n):
            one = &self.asking[i]
            r = &s.memory.running[s.running[one.i]]
            if r.start_ns < s.now_ns:
                continue
            self.counters[s.running[one.i]].window = self.counters[s.running[one.i]].threshold = 0
            caps[one.i] = INFINITY
            if overflow > 0.0:
                others = total - one.score * one.demand
                one.allocation = max(one.demand - overflow * others / total, self.min_share * one.demand)
                self.set_counter(s, one, caps)

    cdef void set_counter(self, const State *s, const Asking *one, double *caps) noexcept nogil:
        # Window and threshold of every tile of a layer, and the cap that they make.
        cdef int place = s.running[one.i]
        cdef const Running *r = &s.memory.running[place]
        cdef Counter *counter = &self.counters[place]
        cdef double cycles, parts, threshold, window
        if counter.layer != r.layer or counter.n_tiles != r.n_tiles:
            counter.layer, counter.n_tiles = r.layer, r.n_tiles
            counter.loads = max(1.0, up(<double>cost_of(s, r.layer, r.accelerator, r.n_tiles).dram_bytes / (ACCESS_BYTES * r.n_tiles)))
        cycles = ACCESS_BYTES * counter.loads * r.n_tiles / (one.allocation / self.clock_ghz)  # the divisor: bytes of all tiles in a cycle
        parts = up(max(counter.loads, cycles) / LARGEST)
        threshold = max(1.0, <double><int64_t>(counter.loads / parts))
        window = up(min(LARGEST, cycles * threshold / counter.loads))
        counter.threshold, counter.window = <int32_t>threshold, <int32_t>window
        caps[one.i] = r.n_tiles * ACCESS_BYTES * threshold / window * self.clock_ghz

    cdef void counter(self, const State *s, int place, int32_t *window, int32_t *threshold) noexcept nogil:
        window[0], threshold[0] = self.counters[place].window, self.counters[place].threshold
