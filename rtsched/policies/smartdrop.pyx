"""Smart frame drop, DREAM's dropper: when the system is overloaded, give up a frame that would be late anyway.

Kim et al., "DREAM: A Dynamic Scheduler for Dynamic Real-time Multi-model ML Workloads", ASPLOS 2023. The paper's abstract tells what it
is for; its rules here are a reconstruction.
"""

from libc.stdint cimport INT64_MIN, int64_t

from rtsched._core.roles cimport NativeDropper, RowList, add_row
from rtsched._core.state cimport State, remaining_ns, togo
from rtsched._core.types cimport NO_JOB, Job, Running

import numpy as np

from rtsched.policies.roles import Setting

cdef int64_t LONG_AGO = INT64_MIN // 2  # a frame before all others


cdef class SmartDrop(NativeDropper):
    """At each decision, drop the ready job that is expected to miss its deadline by most, if all of these hold.

    1. MinToGo > Slack: even with each remaining layer on its fastest accelerator it would be late. Of a job whose subnet is still to
       be chosen, MinToGo is the largest one's; with `lightest` the smallest of all, as befits a policy that has a selector.
    2. Another job, ready or running, is expected to be late too.
    3. No task depends on it: it is the last of its chain.
    4. Fewer than `max_drops` of its task's frames were dropped by this rule whose numbers are within `window` of this one's or larger. So
       no `window` frames in a row lose more.

    The job with the largest MinToGo / Slack goes; jobs whose deadline has passed go before all others, the latest first. A job
    that has begun may be dropped between two layers; its energy is spent.
    """

    settings = (
        Setting("max_drops", 2, "frames of a task that may be dropped in a window (reconstruction)", low=1, high=1000),
        Setting("window", 10, "frames of a task in which drops are counted (reconstruction)", unit="frames", low=1, high=10**6),
        Setting("lightest", False, "before its subnet is chosen, a job needs as much as the lightest (reconstruction)"),
    )

    cdef readonly int max_drops
    cdef readonly int64_t window
    cdef readonly bint lightest
    cdef int64_t[:, ::1] dropped  # [task, i]: the largest frames that were dropped, ascending

    def __init__(self, **given):
        values = self.take(given)
        self.max_drops, self.window, self.lightest = values["max_drops"], values["window"], values["lightest"]

    cpdef object start(self, object problem):
        cdef SmartDrop run = type(self)(max_drops=self.max_drops, window=self.window, lightest=self.lightest)
        run.dropped = np.full((problem.n_tasks, self.max_drops), LONG_AGO, dtype=np.int64)
        return run

    cdef int drop(self, const State *s, RowList *rows) except -1 nogil:
        cdef int row, slot
        cdef int worst = -1
        cdef int n_late = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            if s.now_ns + self.need_ns(s, &s.jobs[slot]) <= s.jobs[slot].deadline_ns:
                continue
            n_late += 1
            if self.may_drop(s, &s.jobs[slot]) and (worst < 0 or self.is_later(s, &s.jobs[slot], &s.jobs[worst])):
                worst = slot
        if worst < 0 or (n_late == 1 and not is_any_running_late(s)):
            return 0
        self.note(&s.jobs[worst])
        return add_row(rows, worst)

    cdef bint may_drop(self, const State *s, const Job *job) noexcept nogil:
        if s.t.child_first[job.task + 1] > s.t.child_first[job.task]:
            return False
        return self.dropped[job.task, 0] <= job.frame - self.window

    cdef void note(self, const Job *job) noexcept nogil:
        # `may_drop` holds, so the smallest frame leaves.
        cdef int i = 0
        while i + 1 < self.max_drops and self.dropped[job.task, i + 1] < job.frame:
            self.dropped[job.task, i] = self.dropped[job.task, i + 1]
            i += 1
        self.dropped[job.task, i] = job.frame

    cdef int64_t need_ns(self, const State *s, const Job *job) noexcept nogil:
        # MinToGo of a ready job.
        cdef int first = s.t.model_first_subnet[s.t.task_model[job.task]]
        cdef int end = s.t.model_first_subnet[s.t.task_model[job.task] + 1]
        cdef int64_t least_ns = togo(s, s.t.togo_min_ns, job.layer, 1)
        cdef int subnet
        if self.lightest and job.subnet < 0:
            for subnet in range(first + 1, end):
                least_ns = min(least_ns, togo(s, s.t.togo_min_ns, s.t.block_first_layer[s.t.subnet_first_block[subnet]], 1))
        return least_ns

    cdef bint is_later(self, const State *s, const Job *job, const Job *other) noexcept nogil:
        # Larger MinToGo / Slack; past deadlines first, the latest of them; then the smaller release, task and frame.
        cdef int64_t slack = job.deadline_ns - s.now_ns, other_slack = other.deadline_ns - s.now_ns
        cdef double rank, other_rank
        if slack <= 0 or other_slack <= 0:
            rank, other_rank = -<double>min(slack, 1), -<double>min(other_slack, 1)
        else:
            rank = <double>self.need_ns(s, job) / <double>slack
            other_rank = <double>self.need_ns(s, other) / <double>other_slack
        if rank != other_rank:
            return rank > other_rank
        if job.release_ns != other.release_ns:
            return job.release_ns < other.release_ns
        return job.task < other.task or (job.task == other.task and job.frame < other.frame)


cdef bint is_any_running_late(const State *s) noexcept nogil:
    cdef const Running *r
    cdef int place
    for place in range(s.t.n_places):
        r = &s.memory.running[place]
        if r.job != NO_JOB and s.now_ns + remaining_ns(s, r) + togo(s, s.t.after_min_ns, r.layer, r.n_tiles) > s.jobs[r.job].deadline_ns:
            return True
    return False
