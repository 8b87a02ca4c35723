"""Deadlines that nobody can meet, by hand."""

import pytest
from builders import chain, once, problem_of
from hypothesis import given
from program import invoke
from strategies import policies, problems, seeds

from rtsched.feasibility import deadline_warnings, least_time_ns
from rtsched.outcome import STATUSES
from rtsched.run import run
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Task, TimeFactor

TIMES = {"m": [[30, 20], [10, 40]]}


@pytest.mark.parametrize(("deadline_ns", "is_hopeless"), [(29, True), (30, False)])
def test_a_deadline_below_the_fastest_times(deadline_ns, is_hopeless):
    problem = problem_of([once("t", "m", 2, deadline_ns=deadline_ns)], TIMES)
    assert least_time_ns(problem).tolist() == [20 + 10]
    told = ["task 't': no job can be in time: its deadline is 29 ns, and 'm' takes at least 30 ns"] if is_hopeless else []
    assert deadline_warnings(problem) == told


@pytest.mark.parametrize(("deadline_from", "needed"), [("source", 60), ("trigger", 30)])
def test_a_cascade_needs_the_time_of_its_parents_too(deadline_from, needed):
    child = Task(name="c", model=chain("m", 2), parents=("p",), deadline_ms=29e-6, deadline_from=deadline_from)
    (told,) = deadline_warnings(problem_of([once("p", "m", 2, deadline_ns=99), child], TIMES))
    assert told.startswith("task 'c': no job can be in time: its deadline is 29 ns, and 'm' takes at least ")
    assert f"at least {needed} ns" in told
    assert told.endswith("before it") == (deadline_from == "source")


def test_the_shortest_path_of_the_lightest_subnet_counts():
    """`big` takes 8, 5 and 4; it may skip its second block, and stop after that; `small` takes 20."""
    layers = [Measured(name=f"l{i}") for i in range(3)]
    blocks = (Block(layers=(layers[0],)), Block(layers=(layers[1],), skip=0.5, exit=0.1), Block(layers=(layers[2],), exit=0.5))
    big = Subnet(name="big", blocks=blocks)
    small = Subnet(name="small", blocks=(Block(layers=(layers[0],)),))
    task = Task(name="t", model=Model(name="m", subnets=(big, small)), fps=1e3, deadline_ms=1.0)
    problem = problem_of([task], {"m/big": [[8], [5], [4]], "m/small": [[20]]})
    assert least_time_ns(problem).tolist() == [8]


@pytest.mark.parametrize(("factor", "least"), [(TimeFactor(values=[0.5, 1.5]), 10 + 5), (TimeFactor(sigma=0.1), 0)])
def test_times_that_stray(factor, least):
    problem = problem_of([once("t", "m", 2, deadline_ns=29, time_factor=factor)], TIMES)
    assert least_time_ns(problem).tolist() == [least]


@given(problems(), policies(), seeds)
def test_nobody_is_faster_and_nobody_meets_such_a_deadline(problem, policy, seed):
    jobs = run(problem, policy, seed=seed).jobs
    done = jobs[jobs["status"] <= STATUSES.index("late")]
    assert (done["finish_ns"] - done["start_ns"] >= least_time_ns(problem)[done["task"]]).all()
    hopeless = [name for name in problem.task_names if any(f"task {name!r}:" in text for text in deadline_warnings(problem))]
    met = {problem.task_names[task] for task in done["task"][done["status"] == STATUSES.index("met")]}
    assert not met & set(hopeless)


@pytest.mark.parametrize("command", [("run",), ("compare", "-P", "fcfs,edf", "--seeds", "2")])
def test_the_program_warns_and_goes_on(command):
    name, *options = command
    result = invoke(name, "vr_gaming", *options, "--duration", "0.1", "--set", "scenario.tasks.gaze.deadline_ms=0.01")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: task 'gaze': no job can be in time: its deadline is 10,000 ns, and 'fbnet_c' takes at least ")
