"""What of a policy can be tuned, and between which values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtsched.documents import hint
from rtsched.errors import FaultList, InputError, short
from rtsched.policies.registry import ROLES, configure
from rtsched.policies.roles import Policy, Setting
from rtsched.study.sweep.axes import MAX_MAGNITUDE

__all__ = ["DIGITS", "Range", "ranges_of", "tunable", "value_of"]

DIGITS = 6
"""Of values that are tried, so that what is printed is what was run."""


@dataclass(frozen=True)
class Range:
    """Values of a setting that are tried.

    Attributes
    ----------
    path : str
        As for ``--set``.
    low, high : float or int
        Both ends are tried too.
    is_whole : bool
        Whole numbers only.
    """

    path: str
    low: float
    high: float
    is_whole: bool

    @property
    def bounds(self) -> tuple[float, float]:
        """Of the numbers that `at` takes: each whole number has a part of the same length."""
        return (self.low, self.high + 1) if self.is_whole else (self.low, self.high)

    def at(self, position: float) -> float:
        """The value that a number within `bounds` stands for."""
        if self.is_whole:
            return int(min(max(math.floor(position), self.low), self.high))
        return min(max(float(f"{position:.{DIGITS}g}"), self.low), self.high)

    def position(self, value: float) -> float | None:
        """A number that stands for a value; None when the value lies outside."""
        if not self.low <= value <= self.high:
            return None
        return value + 0.5 if self.is_whole else value


def tunable(policy: Policy) -> dict[str, Setting]:
    """Settings of a policy that are numbers, by their paths."""
    roles = [(place, getattr(policy, place)) for place in ROLES]
    found = {f"{place}.{one.name}": one for place, role in roles for one in getattr(role, "settings", ())}
    return {path: one for path, one in found.items() if _is_number(one.default) and one.choices is None}


def value_of(policy: Policy, path: str) -> Any:
    """What a setting of a policy is."""
    place, _, setting = path.partition(".")
    return getattr(getattr(policy, place), setting)


def ranges_of(policy: Policy, over: Mapping[str, Any]) -> tuple[Range, ...]:
    """Check what is to be tuned.

    Parameters
    ----------
    policy : Policy
    over : mapping of path to (low, high)

    Raises
    ------
    InputError
        One message per fault; when nothing is given, what could be.
    """
    known = tunable(policy)
    if not known:
        raise InputError(f"policy {policy.name!r} has no setting that is a number, so there is nothing to tune")
    if not over:
        rows = [f"\n  {path}  {_described(one)}, now {value_of(policy, path):g}: {one.meaning}" for path, one in known.items()]
        first = f"{next(iter(known))}=LOW:HIGH"
        raise InputError(f"over: give at least one range, as {first}; of policy {policy.name!r} can be tuned{''.join(rows)}")
    faults = FaultList()
    found = [faults.of(_range, policy, known, path, ends) for path, ends in over.items()]
    faults.report()
    return tuple(one for one in found if one is not None)


def _range(policy: Policy, known: Mapping[str, Setting], path: str, ends: Any) -> Range:
    label = f"over {short(repr(path))}"
    if path not in known:
        # A fault of the path itself is told as --set would.
        configure(policy, {path: 0})
        raise InputError(f"{label}: is no number, so it cannot be tuned{hint(path, known, 'those that can')}")
    if not isinstance(ends, (tuple, list)) or len(ends) != 2 or not all(_is_number(one) and abs(one) <= MAX_MAGNITUDE for one in ends):
        raise InputError(f"{label}: must be two numbers, the smaller one first, got {ends!r:.60}")
    low, high = ends
    is_whole = isinstance(known[path].default, int)
    if is_whole and (low % 1 or high % 1):
        raise InputError(f"{label}: takes whole numbers, got {low:g} and {high:g}")
    if low >= high:
        raise InputError(f"{label}: must be two numbers, the smaller one first, got {low:g} and {high:g}")
    low, high = (int(low), int(high)) if is_whole else (float(low), float(high))
    for end in (low, high):
        configure(policy, {path: end})
    return Range(path, low, high, is_whole)


def _described(one: Setting) -> str:
    """The range that a setting declares."""
    kind = "whole number" if isinstance(one.default, int) else "number"
    if one.low is None and one.high is None:
        return kind
    if one.high is None or math.isinf(one.high):
        return f"{kind} from {one.low:g}"
    return f"{kind} up to {one.high:g}" if one.low is None or math.isinf(one.low) else f"{kind} from {one.low:g} to {one.high:g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and math.isfinite(value)
