"""Names to objects: built in, in files, in packages; and what is said when they are not there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rtsched.errors import InputError
from rtsched.library import load_model, load_platform, load_scenario, models, platforms, scenarios
from rtsched.run import compile
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario, Task

MALFORMED = Path(__file__).parent / "malformed"

NET = """\
name: net
layers:
  - {kind: gemm, name: only, m: 1, n: 10, k: 20}
"""
SCENARIO = """\
name: glasses
platform: boards/board.yaml
tasks:
  - {name: hands, model: nets/net.yaml, fps: 30}
  - {name: words, model: kws_res8, fps: 10}
"""


def faults(load: object, *arguments: object) -> tuple[str, ...]:
    assert callable(load)
    with pytest.raises(InputError) as caught:
        load(*arguments)
    return caught.value.faults


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside the current one, with a scenario and what it names."""
    for name, text in {"glasses.yaml": SCENARIO, "nets/net.yaml": NET, "boards/board.yaml": "name: board\n"}.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return Path("../project")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that fails when it is imported."""
    folder = tmp_path / "site" / "vendor_nets"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "data" / "net.yaml").write_text(NET)
    (folder.parent / "secret.yaml").write_text(NET)
    (folder.parent / "vendor_module.py").write_text("")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


@pytest.mark.parametrize("file", sorted(path.name for path in MALFORMED.glob("*.yaml")))
def test_malformed_scenarios(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MALFORMED)
    expected = Path(file).with_suffix(".expected").read_text(encoding="utf-8")
    assert "\n".join(faults(compile, file)) + "\n" == expected


def test_every_built_in_loads() -> None:
    assert "vr_gaming" in scenarios()
    for name in scenarios():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert all(isinstance(task.model, Model) for task in scenario.tasks)
        assert scenario.platform in platforms()
    for name in platforms():
        assert load_platform(name).name == name
    for name in models():
        assert load_model(name).name == name


@pytest.mark.parametrize(("load", "known"), [(load_scenario, scenarios), (load_platform, platforms), (load_model, models)])
def test_unknown_names(load: object, known: object) -> None:
    assert callable(known)
    names = known()
    noun = getattr(load, "__name__", "").removeprefix("load_")
    assert faults(load, names[0] + "x") == (f"unknown {noun} {names[0] + 'x'!r}; did you mean {names[0]!r}?",)
    assert faults(load, "@") == (f"unknown {noun} '@'; known {noun}s: {', '.join(names)}",)
    assert faults(load, "") == (f"unknown {noun} ''; known {noun}s: {', '.join(names)}",)


@pytest.mark.parametrize(("load", "suffixes"), [(load_scenario, ".yaml or .yml"), (load_model, ".yaml or .yml or .onnx")])
def test_files_have_a_suffix(load: object, suffixes: str) -> None:
    for ref in ("nets/net", "./net.txt", Path("net"), "package:vendor_nets/data/net.json"):
        assert faults(load, ref) == (f"{ref}: must be a file that ends in {suffixes}",)


def test_objects_are_what_they_are() -> None:
    model = load_model("kws_res8")
    assert load_model(model) is model
    platform = load_platform(platforms()[0])
    assert load_platform(platform) is platform


def test_models_of_a_scenario_object_are_loaded(folder: Path) -> None:
    tasks = (Task(name="a", model="kws_res8", fps=1), Task(name="b", model=str(folder / "nets/net.yaml"), fps=1))
    loaded = load_scenario(Scenario(name="s", tasks=tasks))
    assert [task.model for task in loaded.tasks] == [load_model("kws_res8"), load_model(folder / "nets/net.yaml")]
    again = load_scenario(loaded)
    assert again == loaded
    bad = tuple(Task(name=name, model=f"{name}.yaml", fps=1) for name in ("x", "y"))
    assert faults(load_scenario, Scenario(name="s", tasks=bad)) == (
        "tasks[0].model: x.yaml: no such file",
        "tasks[1].model: y.yaml: no such file",
    )


def test_paths_start_from_the_folder_of_the_file(folder: Path) -> None:
    scenario = load_scenario(folder / "glasses.yaml")
    assert [task.model for task in scenario.tasks] == [load_model("net.yaml", folder / "nets"), load_model("kws_res8")]
    assert scenario.platform == "../project/boards/board.yaml"
    assert load_scenario(str((folder / "glasses.yaml").resolve())).tasks == scenario.tasks


def test_faults_of_a_model_file_are_reported_where_it_is_named(folder: Path) -> None:
    (folder / "nets/net.yaml").write_text("name: net\nlayers: [{kind: gemm, name: only, m: 0, n: 1}]\n")
    (folder / "boards/board.yaml").unlink()
    path = folder / "glasses.yaml"
    assert faults(load_scenario, path) == (
        f"{path}:2:11 platform: {folder}/boards/board.yaml: no such file",
        f"{path}:4:26 tasks[0].model: {folder}/nets/net.yaml:2:10 layers[0].k: is required",
        f"{path}:4:26 tasks[0].model: {folder}/nets/net.yaml:2:38 layers[0].m: must be at least 1, got 0",
    )


def test_files_in_packages_are_found_without_an_import(package: Path) -> None:
    assert load_model("package:vendor_nets/data/net.yaml").name == "net"
    assert "vendor_nets" not in sys.modules
    (package / "data" / "net.yaml").write_text("name: 3")
    assert faults(load_model, "package:vendor_nets/data/net.yaml", "elsewhere") == (
        "package:vendor_nets/data/net.yaml:1:7 name: must be text, got 3; put it in quotes",
    )


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("package:vendor_nets/../secret.yaml", "must be package:NAME/path/inside, without '..'"),
        ("package:vendor_nets/data/../../secret.yaml", "must be package:NAME/path/inside, without '..'"),
        ("package:vendor_nets//etc/net.yaml", "must be package:NAME/path/inside, without '..'"),
        ("package:vendor_nets.data/net.yaml", "must be package:NAME/path/inside, without '..'"),
        ("package:.yaml", "must be package:NAME/path/inside, without '..'"),
        ("package:nobody/net.yaml", "there is no installed package 'nobody'"),
        ("package:vendor_module/net.yaml", "there is no installed package 'vendor_module'"),
        ("package:__main__/net.yaml", "there is no installed package '__main__'"),
        ("package:vendor_nets/data/nut.yaml", "no such file in package 'vendor_nets'"),
        (f"package:vendor_nets/{'x' * 300}.yaml", "no such file in package 'vendor_nets'"),
    ],
)  # fmt: skip
def test_packages_hold_only_their_own_files(package: Path, ref: str, message: str) -> None:
    assert faults(load_model, ref) == (f"{ref}: {message}",)
    assert "vendor_nets" not in sys.modules


def test_onnx_files_are_models() -> None:
    pytest.importorskip("onnx")
    model = load_model("package:onnx/backend/test/data/light/light_resnet50.onnx")
    assert model.name == "light_resnet50"
    assert model.macs > 3_000_000_000


def test_onnx_files_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "net.onnx").write_bytes(b"\x00\x01")
    (fault,) = faults(load_model, "net.onnx", tmp_path)
    assert fault.startswith(f"{tmp_path}/net.onnx: ")


def test_a_scenario_without_a_platform_says_how_to_choose_one(tmp_path):
    (tmp_path / "drone.yaml").write_text("name: drone\ntasks:\n- {name: t, model: gnmt, fps: 1}\n")
    with pytest.raises(InputError) as caught:
        compile(tmp_path / "drone.yaml")
    assert caught.value.faults == ("scenario 'drone' names no platform of its own; choose one with -p or the key 'platform'",)
