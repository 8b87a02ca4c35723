"""Text traces of a small scenario, one line per executed layer. ``python tests/golden/traces.py`` writes them anew."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def trace(policy):
    """The trace of one policy as text."""
    import rtsched

    problem = rtsched.compile(str(FOLDER / "glasses.yaml"), str(FOLDER / "two_cores.yaml"))
    outcome = rtsched.run(problem, policy, seed=7, layers=True)
    jobs = outcome.jobs
    lines = ["start_ns finish_ns accelerator tiles task frame layer switch_bytes"]
    for row in sorted(outcome.layers.tolist(), key=lambda row: (row[4], row[2], row[3])):
        job, layer, accelerator, tiles, start_ns, finish_ns, switch_bytes = row
        task, name = problem.task_names[jobs["task"][job]], problem.layer_names[layer]
        lines.append(f"{start_ns} {finish_ns} {accelerator} {tiles:b} {task} {jobs['frame'][job]} {name} {switch_bytes}")
    lines.append("task frame status release_ns start_ns finish_ns deadline_ns subnet priority preemptions")
    for job in jobs:
        status = rtsched.outcome.STATUSES[job["status"]]
        times = " ".join(
            str(job[name]) for name in ("release_ns", "start_ns", "finish_ns", "deadline_ns", "subnet", "priority", "preemptions")
        )
        lines.append(f"{problem.task_names[job['task']]} {job['frame']} {status} {times}")
    return "\n".join(lines) + "\n"


def main():
    from rtsched.policies.registry import POLICIES

    for policy in sorted(POLICIES):
        (FOLDER / f"{policy}.txt").write_text(trace(policy), encoding="utf-8")
        sys.stderr.write(f"wrote {policy}.txt\n")


if __name__ == "__main__":
    main()
