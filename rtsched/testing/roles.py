"""Roles under examination: whether they stay as they are, and stand-ins that watch what they do with what they are given."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from rtsched._core.roles import NativeRole
from rtsched.policies.registry import ROLES
from rtsched.policies.roles import Policy

__all__ = ["changes", "overrides", "roles_of", "snapshot", "watched_policy"]

METHODS = (
    "score",
    "key",
    "assign",
    "tiles",
    "block",
    "on_release",
    "on_dispatch",
    "on_layer_end",
    "on_job_end",
    "drop",
    "select",
    "regulate",
)
"""Methods whose first argument is the view."""

POISON = -(2**62)
"""Stands in integer arrays of the view after the call in which they were valid."""

Snapshot = dict[tuple[str, str], tuple[bytes, str]]
"""By place and attribute: the content, and how it prints."""


def roles_of(policy: Policy) -> dict[str, Any]:
    """The policy's roles by place; a role in several places once."""
    places: dict[int, str] = {}
    for place in ROLES:
        role = getattr(policy, place)
        if role is not None:
            places.setdefault(id(role), place)
    return {place: getattr(policy, place) for place in places.values()}


def overrides(role: object, name: str) -> bool:
    """Whether a Python role has its own method, not that of the contract's base class."""
    owner = next((one for one in type(role).__mro__ if name in vars(one)), None)
    return owner is not None and not vars(owner).get("is_contract", False) and not owner.__module__.startswith("rtsched.policies.roles")


def snapshot(policy: Policy) -> Snapshot:
    """What every Python role of a policy holds, in itself and in its classes."""
    return {
        (f"{place} {type(role).__name__}", name): (_content(value), f"{value!r:.60}")
        for place, role in roles_of(policy).items()
        if not isinstance(role, NativeRole)
        for name, value in _attributes(role).items()
    }


def _attributes(role: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in type(role).__mro__:
        if one is object or one.__module__ == "rtsched.policies.roles":
            continue
        slots = getattr(one, "__slots__", ())
        names = (slots,) if isinstance(slots, str) else slots
        found |= {name: getattr(role, name) for name in names if hasattr(role, name)}
        found |= {name: value for name, value in vars(one).items() if _is_data(name, value)}
    return found | getattr(role, "__dict__", {})


def _is_data(name: str, value: Any) -> bool:
    methods = (FunctionType, BuiltinFunctionType, property, staticmethod, classmethod, type)
    return not name.startswith("__") and not isinstance(value, methods) and not hasattr(value, "__get__")


def _content(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:  # a lock, a lambda, an open file: whatever its class raises
        return repr(value).encode("utf-8", "backslashreplace")


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """What has changed between two snapshots: ``mapper Counter: n was 0, is 57``."""
    nothing = (b"", "not there")
    found = []
    for key in {**before, **after}:
        (old, was), (new, is_now) = before.get(key, nothing), after.get(key, nothing)
        if old != new:
            found.append(f"{key[0]}: {key[1]} was {was}, is {is_now}" if was != is_now else f"{key[0]}: {key[1]} has changed inside")
    return found


class _Watch:
    """What watched roles were seen doing."""

    def __init__(self, on_call: Callable[[], None]) -> None:
        self.on_call = on_call
        self.faults: dict[str, None] = {}
        self.given: list[np.ndarray] = []

    def poison(self) -> None:
        """Spoil the arrays that were valid until now."""
        for array in self.given:
            array.setflags(write=True)
            array[...] = POISON if array.dtype.kind in "iu" else np.nan
            array.setflags(write=False)
        self.given.clear()


class _View:
    """A view whose arrays are copies that cannot be written to."""

    def __init__(self, view: Any, watch: _Watch) -> None:
        self.__view, self.__watch = view, watch

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__view, name)
        if name == "running":
            return _View(value, self.__watch)
        if not isinstance(value, np.ndarray):
            return value
        own = value.copy()
        own.setflags(write=False)
        self.__watch.given.append(own)
        return own


class _Watched:
    """Stands in for a Python role: has its methods and attributes, and hands it a `_View`."""

    def __init__(self, role: Any, watch: _Watch) -> None:
        self._role, self._watch = role, watch

    def __repr__(self) -> str:
        return repr(self._role)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._role, name)

    def start(self, problem: Any) -> Any:
        state = self._role.start(problem)
        return self if state is self._role else _watched(state, self._watch)


def watched_policy(policy: Policy, on_call: Callable[[], None] = lambda: None) -> tuple[Policy, dict[str, None]]:
    """Return the policy with stand-ins for its Python roles, and where they enter the faults that they see.

    `on_call` is called before every call of a role.
    """
    watch = _Watch(on_call)
    stand_ins = {id(role): _watched(role, watch) for role in roles_of(policy).values()}
    roles: dict[str, Any] = {place: stand_ins.get(id(getattr(policy, place))) for place in ROLES}
    return replace(policy, **roles), watch.faults


def _watched(role: Any, watch: _Watch) -> Any:
    if isinstance(role, NativeRole):
        return role
    methods = {name: _forwarding(name) for name in METHODS if overrides(role, name)}
    return type(type(role).__name__, (_Watched,), dict(methods))(role, watch)


def _forwarding(name: str) -> Callable[..., Any]:
    def method(self: Any, state: Any, *rest: Any) -> Any:
        watch: _Watch = self._watch
        watch.on_call()
        try:
            answer = getattr(self._role, name)(_View(state, watch), *rest)
            if isinstance(answer, np.ndarray):
                answer = answer.copy()  # it may be one of those that are spoiled now
        finally:
            watch.poison()
        if name == "score":
            watch.faults.update(dict.fromkeys(_score_faults(type(self).__name__, answer)))
        return answer

    return method


def _score_faults(role: str, answer: Any) -> list[str]:
    """Scores that the engine takes, but that are not what their author thinks."""
    scores = np.asarray(answer)
    if scores.dtype.kind == "b":
        return [f"{role}.score answered truth values; scores are numbers, the largest is served first: use np.where(mask, score, -np.inf)"]
    if scores.dtype.kind == "f" and scores.dtype.itemsize < 8:
        return [f"{role}.score answered {scores.dtype}, which cannot tell times apart; use float64"]
    if scores.dtype.kind in "iu" and scores.size and max(abs(int(scores.min())), abs(int(scores.max()))) > 2**53:
        return [f"{role}.score answered integers beyond 2**53, which float64 cannot tell apart; use a key, or smaller numbers"]
    return []
