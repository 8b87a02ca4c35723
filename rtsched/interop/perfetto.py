"""Outcomes as traces of Perfetto: every executed layer, every job, DRAM, the queue and slack over time, with arrows along cascades.

https://ui.perfetto.dev shows them. docs/timeline.md tells what is in a trace. Nothing but NumPy is needed: a trace is a list of
messages of Protocol Buffers, whose fields are below, by the names that they have in ``perfetto_trace.proto``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappush, heapreplace

import numpy as np

from rtsched.interop._protobuf import Column, double, fixed64, in_turn, joined, message, number, strings
from rtsched.outcome import STATUSES, Outcome
from rtsched.testing.findings import MET, SUPPRESSED
from rtsched.testing.tables import sound_tables
from rtsched.timeline import Runs, dram_steps, job_end_ns, misses_of, runs_of, tile_names, waiting_steps

__all__ = ["SUFFIX", "trace_pieces", "write_trace"]

SUFFIX = ".pftrace"

PACKET = 1
TIMESTAMP, SEQUENCE_ID, TRACK_EVENT, INTERNED_DATA, SEQUENCE_FLAGS, TRACK_DESCRIPTOR = 8, 10, 11, 12, 13, 60
"""Of a packet."""
TYPE, TRACK_UUID, NAME_IID, CATEGORY_IIDS, ANNOTATIONS, COUNTER_VALUE, DOUBLE_COUNTER_VALUE, FLOW_IDS = 9, 11, 10, 3, 4, 30, 44, 47
"""Of an event on a track."""
BEGIN, END, INSTANT, COUNTER = 1, 2, 3, 4
"""Types of events."""
EVENT_CATEGORIES, EVENT_NAMES, ANNOTATION_NAMES, ANNOTATION_STRINGS = 1, 2, 3, 29
"""Of interned data: texts that stand once, and that events refer to by number."""
EXPLICIT_ORDER = 3
STATE_CLEARED, NEEDS_STATE = 1, 2

CHUNK_ROWS = 16_000
"""Rows whose events are held at a time: some 10 MB, which takes the least time."""

CATEGORIES = ("job", "run", "layer", "missed")
NUMBERS = ("job", "frame", "layer", "tiles", "switch_bytes", "deadline_ns", "slack_ns", "preemptions", "priority")
TEXTS = ("model", "subnet", "status")
"""Annotations of events."""

ROOT, MISSED, WAITING, SLACK, FIRST_FREE = range(1, 6)
"""Numbers of tracks. Those of tiles, of the slack of tasks, of DRAM and of jobs follow."""

DRAM = {"demand": "DRAM demand", "allocation": "DRAM allocation", "cap": "DRAM caps, summed"}
"""Counters of what layers want and get."""


def write_trace(outcome: Outcome, path: str | os.PathLike[str]) -> None:
    """Write an outcome as a trace; see `rtsched.Outcome.to_perfetto`."""
    from rtsched.report import files

    files.write(os.fspath(path), trace_pieces(outcome))


def trace_pieces(outcome: Outcome, progress: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
    """Check an outcome, and yield its trace.

    Parameters
    ----------
    outcome : Outcome
        With its layers; without its rates the trace has nothing of the DRAM.
    progress : callable, optional
        Called with how many parts of the trace are made, of how many.

    Raises
    ------
    rtsched.errors.InputError
        Layers were not recorded, or rows mean nothing.
    """
    sound_tables(outcome, ("layers",))
    return _pieces(_Trace(outcome), progress)


def _pieces(trace: _Trace, progress: Callable[[int, int], None] | None) -> Iterator[bytes]:
    yield trace.head()
    parts = (trace.jobs, trace.layers, trace.missed, trace.waiting, trace.slack, trace.dram)
    for done, part in enumerate(parts):
        if progress is not None:
            progress(done, len(parts))
        yield from part()


class _Names:
    """Texts with the numbers under which events refer to them, from 1 on."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(dict.fromkeys(texts))
        self._number = {text: i + 1 for i, text in enumerate(self.texts)}

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Numbers of texts: int64."""
        return np.array([self._number[text] for text in texts], dtype=np.int64)

    def table(self, field: int) -> Column:
        """All of them, as part of the interned data."""
        return message(field, joined(number(1, np.arange(1, len(self.texts) + 1)), strings(2, self.texts)))


@dataclass(frozen=True)
class _Flows:
    """Arrows: each job's leads from its parent's last run over its own slice to its runs.

    Attributes
    ----------
    parent : ndarray of int64, shape (n_jobs,)
        The job whose end released it; -1 for roots.
    children : ndarray of int64, shape (n_jobs, n)
        Jobs that it released; -1 where there are no more.
    """

    parent: np.ndarray
    children: np.ndarray


def _flows(outcome: Outcome) -> _Flows:
    problem, jobs = outcome.problem, outcome.jobs
    bounds = np.searchsorted(jobs["task"], np.arange(problem.n_tasks + 1))
    parent = np.full(len(jobs), -1, dtype=np.int64)
    for task in range(problem.n_tasks):
        own = np.arange(bounds[task], bounds[task + 1])
        own = own[jobs["status"][own] != SUPPRESSED]
        for other in problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]].tolist():
            frames = jobs["frame"][bounds[other] : bounds[other + 1]]
            if len(frames) and len(own):
                row = bounds[other] + np.minimum(np.searchsorted(frames, jobs["frame"][own]), len(frames) - 1)
                released = (jobs["frame"][row] == jobs["frame"][own]) & (jobs["finish_ns"][row] == jobs["release_ns"][own])
                parent[own[released]] = row[released]
    child = np.flatnonzero(parent >= 0)
    child = child[np.argsort(parent[child], kind="stable")]
    own = parent[child]
    place = np.arange(len(own)) - np.searchsorted(own, own)
    children = np.full((len(jobs), int(place.max(initial=-1)) + 1), -1, dtype=np.int64)
    children[own, place] = child
    return _Flows(parent, children)


class _Trace:
    """The parts of a trace."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.problem = outcome, outcome.problem
        problem, jobs = self.problem, outcome.jobs
        self.categories = _Names(CATEGORIES)
        self.annotations = _Names((*NUMBERS, *TEXTS))
        self.shown = [name if one == STATUSES[MET] else f"{name} ({one})" for name in problem.task_names for one in STATUSES]
        self.names = _Names([*self.shown, *problem.task_names, *problem.layer_names])
        self.strings = _Names([*problem.model_names, *problem.subnet_names, *STATUSES, ""])
        self.tiles = tile_names(outcome)
        self.model = self.strings.of(problem.model_names)[jobs["model"]]
        subnets = self.strings.of([*problem.subnet_names, ""])
        self.subnet = subnets[np.where(jobs["subnet"] >= 0, problem.model_first_subnet[jobs["model"]] + jobs["subnet"], -1)]
        self.flows = _flows(outcome)

    # ---- Tracks

    def _tile_track(self, lane: np.ndarray) -> np.ndarray:
        return FIRST_FREE + lane

    @cached_property
    def _task_tracks(self) -> int:
        """The number before that of the first task's slack; lanes of tasks follow those."""
        return FIRST_FREE + len(self.tiles)

    @cached_property
    def _dram_tracks(self) -> int:
        return self._task_tracks + self.problem.n_tasks

    @cached_property
    def _job_tracks(self) -> tuple[np.ndarray, np.ndarray]:
        """The track of each job, and the task of each such track: overlapping jobs of a task have tracks of their own."""
        jobs, end_ns = self.outcome.jobs, job_end_ns(self.outcome)
        order = np.lexsort((end_ns, jobs["release_ns"], jobs["task"]))
        order = order[jobs["status"][order] != SUPPRESSED]
        rows = zip(order.tolist(), jobs["task"][order].tolist(), jobs["release_ns"][order].tolist(), end_ns[order].tolist(), strict=True)
        track, tasks, free, before = np.full(len(jobs), -1, dtype=np.int64), list[int](), list[tuple[int, int]](), -1
        first = self._dram_tracks + 3
        for row, task, release, end in rows:
            if task != before:
                free, before = [], task
            if free and free[0][0] <= release:
                track[row] = free[0][1]
                heapreplace(free, (end, free[0][1]))
                continue
            track[row] = first + len(tasks)
            tasks.append(task)
            heappush(free, (end, int(track[row])))
        return track, np.array(tasks, dtype=np.int64)

    def head(self) -> bytes:
        """The texts that events refer to, and the tracks."""
        tables = (
            self.categories.table(EVENT_CATEGORIES),
            self.names.table(EVENT_NAMES),
            self.annotations.table(ANNOTATION_NAMES),
            self.strings.table(ANNOTATION_STRINGS),
        )
        flat = b"".join(map(in_turn, tables))
        interned = message(INTERNED_DATA, Column.of(np.frombuffer(flat, dtype=np.uint8)[None], np.ones((1, len(flat)), dtype=bool)))
        one = np.ones(1, dtype=np.int64)
        first = joined(number(SEQUENCE_ID, one), number(SEQUENCE_FLAGS, one * STATE_CLEARED), interned)
        return in_turn(message(PACKET, first)) + self._tracks()

    def _tracks(self) -> bytes:
        """One group, which is open at first: who missed, tiles, tasks, counters."""
        outcome, problem = self.outcome, self.problem
        run = f"{problem.scenario_name} on {problem.platform_name}, {outcome.policy}, seed {outcome.seed}"
        tiles, tasks, (_, lanes) = len(self.tiles), problem.n_tasks, self._job_tracks
        behind = 1 + tiles + tasks
        made = _descriptors([ROOT], 0, [run if outcome.is_complete else f"{run}, partial"], [0])
        made += _descriptors([MISSED, SLACK], ROOT, ["missed deadlines", "slack at the end of jobs"], [0, behind + 4])
        made += _descriptors([WAITING], ROOT, ["waiting jobs"], [behind], unit="jobs")
        made += _descriptors(FIRST_FREE + np.arange(tiles), ROOT, self.tiles, 1 + np.arange(tiles))
        made += _descriptors(self._task_tracks + np.arange(tasks), SLACK, problem.task_names, np.arange(tasks), unit="ms")
        for i, name in enumerate(self._dram[1]):
            made += _descriptors([self._dram_tracks + i], ROOT, [DRAM[name]], [behind + 1 + i], unit="GB/s")
        named = [problem.task_names[i] for i in lanes]
        return made + _descriptors(self._dram_tracks + 3 + np.arange(len(lanes)), ROOT, named, 1 + tiles + lanes)

    # ---- Events

    def jobs(self) -> Iterator[bytes]:
        """A slice for each released job, from its release to its end."""
        outcome, jobs, (track, _) = self.outcome, self.outcome.jobs, self._job_tracks
        rows = np.flatnonzero(track >= 0)
        rows = rows[np.lexsort((job_end_ns(outcome)[rows], jobs["release_ns"][rows], track[rows]))]
        name = self.names.of(self.shown).reshape(-1, len(STATUSES))[jobs["task"], jobs["status"]]
        has_flow = (self.flows.parent >= 0) | (jobs["start_ns"] >= 0)
        for part in _chunks(rows):
            own = jobs[part]
            begin = _Event(own["release_ns"], BEGIN, track[part], name[part], self.categories.of(["job"]))
            told = [*self._job_annotations(part), self._number("deadline_ns", own["deadline_ns"])]
            told += [self._number("slack_ns", own["deadline_ns"] - own["finish_ns"]).where(own["finish_ns"] >= 0)]
            told += [self._number("priority", own["priority"]), self._number("preemptions", own["preemptions"])]
            told += [self._text("status", self.strings.of(STATUSES)[own["status"]])]
            begins = begin.column(*told, fixed64(FLOW_IDS, part + 1).where(has_flow[part]))
            ends = _Event(np.maximum(job_end_ns(outcome)[part], own["release_ns"]), END, track[part]).column()
            yield in_turn(begins, ends)

    def layers(self) -> Iterator[bytes]:
        """A slice for each executed layer on each of its tiles, within one for as long as its job goes on there."""
        outcome, runs, executed = self.outcome, runs_of(self.outcome), self.outcome.layers
        assert executed is not None
        track, task_name = self._tile_track(runs.lane), self.names.of(self.problem.task_names)
        is_last = np.append(runs.is_first[1:], True)[: len(runs.row)]
        is_arrow, releases = self._arrows(runs, executed["job"][runs.row])
        n_tiles = np.bincount(runs.row, minlength=len(executed))
        for part in _chunks(np.arange(len(runs.row))):
            own = executed[runs.row[part]]
            job, start, end = own["job"], runs.start_ns[part], runs.end_ns[part]
            told = self._job_annotations(job)
            flows = [fixed64(FLOW_IDS, job + 1).where(is_arrow[part])]
            flows += [fixed64(FLOW_IDS, child + 1).where(releases[part] & (child >= 0)) for child in self.flows.children[job].T]
            name = task_name[outcome.jobs["task"][job]]
            bar = _Event(start, BEGIN, track[part], name, self.categories.of(["run"])).column(*told, *flows).where(runs.is_first[part])
            layer = _Event(start, BEGIN, track[part], self._layer_names[own["layer"]], self.categories.of(["layer"]))
            told += [self._number("layer", own["layer"]), self._number("tiles", n_tiles[runs.row[part]])]
            told += [self._number("switch_bytes", own["switch_bytes"])]
            over = _Event(end, END, track[part]).column()
            yield in_turn(bar, layer.column(*told), over, over.where(is_last[part]))

    @cached_property
    def _layer_names(self) -> np.ndarray:
        return self.names.of(self.problem.layer_names)

    def _arrows(self, runs: Runs, job: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where arrows to runs end, and where those to the job's children begin: rows at which runs begin.

        A run has one when the tile is the lowest of the job's for at least one of its layers; the last layer's is the job's last.
        """
        first = np.flatnonzero(runs.is_first)
        run = np.cumsum(runs.is_first) - 1
        rows = np.flatnonzero(runs.is_lowest)
        rows = rows[np.lexsort((runs.start_ns[rows], job[rows]))]
        last = rows[np.append(job[rows][1:] != job[rows][:-1], True)[: len(rows)]]
        has_arrow, is_last = np.zeros((2, len(job)), dtype=bool)
        has_arrow[first[run[rows]]] = True
        is_last[first[run[last]]] = True
        return has_arrow, is_last

    def missed(self) -> Iterator[bytes]:
        """An instant for each missed deadline."""
        missed, jobs = misses_of(self.outcome), self.outcome.jobs
        name = self.names.of(self.shown).reshape(-1, len(STATUSES))[jobs["task"], jobs["status"]]
        for part in _chunks(np.arange(len(missed.job))):
            job = missed.job[part]
            event = _Event(missed.time_ns[part], INSTANT, np.full(len(part), MISSED), name[job], self.categories.of(["missed"]))
            status = self._text("status", self.strings.of(STATUSES)[jobs["status"][job]])
            yield in_turn(event.column(*self._job_annotations(job), status))

    def waiting(self) -> Iterator[bytes]:
        """How many jobs wait."""
        time_ns, n_waiting = waiting_steps(self.outcome)
        for part in _chunks(np.arange(len(time_ns))):
            yield in_turn(_Event(time_ns[part], COUNTER, np.full(len(part), WAITING)).column(number(COUNTER_VALUE, n_waiting[part])))

    def slack(self) -> Iterator[bytes]:
        """By how much each job met its deadline or missed it, when it ends."""
        jobs = self.outcome.jobs
        rows = np.flatnonzero((jobs["status"] != SUPPRESSED) & (jobs["finish_ns"] >= 0))
        rows = rows[np.lexsort((jobs["finish_ns"][rows], jobs["task"][rows]))]
        for part in _chunks(rows):
            own = jobs[part]
            slack_ms = (own["deadline_ns"] - own["finish_ns"]) * 1e-6
            yield in_turn(_Event(own["finish_ns"], COUNTER, self._task_tracks + own["task"]).column(double(DOUBLE_COUNTER_VALUE, slack_ms)))

    @cached_property
    def _dram(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Steps of what is known of the DRAM; caps only where somebody has one."""
        if self.outcome.rates is None:
            return np.zeros(0, dtype=np.int64), {}
        time_ns, steps = dram_steps(self.outcome)
        return time_ns, {name: value for name, value in steps.items() if name != "cap" or value.any()}

    def dram(self) -> Iterator[bytes]:
        """What layers demand of the DRAM, are given, and may draw, where that changes."""
        time_ns, steps = self._dram
        for i, value in enumerate(steps.values()):
            kept = np.flatnonzero(np.append(True, value[1:] != value[:-1])[: len(value)])
            for part in _chunks(kept):
                event = _Event(time_ns[part], COUNTER, np.full(len(part), self._dram_tracks + i))
                yield in_turn(event.column(double(DOUBLE_COUNTER_VALUE, value[part])))

    def _job_annotations(self, job: np.ndarray) -> list[Column]:
        named = [self._number("job", job), self._number("frame", self.outcome.jobs["frame"][job])]
        return [
            *named,
            self._text("model", self.model[job]),
            self._text("subnet", self.subnet[job]).where(self.outcome.jobs["subnet"][job] >= 0),
        ]

    def _number(self, name: str, values: np.ndarray) -> Column:
        iid = np.full(len(values), self.annotations.of([name])[0])
        return message(ANNOTATIONS, joined(number(1, iid), number(4, values)))

    def _text(self, name: str, iids: np.ndarray) -> Column:
        iid = np.full(len(iids), self.annotations.of([name])[0])
        return message(ANNOTATIONS, joined(number(1, iid), number(17, iids)))


@dataclass(frozen=True)
class _Event:
    """Events of one type on tracks; what is None, they have not."""

    time_ns: np.ndarray
    type: int
    track: np.ndarray
    name: np.ndarray | None = None
    category: np.ndarray | None = None

    def column(self, *more: Column) -> Column:
        """Packets of them."""
        n = len(self.time_ns)
        parts = [number(TYPE, np.full(n, self.type)), number(TRACK_UUID, self.track)]
        if self.name is not None:
            parts.append(number(NAME_IID, self.name))
        if self.category is not None:
            parts.append(number(CATEGORY_IIDS, np.full(n, self.category[0])))
        head = (number(TIMESTAMP, self.time_ns), number(SEQUENCE_ID, np.ones(n, dtype=np.int64)))
        flags = number(SEQUENCE_FLAGS, np.full(n, NEEDS_STATE))
        return message(PACKET, joined(*head, flags, message(TRACK_EVENT, joined(*parts, *more))))


def _descriptors(
    uuid: Sequence[int] | np.ndarray, parent: int, names: Sequence[str], rank: Sequence[int] | np.ndarray, unit: str = ""
) -> bytes:
    """Tracks of one kind, counters when they have a unit; 0 is no parent."""
    n = len(uuid)
    parts = [number(1, np.asarray(uuid)), strings(2, names)]
    if parent:
        parts.append(number(5, np.full(n, parent)))
    parts.append(message(8, strings(6, [unit] * n)) if unit else number(11, np.full(n, EXPLICIT_ORDER)))
    track = message(TRACK_DESCRIPTOR, joined(*parts, number(12, np.asarray(rank))))
    return in_turn(message(PACKET, joined(number(SEQUENCE_ID, np.ones(n, dtype=np.int64)), track)))


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(rows), CHUNK_ROWS):
        yield rows[first : first + CHUNK_ROWS]
