"""UXCost, what DREAM minimises: of a run as a metric, of a window as a tuner's objective."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["norm_energy", "uxcost"]


def norm_energy(spent_j: np.ndarray, worst_j: np.ndarray) -> np.ndarray:
    """Energy that was spent / energy of the same layers each on its most energy-hungry option; 1 where nothing ran.

    Parameters
    ----------
    spent_j, worst_j : ndarray of float64, shape (n_tasks,)

    Returns
    -------
    ndarray of float64, shape (n_tasks,)
    """
    normed: np.ndarray = np.divide(spent_j, worst_j, out=np.ones(len(spent_j)), where=worst_j > 0)
    return normed


def uxcost(n_counting: np.ndarray, n_violated: np.ndarray, normed: np.ndarray) -> float:
    """(Sum over tasks of RateDLV) * (sum over tasks of NormEnergy); NaN without counting jobs.

    RateDLV is violated / counting, or 1 / (2 * counting) where nothing was violated. Tasks without counting jobs are left out.

    Parameters
    ----------
    n_counting, n_violated : ndarray of int64, shape (n_tasks,)
    normed : ndarray of float64, shape (n_tasks,)
        Of `norm_energy`.

    References
    ----------
    DREAM (Kim et al., ASPLOS 2023); the floor and the energy's normalisation are a reconstruction.
    """
    has_jobs = n_counting > 0
    if not has_jobs.any():
        return math.nan
    counting = np.maximum(n_counting, 1)
    rate = np.where(n_violated > 0, n_violated / counting, 0.5 / counting)
    return float(rate[has_jobs].sum() * normed[has_jobs].sum())
