"""Scenarios out of XRBench's benchmark files: what they mean, and what is said about every fault."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app
from rtsched.errors import InputError
from rtsched.interop.model_yaml import dump_scenario
from rtsched.interop.xrbench import load_xrbench

GAZE = """// eyes, then gaze
Network Eyes {
\tFPS: 60
\tLayer conv1 {
\t\tType: CONV
\t\tStride { X: 2, Y: 1 }
\t\tDimensions: { N: 2, K: 32, C: 3, Y: 160, X: 101, R: 3, S: 5 } // input without padding
\t}
\tLayer conv1 { Type: DSCONV Dimensions { K: 1, C: 32, Y: 2, X: 2, R: 3, S: 3 } }
}

Network Gaze {
  Dependency: {
    Eyes
  }
  Probability: 0.25
  FPS: 60
  Layer up { Dimensions { K: 8 C: 16 Y: 10 X: 20 R: 4 S: 1 } Type: TRCONV
    Dataflow { TemporalMap(Sz(R),1) Y; Cluster(8, P); }
  }
}
Network Hands {
  FPS: 45
  Layer mix { Type: NGCONV Dimensions { G: 4, K: 8, C: 32, Y: 9, X: 9, R: 1, S: 1 } }
}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load a text as the file vr.m of the current folder."""
    monkeypatch.chdir(tmp_path)

    def load(text, **options):
        Path("vr.m").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_xrbench("vr.m", **options)

    return load


def faults(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return list(caught.value.faults)


def network(*layers, name="A", head="FPS: 30"):
    body = layers or (layer_text(),)
    return f"Network {name} {{ {head} {' '.join(body)} }}"


def layer_text(kind="CONV", stride="", name="l", **dimensions):
    sizes = {"K": 4, "C": 4, "Y": 8, "X": 8, "R": 3, "S": 3, **dimensions}
    written = " ".join(f"{key}: {value}" for key, value in sizes.items() if value is not None)
    return f"Layer {name} {{ Type: {kind} {f'Stride {{ {stride} }}' if stride else ''} Dimensions {{ {written} }} }}"


def test_networks_become_tasks(load):
    scenario = load(GAZE)
    assert (scenario.name, scenario.description) == ("vr", "XRBench file vr.m")
    eyes, gaze, hands = scenario.tasks
    assert (eyes.name, eyes.model.name, eyes.fps, eyes.parents) == ("Eyes", "Eyes", 60, None)
    assert (gaze.fps, gaze.parents, gaze.trigger, gaze.deadline_from) == (None, ("Eyes",), 0.25, "source")
    assert (hands.fps, hands.law) == (45, "fps")
    assert load(GAZE, name="mine").name == "mine"


def test_layers_become_convolutions(load):
    eyes, gaze, hands = (task.model.layers for task in load(GAZE).tasks)
    first, depthwise = eyes
    assert (first.name, first.size, first.kernel, first.stride, first.batch) == ("conv1", (160, 101), (3, 5), (1, 2), 2)
    assert (first.in_channels, first.out_channels, first.groups) == (3, 32, 1)
    assert (first.padding, first.output_size) == ((1, 2, 1, 2), (160, 51))
    assert (depthwise.name, depthwise.in_channels, depthwise.out_channels, depthwise.groups) == ("conv1_2", 32, 32, 32)
    assert (depthwise.padding, depthwise.output_size) == ((1, 1, 1, 1), (2, 2))
    assert (gaze[0].transposed, gaze[0].stride, gaze[0].output_size) == (True, (2, 2), (20, 40))
    assert gaze[0].macs == 10 * 20 * 4 * 16 * 8
    assert (hands[0].groups, hands[0].in_channels, hands[0].out_channels) == (4, 32, 32)


@pytest.mark.parametrize(
    ("kind", "channels", "expected"),
    [
        ("DSCONV", {"K": 32, "C": 32}, (32, 32)),
        ("DSCONV", {"K": 64, "C": 32}, (64, 32)),
        ("NGCONV", {"G": 32, "K": 4, "C": 128}, (128, 32)),
        ("NGCONV", {"G": 32, "K": 32, "C": 1024}, (1024, 32)),
        ("NGCONV", {"G": 32, "K": 128, "C": 128}, (128, 32)),
        ("NGCONV", {"G": 32, "K": 1, "C": 64}, (32, 32)),
        ("CONV", {"G": 1, "K": 5, "C": 7}, (5, 1)),
    ],
)
def test_channels_of_grouped_convolutions(load, kind, channels, expected):
    (task,) = load(network(layer_text(kind, **channels))).tasks
    assert (task.model.layers[0].out_channels, task.model.layers[0].groups) == expected


@given(size=st.integers(1, 60), kernel=st.integers(1, 12), stride=st.integers(1, 9), is_transposed=st.booleans())
def test_padding_keeps_sizes(tmp_path_factory, size, kernel, stride, is_transposed):
    path = tmp_path_factory.mktemp("xrbench") / "a.m"
    path.write_text(network(layer_text("TRCONV" if is_transposed else "CONV", f"Y: {stride} X: 1", Y=size, X=7, R=kernel, S=1)))
    (conv,) = load_xrbench(path).tasks[0].model.layers
    assert conv.output_size == (size * stride if is_transposed else -(-size // stride), 7)


def test_padding_may_be_in_the_sizes(load):
    (conv,) = load(network(layer_text("CONV", "X: 2 Y: 2", Y=230, X=229, R=7, S=7)), padding="none").tasks[0].model.layers
    assert (conv.padding, conv.output_size) == ((0, 0, 0, 0), (112, 112))
    assert faults(load, network(layer_text(Y=2)), padding="none") == ["vr.m:1:27: layer l: the kernel 3 x 3 is larger than the input 2 x 8"]
    assert faults(load, GAZE, padding="valid") == ["padding: must be one of same, none, got 'valid'"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["vr.m: has no networks"]),
        ("Accelerator { }", ["vr.m:1:1: must be Network, got Accelerator"]),
        ("Network A {\n FPS: 30\n", ["vr.m:3:1: must go on with FPS, Probability, Dependency, Layer or }, but the file ends"]),
        ("Network", ["vr.m:1:8: must go on with the name of a network, but the file ends"]),
        ("Network { }", ["vr.m:1:9: must be the name of a network, got {"]),
        ("Network A B { }", ["vr.m:1:11: must be {, got B"]),
        ("Network A { Rate: 3 }", ["vr.m:1:13: must be FPS, Probability, Dependency, Layer or }, got Rate"]),
        (network(head=""), ["vr.m:1:9: network A has no FPS"]),
        ("Network A { FPS: 30 }", ["vr.m:1:9: network A has no layers"]),
        (network(head="FPS: 0"), ["vr.m:1:18: must be a number greater than 0 and at most 1e9, got 0"]),
        (network(head="FPS: -30"), ["vr.m:1:19: must be a number greater than 0 and at most 1e9, got -30"]),
        (network(head="FPS: 1e400"), ["vr.m:1:18: must be a number greater than 0 and at most 1e9, got 1e400"]),
        (network(head="FPS: fast"), ["vr.m:1:18: must be a number greater than 0 and at most 1e9, got fast"]),
        (network(head="FPS: 30 FPS: 40"), ["vr.m:1:21: FPS stands twice in network A"]),
        (network(head="FPS: 30 Probability: 1.5"), ["vr.m:1:34: must be a number from 0 to 1, got 1.5"]),
        (network(head="FPS: 30 Probability: 0.5"), ["vr.m:1:34: network A has no Dependency, so it runs for every frame"]),
        (network(head="FPS: 30 Dependency: { B }"), ["vr.m:1:35: unknown network B; networks: A"]),
        (network(head="FPS: 30 Dependency: { A }"), ["vr.m:1:35: cycle of parents: A -> A"]),
        (network(head="FPS: 30 Dependency: { { A } }"), ["vr.m:1:35: must be }, got {"]),
        (network() + "\n" + network(), ["vr.m:2:9: another network is named A too, at vr.m:1:9"]),
        (network() + "\n" + network(name="B", head="Dependency { A A }"), ["vr.m:2:28: A stands twice"]),
        (
            network() + "\n" + network(name="B", head="FPS: 60 Dependency { A }"),
            ["vr.m:2:18: must be 30, the FPS of A, whose frames it has, got 60"],
        ),
        (
            f"{network()}\n{network(name='B')}\n{network(name='C', head='Dependency { A B }')}",
            ["vr.m:3:26: must have one root, whose frames they share: 'A' is one, 'B' is one"],
        ),
        (network("Layer l { Stride { X: 1 } }"), [
            "vr.m:1:27: the type of layer l must be one of CONV, DSCONV, TRCONV, NGCONV, got nothing",
            "vr.m:1:27: layer l lacks the dimensions K, C, Y, X, R, S",
        ]),
        (network(layer_text("LSTM")), ["vr.m:1:37: the type of layer l must be one of CONV, DSCONV, TRCONV, NGCONV, got LSTM"]),
        (network(layer_text("NGCONV")), ["vr.m:1:27: layer l lacks the dimension G"]),
        (network(layer_text(K=None, S=None)), ["vr.m:1:27: layer l lacks the dimensions K, S"]),
        (network(layer_text(K=0)), ["vr.m:1:59: K must be a whole number from 1 to 2^31 - 1, got 0"]),
        (network(layer_text(K=-3)), ["vr.m:1:60: K must be a whole number from 1 to 2^31 - 1, got -3"]),
        (network(layer_text(K=1.5)), ["vr.m:1:59: K must be a whole number from 1 to 2^31 - 1, got 1.5"]),
        (network(layer_text(K=2**31)), ["vr.m:1:59: K must be a whole number from 1 to 2^31 - 1, got 2147483648"]),
        (network(layer_text(K="9" * 5000)), [f"vr.m:1:59: K must be a whole number from 1 to 2^31 - 1, got {'9' * 57}..."]),
        (network(layer_text(Q=3)), ["vr.m:1:86: must be one of N, K, C, Y, X, R, S, G, got Q"]),
        (network("Layer l { Type: CONV Dimensions { K: 1 K: 2 C } }"), [
            "vr.m:1:60: K stands twice", "vr.m:1:65: C must be a whole number from 1 to 2^31 - 1, got nothing",
        ]),
        (network(layer_text(stride="X: 0 Z: 1")), [
            "vr.m:1:54: X must be a whole number from 1 to 2^31 - 1, got 0", "vr.m:1:56: must be one of X, Y, got Z",
        ]),
        (network(layer_text(G=2)), ["vr.m:1:27: layer l: G belongs to NGCONV, got 2"]),
        (network(layer_text("DSCONV", K=5)), ["vr.m:1:27: layer l: 4 groups must divide the channels, K 5 and C 4"]),
        (network(layer_text("NGCONV", G=2**20, K=2**20 + 1, C=2**20)), [
            "vr.m:1:27: layer l: it has 1099512676352 output channels; must be at most 2^31 - 1",
        ]),
        (b"Network A\n{ FPS\xff: 30 }", ["vr.m:2:6: is not UTF-8: byte 0xff"]),
    ],
)  # fmt: skip
def test_faults(load, text, expected):
    assert faults(load, text) == expected


def test_all_faults_are_reported_at_once(load):
    text = "\n".join([network(layer_text(K=0), head="FPS: x"), network(layer_text("POOL"), name="B"), "Network C ; }"])
    assert [fault.split(": ")[0] for fault in faults(load, text)] == ["vr.m:1:18", "vr.m:1:58", "vr.m:3:13"]
    assert faults(load_xrbench, "gone.m") == ["gone.m: no such file"]


WORDS = "Network A Network B Layer FPS: Probability Dependency { } { } Type CONV TRCONV Stride Dimensions K C Y X R S G 1 2 0.5 - //"


@given(st.lists(st.sampled_from([*WORDS.split(), "\n"])).map(" ".join))
def test_any_text_is_refused_with_its_place(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("xrbench") / "a.m"
    path.write_text(text, newline="")
    with pytest.raises(InputError) as caught:
        load_xrbench(path)
    assert all(fault.startswith(str(path)) for fault in caught.value.faults)


# The command


def invoke(*arguments):
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_written_scenario_is_the_same_and_runs(load, tmp_path):
    scenario = load(GAZE)
    done = invoke("import", "xrbench", "vr.m", "-o", "vr.yaml")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "when Eyes ends, 25 % of times" in done.stderr
    assert rtsched.load_scenario("vr.yaml") == scenario
    assert Path("vr.yaml").read_text() == dump_scenario(scenario) == invoke("import", "xrbench", "vr.m", "-o", "-").stdout
    outcome = rtsched.simulate("vr.yaml", "dream_4k_1ws2os", duration_s=1.0)
    assert list(outcome.metrics.released[[0, 2]]) == [60, 45]
    assert 0 < outcome.metrics.released[1] < 60


def test_outputs_are_checked_first(load, tmp_path):
    load(GAZE)
    Path("bad.m").write_text("Network")
    before = sorted(tmp_path.iterdir())
    for arguments, expected in (
        (
            ("vr.m", "-o", "vr.m"),
            ["vr.m: must end in .yaml or .yml, or be - for standard output", "--output vr.m: would overwrite the file"],
        ),
        (("vr.m", "--name", " "), ["--name: must be a name, got nothing"]),
        (("bad.m", "-o", "bad.yaml"), ["bad.m:1:8: must go on with the name of a network, but the file ends"]),
    ):
        result = invoke("import", "xrbench", *arguments)
        assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (2, "", expected)
    assert sorted(tmp_path.iterdir()) == before


def test_long_names_are_shortened(load):
    name = "n" * 2_000
    text = f"Network {name} {{ FPS: 30 FPS: 30 Dependency {{ Nobody }} Layer {name} {{ Type: CONV Type: CONV }} }}"
    found = faults(load, text)
    assert [fault.split(": ", 1)[1] for fault in found[:2]] == [
        f"FPS stands twice in network {'n' * 57}...",
        f"Type stands twice in layer {'n' * 57}...",
    ]
    assert all(len(fault) < 300 for fault in found)
