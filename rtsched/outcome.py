"""What a run leaves behind: flat arrays, sums, and where they came from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rtsched.cost.model import ENERGY_COMPONENTS as LAYER_ENERGY
from rtsched.frames import Frames
from rtsched.problem import Problem

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rtsched.metrics import Metrics

__all__ = ["ENERGY_COMPONENTS", "JOB_DTYPE", "LAYER_DTYPE", "RATE_DTYPE", "STATUSES", "Outcome"]

STATUSES = ("met", "late", "dropped", "unfinished", "suppressed")
"""How a job ended; its code in ``jobs["status"]`` is its index here."""

ENERGY_COMPONENTS = (*LAYER_ENERGY, "switch")
"""Columns of `Outcome.task_energy_j`; idle energy is kept by tile."""

JOB_DTYPE = np.dtype(
    [
        ("job", np.int64),
        ("task", np.int32),
        ("frame", np.int64),
        ("model", np.int32),
        ("subnet", np.int32),
        ("priority", np.int32),
        ("release_ns", np.int64),
        ("start_ns", np.int64),
        ("finish_ns", np.int64),
        ("deadline_ns", np.int64),
        ("status", np.int8),
        ("energy_j", np.float64),
        ("preemptions", np.int32),
        ("worst_energy_j", np.float64),
        ("isolated_ns", np.int64),
    ]
)
LAYER_DTYPE = np.dtype(
    [
        ("job", np.int64),
        ("layer", np.int32),
        ("accelerator", np.int32),
        ("tiles", np.uint64),
        ("start_ns", np.int64),
        ("finish_ns", np.int64),
        ("switch_bytes", np.int64),
    ]
)
RATE_DTYPE = np.dtype(
    [
        ("time_ns", np.int64),
        ("job", np.int64),
        ("layer", np.int32),
        ("accelerator", np.int32),
        ("tiles", np.uint64),
        ("demand_bytes_per_ns", np.float64),
        ("allocation_bytes_per_ns", np.float64),
        ("cap_bytes_per_ns", np.float64),
        ("window_cycles", np.int32),
        ("threshold", np.int32),
    ]
)


@dataclass(frozen=True, eq=False)
class Outcome(Frames):
    """One run.

    Attributes
    ----------
    problem : Problem
    policy : str
        The policy's name.
    seed : int
    is_complete : bool
        False when the run was stopped before its end.
    end_ns : int
        When the run ended.
    jobs : ndarray of JOB_DTYPE, shape (n_jobs,)
        One row per job, ascending by (task, frame). ``job`` is the row, ``task`` and ``model`` are indices, ``subnet`` is the
        index among the model's (-1: never chosen), ``status`` an index into `STATUSES`. Times that did not come are -1: the
        start of a job that never ran, the finish of an unfinished one, the release of a suppressed one. A dropped job's
        finish is its drop. A suppressed job has the deadline of the job that failed it. ``worst_energy_j`` is the energy of
        its executed layers each on its most energy-hungry option, ``isolated_ns`` their time alone on the platform's reference.
    layers : ndarray of LAYER_DTYPE, shape (n_layers,), or None
        Executed layers by (job, start), when they were recorded. ``tiles`` is a bit mask; a finish of -1 was cut by the end.
    rates : ndarray of RATE_DTYPE, shape (n_rates,), or None
        What running layers were given of the DRAM, when it was recorded: a row per change, as docs/engine.md has it, ascending
        by time, then ends before the rest, then by (accelerator, lowest tile). It holds until the layer's next row; in its
        last one demand and allocation are 0 and there is no cap. A cap of inf is none. ``window_cycles`` and ``threshold``
        (accesses in a window) are those of the access counter that makes the cap, 0 where there is none.
    task_energy_j : ndarray of float64, shape (n_tasks, 5)
        By `ENERGY_COMPONENTS`.
    busy_ns : ndarray of int64, shape (n_tiles,)
        Over all accelerators' tiles.
    idle_energy_j : ndarray of float64, shape (n_accelerators,)
    served_bytes : float
        DRAM traffic.
    n_layers : int
        Layers completed.
    task_switches, task_migrations : ndarray of int64, shape (n_tasks,)
        Layers that moved activations because of a switch; layers on another accelerator than the job's layer before. Counted
        when a layer starts.
    provenance : dict
        ``version``, names, seed, ``settings`` (what was changed of the inputs, path to value), and a SHA-256 over all inputs.
    """

    problem: Problem = field(repr=False)
    policy: str
    seed: int
    is_complete: bool
    end_ns: int
    jobs: np.ndarray = field(repr=False)
    layers: np.ndarray | None = field(repr=False)
    rates: np.ndarray | None = field(default=None, repr=False, kw_only=True)
    task_energy_j: np.ndarray = field(repr=False)
    busy_ns: np.ndarray = field(repr=False)
    idle_energy_j: np.ndarray = field(repr=False)
    served_bytes: float
    n_layers: int
    task_switches: np.ndarray = field(repr=False)
    task_migrations: np.ndarray = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)

    @property
    def n_switches(self) -> int:
        """Layers of all tasks that moved activations because of a switch."""
        return int(self.task_switches.sum())

    @property
    def n_migrations(self) -> int:
        """Layers of all tasks on another accelerator than the job's layer before."""
        return int(self.task_migrations.sum())

    @cached_property
    def metrics(self) -> Metrics:
        """Every metric, computed once."""
        from rtsched.metrics import Metrics

        return Metrics(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything, the problem included, to one file that `rtsched.load_outcome` reads (docs/formats.md).

        Parameters
        ----------
        path : str or path
            Customarily ``*.npz``. The same outcome gives the same bytes; the file is written whole or not at all.

        Raises
        ------
        rtsched.errors.InputError
            It cannot be written.
        """
        from rtsched.saved import save_outcome

        save_outcome(self, path)

    def to_perfetto(self, path: str | os.PathLike[str]) -> None:
        """Write a trace for https://ui.perfetto.dev: layers on tiles, jobs, DRAM, queue and slack over time (docs/timeline.md).

        Needs `layers`; without `rates` the trace has nothing of the DRAM.

        Parameters
        ----------
        path : str or path
            Customarily ``*.pftrace``. The same outcome gives the same bytes; the file is written whole or not at all.

        Raises
        ------
        rtsched.errors.InputError
            Layers were not recorded, rows mean nothing, or it cannot be written.
        """
        from rtsched.interop.perfetto import write_trace

        write_trace(self, path)

    def summary(self) -> RenderableType:
        """Table per task with UXCost below, for ``rich.print`` and notebooks."""
        from rtsched.report.terminal import summary

        return summary(self)

    def columns(self) -> dict[str, np.ndarray]:
        """Job table with names for indices: the stable columns of ``--csv``, in order."""
        jobs, problem = self.jobs, self.problem
        names = np.array([*problem.subnet_names, ""], dtype=object)
        first = problem.model_first_subnet[jobs["model"]]
        subnet = names[np.where(jobs["subnet"] >= 0, first + jobs["subnet"], -1)]
        named = {
            "task": np.array(problem.task_names, dtype=object)[jobs["task"]],
            "model": np.array(problem.model_names, dtype=object)[jobs["model"]],
            "subnet": subnet,
            "status": np.array(STATUSES, dtype=object)[jobs["status"]],
        }
        return {name: named.get(name, jobs[name]) for name in JOB_DTYPE.names or ()}
