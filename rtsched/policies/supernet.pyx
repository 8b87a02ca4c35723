"""Supernet switching, DREAM's selector: under load, a frame runs a lighter subnet of its model.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023. The paper's abstract tells what it
is for; its rule here is a reconstruction.
"""

from libc.stdint cimport int64_t

from rtsched._core.roles cimport NativeSelector
from rtsched._core.state cimport State, remaining_ns, togo
from rtsched._core.types cimport NO_JOB, Job, Running

from rtsched.policies.roles import Setting


cdef class SupernetSwitch(NativeSelector):
    """The first subnet, from the largest on, that fits the slack beside what else is to be done; the last one if none does.

    It fits if its MinToGo + `backlog_weight` * Backlog / tiles <= Slack. MinToGo is the expected time of all its layers, each on the
    fastest accelerator; Backlog the sum of MinToGo over the other ready and running jobs; tiles those of all accelerators (one
    each, unless they are tiled). Decided before a job's first layer, for good.

    With `backlog_weight` 1 the others' work is spread evenly over all accelerators. But they differ, and what goes first is not only
    this job's share: on DREAM's scenarios UXCost falls until 3, as `rtsched reproduce dream` shows, and with it the accuracy.
    """

    settings = (
        Setting(
            "backlog_weight",
            3.0,
            "part of its share of the other jobs' work that a subnet leaves room for (reconstruction)",
            low=0.0,
            high=1e6,
        ),
    )

    cdef readonly double backlog_weight

    def __init__(self, **given):
        self.backlog_weight = self.take(given)["backlog_weight"]

    cdef int select(self, const State *s, int slot) except -1 nogil:
        cdef const Job *job = &s.jobs[slot]
        cdef int model = s.t.task_model[job.task]
        cdef int first = s.t.model_first_subnet[model]
        cdef int n = s.t.model_first_subnet[model + 1] - first
        cdef double room_ns = <double>(job.deadline_ns - s.now_ns)
        cdef int subnet
        room_ns -= self.backlog_weight * (<double>backlog_ns(s, slot) / <double>s.t.n_places)
        for subnet in range(n - 1):
            if <double>togo(s, s.t.togo_min_ns, s.t.block_first_layer[s.t.subnet_first_block[first + subnet]], 1) <= room_ns:
                return subnet
        return n - 1


cdef int64_t backlog_ns(const State *s, int slot) noexcept nogil:
    # MinToGo of all ready and running jobs but one.
    cdef const Running *r
    cdef int64_t total_ns = 0
    cdef int row, place
    for row in range(s.n_ready):
        if s.ready[row] != slot:
            total_ns += togo(s, s.t.togo_min_ns, s.jobs[s.ready[row]].layer, 1)
    for place in range(s.t.n_places):
        r = &s.memory.running[place]
        if r.job != NO_JOB:
            total_ns += remaining_ns(s, r) + togo(s, s.t.after_min_ns, r.layer, r.n_tiles)
    return total_ns
