"""Synthetic task sets, as the real-time community draws them to compare schedulers at scale."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rtsched._core.draws import task_set_uniform
from rtsched.compiler import compile_problem
from rtsched.errors import FaultList, InputError
from rtsched.library import load_model, load_platform
from rtsched.library import models as built_in_models
from rtsched.platform.platform import Platform
from rtsched.workload.model import Model
from rtsched.workload.scenario import MAX_PRIORITY, MAX_TASKS, Scenario, Task

__all__ = ["MAX_ATTEMPTS", "MAX_TASKS", "draw_utilisations", "task_times_ns", "uunifast"]

MAX_ATTEMPTS = 10_000
"""Draws after which a task set counts as too rare to be found."""

UTILISATION, DEADLINE, MODEL = range(3)
"""What a task's draws are for."""

MAX_RATIO = 1e6


def uunifast(
    n_tasks: int,
    utilisation: float,
    *,
    platform: str | os.PathLike[str] | Platform,
    models: Sequence[str | os.PathLike[str] | Model] | None = None,
    seed: int = 0,
    max_utilisation: float = 1.0,
    times: Literal["fastest", "mean"] = "fastest",
    deadline_ratio: float | tuple[float, float] = 1.0,
    draw_models: bool = False,
    priorities: Literal["equal", "rate"] = "equal",
    duration_s: float = 10.0,
) -> Scenario:
    """Draw a set of periodic tasks whose utilisations sum to a given one.

    Utilisations are uniform over all that have this sum (UUniFast [1]_), those with a task above `max_utilisation` left out
    (UUniFast-Discard [2]_). A task's utilisation is the expected time of its job, alone on one tile, times its rate, so its
    rate follows from its model. All tasks release their first job at 0.

    Parameters
    ----------
    n_tasks : int
        1 to `MAX_TASKS`.
    utilisation : float
        Of all tasks together, in accelerators: greater than 0, at most ``n_tasks * max_utilisation``.
    platform : str, path or Platform
        Where the tasks' times are taken; the scenario names it, unless it is an object.
    models : sequence of str, path or Model, optional
        Task i runs the i-th of them, over again from the first behind the last. Default: the built-in ones, by name.
    seed : int
        0 to 2**64 - 1. The set is a pure function of the arguments.
    max_utilisation : float
        Of one task: greater than 0, at most 1, since the frames of a task run one after the other.
    times : {'fastest', 'mean'}
        The time of a layer: on the accelerator that is fastest for it, so that no schedule on one tile each does with less work
        and a total above the number of tiles is certainly too much; or the mean over the accelerators that can run it. These are
        the first entries of ``togo_min_ns`` and ``togo_mean_ns`` of the problem; a dynamic model counts with its largest subnet.
    deadline_ratio : float or (float, float)
        Relative deadline over period; of a pair, drawn uniformly between the two for each task. 1: implicit deadlines, which
        follow the scenario's `load`; others are given in ms and do not.
    draw_models : bool
        Draw each task's model, all equally likely, instead of taking turns.
    priorities : {'equal', 'rate'}
        All 0, or distinct in the rate-monotonic order, the fastest task's `MAX_PRIORITY`; equal rates by task. Distinct ones
        exist for ``MAX_PRIORITY + 1`` tasks.
    duration_s : float
        Of the scenario.

    Returns
    -------
    Scenario

    Raises
    ------
    InputError
        Every fault of the arguments at once; the models cannot run on the platform; or no set in `MAX_ATTEMPTS` draws has all its
        tasks at `max_utilisation` or below.

    References
    ----------
    .. [1] Bini and Buttazzo, "Measuring the performance of schedulability tests", Real-Time Systems 30, 2005, section 3.
    .. [2] Davis and Burns, "Priority assignment for global fixed priority pre-emptive scheduling in multiprocessor real-time
       systems", RTSS 2009.
    """
    faults = FaultList()
    shares = faults.of(draw_utilisations, n_tasks, utilisation, max_utilisation=max_utilisation, seed=seed)
    ratios = faults.of(_ratio_range, deadline_ratio)
    for fault in _option_faults(n_tasks, times, priorities, duration_s):
        faults.add(fault)
    hardware = faults.of(load_platform, platform)
    given = built_in_models() if models is None else tuple(models)
    if not given:
        faults.add("models: must have at least 1 entry, got 0")
    loaded = [faults.of(load_model, one) for one in given]
    faults.report()
    assert shares is not None
    assert ratios is not None
    assert hardware is not None
    known = [model for model in loaded if model is not None]
    chosen = [known[_model_of(seed, i, len(known)) if draw_models else i % len(known)] for i in range(n_tasks)]
    names = [f"t{i:0{len(str(n_tasks - 1))}d}" for i in range(n_tasks)]
    scenario = Scenario(
        name=f"uunifast-{n_tasks}-{utilisation:g}-{seed}",
        description=f"UUniFast: {n_tasks} tasks of utilisation {utilisation:g} together, seed {seed}",
        # At any rate: rates follow from times, which are known once the models are compiled.
        tasks=tuple(Task(name=name, model=model, fps=1.0) for name, model in zip(names, chosen, strict=True)),
        platform=None if isinstance(platform, Platform) else os.fspath(platform),
        duration_s=duration_s,
    )
    rates_hz = shares * 1e9 / task_times_ns(scenario, hardware, times)
    tasks = _rated(scenario.tasks, rates_hz.tolist(), ratios, seed, is_ranked=priorities == "rate")
    return scenario.model_copy(update={"tasks": tasks})


def draw_utilisations(n_tasks: int, utilisation: float, *, max_utilisation: float = 1.0, seed: int = 0) -> NDArray[np.float64]:
    """Draw utilisations, uniform over all that sum to a given one and have none above `max_utilisation`.

    Parameters
    ----------
    n_tasks, utilisation, max_utilisation, seed
        As for `uunifast`.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)

    Raises
    ------
    InputError
        As for `uunifast`.
    """
    faults = []
    if not (_is_whole(n_tasks) and 1 <= n_tasks <= MAX_TASKS):
        faults.append(f"n_tasks: must be a whole number from 1 to {MAX_TASKS}, got {n_tasks!r:.60}")
    if not (_is_number(max_utilisation) and 0 < max_utilisation <= 1):
        faults.append(f"max_utilisation: must be greater than 0 and at most 1, got {max_utilisation!r:.60}")
    if not (_is_number(utilisation) and utilisation > 0):
        faults.append(f"utilisation: must be a number greater than 0, got {utilisation!r:.60}")
    elif not faults and utilisation > n_tasks * max_utilisation:
        most = n_tasks * max_utilisation
        faults.append(f"utilisation: must be at most {most:g}, {n_tasks} times {max_utilisation:g} for each task, got {utilisation:g}")
    if not (_is_whole(seed) and 0 <= seed < 2**64):
        faults.append(f"seed must be an integer from 0 to 2**64 - 1, got {seed!r:.60}")
    if faults:
        raise InputError(faults)
    for attempt in range(MAX_ATTEMPTS):
        found = _attempt(n_tasks, float(utilisation), float(max_utilisation), int(seed), attempt)
        if found is not None:
            return np.array(found)
    raise InputError(
        f"utilisation: {MAX_ATTEMPTS} draws of {n_tasks} tasks with {utilisation:g} together had a task above {max_utilisation:g}; "
        "take more tasks or less utilisation"
    )


def task_times_ns(scenario: Scenario, platform: Platform, times: Literal["fastest", "mean"] = "fastest") -> NDArray[np.int64]:
    """Return the expected time of a job of each task, alone on one tile, as `uunifast` counts it: shape (n_tasks,)."""
    problem = compile_problem(scenario, platform)
    first = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet[problem.task_model]]]
    togo_ns = problem.togo_min_ns if times == "fastest" else problem.togo_mean_ns
    found: NDArray[np.int64] = togo_ns[first, 0]
    return found


def _attempt(n_tasks: int, utilisation: float, most: float, seed: int, attempt: int) -> list[float] | None:
    """One draw of UUniFast; None when a task has more than `most`, or is too small for a float to tell from 0."""
    found = []
    left = utilisation
    for task in range(n_tasks - 1):
        rest = left * task_set_uniform(seed, task, attempt, UTILISATION) ** (1.0 / (n_tasks - 1 - task))
        found.append(left - rest)
        if not 0 < found[-1] <= most:
            return None
        left = rest
    return [*found, left] if 0 < left <= most else None


def _rated(
    tasks: Sequence[Task], rates_hz: Sequence[float], ratios: tuple[float, float], seed: int, *, is_ranked: bool
) -> tuple[Task, ...]:
    """Give tasks their rates, and the deadlines and priorities that follow."""
    order = sorted(range(len(tasks)), key=lambda task: -rates_hz[task])
    priority = dict(zip(order, range(MAX_PRIORITY, -1, -1), strict=False)) if is_ranked else {}
    return tuple(
        task.model_copy(
            update={"fps": rate_hz, "deadline_ms": _deadline_ms(seed, i, ratios, 1e3 / rate_hz), "priority": priority.get(i, 0)}
        )
        for i, (task, rate_hz) in enumerate(zip(tasks, rates_hz, strict=True))
    )


def _model_of(seed: int, task: int, n_models: int) -> int:
    return int(task_set_uniform(seed, task, 0, MODEL) * n_models)


def _deadline_ms(seed: int, task: int, ratios: tuple[float, float], period_ms: float) -> float | None:
    low, high = ratios
    if low == high == 1.0:
        return None
    return period_ms * (low + (high - low) * task_set_uniform(seed, task, 0, DEADLINE))


def _ratio_range(given: Any) -> tuple[float, float]:
    ratios = tuple(given) if isinstance(given, (tuple, list)) else (given, given)
    is_range = len(ratios) == 2 and all(_is_number(one) and 0 < one <= MAX_RATIO for one in ratios)
    if not is_range or any(one > other for one, other in pairwise(ratios)):
        wanted = f"a number greater than 0 and at most {MAX_RATIO:g}, or two of them in ascending order"
        raise InputError(f"deadline_ratio: must be {wanted}, got {given!r:.60}")
    return float(ratios[0]), float(ratios[1])


def _option_faults(n_tasks: Any, times: Any, priorities: Any, duration_s: Any) -> list[str]:
    faults = []
    if times not in ("fastest", "mean"):
        faults.append(f"times: must be 'fastest' or 'mean', got {times!r:.60}")
    if priorities not in ("equal", "rate"):
        faults.append(f"priorities: must be 'equal' or 'rate', got {priorities!r:.60}")
    elif priorities == "rate" and _is_whole(n_tasks) and n_tasks > MAX_PRIORITY + 1:
        faults.append(f"priorities: {n_tasks} tasks cannot have distinct ones; there are {MAX_PRIORITY + 1}")
    if not (_is_number(duration_s) and 0 < duration_s <= 1e9):
        faults.append(f"duration_s: must be greater than 0 and at most 1e9, got {duration_s!r:.60}")
    return faults


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and math.isfinite(value)
