"""What commands that simulate share: inputs that are loaded and checked together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from rtsched.cli._program import Faults
from rtsched.errors import InputError

if TYPE_CHECKING:
    from rtsched.problem import Problem

__all__ = ["Workload", "check_outputs", "check_seed", "short"]


class Workload:
    """The scenario and the platform that a command was given.

    Parameters
    ----------
    faults : Faults
        Takes whatever is wrong with them.
    scenario : str
    platform : str, optional
    changes : mapping
        What replaces the scenario's own ``duration_s`` and ``load``; None for what stays.

    Attributes
    ----------
    problem : Problem or None
        None when there were faults.
    files : dict
        What the problem is made of, so far as it is in files: real path to what it is.
    """

    def __init__(self, faults: Faults, scenario: str, platform: str | None, changes: Mapping[str, float | None]) -> None:
        from rtsched.library import YAML, load_platform, load_scenario
        from rtsched.run import compile

        found = faults.of(load_scenario, scenario)
        hardware = None if platform is None else faults.of(load_platform, platform)
        is_found = found is not None and (platform is None or hardware is not None)
        valid = {name: value for name, value in changes.items() if value is not None and faults.of(_check_change, name, value)}
        self.problem = faults.of(compile, found, hardware, **valid) if found is not None and is_found else None
        own = found.platform if found is not None and platform is None else platform
        self.files = {place: what for ref, what in ((scenario, "the scenario"), (own, "the platform")) for place in _places(ref, YAML)}
        if self.problem is not None:
            self.files |= _tables(self.problem)

    @property
    def compiled(self) -> Problem:
        """The problem, once the faults were reported."""
        assert self.problem is not None
        return self.problem


def check_seed(faults: Faults, seed: int) -> None:
    """Note a seed that is out of range."""
    if not 0 <= seed < 2**64:
        faults.add(f"seed must be an integer from 0 to 2**64 - 1, got {short(str(seed))}")


def check_outputs(faults: Faults, outputs: Mapping[str, str | None], inputs: Mapping[str, str]) -> None:
    """Note what cannot be written, or would overwrite an input or another output.

    Parameters
    ----------
    faults : Faults
    outputs : mapping
        Option to path; None where the option was not given.
    inputs : mapping
        Real path to what it is.
    """
    from rtsched.report.files import STDOUT, check_writable

    written: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        place = path if path == STDOUT else os.path.realpath(path)
        if place in inputs:
            faults.add(f"{option} {path}: would overwrite {inputs[place]}")
        elif place in written:
            faults.add(f"{written[place]} and {option} cannot both be written to {path}")
        else:
            faults.of(check_writable, path)
            written[place] = option


def short(text: str) -> str:
    """Shorten what a user typed to what a message can show."""
    return text if len(text) <= 60 else text[:57] + "..."


def _check_change(name: str, value: float) -> bool:
    """Check a value that replaces the scenario's, even when there is no scenario."""
    from pydantic import TypeAdapter, ValidationError

    from rtsched.workload.scenario import Scenario

    field = Scenario.model_fields[name]
    bounded: Any = Annotated[float, field]
    try:
        TypeAdapter(bounded).validate_python(value)
    except ValidationError as error:
        raise InputError([f"{name}: {one['msg'].replace('Input should ', 'must ')}, got {value!r}" for one in error.errors()]) from None
    return True


def _tables(problem: Problem) -> dict[str, str]:
    """The real paths of the cost tables."""
    from rtsched.cost.table import TableCost

    return {
        os.path.realpath(one.cost.table.source): f"the cost table of accelerator {one.name!r}"
        for one in problem.platform.accelerators
        if isinstance(one.cost, TableCost) and one.cost.file is not None
    }


def _places(ref: str | None, suffixes: tuple[str, ...]) -> list[str]:
    """The real path of the file that a reference means, if it means one."""
    from rtsched.library import locate

    try:
        path = None if ref is None else locate(ref, suffixes)
        return [] if path is None else [os.path.realpath(path)]
    except (InputError, ValueError):  # reported by the loader
        return []
