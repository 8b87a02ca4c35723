"""The speed workload: periodic models on four unequal accelerators that share DRAM bandwidth, through the public API.

`regular` repeats itself every period, which branch predictors learn; `jittered` does not, and is the one to quote.
"""

from __future__ import annotations

import random

from rtsched import Accelerator, CostTable, Measured, Memory, Model, Platform, Problem, Scenario, TableCost, Task, compile

SLOWNESS = (1.0, 1.0, 1.6, 1.6)
PRESETS = {"regular": (5, 0.35, 0.0), "jittered": (16, 0.45, 0.05)}
PEAK_GB_PER_S = 100.0


def speed_problem(preset: str = "jittered", jobs: int = 400, layers: int = 50, seed: int = 0, accelerators: int = 4) -> Problem:
    """Compile the workload.

    Parameters
    ----------
    preset : {'jittered', 'regular'}
    jobs : int
        Per model.
    layers : int
        Per model; each takes 50 to 500 us on the fastest accelerator and asks for 10 to 90 % of the bandwidth there.
    accelerators : int
        With them grow the number of models and the bandwidth, so that as much is waited for.
    """
    n_models, utilisation, jitter = PRESETS[preset]
    n_models = max(1, n_models * accelerators // len(SLOWNESS))
    models, platform = _speed_platform(n_models, layers, seed, accelerators)
    period_us = n_models * layers * 275 * 1.3 / (accelerators * utilisation)
    tasks = tuple(
        Task(name=f"task{m}", model=model, fps=1e6 / period_us, jitter_ms=jitter * period_us * 1e-3) for m, model in enumerate(models)
    )
    return compile(Scenario(name=f"speed_{preset}", tasks=tasks, duration_s=jobs * period_us * 1e-6), platform)


def overload_problem(ready: int, seconds: float) -> Problem:
    """Compile the jittered workload with all of its frames released in the first 0.1 s and never in time.

    Parameters
    ----------
    ready : int
        Frames, nearly all of which are ready until the end.
    seconds : float
        Simulated after that; the accelerators complete some 5,800 layers in each.
    """
    n_models, burst_s = PRESETS["jittered"][0], 0.1
    models, platform = _speed_platform(n_models, 50, 0, len(SLOWNESS))
    fps = ready / n_models / burst_s
    tasks = tuple(Task(name=f"task{m}", model=model, fps=fps, deadline_ms=1.0 + m, in_order=False) for m, model in enumerate(models))
    return compile(Scenario(name="overload", tasks=tasks, duration_s=burst_s, drain_s=seconds), platform)


def _speed_platform(n_models: int, layers: int, seed: int, accelerators: int) -> tuple[list[Model], Platform]:
    slowness = [SLOWNESS[a % len(SLOWNESS)] for a in range(accelerators)]
    peak_gb_per_s = PEAK_GB_PER_S * max(1.0, accelerators / len(SLOWNESS))
    rng = random.Random(seed)
    rows, models = [], []
    for m in range(n_models):
        names = [f"layer{i}" for i in range(layers)]
        models.append(Model(name=f"model{m}", layers=tuple(Measured(name=name) for name in names)))
        fastest_us = {name: rng.uniform(50, 500) for name in names}
        for name in names:
            demand = rng.uniform(0.1, 0.9)
            for a, factor in enumerate(slowness):
                latency_ns = round(fastest_us[name] * factor * 1e3)
                dram_bytes = int(demand * PEAK_GB_PER_S * latency_ns)
                row = {"model": f"model{m}", "layer": name, "accelerator": f"a{a}", "latency_ns": latency_ns, "dram_bytes": dram_bytes}
                rows.append(row)
    table = CostTable.from_rows(rows)
    platform = Platform(
        name="speed",
        accelerators=tuple(Accelerator(name=f"a{a}", cost=TableCost(rows=table)) for a in range(accelerators)),
        memory=Memory(peak_gb_per_s=peak_gb_per_s, arbiter="fair"),
    )
    return models, platform


def busy_problem(ready: int, n_jobs: int = 4000) -> Problem:
    """Compile a closed loop on four unequal accelerators: one job of each of `ready` + 4 tasks is always there.

    Parameters
    ----------
    ready : int
        Jobs that are ready at every decision, beside the one whose layer has just ended.
    n_jobs : int
        About so many end.
    """
    rng = random.Random(0)
    names = [f"layer{i}" for i in range(50)]
    rows, tasks = [], []
    for m in range(ready + 3):
        tasks.append(
            Task(
                name=f"task{m}", model=Model(name=f"model{m}", layers=tuple(Measured(name=n) for n in names)), outstanding=1, deadline_ms=50
            )
        )
        for name in names:
            latency_us = rng.uniform(50, 500)
            for a, slowness in enumerate(SLOWNESS):
                latency_ns = round(latency_us * slowness * 1e3)
                energy_j = rng.uniform(1e-6, 1e-5)
                row = {"model": f"model{m}", "layer": name, "accelerator": f"a{a}", "latency_ns": latency_ns, "energy_j": energy_j}
                rows.append({**row, "dram_bytes": int(0.2 * PEAK_GB_PER_S * latency_ns)})
    table = TableCost(rows=CostTable.from_rows(rows))
    platform = Platform(
        name="busy",
        accelerators=tuple(Accelerator(name=f"a{a}", cost=table) for a in range(len(SLOWNESS))),
        memory=Memory(peak_gb_per_s=PEAK_GB_PER_S, arbiter="fair"),
        switch="activations",
    )
    duration_s = n_jobs * len(names) * 275e-6 * 1.3 / len(SLOWNESS)
    return compile(Scenario(name="busy", tasks=tuple(tasks), duration_s=duration_s), platform)
