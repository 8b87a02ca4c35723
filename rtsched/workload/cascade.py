"""The graph of a scenario's cascades: tasks are nodes, each names its parents."""

from __future__ import annotations

from collections.abc import Sequence

from rtsched.errors import MAX_LISTED, Fault, plain, quoted

__all__ = ["ancestors", "cascade_faults", "roots"]

MAX_DEPTH = 100
"""Tasks from a root to the end of a cascade, both counted; the engine follows cascades recursively."""

Parents = Sequence[Sequence[int]]
"""Each task's parents."""


def cascade_faults(names: Sequence[str], parents: Parents) -> list[Fault]:
    """Faults of tasks in a cycle, too deep in a cascade, or with parents of several roots."""
    order, faults = _order(names, parents)
    if faults:
        return faults
    depth = [1] * len(names)
    for task in order:
        depth[task] = 1 + max((depth[parent] for parent in parents[task]), default=0)
        if depth[task] == MAX_DEPTH + 1:
            message = f"task {quoted(names[task])} is number {MAX_DEPTH + 1} of its cascade; a cascade is at most {MAX_DEPTH} deep"
            faults.append((("tasks", task, "parents"), message))
    found = roots(parents, order)
    for task in range(len(names)):
        if len(found[task]) > 1 and all(len(found[parent]) == 1 for parent in parents[task]):
            origins = ", ".join(_origin(names, parent, min(found[parent])) for parent in parents[task][:MAX_LISTED])
            faults.append((("tasks", task, "parents"), f"must have one root, whose frames they share: {origins}"))
    return sorted(faults, key=lambda fault: fault[0][1])


def _origin(names: Sequence[str], task: int, root: int) -> str:
    return f"{quoted(names[task])} is one" if task == root else f"{quoted(names[task])} comes from {quoted(names[root])}"


def _order(names: Sequence[str], parents: Parents) -> tuple[list[int], list[Fault]]:
    """Return the tasks, parents first, and a fault per cycle of parents, at its first task in the order of the file."""
    order: list[int] = []
    faults: list[Fault] = []
    state = ["new"] * len(names)
    for first in range(len(names)):
        path: list[int] = []
        stack = [(first, iter(parents[first]))] if state[first] == "new" else []
        while stack:
            task, left = stack[-1]
            if state[task] == "new":
                state[task] = "open"
                path.append(task)
            parent = next(left, None)
            if parent is None:
                state[task] = "done"
                order.append(task)
                path.pop()
                stack.pop()
            elif state[parent] == "open":
                cycle = [*path[path.index(parent) :], parent]
                faults.append((("tasks", parent, "parents"), f"cycle of parents: {_shown([names[one] for one in cycle])}"))
            elif state[parent] == "new":
                stack.append((parent, iter(parents[parent])))
    return order, faults


def roots(parents: Parents, order: Sequence[int] | None = None) -> list[set[int]]:
    """Each task's roots: tasks without parents from which it is reached; a root is its own.

    Parameters
    ----------
    parents : sequence of sequence of int
        Without cycles.
    order : sequence of int, optional
        The tasks, parents first.
    """
    found: list[set[int]] = [set() for _ in parents]
    for task in _order([""] * len(parents), parents)[0] if order is None else order:
        found[task] = set[int]().union(*(found[parent] for parent in parents[task])) or {task}
    return found


def ancestors(parents: Parents) -> list[set[int]]:
    """Each task's ancestors that are no roots; without cycles."""
    found: list[set[int]] = [set() for _ in parents]
    for task in _order([""] * len(parents), parents)[0]:
        for parent in parents[task]:
            found[task] |= found[parent] | ({parent} if parents[parent] else set())
    return found


def _shown(names: list[str]) -> str:
    shown = names if len(names) <= 20 else [*names[:10], f"({len(names) - 20} more)", *names[-10:]]
    return " -> ".join(map(plain, shown))
