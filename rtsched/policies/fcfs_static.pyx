"""First come, first served, each task bound to one accelerator.

The static partition that dynamic schedulers are compared with: "FCFS static" in DREAM (Kim et al., ASPLOS 2023). Tasks are bound
round robin in the order of the scenario (the binding is assumed; DREAM does not state its own), a task whose model its accelerator
cannot run to the next one that can; or as `binding` says. An accelerator waits for its own tasks while others' jobs wait.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t

from rtsched._core.roles cimport NativeMapper
from rtsched._core.state cimport State

import numpy as np

from rtsched.errors import InputError
from rtsched.policies.roles import Policy, Setting


def bound_accelerators(problem, binding):
    """Return each task's accelerator, as an array of int32.

    Raises
    ------
    InputError
        A binding names no task or accelerator, stands twice or cannot run the task's model; or nothing can run it.
    """
    able = _able(problem)
    answer = np.full(problem.n_tasks, -1, dtype=np.int32)
    faults = []
    for text in binding:
        task, _, accelerator = str(text).rpartition(":")
        known_task, known_accelerator = task in problem.task_names, accelerator in problem.accelerator_names
        if not (known_task and known_accelerator):
            names, what = (problem.accelerator_names, "accelerators") if known_task else (problem.task_names, "tasks")
            faults.append(f"binding {text!r}: must be TASK:ACCELERATOR; {what}: {', '.join(names)}")
            continue
        i, a = problem.task_names.index(task), problem.accelerator_names.index(accelerator)
        if answer[i] >= 0:
            faults.append(f"binding {text!r}: task {task!r} is bound already")
        elif not able[i, a]:
            faults.append(f"binding {text!r}: {accelerator!r} cannot run every layer of model {_model(problem, i)!r}")
        answer[i] = a
    for i in np.flatnonzero(answer < 0):
        turns = [(int(i) + k) % problem.n_accelerators for k in range(problem.n_accelerators)]
        answer[i] = next((a for a in turns if able[i, a]), -1)
        if answer[i] < 0 and not faults:
            faults.append(f"task {problem.task_names[i]!r}: no accelerator can run every layer of model {_model(problem, i)!r}")
    if faults:
        raise InputError(faults)
    return answer


def _model(problem, task):
    return problem.model_names[problem.task_model[task]]


def _able(problem):
    """Whether each accelerator can run every layer of each task's model on one tile: bool, shape (n_tasks, n_accelerators)."""
    runs = problem.costs["t_iso_ns"][:, problem.option_first[: problem.n_accelerators]] > 0
    bounds = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet]]
    return np.logical_and.reduceat(runs, bounds[: len(bounds) - 1], axis=0)[problem.task_model]


cdef class StaticFirstCome(NativeMapper):
    """Earliest release first, each task on its own accelerator."""

    settings = (Setting("binding", (), "TASK:ACCELERATOR for each task that is not to be bound round robin"),)

    cdef readonly tuple binding
    cdef int32_t[::1] accelerator  # [task]

    def __cinit__(self, *args, **kwargs):
        self.waits = True

    def __init__(self, **given):
        self.binding = self.take(given)["binding"]

    cpdef object start(self, object problem):
        cdef StaticFirstCome run = StaticFirstCome(binding=self.binding)
        run.accelerator = bound_accelerators(problem, self.binding)
        return run

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int n = s.t.n_accelerators
        cdef int row, a, bound, slot
        is_pairs[0] = True
        for row in range(s.n_ready):
            slot = s.ready[row]
            bound = self.accelerator[s.jobs[slot].task]
            for a in range(n):
                out[row * n + a] = -<double>s.jobs[slot].release_ns if a == bound else -INFINITY
        return 0


def policy():
    """Return the composition."""
    return Policy(mapper=StaticFirstCome(), name="fcfs-static")
