"""The five roles of a policy: the contracts that Python roles follow.

A role object is immutable configuration. The engine calls ``role.start(problem)`` once per run and talks to what that
returns: the role itself when nothing changes during a run (the default), else an object of the same class that holds the
run's state. One role object in two places of a policy is started once, so both places share the state.

Native roles (:mod:`rtsched._core.roles`) follow the same contracts in typed Cython.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rtsched._core.roles import Setting, take_settings
from rtsched.errors import InputError

if TYPE_CHECKING:
    from rtsched._core.bridges import Window
    from rtsched._core.view import Dispatches, StateView
    from rtsched.problem import Problem

__all__ = ["Dropper", "Mapper", "Policy", "Regulator", "Role", "Selector", "Setting", "Tuner"]


class Role:
    """What all roles have.

    The representation, which names the class and its attributes, is part of a run's provenance.

    Parameters
    ----------
    **given
        A role that declares `settings` takes them as keywords and has them as attributes. A class with an ``__init__`` of
        its own does the same itself.

    Attributes
    ----------
    settings : tuple of Setting
        What can be set, for `rtsched show` and `configure`; with them alone a role like this one can be made.

    Raises
    ------
    InputError
        One message per value that is at fault, and per keyword that is no setting.
    """

    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Check the declared settings when the class is made."""
        super().__init_subclass__()
        is_tuple = isinstance(cls.settings, tuple) and all(isinstance(one, Setting) for one in cls.settings)
        if not is_tuple or len({one.name for one in cls.settings}) < len(cls.settings):
            raise InputError(f"{cls.__name__}.settings must be a tuple of Setting, each with a name of its own, got {cls.settings!r:.80}")

    def __init__(self, **given: object) -> None:
        values, faults = take_settings(type(self), given)
        if faults:
            raise InputError(faults)
        vars(self).update(values)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()))
        return f"{type(self).__module__}.{type(self).__qualname__}({values})"

    def start(self, problem: Problem) -> Any:
        """Return the state of one run: an object of this class. Default: the role itself, which then must not change."""
        return self


class Mapper(Role):
    """Decides which ready jobs run where. Override exactly one of `score`, `key` and `assign`.

    **Contract.** Called at a decision point when there is a ready job and a free tile, with the GIL held, in the thread
    that runs the simulation. The view `state` is the same object at every call; its arrays are valid until the call
    returns and must not be changed. Nothing but the view may be read, so that equal states get equal answers.

    Attributes
    ----------
    is_rescored : bool
        Ask again after every dispatch of one decision point, with the new state.
    waits : bool
        Declares that it may leave an eligible job waiting beside a free accelerator.
    estimate_tiles : int
        Number of tiles that the view's to-go times are for.
    parameters : ndarray of float64, optional
        What a tuner may change, in the state that `start` returns; `parameter_names` names the entries.
    """

    is_contract: ClassVar[bool] = True
    is_rescored: bool = False
    waits: bool = False
    estimate_tiles: int = 1
    parameters: np.ndarray | None = None
    parameter_names: tuple[str, ...] = ()

    def score(self, state: StateView) -> np.ndarray:
        """Rate every ready job, or every (ready job, accelerator) pair; the largest is dispatched first.

        Returns
        -------
        ndarray of float64, shape (n_ready,) or (n_ready, n_accelerators)
            -inf: never. NaN and +inf are errors. Ties go to the smaller release, then (task, frame), then the smaller
            estimated latency of the next layer on the accelerator, then the smaller accelerator.
        """
        raise NotImplementedError

    def key(self, state: StateView, row: int) -> int:
        """Rank a job when it becomes ready; the smallest key is dispatched first.

        Parameters
        ----------
        state : StateView
        row : int
            The job's row in the view's ready arrays.

        Returns
        -------
        int
            Fits int64. Ties as for `score`; the accelerator is the free one with the smallest estimated latency.
        """
        raise NotImplementedError

    def assign(self, state: StateView, dispatches: Dispatches) -> None:
        """Decide everything: append (row, accelerator, n_tiles, n_layers) to `dispatches`."""
        raise NotImplementedError

    def tiles(self, state: StateView, row: int, accelerator: int) -> int:
        """Tiles that the job would take on the accelerator (for `score` and `key`)."""
        return 1

    def block(self, state: StateView, row: int, accelerator: int) -> int:
        """Consecutive model layers that a dispatch commits (for `score` and `key`)."""
        return 1

    def on_release(self, state: StateView, task: int, frame: int) -> None:
        """Note that a job was released. Called only when overridden, like the three below."""

    def on_dispatch(self, state: StateView, task: int, frame: int, accelerator: int, n_tiles: int) -> None:
        """Note that a dispatch took effect: the job runs, and is no longer among the ready ones."""

    def on_layer_end(self, state: StateView, task: int, frame: int) -> None:
        """Note that a layer ended."""

    def on_job_end(self, state: StateView, task: int, frame: int, status: int) -> None:
        """Note that a job ended; `status` is an index into `rtsched.outcome.STATUSES`."""


class Dropper(Role):
    """Gives jobs up.

    **Contract.** Called first at a decision point with a ready job.
    """

    def drop(self, state: StateView) -> np.ndarray:
        """Return the rows of the ready jobs to drop, each once, in the order in which they shall end."""
        raise NotImplementedError


class Selector(Role):
    """Chooses the subnet of a job whose model has several.

    **Contract.** Called once per job, after the mapper's choice and before its first layer.
    """

    def select(self, state: StateView, row: int) -> int:
        """Return the index of the subnet among its model's; 0 is the largest."""
        raise NotImplementedError


class Regulator(Role):
    """Caps the memory bandwidth of running layers.

    **Contract.** Called once per instant at which the running set changed or a window ended. A cap holds until the layer
    ends or the next answer.
    """

    def regulate(self, state: StateView) -> np.ndarray:
        """Return caps, float64 of shape (n_running,), bytes per ns, each > 0 or inf; row by row of ``state.running``."""
        raise NotImplementedError


class Tuner(Role):
    """Changes the mapper's parameters after each window.

    **Contract.** Called at every multiple of `window_ns` until the last job has ended, after completions and releases of that
    instant and before its decision.
    """

    window_ns: int = 10**9

    def tune(self, window: Window, parameters: np.ndarray) -> None:
        """Write new values into `parameters`, the mapper's vector."""
        raise NotImplementedError


@dataclass(frozen=True)
class Policy:
    """A composition of roles; only the mapper is required.

    Attributes
    ----------
    mapper : Mapper or native mapper
    dropper, selector, regulator, tuner : role, optional
    name : str
    """

    mapper: Any
    dropper: Any = None
    selector: Any = None
    regulator: Any = None
    tuner: Any = None
    name: str = "custom"
