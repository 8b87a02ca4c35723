"""MoCA: jobs on groups of tiles, mixed by what they ask of the memory, and bandwidth by priority and urgency while it is short.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023.

The scheduler (`MocaScheduler`, Algorithm 3) chooses which job is next on a group of tiles; the runtime (`MocaRegulator`, Algorithm 2) sets
the access counters of the tiles (`rtsched._core.regulators` has them cycle by cycle). `moca` has both, `moca-scheduler-only` and
`moca-regulator-only` one of them.
Settings marked (assumed) or (ours) are not the paper's, nor is the default of `regulator.weight`: under the published one a layer of
higher priority may be cut by more; `moca-published` has those that are as the paper prints them. `moca-edf`, ours too, has another
queue, and so has `moca-fair`, which leaves nobody behind; `dream+moca` joins the two papers.
"""

from dataclasses import replace

from rtsched.policies.dream import dream
from rtsched.policies.moca_regulator import MocaRegulator
from rtsched.policies.moca_scheduler import NO_EXPRESS, MocaScheduler
from rtsched.policies.roles import Policy
from rtsched.policies.static import StaticPartition

__all__ = [
    "MocaRegulator",
    "MocaScheduler",
    "dream_moca",
    "moca",
    "moca_edf",
    "moca_fair",
    "moca_published",
    "moca_regulator_only",
    "moca_scheduler_only",
]


def moca() -> Policy:
    """MoCA: jobs on groups of tiles by priority and waiting, mixed by demand; bandwidth by priority and urgency."""
    return Policy(mapper=MocaScheduler(), regulator=MocaRegulator(), name="moca")


def moca_scheduler_only() -> Policy:
    """MoCA without its regulation: jobs on groups of tiles by priority and waiting, mixed by demand."""
    return Policy(mapper=MocaScheduler(), name="moca-scheduler-only")


def moca_regulator_only() -> Policy:
    """MoCA's regulation on a static partition: first come, first served; bandwidth by priority and urgency."""
    return Policy(mapper=StaticPartition(), regulator=MocaRegulator(), name="moca-regulator-only")


def moca_edf() -> Policy:
    """Ours: MoCA with the earliest deadline first, mixed by demand, nobody preempted; bandwidth by priority and urgency."""
    return Policy(mapper=MocaScheduler(queue="edf", express=NO_EXPRESS), regulator=MocaRegulator(), name="moca-edf")


def moca_fair() -> Policy:
    """Ours: MoCA with the earliest deadline first, late jobs last but not without end; bandwidth by priority and urgency."""
    return Policy(mapper=MocaScheduler(queue="edf", patience=40.0), regulator=MocaRegulator(), name="moca-fair")


def moca_published() -> Policy:
    """MoCA closer to the paper: no job is stopped or put last, allocations by the printed formula of Algorithm 2."""
    mapper = MocaScheduler(late="queue", express=NO_EXPRESS, idle="leave")
    return Policy(mapper=mapper, regulator=MocaRegulator(weight="published"), name="moca-published")


def dream_moca() -> Policy:
    """DREAM with MoCA's regulation: the two papers together."""
    return replace(dream(), regulator=MocaRegulator(), name="dream+moca")
