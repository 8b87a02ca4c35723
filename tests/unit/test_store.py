"""The store of finished runs: keys, whole runs, damage, other processes, and the order of what is read back."""

import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

import rtsched
from rtsched.errors import InputError
from rtsched.metrics import SCALARS
from rtsched.policies.registry import configure, load_policy
from rtsched.study.reproduce.session import Session
from rtsched.study.runner import PlannedRun
from rtsched.study.store import SCHEMA, Store
from rtsched.study.stored import RunLabel, StoredRun, SubnetJobs, TaskResult, run_key, stored_run

NAN = math.nan


def made(seed=0, **changes):
    """A run that nobody made."""
    label = RunLabel("s", "p", "edf", 1.0, 2.0, seed, {"mapper.alpha": 0.5, "scenario.time_factor": {"sigma": 0.1}})
    tasks = (TaskResult("a", 5, 4, 1, 0, 0.5, 1e-3, 2e6, NAN), TaskResult("b", 0, 0, 0, 0, 1.0, 0.0, NAN, NAN))
    subnets = (SubnetJobs("m", "large", 76.5, 3), SubnetJobs("m", "small", NAN, 1))
    run = StoredRun(label, {"uxcost": 0.1 + seed, "antt": NAN}, tasks, subnets, 0.25)
    return replace(run, label=replace(label, **changes)) if changes else run


def same(one, other):
    """Whether two runs are equal; NaN equals itself."""
    bare = [replace(run, wall_s=0.0, scalars=dict(sorted(run.scalars.items()))) for run in (one, other)]
    return repr(bare[0]) == repr(bare[1])


def fault(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    (message,) = caught.value.faults
    return message


def contents(path):
    with Store(path) as store:
        return [(key, repr(replace(run, wall_s=0.0))) for key, run in store.runs()]


# Keys


def test_the_key_is_of_the_whole_input(monkeypatch):
    problem = rtsched.compile("vr_gaming", duration_s=0.1)
    herald = load_policy("herald")
    key = run_key(problem, herald, 0)
    assert key == run_key(rtsched.compile("vr_gaming", duration_s=0.1), load_policy("herald"), 0)
    others = [
        run_key(problem, herald, 1),
        run_key(problem, load_policy("edf"), 0),
        run_key(problem, replace(herald, name="mine"), 0),
        run_key(problem, configure(herald, {"mapper.balance": 1.5}), 0),
        run_key(rtsched.compile("vr_gaming", duration_s=0.2), herald, 0),
        run_key(rtsched.compile("vr_gaming", duration_s=0.1, load=1.1), herald, 0),
        run_key(rtsched.compile("vr_gaming", "dream_4k_2ws", duration_s=0.1), herald, 0),
        run_key(rtsched.compile("vr_gaming", duration_s=0.1, settings={"scenario.tasks.gaze.fps": 61}), herald, 0),
    ]
    monkeypatch.setattr("rtsched.study.stored.__version__", "0.0.0")
    others.append(run_key(problem, herald, 0))
    assert len({key, *others}) == len(others) + 1


def test_what_is_kept_of_an_outcome():
    outcome = rtsched.simulate("vr_gaming", policy="edf", duration_s=0.5, load=1.5)
    run = stored_run(outcome, RunLabel("vr_gaming", "x", "edf", 1.5, 0.5, 0), 1.0)
    assert run.scalars == pytest.approx({name: one.of(outcome.metrics) for name, one in SCALARS.items()}, nan_ok=True)
    assert [one.task for one in run.tasks] == list(outcome.problem.task_names)
    assert [one.n_violated for one in run.tasks] == outcome.metrics.n_violated.tolist()
    assert [one.n_counting for one in run.tasks] == outcome.metrics.n_counting.tolist()
    assert [one.latency_p99_ns for one in run.tasks] == pytest.approx(outcome.metrics.latency_ns[:, 2].tolist(), nan_ok=True)
    assert sum(one.energy_j for one in run.tasks) == pytest.approx(outcome.metrics.dynamic_energy_j)
    assert {one.model for one in run.subnets} == {"ofa_mobilenetv3"}
    assert len(run.subnets) == 4
    assert run.accuracy == pytest.approx(run.subnets[0].accuracy)


def test_the_accuracy_is_that_of_the_subnets_that_ran():
    run = made()
    assert run.accuracy == 76.5
    both = replace(run, subnets=(SubnetJobs("m", "large", 80.0, 1), SubnetJobs("m", "small", 70.0, 3)))
    assert both.accuracy == 72.5
    assert math.isnan(replace(run, subnets=()).accuracy)


# Reading back


def test_runs_come_back_as_they_were(tmp_path):
    runs = {"k0": made(), "k1": made(2**64 - 1), "k2": replace(made(7), tasks=(), subnets=(), scalars={})}
    with Store(tmp_path / "s.sqlite") as store:
        for key, run in runs.items():
            store.add(key, run)
        assert len(store) == 3
    with Store(tmp_path / "s.sqlite") as store:
        found = store.load(["k2", "k0", "missing", "k1", "k0"])
        assert found[2] is None
        assert all(same(one, runs[key]) for key, one in zip(("k2", "k0", "k1", "k0"), found[:2] + found[3:], strict=True))
        assert found[1].wall_s == 0.25
        assert store.present(["k0", "missing", "k2"]) == {"k0", "k2"}


def test_many_keys_at_once(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        for seed in range(1203):
            store.add(f"k{seed}", made(seed))
        keys = [f"k{seed}" for seed in range(1300)]
        assert len(store.present(keys)) == 1203
        assert [run.label.seed for run in store.load(keys)[:1203]] == list(range(1203))
        assert [run.label.seed for _, run in store.runs()] == list(range(1203))


def test_a_run_is_added_once(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        store.add("k", made())
        store.add("k", replace(made(), scalars={"uxcost": 9.0}))
        assert len(store) == 1
        assert store.load(["k"])[0].scalars["uxcost"] == 0.1


def test_runs_are_exported_by_what_they_are(tmp_path):
    labels = [
        {"seed": 3}, {"seed": 2**63 + 5}, {"seed": 1, "policy": "llf"}, {"seed": 1, "load": 0.5}, {"seed": 1, "settings": {}},
        {"seed": 0, "scenario": "t"}, {"seed": 1, "platform": "q"}, {"seed": 2**63 - 1},
    ]  # fmt: skip
    runs = [(f"k{i}", made(**changes)) for i, changes in enumerate(labels)]
    for name, order in (("one", runs), ("other", runs[::-1])):
        with Store(tmp_path / name) as store:
            for place, (key, run) in enumerate(order):
                store.add(key, replace(run, wall_s=float(place)))
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    # By scenario, platform, policy, settings, load, duration and seed.
    assert [key for key, _ in contents(tmp_path / "one")] == ["k3", "k0", "k7", "k1", "k4", "k2", "k6", "k5"]


# Files that cannot be used


def test_what_is_no_store(tmp_path):
    text = tmp_path / "text"
    text.write_text("no database at all, but long enough to be looked at" * 30)
    assert fault(Store, text) == f"{text}: is no store of runs"
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (a)")
    db.close()
    assert fault(Store, other) == f"{other}: is no store of runs"
    assert fault(Store, tmp_path) == f"{tmp_path}: cannot be used as a store of runs: is a directory"
    nowhere = tmp_path / "nowhere" / "s.sqlite"
    assert fault(Store, nowhere) == f"{nowhere}: cannot be opened for writing; is its folder there, and may files be made in it?"


def test_a_store_of_another_schema(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    assert fault(Store, path).startswith(f"{path}: is a store of schema {SCHEMA + 1}, this version of rtsched has schema {SCHEMA}; ")


def test_a_damaged_store(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        for seed in range(200):
            store.add(f"k{seed}", made(seed))
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with Store(path) as store:
        assert fault(store.load, [f"k{seed}" for seed in range(200)]).startswith(f"{path}: is damaged (")


def test_a_run_of_which_something_was_deleted(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.add("k" * 64, made())
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM clock")
    db.close()
    with Store(path) as store:
        assert fault(store.load, ["k" * 64]) == f"{path}: is damaged (run kkkkkkkkkkkk is not whole); move it away to begin anew"
        assert fault(list, store.runs()).startswith(f"{path}: is damaged (run k")


def test_a_run_without_a_metric_that_a_study_needs(tmp_path):
    path = tmp_path / "s.sqlite"
    planned = [PlannedRun("vr_gaming", "dream_4k_1ws2os", load_policy("edf"), 0, load=1.0, duration_s=0.05)]
    with Store(path) as store:
        Session(store).results("x", planned)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM scalars WHERE metric = 'uxcost'")
    db.close()
    with Store(path) as store:
        message = fault(Session(store, kept=("sla", "uxcost")).results, "x", planned)
    assert message == f"{path}: is damaged (a run of edf on vr_gaming has no uxcost); move it away to begin anew"


def test_a_store_that_may_only_be_read(tmp_path, monkeypatch):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda where, **options: connect(f"file:{where}?mode=ro", uri=True, **options))
    with Store(path) as store:
        message = fault(store.add, "k", made())
    assert message == f"{path}: cannot be used as a store of runs: attempt to write a readonly database"


# Other processes


def test_a_store_that_another_process_holds(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path, patience_s=0.1) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        expected = f"{path}: another process has been writing to it for 0.1 s; try again when that has ended"
        assert fault(store.add, "k", made()) == expected
        assert store.present(["k"]) == set()  # reading goes on
        other.execute("ROLLBACK")
        other.close()
        store.add("k", made())
        assert len(store) == 1


ADDING = """
import itertools, sys
from dataclasses import replace
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel, StoredRun, SubnetJobs, TaskResult

path, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tasks = tuple(TaskResult(f"t{i}", 5, 4, 1, 0, 0.5, 1e-3, 2e6, 3e6) for i in range(50))
subnets = tuple(SubnetJobs("m", f"s{i}", 70.0, i) for i in range(50))
scalars = {f"metric {i}": float(i) for i in range(50)}
with Store(path) as store:
    for seed in itertools.islice(itertools.count(first), n or None):
        store.add(f"k{seed}", StoredRun(RunLabel("s", "p", "edf", 1.0, 2.0, seed), scalars, tasks, subnets, 0.1))
"""


def adding(path, first, n):
    return subprocess.Popen([sys.executable, "-P", "-c", ADDING, str(path), str(first), str(n)], stderr=subprocess.PIPE, text=True)


def test_a_store_that_another_process_begins_to_use(tmp_path):
    """SQLite can turn to logging ahead only while nobody else reads the file."""
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM runs").fetchone()
    release = threading.Timer(0.3, other.close)
    release.start()
    with Store(path) as store:
        assert len(store) == 0
    release.join()


def test_a_killed_process_leaves_whole_runs(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    for attempt in range(3):
        process = adding(path, 100_000 * attempt, 0)
        with Store(path) as store:
            begun = len(store)
            while len(store) < begun + 20:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        with Store(path) as store:
            found = [run for _, run in store.runs()]
            assert len(found) >= begun + 20
            assert {(len(run.scalars), len(run.tasks), len(run.subnets), run.wall_s) for run in found} == {(50, 50, 50, 0.1)}
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_two_processes_fill_one_store(tmp_path):
    path = tmp_path / "s.sqlite"
    processes = [adding(path, first, 60) for first in (0, 30)]
    for process in processes:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    with Store(path) as store:
        assert [run.label.seed for _, run in store.runs()] == list(range(90))
