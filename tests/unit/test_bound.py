"""Bounds of small problems by hand, what is refused, and how a bound and the gaps to it are told."""

import json
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of
from program import invoke, messages
from rich.console import Console

import rtsched
from rtsched.bounds import bound_problem, bounding, bounds_of, jobs, program, solve
from rtsched.bounds.classes import classes_of
from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.outcome import STATUSES
from rtsched.report.bound import to_dict
from rtsched.study.compare import compare_problem
from rtsched.study.plan import plan
from rtsched.workload.layer import Measured
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Scenario, Task, TimeFactor

FORMATS = Path(__file__).parents[2] / "docs/formats.md"
OVERLOAD = ("bound", "vr_gaming", "--load", "3", "--duration", "0.2")


def n_met(*tasks, times, **options):
    return bound_problem(problem_of(tasks, times, **options)).n_met


# By hand


def test_two_jobs_of_one_accelerator_with_time_for_one():
    two = [once(f"t{i}", "m", 1, deadline_ns=15) for i in range(2)]
    found = bound_problem(problem_of(two, {"m": [[10]]}))
    assert (found.n_jobs, found.n_met, found.task_jobs.tolist(), found.task_possible.tolist()) == (2, 1, [1, 1], [1, 1])
    assert found.value == pytest.approx(1.5)
    assert n_met(*two, times={"m": [[7]]}) == 2


def test_a_job_that_is_too_long_alone_counts_nowhere():
    found = bound_problem(problem_of([once("t", "m", 2, deadline_ns=15)], {"m": [[10], [6]]}))
    assert (found.n_jobs, found.n_met, found.task_possible.tolist()) == (1, 0, [0])
    assert n_met(once("t", "m", 2, deadline_ns=16), times={"m": [[10], [6]]}) == 1


def test_each_layer_has_its_own_fastest_accelerator():
    """One job needs 4 of both; two need 8, and a third one does not fit into 10."""
    three = [once(f"t{i}", "m", 2, deadline_ns=10) for i in range(3)]
    times = {"m": [[4, 40], [40, 4]]}
    assert n_met(*three[:2], times=times) == 2
    assert bound_problem(problem_of(three, times)).value == pytest.approx(2.5)


def test_a_job_does_not_run_beside_itself():
    assert n_met(once("t", "m", 2, deadline_ns=10), times={"m": [[6, 6], [6, 6]]}) == 0
    # Two that must end at 4 take both accelerators until then; afterwards there are 12 ns of both, but only 6 for one job.
    first, later = [once(f"t{i}", "a", 1, deadline_ns=4) for i in range(2)], once("later", "b", 1, deadline_ns=10)
    assert n_met(*first, later, times={"a": [[4, 4]], "b": [[7, 8]]}) == 2
    assert n_met(*first, later, times={"a": [[4, 4]], "b": [[6, 8]]}) == 3


def test_like_accelerators_are_one_class():
    tasks = [once(f"t{i}", "m", 1, deadline_ns=10) for i in range(4)]
    alike, different = (problem_of(tasks, {"m": [row]}) for row in ([6, 6, 6], [6, 6, 5]))
    assert [classes_of(one).n for one in (alike, different)] == [1, 2]
    assert [bound_problem(one).n_met for one in (alike, different)] == [4, 4]
    assert bound_problem(problem_of([*tasks, *[once(f"u{i}", "m", 1, deadline_ns=10) for i in range(2)]], {"m": [[6, 6, 6]]})).n_met == 5


def tiled(deadline_ns, n_jobs, tiles=4):
    """Jobs of one layer that takes 12, 7, 5 and 4 ns on one to four tiles."""
    rows = [{"model": "m", "layer": "l0", "accelerator": "a0", "tiles": n, "latency_ns": t} for n, t in enumerate((12, 7, 5, 4)[:tiles], 1)]
    tasks = tuple(once(f"t{i}", "m", 1, deadline_ns=deadline_ns) for i in range(n_jobs))
    return compile_problem(Scenario(name="s", tasks=tasks, duration_s=1e-6), platform_of(rows, tiles=(tiles,)))


def test_tiles_cost_more_the_less_time_there_is():
    """With 12 ns a job needs 12 tile-ns and four fit; with 7 ns it needs 14 of 28, with 4 all 16."""
    assert [bound_problem(tiled(12, n)).n_met for n in (4, 5)] == [4, 4]
    assert bound_problem(tiled(7, 5)).n_met == 2
    assert bound_problem(tiled(4, 5)).n_met == 1
    assert bound_problem(tiled(3, 5)).n_met == 0


def test_the_lightest_subnet_counts_and_only_executed_layers():
    layers = [Measured(name=f"l{i}") for i in range(3)]
    supernet = Model(name="m", subnets=(Subnet(name="large", layers=tuple(layers)), Subnet(name="small", layers=tuple(layers[:1]))))
    rows = [
        {"model": f"m/{s}", "layer": f"l{i}", "accelerator": "a0", "latency_ns": 10}
        for s, n in (("large", 3), ("small", 1))
        for i in range(n)
    ]
    tasks = tuple(Task(name=f"t{i}", model=supernet, fps=1e3, deadline_ms=2e-5) for i in range(3))
    assert bound_problem(compile_problem(Scenario(name="s", tasks=tasks, duration_s=1e-6), platform_of(rows))).n_met == 2
    dynamic = Model(name="m", blocks=(Block(layers=(layers[0],)), Block(layers=(layers[1],), skip=0.5)))
    rows = [{"model": "m", "layer": f"l{i}", "accelerator": "a0", "latency_ns": 10} for i in range(2)]
    scenario = Scenario(name="s", tasks=(Task(name="t", model=dynamic, fps=1e6, deadline_ms=1e-5),), duration_s=1e-4)
    problem = compile_problem(scenario, platform_of(rows))
    assert bound_problem(problem).n_met == rtsched.run(problem, "edf").metrics.status_counts[0, STATUSES.index("met")] == 48


def test_actual_times_count():
    slow = once("t", "m", 1, deadline_ns=15, time_factor=TimeFactor(values=(2.0,)))
    assert (n_met(slow, times={"m": [[8]]}), n_met(slow, times={"m": [[7]]})) == (0, 1)
    fast = once("t", "m", 1, deadline_ns=15, time_factor=TimeFactor(values=(0.1,)))
    assert n_met(fast, times={"m": [[100]]}) == 1
    # 100 bytes take 100 ns, whatever the factor.
    assert n_met(fast, times={"m": [[100]]}, dram_bytes=100) == 0


def child(name, parents, **options):
    return Task(name=name, model=chain(f"m_{name}", 1), parents=parents, **options)


def test_a_child_comes_after_its_parents_earliest_end():
    root = once("root", "m", 1, deadline_ns=100)
    times = {"m": [[10]], "m_child": [[10]]}
    source = [child("child", ("root",), deadline_ms=ns * 1e-6, deadline_from="source") for ns in (19, 20)]
    assert [n_met(root, one, times=times) for one in source] == [1, 2]
    trigger = [child("child", ("root",), deadline_ms=ns * 1e-6) for ns in (9, 10)]
    assert [n_met(root, one, times=times) for one in trigger] == [1, 2]


def test_a_child_of_a_late_parent_may_be_in_time_until_the_end():
    """The root cannot be in time, its child can: at any time, if the root is done."""
    root = once("root", "m", 1, deadline_ns=5)
    times = {"m": [[10]], "m_child": [[10]]}
    assert n_met(root, child("child", ("root",), deadline_ms=1e-5), times=times) == 1
    # Until 1025 both fit; the work of a late parent is needed, too.
    other = once("other", "m_other", 1, deadline_ns=1020, period_ns=10**6)
    for time_ns, expected in ((1005, 2), (1012, 1)):
        problem = problem_of([root, child("child", ("root",), deadline_ms=1e-5), other], {**times, "m_other": [[time_ns]]}, drain_s=25e-9)
        assert bound_problem(problem).n_met == expected


def test_a_child_in_time_needs_its_parents():
    root = once("root", "m", 1, deadline_ns=100)
    # The root cannot end before the run does.
    assert n_met(root, child("child", ("root",), deadline_ms=1e-5), times={"m": [[2000]], "m_child": [[1]]}, drain_s=0.0) == 0
    # Both parents are needed, and there is time for one of three jobs.
    left, right = once("left", "m", 1, deadline_ns=10), child("right", ("left",), deadline_ms=1e-5, deadline_from="source")
    join = child("join", ("left", "right"), deadline_ms=1e-5, deadline_from="source")
    assert n_met(left, right, join, times={"m": [[10]], "m_right": [[10]], "m_join": [[10]]}) == 1


def test_the_end_of_the_run_is_a_deadline():
    late = once("t", "m", 1, deadline_ns=500, release_ns=990)
    assert [n_met(late, times={"m": [[20]]}, drain_s=ns * 1e-9) for ns in (9, 10)] == [0, 1]


def test_nothing_is_released():
    found = bound_problem(problem_of([once("t", "m", 1, deadline_ns=5, release_ns=2000)], {"m": [[1]]}))
    assert (found.n_jobs, found.n_met, found.value) == (0, 0, 0.0)


# The program and its solution


def test_fewer_intervals_are_a_relaxation(monkeypatch):
    problem = rtsched.compile("vr_gaming", duration_s=0.3, load=3)
    exact = bound_problem(problem)
    monkeypatch.setattr(program, "MAX_CELLS", 200)
    monkeypatch.setattr(program, "MEAN_INTERVALS", 1)
    coarse = bound_problem(problem)
    classes = classes_of(problem)
    n_cells = len(program.program_of(jobs.jobs_of(problem, classes, 0), classes).gain)
    monkeypatch.undo()
    assert n_cells < len(program.program_of(jobs.jobs_of(problem, classes, 0), classes).gain)
    assert exact.value - 1e-6 <= coarse.value < exact.n_jobs
    assert exact.n_met < exact.n_jobs


def test_without_an_answer_of_the_solver_the_bound_is_what_is_possible(monkeypatch):
    two = problem_of([once(f"t{i}", "m", 1, deadline_ns=15) for i in range(2)], {"m": [[10]]})
    monkeypatch.setattr(solve, "linprog", lambda *_, **__: SimpleNamespace(status=4))
    assert bound_problem(two).n_met == 2


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.999999, 1.5])
def test_wrong_prices_only_loosen_the_bound(monkeypatch, factor):
    problem = rtsched.compile("vr_gaming", duration_s=0.2, load=3)
    exact, truly = bound_problem(problem), solve.linprog

    def falsified(*arguments, **options):
        found = truly(*arguments, **options)
        for one in (found.ineqlin, found.eqlin):
            one.marginals = one.marginals * factor
        return found

    monkeypatch.setattr(solve, "linprog", falsified)
    assert bound_problem(problem).value >= exact.value - 1e-6


def test_ten_seconds_of_vr_gaming_take_less_than_five():
    problem = rtsched.compile("vr_gaming", duration_s=10)
    began = time.process_time()
    assert bound_problem(problem).n_met == 1418
    assert time.process_time() - began < 5


# Seeds, refusals


def test_a_seed_means_the_frames_of_a_run():
    values = {bound_problem(rtsched.compile("vr_gaming", duration_s=0.3, load=3), seed).n_jobs for seed in range(6)}
    assert len(values) > 1
    first = rtsched.bound("vr_gaming", duration_s=0.3, load=3, seed=2**64 - 1)
    assert to_dict(first) == to_dict(rtsched.bound("vr_gaming", duration_s=0.3, load=3, seed=2**64 - 1))


def test_every_fault_at_once(monkeypatch):
    with pytest.raises(InputError) as caught:
        rtsched.bound("examples/none.yaml", seed=-1, settings={"mapper.patience": 3})
    assert len(caught.value.faults) == 3
    assert caught.value.faults[1] == "setting 'mapper.patience': a bound has no policy; only scenario and platform can be changed"
    loop = Task(name="loop", model=chain("m", 1), outstanding=2, deadline_ms=1.0)
    with pytest.raises(InputError, match="task 'loop': keeps jobs outstanding"):
        bound_problem(problem_of([loop], {"m": [[10]]}))
    monkeypatch.setattr(jobs, "MAX_JOBS", 3)
    with pytest.raises(InputError, match="duration_s: a bound is for at most 3 frames"):
        bound_problem(problem_of([once("t", "m", 1, deadline_ns=5, period_ns=100)], {"m": [[1]]}))


def test_bounds_of_many_seeds_are_those_of_each_for_any_number_of_threads():
    problem = rtsched.compile("vr_gaming", duration_s=0.2, load=3)
    single = [bound_problem(problem, seed).value for seed in range(5)]
    told = []
    for threads in (1, 3):
        assert [one.value for one in bounds_of(problem, range(5), threads=threads, progress=lambda *n: told.append(n))] == single
    assert {total for _, total in told} == {5}


def test_the_failure_of_the_first_seed_reaches_the_caller():
    loop = problem_of([Task(name="loop", model=chain("m", 1), outstanding=2, deadline_ms=1.0)], {"m": [[10]]})
    with pytest.raises(InputError, match="outstanding"):
        bounds_of(loop, [0, 1], threads=2)


def test_ctrl_c_does_not_wait_for_the_solver(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(bounding, "bound_problem", lambda *_, **__: released.wait(30))

    def interrupt(*_):
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bounds_of(rtsched.compile("vr_gaming", duration_s=0.1), [0, 1], threads=2, progress=interrupt)
    assert time.monotonic() - began < 10
    released.set()


# The command


def test_a_bound_is_printed_to_standard_output():
    result = invoke(*OVERLOAD, "--seed", 3)
    found = rtsched.bound("vr_gaming", load=3, duration_s=0.2, seed=3)
    assert result.exit_code == 0
    assert result.stdout.startswith("vr_gaming on dream_4k_1ws2os, load 3, seed 3, frames of 200 ms\n")
    assert f"at most {found.n_met} of {found.n_jobs} jobs" in result.stdout
    assert result.stderr.startswith("warning: task 'hand': no job can be in time")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_bound_as_json(tmp_path):
    found = rtsched.bound("vr_gaming", load=3, duration_s=0.2)
    result = invoke(*OVERLOAD, "--json", "-")
    read = json.loads(result.stdout)
    assert read == to_dict(found)
    assert "at most" in result.stderr
    assert (read["n_met_at_most"], read["n_jobs"], len(read["tasks"])) == (found.n_met, found.n_jobs, 5)
    section = FORMATS.read_text(encoding="utf-8").partition("## JSON of a bound")[2].partition("\n## ")[0]
    keys = {*read, *(key for one in (read["provenance"], read["run"], read["tasks"][0]) for key in one)}
    assert keys - set(re.findall(r"`(\w+)`", section)) == set()
    assert invoke(*OVERLOAD, "--json", tmp_path / "out.json").stdout.startswith("vr_gaming on ")
    assert json.loads((tmp_path / "out.json").read_text()) == read


def test_faults_of_a_bound(tmp_path):
    assert messages("bound", "examples/tenants.yaml", "--set", "mapper.patience=3", "--seed", "-1")[:2] == [
        "setting 'mapper.patience': a bound has no policy; only scenario and platform can be changed",
        "seed must be an integer from 0 to 2**64 - 1, got -1",
    ]
    (tmp_path / "loop.yaml").write_text(
        "name: s\nplatform: dream_4k_2ws\ntasks: [{name: scene, model: kws_res8, outstanding: 2, deadline_ms: 9}]\n"
    )
    refused = "task 'scene': keeps jobs outstanding, so which jobs there are depends on the schedule; a bound needs to know them"
    path = tmp_path / "loop.yaml"
    assert messages("bound", path) == [refused]
    assert messages("compare", path, "-P", "edf", "--bound") == [refused]
    assert messages("bound", path, "--json", path) == [refused, f"--json {path}: would overwrite the scenario"]


# Comparisons


def text_of(comparison):
    console = Console(width=100)
    with console.capture() as captured:
        console.print(comparison.summary())
    return captured.get()


def test_a_comparison_tells_the_gap_of_each_policy():
    problem = rtsched.compile("vr_gaming", duration_s=0.15, load=3)
    wanted = plan(["eft", "edf"], [5, 2, 9])
    found = compare_problem(problem, wanted, bounds=bounds_of(problem, [2, 5, 9]))
    for p, policy in enumerate(("eft", "edf")):
        met = [rtsched.run(problem, policy, seed=seed).metrics.status_counts[:, 0].sum() for seed in (5, 2, 9)]
        assert found.gap.met[p].tolist() == met
    assert found.gap.at_most.tolist() == [bound_problem(problem, seed).n_met for seed in (5, 2, 9)]
    assert found.gap.n_jobs.tolist() == [bound_problem(problem, seed).n_jobs for seed in (5, 2, 9)]
    assert (found.gap.values == found.gap.at_most - found.gap.met).all()
    assert (found.gap.values >= 0).all()
    np.testing.assert_allclose(found.gap.means.mean, found.gap.values.mean(axis=1))
    rows = text_of(found).partition("jobs met of at most")[2].splitlines()
    assert [row.split()[0] for row in rows[3:5]] == [found.policies[i] for i in found.order]
    plain = compare_problem(problem, wanted)
    assert plain.gap is None
    assert "jobs met of" not in text_of(plain)
    np.testing.assert_array_equal(plain.values, found.values)


def test_the_gap_in_the_json_of_a_comparison():
    arguments = ("compare", "vr_gaming", "-P", "edf,eft", "--load", "3", "--duration", "0.2", "--seeds", "2", "--json", "-")
    result = invoke(*arguments, "--bound")
    read = json.loads(result.stdout)
    found = rtsched.compare("vr_gaming", None, ["edf", "eft"], 2, load=3, duration_s=0.2, bound=True)
    assert read["bound"]["n_met_at_most"] == found.gap.at_most.tolist()
    assert [one["n_met"] for one in read["bound"]["policies"]] == found.gap.met.tolist()
    assert [one["gap"]["mean"] for one in read["bound"]["policies"]] == found.gap.means.mean.tolist()
    assert "jobs met of at most" in result.stderr
    section = FORMATS.read_text(encoding="utf-8").partition("### `bound`")[2].partition("\n## ")[0]
    keys = {*read["bound"], *read["bound"]["policies"][0], *read["bound"]["policies"][0]["gap"]}
    assert keys - set(re.findall(r"`(\w+)`", section)) == set()
    del read["bound"]
    assert json.loads(invoke(*arguments).stdout) == read
