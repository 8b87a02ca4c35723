"""The way that a tuner takes through the parameters of its mapper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rtsched.policies.registry import ROLES
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import run

__all__ = ["TunerPath", "tuner_path"]

CHUNK_EVENTS = 100
"""Events between two looks at the parameters. A window has thousands, so each of its values is seen."""


@dataclass(frozen=True, eq=False)
class TunerPath:
    """Parameters during one run.

    Attributes
    ----------
    time_s : ndarray of float64, shape (n_steps,)
        End of the tuner's window that brought them; 0 at first.
    parameters : ndarray of float64, shape (n_steps, n_parameters)
    """

    time_s: np.ndarray
    parameters: np.ndarray


class _Watched:
    """A role, compiled or not, whose state of a run can be looked at."""

    assign = None  # a mapper has one of these

    def __init__(self, role: Any) -> None:
        self.role = role
        self.state: Any = None

    def start(self, problem: Problem) -> Any:
        """Start the role and remember what it returns."""
        self.state = self.role.start(problem)
        return self.state

    def parameters(self) -> np.ndarray:
        """What a tuner may have changed; empty when there is nothing."""
        vector = self.state.parameter_vector() if hasattr(self.state, "parameter_vector") else getattr(self.state, "parameters", None)
        return np.array([] if vector is None else vector, dtype=np.float64)


def tuner_path(problem: Problem, policy: Policy, seed: int) -> TunerPath:
    """Run a policy with a tuner and note its parameters whenever they change.

    Parameters
    ----------
    problem : Problem
    policy : Policy
    seed : int
    """
    watched: dict[int, _Watched] = {}  # a role that takes several places is started once
    places: dict[str, Any] = {}
    for place in ROLES:
        role = getattr(policy, place)
        if role is not None:
            places[place] = watched.setdefault(id(role), _Watched(role))
    window_ns = max(1, int(getattr(policy.tuner, "window_ns", 1)))
    times_ns: list[int] = []
    values: list[np.ndarray] = []

    def look(now_ns: int, _: int) -> None:
        seen = places["mapper"].parameters()
        if not values or not np.array_equal(values[-1], seen):
            times_ns.append(now_ns // window_ns * window_ns if values else 0)
            values.append(seen)

    run(problem, replace(policy, **places), seed=seed, progress=look, chunk_events=CHUNK_EVENTS)
    return TunerPath(np.array(times_ns, dtype=np.float64) * 1e-9, np.array(values))
