"""Settings: single values that replace what stands in a scenario, a platform or a policy.

A setting is a path and a value, as in ``scenario.tasks.gaze.fps=90`` or ``platform.memory.efficiency=[1.0, 0.8]``. The path
begins with ``scenario``, ``platform`` or a role (``mapper``, ``dropper``, ``selector``, ``regulator``, ``tuner``). Entries of a list
are addressed by their name, or else by their number from 0. What is changed is validated anew, as if it had stood in the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from pydantic import BaseModel, ValidationError

from rtsched._yaml import Node, Step, compose
from rtsched.documents import explain, hint, path_text
from rtsched.errors import Fault, FaultsError, InputError, short
from rtsched.library import platform_reference, resolve_models
from rtsched.platform.platform import Platform
from rtsched.policies.registry import ROLES
from rtsched.workload.scenario import Scenario

__all__ = ["Override", "Settings", "change_platform", "change_scenario", "setting_fault"]

ROOMS = ("scenario", "platform", *ROLES)
"""What a path may begin with."""

Steps = tuple[Step, ...]

_PLACE = re.compile(r"^value:\d+:\d+:? ")


@dataclass(frozen=True)
class Override:
    """One value that replaces another.

    Attributes
    ----------
    path : str
        From the room on.
    node : Node
        The value.
    label : str
        What messages call it.
    """

    path: str
    node: Node
    label: str

    @property
    def room(self) -> str:
        """The first step of the path."""
        return self.path.partition(".")[0]

    @property
    def steps(self) -> tuple[str, ...]:
        """The path inside the room."""
        return tuple(self.path.split(".")[1:])


@dataclass(frozen=True)
class Settings:
    """Settings by what they change.

    Attributes
    ----------
    of_scenario, of_platform, of_policy : tuple of Override
    faults : tuple of str
        Of settings that could not be read; whoever applies the others reports them.
    """

    of_scenario: tuple[Override, ...] = ()
    of_platform: tuple[Override, ...] = ()
    of_policy: tuple[Override, ...] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Settings:
        """Read settings as they stand on a command line.

        Parameters
        ----------
        texts : iterable of str
            ``PATH=VALUE``; the value is a YAML 1.2 scalar, list or mapping.
        """
        faults: list[str] = []
        found: list[Override] = []
        for text in texts:
            path, equals, value = text.partition("=")
            label = f"--set {short(text)}"
            if not equals or not path:
                faults.append(f"{label}: must be PATH=VALUE")
            elif not value.strip():
                faults.append(f"{label}: has no value; null stands for none")
            else:
                try:
                    found.append(Override(path.strip(), compose(value.encode("utf-8", "surrogateescape"), "value"), label))
                except InputError as error:
                    faults += [f"{label}: {_PLACE.sub('', fault)}" for fault in error.faults]
        return cls._sorted(found, faults)

    @classmethod
    def of(cls, settings: Mapping[str, object] | Settings | None, label: Callable[[str], str] | None = None) -> Settings:
        """Take settings from Python.

        Parameters
        ----------
        settings : mapping of path to value, Settings or None
        label : callable, optional
            What messages call the setting of a path.
        """
        if isinstance(settings, Settings):
            return settings
        if settings is None:
            return cls()
        if not isinstance(settings, Mapping):
            return cls(faults=(f"settings must map paths to values, got {settings!r:.60}",))
        faults = [f"settings: a path must be text, got {path!r:.60}" for path in settings if not isinstance(path, str)]
        texts = {path: value for path, value in settings.items() if isinstance(path, str)}
        named = label or (lambda path: f"settings[{short(repr(path))}]")
        found = [Override(path, _node(_plain(value)), named(path)) for path, value in texts.items()]
        return cls._sorted(found, faults)

    @classmethod
    def _sorted(cls, settings: Iterable[Override], faults: list[str]) -> Settings:
        chosen: dict[str, list[Override]] = {"scenario": [], "platform": [], "policy": []}
        for one in settings:
            if one.room not in ROOMS:
                meant = _meant(one.path)
                remedy = f"; did you mean {short(repr(meant))}?" if meant else hint(one.room, ROOMS)
                faults.append(f"{one.label}: a path begins with {', '.join(ROOMS[:-1])} or {ROOMS[-1]}{remedy}")
            elif "" in one.steps or not one.steps:
                faults.append(f"{one.label}: the path must name what to set in {one.room}, as {one.room}.NAME")
            else:
                chosen[one.room if one.room in chosen else "policy"].append(one)
        roles = [one.path for one in chosen["policy"]]
        faults += [f"{one.label}: is set twice" for i, one in enumerate(chosen["policy"]) if one.path in roles[:i]]
        return cls(tuple(chosen["scenario"]), tuple(chosen["platform"]), tuple(chosen["policy"]), tuple(faults))

    def of_problem(self) -> Settings:
        """Return the settings without those of the policy."""
        return replace(self, of_policy=())

    def given(self, **changes: float | None) -> dict[str, Any]:
        """Return path to value of everything that was set, as JSON has it, for the provenance.

        Parameters
        ----------
        **changes
            What else replaces the scenario's own, such as ``load``; None for what stays.
        """
        found = {one.path: _written(one.node.value) for one in (*self.of_scenario, *self.of_platform, *self.of_policy)}
        return found | {f"scenario.{name}": _written(value) for name, value in changes.items() if value is not None}

    @property
    def roles(self) -> dict[str, object]:
        """Path to value of what changes a policy, as `rtsched.policies.registry.configure` takes it."""
        return {one.path: one.node.value for one in self.of_policy}


def change_scenario(scenario: Scenario, settings: Settings, base: Path) -> Scenario:
    """Return a scenario with other values.

    Parameters
    ----------
    scenario : Scenario
        As `rtsched.library.load_scenario` returns it.
    settings : Settings
    base : path
        Where relative paths in the new values start.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault.
    """
    if not settings.of_scenario:
        return scenario
    change = _Change(scenario, settings.of_scenario)
    changed: Scenario = change.validated(base)
    faults: list[Fault] = []
    try:
        changed = resolve_models(changed, base)
    except FaultsError as error:
        faults += error.faults
    if changed.platform is not None and changed.platform != scenario.platform:
        try:
            changed = changed.model_copy(update={"platform": platform_reference(changed.platform, base)})
        except InputError as error:
            faults += [(("platform",), fault) for fault in error.faults]
    if faults:
        change.fail(faults)
    return changed


def change_platform(platform: Platform, settings: Settings, base: Path) -> Platform:
    """Return a platform with other values.

    Parameters
    ----------
    platform : Platform
    settings : Settings
    base : path
        Where relative paths in the new values start.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault.
    """
    if not settings.of_platform:
        return platform
    changed: Platform = _Change(platform, settings.of_platform).validated(base)
    return changed


def setting_fault(scenario: Scenario, settings: Settings, path: Steps, message: str) -> str | None:
    """Write a fault of the value at `path` of a scenario that settings could change; None when none of them set that value."""
    return _Change(scenario, settings.of_scenario).labelled(path, message) if settings.of_scenario else None


class _Change:
    """The values of an object, some of them replaced.

    Only what lies on the way to a new value is taken apart; the rest keeps its objects, so that no file is read again.
    """

    def __init__(self, original: Any, settings: Iterable[Override]) -> None:
        self._model = type(original)
        self._tree: Any = _opened(original)
        self._placed: dict[Steps, Override] = {}
        self._faults: list[str] = []
        for one in settings:
            try:
                self._place(one)
            except FaultsError as error:
                self._faults.append(f"{one.label}: {error}")

    def _place(self, setting: Override) -> None:
        around = self._tree
        steps: Steps = ()
        todo: Steps = setting.steps
        while True:
            step, todo = _next(around, todo, steps)
            steps = (*steps, step)
            if not todo:
                break
            if steps in self._placed:
                raise FaultsError(((), f"lies inside what {self._placed[steps].label} sets"))
            around[step] = _opened(around[step])
            around = around[step]
        for other, earlier in self._placed.items():
            if other == steps:
                raise FaultsError(((), "is set twice"))
            if other[: len(steps)] == steps:
                raise FaultsError(((), f"holds what {earlier.label} sets"))
        around[step] = setting.node.value
        self._placed[steps] = setting

    def validated(self, base: Path) -> Any:
        """Return the new object."""
        value = _closed(self._tree)
        try:
            changed = self._model.model_validate(value, strict=True, context={"base": base})
        except ValidationError as error:
            root = _node(value)
            for steps, setting in self._placed.items():
                _graft(root, steps, setting.node)
            self.fail(explain(error, root, self._model))
        if self._faults:
            self.fail([])
        return changed

    def fail(self, faults: Iterable[Fault]) -> NoReturn:
        """Raise the faults as those of the settings that they follow from."""
        labelled = [self.labelled(path, message) or self._around(path, message) for path, message in faults]
        raise InputError(list(dict.fromkeys([*self._faults, *labelled]))) from None

    def labelled(self, path: Steps, message: str) -> str | None:
        """Write a fault of the value at `path`; None when no setting holds it."""
        for steps, setting in self._placed.items():
            if path[: len(steps)] == steps:
                inside = path_text(path[len(steps) :])
                return f"{setting.label}: {inside} {message}" if inside else f"{setting.label}: {message}"
        return None

    def _around(self, path: Steps, message: str) -> str:
        inside_of = [setting.label for steps, setting in self._placed.items() if steps[: len(path)] == path]
        if inside_of:
            return f"{', '.join(inside_of)}: {message}"
        return f"{', '.join(one.label for one in self._placed.values())}: {path_text(path)}: {message}"


def _next(around: Any, todo: Steps, done: Steps) -> tuple[Step, Steps]:
    """Return the next step into an opened value, and what is left of the path then; names may hold dots."""
    where = f" in {path_text(done)}" if done else ""
    if isinstance(around, dict):
        if todo[0] not in around:
            raise FaultsError(((), f"unknown key {short(repr(todo[0]))}{where}{hint(str(todo[0]), around, 'known keys')}"))
        return todo[0], todo[1:]
    if not isinstance(around, list):
        raise FaultsError(((), f"{path_text(done)} holds nothing that could be set; it is {short(str(_node(around)))}"))
    names = [_name(one) for one in around]
    for n_steps in range(len(todo), 0, -1):
        if (name := ".".join(map(str, todo[:n_steps]))) in names:
            return names.index(name), todo[n_steps:]
    step = str(todo[0])
    if step.isdecimal() and len(step) < 10 and int(step) < len(around):
        return int(step), todo[1:]
    if step.isdecimal() or not any(names):
        raise FaultsError(((), f"there is no entry {short(step)}{where}, which has 0 to {len(around) - 1}"))
    raise FaultsError(((), f"unknown name {short(repr(step))}{where}{hint(step, filter(None, names), 'known names')}"))


def _name(one: Any) -> str | None:
    name = one.get("name") if isinstance(one, dict) else getattr(one, "name", None)
    return name if isinstance(name, str) else None


def _opened(value: Any) -> Any:
    """Take one level of a value apart."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return list(value) if isinstance(value, tuple) else value


def _closed(tree: Any) -> Any:
    """Turn the lists of an opened value into tuples again."""
    if isinstance(tree, dict):
        return {key: _closed(value) for key, value in tree.items()}
    return tuple(map(_closed, tree)) if isinstance(tree, (list, tuple)) else tree


def _plain(value: Any) -> Any:
    """Turn lists, NumPy's arrays and its numbers into what a document would hold."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _written(value: Any) -> Any:
    """A value as JSON has it: an object by its class and name, infinity as text."""
    if isinstance(value, Mapping):
        return {str(key): _written(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return f"{type(value).__name__} {_name(value) or ''}".rstrip()


def _meant(path: str) -> str:
    """The path that was probably meant by one that begins with no room; empty when none suggests itself."""
    first, dot, _ = path.partition(".")
    rooms = [room for room, model in (("scenario", Scenario), ("platform", Platform)) if first in model.model_fields]
    if not rooms and (dot or hint(first, ROOMS)):
        return ""
    return f"{rooms[0] if rooms else ROLES[0]}.{path}"


def _node(value: Any) -> Node:
    """Build the tree of a value that no document holds."""
    items: Iterable[tuple[Step, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, tuple):
        items = enumerate(value)
    text = f"a {type(value).__name__}" if isinstance(value, BaseModel) else "" if value is None else str(value)
    return Node((0, 0), value, text, children={step: _node(inner) for step, inner in items})


def _graft(root: Node, steps: Steps, node: Node) -> None:
    for step in steps[:-1]:
        root = root.children[step]
    root.children[steps[-1]] = node
