"""Metrics against numbers worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of

from rtsched.compiler import compile_problem
from rtsched.cost.model import LayerKey
from rtsched.outcome import JOB_DTYPE, STATUSES, Outcome
from rtsched.platform.platform import Memory
from rtsched.run import run
from rtsched.workload.layer import Measured
from rtsched.workload.model import Model, Subnet
from rtsched.workload.scenario import Scenario, Task

END_NS = 1000

# task, subnet, release, start, finish, deadline, status, worst energy, preemptions
JOBS = [
    (0, 0, 0, 0, 100, 200, "met", 4.0, 0),
    (0, 1, 100, 100, 130, 300, "met", 2.0, 2),
    (0, 1, 300, 300, 550, 500, "late", 2.0, 1),
    # Dropped after its deadline, later than any that finished; unfinished with its deadline at the end, and after it.
    (0, -1, 500, -1, 790, 700, "dropped", 0.0, 0),
    (0, 0, 700, 800, -1, END_NS, "unfinished", 1.0, 0),
    (0, -1, 900, -1, -1, END_NS + 1, "unfinished", 0.0, 0),
    (1, 0, 550, 550, 560, 700, "met", 3.0, 0),
    (1, 0, 600, 600, 640, 700, "met", 3.0, 0),
    (1, 0, 990, 990, -1, END_NS + 90, "unfinished", 0.0, 0),
    # Suppressed by a dropped parent, and by unfinished ones with their deadline at the end and after it.
    (2, -1, -1, -1, 790, 700, "suppressed", 0.0, 0),
    (2, -1, -1, -1, -1, END_NS, "suppressed", 0.0, 0),
    (2, -1, -1, -1, -1, END_NS + 1, "suppressed", 0.0, 0),
    (3, 1, 950, 960, -1, END_NS + 1, "unfinished", 5.0, 3),
]


def jobs_of(rows):
    jobs = np.zeros(len(rows), dtype=JOB_DTYPE)
    names = ("task", "subnet", "release_ns", "start_ns", "finish_ns", "deadline_ns", "status", "worst_energy_j", "preemptions")
    for job, row in zip(jobs, rows, strict=True):
        for name, value in zip(names, row, strict=True):
            job[name] = STATUSES.index(value) if name == "status" else value
    jobs["job"] = np.arange(len(rows))
    jobs["isolated_ns"][jobs["start_ns"] >= 0] = 10
    jobs["model"] = np.array([0, 1, 1, 0])[jobs["task"]]
    return jobs


def outcome_of(rows):
    """Tasks a and d run model m of two subnets, b and c model n; accelerators of one and of two tiles."""
    subnets = tuple(Subnet(name=name, layers=(Measured(name="l0"),)) for name in ("big", "small"))
    models = (Model(name="m", subnets=subnets), chain("n", 1))
    keys = (LayerKey("m/big", "l0"), LayerKey("m/small", "l0"), LayerKey("n", "l0"))
    rates = ({"fps": 1e6}, {"fps": 1e6}, {"parents": ("a",)}, {"fps": 1e6})
    tasks = tuple(Task(name=name, model=models[i], **rate) for name, i, rate in zip("abcd", (0, 1, 1, 0), rates, strict=True))
    costs = [{"model": key.model, "layer": key.layer, "accelerator": a, "latency_ns": 10} for key in keys for a in ("a0", "a1")]
    platform = platform_of(costs, tiles=(1, 2), memory=Memory(peak_gb_per_s=2.0, efficiency=(0.5,)))
    return Outcome(
        problem=compile_problem(Scenario(name="hand", tasks=tasks, duration_s=1e-6), platform),
        policy="hand",
        seed=0,
        is_complete=True,
        end_ns=END_NS,
        jobs=jobs_of(rows),
        layers=None,
        task_energy_j=np.array([[1.0, 0.5, 0.25, 0.75, 2.0], [1.5, 0, 0, 0, 0], [0] * 5, [0, 0, 0, 0, 10.0]]),
        busy_ns=np.array([500, 250, 0]),
        idle_energy_j=np.array([0.125, 0.375]),
        served_bytes=600.0,
        n_layers=7,
        task_switches=np.array([2, 0, 0, 0]),
        task_migrations=np.array([0, 1, 0, 0]),
        provenance={},
    )


@pytest.fixture
def outcome():
    return outcome_of(JOBS)


def test_counts(outcome):
    metrics = outcome.metrics
    assert metrics.status_counts.tolist() == [[2, 1, 1, 2, 0], [2, 0, 0, 1, 0], [0, 0, 0, 0, 3], [0, 0, 0, 1, 0]]
    assert metrics.released.tolist() == [6, 3, 0, 1]
    # What was cut before its deadline does not count, nor what it suppressed.
    assert metrics.n_counting.tolist() == [5, 2, 2, 0]
    assert metrics.n_violated.tolist() == [3, 0, 2, 0]
    assert metrics.n_preemptions.tolist() == [3, 0, 0, 3]


def test_violation_rate_is_violated_over_counting(outcome):
    np.testing.assert_array_equal(outcome.metrics.violation_rate, [3 / 5, 0.0, 1.0, np.nan])
    assert outcome.metrics.total_violation_rate == 5 / 9


def test_norm_energy_is_over_the_worst_option_and_one_where_nothing_ran(outcome):
    # 4.5 J of 9, 1.5 J of 6, nothing of nothing, 10 J of 5 (switches).
    assert outcome.metrics.norm_energy.tolist() == [0.5, 0.25, 1.0, 2.0]


def test_uxcost_has_a_floor_where_nothing_was_violated(outcome):
    # b met both of its deadlines: 1 / (2 * 2). d has no counting job: neither its rate nor its energy is in the sums.
    assert outcome.metrics.uxcost == pytest.approx((0.6 + 0.25 + 1.0) * (0.5 + 0.25 + 1.0))


def test_uxcost_takes_the_rate_where_something_was_violated():
    rows = [(*row[:6], "late", *row[7:]) if row[:3] == (1, 0, 550) else row for row in JOBS]
    assert outcome_of(rows).metrics.uxcost == pytest.approx((0.6 + 0.5 + 1.0) * (0.5 + 0.25 + 1.0))


def test_uxcost_of_more_met_deadlines_is_lower():
    rows = [*JOBS, *[(1, 0, 700, 700, 710, 800, "met", 3.0, 0)] * 2]
    # Four met, 1.5 J of 12.
    assert outcome_of(rows).metrics.uxcost == pytest.approx((0.6 + 0.125 + 1.0) * (0.5 + 0.125 + 1.0))


def test_latency_percentiles_and_lateness_are_of_finished_jobs(outcome):
    none = [np.nan] * 5
    expected = [[100, 250, 250, 250, 250], [10, 40, 40, 40, 40], none, none]
    np.testing.assert_array_equal(outcome.metrics.latency_ns, expected)
    np.testing.assert_array_equal(outcome.metrics.max_lateness_ns, [50, -60, np.nan, np.nan])


@pytest.mark.parametrize(
    ("n", "ranks"),
    [
        (1, [1, 1, 1, 1, 1]),
        (2, [1, 2, 2, 2, 2]),
        (10, [5, 9, 10, 10, 10]),
        (11, [6, 10, 11, 11, 11]),
        (100, [50, 90, 99, 100, 100]),
        (1000, [500, 900, 990, 999, 1000]),
        (2000, [1000, 1800, 1980, 1998, 2000]),
    ],
)
def test_percentiles_by_nearest_rank(n, ranks):
    order = np.random.default_rng(1).permutation(n) + 1
    rows = [(0, 0, 5, 5, 5 + 3 * int(rank), 10**6, "met", 1.0, 0) for rank in order]
    assert outcome_of(rows).metrics.latency_ns[0].tolist() == [3.0 * rank for rank in ranks]


def test_utilisation_and_energy(outcome):
    metrics = outcome.metrics
    assert metrics.utilisation.tolist() == [0.5, 0.25, 0.0]
    # 600 bytes of the peak's 2 per ns, not of what one layer can get.
    assert metrics.memory_utilisation == 0.3
    assert metrics.energy_j.sum(axis=1).tolist() == [4.5, 1.5, 0.0, 10.0]
    assert metrics.total_energy_j == 16.5


def test_subnets_of_all_jobs_that_chose_one(outcome):
    assert dict(zip(outcome.problem.subnet_names, outcome.metrics.subnet_counts.tolist(), strict=True)) == {"big": 2, "small": 3, "n": 3}


def test_to_dict(outcome):
    found = outcome.metrics.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["uxcost"] == pytest.approx(3.2375)
    assert found["violation_rate"] == 5 / 9
    assert found["energy_j"] == {"total": 16.5, "idle": 0.5, "mac": 2.5, "sram": 0.5, "l2": 0.25, "dram": 0.75, "switch": 12.0}
    counts = ("memory_utilisation", "dram_bytes", "layers", "preemptions", "switches", "migrations")
    assert [found[name] for name in counts] == [0.3, 600.0, 7, 6, 2, 1]
    assert found["accelerators"] == [
        {"accelerator": "a0", "utilisation": [0.5], "idle_energy_j": 0.125},
        {"accelerator": "a1", "utilisation": [0.25, 0.0], "idle_energy_j": 0.375},
    ]
    a, b, c, d = found["tasks"]
    assert a == {
        "task": "a",
        "model": "m",
        "released": 6,
        "met": 2,
        "late": 1,
        "dropped": 1,
        "unfinished": 2,
        "suppressed": 0,
        "counting": 5,
        "violated": 3,
        "violation_rate": 0.6,
        "latency_ns": {"p50": 100.0, "p90": 250.0, "p99": 250.0, "p99.9": 250.0, "p100": 250.0},
        "mean_tardiness_ns": pytest.approx(50 / 3),
        "max_lateness_ns": 50.0,
        # 10, 10, 10 of 100, 30, 250; all priorities are 0, so that its share is a third.
        "progress": pytest.approx(30 / 380),
        "proportional_progress": pytest.approx(90 / 380),
        "preemptions": 3,
        "switches": 2,
        "migrations": 0,
        "norm_energy": 0.5,
        "energy_j": {"total": 4.5, "mac": 1.0, "sram": 0.5, "l2": 0.25, "dram": 0.75, "switch": 2.0},
        "subnets": {"big": 2, "small": 2},
    }
    assert b["subnets"] == {"n": 3}
    assert c["subnets"] == {"n": 0}
    assert c["suppressed"] == 3
    assert c["released"] == 0
    assert d["subnets"] == {"big": 0, "small": 1}


def test_to_dict_has_none_for_what_is_undefined(outcome):
    (d,) = [task for task in outcome.metrics.to_dict()["tasks"] if task["task"] == "d"]
    assert d["violation_rate"] is None
    assert d["max_lateness_ns"] is None
    assert set(d["latency_ns"].values()) == {None}


@pytest.mark.parametrize("rows", [[], [row for row in JOBS if row[0] == 3]])
def test_without_a_counting_job_rates_are_undefined(rows):
    metrics = outcome_of(rows).metrics
    assert np.isnan(metrics.uxcost)
    assert np.isnan(metrics.total_violation_rate)
    assert metrics.to_dict()["uxcost"] is None
    assert metrics.to_dict()["violation_rate"] is None


def test_a_run_that_was_stopped_at_once_has_used_nothing(outcome):
    metrics = replace(outcome, end_ns=0, busy_ns=np.zeros(3, dtype=np.int64), served_bytes=0.0).metrics
    assert metrics.utilisation.tolist() == [0.0, 0.0, 0.0]
    assert metrics.memory_utilisation == 0.0


@pytest.mark.parametrize(
    ("drain_s", "end_ns", "counting", "violated", "worst_ns"),
    [
        # Frames at 0, 100 and 200 of 150 ns each end at 150, 300 and 450; deadlines are 210, 310 and 410.
        (None, 450, 3, 1, 250),
        (110e-9, 410, 3, 1, 200),
        (109e-9, 409, 2, 0, 200),
    ],
)
def test_a_run_of_three_frames(drain_s, end_ns, counting, violated, worst_ns):
    task = once("t", "m", 1, deadline_ns=210, period_ns=100)
    outcome = run(problem_of([task], {"m": [[150]]}, duration_s=300e-9, dram_bytes=30, drain_s=drain_s))
    metrics = outcome.metrics
    assert outcome.end_ns == end_ns
    assert metrics.n_counting.tolist() == [counting]
    assert metrics.n_violated.tolist() == [violated]
    assert metrics.uxcost == pytest.approx((violated or 0.5) / counting)
    assert metrics.latency_ns[0, -1] == worst_ns
    assert metrics.utilisation.tolist() == [1.0]
    assert metrics.memory_utilisation == pytest.approx((30 * min(end_ns, 450) / 150) / end_ns)
