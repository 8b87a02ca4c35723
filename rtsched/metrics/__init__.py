"""Metrics: every one with its unit, its denominator and its treatment of drops."""

from rtsched.metrics.metrics import PERCENTILES, PRIORITY_GROUPS, Metrics
from rtsched.metrics.scalars import SCALARS, Scalar
from rtsched.metrics.xrbench import XRBENCH_ENERGY_MJ, XRBENCH_PER_MS, xrbench_scores

__all__ = ["PERCENTILES", "PRIORITY_GROUPS", "SCALARS", "XRBENCH_ENERGY_MJ", "XRBENCH_PER_MS", "Metrics", "Scalar", "xrbench_scores"]
