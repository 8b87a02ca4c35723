"""Static partition with MoCA's queue: tiles in fixed groups, each job on one of them until it ends; by priority and waiting.

What the order of MoCA's scheduler (Kim et al., HPCA 2023, Algorithm 3) brings by itself, without its mixing and its regulation.
"""

from rtsched.policies.roles import Policy
from rtsched.policies.static import StaticPartition

__all__ = ["policy"]


def policy() -> Policy:
    """Return the composition."""
    return Policy(mapper=StaticPartition(queue="moca"), name="static-moca-queue")
