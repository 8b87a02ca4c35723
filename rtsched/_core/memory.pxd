"""The shared memory: who gets how much bandwidth, and when each running layer is done at that rate.

Layers in execution stand at the *place* of their lowest tile (accelerators' tiles numbered through). Two lists hold places:
`asks`, those that ask for DRAM, and `l2_demands`, those that ask for L2 bandwidth, both ascending.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from rtsched._core.types cimport NEVER_NS, NO_JOB, Running, Tables


cdef struct Claim:
    # One place in a list that is ascending by (rate, place).
    double bytes_per_ns
    int place


cdef struct Memory:
    const Tables *t
    Running *running  # [place], n_places of them, and one more that nobody reads
    int64_t *finish_ns  # [place], likewise; NEVER_NS where nothing runs, and where what runs is not served
    Claim *asks  # min(demand, cap)
    Claim *l2_demands
    int n_running
    int n_asking
    int n_l2
    bint is_l2_limited  # else `l2_demands` stays empty


cdef int init(Memory *m, const Tables *t) except -1 nogil
cdef void release(Memory *m) noexcept nogil
# Set the caps (> 0 or inf) of the layers at n places.
cdef void set_caps(Memory *m, const int *places, const double *caps_bytes_per_ns, int n) noexcept nogil
# Share the bandwidth among the running layers; touches only those whose rate changes.
cdef void rerate(Memory *m, int64_t now_ns) noexcept nogil
# The places of all running layers, ascending; returns their number.
cdef int list_running(const Memory *m, int *places) noexcept nogil


cdef inline int drop(Claim *claims, int n, int place) noexcept nogil:
    # Take out a place that is there; return how many are left. No branch depends on where it stands: that is never foreseen.
    cdef int i
    cdef int is_behind = 0
    for i in range(n - 1):
        is_behind |= claims[i].place == place
        claims[i] = claims[i + is_behind]
    return n - 1


cdef inline int insert(Claim *claims, int n, int place, double bytes_per_ns) noexcept nogil:
    # Return how many there are now.
    cdef int i = n
    while i > 0 and (
        claims[i - 1].bytes_per_ns > bytes_per_ns or (claims[i - 1].bytes_per_ns == bytes_per_ns and claims[i - 1].place > place)
    ):
        claims[i] = claims[i - 1]
        i -= 1
    claims[i].bytes_per_ns, claims[i].place = bytes_per_ns, place
    return n + 1


cdef inline void enter(Memory *m, int place) noexcept nogil:
    # A layer whose record stands at `place` begins; rates are stale until the next rerate.
    cdef Running *r = &m.running[place]
    r.cap_bytes_per_ns = INFINITY
    r.rate = 0.0
    r.l2_ratio = 1.0
    m.n_running += 1
    if r.demand_bytes_per_ns > 0.0:
        m.n_asking = insert(m.asks, m.n_asking, place, r.demand_bytes_per_ns)
    if m.is_l2_limited and r.l2_demand_bytes_per_ns > 0.0:
        m.n_l2 = insert(m.l2_demands, m.n_l2, place, r.l2_demand_bytes_per_ns)


cdef inline void leave(Memory *m, int place) noexcept nogil:
    # It ends; rates are stale until the next rerate.
    m.n_running -= 1
    m.running[place].job = NO_JOB
    m.finish_ns[place] = NEVER_NS
    if m.running[place].demand_bytes_per_ns > 0.0:
        m.n_asking = drop(m.asks, m.n_asking, place)
    if m.is_l2_limited and m.running[place].l2_demand_bytes_per_ns > 0.0:
        m.n_l2 = drop(m.l2_demands, m.n_l2, place)


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
