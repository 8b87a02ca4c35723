"""JSON and CSV: contents, order, documentation; the same bytes in every process. Files: whole or not at all."""

import csv
import io
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from builders import once, problem_of

import rtsched
from rtsched.errors import InputError
from rtsched.report import export, files
from rtsched.report.export import FORMAT, to_csv, to_dict, to_json

FORMATS = Path(__file__).parents[2] / "docs/formats.md"
IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", duration_s=0.5, load=1.5, seed=3)


@pytest.fixture(scope="module")
def idle():
    """No job at all: every rate and latency is undefined."""
    return rtsched.run(problem_of([once("late", "m", 1, deadline_ns=10, release_ns=5000)], {"m": [[10]]}))


def test_json_says_where_it_comes_from_and_how_far_it_ran(outcome):
    found = json.loads(to_json(outcome))
    assert list(found) == ["format", "provenance", "run", "metrics"]
    assert found["format"] == FORMAT == "rtsched.outcome/1"
    assert found["provenance"] == outcome.provenance
    assert found["run"] == {
        "complete": True,
        "duration_ns": 500_000_000,
        "drain_ns": outcome.problem.end_ns - 500_000_000,
        "end_ns": outcome.end_ns,
        "load": 1.5,
        "jobs": len(outcome.jobs),
    }
    assert found["metrics"] == outcome.metrics.to_dict()


def test_json_of_nothing_has_nulls(idle):
    found = json.loads(to_json(idle), parse_constant=pytest.fail)
    assert found["run"]["jobs"] == 0
    assert found["metrics"]["uxcost"] is None
    assert found["metrics"]["tasks"][0]["latency_ns"]["p50"] is None


def test_csv_holds_the_columns(outcome):
    rows = list(csv.DictReader(io.StringIO("".join(to_csv(outcome)))))
    columns = outcome.columns()
    assert tuple(rows[0]) == tuple(columns)
    for name, column in columns.items():
        kind = str if column.dtype == object else float if column.dtype.kind == "f" else int
        assert [kind(row[name]) for row in rows] == column.tolist()


def test_columns_hold_the_whole_job_table(outcome):
    columns = outcome.columns()
    assert list(columns) == list(outcome.jobs.dtype.names)
    assert list(columns)[-2:] == ["worst_energy_j", "isolated_ns"]
    assert (columns["isolated_ns"] == outcome.jobs["isolated_ns"]).all()


def test_csv_comes_in_chunks_of_whole_lines(outcome, monkeypatch):
    whole = "".join(to_csv(outcome))
    monkeypatch.setattr(export, "CHUNK_ROWS", 7)
    pieces = list(to_csv(outcome))
    assert len(pieces) == 1 + -(-len(outcome.jobs) // 7)
    assert all(piece.endswith("\n") for piece in pieces)
    assert "".join(pieces) == whole


def test_csv_quotes_names_and_of_nothing_is_its_head(idle):
    name = 'a, "b"\nc'
    odd = rtsched.run(problem_of([once(name, "m", 1, deadline_ns=10)], {"m": [[10]]}))
    (row,) = csv.DictReader(io.StringIO("".join(to_csv(odd)), newline=""))
    assert row["task"] == name
    assert "".join(to_csv(idle)) == ",".join(idle.columns()) + "\n"


def keys(value):
    """Every key of a JSON value but the names of subnets and the paths of settings, which are the user's."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in ("subnets", "settings"):
                yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_every_key_and_column_is_documented(outcome):
    documented = set(re.findall(r"`([\w.]+)`", FORMATS.read_text(encoding="utf-8")))
    assert set(keys(to_dict(outcome))) - documented == set()
    assert set(outcome.columns()) - documented == set()


def test_another_process_writes_the_same_bytes(outcome):
    code = (
        "import sys, rtsched; from rtsched.report.export import *;"
        "o = rtsched.simulate('vr_gaming', duration_s=0.5, load=1.5, seed=3); sys.stdout.write(to_json(o) + ''.join(to_csv(o)))"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == to_json(outcome) + "".join(to_csv(outcome))


# Files


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o640)
    files.check_writable(str(path))
    assert path.read_text() == "old"
    files.write(str(path), ["né", "w"])
    assert path.read_text(encoding="utf-8") == "néw"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_what_fails_half_way_changes_nothing(tmp_path, failure):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def pieces():
        yield "half"
        raise failure

    with pytest.raises(failure):
        files.write(str(path), pieces())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_get_the_usual_permissions(tmp_path):
    usual, path = tmp_path / "usual", tmp_path / "out"
    usual.touch()
    files.write(str(path), [])
    assert path.stat().st_mode == usual.stat().st_mode


def test_links_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    files.write(str(link), ["new"])
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_pipes_are_written_to_directly(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.check_writable(str(path))
        files.write(str(path), ["text"])
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert path.is_fifo()


@pytest.mark.parametrize("call", [files.check_writable, lambda path: files.write(path, ["text"])])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is a folder"), (".", "is a folder"), ("missing/", "is a folder"), ("missing/out", "no such file or directory"),
        ("file/out", "not a directory"), ("loop", "too many levels of symbolic links"), ("x" * 300, "file name too long"),
        pytest.param("locked/out", "permission denied", marks=pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")),
        pytest.param("locked.txt", "permission denied", marks=pytest.mark.skipif(IS_ROOT, reason="root may write anywhere")),
    ],
)  # fmt: skip
def test_what_cannot_be_written(tmp_path, monkeypatch, call, path, reason):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    Path("locked").mkdir(mode=0o500)
    Path("locked.txt").touch(mode=0o400)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        call(path)
    assert caught.value.faults == (f"{path or repr('')}: cannot be written: {reason}",)
    assert sorted(tmp_path.rglob("*")) == before


def test_standard_output_is_utf8_in_every_locale(capfdbinary, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="ascii"))
    files.check_writable("-")
    files.write("-", ["né", "\udcff"])
    sys.stdout.close()
    assert capfdbinary.readouterr().out == "né\\udcff".encode()


def test_standard_output_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match=r"^standard output: cannot be written: is closed$"):
        files.check_writable("-")
