"""Dysta without its monitor: the same score, with remaining times as they were estimated.

Fan et al., "Sparse-DySta: Sparsity-aware dynamic and static scheduling for sparse multi-DNN workloads", MICRO 2023: `dysta` with g = 1.
"""

from rtsched.policies.dysta cimport LeastScore

from rtsched.policies.roles import Policy


cdef class LeastEstimatedScore(LeastScore):
    """The smallest score first; sparsity does not count."""

    def __cinit__(self, *args, **kwargs):
        self.is_monitored = False
        self.notes = 0


def policy():
    """Return the composition."""
    return Policy(mapper=LeastEstimatedScore(), name="dysta-naive")
