"""Inputs at and beyond what the simulator takes: clear faults, all at once, and none that is hundreds of digits long."""

import csv
import os
import random
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builders import chain, platform_of, rows_of
from pydantic import ValidationError
from typer.testing import CliRunner

from rtsched import _csv, cli
from rtsched.cli import _program
from rtsched.compiler import compile_problem
from rtsched.cost.model import Costs, LayerKey, LayerTable
from rtsched.cost.rows import read_csv, read_rows
from rtsched.cost.table import CostTable
from rtsched.errors import FaultsError, InputError, repeated_names
from rtsched.library import load_model, load_platform, load_scenario, locate
from rtsched.platform.platform import Memory
from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Dropper, Mapper, Policy
from rtsched.saved import load_outcome
from rtsched.workload.cascade import MAX_DEPTH
from rtsched.workload.layer import Conv, Gemm, Measured
from rtsched.workload.scenario import Scenario, Task

DRAM_LIMIT = (
    " (memory.peak_gb_per_s times efficiency[0]): lower dram_bytes or raise latency_ns; "
    "what several layers share is less by the later entries of efficiency"
)


def faults_of(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    assert all(len(fault) < 300 for fault in caught.value.faults)
    return list(caught.value.faults)


# Compilation


def compiled(rows, *, tasks=None, n_layers=1, memory=None, **options):
    tasks = tasks or (Task(name="t", model=chain("m", n_layers), fps=100.0),)
    scenario = Scenario(name="s", tasks=tasks, **options)
    return compile_problem(scenario, platform_of(rows, memory=memory or Memory(peak_gb_per_s=2.0, l2_gb_per_s=4.0)))


def row(**cells):
    return {"model": "m", "layer": "l0", "accelerator": "a0", **cells}


def test_a_measured_time_is_the_time_alone_up_to_the_bandwidths():
    problem = compiled([row(latency_ns=10, dram_bytes=20, l2_bytes=40)])
    assert problem.costs["t_iso_ns"].tolist() == [[10]]
    assert problem.costs["demand_bytes_per_ns"].tolist() == [[2.0]]
    assert faults_of(compiled, [row(latency_ns=10, dram_bytes=21, l2_bytes=41)]) == [
        "layer 'l0' of model 'm' on 'a0' with 1 tile: 21 bytes of DRAM in 10 ns are 2.1 GB/s; it can draw at most 2 GB/s" + DRAM_LIMIT,
        "layer 'l0' of model 'm' on 'a0' with 1 tile: 41 bytes of L2 in 10 ns are 4.1 GB/s; it can draw at most 4 GB/s "
        "(memory.l2_gb_per_s): lower l2_bytes or raise latency_ns",
    ]


def test_a_narrow_port_is_named_as_the_bound():
    model = chain("m", 1)
    platform = platform_of([row(latency_ns=10, dram_bytes=21)], memory=Memory(peak_gb_per_s=9.0))
    narrow = platform.model_copy(update={"accelerators": (platform.accelerators[0].model_copy(update={"port_gb_per_s": 1.0}),)})
    (fault,) = faults_of(compile_problem, Scenario(name="s", tasks=(Task(name="t", model=model, fps=1.0),)), narrow)
    assert "it can draw at most 1 GB/s (its port_gb_per_s): lower dram_bytes or raise latency_ns;" in fault


def test_layers_that_outlast_the_clock_are_named(monkeypatch):
    def estimate(self, accelerator, tiles, layers, energy):
        zeros = np.zeros((3, 1), dtype=np.int64)
        moved = np.array([[0], [2**62], [0]])
        return Costs(np.array([[2e18], [1.0], [1.0]]), zeros, zeros, moved, moved, np.zeros((3, 1, 4)))

    rows = [row(layer=f"l{i}", latency_ns=1) for i in range(3)]
    monkeypatch.setattr("rtsched.cost.table.TableCost.estimate", estimate)
    assert faults_of(compiled, rows, n_layers=3) == [
        "layer 'l0' of model 'm' on 'a0' takes 2e+09 s; at most 1.15e+09 s fit the simulator's clock",
        "layer 'l1' of model 'm' on 'a0' has activations that move through DRAM for 4.61e+09 s; "
        "at most 1.15e+09 s fit the simulator's clock",
    ]


def test_subnets_that_outlast_the_clock_are_named():
    n_layers = 140
    rows = rows_of("m", [[2**53]] * n_layers)
    assert faults_of(compiled, rows, n_layers=n_layers) == [
        "model 'm': the layers of subnet 'm' take 1.26e+09 s one after the other; at most 1.15e+09 s fit the simulator's clock"
    ]
    assert compiled(rows[:100], n_layers=100).togo_mean_ns[0, 0] == 100 * 2**53


def test_times_of_tasks_are_all_checked_at_once():
    model = chain("m", 1)
    tasks = (
        Task(name="slow", model=model, fps=1e-300),
        Task(name="rare", model=model, rate_hz=1e-300, deadline_ms=1.0),
        Task(name="prompt", model=model, fps=10.0, deadline_ms=1e-9),
        Task(name="late", model=model, fps=10.0, jitter_ms=60.0),
        Task(name="child", model=model, parents=("slow",)),
    )
    assert faults_of(compiled, [row(latency_ns=10, dram_bytes=21)], tasks=tasks, load=2.0, duration_s=1e-10) == [
        "duration_s: 1e-10 s are less than 1 ns",
        "task 'slow': fps 1e-300 at load 2 makes 2e-300 per second; must be more than 8.67e-10 and at most 1e9",
        "task 'rare': rate_hz 1e-300 at load 2 makes 2e-300 per second; must be more than 8.67e-10 and at most 1e9",
        "task 'prompt': deadline_ms 1e-09 is less than 1 ns",
        "task 'late': jitter_ms 60 is longer than its period of 50 ms at load 2",
        "layer 'l0' of model 'm' on 'a0' with 1 tile: 21 bytes of DRAM in 10 ns are 2.1 GB/s; it can draw at most 2 GB/s" + DRAM_LIMIT,
    ]


@pytest.mark.parametrize("options", [{"load": 5e-324}, {"load": 1e-300}, {"load": 1e6, "drain_s": 1e12}])
def test_extreme_loads_and_drains(options):
    tasks = (Task(name="t", model=chain("m", 1), fps=1e5, jitter_ms=0.01),)
    faults = faults_of(compiled, [row(latency_ns=1)], tasks=tasks, **options)
    assert faults[-1].startswith("task 't': fps 100000 at load ")
    if "drain_s" in options:
        assert faults[0] == "drain_s: 1e+12 s after duration_s, 10 s, end beyond the clock's 2.31e+09 s"


def test_layers_beyond_int64_are_all_named():
    keys = [LayerKey("m", name) for name in "abc"]
    layers = [Gemm(name="a", m=2**22, n=2**22, k=2**22), Measured(name="b"), Gemm(name="c", m=2**31 - 1, n=2**31 - 1, k=3)]
    assert faults_of(LayerTable.of, keys, layers) == [
        f"layer {name!r} of model 'm': a dimension, its multiply-accumulates or its elements are 2^63 or more" for name in "ac"
    ]
    assert len(LayerTable.of(keys[:1], [Conv(name="a", in_channels=1, out_channels=1, size=8, kernel=3)])) == 1
    assert len(LayerTable.of([], [])) == 0


# Scenarios


def cascade(n_tasks):
    model = chain("m", 1)
    children = [Task(name=f"t{i}", model=model, parents=(f"t{i - 1}",)) for i in range(1, n_tasks)]
    return (*reversed(children), Task(name="t0", model=model, fps=1.0))


def test_cascades_have_a_depth():
    Scenario(name="s", tasks=cascade(MAX_DEPTH))
    with pytest.raises(ValidationError) as caught:
        Scenario(name="s", tasks=cascade(MAX_DEPTH + 3))
    error = caught.value.errors()[0]["ctx"]["error"]
    assert isinstance(error, FaultsError)
    assert error.faults == ((("tasks", 2, "parents"), "task 't100' is number 101 of its cascade; a cascade is at most 100 deep"),)


def test_long_cycles_are_told_in_short():
    tasks = [Task(name=f"t{i}", model=chain("m", 1), parents=(f"t{(i + 1) % 1000}",)) for i in range(1000)]
    with pytest.raises(ValidationError, match=r"t9 -> \(981 more\) -> t991 ") as caught:
        Scenario(name="s", tasks=tasks)
    assert len(caught.value.errors()) == 1


def test_repeated_names_are_found_in_linear_time():
    members = [LayerKey(f"m{i}", "l") for i in range(200_000)]
    named = [type("Named", (), {"name": one.model})() for one in members[:3]] * 2
    assert repeated_names("tasks", named) == [(("tasks", i, "name"), f"another of the tasks is named 'm{i - 3}' too") for i in (3, 4, 5)]
    # A quadratic search would not come to an end.
    assert repeated_names("layers", [SimpleNamespace(name=str(i)) for i in range(300_000)]) == []


# Cost tables


@pytest.mark.parametrize("header", [',,,tiles,\n,,l"",s,', 's"",', '"a""b",c', 'a"b"",c', '  "x, y" ,z', '"",', ",", '"'])
def test_any_header_is_read_or_refused(header, tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(header + "\n")
    assert faults_of(read_csv, path)


def test_cells_start_where_the_csv_module_sees_them():
    draw = random.Random(1)
    n_read = 0
    for _ in range(20_000):
        line = "".join(draw.choices('a", ', k=draw.randint(1, 9)))
        try:
            cells = next(csv.reader([line], strict=True, skipinitialspace=True))
        except csv.Error:
            continue
        n_read += 1
        starts = _csv._starts(line)
        assert len(starts) == len(cells), line
        firsts = [(line + ",")[start - 1] for start in starts]
        assert all(first in ('"', (cell or ",")[0]) for first, cell in zip(firsts, cells, strict=True)), line
    assert n_read > 5_000


@pytest.mark.parametrize("suffix", ["yaml", "py", "onnx", "npz"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, suffix):
    load = {"yaml": load_platform, "py": lambda path: load_policy(f"{path}:X"), "onnx": load_model, "npz": load_outcome}[suffix]
    fifo, endless = tmp_path / f"fifo.{suffix}", tmp_path / f"endless.{suffix}"
    os.mkfifo(fifo)
    endless.symlink_to("/dev/zero")
    for path in (fifo, endless):
        assert faults_of(load, str(path)) == [f"{path}: cannot be read: must be a regular file"]


def test_tables_are_regular_files_of_some_size(tmp_path, monkeypatch):
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    assert faults_of(read_csv, fifo) == [f"{fifo}: must be a regular file"]
    assert faults_of(read_csv, "/dev/zero") == ["/dev/zero: must be a regular file"]
    monkeypatch.setattr(_csv, "MAX_BYTES", 10)
    large = tmp_path / "large.csv"
    large.write_text("model,layer,accelerator,latency_ns\n")
    assert faults_of(read_csv, large)[0].startswith(f"{large}: is larger than ")


def test_a_thousand_faults_are_enough():
    faults = faults_of(read_rows, [{"model": "m"}] * 1000, "rows")
    assert len(faults) == 1001
    assert faults[-1] == "rows: 2000 more faults"


def test_numbers_of_tables():
    table = CostTable.from_rows([row(latency_ns=0.5, dram_bytes=2.5, l2_bytes=2**53), row(latency_ns=3.5, tiles=2, energy_j=1e6)])
    assert table.latency_ns.tolist() == [1, 4]
    assert table.dram_bytes.tolist() == [3, 0]
    assert table.l2_bytes.tolist() == [2**53, 0]
    assert faults_of(CostTable.from_rows, [row(latency_ns=1, energy_j=1e300)]) == [
        "rows[0].energy_j: must be a number from 0 to 1,000,000 J, got 1e+300"
    ]


# Policies


class OwnMapper(Mapper):
    def key(self, state, row):
        return 0


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        (OwnMapper, "a policy is a name, a Policy or a mapper; got the class OwnMapper: pass OwnMapper()"),
        (Policy(mapper=OwnMapper), "policy 'custom': mapper must be an object, got the class OwnMapper: pass OwnMapper()"),
        (
            Policy(mapper="edf"),
            "policy 'custom': mapper must be a mapper object, got 'edf'; a policy of that name is loaded with load_policy('edf')",
        ),
        (Policy(mapper=None), "policy 'custom': mapper must be a mapper object, got None"),
        (Policy(mapper=OwnMapper(), dropper=3), "policy 'custom': dropper must be a dropper object, got 3"),
        (
            Dropper(),
            "policy 'Dropper': mapper must have one of score, key and assign, got Dropper; "
            "other roles go into Policy(mapper=..., dropper=..., ...)",
        ),
        ("zzz", "unknown policy 'zzz'; rtsched list policies shows those that there are"),
        ("edff", "unknown policy 'edff'; did you mean 'edf'?"),
    ],
)
def test_what_is_no_policy(policy, fault):
    assert faults_of(load_policy, policy) == [fault]


def test_what_is_a_policy():
    native = load_policy("edf")
    assert load_policy(native) is native
    assert load_policy(native.mapper).mapper is native.mapper
    assert load_policy(OwnMapper()).name == "OwnMapper"


# Names and files


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("rtsched.library.find_spec", lambda name: None)
    ref = "package:onnx/backend/test/data/light/light_resnet50.onnx"
    assert faults_of(load_model, ref) == [f"{ref}: there is no installed package 'onnx'; pip install 'rtsched[onnx]'"]
    assert locate("vr_gaming", (".yaml",)) is None


def messages(*arguments):
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == _program.BAD_INPUT
    assert result.stdout == ""
    return result.stderr.splitlines()


SCENARIO = "name: s\nplatform: dream_4k_2ws\nduration_s: 0.01\ntasks:\n- {name: t, model: fbnet_c, fps: 30}\n"


def test_results_do_not_overwrite_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.yaml").write_text(SCENARIO)
    (tmp_path / "link.json").symlink_to("in.yaml")
    (tmp_path / "board.yaml").write_text("name: board\n")
    assert messages("run", "in.yaml", "--json", "./in.yaml") == ["--json ./in.yaml: would overwrite the scenario"]
    assert messages("run", "in.yaml", "--csv", "link.json") == ["--csv link.json: would overwrite the scenario"]
    assert messages("run", "in.yaml", "-p", "board.yaml", "--csv", f"{tmp_path}/board.yaml")[-1].endswith("would overwrite the platform")
    assert messages("run", "in.yaml", "--json", "same", "--csv", "./same") == ["--json and --csv cannot both be written to ./same"]
    assert (tmp_path / "in.yaml").read_text() == SCENARIO


def test_results_do_not_overwrite_cost_tables_and_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "costs.csv").write_text("model,layer,accelerator,latency_ns\nm,l,a,5\n")
    board = "name: b\nmemory: {peak_gb_per_s: 1}\naccelerators:\n- {name: a, cost: {model: table, file: costs.csv}}\n"
    (tmp_path / "board.yaml").write_text(board)
    model = "{name: m, layers: [{kind: measured, name: l}]}"
    (tmp_path / "in.yaml").write_text(f"name: s\nplatform: board.yaml\nduration_s: 0.1\ntasks:\n- {{name: t, model: {model}, fps: 30}}\n")
    assert messages("run", "in.yaml", "--csv", "costs.csv") == ["--csv costs.csv: would overwrite the cost table of accelerator 'a'"]
    assert messages("run", "in.yaml", "--csv", "board.yaml") == ["--csv board.yaml: would overwrite the platform"]
    (tmp_path / "m.onnx").write_text("")
    (tmp_path / "m.yaml").symlink_to("m.onnx")
    (tmp_path / "net.yaml").write_text(model)
    (tmp_path / "named.yaml").write_text((tmp_path / "in.yaml").read_text().replace(model, "net.yaml"))
    assert messages("run", "named.yaml", "--json", "net.yaml") == ["--json net.yaml: would overwrite the model net.yaml"]
    assert (tmp_path / "net.yaml").read_text() == model
    assert messages("import", "onnx", "m.onnx", "-o", "m.yaml") == ["--output m.yaml: would overwrite the model"]


def test_numbers_are_checked_with_everything_else():
    found = messages("run", "vr_gamin", "-P", "edff", "--seed", "-1", "--load", "0", "--duration", "nan")
    assert [one.split(":")[0].split(";")[0] for one in found] == [
        "unknown scenario 'vr_gamin'",
        "duration_s",
        "load",
        "unknown policy 'edff'",
        "seed must be an integer from 0 to 2**64 - 1, got -1",
    ]


def test_sizes_of_dimensions_have_a_limit():
    digits = "9" * 5000
    found = messages("import", "onnx", "m.onnx", "--dim", f"a={digits}", "--dim", digits)
    assert found[0] == "--dim: 'a' is a number of 5000 digits; at most 15 make sense"
    assert len(found[1]) < 150


def test_only_the_first_faults_are_printed(tmp_path):
    (tmp_path / "costs.csv").write_text("model,layer,accelerator,latency_ns\n" + "".join(f"m,l{i},a,x\n" for i in range(100)))
    board = "name: b\nmemory: {peak_gb_per_s: 1}\naccelerators:\n- {name: a, cost: {model: table, file: costs.csv}}\n"
    (tmp_path / "board.yaml").write_text(board)
    found = messages("show", str(tmp_path / "board.yaml"))
    assert len(found) == _program.MAX_MESSAGES + 1
    assert found[-1] == "and 80 more"


def test_memory_that_does_not_suffice(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("rtsched.report.catalogue.describe", fail)
    assert messages("show", "vr_gaming") == ["out of memory; a shorter --duration, a lower --load or smaller inputs need less"]


def test_ctrl_c_outside_a_command(monkeypatch, capsys):
    def fail(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == _program.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_show_of_a_name_that_is_nearly_right():
    assert messages("show", "vr_gamin") == ["nothing is named 'vr_gamin'; did you mean 'vr_gaming'?"]


@pytest.mark.parametrize("load", [load_scenario, load_platform])
def test_long_names_are_shortened(load):
    assert len(faults_of(load, "x" * 5_000)[0].partition(";")[0]) < 100


def test_damaged_archives_do_not_fill_the_screen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("o.npz")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "{}")
        archive.writestr("n" * 1_000, "{}")
    path.write_bytes(path.read_bytes().replace(b"n" * 1_000, b"m" * 1_000, 1))
    (fault,) = faults_of(load_outcome, path)
    assert "a whole zip archive: File name in directory" in fault
