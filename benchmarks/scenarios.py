"""What the built-in scenarios ask of DREAM's 4K platforms: writes docs/scenarios.md.

::

    python benchmarks/scenarios.py

Takes some minutes. The numbers are simulated and deterministic; run it again when a scenario, a network, a cost or a policy changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import rtsched
from rtsched.library import load_scenario
from rtsched.problem import Problem
from rtsched.study.many import simulate_many

SCENARIOS = ("vr_gaming", "ar_call", "drone_outdoor", "drone_indoor", "ar_social")
PLATFORMS = ("dream_4k_1ws2os", "dream_4k_1os2ws", "dream_4k_2ws", "dream_4k_2os")
POLICIES = ("fcfs", "edf", "eft", "herald", "llf", "rm", "rr", "srpt")
LOADS = tuple(round(0.05 * step, 2) for step in range(10, 41))
SEEDS = range(5)
DURATION_S = 4.0

COLLAPSE = 0.1
"""Violation rate of the best policy at which everything has collapsed."""
LEAST_RATE = 0.01
"""Gains are looked for where fcfs violates at least so much, lest they be about a handful of jobs."""
LEAST_GAIN = 0.2

OUTPUT = Path(__file__).parents[1] / "docs" / "scenarios.md"


@dataclass(frozen=True)
class Sweep:
    """Violation rates of a scenario on a platform, mean over the seeds: shape (n_loads, n_policies)."""

    scenario: str
    platform: str
    utilisation: float
    rates: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """Least violation rate of any policy, per load."""
        return self.rates.min(axis=1)

    @property
    def first_miss(self) -> float | None:
        """Least load at which fcfs misses a deadline."""
        return _first(self.rates[:, 0] > 0)

    @property
    def collapse(self) -> float | None:
        """Load from which on even the best policy violates `COLLAPSE` or more."""
        bad = self.best >= COLLAPSE
        return _first(np.logical_and.accumulate(bad[::-1])[::-1])

    @property
    def telling(self) -> int | None:
        """Index of the load that tells policies apart: with the largest difference between fcfs and the best, before the collapse."""
        fcfs = self.rates[:, 0]
        gains = (fcfs >= LEAST_RATE) & (fcfs - self.best >= LEAST_GAIN * fcfs)
        eligible = gains & (self.best < COLLAPSE)
        return int(np.argmax(np.where(eligible, fcfs - self.best, -1.0))) if eligible.any() else None


def _first(found: np.ndarray) -> float | None:
    return LOADS[int(np.argmax(found))] if found.any() else None


def violation_rates(scenario: str, platform: str, load: float, policies: tuple[str, ...] = POLICIES) -> np.ndarray:
    """Violation rate of each policy at one load, mean over the seeds."""
    problem = rtsched.compile(scenario, platform, duration_s=DURATION_S, load=load)
    runs = [(policy, seed) for policy in policies for seed in SEEDS]
    rates = simulate_many(problem, runs, lambda outcome: float(outcome.metrics.total_violation_rate))
    return np.reshape(rates, (len(policies), len(SEEDS))).mean(axis=1)


def sweep(scenario: str, platform: str) -> Sweep:
    """Violation rates at all loads."""
    rates = np.array([violation_rates(scenario, platform, load) for load in LOADS])
    return Sweep(scenario, platform, utilisation(rtsched.compile(scenario, platform)), rates)


def utilisation(problem: Problem) -> float:
    """Expected time of a job with each layer alone on its fastest accelerator, times its rate, summed, per accelerator."""
    busy = 0.0
    for task in range(problem.n_tasks):
        first = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet[problem.task_model[task]]]]
        busy += rate_hz(problem, task) * problem.togo_min_ns[first, 0] * 1e-9
    return busy / problem.n_accelerators


def rate_hz(problem: Problem, task: int) -> float:
    """Jobs per second of a task; of a child, its parent's times the probability of its trigger."""
    parents = problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]]
    return float(problem.task_trigger[task] * (rate_hz(problem, parents[0]) if len(parents) else problem.task_rate_hz[task]))


def alone_ms(problem: Problem, task: int) -> float:
    """Time of a task's longest inference alone on the accelerator that is best for it: nothing skipped, largest subnet."""
    subnet = problem.model_first_subnet[problem.task_model[task]]
    first, end = problem.block_first_layer[problem.subnet_first_block[subnet : subnet + 2]]
    return float(problem.costs["t_iso_ns"][first:end].sum(axis=0).min()) * 1e-6


# Text


def number(value: float | None) -> str:
    """Write a load, or that there was none."""
    return f"> {LOADS[-1]:g}" if value is None else f"{value:g}"


def percent(value: float, digits: int = 2) -> str:
    """Write a share."""
    return f"{value * 100:.{digits}f} %"


def task_rows(scenario: str) -> Iterator[str]:
    """One row per task: model, rate, deadline, and the time alone on each platform."""
    problems = [rtsched.compile(scenario, platform) for platform in PLATFORMS]
    for index, task in enumerate(load_scenario(scenario).tasks):
        deadline_ms = problems[0].task_deadline_ns[index] * 1e-6
        alone = [alone_ms(problem, index) for problem in problems]
        cells = [f"**{time_ms:.3g}**" if time_ms > deadline_ms else f"{time_ms:.3g}" for time_ms in alone]
        model = problems[0].model_names[problems[0].task_model[index]]
        source = f"{task.fps:g}" if task.fps is not None else f"after {', '.join(task.parents or ())} ({task.trigger:g})"
        yield f"| {task.name} | {model} | {source} | {deadline_ms:.3g} | {' | '.join(cells)} |"


def platform_row(found: Sweep) -> str:
    """One row per platform."""
    cells = [found.platform, percent(found.utilisation, 0), number(found.first_miss), number(found.collapse)]
    index = found.telling
    if index is None:
        return f"| {' | '.join(cells)} | - | - | - | - |"
    fcfs, best = found.rates[index, 0], found.best[index]
    policy = POLICIES[int(np.argmin(found.rates[index]))]
    cells += [f"{LOADS[index]:g}", percent(fcfs), f"{policy} {percent(best)}", percent((fcfs - best) / fcfs, 0)]
    return f"| {' | '.join(cells)} |"


HEAD = f"""# The built-in scenarios

Written by `python benchmarks/scenarios.py`; do not edit. The scenarios follow DREAM (Kim et al., ASPLOS 2023), which names their
networks. Frame rates, dependencies and trigger probabilities are reconstructions, as the comments in
`rtsched/workload/scenarios/` say, and every one of them can be replaced: `--set scenario.tasks.detect.fps=60`, `--load 1.2`.

A scenario says nothing about schedulers where every deadline is met, or where none can be. So for each of DREAM's platforms with
4096 PEs this page tells at which load differences show. Its numbers are means of {len(SEEDS)} seeds (0 to {SEEDS[-1]}) of {DURATION_S:g} s
each, for loads from {LOADS[0]:g} to {LOADS[-1]:g} in steps of {LOADS[1] - LOADS[0]:.2g}. A load scales rates and default deadlines.
Policies: {", ".join(f"`{name}`" for name in POLICIES)}.

Of each task: its deadline, and the time in ms of its longest inference (nothing skipped, no early exit, the largest subnet) alone on
the accelerator that is best for it; bold where that is longer than the deadline.

Of each platform:

- **utilisation**: what the tasks need at load 1, with each layer alone on its fastest accelerator, of all accelerators' time. Skips,
  exits and triggers count by their probability.
- **first miss**: the least load at which `fcfs` misses a deadline.
- **collapse**: the load from which on even the best policy violates {COLLAPSE * 100:g} % of the deadlines or more.
- **at load**: where policies differ most, that is where the difference of `fcfs` and the best policy is largest, among the loads
  before the collapse. There `fcfs` violates at least {LEAST_RATE * 100:g} %.
- **fcfs**, **best**: deadlines violated at that load.
- **gain**: how many fewer the best policy violates, relative to `fcfs`.

The best policy differs from row to row, and the gains are its gains on five seeds at one load: they show that a scenario can tell
policies apart, not which policy to take. `rtsched compare` is for that.
"""

NOTES = {
    "ar_call": "Sentences may be translated side by side (`in_order: false`). The deadline of `translate` is given, so it does not\n"
    "scale with the load.",
}


def section(scenario: str) -> str:
    """Tasks and platforms of one scenario."""
    names = " | ".join(platform.removeprefix("dream_4k_") for platform in PLATFORMS)
    lines = [f"## {scenario}", "", load_scenario(scenario).description + ".", ""]
    lines += [f"| task | model | fps | deadline, ms | {names} |", "|---|---|---|---|---|---|---|---|", *task_rows(scenario), ""]
    if scenario in NOTES:
        lines += [NOTES[scenario], ""]
    lines += ["| platform | utilisation | first miss | collapse | at load | fcfs | best | gain |", "|---|---|---|---|---|---|---|---|"]
    lines += [platform_row(sweep(scenario, platform)) for platform in PLATFORMS]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    OUTPUT.write_text("\n".join([HEAD, *map(section, SCENARIOS)]), encoding="utf-8")


if __name__ == "__main__":
    main()
