"""Compare policies on a scenario over several seeds: print the table, then use its numbers.

Run it: python examples/compare_policies.py [SCENARIO]
"""

import sys
from pathlib import Path

import rich

import rtsched

POLICIES = ["priority", "edf", "rm", "llf", "fcfs"]


def main(scenario: str = str(Path(__file__).with_name("drone.yaml"))) -> None:
    """Compare `POLICIES` on a scenario: a built-in name or a file."""
    # The scenario is compiled once. For the same seed all policies see the same frames, so their differences are paired, and ten seeds
    # tell apart what would take far more in independent runs.
    found = rtsched.compare(scenario, policies=POLICIES, seeds=10, metrics=["violation_rate", "energy_j"])
    rich.print(found.summary())

    # The same numbers as arrays, indexed [metric], [metric, policy] or [metric, policy, policy]; the first metric ranks.
    best = found.order[0]
    means, differences = found.means, found.differences
    print(f"{found.policies[best]} violates {means.mean[0, best]:.1%} of the deadlines on average")
    for i in found.order[1:]:
        low, high = differences.low[0, i, best], differences.high[0, i, best]
        verdict = "beyond doubt" if found.is_better[0, best, i] else "which may be chance"
        print(f"{found.policies[i]}: between {low:+.1%} and {high:+.1%} more, {verdict}")

    # One run in detail: the jobs are a NumPy array with a row each. Which task pays for the others?
    problem = rtsched.compile(scenario)
    for name in (found.policies[best], found.policies[found.order[-1]]):
        outcome = rtsched.run(problem, name, seed=found.seeds[0])
        worst = outcome.metrics.violation_rate.argmax()
        late_ns = (outcome.jobs["finish_ns"] - outcome.jobs["deadline_ns"])[outcome.jobs["task"] == worst]
        print(f"{name}: {problem.task_names[worst]} fares worst, up to {late_ns.max() * 1e-6:.1f} ms late")


if __name__ == "__main__":
    main(*sys.argv[1:])
