"""What every layer in execution is given of the DRAM's bandwidth, row by row as it changes; kept on demand."""

from libc.stdint cimport int64_t

from rtsched._core.roles cimport NativeRegulator
from rtsched._core.rows cimport Rows
from rtsched._core.state cimport State


cdef struct Rates:
    Rows rows  # RateRows in the order of time, then of what is said below
    double *allocation  # [place]: of the last row of the layer that runs there; -1 before its first one. NULL when nothing is kept
    double *cap  # [place]: likewise
    bint is_kept


cdef int init(Rates *r, const State *s, bint is_kept) except -1 nogil
cdef void release(Rates *r) noexcept nogil
# After a sharing: a row for every running layer whose allocation or cap is another one, ascending by place. The regulator,
# which may be None, is asked for the counters of layers that have a cap.
cdef int add_changed(Rates *r, const State *s, NativeRegulator regulator) except -1 nogil
# The layer at `place` ends at time_ns, or is cut there: its last row, where all is 0. None if it was never given anything.
cdef int add_end(Rates *r, const State *s, int place, int64_t time_ns) except -1 nogil
# Hand over the rows: their bytes, to be seen as rtsched.outcome.RATE_DTYPE; None when they were not kept. `row`: which row of the jobs
# each uid has. Once.
cdef object take_rows(Rates *r, const int64_t[::1] row)
