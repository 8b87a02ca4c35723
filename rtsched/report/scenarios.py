"""A scenario in words: the text of ``rtsched show SCENARIO``."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich.console import Group, RenderableType

from rtsched.library import load_model, load_scenario
from rtsched.rates import rates_of
from rtsched.report.text import digits, facts, name, table, title
from rtsched.run import compile
from rtsched.workload.scenario import MAX_PRIORITY, QOS_FACTORS, Scenario, Task, TimeFactor

__all__ = ["describe_scenario"]

MAX_PATHS = 20
"""The most paths of cascades that are shown; tasks with several parents can have any number."""


def describe_scenario(ref: str | Scenario) -> RenderableType:
    """Describe a scenario: its tasks, when their jobs arrive and by when they must end.

    Rates that follow from a platform are those on the scenario's own.

    Parameters
    ----------
    ref : str or Scenario
        As for `rtsched.library.load_scenario`.
    """
    scenario = load_scenario(ref)
    rates_hz, duration_s = _rates(ref, scenario)
    deadlines_ms = [_deadline_ms(task, scenario, rates_hz) for task in scenario.tasks]
    columns = ["task", "model", "arrives", "deadline\nms", "priority", "GMACs\nper job"]
    made = table(columns, words=("task", "model", "arrives"))
    for task, deadline_ms in zip(scenario.tasks, deadlines_ms, strict=True):
        model = load_model(task.model)
        made.add_row(
            name(task.name),
            name(model.name),
            name(_arrival(task, scenario.load, rates_hz[task.name])),
            digits(deadline_ms),
            _priority(task),
            digits(model.macs * 1e-9),
        )
    longest = "the longest deadline" if any(map(math.isnan, deadlines_ms)) else f"the longest deadline, {digits(max(deadlines_ms))} ms"
    drain = longest if scenario.drain_s is None else f"{scenario.drain_s:g} s"
    rows = [
        *(("cascades" if i == 0 else "", str(name(chain))) for i, chain in enumerate(_cascades(scenario))),
        ("deadline", _deadlines(scenario)),
        ("priority", f"0 (lowest) to {MAX_PRIORITY}, for policies that heed it; several: drawn for each job"),
        *_backlogs(scenario),
        *_times(scenario),
        ("GMACs", "of all layers; of the largest subnet where a model has several"),
        *_capacity(scenario),
        ("runs", f"{_duration(scenario, duration_s)}, then waits for jobs to end for up to {drain}"),
        ("platform", str(name(scenario.platform or "none of its own: choose one with -p"))),
    ]
    if scenario.load != 1:
        rows.append(("load", f"{scenario.load:g}: rates and default deadlines above include it"))
    if scenario.qos != "M":
        rows.append(("qos", f"{scenario.qos}: given deadlines above are {QOS_FACTORS[scenario.qos]:g} times as long"))
    return Group(title(scenario.name, "scenario", scenario.description), made, "", facts(rows))


def _rates(ref: str | Scenario, scenario: Scenario) -> tuple[dict[str, float], float]:
    """Return the rate of each task at the scenario's load, and the duration; NaN where they need a platform and it has none."""
    if scenario.capacity is None or scenario.platform is None:
        found = rates_of(scenario)
        return dict(zip((task.name for task in scenario.tasks), found.hz.tolist(), strict=True)), found.duration_s
    problem = compile(ref)
    return dict(zip(problem.task_names, problem.task_rate_hz.tolist(), strict=True)), problem.duration_ns * 1e-9


def _capacity(scenario: Scenario) -> list[tuple[str, str]]:
    """What weights are parts of."""
    if scenario.capacity is None:
        return []
    groups, tiles = scenario.capacity.groups, scenario.capacity.tiles
    of = f"{groups} group{'' if groups == 1 else 's'} of {tiles} tile{'' if tiles == 1 else 's'}"
    where = "follow from the platform" if scenario.platform is None else f"are those on {scenario.platform}"
    return [("capacity", str(name(f"tasks with a weight need all the time of {of} at load 1, on average; their rates {where}")))]


def _duration(scenario: Scenario, duration_s: float) -> str:
    if scenario.duration_s is not None or scenario.jobs is None:
        return f"{duration_s:g} s"
    return f"until {scenario.jobs} jobs have arrived on average" + ("" if math.isnan(duration_s) else f", {duration_s:.4g} s")


def _arrival(task: Task, load: float, rate_hz: float) -> str:
    if task.parents is not None:
        names = ", ".join(task.parents[:-1]) + (" and " if len(task.parents) > 1 else "") + task.parents[-1]
        ends = "ends" if len(task.parents) == 1 else "have ended"
        return f"when {names} {ends}" + ("" if task.trigger == 1 else f", {100 * task.trigger:g} % of times")
    if task.outstanding is not None:
        return "when its job before has ended" if task.outstanding == 1 else f"{task.outstanding} at once, then one whenever one ends"
    if task.trace is not None:
        n = len(task.trace.values)
        source = f", from {task.trace.source}" if task.trace.source else ""
        span = f"{digits(task.trace.values[0] / load)} to {digits(task.trace.values[-1] / load)} ms"
        return f"recorded: {n} release{'' if n == 1 else 's'}, {span}{source}"
    if task.weight is not None:
        rate = "" if math.isnan(rate_hz) else f"{rate_hz:.4g} per s on average, "
        return f"{rate}at random (Poisson, weight {task.weight:g})"
    if task.rate_hz is not None:
        return f"{rate_hz:g} per s on average, at random (Poisson)"
    first = f", first at {task.offset_ms:g} ms" if task.offset_ms else ""
    late = f", each up to {task.jitter_ms:g} ms late" if task.jitter_ms else ""
    return f"{rate_hz:g} per s, every {digits(1e3 / rate_hz)} ms{first}{late}"


def _cascades(scenario: Scenario) -> list[str]:
    """A line for each path from a root to the end of a cascade; what is at an arrow is the probability of what follows."""
    children: dict[str, list[Task]] = {task.name: [] for task in scenario.tasks}
    for task in scenario.tasks:
        for parent in task.parents or ():
            children[parent].append(task)
    lines: list[str] = []
    open_ends = [(task, task.name) for task in reversed(scenario.tasks) if task.parents is None and children[task.name]]
    while open_ends:
        task, line = open_ends.pop()
        if len(lines) == MAX_PATHS:
            return [*lines, "and more"]
        if not children[task.name]:
            lines.append(line)
        for child in reversed(children[task.name]):
            open_ends.append((child, f"{line} {'' if child.trigger == 1 else f'─ {100 * child.trigger:g} % '}→ {child.name}"))
    return lines


def _deadlines(scenario: Scenario) -> str:
    given = [task.name for task in scenario.tasks if task.deadline_ms is not None]
    default = "the (mean) time between a task's arrivals" + ("; in a cascade that of its root" if _cascades(scenario) else "")
    own = f"given for {', '.join(given)}, else " if given else ""
    source = [task.name for task in scenario.tasks if task.deadline_from == "source"]
    start = f"counted from the arrival ({', '.join(source)}: from that of the cascade's root)" if source else "counted from the arrival"
    return start + (f": {own}{default}" if len(given) < len(scenario.tasks) else "")


def _deadline_ms(task: Task, scenario: Scenario, rates_hz: Mapping[str, float]) -> float:
    """Its own relative deadline, else its root's, else the mean time between the root's arrivals."""
    by_name = {one.name: one for one in scenario.tasks}
    root = task
    while root.parents is not None and task.deadline_ms is None:
        root = by_name[root.parents[0]]
    given_ms = task.deadline_ms or root.deadline_ms
    return given_ms * QOS_FACTORS[scenario.qos] if given_ms else 1e3 / rates_hz[root.name]


def _priority(task: Task) -> str:
    if isinstance(task.priority, int):
        return str(task.priority)
    total = sum(one.weight for one in task.priority)
    return ", ".join(f"{one.value} ({one.weight / total:.0%})" for one in task.priority)


def _backlogs(scenario: Scenario) -> list[tuple[str, str]]:
    """What tasks do with frames that wait, where it is not the rule."""
    free = [task.name for task in scenario.tasks if not task.in_order]
    limits = [f"{task.name} {task.max_backlog}" for task in scenario.tasks if task.max_backlog is not None]
    return [
        *([("in order", f"all but {', '.join(free)}, whose frames need not wait for each other")] if free else []),
        *([("backlog", f"frames that wait to start, at most: {', '.join(limits)}; the oldest is dropped for a new one")] if limits else []),
    ]


def _times(scenario: Scenario) -> list[tuple[str, str]]:
    """What layers really take, where that is not the estimate."""
    own = [f"{task.name} {_factor(task.time_factor)}" for task in scenario.tasks if task.time_factor is not None]
    rest = [] if scenario.time_factor is None else [_factor(scenario.time_factor)]
    return [("times", "estimates times a factor per layer: " + "; ".join([*own, *rest]))] if own or rest else []


def _factor(factor: TimeFactor) -> str:
    if factor.values is None:
        return f"lognormal, mean 1, sigma {factor.sigma:g}"
    values, source = factor.values.values, factor.values.source
    return f"one of {len(values)} from {digits(min(values))} to {digits(max(values))}" + (f", from {source}" if source else "")
