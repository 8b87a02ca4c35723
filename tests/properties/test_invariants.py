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

from rtsched.library import load_scenario
from rtsched.outcome import STATUSES
from rtsched.policies.registry import load_policy, policy_names
from rtsched.policies.roles import Policy
from rtsched.problem import ARRIVALS
from rtsched.run import run, simulate
from rtsched.workload.scenario import TimeFactor

MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(len(STATUSES))
PERIODIC, POISSON, CHILD, CLOSED, TRACE = range(len(ARRIVALS))
natives = st.sampled_from([name for name in policy_names() if not load_policy(name).mapper.waits])


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
        if problem.task_arrival[task] not in (CHILD, CLOSED):
            assert jobs["release_ns"][jobs["task"] == task].tolist() == releases_of(problem, seed, task)
    met, ended = jobs["status"] == MET, jobs["status"] <= DROPPED
    assert (jobs["finish_ns"][met] <= jobs["deadline_ns"][met]).all()
    late = jobs["status"] == LATE
    assert (jobs["finish_ns"][late] > jobs["deadline_ns"][late]).all()
    assert (jobs["finish_ns"][ended] >= jobs["release_ns"][ended]).all()
    assert (jobs["finish_ns"][jobs["status"] == UNFINISHED] == -1).all()
    assert (jobs["release_ns"][jobs["status"] == SUPPRESSED] == -1).all()


def releases_of(problem, seed, task):
    """Release times of a root that does not wait for its jobs."""
    if problem.task_arrival[task] == TRACE:
        times = problem.trace_ns[problem.trace_first[task] : problem.trace_first[task + 1]]
        return [time for time in times.tolist() if time < problem.duration_ns]
    found, time = [], 0
    while True:
        if problem.task_arrival[task] == PERIODIC:
            time = draws.periodic_release(problem, seed, task, len(found))
        else:
            time += draws.poisson_gap(problem, seed, task, len(found))
        if time >= problem.duration_ns:
            return found
        found.append(time)


@given(problems(), policies(), seeds)
def test_closed_loops_keep_their_jobs_outstanding(problem, policy, seed):
    """At first as many as it says; then one at every end, or 1 ns after a drop."""
    outcome = run(problem, policy, seed=seed)
    for task in np.flatnonzero(problem.task_arrival == CLOSED):
        own = outcome.jobs[outcome.jobs["task"] == task]
        n = int(problem.task_outstanding[task])
        assert own["frame"].tolist() == list(range(len(own)))
        assert own["release_ns"][:n].tolist() == [0] * n
        ended = own[own["status"] <= DROPPED]
        again = np.sort(ended["finish_ns"] + (ended["status"] == DROPPED))
        assert own["release_ns"][n:].tolist() == again[again < min(problem.duration_ns, outcome.end_ns + 1)].tolist()


@given(problems(), policies(), seeds)
def test_backlogs_stay_within_their_limit(problem, policy, seed):
    """After each release at most `max_backlog` frames wait to start."""
    outcome = run(problem, Policy(policy.mapper, None, policy.selector), seed=seed)
    for task in np.flatnonzero(problem.task_max_backlog):
        own = outcome.jobs[(outcome.jobs["task"] == task) & (outcome.jobs["release_ns"] >= 0)]
        begun = np.where(own["start_ns"] >= 0, own["start_ns"], np.where(own["finish_ns"] >= 0, own["finish_ns"], 2**62))
        for now in np.unique(own["release_ns"]):
            waiting = (own["release_ns"] <= now) & (begun > now)
            started_now = (own["start_ns"] == now).sum()
            assert waiting.sum() <= problem.task_max_backlog[task]
            dropped_now = (own["status"] == DROPPED) & (own["finish_ns"] == now)
            assert not dropped_now.any() or waiting.sum() + started_now == problem.task_max_backlog[task]
            # Those that were released first go first.
            kept = own["release_ns"][waiting | (own["start_ns"] == now)]
            assert not dropped_now.any() or own["release_ns"][dropped_now].max() <= kept.min()


@given(problems(), policies(), seeds)
def test_cascades_follow_the_draws(problem, policy, seed):
    """A child exists if the draws say so, and all its parents do; it is suppressed when one of them failed."""
    outcome = run(problem, policy, seed=seed)
    jobs = {(int(job["task"]), int(job["frame"])): job for job in outcome.jobs}
    for task in np.flatnonzero(problem.task_arrival == CHILD).tolist():
        root = task
        while parents := draws.parents(problem, root):
            root = parents[0]
        for frame in outcome.jobs["frame"][outcome.jobs["task"] == root]:
            job = jobs.get((task, int(frame)))
            assert (job is not None) == draws.exists(problem, seed, task, int(frame))
            if job is None:
                continue
            parents = [jobs[parent, int(frame)] for parent in draws.parents(problem, task)]
            assert (job["status"] == SUPPRESSED) == any(parent["status"] > LATE for parent in parents)
            if job["status"] != SUPPRESSED:
                assert job["release_ns"] == max(parent["finish_ns"] for parent in parents)
                start = jobs[root, int(frame)]["release_ns"] if problem.task_from_source[task] else job["release_ns"]
                assert job["deadline_ns"] == start + problem.task_deadline_ns[task]


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
    for task in np.flatnonzero(problem.task_in_order):
        own = jobs[(jobs["task"] == task) & (jobs["start_ns"] >= 0)]
        own = own[np.lexsort((own["frame"], own["release_ns"]))]
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
    if job["release_ns"] >= 0 and not outcome.problem.task_in_order[job["task"]]:
        ready = [int(job["release_ns"]), *own["finish_ns"].tolist()]
        return [since for since in ready if since >= 0], [*own["start_ns"].tolist(), stop_of(outcome, job)]
    own_task = outcome.jobs[(outcome.jobs["task"] == job["task"]) & (outcome.jobs["release_ns"] >= 0)]
    order = np.lexsort((own_task["frame"], own_task["release_ns"]))
    before = own_task[order][: np.flatnonzero(own_task["job"][order] == job["job"])[0]] if job["release_ns"] >= 0 else own_task[:0]
    if job["release_ns"] < 0 or (before["finish_ns"] < 0).any():
        return [], []
    first = max([int(job["release_ns"]), *before["finish_ns"].tolist()])
    ready = [first, *own["finish_ns"].tolist()]
    return [since for since in ready if since >= 0], [*own["start_ns"].tolist(), stop_of(outcome, job)]


def stop_of(outcome, job):
    """Until when a job that does not start waits: its drop, or the end of the run."""
    return int(job["finish_ns"]) if job["status"] == DROPPED else outcome.end_ns


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


def alone_ns(problem, seed, job, layer):
    """What a layer takes by itself, without switch and regrouping: as recorded or drawn, or what its bytes need."""
    option = problem.option_first[layer["accelerator"]] + len(tiles_of(layer["tiles"])) - 1
    cost = problem.costs[layer["layer"], option]
    subnet = problem.model_first_subnet[problem.task_model[job["task"]]] + job["subnet"]
    index = int(layer["layer"] - problem.block_first_layer[problem.subnet_first_block[subnet]])
    least = math.ceil(int(cost["dram_bytes"]) / problem.port_bytes_per_ns[layer["accelerator"]])
    if (first := draws.recorded_at(problem, int(job["task"]), int(job["frame"]))) is not None:
        return max(1, least, int(problem.recorded_ns[first + index]))
    factor = draws.time_factor(problem, seed, int(job["task"]), int(job["frame"]), index)
    return int(cost["t_iso_ns"]) if factor == 1.0 else max(1, least, math.ceil(factor * int(cost["t_iso_ns"])))


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
            expected = alone_ns(problem, seed, job, layer)
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
        alone = alone_ns(problem, seed, outcome.jobs[layer["job"]], layer)
        assert layer["finish_ns"] - layer["start_ns"] >= alone


@given(problems(), policies(), seeds)
def test_no_error_of_estimates_is_the_exact_run(problem, policy, seed):
    """A lognormal of sigma 0 and a table of ones change nothing."""
    n = problem.n_tasks
    exact = replace(problem, factor_sigma=np.zeros(n), factor_first=np.zeros(n + 1, dtype=np.int32), factor_value=np.zeros(0))
    ones = replace(exact, factor_first=np.arange(n + 1, dtype=np.int32), factor_value=np.ones(n))
    expected, found = run(exact, policy, seed=seed, layers=True), run(ones, policy, seed=seed, layers=True)
    assert found.jobs.tobytes() == expected.jobs.tobytes()
    assert found.layers.tobytes() == expected.layers.tobytes()


def test_the_error_of_estimates_changes_decisions():
    """Of 30 %: other frames wait, and other layers run elsewhere; the same frames arrive."""
    scenario = load_scenario("vr_gaming")
    both = (scenario, scenario.model_copy(update={"time_factor": TimeFactor(sigma=0.3)}))
    exact, wrong = (simulate(one, policy="llf", duration_s=2, layers=True, load=1.5) for one in both)
    roots = np.isin(exact.jobs["task"], np.flatnonzero(exact.problem.task_arrival != CHILD))
    np.testing.assert_array_equal(exact.jobs["release_ns"][roots], wrong.jobs["release_ns"][roots])
    assert (exact.layers["accelerator"][:1000] != wrong.layers["accelerator"][:1000]).any()
