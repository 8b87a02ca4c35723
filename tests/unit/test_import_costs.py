"""Cost tables out of the results of SCALE-Sim, ZigZag and onnxruntime, and what is said about every fault."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import rtsched
from rtsched.cli import app
from rtsched.cost.table import CostTable
from rtsched.errors import InputError
from rtsched.interop.costs import Target, dump_costs
from rtsched.interop.onnxruntime import load_onnxruntime
from rtsched.interop.scalesim import load_scalesim
from rtsched.interop.zigzag import load_zigzag

TARGET = Target("net", "npu")

COMPUTE_V2 = """LayerID, Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %, Compute Util %,
0, 1000, 200, 40.5, 100.0, 50.25,
1, 700, 0, 90.0, 100.0, 90.0,
"""
COMPUTE_V3 = """LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %, Compute Util %,
0, 1100, 1000, 200, 40.5, 100.0, 50.25,
"""
ACCESS = """LayerID, SRAM IFMAP Reads, DRAM IFMAP Start Cycle, DRAM IFMAP Reads, DRAM Filter Reads, DRAM OFMAP Writes,
0, 999, -327.0, 100, 20, 3,
1, 999, -327.0, 50, 0.0, 7,
"""
TOPOLOGY = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 224, 224, 11, 11, 3, 96, 4,

FC, 1, 1, 1, 1, 9216, 10, 1
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(**contents):
        for name, content in contents.items():
            path = Path(name.replace("__", "."))
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def invoke(*arguments):
    result = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def faults(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return list(caught.value.faults)


def columns(table, *names):
    return [tuple(row[name] for name in names) for row in table.to_rows()]


def run_it(model_file, table_file):
    """The latencies of one job of a scenario on an accelerator with this table."""
    accelerator = rtsched.Accelerator(name="npu", cost=rtsched.TableCost(file=str(table_file)))
    platform = rtsched.Platform(name="board", accelerators=[accelerator], memory=rtsched.Memory(peak_gb_per_s=1000.0))
    scenario = rtsched.Scenario(name="one", tasks=[rtsched.Task(name="net", model=str(model_file), fps=1)], duration_s=0.5)
    outcome = rtsched.simulate(scenario, platform)
    return int(outcome.jobs["finish_ns"][0] - outcome.jobs["release_ns"][0])


# The table


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip())
AMOUNT = st.integers(0, 2**53)
ENERGY = st.floats(0, 1e6)
TABLE = st.lists(
    st.fixed_dictionaries(
        {"model": TEXT, "layer": TEXT, "accelerator": TEXT, "latency_ns": st.integers(1, 2**53), "tiles": st.integers(1, 64)},
        optional={"dram_bytes": AMOUNT, "l2_bytes": AMOUNT, "energy_mac_j": ENERGY, "energy_dram_j": ENERGY},
    ),
    min_size=1,
    unique_by=lambda row: (row["model"].strip(), row["layer"].strip(), row["accelerator"].strip(), row["tiles"]),
)


@given(rows=TABLE)
def test_a_table_survives_csv(tmp_path_factory, rows):
    table = CostTable.from_rows(rows)
    path = tmp_path_factory.mktemp("costs") / "costs.csv"
    path.write_text(dump_costs(table), encoding="utf-8", newline="")
    assert CostTable.from_csv(path) == table


def test_a_name_with_a_line_break_cannot_be_written():
    table = CostTable.from_rows([{"model": "a\nb", "layer": "l", "accelerator": "npu", "latency_ns": 1}])
    assert faults(dump_costs, table) == ["rows: the name 'a\\nb' has a line break, which a cost table cannot hold"]


# SCALE-Sim


def test_scalesim_v2(write):
    write(COMPUTE_REPORT__csv=COMPUTE_V2, access__csv=ACCESS, topology__csv=TOPOLOGY)
    plain = load_scalesim("COMPUTE_REPORT.csv", TARGET, clock_mhz=500)
    assert columns(plain, "model", "layer", "accelerator", "tiles") == [("net", "0", "npu", 1), ("net", "1", "npu", 1)]
    assert columns(plain, "latency_ns", "dram_bytes") == [(2000, 0), (1400, 0)]
    full = load_scalesim(
        "COMPUTE_REPORT.csv", Target("net", "npu", 4), clock_mhz=1000, access="access.csv", topology="topology.csv", word_bytes=2
    )
    assert columns(full, "layer", "tiles", "latency_ns", "dram_bytes") == [("Conv1", 4, 1000, 246), ("FC", 4, 700, 114)]


def test_scalesim_v3_counts_the_first_prefetch(write):
    write(report__csv=COMPUTE_V3)
    assert columns(load_scalesim("report.csv", TARGET, clock_mhz=1000), "latency_ns") == [(1100,)]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("", ["r.csv: is empty; its first line must name the columns LayerID, Total Cycles"]),
        ("LayerID, Total Cycles\n", ["r.csv: has no layers"]),
        ("LayerID, Cycles\n0, 1\n", ["r.csv:1:1 Total Cycles: this column is missing"]),
        ("Layer, Total Cycles\n0, 1\n", ["r.csv:1:1 LayerID: this column is missing"]),
        ("LayerID, Total Cycles, Total Cycles\n0, 1, 2\n", ["r.csv:1:24 Total Cycles: this column stands twice"]),
        ("LayerID, Total Cycles\n0, -5\n", ["r.csv:2:4 Total Cycles: must be a number, 0 or greater, got -5"]),
        ("LayerID, Total Cycles\n0, 0\n", ["r.csv:2:4 Total Cycles: must be greater than 0, got 0"]),
        ("LayerID, Total Cycles\n0, nan\n", ["r.csv:2:4 Total Cycles: must be a number, 0 or greater, got nan"]),
        ("LayerID, Total Cycles\n0,\n", ["r.csv:2:3 Total Cycles: must be a number, 0 or greater, got nothing"]),
        ("LayerID, Total Cycles\n0, 1e300\n", ["r.csv:2:1: layer '0' takes 1e+300 ns; must be 1 to 2^53 ns"]),
        ("LayerID, Total Cycles\n0, 1e999\n", ["r.csv:2:4 Total Cycles: must be a number, 0 or greater, got 1e999"]),
        ("LayerID, Total Cycles\nx, 1\n", ["r.csv:2:1 LayerID: must be the number of a layer, got x"]),
        ("LayerID, Total Cycles\n0, 1\n00, 2\n", ["r.csv:3:1: layer '0' stands at r.csv:2:1 already"]),
        ("LayerID, Total Cycles\n0, 1, 2\n", ["r.csv:2:1: must have 2 cells, as the header does, got 3"]),
        (b"LayerID, Total Cycles\n0, 1\xff\n", ["r.csv:2:5: is not UTF-8: byte 0xff"]),
    ],
)
def test_scalesim_faults(write, report, expected):
    write(r__csv=report)
    assert faults(load_scalesim, "r.csv", TARGET, clock_mhz=1000) == expected


def test_scalesim_reports_that_do_not_fit_together(write):
    write(r__csv=COMPUTE_V2, a__csv=ACCESS.replace("\n1, 999", "\n2, 999"), t__csv="name,\nConv1,\n")
    assert faults(load_scalesim, "r.csv", TARGET, clock_mhz=1, access="a.csv") == ["r.csv:3:1: LayerID 1 is not in a.csv"]
    assert faults(load_scalesim, "r.csv", TARGET, clock_mhz=1, topology="t.csv") == [
        "r.csv:3:1: LayerID 1 is not in t.csv, which names 1 layers"
    ]
    write(a__csv="LayerID, DRAM IFMAP Reads, DRAM Filter Reads\n0, -1, 2\n", t__csv="name,\nA,\n,\nA,\n")
    assert faults(load_scalesim, "r.csv", TARGET, clock_mhz=1, access="a.csv", topology="t.csv") == [
        "t.csv:3:1: must name a layer, got nothing",
        "t.csv:4:1: layer 'A' stands at t.csv:2:1 already",
        "a.csv:1:1 DRAM OFMAP Writes: this column is missing",
        "a.csv:2:4 DRAM IFMAP Reads: must be a number, 0 or greater, got -1",
    ]
    for clock_mhz in (0, -1, float("nan"), float("inf")):
        assert "clock_mhz: must be greater than 0" in faults(load_scalesim, "r.csv", TARGET, clock_mhz=clock_mhz)[0]


# ZigZag


def result(**changes):
    """A layer's complete result, in the form of ZigZag's; `changes` by dotted path, `__` for a dot."""
    accesses = "4waydatamoving (rd /\\: 0, wr V: 0, rd V: {}, wr /\\: {})"
    widths = {"I1": [2048, 64], "I2": [8, 64], "O": [16, 64]}
    made = {
        "outputs": {
            "memory": {
                "word_accesses": {
                    "O": [accesses.format(7, 7), accesses.format(0, 4.0)],
                    "I": [accesses.format(9, 9), accesses.format(3.0, 0)],
                    "W": [accesses.format(5, 5), accesses.format(2.0, 0)],
                }
            },
            "energy": {
                "operational_energy": 1.5,
                "memory_energy": 10.0,
                "memory_energy_breakdown_per_level": {"O": [1.0, 4.0], "I": [2.0, 2.0], "W": [0.5, 0.5]},
            },
            "latency": {"data_onloading": 30, "computation": 60.0, "data_offloading": 10},
        },
        "inputs": {
            "accelerator": {"cores": [{"mem_r_bw_min_dict": widths, "mem_w_bw_min_dict": {**widths, "O": [16, 32]}}]},
            "layer": {"memory_operand_links": {"O": "O", "W": "I2", "I": "I1"}},
        },
    }
    for path, value in changes.items():
        *steps, last = path.split("__")
        place = made
        for step in steps:
            place = place[step]
        place[last] = value
    return made


def test_zigzag_complete(write):
    write(conv1_complete__json=json.dumps(result(), indent=4))
    table = load_zigzag(["conv1_complete.json"], TARGET, clock_mhz=500)
    bytes_ = 4 * 32 // 8 + 3 * 64 // 8 + 2 * 64 // 8
    assert columns(table, "layer", "latency_ns", "dram_bytes") == [("conv1", 200, bytes_)]
    assert table.energy_j[0] == pytest.approx([1.5e-12, 3.5e-12, 0, 6.5e-12], rel=1e-12)


@pytest.mark.parametrize(("up", "down", "word"), [("^", "v", "4waydatamoving "), ("↑", "↓", "4WayDataMoving")])
def test_zigzag_accesses_of_other_versions(write, up, down, word):
    text = json.dumps(result(), ensure_ascii=False).replace("/\\\\", up).replace("V:", f"{down}:").replace("4waydatamoving ", word)
    write(a_complete__json=text)
    assert columns(load_zigzag(["a_complete.json"], TARGET, clock_mhz=1), "dram_bytes") == [(56,)]


def test_zigzag_accesses_without_widths(write):
    """As version 3.9 writes them."""
    level = {"rd_out_to_low": 0, "wr_in_by_low": 0, "rd_out_to_high": 5, "wr_in_by_high": 6}
    made = result(
        outputs__memory__word_accesses__O=[level, level | {"wr_in_by_low": 7}],
        outputs__memory__word_accesses__W=[level, level | {"rd_out_to_low": 4000}],
        outputs__memory__word_accesses__I=[level, level | {"rd_out_to_low": 4}],
        inputs__accelerator={"mem_r_bw_min_dict": {}, "mem_w_bw_min_dict": {}},
    )
    write(a_complete__json=json.dumps(made))
    assert columns(load_zigzag(["a_complete.json"], TARGET, clock_mhz=1), "dram_bytes") == [(0,)]
    assert columns(load_zigzag(["a_complete.json"], TARGET, clock_mhz=1, access_bytes=128), "dram_bytes") == [(4011 * 128,)]
    for wrong in (0, -1, float("nan"), float("inf")):
        assert faults(load_zigzag, ["a_complete.json"], TARGET, clock_mhz=1, access_bytes=wrong) == [
            f"access_bytes: must be greater than 0, at most 2^20, got {wrong!r}"
        ]


def test_zigzag_simple_and_yaml(write):
    Path("x_complete").mkdir()
    write(s_simple__json='{"energy": 2e6, "latency": 27}')
    Path("x_complete/.yml").write_text(
        "outputs:\n  latency: {data_onloading: 1, computation: 2, data_offloading: 3}\n"
        "  energy: {operational_energy: 1, memory_energy: 0}\n"
    )
    table = load_zigzag(["s_simple.json", "x_complete/.yml"], TARGET, clock_mhz=1000)
    assert columns(table, "layer", "latency_ns", "dram_bytes", "energy_mac_j") == [("s", 27, 0, 2e-6), ("x", 6, 0, 1e-12)]
    named = load_zigzag(["s_simple.json", "x_complete/.yml"], TARGET, clock_mhz=1000, layers=["/s", "/x"])
    assert named.layer == ("/s", "/x")


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs__layer__memory_operand_links": {"O": "O"}},
        {"inputs__accelerator": None},
        {"outputs__memory__word_accesses__O": ["?"]},
        {"outputs__memory__word_accesses__O": []},
        {"outputs__memory__word_accesses__O": 3},
        {"outputs__memory__word_accesses__O": [{"rd_out_to_low": 1}]},
        {"outputs__memory__word_accesses__O": ["4waydatamoving (rd ^: 0, wr v: 0, rd v: 1e, wr ^: 0)"]},
        {"inputs__accelerator__cores": [{"mem_r_bw_min_dict": {"O": [True]}, "mem_w_bw_min_dict": {"O": [1]}}]},
    ],
)
def test_zigzag_traffic_that_is_not_told_is_not_invented(write, changes):
    write(a_complete__json=json.dumps(result(**changes)))
    assert columns(load_zigzag(["a_complete.json"], TARGET, clock_mhz=1000), "latency_ns", "dram_bytes") == [(100, 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"energy": 1, "latency": -2}', "a_simple.json:1:26 latency: must be a number, 0 or greater, got -2"),
        ('{"energy": 1, "latency": 0}', "a_simple.json:1:26 latency: must be more than 0 cycles"),
        ('{"energy": 1}', "a_simple.json:1:1 latency: must be a number, 0 or greater, got nothing"),
        ('{"energy": "1", "latency": 5}', "a_simple.json:1:12 energy: must be a number, 0 or greater, got 1"),
        ('{"energy": 1, "latency": true}', "a_simple.json:1:26 latency: must be a number, 0 or greater, got True"),
        ('{"energy": 1, "latency": Infinity}', "a_simple.json:1:26 latency: must be a number, 0 or greater, got Infinity"),
        ('{"energy": 1, "latency": 1e300}', "a_simple.json: layer 'a' takes 1e+300 ns; must be 1 to 2^53 ns"),
        ('{"energy": 1e30, "latency": 1}', "a_simple.json: layer 'a' takes more than 1,000,000 J"),
        ('{"energy": 1, "latency": 1, "latency": 2}', "a_simple.json:1:29"),
        ('{"energy": 1, "laten', "a_simple.json:1:"),
        ("[]", "a_simple.json:1:1 latency: must be a number, 0 or greater, got nothing"),
        (b'{"energy": \xff}', "a_simple.json:1:12"),
        (json.dumps(result(inputs__layer=[0, 1])), "a_simple.json:1:850 inputs.layer: must describe one layer; this file sums up several"),
        (json.dumps(result(outputs__energy__memory_energy=1)), "a_simple.json:1:481 outputs.energy.memory_energy: must be at least 6.5"),
    ],
)
def test_zigzag_faults(write, text, expected):
    write(a_simple__json=text)
    found = faults(load_zigzag, ["a_simple.json"], TARGET, clock_mhz=1000)
    assert found[0].startswith(expected)


def test_zigzag_faults_of_several_files(write, tmp_path):
    write(a_simple__json='{"energy": 1, "latency": 2}', a_complete__json=json.dumps(result()), b__pickle=b"\x80\x04N.")
    assert faults(load_zigzag, ["a_simple.json", "a_complete.json", "b.pickle", "c.json"], TARGET, clock_mhz=1) == [
        "a_complete.json: layer 'a' stands at a_simple.json already",
        "b.pickle: must be a file that ends in .json, .yaml, .yml; pickles are not read",
        "c.json: no such file",
    ]
    assert faults(load_zigzag, ["a_simple.json"], TARGET, clock_mhz=1, layers=["x", "y"]) == [
        "layers: must name the layer of each file: 1 files, 2 names"
    ]


# onnxruntime


def node(name, us, ts=0):
    return {"cat": "Node", "pid": 1, "tid": 1, "dur": us, "ts": ts, "ph": "X", "name": f"{name}_kernel_time", "args": {"op_name": "Conv"}}


def run_of(ts, us, *nodes):
    """The events of a run as onnxruntime writes them: nodes first."""
    session = {"cat": "Session", "pid": 1, "tid": 1, "ts": ts, "ph": "X", "args": {}}
    return [*nodes, {**session, "dur": us - 1, "name": "SequentialExecutor::Execute"}, {**session, "dur": us, "name": "model_run"}]


def profile(*runs):
    start = [{"cat": "Session", "pid": 1, "tid": 1, "dur": 9, "ts": 1, "ph": "X", "name": "session_initialization", "args": {}}]
    events = start + [event for run in runs for event in run]
    return "[\n" + ",\n".join(json.dumps(event) for event in events) + "\n]\n"


def test_onnxruntime_takes_the_median_over_runs(write):
    runs = [
        run_of(100, 90, node("conv/Conv", 70), node("loop", 2), node("loop", 3), node("tiny", 0)),
        run_of(200, 50, node("conv/Conv", 20), node("loop", 4), node("tiny", 0)),
        run_of(250, 50, node("conv/Conv", 30), node("loop", 4), node("tiny", 0), node("branch", 8)),
    ]
    write(p__json=profile(*runs, [node("unfinished", 5)]))
    table = load_onnxruntime("p.json", TARGET)
    assert columns(table, "layer", "latency_ns") == [("conv/Conv", 30_000), ("loop", 4_000), ("tiny", 500), ("branch", 8_000)]


@given(times=st.lists(st.lists(st.integers(0, 10**6), min_size=2, max_size=2), min_size=1, max_size=9))
def test_onnxruntime_times_lie_among_those_of_the_runs(tmp_path_factory, times):
    path = tmp_path_factory.mktemp("profile") / "p.json"
    path.write_text(profile(*(run_of(i * 10, 9, node("a", a), node("b", b)) for i, (a, b) in enumerate(times))))
    table = load_onnxruntime(path, TARGET)
    for i, latency_ns in enumerate(table.latency_ns):
        seen_us = sorted(run[i] for run in times)
        assert seen_us[0] * 1000 <= latency_ns <= max(seen_us[-1] * 1000, 500)
        assert sum(us * 1000 <= latency_ns for us in seen_us) >= len(times) / 2


def test_onnxruntime_names_are_those_of_the_imported_model(write):
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Constant", [], ["k"], value=helper.make_tensor("k", kind, [1], [2.0])),
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Relu", ["first"], ["second"], name="named"),
        helper.make_node("Mul", ["second", "k"], ["y"]),
    ]
    shape = [helper.make_tensor_value_info(name, kind, [1, 8]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", shape[:1], shape[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "net.onnx")
    write(p__json=profile(run_of(0, 9, node("Relu_0", 1), node("named", 2), node("Mul_2", 3))))
    table = load_onnxruntime("p.json", TARGET, onnx="net.onnx")
    assert table.layer == tuple(layer.name for layer in rtsched.load_model("net.onnx").layers) == ("first", "named", "y")
    assert load_onnxruntime("p.json", TARGET).layer == ("Relu_0", "named", "Mul_2")
    assert faults(load_onnxruntime, "p.json", TARGET, onnx="gone.onnx") == ["gone.onnx: no such file"]


WHOLE = profile(run_of(0, 9, node("a", 1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "p.json:1:1: must be a list of events, as onnxruntime writes it"),
        ("{}", "p.json:1:1: must be a list of events, as onnxruntime writes it"),
        ("[]", "p.json: has no complete run (an event 'model_run' of the category 'Session')"),
        (profile([node("a", 1)]), "p.json: has no complete run (an event 'model_run' of the category 'Session')"),
        (WHOLE[:-30], "p.json:5:"),
        (WHOLE[:-3], "p.json:5:102: ends too early; was the session ended?"),
        (WHOLE + "x", "p.json:7:1: must end after its list"),
        ("[1]", "p.json:1:2: must be an event, got 1"),
        ("[{} {}]", "p.json:1:5: must have a comma or ] here"),
        ("[\n{},\n]", "p.json:3:1: is not JSON: expecting value"),
        ("[" * 100_000, "p.json:1:2: is not JSON that can be read"),
        ("[" + "9" * 5000 + "]", "p.json:1:2: is not JSON that can be read"),
        (profile(run_of(0, 9, node("a", -1))), "p.json:3:1 dur: must be a number, 0 or greater, got -1"),
        (profile(run_of(0, 9, node("a", "1"))), None),
        (profile(run_of(0, 9, node("a", None))), "p.json:3:1 dur: must be a number, 0 or greater, got nothing"),
        (profile(run_of(0, 9, node("a", float("nan")))), "p.json:3:1 dur: must be a number, 0 or greater, got nan"),
        (profile(run_of(0, 9, node("a", 10**400))), "p.json:3:1 dur: must be a number, 0 or greater, got 1000"),
        (profile(run_of(0, 9, node("a", 10**200))), "p.json:3:1: layer 'a' takes 1e+203 ns; must be 1 to 2^53 ns"),
        (profile(run_of(0, 9, node("", 1))), "p.json:3:1 name: must name a node, got _kernel_time"),
        (profile(run_of(0, 9), run_of(5, 9, node("a", 1))), "p.json:7:1: this run begins before the one before it ends"),
        (profile(run_of(0, 9)), "p.json: has no layers"),
        (WHOLE.encode().replace(b'"a_', b'"\xff_'), "p.json:3:"),
    ],
)
def test_onnxruntime_faults(write, text, expected):
    write(p__json=text)
    if expected is None:
        assert load_onnxruntime("p.json", TARGET).layer == ("a",)
    else:
        found = faults(load_onnxruntime, "p.json", TARGET)
        assert len(found) == 1
        assert found[0].startswith(expected)


# The commands


SCALESIM = ("import", "scalesim", "r.csv", "--model", "net", "--accelerator", "npu", "--clock-mhz", 1000)
ZIGZAG = ("import", "zigzag", "a_complete.json", "--model", "net", "--accelerator", "npu", "--clock-mhz", 1000)
ONNXRUNTIME = ("import", "onnxruntime", "p.json", "--model", "net", "--accelerator", "npu")


@pytest.mark.parametrize(
    ("command", "time_ns"),
    [((*SCALESIM, "--access", "a.csv"), 1700), (ZIGZAG, 100), (ONNXRUNTIME, 1000)],
    ids=["scalesim", "zigzag", "onnxruntime"],
)
def test_what_is_written_runs(write, tmp_path, command, time_ns):
    write(r__csv=COMPUTE_V2, a__csv=ACCESS, a_complete__json=json.dumps(result()), p__json=WHOLE)
    done = invoke(*command, "-o", "costs.csv", "--model-yaml", "net.yaml")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("net  costs on npu\n")
    assert run_it(tmp_path / "net.yaml", tmp_path / "costs.csv") == time_ns
    assert invoke(*command, "-o", "-").stdout.encode() == Path("costs.csv").read_bytes()
    assert b"\r" not in Path("costs.csv").read_bytes()
    assert invoke(*command).stdout == ""


def test_outputs_are_checked_before_anything_is_written(write, tmp_path):
    write(r__csv=COMPUTE_V2, a__csv=ACCESS, p__json=WHOLE, bad__csv="LayerID, Total Cycles\n0, x\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments, expected in (
        ((*SCALESIM, "-o", "r.csv"), ["--output r.csv: would overwrite the report"]),
        ((*SCALESIM, "--access", "a.csv", "-o", tmp_path / "a.csv"), [f"--output {tmp_path}/a.csv: would overwrite the access report"]),
        (
            (*ONNXRUNTIME, "-o", "p.json"),
            ["--output p.json: must end in .csv, or be - for standard output", "--output p.json: would overwrite the profile"],
        ),
        ((*SCALESIM, "-o", "-", "--model-yaml", "-"), ["--output and --model-yaml cannot both be written to -"]),
        ((*SCALESIM, "-o", "o.csv", "--model-yaml", "gone/m.yaml"), ["gone/m.yaml: cannot be written: no such file or directory"]),
        (
            (*SCALESIM, "--model", " "),
            ["--model: must be a name, got ' '"],
        ),
        ((*SCALESIM, "--model", "net/large", "--model-yaml", "m.yaml"), ["--model-yaml: writes one network; 'net/large' is a subnet"]),
        ((*SCALESIM[:2], "bad.csv", *SCALESIM[3:], "-o", "o.csv"), ["bad.csv:2:4 Total Cycles: must be a number, 0 or greater, got x"]),
    ):
        result = invoke(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert list(dict.fromkeys(result.stderr.splitlines())) == expected
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
