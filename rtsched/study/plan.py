"""What a comparison is of: policies, seeds and metrics, checked together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rtsched.documents import hint
from rtsched.errors import FaultList, InputError
from rtsched.metrics import SCALARS
from rtsched.policies.registry import configure, load_policy, setting_paths
from rtsched.policies.roles import Policy

__all__ = ["DEFAULT_METRICS", "MAX_SEEDS", "Plan", "plan"]

DEFAULT_METRICS = ("uxcost", "violation_rate", "energy_j")

MAX_SEEDS = 100_000
"""So many runs of a scenario take hours; more seeds are a mistake."""


@dataclass(frozen=True)
class Plan:
    """What is compared, checked.

    Attributes
    ----------
    policies : tuple of Policy
        Their names differ.
    seeds : tuple of int
    metrics : tuple of str
        The first one ranks.
    baseline : str or None
        Name of a policy. None: the best one by the first metric.
    settings : mapping of path to value
        What was changed to make the problem and the policies, for the provenance; it changes nothing here.
    """

    policies: tuple[Policy, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    baseline: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)


def plan(
    policies: Sequence[Any],
    seeds: int | Iterable[int],
    *,
    metrics: Sequence[str] | None = None,
    baseline: str | None = None,
    roles: Mapping[str, object] | None = None,
) -> Plan:
    """Check what is to be compared.

    Parameters
    ----------
    policies, seeds, metrics, baseline
        As for `compare`.
    roles : mapping of path to value, optional
        Settings of roles; each holds for the policies that have it.

    Raises
    ------
    InputError
        Every fault at once.
    """
    faults = FaultList()
    if isinstance(policies, (str, Policy)) or not isinstance(policies, Iterable):
        policies = (policies,)
    policies = list(policies)
    loaded = []
    for one in policies:
        found = faults.of(load_policy, one)
        if found is not None:
            loaded.append(found)
    if len(loaded) == len(policies):
        loaded = faults.of(_configured, loaded, roles or {}) or loaded
    names = [one.name for one in loaded]
    if not policies:
        faults.add("policies: name at least one to compare")
    for name in _repeated(names):
        faults.add(f"policies: {name!r} is there twice; names must differ")
    if baseline is not None and len(loaded) == len(policies) and baseline not in names:
        faults.add(f"baseline: must be one of the compared policies, got {baseline!r}{hint(str(baseline), names, 'policies')}")
    numbers = faults.of(_seeds, seeds)
    ranked = (metrics,) if isinstance(metrics, str) else DEFAULT_METRICS if metrics is None else tuple(metrics)
    if not ranked:
        faults.add("metrics: name at least one")
    for name in ranked:
        if name not in SCALARS:
            faults.add(f"unknown metric {name!r}{hint(str(name), SCALARS, 'known metrics')}")
    for name in _repeated(ranked):
        faults.add(f"metrics: {name!r} is there twice")
    faults.report()
    return Plan(tuple(loaded), numbers or (), ranked, baseline)


def _configured(policies: Sequence[Policy], roles: Mapping[str, object]) -> list[Policy]:
    """Change the settings of the policies that have them; what none of them has is a fault."""
    if len(policies) == 1:
        return [configure(policies[0], roles)]
    faults = FaultList()
    owned = [setting_paths(one) for one in policies]
    known = list(dict.fromkeys(path for paths in owned for path in paths))
    for path in roles:
        if policies and path not in known:
            faults.add(f"setting {path!r}: none of the policies has it{hint(path, known, 'they have') or '; they have no settings'}")
    made = [
        faults.of(configure, one, {path: value for path, value in roles.items() if path in paths})
        for one, paths in zip(policies, owned, strict=True)
    ]
    faults.report()
    return [one for one in made if one is not None]


def _seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """Check seeds, or make as many as are asked for."""
    if _is_whole(seeds):
        if not 1 <= seeds <= MAX_SEEDS:  # type: ignore[operator]
            raise InputError(f"seeds: must be 1 to {MAX_SEEDS} of them, got {seeds}")
        return tuple(range(seeds))  # type: ignore[arg-type]
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise InputError(f"seeds must be a number of seeds or a list of them, got {seeds!r:.60}")
    if isinstance(seeds, Sequence) and len(seeds) > MAX_SEEDS:
        raise InputError(f"seeds: must be 1 to {MAX_SEEDS} of them, got {len(seeds)}")
    found = list(seeds)
    if not found:
        raise InputError("seeds: give at least one")
    wrong = [one for one in found if not _is_whole(one) or not 0 <= one < 2**64]
    if wrong:
        raise InputError([f"seeds: each must be an integer from 0 to 2**64 - 1, got {one!r:.60}" for one in wrong])
    if again := _repeated(found):
        raise InputError([f"seeds: {one} is there twice" for one in again])
    return tuple(map(int, found))


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _repeated(values: Iterable[Any]) -> list[Any]:
    """What is there more than once, once each."""
    seen: set[Any] = set()
    again: dict[Any, None] = {}
    for one in values:
        if one in seen:
            again[one] = None
        seen.add(one)
    return list(again)
