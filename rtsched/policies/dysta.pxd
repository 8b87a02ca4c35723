"""Dysta's score, for the two policies that have it."""

from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State


cdef struct Measured:
    # What was monitored of one job.
    double sum  # over its executed layers, of (1 - sparsity) / (1 - average sparsity)
    int n_layers


cdef class LeastScore(NativeMapper):
    cdef readonly double beta
    cdef bint is_monitored  # else the ratio is 1
    cdef Measured *measured  # [slot]
    cdef int n_measured
    cdef int reserve(self, int n_slots) except -1 nogil
    cdef double ratio(self, int slot) noexcept nogil
