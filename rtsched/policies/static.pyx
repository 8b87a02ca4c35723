"""Static partition: tiles in fixed groups, each job on one group from its first layer to its last; earliest release first.

The baseline that MoCA (Kim et al., HPCA 2023) calls static partitioning: jobs have tiles of their own and share the memory. None is
preempted or moved. Each accelerator is split into `groups` groups, or into as many as it has tiles; tiles that are left over stay
idle. Among the accelerators with a free group a job takes the one on which its model (the largest subnet) is fastest alone.
"""

from cython cimport final
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State
from rtsched._core.types cimport Job

import numpy as np

from rtsched._core.kept import kept_for
from rtsched.errors import InputError
from rtsched.policies.roles import Policy, Setting

QUEUES = ("fcfs", "moca", "edf", "dream")
LATE = ("queue", "last")


GROUPS = Setting("groups", 4, "groups of equal size that the tiles of an accelerator are split into", low=1, high=64)
PATIENCE = Setting("patience", 0.0, "of late=last: times its time alone after which a late job is last no more (ours); 0: no end", low=0.0)


def fastest_group(times_ns):
    """The accelerator on which each task is fastest, from `times_on_groups`."""
    return np.where(times_ns > 0, times_ns, np.iinfo(np.int64).max).argmin(axis=1)


def times_on_groups(problem, sizes):
    """Time of each task's model alone on so many tiles of each accelerator: all layers of its largest subnet.

    Parameters
    ----------
    problem : Problem
    sizes : ndarray of int, shape (n_accelerators,)

    Returns
    -------
    ndarray of int64, shape (n_tasks, n_accelerators)
        In ns; 0 where a layer of any of its subnets cannot run.

    Raises
    ------
    InputError
        No accelerator can run every layer of a task's model.
    """
    times_ns = problem.costs["t_iso_ns"][:, problem.option_first[: problem.n_accelerators] + sizes - 1].astype(np.int64)
    bounds = problem.block_first_layer[problem.subnet_first_block]
    answer = np.zeros((problem.n_tasks, problem.n_accelerators), dtype=np.int64)
    faults = []
    for task, model in enumerate(problem.task_model):
        subnet = problem.model_first_subnet[model]
        first, largest_end, end = bounds[subnet], bounds[subnet + 1], bounds[problem.model_first_subnet[model + 1]]
        able = (times_ns[first:end] > 0).all(axis=0)
        answer[task] = np.where(able, times_ns[first:largest_end].sum(axis=0), 0)
        if not able.any():
            name = problem.model_names[model]
            faults.append(f"task {problem.task_names[task]!r}: no accelerator's group of tiles can run every layer of model {name!r}")
    if faults:
        raise InputError(faults)
    return answer


def groups_of(problem, groups):
    """The groups that tiles are split into, and how long tasks take on them.

    Parameters
    ----------
    problem : Problem
    groups : int
        Of an accelerator, at most.

    Returns
    -------
    n_groups, size : ndarray of intc, shape (n_accelerators,)
        Groups, and tiles of each.
    times_ns : ndarray of int64, shape (n_tasks, n_accelerators)
        From `times_on_groups`.
    alone_ns, first_ns : ndarray of float64, shape (n_tasks,)
        Of the whole job, and of its first layer, where the whole is fastest.

    Raises
    ------
    InputError
        As `times_on_groups`.
    """
    tiles = np.diff(problem.option_first[: problem.n_accelerators + 1]).astype(np.int64)
    n_groups = np.minimum(tiles, groups)
    size = tiles // n_groups
    times_ns = times_on_groups(problem, size)
    where = fastest_group(times_ns)
    first = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet[problem.task_model]]]
    alone_ns = times_ns[np.arange(problem.n_tasks), where].astype(np.float64)
    first_ns = problem.costs["t_iso_ns"][first, problem.option_first[where] + size[where] - 1].astype(np.float64)
    answer = n_groups.astype(np.intc), size.astype(np.intc), times_ns, alone_ns, first_ns
    for array in answer:
        array.setflags(write=False)
    return answer


cdef inline int64_t falling(double score) noexcept nogil:
    # A key that orders scores that are not negative, the largest first: their bits are in the order of their values.
    cdef int64_t bits
    memcpy(&bits, &score, sizeof(double))
    return -bits


cdef class StaticPartition(NativeMapper):
    """The first of a queue, each job on a group of tiles until it ends.

    What stands first in the queue, of a job that has waited since its release and whose model takes T alone on the group on which it is
    fastest::

        fcfs   the earliest release
        moca   the largest priority + waiting / T (MoCA, Algorithm 3)
        edf    the earliest deadline
        dream  the largest min(T / slack, 1) + waiting / time of the first layer, 1 for T / slack once the deadline has passed: what
               is left of MapScore where there is one accelerator (DREAM)

    Equal ones: the earlier release, then the order of the tasks.
    """

    settings = (
        GROUPS,
        Setting("queue", "fcfs", "which waiting job is next", choices=QUEUES),
        Setting("late", "queue", "jobs that would end past their deadline even alone: as the queue says, or last", choices=LATE),
        PATIENCE,
    )

    def __cinit__(self, *args, **kwargs):
        cdef int i
        self.form = FORM_ASSIGN
        self.waits = True
        for i in range(2 * N_KINDS):
            heap.init(&self.waiting[i], False)

    def __dealloc__(self):
        cdef int i
        for i in range(2 * N_KINDS):
            heap.release(&self.waiting[i])

    def __init__(self, **given):
        values = self.take(given)
        self.groups, self.queue = values["groups"], values["queue"]
        self.order = QUEUES.index(self.queue)
        self.late = values["late"]
        self.patience = values["patience"]
        self.is_late_last = self.late == "last"

    cpdef object start(self, object problem):
        cdef StaticPartition run = type(self)(**{one.name: getattr(self, one.name) for one in self.settings})
        run.prepare(problem)
        return run

    cdef int prepare(self, object problem) except -1:
        kept = kept_for(problem, groups_of, self.groups)
        self.n_groups, self.size, self.time_ns, self.alone_ns, self.first_ns = [array.view() for array in kept]
        self.n_free = np.zeros(problem.n_accelerators, dtype=np.intc)
        self.kinds = np.zeros(problem.n_tasks, dtype=np.uint8)
        return 0

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        self.look(s)
        return self.fill(s, dispatches, s.t.n_layers)

    @final
    cdef void look(self, const State *s) noexcept nogil:
        cdef int a
        self.n_left = 0
        for a in range(s.t.n_accelerators):
            self.n_free[a] = min(self.n_groups[a] - s.memory.n_running_on[a], s.n_free[a] // self.size[a])
            self.n_left += self.n_free[a]

    @final
    cdef void count_kinds(self, const State *s, const DispatchList *dispatches) noexcept nogil:
        # Of jobs that run, or are to.
        cdef int place, i, slot
        for i in range(N_KINDS):
            self.n_running[i] = 0
        for place in range(s.t.n_places):
            slot = s.memory.running[place].job
            if slot >= 0:
                self.n_running[self.kinds[s.jobs[slot].task]] += 1
        for i in range(dispatches.n):
            self.n_running[self.kinds[s.jobs[dispatches.items[i].slot].task]] += 1

    @final
    cdef int give(self, const State *s, DispatchList *dispatches, int slot, int accelerator, int n_layers) except -1 nogil:
        add_dispatch(dispatches, slot, accelerator, self.size[accelerator], n_layers)
        self.n_free[accelerator] -= 1
        self.n_left -= 1
        return 0

    @final
    cdef int fill(self, const State *s, DispatchList *dispatches, int n_layers) except -1 nogil:
        cdef const Job *job
        cdef int row, slot, a, i, kind, first
        cdef bint is_ordered = False
        if self.n_left == 0:
            return 0
        self.count_kinds(s, dispatches)
        for kind in range(2 * N_KINDS):
            self.waiting[kind].n = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            job = &s.jobs[slot]
            if self.is_queued(s, job):
                kind = self.kinds[job.task] + (N_KINDS if self.is_lost(s, job) else 0)
                heap.append(&self.waiting[kind], Entry(self.rank(s, job), job.release_ns, job.frame, job.task, slot))
        for kind in range(2 * N_KINDS):
            heap.bring_first(&self.waiting[kind])
        while self.n_left > 0:
            first = 0 if self.waiting[0].n + self.waiting[1].n > 0 else N_KINDS
            if self.waiting[first].n + self.waiting[first + 1].n == 0:
                break
            kind = self.choose(s, &self.waiting[first])
            if self.waiting[first + kind].n == 0:
                kind = 1 - kind
            slot = self.waiting[first + kind].entries[0].handle
            a = self.fastest(s.jobs[slot].task, s.t.n_accelerators)
            if a >= 0:
                self.give(s, dispatches, slot, a, n_layers)
                self.n_running[self.kinds[s.jobs[slot].task]] += 1
            if self.n_left > 0:  # mostly one group is free, and one look enough
                if not is_ordered:
                    for i in range(2 * N_KINDS):
                        heap.put_in_order(&self.waiting[i])
                    is_ordered = True
                heap.pop(&self.waiting[first + kind])
        return 0

    @final
    cdef bint is_lost(self, const State *s, const Job *job) noexcept nogil:
        # Would be late even alone, and comes last for it.
        cdef double alone_ns = self.alone_ns[job.task]
        if not self.is_late_last or s.now_ns + <int64_t>alone_ns <= job.deadline_ns:
            return False
        return self.patience == 0.0 or <double>(s.now_ns - job.release_ns) <= self.patience * alone_ns

    cdef bint is_queued(self, const State *s, const Job *job) noexcept nogil:
        return True

    @final
    cdef int64_t rank(self, const State *s, const Job *job) noexcept nogil:
        cdef double waited_ns = <double>(s.now_ns - job.release_ns)
        cdef double alone_ns = self.alone_ns[job.task]
        cdef double slack_ns
        if self.order == QUEUE_FCFS:
            return job.release_ns
        if self.order == QUEUE_EDF:
            return job.deadline_ns
        if self.order == QUEUE_MOCA:
            return falling(job.priority + waited_ns / alone_ns)
        slack_ns = <double>(job.deadline_ns - s.now_ns)
        return falling((min(alone_ns / slack_ns, 1.0) if slack_ns > 0.0 else 1.0) + waited_ns / self.first_ns[job.task])

    cdef int choose(self, const State *s, const Heap *waiting) noexcept nogil:
        return 0

    @final
    cdef int fastest(self, int task, int n_accelerators) noexcept nogil:
        # The accelerator with a free group on which a task's model is fastest; the first of equals, -1 for none.
        cdef int a
        cdef int best = -1
        for a in range(n_accelerators):
            if self.n_free[a] == 0 or self.time_ns[task, a] == 0:
                continue
            if best < 0 or self.time_ns[task, a] < self.time_ns[task, best]:
                best = a
        return best


def policy():
    """Return the composition."""
    return Policy(mapper=StaticPartition(), name="static")
