"""What users' machines do to files: kill -9, full disks, folders that cannot be written, two processes in one folder."""

import errno
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.kill import Trial, differences, kill_again
from program import BRIEF, PROGRAM, SHORT, invoke, messages
from standins import tiny_plan

import rtsched
from rtsched.errors import InputError
from rtsched.report import files
from rtsched.study import runner
from rtsched.study.reproduce.dream import plan as plans
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel, StoredRun

REPRODUCE = ("reproduce", "dream", "--quick")

TINY = "tiny_plan(scenarios=('drone_outdoor',), sweep_scenarios=(), n_seeds=2)"

TINY_PROGRAM = f"""
from rtsched.report import dream_figures
from rtsched.study.reproduce.dream import plan
from standins import tiny_plan
plan.QUICK = {TINY}
dream_figures.stage_figures = lambda findings, name: {{}}
from rtsched.cli import main
main()
"""

STUDY = """name: s
scenarios: [vr_gaming]
policies: [fcfs, dream-fixed]
duration_s: 0.5
axes: [{path: scenario.load, values: [1, 1.5, 2, 2.5]}]
points: [{}, {mapper.alpha: 1.0}, {mapper.alpha: 2.0}]
seeds: 10
"""

TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def tiny(monkeypatch):
    """A plan of a second in the place of the quick one, without figures."""
    monkeypatch.setattr(plans, "QUICK", tiny_plan(scenarios=("drone_outdoor",), sweep_scenarios=(), n_seeds=2))
    monkeypatch.setattr("rtsched.report.dream_figures.stage_figures", lambda findings, name: {})


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced") / "undisturbed"


@pytest.fixture
def undisturbed(made_once, tiny):
    """The folder of a run that nobody disturbed; only to be read."""
    if not made_once.exists():
        assert invoke(*REPRODUCE, "-o", made_once).exit_code == 0
    return made_once


def temporaries(folder):
    return [path.name for path in folder.rglob(".rtsched-*")]


def empty_run(seed):
    return StoredRun(RunLabel("s", "p", "edf", 1.0, 2.0, seed), {f"metric {i}": float(i) for i in range(50)}, (), (), 0.1)


def fill(store):
    for seed in range(10_000):
        store.add(f"k{seed}", empty_run(seed))


# kill -9


def test_a_killed_reproduction_comes_out_the_same(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([TESTS, str(Path(rtsched.__file__).parents[1])]))
    command = (sys.executable, "-P", "-c", TINY_PROGRAM, *REPRODUCE)
    tally = kill_again(Trial(command, undisturbed, tmp_path, longest_s=2.0), 5)
    assert (tally.n_kills, tally.faults) == (5, [])
    assert tally.n_finished >= 1


def test_a_killed_sweep_comes_out_the_same(tmp_path, monkeypatch):
    """Each killed process had two others work for it."""
    monkeypatch.setenv("PYTHONPATH", str(Path(rtsched.__file__).parents[1]))
    (tmp_path / "study.yaml").write_text(STUDY)
    command = (*PROGRAM, "sweep", str(tmp_path / "study.yaml"))
    assert invoke("sweep", tmp_path / "study.yaml", "-o", tmp_path / "undisturbed", "--workers", 1).exit_code == 0
    tally = kill_again(Trial((*command, "--workers", "2"), tmp_path / "undisturbed", tmp_path, longest_s=6.0), 4)
    assert (tally.n_kills, tally.faults) == (4, [])
    assert tally.n_finished >= 1


def test_what_differs_from_an_undisturbed_run_is_found(tmp_path, undisturbed):
    other = tmp_path / "other"
    shutil.copytree(undisturbed, other)
    assert list(differences(other, undisturbed)) == []
    with sqlite3.connect(other / "runs.sqlite") as db:
        db.execute("UPDATE scalars SET value = value + 1 WHERE run = 3 AND metric = 'uxcost'")
        db.execute("DELETE FROM clock WHERE run = 1")
    db.close()
    (other / "main.csv").write_text((undisturbed / "main.csv").read_text()[:-5])
    found = list(differences(other, undisturbed))
    assert found[0].startswith("main.csv: ends with ")
    assert found[1:] == ["table clock differs", "table scalars differs", "file main.csv differs"]


WRITING = """
import os, signal, sys
from rtsched.report import files

def pieces():
    yield "new " * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

files.write(sys.argv[1], pieces())
"""


@pytest.mark.parametrize("before", [None, "old\n"])
def test_a_process_killed_while_it_writes_a_file(tmp_path, before):
    path = tmp_path / "out.csv"
    if before is not None:
        path.write_text(before)
    process = subprocess.run([sys.executable, "-P", "-c", WRITING, str(path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == before
    assert len(temporaries(tmp_path)) == 1
    files.write(str(path), ["next\n"])
    assert path.read_text() == "next\n"


# Full disks


@contextmanager
def largest_file(n_bytes):
    """No file may grow beyond that; what would make one larger is refused as by a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def failing_after(n_files, code):
    """Files cannot be completed after the first few."""
    real, left = os.fsync, [n_files]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ((*SHORT, "--save"), "out.npz"),
        ((*SHORT, "--csv"), "out.csv"),
        ((*BRIEF, "--csv"), "out.csv"),
    ],
)
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_result_that_does_not_fit(tmp_path, command, name, before):
    path = tmp_path / name
    if before is not None:
        path.write_bytes(before)
    with largest_file(300):
        result = invoke(*command, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{path}: cannot be written: file too large\n"
    assert (path.read_bytes() if path.exists() else None) == before
    assert temporaries(tmp_path) == []
    assert invoke(*command, path).exit_code == 0
    assert path.stat().st_size > 300


def test_a_store_that_does_not_fit_keeps_what_it_has(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        with largest_file(300_000), pytest.raises(InputError) as caught:
            fill(store)
        assert caught.value.faults == (f"{path}: cannot be used as a store of runs: disk I/O error",)
        n_kept = len(store)
        assert 10 < n_kept == store.n_added < 10_000
        store.add(f"k{n_kept}", empty_run(n_kept))
    with Store(path) as store:
        assert [(key, run.label.seed, len(run.scalars)) for key, run in store.runs()] == [(f"k{i}", i, 50) for i in range(n_kept + 1)]


def test_a_store_on_a_full_disk_says_so(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store._db.execute("PRAGMA max_page_count = 30")  # SQLite answers as when the disk is full
        with pytest.raises(InputError, match=r"s\.sqlite: cannot be used as a store of runs: database or disk is full"):
            fill(store)
        n_kept = len(store)
        store._db.execute("PRAGMA max_page_count = 100000")
        store.add(f"k{n_kept}", empty_run(n_kept))
        assert {len(run.scalars) for _, run in store.runs()} == {50}


def test_a_reproduction_whose_store_does_not_fit_goes_on_later(tmp_path, undisturbed):
    folder = tmp_path / "out"
    with largest_file(80_000):
        result = invoke(*REPRODUCE, "-o", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{folder / 'runs.sqlite'}: cannot be used as a store of runs: disk I/O error\n"
    with Store(folder / "runs.sqlite") as store:
        n_kept = len(store)
    with Store(undisturbed / "runs.sqlite") as store:
        n_runs = len(store)
    assert 0 < n_kept < n_runs
    assert invoke(*REPRODUCE, "-o", folder).stderr.endswith(f"; {n_runs - n_kept} runs are new\n")
    assert list(differences(folder, undisturbed)) == []


@pytest.mark.parametrize(("n_files", "code"), [(0, errno.ENOSPC), (3, errno.EROFS), (6, errno.EDQUOT)])
def test_a_reproduction_that_cannot_write_its_tables(tmp_path, undisturbed, n_files, code):
    folder = tmp_path / "out"
    with failing_after(n_files, code):
        result = invoke(*REPRODUCE, "-o", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    reason = os.strerror(code)
    assert re.fullmatch(rf"{folder}/\w+\.(csv|md): cannot be written: {reason[0].lower()}{reason[1:]}\n", result.stderr)
    assert temporaries(folder) == []
    assert len([path for path in folder.iterdir() if path.suffix in (".csv", ".md")]) == n_files
    assert invoke(*REPRODUCE, "-o", folder).exit_code == 0
    assert list(differences(folder, undisturbed)) == []


def test_a_figure_that_cannot_be_written(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("rtsched.report.dream_figures.stage_figures", lambda findings, name: {"main": b"x" * 500_000})
    with largest_file(400_000):
        result = invoke(*REPRODUCE, "-o", tmp_path)
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path / 'main.svg'}: cannot be written: file too large\n")
    assert "(main.svg)" not in (tmp_path / "README.md").read_text()
    assert temporaries(tmp_path) == []


# Folders that cannot be written


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("command", [(*SHORT, "--json"), (*SHORT, "--save"), (*BRIEF, "--csv")])
def test_a_folder_that_may_only_be_read(tmp_path, command, code, monkeypatch):
    """It is found out before the runs."""

    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("rtsched.report.files.secrets.token_hex", refuse)
    monkeypatch.setattr("rtsched.study.compare.compare_problem", None)
    monkeypatch.setattr(sys.modules["rtsched.run"], "run", None)
    (message,) = messages(*command, tmp_path / "out.npz")
    assert message == f"{tmp_path / 'out.npz'}: cannot be written: {os.strerror(code).lower()}"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_reproduction_where_no_file_can_be_made(tiny):
    expected = "/proc/self/runs.sqlite: cannot be opened for writing; is its folder there, and may files be made in it?"
    assert messages(*REPRODUCE, "-o", "/proc/self") == [expected]
    assert messages(*REPRODUCE, "-o", "/proc/no/folder") == ["-o /proc/no/folder: cannot be made: no such file or directory"]


# Folders of reproductions


def test_runs_of_another_process_are_not_counted_as_new(tmp_path, tiny, monkeypatch):
    path = tmp_path / "runs.sqlite"
    original, n_done = runner.stored_run, []

    def with_another(*arguments):
        if not n_done:  # while the first run is stored
            with Store(path) as other:
                other.add("of another process", empty_run(0))
        n_done.append(1)
        return original(*arguments)

    monkeypatch.setattr(runner, "stored_run", with_another)
    result = invoke(*REPRODUCE, "-o", tmp_path)
    with Store(path) as store:
        assert len(store) == len(n_done) + 1
    assert result.stderr == f"{tmp_path}/README.md tells what was found; {len(n_done)} runs are new\n"


def test_results_of_another_study_are_not_overwritten(tmp_path, undisturbed):
    folder = tmp_path / "out"
    shutil.copytree(undisturbed, folder)
    expected = f"-o {folder}: holds the results of 'rtsched reproduce dream --quick', which would be overwritten; take another folder"
    for command in (("reproduce", "dream"), (*REPRODUCE, "--duration", 3), ("reproduce", "moca", "--quick")):
        assert messages(*command, "-o", folder) == [expected]
    assert list(differences(folder, undisturbed)) == []
    assert invoke(*REPRODUCE, "--seeds", 3, "-o", folder).exit_code == 0
    assert invoke(*REPRODUCE, "-o", folder).exit_code == 0


def test_a_readme_of_something_else_is_not_overwritten(tmp_path, tiny, monkeypatch):
    (tmp_path / "README.md").write_text("# My project\n")
    found = messages(*REPRODUCE, "-o", tmp_path)
    assert found == [f"-o {tmp_path}: its README.md is none of this program's and would be overwritten; take another folder"]
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_worker_that_runs_out_of_memory(tmp_path, tiny, monkeypatch):
    original, n_done = runner.stored_run, []

    def fails_at_the_third(*arguments):
        n_done.append(1)
        if len(n_done) == 3:
            raise MemoryError
        return original(*arguments)

    monkeypatch.setattr(runner, "stored_run", fails_at_the_third)
    result = invoke(*REPRODUCE, "-o", tmp_path, "--workers", 1)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("out of memory; ")
    with Store(tmp_path / "runs.sqlite") as store:
        assert len(store) == 2
