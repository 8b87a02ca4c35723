"""The metrics of generated runs: equal to a loop over the jobs, and within their bounds."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import policies, problems, seeds

from rtsched.metrics import PERCENTILES, PRIORITY_GROUPS, SCALARS
from rtsched.outcome import STATUSES
from rtsched.run import run

FINISHED = ("met", "late")


def jobs_of(outcome):
    """Jobs as dictionaries, with the name of their status."""
    names = outcome.jobs.dtype.names
    return [{**dict(zip(names, row.tolist(), strict=True)), "status": STATUSES[row["status"]]} for row in outcome.jobs]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def nearest_rank(values, percent):
    """The least value that at least so many per cent do not exceed."""
    values = sorted(values)
    return next((v for i, v in enumerate(values, 1) if 1000 * i >= round(10 * percent) * len(values)), math.nan)


def slow_scalars(outcome):
    """Every scalar again, job by job."""
    jobs = jobs_of(outcome)
    counting = [job for job in jobs if job["finish_ns"] >= 0 or job["deadline_ns"] <= outcome.end_ns]
    finished = [job for job in jobs if job["status"] in FINISHED]
    for job in finished:
        job["latency"], job["lateness"] = job["finish_ns"] - job["release_ns"], job["finish_ns"] - job["deadline_ns"]
    tasks = sorted({job["task"] for job in counting})
    rates, norms, progress, weight, scores = [], [], [], [], []
    for task in tasks:
        own = [job for job in counting if job["task"] == task]
        done = [job for job in finished if job["task"] == task]
        violated = len(own) - sum(job["status"] == "met" for job in own)
        rates.append(violated / len(own) if violated else 1 / (2 * len(own)))
        worst = sum(job["worst_energy_j"] for job in jobs if job["task"] == task)
        norms.append(sum(job["energy_j"] for job in jobs if job["task"] == task) / worst if worst else 1.0)
        progress.append(mean(job["isolated_ns"] for job in done) / mean(job["latency"] for job in done) if done else 0.0)
        weight.append(mean(job["priority"] for job in own) + 1)
        terms = [max(0, 1500 - 1e3 * job["energy_j"]) / 1500 / (1 + math.exp(15 * job["lateness"] * 1e-6)) for job in done]
        scores.append(len(done) / len(own) * sum(terms) / len(own))
    proportional = [one / (share / sum(weight)) for one, share in zip(progress, weight, strict=True)]
    groups = {name: [job["status"] == "met" for job in counting if job["priority"] in span] for name, span in PRIORITY_GROUPS.items()}
    sla = mean(job["status"] == "met" for job in counting)
    idle_j = sum(outcome.idle_energy_j.tolist())
    dynamic_j = sum(job["energy_j"] for job in jobs)
    status = [job["status"] for job in jobs]
    return {
        "uxcost": sum(rates) * sum(norms) if tasks else math.nan,
        "violation_rate": 1 - sla,
        "sla": sla,
        **{f"sla_{name}": mean(met) for name, met in groups.items()},
        "stp": sum(progress) if tasks else math.nan,
        "stp_jobs": sum(job["isolated_ns"] / job["latency"] for job in finished) / len(counting) if counting else math.nan,
        "antt": mean(job["latency"] / job["isolated_ns"] for job in finished),
        "fairness": min(a / b for a in proportional for b in proportional if b) if finished else math.nan,
        "xrbench": 100 * mean(scores),
        "energy_j": dynamic_j + idle_j,
        "dynamic_energy_j": dynamic_j,
        "latency_p50_ns": nearest_rank([job["latency"] for job in finished], 50),
        "latency_p99_ns": nearest_rank([job["latency"] for job in finished], 99),
        "latency_worst_ns": max((job["latency"] for job in finished), default=math.nan),
        "mean_tardiness_ns": mean(max(0, job["lateness"]) for job in finished),
        "max_lateness_ns": max((job["lateness"] for job in finished), default=math.nan),
        "drops": status.count("dropped"),
        "unfinished": status.count("unfinished"),
        "suppressed": status.count("suppressed"),
        "preemptions": sum(job["preemptions"] for job in jobs),
        "switches": outcome.n_switches,
        "migrations": outcome.n_migrations,
        "memory_utilisation": outcome.served_bytes / outcome.problem.peak_bytes_per_ns / outcome.end_ns,
    }


@given(problems(), policies(), seeds)
def test_scalars_are_those_of_a_loop_over_jobs(problem, policy, seed):
    outcome = run(problem, policy, seed=seed)
    found = {name: scalar.of(outcome.metrics) for name, scalar in SCALARS.items()}
    assert found == pytest.approx(slow_scalars(outcome), rel=1e-9, abs=1e-15, nan_ok=True)


@given(problems(), policies(), seeds)
def test_metrics_by_task_are_those_of_a_loop_over_jobs(problem, policy, seed):
    outcome = run(problem, policy, seed=seed)
    metrics, jobs = outcome.metrics, jobs_of(outcome)
    for task in range(problem.n_tasks):
        done = [job for job in jobs if job["task"] == task and job["status"] in FINISHED]
        latency = [job["finish_ns"] - job["release_ns"] for job in done]
        lateness = [job["finish_ns"] - job["deadline_ns"] for job in done]
        np.testing.assert_array_equal(metrics.latency_ns[task], [nearest_rank(latency, percent) for percent in PERCENTILES])
        np.testing.assert_array_equal(metrics.max_lateness_ns[task], max(lateness, default=math.nan))
        np.testing.assert_allclose(metrics.mean_tardiness_ns[task], mean(max(0, one) for one in lateness))


@given(problems(), policies(), seeds)
def test_bounds(problem, policy, seed):
    """The default reference is the fastest option, so that no job runs faster than isolated."""
    metrics = run(problem, policy, seed=seed).metrics
    assume(metrics.n_counting.any())
    assert metrics.sla + metrics.total_violation_rate == pytest.approx(1.0)
    weights = metrics.group_counting / metrics.group_counting.sum()
    assert np.nansum(weights * metrics.group_sla) == pytest.approx(metrics.sla)
    assert 0.0 <= metrics.stp_jobs <= 1.0
    assert 0.0 <= metrics.stp <= (metrics.n_counting > 0).sum()
    assert 0.0 <= metrics.xrbench <= 100.0
    if metrics.n_finished.any():
        assert metrics.antt >= 1.0
        assert 0.0 <= metrics.fairness <= 1.0
        assert (metrics.fairness > 0.0) == (metrics.n_finished[metrics.n_counting > 0] > 0).all()
        assert metrics.overall_mean_tardiness_ns <= max(0.0, metrics.overall_max_lateness_ns)


@given(problems(), policies(), seeds)
def test_switches_and_migrations_by_task_are_those_of_the_layers(problem, policy, seed):
    outcome = run(problem, policy, seed=seed, layers=True)
    switches, migrations = [0] * problem.n_tasks, [0] * problem.n_tasks
    for layer in outcome.layers:
        switches[outcome.jobs["task"][layer["job"]]] += layer["switch_bytes"] > 0
    for before, after in pairwise(outcome.layers):
        if before["job"] == after["job"]:
            migrations[outcome.jobs["task"][after["job"]]] += before["accelerator"] != after["accelerator"]
    assert outcome.task_switches.tolist() == switches
    assert outcome.task_migrations.tolist() == migrations
