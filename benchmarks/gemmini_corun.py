"""How far simulated jobs under co-running are from measured ones: prints the table of docs/accuracy.md.

::

    python benchmarks/gemmini_corun.py gemmini_corun_service.csv

The CSV has, per ``set``, ``qos`` and ``model``, statistics of the time from a job's start to its end on two Gemmini tiles while three other
pairs of tiles run other jobs: ``n``, ``p10_cycles``, ``median_cycles``, ``p90_cycles`` at 1 GHz. The simulation runs the same arrivals:
the scenario ``moca_SET_artifact`` on `moca_gemmini_8` under `static`.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rtsched
from rtsched.outcome import Outcome


@dataclass(frozen=True)
class Row:
    """Cycles of the jobs of one model: measured, and simulated.

    Attributes
    ----------
    group, qos, model : str
        Set (A, B or C), quality of service (H, M, L or all), network.
    p10, median, p90 : (float, float)
        Measured and simulated.
    """

    group: str
    qos: str
    model: str
    p10: tuple[float, float]
    median: tuple[float, float]
    p90: tuple[float, float]


def error(pair: tuple[float, float]) -> float:
    """Relative error of the second, which is simulated."""
    return pair[1] / pair[0] - 1.0


def simulated(group: str, settings: Mapping[str, Any] | None = None) -> Outcome:
    """Run the artifact's arrivals of a set under static partition. The order of jobs does not depend on their deadlines."""
    return rtsched.simulate(f"moca_{group.lower()}_artifact", policy="static", settings=settings)


def compare(path: Path, settings: Mapping[str, Any] | None = None) -> list[Row]:
    """One row per set, quality of service and model of the file, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        measured = list(csv.DictReader(file))
    outcomes = {group: simulated(group, settings) for group in {row["set"] for row in measured}}
    rows = []
    for row in measured:
        outcome = outcomes[row["set"]]
        jobs = outcome.jobs[outcome.jobs["task"] == outcome.problem.task_names.index(row["model"])]
        cycles = jobs["finish_ns"] - jobs["start_ns"]  # at 1 GHz
        if len(cycles) != int(row["n"]):
            raise ValueError(f"set {row['set']}, {row['model']}: {row['n']} jobs were measured, {len(cycles)} are simulated")
        pairs = {
            "p10": (float(row["p10_cycles"]), float(np.percentile(cycles, 10))),
            "median": (float(row["median_cycles"]), float(np.median(cycles))),
            "p90": (float(row["p90_cycles"]), float(np.percentile(cycles, 90))),
        }
        rows.append(Row(row["set"], row["qos"], row["model"], **pairs))
    return rows


def over_runs(rows: Sequence[Row]) -> list[Row]:
    """One row per set and model: the mean over the runs of each quality of service, which had the same arrivals."""
    found = []
    for group, model in dict.fromkeys((row.group, row.model) for row in rows):
        own = [row for row in rows if (row.group, row.model) == (group, model)]
        means = {name: tuple(np.mean([getattr(row, name) for row in own], axis=0).tolist()) for name in ("p10", "median", "p90")}
        found.append(Row(group, "all", model, **means))
    return found


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown: million cycles measured and simulated, and the error."""
    head = ["set", "QoS", "model", "median", "simulated", "error", "p90", "simulated", "error"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [[f"{pair[0] * 1e-6:.2f}", f"{pair[1] * 1e-6:.2f}", f"{100 * error(pair):+.0f} %"] for pair in (row.median, row.p90)]
        lines.append([row.group, row.qos, row.model, *cells[0], *cells[1]])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(rows: Sequence[Row]) -> str:
    """Mean absolute errors, in words."""
    p10, median, p90 = (np.mean([abs(error(getattr(row, name))) for row in rows]) for name in ("p10", "median", "p90"))
    return f"Mean absolute error: p10 {100 * p10:.1f} %, median {100 * median:.1f} %, p90 {100 * p90:.1f} %."


def sensitivity(path: Path) -> str:
    """Mean absolute errors under other constants and arbiters, in Markdown."""
    head = ["sync_ns", "efficiency", "arbiter", "p10", "median", "p90"]
    lines = [head, ["---"] * len(head)]
    for arbiter in ("proportional", "fair"):
        for sync_ns in (30_000, 35_000, 40_000):
            for efficiency in (1.0, 0.875, 0.75):
                settings = {"sync_ns": sync_ns, "memory.efficiency": [efficiency], "memory.arbiter": arbiter}
                rows = compare(path, {f"platform.{name}": value for name, value in settings.items()})
                means = [np.mean([abs(error(getattr(row, name))) for row in rows]) for name in ("p10", "median", "p90")]
                lines.append([f"{sync_ns:,}", f"{efficiency:g}", arbiter, *(f"{100 * mean:.1f} %" for mean in means)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description="Compare simulated service times under co-running with measured ones.")
    arguments.add_argument("csv", type=Path)
    path = arguments.parse_args().csv
    rows = compare(path)
    print(table([*rows, *over_runs(rows)]), spread(rows), sensitivity(path), sep="\n\n")


if __name__ == "__main__":
    main()
