"""Saved outcomes: what goes in comes out; damaged and hostile files end in one clear message."""

import io
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from builders import once, problem_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import policies, problems, seeds

import rtsched
from rtsched import integrity, saved
from rtsched.errors import InputError
from rtsched.problem import Problem
from rtsched.run import run

ROOT = Path(__file__).parents[2]


def assert_equal(one, other):
    for name in ("jobs", "layers", "rates", "task_energy_j", "busy_ns", "idle_energy_j"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("policy", "seed", "is_complete", "end_ns", "served_bytes", "n_layers", "provenance"):
        assert getattr(one, name) == getattr(other, name)
    assert one.problem.digest == other.problem.digest
    assert one.metrics.to_dict() == other.metrics.to_dict()


@given(problems(), policies(), seeds, st.booleans(), st.booleans())
def test_what_goes_in_comes_out(tmp_path_factory, problem, policy, seed, layers, rates):
    outcome, path = run(problem, policy, seed=seed, layers=layers, rates=rates), tmp_path_factory.getbasetemp() / "any.npz"
    outcome.save(path)
    found = rtsched.load_outcome(path)
    assert_equal(found, outcome)
    assert found.problem.scenario == problem.scenario
    assert found.problem.platform == problem.platform
    assert_equal(run(found.problem, policy, seed=seed, layers=layers, rates=rates), outcome)


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", policy="edf", duration_s=0.2, layers=True, rates=True)


def test_settings_come_back(tmp_path):
    settings = {"scenario.tasks.gaze.fps": 90, "platform.memory.efficiency": [1.0, 0.8], "mapper.objective": "energy"}
    outcome = rtsched.simulate("vr_gaming", policy="herald", duration_s=0.1, settings=settings)
    outcome.save(tmp_path / "run.npz")
    assert rtsched.load_outcome(tmp_path / "run.npz").provenance["settings"] == {**settings, "scenario.duration_s": 0.1}


@pytest.mark.parametrize("value", [math.nan, math.inf, [[-math.inf]], {"a": math.nan}])
def test_settings_that_json_does_not_have_are_refused(value, members, tmp_path):
    provenance = {**json.loads(members["header.json"])["provenance"], "settings": {"scenario.load": value}}
    assert "provenance" in refusal(packed(tmp_path / "bad.npz", changed_header(members, provenance=provenance)))


@pytest.fixture(scope="module")
def members(outcome, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "good.npz"
    outcome.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def changed_header(members, **values):
    return {**members, "header.json": json.dumps({**json.loads(members["header.json"]), **values}).encode()}


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def refusal(path):
    with pytest.raises(InputError) as caught:
        rtsched.load_outcome(path)
    for fault in caught.value.faults:
        assert fault.startswith(f"{path}: ")
    return str(caught.value)[len(f"{path}: ") :]


def test_a_platform_with_dataflows_and_a_scenario_with_a_supernet_come_back(outcome, tmp_path):
    outcome.save(tmp_path / "a.npz")
    found = rtsched.load_outcome(str(tmp_path / "a.npz"))
    assert_equal(found, outcome)
    assert found.problem.scenario == outcome.problem.scenario
    assert found.problem.platform == outcome.problem.platform
    assert found.layers.flags.writeable


def test_nothing_at_all_comes_back(tmp_path):
    idle = rtsched.run(problem_of([once("late", "m", 1, deadline_ns=10, release_ns=5000)], {"m": [[10]]}), layers=True)
    assert not len(idle.jobs)
    idle.save(tmp_path / "idle.npz")
    assert_equal(rtsched.load_outcome(tmp_path / "idle.npz"), idle)


def test_tables_from_files_become_their_rows(tmp_path):
    shutil_free = {name: (ROOT / "examples" / name).read_bytes() for name in ("glasses.yaml", "board.yaml", "costs.csv")}
    for name, content in shutil_free.items():
        (tmp_path / name).write_bytes(content)
    outcome = rtsched.simulate(tmp_path / "glasses.yaml", duration_s=0.1)
    outcome.save(tmp_path / "a.npz")
    (tmp_path / "costs.csv").unlink()
    found = rtsched.load_outcome(tmp_path / "a.npz")
    assert rtsched.compile(found.problem.scenario, found.problem.platform).digest == outcome.problem.digest


def test_the_same_outcome_gives_the_same_bytes_in_another_process(tmp_path):
    code = "import rtsched, sys; rtsched.simulate('vr_gaming', duration_s=0.1, layers=True).save(sys.argv[1])"
    for name, seed in (("a.npz", "1"), ("b.npz", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path / name)], check=True, env=environment)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_every_array_of_a_problem_has_its_shape(outcome):
    arrays = {one.name for one in fields(Problem) if isinstance(getattr(outcome.problem, one.name), np.ndarray)}
    assert arrays == set(integrity.ARRAYS)
    assert integrity.problem_faults(outcome.problem) == []


def test_what_cannot_be_written_says_so(outcome, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        outcome.save(tmp_path / "no" / "such.npz")


def test_what_is_no_archive(tmp_path):
    path = tmp_path / "a.npz"
    assert "cannot be read: no such file" in refusal(path)
    assert "is a directory" in refusal(tmp_path)
    for content in (b"", b"PK\x05\x06", b"task,frame\n", b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        assert "must be a saved outcome" in refusal(path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/zero")
    assert "must be a regular file" in refusal(tmp_path / "null")
    packed(path, {"readme.txt": b"hello"})
    assert "no member header.json" in refusal(path)


def test_truncated_files(members, tmp_path):
    whole = packed(tmp_path / "a.npz", members).read_bytes()
    for n in (1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.npz").write_bytes(whole[:n])
        assert "must be a saved outcome" in refusal(tmp_path / "a.npz")


def test_no_changed_byte_passes_unseen_or_crashes(members, tmp_path, outcome):
    """Only bytes that mean nothing, such as a member's date, may change."""
    path = packed(tmp_path / "a.npz", members)
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        at = chance.choice([chance.randrange(len(whole)), len(whole) - 1 - chance.randrange(4000)])
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            found = rtsched.load_outcome(path)
        except InputError:
            continue
        assert_equal(found, outcome)


@pytest.mark.parametrize("missing", ["scenario.json", "platform.json", "jobs.npy", "busy_ns.npy", "problem/costs.npy"])
def test_missing_members(members, tmp_path, missing):
    path = packed(tmp_path / "a.npz", {name: data for name, data in members.items() if name != missing})
    assert refusal(path) == f"{missing}: the file must have this member"


@pytest.mark.parametrize("table", saved.ON_DEMAND)
def test_what_was_not_recorded_may_be_missing(members, tmp_path, table):
    path = packed(tmp_path / "a.npz", {name: data for name, data in members.items() if name != f"{table}.npy"})
    assert getattr(rtsched.load_outcome(path), table) is None


def test_unknown_and_repeated_members(members, tmp_path):
    path = packed(tmp_path / "a.npz", {**members, "extra.npy": b""})
    assert refusal(path) == "'extra.npy': there is no such member in rtsched.saved/2"
    packed(path, members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("jobs.npy", b"")
    assert "every member must stand in it once" in refusal(path)


def test_another_version(members, tmp_path):
    path = packed(tmp_path / "a.npz", {**changed_header(members, format="rtsched.saved/9"), "new.npy": b""})
    assert (
        refusal(path) == f"header.json: format must be 'rtsched.saved/2', got 'rtsched.saved/9'; written by rtsched {rtsched.__version__!r}"
    )
    for content in (b"[]", b"7", b"{}"):
        assert "format must be 'rtsched.saved/2', got None" in refusal(packed(path, {**members, "header.json": content}))


@pytest.mark.parametrize(
    ("member", "content", "expected"),
    [
        ("jobs.npy", npy(np.zeros(3)), "must be rows of job, task, frame"),
        ("jobs.npy", b"\x93NUMPY\x01\x00\x02\x00{}", "must be a NumPy array"),
        ("jobs.npy", npy(np.zeros(3, dtype=object)), "must be rows of job, task, frame"),
        ("busy_ns.npy", npy(np.zeros(3, dtype=np.int32)), "must be int64, got int32"),
        ("busy_ns.npy", npy(np.zeros(4, dtype=np.int64)), "must have 3 entries (options), got shape (4,)"),
        ("busy_ns.npy", npy(np.zeros((3, 1), dtype=np.int64)), "must have 1 dimensions, got shape (3, 1)"),
        ("problem/task_model.npy", npy(np.zeros(4, dtype=np.int32)), "must have 5 entries (tasks), got shape (4,)"),
        ("scenario.json", b"{", "must be JSON"),
        ("scenario.json", b"[" * 100_000, "must be JSON"),
        ("scenario.json", b"\xff\xfe", "must be JSON"),
        ("scenario.json", b"{}", "name: Field required"),
        ("platform.json", b"[1]", "Input should be a valid dictionary"),
    ],
)
def test_members_that_are_not_what_they_must_be(members, tmp_path, member, content, expected):
    message = refusal(packed(tmp_path / "a.npz", {**members, member: content}))
    assert message.startswith(f"{member}: ")
    assert expected in message


def test_pickles_are_not_opened(members, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    array = np.empty(1, dtype=object)
    array[0] = Bomb()
    assert "must be int64, got object" in refusal(packed(tmp_path / "a.npz", {**members, "busy_ns.npy": npy(array)}))
    assert not (tmp_path / "exploded").exists()


def test_arrays_larger_than_their_bytes(members, tmp_path):
    """NumPy would try to make room for what the header promises."""
    head = npy(np.zeros(1, dtype=saved.JOB_DTYPE)).replace(b"(1,)", b"(8000000000000,)")
    assert "after its header for shape (8000000000000,), got" in refusal(packed(tmp_path / "a.npz", {**members, "jobs.npy": head}))


def test_zip_bombs(members, tmp_path):
    path = packed(tmp_path / "a.npz", {**members, "jobs.npy": bytes(10**7)}, zipfile.ZIP_DEFLATED)
    assert "must be stored uncompressed" in refusal(path)
    path = packed(tmp_path / "b.npz", {"header.json": b"x"})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<II", data, at + 20, 2**31, 2**31)
    path.write_bytes(data)
    assert "must not be larger than the file" in refusal(path)


def test_platforms_must_not_name_files(members, tmp_path):
    platform = json.loads(members["platform.json"])
    platform["accelerators"][1]["cost"] = {"model": "table", "file": "/etc/passwd"}
    path = packed(tmp_path / "a.npz", {**members, "platform.json": json.dumps(platform).encode()})
    assert refusal(path) == "platform.json: accelerators.1.cost: must hold rows, not the name of a file"


def test_scenarios_must_not_name_files(members, tmp_path):
    scenario = json.loads(members["scenario.json"])
    scenario["time_factor"] = {"values": "/etc/passwd"}
    path = packed(tmp_path / "a.npz", {**members, "scenario.json": json.dumps(scenario).encode()})
    assert refusal(path) == "scenario.json: time_factor.values: Value error, must hold numbers, not the name of a file"


@pytest.mark.parametrize(
    "values", [{"seed": -1}, {"end_ns": 1.5}, {"n_layers": 2**70}, {"served_bytes": "nan"}, {"policy": None}, {"more": 1}]
)
def test_wrong_numbers_in_the_header(members, tmp_path, values):
    assert refusal(packed(tmp_path / "a.npz", changed_header(members, **values))).startswith(f"header.json: {next(iter(values))}: ")


BREAKERS = {
    "task_model": lambda a: a + 100,
    "parent_task": lambda a: a + 1,
    "parent_first": lambda a: a * 0,
    "child_task": lambda a: np.zeros_like(a),
    "ancestor_first": lambda a: a + np.arange(len(a), dtype=a.dtype),
    "task_outstanding": lambda a: a + 1,
    "task_jitter_ns": lambda a: np.full_like(a, 2**59),
    "task_offset_ns": lambda a: a + 2**62,
    "factor_sigma": lambda a: a - 1,
    "recorded_first": lambda a: a + np.arange(len(a), dtype=a.dtype),
    "layer_sparsity": lambda a: np.full_like(a, 2.0),
    "trace_first": lambda a: np.arange(len(a), dtype=a.dtype),
    "task_in_order": lambda a: a.astype(np.int8),
    "priority_upto": lambda a: a * 0.5,
    "model_first_subnet": lambda a: a[::-1].copy(),
    "subnet_first_block": lambda a: a * 0,
    "block_first_layer": lambda a: a + 1,
    "block_skip": lambda a: a * 0 + 1,
    "block_exit": lambda a: a * 0 + np.nan,
    "layer_block": lambda a: a[::-1].copy(),
    "accelerator_tiles": lambda a: a + 1,
    "efficiency": lambda a: a * 0,
    "port_bytes_per_ns": lambda a: -a,
}


@pytest.mark.parametrize("name", BREAKERS)
def test_problems_that_would_lead_the_core_astray(members, outcome, tmp_path, name):
    content = {**members, f"problem/{name}.npy": npy(BREAKERS[name](getattr(outcome.problem, name)))}
    assert re.match(rf"problem/{name}|problem/parent_(task|first): ", refusal(packed(tmp_path / "a.npz", content)))


def test_costs_that_run_nowhere(members, outcome, tmp_path):
    costs = outcome.problem.costs.copy()
    costs["t_iso_ns"] = 0
    content = {**members, "problem/costs.npy": npy(costs)}
    assert "problem/costs: every layer must run on some option" in refusal(packed(tmp_path / "a.npz", content))


def test_costs_beyond_the_clock(members, outcome, tmp_path):
    costs = outcome.problem.costs.copy()
    costs["t_iso_ns"][0] = 2**62 + 1
    content = {**members, "problem/costs.npy": npy(costs)}
    assert "problem/costs: t_iso_ns must be at most 2**61" in refusal(packed(tmp_path / "a.npz", content))


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("jobs", "task", 5),
        ("jobs", "status", 9),
        ("jobs", "subnet", 4),
        ("jobs", "model", 1),
        ("layers", "job", -1),
        ("layers", "layer", 10**6),
        ("rates", "job", 10**9),
        ("rates", "layer", -1),
        ("rates", "accelerator", 3),
    ],
)
def test_indices_that_point_nowhere(members, outcome, tmp_path, table, field, value):
    rows = getattr(outcome, table).copy()
    rows[field][0] = value
    assert refusal(packed(tmp_path / "a.npz", {**members, f"{table}.npy": npy(rows)})).startswith(f"{table}.npy: {field}: must be ")


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("time_ns", 2**62, "time_ns: must ascend"),
        ("tiles", 0, "tiles: must not be empty"),
        ("demand_bytes_per_ns", np.inf, "demand_bytes_per_ns: must be at least 0 and finite, got inf"),
        ("allocation_bytes_per_ns", np.nan, "allocation_bytes_per_ns: must be at least 0 and finite, got nan"),
        ("cap_bytes_per_ns", -1.0, "cap_bytes_per_ns: must be at least 0, got -1.0"),
    ],
)
def test_rates_that_cannot_be_drawn(members, outcome, tmp_path, field, value, fault):
    rows = outcome.rates.copy()
    rows[field][0] = value
    assert refusal(packed(tmp_path / "a.npz", {**members, "rates.npy": npy(rows)})) == f"rates.npy: {fault}"


def test_a_problem_of_another_run(members, outcome, tmp_path):
    content = {**members, "problem/task_offset_ns.npy": npy(outcome.problem.task_offset_ns + 1)}
    assert "problem_sha256 must be that of the problem" in refusal(packed(tmp_path / "a.npz", content))


def test_the_page_names_every_member_and_its_example_runs(tmp_path):
    page = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    described = page[page.index("## Saved outcomes") :]
    for name in [saved.HEADER, saved.SCENARIO, saved.PLATFORM, *(f"{name}.npy" for name in saved.TABLES), *saved._Header.model_fields]:
        assert f"`{name}`" in described or f"`{name}`'s" in described
    (code,) = re.findall(r"^```python\n(.*?)^```$", described, flags=re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-P", "-W", "error", "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("end_ns", 2**62, "duration_ns, end_ns: must be 1 <= duration <= end <= 2**61"),
        ("regroup_ns", 2**62, "regroup_ns: must be from 0 to 2**60"),
        ("task_rate_hz", 1e300, "task_rate_hz: must lie between 0 and 1e+09"),
        ("task_offset_ns", 2**62, "task_offset_ns: must lie between 0 and"),
        ("task_deadline_ns", 2**62, "task_deadline_ns: must lie between 0 and"),
        ("costs", 2**62, "costs: t_iso_ns must be at most 2**61"),
    ],
)
def test_times_that_would_stop_or_overflow_the_clock(outcome, name, value, fault):
    changed = value
    if isinstance(getattr(outcome.problem, name), np.ndarray):
        changed = getattr(outcome.problem, name).copy()
        (changed["t_iso_ns"] if name == "costs" else changed)[0] = value
    assert [one[: len(fault)] for one in integrity.problem_faults(replace(outcome.problem, **{name: changed}))] == [fault]


def test_the_smallest_factor_comes_back(tmp_path):
    task = once("tiny", "m", 1, deadline_ns=10, time_factor={"values": [5e-324]})
    outcome = rtsched.run(problem_of([task], {"m": [[10]]}), layers=True)
    outcome.save(tmp_path / "a.npz")
    assert_equal(rtsched.load_outcome(tmp_path / "a.npz"), outcome)
