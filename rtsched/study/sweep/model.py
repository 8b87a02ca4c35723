"""Studies as users write them: what is varied, over which seeds, and what of it is shown."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from rtsched.documents import Document, hint, path_text
from rtsched.errors import Fault, FaultsError
from rtsched.metrics import SCALARS
from rtsched.study.plan import DEFAULT_METRICS, MAX_SEEDS
from rtsched.study.sweep.axes import MAX_RUNS, Axis, Frozen, Name, Sample

if TYPE_CHECKING:
    from rtsched.study.store import Store
    from rtsched.study.sweep.backends import Backend
    from rtsched.study.sweep.checks import Checked
    from rtsched.study.sweep.results import StudyRuns

__all__ = ["Study"]

Seed = Annotated[int, Field(ge=0, lt=2**64, strict=True)]
SeedCount = Annotated[int, Field(ge=1, le=MAX_SEEDS, strict=True)]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_RUNS)]

Placed = Callable[[tuple[str | int, ...], str], str]
"""Writes a fault of the value at a path."""


def _seeds_form(value: Any) -> str:
    return "list" if isinstance(value, (list, tuple)) else "number"


class Study(Frozen):
    """Every combination of scenarios, platforms, policies, axes, points and seeds, each of which is one run.

    What `axes`, `points` and `sample` set of a policy holds for the policies that have it; one of them must.

    Attributes
    ----------
    name : str
        Under which a store knows it.
    description : str
        A line for those who read it.
    scenarios : tuple of str
        Built-in names, files, or package:NAME/path/inside. Relative paths start from the folder of the study's file.
    platforms : tuple of str, optional
        Likewise. Default: each scenario's own.
    policies : tuple of str
        Names, or FILE.py:NAME, which runs the file.
    load : float, optional
        Scales rates and default deadlines. Default: the scenario's own. To vary it, take an axis of scenario.load.
    duration_s : float, optional
        Release frames for as many seconds. Default: the scenario's own.
    axes : tuple of Axis
        Settings, each with its values.
    points : tuple of dict
        Settings that belong together: each entry maps paths to values. An empty one sets nothing.
    sample : Sample, optional
        Settings that are drawn together.
    seeds : int or tuple of int
        As many, from 0; or which ones. The same seed gives every policy the same frames.
    metrics : tuple of str
        What is shown, the first of them ranks. All metrics are stored.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    scenarios: Names
    platforms: Names | None = None
    policies: Names
    load: Annotated[float, Field(gt=0.0, le=1e6, allow_inf_nan=False)] | None = None
    duration_s: Annotated[float, Field(gt=0.0, le=1e9, allow_inf_nan=False)] | None = None
    axes: Annotated[tuple[Axis, ...], Field(max_length=1000)] = ()
    points: Annotated[tuple[dict[str, Any], ...], Field(max_length=MAX_RUNS)] = ()
    sample: Sample | None = None
    seeds: Annotated[
        Annotated[SeedCount, Tag("number")] | Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MAX_SEEDS), Tag("list")],
        Discriminator(_seeds_form),
    ] = 20
    metrics: Names = DEFAULT_METRICS

    _folder: Path = PrivateAttr(default=Path())
    _placed: Placed | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> Study:
        listed = {name: getattr(self, name) or () for name in ("scenarios", "platforms", "policies", "metrics")}
        if not isinstance(self.seeds, int):
            listed["seeds"] = self.seeds
        faults = [fault for name, values in listed.items() for fault in _repeated(name, values)]
        for place, name in enumerate(self.metrics):
            if name not in SCALARS:
                faults.append((("metrics", place), f"unknown metric {name!r:.60}{hint(name, SCALARS, 'known metrics')}"))
        faults += self._set_twice()
        if self.n_runs > MAX_RUNS:
            faults.append(((), f"has {_count(self.n_runs)} runs ({self._factors_text()}); at most {MAX_RUNS:,} are possible"))
        if faults:
            raise FaultsError(*faults)
        return self

    def _set_twice(self) -> Iterator[Fault]:
        """Faults of settings that two parts of the study set."""
        owner = {f"scenario.{name}": name for name in ("load", "duration_s") if getattr(self, name) is not None}
        own: dict[str, str] = {}
        for place, axis in enumerate(self.axes):
            if axis.path in owner:
                yield ("axes", place, "path"), f"{axis.path!r:.60} is set by {owner[axis.path]} too"
            owner.setdefault(axis.path, f"axes[{place}]")
        for place, point in enumerate(self.points):
            for path in point:
                if path in owner:
                    yield ("points", place, path), f"is set by {owner[path]} too"
                own[path] = "points"
        owner |= own
        for place, one in enumerate(self.sample.over if self.sample is not None else ()):
            if one.path in owner:
                yield ("sample", "over", place, "path"), f"{one.path!r:.60} is set by {owner[one.path]} too"
            owner.setdefault(one.path, f"sample.over[{place}]")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Study:
        """Read a study file.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        rtsched.errors.InputError
            One message per fault. What the study names is looked at by `check`.
        """
        document = Document.read(path)
        study = document.validate(cls)
        study._folder = document.folder
        study._placed = document.placed
        return study

    @classmethod
    def of_definition(cls, text: str) -> Study:
        """Make the study that `definition` wrote. It can be looked at, not run: nobody knows where its relative paths start."""
        return cls.model_validate(json.loads(text))

    @property
    def definition(self) -> str:
        """The study as JSON, with every key."""
        return json.dumps(self.model_dump(), ensure_ascii=False)

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self._folder

    def placed(self, path: tuple[str | int, ...], message: str) -> str:
        """Write a fault of the value at `path`, with file, line and column where there are any."""
        return f"{path_text(path)}: {message}" if self._placed is None else self._placed(path, message)

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def paths(self) -> tuple[str, ...]:
        """What is varied: paths of settings, in the order of the file."""
        drawn = [one.path for one in self.sample.over] if self.sample is not None else []
        return tuple(dict.fromkeys([*(one.path for one in self.axes), *(path for one in self.points for path in one), *drawn]))

    @property
    def n_runs(self) -> int:
        """How many runs it has."""
        return math.prod(self._factors().values())

    def _factors(self) -> dict[str, int]:
        found = {"scenarios": len(self.scenarios), "platforms": len(self.platforms or (None,)), "policies": len(self.policies)}
        found |= {f"values of axes[{place}]": len(axis.values) for place, axis in enumerate(self.axes)}
        found |= {"points": len(self.points) or 1, "drawn points": self.sample.n if self.sample is not None else 1}
        return found | {"seeds": self.seeds if isinstance(self.seeds, int) else len(self.seeds)}

    def _factors_text(self) -> str:
        parts = [f"{n:,} {name}" for name, n in self._factors().items() if n > 1]
        return " x ".join(parts if len(parts) <= 8 else [*parts[:7], "..."])

    def check(self) -> Checked:
        """Load and check everything that the study names: scenarios, platforms, policies, paths, and each value by itself.

        Returns
        -------
        Checked
            What `rtsched.study.sweep.run.run_study` runs.

        Raises
        ------
        rtsched.errors.InputError
            Every fault at once.
        """
        from rtsched.study.sweep.checks import checked

        return checked(self)

    def run(
        self,
        store: Store | str | os.PathLike[str],
        *,
        backend: Backend = "loky",
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> StudyRuns:
        """Run what the store does not have yet.

        Parameters
        ----------
        store : Store, str or path
            Each run is added when it ends, in one transaction.
        backend : {"loky", "dask", "ray"}
            Whose processes run it. The results are the same.
        workers : int, optional
            How many processes. Default: the number of available CPUs; of a cluster that is there already, all it has.
        progress : callable, optional
            Called some times a second, in another thread, with the number of runs that were finished now, and of those that were
            to be run at most.

        Returns
        -------
        StudyRuns

        Raises
        ------
        InputError, PolicyError
            The inputs are at fault, a worker died, the store cannot be written, or a policy broke its contract.
        SweepInterrupted
            Ctrl-C. What was finished is in the store.
        """
        from rtsched.study.store import Store
        from rtsched.study.sweep.backends import check_backend
        from rtsched.study.sweep.results import StudyRuns
        from rtsched.study.sweep.run import run_study

        check_backend(backend, workers)
        inputs = self.check()
        with nullcontext(store) if isinstance(store, Store) else Store(store) as opened:
            run_study(inputs, opened, backend=backend, workers=workers, progress=progress)
            return StudyRuns.read(opened, self.name)


def _repeated(name: str, values: Iterable[object]) -> Iterator[Fault]:
    first: dict[object, int] = {}
    for place, one in enumerate(values):
        if first.setdefault(one, place) != place:
            yield (name, place), f"{one!r:.60} is there twice"


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"{n:.0e}" if n < 10**300 else "more than 1e300"
