"""Planned runs: what is skipped, how often problems are compiled, Ctrl-C, failures."""

import gc
import math
import re
import signal
import sqlite3
import subprocess
import sys
import time
import weakref
from _thread import interrupt_main
from pathlib import Path

import pytest

import rtsched
from rtsched.errors import InputError, PolicyError
from rtsched.metrics import SCALARS
from rtsched.policies.registry import configure, load_policy
from rtsched.policies.roles import Mapper, Policy
from rtsched.study import runner
from rtsched.study.runner import PlannedRun, RunsInterrupted, run_planned
from rtsched.study.store import Store
from rtsched.study.stored import run_key

EDF, LLF = load_policy("edf"), load_policy("llf")


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.sqlite") as made:
        yield made


@pytest.fixture
def compiled(monkeypatch):
    """What is compiled, in this order; weak references to the problems."""
    seen = []
    original = runner.compile

    def compile(scenario, platform, **options):  # noqa: A001
        problem = original(scenario, platform, **options)
        seen.append((scenario, options["load"], weakref.ref(problem)))
        return problem

    monkeypatch.setattr(runner, "compile", compile)
    return seen


def planned(loads=(1.0,), policies=(EDF, LLF), seeds=(0, 1), **options):
    return [
        PlannedRun("vr_gaming", "dream_4k_1ws2os", policy, seed, load=load, duration_s=0.1, **options)
        for load in loads
        for policy in policies
        for seed in seeds
    ]


@pytest.mark.parametrize("threads", [1, 3])
def test_results_are_those_of_single_runs(store, threads):
    keys = run_planned(planned(loads=(1.0, 1.5)), store, threads=threads)
    for key, one, run in zip(keys, planned(loads=(1.0, 1.5)), store.load(keys), strict=True):
        outcome = rtsched.simulate("vr_gaming", "dream_4k_1ws2os", one.policy, seed=one.seed, load=one.load, duration_s=0.1)
        assert run.scalars == pytest.approx({name: scalar.of(outcome.metrics) for name, scalar in SCALARS.items()}, nan_ok=True)
        assert (run.label.policy, run.label.seed, run.label.load) == (one.policy.name, one.seed, one.load)
        assert run.wall_s > 0
        assert key == run_key(one.compiled(), one.policy, one.seed)


def test_what_is_in_the_store_is_skipped(store):
    seen = []
    first = run_planned(planned(), store, progress=lambda *at: seen.append(at))
    assert seen[-1] == (4, 4)
    before = [run.wall_s for run in store.load(first)]
    again = run_planned(planned(seeds=(0, 1, 2)), store, progress=lambda *at: seen.append(at))
    assert seen[-1] == (2, 2)
    assert len(store) == 6
    assert [again[0], again[1], again[3], again[4]] == first
    assert [run.wall_s for run in store.load(first)] == before
    assert run_planned(planned(), store) == first
    assert run_planned([], store) == []


def test_the_same_run_is_made_once(store):
    plan = planned() * 3
    seen = []
    keys = run_planned(plan, store, progress=lambda *at: seen.append(at))
    assert keys[:4] * 3 == keys
    assert seen[-1] == (4, 4)


def test_each_problem_is_compiled_once_and_dropped(store, compiled):
    plan = planned(loads=(1.0, 1.5, 2.0))
    plan = plan[::2] + plan[1::2]  # runs of a problem need not follow one another
    n_alive = []

    def look(n_done, n_runs):
        gc.collect()
        n_alive.append(sum(problem() is not None for _, _, problem in compiled))

    run_planned(plan, store, threads=1, progress=look)
    assert [load for _, load, _ in compiled] == [1.0, 1.5, 2.0]
    gc.collect()
    assert max(n_alive) <= 2
    assert [problem() for _, _, problem in compiled] == [None] * 3


def test_settings_make_another_run(store):
    changed = planned(settings={"scenario.tasks.gaze.fps": 61}, changes={"mapper.x": 1}, policies=(EDF,), seeds=(0,))
    plain = planned(policies=(EDF,), seeds=(0,))
    one, other = store.load(run_planned([*changed, *plain], store))
    assert one.label.settings == {"scenario.tasks.gaze.fps": 61, "mapper.x": 1}
    assert other.label.settings == {}
    assert one.scalars["energy_j"] > other.scalars["energy_j"]
    balances = [configure(load_policy("herald"), {"mapper.balance": value}) for value in (1.2, 3.0)]
    assert len(set(run_planned(planned(policies=balances, seeds=(0,)), store))) == 2


class Fails(Mapper):
    def score(self, state):
        raise ValueError("no answer")


class NoNumber(Mapper):
    def key(self, state, row):
        return "x"


def test_failures_say_where_they_come_from_and_keep_what_is_done(store):
    broken = Policy(mapper=Fails(), name="broken")
    with pytest.raises(ValueError, match="no answer") as caught:
        run_planned([*planned(), *planned(policies=(broken,), seeds=(4,))], store, threads=1)
    assert caught.value.__notes__ == ["in the run with policy 'broken' and seed 4"]
    assert len(store) == 4
    with pytest.raises((PolicyError, TypeError)):
        run_planned(planned(policies=(Policy(mapper=NoNumber(), name="none"),)), store)


def test_a_problem_that_cannot_be_compiled(store):
    with pytest.raises(InputError, match=r"unknown key 'tusks'"):
        run_planned([*planned(), *planned(settings={"scenario.tusks": 1})], store, threads=1)
    assert len(store) == 4


def test_ctrl_c_keeps_what_is_finished(store):
    def interrupt(n_done, n_runs):
        if n_done >= 3:
            interrupt_main()

    plan = planned(seeds=range(100_000))
    with pytest.raises(RunsInterrupted) as caught:
        run_planned(plan, store, threads=2, progress=interrupt)
    assert 3 <= len(store) == caught.value.n_new < 200_000
    assert len(caught.value.keys) == len(plan)
    assert len(store.present(key for key in caught.value.keys if key is not None)) == len(store)


def test_what_progress_raises_stops_the_runs(store):
    def interrupt(n_done, n_runs):
        raise KeyboardInterrupt

    plan = [PlannedRun("vr_gaming", "dream_4k_1ws2os", EDF, 0, duration_s=1e5)]
    with pytest.raises(RunsInterrupted):
        run_planned(plan, store, progress=interrupt)
    assert len(store) == 0


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs/reproducing.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "page", "exec"), {})
    assert len(capsys.readouterr().out.split(",")) == 4
    # The query of the page, with another program.
    (query,) = re.findall(r'^sqlite3 \S+ "(.*)"$', page, flags=re.MULTILINE)
    with sqlite3.connect("runs.sqlite") as db:
        assert [row[0] for row in db.execute(query)] == ["edf"]
    db.close()


RUNNING = """
import sys
from rtsched.policies.registry import load_policy
from rtsched.study.runner import PlannedRun, run_planned
from rtsched.study.store import Store

plan = [PlannedRun("vr_gaming", "dream_4k_1ws2os", load_policy("edf"), seed, duration_s=0.1) for seed in range(int(sys.argv[2]))]
with Store(sys.argv[1]) as store:
    run_planned(plan, store)
"""


def test_a_killed_study_goes_on_where_it_was(tmp_path):
    command = [sys.executable, "-P", "-c", RUNNING]
    process = subprocess.Popen([*command, str(tmp_path / "s.sqlite"), "100000"], stderr=subprocess.PIPE, text=True)
    with Store(tmp_path / "s.sqlite") as store:
        while len(store) < 5:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Store(tmp_path / "s.sqlite") as store:
        n_kept = len(store)
        n_wanted = n_kept + 3
    subprocess.run([*command, str(tmp_path / "s.sqlite"), str(n_wanted)], check=True)
    subprocess.run([*command, str(tmp_path / "whole.sqlite"), str(n_wanted)], check=True)
    with Store(tmp_path / "s.sqlite") as store, Store(tmp_path / "whole.sqlite") as whole:
        found, expected = ([(key, re.sub(r"wall_s=[^)]*", "", repr(run))) for key, run in one.runs()] for one in (store, whole))
        assert [entry for entry in found if entry in expected] == expected
        assert all(math.isfinite(run.scalars["uxcost"]) for _, run in store.runs())
