"""Named policies: ready-made compositions of roles."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from rtsched.errors import InputError
from rtsched.policies.roles import Mapper, Policy

__all__ = ["load_policy", "policy_names", "policy_summary"]

POLICIES = {
    "edf": "rtsched.policies.edf",
    "fcfs": "rtsched.policies.fcfs",
    "llf": "rtsched.policies.llf",
    "srpt": "rtsched.policies.srpt",
}
"""Name to module; the module's ``policy()`` makes the composition and its docstring tells what it does."""


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
        The name is unknown.
    """
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, str):
        if policy not in POLICIES:
            near = get_close_matches(policy, POLICIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"unknown policy {policy!r}{hint} Known: {', '.join(policy_names())}")
        made: Policy = import_module(POLICIES[policy]).policy()
        return made
    if isinstance(policy, Mapper) or hasattr(policy, "start"):
        return Policy(mapper=policy, name=type(policy).__name__)
    raise InputError(f"a policy is a name, a Policy or a mapper; got {policy!r}")
