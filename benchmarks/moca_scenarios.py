"""Write MoCA's workloads as scenarios: three sets of networks, each with the artifact's recorded arrivals and with Poisson arrivals.

::

    python benchmarks/moca_scenarios.py

Rates depend on the times of the networks on two tiles of `moca_gemmini_8`: run it again when that platform, a network or the cost model
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import rtsched
from rtsched.workload.moca import PRIORITIES, SETS, TARGETS_MS, WEIGHTS, artifact_jobs
from rtsched.workload.scenario import Scenario, Task

PLATFORM = "moca_gemmini_8"
GROUPS, GROUP_TILES = 4, 2
JOBS = 250
DRAIN_S = 1

KINDS = {"a": "light", "b": "heavy", "c": "all seven"}
FOLDER = Path(rtsched.__file__).parent / "workload" / "scenarios"

HEAD = """\
# MoCA (Kim et al., HPCA 2023), set {set}: {kind} networks, {arrivals}.
# Networks, weights, deadlines and priorities are those of its artifact. Deadlines are for the medium quality of service (M);
# `--set scenario.qos=H` makes them 0.8 times, L 1.2 times as long. A job's priority is drawn, also where its arrival is recorded.
# Written by benchmarks/moca_scenarios.py.
"""


def alone_ms() -> dict[str, float]:
    """Time of each network alone on a group of tiles."""
    tasks = tuple(Task(name=name, model=name, fps=1.0) for name in SETS["c"])
    problem = rtsched.compile(Scenario(name="alone", tasks=tasks), PLATFORM)
    bounds = problem.block_first_layer[problem.subnet_first_block[problem.model_first_subnet]]
    times_ns = problem.costs["t_iso_ns"][:, GROUP_TILES - 1]
    firsts = {problem.model_names[m]: slice(bounds[m], bounds[m + 1]) for m in range(len(problem.model_names))}
    return {name: float(times_ns[firsts[name]].sum()) * 1e-6 for name in SETS["c"]}


def rates_hz(name: str, times_ms: dict[str, float]) -> dict[str, float]:
    """Jobs per second of each network of a set: their mean need is all groups' time."""
    need_ms = sum(WEIGHTS[network] * times_ms[network] for network in SETS[name])
    return {network: 1e3 * GROUPS * WEIGHTS[network] / need_ms for network in SETS[name]}


def priority() -> list[str]:
    """The weighted priorities, as a YAML list."""
    entries = ", ".join(f"{{value: {value}, weight: {weight}}}" for value, weight in PRIORITIES.items())
    return fill(f"[{entries}]", 110, break_long_words=False).splitlines()


def task_lines(name: str, arrivals: dict[str, list[str]]) -> Iterator[str]:
    """The tasks; the first has the priorities, to which the others refer."""
    for i, network in enumerate(SETS[name]):
        yield f"  - name: {network}"
        yield f"    model: {network}"
        yield from (f"    {line}" for line in arrivals[network])
        yield f"    deadline_ms: {TARGETS_MS[network]:g}"
        if i == 0:
            first, *rest = priority()
            yield f"    priority: &drawn {first}"
            yield from (f"      {line}" for line in rest)
        else:
            yield "    priority: *drawn"
        yield "    in_order: false"


def text_of(name: str, head: str, description: str, duration_s: float, arrivals: dict[str, list[str]]) -> str:
    """One file."""
    top = [f"description: {description}", f"platform: {PLATFORM}", f"duration_s: {duration_s:g}", f"drain_s: {DRAIN_S}", "tasks:"]
    return head + "\n".join([*top, *task_lines(name, arrivals)]) + "\n"


def recorded(name: str) -> str:
    """The scenario with the artifact's arrivals."""
    jobs = artifact_jobs(name)
    arrivals = {}
    for network in SETS[name]:
        times = ", ".join(repr(round(job.release_cycles * 1e-6, 6)) for job in jobs if job.network == network)
        arrivals[network] = ["trace:", *(f"  {line}" for line in fill(f"[{times}]", 120).splitlines())]
    head = HEAD.format(set=name.upper(), kind=KINDS[name], arrivals=f"the {JOBS} arrivals of its artifact (rtsched.workload.moca)")
    duration_s = round(jobs[-1].release_cycles * 1e-9 + 0.0005, 3)
    description = f"MoCA's set {name.upper()}, {KINDS[name]}, arrivals as in its artifact"
    return text_of(name, head + f"name: moca_{name}_artifact\n", description, duration_s, arrivals)


def random(name: str, times_ms: dict[str, float]) -> str:
    """The scenario with Poisson arrivals."""
    rates = rates_hz(name, times_ms)
    head = HEAD.format(set=name.upper(), kind=KINDS[name], arrivals=f"Poisson arrivals of {JOBS} jobs on average")
    head += (
        "# At load 1 the mean need is the time of four groups of two tiles: rate = 4 * weight / sum(weight * time alone on two tiles).\n"
    )
    head += "# Times alone, ms: " + ", ".join(f"{network} {times_ms[network]:.4g}" for network in SETS[name]) + ".\n"
    arrivals = {network: [f"rate_hz: {rate:.5g}"] for network, rate in rates.items()}
    duration_s = float(f"{JOBS / sum(rates.values()):.4g}")
    description = f"MoCA's set {name.upper()}, {KINDS[name]}, random arrivals"
    return text_of(name, head + f"name: moca_{name}\n", description, duration_s, arrivals)


def main() -> None:
    """Write all six."""
    times_ms = alone_ms()
    for name in SETS:
        (FOLDER / f"moca_{name}.yaml").write_text(random(name, times_ms), encoding="utf-8")
        (FOLDER / f"moca_{name}_artifact.yaml").write_text(recorded(name), encoding="utf-8")


if __name__ == "__main__":
    main()
