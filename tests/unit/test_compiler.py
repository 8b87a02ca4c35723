"""Compilation against numbers worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from builders import chain, platform_of, problem_of, rows_of

from rtsched.compiler import compile_problem
from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.model import Costs
from rtsched.cost.table import CostTable, TableCost
from rtsched.errors import InputError
from rtsched.platform.platform import Accelerator, Memory, Platform
from rtsched.problem import ARRIVALS
from rtsched.workload.layer import Gemm, Measured, Reshape
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task, WeightedPriority

MS = 10**6


@dataclass(frozen=True)
class Stated:
    """A cost model that answers what it is told, [layer][tiles - 1]; only its times are like a dataflow's."""

    compute_ns: list
    dram_bytes: list | None = None
    l2_bytes: list | None = None

    def estimate(self, accelerator, tiles, layers, energy):
        time_ns = np.array(self.compute_ns, dtype=float).reshape(len(layers), tiles)
        zeros = np.zeros(time_ns.shape, dtype=np.int64)
        dram, l2 = (zeros if one is None else np.array(one).reshape(zeros.shape) for one in (self.dram_bytes, self.l2_bytes))
        return Costs(time_ns, dram, l2, zeros + 3, zeros + 4, np.ones((*zeros.shape, 4)) * [1.0, 2.0, 4.0, 8.0] * time_ns[..., None])


def stated(*costs, memory=None, ports=None, tiles=None, **options):
    """A platform of accelerators with stated costs."""
    some = DataflowCost(dataflow="ws", pes=256, clock_mhz=1000.0, sram_kib=1, noc_elements_per_cycle=1)
    accelerators = tuple(
        Accelerator(name=f"a{i}", cost=some, tiles=(tiles or [1] * len(costs))[i], port_gb_per_s=ports and ports[i]).model_copy(
            update={"cost": cost}
        )
        for i, cost in enumerate(costs)
    )
    return Platform(name="stated", accelerators=accelerators, memory=memory or Memory(peak_gb_per_s=1.0), **options)


def one_task(model, **options):
    return Scenario(name="hand", tasks=(Task(name="t", model=model, fps=100.0),), **options)


def tasks_of(*tasks, **options):
    """Compile tasks over a model of one layer; what they cost does not matter."""
    platform = platform_of(rows_of("m", [[1]]))
    return compile_problem(Scenario(name="hand", tasks=tasks, **options), platform)


def task(name, **options):
    return Task(name=name, model=chain("m", 1), **options)


def faults_of(build):
    with pytest.raises(InputError) as caught:
        build()
    return caught.value.faults


# Time alone


@pytest.mark.parametrize(
    ("compute_ns", "dram_bytes", "l2_bytes", "t_iso_ns"),
    [
        (0.0, 0, 0, 1),
        (10.0, 0, 0, 10),
        (10.2, 0, 0, 11),
        # 2 bytes per ns: what the DRAM delivers to one.
        (10.2, 20, 0, 11),
        (10.2, 23, 0, 12),
        # 8 bytes per ns from the L2. The longest counts, not the sum.
        (10.2, 23, 97, 13),
        (10.2, 30, 97, 15),
    ],
)
def test_time_alone_is_the_longest_of_compute_dram_and_l2_rounded_up(compute_ns, dram_bytes, l2_bytes, t_iso_ns):
    memory = Memory(peak_gb_per_s=4.0, efficiency=(0.5, 1.0), l2_gb_per_s=8.0)
    problem = compile_problem(one_task(chain("m", 1)), stated(Stated([compute_ns], [dram_bytes], [l2_bytes]), memory=memory))
    cost = problem.costs[0, 0]
    assert cost["t_iso_ns"] == t_iso_ns
    assert cost["dram_bytes"] == dram_bytes
    assert cost["l2_bytes"] == l2_bytes
    assert cost["demand_bytes_per_ns"] == dram_bytes / t_iso_ns
    assert cost["l2_demand_bytes_per_ns"] == l2_bytes / t_iso_ns
    assert cost["fetch_bytes"] == 3
    assert cost["keep_bytes"] == 4
    assert cost["energy_l2_j"] == 4.0 * compute_ns
    assert cost["energy_j"] == pytest.approx(15.0 * compute_ns)


def test_a_port_is_a_limit_of_its_own_up_to_what_the_dram_delivers_to_one():
    memory = Memory(peak_gb_per_s=4.0, efficiency=(0.5,))
    cost = Stated([10.0], [101])
    problem = compile_problem(one_task(chain("m", 1)), stated(cost, cost, cost, memory=memory, ports=[None, 1.0, 3.0]))
    assert problem.port_bytes_per_ns.tolist() == [2.0, 1.0, 2.0]
    assert problem.costs["t_iso_ns"].tolist() == [[51, 101, 51]]
    assert problem.costs["demand_bytes_per_ns"].tolist() == [[101 / 51, 1.0, 101 / 51]]


@pytest.mark.parametrize(("peak_gb_per_s", "t_iso_ns"), [(1000.0, 2016), (100.0, 5120), (256.0, 2016), (250.0, 2048)])
def test_time_alone_of_a_dataflow(peak_gb_per_s, t_iso_ns):
    # 63 x 32 blocks of 16 x 16 weights, one cycle each, and 512000 bytes of weights; input and output stay on chip.
    cost = DataflowCost(dataflow="ws", pes=2048, clock_mhz=1000.0, sram_kib=4096, noc_elements_per_cycle=512)
    platform = Platform(name="p", accelerators=(Accelerator(name="a", cost=cost),), memory=Memory(peak_gb_per_s=peak_gb_per_s))
    model = Model(name="m", layers=(Gemm(name="fc", m=1, n=1000, k=512),))
    row = compile_problem(one_task(model), platform).costs[0, 0]
    assert row["t_iso_ns"] == t_iso_ns
    assert row["demand_bytes_per_ns"] == 512000 / t_iso_ns


def test_several_tiles_synchronise_once():
    cost = Stated([30.5, 20.0, 10.0], [62, 0, 60])
    problem = compile_problem(one_task(chain("m", 1)), stated(cost, memory=Memory(peak_gb_per_s=4.0), tiles=[3], sync_ns=7))
    # The 60 bytes take 15 ns, and the synchronisation comes on top.
    assert problem.costs["t_iso_ns"].tolist() == [[31, 27, 22]]
    assert problem.costs["demand_bytes_per_ns"].tolist() == [[2.0, 0.0, 60 / 22]]


def test_a_layer_that_cannot_run_has_no_time_synchronised_or_not():
    problem = compile_problem(one_task(chain("m", 1)), stated(Stated([5.0, np.nan], [4, 4]), tiles=[2], sync_ns=7))
    assert problem.costs["t_iso_ns"].tolist() == [[5, 0]]
    assert problem.costs["dram_bytes"].tolist() == [[4, 0]]
    assert problem.costs["energy_j"][0, 1] == 0.0


def test_worst_energy_and_reference_time_are_over_all_options():
    cost = Stated([[30.0, 20.0], [np.nan, 50.0]])
    problem = compile_problem(one_task(chain("m", 2)), stated(cost, Stated([[40.0], [60.0]]), tiles=[2, 1]))
    assert problem.layer_reference_ns.tolist() == [20, 50]
    assert problem.layer_worst_energy_j.tolist() == [15.0 * 40, 15.0 * 60]
    assert problem.option_first.tolist() == [0, 2, 3]


# Measured rows


def measured(rows, *, ports=(None,), tiles=1, memory=None, **options):
    table = TableCost(rows=CostTable.from_rows([{"model": "m", **row} for row in rows]))
    accelerators = tuple(Accelerator(name=f"a{i}", cost=table, tiles=tiles, port_gb_per_s=port) for i, port in enumerate(ports))
    memory = memory or Memory(peak_gb_per_s=4.0, efficiency=(0.5,))
    layers = dict.fromkeys(row["layer"] for row in rows)
    model = Model(name="m", layers=tuple(Measured(name=name) for name in layers))
    return compile_problem(one_task(model), Platform(name="p", accelerators=accelerators, memory=memory, **options))


def row(layer="l0", accelerator="a0", **cells):
    return {"layer": layer, "accelerator": accelerator, **cells}


def test_measured_times_stand_as_they_are():
    rows = [row(latency_ns=50, dram_bytes=100), row(latency_ns=40, tiles=2, dram_bytes=60), row("l1", latency_ns=7)]
    problem = measured(rows, tiles=2, sync_ns=9)
    assert problem.costs["t_iso_ns"].tolist() == [[50, 40], [7, 0]]
    assert problem.costs["demand_bytes_per_ns"].tolist() == [[2.0, 1.5], [0.0, 0.0]]


def test_a_measured_row_may_draw_all_that_its_port_delivers_and_no_byte_more():
    """2 bytes per ns on a0 and 1 on a1."""
    good = [row(latency_ns=50, dram_bytes=100), row(accelerator="a1", latency_ns=100, dram_bytes=100)]
    problem = measured(good, ports=(None, 1.0))
    assert problem.costs["t_iso_ns"].tolist() == [[50, 100]]
    assert problem.costs["demand_bytes_per_ns"].tolist() == [[2.0, 1.0]]
    for bad, other in ((0, 1), (1, 0)):
        greedy = [{**good[bad], "dram_bytes": 101}, good[other]]
        (fault,) = faults_of(lambda greedy=greedy: measured(greedy, ports=(None, 1.0)))
        for named in ("'l0'", "'m'", f"'a{bad}'"):
            assert named in fault


def test_every_measured_row_that_draws_too_much_is_named():
    rows = [
        row("first", latency_ns=50, dram_bytes=200),
        row("fine", latency_ns=50, dram_bytes=99),
        row("second", latency_ns=50, tiles=1),
        row("second", latency_ns=10, tiles=2, dram_bytes=21),
        row("first", "a1", latency_ns=50, dram_bytes=101),
    ]
    faults = faults_of(lambda: measured(rows, ports=(None, None), tiles=2))
    assert len(faults) == 3
    for fault, layer, accelerator in zip(faults, ("first", "second", "first"), ("a0", "a0", "a1"), strict=True):
        assert f"'{layer}'" in fault
        assert f"'{accelerator}'" in fault


def test_every_layer_that_can_run_nowhere_is_named():
    rows = [row(latency_ns=1), row("l1", "other", latency_ns=1), row("l2", "other", latency_ns=1), row("l3", latency_ns=1, tiles=2)]
    faults = faults_of(lambda: measured(rows))
    assert [fault.split(" can run ")[0] for fault in faults] == [f"layer {name!r} of model 'm'" for name in ("l1", "l2", "l3")]


# Models


def test_free_layers_go_and_the_blocks_draws_keep_their_numbers():
    def free(name):
        return Reshape(name=name)

    def net(name, *blocks):
        return Subnet(name=name, blocks=blocks)

    l0, l1, l2, l3 = (Measured(name=f"l{i}") for i in range(4))
    big = net(
        "big",
        Block(layers=(free("r0"),)),
        Block(layers=(l0, free("r1")), exit=0.125),
        Block(layers=(free("r2"), free("r3"))),
        Block(layers=(l1, free("r4"), l2), skip=0.25),
    )
    small = net("small", Block(layers=(l0,)), Block(layers=(free("r0"), l3), skip=0.5, exit=0.75))
    model = Model(name="m", subnets=(big, small))
    rows = [
        {"model": f"m/{net}", "layer": f"l{i}", "accelerator": "a0", "latency_ns": 10 + i} for net in ("big", "small") for i in range(4)
    ]
    problem = compile_problem(one_task(model), platform_of(rows))
    assert problem.subnet_names == ("big", "small")
    assert problem.layer_names == ("l0", "l1", "l2", "l0", "l3")
    assert problem.model_first_subnet.tolist() == [0, 2]
    assert problem.subnet_first_block.tolist() == [0, 2, 4]
    assert problem.block_first_layer.tolist() == [0, 1, 3, 4, 5]
    assert problem.block_draw.tolist() == [1, 3, 0, 1]
    assert problem.block_skip.tolist() == [0.0, 0.25, 0.0, 0.5]
    assert problem.block_exit.tolist() == [0.125, 0.0, 0.0, 0.75]
    assert problem.layer_block.tolist() == [0, 1, 1, 2, 3]
    assert problem.costs["t_iso_ns"].ravel().tolist() == [10, 11, 12, 10, 13]
    # 0.875 x 0.75 x 23 = 15.09 behind l0 of big; 0.5 x 13 = 6.5 behind that of small.
    assert problem.after_mean_ns.ravel().tolist() == [15, 12, 0, 7, 0]


def test_tasks_share_a_model_and_other_models_must_have_other_names():
    times = {"m": [[1], [1]], "n": [[1]]}

    def tasks(last):
        models = (chain("m", 2), chain("n", 1), last)
        return [Task(name=f"t{i}", model=model, fps=100.0) for i, model in enumerate(models)]

    problem = problem_of(tasks(chain("m", 2)), times)
    assert problem.model_names == ("m", "n")
    assert problem.task_model.tolist() == [0, 1, 0]
    assert problem.layer_names == ("l0", "l1", "l0")
    (fault,) = faults_of(lambda: problem_of(tasks(chain("m", 1)), times))
    assert "'t2'" in fault
    assert "'m'" in fault


# To go


def togo(problem):
    names = ("togo_mean_ns", "after_mean_ns", "togo_min_ns", "after_min_ns")
    return {name: getattr(problem, name).T.tolist() for name in names}


def test_time_to_go_by_tiles_with_skips_and_exits():
    l0, l1, l2, l3 = (Measured(name=f"l{i}") for i in range(4))
    blocks = (Block(layers=(l0, l1)), Block(layers=(l2,), skip=0.25, exit=0.5), Block(layers=(l3,), skip=0.5))
    times = [[100, 300, 200], [None, 80, 40], [64, None, 32], [60, 20, None]]
    options = [("a0", 1), ("a1", 1), ("a1", 2)]
    rows = [
        {"model": "m", "layer": f"l{i}", "accelerator": name, "tiles": n, "latency_ns": time}
        for i, line in enumerate(times)
        for (name, n), time in zip(options, line, strict=True)
        if time is not None
    ]
    problem = compile_problem(one_task(Model(name="m", blocks=blocks)), platform_of(rows, tiles=(1, 2)))
    # On one tile the means are 200, 80, 64, 40. Behind l2 there are 0.5 x 20 = 10 (left half of the time), and behind l1
    # 0.75 x 74 + 0.25 x 20 = 60.5. Halves are rounded up, at the end.
    # On two the means are 150 (a0 has one tile: 100), 40, 48, 60 (a1 cannot): 15 behind l2, 0.75 x 63 + 0.25 x 30 = 54.75.
    # The least are 100, 80, 64, 20: 5 behind l2, 0.75 x 69 + 2.5 = 54.25; and 100, 40, 32, 60: 15, 0.75 x 47 + 7.5 = 42.75.
    assert togo(problem) == {
        "togo_mean_ns": [[341, 141, 74, 40], [245, 95, 63, 60]],
        "after_mean_ns": [[141, 61, 10, 0], [95, 55, 15, 0]],
        "togo_min_ns": [[234, 134, 69, 20], [183, 83, 47, 60]],
        "after_min_ns": [[134, 54, 5, 0], [83, 43, 15, 0]],
    }


def test_a_layer_that_needs_more_tiles_counts_with_its_fastest_option():
    rows = [row(latency_ns=100, tiles=1), row("l1", latency_ns=30, tiles=2), row("l1", latency_ns=20, tiles=3)]
    problem = measured(rows, tiles=3)
    # l0 runs on one tile only: on two or three it counts with its one option, as l1 does on one.
    assert togo(problem)["togo_mean_ns"] == [[120, 20], [130, 30], [120, 20]]
    assert togo(problem)["togo_min_ns"] == [[120, 20], [130, 30], [120, 20]]


# Tasks


def test_arrivals_deadlines_and_load():
    problem = tasks_of(
        task("grandchild", parents=("child",), trigger=0.5),
        task("default", fps=25.0, offset_ms=1.5, jitter_ms=2.0),
        task("explicit", fps=25.0, deadline_ms=7.5),
        task("poisson", rate_hz=100.0),
        task("child", parents=("default",), deadline_ms=3.0),
        task("heir", parents=("explicit",), trigger=0.25),
        task("third", fps=1.5),
        task("two_thirds", fps=0.75),
        load=2.0,
    )
    assert [ARRIVALS[law] for law in problem.task_arrival] == [
        "child",
        "periodic",
        "periodic",
        "poisson",
        "child",
        "child",
        *["periodic"] * 2,
    ]
    assert problem.task_rate_hz.tolist() == [0.0, 50.0, 50.0, 200.0, 0.0, 0.0, 3.0, 1.5]
    assert problem.parent_first.tolist() == [0, 1, 1, 1, 1, 2, 3, 3, 3]
    assert problem.parent_task.tolist() == [4, 1, 2]
    assert problem.child_first.tolist() == [0, 0, 1, 2, 2, 3, 3, 3, 3]
    assert problem.child_task.tolist() == [4, 5, 0]
    assert problem.ancestor_task.tolist() == [4]
    assert problem.task_trigger.tolist() == [0.5, 1.0, 1.0, 1.0, 1.0, 0.25, 1.0, 1.0]
    # The grandchild's is its root's, whatever its parent says; load leaves explicit ones alone; thirds of a second are rounded.
    assert problem.task_deadline_ns.tolist() == [20 * MS, 20 * MS, 7_500_000, 5 * MS, 3 * MS, 7_500_000, 333_333_333, 666_666_667]
    assert problem.task_offset_ns.tolist() == [0, 1_500_000, 0, 0, 0, 0, 0, 0]
    assert problem.task_jitter_ns.tolist() == [0, 2 * MS, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("qos", "factor"), [("H", 0.8), ("M", 1.0), ("L", 1.2)])
def test_quality_of_service_scales_given_deadlines_and_no_others(qos, factor):
    problem = tasks_of(
        task("given", fps=25.0, deadline_ms=10.0),
        task("child", parents=("given",)),
        task("own", parents=("default",), deadline_ms=5.0),
        task("default", fps=25.0),
        qos=qos,
    )
    assert problem.task_deadline_ns.tolist() == [10 * factor * MS, 10 * factor * MS, 5 * factor * MS, 40 * MS]


@pytest.mark.parametrize(("drain_s", "end_ns"), [(None, 2 * 10**9 + 40 * MS), (0.0, 2 * 10**9), (0.5, 2_500_000_000)])
def test_the_run_drains_as_long_as_the_longest_deadline_or_as_it_is_told(drain_s, end_ns):
    tasks = (task("long", fps=25.0), task("short", fps=100.0))
    problem = tasks_of(*tasks, duration_s=2.0, drain_s=drain_s)
    assert problem.duration_ns == 2 * 10**9
    assert problem.end_ns == end_ns


def test_jitter_may_fill_the_period_that_the_load_leaves():
    jittery = task("jittery", fps=10.0, jitter_ms=50.0)
    assert tasks_of(jittery, load=2.0).task_jitter_ns.tolist() == [50 * MS]
    (fault,) = faults_of(lambda: tasks_of(task("fine", fps=10.0), jittery, load=2.5))
    assert "'jittery'" in fault
    assert "jitter_ms 50 " in fault
    assert "40 ms at load 2.5" in fault


@pytest.mark.parametrize("changes", [{"load": 1000.0}, {"duration_s": 1e-10}])
def test_times_that_do_not_fit_a_clock_of_whole_ns_are_refused(changes):
    tasks_of(task("fast", fps=2e6))
    faults_of(lambda: tasks_of(task("fast", fps=2e6), **changes))


def test_priorities_are_drawn_by_cumulative_weights():
    weighted = tuple(WeightedPriority(value=value, weight=weight) for value, weight in ((9, 1.0), (3, 2.0), (0, 1.0)))
    tenths = tuple(WeightedPriority(value=value, weight=0.1) for value in range(10))
    problem = tasks_of(
        task("fixed", fps=1.0, priority=5), task("drawn", fps=1.0, priority=weighted), task("tenths", fps=1.0, priority=tenths)
    )
    assert problem.priority_first.tolist() == [0, 1, 4, 14]
    assert problem.priority_value.tolist() == [5, 9, 3, 0, *range(10)]
    assert problem.priority_upto[:4].tolist() == [1.0, 0.25, 0.75, 1.0]
    assert problem.priority_upto[4:] == pytest.approx(np.arange(1, 11) / 10)
    assert problem.priority_upto[-1] == 1.0


def arrays_of(pes):
    cost = DataflowCost(dataflow="ws", pes=pes, clock_mhz=1000.0, sram_kib=512, noc_elements_per_cycle=64)
    return Platform(name="arrays", accelerators=(Accelerator(name="a", cost=cost),), memory=Memory(peak_gb_per_s=1000.0))


def problem_of_sizes(platform, *sizes):
    net = Model(name="net", layers=tuple(Gemm(name=f"l{i}", m=size, n=8, k=8) for i, size in enumerate(sizes)))
    return compile_problem(Scenario(name="s", tasks=(Task(name="t", model=net, fps=10.0),), duration_s=1.0), platform)


def test_networks_that_were_compiled_before_are_compiled_alike():
    net = Model(name="net", layers=tuple(Gemm(name=f"l{i}", m=512, n=512, k=512) for i in range(2)))
    scenario = Scenario(name="s", tasks=(Task(name="t", model=net, fps=10.0),), duration_s=1.0)
    first, again, wider = (compile_problem(scenario, arrays_of(pes)) for pes in (256, 256, 1024))
    assert first.digest == again.digest != wider.digest
    assert first.layer_names == wider.layer_names == ("l0", "l1")


def test_another_network_of_the_same_name_is_another_network():
    small, large = (problem_of_sizes(arrays_of(256), *sizes) for sizes in ((4,), (64, 64, 64)))
    assert (small.n_layers, large.n_layers) == (1, 3)
    assert small.costs["energy_j"][0, 0] < large.costs["energy_j"][0, 0]
