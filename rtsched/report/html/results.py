"""What a report is about: outcomes with the names under which they stand in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np

from rtsched.attribution import Attribution, attribute
from rtsched.errors import FaultList, InputError
from rtsched.outcome import Outcome
from rtsched.report.palette import slots
from rtsched.report.text import changed, name

__all__ = ["READERS", "Result", "groups", "labelled", "read_results"]


@dataclass(frozen=True, eq=False)
class Result:
    """One outcome.

    Attributes
    ----------
    label : str
        No other result has it.
    outcome : Outcome
    source : str
        Where it came from: the file.
    place : int
        Which one it is, from 0.
    colour : int
        A number in `rtsched.report.palette.LINES`, modulo their number.
    """

    label: str
    outcome: Outcome
    source: str
    place: int
    colour: int

    @cached_property
    def attribution(self) -> Attribution | str:
        """Where its time went; or why that is not known, in words."""
        if self.lacks:
            told = self.lacks.replace(" and ", " and no ")
            return f"its file has no {told}. Save it with 'rtsched run --save', or in Python run it with layers=True and rates=True."
        try:
            return attribute(self.outcome)
        except InputError as error:
            return f"its tables mean nothing: {error.faults[0]}. 'rtsched check' tells more."

    @property
    def lacks(self) -> str:
        """Which tables were not recorded, in words; empty when all were."""
        return " and ".join(table for table in ("layers", "rates") if getattr(self.outcome, table) is None)

    @cached_property
    def response_ns(self) -> np.ndarray:
        """Finish less the instant from which the deadline counts, of every finished job; int64. The others have -1."""
        jobs = self.outcome.jobs
        since_ns = jobs["deadline_ns"] - self.outcome.problem.task_deadline_ns[jobs["task"]]
        return np.where(jobs["status"] <= 1, jobs["finish_ns"] - since_ns, -1)


def _read_outcomes(path: str) -> list[Outcome]:
    from rtsched.saved import load_outcome

    return [load_outcome(path)]


READERS: Mapping[str, Callable[[str], Sequence[Outcome]]] = {".npz": _read_outcomes}
"""What makes outcomes of a file, by its suffix."""


def read_results(paths: Sequence[str], progress: Callable[[int, int], None] | None = None, *, or_else: str = "") -> list[Result]:
    """Read what a report is about.

    Parameters
    ----------
    paths : sequence of str
        Files that `READERS` read.
    progress : callable, optional
        Called with how many are read, of how many.
    or_else : str
        What else the caller takes, for the message about a file that is no result.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault of all of them.
    """
    faults, found = FaultList(), list[tuple[str, Outcome]]()
    seen: dict[str, str] = {}
    for i, path in enumerate(paths):
        place = os.path.realpath(path)
        if place in seen:
            faults.add(f"{path}: is the same file as {seen[place]}")
            continue
        seen[place] = path
        found += [(path, outcome) for outcome in faults.of(_read, path, or_else) or ()]
        if progress is not None:
            progress(i + 1, len(paths))
    faults.report()
    return labelled(found)


def _read(path: str, or_else: str) -> Sequence[Outcome]:
    suffix = PurePath(path).suffix.lower()
    if suffix not in READERS:
        raise InputError(f"{path}: must be what 'rtsched run --save' wrote, and end in {' or '.join(READERS)}{or_else}")
    return READERS[suffix](path)


def labelled(found: Sequence[tuple[str, Outcome]]) -> list[Result]:
    """Give outcomes names: those of their policies, and as much else as tells them apart."""
    settings = [_settings(outcome) for _, outcome in found]
    shared = [path for path, value in settings[0].items() if all(repr(one.get(path)) == repr(value) for one in settings)]
    parts: list[Callable[[str, Outcome], str]] = [
        lambda _, outcome: str(name(outcome.policy)),
        lambda _, outcome: str(name(outcome.problem.scenario_name)),
        lambda _, outcome: str(name(outcome.problem.platform_name)),
        lambda _, outcome: f"seed {outcome.seed}",
        lambda _, outcome: str(changed({"settings": _settings(outcome)}, shared)).removeprefix("; "),
        lambda path, _: str(name(PurePath(path).name)),
    ]
    labels = [[one] for one in (parts[0](*pair) for pair in found)]
    for part in parts[1:]:
        if len({tuple(one) for one in labels}) == len(found):
            break
        told = [part(*pair) for pair in found]
        if len(set(told)) > 1:
            labels = [[*one, more] if more else one for one, more in zip(labels, told, strict=True)]
    unique: dict[str, int] = {}
    texts = []
    for one in labels:
        text = ", ".join(one)
        unique[text] = unique.get(text, 0) + 1
        texts.append(text if unique[text] == 1 else f"{text} ({unique[text]})")
    colours = slots([outcome.policy for _, outcome in found])
    return [Result(text, outcome, path, i, colours[i]) for i, (text, (path, outcome)) in enumerate(zip(texts, found, strict=True))]


def _settings(outcome: Outcome) -> dict[str, Any]:
    """What was changed of the inputs; nothing where the file says nonsense."""
    told = outcome.provenance.get("settings")
    return told if isinstance(told, dict) else {}


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Results of the same problem and seed together: they have the same frames, so they can be compared."""
    made: dict[tuple[str, int], list[Result]] = {}
    for one in results:
        made.setdefault((one.outcome.problem.digest, one.outcome.seed), []).append(one)
    return list(made.values())
