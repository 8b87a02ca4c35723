"""Policies with different names decide differently.

What is compared is the schedule: which job ran which layer where and when. Two policies that are alike on every scenario that comes
with rtsched would be one policy with two names. Names of one module are aliases on purpose and do not count.
"""

from collections import defaultdict
from dataclasses import replace
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from builders import chain, platform_of, rows_of

import rtsched
from rtsched.compiler import compile_problem
from rtsched.library import scenarios
from rtsched.platform.platform import Memory
from rtsched.policies.registry import POLICIES
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task

EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEDULE = ["job", "layer", "accelerator", "start_ns"]

#          a0    a1    a2 (us)
TIMES = {
    "steer": [[30, 50, 80], [20, 15, 40]],
    "see": [[90, 60, 120], [70, None, 90], [40, 30, 60]],
    "map": [[200, 260, 190], [150, 110, None], [60, 80, 90], [100, 90, 140]],
    "hear": [[25, 45, 20], [60, 55, 35]],
    "plan": [[110, 80, 130], [90, 120, 70]],
}
SUPERNET = [[80, 90, 100], [120, 70, 100], [60, 60, 60]]
#         period  deadline (us)  priority: no two of them give the same order
TASKS = {
    "steer": (300, 420, 4),
    "see": (400, 260, 7),
    "map": (700, 900, 11),
    "hear": (350, 330, 0),
    "plan": (520, 610, 9),
}


def any_of(*layers):
    """A Supernet "any": subnets of so many layers."""
    return Model(
        name="any",
        subnets=tuple(Subnet(name=f"s{n}", blocks=(Block(layers=tuple(Measured(name=f"l{i}") for i in range(n))),)) for n in layers),
    )


def crowded(scale=1):
    """Six tasks, one of them a Supernet's, too much for three unequal accelerators and their memory; all times `scale` times as long."""
    rows = [
        row
        | {
            "latency_ns": 1000 * scale * row["latency_ns"],
            "dram_bytes": 500 * scale * row["latency_ns"],
        }  # half of the memory's bandwidth each
        for name, times in {**TIMES, "any/s3": SUPERNET, "any/s1": SUPERNET[:1]}.items()
        for row in rows_of(name, times)
    ]
    tasks = tuple(
        Task(
            name=name,
            model=chain(name, len(TIMES[name])),
            fps=1e6 / (scale * period),
            deadline_ms=scale * deadline * 1e-3,
            priority=priority,
        )
        for name, (period, deadline, priority) in TASKS.items()
    )
    tasks += (Task(name="any", model=any_of(3, 1), fps=1e6 / (scale * 610), deadline_ms=scale * 0.7, priority=2),)
    platform = platform_of(rows, (1, 1, 1), memory=Memory(peak_gb_per_s=1.0, efficiency=(1.0, 0.9, 0.8)))
    return compile_problem(Scenario(name="crowded", tasks=tasks, duration_s=0.02 * scale), platform)


def sparse():
    """The crowded one in ms, with recorded times, which follow the sparsity that was measured; every task has seven frames of them.

    Waiting counts for nothing beside remaining times of seconds in Dysta's score, and for everything beside those of microseconds.
    """
    problem = crowded(1000)
    rng = np.random.default_rng(3)
    sizes = [len({**TIMES, "any": SUPERNET}[name]) for name in problem.task_names for _ in range(7)]
    first = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet[problem.task_model]]]
    layers = np.concatenate([np.arange(n) + first[i // 7] for i, n in enumerate(sizes)])
    average = rng.uniform(0.3, 0.7, problem.n_layers)
    measured = np.clip(average[layers] + rng.uniform(-0.4, 0.4, len(layers)), 0.0, 0.99)
    times_ns = problem.togo_mean_ns[layers, 0] - problem.after_mean_ns[layers, 0]
    return replace(
        problem,
        recorded_first=np.arange(0, len(sizes) + 1, 7, dtype=np.int32),
        recorded_place=np.cumsum([0, *sizes])[:-1].astype(np.int32),
        recorded_ns=(times_ns * (1.0 - measured) / (1.0 - average[layers])).astype(np.int64) + 1,
        recorded_sparsity=measured,
        layer_sparsity=average,
    )


def problems():
    """Every scenario that comes with rtsched on its own platform, every example, and the crowded ones."""
    found = {name: rtsched.compile(name, duration_s=1) for name in scenarios()}
    for path in sorted(EXAMPLES.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if "\ntasks:" in text and (find_spec("onnx") is not None or ".onnx" not in text):
            found[f"examples/{path.name}"] = rtsched.compile(str(path), duration_s=1)
    return found | {"crowded": crowded(), "sparse": sparse()}


def alike(schedules):
    """The pairs of policies with equal schedules."""
    return {pair for pair in combinations(sorted(schedules), 2) if schedules[pair[0]] == schedules[pair[1]]}


@pytest.fixture(scope="module")
def found():
    """Pairs of policies that are alike, by scenario: {scenario: {(policy, policy), ...}}."""
    one_of = {module: name for name, module in reversed(POLICIES.items())}
    return {
        name: alike({policy: rtsched.run(problem, policy, layers=True).layers[SCHEDULE].tobytes() for policy in one_of.values()})
        for name, problem in problems().items()
    }


def test_no_two_policies_are_alike_on_every_scenario(found):
    places = defaultdict(list)
    for scenario, pairs in found.items():
        for pair in pairs:
            places[pair].append(scenario)
    report = [f"{one} and {other} are alike on {', '.join(where)}" for (one, other), where in sorted(places.items())]
    assert {"vr_gaming", "examples/drone.yaml", "examples/glasses.yaml", "crowded"} <= set(found)
    assert [pair for pair, where in places.items() if len(where) == len(found)] == [], "\n".join(report)


def test_all_policies_differ_where_priorities_periods_and_deadlines_do(found):
    # A tuner needs more than a window, and the monitor of Dysta sparsity.
    assert found["crowded"] == {("dream", "dream-fixed"), ("dysta", "dysta-naive")}
    assert found["sparse"] == set()


def test_a_policy_with_two_names_is_noticed():
    problem = crowded()
    schedules = {name: rtsched.run(problem, name, layers=True).layers[SCHEDULE].tobytes() for name in ("edf", "llf")}
    assert alike(schedules | {"same": schedules["edf"]}) == {("edf", "same")}
