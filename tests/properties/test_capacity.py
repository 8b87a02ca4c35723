"""Rates that follow from the platform, for any times and weights: the groups are just busy, and weights share what there is."""

import numpy as np
import pytest
from builders import chain, platform_of, rows_of
from hypothesis import given
from hypothesis import strategies as st

from rtsched.compiler import compile_problem
from rtsched.workload.scenario import Capacity, Scenario, Task

times = st.integers(1_000, 10**9)
weights = st.floats(1e-3, 1e3)


@given(
    tasks=st.lists(st.tuples(weights, times, times), min_size=1, max_size=6),
    groups=st.integers(1, 16),
    load=st.floats(0.1, 10),
    jobs=st.integers(1, 1000),
)
def test_groups_are_as_busy_as_the_load_says(tasks, groups, load, jobs):
    made = tuple(Task(name=f"t{i}", model=chain(f"m{i}", 1), weight=weight) for i, (weight, _, _) in enumerate(tasks))
    rows = [row for i, (_, one, other) in enumerate(tasks) for row in rows_of(f"m{i}", [[one, other]])]
    scenario = Scenario(name="s", tasks=made, capacity=Capacity(groups=groups), load=load, jobs=jobs)
    problem = compile_problem(scenario, platform_of(rows, (1, 1)))
    rates_hz = problem.task_rate_hz
    alone_s = np.array([min(one, other) for _, one, other in tasks]) * 1e-9
    parts = np.array([weight for weight, _, _ in tasks])
    assert (rates_hz * alone_s).sum() == pytest.approx(groups * load, rel=1e-12)
    assert rates_hz / rates_hz.sum() == pytest.approx(parts / parts.sum(), rel=1e-12)
    assert abs(problem.duration_ns - jobs / rates_hz.sum() * 1e9) <= 1
