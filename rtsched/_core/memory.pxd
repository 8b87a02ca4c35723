"""The shared memory: who gets how much bandwidth, and when each running layer is done at that rate.

Layers in execution stand at the *place* of their lowest tile (accelerators' tiles numbered through). Two lists hold places:
`asks`, those that ask for DRAM, and `l2_demands`, those that ask for L2 bandwidth.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from rtsched._core.types cimport NEVER_NS, NO_JOB, Running, Tables


cdef struct Claim:
    double bytes_per_ns
    int place


cdef struct Claims:
    # Some places. Their order, ascending by (rate, place), matters only when they claim more than there is, and is made only when
    # they claim about as much or more.
    Claim *items
    int n
    int n_ordered  # of the first ones; the others stand as they came


cdef struct Memory:
    const Tables *t
    Running *running  # [place], n_places of them, and one more that nobody reads
    int64_t *finish_ns  # [place], likewise; NEVER_NS where nothing runs, and where what runs is not served
    Claims asks  # min(demand, cap)
    Claims l2_demands
    int *n_running_on  # [accelerator]
    int n_running  # their sum
    bint is_l2_limited  # else `l2_demands` stays empty
    bint is_short  # of DRAM bandwidth, when it was shared last: then it mostly is the next time too
    bint is_capped  # a layer had a cap when they were set last


cdef int init(Memory *m, const Tables *t) except -1 nogil
cdef void release(Memory *m) noexcept nogil
# Set the caps (> 0 or inf) of the layers at n places.
cdef void set_caps(Memory *m, const int *places, const double *caps_bytes_per_ns, int n) noexcept nogil
# Share the bandwidth among the running layers; touches only those whose rate changes.
cdef void rerate(Memory *m, int64_t now_ns) noexcept nogil
# The places of all running layers, ascending; returns their number.
cdef int list_running(const Memory *m, int *places) noexcept nogil


cdef inline void add(Claims *c, int place, double bytes_per_ns) noexcept nogil:
    c.items[c.n].bytes_per_ns, c.items[c.n].place = bytes_per_ns, place
    c.n += 1


cdef inline void drop(Claims *c, int place) noexcept nogil:
    # Take out a place that is there. No branch depends on where it stands: that is never foreseen.
    cdef int i
    cdef int is_behind = 0
    c.n_ordered = c.n - 1 if c.n_ordered == c.n else 0  # a list that is not in order is made so from the beginning
    c.n -= 1
    for i in range(c.n):
        is_behind |= c.items[i].place == place
        c.items[i] = c.items[i + is_behind]


cdef inline void insert(Claim *items, int n, int place, double bytes_per_ns) noexcept nogil:
    # Into n that are in order.
    cdef int i = n
    while i > 0 and (
        items[i - 1].bytes_per_ns > bytes_per_ns or (items[i - 1].bytes_per_ns == bytes_per_ns and items[i - 1].place > place)
    ):
        items[i] = items[i - 1]
        i -= 1
    items[i].bytes_per_ns, items[i].place = bytes_per_ns, place


cdef inline void enter(Memory *m, int place) noexcept nogil:
    # A layer whose record stands at `place` begins; rates are stale until the next rerate.
    cdef Running *r = &m.running[place]
    r.cap_bytes_per_ns = INFINITY
    r.rate = 0.0
    r.l2_ratio = 1.0
    m.n_running_on[r.accelerator] += 1
    m.n_running += 1
    if r.demand_bytes_per_ns > 0.0:
        if m.is_short and m.asks.n_ordered == m.asks.n:
            insert(m.asks.items, m.asks.n, place, r.demand_bytes_per_ns)
            m.asks.n += 1
            m.asks.n_ordered += 1
        else:
            add(&m.asks, place, r.demand_bytes_per_ns)
    if m.is_l2_limited and r.l2_demand_bytes_per_ns > 0.0:
        add(&m.l2_demands, place, r.l2_demand_bytes_per_ns)


cdef inline void leave(Memory *m, int place) noexcept nogil:
    # It ends; rates are stale until the next rerate.
    m.n_running_on[m.running[place].accelerator] -= 1
    m.n_running -= 1
    m.running[place].job = NO_JOB
    m.finish_ns[place] = NEVER_NS
    if m.running[place].demand_bytes_per_ns > 0.0:
        drop(&m.asks, place)
    if m.is_l2_limited and m.running[place].l2_demand_bytes_per_ns > 0.0:
        drop(&m.l2_demands, place)


cdef inline int first_to_finish(const Memory *m, bint *is_alone) noexcept nogil:
    # The place that finishes first, the smallest at equal times; -1 when none does. `is_alone`: no other finishes then.
    # Two passes without a branch that depends on the times, which is never foreseen.
    cdef const int64_t *finish_ns = m.finish_ns
    cdef int place, is_first
    cdef int first = -1
    cdef int n_first = 0
    cdef int64_t first_ns = NEVER_NS
    for place in range(m.t.n_places):
        first_ns = finish_ns[place] if finish_ns[place] < first_ns else first_ns
    if first_ns == NEVER_NS:
        return -1
    for place in range(m.t.n_places - 1, -1, -1):
        is_first = finish_ns[place] == first_ns
        n_first += is_first
        first = place if is_first else first
    is_alone[0] = n_first == 1
    return first
