"""How much a file may hold, and that what it holds is read in a time that grows with it, and never executed."""

import ast
import re
import time
from pathlib import Path

import pytest
from builders import chain, platform_of, rows_of

import rtsched
from rtsched import compiler
from rtsched.errors import InputError, listed, plain, quoted
from rtsched.library import load_model, load_platform, load_scenario
from rtsched.platform.platform import MAX_ACCELERATORS
from rtsched.workload.layer import Measured
from rtsched.workload.model import MAX_LAYERS, Block, Model, Subnet
from rtsched.workload.scenario import MAX_TASKS, Scenario, Task


def faults(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return list(caught.value.faults)


def layers(n, first=0):
    return tuple(Measured(name=f"l{i}") for i in range(first, first + n))


# Limits


def test_scenarios_have_at_most_10_000_tasks(tmp_path):
    path = tmp_path / "s.yaml"
    tasks = [f"- {{name: t{i}, model: kws_res8, fps: 1}}\n" for i in range(MAX_TASKS + 1)]
    path.write_text("name: s\ntasks:\n" + "".join(tasks[:-1]))
    assert len(load_scenario(path).tasks) == MAX_TASKS == 10_000
    path.write_text("name: s\ntasks:\n" + "".join(tasks))
    assert faults(load_scenario, path) == [f"{path}:3:1 tasks: must have at most 10000 entries, got 10001"]


def test_platforms_have_at_most_1024_accelerators(tmp_path):
    path = tmp_path / "p.yaml"
    rows = "{model: table, rows: [{model: m, layer: l0, accelerator: a0, latency_ns: 1}]}"
    accelerators = [f"- {{name: a{i}, cost: {'&c ' + rows if i == 0 else '*c'}}}\n" for i in range(MAX_ACCELERATORS + 1)]
    path.write_text("name: p\nmemory: {peak_gb_per_s: 1}\naccelerators:\n" + "".join(accelerators[:-1]))
    assert len(load_platform(path).accelerators) == MAX_ACCELERATORS
    path.write_text("name: p\nmemory: {peak_gb_per_s: 1}\naccelerators:\n" + "".join(accelerators))
    assert faults(load_platform, path) == [f"{path}:4:1 accelerators: must have at most 1024 entries, got 1025"]


def test_models_have_at_most_100_000_layers_in_all_subnets():
    half = MAX_LAYERS // 2
    subnets = (Subnet(name="a", layers=layers(half)), Subnet(name="b", blocks=(Block(layers=layers(half)),)))
    model = Model(name="m", subnets=subnets)
    assert sum(len(one.all_layers) for one in model.variants) == MAX_LAYERS == 100_000
    with pytest.raises(ValueError, match=r"model 'm' has 100,001 layers in all subnets together; must be at most 100,000"):
        Model(name="m", subnets=(*subnets, Subnet(name="c", layers=layers(1))))


def test_a_model_of_too_many_layers_is_refused_where_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("rtsched.workload.model.MAX_LAYERS", 2)
    (tmp_path / "m.yaml").write_text("name: m\nlayers: [{kind: measured, name: a}, {kind: measured, name: b}, {kind: measured, name: c}]\n")
    (tmp_path / "s.yaml").write_text("name: s\ntasks:\n- {name: t, model: m.yaml, fps: 1}\n")
    message = "model 'm' has 3 layers in all subnets together; must be at most 2"
    assert faults(load_model, tmp_path / "m.yaml") == [f"{tmp_path}/m.yaml:1:1: {message}"]
    assert faults(load_scenario, tmp_path / "s.yaml") == [f"{tmp_path}/s.yaml:3:20 tasks[0].model: {tmp_path}/m.yaml:1:1: {message}"]


def test_problems_have_a_number_of_costs(monkeypatch):
    scenario = Scenario(name="s", tasks=(Task(name="t", model=chain("m", 3), fps=1.0),))
    platform = platform_of(rows_of("m", [[5]] * 3))
    monkeypatch.setattr(compiler, "MAX_COSTS", 3)
    assert rtsched.compile(scenario, platform).costs.shape == (3, 1)
    monkeypatch.setattr(compiler, "MAX_COSTS", 2)
    message = "3 layers on 1 options, a number of an accelerator's tiles each, have more than 2 costs"
    assert faults(rtsched.compile, scenario, platform) == [f"platform {platform.name!r}: {message}"]


def test_many_blocks_are_read_in_linear_time():
    blocks = tuple(Block(layers=(one,), skip=0.5 * (i > 0)) for i, one in enumerate(layers(20_000)))
    begin = time.process_time()
    Model(name="m", blocks=blocks)
    # 0.1 s; to compare every block with every other one takes a quarter of an hour.
    assert time.process_time() - begin < 10.0


# What messages show of names


def test_names_in_messages_are_short_and_on_one_line():
    assert [quoted("a\nb"), plain("a\nb"), plain("a b")] == ["'a\\nb'", "'a\\nb'", "a b"]
    assert len(quoted("x" * 5_000)) == len(plain("x" * 5_000)) == 60
    assert listed("abc") == "a, b, c"
    assert listed(map(str, range(21))) == ", ".join(map(str, range(20))) + " and 1 more"


NAMES = ["a\nb", "x" * 5_000]
TASK = "- {{name: {name}, model: {{name: m, layers: [{{kind: measured, name: l}}]}}"
SCENARIOS = {
    "unknown parent": TASK + ", fps: 1}}\n- {{name: u, model: kws_res8, parents: [v]}}\n",
    "cycle": TASK + ", parents: [u]}}\n- {{name: u, model: kws_res8, parents: [{name}]}}\n",
    "two roots": TASK + ", fps: 1}}\n- {{name: u, model: gnmt, fps: 1}}\n- {{name: v, model: kws_res8, parents: [{name}, u]}}\n",
    "doubled": TASK + ", fps: 1}}\n- {{name: {name}, model: kws_res8, fps: 1}}\n",
    "two laws": TASK + ", fps: 1, rate_hz: 1}}\n",
    "no parents": TASK + ", fps: 1, trigger: 0.5}}\n",
    "too slow": TASK + ", fps: 1.0e-300}}\n",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", SCENARIOS)
def test_scenarios_with_strange_names_are_refused_in_short_lines(case, name, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\ntasks:\n" + SCENARIOS[case].format(name=f'"{name}"'.replace("\n", "\\n")))
    found = faults(rtsched.compile, path, "dream_4k_2ws")
    assert all(len(one) < 500 and "\n" not in one for one in found)
    assert found


# Nothing is executed

RUNS_CODE = {"eval", "exec", "__import__"}
LOADING = {"load", "loads", "Unpickler", "load_all", "unsafe_load", "open"}
LOADERS = dict.fromkeys(("pickle", "yaml", "marshal", "shelve", "dill"), LOADING)
"""Modules that run what they read, and how."""


def dangers(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in RUNS_CODE:
                yield name
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in LOADERS.get(module, ()):
                yield f"{module}.{name}"
            case ast.ImportFrom(module=module) if module in LOADERS:
                yield f"from {module}"
            case ast.keyword(arg="allow_pickle", value=value) if not (isinstance(value, ast.Constant) and value.value is False):
                yield "allow_pickle"
            case ast.keyword(arg="typ", value=ast.Constant(value="unsafe")):
                yield "unsafe YAML"


def test_what_runs_code_is_found():
    text = "eval(x); pickle.loads(x); from pickle import load; np.load(x, allow_pickle=True); YAML(typ='unsafe'); pickle.dumps(x)"
    tree = ast.parse(text.replace("; ", "\n"))
    assert set(dangers(tree)) == {"eval", "pickle.loads", "from pickle", "allow_pickle", "unsafe YAML"}


def test_no_reader_runs_what_it_reads():
    folder = Path(rtsched.__file__).parent
    sources = sorted(folder.rglob("*.py"))
    found = {path.relative_to(folder).as_posix(): list(dangers(ast.parse(path.read_text(encoding="utf-8")))) for path in sources}
    assert len(found) > 100
    # What is run is the file of a policy that a user names to be run.
    assert {path: kinds for path, kinds in found.items() if kinds} == {"policies/script.py": ["exec"]}
    compiled = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*.pyx")}
    assert [name for name, text in compiled.items() if re.search(r"\b(pickle|marshal|eval\(|exec\()", text)] == []
