"""The texts of ``rtsched list policies`` and ``rtsched show POLICY``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rtsched.policies.registry import POLICIES, ROLES, Unavailable, class_doc, find_policy, list_policies
from rtsched.policies.roles import Setting
from rtsched.report.text import NOTHING, facts, name, table, title

__all__ = ["describe_policy", "list_of_policies"]


def list_of_policies() -> Table:
    """List every policy; a column says where each comes from when packages offer some."""
    columns, found = ["policy", "what it does"], list_policies()
    has_sources = len(found) > len(POLICIES)
    made = table([*columns, *(["from"] if has_sources else [])], words=(*columns, "from"))
    for label, one in found:
        about = f"not available: {one.reason}" if isinstance(one, Unavailable) else one.summary
        made.add_row(name(label), name(about), *([name(one.source.partition(",")[0])] if has_sources else []))
    return made


def describe_policy(ref: str) -> RenderableType:
    """Describe a policy: what it does, its roles and their settings.

    Parameters
    ----------
    ref : str
        As for `rtsched.load_policy`.

    Raises
    ------
    rtsched.errors.InputError
        There is none, or it cannot be loaded.
    """
    found = find_policy(ref)
    roles = [(place, getattr(found.policy, place)) for place in ROLES]
    rows = [(place, _role(role, found.about)) for place, role in roles if role is not None]
    settings = [(place, role, one) for place, role in roles for one in getattr(role, "settings", ())]
    waits = getattr(found.policy.mapper, "waits", False)
    rows += [
        ("waits", "yes: it may leave a job waiting beside a free accelerator" if waits else "no: no job waits beside a free accelerator"),
        ("source", found.source),
        *([] if settings else [("settings", "none")]),
    ]
    about = "\n\n".join(_flowing(one) for one in (found.about or found.summary).split("\n\n"))
    table_of_settings: list[RenderableType] = ["", _settings(settings)] if settings else []
    return Group(
        title(found.policy.name, "policy", ""), Text(about), "", facts([(label, name(text)) for label, text in rows]), *table_of_settings
    )


def _role(role: Any, told: str) -> str:
    """The class of a role, and the first line of its docstring unless that is what was told of the policy."""
    text = class_doc(type(role))
    about = "" if text == told else text.partition("\n")[0]
    return f"{type(role).__name__}: {about}" if about else type(role).__name__


def _flowing(paragraph: str) -> str:
    """A paragraph of a docstring in one line, unless its lines mean something, as those of lists do."""
    lines = paragraph.strip("\n").split("\n")
    is_set = any(line[:1] in (" ", "-", "*", "=", "|", ".") for line in lines)
    return "\n".join(lines) if is_set else " ".join(line.strip() for line in lines)


def _settings(settings: Sequence[tuple[str, Any, Setting]]) -> Table:
    made = table(["setting", "default", "unit", "values", "meaning"], words=("setting", "default", "unit", "values", "meaning"))
    for place, role, one in settings:
        words = (f"{place}.{one.name}", _value(getattr(role, one.name)), one.unit or NOTHING, _range(one), one.meaning)
        made.add_row(*map(name, words))
    return made


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value)) or "empty"
    words = {None: "none", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _range(setting: Setting) -> str:
    """Which values a setting may have."""
    low, high = (None if bound is None else _value(bound) for bound in (setting.low, setting.high))
    if setting.choices is not None:
        values = " or ".join(map(_value, setting.choices))
    elif low is not None or high is not None:
        values = f"{low} to {high}" if low is not None and high is not None else f"at least {low}" if high is None else f"at most {high}"
    else:
        one = setting.default[0] if isinstance(setting.default, tuple) and setting.default else setting.default
        kinds = {bool: "true or false", int: "whole number", float: "number", str: "text"}
        values = kinds.get(type(one), "any")
    return f"list: {values}" if isinstance(setting.default, tuple) else values
