"""Whether recorded rates are possible: within demand and cap, together within the bandwidth, and as many bytes as the layers moved."""

from __future__ import annotations

import numpy as np

from rtsched.testing.bandwidth import RELATIVE, SLACK_NS
from rtsched.testing.findings import Findings

__all__ = ["RATE_CHECKS", "check_moved_bytes", "check_rate_table"]


def check_rate_table(findings: Findings) -> None:
    """Every row of the rates means something: its job, layer and accelerator, a time in the run, rates that are rates."""
    rates, problem = findings.rates, findings.problem
    for name, bound in (("job", len(findings.jobs)), ("layer", problem.n_layers), ("accelerator", problem.n_accelerators)):
        _refuse(findings, name, (rates[name] < 0) | (rates[name] >= bound))
    time_ns, end_ns = rates["time_ns"], findings.outcome.end_ns
    is_behind = np.append(False, time_ns[1:] < time_ns[:-1])
    findings.add_rows(
        "rates", (time_ns < 0) | (time_ns > end_ns) | is_behind, lambda row: f"row {row}: time {time_ns[row]:,} ns, run's end {end_ns:,} ns"
    )
    for name in ("demand_bytes_per_ns", "allocation_bytes_per_ns"):
        _refuse(findings, name, ~(rates[name] >= 0) | np.isinf(rates[name]))
    _refuse(findings, "cap_bytes_per_ns", ~(rates["cap_bytes_per_ns"] > 0))


def _refuse(findings: Findings, name: str, is_wrong: np.ndarray) -> None:
    values = findings.rates[name]
    findings.add_rows("rates", is_wrong, lambda row: f"row {row}: {name} must not be {values[row]}")


def check_allocations(findings: Findings) -> None:
    """No layer is given more of the DRAM than it asks for, or than its cap."""
    rates = findings.rates
    demand, allocation, cap = (rates[f"{name}_bytes_per_ns"] for name in ("demand", "allocation", "cap"))
    findings.add_rows(
        "rates",
        allocation > np.minimum(demand, cap) * (1 + RELATIVE),
        lambda row: (
            f"{findings.rate(row)}: given {allocation[row]:.9g} bytes per ns; its demand is {demand[row]:.9g}, its cap {cap[row]:.9g}"
        ),
    )


def check_shared_bandwidth(findings: Findings) -> None:
    """At no instant are the running layers together given more than the DRAM delivers."""
    rates, problem = findings.rates, findings.problem
    bandwidth = problem.peak_bytes_per_ns * problem.efficiency
    given = np.cumsum(_change(findings, rates["allocation_bytes_per_ns"]))
    n_drawing = np.cumsum(_change(findings, (rates["demand_bytes_per_ns"] > 0).astype(np.int64)))
    delivered = bandwidth[np.clip(n_drawing, 1, len(bandwidth)) - 1]
    is_last = np.append(rates["time_ns"][1:] != rates["time_ns"][:-1], True)
    findings.add_rows(
        "rates",
        is_last & (given > delivered * (1 + RELATIVE)),
        lambda row: (
            f"from {rates['time_ns'][row]:,} ns on {n_drawing[row]} layers are given {given[row]:.9g} bytes per ns; "
            f"DRAM delivers at most {delivered[row]:.9g}"
        ),
    )


def check_moved_bytes(findings: Findings) -> None:
    """Over its time a layer that ended was given the bytes that it moved."""
    rates, layers = findings.rates, findings.layers
    order, is_same = _by_layer(findings)
    lasts = np.append(np.diff(rates["time_ns"][order]), 0) * np.append(is_same, False)
    moved = np.bincount(_keys(findings, rates)[order], rates["allocation_bytes_per_ns"][order] * lasts, _n_keys(findings))
    fastest = np.zeros(_n_keys(findings))
    np.maximum.at(fastest, _keys(findings, rates), rates["demand_bytes_per_ns"])
    key = _keys(findings, layers)
    wanted = findings.layer_costs["dram_bytes"] + layers["switch_bytes"]
    slack = SLACK_NS * fastest[key] + RELATIVE * wanted
    findings.add_rows(
        "rates",
        (layers["finish_ns"] >= 0) & (abs(moved[key] - wanted) > slack),
        lambda row: f"{findings.layer(row)}: was given {moved[key[row]]:,.0f} bytes; moved {wanted[row]:,}",
    )


RATE_CHECKS = (check_allocations, check_shared_bandwidth)
"""Of recorded rates alone. `check_moved_bytes` needs the layers too."""


def _n_keys(findings: Findings) -> int:
    return len(findings.jobs) * findings.problem.n_layers


def _keys(findings: Findings, table: np.ndarray) -> np.ndarray:
    """One number per job and layer; a job runs each layer once."""
    keys: np.ndarray = table["job"] * findings.problem.n_layers + table["layer"]
    return keys


def _by_layer(findings: Findings) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the rates by job and layer, then time; and which of them have a next one of the same layer."""
    keys = _keys(findings, findings.rates)
    order = np.argsort(keys, kind="stable")
    return order, keys[order][1:] == keys[order][:-1]


def _change(findings: Findings, values: np.ndarray) -> np.ndarray:
    """By how much each row's value differs from that of the row before of the same layer, 0 before the first."""
    order, is_same = _by_layer(findings)
    ordered = values[order]
    before = np.append(0, ordered[:-1]) * np.append(False, is_same)
    change: np.ndarray = np.empty_like(ordered)
    change[order] = ordered - before
    return change
