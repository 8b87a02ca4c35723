"""The engine's invariants on generated workloads, from the recorded outcome alone (docs/engine.md has the list)."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import draws, roles
from strategies import policies, problems, seeds

from rtsched.outcome import STATUSES
from rtsched.policies.registry import policy_names
from rtsched.policies.roles import Policy
from rtsched.run import run

MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(len(STATUSES))
natives = st.sampled_from(policy_names())


def path_of(problem, seed, job, subnet):
    subnet = int(problem.model_first_subnet[problem.task_model[job["task"]]]) + subnet
    layers, layer = [], None
    while (layer := draws.next_layer(problem, seed, int(job["task"]), int(job["frame"]), subnet, layer)) is not None:
        layers.append(layer)
    return layers


def tiles_of(mask):
    return [tile for tile in range(64) if int(mask) >> tile & 1]


@given(problems(), policies(), seeds)
def test_every_released_job_ends_once(problem, policy, seed):
    """Invariant 1, and that the released roots are those that the seed says."""
    jobs = run(problem, policy, seed=seed).jobs
    assert len(set(zip(jobs["task"].tolist(), jobs["frame"].tolist(), strict=True))) == len(jobs)
    for task in range(problem.n_tasks):
        own = jobs[jobs["task"] == task]
        if problem.task_arrival[task] == 0:
            expected, k = [], 0
            while (release := draws.periodic_release(problem, seed, task, k)) < problem.duration_ns:
                expected.append(release)
                k += 1
            assert own["release_ns"].tolist() == expected
    met, ended = jobs["status"] == MET, jobs["status"] <= DROPPED
    assert (jobs["finish_ns"][met] <= jobs["deadline_ns"][met]).all()
    late = jobs["status"] == LATE
    assert (jobs["finish_ns"][late] > jobs["deadline_ns"][late]).all()
    assert (jobs["finish_ns"][ended] >= jobs["release_ns"][ended]).all()
    assert (jobs["finish_ns"][jobs["status"] == UNFINISHED] == -1).all()
    assert (jobs["release_ns"][jobs["status"] == SUPPRESSED] == -1).all()


@given(problems(), policies(), seeds)
def test_cascades_follow_the_draws(problem, policy, seed):
    """Each job of a parent has its triggered child, suppressed when the parent failed; untriggered children do not exist."""
    outcome = run(problem, policy, seed=seed)
    status = {(int(job["task"]), int(job["frame"])): job for job in outcome.jobs}
    for task in range(problem.n_tasks):
        parent = int(problem.task_parent[task])
        if parent < 0:
            continue
        for (owner, frame), job in status.items():
            if owner != parent:
                continue
            child = status.get((task, frame))
            assert (child is not None) == draws.is_triggered(problem, seed, task, frame)
            if child is None:
                continue
            assert (child["status"] == SUPPRESSED) == (job["status"] > LATE)
            if child["status"] != SUPPRESSED:
                assert child["release_ns"] == job["finish_ns"]


@given(problems(), policies(), seeds)
def test_tiles_and_jobs_run_one_layer_at_a_time(problem, policy, seed):
    """Invariant 2: the path's layers in order, each once; no tile and no job twice at a time."""
    outcome = run(problem, policy, seed=seed, layers=True)
    end = np.where(outcome.layers["finish_ns"] < 0, outcome.end_ns, outcome.layers["finish_ns"])
    for job in outcome.jobs:
        own = outcome.layers["job"] == job["job"]
        layers = outcome.layers[own]
        path = path_of(problem, seed, job, max(int(job["subnet"]), 0))
        assert layers["layer"].tolist() == path[: len(layers)]
        assert (end[own][:-1] <= layers["start_ns"][1:]).all()
        if job["status"] <= LATE:
            assert len(layers) == len(path)
            assert layers["finish_ns"][-1] == job["finish_ns"]
    spans = {}
    for layer, until in zip(outcome.layers, end, strict=True):
        for tile in tiles_of(layer["tiles"]):
            assert tile < problem.accelerator_tiles[layer["accelerator"]]
            spans.setdefault((int(layer["accelerator"]), tile), []).append((int(layer["start_ns"]), int(until)))
    for busy in spans.values():
        busy.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(busy))


@given(problems(), policies(), seeds)
def test_frames_of_a_task_stay_in_order(problem, policy, seed):
    jobs = run(problem, policy, seed=seed).jobs
    for task in range(problem.n_tasks):
        own = jobs[(jobs["task"] == task) & (jobs["start_ns"] >= 0)]
        earlier = own[:-1]
        assert (earlier["finish_ns"] >= 0).all()
        assert (earlier["finish_ns"] <= own["start_ns"][1:]).all()


@given(problems(), policies(), seeds)
def test_bytes_and_busy_time_add_up(problem, policy, seed):
    """Invariants 3 (bytes) and 5 (time): served bytes are those of the layers; busy time is their spans."""
    outcome = run(problem, policy, seed=seed, layers=True)
    done = outcome.layers["finish_ns"] >= 0
    n_tiles = np.array([len(tiles_of(mask)) for mask in outcome.layers["tiles"]], dtype=int)
    rows = problem.costs[outcome.layers["layer"], problem.option_first[outcome.layers["accelerator"]] + n_tiles - 1]
    moved = rows["dram_bytes"] + outcome.layers["switch_bytes"]
    assert moved[done].sum() <= outcome.served_bytes * (1 + 1e-9) + 1
    assert outcome.served_bytes <= moved.sum() * (1 + 1e-9) + 1
    most = float(problem.peak_bytes_per_ns) * max(problem.efficiency)
    assert outcome.served_bytes <= most * outcome.end_ns * (1 + 1e-9) + 1
    busy = np.zeros(len(outcome.busy_ns), dtype=np.int64)
    end = np.where(done, outcome.layers["finish_ns"], outcome.end_ns)
    for layer, until in zip(outcome.layers, end, strict=True):
        for tile in tiles_of(layer["tiles"]):
            busy[problem.option_first[layer["accelerator"]] + tile] += until - layer["start_ns"]
    np.testing.assert_array_equal(outcome.busy_ns, busy)
    assert (outcome.busy_ns <= outcome.end_ns).all()
    idle_ns = np.add.reduceat(outcome.end_ns - busy, problem.option_first[:-1])
    np.testing.assert_allclose(outcome.idle_energy_j, idle_ns * 1e-9 * problem.idle_power_w, rtol=1e-12)


@given(problems(), policies(), seeds)
def test_energy_adds_up(problem, policy, seed):
    """Invariant 5: by job, by task and component, and by layer, the energy is the same."""
    outcome = run(problem, policy, seed=seed, layers=True)
    assert math.isclose(outcome.task_energy_j.sum(), outcome.jobs["energy_j"].sum(), rel_tol=1e-9, abs_tol=1e-18)
    n_tiles = np.array([len(tiles_of(mask)) for mask in outcome.layers["tiles"]], dtype=int)
    rows = problem.costs[outcome.layers["layer"], problem.option_first[outcome.layers["accelerator"]] + n_tiles - 1]
    switched = outcome.layers["switch_bytes"].sum() * problem.dram_j_per_byte
    assert math.isclose(rows["energy_j"].sum() + switched, outcome.task_energy_j.sum(), rel_tol=1e-9, abs_tol=1e-18)
    assert math.isclose(switched, outcome.task_energy_j[:, 4].sum(), rel_tol=1e-9, abs_tol=1e-18)


@given(problems(), natives, seeds)
def test_native_policies_leave_no_eligible_pair(problem, name, seed):
    """Invariant 4: whenever a job starts or resumes after a wait, no tile that could run it was free all the while."""
    outcome = run(problem, name, seed=seed, layers=True)
    end = np.where(outcome.layers["finish_ns"] < 0, outcome.end_ns, outcome.layers["finish_ns"])
    events = np.unique(np.concatenate([outcome.layers["start_ns"], outcome.layers["finish_ns"], outcome.jobs["release_ns"]]))
    for job in outcome.jobs:
        own = outcome.layers[outcome.layers["job"] == job["job"]]
        ready, ends = waits_of(outcome, job, own)
        for layer, since, until in zip(path_of(problem, seed, job, max(int(job["subnet"]), 0)), ready, ends, strict=False):
            for now in events[(events >= since) & (events < until)]:
                for a in range(problem.n_accelerators):
                    used = (outcome.layers["accelerator"] == a) & (outcome.layers["start_ns"] <= now) & (end > now)
                    n_used = sum(len(tiles_of(mask)) for mask in outcome.layers["tiles"][used])
                    runs = problem.costs["t_iso_ns"][layer, problem.option_first[a]] > 0
                    assert not (runs and n_used < problem.accelerator_tiles[a]), (job, layer, int(now), a)


def waits_of(outcome, job, own):
    """For each layer of the job, when it became ready and when it started; the end of the run for one that did not."""
    before = outcome.jobs[
        (outcome.jobs["task"] == job["task"]) & (outcome.jobs["frame"] < job["frame"]) & (outcome.jobs["release_ns"] >= 0)
    ]
    if job["release_ns"] < 0 or (before["finish_ns"] < 0).any():
        return [], []
    first = max([int(job["release_ns"]), *before["finish_ns"].tolist()])
    ready = [first, *own["finish_ns"].tolist()]
    return [since for since in ready if since >= 0], [*own["start_ns"].tolist(), outcome.end_ns]


@given(problems(), policies(), seeds)
def test_same_input_gives_the_same_bytes_in_many_threads(problem, policy, seed):
    """Invariant 6, within a process."""
    expected = run(problem, policy, seed=seed, layers=True)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: run(problem, policy, seed=seed, layers=True), range(4)):
            assert other.jobs.tobytes() == expected.jobs.tobytes()
            assert other.layers.tobytes() == expected.layers.tobytes()
            assert other.provenance == expected.provenance


@pytest.mark.parametrize("name", sorted(roles.TWINS))
@given(problem=problems(), seed=seeds)
def test_native_and_python_roles_give_the_same_bytes(name, problem, seed):
    """Invariant 6, across the bridge."""
    native = run(problem, name, seed=seed, layers=True)
    python = run(problem, Policy(mapper=roles.TWINS[name]()), seed=seed, layers=True)
    assert native.jobs.tobytes() == python.jobs.tobytes()
    assert native.layers.tobytes() == python.layers.tobytes()


@given(problems(), policies(), seeds)
def test_layers_take_their_time_when_bandwidth_is_infinite(problem, policy, seed):
    """Invariant 7: T = isolated time, and what switching and regrouping add."""
    fast = replace(problem, peak_bytes_per_ns=1e300, l2_bytes_per_ns=math.inf)
    outcome = run(fast, Policy(policy.mapper, policy.dropper, policy.selector), seed=seed, layers=True)
    for job in outcome.jobs:
        own = outcome.layers[outcome.layers["job"] == job["job"]]
        before = None
        for layer in own:
            n_tiles = len(tiles_of(layer["tiles"]))
            expected = int(problem.costs["t_iso_ns"][layer["layer"], problem.option_first[layer["accelerator"]] + n_tiles - 1])
            if layer["switch_bytes"]:
                expected += max(1, math.ceil(layer["switch_bytes"] / problem.port_bytes_per_ns[layer["accelerator"]]))
            if before is not None and before != n_tiles:
                expected += problem.regroup_ns
            before = n_tiles
            assert layer["finish_ns"] in (layer["start_ns"] + expected, -1)


@given(problems(), policies(), seeds)
def test_no_layer_is_faster_than_alone(problem, policy, seed):
    outcome = run(problem, policy, seed=seed, layers=True)
    for layer in outcome.layers[outcome.layers["finish_ns"] >= 0]:
        n_tiles = len(tiles_of(layer["tiles"]))
        alone = problem.costs["t_iso_ns"][layer["layer"], problem.option_first[layer["accelerator"]] + n_tiles - 1]
        assert layer["finish_ns"] - layer["start_ns"] >= alone
