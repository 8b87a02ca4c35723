"""A third party's package: built against what is installed of rtsched, found by its entry points, used on the command line."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "packages" / "rtsched_sample"
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]

pytestmark = [
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no C compiler ({COMPILER})"),
    pytest.mark.skipif(
        subprocess.run([sys.executable, "-P", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0, reason="no pip"
    ),
]


@pytest.fixture(scope="module")
def rtsched(tmp_path_factory):
    """The command line where the sample is installed: ``rtsched(*arguments)`` returns what is printed."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(SAMPLE, folder / "source")
    install = ["-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--target", folder / "site"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    done = subprocess.run(
        [sys.executable, "-P", *install, folder / "source"], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])

    def command(*arguments):
        program = [sys.executable, "-P", "-c", "from rtsched.cli import main; main()", *map(str, arguments)]
        answer = subprocess.run(program, env={**os.environ, "PYTHONPATH": path}, cwd=folder, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    return command


def test_the_sample_is_listed(rtsched):
    rows = {line.split()[0]: line.rstrip() for line in rtsched("list", "policies").splitlines()}
    for name, how in (("sample-python", "in Python"), ("sample-native", "compiled")):
        assert "Most layers left first" in rows[name]
        assert f"{how}." in rows[name]
        assert rows[name].endswith(" rtsched-sample 0.3")


@pytest.mark.parametrize("name", ["python", "native"])
def test_the_sample_is_shown(rtsched, name):
    text = rtsched("show", f"sample-{name}")
    assert text.startswith(f"sample-{name}  policy")
    assert "MostLayers: Most layers left first." in text
    assert f"rtsched-sample 0.3, rtsched_sample.{name}:policy" in text
    row = next(line.split() for line in text.splitlines() if line.startswith("mapper."))
    assert row[:6] == ["mapper.priority_layers", "1.5", "-", "at", "least", "0"]


def test_both_halves_of_the_sample_decide_alike(rtsched, tmp_path):
    """On tasks with priorities and a Supernet; other policies decide otherwise."""
    tasks = [
        {"name": "gaze", "model": "fbnet_c", "fps": 90, "priority": 2},
        {"name": "context", "model": "ofa_mobilenetv3", "fps": 60, "priority": 7},
        {"name": "hand", "model": "hand_pose", "fps": 30},
        {"name": "keyword", "model": "kws_res8", "rate_hz": 20, "priority": 11},
    ]
    path = tmp_path / "mixed.yaml"
    path.write_text(json.dumps({"name": "mixed", "platform": "dream_4k_1ws2os", "duration_s": 0.5, "tasks": tasks}))
    native, python, other = (
        rtsched("run", path, "-P", name, "--csv", "-", "--seed", 3) for name in ("sample-native", "sample-python", "fcfs")
    )
    assert native == python
    assert native != other
