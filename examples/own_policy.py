"""A policy of one's own with a setting, run beside built-in ones.

Run it: python examples/own_policy.py
It also has a name on the command line:
rtsched run examples/drone.yaml -P examples/own_policy.py:head_start --set mapper.head_start_ms=20
"""

from pathlib import Path

import rtsched
from rtsched.policies.registry import configure
from rtsched.testing import check_policy

SCENARIO = Path(__file__).with_name("drone.yaml")


class HeadStart(rtsched.Mapper):
    """Earliest deadline first, where each step of priority counts like a deadline that is `head_start_ms` earlier."""

    settings = (rtsched.Setting("head_start_ms", 5.0, "how much earlier a job counts as due for each step of its priority", "ms", low=0),)

    def score(self, state):
        """Rate the ready jobs: the largest goes first, to the free accelerator that is fastest for its next layer."""
        return -(state.deadline_ns - self.head_start_ms * 1e6 * state.priority)


def head_start() -> rtsched.Policy:
    """Earliest deadline first with a head start for priority."""
    return rtsched.Policy(mapper=HeadStart(), name="head_start")


def show(outcome: rtsched.Outcome, what: str) -> None:
    """Print the share of violated deadlines by task."""
    rates = zip(outcome.problem.task_names, outcome.metrics.violation_rate, strict=True)
    print(f"{what:18}", *(f"{name} {rate:5.1%}" for name, rate in rates), f" all {outcome.metrics.total_violation_rate:.1%}")


def main() -> None:
    """Run the policy with several settings; its ends are two built-in policies."""
    check_policy(head_start())  # complains when the policy does not keep the contract of its role
    problem = rtsched.compile(SCENARIO, duration_s=1)
    show(rtsched.run(problem, "edf"), "edf")
    for head_start_ms in (0, 5, 12, 20, 1000):
        policy = configure(head_start(), {"mapper.head_start_ms": head_start_ms})
        show(rtsched.run(problem, policy), f"head start {head_start_ms:g} ms")
    show(rtsched.run(problem, "priority"), "priority")


if __name__ == "__main__":
    main()
