"""Other values of the settings of policies, one at a time, and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsched.errors import InputError
from rtsched.policies.registry import configure, setting_paths
from rtsched.policies.roles import Policy, Setting
from rtsched.study.reproduce.cells import Cell, Paired, Stage, paired, ratios
from rtsched.study.reproduce.tables import Table, Value

__all__ = ["DEFAULT", "Variation", "against_default", "changes_table", "setting_of", "variations"]

DEFAULT = "default"
"""The case in which nothing is changed."""


def setting_of(policy: Policy, path: str) -> Setting:
    """The declaration of a setting by its path.

    Raises
    ------
    InputError
        The policy has none there.
    """
    place, _, name = path.partition(".")
    found: Setting | None = next((one for one in getattr(getattr(policy, place, None), "settings", ()) if one.name == name), None)
    if found is None:
        raise InputError(f"this study needs the setting {path!r} of policy {policy.name!r}, which does not have it")
    return found


@dataclass(frozen=True)
class Variation:
    """Another value of a setting.

    Attributes
    ----------
    path : str
    setting : Setting
    policy : str
        Name of the policy that is changed.
    default, value : object
    changed : Policy
    """

    path: str
    setting: Setting
    policy: str
    default: Any
    value: Any
    changed: Policy

    @property
    def case(self) -> str:
        """What it is called."""
        return f"{self.path}={self.value}"

    @property
    def is_reconstructed(self) -> bool:
        """Whether the setting's meaning says that the paper does not state it."""
        return any(mark in self.setting.meaning.lower() for mark in ("reconstruct", "(r)", "(assumed)", "(ours)"))


def variations(fixed: Policy, tuned: Policy, more: Mapping[str, Sequence[Any]] | None = None) -> list[Variation]:
    """Other values of every setting: half and twice a number, each other choice, the other of two.

    Settings that the policy without a tuner has are changed there, where no tuner works against them; the others in the tuned one.
    Values that the setting does not take are left out. `more` has more values by path.
    """
    found = []
    own = set(setting_paths(fixed))
    for path in dict.fromkeys((*setting_paths(fixed), *setting_paths(tuned))):
        policy = fixed if path in own else tuned
        setting = setting_of(policy, path)
        place, _, name = path.partition(".")
        default = getattr(getattr(policy, place), name)
        for value in dict.fromkeys((*_others(setting, default), *(more or {}).get(path, ()))):
            try:
                changed = configure(policy, {path: value})
            except InputError:  # a rule between settings
                continue
            found.append(Variation(path, setting, policy.name, default, getattr(getattr(changed, place), name), changed))
    return found


def _others(setting: Setting, default: Any) -> list[Any]:
    """Values beside the default."""
    if isinstance(default, bool):
        return [not default]
    if setting.choices is not None:
        return [one for one in setting.choices if one != default and not isinstance(default, tuple)]
    if not isinstance(default, (int, float)):
        return []
    ends = [one for one in (setting.low, setting.high) if one is not None and math.isfinite(one)]
    wanted = [default / 2, default * 2] if default else [1, *ends]
    low, high = (-math.inf if setting.low is None else setting.low), (math.inf if setting.high is None else setting.high)
    clipped = [min(max(one, low), high) for one in wanted]
    typed: list[float] = [round(one) if isinstance(default, int) else float(one) for one in clipped]
    return [one for one in dict.fromkeys(typed) if one != default]


Pairing = Callable[[Stage, str, Callable[[Cell], Cell], Iterable[Cell]], Paired]


def against_default(stage: Stage, metric: str, cells: Iterable[Cell], pairing: Pairing = paired) -> Paired:
    """Compare cells with those of the same policy in which nothing is changed."""
    return pairing(stage, metric, lambda cell: cell._replace(case=DEFAULT), cells)


def changes_table(stage: Stage, changed: Sequence[Variation], metrics: Mapping[str, str], pairing: Pairing = paired) -> Table:
    """What each setting is worth, those that matter most first.

    Parameters
    ----------
    stage : Stage
        Its cases are `DEFAULT` and those of the variations.
    changed : sequence of Variation
    metrics : mapping of column to metric
        Ratios to the default. The first has an interval and decides the order.
    pairing : callable
        `rtsched.study.reproduce.cells.paired` or `paired_means`.
    """
    cells = [[cell for cell in stage.runs if (cell.case, cell.policy) == (one.case, one.policy)] for one in changed]
    (first, found), *others = (
        (column, ratios([against_default(stage, metric, own, pairing) for own in cells])) for column, metric in metrics.items()
    )
    reach: dict[str, float] = {}
    for one, ratio in zip(changed, found, strict=True):
        reach[one.path] = max(reach.get(one.path, 0.0), abs(float(np.log(ratio.mean))) if ratio.n_cells else 0.0)
    order = sorted(range(len(changed)), key=lambda place: (-reach[changed[place].path], changed[place].path))
    rows: list[tuple[Value, ...]] = []
    for place in order:
        one, ratio = changed[place], found[place]
        is_marked = "yes" if one.is_reconstructed else "no"
        more = [column[place].mean for _, column in others]
        numbers = (ratio.n_cells, ratio.mean, ratio.low, ratio.high, *more)
        rows.append((one.path, one.policy, is_marked, str(one.default), str(one.value), *numbers))
    columns = ("setting", "policy", "reconstructed", "default", "value", "cells", first, "low", "high", *(name for name, _ in others))
    about = f"{first}: to the default, geometric mean with its 95 % interval. Settings by the largest change of one of their values."
    return Table(f"{stage.name}_summary", "What the settings are worth", about, columns, tuple(rows))
