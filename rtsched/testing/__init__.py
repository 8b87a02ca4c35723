"""Validators, for authors of schedulers and for whoever doubts a result."""

from rtsched.testing.outcome import OutcomeError, check_outcome, outcome_faults
from rtsched.testing.policy import PolicyFault, check_policy, policy_faults
from rtsched.testing.verdict import Verdict, judge
from rtsched.testing.workloads import small_problems

__all__ = [
    "OutcomeError",
    "PolicyFault",
    "Verdict",
    "check_outcome",
    "check_policy",
    "judge",
    "outcome_faults",
    "policy_faults",
    "small_problems",
]
