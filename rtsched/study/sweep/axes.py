"""What varies in a study besides its scenarios, platforms, policies and seeds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rtsched.errors import Fault, FaultsError
from rtsched.study.sweep.sampling import Method, Scale, on_scale, unit_points

__all__ = ["MAX_MAGNITUDE", "MAX_RUNS", "Axis", "Dimension", "Frozen", "Name", "Sample"]

MAX_RUNS = 1_000_000
"""Of a study; more are a mistake."""

MAX_DRAWS = 10_000_000
"""Of a sample: points times ranges."""

MAX_MAGNITUDE = 1e18

Name = Annotated[str, Field(min_length=1)]
Bound = Annotated[float, Field(ge=-MAX_MAGNITUDE, le=MAX_MAGNITUDE, allow_inf_nan=False)]


class Frozen(BaseModel):
    """What a study file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Axis(Frozen):
    """Values of one setting, each of which is combined with everything else.

    Attributes
    ----------
    path : str
        Of what is set, as for ``--set``: begins with scenario, platform or a role of the policy.
    values : tuple
        At least one; they differ.
    """

    path: Name
    values: Annotated[tuple[Any, ...], Field(min_length=1, max_length=MAX_RUNS)]

    @model_validator(mode="after")
    def _check(self) -> Axis:
        seen: dict[str, int] = {}
        for place, value in enumerate(self.values):
            first = seen.setdefault(repr(value), place)
            if first != place:
                raise FaultsError((("values", place), f"is the same value as values[{first}]"))
        return self

    def points(self) -> list[dict[str, Any]]:
        """What each value sets."""
        return [{self.path: value} for value in self.values]


class Dimension(Frozen):
    """A range that values of one setting are drawn from.

    Attributes
    ----------
    path : str
        Of what is set, as for ``--set``.
    low : float
        The smallest value; above 0 on a logarithmic scale.
    high : float
        The largest value; above `low`.
    scale : {"linear", "log"}
        Equal parts of the range, or equal ratios, are equally likely.
    integer : bool
        Whole numbers only, `low` and `high` among them.
    """

    path: Name
    low: Bound
    high: Bound
    scale: Scale = "linear"
    integer: bool = False

    @model_validator(mode="after")
    def _check(self) -> Dimension:
        faults: list[Fault] = []
        if self.low >= self.high:
            faults.append((("high",), f"must be greater than low, which is {self.low:g}"))
        if self.scale == "log" and self.low <= 0:
            faults.append((("low",), f"must be greater than 0 on a logarithmic scale, got {self.low:g}"))
        if self.integer:
            faults += [((name,), f"must be a whole number, got {value!r}") for name, value in self.ends.items() if value % 1]
        if faults:
            raise FaultsError(*faults)
        return self

    @property
    def ends(self) -> dict[str, float]:
        """Its smallest and its largest value by their keys."""
        found = {"low": self.low, "high": self.high}
        return {name: int(value) if self.integer and not value % 1 else value for name, value in found.items()}


class Sample(Frozen):
    """Points drawn from ranges of several settings, each of which is combined with everything else.

    Attributes
    ----------
    method : {"random", "latin_hypercube"}
        Independent draws; or so that each of n equal parts of each range has one point.
    n : int
        How many points.
    seed : int
        Of the draws. The same file has the same points, everywhere.
    over : tuple of Dimension
        The ranges, at least one.
    """

    method: Method
    n: Annotated[int, Field(ge=1, le=MAX_RUNS, strict=True)]
    seed: Annotated[int, Field(ge=0, lt=2**64, strict=True)] = 0
    over: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _check(self) -> Sample:
        if self.n * len(self.over) > MAX_DRAWS:
            raise FaultsError((("n",), f"must be at most {MAX_DRAWS // len(self.over):,} with {len(self.over)} ranges, got {self.n:,}"))
        return self

    def points(self) -> list[dict[str, Any]]:
        """What each point sets."""
        unit = unit_points(self.method, self.n, len(self.over), self.seed)
        columns = [
            on_scale(column, one.low, one.high, one.scale, is_integer=one.integer) for one, column in zip(self.over, unit.T, strict=True)
        ]
        paths = [one.path for one in self.over]
        return [dict(zip(paths, values, strict=True)) for values in zip(*columns, strict=True)]
