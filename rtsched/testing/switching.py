"""Whether activations moved where they had to: the rules of docs/engine.md, followed over the recorded layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

import numpy as np

from rtsched.testing.findings import UNFINISHED, Findings

__all__ = ["check_switching"]


def check_switching(findings: Findings) -> None:
    """A layer moves the input that another place or another job has cost its job, and the output of jobs that it displaces."""
    recorded = findings.layers["switch_bytes"]
    if not findings.problem.has_switch:
        findings.add_rows(
            "switching", recorded != 0, lambda row: f"{findings.layer(row)}: moved {recorded[row]:,} bytes; switches are free"
        )
        return
    expected = _Replay(findings).wrong_layers()
    is_wrong = np.zeros(len(recorded), dtype=bool)
    is_wrong[list(expected)] = True
    findings.add_rows(
        "switching",
        is_wrong,
        lambda row: f"{findings.layer(row)}: moved {recorded[row]:,} bytes; must be {' or '.join(f'{n:,}' for n in sorted(expected[row]))}",
    )


class _Replay:
    """Where each job's activations are, start by start.

    Whether a job's activations are still where it ran is True, False, or None: when several layers start at one instant and more
    than one of them has to do with a job, the record does not tell which came first.
    """

    def __init__(self, findings: Findings) -> None:
        problem, jobs, layers = findings.problem, findings.jobs, findings.layers
        self.rows = np.argsort(layers["start_ns"], kind="stable")
        self.start, self.job, self.tiles = (layers[name].tolist() for name in ("start_ns", "job", "tiles"))
        self.layer, self.accelerator, self.moved = (layers[name].tolist() for name in ("layer", "accelerator", "switch_bytes"))
        self.fetch = findings.layer_costs["fetch_bytes"].tolist()
        # What the layer leaves on its tiles.
        self.keep = findings.layer_costs["keep_bytes"].tolist()
        self.is_first = findings.is_first.tolist()
        self.ended = np.where(jobs["status"] == UNFINISHED, 2**62, jobs["finish_ns"]).tolist()
        self.places = _places(self.accelerator, self.tiles, problem.option_first.tolist())
        self.on_tile = [-1] * int(problem.option_first[-1])
        self.is_there: dict[int, bool | None] = {}
        self.last: dict[int, int] = {}

    def wrong_layers(self) -> dict[int, set[int]]:
        """Layers that moved what they cannot have, and what they can have."""
        wrong: dict[int, set[int]] = {}
        for _, together in groupby(self.rows.tolist(), key=self.start.__getitem__):
            rows = list(together)
            if len(rows) == 1 and self._goes_on(rows[0]):
                continue
            displaced = [self._displaced(row) for row in rows]
            if len(rows) > 1:
                self._doubt(rows, displaced)
            for row, others in zip(rows, displaced, strict=True):
                possible = _sums([*self._own(row), *self._flushed(others)])
                if self.moved[row] not in possible:
                    wrong[row] = possible
            for others in displaced:
                self.is_there.update(dict.fromkeys(others, False))
            for row in rows:
                self._settle(row)
        return wrong

    def _displaced(self, row: int) -> list[int]:
        """Other jobs, not ended, that ran last on tiles of this layer and nowhere since."""
        others = {self.on_tile[place]: place for place in self.places[row]}
        return [
            job
            for job, place in others.items()
            if job not in (-1, self.job[row])
            and self.ended[job] > self.start[row]
            and self.is_there[job] is not False
            and place in self.places[self.last[job]]
        ]

    def _goes_on(self, row: int) -> bool:
        """Whether the layer runs where its job ran, undisturbed, and moves nothing: most layers do."""
        job = self.job[row]
        if self.moved[row] or self.is_first[row] or self.is_there[job] is not True:
            return False
        if self.places[self.last[job]] is not self.places[row] or any(self.on_tile[place] != job for place in self.places[row]):
            return False
        self.last[job] = row
        return True

    def _doubt(self, rows: list[int], displaced: list[list[int]]) -> None:
        involved = Counter([self.job[row] for row in rows] + [job for others in displaced for job in others])
        for job, n in involved.items():
            if n > 1:
                self.is_there[job] = None

    def _own(self, row: int) -> Iterable[tuple[int, bool | None]]:
        """What the job has to fetch, and whether it has to."""
        if self.is_first[row]:
            return
        job = self.job[row]
        if self.accelerator[self.last[job]] != self.accelerator[row]:
            yield self.fetch[row], True
        else:
            is_there = self.is_there[job]
            yield self.fetch[row], None if is_there is None else not is_there

    def _flushed(self, others: list[int]) -> Iterable[tuple[int, bool | None]]:
        return ((self.keep[self.last[job]], self.is_there[job]) for job in others)

    def _settle(self, row: int) -> None:
        job = self.job[row]
        self.is_there[job], self.last[job] = True, row
        for place in self.places[row]:
            self.on_tile[place] = job


def _places(accelerators: list[int], masks: list[int], first: list[int]) -> list[tuple[int, ...]]:
    """The tiles of each layer, counted over all accelerators; the same object for the same tiles."""
    known: dict[tuple[int, int], tuple[int, ...]] = {}
    for accelerator, mask in set(zip(accelerators, masks, strict=True)):
        tiles = range(first[accelerator + 1] - first[accelerator])
        known[accelerator, mask] = tuple(first[accelerator] + tile for tile in tiles if mask >> tile & 1)
    return [known[key] for key in zip(accelerators, masks, strict=True)]


def _sums(parts: Iterable[tuple[int, bool | None]]) -> set[int]:
    """Sums of what moves surely and of any of what may move."""
    sums = {0}
    for n_bytes, moves in parts:
        moved = {total + n_bytes for total in sums}
        sums = moved if moves else sums | moved if moves is None else sums
    return sums
