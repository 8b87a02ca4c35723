"""How the cost of a simulated layer grows: with accelerators, ready jobs, layers per job, and what is recorded.

::

    python benchmarks/scaling.py [--repeats 5]

Prints the tables of docs/performance.md that say so, and what a mapper in Python takes. CPU time, medians; the variants of a table
take turns, since machines are shared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

from suite.workloads import busy_problem, overload_problem, speed_problem

import rtsched

POLICIES = ("fcfs", "edf", "dream-mapscore")
LAYERS = 100_000
"""Simulated in a run, about."""


class LeastLaxity(rtsched.Mapper):
    """The smallest slack minus to-go first, in Python."""

    def score(self, state: rtsched.State) -> object:
        """Score every ready job."""
        return state.togo_mean_ns - state.slack_ns


def timed(problem: rtsched.Problem, policy: object, **recorded: bool) -> float:
    """CPU ns per layer of a run."""
    problem.digest  # noqa: B018 - computed once, when it is asked for
    began = time.process_time()
    outcome = rtsched.run(problem, policy, **recorded)
    return 1e9 * (time.process_time() - began) / outcome.n_layers


def written(ns: float) -> str:
    """Two digits at least."""
    return f"{ns:,.0f}" if ns >= 10.0 else f"{ns:.1f}"


def table(title: str, columns: list[str], rows: dict[str, list[Callable[[], float]]], repeats: int) -> None:
    """Measure in turns and print."""
    found = {name: [[] for _ in cells] for name, cells in rows.items()}
    for _ in range(repeats):
        for name, cells in rows.items():
            for place, measure in enumerate(cells):
                found[name][place].append(measure())
    print(f"\n| {title} | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, cells in found.items():
        print(f"| {name} | {' | '.join(written(median(times)) for times in cells)} |", flush=True)


def cells(problem: rtsched.Problem, policies: tuple[object, ...] = POLICIES) -> list[Callable[[], float]]:
    """One measurement per policy."""
    return [lambda policy=policy: timed(problem, policy) for policy in policies]


def per_ready_job(ready: int) -> Callable[[], float]:
    """MapScore on a backlog, whose decisions look at every job of it."""
    problem = overload_problem(ready, 0.3)
    return lambda: timed(problem, "dream-mapscore") / ready


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="of every run, in turns [default: 5]")
    repeats = parser.parse_args().repeats
    names = list(POLICIES)
    sizes = {n: speed_problem(jobs=max(1, LAYERS // (4 * n * 10)), layers=10, accelerators=n) for n in (1, 2, 4, 8, 16, 32, 64)}
    table("accelerators", names, {f"{n}": cells(problem) for n, problem in sizes.items()}, repeats)
    queues = {ready: busy_problem(ready, max(500, ready // 10)) for ready in (1, 10, 100, 1000, 9000)}
    table("ready jobs", names, {f"{ready:,}": cells(problem) for ready, problem in queues.items()}, repeats)
    backlogs = {ready: overload_problem(ready, seconds) for ready, seconds in ((1000, 8.0), (10_000, 8.0), (100_000, 40.0))}
    rows = {f"{ready:,}": [*cells(problem, ("fcfs", "edf")), per_ready_job(ready)] for ready, problem in backlogs.items()}
    table("backlog of frames", ["fcfs", "edf", "dream-mapscore, per ready job"], rows, repeats)
    depths = {n: speed_problem(jobs=max(1, LAYERS // (16 * n)), layers=n) for n in (1, 5, 50, 500)}
    table("layers per job", names, {f"{n}": cells(problem) for n, problem in depths.items()}, repeats)
    problem = speed_problem(jobs=LAYERS // (16 * 50))
    kinds = {"jobs": {}, "jobs and layers": {"layers": True}, "jobs, layers and rates": {"layers": True, "rates": True}}
    rows = {
        name: [lambda policy=policy, given=given: timed(problem, policy, **given) for policy in POLICIES] for name, given in kinds.items()
    }
    table("recorded", names, rows, repeats)
    table("mapper in Python", ["least laxity"], {"": cells(problem, (LeastLaxity(),))}, repeats)
    policies = ("static", "moca-scheduler-only", "moca")
    table("eight tiles", list(policies), {"moca_c": cells(rtsched.compile("moca_c", duration_s=2.0), policies)}, repeats)


if __name__ == "__main__":
    main()
