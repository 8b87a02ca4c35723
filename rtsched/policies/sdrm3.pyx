"""SDRM3: the most urgent and most starved first, on the free accelerator with the smallest estimated latency.

Kim et al., "SDRM3: A dynamic scheduler for dynamic real-time multi-model ML workloads", arXiv 2212.03414v1, 2022, the first version of
DREAM (ASPLOS 2023): MapScore = Urgency + alpha * Starvation, without the terms of accelerators and energy. Urgency is the expected
remaining time over the slack, at most 1; below 0 when the deadline has passed, so that late jobs lose. Starvation is the time
since the job was last served over the estimated time of its next layer, a mean over accelerators.

`late: replay` follows the implementation that was published with Dysta (Fan et al., MICRO 2023), whose search for the largest score
does not hold on to a negative one: among jobs that all score below 0 the one that was released last goes first.
"""

from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State, mean_latency_ns, togo
from rtsched._core.types cimport Job

from rtsched.policies.roles import Policy, Setting

LATE = ("negative", "replay")


cdef class MapScore(NativeMapper):
    """The largest sum of urgency and starvation first."""

    settings = (
        Setting("alpha", 1.0, "weight of starvation", low=0.0, high=1e6),
        Setting("late", "negative", "among negative scores: the largest first; replay: the one that was released last", choices=LATE),
    )

    cdef readonly double alpha
    cdef readonly str late
    cdef bint is_replay

    def __init__(self, **given):
        values = self.take(given)
        self.alpha, self.late = values["alpha"], values["late"]
        self.is_replay = self.late == "replay"

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef const Job *job
        cdef int row
        cdef double slack_ns, next_ns
        for row in range(s.n_ready):
            job = &s.jobs[s.ready[row]]
            slack_ns = <double>(job.deadline_ns - s.now_ns)
            if slack_ns == 0.0:
                slack_ns = -1.0
            out[row] = <double>togo(s, s.t.togo_mean_ns, job.layer, self.estimate_tiles) / slack_ns
            if out[row] > 1.0:
                out[row] = 1.0
            next_ns = mean_latency_ns(s, job.layer, 1)
            if next_ns > 0.0:
                out[row] += self.alpha * (<double>(s.now_ns - job.last_end_ns) / next_ns)
            if self.is_replay and out[row] < 0.0:
                out[row] = <double>(job.release_ns - s.now_ns - 1)  # below 0, and the later the larger
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=MapScore(), name="sdrm3")
