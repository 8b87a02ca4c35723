"""Running: errors, partial outcomes, determinism, notes, native and Python roles."""

import gc
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from builders import chain, once, problem_of
from reference import roles
from reference.compare import assert_equal_runs, run_reference

import rtsched
from rtsched._core import _testing
from rtsched._core.roles import ContractError
from rtsched.errors import InputError, PolicyError
from rtsched.policies.roles import Dropper, Mapper, Policy, Regulator, Selector, Tuner
from rtsched.run import Interrupted, run
from rtsched.workload.model import Model, Subnet


@pytest.fixture
def problem():
    """Two tasks of three layers on two accelerators, overloaded."""
    tasks = [once("a", "m", 3, deadline_ns=900, period_ns=500), once("b", "n", 3, deadline_ns=700, period_ns=600)]
    return problem_of(tasks, {"m": [[100, 300]] * 3, "n": [[200, 150]] * 3}, duration_s=6e-6, dram_bytes=90)


class Laxity(Mapper):
    def score(self, state):
        return -(state.slack_ns - state.togo_mean_ns)


def test_ten_line_policy_equals_native(problem):
    assert run(problem, Laxity()).jobs.tobytes() == run(problem, "llf").jobs.tobytes()


class Raises(Mapper):
    def __init__(self, error):
        self.error = error

    def score(self, state):
        if state.now_ns > 1000:
            raise self.error
        return np.zeros(state.n_ready)


def test_exception_of_a_role_arrives_unchanged(problem):
    error = ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught:
        run(problem, Raises(error))
    assert caught.value is error


def test_names_that_are_no_unicode_stand_in_the_provenance(problem):
    """Such is the name of a file of policies that is not in UTF-8."""

    class One(Mapper):
        __module__ = "file:\udcfe"

        def score(self, state):
            return np.zeros(state.n_ready)

    class Other(One):
        __module__ = "file:\udcff"
        __qualname__ = One.__qualname__

    assert run(problem, One()).provenance["inputs_sha256"] != run(problem, Other()).provenance["inputs_sha256"]


def test_keyboard_interrupt_leaves_a_partial_outcome(problem):
    with pytest.raises(Interrupted) as caught:
        run(problem, Raises(KeyboardInterrupt()), layers=True)
    outcome = caught.value.outcome
    assert not outcome.is_complete
    assert 1000 < outcome.end_ns < problem.duration_ns
    assert (outcome.layers["start_ns"] <= outcome.end_ns).all()
    assert outcome.metrics.released.sum() > 0


def test_stop_flag_ends_the_run_where_it_stands():
    tasks = [once("a", "m", 1, deadline_ns=900, period_ns=500)]
    long = problem_of(tasks, {"m": [[100]]}, duration_s=0.5)
    seen = []
    outcome = run(long, progress=lambda now, end: seen.append((now, end)), stop=lambda: len(seen) >= 2)
    assert not outcome.is_complete
    assert 0 < outcome.end_ns < long.duration_ns
    assert [now for now, _ in seen] == sorted(now for now, _ in seen)
    assert {end for _, end in seen} == {long.end_ns}


class Assigns(Mapper):
    def __init__(self, *dispatch):
        self.dispatch = dispatch

    def assign(self, state, dispatches):
        dispatches.append(*self.dispatch)


@pytest.mark.parametrize(
    ("dispatch", "message"),
    [
        ((7, 0), "dispatch of row 7 to accelerator 0: there are 2 ready jobs"),
        ((-1, 0), "dispatch of row -1 to accelerator 0: there are 2 ready jobs"),
        ((0, 5), "dispatch of task 0 frame 0 to 1 tiles of accelerator 5 for 1 layers: there are 2 accelerators"),
        ((0, 0, 2), "dispatch of task 0 frame 0 to 2 tiles of accelerator 0 for 1 layers: 1 tiles are free"),
        ((0, 0, 0), "dispatch of task 0 frame 0 to 0 tiles of accelerator 0 for 1 layers: tiles and layers must be at least 1"),
        ((0, 0, 1, 0), "dispatch of task 0 frame 0 to 1 tiles of accelerator 0 for 0 layers: tiles and layers must be at least 1"),
    ],
)
def test_wrong_dispatches_are_named(problem, dispatch, message):
    with pytest.raises(PolicyError) as caught:
        run(problem, Assigns(*dispatch))
    assert message in str(caught.value)
    assert not caught.value.outcome.is_complete
    assert set(caught.value.outcome.jobs["task"]) == {0, 1}


class Twice(Mapper):
    def assign(self, state, dispatches):
        dispatches.append(0, 0)
        dispatches.append(0, 1)


def test_a_job_cannot_be_dispatched_twice(problem):
    with pytest.raises(PolicyError, match="task 0 frame 0 to 1 tiles of accelerator 1 for 1 layers: the job is not ready"):
        run(problem, Twice())


def test_a_layer_cannot_run_where_it_has_no_cost():
    tasks = [once("a", "m", 2, deadline_ns=900)]
    partial = problem_of(tasks, {"m": [[100, 100], [100, None]]})
    with pytest.raises(PolicyError, match="layer 1 cannot run there"):
        run(partial, Assigns(0, 1))


class Scores(Mapper):
    def __init__(self, value):
        self.value = value

    def score(self, state):
        return self.value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([0.0, np.nan]), "score of task 1 frame 0 is nan"),
        (np.array([np.inf, 0.0]), "score of task 0 frame 0 is inf"),
        (np.array([[0.0, np.nan], [0.0, 0.0]]), "score of task 0 frame 0 on accelerator 1 is nan"),
        (np.zeros(3), r"Scores.score must answer shape \(2,\) or \(2, 2\), got \(3,\)"),
    ],
)
def test_scores_are_checked(problem, value, message):
    with pytest.raises(PolicyError, match=message):
        run(problem, Scores(value))


def test_minus_infinity_never_runs(problem):
    outcome = run(problem, Scores(np.full(2, -np.inf)))
    assert outcome.n_layers == 0
    assert (outcome.jobs["start_ns"] == -1).all()
    assert outcome.metrics.n_violated.sum() == len(outcome.jobs)


class Caps(Regulator):
    def __init__(self, cap):
        self.cap = cap

    def regulate(self, state):
        return np.full(state.running.n, self.cap)


@pytest.mark.parametrize("cap", [0.0, -1.0, np.nan])
def test_caps_are_checked(problem, cap):
    with pytest.raises(PolicyError, match="cap of the layer on accelerator 0 must be above 0 or inf"):
        run(problem, Policy(mapper=roles.FirstCome(), regulator=Caps(cap)))


class Drops(Dropper):
    def __init__(self, *rows):
        self.rows = rows

    def drop(self, state):
        return self.rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((0, 0), "named a job twice"),
        ((9,), "answered row 9; there are 2 ready jobs"),
        ((False, False), "must answer row numbers, such as np.flatnonzero"),
        ((0.0,), "must answer row numbers"),
        (((0,),), "must answer row numbers"),
        (((0,), (0, 1)), "Drops.drop must answer row numbers"),
    ],
)
def test_drops_are_checked(problem, rows, message):
    with pytest.raises(PolicyError, match=message):
        run(problem, Policy(mapper=roles.FirstCome(), dropper=Drops(*rows)))


class Answers(Mapper):
    """A mapper whose key, tiles and block are given."""

    def __init__(self, key=0, tiles=1, block=1):
        self.answers = {"key": key, "tiles": tiles, "block": block}

    def key(self, state, row):
        return self.answers["key"]

    def tiles(self, state, row, accelerator):
        return self.answers["tiles"]

    def block(self, state, row, accelerator):
        return self.answers["block"]


@pytest.mark.parametrize("method", ["key", "tiles", "block"])
@pytest.mark.parametrize("answer", [0.5, np.float64(1.0), True, None, "1", 2**63, -(2**64)])
def test_integers_are_checked(problem, method, answer):
    with pytest.raises(PolicyError, match=rf"Answers.{method} must answer an integer of at least"):
        run(problem, Answers(**{method: answer}))


def test_a_block_may_be_longer_than_any_model(problem):
    whole = run(problem, Answers(block=2**31 - 1))
    assert whole.jobs.tobytes() == run(problem, Answers(block=3)).jobs.tobytes()
    assert (whole.jobs["preemptions"] == 0).all()


class Keeps(Mapper):
    """Keeps what it was given."""

    def assign(self, state, dispatches):
        self.kept = state, state.running, dispatches
        dispatches.append(0, 0)


def test_what_a_role_keeps_is_safe_to_touch(problem):
    mapper = Keeps()
    with pytest.raises(PolicyError):
        run(problem, Policy(mapper=mapper, regulator=Caps(0.0)))
    state, running, dispatches = mapper.kept
    del mapper
    gc.collect()
    assert running.n == len(running.task) == len(state.running.layer)
    with pytest.raises(ContractError, match="during a call of assign only"):
        dispatches.append(0, 0)
    for kind in (type(state), type(running), type(dispatches)):
        with pytest.raises((TypeError, ContractError)):
            kind().append(0, 0)


class Hooks(Mapper):
    def __init__(self, hook):
        self.hook = hook

    def key(self, state, row):
        return 0

    def on_release(self, state, task, frame):
        self.stop("on_release", state)

    def on_layer_end(self, state, task, frame):
        self.stop("on_layer_end", state)

    def on_job_end(self, state, task, frame, status):
        self.stop("on_job_end", state)

    def stop(self, hook, state):
        if hook == self.hook and state.now_ns > 1000:
            raise KeyboardInterrupt


@pytest.mark.parametrize("hook", ["on_release", "on_layer_end", "on_job_end"])
def test_an_interrupt_in_a_hook_loses_no_job(problem, hook):
    with pytest.raises(Interrupted) as caught:
        run(problem, Hooks(hook), layers=True)
    outcome = caught.value.outcome
    expected = run(problem, Hooks(None)).jobs
    released = set(map(tuple, expected[expected["release_ns"] < outcome.end_ns][["task", "frame"]].tolist()))
    assert released <= set(map(tuple, outcome.jobs[["task", "frame"]].tolist()))
    assert (outcome.layers["job"] < len(outcome.jobs)).all()


class Untouched(roles.HashedParameters):
    def start(self, problem):
        return self


def test_a_tuner_never_changes_the_policy_itself(problem):
    with pytest.raises(PolicyError, match="start must return an object of its own"):
        run(problem, Policy(mapper=Untouched(0), tuner=ViolationShare(10)))
    tuned = Policy(mapper=roles.HashedParameters(0), tuner=ViolationShare(100))
    assert run(problem, tuned).provenance == run(problem, tuned).provenance
    hashes = {
        run(problem, Policy(mapper=_testing.TunedScore(), tuner=_testing.ViolationTuner(window))).provenance["inputs_sha256"]
        for window in (10, 500)
    }
    assert len(hashes) == 2


class Selects(Selector):
    def __init__(self, choice):
        self.choice = choice

    def select(self, state, row):
        return self.choice


def supernet_problem():
    layers = chain("x", 2).layers
    model = Model(name="m", subnets=(Subnet(name="large", layers=layers), Subnet(name="small", layers=layers[:1])))
    task = once("a", "x", 1, deadline_ns=900).model_copy(update={"model": model})
    return problem_of([task], {"m/large": [[100], [50]], "m/small": [[70]]})


def test_without_a_selector_the_largest_subnet_runs():
    assert run(supernet_problem()).jobs[0]["finish_ns"] == 150


@pytest.mark.parametrize("selector", [Selects(1), _testing.LightestSelector()])
def test_selector_chooses_the_subnet(selector):
    job = run(supernet_problem(), Policy(mapper=roles.FirstCome(), selector=selector)).jobs[0]
    assert (job["subnet"], job["finish_ns"]) == (1, 70)


@pytest.mark.parametrize(("choice", "message"), [(2, "subnet 2 of task 0 frame 0: its model has 2"), (-1, "Selects.select must answer")])
def test_subnets_are_checked(choice, message):
    with pytest.raises(PolicyError, match=message):
        run(supernet_problem(), Policy(mapper=roles.FirstCome(), selector=Selects(choice)))


class LateRows(Dropper):
    def drop(self, state):
        return np.flatnonzero(state.deadline_ns < state.now_ns)


class HalfCaps(Regulator):
    def regulate(self, state):
        demand = state.running.demand_bytes_per_ns
        return np.where(demand > 0, 0.5 * demand, 1.0)


class ViolationShare(Tuner):
    def __init__(self, window_ns):
        self.window_ns = window_ns

    def tune(self, window, parameters):
        ended = window.n_ended.sum()
        parameters[0] = window.n_violated.sum() / ended if ended else 0.0


class Tilted(roles.HashedParameters):
    def score(self, state):
        tilt = self.parameters[0]
        per_job = tilt * state.release_ns - (1.0 - tilt) * state.deadline_ns
        return per_job[:, None] - np.arange(state.problem.n_accelerators)


def test_native_roles_equal_python_ones(problem):
    native = Policy(
        mapper=_testing.TunedScore(),
        dropper=_testing.LateDropper(),
        regulator=_testing.HalfRegulator(),
        tuner=_testing.ViolationTuner(1000),
    )
    python = Policy(mapper=Tilted(0), dropper=LateRows(), regulator=HalfCaps(), tuner=ViolationShare(1000))
    first, second = run(problem, native, layers=True), run(problem, python, layers=True)
    assert first.jobs.tobytes() == second.jobs.tobytes()
    assert first.layers.tobytes() == second.layers.tobytes()
    assert (first.jobs["status"] == 2).any()
    assert_equal_runs(second, run_reference(problem, python, 0))
    assert run(problem, _testing.SlackScore()).jobs.tobytes() == run(problem, "edf").jobs.tobytes()


def test_one_policy_object_serves_many_runs_and_threads(problem):
    policy = Policy(mapper=_testing.TunedScore(), tuner=_testing.ViolationTuner(1000))
    expected = run(problem, policy, seed=3)
    with ThreadPoolExecutor(8) as pool:
        for outcome in pool.map(lambda _: run(problem, policy, seed=3), range(16)):
            assert outcome.jobs.tobytes() == expected.jobs.tobytes()


class CapsByTime(Regulator):
    """Half of the demand until 150 ns, none after."""

    def regulate(self, state):
        return state.running.demand_bytes_per_ns * (0.5 if state.now_ns < 150 else 1.0)


def test_window_end_lets_the_regulator_answer_again():
    problem = problem_of([once("a", "m", 1, deadline_ns=900)], {"m": [[100]]}, dram_bytes=90)
    policy = Policy(mapper=roles.HashedParameters(0), regulator=CapsByTime())
    assert run(problem, policy).jobs[0]["finish_ns"] == 200
    tuned = Policy(mapper=roles.HashedParameters(0), regulator=CapsByTime(), tuner=ViolationShare(160))
    # 80 of 100 ns are done by 160; the rest runs at full speed.
    assert run(problem, tuned).jobs[0]["finish_ns"] == 180


def test_nothing_is_decided_at_the_last_instant():
    # The first frame takes from 0 to 1000, which is the end of the run: it is met, and the second one never starts.
    problem = problem_of([once("a", "m", 1, deadline_ns=1000, period_ns=500)], {"m": [[1000]]}, duration_s=1e-6, drain_s=0.0)
    jobs = run(problem).jobs
    assert jobs["finish_ns"].tolist() == [1000, -1]
    assert jobs["start_ns"].tolist() == [0, -1]


class Counting(Mapper):
    """Mapper and regulator in one, to see that it is started once."""

    def __init__(self):
        self.starts = 0

    def start(self, problem):
        self.starts += 1
        return self

    def key(self, state, row):
        return 0

    def regulate(self, state):
        return np.full(state.running.n, np.inf)


def test_a_role_in_two_places_is_started_once(problem):
    both = Counting()
    run(problem, Policy(mapper=both, regulator=both))
    assert both.starts == 1


def test_tuner_needs_parameters(problem):
    with pytest.raises(PolicyError, match="a tuner needs a mapper with parameters"):
        run(problem, Policy(mapper=roles.FirstCome(), tuner=ViolationShare(10)))


class TwoForms(Mapper):
    def score(self, state):
        return state.slack_ns

    def key(self, state, row):
        return 0


@pytest.mark.parametrize("mapper", [TwoForms(), Mapper()])
def test_mapper_has_exactly_one_form(problem, mapper):
    with pytest.raises(PolicyError, match="must define exactly one of score, key and assign"):
        run(problem, mapper)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", True])
def test_seed_is_checked(problem, seed):
    with pytest.raises(InputError, match="seed must be an integer from 0 to"):
        run(problem, seed=seed)


def test_unknown_policy_is_named(problem):
    with pytest.raises(InputError, match="unknown policy 'srtp'; did you mean 'srpt'"):
        run(problem, "srtp")


HASH = """
import hashlib, rtsched
outcome = rtsched.simulate("vr_gaming", policy="llf", seed=11, duration_s=1.0, layers=True)
print(hashlib.sha256(outcome.jobs.tobytes() + outcome.layers.tobytes() + repr(outcome.provenance).encode()).hexdigest())
"""


def test_same_bytes_in_another_process_with_another_hash_seed():
    outcome = rtsched.simulate("vr_gaming", policy="llf", seed=11, duration_s=1.0, layers=True)
    expected = hashlib.sha256(outcome.jobs.tobytes() + outcome.layers.tobytes() + repr(outcome.provenance).encode()).hexdigest()
    for hash_seed in ("1", "4711"):
        done = subprocess.run(
            [sys.executable, "-P", "-c", HASH], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_import_is_lean():
    """No extra and no heavy optional module is imported with the package."""
    code = "import json, sys, rtsched; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"onnx", "pandas", "polars", "matplotlib", "plotly", "scipy", "typer", "rich", "ruamel", "dask", "ray", "joblib"}


def test_every_job_of_a_long_run_has_its_row():
    """More than 2**20 jobs: records are kept in blocks, at first of growing size."""
    tasks = [once("a", "m", 1, deadline_ns=5, period_ns=10), once("b", "m", 1, release_ns=4, deadline_ns=5, period_ns=10)]
    jobs = run(problem_of(tasks, {"m": [[3]]}, duration_s=6e-3), "fcfs").jobs
    frames = np.arange(600_000)
    assert np.array_equal(jobs["frame"], np.concatenate([frames, frames]))
    assert np.array_equal(jobs["task"], np.repeat([0, 1], len(frames)))
    assert np.array_equal(jobs["release_ns"], np.concatenate([10 * frames, 10 * frames + 4]))
    assert np.array_equal(jobs["finish_ns"], jobs["release_ns"] + 3)


@pytest.mark.parametrize("hours", [30, 50])
def test_times_of_long_runs_are_whole(hours):
    """What a record keeps of a time is enough for 39 hours; longer runs keep more."""
    hour_ns = 3600 * 10**9
    tasks = [
        once("a", "m", 2, deadline_ns=hour_ns, release_ns=(hours - 1) * hour_ns, period_ns=hour_ns),
        once("b", "m", 2, deadline_ns=1, period_ns=hour_ns),
    ]
    problem = problem_of(tasks, {"m": [[hour_ns // 3]] * 2}, duration_s=3600 * hours)
    outcome = run(problem, "edf")
    assert_equal_runs(outcome, run_reference(problem, Policy(mapper=roles.EarliestDeadline()), 0))
    assert outcome.jobs["finish_ns"].max() > (hours - 1) * hour_ns
