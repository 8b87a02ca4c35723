"""The score of XRBench."""

from __future__ import annotations

import numpy as np

__all__ = ["XRBENCH_ENERGY_MJ", "XRBENCH_PER_MS", "xrbench_scores"]

XRBENCH_PER_MS = 15.0
"""Steepness of the real-time score, per ms of lateness."""

XRBENCH_ENERGY_MJ = 1500.0
"""Energy of one inference at which the energy score is 0."""


def xrbench_scores(
    task: np.ndarray,
    lateness_ns: np.ndarray,
    energy_j: np.ndarray,
    n_counting: np.ndarray,
    *,
    per_ms: float = XRBENCH_PER_MS,
    energy_mj: float = XRBENCH_ENERGY_MJ,
) -> np.ndarray:
    """Score each task: QoE * sum over finished jobs of (rt * en) / counting jobs.

    rt = 1 / (1 + exp(`per_ms` * lateness in ms)), 0.5 at the deadline; en = 1 - energy in mJ / `energy_mj`, not below 0
    (decision); QoE = finished / counting jobs. So a job that never finished weighs twice: as a 0 in the mean, and in QoE. The
    paper knows finished and dropped frames only; here suppressed jobs and unfinished ones past their deadline are lost like
    dropped ones (decision). The accuracy term is 1.

    Parameters
    ----------
    task : ndarray of int, shape (n_finished,)
        Of each finished job, as the next two.
    lateness_ns : ndarray of int64, shape (n_finished,)
        Finish minus deadline; negative when early.
    energy_j : ndarray of float64, shape (n_finished,)
        Layers and switches.
    n_counting : ndarray of int64, shape (n_tasks,)
        Counting jobs of each task.
    per_ms, energy_mj : float
        The two constants of the paper.

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
        0 to 1; NaN without counting jobs.

    References
    ----------
    XRBench (Kwon et al., MLSys 2023): real-time, energy and QoE scores; the formulas are a reconstruction.
    """
    with np.errstate(over="ignore"):
        real_time = 1.0 / (1.0 + np.exp(per_ms * 1e-6 * lateness_ns))
    energy = np.maximum(0.0, 1.0 - 1e3 * energy_j / energy_mj)
    n_tasks = len(n_counting)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(task, real_time * energy, n_tasks) / n_counting
        scores: np.ndarray = mean * np.bincount(task, minlength=n_tasks) / n_counting
    return scores
