"""Each named policy on a hand-worked example: one accelerator, three jobs of one layer, then two accelerators."""

import numpy as np
import pytest
from builders import once, problem_of

import rtsched
from rtsched.policies.registry import policy_names, policy_summary
from rtsched.run import run

#            released  takes  deadline at   laxity when released   priority
# a                 0     60         300    240                           1
# b                 1     20         400    379                           5
# c                 2     90         200    108                           3
JOBS = {"a": (0, 60, 300, 1), "b": (1, 20, 399, 5), "c": (2, 90, 198, 3)}


def three_jobs():
    tasks = [
        once(name, name, 1, release_ns=release, deadline_ns=deadline, priority=priority)
        for name, (release, _, deadline, priority) in JOBS.items()
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


def test_policies_with_different_names_decide_differently():
    game = rtsched.load_scenario("vr_gaming")
    ranked = game.model_copy(update={"tasks": tuple(task.model_copy(update={"priority": i}) for i, task in enumerate(game.tasks))})
    cases = [(game, 1.0), (game, 1.6), (ranked, 1.6)]
    seen = {}
    for name in policy_names():
        outcomes = [rtsched.simulate(scenario, policy=name, duration_s=2.0, load=load, layers=True) for scenario, load in cases]
        key = tuple(outcome.layers.tobytes() for outcome in outcomes)
        assert key not in seen, f"{name} decides like {seen[key]}"
        seen[key] = name


@pytest.mark.parametrize("name", policy_names())
def test_summaries_are_one_full_line(name):
    assert policy_summary(name).endswith(".")
    assert rtsched.load_policy(name).name == name
