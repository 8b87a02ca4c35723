"""What can be known of the jobs without their layers: who is released and when, how each ends, in which order, by when."""

from __future__ import annotations

import numpy as np

from rtsched.outcome import STATUSES
from rtsched.problem import ARRIVALS
from rtsched.testing import draws
from rtsched.testing.findings import DROPPED, LATE, MET, NEVER_NS, SUPPRESSED, UNFINISHED, Findings
from rtsched.testing.paths import Paths

__all__ = ["JOB_CHECKS", "check_table"]


def check_table(findings: Findings) -> None:
    """Every job stands in it once, by (task, frame), with codes that mean something."""
    jobs, problem = findings.jobs, findings.problem
    for name, bound in (("task", problem.n_tasks), ("status", len(STATUSES)), ("frame", NEVER_NS)):
        _check_code(findings, name, bound)
    if findings.faults:
        return
    findings.add_rows("table", jobs["job"] != np.arange(len(jobs)), lambda row: f"row {row} is numbered {jobs['job'][row]}")
    ahead, behind = jobs[:-1], jobs[1:]
    is_after = (behind["task"] > ahead["task"]) | ((behind["task"] == ahead["task"]) & (behind["frame"] > ahead["frame"]))
    findings.add_rows("table", ~is_after, lambda row: f"{findings.job(row + 1)} follows {findings.job(row)}; each must come once, in order")
    findings.add_jobs(
        "table", jobs["model"] != problem.task_model[jobs["task"]], lambda row: f"has model {jobs['model'][row]}, not its task's"
    )
    n_subnets = np.diff(problem.model_first_subnet)[problem.task_model[jobs["task"]]]
    findings.add_jobs(
        "table",
        (jobs["subnet"] < -1) | (jobs["subnet"] >= n_subnets),
        lambda row: f"has subnet {jobs['subnet'][row]}; its model has {n_subnets[row]}",
    )


def _check_code(findings: Findings, name: str, bound: int) -> None:
    codes = findings.jobs[name]
    findings.add_rows("table", (codes < 0) | (codes >= bound), lambda row: f"job {row}: there is no {name} {codes[row]}")


def check_roots(findings: Findings) -> None:
    """Roots are released when the seed, the trace or the closed loop says so, all of them and no others."""
    for task in range(findings.problem.n_tasks):
        rows = findings.rows_of(task)
        expected = draws.root_releases(findings.problem, findings.outcome.seed, task, len(rows) + 1)
        if expected is not None:
            _check_releases(findings, task, rows, expected)
        elif ARRIVALS[findings.problem.task_arrival[task]] == "closed":
            _check_loop(findings, task, rows)


def _check_releases(findings: Findings, task: int, rows: np.ndarray, expected: np.ndarray) -> None:
    jobs, outcome, name = findings.jobs, findings.outcome, findings.problem.task_names[task]
    frames, release = jobs["frame"][rows], jobs["release_ns"][rows]
    if (frames != np.arange(len(rows))).any():
        missing = int(np.flatnonzero(frames != np.arange(len(rows)))[0])
        findings.add("releases", f"task {name!r}: there is no frame {missing}, but there are later ones")
        return
    findings.add_jobs(
        "releases",
        release != expected[:-1],
        lambda row: f"released at {jobs['release_ns'][row]:,} ns; the seed says {expected[row - rows[0]]:,} ns",
        rows,
    )
    duration_ns = findings.problem.duration_ns
    findings.add_jobs("releases", release >= duration_ns, lambda row: f"released after the {duration_ns:,} ns of the run", rows)
    until = duration_ns if outcome.is_complete else min(duration_ns, outcome.end_ns)
    # Requests of a replay that was stopped may not have come in yet.
    if expected[-1] < until and (outcome.is_complete or not findings.problem.is_strict):
        findings.add("releases", f"task {name!r}: frame {len(rows)} is missing; the seed says it is released at {expected[-1]:,} ns")


def _check_loop(findings: Findings, task: int, rows: np.ndarray) -> None:
    """At first as many as are outstanding; then another at each end, or 1 ns after a drop."""
    jobs, outcome, problem = findings.jobs, findings.outcome, findings.problem
    own, name = jobs[rows], problem.task_names[task]
    ends = np.where(own["status"] == DROPPED, own["finish_ns"] + 1, own["finish_ns"])[own["status"] <= DROPPED]
    expected = np.concatenate([np.zeros(int(problem.task_outstanding[task]), dtype=np.int64), np.sort(ends)])
    expected = expected[expected < problem.duration_ns]
    # A run that was stopped may have been stopped between an end and what it causes.
    n_due = len(expected) if outcome.is_complete else int((expected < outcome.end_ns).sum())
    if not n_due <= len(rows) <= len(expected) or (own["frame"] != np.arange(len(rows))).any():
        findings.add("releases", f"task {name!r}: {len(rows)} frames; its closed loop releases 0 to {len(expected) - 1}")
        return
    findings.add_jobs(
        "releases",
        own["release_ns"] != expected[: len(rows)],
        lambda row: f"released at {jobs['release_ns'][row]:,} ns; its closed loop says {expected[row - rows[0]]:,} ns",
        rows,
    )


def check_cascades(findings: Findings) -> None:
    """A child exists if its draw and its parents' say so; it comes when the last parent ends, and fails with the first that fails."""
    for task in range(findings.problem.n_tasks):
        parents = draws.parents_of(findings.problem, task)
        if parents:
            _check_children(findings, task, parents)


def _check_children(findings: Findings, task: int, parents: list[int]) -> None:
    jobs, outcome, name = findings.jobs, findings.outcome, findings.problem.task_names[task]
    frames = jobs["frame"][findings.rows_of(parents[0])]
    frames = frames[draws.is_triggered(findings.problem, outcome.seed, task, frames)]
    above = np.array([findings.find(parent, frames) for parent in parents])
    frames, above = frames[(above >= 0).all(axis=0)], above[:, (above >= 0).all(axis=0)]
    rows, own = findings.find(task, frames), findings.rows_of(task)
    findings.add_jobs("cascade", ~np.isin(own, rows), lambda row: "exists, but the draws do not trigger it", own)
    has_failed = jobs["status"][above] > LATE
    last_ns = jobs["finish_ns"][above].max(axis=0)
    # A run that was stopped may have been stopped between a parent's end and what it causes.
    may_miss = (not outcome.is_complete) & (last_ns >= outcome.end_ns)
    findings.add_rows(
        "cascade",
        (rows < 0) & ~may_miss,
        lambda i: f"task {name!r} frame {frames[i]}: is missing; {findings.job(above[0, i])} triggers it",
    )
    frames, above, has_failed, last_ns, rows = (part[..., rows >= 0] for part in (frames, above, has_failed, last_ns, rows))
    is_suppressed = jobs["status"][rows] == SUPPRESSED
    status = jobs["status"]
    findings.add_jobs(
        "cascade",
        is_suppressed != has_failed.any(axis=0),
        lambda row: f"is {STATUSES[status[row]]}, but its parents ended {', '.join(_ends(findings, parents, row))}",
        rows,
    )
    released = ~is_suppressed & ~has_failed.any(axis=0)
    findings.add_jobs(
        "cascade",
        released & (jobs["release_ns"][rows] != last_ns),
        lambda row: f"released at {jobs['release_ns'][row]:,} ns, not when its last parent ended",
        rows,
    )
    # What failed first; a job that the end of the run cut failed last. Which of several that failed at one instant is not known.
    failed_ns = np.where(has_failed, np.where(jobs["finish_ns"][above] < 0, NEVER_NS, jobs["finish_ns"][above]), 2**63 - 1)
    is_culprit = has_failed & (failed_ns == failed_ns.min(axis=0))
    for field in ("deadline_ns", "finish_ns"):
        agrees = (is_culprit & (jobs[field][above] == jobs[field][rows])).any(axis=0)
        _check_same(findings, field, rows, is_suppressed & has_failed.any(axis=0) & ~agrees)


def _check_same(findings: Findings, field: str, rows: np.ndarray, differs: np.ndarray) -> None:
    values = findings.jobs[field]
    findings.add_jobs(
        "cascade",
        differs,
        lambda row: f"is suppressed with {field} {values[row]:,}; that of the job that failed it must stand there",
        rows,
    )


def _ends(findings: Findings, parents: list[int], row: int) -> list[str]:
    frames = findings.jobs["frame"][row : row + 1]
    return [STATUSES[findings.jobs["status"][findings.find(parent, frames)[0]]] for parent in parents]


def check_deadlines(findings: Findings) -> None:
    """A deadline is the release, the job's own or its frame's root's, plus the task's relative deadline."""
    jobs = findings.jobs
    expected = _since_ns(findings) + findings.problem.task_deadline_ns[jobs["task"]]
    wrong = (jobs["status"] != SUPPRESSED) & (jobs["deadline_ns"] != expected)
    findings.add_jobs("deadline", wrong, lambda row: f"has deadline {jobs['deadline_ns'][row]:,} ns, must be {expected[row]:,} ns")


def _since_ns(findings: Findings) -> np.ndarray:
    """What each job's deadline counts from."""
    since: np.ndarray = findings.jobs["release_ns"].copy()
    for task in np.flatnonzero(findings.problem.task_from_source).tolist():
        root = task
        while parents := draws.parents_of(findings.problem, root):
            root = parents[0]
        rows = findings.rows_of(task)
        found = findings.find(root, findings.jobs["frame"][rows])
        since[rows] = np.where(found < 0, since[rows], findings.jobs["release_ns"][found])
    return since


def check_priorities(findings: Findings) -> None:
    """Priorities are those that the seed says."""
    for task in range(findings.problem.n_tasks):
        _check_priorities(findings, task, findings.rows_of(task))


def _check_priorities(findings: Findings, task: int, rows: np.ndarray) -> None:
    given = findings.jobs["priority"]
    expected = draws.priorities(findings.problem, findings.outcome.seed, task, findings.jobs["frame"][rows])
    findings.add_jobs(
        "priority",
        given[rows] != expected,
        lambda row: f"has priority {given[row]}; the seed says {expected[row - rows[0]]}",
        rows,
    )


def check_ends(findings: Findings) -> None:
    """Each job ended as its status says, and its times agree with that."""
    jobs = findings.jobs
    status, release, start, finish, deadline = (jobs[f] for f in ("status", "release_ns", "start_ns", "finish_ns", "deadline_ns"))
    end_ns = findings.outcome.end_ns
    rules = (
        (status == MET, (finish < 0) | (finish > deadline), "is met, but finished at {finish:,} ns with deadline {deadline:,} ns"),
        (status == LATE, finish <= deadline, "is late, but finished at {finish:,} ns with deadline {deadline:,} ns"),
        (status == UNFINISHED, finish != -1, "is unfinished, but has finish {finish:,} ns"),
        (status == SUPPRESSED, (release != -1) | (start != -1), "is suppressed, but released at {release:,} ns, started at {start:,} ns"),
        (status != SUPPRESSED, (release < 0) | (release > end_ns), "released at {release:,} ns, outside the run's {end:,} ns"),
        (status <= LATE, (start < release) | (finish <= start), "released, started, finished at {release:,}, {start:,}, {finish:,} ns"),
        (status == DROPPED, finish < np.maximum(release, start), "dropped at {finish:,} ns, before it came or started"),
        (start >= 0, start < release, "started at {start:,} ns, before its release at {release:,} ns"),
        (status <= DROPPED, finish > end_ns, "ended at {finish:,} ns, after the run's end at {end:,} ns"),
        (start >= 0, jobs["subnet"] < 0, "started, but has no subnet"),
        ((start < 0) & findings.outcome.is_complete, jobs["subnet"] >= 0, "never started, but has a subnet"),
    )
    times = {"release": release, "start": start, "finish": finish, "deadline": deadline, "end": np.full(len(jobs), end_ns)}
    for holds, is_wrong, text in rules:
        _check_status(findings, holds & is_wrong, text, times)
    for name in ("energy_j", "worst_energy_j", "isolated_ns", "preemptions"):
        _check_status(findings, (start < 0) & (jobs[name] != 0), f"never ran, but has {name} {{value}}", {"value": jobs[name]})


def _check_status(findings: Findings, is_wrong: np.ndarray, text: str, values: dict[str, np.ndarray]) -> None:
    findings.add_jobs("status", is_wrong, lambda row: text.format(**{name: value[row] for name, value in values.items()}))


def check_order(findings: Findings) -> None:
    """Frames of a task in order run one after the other: one starts, or the policy drops it, when all before it have ended."""
    jobs = findings.jobs
    for task in np.flatnonzero(findings.problem.task_in_order).tolist():
        rows = findings.released_rows(task)
        if len(rows) < 2:
            continue
        finish = np.where(jobs["finish_ns"][rows] < 0, NEVER_NS, jobs["finish_ns"][rows])
        free_ns = np.maximum.accumulate(finish)[:-1]
        later = rows[1:]
        dropped_ns = np.where(jobs["status"][later] == DROPPED, finish[1:], NEVER_NS)
        if findings.problem.task_max_backlog[task]:
            dropped_ns[:] = NEVER_NS  # a full backlog drops frames that are not ready
        acts_ns = np.where(jobs["start_ns"][later] >= 0, jobs["start_ns"][later], dropped_ns)
        findings.add_jobs(
            "order",
            acts_ns < free_ns,
            lambda row: f"started or was dropped while an earlier frame of its task was still there (start {jobs['start_ns'][row]:,} ns)",
            later,
        )


def check_backlogs(findings: Findings) -> None:
    """No release leaves more frames of a task waiting to start than its backlog holds."""
    for task in np.flatnonzero(findings.problem.task_max_backlog).tolist():
        _check_backlog(findings, findings.released_rows(task), int(findings.problem.task_max_backlog[task]))


def _check_backlog(findings: Findings, rows: np.ndarray, most: int) -> None:
    jobs = findings.jobs[rows]
    release, is_complete, end_ns = jobs["release_ns"], findings.outcome.is_complete, findings.outcome.end_ns
    # A job waits until it starts, which happens after the releases of an instant, or until it is dropped.
    dropped = np.sort(np.where(jobs["status"] == DROPPED, jobs["finish_ns"], NEVER_NS)[jobs["start_ns"] < 0])
    started = np.sort(jobs["start_ns"][jobs["start_ns"] >= 0])
    left = np.searchsorted(started, release, side="left") + np.searchsorted(dropped, release, side="right")
    waiting = np.searchsorted(release, release, side="right") - left
    findings.add_jobs(
        "backlog",
        (waiting > most) & (is_complete | (release < end_ns)),
        lambda row: f"came at {findings.jobs['release_ns'][row]:,} ns as one of more than {most} that waited to start",
        rows,
    )


def check_end_of_run(findings: Findings) -> None:
    """A run ends when nothing is left, not before its duration; or at its very end, with unfinished jobs."""
    outcome, jobs, problem = findings.outcome, findings.jobs, findings.problem
    if outcome.end_ns > problem.end_ns:
        findings.add("end", f"the run ended at {outcome.end_ns:,} ns, after its last possible end at {problem.end_ns:,} ns")
    if not outcome.is_complete:
        return
    if (jobs["status"] == UNFINISHED).any():
        expected = problem.end_ns
    else:
        ended = jobs["finish_ns"][jobs["status"] != SUPPRESSED]
        expected = max(problem.duration_ns, int(ended.max(initial=0)))
    if outcome.end_ns != expected:
        findings.add("end", f"the run ended at {outcome.end_ns:,} ns; it must end at {expected:,} ns")


def check_work(findings: Findings) -> None:
    """Finished jobs ran their whole path: its time alone, its worst energy, not less energy or time than it takes at best."""
    jobs, paths = findings.jobs, Paths(findings)
    done, part = jobs["status"] <= LATE, (jobs["status"] > LATE) & (jobs["start_ns"] >= 0)
    isolated, worst, took = jobs["isolated_ns"], jobs["worst_energy_j"], jobs["finish_ns"] - jobs["start_ns"]
    wrong = (done & (isolated != paths.reference_ns)) | (part & ((isolated < 1) | (isolated > paths.reference_ns)))
    findings.add_jobs("work", wrong, lambda row: f"has isolated_ns {isolated[row]:,}; its path takes {paths.reference_ns[row]:,} ns")
    wrong = (done & ~np.isclose(worst, paths.worst_j, rtol=1e-9, atol=0)) | (part & ~(worst <= paths.worst_j * (1 + 1e-9)))
    findings.add_jobs("work", wrong, lambda row: f"has worst_energy_j {worst[row]:.12g}; its path's is {paths.worst_j[row]:.12g}")
    findings.add_jobs(
        "work",
        done & (took < paths.least_ns),
        lambda row: f"took {took[row]:,} ns from start to finish, less than {paths.least_ns[row]:,} ns at best",
    )
    findings.add_jobs(
        "work",
        done & ~(jobs["energy_j"] >= paths.least_j * (1 - 1e-9)),
        lambda row: f"used {jobs['energy_j'][row]:.12g} J; its path needs at least {paths.least_j[row]:.12g} J",
    )
    findings.add_jobs(
        "work",
        (jobs["preemptions"] < 0) | ((jobs["start_ns"] >= 0) & (jobs["preemptions"] >= np.maximum(paths.length, 1))),
        lambda row: f"was preempted {jobs['preemptions'][row]} times between {paths.length[row]} layers",
    )


JOB_CHECKS = (
    check_roots,
    check_cascades,
    check_deadlines,
    check_priorities,
    check_ends,
    check_order,
    check_backlogs,
    check_end_of_run,
    check_work,
)
"""What is checked of every outcome whose table is sound."""
