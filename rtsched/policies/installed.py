"""Policies that installed packages offer: their entry points in the group `GROUP`.

An entry point is ``NAME = "module:function"``; the function needs no arguments and returns a `rtsched.policies.roles.Policy`.
Nothing of a package is imported before a policy of its is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rtsched.errors import InputError
from rtsched.policies.roles import Policy

__all__ = ["GROUP", "Offer", "cause", "offers"]

GROUP = "rtsched.policies"


@dataclass(frozen=True)
class Offer:
    """A policy of an installed package.

    Attributes
    ----------
    name : str
    source : str
        The package and its version.
    target : str
        ``module:function``.
    rivals : tuple of str
        Others that have the name, so that nobody's is used: packages with their versions, or what is built in.
    """

    name: str
    source: str
    target: str
    rivals: tuple[str, ...] = ()

    @property
    def fault(self) -> str:
        """Why it is not available; empty when it is."""
        return f"the name is also that of {' and '.join(self.rivals)}" if self.rivals else ""

    def load(self) -> tuple[Policy, Any]:
        """Import it and make the policy, which is named like the entry point.

        Returns
        -------
        policy : Policy
        function : callable
            What made it.

        Raises
        ------
        InputError
            Whatever goes wrong, as one message that names the package, the entry point and the cause.
        """
        where = f"policy {self.name!r} of package {self.source}, entry point {self.target}"
        try:
            function = EntryPoint(self.name, self.target, GROUP).load()
            made = function() if callable(function) else None
        except (Exception, SystemExit) as error:  # anybody's code
            raise InputError(f"{where}: {cause(error)}") from error
        if not callable(function):
            raise InputError(f"{where}: must be a function that returns a Policy, got {function!r:.60}")
        if not isinstance(made, Policy):
            raise InputError(f"{where}: must return a Policy, got {made!r:.60}")
        return replace(made, name=self.name), function


def offers(built_in: Iterable[str]) -> tuple[Offer, ...]:
    """Find what the installed packages offer, in the order of names and packages, without importing it.

    Parameters
    ----------
    built_in : iterable of str
        Names that are taken.
    """
    found = sorted((one.name, _source(one), one.value) for one in entry_points(group=GROUP))
    taken = {name: ["a built-in policy"] for name in built_in}
    made = []
    for place, (name, source, target) in enumerate(found):
        others = [other for at, (same, other, _) in enumerate(found) if same == name and at != place]
        made.append(Offer(name, source, target, (*taken.get(name, ()), *others)))
    return tuple(made)


def _source(one: EntryPoint) -> str:
    return "unknown" if one.dist is None else f"{one.dist.name} {one.dist.version}"


def cause(error: BaseException) -> str:
    """Tell an exception of foreign code in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
