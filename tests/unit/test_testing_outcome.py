"""`check_outcome`: each rule finds what breaks it, and says where, with the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from builders import once, problem_of

import rtsched
from rtsched.outcome import ENERGY_COMPONENTS, STATUSES
from rtsched.testing import OutcomeError, check_outcome, outcome_faults, small_problems

PROBLEMS = {problem.scenario_name: problem for problem in small_problems()}


class DropsLate(rtsched.Dropper):
    def drop(self, state):
        return np.flatnonzero(state.slack_ns < state.togo_min_ns)


@pytest.fixture(scope="module")
def outcomes():
    drops = rtsched.Policy(mapper=rtsched.load_policy("edf").mapper, dropper=DropsLate())
    return {name: rtsched.run(problem, drops if name == "overload" else "edf", layers=True) for name, problem in PROBLEMS.items()}


def edited(outcome, table, row, **values):
    rows = getattr(outcome, table).copy()
    for name, value in values.items():
        rows[name][row] = value
    return replace(outcome, **{table: rows})


def without(outcome, row):
    """The outcome as if a job had never been."""
    kept = np.delete(np.arange(len(outcome.jobs)), row)
    jobs = outcome.jobs[kept]
    jobs["job"] = np.arange(len(jobs))
    return replace(outcome, jobs=jobs, layers=None)


def of(outcome, task, *, status=None, nth=0):
    """The row of a task's n-th job, of those of a status."""
    rows = outcome.jobs["task"] == outcome.problem.task_names.index(task)
    if status is not None:
        rows &= outcome.jobs["status"] == STATUSES.index(status)
    return int(np.flatnonzero(rows)[nth])


def scaled(outcome, component):
    energy_j = outcome.task_energy_j.copy()
    energy_j[0, component] *= 1.001
    return replace(outcome, task_energy_j=energy_j)


def busier(outcome, ns):
    busy_ns = outcome.busy_ns.copy()
    busy_ns[0] += ns
    return replace(outcome, busy_ns=busy_ns)


JOB_CASES = [
    ("plain", lambda o: without(o, of(o, "bursty", nth=1)), "releases: task 'bursty': there is no frame 1"),
    (
        "plain",
        lambda o: without(o, of(o, "steady", nth=-1)),
        "releases: task 'steady': frame 11 is missing; the seed says it is released at",
    ),
    ("plain", lambda o: edited(o, "jobs", of(o, "jittered", nth=1), release_ns=5), "releases: task 'jittered' frame 1: released at 5 ns"),
    ("cascade", lambda o: without(o, of(o, "child")), "cascade: task 'child' frame "),
    (
        "cascade",
        lambda o: edited(o, "jobs", of(o, "child", status="met"), release_ns=7),
        "released at 7 ns, not when its last parent ended",
    ),
    ("cascade", lambda o: edited(o, "jobs", of(o, "child", nth=-1), frame=10**6), "exists, but the draws do not trigger it"),
    ("cascade", lambda o: edited(o, "jobs", of(o, "child", status="met"), status=4), "is suppressed, but its parents ended met"),
    (
        "joined",
        lambda o: edited(o, "jobs", of(o, "both"), deadline_ns=77),
        "deadline: task 'both' frame 0: has deadline 77 ns, must be 120,000 ns",
    ),
    ("joined", lambda o: without(o, of(o, "both")), "cascade: task 'both' frame 0: is missing; task 'left' frame 0 triggers it"),
    ("loops", lambda o: without(o, of(o, "loop", nth=-1)), "frames; its closed loop releases 0 to"),
    ("loops", lambda o: edited(o, "jobs", of(o, "loop", nth=3), release_ns=5), "released at 5 ns; its closed loop says"),
    ("loops", lambda o: edited(o, "jobs", of(o, "recorded", nth=3), release_ns=5), "released at 5 ns; the seed says"),
    (
        "loops",
        lambda o: edited(o, "jobs", of(o, "impatient", status="dropped"), finish_ns=o.end_ns),
        "as one of more than 1 that waited to start",
    ),
    ("plain", lambda o: edited(o, "jobs", 3, deadline_ns=77), "deadline: task 'steady' frame 3: has deadline 77 ns, must be 400,000 ns"),
    ("cascade", lambda o: edited(o, "jobs", 0, priority=1), "priority: task 'root' frame 0: has priority 1; the seed says"),
    (
        "overload",
        lambda o: edited(o, "jobs", of(o, "tight", status="met"), status=1),
        "status: task 'tight' frame 0: is late, but finished at",
    ),
    ("overload", lambda o: edited(o, "jobs", of(o, "bursty", status="met"), finish_ns=2**40), "is met, but finished at"),
    ("overload", lambda o: edited(o, "jobs", of(o, "bursty", status="met"), status=3), "is unfinished, but has finish"),
    ("plain", lambda o: edited(o, "jobs", 2, start_ns=1), "started at 1 ns, before its release at 200,000 ns"),
    ("plain", lambda o: edited(o, "jobs", 2, subnet=-1), "started, but has no subnet"),
    ("overload", lambda o: edited(o, "jobs", of(o, "bursty", status="dropped"), energy_j=1.0), "never ran, but has energy_j 1.0"),
    (
        "overload",
        lambda o: edited(o, "jobs", 1, start_ns=o.jobs["finish_ns"][0] - 1),
        "order: task 'tight' frame 1: started or was dropped while",
    ),
    ("ties", lambda o: replace(o, end_ns=o.end_ns + 1), "end: the run ended at 1,500,001 ns; it must end at 1,500,000 ns"),
    ("plain", lambda o: replace(o, end_ns=2**40), "after its last possible end at"),
    ("plain", lambda o: edited(o, "jobs", 0, isolated_ns=1), "work: task 'steady' frame 0: has isolated_ns 1; its path takes"),
    ("plain", lambda o: edited(o, "jobs", 0, worst_energy_j=1.0), "has worst_energy_j 1; its path's is"),
    ("plain", lambda o: edited(o, "jobs", 0, energy_j=1e-9), "used 1e-09 J; its path needs at least"),
    ("plain", lambda o: edited(o, "jobs", 0, finish_ns=o.jobs["start_ns"][0] + 9), "took 9 ns from start to finish, less than"),
    ("plain", lambda o: edited(o, "jobs", 0, preemptions=4), "was preempted 4 times between 4 layers"),
    ("plain", lambda o: scaled(o, 0), "energy: task 'steady': its jobs used"),
    ("plain", lambda o: replace(o, task_switches=o.task_switches + 1), "there are switches, but the platform's are free"),
    ("plain", lambda o: busier(o, o.end_ns), "busy: 'a0' tile 0: busy for"),
    ("plain", lambda o: replace(o, idle_energy_j=o.idle_energy_j * 2), "busy: 'a0': idle energy"),
    ("plain", lambda o: replace(o, served_bytes=1e12), "bytes: 1,000,000,000,000 bytes were served; at most"),
]


@pytest.mark.parametrize(("name", "change", "expected"), JOB_CASES, ids=[text[:30] for _, _, text in JOB_CASES])
def test_faults_of_jobs_are_found_without_layers(outcomes, name, change, expected):
    assert any(expected in fault for fault in outcome_faults(replace(change(outcomes[name]), layers=None)))


def first_of(outcome, n_tiles=None):
    """A layer that is not the first of its job, on so many tiles."""
    layers = outcome.layers
    return int(np.flatnonzero(layers["job"][1:] == layers["job"][:-1])[0]) + 1


def shifted(outcome):
    """What a layer moved is moved by another one of its task instead, so that no sum tells."""
    moved, task = outcome.layers["switch_bytes"].copy(), outcome.jobs["task"][outcome.layers["job"]]
    source = np.flatnonzero(moved)[0]
    target = np.flatnonzero((moved == 0) & (task == task[source]))[0]
    moved[target], moved[source] = moved[source], 0
    return edited(outcome, "layers", slice(None), switch_bytes=moved)


LAYER_CASES = [
    ("plain", lambda o: edited(o, "layers", 1, layer=0), "path: task 'steady' frame 0, layer 'l0' at"),
    ("plain", lambda o: replace(o, layers=o.layers[:-1]), "layers; its path has 2"),
    (
        "plain",
        lambda o: edited(o, "jobs", 0, status=STATUSES.index("dropped")),
        "path: task 'steady' frame 0: is dropped, but all 4 layers of its path",
    ),
    (
        "plain",
        lambda o: edited(o, "layers", 4, job=0),
        "path: task 'steady' frame 0, layer 'l0' at 100,000 ns: its path of 4 layers was over",
    ),
    ("plain", lambda o: edited(o, "layers", 0, finish_ns=o.layers["finish_ns"][0] + 1), "started before"),
    ("plain", lambda o: edited(o, "layers", 0, start_ns=1), "times: task 'steady' frame 0: has start 0 ns; its first layer has 1 ns"),
    ("plain", lambda o: edited(o, "layers", 3, finish_ns=o.layers["finish_ns"][3] - 1), "times: task 'steady' frame 0: has finish"),
    ("plain", lambda o: edited(o, "layers", 3, finish_ns=-1), "the end of the run cut it, but its job went on or ended"),
    ("plain", lambda o: edited(o, "layers", 3, finish_ns=o.layers["finish_ns"][3] + 5), "ns, after its job"),
    ("plain", lambda o: edited(o, "layers", 0, tiles=2), "tiles: task 'steady' frame 0, layer 'l0' at 0 ns: tiles 0x2, but 'a"),
    ("plain", lambda o: edited(o, "layers", 0, tiles=0), "tiles 0x0"),
    ("tiles", lambda o: edited(o, "layers", slice(None), tiles=1), "tile 0: task "),
    ("plain", lambda o: edited(o, "layers", slice(None), accelerator=2), "cannot run on 1 tiles of 'a2'"),
    ("plain", lambda o: edited(o, "layers", 0, finish_ns=o.layers["finish_ns"][0] - 1), "duration: task 'steady' frame 0, layer 'l0'"),
    (
        "plain",
        lambda o: edited(o, "layers", 0, switch_bytes=9),
        "switching: task 'steady' frame 0, layer 'l0' at 0 ns: moved 9 bytes; switches",
    ),
    ("switching", lambda o: shifted(o), " bytes; must be 0"),
    ("switching", lambda o: edited(o, "layers", slice(None), switch_bytes=0), ": moved 0 bytes; must be "),
    ("plain", lambda o: edited(o, "jobs", 0, preemptions=3), "counts: task 'steady' frame 0: has 3 preemptions; its layers have 0"),
    ("plain", lambda o: replace(o, n_layers=7), "counts: n_layers is 7; 1"),
    ("plain", lambda o: replace(o, task_migrations=o.task_migrations + 7), "counts: task_migrations of task 'steady' is "),
    ("switching", lambda o: replace(o, task_switches=o.task_switches + 7), "counts: task_switches of task 'wide' is "),
    ("plain", lambda o: edited(o, "jobs", 0, energy_j=o.jobs["energy_j"][0] * 1.00001), "energy: task 'steady' frame 0: has energy_j"),
    ("plain", lambda o: scaled(o, 3), "energy: task 'steady': dram energy"),
    ("plain", lambda o: busier(o, 1), "busy: 'a0' tile 0: busy for"),
    ("plain", lambda o: replace(o, served_bytes=o.served_bytes - 10), "bytes were served; the layers moved"),
    ("plain", lambda o: edited(o, "layers", 0, finish_ns=2**50), "layers: task 'steady' frame 0, layer 'l0' at 0 ns: finish"),
    ("plain", lambda o: edited(o, "layers", 5, job=-1), "layers: row 5: there is no job -1"),
    ("plain", lambda o: replace(o, layers=o.layers[::-1].copy()), "must stand before"),
]


@pytest.mark.parametrize(("name", "change", "expected"), LAYER_CASES, ids=[text[:30] for _, _, text in LAYER_CASES])
def test_faults_of_layers_are_found(outcomes, name, change, expected):
    assert any(expected in fault for fault in outcome_faults(change(outcomes[name])))


def capped(outcome):
    """As if a cap had stood at half of what the second layer was given."""
    row = int(np.flatnonzero(outcome.rates["allocation_bytes_per_ns"] > 0)[1])
    return edited(outcome, "rates", row, cap_bytes_per_ns=outcome.rates["allocation_bytes_per_ns"][row] / 2)


def faster(outcome):
    """As if the DRAM had given everybody what they asked for."""
    return edited(outcome, "rates", slice(None), allocation_bytes_per_ns=outcome.rates["demand_bytes_per_ns"])


def in_parts(outcome, row, factor):
    given = outcome.rates["allocation_bytes_per_ns"][row]
    return edited(outcome, "rates", row, allocation_bytes_per_ns=given * factor)


RATE_CASES = [
    (lambda o: in_parts(o, 0, 2.1), "rates: task 'heavy' frame 0, layer 'l0' from 0 ns on: given "),
    (capped, "its cap "),
    (faster, "bytes per ns; DRAM delivers at most "),
    (lambda o: in_parts(o, 0, 0.9), "rates: task 'heavy' frame 0, layer 'l0' at 0 ns: was given "),
    (lambda o: replace(o, rates=o.rates[1:]), "bytes; moved "),
    (lambda o: edited(o, "rates", 0, job=-1), "rates: row 0: job must not be -1"),
    (lambda o: edited(o, "rates", 3, layer=10**6), "rates: row 3: layer must not be 1000000"),
    (lambda o: edited(o, "rates", 2, time_ns=-1), "rates: row 2: time -1 ns, run's end "),
    (lambda o: edited(o, "rates", 1, allocation_bytes_per_ns=np.nan), "rates: row 1: allocation_bytes_per_ns must not be nan"),
    (lambda o: edited(o, "rates", 1, cap_bytes_per_ns=0.0), "rates: row 1: cap_bytes_per_ns must not be 0.0"),
    (lambda o: replace(o, rates=np.zeros(3)), "table: rates must be rows of time_ns, job, layer"),
]


@pytest.fixture(scope="module")
def contended():
    """Two layers at a time that each ask for all of the bandwidth."""
    tasks = [once(name, "m", 2, deadline_ns=900, period_ns=1000) for name in ("heavy", "other")]
    return rtsched.run(problem_of(tasks, {"m": [[100, 100]] * 2}, dram_bytes=100, duration_s=3e-6), layers=True, rates=True)


@pytest.mark.parametrize(("change", "expected"), RATE_CASES, ids=[text[-30:] for _, text in RATE_CASES])
def test_faults_of_rates_are_found(contended, change, expected):
    assert outcome_faults(contended) == []
    faults = outcome_faults(change(contended))
    assert any(expected in fault for fault in faults), faults


TABLE_CASES = [
    (lambda o: edited(o, "jobs", 0, task=3), "table: job 0: there is no task 3"),
    (lambda o: edited(o, "jobs", 0, status=-1), "table: job 0: there is no status -1"),
    (lambda o: edited(o, "jobs", 1, frame=0), "table: task 'steady' frame 0 follows task 'steady' frame 0; each must come once, in order"),
    (lambda o: edited(o, "jobs", 1, job=9), "table: row 1 is numbered 9"),
    (lambda o: edited(o, "jobs", 1, model=2), "table: task 'steady' frame 1: has model 2, not its task's"),
    (lambda o: edited(o, "jobs", 1, subnet=1), "table: task 'steady' frame 1: has subnet 1; its model has 1"),
    (lambda o: replace(o, jobs=np.zeros(3)), "table: jobs must be rows of job, task, frame"),
    (lambda o: replace(o, busy_ns=o.busy_ns[1:]), "sums: busy_ns has shape (2,), must have (3,)"),
    (lambda o: replace(o, task_energy_j=o.task_energy_j * np.nan), "sums: task_energy_j must not be negative, infinite or NaN"),
    (
        lambda o: replace(o, problem=replace(o.problem, block_skip=o.problem.block_skip - 1)),
        "problem: block_skip: must lie between 0 and 1",
    ),
]


@pytest.mark.parametrize(("change", "expected"), TABLE_CASES, ids=[text[:30] for _, text in TABLE_CASES])
def test_malformed_tables_are_reported_alone(outcomes, change, expected):
    with pytest.raises(OutcomeError) as caught:
        check_outcome(change(outcomes["plain"]))
    assert any(fault.startswith(expected) for fault in caught.value.faults)
    assert len({fault.partition(":")[0] for fault in caught.value.faults}) == 1


def test_what_runs_is_sound(outcomes):
    for outcome in outcomes.values():
        check_outcome(outcome)
        check_outcome(replace(outcome, layers=None))


def test_the_same_fault_everywhere_is_told_once(outcomes):
    outcome = outcomes["plain"]
    faults = outcome_faults(edited(outcome, "jobs", slice(None), deadline_ns=0, status=1))
    assert [fault for fault in faults if fault.startswith("deadline")][3:] == [f"deadline: the same for {len(outcome.jobs) - 3} more"]


@pytest.mark.parametrize("resource", ["DRAM", "L2"])
def test_more_bytes_than_the_memory_delivers(resource):
    """Two layers that each need the whole bandwidth for 100 ns cannot both take 100 ns."""
    problem = problem_of([once(name, name, 1, deadline_ns=900) for name in "ab"], {name: [[100, 100]] for name in "ab"}, dram_bytes=100)
    if resource == "L2":
        costs = problem.costs.copy()
        costs["l2_bytes"], costs["dram_bytes"], costs["demand_bytes_per_ns"] = 100, 0, 0
        costs["l2_demand_bytes_per_ns"] = 1.0
        problem = replace(problem, costs=costs, l2_bytes_per_ns=1.0)
    outcome = rtsched.run(problem, layers=True)
    assert outcome.jobs["finish_ns"].tolist() == [200, 200]
    check_outcome(outcome)
    fast = edited(edited(outcome, "jobs", slice(None), finish_ns=100), "layers", slice(None), finish_ns=100)
    fast = replace(fast, busy_ns=outcome.busy_ns // 2)
    expected = f"bandwidth: the layers that lie between 0 and 100 ns move 200 bytes; {resource} delivers at most 100 in that time"
    assert outcome_faults(fast) == [expected]
    almost = edited(edited(outcome, "jobs", slice(None), finish_ns=199), "layers", slice(None), finish_ns=199)
    assert outcome_faults(replace(almost, busy_ns=outcome.busy_ns - 1)) == []  # within what rounding may do


def test_efficiency_counts_in_the_bandwidth():
    """With two layers at a time only half of the bandwidth is there."""
    tasks = [once(name, name, 1, deadline_ns=900) for name in "ab"]
    memory = rtsched.Memory(peak_gb_per_s=1.0, efficiency=(1.0, 0.5))
    problem = problem_of(tasks, {name: [[100, 100]] for name in "ab"}, dram_bytes=100, memory=memory)
    outcome = rtsched.run(problem, layers=True)
    assert outcome.jobs["finish_ns"].tolist() == [400, 400]
    check_outcome(outcome)
    fast = edited(edited(outcome, "jobs", slice(None), finish_ns=200), "layers", slice(None), finish_ns=200)
    (fault,) = outcome_faults(replace(fast, busy_ns=outcome.busy_ns // 2))
    assert fault.endswith("move 200 bytes; DRAM delivers at most 100 in that time")


def test_stopped_runs_are_sound():
    answers = iter([False] * 2 + [True] * 100)
    outcome = rtsched.run(rtsched.compile("vr_gaming", duration_s=100), "edf", layers=True, stop=lambda: next(answers))
    assert not outcome.is_complete
    check_outcome(outcome)
    assert "switch" in ENERGY_COMPONENTS
