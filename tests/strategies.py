"""Hypothesis strategies: scenarios, platforms and problems of every kind that the engine knows."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from reference import roles

from rtsched.compiler import compile_problem
from rtsched.cost.table import CostTable, TableCost
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.policies.roles import Policy
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task, TimeFactor, WeightedPriority

probabilities = st.sampled_from([0.0, 0.3, 0.7, 1.0])


@st.composite
def subnets(draw, name):
    n_blocks = draw(st.integers(1, 3))
    blocks, n = [], 0
    for b in range(n_blocks):
        size = draw(st.integers(1, 3))
        layers = tuple(Measured(name=f"l{n + i}") for i in range(size))
        n += size
        skip = draw(probabilities) if b else 0.0
        leave = draw(st.sampled_from([0.0, 0.0, 0.4]))
        blocks.append(Block(layers=layers, skip=skip, exit=leave))
    return Subnet(name=name, blocks=tuple(blocks))


@st.composite
def models(draw, name):
    n = draw(st.sampled_from([1, 1, 2, 3]))
    return Model(name=name, subnets=tuple(draw(subnets(f"s{i}")) for i in range(n)))


priorities = st.one_of(
    st.integers(0, 11),
    st.lists(st.builds(WeightedPriority, value=st.integers(0, 11), weight=st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=3).map(
        tuple
    ),
)


factors = st.one_of(
    st.none(),
    st.builds(TimeFactor, sigma=st.sampled_from([0.0, 0.3, 1.5])),
    st.builds(TimeFactor, values=st.sampled_from([(1.0,), (0.5, 1.0, 2.0), (0.1, 3.0)])),
)


@st.composite
def arrivals(draw, known, rate):
    """An arrival law; `known` maps the tasks before this one to their roots."""
    law = draw(st.sampled_from(["fps", "fps", "rate", "closed", "trace"] + (["child", "child"] if known else [])))
    if law == "child":
        root = draw(st.sampled_from(sorted(set(known.values()))))
        family = [name for name, origin in known.items() if origin == root]
        parents = draw(st.lists(st.sampled_from(family), min_size=1, max_size=3, unique=True))
        return {
            "parents": tuple(parents),
            "trigger": draw(probabilities),
            "deadline_from": draw(st.sampled_from(["trigger", "source"])),
        }
    if law == "rate":
        return {"rate_hz": rate}
    if law == "closed":
        return {"outstanding": draw(st.integers(1, 3))}
    if law == "trace":
        times = draw(st.lists(st.sampled_from([0.0, 0.0004, 0.001, 0.0051, 0.02]), min_size=1, max_size=8))
        return {"trace": tuple(sorted(times))}
    jitter = draw(st.sampled_from([0.0, 0.5, 1.0])) * 1e3 / rate
    return {"fps": rate, "offset_ms": draw(st.sampled_from([0.0, 0.0007])), "jitter_ms": jitter}


@st.composite
def tasks(draw, i, model, known):
    law = draw(arrivals(known, draw(st.sampled_from([2e5, 3e5, 7e5, 1e6]))))
    deadlines = st.sampled_from([0.0004, 0.002, 0.01])
    return Task(
        name=f"t{i}",
        model=model,
        deadline_ms=draw(deadlines if "outstanding" in law or "trace" in law else st.one_of(st.none(), deadlines)),
        priority=draw(priorities),
        in_order=draw(st.sampled_from([True, True, False])),
        max_backlog=None if "outstanding" in law else draw(st.sampled_from([None, None, 1, 2])),
        time_factor=draw(factors),
        **law,
    )


@st.composite
def scenarios(draw, max_tasks=4):
    pool = [draw(models(f"m{i}")) for i in range(draw(st.integers(1, 2)))]
    made, root = [], {}
    for i in range(draw(st.integers(1, max_tasks))):
        made.append(draw(tasks(i, draw(st.sampled_from(pool)), root)))
        root[f"t{i}"] = root[made[-1].parents[0]] if made[-1].parents else f"t{i}"
    return Scenario(
        name="generated",
        tasks=tuple(made),
        duration_s=draw(st.sampled_from([1e-6, 8e-6, 2e-5])),
        drain_s=draw(st.sampled_from([None, 0.0, 1e-6, 1e-5])),
        load=draw(st.sampled_from([0.5, 1.0])),
        time_factor=draw(factors),
    )


@st.composite
def memories(draw):
    return Memory(
        peak_gb_per_s=draw(st.sampled_from([1.0, 8.0, 1e5])),
        efficiency=draw(st.sampled_from([(1.0,), (1.0, 0.8), (0.9, 0.7, 0.6)])),
        arbiter=draw(st.sampled_from(["proportional", "fair"])),
        l2_gb_per_s=draw(st.sampled_from([None, 4.0])),
    )


def costs_of(rng, scenario, tiles, memory, round_ns):
    """Rows of a cost table with random times, some pairs missing, all within the bandwidth."""
    rows = []
    alone = memory.peak_gb_per_s * memory.efficiency[0]
    known = {task.model.name: task.model for task in scenario.tasks}
    for model in known.values():
        for subnet in model.variants:
            owner = model.name if len(model.variants) == 1 else f"{model.name}/{subnet.name}"
            for layer in subnet.all_layers:
                for a, n_tiles in enumerate(tiles):
                    if a > 0 and layer.name != "l0" and rng.random() < 0.1:
                        continue
                    for n in range(1, n_tiles + 1):
                        time_ns = max(1, int(rng.integers(1, 900) // (n * round_ns)) * round_ns)
                        share = rng.choice([0.0, 0.3, 0.7, 1.0])
                        rows.append(
                            {
                                "model": owner,
                                "layer": layer.name,
                                "accelerator": f"a{a}",
                                "tiles": n,
                                "latency_ns": time_ns,
                                "dram_bytes": int(share * alone * time_ns * 0.999),
                                "l2_bytes": int(rng.integers(0, 4 * time_ns)),
                                "energy_mac_j": rng.random() * 1e-9,
                                "energy_dram_j": rng.random() * 1e-9,
                            }
                        )
    return rows


@st.composite
def problems(draw, max_tasks=4, max_tiles=3):
    """A compiled problem, activations to move included; times on a coarse grid half of the time, so that events coincide."""
    scenario, memory = draw(scenarios(max_tasks)), draw(memories())
    tiles = draw(st.lists(st.integers(1, max_tiles), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = CostTable.from_rows(costs_of(rng, scenario, tiles, memory, draw(st.sampled_from([1, 100]))))
    platform = Platform(
        name="generated",
        accelerators=tuple(Accelerator(name=f"a{a}", cost=TableCost(rows=table), tiles=n, idle_power_w=0.1) for a, n in enumerate(tiles)),
        memory=memory,
        switch=draw(st.sampled_from(["free", "activations"])),
        regroup_ns=draw(st.sampled_from([0, 13])),
    )
    problem = compile_problem(scenario, platform)
    costs = problem.costs.copy()
    for name in ("fetch_bytes", "keep_bytes"):
        costs[name] = rng.integers(0, 300, costs.shape) * (rng.random(costs.shape) < 0.7)
    return replace(problem, costs=costs, **recorded(draw, problem, rng))


def recorded(draw, problem, rng):
    """Actual times and sparsity for some tasks, some layers' sparsity unknown; fewer frames than the task has repeat."""
    first_layer = problem.block_first_layer[problem.subnet_first_block]
    n_layers = [max(np.diff(first_layer)[slice(*problem.model_first_subnet[m : m + 2])]) for m in problem.task_model]
    free = (problem.factor_sigma == 0) & (np.diff(problem.factor_first) == 0)
    n_frames = [draw(st.integers(0, 3)) if is_free else 0 for is_free in free]
    sizes = [n for n, k in zip(n_layers, n_frames, strict=True) for _ in range(k)]
    total, grid = sum(sizes), draw(st.sampled_from([1, 100]))
    sparsity = rng.random((2, max(total, problem.n_layers)))
    sparsity[rng.random(sparsity.shape) < 0.2] = np.nan
    return {
        "recorded_first": np.cumsum([0, *n_frames]).astype(np.int32),
        "recorded_place": (np.cumsum([0, *sizes])[: len(sizes)]).astype(np.int32),
        "recorded_ns": np.maximum(1, rng.integers(1, 900, total) // grid * grid),
        "recorded_sparsity": sparsity[0, :total].copy(),
        "layer_sparsity": sparsity[1, : problem.n_layers].copy(),
    }


@st.composite
def requests(draw):
    """Recorded arrivals on one accelerator, which come in between layers only."""
    model = st.sampled_from([draw(models(f"m{i}")) for i in range(2)])
    times = st.lists(st.sampled_from([0.0, 0.0001, 0.0004, 0.001, 0.0013, 0.0051]), min_size=1, max_size=8).map(sorted)
    made = [
        Task(
            name=f"t{i}",
            model=draw(model),
            trace=tuple(draw(times)),
            deadline_ms=draw(st.sampled_from([0.0004, 0.002, 0.01])),
            priority=draw(priorities),
            in_order=False,
        )
        for i in range(draw(st.integers(1, 4)))
    ]
    scenario = Scenario(name="requests", tasks=tuple(made), duration_s=1e-5, drain_s=draw(st.sampled_from([0.0, 1e-4])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    memory, n_tiles = draw(memories()), draw(st.integers(1, 2))
    table = CostTable.from_rows(costs_of(rng, scenario, [n_tiles], memory, draw(st.sampled_from([1, 100]))))
    accelerators = (Accelerator(name="a0", cost=TableCost(rows=table), tiles=n_tiles),)
    problem = compile_problem(scenario, Platform(name="one", accelerators=accelerators, memory=memory))
    return replace(problem, **recorded(draw, problem, rng), is_strict=True)


seeds = st.integers(0, 2**64 - 1)

MAPPERS = [
    roles.HashedPairs,
    roles.RescoredPairs,
    roles.HashedJobs,
    roles.HashedKeys,
    roles.HashedAssign,
    roles.HashedParameters,
    roles.LeastLaxity,
]


def python_policies():
    """Return a policy per mapper, with Python roles in all places."""
    made = []
    for kind in MAPPERS:
        mapper = kind() if kind is roles.LeastLaxity else kind(1)
        tuner = roles.HashedTuner(1, 5000) if kind is roles.HashedParameters else None
        made.append(Policy(mapper, roles.HashedDropper(1), roles.HashedSelector(2), roles.HashedRegulator(3), tuner, kind.__name__))
    return made


@st.composite
def policies(draw):
    salt = draw(st.integers(0, 100))
    kind = draw(st.sampled_from(MAPPERS))
    mapper = kind() if kind is roles.LeastLaxity else kind(salt)
    tuner = draw(st.sampled_from([None, 777, 5000])) if kind is roles.HashedParameters else None
    return Policy(
        mapper=mapper,
        dropper=roles.HashedDropper(salt) if draw(st.booleans()) else None,
        selector=roles.HashedSelector(salt) if draw(st.booleans()) else None,
        regulator=roles.HashedRegulator(salt) if draw(st.booleans()) else None,
        tuner=roles.HashedTuner(salt, tuner) if tuner else None,
    )
