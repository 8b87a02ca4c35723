"""`check_outcome`: whether a result can be what the engine's rules say, judged from the result alone."""

from __future__ import annotations

from collections.abc import Iterator

from rtsched.errors import RtschedError
from rtsched.integrity import problem_faults
from rtsched.outcome import JOB_DTYPE, LAYER_DTYPE, RATE_DTYPE, Outcome
from rtsched.testing.bandwidth import check_bandwidth
from rtsched.testing.findings import Findings
from rtsched.testing.jobs import JOB_CHECKS, check_table
from rtsched.testing.layers import LAYER_CHECKS, check_layer_table
from rtsched.testing.rates import RATE_CHECKS, check_moved_bytes, check_rate_table
from rtsched.testing.sums import LAYER_SUM_CHECKS, SUM_CHECKS, check_shapes
from rtsched.testing.switching import check_switching

__all__ = ["OutcomeError", "check_outcome", "examined", "outcome_faults"]

FORM, LAYER_FORM, RATE_FORM = (check_table, check_shapes), (check_layer_table,), (check_rate_table,)
"""Checks without which the others cannot read the tables."""

RULES, LAYER_RULES = (*JOB_CHECKS, *SUM_CHECKS), (*LAYER_CHECKS, *LAYER_SUM_CHECKS, check_switching, check_bandwidth)


class OutcomeError(RtschedError, AssertionError):
    """An outcome breaks the engine's rules. One message per fault.

    Attributes
    ----------
    faults : tuple of str
        ``rule: where: what``, with the numbers.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def check_outcome(outcome: Outcome) -> None:
    """Check an outcome against the rules of docs/engine.md.

    Parameters
    ----------
    outcome : Outcome
        Complete or not. With its layers and rates recorded, much more can be known.

    Raises
    ------
    OutcomeError
        With every fault; see `outcome_faults`.
    """
    if faults := outcome_faults(outcome):
        raise OutcomeError(faults)


def outcome_faults(outcome: Outcome) -> list[str]:
    """Find where an outcome breaks the rules of docs/engine.md.

    The engine's code is not used. Arrivals, triggers, priorities and paths are drawn anew from the seed; times, counts,
    energy and traffic are compared with what the problem's tables say. What a policy decides is not judged, and neither is how
    an arbiter shares the bandwidth, only that nothing impossible has come of it; with rates recorded, that nobody is given more
    than its demand and cap, all together no more than there is, and each layer the bytes that it moved.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    list of str
        ``rule: where: what``, with the numbers; of each rule the first few, and how many more. When a table is malformed,
        only that is reported, because the other checks read it.
    """
    return [fault for _, faults in examined(outcome) for fault in faults]


def examined(outcome: Outcome) -> Iterator[tuple[str, list[str]]]:
    """Make one check after the other.

    Parameters
    ----------
    outcome : Outcome

    Yields
    ------
    rule : str
        What must hold, in a sentence.
    faults : list of str
    """
    # A group is read only when the ones before it have left it something to rely on.
    yield "The problem's arrays fit together.", (faults := [f"problem: {fault}" for fault in problem_faults(outcome.problem)])
    if faults:
        return
    yield "The tables have the columns that they must have.", (faults := _type_faults(outcome))
    if faults:
        return
    findings = Findings(outcome)
    for checks, is_needed in (
        (FORM, True),
        (RULES, False),
        *(() if outcome.layers is None else ((LAYER_FORM, True), (LAYER_RULES, False))),
        *(() if outcome.rates is None else ((RATE_FORM, True), (RATE_CHECKS, False))),
        *(() if outcome.layers is None or outcome.rates is None else (((check_moved_bytes,), False),)),
    ):
        before_all = len(findings.faults)
        for check in checks:
            before = len(findings.faults)
            check(findings)
            yield (check.__doc__ or "").partition("\n")[0], findings.faults[before:]
        if is_needed and len(findings.faults) > before_all:
            return


def _type_faults(outcome: Outcome) -> list[str]:
    faults = []
    for name, dtype in (("jobs", JOB_DTYPE), ("layers", LAYER_DTYPE), ("rates", RATE_DTYPE)):
        table = getattr(outcome, name)
        if not (table is None and name != "jobs") and (table.dtype != dtype or table.ndim != 1):
            faults.append(f"table: {name} must be rows of {', '.join(dtype.names or ())}, got {table.dtype} of shape {table.shape}")
    return faults
