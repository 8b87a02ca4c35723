"""What docs/exploring.md shows and says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rtsched._core.cost import UNIT_PES
from rtsched.study.explore.space import MAX_CANDIDATES
from rtsched.study.tune.ranges import DIGITS
from rtsched.study.tune.search import POINTS, POINTS_PER_RANGE, TOLERANCE
from rtsched.study.tune.tuning import DEFAULT_TRIALS

PAGE = (Path(__file__).parents[2] / "docs" / "exploring.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def skeleton(text):
    """What stands around the numbers and rules of tables."""
    return [re.sub(r"[-+]?\d[\d.,]*", "#", line).split() for line in text.splitlines() if not line.startswith("─")]


@pytest.mark.parametrize("block", blocks("console"))
def test_commands_print_what_the_page_shows(block, tmp_path):
    command, _, expected = block.removeprefix("$ ").partition("\n")
    environment = {**os.environ, "COLUMNS": "100", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    options = {"shell": True, "env": environment, "cwd": tmp_path, "stderr": subprocess.STDOUT}
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout
    if command.startswith("rtsched tune"):  # SciPy may search in another way in its next version
        assert skeleton(told) == skeleton(expected)
    else:
        assert [line.rstrip() for line in told.splitlines()] == expected.splitlines()


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(code, tmp_path):
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_limits_and_units_are_those_of_the_code():
    words = " ".join(PAGE.split())
    assert f"There are at most {MAX_CANDIDATES:,}." in words
    assert f"({UNIT_PES['ws']} PEs for `ws`, {UNIT_PES['os']} for `os` and `rs`, on each tile)" in words
    assert (POINTS, POINTS_PER_RANGE, TOLERANCE, DIGITS) == (10, 5, 1e-3, 6)
    assert "a population of ten or, if that is more, five for each range" in words
    assert "spreads by less than a thousandth of its mean" in words
    assert "Values have six digits" in words
    assert f"`--trials` settings ({DEFAULT_TRIALS})" in words
