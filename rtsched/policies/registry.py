"""Named policies: ready-made compositions of roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from rtsched.documents import hint
from rtsched.errors import InputError
from rtsched.policies.roles import Policy

__all__ = ["configure", "load_policy", "policy_names", "policy_summary"]

POLICIES = {
    "edf": "rtsched.policies.edf",
    "fcfs": "rtsched.policies.fcfs",
    "llf": "rtsched.policies.llf",
    "priority": "rtsched.policies.priority",
    "srpt": "rtsched.policies.srpt",
}
"""Name to module; the module's ``policy()`` makes the composition and its docstring tells what it does."""

ROLES = ("mapper", "dropper", "selector", "regulator", "tuner")


def policy_names() -> tuple[str, ...]:
    """Names of the registered policies, sorted."""
    return tuple(sorted(POLICIES))


def policy_summary(name: str) -> str:
    """First line of a policy's description."""
    return (import_module(POLICIES[name]).__doc__ or "").strip().splitlines()[0]


def load_policy(policy: str | Policy | object) -> Policy:
    """Return a policy by name; a `Policy` as it is; a mapper alone as a policy of that mapper.

    Raises
    ------
    InputError
        The name is unknown, or a role is none.
    """
    if isinstance(policy, str):
        if policy not in POLICIES:
            raise InputError(f"unknown policy {policy!r}{hint(policy, policy_names(), 'known policies')}")
        made: Policy = import_module(POLICIES[policy]).policy()
        return made
    if isinstance(policy, type):
        raise InputError(f"a policy is a name, a Policy or a mapper; got the class {policy.__name__}: pass {policy.__name__}()")
    if not isinstance(policy, Policy):
        if not hasattr(policy, "start"):
            raise InputError(f"a policy is a name, a Policy or a mapper; got {policy!r:.60}")
        policy = Policy(mapper=policy, name=type(policy).__name__)
    if faults := _faults(policy):
        raise InputError(faults)
    return policy


def configure(policy: Policy, changes: Mapping[str, object]) -> Policy:
    """Return a policy with other settings.

    Parameters
    ----------
    policy : Policy
    changes : mapping of str to value
        By ``ROLE.SETTING``, such as ``mapper.alpha``: bools, numbers, text or lists.

    Returns
    -------
    Policy
        Each role with a changed setting is a new one of the same class; one that takes several places still does.

    Raises
    ------
    InputError
        One message per fault: a role or setting that is not there, a value of another type or out of range.
    """
    faults: list[str] = []
    given: dict[int, dict[str, tuple[str, Any]]] = {}
    for key, value in changes.items():
        try:
            place, name, converted = _change(policy, key, value)
        except ValueError as error:
            faults.append(str(error))
            continue
        # A role that takes several places may be named by any of them.
        before = given.setdefault(id(getattr(policy, place)), {}).setdefault(name, (key, converted))
        if before[1] != converted:
            faults.append(f"{before[0]} and {key} are one setting of one role; got {before[1]!r} and {converted!r}")
    if faults:
        raise InputError(faults)
    made: dict[int, Any] = {}
    for place in ROLES:
        role = getattr(policy, place)
        if id(role) in given and id(role) not in made:
            made[id(role)] = _remade(place, role, {name: value for name, (_, value) in given[id(role)].items()})
    return replace(policy, **{place: made.get(id(getattr(policy, place)), getattr(policy, place)) for place in ROLES})


def _change(policy: Policy, key: str, value: object) -> tuple[str, str, Any]:
    """Split a key into place and setting, and convert the value; ValueError says what is wrong."""
    place, dot, name = key.partition(".")
    if not dot:
        raise ValueError(f"setting {key!r}: must be ROLE.SETTING, such as mapper.{key}")
    if place not in ROLES:
        raise ValueError(f"setting {key!r}: unknown role {place!r}{hint(place, ROLES, 'roles')}")
    role = getattr(policy, place)
    if role is None:
        raise ValueError(f"setting {key!r}: policy {policy.name!r} has no {place}")
    settings = {one.name: one for one in getattr(role, "settings", ())}
    if not settings:
        raise ValueError(f"setting {key!r}: the {place} of policy {policy.name!r}, {type(role).__name__}, has no settings")
    if name not in settings:
        raise ValueError(f"setting {key!r}: {type(role).__name__} has no setting {name!r}{hint(name, settings, 'settings')}")
    try:
        return place, name, settings[name].convert(value)
    except ValueError as error:
        raise ValueError(f"setting {key!r}: {error}") from None


def _remade(place: str, role: Any, changes: dict[str, Any]) -> Any:
    """A role of the same class, with the same settings but for the changed ones."""
    try:
        return type(role)(**{one.name: getattr(role, one.name) for one in role.settings} | changes)
    except InputError as error:
        raise InputError([f"{place}: {fault}" for fault in error.faults]) from None
    except (AttributeError, TypeError, ValueError) as error:  # a class that does not keep the contract, or a rule between settings
        raise InputError(f"{place}: {type(role).__name__} cannot be made with these settings: {error}") from error


def _faults(policy: Policy) -> list[str]:
    """Faults of the roles: what is none, and a mapper that is another role."""
    faults = []
    for place in ROLES:
        role = getattr(policy, place)
        if role is None and place != "mapper":
            continue
        if isinstance(role, type):
            faults.append(f"policy {policy.name!r}: {place} must be an object, got the class {role.__name__}: pass {role.__name__}()")
        elif not hasattr(role, "start"):
            named = f"; a policy of that name is loaded with load_policy({role!r})" if isinstance(role, str) and role in POLICIES else ""
            faults.append(f"policy {policy.name!r}: {place} must be a {place} object, got {role!r:.60}{named}")
        elif place == "mapper" and not _is_mapper(role):
            faults.append(
                f"policy {policy.name!r}: mapper must have one of score, key and assign, got {type(role).__name__}; "
                "other roles go into Policy(mapper=..., dropper=..., ...)"
            )
    return faults


def _is_mapper(role: object) -> bool:
    from rtsched._core.roles import NativeMapper

    return isinstance(role, NativeMapper) or any(hasattr(role, form) for form in ("score", "key", "assign"))
