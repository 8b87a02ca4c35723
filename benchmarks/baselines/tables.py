"""The speed workload as plain lists, for programs that know nothing of rtsched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import rtsched


@dataclass
class Tables:
    """Times in us, demands as parts of the bandwidth.

    Attributes
    ----------
    latency : list of list of list of float
        [task][layer][accelerator], alone.
    demand : list of list of float
        [task][layer].
    releases : list of (float, int)
        Release and task of every frame, in order.
    deadline : list of float
        [task], after the release.
    """

    latency: list[list[list[float]]]
    demand: list[list[float]]
    releases: list[tuple[float, int]]
    deadline: list[float]


def tables_of(problem: rtsched.Problem) -> Tables:
    """The tables of a compiled problem, and the releases that seed 0 draws."""
    costs = problem.costs[:, problem.option_first[: problem.n_accelerators]]
    first = problem.block_first_layer[problem.subnet_first_block]
    layers = [slice(first[subnet], first[subnet + 1]) for subnet in problem.model_first_subnet[problem.task_model]]
    jobs = rtsched.run(problem, "fcfs").jobs
    order = np.lexsort((jobs["task"], jobs["release_ns"]))
    return Tables(
        latency=[(costs["t_iso_ns"][one] / 1e3).tolist() for one in layers],
        demand=[(costs["demand_bytes_per_ns"][one, 0] / problem.peak_bytes_per_ns).tolist() for one in layers],
        releases=[(release / 1e3, task) for release, task in zip(jobs["release_ns"][order], jobs["task"][order].tolist(), strict=True)],
        deadline=(problem.task_deadline_ns / 1e3).tolist(),
    )
