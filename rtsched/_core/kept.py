"""What is worked out of a problem once, for all runs and threads that ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

_kept: WeakKeyDictionary[Any, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()


def kept_for(problem: Any, make: Callable[..., Any], *given: Any) -> Any:
    """Return what ``make(problem, *given)`` returned the first time.

    A problem's arrays cannot be written to, so it would be the same again. It is forgotten with the problem, which it must not hold.

    Parameters
    ----------
    problem : rtsched.problem.Problem
    make : callable
        Called more than once where several threads are the first to ask; one answer stays.
    given : hashable

    Returns
    -------
    object
        Shared: arrays must not be written to, and a run takes a view of its own of those whose buffer it reads.
    """
    answers = _kept.setdefault(problem, {})
    key = (make, *given)
    try:
        return answers[key]
    except KeyError:
        return answers.setdefault(key, make(problem, *given))
