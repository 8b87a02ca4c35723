"""Everything that a problem is made of: loaded, changed and checked, with all faults together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from rtsched.errors import FaultList, InputError, quoted
from rtsched.library import folder_of, load_platform, load_scenario, scenario_fault
from rtsched.overrides import Settings, change_platform, change_scenario, setting_fault
from rtsched.platform.platform import Platform
from rtsched.workload.scenario import Scenario

__all__ = ["load_inputs", "scenario_place"]


def load_inputs(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    *,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | Settings | None = None,
) -> tuple[Scenario, Platform]:
    """Load a scenario and its platform.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    duration_s, load : float, optional
        Replace the scenario's.
    settings : mapping of path to value, or Settings, optional
        Replace single values of the scenario and of the platform, see `rtsched.overrides`.

    Returns
    -------
    scenario : Scenario
    platform : Platform

    Raises
    ------
    InputError
        Every fault at once.
    """
    faults = FaultList()
    chosen = faults.of(load_scenario, scenario)
    where = platform if platform is not None or chosen is None else chosen.platform
    wanted = Settings.of(settings)
    for fault in wanted.faults:
        faults.add(fault)
    for one in wanted.of_policy:
        faults.add(f"{one.label}: belongs to a policy; a problem has none")
    if chosen is not None:
        chosen = faults.of(change_scenario, chosen, wanted, folder_of(scenario))
        if platform is None and chosen is not None:
            where = chosen.platform
            if where is None:
                faults.add(f"scenario {quoted(chosen.name)} names no platform of its own; choose one with -p or the key 'platform'")
    hardware = None if where is None else faults.of(load_platform, where)
    if where is not None and hardware is not None:
        hardware = faults.of(change_platform, hardware, wanted, folder_of(where))
    changes = {}
    for name, value in (("duration_s", duration_s), ("load", load)):
        if value is not None:
            changes[name] = faults.of(_checked, name, value)
            for one in wanted.of_scenario:
                if one.steps == (name,):
                    faults.add(f"{one.label}: {name} is given twice, the other time as {value!r}")
    faults.report()
    assert chosen is not None
    assert hardware is not None
    return chosen.model_copy(update=changes), hardware


def scenario_place(
    scenario: str | Scenario, settings: Mapping[str, object] | Settings | None = None
) -> Callable[[tuple[str | int, ...], str], str]:
    """Return what writes a fault that stands at a path of a scenario as `load_inputs` would: with its setting, or its line.

    Nothing is read before there is a fault; the scenario is then read once more.

    Parameters
    ----------
    scenario, settings
        As for `load_inputs`, which found no fault in them.
    """

    def written(path: tuple[str | int, ...], message: str) -> str:
        set_by = setting_fault(load_scenario(scenario), Settings.of(settings), path, message)
        return set_by or scenario_fault(scenario, path, message)

    return written


def _checked(name: str, value: float) -> float:
    """Check a value that replaces the scenario's, even when there is no scenario."""
    field = Scenario.model_fields[name]
    bounded: Any = Annotated[field.annotation, field]
    try:
        checked: float = TypeAdapter(bounded).validate_python(value)
    except ValidationError as error:
        raise InputError([f"{name}: {one['msg'].replace('Input should ', 'must ')}, got {value!r}" for one in error.errors()]) from None
    return checked
