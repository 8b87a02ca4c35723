"""Validators, for authors of schedulers and for whoever doubts a result."""

from rtsched.testing.outcome import OutcomeError, check_outcome, outcome_faults

__all__ = ["OutcomeError", "check_outcome", "outcome_faults"]
