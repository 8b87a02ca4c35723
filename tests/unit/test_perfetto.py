"""Traces of Perfetto, read back with the official library: slices, counters, arrows and instants are those of the outcome."""

import math
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of
from hypothesis import given
from hypothesis import strategies as st
from program import invoke, messages
from strategies import policies, problems, requests, seeds

import rtsched
from rtsched.compiler import compile_problem
from rtsched.interop import _protobuf, perfetto
from rtsched.interop.perfetto import trace_pieces
from rtsched.outcome import STATUSES
from rtsched.run import run
from rtsched.timeline import tile_names
from rtsched.workload.scenario import Scenario, Task

pb = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="traces are read back with perfetto")


class Slice:
    """From its begin to its end; a flow is a number that several slices have."""

    def __init__(self, event, time_ns, name, category, told, depth):
        self.name, self.category, self.told, self.depth = name, category, told, depth
        self.start_ns, self.end_ns, self.flows = time_ns, None, list(event.flow_ids)


class Trace:
    """What a viewer makes of a trace: events sorted by time, those of one time as they stand in the file."""

    def __init__(self, data):
        packets = pb.Trace.FromString(data).packet
        self.names = {
            kind: {one.iid: one for one in getattr(packets[0].interned_data, kind)} for kind in ("event_names", "event_categories")
        }
        self.keys = {one.iid: one.name for one in packets[0].interned_data.debug_annotation_names}
        self.texts = {one.iid: one.str.decode() for one in packets[0].interned_data.debug_annotation_string_values}
        self.tracks = {one.track_descriptor.uuid: one.track_descriptor for one in packets if one.HasField("track_descriptor")}
        assert len(self.tracks) == sum(one.HasField("track_descriptor") for one in packets)
        self.slices, self.counters, self.instants = defaultdict(list), defaultdict(list), []
        self.open = defaultdict(list)
        for packet in sorted((one for one in packets if one.HasField("track_event")), key=lambda one: one.timestamp):
            assert packet.trusted_packet_sequence_id == 1
            assert packet.track_event.track_uuid in self.tracks
            self.enter(packet.timestamp, packet.track_event)
        assert not any(self.open.values())

    def enter(self, time_ns, event):
        kind, track = event.type, event.track_uuid
        if kind == event.TYPE_COUNTER:
            assert self.tracks[track].HasField("counter")
            value = event.double_counter_value if event.HasField("double_counter_value") else event.counter_value
            self.counters[self.path(track)].append((time_ns, value))
        elif kind == event.TYPE_SLICE_END:
            self.open[track].pop().end_ns = time_ns
        else:
            told = {self.keys[one.name_iid]: self.told(one) for one in event.debug_annotations}
            names = self.names["event_names"][event.name_iid].name, self.names["event_categories"][event.category_iids[0]].name
            made = Slice(event, time_ns, *names, told, len(self.open[track]))
            if kind == event.TYPE_INSTANT:
                self.instants.append(made)
            else:
                assert kind == event.TYPE_SLICE_BEGIN
                self.slices[track].append(made)
                self.open[track].append(made)

    def told(self, one):
        return self.texts[one.string_value_iid] if one.HasField("string_value_iid") else one.int_value

    def path(self, track):
        parent = self.tracks[track].parent_uuid
        return self.tracks[track].name if parent == perfetto.ROOT else f"{self.tracks[parent].name}/{self.tracks[track].name}"

    def of(self, category):
        return [(track, one) for track, found in self.slices.items() for one in found if one.category == category]


def trace_of(outcome):
    return Trace(b"".join(trace_pieces(outcome)))


def end_of(outcome, time_ns):
    return outcome.end_ns if time_ns < 0 else time_ns


@pytest.fixture(scope="module")
def outcome():
    return rtsched.simulate("vr_gaming", policy="dream", duration_s=0.15, layers=True, rates=True, load=2)


def cascade():
    """`a` takes 200 ns every 1000 and is on time, its child `b` is late, and of `c` every other frame waits too long."""
    tasks = [
        once("a", "m", 2, deadline_ns=300, period_ns=1000),
        Task(name="b", model=chain("n", 1), parents=("a",), deadline_ms=50e-6),
        once("c", "o", 1, deadline_ns=5000, release_ns=50, period_ns=100, max_backlog=1),
    ]
    return run(problem_of(tasks, {"m": [[100]] * 2, "n": [[100]], "o": [[300]]}, duration_s=900e-9), "fcfs", layers=True, rates=True)


# ---- Properties of any run


@given(st.one_of(problems(), requests()), policies(), seeds)
def test_a_trace_is_the_outcome(problem, policy, seed):
    outcome = run(problem, policy, seed=seed, layers=True, rates=True)
    found = trace_of(outcome)
    check_layers(outcome, found)
    check_jobs(outcome, found)
    check_counters(outcome, found)
    check_flows(outcome, found)
    check_misses(outcome, found)


def check_layers(outcome, found):
    """Every executed layer is on each of its tiles, and the slices of a tile sum to its busy time."""
    places = {name: i for i, name in enumerate(tile_names(outcome))}
    first, problem = outcome.problem.option_first, outcome.problem
    expected = sorted(
        (
            int(first[row["accelerator"]]) + tile,
            row["job"],
            row["layer"],
            row["start_ns"],
            end_of(outcome, row["finish_ns"]),
            row["switch_bytes"],
        )
        for row in outcome.layers
        for tile in range(64)
        if int(row["tiles"]) >> tile & 1
    )
    layers = [(places[found.tracks[track].name], one) for track, one in found.of("layer")]
    told = [(p, one.told["job"], one.told["layer"], one.start_ns, one.end_ns, one.told["switch_bytes"]) for p, one in layers]
    assert sorted(told) == expected
    assert all(one.name == problem.layer_names[one.told["layer"]] and one.depth == 1 for _, one in layers)
    busy = np.zeros(len(places), dtype=np.int64)
    runs = np.zeros(len(places), dtype=np.int64)
    for place, one in layers:
        busy[place] += one.end_ns - one.start_ns
    for track, one in found.of("run"):
        runs[places[found.tracks[track].name]] += one.end_ns - one.start_ns
        assert one.name == problem.task_names[outcome.jobs["task"][one.told["job"]]]
        assert one.depth == 0
    assert busy.tolist() == runs.tolist() == outcome.busy_ns.tolist()


def check_jobs(outcome, found):
    """Every released job is on a track of its task, and none of a track overlap."""
    jobs, problem = outcome.jobs, outcome.problem
    shown = {one.told["job"]: (track, one) for track, one in found.of("job")}
    assert sorted(shown) == np.flatnonzero(jobs["release_ns"] >= 0).tolist()
    for row, (track, one) in shown.items():
        job = jobs[row]
        assert found.tracks[track].name == problem.task_names[job["task"]]
        assert (one.start_ns, one.end_ns, one.depth) == (job["release_ns"], end_of(outcome, job["finish_ns"]), 0)
        status = STATUSES[job["status"]]
        assert (one.told["status"], one.told["frame"], one.told["deadline_ns"]) == (status, job["frame"], job["deadline_ns"])
        assert one.name == problem.task_names[job["task"]] + ("" if status == "met" else f" ({status})")
        assert one.told["model"] == problem.model_names[job["model"]]
        assert one.told.get("slack_ns") == (None if job["finish_ns"] < 0 else job["deadline_ns"] - job["finish_ns"])
        first = problem.model_first_subnet[job["model"]]
        assert one.told.get("subnet") == (None if job["subnet"] < 0 else problem.subnet_names[first + job["subnet"]])


def check_counters(outcome, found):
    """DRAM, queue and slack at every instant are what the tables say, added up one by one."""
    waiting = 0
    for name, column in (("DRAM demand", "demand"), ("DRAM allocation", "allocation"), ("DRAM caps, summed", "cap")):
        at, running = {}, {}
        for row in outcome.rates:
            value = row[f"{column}_bytes_per_ns"]
            running[row["job"], row["layer"]] = value if math.isfinite(value) else 0.0
            at[int(row["time_ns"])] = math.fsum(running.values())
        steps = dict(found.counters.get(name, []))
        assert set(steps) <= set(at)
        assert column != "cap" or bool(steps) == any(at.values())
        held = 0.0
        for time_ns, value in at.items():
            held = steps.get(time_ns, held)
            assert held == pytest.approx(value, rel=1e-12, abs=0)
        assert held == 0
    jobs, layers = outcome.jobs, outcome.layers
    released = jobs[jobs["release_ns"] >= 0]
    changes = [(time_ns, 1) for time_ns in released["release_ns"].tolist()]
    changes += [(end_of(outcome, time_ns), -1) for time_ns in released["finish_ns"].tolist()]
    changes += [(time_ns, -1) for time_ns in layers["start_ns"].tolist()] + [(end_of(outcome, t), 1) for t in layers["finish_ns"].tolist()]
    steps, held, n_waiting = dict(found.counters["waiting jobs"]), None, Counter()
    for time_ns, change in [(0, 0), *changes]:
        n_waiting[time_ns] += change
    for time_ns in sorted(n_waiting):
        waiting += n_waiting[time_ns]
        held = steps.get(time_ns, held)
        assert held == waiting >= 0
    for i, task in enumerate(outcome.problem.task_names):
        own = released[(released["task"] == i) & (released["finish_ns"] >= 0)]
        expected = sorted((int(job["finish_ns"]), (job["deadline_ns"] - job["finish_ns"]) * 1e-6) for job in own)
        assert sorted(found.counters.get(f"slack at the end of jobs/{task}", [])) == expected


def check_flows(outcome, found):
    """An arrow leads from the run that released a job over the job to each of its runs, in the order of time."""
    jobs, problem = outcome.jobs, outcome.problem
    flows = defaultdict(list)
    for found_slices in found.slices.values():
        for one in found_slices:
            for flow in one.flows:
                flows[flow - 1].append(one)
    for row, slices in flows.items():
        own = [one for one in slices if one.told["job"] == row]
        assert [one.category for one in own].count("job") == 1
        starts = {int(at) for at in outcome.layers["start_ns"][outcome.layers["job"] == row]}
        assert {one.start_ns for one in own if one.category == "run"} <= starts
        assert bool(starts) == ("run" in {one.category for one in own})
        others = [one for one in slices if one.told["job"] != row]
        assert len(others) <= 1
        for one in others:
            parent = jobs[one.told["job"]]
            first = problem.parent_first[jobs["task"][row]]
            assert parent["task"] in problem.parent_task[first : problem.parent_first[jobs["task"][row] + 1]]
            assert (parent["frame"], parent["finish_ns"]) == (jobs["frame"][row], jobs["release_ns"][row])
            assert (one.category, one.end_ns) == ("run", parent["finish_ns"])
    children = np.flatnonzero((np.diff(problem.parent_first)[jobs["task"]] > 0) & (jobs["release_ns"] >= 0))
    assert all(any(one.told["job"] != row for one in flows[row]) for row in children.tolist())


def check_misses(outcome, found):
    missed = np.flatnonzero(outcome.metrics.counts & (outcome.jobs["status"] != 0))
    assert sorted(one.told["job"] for one in found.instants) == missed.tolist()
    for one in found.instants:
        job = outcome.jobs[one.told["job"]]
        assert one.told["status"] == STATUSES[job["status"]]
        assert 0 <= one.start_ns <= min(job["deadline_ns"], outcome.end_ns)
        if one.told["status"] == "late":
            assert one.start_ns == job["deadline_ns"]


# ---- By hand, and as a whole


def test_a_cascade_by_hand():
    outcome = cascade()
    found = trace_of(outcome)
    jobs = {(found.tracks[track].name, one.told["frame"]): one for track, one in found.of("job")}
    assert [(jobs["a", 0].start_ns, jobs["a", 0].end_ns), (jobs["b", 0].start_ns, jobs["b", 0].end_ns)] == [(0, 200), (200, 600)]
    assert jobs["b", 0].name == "b (late)"
    assert jobs["b", 0].told["slack_ns"] == -350
    (a,) = [one for _, one in found.of("run") if one.name == "a"]
    (b,) = [one for _, one in found.of("run") if one.name == "b"]
    assert set(a.flows) == {jobs["a", 0].flows[0], jobs["b", 0].flows[0]}
    assert b.flows == jobs["b", 0].flows
    assert [(one.name, one.start_ns) for one in found.instants if one.name.startswith("b")] == [("b (late)", 250)]
    dropped = [one for one in found.instants if one.name == "c (dropped)"]
    assert [one.start_ns for one in dropped] == outcome.jobs["finish_ns"][outcome.jobs["status"] == 2].tolist() != []
    assert len({track for track, one in found.of("job") if found.tracks[track].name == "c"}) > 1


def test_the_parent_that_ended_last_releases():
    tasks = [
        once("root", "o", 1, deadline_ns=900),
        Task(name="long", model=chain("m", 2), parents=("root",), deadline_ms=1e-3),
        Task(name="short", model=chain("n", 1), parents=("root",), deadline_ms=1e-3),
        Task(name="child", model=chain("o", 1), parents=("long", "short"), deadline_ms=1e-3),
    ]
    problem = problem_of(tasks, {"m": [[100, None]] * 2, "n": [[None, 50]], "o": [[None, 100]]})
    found = trace_of(run(problem, "fcfs", layers=True))
    ((_, child),) = [one for one in found.of("job") if one[1].name == "child"]
    assert sorted(one.name for _, one in found.of("run") if set(one.flows) & set(child.flows)) == ["child", "long"]


def test_a_layer_on_two_tiles_has_one_arrow():
    model = chain("m", 2)
    rows = [{"model": "m", "layer": f"l{i}", "accelerator": "a0", "tiles": n, "latency_ns": 100} for i in range(2) for n in (1, 2)]
    scenario = Scenario(name="hand", tasks=(Task(name="a", model=model, fps=1e3, deadline_ms=1.0),), duration_s=1e-6)
    outcome = run(compile_problem(scenario, platform_of(rows, tiles=(2,))), "prema", layers=True)
    found = trace_of(outcome)
    assert [(one.told["tiles"], one.start_ns) for _, one in found.of("layer")] == [(2, 0), (2, 100)] * 2
    assert [bool(one.flows) for _, one in found.of("run")] == [True, False]
    assert outcome.busy_ns.tolist() == [200, 200]


def test_a_job_that_gives_its_lowest_tile_back_goes_on_with_its_arrow():
    """`p` runs on both tiles, then on the upper one alone, and releases `c` there."""
    tasks = [once("p", "m", 2, deadline_ns=900), Task(name="c", model=chain("n", 1), parents=("p",), deadline_ms=1e-3)]
    problem = problem_of(tasks, {"m": [[100]] * 2, "n": [[100]]}, tiles=(2,))
    outcome = run(problem, "fcfs", layers=True)
    layers = outcome.layers.copy()
    layers["tiles"][:2] = 3, 2
    costs = problem.costs.copy()
    costs["t_iso_ns"] = 100
    found = trace_of(replace(outcome, problem=replace(problem, costs=costs), layers=layers))
    child = next(one for _, one in found.of("job") if one.name == "c")
    (last,) = [one for _, one in found.of("run") if one.name == "p" and set(one.flows) & set(child.flows)]
    assert (last.start_ns, last.end_ns) == (0, 200)


def test_jobs_that_do_not_overlap_share_a_track():
    found = trace_of(run(problem_of([once("a", "m", 1, deadline_ns=50, period_ns=200)], {"m": [[100]]}), "fcfs", layers=True))
    assert len(found.of("job")) == 5
    assert len({track for track, _ in found.of("job")}) == 1


def test_a_large_run(outcome):
    found = trace_of(outcome)
    check_layers(outcome, found)
    check_jobs(outcome, found)
    check_flows(outcome, found)
    check_misses(outcome, found)


def test_tracks_stand_in_order_under_the_run(outcome):
    tracks = trace_of(outcome).tracks
    own = sorted((one for one in tracks.values() if one.parent_uuid == perfetto.ROOT), key=lambda one: one.sibling_order_rank)
    names = list(dict.fromkeys(one.name for one in own))
    counters = ["waiting jobs", "DRAM demand", "DRAM allocation", "slack at the end of jobs"]
    assert names == ["missed deadlines", *tile_names(outcome), *outcome.problem.task_names, *counters]
    assert tracks[perfetto.ROOT].name == "vr_gaming on dream_4k_1ws2os, dream, seed 0"
    assert tracks[perfetto.ROOT].child_ordering == pb.TrackDescriptor.EXPLICIT
    assert {one.counter.unit_name for one in tracks.values() if one.name.startswith("DRAM")} == {"GB/s"}


def test_a_run_without_rates_has_nothing_of_the_dram(outcome):
    found = trace_of(replace(outcome, rates=None, is_complete=False))
    assert not any(one.name.startswith("DRAM") for one in found.tracks.values())
    assert found.tracks[perfetto.ROOT].name.endswith(", partial")
    check_layers(outcome, found)


def test_chunks_do_not_matter(outcome, monkeypatch):
    whole = b"".join(trace_pieces(outcome))
    monkeypatch.setattr(perfetto, "CHUNK_ROWS", 999)
    assert sorted(pb.Trace.FromString(whole).packet, key=str) == sorted(
        pb.Trace.FromString(b"".join(trace_pieces(outcome))).packet, key=str
    )


def test_nothing_happened():
    outcome = run(problem_of([once("a", "m", 1, deadline_ns=50, release_ns=900_000)], {"m": [[100]]}), "fcfs", layers=True, rates=True)
    found = trace_of(replace(outcome, jobs=outcome.jobs[:0]))
    assert not found.slices
    assert found.counters == {"waiting jobs": [(0, 0)]}


def test_layers_must_have_been_recorded_and_mean_something(outcome, tmp_path):
    with pytest.raises(rtsched.InputError, match=r"^the outcome has no layers; run with layers=True$"):
        replace(outcome, layers=None).to_perfetto(tmp_path / "a.pftrace")
    wrong = outcome.layers.copy()
    wrong["start_ns"][3] = -5
    with pytest.raises(rtsched.InputError, match=r"^layers: task '"):
        replace(outcome, layers=wrong).to_perfetto(tmp_path / "a.pftrace")
    assert list(tmp_path.iterdir()) == []


# ---- Files


def test_a_saved_outcome_gives_the_same_trace(outcome, tmp_path):
    outcome.to_perfetto(tmp_path / "a.pftrace")
    outcome.save(tmp_path / "a.npz")
    rtsched.load_outcome(tmp_path / "a.npz").to_perfetto(tmp_path / "b.pftrace")
    assert (tmp_path / "a.pftrace").read_bytes() == (tmp_path / "b.pftrace").read_bytes()


def test_the_command_records_what_a_trace_needs(outcome, tmp_path):
    outcome.to_perfetto(tmp_path / "a.pftrace")
    options = ("-P", "dream", "--duration", 0.15, "--load", 2)
    result = invoke("run", "vr_gaming", *options, "--trace", tmp_path / "b.PFTRACE")
    assert result.exit_code == 0
    assert (tmp_path / "a.pftrace").read_bytes() == (tmp_path / "b.PFTRACE").read_bytes()


def test_a_trace_of_another_name_is_refused(tmp_path):
    expected = ["--save a.zip: must end in .npz", "--trace a.json: must end in .pftrace"]
    assert messages("run", "vr_gaming", "--duration", 1e6, "--save", "a.zip", "--trace", "a.json") == expected


# ---- The wire


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=200)), min_size=1))
def test_messages_are_the_bytes_that_the_library_writes(rows):
    numbers, floats, texts = (list(column) for column in zip(*rows, strict=True))
    values = np.array(numbers, dtype=np.int64)
    told = _protobuf.message(4, _protobuf.joined(_protobuf.number(1, values), _protobuf.number(4, values).where(values % 3 > 0)))
    parts = [told, _protobuf.strings(23, texts), _protobuf.double(44, np.array(floats)), _protobuf.fixed64(47, values)]
    written = _protobuf.in_turn(_protobuf.message(1, _protobuf.message(11, _protobuf.joined(*parts)).where(values % 2 > 0)))
    trace = pb.Trace()
    for value, real, text in rows:
        packet = trace.packet.add()
        if value % 2:
            event = packet.track_event
            one = event.debug_annotations.add(name_iid=value % 2**64)
            if value % 3:
                one.int_value = value
            event.name, event.double_counter_value = text, real
            event.flow_ids.append(value % 2**64)
    assert written == trace.SerializeToString()
