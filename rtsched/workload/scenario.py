"""Scenarios: which models run, when their inputs arrive and by when each must be done."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from rtsched.errors import Fault, FaultsError, repeated_names
from rtsched.workload.model import Model

__all__ = ["MAX_PRIORITY", "Scenario", "Task", "WeightedPriority"]

MAX_PRIORITY = 11
MAX_DEPTH = 100
"""Tasks from a root to the end of a cascade, both counted; the engine follows cascades recursively."""

Name = Annotated[str, Field(min_length=1)]
Rate = Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]
Duration = Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, le=1e12, allow_inf_nan=False)]
Priority = Annotated[int, Field(ge=0, le=MAX_PRIORITY, strict=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightedPriority(_Frozen):
    """One entry of a priority that is drawn per job."""

    value: Priority
    weight: Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]


def _model_form(value: Any) -> str:
    return "name" if isinstance(value, str) else "model"


def _priority_form(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "number"


class Task(_Frozen):
    """A recurring source of jobs. Exactly one of `fps`, `rate_hz` and `parents` says when they arrive.

    Attributes
    ----------
    name : str
    model : str or Model
        A model of the zoo, a file, ``package:...``, or the model itself.
    fps : float
        Periodic arrivals, frames per second.
    rate_hz : float
        Poisson arrivals, mean jobs per second.
    parents : tuple of str
        A cascade: the job of a frame arrives when the parent's job of that frame ends and the trigger draw says so.
    trigger : float
        Probability that the end of the parent's job triggers this task's job.
    offset_ms : float
        First periodic arrival.
    jitter_ms : float
        Each periodic arrival is late by a uniform draw from [0, jitter); at most the period.
    deadline_ms : float, optional
        Relative deadline. Default: the period, or the mean time between arrivals; for a cascade child its root's.
    priority : int or tuple of WeightedPriority
        0 (lowest) to 11; a list is drawn from per job.
    """

    name: Name
    model: Annotated[Annotated[Name, Tag("name")] | Annotated[Model, Tag("model")], Discriminator(_model_form)]
    fps: Rate | None = None
    rate_hz: Rate | None = None
    parents: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)] | None = None
    trigger: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 1.0
    offset_ms: NonNegative = 0.0
    jitter_ms: NonNegative = 0.0
    deadline_ms: Annotated[float, Field(gt=0.0, le=1e12, allow_inf_nan=False)] | None = None
    priority: Annotated[
        Annotated[Priority, Tag("number")] | Annotated[tuple[WeightedPriority, ...], Field(min_length=1), Tag("list")],
        Discriminator(_priority_form),
    ] = 0

    @model_validator(mode="after")
    def _check(self) -> Task:
        laws = [law for law in ("fps", "rate_hz", "parents") if getattr(self, law) is not None]
        if len(laws) != 1:
            raise ValueError(f"task {self.name!r}: give exactly one of fps, rate_hz, parents; got {' and '.join(laws) or 'none'}")
        faults = [
            ((field,), f"belongs to periodic arrivals (fps); task {self.name!r} has {laws[0]}")
            for field in ("offset_ms", "jitter_ms")
            if self.fps is None and getattr(self, field)
        ]
        if self.fps is not None and self.jitter_ms > 1e3 / self.fps:
            faults.append((("jitter_ms",), f"{self.jitter_ms:g} ms are longer than the period of {1e3 / self.fps:g} ms"))
        if self.parents is None and self.trigger != 1.0:
            faults.append((("trigger",), f"belongs to a task with parents; task {self.name!r} has none"))
        if faults:
            raise FaultsError(*faults)
        return self


class Scenario(_Frozen):
    """What runs.

    Attributes
    ----------
    name : str
    description : str
    tasks : tuple of Task
    platform : str, optional
        The platform it runs on unless another is asked for.
    duration_s : float
        Roots are released in [0, duration).
    drain_s : float, optional
        How long after `duration_s` the run waits for jobs to end. Default: the longest relative deadline.
    load : float
        Scales rates and default deadlines, not explicit ones.
    """

    name: Name
    description: str = ""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    platform: Name | None = None
    duration_s: Duration = 10.0
    drain_s: NonNegative | None = None
    load: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        faults = repeated_names("tasks", self.tasks)
        place = {task.name: i for i, task in enumerate(self.tasks)}
        for i, task in enumerate(self.tasks):
            for j, parent in enumerate(task.parents or ()):
                if parent not in place:
                    faults.append((("tasks", i, "parents", j), f"unknown task {parent!r}; tasks: {', '.join(place)}"))
        if not faults:
            faults = self._cycles(place) or self._depths(place)
        if faults:
            raise FaultsError(*faults)
        return self

    def _cycles(self, place: dict[str, int]) -> list[Fault]:
        """Return a fault per cycle of parents, at its first task in the order of the file."""
        faults: list[Fault] = []
        done: set[str] = set()
        for task in self.tasks:
            name, chain = task.name, {task.name: 0}
            while name not in done and (parents := self.tasks[place[name]].parents) is not None:
                name = parents[0]
                if name in chain:
                    cycle = [*list(chain)[chain[name] :], name]
                    faults.append((("tasks", place[name], "parents"), f"cycle of parents: {_path(cycle)}"))
                    break
                chain[name] = len(chain)
            done.update(chain)
        return faults

    def _depths(self, place: dict[str, int]) -> list[Fault]:
        """Return a fault per task that is the first too many of its cascade; there are no cycles."""
        depth: dict[str, int] = {}
        for task in self.tasks:
            chain = [task.name]
            while chain[-1] not in depth and (parents := self.tasks[place[chain[-1]]].parents) is not None:
                chain.append(parents[0])
            above = depth.get(chain[-1], 1)
            depth.update({name: above + i for i, name in enumerate(reversed(chain))})
        return [
            (("tasks", i, "parents"), f"task {task.name!r} is number {MAX_DEPTH + 1} of its cascade; a cascade is at most {MAX_DEPTH} deep")
            for i, task in enumerate(self.tasks)
            if depth[task.name] == MAX_DEPTH + 1
        ]


def _path(names: list[str]) -> str:
    shown = names if len(names) <= 20 else [*names[:10], f"({len(names) - 20} more)", *names[-10:]]
    return " -> ".join(shown)
