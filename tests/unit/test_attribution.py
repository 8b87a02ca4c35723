"""Parts of jobs' times by hand, and the page that defines them."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import chain, once, problem_of
from reference import roles

import rtsched
from rtsched.attribution import ATTRIBUTION_DTYPE, PARTS
from rtsched.policies.roles import Policy, Regulator
from rtsched.run import run
from rtsched.workload.scenario import Task

PAGE = (Path(__file__).parents[2] / "docs" / "attribution.md").read_text(encoding="utf-8")


class Capped(Regulator):
    """Everybody may have this part of the demand."""

    def __init__(self, part):
        self.part = part

    def start(self, problem):
        return self

    def regulate(self, state):
        return state.running.demand_bytes_per_ns * self.part


def streams(k, part=None):
    """As many jobs of 100 ns, each on an accelerator of its own, each of which could use all of the DRAM: 1 byte per ns."""
    tasks = [once(f"t{i}", f"m{i}", 1, deadline_ns=150) for i in range(k)]
    times = {f"m{i}": [[100 if a == i else None for a in range(k)]] for i in range(k)}
    regulator = None if part is None else Capped(part)
    policy = Policy(mapper=roles.FirstCome(), regulator=regulator)
    return run(problem_of(tasks, times, dram_bytes=100), policy, layers=True, rates=True)


def parts(outcome, row=0):
    """The parts of a finished job that are not 0."""
    found = rtsched.attribute(outcome).parts_ns[row].tolist()
    return {part: ns for part, ns in zip(PARTS, found, strict=True) if ns}


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_equal_streams_contend(k):
    outcome = streams(k)
    for row in range(k):
        assert parts(outcome, row) == {"execution": 100, **({"contention": (k - 1) * 100} if k > 1 else {})}


def test_a_cap_of_half_the_demand_doubles_the_time_alone():
    assert parts(streams(1, 0.5)) == {"execution": 100, "regulation": 100}


def test_what_a_cap_takes_anyway_is_not_contention():
    """Two streams with half the DRAM each: caps alone would have made them as slow. A third one does the rest."""
    assert parts(streams(2, 0.5)) == {"execution": 100, "regulation": 100}
    assert parts(streams(3, 0.5)) == {"execution": 100, "regulation": 100, "contention": 100}


def test_a_cap_above_the_share_of_each_changes_nothing_but_the_names():
    assert parts(streams(4, 0.8)) == {"execution": 100, "regulation": 25, "contention": 275}


def on_one(*tasks, **options):
    """Jobs of one layer of 100 ns on one accelerator, first come, first served."""
    times = {task.model.name: [[100]] * len(task.model.layers) for task in tasks}
    return run(problem_of(tasks, times, **options), Policy(mapper=roles.FirstCome()), layers=True, rates=True)


def test_a_busy_accelerator_makes_wait():
    outcome = on_one(once("first", "m0", 1, deadline_ns=500), once("second", "m1", 1, deadline_ns=500, release_ns=30))
    assert parts(outcome, 1) == {"waiting": 70, "execution": 100}


def test_a_frame_waits_for_the_one_before():
    """Although the second accelerator is free."""
    task = Task(name="t", model=chain("m", 1), trace=(0.0, 1e-5), deadline_ms=1.0)
    outcome = run(problem_of([task], {"m": [[100, 100]]}), Policy(mapper=roles.FirstCome()), layers=True, rates=True)
    assert parts(outcome, 1) == {"waiting": 90, "execution": 100}


@pytest.mark.parametrize(("deadline_from", "cascade"), [("source", {"cascade": 200}), ("trigger", {})])
def test_a_child_is_behind_when_its_deadline_counts_from_the_source(deadline_from, cascade):
    root = once("root", "m0", 2, deadline_ns=250)
    child = Task(name="child", model=chain("m1", 1), parents=("root",), deadline_from=deadline_from)
    outcome = on_one(root, child)
    found = rtsched.attribute(outcome)
    assert parts(outcome, 1) == {"execution": 100, **cascade}
    assert found.jobs["response_ns"][1] == 100 + sum(cascade.values())
    assert found.jobs["lateness_ns"][1] == found.jobs["response_ns"][1] - 250
    assert found.n_late.tolist() == [0, 1 if cascade else 0]


def test_a_job_that_moves_pays_for_it():
    """50 bytes of activations over a port of 1 byte per ns."""
    problem = problem_of([once("t", "m", 2, deadline_ns=500)], {"m": [[100, None], [None, 100]]}, switch="activations")
    costs = problem.costs.copy()
    costs["fetch_bytes"] = 50
    outcome = run(replace(problem, costs=costs), Policy(mapper=roles.FirstCome()), layers=True, rates=True)
    assert parts(outcome) == {"execution": 200, "switching": 50}


def test_a_part_is_decisive_when_the_job_were_in_time_without_it():
    """Deadline 150, response 300: 50 ns less of anything is too little, contention of 200 is enough, execution of 100 is not."""
    found = rtsched.attribute(streams(3))
    assert found.n_late.tolist() == [1, 1, 1]
    assert found.n_decisive.tolist() == [[0, 0, 0, 0, 1, 0]] * 3


def test_a_part_that_is_as_long_as_the_job_is_late_is_decisive():
    tasks = [once(f"t{i}", f"m{i}", 1, deadline_ns=100) for i in range(2)]
    outcome = run(problem_of(tasks, {"m0": [[100, None]], "m1": [[None, 100]]}, dram_bytes=100), "fcfs", layers=True, rates=True)
    assert rtsched.attribute(outcome).n_decisive.tolist() == [[0, 1, 0, 0, 1, 0]] * 2


@pytest.mark.parametrize("tables", [{"layers": True}, {"rates": True}, {}])
def test_an_outcome_without_its_tables_cannot_be_attributed(tables):
    outcome = rtsched.simulate("vr_gaming", duration_s=0.1, **tables)
    missing = " and no ".join(name for name in ("layers", "rates") if name not in tables)
    with pytest.raises(rtsched.InputError, match=f"^the outcome has no {missing}; run with layers=True and rates=True$"):
        rtsched.attribute(outcome)


@pytest.mark.parametrize(
    ("table", "field", "value", "message"),
    [("layers", "tiles", 2**40, "^tiles: "), ("layers", "finish_ns", 0, "^layers: "), ("rates", "cap_bytes_per_ns", 0, "^rates: ")],
)
def test_rows_that_mean_nothing_are_refused(table, field, value, message):
    outcome = streams(2)
    rows = getattr(outcome, table).copy()
    rows[field][0] = value
    with pytest.raises(rtsched.InputError, match=message):
        rtsched.attribute(replace(outcome, **{table: rows}))


def test_nothing_ran():
    outcome = streams(1)
    empty = replace(outcome, jobs=outcome.jobs[:0], layers=outcome.layers[:0], rates=outcome.rates[:0])
    found = rtsched.attribute(empty)
    assert found.parts_ns.shape == (0, len(PARTS))
    assert found.n_late.tolist() == [0]


def test_a_layer_that_never_finishes_under_its_cap_stays_within_the_clock():
    """What a cap of almost nothing would take is beyond 2^62 ns, but the cap goes when the other job ends."""

    class AlmostNothing(Regulator):
        def regulate(self, state):
            return np.where(np.arange(state.running.n) == 0, 1e-300 if state.running.n > 1 else np.inf, np.inf)

    tasks = [once("t0", "m0", 1, deadline_ns=500), once("t1", "m1", 1, deadline_ns=500)]
    problem = problem_of(tasks, {"m0": [[100, None]], "m1": [[None, 70]]}, dram_bytes=30)
    outcome = run(problem, Policy(mapper=roles.FirstCome(), regulator=AlmostNothing()), layers=True, rates=True)
    assert parts(outcome, 0) == {"execution": 100, "regulation": 70}


def test_the_page_s_example_prints_what_stands_there():
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    (expected,) = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_the_page_names_every_part_and_column():
    for name in (*PARTS, *ATTRIBUTION_DTYPE.names, "late_ns", "finished_ns", "n_late", "n_decisive", "parts_ns"):
        assert f"`{name}`" in PAGE
    assert [line for line in PAGE.splitlines() if len(line) > 130 and not line.startswith("|")] == []
