"""Rows of changed allocations and caps."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from rtsched._core cimport rows
from rtsched._core.rows cimport append
from rtsched._core.types cimport RateRow, Running

cdef enum:
    NOT_GIVEN = -1  # no allocation is negative


cdef int init(Rates *r, const State *s, bint is_kept) except -1 nogil:
    cdef int place
    memset(r, 0, sizeof(Rates))
    rows.init(&r.rows, sizeof(RateRow))
    r.is_kept = is_kept
    if not is_kept:
        return 0
    r.allocation = <double *>calloc(2 * s.t.n_places, sizeof(double))
    if r.allocation == NULL:
        with gil:
            raise MemoryError(f"no memory for the rates of {s.t.n_places} tiles")
    r.cap = r.allocation + s.t.n_places
    for place in range(s.t.n_places):
        r.allocation[place] = NOT_GIVEN
    return 0


cdef void release(Rates *r) noexcept nogil:
    rows.release(&r.rows)
    free(r.allocation)
    memset(r, 0, sizeof(Rates))


cdef RateRow *new_row(Rates *r, const State *s, const Running *layer, int64_t time_ns) except NULL nogil:
    # A row of a layer that has and is given nothing.
    cdef RateRow *row = <RateRow *>append(&r.rows)
    memset(row, 0, sizeof(RateRow))
    row.time_ns, row.tiles, row.cap_bytes_per_ns = time_ns, layer.tiles, INFINITY
    row.job, row.layer, row.accelerator = s.jobs[layer.job].uid, layer.layer, layer.accelerator
    return row


cdef int add_changed(Rates *r, const State *s, NativeRegulator regulator) except -1 nogil:
    cdef int place
    cdef double allocation
    cdef const Running *layer
    cdef RateRow *row
    for place in range(s.t.n_places):
        layer = &s.memory.running[place]
        if layer.job < 0:
            continue
        allocation = layer.rate * layer.demand_bytes_per_ns
        if allocation == r.allocation[place] and layer.cap_bytes_per_ns == r.cap[place]:
            continue
        r.allocation[place], r.cap[place] = allocation, layer.cap_bytes_per_ns
        row = new_row(r, s, layer, s.now_ns)
        row.demand_bytes_per_ns = layer.demand_bytes_per_ns
        row.allocation_bytes_per_ns, row.cap_bytes_per_ns = allocation, layer.cap_bytes_per_ns
        if regulator is not None and layer.cap_bytes_per_ns < INFINITY:
            regulator.counter(s, place, &row.window_cycles, &row.threshold)
    return 0


cdef int add_end(Rates *r, const State *s, int place, int64_t time_ns) except -1 nogil:
    if r.allocation[place] != NOT_GIVEN:
        r.allocation[place] = NOT_GIVEN
        new_row(r, s, &s.memory.running[place], time_ns)
    return 0


cdef object take_rows(Rates *r, const int64_t[::1] row):
    cdef unsigned char[::1] memory
    cdef RateRow *table
    cdef int64_t i
    cdef int64_t n = r.rows.n
    if not r.is_kept:
        return None
    answer = rows.take(&r.rows)
    if n > 0:
        memory = answer
        table = <RateRow *>&memory[0]
        with nogil:
            for i in range(n):
                table[i].job = row[table[i].job]
    return answer
