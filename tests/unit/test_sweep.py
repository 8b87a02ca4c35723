"""Studies that are run: what comes into the store, back ends, resuming, extending, Ctrl-C, processes that die."""

import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from program import MINE
from sweeping import failing, made

import rtsched
from rtsched.errors import InputError, PolicyError
from rtsched.metrics import SCALARS
from rtsched.policies.registry import configure, load_policy
from rtsched.study import runner
from rtsched.study.store import Store
from rtsched.study.stored import run_key
from rtsched.study.sweep import batches
from rtsched.study.sweep.model import Study
from rtsched.study.sweep.results import StudyRuns
from rtsched.study.sweep.run import SweepInterrupted
from rtsched.study.sweep.studies import Studies

TESTS = str(Path(__file__).parents[1])


def contents(path):
    """Everything but wall times: runs by their keys, and which belong to which study."""
    with Store(path) as store:
        runs = [(key, run.label, sorted(run.scalars.items()), run.tasks, run.subnets) for key, run in store.runs()]
        with store.reading() as db:
            members = db.execute("SELECT place, key FROM members JOIN runs USING (run) ORDER BY study, place").fetchall()
            studies = db.execute("SELECT * FROM studies").fetchall()
    return repr((runs, members, studies))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s.sqlite"


# What comes into the store


def test_runs_are_those_that_anybody_would_do(path):
    runs = made().run(path, workers=1)
    assert runs.is_complete
    assert runs.values.shape == (len(SCALARS), 4, 2, 2)
    for number, cell in enumerate(runs.grid.cells()):
        problem = rtsched.compile("vr_gaming", "dream_4k_1ws2os", duration_s=0.1, load=cell.settings["scenario.load"])
        dream = configure(load_policy("dream-fixed"), cell.of_policies)
        for i, policy in enumerate((load_policy("fcfs"), dream)):
            for seed in range(2):
                metrics = rtsched.run(problem, policy, seed=seed).metrics
                expected = [one.of(metrics) for one in SCALARS.values()]
                assert runs.values[:, number, i, seed].tolist() == pytest.approx(expected, nan_ok=True, rel=1e-12)
                with Store(path) as store:
                    assert store.present([run_key(problem, policy, seed)])


def test_what_is_the_same_run_is_run_once(path):
    """The settings of a mapper are nothing to a policy that does not have them."""
    runs = made().run(path, workers=1)
    with Store(path) as store:
        labels = [run.label for _, run in store.runs()]
    assert len(labels) == 2 * (1 + 2) * 2 < runs.grid.n_runs == 16
    assert {(one.load, *sorted(one.settings)) for one in labels if one.policy == "fcfs"} == {(1.0,), (1.5,)}
    assert {one.settings["mapper.alpha"] for one in labels if one.policy == "dream-fixed"} == {0.5, 1.0}
    assert {one.duration_s for one in labels} == {0.1}


def test_runs_of_others_are_found(path):
    """Those of reproductions, and of studies with another name."""
    fcfs = load_policy("fcfs")
    planned = [runner.PlannedRun("vr_gaming", "dream_4k_1ws2os", fcfs, seed, load=1.5, duration_s=0.1) for seed in range(2)]
    with Store(path) as store:
        runner.run_planned(planned, store)
        before = store.n_added
        made().run(store, workers=1)
        assert store.n_added - before == 12 - 2
        made(name="other").run(store, workers=1)
        assert store.n_added - before == 12 - 2
        assert list(Studies(store).names()) == ["other", "s"]


@pytest.mark.parametrize("values", [[0.5, 1.0], [1.0, 0.5]])
def test_an_alias_of_a_run_has_one_label_whoever_was_first(path, values):
    """A weight of 1 is the default: the run without a setting is the same."""
    points = [{}, *({"mapper.alpha": value} for value in values)]
    study = made(policies=["dream-fixed"], axes=[], points=points if values[0] == 1 else points[::-1], seeds=1)
    study.run(path, workers=1)
    with Store(path) as store:
        assert sorted(str(dict(run.label.settings)) for _, run in store.runs()) == ["{'mapper.alpha': 0.5}", "{'mapper.alpha': 1.0}"]


def test_an_own_platform_has_its_name(path):
    runs = made(platforms=None, seeds=1).run(path, workers=1)
    assert set(runs.columns()["platform"]) == {"dream_4k_1ws2os"}
    with Store(path) as store:
        assert {run.label.platform for _, run in store.runs()} == {"dream_4k_1ws2os"}


def test_nothing_is_left_to_do(path, monkeypatch):
    first = made().run(path, workers=1)
    before = contents(path)
    monkeypatch.setattr(batches, "run", None)
    again = made().run(path, workers=1)
    assert repr(again.columns()) == repr(first.columns())
    assert contents(path) == before


def test_a_study_that_grows_runs_what_is_new(path):
    with Store(path) as store:
        made().run(store, workers=1)
        before = store.n_added
        grown = made(seeds=3, axes=[{"path": "scenario.load", "values": [1, 1.25, 1.5]}]).run(store, workers=1)
        assert grown.is_complete
        # The load of 1.25 and the third seeds of the others. A weight of 1 is the default of dream-fixed, and is found again.
        assert store.n_added - before == 2 * (3 + 2)


def test_a_changed_scenario_begins_anew(tmp_path, path):
    (tmp_path / "a.yaml").write_text("name: a\nplatform: dream_4k_2ws\ntasks: [{name: t, model: kws_res8, fps: 30}]\n")
    (tmp_path / "s.yaml").write_text("name: s\nscenarios: [a.yaml]\npolicies: [edf]\nduration_s: 0.2\nseeds: 2\n")
    first = Study.read(tmp_path / "s.yaml").run(path, workers=1)
    (tmp_path / "a.yaml").write_text("name: a\nplatform: dream_4k_2ws\ntasks: [{name: t, model: kws_res8, fps: 60}]\n")
    second = Study.read(tmp_path / "s.yaml").run(path, workers=1)
    row = second.metrics.index("dynamic_energy_j")
    assert second.values[row].ravel() == pytest.approx(2 * first.values[row].ravel())
    with Store(path) as store:
        assert len(store) == 4


def test_files_are_found_from_the_folder_of_the_study(tmp_path, path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE)
    (folder / "a.yaml").write_text("name: a\nplatform: dream_4k_2ws\ntasks: [{name: t, model: kws_res8, fps: 30}]\n")
    (folder / "s.yaml").write_text("name: s\nscenarios: [a.yaml]\npolicies: [mine.py:p2, mine.py:p8]\nduration_s: 0.1\nseeds: 1\n")
    runs = Study.read(folder / "s.yaml").run(path, workers=2)
    assert runs.is_complete
    assert runs.columns()["policy"].tolist() == ["mine.py:p2", "mine.py:p8"]


# Back ends


def test_every_number_of_processes_gives_the_same(tmp_path):
    for n in (1, 2):
        made().run(tmp_path / f"{n}.sqlite", workers=n)
    assert contents(tmp_path / "1.sqlite") == contents(tmp_path / "2.sqlite")


CLUSTERS = [
    pytest.param(backend, marks=pytest.mark.skipif(find_spec(module) is None, reason=f"needs {needs}"))
    for backend, module, needs in (("dask", "distributed", "dask[distributed]"), ("ray", "ray", "ray"))
]


@pytest.mark.parametrize("backend", CLUSTERS)
@pytest.mark.filterwarnings("ignore")
def test_local_clusters_give_the_same(backend, tmp_path, monkeypatch):
    """Of two processes each."""
    monkeypatch.chdir(tmp_path)  # Ray's look for modules there first, and the sources are not compiled
    made().run(tmp_path / "loky.sqlite", workers=2)
    made().run(tmp_path / "cluster.sqlite", backend=backend, workers=2)
    assert contents(tmp_path / "loky.sqlite") == contents(tmp_path / "cluster.sqlite")


def test_back_ends_that_answer_at_the_end_only(tmp_path, monkeypatch):
    """As Ray's does."""
    from joblib._parallel_backends import LokyBackend

    made().run(tmp_path / "1.sqlite", workers=2)
    monkeypatch.setattr(LokyBackend, "supports_return_generator", False)
    made().run(tmp_path / "2.sqlite", workers=2)
    assert contents(tmp_path / "1.sqlite") == contents(tmp_path / "2.sqlite")


def test_a_back_end_that_is_not_there(path, monkeypatch):
    monkeypatch.setattr("rtsched.study.sweep.backends.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        made().run(path, backend="dask", workers=0)
    assert caught.value.faults == (
        "workers: must be at least 1, got 0",
        "backend dask: needs joblib, which is not installed: pip install 'rtsched[study]'",
        "backend dask: needs distributed, which is not installed: pip install 'rtsched[dask]'",
    )
    with pytest.raises(InputError, match="must be one of loky, dask, ray, got 'lok'; did you mean 'loky'"):
        made().run(path, backend="lok")
    assert not path.exists()


# What goes wrong


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("name", "message"), [("Nan", "score.* must be"), ("Raises", "policy failed:\n(.*\n)*KeyError: 'mine'")])
def test_a_policy_that_breaks_its_contract(tmp_path, path, name, message, workers):
    with pytest.raises(PolicyError, match=message) as caught:
        failing(tmp_path, name).run(path, workers=workers)
    assert "vr_gaming on dream_4k_1ws2os with mapper.when_s=0.05, policy" in str(caught.value)
    with Store(path) as store:
        assert len(store) >= (2 * (1 + 2) if workers == 1 else 1)  # what came before


def test_values_that_fail_together(path):
    """Each can be set alone, which is all that is looked at before."""
    axes = [{"path": "scenario.load", "values": [1]}, {"path": "scenario.tasks.gaze.fps", "values": [30, 60]}]
    axes += [{"path": "scenario.tasks.gaze.jitter_ms", "values": [1, 30]}]
    with pytest.raises(InputError, match=r"are longer than the period.*\(vr_gaming with .*fps=60.*jitter_ms=30"):
        made(axes=axes).run(path, workers=1)
    with Store(path) as store:
        assert len(store) == 3 * 2 * 2  # three cells


def test_a_process_that_dies(tmp_path, path):
    with pytest.raises(InputError, match="a process that did the runs has died") as caught:
        failing(tmp_path, "Dies").run(path, workers=2)
    assert len(caught.value.faults) == 1
    with Store(path) as store:
        n_kept = len(store)
    assert n_kept > 0
    runs = made(policies=["fcfs"], axes=[]).run(path, workers=2)
    assert runs.is_complete


@pytest.mark.parametrize("backend", CLUSTERS[:1])
@pytest.mark.filterwarnings("ignore")
def test_processes_of_a_cluster_that_die_again_and_again(tmp_path, path, backend):
    """Dask starts another one some times, then gives the batch up."""
    with pytest.raises(InputError, match="a process that did the runs has died"):
        failing(tmp_path, "Dies").run(path, backend=backend, workers=2)
    with Store(path) as store:
        assert len(store) > 0


def test_what_is_there_of_a_study_that_failed(tmp_path, path):
    with pytest.raises(PolicyError):
        failing(tmp_path, "Nan").run(path, workers=1)
    with Store(path) as store:
        runs = StudyRuns.read(store)
    assert not runs.is_complete
    assert runs.whole.tolist() == [0, 1]
    assert len(runs.columns()["seed"]) == runs.is_there.sum() == 2 * 4 + 2


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "x.sqlite").write_text("no\n" * 1000)
    with pytest.raises(InputError, match="is no store of runs"):
        made().run(tmp_path / "x.sqlite", workers=1)


# Ctrl-C


def test_ctrl_c_keeps_what_is_finished(path, monkeypatch):
    original, n_done = batches.stored_run, []

    def stops(*arguments):
        n_done.append(1)
        if len(n_done) == 5:
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(batches, "stored_run", stops)
    with pytest.raises(SweepInterrupted) as caught:
        made().run(path, workers=1)
    assert caught.value.n_new == 4
    with Store(path) as store:
        assert len(store) == 4
    assert made().run(path, workers=1).is_complete


SWEEP = """
import sys
from rtsched_program import main
main()
"""


def start_sweep(folder, *options):
    return subprocess.Popen(
        [sys.executable, "-P", "-c", SWEEP, "sweep", "s.yaml", "-o", "s.sqlite", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: (os.setpgrp(), signal.signal(signal.SIGINT, signal.SIG_DFL)),
    )


def wait_for_runs(path, n, process):
    while process.poll() is None:
        if path.exists() and path.stat().st_size:
            with Store(path) as store:
                if len(store) >= n:
                    return
        time.sleep(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "1")])
def test_ctrl_c_in_a_terminal(tmp_path, options):
    """The whole group of processes gets the signal; one line comes of it."""
    text = "name: s\nscenarios: [vr_gaming]\npolicies: [fcfs, edf]\nduration_s: 1\nseeds: 100000\n"
    (tmp_path / "s.yaml").write_text(text)
    process = start_sweep(tmp_path, *options)
    wait_for_runs(tmp_path / "s.sqlite", 5, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    found = re.fullmatch(r"interrupted; ([\d,]+) new runs are kept in s\.sqlite\. To go on: rtsched sweep s\.yaml -o s\.sqlite\n", err)
    assert found, err
    with Store(tmp_path / "s.sqlite") as store:
        assert len(store) == int(found[1].replace(",", "")) >= 5


def children_of(process):
    """Numbers of the processes that it started, with their command lines."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    found = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return {one: Path(f"/proc/{one}/cmdline").read_text().split("\0") for one in found}


def workers_of(process):
    """Those that do runs."""
    return [one for one, words in children_of(process).items() if "resource_tracker import" not in " ".join(words)]


def test_ctrl_c_comes_when_nothing_is_half_done(path, monkeypatch):
    """Not between a run's being stored and its being counted, nor before the batch is entered into the study."""
    original, n_done = Store._added, []

    def stops(store, *arguments):
        n_done.append(original(store, *arguments))
        if len(n_done) == 3:
            signal.raise_signal(signal.SIGINT)
        return n_done[-1]

    monkeypatch.setattr(Store, "_added", stops)
    with pytest.raises(SweepInterrupted) as caught:
        made().run(path, workers=1)
    with Store(path) as store:
        assert len(store) == caught.value.n_new == 3
        with store.reading() as db:
            assert db.execute("SELECT count(DISTINCT run) FROM members").fetchone() == (3,)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("backend", ["loky", CLUSTERS[0]])
def test_ctrl_c_goes_to_one_process_only(tmp_path, backend):
    """The others do not see it, so that none of them has anything to say; the sweep goes on to the same table."""
    (tmp_path / "s.yaml").write_text("name: s\nscenarios: [vr_gaming]\npolicies: [fcfs]\nduration_s: 0.5\nseeds: 300\n")
    process = start_sweep(tmp_path, "--workers", "2", "--backend", backend)
    wait_for_runs(tmp_path / "s.sqlite", 5, process)
    workers = workers_of(process)
    assert len(workers) == 2
    for one in workers:
        (mask,) = re.findall(r"SigBlk:\s*(\w+)", Path(f"/proc/{one}/status").read_text())
        assert int(mask, 16) & 1 << signal.SIGINT - 1
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(r"interrupted; \d+ new runs are kept in s\.sqlite\. To go on: .*\n", err), err
    assert not any(Path(f"/proc/{one}/exe").exists() for one in workers)
    study = Study.read(tmp_path / "s.yaml")
    study.run(tmp_path / "s.sqlite", workers=1)
    study.run(tmp_path / "whole.sqlite", workers=1)
    assert contents(tmp_path / "s.sqlite") == contents(tmp_path / "whole.sqlite")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_worker_that_is_killed(tmp_path):
    """One message, no gap that is not told, and the same command does the rest."""
    (tmp_path / "s.yaml").write_text("name: s\nscenarios: [vr_gaming]\npolicies: [fcfs]\nduration_s: 0.5\nseeds: 300\n")
    process = start_sweep(tmp_path, "--workers", "2")
    wait_for_runs(tmp_path / "s.sqlite", 5, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    expected = "a process that did the runs has died, perhaps because memory ran out; what was finished is kept. --workers N takes fewer\n"
    assert err == expected
    with Store(tmp_path / "s.sqlite") as store:
        n_kept = len(store)
        assert StudyRuns.read(store).is_there.sum() == n_kept >= 5
    assert n_kept < 300
    assert Study.read(tmp_path / "s.yaml").run(tmp_path / "s.sqlite", workers=1).is_complete


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path):
    (tmp_path / "s.yaml").write_text("name: s\nscenarios: [vr_gaming]\npolicies: [fcfs]\nduration_s: 0.1\nseeds: 100000\n")
    process = start_sweep(tmp_path, "--workers", "2")
    wait_for_runs(tmp_path / "s.sqlite", 1, process)
    children = children_of(process)
    assert len(children) >= 2
    process.kill()
    process.communicate(timeout=30)  # they hold its pipes
    end = time.monotonic() + 30
    while any(Path(f"/proc/{one}/exe").exists() for one in children):
        assert time.monotonic() < end
        time.sleep(0.1)


# Progress


def test_progress_counts_what_is_left(path):
    seen = []
    made(seeds=1).run(path, workers=1)
    made().run(path, workers=1, progress=lambda *at: seen.append(at))
    assert seen[-1] == (8, 8)
    assert all(0 <= done <= n_runs <= 16 for done, n_runs in seen)
