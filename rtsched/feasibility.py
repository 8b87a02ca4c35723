"""Deadlines that no scheduler can meet, told before the run."""

from __future__ import annotations

import numpy as np

from rtsched.problem import Problem

__all__ = ["deadline_warnings", "least_time_ns", "roots_first"]


def least_time_ns(problem: Problem) -> np.ndarray:
    """Time below which no job of a task ends: each layer alone on its fastest option, the shortest path, the lightest subnet.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        In ns. With the smallest factor where actual times stray by a table of factors; 0 where nothing bounds them from below.
    """
    factors = [_least_factor(problem, task) for task in range(problem.n_tasks)]
    by_model = {factor: _model_ns(problem, factor) for factor in set(factors)}
    return np.array([by_model[factor][model] for factor, model in zip(factors, problem.task_model, strict=True)])


def _model_ns(problem: Problem, factor: float) -> np.ndarray:
    """Of each model, when every layer takes so many times its time alone."""
    t_ns = problem.costs["t_iso_ns"].astype(np.float64)
    fastest = np.floor(factor * np.where(t_ns > 0, t_ns, np.inf).min(axis=1))  # actual times are rounded
    block_ns = np.add.reduceat(fastest, problem.block_first_layer[:-1])
    block_ns[problem.block_skip > 0] = 0
    subnet_ns = [
        _shortest(block_ns[first:end], problem.block_exit[first:end])
        for first, end in zip(problem.subnet_first_block[:-1], problem.subnet_first_block[1:], strict=True)
    ]
    fewest: np.ndarray = np.minimum.reduceat(subnet_ns, problem.model_first_subnet[:-1])
    return fewest


def _shortest(block_ns: np.ndarray, may_exit: np.ndarray) -> float:
    """The time of the blocks until the first that may be the last."""
    ends = np.flatnonzero(may_exit > 0)
    return float(block_ns[: ends[0] + 1 if len(ends) else len(block_ns)].sum())


def _least_factor(problem: Problem, task: int) -> float:
    factors = problem.factor_value[problem.factor_first[task] : problem.factor_first[task + 1]]
    if len(factors):
        return float(factors.min())
    is_unbounded = problem.factor_sigma[task] > 0 or problem.recorded_first[task] < problem.recorded_first[task + 1]
    return 0.0 if is_unbounded else 1.0


def deadline_warnings(problem: Problem) -> list[str]:
    """Say of which tasks no job can be in time, whatever the policy.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    list of str
        A sentence per task, with the deadline and the least time from where it counts.
    """
    own_ns = least_time_ns(problem)
    from_source_ns = own_ns.copy()
    found = []
    for task in roots_first(problem):
        parents = problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]]
        from_source_ns[task] += from_source_ns[parents].max(initial=0.0)
        needed_ns = from_source_ns[task] if problem.task_from_source[task] else own_ns[task]
        if needed_ns > problem.task_deadline_ns[task]:
            found.append(
                f"task {problem.task_names[task]!r}: no job can be in time: its deadline is {problem.task_deadline_ns[task]:,} ns, "
                f"and {problem.model_names[problem.task_model[task]]!r} takes at least {needed_ns:,.0f} ns"
                + (" with what comes before it" if needed_ns > own_ns[task] else "")
            )
    return found


def roots_first(problem: Problem) -> list[int]:
    # Ancestors are no roots, so a root's children have as few of them as the root has.
    has_parents = np.diff(problem.parent_first) > 0
    order: list[int] = np.lexsort((has_parents, np.diff(problem.ancestor_first))).tolist()
    return order
