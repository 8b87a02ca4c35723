"""Scenarios: which models run, when their inputs arrive and by when each must be done."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from rtsched.errors import Fault, FaultsError, listed, quoted, repeated_names
from rtsched.workload.cascade import cascade_faults
from rtsched.workload.model import Model
from rtsched.workload.series import Factors, Trace

__all__ = ["LAWS", "MAX_PRIORITY", "MAX_TASKS", "QOS_FACTORS", "Capacity", "Scenario", "Task", "TimeFactor", "WeightedPriority"]

LAWS = ("fps", "rate_hz", "weight", "outstanding", "trace", "parents")
"""The keys of a task that say when its jobs arrive."""

MAX_PRIORITY = 11

QOS_FACTORS = {"H": 0.8, "M": 1.0, "L": 1.2}
"""Quality of service: what it multiplies the given deadlines by."""

MAX_TASKS = 10_000
"""Of a scenario. Published ones have a dozen; a policy looks at every job that waits whenever it decides."""

MAX_OUTSTANDING = 100_000
MAX_COUNT = 1_000_000_000
MAX_SIGMA = 5.0

Name = Annotated[str, Field(min_length=1)]
Rate = Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]
Duration = Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0.0, le=1e12, allow_inf_nan=False)]
Priority = Annotated[int, Field(ge=0, le=MAX_PRIORITY, strict=True)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightedPriority(_Frozen):
    """One entry of a priority that is drawn per job.

    Attributes
    ----------
    value : int
        0 (lowest) to 11.
    weight : float
        How often it is drawn, relative to the sum of all weights.
    """

    value: Priority
    weight: Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)]


def _model_form(value: Any) -> str:
    return "name" if isinstance(value, str) else "model"


def _priority_form(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "number"


class TimeFactor(_Frozen):
    """What layers really take, as a multiple of their estimate, drawn per (job, layer). Give either `sigma` or `values`.

    Schedulers see the estimates. DRAM and L2 bytes and energy do not change.

    Attributes
    ----------
    sigma : float
        Lognormal with mean 1: exp(sigma * z - sigma ** 2 / 2), z standard normal. 0: exactly the estimate.
    values : Series
        A list, or a CSV file with the column ``factor``: one of them is drawn, all equally likely.
    """

    sigma: Annotated[float, Field(ge=0.0, le=MAX_SIGMA, allow_inf_nan=False)] | None = None
    values: Factors | None = None

    @model_validator(mode="after")
    def _check(self) -> TimeFactor:
        if (self.sigma is None) == (self.values is None):
            raise ValueError("must have either 'sigma' or 'values'")
        return self


class Capacity(_Frozen):
    """Groups of tiles whose time the jobs of all tasks with a `weight` need at load 1, on average.

    So rates follow from the platform: those of ``moca_a`` halve where its networks take twice as long. The groups measure the
    demand; they reserve nothing, policies need not form them, and the platform may have fewer tiles.

    Attributes
    ----------
    groups : int
        How many there are.
    tiles : int
        Tiles of each, of one accelerator. A job's time is what is estimated for it alone on so many, on the fastest accelerator
        that can run all of its model; the largest subnet, skips and exits by their probability.
    """

    groups: Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True)]
    tiles: Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True)] = 1


class Task(_Frozen):
    """A recurring source of jobs.

    Exactly one of `fps`, `rate_hz`, `weight`, `outstanding`, `trace` and `parents` says when they arrive.

    Attributes
    ----------
    name : str
        Unique within the scenario.
    model : str or Model
        A model of the zoo, a file, ``package:...``, or the model itself.
    fps : float
        Periodic arrivals, frames per second.
    rate_hz : float
        Poisson arrivals, mean jobs per second.
    weight : float
        Poisson arrivals, as many as the platform allows: the task's part of the jobs that need the scenario's `capacity`, relative
        to the sum of all weights.
    outstanding : int
        A closed loop: as many jobs are released at once, and another one whenever one ends.
    trace : Series
        Recorded arrivals in ms, ascending: a list, or a CSV file with the column ``release_ms``.
    parents : tuple of str
        A cascade: the job of a frame arrives when the parents' jobs of that frame have ended and the trigger draw says so.
        Several parents must have one root.
    trigger : float
        Probability that the end of the parents' jobs triggers this task's job.
    offset_ms : float
        First periodic arrival.
    jitter_ms : float
        Each periodic arrival is late by a uniform draw from [0, jitter); at most the period.
    deadline_ms : float, optional
        Relative deadline. Default: the period, or the mean time between arrivals; for a cascade child its root's. Closed
        loops and traces must give one.
    deadline_from : {"trigger", "source"}
        Whether a cascade child's deadline counts from its own release or from that of its frame's root.
    priority : int or tuple of WeightedPriority
        0 (lowest) to 11; a list is drawn from per job.
    in_order : bool
        One frame runs at a time, in the order of release.
    max_backlog : int, optional
        When more frames than that wait to start, the oldest of them is dropped at the next release. Default: no limit.
    time_factor : TimeFactor, optional
        Default: the scenario's.
    """

    name: Name
    model: Annotated[Annotated[Name, Tag("name")] | Annotated[Model, Tag("model")], Discriminator(_model_form)]
    fps: Rate | None = None
    rate_hz: Rate | None = None
    weight: Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)] | None = None
    outstanding: Annotated[int, Field(ge=1, le=MAX_OUTSTANDING, strict=True)] | None = None
    trace: Trace | None = None
    parents: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    trigger: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = 1.0
    offset_ms: NonNegative = 0.0
    jitter_ms: NonNegative = 0.0
    deadline_ms: Annotated[float, Field(gt=0.0, le=1e12, allow_inf_nan=False)] | None = None
    deadline_from: Literal["trigger", "source"] = "trigger"
    priority: Annotated[
        Annotated[Priority, Tag("number")] | Annotated[tuple[WeightedPriority, ...], Field(min_length=1), Tag("list")],
        Discriminator(_priority_form),
    ] = 0
    in_order: bool = True
    max_backlog: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    time_factor: TimeFactor | None = None

    @property
    def law(self) -> str:
        """The one of `LAWS` that is given."""
        return next(law for law in LAWS if getattr(self, law) is not None)

    @model_validator(mode="after")
    def _check(self) -> Task:
        laws = [law for law in LAWS if getattr(self, law) is not None]
        if len(laws) != 1:
            raise ValueError(f"task {quoted(self.name)}: give exactly one of {', '.join(LAWS)}; got {' and '.join(laws) or 'none'}")
        faults = [*self._misplaced(), *self._missing_deadline()]
        if self.fps is not None and self.jitter_ms > 1e3 / self.fps:
            faults.append((("jitter_ms",), f"{self.jitter_ms:g} ms are longer than the period of {1e3 / self.fps:g} ms"))
        if faults:
            raise FaultsError(*faults)
        return self

    def _misplaced(self) -> list[Fault]:
        """Faults of keys that mean nothing with this arrival law."""
        faults: list[Fault] = [
            ((key,), f"belongs to periodic arrivals (fps); task {quoted(self.name)} has {self.law}")
            for key in ("offset_ms", "jitter_ms")
            if self.fps is None and getattr(self, key)
        ]
        faults += [
            ((key,), f"belongs to a task with parents; task {quoted(self.name)} has none")
            for key, default in (("trigger", 1.0), ("deadline_from", "trigger"))
            if self.parents is None and getattr(self, key) != default
        ]
        if self.outstanding is not None and self.max_backlog is not None:
            # A drop would release the next one at once, without an end.
            faults.append(
                (("max_backlog",), f"belongs to arrivals that do not wait; task {quoted(self.name)} has at most {self.outstanding} jobs")
            )
        return faults

    def _missing_deadline(self) -> list[Fault]:
        if self.deadline_ms is None and self.law in ("outstanding", "trace"):
            return [(("deadline_ms",), f"is required with {self.law}, which has no period to take it from")]
        return []


class Scenario(_Frozen):
    """What runs.

    Attributes
    ----------
    name : str
        Stands in results.
    description : str
        A line for those who read it.
    tasks : tuple of Task
        The sources of jobs, 1 to 10,000.
    platform : str, optional
        The platform it runs on unless another is asked for.
    capacity : Capacity, optional
        What the tasks with a `weight` share; those need it.
    duration_s : float, optional
        Roots are released in [0, duration). Default: what `jobs` take to arrive, else 10 s.
    jobs : int, optional
        How many jobs of the tasks with `fps`, `rate_hz` or `weight` arrive on average, where `duration_s` is not given.
    drain_s : float, optional
        How long after `duration_s` the run waits for jobs to end. Default: the longest relative deadline.
    load : float
        Scales rates, recorded ones too, and default deadlines, not explicit ones.
    qos : {'H', 'M', 'L'}
        Quality of service, high, medium or low: explicit deadlines are 0.8, 1.0 or 1.2 times what is given. Default ones, which
        follow from rates, stay.
    time_factor : TimeFactor, optional
        Of every task without one of its own. Default: layers take exactly what is estimated.
    """

    name: Name
    description: str = ""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=MAX_TASKS)]
    platform: Name | None = None
    capacity: Capacity | None = None
    duration_s: Duration | None = None
    jobs: Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True)] | None = None
    drain_s: NonNegative | None = None
    load: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)] = 1.0
    qos: Literal["H", "M", "L"] = "M"
    time_factor: TimeFactor | None = None

    @model_validator(mode="after")
    def _check(self) -> Scenario:
        faults = [*repeated_names("tasks", self.tasks), *self._unfounded()]
        place = {task.name: i for i, task in enumerate(self.tasks)}
        for i, task in enumerate(self.tasks):
            before: set[str] = set()
            for j, parent in enumerate(task.parents or ()):
                if parent not in place:
                    faults.append((("tasks", i, "parents", j), f"unknown task {quoted(parent)}; tasks: {listed(place)}"))
                elif parent in before:
                    faults.append((("tasks", i, "parents", j), f"{quoted(parent)} stands twice"))
                before.add(parent)
        if not faults:
            parents = [tuple(place[parent] for parent in task.parents or ()) for task in self.tasks]
            faults = cascade_faults([task.name for task in self.tasks], parents)
        if faults:
            raise FaultsError(*faults)
        return self

    def _unfounded(self) -> list[Fault]:
        """Faults of keys whose counterpart is missing."""
        weighted = [i for i, task in enumerate(self.tasks) if task.weight is not None]
        faults: list[Fault] = []
        if self.capacity is None:
            message = "is a part of the scenario's capacity, which must be given too, as capacity: {groups: 4, tiles: 2}"
            faults += [(("tasks", i, "weight"), message) for i in weighted]
        elif not weighted:
            faults.append((("capacity",), "must be shared by at least one task with a weight; there is none"))
        if self.jobs is not None and all(task.law not in ("fps", "rate_hz", "weight") for task in self.tasks):
            faults.append((("jobs",), "needs at least one task with fps, rate_hz or weight; no task here has a rate"))
        return faults
