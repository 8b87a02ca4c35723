"""MoCA's workloads: three sets of networks, their targets and priorities, and the arrivals that its artifact runs.

Kim et al., "MoCA: Memory-Centric, Adaptive Execution for Multi-Tenant Deep Neural Networks", HPCA 2023, and its public artifact, whose
bare-metal runtime draws 258 jobs from a linear congruential generator and releases each a fixed time after one that came four jobs before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["PRIORITIES", "SETS", "TARGETS_MS", "ArtifactJob", "artifact_jobs"]

NETWORKS = ("resnet50", "alexnet", "googlenet", "squeezenet", "kws_res26", "yolov2", "yolo_lite")

WEIGHTS = {"resnet50": 12, "alexnet": 18, "googlenet": 16, "squeezenet": 30, "kws_res26": 21, "yolov2": 18, "yolo_lite": 25}
"""How often a network is drawn, relative to the others of its set."""

SETS = {
    "a": ("squeezenet", "kws_res26", "yolo_lite"),
    "b": ("resnet50", "alexnet", "googlenet", "yolov2"),
    "c": NETWORKS,
}
"""Light, heavy, and all networks, in the order in which the artifact draws from them."""

TARGETS_MS = {
    "resnet50": 50.0,
    "alexnet": 33.33,
    "googlenet": 33.33,
    "squeezenet": 10.0,
    "kws_res26": 33.33,
    "yolov2": 16.67,
    "yolo_lite": 10.0,
}
"""Relative deadlines for the medium quality of service."""

PRIORITIES = {0: 15, 1: 18, 2: 10, 4: 15, 6: 15, 8: 15, 9: 10, 11: 10}
"""Priority to its weight."""

_SCALES = {"a": 0.92, "b": 1.42, "c": 1.22}
_SPACING_CYCLES = {
    "resnet50": 15070506,
    "alexnet": 8382324,
    "googlenet": 7070440,
    "squeezenet": 2608024,
    "kws_res26": 9058914,
    "yolov2": 5132036,
    "yolo_lite": 1678161,
}
_SEED, _FACTOR, _INCREMENT = 777, 1664525, 1013904223
_DRAWN, _KEPT, _CHAINS = 258, 250, 4
_FIRST_CYCLES = 50_000
_JITTER_CYCLES, _JITTER_STEPS = 45_000, 20


@dataclass(frozen=True)
class ArtifactJob:
    """A job of the artifact's trace.

    Attributes
    ----------
    release_cycles : float
        At 1 GHz; a float32 there.
    network : str
    priority : int
        0 to 11.
    """

    release_cycles: float
    network: str
    priority: int


def artifact_jobs(name: str) -> tuple[ArtifactJob, ...]:
    """Return the 250 jobs that the artifact runs, by release.

    Parameters
    ----------
    name : str
        A key of `SETS`.

    Notes
    -----
    Two generators x <- (1664525 x + 1013904223) mod 2^32 begin at 777 and put out x >> 24. Of each job, the first draws the network,
    v mod the sum of the set's weights, and the priority, v mod 108. The first four jobs are released 50,000 cycles apart; job i at
    ``release[i - 4] + scale * S[network of i - 4] - 45000 * (r mod 20)`` with r from the second, in float32.
    """
    draws, jitter = _generator(), _generator()
    networks = SETS[name]
    weights = [WEIGHTS[network] for network in networks]
    jobs: list[ArtifactJob] = []
    for i in range(_DRAWN):
        network = networks[_place(next(draws), weights)]
        priority = tuple(PRIORITIES)[_place(next(draws), list(PRIORITIES.values()))]
        if i < _CHAINS:
            release = np.float32(i * _FIRST_CYCLES)
        else:
            before = jobs[i - _CHAINS]
            service = np.float32(_SCALES[name]) * np.float32(_SPACING_CYCLES[before.network])
            late = np.float32(_JITTER_CYCLES * (next(jitter) % _JITTER_STEPS))
            release = np.float32(before.release_cycles) + service - late
        jobs.append(ArtifactJob(float(release), network, priority))
    return tuple(sorted(jobs, key=lambda job: job.release_cycles)[:_KEPT])


def _generator() -> Iterator[int]:
    state = _SEED
    while True:
        state = (state * _FACTOR + _INCREMENT) % 2**32
        yield state >> 24


def _place(value: int, weights: list[int]) -> int:
    """Index of the weight whose share of the sum a value falls into."""
    return int(np.searchsorted(np.cumsum(weights), value % sum(weights), side="right"))
