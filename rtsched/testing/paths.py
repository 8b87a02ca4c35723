"""The layers that every job must run, from the draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rtsched.problem import MAX_TIME_NS
from rtsched.testing.draws import executed_blocks, recorded_ns, sums_ns, time_factors, whole_ns
from rtsched.testing.findings import Findings

__all__ = ["Paths"]

CHUNK_CELLS = 4_000_000
"""Jobs times layers that are held at a time: some 10 MB."""


class Paths:
    """Sums over each job's path, and the paths themselves where jobs have a subnet.

    Parameters
    ----------
    findings : Findings
        Its job table must be sound.

    Attributes
    ----------
    length : ndarray of int64, shape (n_jobs,)
        Layers of the whole path; 0 without a subnet.
    reference_ns, least_ns : ndarray of int64, shape (n_jobs,)
        Their actual time alone on the platform's reference, and each on its fastest option.
    worst_j, least_j : ndarray of float64, shape (n_jobs,)
        Their energy, each on its most and on its least energy-hungry option.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings, problem = findings, findings.problem
        n_jobs = len(findings.jobs)
        self.length, self.reference_ns, self.least_ns = np.zeros((3, n_jobs), dtype=np.int64)
        self.worst_j, self.least_j = np.zeros((2, n_jobs))
        first = problem.block_first_layer[:-1]
        lengths = np.diff(problem.block_first_layer).astype(np.int64)
        worst_j = np.add.reduceat(problem.layer_worst_energy_j, first)
        least = np.where(problem.costs["t_iso_ns"] > 0, problem.costs["energy_j"], np.inf).min(axis=1)
        least_j = np.add.reduceat(least, first)
        for rows, blocks, runs in self._groups():
            self.length[rows] = runs @ lengths[blocks]
            self.worst_j[rows] = runs @ worst_j[blocks]
            self.least_j[rows] = runs @ least_j[blocks]
            self._add_times(rows, blocks, runs)

    def _add_times(self, rows: np.ndarray, blocks: slice, runs: np.ndarray) -> None:
        """Sum the times of the layers of some jobs of one task and subnet."""
        findings, problem = self._findings, self._findings.problem
        first, last = problem.block_first_layer[blocks.start], problem.block_first_layer[blocks.stop]
        fastest_ns = np.where(problem.costs["t_iso_ns"] > 0, problem.costs["t_iso_ns"], MAX_TIME_NS).min(axis=1)
        task, frames = int(findings.jobs["task"][rows[0]]), findings.jobs["frame"][rows]
        factors = time_factors(problem, findings.outcome.seed, task, frames[:, None], np.arange(last - first)[None])
        recorded = recorded_ns(problem, task, frames[:, None], np.arange(last - first)[None])
        lengths = np.diff(problem.block_first_layer)[blocks]
        for sums, alone_ns in ((self.reference_ns, problem.layer_reference_ns[first:last]), (self.least_ns, fastest_ns[first:last])):
            if recorded is not None:
                row, layer = np.nonzero(np.repeat(runs, lengths, axis=1))
                sums[rows] = sums_ns(row, recorded[row, layer], len(rows))
            elif factors is None:
                sums[rows] = np.repeat(runs, lengths, axis=1) @ alone_ns
            else:
                row, layer = np.nonzero(np.repeat(runs, lengths, axis=1))
                sums[rows] = sums_ns(row, whole_ns(factors * alone_ns)[row, layer], len(rows))

    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all paths one after the other, and where each job's begins: arrays of int, shapes (n,) and (n_jobs + 1,)."""
        problem = self._findings.problem
        begin = np.concatenate([[0], np.cumsum(self.length)])
        flat = np.empty(begin[-1], dtype=np.int64)
        for rows, blocks, runs in self._groups():
            first, last = problem.block_first_layer[blocks.start], problem.block_first_layer[blocks.stop]
            row, layer = np.nonzero(np.repeat(runs, np.diff(problem.block_first_layer)[blocks], axis=1))
            place = np.arange(len(row)) - np.repeat(np.cumsum(self.length[rows]) - self.length[rows], self.length[rows])
            flat[begin[rows[row]] + place] = np.arange(first, last)[layer]
        return flat, begin

    def _groups(self) -> Iterator[tuple[np.ndarray, slice, np.ndarray]]:
        """Jobs of one task and subnet, some at a time: their rows, the subnet's blocks, and which of them each runs."""
        findings, problem = self._findings, self._findings.problem
        for task in range(problem.n_tasks):
            rows = findings.rows_of(task)
            chosen = findings.jobs["subnet"][rows]
            for place in np.unique(chosen[chosen >= 0]).tolist():
                subnet = int(problem.model_first_subnet[problem.task_model[task]]) + place
                blocks = slice(int(problem.subnet_first_block[subnet]), int(problem.subnet_first_block[subnet + 1]))
                n_layers = int(problem.block_first_layer[blocks.stop] - problem.block_first_layer[blocks.start])
                own, step = rows[chosen == place], max(1, CHUNK_CELLS // n_layers)
                for at in range(0, len(own), step):
                    part = own[at : at + step]
                    runs = executed_blocks(problem, findings.outcome.seed, task, findings.jobs["frame"][part], subnet)
                    yield part, blocks, runs
