"""rtsched beside the same simulation written by hand, with SimPy, and beside the bare arithmetic in C.

::

    pip install simpy
    python benchmarks/compare_baselines.py [--jobs 1200] [--repeats 5]

All programs take turns in one run on one machine, and CPU seconds are compared, since machines differ and are shared. The workload is
`jittered` of benchmarks/suite/workloads.py: 16 models of 50 layers on four unequal accelerators under max-min sharing. SimPy is left out
where it is not installed, the C loop where there is no gcc.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from baselines import by_hand
from baselines.tables import tables_of
from suite.workloads import speed_problem

import rtsched
from rtsched.outcome import STATUSES

POLICIES = ("fcfs", "edf")
SOURCE = Path(__file__).parent / "baselines" / "limit.c"
N_ACCELERATORS, N_READY = 4, 8
LATE = STATUSES.index("late")
SMALL = 16
"""SimPy and the program by hand run so many jobs per model at most: they take seconds, and their speed does not depend on it."""


def timed(run: Callable[[], int]) -> float:
    """CPU ns per layer of a run that tells its layers."""
    gc.collect()  # what another program has left is not this one's time
    began = time.process_time()
    n_layers = run()
    return 1e9 * (time.process_time() - began) / n_layers


def limit(folder: str) -> dict[str, Callable[[], float]]:
    """The loop in C, with and without a score, compiled for this machine."""
    if shutil.which("gcc") is None:
        return {}
    program = str(Path(folder) / "limit")
    subprocess.run(["gcc", "-O3", "-march=native", str(SOURCE), "-o", program], check=True)

    def run(is_scored: bool) -> float:
        command = [program, str(N_ACCELERATORS), "2000000", str(N_READY), str(int(is_scored))]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])

    return {"C loop": lambda: run(False), "C loop, scored": lambda: run(True)}


def check(name: str, found: tuple[int, int], problem: rtsched.Problem, policy: str) -> None:
    """Refuse a program that does not simulate the same."""
    outcome = rtsched.run(problem, policy)
    expected = (outcome.n_layers, int((outcome.jobs["status"] == LATE).sum()))
    if found != expected:
        raise SystemExit(f"{name} {policy}: {found} layers and late jobs, rtsched has {expected}")


def contestants(jobs: int, folder: str) -> dict[str, Callable[[], float]]:
    """Name to what measures it, in ns per layer."""
    problem, small = speed_problem(jobs=jobs), speed_problem(jobs=min(jobs, SMALL))
    tables = tables_of(small)
    found = limit(folder)
    for policy in (*POLICIES, "dream-mapscore"):
        found[f"rtsched {policy}"] = lambda policy=policy: timed(lambda: rtsched.run(problem, policy).n_layers)
    for policy in POLICIES:
        check("by hand", by_hand.simulate(tables, policy), small, policy)
        found[f"by hand {policy}"] = lambda policy=policy: timed(lambda: by_hand.simulate(tables, policy)[0])
    try:
        from baselines import with_simpy
    except ImportError:
        return found
    for policy in POLICIES:
        check("SimPy", with_simpy.simulate(tables, policy), small, policy)
        found[f"SimPy {policy}"] = lambda policy=policy: timed(lambda: with_simpy.simulate(tables, policy)[0])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1200, help="frames of each model [default: 1200, which take as long as SimPy's share]")
    parser.add_argument("--repeats", type=int, default=5, help="of every program, in turns [default: 5]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = contestants(given.jobs, folder)
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(given.repeats):
            for name, measure in programs.items():
                times[name].append(measure())
    ours = median(times["rtsched fcfs"])
    print(f"{'':22}{'ns / layer':>11}{'M layers / s':>14}{'fastest':>10}{'slowest':>10}   x rtsched fcfs")
    for name, found in times.items():
        middle = median(found)
        print(f"{name:22}{middle:11.1f}{1e3 / middle:14.3f}{min(found):10.1f}{max(found):10.1f}   {middle / ours:.2f}")


if __name__ == "__main__":
    main()
