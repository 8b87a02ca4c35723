"""Settings: what they change, how they are addressed, and every fault with the setting that it follows from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from builders import chain, once, platform_of, rows_of

import rtsched
from rtsched.errors import InputError
from rtsched.overrides import Settings
from rtsched.workload.scenario import Scenario

EXAMPLES = Path(__file__).parents[2] / "examples"


def compiled(*texts, scenario="vr_gaming", platform=None):
    return rtsched.compile(scenario, platform, settings=Settings.parse(texts))


def faults(*texts, **options):
    with pytest.raises(InputError) as caught:
        compiled(*texts, **options)
    return list(caught.value.faults)


def test_tasks_and_accelerators_by_name_and_by_number():
    problem = compiled("scenario.tasks.gaze.fps=90", "scenario.tasks.1.fps=45", "platform.accelerators.os1.idle_power_w=0.5")
    plain = rtsched.compile("vr_gaming")
    assert problem.task_rate_hz.tolist() == [90, 45, *plain.task_rate_hz[2:]]
    assert problem.idle_power_w.tolist() == [*plain.idle_power_w[:2], 0.5]
    assert problem.scenario.tasks[2:] == plain.scenario.tasks[2:]


def test_a_whole_path_into_the_hardware():
    problem = compiled("platform.accelerators.ws0.cost.sram_kib=512", "platform.memory.efficiency=[1.0, 0.8]", "platform.regroup_ns=7")
    assert problem.platform.accelerators[0].cost.sram_kib == 512
    assert problem.platform.accelerators[1] == rtsched.load_platform("dream_4k_1ws2os").accelerators[1]
    assert problem.platform.memory.efficiency == (1.0, 0.8)
    assert problem.regroup_ns == 7
    assert problem.digest != rtsched.compile("vr_gaming").digest


def test_settings_of_one_object_are_checked_together():
    problem = compiled("scenario.tasks.gaze.fps=null", "scenario.tasks.gaze.rate_hz=60", "scenario.tasks.gaze.deadline_ms=5")
    assert problem.task_deadline_ns[0] == 5_000_000
    assert problem.scenario.tasks[0].fps is None
    assert compiled("scenario.tasks.gaze.deadline_ms=null").task_deadline_ns[0] == 16_666_667


def test_the_same_from_python():
    settings = {"scenario.tasks.gaze.fps": 90, "platform.memory.efficiency": [1.0, 0.8], "scenario.tasks.hand.priority": np.int64(3)}
    problem = rtsched.compile("vr_gaming", settings=settings)
    assert problem.digest == compiled(*(f"{path}={value}" for path, value in settings.items())).digest
    outcome = rtsched.simulate("vr_gaming", duration_s=0.1, settings=settings)
    assert outcome.metrics.released[0] == 9


def test_a_scenario_and_a_platform_that_are_objects():
    rows = rows_of("m", [[10], [20]])
    scenario = Scenario(name="s", tasks=(once("a.b", "m", 2, deadline_ns=100), once("b", "m", 2, deadline_ns=100)), duration_s=1e-6)
    settings = {"scenario.tasks.a.b.deadline_ms": 1, "scenario.tasks.b.model": chain("m", 2), "platform.accelerators.a0.tiles": 2}
    problem = rtsched.compile(scenario, platform_of(rows), settings=settings)
    assert problem.task_deadline_ns.tolist() == [1_000_000, 100]
    assert problem.accelerator_tiles.tolist() == [2]
    assert scenario.tasks[0].deadline_ms < 1


def test_files_start_from_the_folder_of_the_file_that_is_changed(tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in ("glasses.yaml", "board.yaml", "costs.csv"):
        shutil.copy(EXAMPLES / name, folder)
    shutil.copy(folder / "costs.csv", folder / "other.csv")
    shutil.copy(folder / "board.yaml", folder / "second.yaml")
    (folder / "net.yaml").write_text("{name: eyes, layers: [{kind: measured, name: stem}]}")
    problem = compiled(
        "scenario.tasks.camera.fps=30",
        "scenario.tasks.eyes.model=net.yaml",
        "scenario.platform=second.yaml",
        "platform.accelerators.npu.tiles=1",
        "platform.accelerators.dsp.cost.file=other.csv",
        scenario=folder / "glasses.yaml",
    )
    npu, dsp = problem.platform.accelerators
    assert (npu.cost.table.source, dsp.cost.table.source) == (str(folder / "costs.csv"), str(folder / "other.csv"))
    assert problem.scenario.platform == str(folder / "second.yaml")
    assert [layer.name for layer in problem.scenario.tasks[1].model.layers] == ["stem"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("scenario.tasks.gaze.fps=-3", "must be greater than 0, got -3"),
        ("scenario.tasks.gaze.fps='90'", "must be a number, got '90'; leave out the quotes"),
        ("scenario.tasks.gaze.fps=no", "must be a number, got 'no'"),
        ("scenario.tasks.gaze.fps=1e400", "must be a finite number, got 1e400"),
        ("scenario.tasks.gaz.fps=3", "unknown name 'gaz' in tasks; did you mean 'gaze'?"),
        ("scenario.tasks.5.fps=3", "there is no entry 5 in tasks, which has 0 to 4"),
        ("scenario.tasks.gaze.fpss=3", "unknown key 'fpss' in tasks[0]; did you mean 'fps'?"),
        ("scenario.taks=3", "unknown key 'taks'; did you mean 'tasks'?"),
        ("scenario.tasks.gaze.fps.x=3", "tasks[0].fps holds nothing that could be set; it is 60.0"),
        ("scenario.tasks.gaze.rate_hz=3", "task 'gaze': give exactly one of fps, rate_hz, weight, outstanding, trace, parents; got fps"),
        ("scenario.tasks.gaze.jitter_ms=20", "20 ms are longer than the period of 16.6667 ms"),
        ("scenario.tasks.gaze.model=fbnet_d", "unknown model 'fbnet_d'; did you mean 'fbnet_c'?"),
        ("scenario.platform=dream_9k", "unknown platform 'dream_9k'"),
        ("platform.memory.efficiency=[1.0, 2]", "[1] must be at most 1, got 2"),
        ("platform.memory.efficiency.1=2", "there is no entry 1 in memory.efficiency, which has 0 to 0"),
        ("platform.memory.arbiter=fare", "must be 'proportional' or 'fair', got 'fare'; did you mean 'fair'?"),
        ("platform.accelerators.ws0.cost.pes=64", "pes must be at least 256 for ws, got 64"),
        ("platform.accelerators.ws0.name=os0", "accelerators[1].name: another of the accelerators is named 'os0' too"),
        ("scenario.tasks.keyword.name=word", "tasks[4].parents[0]: unknown task 'keyword'; tasks: gaze, hand, context, word, translate"),
        ("task.gaze.fps=3", "a path begins with scenario, platform, mapper, dropper, selector, regulator or tuner"),
        ("scenario=3", "the path must name what to set in scenario, as scenario.NAME"),
        ("scenario..load=3", "the path must name what to set in scenario, as scenario.NAME"),
        ("scenario.load", "must be PATH=VALUE"),
        ("scenario.load=", "has no value; null stands for none"),
        ("scenario.load=[1", "not valid YAML: expected ',' or ']', but got the end of the file"),
        ("mapper.alpha=1", "belongs to a policy; a problem has none"),
    ],
)  # fmt: skip
def test_faults(text, fault):
    (found,) = faults(text)
    assert found.startswith(f"--set {text}: {fault}")


def test_faults_of_several_settings_come_together():
    texts = ("scenario.tasks.gaze.fps=-3", "scenario.tasks.0.fpss=3", "platform.memory.peak_gb_per_s=0", "load=2")
    assert [one.partition(": ")[0] for one in faults(*texts)] == [f"--set {texts[place]}" for place in (3, 1, 0, 2)]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("patience", "mapper.patience"),
        ("tasks.camera.fps", "scenario.tasks.camera.fps"),
        ("load", "scenario.load"),
        ("memory.peak_gb_per_s", "platform.memory.peak_gb_per_s"),
        ("accelerators.ws0.tiles", "platform.accelerators.ws0.tiles"),
        ("maper.alpha", "mapper"),
        ("scenaro", "scenario"),
    ],
)
def test_paths_without_a_room_are_completed(path, meant):
    (found,) = faults(f"{path}=4")
    assert found.endswith(f"; did you mean {meant!r}?")


def test_what_was_given_can_be_written_and_given_again():
    texts = ["scenario.tasks.gaze.fps=90", "mapper.limits=[1, .inf]", "platform.memory={peak_gb_per_s: 5}", "mapper.name=x"]
    given = Settings.parse(texts).given(duration_s=0.5, load=None)
    assert given == {
        "scenario.tasks.gaze.fps": 90,
        "platform.memory": {"peak_gb_per_s": 5},
        "mapper.limits": [1, "inf"],
        "mapper.name": "x",
        "scenario.duration_s": 0.5,
    }
    model = rtsched.load_model("gnmt")
    found = Settings.of({"scenario.tasks.gaze.model": model, "mapper.weights": np.array([0.5, 1])}).given()
    assert found == {"scenario.tasks.gaze.model": "Model gnmt", "mapper.weights": [0.5, 1.0]}


def test_no_value_is_set_twice():
    assert faults("scenario.load=1", "scenario.load=1") == ["--set scenario.load=1: is set twice"]
    assert faults("scenario.tasks.gaze.fps=3", "scenario.tasks.0.fps=4") == ["--set scenario.tasks.0.fps=4: is set twice"]
    whole = "platform.memory={peak_gb_per_s: 5}"
    part = "platform.memory.peak_gb_per_s=6"
    assert faults(whole, part) == [f"--set {part}: lies inside what --set {whole} sets"]
    assert faults(part, whole) == [f"--set {whole}: holds what --set {part} sets"]
    with pytest.raises(InputError, match=r"^settings\['scenario.load'\]: load is given twice, the other time as 2$"):
        rtsched.compile("vr_gaming", load=2, settings={"scenario.load": 1})
    assert rtsched.simulate("vr_gaming", duration_s=0.1, settings={"scenario.load": 2}).problem.scenario.load == 2


def test_faults_from_python_name_the_key():
    with pytest.raises(InputError) as caught:
        rtsched.simulate("vr_gaming", settings={"scenario.tasks.gaze.fps": -3, 5: 1, "mapper.no_such": 1})
    first, second, third = caught.value.faults
    assert (first, second) == (
        "settings: a path must be text, got 5",
        "settings['scenario.tasks.gaze.fps']: must be greater than 0, got -3",
    )
    assert "mapper" in third
    with pytest.raises(InputError, match="settings must map paths to values"):
        rtsched.simulate("vr_gaming", settings=["scenario.load=1"])
