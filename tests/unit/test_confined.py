"""Files that files name lie below them; what users name themselves lies where it likes."""

import pytest
from program import invoke, messages

import rtsched
from rtsched.errors import InputError, short

NET = "name: net\nlayers: [{kind: measured, name: l}]\n"
COSTS = "model,layer,accelerator,latency_ns\nnet,l,a,1000\n"
BOARD = "name: board\nmemory: {{peak_gb_per_s: 1}}\naccelerators: [{{name: a, cost: {{model: table, file: {costs}}}}}]\n"
SCENARIO = """\
name: s
duration_s: 0.1
platform: {board}
tasks:
  - {{name: t, model: {net}, trace: {trace}, deadline_ms: 5, time_factor: {{values: {factors}}}}}
"""
NAMES = ("net.yaml", "costs.csv", "board.yaml", "trace.csv", "factors.csv")
REMEDY = "is not below the folder of the file that names it; RTSCHED_ALLOW_OUTSIDE=1 in the environment allows it"


@pytest.fixture(autouse=True)
def current(tmp_path, monkeypatch):
    """The current folder, with the files of a scenario beside the one that will name them; nothing is allowed."""
    monkeypatch.delenv("RTSCHED_ALLOW_OUTSIDE", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    texts = (NET, COSTS, BOARD.format(costs="costs.csv"), "release_ms\n1\n", "factor\n1\n")
    for name, text in zip(NAMES, texts, strict=True):
        (tmp_path / name).write_text(text)
    return tmp_path


def write_scenario(folder, prefix):
    """A scenario and a board of its own that name the files under a prefix."""
    (folder / "board.yaml").write_text(BOARD.format(costs=f"{prefix}costs.csv"))
    named = {name: f"{prefix}{name}.{'yaml' if name == 'net' else 'csv'}" for name in ("net", "trace", "factors")}
    (folder / "s.yaml").write_text(SCENARIO.format(board="board.yaml", **named))


def faults(platform=None):
    with pytest.raises(InputError) as caught:
        rtsched.compile("own/s.yaml", platform)
    return list(caught.value.faults)


@pytest.fixture(params=["up", "absolute", "link"])
def leading_out(request, current):
    """What leads out of the folder of a scenario and a board that name everything with it in front."""
    (current / "own" / "there").symlink_to(current)
    prefix = {"up": "../", "absolute": f"{current}/", "link": "there/"}[request.param]
    write_scenario(current / "own", prefix)
    return prefix


def test_what_leads_out_is_refused_where_it_is_named(leading_out):
    named = ("net.yaml", "trace.csv", "factors.csv", "costs.csv")
    columns = [22]
    for between in ("net.yaml, trace: ", "trace.csv, deadline_ms: 5, time_factor: {values: "):
        columns.append(columns[-1] + len(leading_out + between))
    places = ("own/s.yaml:5:{} tasks[0].model", "own/s.yaml:5:{} tasks[0].trace", "own/s.yaml:5:{} tasks[0].time_factor.values")
    expected = [place.format(column) for place, column in zip(places, columns, strict=True)]
    expected.append("own/board.yaml:3:53 accelerators[0].cost.file")
    found = faults("own/board.yaml")
    assert found == [f"{place}: {short(leading_out + name)}: {REMEDY}" for place, name in zip(expected, named, strict=True)]
    assert messages("run", "own/s.yaml", "-p", "own/board.yaml", "-P", "edf") == found


def test_a_platform_that_leads_out_is_refused(current):
    (current / "own" / "s.yaml").write_text("name: s\nplatform: ../board.yaml\ntasks: [{name: t, model: kws_res8, fps: 1}]\n")
    assert faults() == [f"own/s.yaml:2:11 platform: ../board.yaml: {REMEDY}"]


def test_what_leads_out_may_be_allowed(leading_out, monkeypatch):
    monkeypatch.setenv("RTSCHED_ALLOW_OUTSIDE", "0")
    assert len(faults("own/board.yaml")) == 4
    monkeypatch.setenv("RTSCHED_ALLOW_OUTSIDE", "1")
    assert rtsched.compile("own/s.yaml").costs["t_iso_ns"].tolist() == [[1000]]


def test_what_stays_below_is_read(current):
    """By any way: up and down again, absolute, through a link whose folder the user named, through one that stays inside."""
    (current / "inside").symlink_to(current)
    (current / "elsewhere").symlink_to(current / "own")
    for prefix in ("", "own/../", f"{current}/", "inside/"):
        write_scenario(current, prefix)
        assert rtsched.compile("s.yaml").costs["t_iso_ns"].tolist() == [[1000]]
        assert rtsched.compile("elsewhere/../s.yaml").costs["t_iso_ns"].tolist() == [[1000]]


def test_what_users_name_themselves_may_lie_anywhere(current):
    write_scenario(current, "")
    (current / "own" / "board.yaml").write_text(BOARD.format(costs="nowhere.csv"))
    (current / "own" / "s.yaml").write_text("name: s\nduration_s: 0.1\ntasks: [{name: t, model: kws_res8, fps: 1}]\n")
    settings = {"scenario.tasks.t.model": "../net.yaml", "scenario.tasks.t.time_factor": {"values": f"{current}/factors.csv"}}
    assert rtsched.compile("own/s.yaml", "board.yaml", settings=settings).costs["t_iso_ns"].tolist() == [[1000]]
    changes = [f"--set={path}={value}".replace("'", "") for path, value in settings.items()]
    assert invoke("run", "own/s.yaml", "-p", "../" + current.name + "/board.yaml", "-P", "edf", *changes).exit_code == 0
    settings["scenario.platform"] = "../board.yaml"
    assert rtsched.compile("own/s.yaml", settings=settings).costs["t_iso_ns"].tolist() == [[1000]]
    task = rtsched.Task(name="t", model=str(current / "net.yaml"), fps=1)
    assert rtsched.compile(rtsched.Scenario(name="s", tasks=(task,)), "board.yaml").costs["t_iso_ns"].tolist() == [[1000]]
    settings = {"platform.accelerators.a.cost.file": "../costs.csv"}
    (current / "own" / "board.yaml").write_text(BOARD.format(costs="near.csv"))
    (current / "own" / "near.csv").write_text(COSTS.replace("1000", "9"))
    assert rtsched.compile("s.yaml", "own/board.yaml", settings=settings).costs["t_iso_ns"].tolist() == [[1000]]
