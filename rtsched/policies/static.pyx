"""Static partition: tiles in fixed groups, each job on one group from its first layer to its last; earliest release first.

The baseline that MoCA (Kim et al., HPCA 2023) calls static partitioning: jobs have tiles of their own and share the memory. None is
preempted or moved. Each accelerator is split into `groups` groups, or into as many as it has tiles; tiles that are left over stay
idle. Among the accelerators with a free group a job takes the one on which its model (the largest subnet) is fastest alone.
"""

from libc.stdint cimport int64_t

from rtsched._core cimport heap
from rtsched._core.heap cimport Entry, Heap
from rtsched._core.roles cimport FORM_ASSIGN, DispatchList, NativeMapper, add_dispatch
from rtsched._core.state cimport State
from rtsched._core.types cimport Job

import numpy as np

from rtsched.errors import InputError
from rtsched.policies.roles import Policy, Setting


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


cdef class StaticPartition(NativeMapper):
    """Earliest release first, each job on a group of tiles until it ends."""

    settings = (Setting("groups", 4, "groups of equal size that the tiles of an accelerator are split into", low=1, high=64),)

    cdef readonly int groups
    cdef Heap jobs  # by release
    cdef int64_t[::1] size  # [accelerator]: tiles of a group
    cdef int64_t[::1] n_groups  # [accelerator]
    cdef int64_t[:, ::1] time_ns  # [task, accelerator]; 0: cannot run there
    cdef int64_t[::1] n_free  # [accelerator]: free groups; scratch of `assign`

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_ASSIGN
        self.waits = True
        heap.init(&self.jobs, False)

    def __dealloc__(self):
        heap.release(&self.jobs)

    def __init__(self, **given):
        self.groups = self.take(given)["groups"]

    cpdef object start(self, object problem):
        cdef StaticPartition run = StaticPartition(groups=self.groups)
        tiles = np.diff(problem.option_first[: problem.n_accelerators + 1]).astype(np.int64)
        n_groups = np.minimum(tiles, self.groups)
        run.n_groups, run.size = n_groups, tiles // n_groups
        run.time_ns = times_on_groups(problem, tiles // n_groups)
        run.n_free = np.zeros(problem.n_accelerators, dtype=np.int64)
        return run

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        cdef const Job *job
        cdef int row, slot, a
        cdef int64_t n_free = 0
        for a in range(s.t.n_accelerators):
            # Tiles in use are whole groups.
            self.n_free[a] = self.n_groups[a] - (s.t.accelerator_tiles[a] - s.n_free[a]) // self.size[a]
            n_free += self.n_free[a]
        self.jobs.n = 0
        for row in range(s.n_ready):
            slot = s.ready[row]
            job = &s.jobs[slot]
            heap.push(&self.jobs, Entry(job.release_ns, 0, job.frame, job.task, slot))
        while n_free > 0 and self.jobs.n > 0:
            slot = heap.pop(&self.jobs).handle
            a = self.fastest(s.jobs[slot].task, s.t.n_accelerators)
            if a >= 0:
                add_dispatch(dispatches, slot, a, <int>self.size[a], s.t.n_layers)
                self.n_free[a] -= 1
                n_free -= 1
        return 0

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
