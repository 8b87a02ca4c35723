"""The examples of README.md run, and print what stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
OUTPUT = [text for kind, text in BLOCKS if kind == "text"]
YAML = [text for kind, text in BLOCKS if kind == "yaml"]


def shell(command, folder):
    """What a terminal of 100 columns shows: standard output and error together."""
    program = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "COLUMNS": "100", "PATH": program}
    done = subprocess.run(
        command, shell=True, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


@pytest.mark.parametrize("block", CONSOLE)
def test_commands_print_what_the_readme_shows(block, tmp_path):
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        assert shell(command, tmp_path).strip("\n") == expected.strip("\n")


def test_python_examples_run():
    assert len(PYTHON) == 2
    for code, expected in zip(PYTHON, [*OUTPUT, ""], strict=True):
        done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == expected


@pytest.mark.parametrize("text", YAML)
def test_scenarios_run(text, tmp_path):
    (tmp_path / "glasses.yaml").write_text(text, encoding="utf-8")
    assert "UXCost" in shell("rtsched run glasses.yaml --duration 0.2", tmp_path)
