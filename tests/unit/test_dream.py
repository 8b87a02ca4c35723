"""DREAM's roles on hand-worked examples."""

from dataclasses import replace

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of, rows_of

from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.policies.dream import MapScore, ScoreTuner, SmartDrop, SupernetSwitch
from rtsched.policies.roles import Mapper, Policy
from rtsched.run import run
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task


def two_jobs(b_deadline):
    """Two accelerators that are busy until 10; then a, which a0 runs three times as fast, and b, which both run in 40."""
    tasks = [
        once("z0", "z0", 1, deadline_ns=500),
        once("z1", "z1", 1, deadline_ns=500),
        once("a", "a", 1, release_ns=2, deadline_ns=98),
        once("b", "b", 1, release_ns=2, deadline_ns=b_deadline - 2),
    ]
    return problem_of(tasks, {"z0": [[10, None]], "z1": [[None, 10]], "a": [[20, 60]], "b": [[40, 40]]})


@pytest.mark.parametrize(
    ("b_deadline", "on_a0"),
    [
        # At 10, a: 40 / 90 * 4 + 8 / 40 = 1.978 on a0. b: 40 / 40 * 2 + 8 / 40 = 2.2 on both.
        (50, "b"),
        # b: 40 / 80 * 2 + 0.2 = 1.2.
        (90, "a"),
        # b is late, so its urgency is the cap, 1.
        (20, "b"),
    ],
)
def test_scores_of_two_jobs_on_two_accelerators(b_deadline, on_a0):
    outcome = run(two_jobs(b_deadline), MapScore(), layers=True)
    second = outcome.layers[outcome.layers["accelerator"] == 0][-1]
    assert outcome.problem.task_names[outcome.jobs["task"][second["job"]]] == on_a0


def test_late_jobs_lose_when_their_urgency_is_negative():
    outcome = run(two_jobs(5), MapScore(late_urgency="negative"), layers=True)
    # b: 40 / -5 * 2 + 0.2 = -15.8.
    assert outcome.layers["accelerator"].tolist() == [0, 1, 0, 1]


def test_a_job_stays_where_its_activations_are():
    """Two layers of x on two equal accelerators: going to the other one costs energy, so y goes there."""
    rows = [
        {"model": m, "layer": f"l{i}", "accelerator": f"a{a}", "latency_ns": 10, "energy_j": 1e-9}
        for m in "xy"
        for i in range(2)
        for a in range(2)
    ]
    tasks = [once("x", "x", 2, deadline_ns=1000), once("y", "y", 2, deadline_ns=1000)]
    problem = compile_problem(Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6), platform_of(rows, (1, 1), switch="activations"))
    costs = problem.costs.copy()
    costs["fetch_bytes"], costs["keep_bytes"] = 5, 5
    problem = replace(problem, costs=costs, dram_j_per_byte=1e-10)
    # A switch moves 10 bytes: 1 nJ, as much as a layer.
    assert run(problem, MapScore(), layers=True).layers["accelerator"].tolist() == [0, 0, 1, 1]


def test_a_frame_that_a_lighter_subnet_would_save():
    """MinToGo of the largest subnet is 90, of the lightest 20; 60 are left. z, the other one, is late in any case."""
    subnets = tuple(Subnet(name=f"s{n}", blocks=(Block(layers=tuple(Measured(name=f"l{i}") for i in range(n))),)) for n in (3, 2))
    model = Model(name="any", subnets=subnets)
    rows = [{"model": f"any/s{n}", "layer": f"l{i}", "accelerator": "a0", "latency_ns": 10 * n * n // 3} for n in (3, 2) for i in range(n)]
    rows += rows_of("z", [[50]])
    tasks = (
        Task(name="z", model=chain("z", 1), fps=1e6, deadline_ms=10e-6),
        Task(name="x", model=model, fps=1e6, offset_ms=2e-6, deadline_ms=80e-6),
    )
    problem = compile_problem(Scenario(name="hand", tasks=tasks, duration_s=1e-6), platform_of(rows, (1,)))
    policies = (Policy(MapScore(), SmartDrop(lightest=one), SupernetSwitch()) for one in (False, True))
    dropped = [statuses(problem, policy).count(DROPPED) for policy in policies]
    assert dropped == [1, 0]


def crowd(x_deadline=60, y_deadline=70, **x_options):
    tasks = [
        once("z", "z", 1, deadline_ns=500),
        once("x", "x", 1, release_ns=2, deadline_ns=x_deadline - 2, **x_options),
        once("y", "y", 1, release_ns=2, deadline_ns=y_deadline - 2),
    ]
    return tasks, {"z": [[50]], "x": [[40]], "y": [[40]]}


def statuses(problem, policy):
    return run(problem, policy).jobs["status"].tolist()


MET, LATE, DROPPED = 0, 1, 2
WITH_DROPS = Policy(MapScore(), SmartDrop())


def test_the_worst_of_two_hopeless_jobs_is_dropped():
    # At 50 both are late: x needs 40 of 10 ns, y 40 of 20.
    assert statuses(problem_of(*crowd()), WITH_DROPS) == [MET, DROPPED, LATE]
    assert statuses(problem_of(*crowd(70, 60)), WITH_DROPS) == [MET, LATE, DROPPED]
    # Past deadlines go first, the latest of them.
    assert statuses(problem_of(*crowd(45, 51)), WITH_DROPS) == [MET, DROPPED, LATE]
    assert statuses(problem_of(*crowd(45, 40)), WITH_DROPS) == [MET, LATE, DROPPED]


def test_one_hopeless_job_is_not_dropped():
    # y has until 200: x goes first with urgency 1, y after it.
    outcome = run(problem_of(*crowd(60, 200)), WITH_DROPS)
    assert outcome.jobs["status"].tolist() == [MET, LATE, MET]
    assert outcome.jobs["finish_ns"].tolist() == [50, 90, 130]


def test_a_job_on_which_others_depend_is_not_dropped():
    tasks, times = crowd()
    child = Task(name="c", model=chain("c", 1), parents=("x",), deadline_ms=1.0)
    assert statuses(problem_of([*tasks, child], {**times, "c": [[1]]}), WITH_DROPS) == [MET, LATE, DROPPED, MET]


@pytest.mark.parametrize(("max_drops", "window", "dropped"), [(1, 10, [0]), (2, 10, [0, 1]), (2, 3, [0, 1, 3, 4]), (1, 1, range(6))])
def test_no_window_loses_more_frames_than_allowed(max_drops, window, dropped):
    # Every 100 ns a frame of x arrives that needs 200 of 50 ns, beside one of the task y that is late too and has a dependent.
    x = Task(name="x", model=chain("x", 1), fps=1e7, deadline_ms=5e-5)
    y = Task(name="y", model=chain("y", 1), fps=1e7, deadline_ms=5e-5)
    child = Task(name="c", model=chain("c", 1), parents=("y",), deadline_ms=1.0)
    problem = problem_of([x, y, child], {"x": [[200]], "y": [[200]], "c": [[1]]}, duration_s=6e-7, drain_s=1e-4)
    outcome = run(problem, Policy(MapScore(), SmartDrop(max_drops=max_drops, window=window)))
    frames = outcome.jobs["frame"][(outcome.jobs["task"] == 0) & (outcome.jobs["status"] == DROPPED)]
    assert frames.tolist() == list(dropped)


def supernet(backlog, deadline):
    """A model of two subnets that take 100 and 30, released at 1, behind `backlog` jobs of 40; one accelerator, busy until 10."""
    subnets = tuple(Subnet(name=name, blocks=(Block(layers=(Measured(name="l0"),)),)) for name in ("large", "small"))
    waiting = [once(f"w{i}", "w", 1, release_ns=1, deadline_ns=10**5) for i in range(backlog)]
    net = Task(name="net", model=Model(name="net", subnets=subnets), fps=1000, offset_ms=1e-6, deadline_ms=(deadline - 1) * 1e-6)
    rows = [*rows_of("net/large", [[100]]), *rows_of("net/small", [[30]]), *rows_of("w", [[40]]), *rows_of("z", [[10]])]
    tasks = (net, *waiting, once("z", "z", 1, deadline_ns=500))
    return compile_problem(Scenario(name="hand", tasks=tasks, duration_s=1e-6), platform_of(rows))


@pytest.mark.parametrize(
    ("backlog", "deadline", "weight", "subnet"),
    [
        (0, 110, 1.0, 0),  # slack 100 at 10: just fits
        (0, 109, 1.0, 1),
        (1, 150, 1.0, 0),  # 100 + 40
        (1, 149, 1.0, 1),
        (1, 149, 0.5, 0),  # 100 + 20
        (0, 20, 1.0, 1),  # none fits: the lightest
    ],
)
def test_the_largest_subnet_that_fits(backlog, deadline, weight, subnet):
    policy = Policy(MapScore(), selector=SupernetSwitch(backlog_weight=weight))
    outcome = run(supernet(backlog, deadline), policy)
    assert outcome.jobs["start_ns"][0] == 10  # the most urgent one
    assert outcome.jobs["subnet"][0] == subnet
    assert np.isin(outcome.jobs["subnet"][1:], 0).all()


class Three(Mapper):
    def __init__(self):
        self.parameters = np.zeros(3)

    def start(self, problem):
        return Three()

    def score(self, state):
        return np.zeros(state.n_ready)


def test_a_tuner_of_two_parameters_says_so():
    with pytest.raises(InputError, match="ScoreTuner tunes 2 parameters, the mapper has 3"):
        run(problem_of([once("a", "a", 1, deadline_ns=5000)], {"a": [[3000]]}), Policy(Three(), tuner=ScoreTuner(window_s=1e-6)))
