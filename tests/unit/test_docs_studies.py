"""What docs/studies.md shows and says."""

import re
import subprocess
import sys
from pathlib import Path

from rtsched._yaml import compose
from rtsched.study.sweep.axes import Axis, Dimension, Sample
from rtsched.study.sweep.model import Study

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_study_on_the_page_is_the_example():
    (text,) = blocks("yaml")
    example = compose((ROOT / "examples" / "study.yaml").read_bytes(), "study.yaml").value
    assert compose(text.encode(), "page").value == {key: value for key, value in example.items() if key != "description"}


def test_python_examples_run(tmp_path):
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[[0.")
    assert (tmp_path / "loads.sqlite").exists()


def test_every_key_has_its_row():
    keys = re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    wanted = [*Study.model_fields, *Sample.model_fields]
    assert [key for key in keys if key in wanted] == wanted
    assert [key for key in (*Axis.model_fields, *Dimension.model_fields) if f"`{key}" not in PAGE] == []
