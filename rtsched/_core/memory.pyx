"""The fluid model of shared memory: proportional or max-min fair sharing, re-rated exactly at every change."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from rtsched._core.types cimport NEVER_NS, NO_JOB, Running, Tables


# Relative: a sum is off by less, in whatever order its terms are added. Of 65,536 tiles, each with one, it may be off by 7e-12.
cdef double SURE = 1e-9


cdef int init(Memory *m, const Tables *t) except -1 nogil:
    cdef int place
    m.t = t
    m.is_l2_limited = t.l2_bytes_per_ns < INFINITY
    m.n_running = 0
    m.running = <Running *>calloc(t.n_places + 1, sizeof(Running))
    m.finish_ns = <int64_t *>calloc(t.n_places + 1, sizeof(int64_t))
    m.asks = Claims(<Claim *>calloc(2 * t.n_places, sizeof(Claim)), 0, 0)
    m.n_running_on = <int *>calloc(t.n_accelerators, sizeof(int))
    m.is_capped = m.is_short = False
    if m.running == NULL or m.finish_ns == NULL or m.asks.items == NULL or m.n_running_on == NULL:
        with gil:
            raise MemoryError(f"no memory for {t.n_places} tiles")
    m.l2_demands = Claims(m.asks.items + t.n_places, 0, 0)
    for place in range(t.n_places):
        m.running[place].job = NO_JOB
        m.finish_ns[place] = NEVER_NS
    return 0


cdef void release(Memory *m) noexcept nogil:
    free(m.running)
    free(m.finish_ns)
    free(m.asks.items)
    free(m.n_running_on)
    m.running = NULL
    m.finish_ns = NULL
    m.asks.items = NULL
    m.n_running_on = NULL


cdef void set_caps(Memory *m, const int *places, const double *caps_bytes_per_ns, int n) noexcept nogil:
    cdef const Running *r
    cdef int i
    cdef bint was_capped = m.is_capped
    cdef double ask
    m.is_capped = was_capped and n < m.n_running
    for i in range(n):
        m.is_capped |= caps_bytes_per_ns[i] < INFINITY
    if not (m.is_capped or was_capped):
        return
    for i in range(n):
        m.running[places[i]].cap_bytes_per_ns = caps_bytes_per_ns[i]
    m.asks.n_ordered = 0
    for i in range(m.asks.n):
        r = &m.running[m.asks.items[i].place]
        ask = r.demand_bytes_per_ns if r.demand_bytes_per_ns < r.cap_bytes_per_ns else r.cap_bytes_per_ns
        m.asks.items[i].bytes_per_ns = ask


cdef inline double sum_of(const Claims *c) noexcept nogil:
    cdef int i
    cdef double total = 0.0
    for i in range(c.n):
        total += c.items[i].bytes_per_ns
    return total


cdef inline void put_in_order(Claims *c) noexcept nogil:
    while c.n_ordered < c.n:
        insert(c.items, c.n_ordered, c.items[c.n_ordered].place, c.items[c.n_ordered].bytes_per_ns)
        c.n_ordered += 1


cdef inline bint is_enough(Claims *c, double bandwidth) noexcept nogil:
    # Whether there is as much as is claimed, in all. If not, the claims are in order. What is answered does not depend on how they came.
    cdef double total = sum_of(c)
    if c.n_ordered < c.n:
        if total < bandwidth * (1.0 - SURE):
            return True
        put_in_order(c)
        if total > bandwidth * (1.0 + SURE):
            return False
        total = sum_of(c)
    return total <= bandwidth


cdef void share_l2(Memory *m) noexcept nogil:
    cdef const Claim *items = m.l2_demands.items
    cdef int i
    cdef int n = m.l2_demands.n
    cdef double factor, left, served, demand
    if is_enough(&m.l2_demands, m.t.l2_bytes_per_ns):
        for i in range(n):
            m.running[items[i].place].l2_ratio = 1.0
        return
    left = m.t.l2_bytes_per_ns
    factor = left / sum_of(&m.l2_demands)
    for i in range(n):
        demand = items[i].bytes_per_ns
        if m.t.is_fair:
            served = min(demand, left / (n - i))
            left -= served
        else:
            served = demand * factor
        m.running[items[i].place].l2_ratio = served / demand


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
    cdef const Claim *asks = m.asks.items
    cdef const Claim *one
    cdef int i
    cdef int n = m.asks.n
    cdef double bandwidth, factor, left, served
    bandwidth = t.peak_bytes_per_ns * t.efficiency[(n if n < t.n_efficiency else t.n_efficiency) - 1]
    m.is_short = not is_enough(&m.asks, bandwidth)
    if not m.is_short:
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
        factor = bandwidth / sum_of(&m.asks)
        for i in range(n):
            one = &asks[i]
            touch(m, one.place, one.bytes_per_ns * factor / running[one.place].demand_bytes_per_ns, now_ns)


cdef void rerate(Memory *m, int64_t now_ns) noexcept nogil:
    cdef int place
    if m.l2_demands.n > 0:
        share_l2(m)
    if m.asks.n > 0:
        share_dram(m, now_ns)
    if m.asks.n < m.n_running:
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
