"""Planaria: largest priority over slack first; where there are several tiles, each job has as many as its deadline needs.

Ghodrati et al., "Planaria: Dynamic architecture fission for spatial multi-tenant acceleration of deep neural networks", MICRO 2020, section
V. An accelerator whose array splits gives each job the fewest tiles with which it is in time, and what is over by priority over remaining
time; `rtsched.policies.planaria_spatial` has that rule. Where no accelerator has more than one tile its order alone is left: jobs take
turns by priority over slack, which is how others compare with it (Fan et al., "Sparse-DySta", MICRO 2023).

Departures. Jobs change tiles between layers; Planaria preempts within one. The paper's priorities start at 1, the scenarios' at 0, so
`priority_offset` is added. The paper does not say what becomes of late jobs in the order; `late` has two answers. Where the order is to
share out tiles in time (`mode: temporal` on accelerators with several), a job takes all that are free.
"""

from libc.stdint cimport int64_t

from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State, latency_ns
from rtsched._core.types cimport Job

from rtsched.policies.planaria_spatial import PRIORITY_OFFSET, SpatialShares
from rtsched.policies.roles import Policy, Setting

MODES = ("auto", "temporal", "spatial")
LATE = ("last", "replay")


cdef class Planaria(NativeMapper):
    """Largest priority over slack first; `mode` says whether jobs share the tiles of an accelerator."""

    settings = (
        Setting("mode", "auto", "how jobs share: in time, in tiles, or in tiles if any accelerator has more than one", choices=MODES),
        PRIORITY_OFFSET,
        Setting(
            "late",
            "last",
            "order of late jobs, in time: after all others, the earliest release first; or the newest first, as in the replay data"
            " (reconstruction)",
            choices=LATE,
        ),
    )

    cdef readonly str mode
    cdef readonly double priority_offset
    cdef readonly str late
    cdef bint is_replay

    def __init__(self, **given):
        values = self.take(given)
        self.mode, self.priority_offset, self.late = values["mode"], values["priority_offset"], values["late"]
        self.is_replay = self.late == "replay"
        self.waits = self.mode != "temporal"
        # With `auto` this object decides where all accelerators have one tile.
        self.has_tiles = self.is_rescored = self.mode == "temporal"

    cpdef object start(self, object problem):
        if self.mode == "temporal" or self.mode == "auto" and problem.accelerator_tiles.max() == 1:
            return self
        return SpatialShares(priority_offset=self.priority_offset).start(problem)

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int row
        for row in range(s.n_ready):
            out[row] = self.urgency(&s.jobs[s.ready[row]], s.now_ns)
        return 0

    cdef double urgency(self, const Job *job, int64_t now_ns) noexcept nogil:
        # Late jobs are below 0, in whole numbers that double holds exactly up to 104 days.
        cdef double priority = job.priority + self.priority_offset
        cdef int64_t slack_ns = job.deadline_ns - now_ns
        if slack_ns > 0:
            return priority / <double>slack_ns
        if not self.is_replay:
            return -1.0 - <double>job.release_ns
        # The replayed scheduler goes through the jobs by arrival and keeps the largest p / slack, but gives up one below 0 for the next
        # whatever that has: with nobody in time the newest is left. It knows no slack of exactly 0, which counts as 1 ns here.
        if slack_ns == 0:
            return priority
        return 0.0 if priority == 0.0 else <double>job.release_ns - 9007199254740992.0

    cdef int tiles(self, const State *s, int slot, int accelerator) except -1 nogil:
        # As many of the free ones as the layer can run on.
        cdef int n_tiles = s.n_free[accelerator]
        while n_tiles > 1 and latency_ns(s, s.jobs[slot].layer, accelerator, n_tiles) == 0:
            n_tiles -= 1
        return n_tiles


def policy():
    """Return the composition."""
    return Policy(mapper=Planaria(), name="planaria")
