"""The fluid model of shared memory: proportional or max-min fair sharing, re-rated exactly at every change."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from rtsched._core.types cimport NEVER_NS, NO_JOB, Running, Tables


cdef int init(Memory *m, const Tables *t) except -1 nogil:
    cdef int place
    m.t = t
    m.is_l2_limited = t.l2_bytes_per_ns < INFINITY
    m.n_running = m.n_asking = m.n_l2 = 0
    m.running = <Running *>calloc(t.n_places + 1, sizeof(Running))
    m.finish_ns = <int64_t *>calloc(t.n_places + 1, sizeof(int64_t))
    m.asks = <Claim *>calloc(2 * t.n_places, sizeof(Claim))
    if m.running == NULL or m.finish_ns == NULL or m.asks == NULL:
        with gil:
            raise MemoryError(f"no memory for {t.n_places} tiles")
    m.l2_demands = m.asks + t.n_places
    for place in range(t.n_places):
        m.running[place].job = NO_JOB
        m.finish_ns[place] = NEVER_NS
    return 0


cdef void release(Memory *m) noexcept nogil:
    free(m.running)
    free(m.finish_ns)
    free(m.asks)
    m.running = NULL
    m.finish_ns = NULL
    m.asks = NULL


cdef void set_caps(Memory *m, const int *places, const double *caps_bytes_per_ns, int n) noexcept nogil:
    cdef const Running *r
    cdef int i
    cdef double ask
    for i in range(n):
        m.running[places[i]].cap_bytes_per_ns = caps_bytes_per_ns[i]
    for i in range(m.n_asking):
        r = &m.running[m.asks[i].place]
        ask = r.demand_bytes_per_ns if r.demand_bytes_per_ns < r.cap_bytes_per_ns else r.cap_bytes_per_ns
        insert(m.asks, i, m.asks[i].place, ask)  # mostly it stays where it is


cdef void share_l2(Memory *m) noexcept nogil:
    cdef int i
    cdef int n = m.n_l2
    cdef double factor, left, served, demand
    cdef double total = 0.0
    for i in range(n):
        total += m.l2_demands[i].bytes_per_ns
    if total <= m.t.l2_bytes_per_ns:
        for i in range(n):
            m.running[m.l2_demands[i].place].l2_ratio = 1.0
        return
    left = m.t.l2_bytes_per_ns
    factor = left / total
    for i in range(n):
        demand = m.l2_demands[i].bytes_per_ns
        if m.t.is_fair:
            served = min(demand, left / (n - i))
            left -= served
        else:
            served = demand * factor
        m.running[m.l2_demands[i].place].l2_ratio = served / demand


cdef inline int64_t wait_ns(double remaining_ns, double rate) noexcept nogil:
    # ceil(remaining / rate - 1e-6), at least 1. The 1e-6 keeps repeated re-rating from creeping by 1 ns.
    cdef double x = remaining_ns / rate - 1e-6
    cdef int64_t whole
    if x >= <double>NEVER_NS:
        return NEVER_NS
    whole = <int64_t>x  # towards zero: the ceiling of what is negative
    if <double>whole < x:
        whole += 1
    return whole if whole > 1 else 1


cdef inline void touch(Memory *m, int place, double ratio, int64_t now_ns) noexcept nogil:
    # Let a layer go on at a new rate; leave it alone when the rate is the old one. Whether it is makes no branch, since that is never
    # foreseen: what is not wanted is written to the place of nobody.
    cdef const Running *r = &m.running[place]
    cdef int nobody = m.t.n_places
    cdef double rate = ratio if ratio < 1.0 else 1.0
    rate = r.l2_ratio if r.l2_ratio < rate else rate
    cdef double left_ns = r.remaining_ns - <double>(now_ns - r.since_ns) * r.rate
    cdef int at = nobody ^ ((nobody ^ place) & -<int>(rate != r.rate))
    m.finish_ns[at] = min(now_ns + wait_ns(left_ns, rate), NEVER_NS)
    m.running[at].remaining_ns, m.running[at].rate, m.running[at].since_ns = left_ns, rate, now_ns


cdef inline double equal_part(double left, int n) noexcept nogil:
    # left / n. By a multiplication where that is exact: a division takes four times as long, and the next part waits for this one.
    if n == 1:
        return left
    if n == 2:
        return left * 0.5
    if n == 4:
        return left * 0.25
    return left / n


cdef void share_dram(Memory *m, int64_t now_ns) noexcept nogil:
    cdef const Tables *t = m.t
    cdef const Running *running = m.running
    cdef const Claim *asks = m.asks
    cdef const Claim *one
    cdef int i
    cdef int n = m.n_asking
    cdef double bandwidth, factor, left, served
    cdef double total = 0.0
    bandwidth = t.peak_bytes_per_ns * t.efficiency[(n if n < t.n_efficiency else t.n_efficiency) - 1]
    for i in range(n):
        total += asks[i].bytes_per_ns
    if total <= bandwidth:
        for i in range(n):
            one = &asks[i]
            touch(m, one.place, one.bytes_per_ns / running[one.place].demand_bytes_per_ns, now_ns)
    elif t.is_fair:
        left = bandwidth
        for i in range(n):
            one = &asks[i]
            served = equal_part(left, n - i)
            served = one.bytes_per_ns if one.bytes_per_ns < served else served
            left -= served
            touch(m, one.place, served / running[one.place].demand_bytes_per_ns, now_ns)
    else:
        factor = bandwidth / total
        for i in range(n):
            one = &asks[i]
            touch(m, one.place, one.bytes_per_ns * factor / running[one.place].demand_bytes_per_ns, now_ns)


cdef void rerate(Memory *m, int64_t now_ns) noexcept nogil:
    cdef int place
    if m.n_l2 > 0:
        share_l2(m)
    if m.n_asking > 0:
        share_dram(m, now_ns)
    if m.n_asking < m.n_running:
        # The others are held back by the L2 at most.
        for place in range(m.t.n_places):
            if m.running[place].job >= 0 and m.running[place].demand_bytes_per_ns <= 0.0:
                touch(m, place, 1.0, now_ns)


cdef int list_running(const Memory *m, int *places) noexcept nogil:
    cdef int place
    cdef int n = 0
    for place in range(m.t.n_places):
        places[n] = place
        n += m.running[place].job >= 0
    return n
