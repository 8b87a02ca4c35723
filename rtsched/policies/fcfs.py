"""First come, first served: earliest release first, on the free accelerator with the smallest estimated latency.

The rule of run-to-completion frameworks, here at layer granularity; DREAM's "FCFS dynamic" (Kim et al., ASPLOS 2023).
"""

from rtsched._core.mappers import FirstCome
from rtsched.policies.roles import Policy


def policy() -> Policy:
    """Return the composition."""
    return Policy(mapper=FirstCome(), name="fcfs")
