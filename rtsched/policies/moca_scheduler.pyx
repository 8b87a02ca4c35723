"""MoCA's scheduler: jobs on groups of tiles by priority and waiting, those that need much bandwidth beside those that do not.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, Algorithm 3.
"""

from cython cimport final
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, realloc

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap, before
from rtsched._core.roles cimport Dispatch, DispatchList
from rtsched._core.state cimport State, latency_ns
from rtsched._core.types cimport NEVER_NS, Job
from rtsched.policies.static cimport StaticPartition

import numpy as np

from rtsched._core.kept import kept_for
from rtsched.policies.roles import Setting
from rtsched.policies.static import GROUPS, LATE, PATIENCE, QUEUES, fastest_group, groups_of
from rtsched.workload.scenario import MAX_PRIORITY

IDLE = ("leave", "take")

NO_EXPRESS = MAX_PRIORITY + 1

cdef enum:
    LIGHT = 0
    HEAVY = 1  # memory-intensive


@final
cdef class MocaScheduler(StaticPartition):
    """Groups of tiles as in the static partition, filled in the order of a queue, with a look at the memory.

    A job is memory-intensive if its average demand, the bytes of all its layers over its time alone on its group, exceeds
    `memory_share` of the DRAM bandwidth. With `mix`, while a memory-intensive job is running the first of the others is next; while only
    others are running, the first memory-intensive one; where that kind does not wait, the first of the other.

    By its description MoCA's scheduler looks at latency targets; its published score does not. `late=last` is how we read that: jobs that
    would miss their deadline even alone wait until no other does; `mix` then chooses among the others first. Such a job may wait
    without end while others keep coming; with `patience` (ours) it is last only until it has waited so many times its time alone.

    Published MoCA runs a job on its group from its first layer to its last. Two settings of our own look again when a layer ends.
    From priority `express` on, a job that can be in time waits for neither the queue nor `mix`: it takes the first group on which a layer
    of a job below that priority ends, and that job goes on with the next free group of its accelerator. With `idle=take` tiles that
    make no group, or that no job waits for, run the next layer of the job of highest priority that begins one at that instant, as many
    as make it faster. Among those that go on, and among those that are ahead, equal ones go in the order of the tasks. With
    `express=12` and `idle=leave` none is preempted.
    """

    settings = (
        GROUPS,
        Setting("queue", "moca", "which waiting job is next", choices=QUEUES),
        Setting("late", "last", "jobs that would end past their deadline even alone: as the queue says, or last (assumed)", choices=LATE),
        PATIENCE,
        Setting("mix", True, "run memory-intensive jobs beside others"),
        Setting("express", 9, "priority from which a job waits for a layer's end only (ours); 12: none", low=0, high=NO_EXPRESS),
        Setting("idle", "take", "tiles of no group, or that nobody waits for: left idle, or taken for one layer (ours)", choices=IDLE),
        Setting("memory_share", 0.5, "part of the DRAM bandwidth above which a job is memory-intensive", low=0.0, high=1.0),
    )

    cdef readonly bint mix
    cdef readonly int express
    cdef readonly str idle
    cdef readonly double memory_share
    cdef bint is_taking
    cdef bint is_whole  # a job is dispatched once, with all of its layers
    # Slots that may hold a ready job that has begun, or one that waits for a layer's end only; the list is swept in every decision.
    cdef int *apart
    cdef int n_apart
    cdef int32_t *uid_apart  # [slot]: that job's uid; -1 for slots that are not in the list
    cdef int capacity  # of both
    cdef Heap ahead  # jobs that wait for a layer's end only; scratch of `assign`, like the next
    cdef Heap begun  # the others of which a layer has run

    def __cinit__(self, *args, **kwargs):
        heap.init(&self.ahead, False)
        heap.init(&self.begun, False)

    def __dealloc__(self):
        heap.release(&self.ahead)
        heap.release(&self.begun)
        free(self.apart)
        free(self.uid_apart)

    def __init__(self, **given):
        values = self.take(given)
        StaticPartition.__init__(self, **{one.name: values[one.name] for one in StaticPartition.settings})
        self.mix, self.memory_share = values["mix"], values["memory_share"]
        self.express, self.idle = values["express"], values["idle"]
        self.is_taking = self.idle == "take"
        self.is_whole = self.express == NO_EXPRESS and not self.is_taking
        self.keeps_rows = not self.is_whole

    cdef int prepare(self, object problem) except -1:
        StaticPartition.prepare(self, problem)
        if self.mix:
            demand = kept_for(problem, average_demand, self.groups)
            self.kinds = np.where(demand > self.memory_share * problem.peak_bytes_per_ns, HEAVY, LIGHT).astype(np.uint8)
        return 0

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        if self.is_whole:
            return StaticPartition.assign(self, s, dispatches)
        self.set_apart(s)
        self.look(s)
        if self.n_left > 0:
            self.sweep(s)
            if self.n_apart == 1 and self.patience == 0.0:  # mostly: the one whose layer has just ended
                if self.go_on(s, dispatches, self.apart[0]):
                    self.uid_apart[self.apart[0]] = -1
                    self.n_apart = 0
            elif self.n_apart > 0:
                self.line_up(s)
                while self.ahead.n > 0 and self.n_left > 0:
                    self.go_on(s, dispatches, heap.pop(&self.ahead).handle)
                while self.begun.n > 0 and self.n_left > 0:
                    self.go_on(s, dispatches, heap.pop(&self.begun).handle)
            self.fill(s, dispatches, 1)
            if self.is_taking:
                self.take_idle(s, dispatches)
        return 0

    cdef int set_apart(self, const State *s) except -1 nogil:
        # Look at the jobs that became ready since the last decision.
        cdef int i
        if self.capacity < s.n_slots:
            self.reserve(s.n_slots)
        elif s.n_new_rows <= s.n_slots:
            for i in range(s.n_new_rows):
                if s.new_rows[i] < s.n_ready:
                    self.add_apart(s, s.ready[s.new_rows[i]])
            return 0
        for i in range(s.n_ready):
            self.add_apart(s, s.ready[i])
        return 0

    cdef int reserve(self, int n) except -1 nogil:
        cdef void *apart = realloc(self.apart, n * sizeof(int))
        if apart != NULL:
            self.apart = <int *>apart
        cdef void *uids = realloc(self.uid_apart, n * sizeof(int32_t))
        if uids != NULL:
            self.uid_apart = <int32_t *>uids
        if apart == NULL or uids == NULL:
            with gil:
                raise MemoryError(f"no memory for {n} jobs")
        while self.capacity < n:
            self.uid_apart[self.capacity] = -1
            self.capacity += 1
        return 0

    cdef void add_apart(self, const State *s, int slot) noexcept nogil:
        cdef const Job *job = &s.jobs[slot]
        if job.start_ns < 0 and job.priority < self.express:
            return
        if self.uid_apart[slot] < 0:
            self.apart[self.n_apart] = slot
            self.n_apart += 1
        self.uid_apart[slot] = job.uid

    cdef void sweep(self, const State *s) noexcept nogil:
        # Forget those that are ready no more, or that wait in the queue.
        cdef const Job *job
        cdef int i, slot
        cdef int n = self.n_apart
        self.n_apart = 0
        for i in range(n):
            slot = self.apart[i]
            job = &s.jobs[slot]
            # A late job waits in the queue, but its patience may end.
            if job.ready_row < 0 or job.uid != self.uid_apart[slot] or (self.patience == 0.0 and self.is_queued(s, job)):
                self.uid_apart[slot] = -1
            else:
                self.apart[self.n_apart] = slot
                self.n_apart += 1

    cdef int line_up(self, const State *s) except -1 nogil:
        cdef const Job *job
        cdef int i, slot
        self.ahead.n = self.begun.n = 0
        for i in range(self.n_apart):
            slot = self.apart[i]
            job = &s.jobs[slot]
            if self.is_queued(s, job):
                continue
            if job.start_ns < 0:
                heap.push(&self.ahead, Entry(1, self.rank(s, job), job.frame, job.task, slot))
            else:
                heap.push(
                    &self.ahead if job.priority >= self.express else &self.begun,
                    Entry(0, self.rank(s, job), job.frame, job.task, slot),
                )
        return 0

    cdef int go_on(self, const State *s, DispatchList *dispatches, int slot) except -1 nogil:
        # Whether a group is free for it.
        cdef int a = s.jobs[slot].accelerator if s.jobs[slot].start_ns >= 0 else self.fastest(s.jobs[slot].task, s.t.n_accelerators)
        if a < 0 or self.n_free[a] == 0:
            return False
        self.give(s, dispatches, slot, a, 1)
        return True

    cdef void take_idle(self, const State *s, DispatchList *dispatches) noexcept nogil:
        cdef int a, i, n_left
        cdef Dispatch *d
        cdef Dispatch *best
        for a in range(s.t.n_accelerators):
            n_left = s.n_free[a]
            best = NULL
            for i in range(dispatches.n):
                d = &dispatches.items[i]
                if d.accelerator == a:
                    n_left -= d.n_tiles
                    if best == NULL or s.jobs[d.slot].priority > s.jobs[best.slot].priority:
                        best = d
            if best != NULL and n_left > 0:
                best.n_tiles = fastest_tiles(s, &s.jobs[best.slot], a, best.n_tiles, best.n_tiles + n_left)

    cdef bint is_queued(self, const State *s, const Job *job) noexcept nogil:
        return self.is_whole or (job.start_ns < 0 and (job.priority < self.express or self.is_lost(s, job)))

    cdef int choose(self, const State *s, const Heap *waiting) noexcept nogil:
        if self.n_running[HEAVY] > 0:
            return LIGHT
        if self.n_running[LIGHT] > 0:
            return HEAVY
        if waiting[LIGHT].n == 0 or waiting[HEAVY].n == 0:
            return LIGHT
        return LIGHT if before(&waiting[LIGHT].entries[0], &waiting[HEAVY].entries[0]) else HEAVY


cdef int fastest_tiles(const State *s, const Job *job, int accelerator, int least, int most) noexcept nogil:
    # The smallest number of tiles that runs a job's next layer fastest, with what it costs to have another number than before. Of a
    # Supernet that is to begin it is not known which layer that is.
    cdef const int32_t *first_subnet = s.t.model_first_subnet + s.t.task_model[job.task]
    cdef int n
    cdef int best = least
    cdef int64_t takes_ns
    cdef int64_t best_ns = NEVER_NS
    if job.subnet < 0 and first_subnet[1] - first_subnet[0] > 1:
        return least
    for n in range(least, most + 1):
        takes_ns = latency_ns(s, job.layer, accelerator, n)
        if takes_ns == 0:
            continue  # cannot run so
        if job.start_ns >= 0 and n != job.n_tiles:
            takes_ns += s.t.regroup_ns
        if takes_ns < best_ns:
            best, best_ns = n, takes_ns
    return best


def average_demand(problem, groups):
    """DRAM bytes of all layers over the time alone, of each task's largest subnet on the group on which it is fastest.

    Parameters
    ----------
    problem : Problem
    groups : int
        Of an accelerator, at most.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Bytes per ns.
    """
    _, sizes, times_ns, alone_ns, _ = kept_for(problem, groups_of, groups)
    where = fastest_group(times_ns)
    bounds = problem.block_first_layer[problem.subnet_first_block]
    subnet = problem.model_first_subnet[problem.task_model]
    options = problem.option_first[where] + sizes[where] - 1
    moved = [problem.costs["dram_bytes"][bounds[i] : bounds[i + 1], option].sum() for i, option in zip(subnet, options, strict=True)]
    demand = np.array(moved, dtype=np.float64) / alone_ns
    demand.setflags(write=False)
    return demand
