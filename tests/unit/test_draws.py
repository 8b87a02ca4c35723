"""Draws: the core's equal the reference's, and they are what they say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reference import draws
from rtsched._core._testing import Draws
from strategies import problems, seeds

from rtsched._core.draws import task_set_uniform

frames = st.integers(0, 10**6)


@given(problems(), seeds, frames, st.integers(0, 6), st.integers(0, 1000))
def test_core_equals_reference(problem, seed, frame, purpose, index):
    core = Draws(problem, seed)
    for task in range(problem.n_tasks):
        assert core.uniform(task, frame, purpose, index) == draws.uniform(seed, task, frame, purpose, index)
        assert core.is_triggered(task, frame) == draws.is_triggered(problem, seed, task, frame)
        assert core.priority(task, frame) == draws.priority(problem, seed, task, frame)
        law = problem.task_arrival[task]
        if law == 0:
            assert core.periodic_release_ns(task, frame) == draws.periodic_release(problem, seed, task, frame)
        elif law == 1:
            assert core.poisson_gap_ns(task, frame) == draws.poisson_gap(problem, seed, task, frame)
        model = problem.task_model[task]
        for subnet in range(problem.model_first_subnet[model], problem.model_first_subnet[model + 1]):
            path, layer = [], None
            while (layer := draws.next_layer(problem, seed, task, frame, subnet, layer)) is not None:
                path.append(layer)
            assert core.path(task, frame, subnet) == path


@given(seeds, st.integers(0, 2**31 - 1), frames, st.integers(0, 1000))
def test_draws_of_task_sets_equal_the_reference(seed, task, attempt, index):
    assert task_set_uniform(seed, task, attempt, index) == draws.uniform(seed, task, attempt, draws.TASK_SET, index)


def test_uniforms_are_uniform_and_independent():
    """Kolmogorov-Smirnov at 1 in 1000, and no correlation between neighbours of any coordinate."""
    n = 20_000
    sample = np.array([draws.uniform(7, 0, k, 0, 0) for k in range(n)])
    assert sample.min() >= 0.0
    assert sample.max() < 1.0
    distance = np.abs(np.sort(sample) - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / np.sqrt(n)
    for other in (
        [draws.uniform(8, 0, k, 0, 0) for k in range(n)],
        [draws.uniform(7, 1, k, 0, 0) for k in range(n)],
        [draws.uniform(7, 0, k + 1, 0, 0) for k in range(n)],
        [draws.uniform(7, 0, k, 1, 0) for k in range(n)],
        [draws.uniform(7, 0, k, 0, 1) for k in range(n)],
    ):
        assert abs(np.corrcoef(sample, other)[0, 1]) < 4 / np.sqrt(n)


def test_known_values():
    """The stream is part of the compatibility guarantee: it changes with a note in the changelog only."""
    assert [draws.uniform(0, 0, k, 0, 0) for k in range(2)] == KNOWN


KNOWN = [0.47141042966848024, 0.30868980060872686]
