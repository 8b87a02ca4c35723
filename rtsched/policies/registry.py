"""Named policies: ready-made compositions of roles."""

from __future__ import annotations

from importlib import import_module

from rtsched.documents import hint
from rtsched.errors import InputError
from rtsched.policies.roles import Policy

__all__ = ["load_policy", "policy_names", "policy_summary"]

POLICIES = {
    "edf": "rtsched.policies.edf",
    "fcfs": "rtsched.policies.fcfs",
    "llf": "rtsched.policies.llf",
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
