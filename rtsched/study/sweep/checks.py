"""Everything that a study names, loaded and checked before the first run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rtsched.documents import hint
from rtsched.errors import InputError
from rtsched.library import folder_of, load_platform, load_scenario
from rtsched.overrides import Settings
from rtsched.platform.platform import Platform
from rtsched.policies.registry import configure, load_policy, setting_paths
from rtsched.policies.roles import Policy
from rtsched.run import sha256_of
from rtsched.study.sweep.grid import Grid, Probe
from rtsched.study.sweep.model import Study
from rtsched.study.sweep.pairs import Pair, document_at, policy_at

__all__ = ["Checked", "PairName", "checked"]

ResultT = TypeVar("ResultT")

PairName = tuple[str, str | None]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Checked:
    """A study whose inputs are there.

    Attributes
    ----------
    grid : Grid
    names : tuple of str
        Of the policies, as they call themselves.
    paths : tuple of tuple of str
        What can be set of each policy.
    platforms : mapping of (scenario, platform) to str
        The name of each pair's platform, for labels and tables.
    loads : mapping of (scenario, platform) to float
        Where no setting changes it.
    inputs : str
        SHA-256 over all that the study's runs are made of, so far as it does not vary: a changed file changes it.
    """

    grid: Grid
    names: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    platforms: Mapping[PairName, str]
    loads: Mapping[PairName, float]
    inputs: str


def checked(study: Study) -> Checked:
    """Load and check everything that a study names.

    Raises
    ------
    rtsched.errors.InputError
        Every fault at once, each with its place in the study.
    """
    faults = _Faults(study)
    grid = Grid(study)
    policies = faults.policies()
    pairs = faults.pairs()
    tried: set[str] = set()
    for probe in grid.probes():
        of_policies = repr(probe.cell.of_policies)
        if of_policies not in tried and None not in policies:
            tried.add(of_policies)
            faults.of_roles(probe, [one for one in policies if one is not None])
        pair = pairs.get((probe.cell.scenario, probe.cell.platform))
        if pair is not None:
            faults.of_problem(probe, pair)
    faults.report()
    found = [one for one in policies if one is not None]
    first = grid.cell(0)
    problems = {name: pair.compiled(first.settings) for name, pair in pairs.items()}
    return Checked(
        grid=grid,
        names=tuple(one.name for one in found),
        paths=tuple(setting_paths(one) for one in found),
        platforms={name: name[1] or problem.platform_name for name, problem in problems.items()},
        loads={name: problem.scenario.load for name, problem in problems.items()},
        inputs=sha256_of("\n".join([study.definition, *map(repr, found), *(one.digest for one in problems.values())])),
    )


class _Faults:
    """Faults of a study, each once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._found: dict[str, None] = {}

    def report(self) -> None:
        """Raise them, if there are any."""
        if self._found:
            raise InputError(list(self._found))

    def at(self, place: Place, call: Callable[..., ResultT], *arguments: Any) -> ResultT | None:
        """Call, and return the answer; None when that finds faults, which are those of a place."""
        try:
            return call(*arguments)
        except InputError as error:
            self._found |= dict.fromkeys(self._study.placed(place, fault) for fault in error.faults)
            return None

    def policies(self) -> list[Policy | None]:
        """The policies; None for those that cannot be loaded."""
        study = self._study
        return [self.at(("policies", i), load_policy, policy_at(ref, study.folder)) for i, ref in enumerate(study.policies)]

    def pairs(self) -> dict[PairName, Pair]:
        """Every scenario on every platform, so far as they can be loaded."""
        study = self._study
        scenarios = {ref: self._loaded(("scenarios", i), load_scenario, ref) for i, ref in enumerate(study.scenarios)}
        platforms: dict[str | None, tuple[Platform, Path] | None] = {}
        for i, ref in enumerate(study.platforms or ()):
            platforms[ref] = self._loaded(("platforms", i), load_platform, ref)
        found: dict[PairName, Pair] = {}
        for (scenario, own), (platform, on) in itertools.product(scenarios.items(), (platforms or {None: None}).items()):
            if own is not None and (platform is None or on is not None):
                hardware, folder = on or (None, Path())
                found[scenario, platform] = Pair(own[0], hardware, (own[1], folder), study.load, study.duration_s)
        return found

    def _loaded(self, place: Place, load: Callable[[str], ResultT], ref: str) -> tuple[ResultT, Path] | None:
        """What a reference means, and the folder that it comes from."""
        where = self.at(place, document_at, ref, self._study.folder)
        found = None if where is None else self.at(place, load, where)
        return None if found is None or where is None else (found, folder_of(where))

    def of_problem(self, probe: Probe, pair: Pair) -> None:
        """Try values of the scenario and the platform."""
        settings = Settings.of(probe.cell.settings, lambda path: self._study.placed(probe.places[path], "").removesuffix(": "))
        try:
            pair.changed(settings)
        except InputError as error:
            self._found |= dict.fromkeys(error.faults)

    def of_roles(self, probe: Probe, policies: Sequence[Policy]) -> None:
        """Try values of roles, each alone and then together."""
        owned = [setting_paths(one) for one in policies]
        known = list(dict.fromkeys(path for paths in owned for path in paths))
        changes = probe.cell.of_policies
        n_before = len(self._found)
        for path, value in changes.items():
            if path not in known:
                remedy = hint(path, known, "they have") or "; they have no settings"
                self.at(probe.places[path], _refuse, f"{path!r:.60}: none of the policies has this setting{remedy}")
            for one, paths in zip(policies, owned, strict=True):
                if path in paths:
                    self.at(probe.places[path], configure, one, {path: value})
        if len(self._found) == n_before and len(changes) > 1:
            for one, paths in zip(policies, owned, strict=True):
                place = probe.places[list(changes)[-1]]
                self.at(place, configure, one, {path: value for path, value in changes.items() if path in paths})


def _refuse(message: str) -> None:
    raise InputError(message)
