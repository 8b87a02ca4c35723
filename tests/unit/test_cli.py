"""The command line: help, lists, descriptions, imports."""

import re
import subprocess
import sys

import pytest
from program import BRIEF, MINE, SHORT, SQUEEZENET, invoke, messages, start

import rtsched
from rtsched.library import models, platforms, scenarios
from rtsched.metrics import SCALARS
from rtsched.policies import registry


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_without_a_command_there_is_help(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("Usage: rtsched [OPTIONS] COMMAND")
    assert re.findall(r"^  (\w+)  ", result.stdout, flags=re.MULTILINE) == [
        "run",
        "compare",
        "bound",
        "explore",
        "tune",
        "sweep",
        "check",
        "replay",
        "report",
        "timeline",
        "list",
        "show",
        "roofline",
        "bandwidth",
        "schema",
        "study",
        "import",
        "reproduce",
    ]
    assert "completion" not in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("compare",),
        ("bound",),
        ("explore",),
        ("tune",),
        ("sweep",),
        ("study",),
        ("study", "ls"),
        ("study", "show"),
        ("study", "export"),
        ("check",),
        ("report",),
        ("timeline",),
        ("list",),
        ("show",),
        ("roofline",),
        ("bandwidth",),
        ("schema",),
        ("import",),
        ("import", "onnx"),
        ("import", "scalesim"),
        ("import", "zigzag"),
        ("import", "onnxruntime"),
        ("import", "xrbench"),
    ],
)
def test_help_of_commands_fits_a_terminal(command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "\b" not in result.stdout


def test_examples_of_the_help_are_accepted(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    text = "".join(invoke(*command, "--help").stdout for command in [(), ("run",), ("compare",), ("bound",), ("show",), ("bandwidth",)])
    examples = re.findall(
        r"^    rtsched ((?:run|compare|bound|bandwidth) vr_gaming[^|\n]*|list .*|show [\w.:]+)$", text, flags=re.MULTILINE
    )
    assert len(examples) == 20
    for arguments in map(str.split, examples):
        result = invoke(*arguments, *(["--duration", "0.15"] if arguments[0] in ("run", "compare", "bound", "bandwidth") else []))
        assert result.exit_code == 0, arguments


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"rtsched {rtsched.__version__}\n")


# list and show


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("scenarios", scenarios()),
        ("platforms", platforms()),
        ("policies", registry.policy_names()),
        ("models", models()),
        ("metrics", tuple(SCALARS)),
    ],
)
def test_lists_in_a_pipe_have_a_line_for_each(what, names):
    lines = start("list", what, environment={"COLUMNS": "40"}).communicate()[0].splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(names)


def test_lists_of_everything():
    lists = [start("list", what).communicate()[0] for what in ("scenarios", "platforms", "policies", "models", "metrics")]
    assert start("list").communicate()[0] == "\n".join(lists)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "scenario") for name in scenarios()),
        *((name, "platform") for name in platforms()),
        *((name, "policy") for name in registry.policy_names()),
        *((name, "model") for name in models()),
        *((name, "metric") for name in SCALARS),
    ],
)
def test_everything_can_be_shown(name, kind):
    result = invoke("show", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == f"{name}  {kind}"


def test_show_of_what_is_not_there():
    assert messages("show", "gnmtt") == ["nothing is named 'gnmtt'; did you mean 'gnmt'?"]
    assert messages("show", "gone.yaml") == ["gone.yaml: no such file"]
    assert messages("show", "gone.onnx")
    told = "is a saved outcome; rtsched check examines it, rtsched.load_outcome reads it in Python"
    assert messages("show", "run.npz") == [f"run.npz: {told}"]
    assert messages("run", "some/run.npz") == [f"some/run.npz: {told}"]


# Pipes


@pytest.mark.parametrize("arguments", [("list",), ("show", "vr_gaming"), ("show", "dream_4k_2ws"), ("show", "gnmt"), ("show", "herald")])
@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_no_line_in_a_pipe_ends_in_a_blank(arguments, environment):
    output, _ = start(*arguments, environment=environment).communicate()
    plain = re.sub(r"\x1b\[[\d;]*m", "", output)
    assert len(plain.splitlines()) > 3
    assert [line for line in plain.splitlines() if line != line.rstrip()] == []


def test_no_line_of_a_summary_or_a_comparison_in_a_pipe_ends_in_a_blank():
    for arguments in (SHORT, BRIEF):
        text = "".join(start(*arguments).communicate())
        assert [line for line in text.splitlines() if line != line.rstrip()] == []


# import


def test_import_onnx_round_trip(tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "net.yaml"
    result = invoke("import", "onnx", SQUEEZENET, "-o", path, "--name", "squeezenet", "--batch", 2)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("squeezenet  model\nONNX file light_squeezenet.onnx, batch=2\n")
    assert re.search(r"^conv +26 +698 +1\.24", result.stderr, flags=re.MULTILINE)
    model = rtsched.load_model(path)
    assert model.name == "squeezenet"
    assert model.macs == 2 * rtsched.load_model(SQUEEZENET).macs
    assert invoke("import", "onnx", SQUEEZENET, "-o", "-", "--name", "squeezenet", "--batch", 2).stdout == path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_import_onnx_without_output_is_a_summary():
    pytest.importorskip("onnx")
    result = invoke("import", "onnx", SQUEEZENET)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "all layers" in result.stderr


@pytest.fixture
def onnx_file(tmp_path):
    """A product over a sequence of open length, and a vendor's operator."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm"), helper.make_node("Magic", ["y"], ["z"], name="magic", domain="acme")]
    inputs = [helper.make_tensor_value_info("x", kind, ["batch", "sequence", 8])]
    outputs = [helper.make_tensor_value_info("z", kind, None)]
    weights = [helper.make_tensor("w", kind, [8, 4], [0.0] * 32)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    return path


def test_import_onnx_lists_what_is_free(onnx_file):
    result = invoke("import", "onnx", onnx_file, "--dim", "sequence=16", "--unknown", "free")
    assert result.exit_code == 0
    assert "free  operator Magic of domain 'acme' (1 node, first 'magic')" in result.stderr
    assert re.search(r"^gemm +1 +512 +32\.0", result.stderr, flags=re.MULTILINE)


def test_import_onnx_faults(onnx_file, tmp_path):
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "net.yaml"
    assert "sequence" in messages("import", "onnx", onnx_file, "-o", out)[0]
    assert "operator Magic" in messages("import", "onnx", onnx_file, "--dim", "sequence=16", "-o", out)[0]
    assert messages(
        "import", "onnx", "net", "--dim", "=3", "--dim", "a", "--dim", "b=x", "--dim", "c=1", "--dim", "c=2", "-o", onnx_file
    ) == [
        "net: must be a file that ends in .onnx",
        "--dim: must be NAME=N with a whole number N, got '=3'",
        "--dim: must be NAME=N with a whole number N, got 'a'",
        "--dim: must be NAME=N with a whole number N, got 'b=x'",
        "--dim: 'c' is given twice",
        f"{onnx_file}: must end in .yaml or .yml, or be - for standard output",
    ]
    assert sorted(tmp_path.iterdir()) == before


def test_the_package_runs_as_a_program():
    done = subprocess.run([sys.executable, "-P", "-m", "rtsched", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"rtsched {rtsched.__version__}\n")
