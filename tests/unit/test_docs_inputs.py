"""The examples of docs/inputs.md, docs/roles.md, docs/comparing.md and docs/bounds.md run, and the pages name every field."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtsched
from rtsched._core.bridges import Window
from rtsched._core.view import RunningView, StateView
from rtsched.cost.rows import COLUMNS
from rtsched.metrics import SCALARS

ROOT = Path(__file__).parents[2]
INPUTS = (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
POLICIES = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("policies.md", "roles.md"))
COMPARING = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8")
BOUNDS = (ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
REPLAY = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
LAYERS = (
    rtsched.Conv,
    rtsched.Elementwise,
    rtsched.Embedding,
    rtsched.Gemm,
    rtsched.Measured,
    rtsched.Norm,
    rtsched.Pool,
    rtsched.Recurrent,
    rtsched.Reshape,
    rtsched.Softmax,
)
CLASSES = (
    rtsched.Scenario,
    rtsched.Task,
    rtsched.Capacity,
    rtsched.WeightedPriority,
    rtsched.Platform,
    rtsched.Accelerator,
    rtsched.Memory,
    rtsched.Reference,
    rtsched.Energy,
    rtsched.DataflowCost,
    rtsched.SystolicCost,
    rtsched.MocaPublishedCost,
    rtsched.FusedPool,
    rtsched.TableCost,
    rtsched.Model,
    rtsched.Subnet,
    rtsched.Block,
)
LOADERS = {"scenario": rtsched.load_scenario, "platform": rtsched.load_platform, "model": rtsched.load_model}


def blocks(text, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [content for written_in, content in found if written_in == language]


def words(text):
    """What stands in backticks in running text and tables: `fps`, and both names of `score(state)`."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"\w+", code)}


def attributes(view):
    return [name for name in vars(view) if not name.startswith("_")]


@pytest.mark.parametrize("code", [code for page in (INPUTS, POLICIES, COMPARING, BOUNDS, REPLAY) for code in blocks(page, "python")])
def test_python_examples_run(code, tmp_path):
    done = subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", [*blocks(INPUTS, "yaml"), *blocks(POLICIES, "yaml")])
def test_yaml_examples_are_valid(text, tmp_path):
    (tmp_path / "costs.csv").write_text(blocks(INPUTS, "csv")[0], encoding="utf-8")
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    LOADERS[text.partition("\n")[0].removeprefix("# ")](tmp_path / "example.yaml")


def test_there_is_an_example_of_each_input():
    assert sorted(text.partition("\n")[0] for text in blocks(INPUTS, "yaml")) == ["# model", "# platform", "# scenario"]
    assert len(blocks(INPUTS, "csv")) == 1


def test_the_example_model_has_every_kind_of_layer(tmp_path):
    (text,) = (text for text in blocks(INPUTS, "yaml") if text.startswith("# model"))
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    kinds = {layer.kind for subnet in rtsched.load_model(tmp_path / "example.yaml").variants for layer in subnet.all_layers}
    assert kinds == {one.model_fields["kind"].default for one in LAYERS} - {"measured"}


@pytest.mark.parametrize("one", CLASSES)
def test_every_key_is_described(one):
    assert set(one.model_fields) - words(INPUTS) == set()


@pytest.mark.parametrize("one", LAYERS)
def test_every_layer_is_described_with_its_fields(one):
    row = re.search(rf"^\| `{one.model_fields['kind'].default}` \|.*$", INPUTS, flags=re.MULTILINE)
    assert row is not None
    assert set(one.model_fields) - {"name", "kind"} - words(row[0]) == set()


def test_every_column_of_a_table_is_described():
    assert set(COLUMNS) - words(INPUTS) == set()


@pytest.mark.parametrize("view", [StateView, RunningView, Window])
def test_every_field_that_a_policy_sees_is_described(view):
    names = attributes(view)
    assert names
    assert set(names) - words(POLICIES) == set()


@pytest.mark.parametrize("role", [rtsched.Mapper, rtsched.Dropper, rtsched.Selector, rtsched.Regulator, rtsched.Tuner, rtsched.Policy])
def test_every_method_and_attribute_of_a_role_is_described(role):
    assert {name for name in vars(role) if not name.startswith("_")} - {"is_contract"} - words(POLICIES) == set()


def test_the_example_scenario_runs_on_the_example_board(tmp_path):
    for name in ("glasses.yaml", "board.yaml", "costs.csv"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    problem = rtsched.compile(tmp_path / "glasses.yaml")
    assert problem.platform_name == "board"
    for policy in ("fcfs", "edf"):
        outcome = rtsched.run(problem, policy)
        assert outcome.is_complete
        assert set(outcome.jobs["task"]) == set(range(problem.n_tasks))


@pytest.mark.parametrize("file", ["pyproject.toml", "setup.py", "rtsched_sample/native.pyx"])
def test_the_example_package_is_the_compiled_half_of_the_one_that_is_tested(file):
    text = (ROOT / "tests" / "packages" / "rtsched_sample" / file).read_text(encoding="utf-8").strip()
    text = text.replace('sample-python = "rtsched_sample.python:policy"\n', "")
    assert f"\n{text.replace('The same policy twice, in Python and compiled', 'A compiled policy')}\n```\n" in POLICIES


def test_the_example_package_has_the_files_that_it_names():
    """Those of its tree are printed, and no entry point is of another module."""
    (tree,) = (text for text in blocks(POLICIES, "") if text.startswith("my_project/"))
    files = {line.strip() for line in tree.splitlines()}
    (project,) = (text for text in blocks(POLICIES, "toml") if text.startswith("[build-system]"))
    modules = re.findall(r'"rtsched_sample\.(\w+):policy"', project)
    assert modules
    assert all(f"{module}.pyx" in files for module in modules)
    assert "pip install 'setuptools>=77' 'Cython>=3.1,<4' wheel\npip install --no-build-isolation ./my_project" in POLICIES


def test_the_metrics_are_listed():
    rows = re.findall(r"^\| `(\w+)` \| (\w*) \| (less|more) \| (.*) \|$", COMPARING, flags=re.MULTILINE)
    assert rows == [(one.name, one.unit, one.better, one.meaning) for one in SCALARS.values()]


def test_summaries_are_printed_with_rich():
    assert "rich.print(outcome.summary())" in POLICIES
    assert re.findall(r"^print\(.*summary\(\)\)", INPUTS + POLICIES + COMPARING, flags=re.MULTILINE) == []


@pytest.mark.parametrize("text", [INPUTS, POLICIES, COMPARING, BOUNDS])
def test_lines_are_short_outside_tables(text):
    assert [line for line in text.splitlines() if len(line) > 130 and not line.startswith("|")] == []
