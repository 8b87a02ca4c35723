"""What the simulator is checked against, with figures: ``python tests/validation.py`` prints the tables of docs/validation.md."""

from __future__ import annotations

import argparse
import random
import sys
from itertools import permutations

import numpy as np
from analytic.test_closed_forms import (
    SERVICE_NS,
    erlang_c,
    exponential,
    graham,
    in_batches,
    moore_hodgson,
    one_machine,
    pollaczek_khinchine,
    queue_run,
    worst_lateness,
)
from hypothesis import HealthCheck, given, settings
from reference.compare import assert_equal_runs, run_reference
from scipy import stats
from strategies import policies, problems, seeds
from unit.test_every_combination import problem_on

import rtsched
from rtsched.library import platforms, scenarios
from rtsched.outcome import STATUSES
from rtsched.policies.registry import policy_names
from rtsched.testing import outcome_faults
from rtsched.workload.scenario import TimeFactor

SIGMA = 0.7


def queues():
    """Mean waits in mean service times, with the half width of their 99.9 % interval."""
    table = exponential(1000)
    kinds = [
        ("M/D/1", 1, None, lambda rho: pollaczek_khinchine(rho, 1.0)),
        ("M/G/1, lognormal", 1, TimeFactor(sigma=SIGMA), lambda rho: pollaczek_khinchine(rho, np.exp(SIGMA**2))),
        ("M/M/1", 1, TimeFactor(values=table.tolist()), lambda rho: rho / (1 - rho)),
        ("M/M/2", 2, TimeFactor(values=table.tolist()), lambda rho: erlang_c(2, rho) / (2 * (1 - rho))),
        ("M/M/4", 4, TimeFactor(values=table.tolist()), lambda rho: erlang_c(4, rho) / (4 * (1 - rho))),
    ]
    yield "| queue | utilisation | theory | simulated | 99.9 % interval |"
    yield "|---|---:|---:|---:|---:|"
    for name, n_servers, factor, theory in kinds:
        for seed, rho in enumerate((0.3, 0.6, 0.8)):
            jobs = queue_run(n_servers, rho, seed, factor).jobs
            means = [batch.mean() for batch in in_batches((jobs["start_ns"] - jobs["release_ns"]) / SERVICE_NS)]
            half = stats.t.ppf(0.9995, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means))
            yield f"| {name} | {rho} | {theory(rho):.4f} | {np.mean(means):.4f} | ± {half:.4f} |"


def schedules(n):
    """EDF against every order of the jobs, and against Moore and Hodgson's number; Graham's lists."""
    draw = random.Random(0)
    n_equal = n_met = 0
    for _ in range(n):
        jobs = [(draw.randint(1, 60), draw.randint(1, 200)) for _ in range(draw.randint(1, 7))]
        done = rtsched.run(one_machine(jobs), "edf").jobs
        n_equal += (done["finish_ns"] - done["deadline_ns"]).max() == min(worst_lateness(order) for order in permutations(jobs))
        n_met += (done["status"] == STATUSES.index("met")).sum() <= moore_hodgson(jobs)
    yield f"- EDF's maximum lateness is the smallest of all orders in {n_equal:,} of {n:,} random sets of up to 7 jobs."
    yield f"- EDF meets no more deadlines than Moore and Hodgson's optimum in {n_met:,} of them."
    more, shorter = graham(machines=4), graham(times=(2, 1, 1, 1, 3, 3, 3, 3, 8))
    yield f"- Graham's list takes {graham()} on three machines, {more} on four, {shorter} with shorter jobs,"
    yield f"  {graham(followers=(7, 8))} with fewer constraints (1969: 12, 15, 13, 16)."


def twins(n):
    """Random problems in the compiled engine and in the plain one."""
    counts = {"runs": 0, "jobs": 0, "layers": 0}

    @settings(max_examples=n, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(problems(), policies(), seeds)
    def compare(problem, policy, seed):
        outcome = rtsched.run(problem, policy, seed=seed, layers=True, rates=True)
        assert_equal_runs(outcome, run_reference(problem, policy, seed))
        for name, more in (("runs", 1), ("jobs", len(outcome.jobs)), ("layers", len(outcome.layers))):
            counts[name] += more

    compare()
    yield "- The compiled engine and its twin in plain Python agree to the last bit on {runs:,} random problems with".format(**counts)
    yield "  random policies: {jobs:,} jobs, {layers:,} layers, and every change of their rates.".format(**counts)


def combinations():
    """Every policy on every shipped scenario and platform."""
    n_runs = n_faults = n_layers = 0
    for scenario in scenarios():
        for platform in platforms():
            problem = problem_on(scenario, platform)
            for policy in policy_names():
                outcome = rtsched.run(problem, policy, seed=7, layers=True, rates=True)
                n_runs, n_layers, n_faults = n_runs + 1, n_layers + outcome.n_layers, n_faults + len(outcome_faults(outcome))
    yield f"- `check_outcome` finds {n_faults} faults in {n_runs:,} runs of {len(policy_names())} policies on {len(scenarios())} scenarios"
    yield f"  and {len(platforms())} platforms ({n_layers:,} layers, with their rates)."


def main():
    """Print everything, part by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="random sets of jobs, and random problems for the twin")
    n = parser.parse_args().examples
    for part in (queues(), schedules(n), twins(n), combinations()):
        for line in part:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    sys.exit(main())
