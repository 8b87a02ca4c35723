"""The errors that users meet. Nothing else is raised on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

__all__ = [
    "MAX_LISTED",
    "Fault",
    "FaultList",
    "FaultsError",
    "InputError",
    "PolicyError",
    "RtschedError",
    "listed",
    "plain",
    "quoted",
    "reason_of",
    "repeated_names",
    "short",
]

ResultT = TypeVar("ResultT")

MAX_SHOWN = 60
"""Characters of what a user wrote that a message shows."""

MAX_LISTED = 20
"""Names that a message lists."""

Fault = tuple[tuple[str | int, ...], str]
"""A path inside an object, and what is wrong there."""


class RtschedError(Exception):
    """Base of every error of this package."""


class InputError(RtschedError, ValueError):
    """Something the user wrote is wrong. One message per fault.

    Attributes
    ----------
    faults : tuple of str
        ``file:line:column path: message`` where a file is at fault, else the message alone.
    """

    def __init__(self, faults: str | Sequence[str]) -> None:
        self.faults = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class FaultList:
    """Faults of several inputs, to be reported together."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def of(self, call: Callable[..., ResultT], *arguments: Any, **options: Any) -> ResultT | None:
        """Call, and return the answer; None when that finds faults."""
        try:
            return call(*arguments, **options)
        except InputError as error:
            self._found += error.faults
            return None

    def add(self, fault: str) -> None:
        """Note a fault."""
        self._found.append(fault)

    def report(self) -> None:
        """Raise the faults, if there are any.

        Raises
        ------
        InputError
        """
        if self._found:
            raise InputError(self._found)


class FaultsError(ValueError):
    """What validators of domain objects raise: one message per fault, each with its path inside the object.

    Parameters
    ----------
    *faults : tuple of (path, message)
        A path is a tuple of field names and indices.

    Attributes
    ----------
    faults : tuple of (path, message)
    """

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(message for _, message in faults))


class PolicyError(RtschedError):
    """A policy broke its contract: it dispatched what it must not, or answered a score that is no number.

    Attributes
    ----------
    outcome : Outcome or None
        What the run had done until then.
    """

    outcome: Any = None


def reason_of(error: Exception) -> str:
    """Say why the operating system refused a file, as the end of a message."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{text[:1].lower()}{text[1:]}"


def short(text: str) -> str:
    """Shorten what a user wrote to what a message can show."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def quoted(name: object) -> str:
    """A user's name as a message shows it: in quotes, on one line, shortened."""
    return short(repr(name))


def plain(name: str) -> str:
    """A user's name as a list of them shows it: on one line, shortened, in quotes only where it holds what cannot be printed."""
    return short(name if name.isprintable() else repr(name))


def listed(names: Iterable[str]) -> str:
    """The first of several of a user's names, and how many more there are."""
    names = list(names)
    return ", ".join(map(plain, names[:MAX_LISTED])) + (f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else "")


def repeated_names(field: str, members: Sequence[Any]) -> list[Fault]:
    """Faults of the members whose name another before them has."""
    first: dict[str, int] = {}
    return [
        ((field, i, "name"), f"another of the {field} is named {quoted(one.name)} too")
        for i, one in enumerate(members)
        if first.setdefault(one.name, i) != i
    ]
