"""MoCA's scheduler: jobs on groups of tiles by priority and waiting, those that need much bandwidth beside those that do not.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, Algorithm 3.
"""

from rtsched._core.heap cimport Heap, before
from rtsched._core.state cimport State
from rtsched._core.types cimport Running
from rtsched.policies.static cimport N_KINDS, StaticPartition

import numpy as np

from rtsched.policies.roles import Setting
from rtsched.policies.static import GROUPS, LATE, QUEUES, fastest_group

cdef enum:
    LIGHT = 0
    HEAVY = 1  # memory-intensive


cdef class MocaScheduler(StaticPartition):
    """Groups of tiles as in the static partition, filled in the order of a queue, with a look at the memory.

    A job is memory-intensive if its average demand, the bytes of all its layers over its time alone on its group, exceeds
    `memory_share` of the DRAM bandwidth. With `mix`, while a memory-intensive job is running the first of the others is next; while only
    others are running, the first memory-intensive one; where that kind does not wait, the first of the other. None is preempted.

    By its description MoCA's scheduler looks at latency targets; its published score does not. `late=last` is how we read that: jobs that
    would miss their deadline even alone wait until no other does; `mix` then chooses among the others first.
    """

    settings = (
        GROUPS,
        Setting("queue", "moca", "which waiting job is next", choices=QUEUES),
        Setting("late", "last", "jobs that would end past their deadline even alone: as the queue says, or last (assumed)", choices=LATE),
        Setting("mix", True, "run memory-intensive jobs beside others"),
        Setting("memory_share", 0.5, "part of the DRAM bandwidth above which a job is memory-intensive", low=0.0, high=1.0),
    )

    cdef readonly bint mix
    cdef readonly double memory_share
    cdef unsigned char[::1] is_heavy  # [task]
    cdef int n_running[N_KINDS]  # jobs on tiles; scratch of `assign`

    def __init__(self, **given):
        values = self.take(given)
        StaticPartition.__init__(self, **values)
        self.mix, self.memory_share = values["mix"], values["memory_share"]

    cdef int prepare(self, object problem) except -1:
        StaticPartition.prepare(self, problem)
        demand = average_demand(problem, np.asarray(self.time_ns), np.asarray(self.size))
        self.is_heavy = (demand > self.memory_share * problem.peak_bytes_per_ns).astype(np.uint8)
        return 0

    cdef int kind(self, int task) noexcept nogil:
        return HEAVY if self.mix and self.is_heavy[task] else LIGHT

    cdef void begin(self, const State *s) noexcept nogil:
        cdef const Running *r
        cdef int place
        self.n_running[LIGHT] = self.n_running[HEAVY] = 0
        for place in range(s.t.n_places):
            r = &s.memory.running[place]
            if r.job >= 0:
                self.n_running[self.kind(s.jobs[r.job].task)] += 1

    cdef void placed(self, int kind) noexcept nogil:
        self.n_running[kind] += 1

    cdef int choose(self, const State *s, const Heap *waiting) noexcept nogil:
        if self.n_running[HEAVY] > 0:
            return LIGHT
        if self.n_running[LIGHT] > 0:
            return HEAVY
        if waiting[LIGHT].n == 0 or waiting[HEAVY].n == 0:
            return LIGHT
        return LIGHT if before(&waiting[LIGHT].entries[0], &waiting[HEAVY].entries[0]) else HEAVY


def average_demand(problem, times_ns, sizes):
    """DRAM bytes of all layers over the time alone, of each task's largest subnet on the group on which it is fastest.

    Parameters
    ----------
    problem : Problem
    times_ns : ndarray of int64, shape (n_tasks, n_accelerators)
        Of the whole; 0 where it cannot run.
    sizes : ndarray of int64, shape (n_accelerators,)
        Tiles of a group.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        Bytes per ns.
    """
    where = fastest_group(times_ns)
    bounds = problem.block_first_layer[problem.subnet_first_block]
    subnet = problem.model_first_subnet[problem.task_model]
    options = problem.option_first[where] + sizes[where] - 1
    moved = [problem.costs["dram_bytes"][bounds[i] : bounds[i + 1], option].sum() for i, option in zip(subnet, options, strict=True)]
    return np.array(moved, dtype=np.float64) / times_ns[np.arange(problem.n_tasks), where]
