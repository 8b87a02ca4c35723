"""Whether the sums of a run agree with each other, with the jobs, and with the layers: energy, busy time, bytes."""

from __future__ import annotations

import numpy as np

from rtsched.outcome import ENERGY_COMPONENTS
from rtsched.testing.draws import sums_ns
from rtsched.testing.findings import Findings
from rtsched.testing.layers import actual_ns

__all__ = ["LAYER_SUM_CHECKS", "SUM_CHECKS"]

RELATIVE = 1e-9
"""Of sums of many floating-point numbers whose order is not the engine's."""

ROUNDING_BYTES = 1.0
"""What a run's traffic may be off by: layers that the end cut are counted in part."""


def _differs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    differs: np.ndarray = ~np.isclose(one, other, rtol=RELATIVE, atol=0.0)
    return differs


def check_shapes(findings: Findings) -> None:
    """The sums have a place for each task, tile and accelerator, and none is negative or NaN."""
    outcome, problem = findings.outcome, findings.problem
    expected = {
        "task_energy_j": (problem.n_tasks, len(ENERGY_COMPONENTS)),
        "task_switches": (problem.n_tasks,),
        "task_migrations": (problem.n_tasks,),
        "busy_ns": (int(problem.option_first[-1]),),
        "idle_energy_j": (problem.n_accelerators,),
    }
    for name, shape in expected.items():
        values = getattr(outcome, name)
        if values.shape != shape:
            findings.add("sums", f"{name} has shape {values.shape}, must have {shape}")
        elif not (values >= 0).all() or not np.isfinite(values).all():
            findings.add("sums", f"{name} must not be negative, infinite or NaN")
    for name in ("served_bytes", "n_layers"):
        if not 0 <= getattr(outcome, name) < np.inf:
            findings.add("sums", f"{name} must not be negative, infinite or NaN, is {getattr(outcome, name)}")


def check_energy(findings: Findings) -> None:
    """By task, the energy of the jobs is that of the components; without moving activations, none is spent on them."""
    jobs, outcome, names = findings.jobs, findings.outcome, findings.problem.task_names
    by_jobs, by_components = np.bincount(jobs["task"], jobs["energy_j"], len(names)), outcome.task_energy_j.sum(axis=1)
    findings.add_rows(
        "energy",
        _differs(by_jobs, by_components),
        lambda task: f"task {names[task]!r}: its jobs used {by_jobs[task]:.12g} J, its components {by_components[task]:.12g} J",
    )
    if not findings.problem.has_switch and (outcome.n_switches or outcome.task_energy_j[:, -1].any()):
        findings.add("energy", "there are switches, but the platform's are free")


def check_busy(findings: Findings) -> None:
    """A tile is busy at most all the time, and draws idle power for the rest."""
    outcome, problem = findings.outcome, findings.problem
    idle_ns = outcome.end_ns - outcome.busy_ns
    owner = np.repeat(np.arange(problem.n_accelerators), problem.accelerator_tiles)
    findings.add_rows(
        "busy",
        idle_ns < 0,
        lambda i: f"{findings.tile(i)}: busy for {outcome.busy_ns[i]:,} of {outcome.end_ns:,} ns",
    )
    expected = np.bincount(owner, idle_ns, problem.n_accelerators) * 1e-9 * problem.idle_power_w
    findings.add_rows(
        "busy",
        _differs(outcome.idle_energy_j, expected),
        lambda a: f"{findings.place(a)}: idle energy {outcome.idle_energy_j[a]:.12g} J, must be {expected[a]:.12g} J",
    )


def check_traffic(findings: Findings) -> None:
    """The DRAM delivers at most its bandwidth."""
    most = findings.problem.peak_bytes_per_ns * findings.problem.efficiency.max() * findings.outcome.end_ns
    if findings.outcome.served_bytes > most * (1 + RELATIVE) + ROUNDING_BYTES:
        findings.add("bytes", f"{findings.outcome.served_bytes:,.0f} bytes were served; at most {most:,.0f} could be")


SUM_CHECKS = (check_energy, check_busy, check_traffic)
"""What is checked of every outcome whose sums have the right shapes."""


def check_layer_energy(findings: Findings) -> None:
    """The energy, time alone and worst energy of jobs, and the energy of tasks by component, are those of the layers."""
    layers, jobs, problem, costs = findings.layers, findings.jobs, findings.problem, findings.layer_costs
    moved_j = layers["switch_bytes"] * problem.dram_j_per_byte
    by_layers = {
        "energy_j": np.bincount(layers["job"], costs["energy_j"] + moved_j, len(jobs)),
        "worst_energy_j": np.bincount(layers["job"], problem.layer_worst_energy_j[layers["layer"]], len(jobs)),
        "isolated_ns": sums_ns(layers["job"], actual_ns(findings, problem.layer_reference_ns[layers["layer"]]), len(jobs)),
    }
    for name, expected in by_layers.items():
        _check_sum(findings, name, expected)
    task = jobs["task"][layers["job"]]
    for i, component in enumerate(ENERGY_COMPONENTS):
        per_layer = moved_j if component == "switch" else costs[f"energy_{component}_j"]
        _check_component(findings, i, np.bincount(task, per_layer, problem.n_tasks))


def _check_sum(findings: Findings, name: str, expected: np.ndarray) -> None:
    given = findings.jobs[name]
    wrong = given != expected if expected.dtype.kind == "i" else _differs(given, expected)
    findings.add_jobs("energy", wrong, lambda row: f"has {name} {given[row]:.12g}; its layers sum to {expected[row]:.12g}")


def _check_component(findings: Findings, component: int, expected: np.ndarray) -> None:
    given, names = findings.outcome.task_energy_j[:, component], findings.problem.task_names
    findings.add_rows(
        "energy",
        _differs(given, expected),
        lambda task: (
            f"task {names[task]!r}: {ENERGY_COMPONENTS[component]} energy {given[task]:.12g} J; its layers sum to {expected[task]:.12g} J"
        ),
    )


def check_layer_busy(findings: Findings) -> None:
    """A tile is busy while a layer runs on it."""
    layers, problem = findings.layers, findings.problem
    busy_ns = np.zeros(int(problem.option_first[-1]), dtype=np.int64)
    for tile in range(int(problem.accelerator_tiles.max())):
        held = findings.is_on(tile)
        took = findings.layer_end_ns[held] - layers["start_ns"][held]
        np.add.at(busy_ns, problem.option_first[layers["accelerator"][held]] + tile, took)
    given = findings.outcome.busy_ns
    findings.add_rows(
        "busy",
        given != busy_ns,
        lambda i: f"{findings.tile(i)}: busy for {given[i]:,} ns; its layers for {busy_ns[i]:,} ns",
    )


def check_layer_bytes(findings: Findings) -> None:
    """The bytes served are those of the layers, of which those that the end cut were served in part."""
    moved = (findings.layer_costs["dram_bytes"] + findings.layers["switch_bytes"]).astype(np.float64)
    least, most = float(moved[findings.layers["finish_ns"] >= 0].sum()), float(moved.sum())
    served, rounding = findings.outcome.served_bytes, ROUNDING_BYTES
    if not findings.outcome.is_complete:
        # A run that is stopped at the instant at which a layer ends may count the whole of its last ns.
        rounding += findings.problem.peak_bytes_per_ns
    if not least * (1 - RELATIVE) - rounding <= served <= most * (1 + RELATIVE) + rounding:
        findings.add("bytes", f"{served:,.0f} bytes were served; the layers moved {least:,.0f} to {most:,.0f}")


LAYER_SUM_CHECKS = (check_layer_energy, check_layer_busy, check_layer_bytes)
"""What is checked where layers were recorded."""
