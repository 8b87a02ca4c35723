"""Each named policy on a hand-worked example: one accelerator, three jobs of one layer, then two accelerators."""

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of

import rtsched
from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.policies.registry import configure, load_policy, policy_names, policy_summary
from rtsched.run import run
from rtsched.workload.scenario import Scenario, Task

#            released  takes  deadline at   laxity when released   priority   period
# a                 0     60         300    240                           1    5,000
# b                 1     20         400    379                           5    9,000
# c                 2     90         200    108                           3    7,000
JOBS = {"a": (0, 60, 300, 1, 5_000), "b": (1, 20, 399, 5, 9_000), "c": (2, 90, 198, 3, 7_000)}


def three_jobs():
    tasks = [
        once(name, name, 1, release_ns=release, deadline_ns=deadline, priority=priority, period_ns=period)
        for name, (release, _, deadline, priority, period) in JOBS.items()
    ]
    # A job that keeps the accelerator busy until 10, so that the three are chosen among.
    tasks.append(once("blocker", "z", 1, deadline_ns=10, priority=11))
    times = {name: [[takes]] for name, (_, takes, *_) in JOBS.items()}
    return problem_of(tasks, {**times, "z": [[10]]})


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("fcfs", "a b c"),  # by release; `a` goes before the blocker, as the earlier task of two released at 0
        ("edf", "c a b"),  # deadlines 200, 300, 400
        ("llf", "c a b"),
        ("srpt", "b a c"),  # 20, 60, 90
        ("priority", "b c a"),  # 5, 3, 1
        ("rm", "a c b"),  # 5,000, 7,000, 9,000
        ("planaria", "c b a"),  # (p + 1) / slack at 10: 4 / 190, 6 / 390, 2 / 290
        ("veltair", "c a b"),  # one block each
    ],
)
def test_order_of_three_jobs(policy, order):
    outcome = run(three_jobs(), policy)
    jobs = outcome.jobs[:3]
    starts = [outcome.problem.task_names[task] for task in jobs["task"][np.argsort(jobs["start_ns"])]]
    assert " ".join(starts) == order


def test_llf_differs_from_edf_when_remaining_times_do():
    # x: deadline 100, 10 to go, laxity 90; y: deadline 120, 80 to go, laxity 40.
    tasks = [
        once("x", "x", 1, deadline_ns=99, release_ns=1),
        once("y", "y", 1, deadline_ns=119, release_ns=1),
        once("z", "z", 1, deadline_ns=5),
    ]
    problem = problem_of(tasks, {"x": [[10]], "y": [[80]], "z": [[5]]})
    assert run(problem, "edf").jobs["start_ns"].tolist() == [5, 15, 0]
    assert run(problem, "llf").jobs["start_ns"].tolist() == [85, 5, 0]


def test_equal_priorities_go_by_release():
    # late (7) comes while first (3) runs; equal is released before same.
    tasks = [
        once("same", "x", 1, deadline_ns=20, release_ns=2, priority=3),
        once("equal", "x", 1, deadline_ns=900, release_ns=1, priority=3),
        once("first", "x", 1, deadline_ns=900, priority=3),
        once("late", "x", 1, deadline_ns=900, release_ns=9, priority=7),
    ]
    assert run(problem_of(tasks, {"x": [[10]]}), "priority").jobs["start_ns"].tolist() == [30, 20, 0, 10]


def starts(outcome):
    """Start of each layer by task: {name: [start, ...]}."""
    names = [outcome.problem.task_names[outcome.jobs["task"][job]] for job in outcome.layers["job"]]
    return {name: [int(t) for n, t in zip(names, outcome.layers["start_ns"], strict=True) if n == name] for name in names}


def test_round_robin_serves_one_layer_of_each_task_in_turn():
    tasks = [once("x", "x", 3, deadline_ns=999), once("y", "y", 2, deadline_ns=999), once("z", "z", 1, deadline_ns=999)]
    problem = problem_of(tasks, {"x": [[10]] * 3, "y": [[10]] * 2, "z": [[10]]})
    # x y z, x y, x
    assert starts(run(problem, "rr", layers=True)) == {"x": [0, 30, 50], "y": [10, 40], "z": [20]}
    assert starts(run(problem, "fcfs", layers=True)) == {"x": [0, 10, 20], "y": [30, 40], "z": [50]}


def test_round_robin_takes_turns_between_tasks_and_not_between_jobs():
    # crowd has three jobs ready at once, single has one; after the first of the crowd it is the single's turn.
    crowd = Task(name="crowd", model=chain("c", 1), trace=[0.0, 0.0, 0.0], deadline_ms=1, in_order=False)
    single = Task(name="single", model=chain("s", 1), trace=[0.0], deadline_ms=1)
    problem = problem_of([crowd, single], {"c": [[10]], "s": [[10]]})
    assert starts(run(problem, "rr", layers=True)) == {"crowd": [0, 20, 30], "single": [10]}
    assert starts(run(problem, "fcfs", layers=True)) == {"crowd": [0, 10, 20], "single": [30]}


def test_static_tasks_stay_on_their_accelerator():
    # Bound round robin: x and z to a0, y to a1. z waits for a0 although a1 is free from 5 on, and faster for it.
    tasks = [once(name, name, 1, deadline_ns=999) for name in "xyz"]
    problem = problem_of(tasks, {"x": [[50, 40]], "y": [[30, 5]], "z": [[20, 10]]})
    static = run(problem, "fcfs-static", layers=True)
    assert static.layers["accelerator"].tolist() == [0, 1, 0]
    assert starts(static) == {"x": [0], "y": [0], "z": [50]}
    # x cannot run on a0 and takes the next accelerator; z is bound by hand.
    problem = problem_of(tasks, {"x": [[None, 40]], "y": [[30, 5]], "z": [[20, 10]]})
    bound = configure(load_policy("fcfs-static"), {"mapper.binding": ["z:a1"]})
    assert run(problem, "fcfs-static", layers=True).layers["accelerator"].tolist() == [1, 1, 0]
    assert run(problem, bound, layers=True).layers["accelerator"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("binding", "fault"),
    [
        (["q:a0"], "binding 'q:a0': must be TASK:ACCELERATOR; tasks: x, y"),
        (["x:a7"], "binding 'x:a7': must be TASK:ACCELERATOR; accelerators: a0, a1"),
        (["x:a1", "x:a1"], "binding 'x:a1': task 'x' is bound already"),
        (["x:a0"], "binding 'x:a0': 'a0' cannot run every layer of model 'x'"),
    ],
)
def test_bindings_that_cannot_be(binding, fault):
    problem = problem_of([once("x", "x", 1, deadline_ns=9), once("y", "y", 1, deadline_ns=9)], {"x": [[None, 40]], "y": [[30, 5]]})
    with pytest.raises(InputError) as caught:
        run(problem, configure(load_policy("fcfs-static"), {"mapper.binding": binding}))
    assert caught.value.faults == (fault,)


def test_static_tasks_need_one_accelerator_for_the_whole_model():
    problem = problem_of([once("x", "x", 2, deadline_ns=9)], {"x": [[None, 40], [40, None]]})
    with pytest.raises(InputError, match="task 'x': no accelerator can run every layer of model 'x'"):
        run(problem, "fcfs-static")


def tiled_problem(tasks, times, tiles):
    """Layers that take `times[model][accelerator][n]` ns on n tiles, each of two layers of a job alike."""
    rows = [
        {"model": name, "layer": f"l{i}", "accelerator": f"a{a}", "tiles": n, "latency_ns": time_ns}
        for name, by_accelerator in times.items()
        for i in range(2)
        for a, by_tiles in enumerate(by_accelerator)
        for n, time_ns in by_tiles.items()
    ]
    return compile_problem(Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6), platform_of(rows, tiles))


def placed(outcome):
    """Per task: its layers' (start, accelerator, number of tiles)."""
    rows = outcome.layers[np.argsort(outcome.layers["start_ns"], kind="stable")]
    names = [outcome.problem.task_names[outcome.jobs["task"][job]] for job in rows["job"]]
    where = [(int(row["start_ns"]), int(row["accelerator"]), int(row["tiles"]).bit_count()) for row in rows]
    return {name: [place for other, place in zip(names, where, strict=True) if other == name] for name in dict.fromkeys(names)}


def test_a_static_partition_gives_each_job_a_group_until_it_ends():
    # Two groups of two tiles; the fifth tile stays idle. `urgent` comes between two layers of the others and waits for the first group
    # that a job leaves; `late` has the same release as `urgent` and comes after it.
    releases = {"long": 0, "short": 0, "urgent": 5, "late": 5}
    tasks = [
        once(name, name, 2, deadline_ns=900, release_ns=release, priority=11 if name == "urgent" else 0)
        for name, release in releases.items()
    ]
    times = {name: [{1: 99, 2: time_ns}] for name, time_ns in (("long", 40), ("short", 10), ("urgent", 15), ("late", 7))}
    groups = configure(load_policy("static"), {"mapper.groups": 2})
    assert placed(run(tiled_problem(tasks, times, (5,)), groups, layers=True)) == {
        "long": [(0, 0, 2), (40, 0, 2)],
        "short": [(0, 0, 2), (10, 0, 2)],
        "urgent": [(20, 0, 2), (35, 0, 2)],
        "late": [(50, 0, 2), (57, 0, 2)],
    }


def test_a_static_partition_takes_the_group_on_which_the_model_is_fastest():
    # Four groups by default, one per tile where there are fewer: a0 has 8 tiles in pairs, a1 two single ones. x runs best on a1, which y
    # and z take as well until it is full; w cannot run on a1.
    tasks = [once(name, name, 2, deadline_ns=900) for name in "xyzw"]
    times = {name: [{2: 20}, {1: 10}] for name in "xyz"} | {"w": [{2: 5}, {2: 1}]}
    outcome = run(tiled_problem(tasks, times, (8, 2)), "static", layers=True)
    assert placed(outcome) == {
        "x": [(0, 1, 1), (10, 1, 1)],
        "y": [(0, 1, 1), (10, 1, 1)],
        "z": [(0, 0, 2), (20, 0, 2)],
        "w": [(0, 0, 2), (5, 0, 2)],
    }
    with pytest.raises(InputError, match="task 'v': no accelerator's group of tiles can run every layer of model 'v'"):
        run(tiled_problem([once("v", "v", 2, deadline_ns=900)], {"v": [{1: 5}, {2: 5}]}, (8, 2)), "static")


def test_planaria_gives_what_deadlines_need_and_shares_the_rest():
    # Two layers of 120 / n ns on n of 8 tiles. At slack 65 four tiles are needed (60 in all), at 130 two (120), at 250 one (240). The
    # eighth goes by 1 / remaining: to x.
    times = {name: [{n: 120 // n for n in range(1, 9)}] for name in "xyz"}
    tasks = [once(name, name, 2, deadline_ns=deadline) for name, deadline in (("x", 65), ("y", 130), ("z", 250))]
    found = placed(run(tiled_problem(tasks, times, (8,)), "planaria", layers=True))
    assert found["x"] == [(0, 0, 5), (24, 0, 5)]
    assert found["y"][0] == (0, 0, 2)
    assert found["z"][0] == (0, 0, 1)


def test_planaria_leaves_late_jobs_what_is_over():
    # w is late on any number and gets the three tiles that x, which needs five, leaves.
    times = {name: [{n: 120 // n for n in range(1, 9)}] for name in "wx"}
    tasks = [once("w", "w", 2, deadline_ns=5), once("x", "x", 2, deadline_ns=50)]
    found = placed(run(tiled_problem(tasks, times, (8,)), "planaria", layers=True))
    assert (found["w"][0], found["x"][0]) == ((0, 0, 3), (0, 0, 5))


@pytest.mark.parametrize(("late", "order"), [("last", "x y z"), ("replay", "z y x")])
def test_planaria_orders_late_jobs(late, order):
    # All three are late when b ends at 50.
    tasks = [once(name, name, 1, deadline_ns=5, release_ns=i + 1) for i, name in enumerate("xyz")]
    tasks.append(once("b", "b", 1, deadline_ns=900))
    problem = problem_of(tasks, {**{name: [[10]] for name in "xyz"}, "b": [[50]]})
    begun = starts(run(problem, configure(load_policy("planaria"), {"mapper.late": late}), layers=True))
    assert sorted("xyz", key=begun.get) == order.split()


def test_veltair_takes_the_fewest_tiles_that_meet_a_share():
    # One block of two layers of 120 / n ns each. With a margin of a quarter x needs 300 / n <= 100, three tiles, y 300 / n <= 300, one.
    times = {name: [{n: 120 // n for n in range(1, 9)}] for name in "xyz"}
    tasks = [once(name, name, 2, deadline_ns=deadline) for name, deadline in (("x", 100), ("y", 300), ("z", 400))]
    found = placed(run(tiled_problem(tasks, times, (8,)), "veltair", layers=True))
    assert found == {"x": [(0, 0, 3), (40, 0, 3)], "y": [(0, 0, 1), (120, 0, 1)], "z": [(0, 0, 1), (120, 0, 1)]}


def herald_problem():
    """Times (and energies in nJ) on a0 and a1: x 50 (9) and 30 (1.5), y 40 (3) and 20 (2)."""
    costs = {"x": [(50, 9), (30, 1.5)], "y": [(40, 3), (20, 2)]}
    rows = [
        {"model": name, "layer": "l0", "accelerator": f"a{a}", "latency_ns": time_ns, "energy_j": energy * 1e-9}
        for name, row in costs.items()
        for a, (time_ns, energy) in enumerate(row)
    ]
    tasks = [once(name, name, 1, deadline_ns=999) for name in "xy"]
    scenario = Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6)
    return compile_problem(scenario, platform_of(rows, (1, 1)))


@pytest.mark.parametrize(
    ("settings", "accelerators"),
    [
        # Least latency: y on a1 (20), then x on what is left, a0. By release x would have chosen first.
        ({}, [0, 1]),
        # Least energy: x on a1 (1.5), then y on a0.
        ({"mapper.objective": "energy"}, [1, 0]),
        # Least product: y on a1 (40) before x on a1 (45).
        ({"mapper.objective": "edp"}, [0, 1]),
    ],
)
def test_herald_takes_the_pair_of_least_cost(settings, accelerators):
    outcome = run(herald_problem(), configure(load_policy("herald"), settings), layers=True)
    assert outcome.layers["accelerator"].tolist() == accelerators
    assert run(herald_problem(), "fcfs", layers=True).layers["accelerator"].tolist() == [1, 0]


def test_herald_waits_for_no_accelerator_and_balances_their_load():
    # Three jobs of 10 on a0 and 15 on a1, one after the other: a0 is always best, but from the second on it is more loaded.
    tasks = [Task(name="t", model=chain("m", 1), trace=[0.0, 0.0001, 0.0002, 0.0003], deadline_ms=1)]
    problem = problem_of(tasks, {"m": [[10, 15]]})
    assert run(problem, "herald", layers=True).layers["accelerator"].tolist() == [0, 0, 0, 0]
    balanced = configure(load_policy("herald"), {"mapper.balance": 2.0})
    # Loads before each: (0, 0), (10, 0), (10, 15), (20, 15).
    assert run(problem, balanced, layers=True).layers["accelerator"].tolist() == [0, 1, 0, 1]
    near = configure(load_policy("herald"), {"mapper.balance": 1.5})  # 15 is not below 1.5 times 10
    assert run(problem, near, layers=True).layers["accelerator"].tolist() == [0, 0, 0, 0]


def test_eft_waits_for_the_accelerator_that_finishes_first():
    # a1 takes 10, a0 takes 25. By deadline x, y, z: x on a1 until 10; y would end at 25 on a0, at 20 on a1, and waits; z would end at 25
    # on a0, at 30 on a1 behind y, and takes a0 at once.
    tasks = [once(name, name, 1, deadline_ns=deadline) for name, deadline in (("z", 300), ("x", 100), ("y", 200))]
    problem = problem_of(tasks, {name: [[25, 10]] for name in "xyz"})
    eft = run(problem, "eft", layers=True)
    assert starts(eft) == {"z": [0], "x": [0], "y": [10]}
    assert eft.layers["accelerator"].tolist() == [0, 1, 1]
    assert starts(run(problem, "edf", layers=True)) == {"z": [10], "x": [0], "y": [0]}


def test_eft_sees_the_rest_of_what_runs():
    # long runs on a1 from 0 to 100. At 90 job late would end at 90 + 30 on a0, at 100 + 10 on a1: it waits. At 60 job early takes a0.
    tasks = [
        once("long", "m", 1, deadline_ns=900),
        once("early", "j", 1, deadline_ns=900, release_ns=60),
        once("late", "j", 1, deadline_ns=900, release_ns=90),
    ]
    problem = problem_of(tasks, {"m": [[500, 100]], "j": [[30, 10]]})
    assert starts(run(problem, "eft", layers=True)) == {"long": [0], "early": [60], "late": [100]}


def test_ready_jobs_take_the_free_accelerator_that_is_fastest_for_them():
    tasks = [once("x", "x", 1, deadline_ns=999), once("y", "y", 1, deadline_ns=999)]
    problem = problem_of(tasks, {"x": [[50, 30]], "y": [[40, 20]]})
    outcome = run(problem, "fcfs", layers=True)
    # Equal releases: x, the smaller task, chooses first and takes accelerator 1; y is left with accelerator 0.
    assert outcome.layers["accelerator"].tolist() == [1, 0]
    assert outcome.jobs["finish_ns"].tolist() == [30, 40]


def test_jobs_are_preempted_at_layer_boundaries_only():
    # long has layers of 100; urgent comes at 50 and runs at 100, when the first layer of long ends.
    tasks = [once("long", "m", 3, deadline_ns=10_000), once("urgent", "u", 1, deadline_ns=60, release_ns=50)]
    outcome = run(problem_of(tasks, {"m": [[100]] * 3, "u": [[10]]}), "edf")
    assert outcome.jobs["start_ns"].tolist() == [0, 100]
    assert outcome.jobs["finish_ns"].tolist() == [310, 110]
    assert outcome.jobs["preemptions"].tolist() == [1, 0]


@pytest.mark.parametrize("name", policy_names())
def test_summaries_are_one_full_line(name):
    assert policy_summary(name).endswith(".")
    assert rtsched.load_policy(name).name == name
