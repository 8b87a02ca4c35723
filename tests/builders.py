"""Small problems by hand: layers with given times on given accelerators."""

from rtsched.compiler import compile_problem
from rtsched.cost.table import CostTable, TableCost
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.workload.layer import Measured
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task


def chain(name, n_layers):
    """A model of n layers named l0, l1, ..."""
    return Model(name=name, layers=tuple(Measured(name=f"l{i}") for i in range(n_layers)))


def platform_of(rows, tiles=(1,), memory=None, **options):
    table = CostTable.from_rows(rows)
    accelerators = tuple(Accelerator(name=f"a{i}", cost=TableCost(rows=table), tiles=n) for i, n in enumerate(tiles))
    return Platform(name="hand", accelerators=accelerators, memory=memory or Memory(peak_gb_per_s=1.0), **options)


def rows_of(model, times, dram_bytes=0):
    """Cost rows: times[layer][accelerator] in ns; None where it cannot run."""
    return [
        {"model": model, "layer": f"l{i}", "accelerator": f"a{a}", "latency_ns": time_ns, "dram_bytes": dram_bytes}
        for i, row in enumerate(times)
        for a, time_ns in enumerate(row)
        if time_ns is not None
    ]


def problem_of(tasks, times, *, duration_s=1e-6, dram_bytes=0, drain_s=None, **options):
    """Compile tasks over models whose layers' times are given: {model: times[layer][accelerator]}."""
    rows = [row for model, table in times.items() for row in rows_of(model, table, dram_bytes)]
    n_accelerators = max(len(row) for table in times.values() for row in table)
    scenario = Scenario(name="hand", tasks=tuple(tasks), duration_s=duration_s, drain_s=drain_s)
    return compile_problem(scenario, platform_of(rows, options.pop("tiles", (1,) * n_accelerators), **options))


def once(name, model, n_layers, *, deadline_ns, release_ns=0, period_ns=10**6, **options):
    """A task whose first frame comes at `release_ns`, its second one after `period_ns`."""
    return Task(
        name=name, model=chain(model, n_layers), fps=1e9 / period_ns, offset_ms=release_ns * 1e-6, deadline_ms=deadline_ns * 1e-6, **options
    )
