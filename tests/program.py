"""The program in the tests: its commands in this process or in one of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from rtsched.cli import app
from rtsched.policies.roles import Mapper

MALFORMED = Path(__file__).parent / "unit" / "malformed"
PROGRAM = [sys.executable, "-P", "-c", "from rtsched_program import main; main()"]
SQUEEZENET = "package:onnx/backend/test/data/light/light_squeezenet.onnx"
BRIEF = ("compare", "vr_gaming", "-P", "fcfs,edf", "--duration", "0.2", "--seeds", "4")
SHORT = ("run", "vr_gaming", "--duration", "0.2")


def invoke(*arguments):
    """Run a command in this process; an exception that is no exit code fails the test."""
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def start(*arguments, **options):
    """Start a command in a process of its own."""
    environment = {**os.environ, "COLUMNS": "100", **options.pop("environment", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    # A shell without job control ignores Ctrl-C in what it runs in the background, and so do that one's children.
    return subprocess.Popen([*PROGRAM, *map(str, arguments)], env=environment, preexec_fn=heed_ctrl_c, **options)


def heed_ctrl_c():
    """Let a new process be interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def messages(*arguments):
    """The lines of a command whose input is at fault."""
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()


MINE = """
import rtsched


class LeastLaxity(rtsched.Mapper):
    def key(self, state, row):
        return 0


class Greedy(LeastLaxity):
    '''Takes whatever comes.'''

    settings = (rtsched.Setting("patience", 4, "how long"),)


def p2():
    return Greedy(patience=2)


def p8():
    return Greedy(patience=8)
"""


def is_running(pid):
    """Whether a process has imported everything: the core is the last."""
    return "_core/loop" in Path(f"/proc/{pid}/maps").read_text() and "_core/mappers" in Path(f"/proc/{pid}/maps").read_text()


class Broken(Mapper):
    def score(self, state):
        return np.full(state.n_ready, np.nan if state.now_ns > 50_000_000 else 0.0)
