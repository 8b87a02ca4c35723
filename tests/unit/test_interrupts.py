"""Ctrl-C at any time, from the first import on; threads that cannot be had; policies that do nothing; times beyond the clock."""

import random
import signal
import sys
import threading
import time

import pytest
from program import BRIEF, SHORT, invoke, messages, start

import rtsched
from rtsched.cli._program import Program

# Ctrl-C

SIGNALLING = """
import os, signal, sys

class Signals:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Signals())
from rtsched_program import main
main()
"""


@pytest.mark.parametrize(
    "name", ["rtsched", "datetime", "numpy.linalg._umath_linalg", "rtsched._core.loop", "typer", "rtsched.report.terminal"]
)
def test_ctrl_c_while_something_is_imported(tmp_path, monkeypatch, name):
    monkeypatch.setattr("program.PROGRAM", [sys.executable, "-P", "-c", SIGNALLING.format(name=name)])
    process = start(*SHORT, "--json", tmp_path / "out.json")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_that_is_ignored_stays_ignored(monkeypatch):
    """As in what a shell runs in the background."""
    program = SIGNALLING.replace("class Signals", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nclass Signals")
    monkeypatch.setattr("program.PROGRAM", [sys.executable, "-P", "-c", program.format(name="rtsched._core.loop")])
    process = start("--version")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, f"rtsched {rtsched.__version__}\n", "")


def test_ctrl_c_while_options_are_read(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Program, "parse_args", interrupt)
    result = invoke(*SHORT)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    "command",
    [
        ("run", "vr_gaming", "--duration", "1e6", "--save", "out.npz"),
        ("compare", "vr_gaming", "-P", "edf,llf", "--duration", "1e5", "--csv", "out.csv"),
        ("reproduce", "dream", "-o", "."),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_ctrl_c_at_any_time(tmp_path, monkeypatch, command, seed):
    program = "from rtsched_program import main; print('up', flush=True); main()"
    monkeypatch.setattr("program.PROGRAM", [sys.executable, "-P", "-c", program])
    process = start(*command, cwd=tmp_path)
    assert process.stdout.readline() == "up\n"
    time.sleep(0.01 * 200 ** random.Random(f"{command[0]} {seed}").random())
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, ""), errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.rglob(".rtsched-*")) == []


# Threads


def test_with_fewer_threads_than_wanted_the_result_is_the_same(monkeypatch):
    expected = invoke(*BRIEF).stdout
    real = threading.Thread.start

    def second_fails(thread):
        if thread.name == "rtsched-1":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", second_fails)
    result = invoke(*BRIEF, "--threads", 3)
    assert (result.exit_code, result.stdout, result.stderr) == (0, expected, "")


def test_without_threads_it_says_so(monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert messages(*BRIEF) == ["no thread can be started: can't start new thread"]


# Policies and the clock

ROLES = """
import rtsched


class Never(rtsched.Mapper):
    def assign(self, state, dispatches):
        pass


class Short(rtsched.Mapper):
    def key(self, state):
        return 0
"""


def test_a_policy_that_never_dispatches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(ROLES)
    result = invoke(*SHORT, "-P", "mine.py:Never")
    assert result.exit_code == 0
    assert "28 that did not finish" in result.stderr
    assert "layers   run 0," in result.stderr
    result = invoke("check", "mine.py:Never")
    assert result.exit_code == 1
    assert "nothing was ever dispatched, although 48 jobs came and all tiles were free" in result.stdout


def test_a_role_whose_method_takes_other_arguments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(ROLES)
    told = "TypeError: Short.key() takes 2 positional arguments but 3 were given"
    result = invoke(*SHORT, "-P", "mine.py:Short")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == ["policy 'Short' failed:", told]
    result = invoke("compare", "vr_gaming", "-P", "mine.py:Short", "--duration", "0.1", "--seeds", "2")
    assert result.stderr.splitlines() == ["a policy failed:", told, "in the run with policy 'Short' and seed 0"]


def test_times_beyond_the_clock_are_refused_with_both_numbers():
    assert messages("run", "vr_gaming", "--duration", "9.3e18") == ["duration_s: must be less than or equal to 1000000000, got 9.3e+18"]
    assert messages("run", "vr_gaming", "--duration", "1e9", "--set", "scenario.drain_s=1e10") == [
        "drain_s: 1e+10 s after duration_s, 1e+09 s, end beyond the clock's 2.31e+09 s"
    ]
