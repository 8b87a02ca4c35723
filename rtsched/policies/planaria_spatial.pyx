"""Planaria's shares of tiles: for each job the fewest tiles with which it is in time.

Ghodrati et al., MICRO 2020, section V (`rtsched.policies.planaria` has the reference). When a job has arrived or ended, every job that is
ready or runs is given a number of tiles:

1. Its need m: the fewest tiles on which its estimated remaining time fits its slack.
2. By p / (slack * m) each gets its m where as many are left, else those of the tiles left on which it is fastest. Jobs that would be
   late on any number come last, by release. Where all needs fit together the order does not matter.
3. Tiles that are left go by p / remaining time: each to the job with the largest quotient of that and (tiles so given + 1) among those
   that it makes faster.

A running layer keeps its tiles; its job takes its new number with the next layer, and counts with that number. So a job starts with
those of its tiles that are free, and one without any waits, even beside a free tile that a running job is to grow by. Another number of
tiles than before counts with the platform's `regroup_ns`. The paper has one array; the choice among several accelerators is ours: where
fewer tiles are enough, then where the job ends first.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.roles cimport FORM_ASSIGN, NOTE_JOB_END, NOTE_RELEASE, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State, latency_ns
from rtsched._core.types cimport NO_JOB, Job, Running

import numpy as np

from rtsched.policies.roles import Setting
from rtsched.problem import expected_after

PRIORITY_OFFSET = Setting("priority_offset", 1.0, "added to a job's priority (reconstruction)", low=0.0, high=1e6)


cdef struct Share:
    # One job while tiles are shared out.
    int slot
    int layer  # that runs, or else the next
    int64_t rest_ns  # of the running layer as estimated; -1: it is ready
    int accelerator
    int n_tiles  # 0: it waits
    int n_spare  # of them beyond its need
    double weight  # p / remaining time


cdef struct Target:
    # What the job in a slot is to have from its next layer on.
    int accelerator
    int n_tiles
    int rank


cdef inline int64_t as_key(double value) noexcept nogil:
    # Integers in the order of the values, which must not be below 0: their bits.
    cdef int64_t key
    memcpy(&key, &value, sizeof(double))
    return key


def times_on_options(problem):
    """Expected time that a job would have left on one option: an accelerator with a number of tiles.

    Later blocks count by their probability, as in `Problem.togo_mean_ns`; layers that cannot run on the option with their fastest one.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    togo_ns, after_ns : ndarray of int64, shape (n_layers, n_options)
        From the start of each layer on, and after it.
    """
    time_ns = problem.costs["t_iso_ns"].astype(np.float64)
    fastest_ns = np.where(time_ns > 0, time_ns, np.inf).min(axis=1, keepdims=True)
    time_ns = np.where(time_ns > 0, time_ns, fastest_ns)
    after_ns = expected_after(vars(problem), time_ns)
    return tuple(np.floor(one + 0.5).astype(np.int64) for one in (time_ns + after_ns, after_ns))


cdef class SpatialShares(NativeMapper):
    """To each job the fewest tiles with which it is in time, and those that are left by priority over remaining time."""

    settings = (PRIORITY_OFFSET,)

    cdef readonly double priority_offset
    cdef bint is_stale  # a job has arrived or ended since tiles were shared out
    cdef Heap order  # of shares, then of ready jobs
    cdef Share *shares  # [n_shares], then in order of rank
    cdef Share *unranked
    cdef int n_shares, capacity
    cdef Target *targets  # [slot]
    cdef int n_targets
    cdef int[::1] left  # [accelerator]: tiles that nobody was given yet
    cdef const int64_t[:, ::1] togo_ns  # [layer, option]
    cdef const int64_t[:, ::1] after_ns

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_ASSIGN
        self.waits = True
        self.notes = NOTE_RELEASE | NOTE_JOB_END
        heap.init(&self.order, False)

    def __dealloc__(self):
        heap.release(&self.order)
        free(self.shares)
        free(self.unranked)
        free(self.targets)

    def __init__(self, **given):
        self.priority_offset = self.take(given)["priority_offset"]

    cpdef object start(self, object problem):
        cdef SpatialShares run = SpatialShares(priority_offset=self.priority_offset)
        run.is_stale = True
        run.left = np.zeros(problem.n_accelerators, dtype=np.int32)
        run.togo_ns, run.after_ns = times_on_options(problem)
        return run

    cdef int on_release(self, const State *s, int slot) except -1 nogil:
        self.is_stale = True
        return 0

    cdef int on_job_end(self, const State *s, int slot, int status) except -1 nogil:
        self.is_stale = True
        return 0

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        cdef const Target *target
        cdef int row, slot, a, n_tiles
        if self.is_stale or self.is_stuck(s):
            self.share_out(s)
        self.order.n = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            if self.targets[slot].n_tiles > 0:
                heap.push(&self.order, Entry(self.targets[slot].rank, 0, 0, 0, slot))
        for a in range(s.t.n_accelerators):
            self.left[a] = s.n_free[a]
        while self.order.n > 0:
            slot = heap.pop(&self.order).handle
            target = &self.targets[slot]
            n_tiles = target.n_tiles
            if n_tiles > self.left[target.accelerator]:
                n_tiles = self.fastest(s, s.jobs[slot].layer, target.accelerator, self.left[target.accelerator])
            if n_tiles > 0:
                add_dispatch(dispatches, slot, target.accelerator, n_tiles, 1)
                self.left[target.accelerator] -= n_tiles
        return 0

    cdef bint is_stuck(self, const State *s) noexcept nogil:
        # Whether a ready job has come to a layer that cannot run where it is meant to.
        cdef const Target *target
        cdef int row
        for row in range(s.n_ready):
            target = &self.targets[s.ready[row]]
            if target.n_tiles > 0 and latency_ns(s, s.jobs[s.ready[row]].layer, target.accelerator, target.n_tiles) == 0:
                return True
        return False

    cdef int fastest(self, const State *s, int layer, int accelerator, int most) noexcept nogil:
        # The number of tiles, at most so many, on which a layer is fastest; the fewest of equals, 0 for none.
        cdef int n
        cdef int best = 0
        cdef int64_t time_ns
        cdef int64_t best_ns = 0
        for n in range(1, most + 1):
            time_ns = latency_ns(s, layer, accelerator, n)
            if time_ns > 0 and (best == 0 or time_ns < best_ns):
                best, best_ns = n, time_ns
        return best

    cdef int share_out(self, const State *s) except -1 nogil:
        cdef int a, i
        self.is_stale = False
        self.reserve(s)
        self.list_jobs(s)
        self.rank(s)
        for a in range(s.t.n_accelerators):
            self.left[a] = s.t.accelerator_tiles[a]
        for i in range(self.n_shares):
            self.shares[i] = self.unranked[heap.pop(&self.order).handle]
            self.give_need(s, &self.shares[i])
        for a in range(s.t.n_accelerators):
            while self.left[a] > 0 and self.give_spare(s, a):
                pass
        for i in range(self.n_shares):
            self.targets[self.shares[i].slot] = Target(self.shares[i].accelerator, self.shares[i].n_tiles, i)
        return 0

    cdef int reserve(self, const State *s) except -1 nogil:
        cdef int n = s.n_ready + s.memory.n_running
        if n > self.capacity:
            self.shares = <Share *>self.larger(self.shares, 2 * n, sizeof(Share))
            self.unranked = <Share *>self.larger(self.unranked, 2 * n, sizeof(Share))
            self.capacity = 2 * n
        if s.n_slots > self.n_targets:
            self.targets = <Target *>self.larger(self.targets, s.n_slots, sizeof(Target))
            self.n_targets = s.n_slots
        return 0

    cdef void *larger(self, void *items, int n, size_t size) except NULL nogil:
        cdef void *moved = realloc(items, n * size)
        if moved == NULL:
            with gil:
                raise MemoryError(f"no memory for {n} jobs")
        return moved

    cdef void list_jobs(self, const State *s) noexcept nogil:
        cdef const Running *running
        cdef int row, place
        self.n_shares = 0
        for row in range(s.n_ready):
            self.unranked[self.n_shares] = Share(s.ready[row], s.jobs[s.ready[row]].layer, -1, -1, 0, 0, 0.0)
            self.n_shares += 1
        for place in range(s.t.n_places):
            running = &s.memory.running[place]
            if running.job != NO_JOB:
                self.unranked[self.n_shares] = Share(
                    running.job, running.layer, max(0, running.estimate_ns - (s.now_ns - running.start_ns)), -1, 0, 0, 0.0
                )
                self.n_shares += 1

    cdef int rank(self, const State *s) except -1 nogil:
        # Put the shares in order: by falling p / (slack * need), then those that nothing makes in time.
        cdef const Job *job
        cdef int i, n_tiles
        cdef int64_t key
        self.order.n = 0
        for i in range(self.n_shares):
            job = &s.jobs[self.unranked[i].slot]
            n_tiles = self.need(s, &self.unranked[i])
            key = 1
            if n_tiles > 0:
                key = -as_key((job.priority + self.priority_offset) / (<double>(job.deadline_ns - s.now_ns) * n_tiles))
            heap.push(&self.order, Entry(key, job.release_ns, job.frame, job.task, i))
        return 0

    cdef int64_t remaining_ns(self, const State *s, const Share *share, int accelerator, int n_tiles) noexcept nogil:
        # Estimated time to the job's end with so many tiles from its next layer on; -1 where that layer cannot run there.
        cdef const Job *job = &s.jobs[share.slot]
        cdef int option = s.t.option_first[accelerator] + n_tiles - 1
        cdef int64_t time_ns
        if share.rest_ns >= 0:
            time_ns = share.rest_ns + self.after_ns[share.layer, option]
        elif latency_ns(s, share.layer, accelerator, n_tiles) == 0:
            return -1
        else:
            time_ns = self.togo_ns[share.layer, option]
        if job.start_ns >= 0 and job.n_tiles != n_tiles:
            time_ns += s.t.regroup_ns
        return time_ns

    cdef int fewest(self, const State *s, const Share *share, int accelerator, int most) noexcept nogil:
        # The fewest tiles, at most so many, with which the job is in time; 0 for none.
        cdef int64_t slack_ns = s.jobs[share.slot].deadline_ns - s.now_ns
        cdef int64_t time_ns
        cdef int n
        if slack_ns <= 0:
            return 0
        for n in range(1, most + 1):
            time_ns = self.remaining_ns(s, share, accelerator, n)
            if 0 <= time_ns <= slack_ns:
                return n
        return 0

    cdef int need(self, const State *s, const Share *share) noexcept nogil:
        cdef int a, n
        cdef int least = 0
        for a in range(s.t.n_accelerators):
            n = self.fewest(s, share, a, s.t.accelerator_tiles[a])
            if n > 0 and (least == 0 or n < least):
                least = n
        return least

    cdef void give_need(self, const State *s, Share *share) noexcept nogil:
        # What the job needs of the tiles that are left; else those on which it ends first.
        cdef int a, n
        cdef int64_t best_ns = 0
        for a in range(s.t.n_accelerators):
            n = self.fewest(s, share, a, self.left[a])
            if n > 0 and (share.n_tiles == 0 or n <= share.n_tiles):
                self.compare(s, share, a, n, n < share.n_tiles, &best_ns)
        if share.n_tiles == 0:
            for a in range(s.t.n_accelerators):
                for n in range(1, self.left[a] + 1):
                    self.compare(s, share, a, n, False, &best_ns)
        if share.n_tiles > 0:
            self.left[share.accelerator] -= share.n_tiles
            share.weight = (s.jobs[share.slot].priority + self.priority_offset) / <double>max(1, best_ns)

    cdef void compare(self, const State *s, Share *share, int accelerator, int n_tiles, bint is_best, int64_t *best_ns) noexcept nogil:
        # Take an option if the job ends earlier there than on the one it has. Of equals: where it was, then the first.
        cdef int last = s.jobs[share.slot].accelerator
        cdef int64_t time_ns = self.remaining_ns(s, share, accelerator, n_tiles)
        if time_ns < 0:
            return
        if is_best or share.n_tiles == 0 or time_ns < best_ns[0] or (
            time_ns == best_ns[0] and accelerator == last and share.accelerator != last
        ):
            share.accelerator, share.n_tiles, best_ns[0] = accelerator, n_tiles, time_ns

    cdef bint give_spare(self, const State *s, int accelerator) noexcept nogil:
        # Give tiles that are left to the job whose turn it is; whether there was one.
        cdef Share *share
        cdef Share *best = NULL
        cdef int i, n_tiles
        cdef int n_more = 0
        for i in range(self.n_shares):
            share = &self.shares[i]
            if share.n_tiles == 0 or share.accelerator != accelerator:
                continue
            if best != NULL and share.weight / (share.n_spare + 1) <= best.weight / (best.n_spare + 1):
                continue
            n_tiles = self.step(s, share)
            if n_tiles > 0:
                best, n_more = share, n_tiles
        if best == NULL:
            return False
        best.n_tiles += n_more
        best.n_spare += n_more
        self.left[accelerator] -= n_more
        return True

    cdef int step(self, const State *s, const Share *share) noexcept nogil:
        # How many more of the tiles left make a job faster, at least; 0 if none do.
        cdef int64_t now_ns = self.remaining_ns(s, share, share.accelerator, share.n_tiles)
        cdef int64_t time_ns
        cdef int n
        for n in range(1, self.left[share.accelerator] + 1):
            time_ns = self.remaining_ns(s, share, share.accelerator, share.n_tiles + n)
            if 0 <= time_ns < now_ns:
                return n
        return 0
