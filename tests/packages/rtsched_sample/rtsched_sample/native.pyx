"""The policy in Cython, compiled against the declarations that rtsched installs."""

from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State
from rtsched._core.types cimport Job

import rtsched


cdef class MostLayers(NativeMapper):
    """Most layers left first."""

    settings = (rtsched.Setting("priority_layers", 1.5, "layers that a step of priority counts as", low=0.0),)

    cdef readonly double priority_layers

    def __init__(self, **given):
        self.priority_layers = self.take(given)["priority_layers"]

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef const Job *job
        cdef int row, subnet, end_layer
        for row in range(s.n_ready):
            job = &s.jobs[s.ready[row]]
            subnet = s.t.model_first_subnet[s.t.task_model[job.task]] + (job.subnet if job.subnet > 0 else 0)
            end_layer = s.t.block_first_layer[s.t.subnet_first_block[subnet + 1]]
            out[row] = (end_layer - job.layer) + self.priority_layers * job.priority
        return 0


def policy():
    """Most layers left first, on the free accelerator with the smallest estimated latency; compiled.

    Of a dynamic network all layers count, those of the largest subnet until one is chosen.
    """
    return rtsched.Policy(mapper=MostLayers())
