"""The programs that fuzz: their counts, what they keep, and what they say without atheris."""

import multiprocessing
import os
import random
import sys

import pytest
from fuzz import readers, run
from fuzz.mutations import mutated_tree

COLUMNS = ["runs", "accepted", "refused", "broken", "crashes"]


@pytest.fixture
def table(monkeypatch, capsys, tmp_path):
    """Run the program on few examples: its exit code, counts and errors."""

    def call(name, n_examples):
        monkeypatch.setattr(sys, "argv", ["run.py", "--examples", str(n_examples), "--only", name, "--keep", str(tmp_path / "kept")])
        code = run.main()
        printed = capsys.readouterr()
        header, row = printed.out.splitlines()
        assert header.split()[:5] == COLUMNS
        return code, dict(zip(COLUMNS, map(int, row.removeprefix(name).split()), strict=False)), printed.err

    return call


@pytest.mark.parametrize("name", ["costs", run.POLICIES])
def test_examples_are_counted(table, name):
    code, counts, errors = table(name, 20)
    assert (code, counts["runs"], counts["broken"], counts["crashes"], errors) == (0, 20, 0, 0, "")
    assert counts["accepted"] + counts["refused"] == 20


def test_what_breaks_or_dies_is_counted_and_kept(table, monkeypatch, tmp_path):
    def judged(name, first, n_examples, seed, folder):
        for i in range(first, n_examples):
            (folder / "damaged").write_text(f"{i}")
            yield i, None
            if i == 3:
                os._exit(1)
            if i == 2:
                (folder / "damaged-2").write_text("2")
            yield i, (i == 0, 0.5, "wrong" if i == 2 else "")

    context = multiprocessing.get_context("fork")
    monkeypatch.setattr(run, "judged_files", judged)
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: context)
    code, counts, errors = table("costs", 6)
    assert (code, counts) == (1, {"runs": 6, "accepted": 1, "refused": 3, "broken": 1, "crashes": 1})
    assert errors.splitlines() == ["costs example 2: wrong", "costs example 3: the process died"]
    assert {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()} == {"costs-2": "2", "costs-3": "3"}


def test_readers_need_atheris(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["readers.py", "csv"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert readers.main() == 2
    assert "needs atheris, which is not installed: pip install 'rtsched[fuzz]'" in capsys.readouterr().err


def test_seeds_are_the_valid_files(tmp_path):
    from fuzz.targets import TARGETS, judge

    targets = [one for one in TARGETS.values() if one.kind == "csv"]
    readers.write_seeds(targets, tmp_path / "corpus")
    found = sorted((tmp_path / "corpus").iterdir())
    assert len(found) == len(targets)
    for path in found:
        number, *data = path.read_bytes()
        target = targets[number]
        assert judge(target, target.valid()[0] | {target.file: bytes(data)}, tmp_path)[0]


def test_integers_that_are_no_floats_are_damaged_too():
    written = {str(mutated_tree(random.Random(seed), [10**400, 1])) for seed in range(300)}
    assert str([0, 1]) in written
    assert len(written) > 50
