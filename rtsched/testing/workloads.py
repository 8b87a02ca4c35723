"""Small problems of every kind that a policy meets: what `check_policy` runs it on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from rtsched.compiler import compile_problem
from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.table import CostTable, TableCost
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.problem import Problem
from rtsched.testing.draws import uniform
from rtsched.workload.layer import Conv, Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task, TimeFactor, WeightedPriority

__all__ = ["small_problems"]

US = 1_000
"""Layers take some of these, in ns, where nothing else is said."""


@cache
def small_problems() -> tuple[Problem, ...]:
    """Return problems of some hundred layers each, the same ones at every call; their scenarios' names tell what is special.

    Returns
    -------
    tuple of Problem
    """
    return (
        _plain(),
        _overload(),
        _ties(),
        _tiles(),
        _contention(),
        _fair(),
        _dynamic(),
        _cascade(),
        _joined(),
        _loops(),
        _switching(),
        _seconds(),
    )


def _random(name: str, n: int) -> np.ndarray:
    """Numbers in [0, 1) that are the same in every version of NumPy."""
    return uniform(int.from_bytes(name.encode()[:8], "big"), 0, np.arange(n), 0)


def _chain(name: str, n_layers: int) -> Model:
    return Model(name=name, layers=tuple(Measured(name=f"l{i}") for i in range(n_layers)))


def _compiled(name: str, tasks: Sequence[Task], tiles: Sequence[int], *, frames: int = 12, share: float = 0.3, **options: Any) -> Problem:
    """Compile tasks on accelerators of different speeds with a table of costs.

    `share` is the most of the DRAM's bandwidth that a layer asks for; `unit_ns` the mean time of a layer on the fastest
    accelerator; with `has_gaps`, some layers cannot run on all accelerators.
    """
    unit_ns, has_gaps = options.pop("unit_ns", 10 * US), options.pop("has_gaps", False)
    memory = options.pop("memory", Memory(peak_gb_per_s=10.0))
    slowest = min(task.fps or task.rate_hz or np.inf for task in tasks)
    scenario = Scenario(name=name, tasks=tuple(tasks), duration_s=frames / slowest)
    rows = _rows(name, scenario, tiles, memory, unit_ns, share, has_gaps)
    table = CostTable.from_rows(rows, source=name)
    accelerators = tuple(
        Accelerator(name=f"a{a}", cost=TableCost(rows=table), tiles=n, idle_power_w=0.01 * (a + 1)) for a, n in enumerate(tiles)
    )
    return compile_problem(scenario, Platform(name=f"{name}_platform", accelerators=accelerators, memory=memory, **options))


def _rows(
    name: str, scenario: Scenario, tiles: Sequence[int], memory: Memory, unit_ns: float, share: float, has_gaps: bool
) -> list[dict[str, Any]]:  # fmt: skip
    alone = memory.peak_gb_per_s * memory.efficiency[0]
    models = {task.model.name: task.model for task in scenario.tasks if isinstance(task.model, Model)}
    owners = [(m.name if len(m.variants) == 1 else f"{m.name}/{s.name}", s) for m in models.values() for s in m.variants]
    layers = [(owner, i, layer.name) for owner, subnet in owners for i, layer in enumerate(subnet.all_layers)]
    random = _random(name, 4 * len(layers)).reshape(-1, 4)
    rows = []
    for (owner, i, layer), (size, asks, affinity, gap) in zip(layers, random.tolist(), strict=True):
        for a, n_tiles in enumerate(tiles):
            if has_gaps and i > 0 and gap < 0.4 and a == 1 + int(gap * 7.5) % (len(tiles) - 1):
                continue
            speed = 1.0 + 0.8 * a if affinity < 0.6 else 1.0 + 0.8 * (len(tiles) - 1 - a)
            for n in range(1, n_tiles + 1):
                time_ns = max(1, int(unit_ns * (0.2 + 1.6 * size) * speed / n**0.8))
                dram_bytes = int(share * asks * alone * time_ns)
                rows.append(
                    {
                        "model": owner,
                        "layer": layer,
                        "accelerator": f"a{a}",
                        "tiles": n,
                        "latency_ns": time_ns,
                        "dram_bytes": dram_bytes,
                        "l2_bytes": 2 * dram_bytes,
                        "energy_mac_j": size * 1e-6 * (a + 1),
                        "energy_dram_j": 1e-7,
                    }
                )
    return rows


def _plain() -> Problem:
    """Three accelerators, all layers run on the first one, some not on the others; all arrival laws of roots."""
    return _compiled(
        "plain",
        [
            Task(name="steady", model=_chain("m0", 4), fps=10_000, priority=3),
            Task(name="jittered", model=_chain("m1", 3), fps=16_000, jitter_ms=0.03, deadline_ms=0.1),
            Task(name="bursty", model=_chain("m2", 2), rate_hz=20_000, priority=7),
        ],
        (1, 1, 1),
        has_gaps=True,
    )


def _overload() -> Problem:
    """One accelerator and half as much work again as it can do: deadlines are missed and queues grow."""
    return _compiled(
        "overload",
        [
            Task(name="tight", model=_chain("m0", 2), fps=20_000, deadline_ms=0.03),
            Task(name="loose", model=_chain("m1", 4), fps=10_000, deadline_ms=0.4, priority=11),
            Task(name="bursty", model=_chain("m2", 1), rate_hz=30_000),
        ],
        (1,),
        frames=16,
    )


def _ties() -> Problem:
    """Equal tasks whose frames come at the same instants on equal accelerators."""
    model = _chain("m0", 3)
    return _compiled("ties", [Task(name=f"equal{i}", model=model, fps=8_000) for i in range(4)], (1, 1))


def _tiles() -> Problem:
    """Accelerators of several tiles, and a price for changing their number."""
    return _compiled(
        "tiles",
        [
            Task(name="wide", model=_chain("m0", 4), fps=12_000),
            Task(name="narrow", model=_chain("m1", 3), fps=20_000),
            Task(name="bursty", model=_chain("m2", 2), rate_hz=25_000, priority=5),
        ],
        (4, 2),
        regroup_ns=700,
        unit_ns=20 * US,
    )


def _contending(name: str, memory: Memory) -> Problem:
    tasks = [Task(name=f"hungry{i}", model=_chain(f"m{i}", 3), fps=14_000 + 3_000 * i, priority=4 * i) for i in range(3)]
    return _compiled(name, tasks, (1, 1, 2), share=0.95, memory=memory)


def _contention() -> Problem:
    """Layers that together ask for more bandwidth than there is, shared in proportion."""
    return _contending("contention", Memory(peak_gb_per_s=4.0, efficiency=(1.0, 0.9, 0.8), l2_gb_per_s=20.0))


def _fair() -> Problem:
    """The same, shared max-min fair."""
    return _contending("fair", Memory(peak_gb_per_s=4.0, arbiter="fair"))


def _dynamic() -> Problem:
    """A Supernet, skipped blocks and early exits. Every subnet can start everywhere, so that a selector may choose freely."""

    def blocks(n: int) -> tuple[Block, ...]:
        return tuple(
            Block(layers=(Measured(name=f"l{2 * i}"), Measured(name=f"l{2 * i + 1}")), skip=0.4 if i else 0.0, exit=0.2) for i in range(n)
        )

    supernet = Model(name="super", subnets=tuple(Subnet(name=f"s{n}", blocks=blocks(n)) for n in (3, 2, 1)))
    return _compiled(
        "dynamic",
        [
            Task(name="flexible", model=supernet, fps=14_000),
            Task(name="skipping", model=Model(name="dynamic", blocks=blocks(4)), fps=9_000),
            Task(name="bursty", model=_chain("m2", 2), rate_hz=12_000),
        ],
        (1, 1),
    )


def _cascade() -> Problem:
    """Children and grandchildren that are triggered by chance; priorities that are drawn."""
    weighted = tuple(WeightedPriority(value=value, weight=weight) for value, weight in ((0, 3.0), (5, 2.0), (11, 1.0)))
    return _compiled(
        "cascade",
        [
            Task(name="root", model=_chain("m0", 2), fps=14_000, priority=weighted),
            Task(name="child", model=_chain("m1", 3), parents=("root",), trigger=0.7),
            Task(name="grandchild", model=_chain("m2", 1), parents=("child",), trigger=0.5, priority=weighted),
            Task(name="other", model=_chain("m3", 2), fps=18_000, deadline_ms=0.04),
        ],
        (1, 1),
        frames=16,
    )


def _joined() -> Problem:
    """A child of two parents, deadlines that count from the source, times that differ from the estimates."""
    return _compiled(
        "joined",
        [
            Task(name="root", model=_chain("m0", 1), fps=14_000),
            Task(name="left", model=_chain("m1", 2), parents=("root",), trigger=0.8),
            Task(name="right", model=_chain("m2", 1), parents=("root",), deadline_ms=0.09, deadline_from="source"),
            Task(name="both", model=_chain("m3", 2), parents=("left", "right"), deadline_ms=0.12, deadline_from="source"),
            Task(name="varied", model=_chain("m4", 3), fps=12_000, time_factor=TimeFactor(sigma=0.4)),
        ],
        (1, 1),
    )


def _loops() -> Problem:
    """A closed loop, recorded arrivals, a short backlog, frames of one task that run at once."""
    arrivals = [0.04 * i + 0.03 * float(late) for i, late in enumerate(_random("loops", 20))]
    return _compiled(
        "loops",
        [
            Task(name="loop", model=_chain("m0", 3), outstanding=2, deadline_ms=0.15),
            Task(name="recorded", model=_chain("m1", 2), trace=arrivals, deadline_ms=0.1),
            Task(name="impatient", model=_chain("m2", 3), fps=40_000, max_backlog=1),
            Task(name="parallel", model=_chain("m3", 4), fps=18_000, in_order=False, time_factor=TimeFactor(values=[0.6, 1.0, 1.7])),
        ],
        (1, 1),
    )


def _switching() -> Problem:
    """Dataflows instead of a table, and activations that move when jobs do."""

    def convolutions(name: str, channels: int) -> Model:
        layers = [Conv(name=f"c{i}", in_channels=channels, out_channels=channels, size=28, kernel=3, padding=1) for i in range(3)]
        return Model(name=name, layers=tuple(layers))

    common = {"clock_mhz": 500.0, "sram_kib": 512, "noc_elements_per_cycle": 64}
    accelerators = (
        Accelerator(name="ws", cost=DataflowCost(dataflow="ws", pes=1024, **common), tiles=2),
        Accelerator(name="os", cost=DataflowCost(dataflow="os", pes=1024, **common)),
    )
    platform = Platform(
        name="switching_platform", accelerators=accelerators, memory=Memory(peak_gb_per_s=8.0), switch="activations", regroup_ns=500
    )
    tasks = (
        Task(name="wide", model=convolutions("m0", 64), fps=3_000),
        Task(name="narrow", model=convolutions("m1", 32), fps=7_000),
        Task(name="bursty", model=convolutions("m2", 16), rate_hz=5_000, priority=9),
    )
    return compile_problem(Scenario(name="switching", tasks=tasks, duration_s=0.006), platform)


def _seconds() -> Problem:
    """Layers of milliseconds for some seconds, so that tuning windows end."""
    return _compiled(
        "seconds",
        [
            Task(name="camera", model=_chain("m0", 3), fps=15),
            Task(name="sensor", model=_chain("m1", 2), rate_hz=10, deadline_ms=60.0),
            Task(name="planner", model=_chain("m2", 4), fps=5, priority=6),
        ],
        (1, 1),
        frames=17,
        unit_ns=12_000 * US,
    )
