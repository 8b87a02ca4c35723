"""MoCA's runtime: who may draw how much from DRAM while more is asked than it delivers.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, Algorithm 2 and section III.
"""

from cython cimport final
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from rtsched._core.roles cimport NativeRegulator
from rtsched._core.state cimport State, remaining_ns, togo
from rtsched._core.types cimport Job, Running

from rtsched.policies.roles import Setting

cdef enum Weight:
    WEIGHT_MAX_MIN = 0
    WEIGHT_INVERSE = 1
    WEIGHT_PUBLISHED = 2

WEIGHTS = ("max-min", "inverse", "published")

cdef double ACCESS_BYTES = 16.0  # of one counted access
cdef double LARGEST = 65535.0  # that the counter's registers hold
cdef double WHOLE = 4503599627370496.0  # 2^52: from there on a double has no fraction

cdef enum:
    UNIT = 64  # layers side by side, in columns: loops over them that have no branches become vectors


cdef struct Unit:
    # Running layers that ask for DRAM; rates in bytes per ns.
    int n  # even: after an odd number comes one that changes no sum
    double demand[UNIT]
    double floor[UNIT]
    double score[UNIT]  # its priority at first
    double allocation[UNIT]
    double is_open[UNIT]  # 1; 0 once it is settled at its floor or its demand. A factor: a branch would not be foreseen
    double left_ns[UNIT]  # of its job
    double slack_ns[UNIT]
    double loaded_bytes[UNIT]  # by all of its tiles
    double n_tiles[UNIT]
    double threshold[UNIT]  # of the access counter of each tile
    double window[UNIT]
    double cap[UNIT]  # that these make


cdef struct Counter:
    # The access counters of the tiles of a layer, as they were set last.
    double window
    double threshold


cdef inline int units_for(int n) noexcept nogil:
    return (n + UNIT - 1) // UNIT


cdef inline double down(double x) noexcept nogil:
    # The floor of what is not negative, above 2^52 to one or two. Unlike a conversion to an integer it becomes vectors.
    cdef double near = (x + WHOLE) - WHOLE
    return near - (1.0 if near > x else 0.0)


cdef inline double up(double x) noexcept nogil:
    # The ceiling, likewise.
    cdef double near = (x + WHOLE) - WHOLE
    return near + (1.0 if near < x else 0.0)


cdef bint cut(Unit *units, int n_units, double bandwidth) noexcept nogil:
    # What is too much, taken from those above their floor by their inverse weights; False when that brought one to its floor.
    cdef Unit *u
    cdef int j, k
    cdef bint is_done = True
    cdef double over = -bandwidth, weights = 0.0
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            over += u.demand[k] if u.is_open[k] else u.floor[k]
            weights += u.is_open[k] * (u.demand[k] / u.score[k])
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            if not u.is_open[k]:
                continue
            u.allocation[k] = u.demand[k] - over * (u.demand[k] / u.score[k]) / weights
            if u.allocation[k] < u.floor[k]:
                u.allocation[k], u.is_open[k], is_done = u.floor[k], 0.0, False
    return is_done


cdef bint fill(Unit *units, int n_units, double bandwidth) noexcept nogil:
    # What is left, given to the others by their scores. Where that is more than some ask, or less than the floor of some, whichever
    # is more in all is put right, and False returned.
    cdef Unit *u
    cdef int j, k
    cdef double left = bandwidth, scores = 0.0
    cdef int n_above = 0, n_below = 0  # of those that are settled none is
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            left -= (1.0 - u.is_open[k]) * u.allocation[k]
            scores += u.is_open[k] * u.score[k]
    if scores == 0.0:
        return True  # none is open
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            u.allocation[k] = u.is_open[k] * (left * (u.score[k] / scores)) + (1.0 - u.is_open[k]) * u.allocation[k]
        for k in range(u.n):
            n_above += u.allocation[k] > u.demand[k]
            n_below += u.allocation[k] < u.floor[k]
    if n_above == 0 and n_below == 0:
        return True
    if n_below == 0 or (n_above > 0 and is_more_above(units, n_units)):
        for j in range(n_units):
            settle_at_demand(&units[j])
    else:
        for j in range(n_units):
            settle_at_floor(&units[j])
    return False


cdef bint is_more_above(const Unit *units, int n_units) noexcept nogil:
    # Whether allocations are more above demands than below floors, in all.
    cdef const Unit *u
    cdef int j, k
    cdef double above = 0.0, below = 0.0
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            above += max(0.0, u.allocation[k] - u.demand[k])
            below += max(0.0, u.floor[k] - u.allocation[k])
    return above > below


cdef inline void settle_at_demand(Unit *u) noexcept nogil:
    cdef int k
    for k in range(u.n):
        u.is_open[k] = u.is_open[k] if u.allocation[k] <= u.demand[k] else 0.0
    for k in range(u.n):
        u.allocation[k] = u.allocation[k] if u.allocation[k] <= u.demand[k] else u.demand[k]


cdef inline void settle_at_floor(Unit *u) noexcept nogil:
    cdef int k
    for k in range(u.n):
        u.is_open[k] = u.is_open[k] if u.allocation[k] >= u.floor[k] else 0.0
    for k in range(u.n):
        u.allocation[k] = u.allocation[k] if u.allocation[k] >= u.floor[k] else u.floor[k]


cdef void set_scores(Unit *units, int n_units, double urgency_weight, double urgency_cap) noexcept nogil:
    # From the priorities, in whose place they come.
    cdef Unit *u
    cdef double urgency
    cdef int j, k
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            urgency = u.left_ns[k] / u.slack_ns[k]
            urgency = urgency if urgency < urgency_cap else urgency_cap
            urgency = urgency if u.slack_ns[k] > 0.0 else urgency_cap
            u.score[k] = (u.score[k] + 1.0) / 4.0 + urgency_weight * urgency


cdef void set_counters(Unit *units, int n_units, double clock_ghz) noexcept nogil:
    # Window and threshold of every tile of the layers, from their allocations.
    cdef Unit *u
    cdef double loads, cycles, parts, threshold, window
    cdef int j, k
    for j in range(n_units):
        u = &units[j]
        for k in range(u.n):
            loads = up(u.loaded_bytes[k] / (ACCESS_BYTES * u.n_tiles[k]))
            loads = loads if loads > 1.0 else 1.0
            cycles = ACCESS_BYTES * loads * u.n_tiles[k] / (u.allocation[k] / clock_ghz)  # the divisor: bytes of all tiles in a cycle
            parts = up((loads if loads > cycles else cycles) / LARGEST)
            threshold = down(loads / parts)
            threshold = threshold if threshold > 1.0 else 1.0
            window = cycles * threshold / loads
            window = up(window if window < LARGEST else LARGEST)
            u.threshold[k], u.window[k] = threshold, window
            u.cap[k] = u.n_tiles[k] * ACCESS_BYTES * threshold / window * clock_ghz


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
    cdef Unit *units  # scratch of `regulate`, like the next
    cdef int *asking  # those of the running layers that ask, as they are numbered in State.running
    cdef Counter *counters  # [place]

    def __dealloc__(self):
        free(self.units)
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
        run.units = <Unit *>calloc(n_places // UNIT + 1, sizeof(Unit))
        run.asking = <int *>calloc(n_places, sizeof(int))
        run.counters = <Counter *>calloc(n_places, sizeof(Counter))
        if run.units == NULL or run.asking == NULL or run.counters == NULL:
            raise MemoryError(f"no memory for {n_places} tiles")
        return run

    cdef int regulate(self, const State *s, double *caps) except -1 nogil:
        cdef int i
        cdef int n = 0
        cdef double bandwidth, demand
        cdef double overflow = 0.0
        for i in range(s.memory.n_running):
            demand = s.memory.running[s.running[i]].estimated_demand_bytes_per_ns
            self.asking[n] = i
            overflow += demand
            n += demand > 0.0
        bandwidth = s.t.peak_bytes_per_ns * s.t.efficiency[(min(n, s.t.n_efficiency) if n > 0 else 1) - 1]
        overflow -= bandwidth
        if self.rule == WEIGHT_PUBLISHED:
            self.cap_new(s, n, overflow, caps)
        elif overflow > 0.0:
            self.look(s, n)
            self.share(units_for(n), bandwidth)
            self.set_caps(s, n, 0, caps)
        return 0

    cdef void look(self, const State *s, int n) noexcept nogil:
        # What there is to know of the layers that ask.
        cdef const Running *r
        cdef const Job *job
        cdef Unit *u
        cdef int j, k
        for j in range(units_for(n)):
            u = &self.units[j]
            u.n = min(n - j * UNIT, UNIT)
            for k in range(u.n):
                r = &s.memory.running[s.running[self.asking[j * UNIT + k]]]
                job = &s.jobs[r.job]
                u.demand[k], u.is_open[k], u.allocation[k] = r.estimated_demand_bytes_per_ns, 1.0, 0.0
                u.left_ns[k] = <double>(remaining_ns(s, r) + togo(s, s.t.after_mean_ns, r.layer, r.n_tiles))
                u.slack_ns[k] = <double>(job.deadline_ns - s.now_ns)
                u.score[k] = job.priority
                u.loaded_bytes[k], u.n_tiles[k] = <double>(r.bytes - r.switch_bytes), r.n_tiles
            if u.n % 2 == 1:
                k = u.n
                u.demand[k] = u.is_open[k] = u.allocation[k] = u.left_ns[k] = u.score[k] = u.loaded_bytes[k] = 0.0
                u.slack_ns[k] = u.n_tiles[k] = 1.0  # its counter would be of no use, and is not used
                u.n += 1
        set_scores(self.units, units_for(n), self.urgency_weight, self.urgency_cap)

    cdef void share(self, int n_units, double bandwidth) noexcept nogil:
        # Allocations of all that ask; their sum is the bandwidth.
        cdef Unit *u
        cdef int j, k
        cdef double floors = 0.0
        for j in range(n_units):
            u = &self.units[j]
            for k in range(u.n):
                u.floor[k] = self.min_share * u.demand[k]
                floors += u.floor[k]
        if floors >= bandwidth:
            for j in range(n_units):
                u = &self.units[j]
                for k in range(u.n):
                    u.allocation[k] = u.floor[k] * (bandwidth / floors)
        elif self.rule == WEIGHT_INVERSE:
            while not cut(self.units, n_units, bandwidth):
                pass
        else:
            while not fill(self.units, n_units, bandwidth):
                pass

    cdef void cap_new(self, const State *s, int n, double overflow, double *caps) noexcept nogil:
        # Caps of the layers that start now, by the published weights; the others keep theirs.
        cdef const Running *r
        cdef Unit *u
        cdef int i, j, k
        cdef double others
        cdef double total = 0.0
        for i in range(s.memory.n_running):
            r = &s.memory.running[s.running[i]]
            if r.start_ns < s.now_ns:
                caps[i] = r.cap_bytes_per_ns
        if overflow <= 0.0:
            return
        self.look(s, n)
        for j in range(units_for(n)):
            u = &self.units[j]
            for k in range(u.n):
                total += u.score[k] * u.demand[k]
        for j in range(units_for(n)):
            u = &self.units[j]
            for k in range(u.n):
                others = total - u.score[k] * u.demand[k]
                u.allocation[k] = max(u.demand[k] - overflow * others / total, self.min_share * u.demand[k])
        self.set_caps(s, n, s.now_ns, caps)

    cdef void set_caps(self, const State *s, int n, int64_t since_ns, double *caps) noexcept nogil:
        # By access counters, of those layers that started then or later.
        cdef const Unit *u
        cdef Counter *counter
        cdef int i, place
        set_counters(self.units, units_for(n), self.clock_ghz)
        for i in range(n):
            place = s.running[self.asking[i]]
            if s.memory.running[place].start_ns >= since_ns:
                u, counter = &self.units[i // UNIT], &self.counters[place]
                counter.window, counter.threshold = u.window[i % UNIT], u.threshold[i % UNIT]
                caps[self.asking[i]] = u.cap[i % UNIT]

    cdef void counter(self, const State *s, int place, int32_t *window, int32_t *threshold) noexcept nogil:
        window[0], threshold[0] = <int32_t>self.counters[place].window, <int32_t>self.counters[place].threshold
