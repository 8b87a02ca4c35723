"""Write MoCA's workloads as scenarios: three sets of networks, each with the artifact's recorded arrivals and with Poisson arrivals.

::

    python benchmarks/moca_scenarios.py

Rates of the Poisson arrivals are weights: they follow from the platform of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

import rtsched
from rtsched.workload.moca import PRIORITIES, SETS, TARGETS_MS, WEIGHTS, artifact_jobs

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


def text_of(name: str, head: str, description: str, run: list[str], arrivals: dict[str, list[str]]) -> str:
    """One file."""
    top = [f"description: {description}", f"platform: {PLATFORM}", *run, f"drain_s: {DRAIN_S}", "tasks:"]
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
    return text_of(name, head + f"name: moca_{name}_artifact\n", description, [f"duration_s: {duration_s:g}"], arrivals)


def random(name: str) -> str:
    """The scenario with Poisson arrivals."""
    head = HEAD.format(set=name.upper(), kind=KINDS[name], arrivals=f"Poisson arrivals of {JOBS} jobs on average")
    head += (
        "# At load 1 the mean need is the time of four groups of two tiles: rate = 4 * weight / sum(weight * time alone on two tiles).\n"
    )
    head += "# Times are those on the platform of the run.\n"
    arrivals = {network: [f"weight: {WEIGHTS[network]}"] for network in SETS[name]}
    run = [f"capacity: {{groups: {GROUPS}, tiles: {GROUP_TILES}}}", f"jobs: {JOBS}"]
    description = f"MoCA's set {name.upper()}, {KINDS[name]}, random arrivals"
    return text_of(name, head + f"name: moca_{name}\n", description, run, arrivals)


def main() -> None:
    """Write all six."""
    for name in SETS:
        (FOLDER / f"moca_{name}.yaml").write_text(random(name), encoding="utf-8")
        (FOLDER / f"moca_{name}_artifact.yaml").write_text(recorded(name), encoding="utf-8")


if __name__ == "__main__":
    main()
