"""Recorded tables that somebody wants to read: whether they are there, and whether their rows mean something."""

from __future__ import annotations

from rtsched.errors import InputError
from rtsched.outcome import Outcome
from rtsched.testing.findings import Findings
from rtsched.testing.layers import check_layer_table
from rtsched.testing.rates import check_rate_table

__all__ = ["sound_tables"]


def sound_tables(outcome: Outcome, needed: tuple[str, ...] = ("layers", "rates")) -> Findings:
    """The tables of an outcome, when they are there and mean something.

    Parameters
    ----------
    outcome : Outcome
    needed : tuple of str
        Those that must be there; the others are looked at when they are.

    Returns
    -------
    Findings
        Without faults.

    Raises
    ------
    rtsched.errors.InputError
        Something is missing, or rows mean nothing.
    """
    missing = [name for name in needed if getattr(outcome, name) is None]
    if missing:
        raise InputError(f"the outcome has no {' and no '.join(missing)}; run with {' and '.join(f'{name}=True' for name in needed)}")
    findings = Findings(outcome)
    if outcome.layers is not None:
        check_layer_table(findings)
    if outcome.rates is not None and not findings.faults:
        check_rate_table(findings)
    if findings.faults:
        raise InputError(findings.faults)
    return findings
