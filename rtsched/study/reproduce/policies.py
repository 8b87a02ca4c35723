"""The policies of a study by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rtsched.documents import hint
from rtsched.errors import FaultList
from rtsched.policies.registry import load_policy, policy_names
from rtsched.policies.roles import Policy

__all__ = ["load_policies"]


def load_policies(names: Iterable[str], given: Mapping[str, Policy]) -> dict[str, Policy]:
    """Load every policy.

    Parameters
    ----------
    names : iterable of str
    given : mapping of str to Policy
        In place of what the registry has under these names.

    Raises
    ------
    rtsched.errors.InputError
        A message for each that this installation does not have.
    """
    known = policy_names()
    faults = FaultList()
    found = {}
    for name in names:
        if name not in given and name not in known:
            faults.add(f"this study needs the policy {name!r}, which this installation does not have{hint(name, known, 'it has')}")
        elif (policy := given.get(name) or faults.of(load_policy, name)) is not None:
            found[name] = replace(policy, name=name)
    faults.report()
    return found
