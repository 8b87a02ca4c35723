"""What can be known of the executed layers: their paths, their tiles, their times, and the counts that follow from them."""

from __future__ import annotations

import numpy as np

from rtsched.outcome import STATUSES
from rtsched.testing.draws import recorded_ns, time_factors, whole_ns
from rtsched.testing.findings import LATE, NEVER_NS, UNFINISHED, Findings
from rtsched.testing.paths import Paths

__all__ = ["LAYER_CHECKS", "actual_ns", "check_layer_table", "execution_ns", "switching_ns"]


def check_layer_table(findings: Findings) -> None:
    """Every row means something: its job, its layer, tiles that there are, times in the run."""
    layers, problem = findings.layers, findings.problem
    for name, bound in (("job", len(findings.jobs)), ("layer", problem.n_layers), ("accelerator", problem.n_accelerators)):
        _check_code(findings, name, bound)
    if findings.faults:
        return
    tiles = problem.accelerator_tiles[layers["accelerator"]].astype(np.uint64)
    highest = np.uint64(2**64 - 1) >> (np.uint64(64) - tiles)
    findings.add_rows(
        "tiles",
        (layers["tiles"] == 0) | (layers["tiles"] > highest),
        lambda row: (
            f"{findings.layer(row)}: tiles {layers['tiles'][row]:#x}, but {findings.place(layers['accelerator'][row])} has {tiles[row]}"
        ),
    )
    if findings.faults:
        return
    findings.add_rows(
        "tiles",
        findings.layer_costs["t_iso_ns"] == 0,
        lambda row: f"{findings.layer(row)}: cannot run on {findings.n_tiles[row]} tiles of {findings.place(layers['accelerator'][row])}",
    )
    start, finish, end_ns = layers["start_ns"], layers["finish_ns"], findings.outcome.end_ns
    is_wrong = (start < 0) | (start > end_ns) | (finish > end_ns) | ((finish != -1) & (finish <= start)) | (layers["switch_bytes"] < 0)
    findings.add_rows("layers", is_wrong, lambda row: f"{findings.layer(row)}: finish {finish[row]:,} ns, run's end {end_ns:,} ns")
    job = layers["job"]
    is_behind = (job[1:] < job[:-1]) | ((job[1:] == job[:-1]) & (start[1:] < start[:-1]))
    findings.add_rows("layers", is_behind, lambda row: f"{findings.layer(row + 1)} must stand before {findings.layer(row)}")


def _check_code(findings: Findings, name: str, bound: int) -> None:
    codes = findings.layers[name]
    findings.add_rows("layers", (codes < 0) | (codes >= bound), lambda row: f"row {row}: there is no {name} {codes[row]}")


def check_paths(findings: Findings) -> None:
    """Each job runs the layers of its path in order, each once, one at a time; a finished one all of them, no other all."""
    layers, jobs, names = findings.layers, findings.jobs, findings.problem.layer_names
    paths = Paths(findings)
    flat, begin = paths.layers()
    count = np.bincount(layers["job"], minlength=len(jobs))
    first = np.cumsum(count) - count
    place = np.arange(len(layers)) - first[layers["job"]]
    is_over = place >= paths.length[layers["job"]]
    findings.add_rows("path", is_over, lambda row: f"{findings.layer(row)}: its path of {paths.length[layers['job'][row]]} layers was over")
    expected = np.full(len(layers), -1)
    expected[~is_over] = flat[(begin[layers["job"]] + place)[~is_over]]
    findings.add_rows(
        "path",
        ~is_over & (layers["layer"] != expected),
        lambda row: f"{findings.layer(row)}: the next layer of its path is {names[expected[row]]!r} (number {place[row]})",
    )
    findings.add_jobs(
        "path",
        (jobs["status"] <= LATE) & (count != paths.length),
        lambda row: f"finished after {count[row]} layers; its path has {paths.length[row]}",
    )
    finished = np.bincount(layers["job"][layers["finish_ns"] >= 0], minlength=len(jobs))
    findings.add_jobs(
        "path",
        (jobs["status"] > LATE) & (paths.length > 0) & (finished == paths.length),
        lambda row: f"is {STATUSES[jobs['status'][row]]}, but all {finished[row]} layers of its path finished",
    )
    inside = ~findings.is_first[1:]
    overlaps = inside & (findings.layer_end_ns[:-1] > layers["start_ns"][1:])
    findings.add_rows("path", overlaps, lambda row: f"{findings.layer(row + 1)}: started before {findings.layer(row)} ended")


def check_job_times(findings: Findings) -> None:
    """A job starts with its first layer and finishes with its last; only an unfinished one has a layer that the end cut."""
    layers, jobs = findings.layers, findings.jobs
    start = np.full(len(jobs), -1)
    start[layers["job"][findings.is_first]] = layers["start_ns"][findings.is_first]
    findings.add_jobs(
        "times",
        start != jobs["start_ns"],
        lambda row: f"has start {jobs['start_ns'][row]:,} ns; its first layer has {start[row]:,} ns",
    )
    is_last = np.roll(findings.is_first, -1)
    last = np.full(len(jobs), -1)
    last[layers["job"][is_last]] = layers["finish_ns"][is_last]
    findings.add_jobs(
        "times",
        (jobs["status"] <= LATE) & (last != jobs["finish_ns"]),
        lambda row: f"has finish {jobs['finish_ns'][row]:,} ns; its last layer has {last[row]:,} ns",
    )
    is_cut = layers["finish_ns"] == -1
    wrong = is_cut & ((jobs["status"][layers["job"]] != UNFINISHED) | ~is_last)
    findings.add_rows("times", wrong, lambda row: f"{findings.layer(row)}: the end of the run cut it, but its job went on or ended")
    ended = jobs["finish_ns"][layers["job"]]
    findings.add_rows(
        "times",
        (ended >= 0) & (layers["finish_ns"] > ended),
        lambda row: f"{findings.layer(row)}: finished at {layers['finish_ns'][row]:,} ns, after its job",
    )


def check_tiles(findings: Findings) -> None:
    """A tile runs one layer at a time."""
    layers = findings.layers
    for tile in range(int(findings.problem.accelerator_tiles.max())):
        rows = np.flatnonzero(findings.is_on(tile))
        rows = rows[np.lexsort((layers["start_ns"][rows], layers["accelerator"][rows]))]
        _check_tile(findings, tile, rows[:-1], rows[1:])


def _check_tile(findings: Findings, tile: int, before: np.ndarray, after: np.ndarray) -> None:
    accelerator = findings.layers["accelerator"]
    is_same = accelerator[before] == accelerator[after]
    findings.add_rows(
        "tiles",
        is_same & (findings.layer_end_ns[before] > findings.layers["start_ns"][after]),
        lambda i: (
            f"{findings.place(accelerator[after[i]], tile)}: {findings.layer(after[i])} started before "
            f"{findings.layer(before[i])} ended at {findings.layer_end_ns[before[i]]:,} ns"
        ),
    )


def least_ns(findings: Findings) -> np.ndarray:
    """The least time that each executed layer takes: its actual one alone, with what switching and regrouping add; shape (n_layers,)."""
    least: np.ndarray = execution_ns(findings) + switching_ns(findings)
    return least


def execution_ns(findings: Findings) -> np.ndarray:
    """The actual time of each executed layer alone, without a switch; shape (n_layers,)."""
    port = findings.problem.port_bytes_per_ns[findings.layers["accelerator"]]
    moves_ns = whole_ns(findings.layer_costs["dram_bytes"] / port)
    return actual_ns(findings, findings.layer_costs["t_iso_ns"], moves_ns)


def switching_ns(findings: Findings) -> np.ndarray:
    """What the moved activations, and another number of tiles than before, add to each executed layer alone; shape (n_layers,)."""
    layers, problem = findings.layers, findings.problem
    moved = np.ceil(layers["switch_bytes"] / problem.port_bytes_per_ns[layers["accelerator"]])
    added: np.ndarray = np.minimum(moved, float(NEVER_NS)).astype(np.int64)
    regroups = ~findings.is_first[1:] & (findings.n_tiles[1:] != findings.n_tiles[:-1])
    added[1:] += regroups * problem.regroup_ns
    return added


def actual_ns(findings: Findings, estimate_ns: np.ndarray, least_ns: np.ndarray | None = None) -> np.ndarray:
    """Times of the executed layers: as recorded, or the estimates times the drawn factors, rounded up; then at least `least_ns`."""
    layers, problem, jobs = findings.layers, findings.problem, findings.jobs
    task = jobs["task"][layers["job"]]
    subnet = problem.model_first_subnet[problem.task_model[task]] + jobs["subnet"][layers["job"]]
    place = layers["layer"] - problem.block_first_layer[problem.subnet_first_block[subnet]]
    actual: np.ndarray = estimate_ns.copy()
    for one in np.unique(task).tolist():
        own = np.flatnonzero(task == one)
        recorded = recorded_ns(problem, one, jobs["frame"][layers["job"][own]], place[own])
        if recorded is not None:
            actual[own] = recorded if least_ns is None else np.maximum(recorded, least_ns[own])
            continue
        factors = time_factors(problem, findings.outcome.seed, one, jobs["frame"][layers["job"][own]], place[own])
        if factors is not None:
            drawn = whole_ns(factors * estimate_ns[own])
            drawn = drawn if least_ns is None else np.maximum(drawn, least_ns[own])
            actual[own] = np.where(factors == 1.0, estimate_ns[own], drawn)
    return actual


def check_durations(findings: Findings) -> None:
    """No layer is faster than alone, at its actual time where that is drawn."""
    least = least_ns(findings)
    took = findings.layers["finish_ns"] - findings.layers["start_ns"]
    # Beyond 2^50 ns, 13 days, the clock is finer than the floating-point number that counts the remaining time down.
    is_short = (findings.layers["finish_ns"] >= 0) & (took < least) & (least - took > least * 2.0**-50)
    findings.add_rows("duration", is_short, lambda row: f"{findings.layer(row)}: took {took[row]:,} ns; alone it takes {least[row]:,} ns")


def check_counts(findings: Findings) -> None:
    """Preemptions of each job; layers, switches and migrations of the run."""
    layers, jobs, outcome = findings.layers, findings.jobs, findings.outcome
    inside = ~findings.is_first[1:]
    waited = inside & (layers["start_ns"][1:] > findings.layer_end_ns[:-1])
    preemptions = np.bincount(layers["job"][1:][waited], minlength=len(jobs))
    findings.add_jobs(
        "counts",
        preemptions != jobs["preemptions"],
        lambda row: f"has {jobs['preemptions'][row]} preemptions; its layers have {preemptions[row]}",
    )
    n_layers = int((layers["finish_ns"] >= 0).sum())
    if outcome.n_layers != n_layers:
        findings.add("counts", f"n_layers is {outcome.n_layers:,}; {n_layers:,} were completed")
    task = jobs["task"][layers["job"]]
    migrates = inside & (layers["accelerator"][1:] != layers["accelerator"][:-1])
    _check_count(findings, "task_switches", outcome.task_switches, task[layers["switch_bytes"] > 0])
    _check_count(findings, "task_migrations", outcome.task_migrations, task[1:][migrates])


def _check_count(findings: Findings, name: str, given: np.ndarray, tasks: np.ndarray) -> None:
    counted, names = np.bincount(tasks, minlength=findings.problem.n_tasks), findings.problem.task_names
    findings.add_rows(
        "counts", given != counted, lambda task: f"{name} of task {names[task]!r} is {given[task]:,}; the layers have {counted[task]:,}"
    )


LAYER_CHECKS = (check_paths, check_job_times, check_tiles, check_durations, check_counts)
"""What is checked of every outcome whose layers were recorded and whose tables are sound."""
