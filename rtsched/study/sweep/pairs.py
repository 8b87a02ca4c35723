"""A scenario and a platform, loaded once and compiled with many settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtsched.compiler import compile_problem
from rtsched.errors import FaultList
from rtsched.library import PACKAGE, YAML, folder_of, load_platform, load_scenario, locate
from rtsched.overrides import Settings, change_platform, change_scenario
from rtsched.platform.platform import Platform
from rtsched.policies import script
from rtsched.problem import Problem
from rtsched.workload.scenario import Scenario

__all__ = ["Pair", "document_at", "policy_at"]


def document_at(ref: str, folder: Path) -> str:
    """What a reference to a scenario or a platform means in a study file of that folder.

    Raises
    ------
    rtsched.errors.InputError
        It is none.
    """
    path = locate(ref, YAML, folder)
    return ref if path is None or ref.startswith(PACKAGE) else os.fspath(path)


def policy_at(ref: str, folder: Path) -> str:
    """What a reference to a policy means in a study file of that folder."""
    return os.fspath(folder / ref) if script.is_script(ref) else ref


@dataclass(frozen=True)
class Pair:
    """A scenario and a platform.

    Attributes
    ----------
    scenario : Scenario
    platform : Platform or None
        None: the one that the scenario names, whatever that is after its settings.
    folders : (Path, Path)
        Where relative paths in values start.
    load, duration_s : float or None
        Replace the scenario's.
    """

    scenario: Scenario
    platform: Platform | None
    folders: tuple[Path, Path]
    load: float | None
    duration_s: float | None

    @classmethod
    def loaded(cls, scenario: str, platform: str | None, load: float | None, duration_s: float | None) -> Pair:
        """Load both.

        Raises
        ------
        rtsched.errors.InputError
            Every fault at once.
        """
        faults = FaultList()
        chosen = faults.of(load_scenario, scenario)
        hardware = None if platform is None else faults.of(load_platform, platform)
        faults.report()
        assert chosen is not None
        return cls(chosen, hardware, (folder_of(scenario), Path() if platform is None else folder_of(platform)), load, duration_s)

    def changed(self, settings: Settings) -> tuple[Scenario, Platform]:
        """Both with other values.

        Raises
        ------
        rtsched.errors.InputError
            Every fault at once.
        """
        faults = FaultList()
        for fault in settings.faults:
            faults.add(fault)
        scenario = faults.of(change_scenario, self.scenario, settings, self.folders[0])
        named = (scenario or self.scenario).platform
        platform, folder = self.platform, self.folders[1]
        if platform is None and named is not None:
            platform, folder = faults.of(load_platform, named), folder_of(named)
        elif platform is None:
            faults.add(f"scenario {self.scenario.name!r} names no platform of its own; the study must have platforms")
        if platform is not None:
            platform = faults.of(change_platform, platform, settings, folder)
        faults.report()
        assert scenario is not None
        assert platform is not None
        given = {"load": self.load, "duration_s": self.duration_s}
        return scenario.model_copy(update={name: value for name, value in given.items() if value is not None}), platform

    def compiled(self, settings: Mapping[str, Any]) -> Problem:
        """Compile both with other values.

        Raises
        ------
        rtsched.errors.InputError
        """
        return compile_problem(*self.changed(Settings.of(settings)))
