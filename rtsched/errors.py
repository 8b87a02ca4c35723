"""The errors that users meet. Nothing else is raised on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["InputError", "PolicyError", "RtschedError"]


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


class PolicyError(RtschedError):
    """A policy broke its contract: it dispatched what it must not, or answered a score that is no number.

    Attributes
    ----------
    outcome : Outcome or None
        What the run had done until then.
    """

    outcome: Any = None
