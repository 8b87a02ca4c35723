"""The simulation as somebody would write it for one paper: a loop over a heap of releases and a list of running layers."""

from __future__ import annotations

import heapq

from .tables import Tables

NEVER = float("inf")


def share(running: list[list]) -> None:
    """Max-min shares of the bandwidth; entry 1 of a running layer becomes its rate."""
    left = 1.0
    for n, layer in zip(range(len(running), 0, -1), sorted(running, key=lambda layer: layer[2]), strict=True):
        given = min(layer[2], left / n)
        layer[1] = given / layer[2]
        left -= given


def rank(policy: str, job: list) -> tuple:
    """What stands first: [task, layer, release, deadline]."""
    return (job[3], job[2]) if policy == "edf" else (job[2],)


def simulate(tables: Tables, policy: str) -> tuple[int, int]:
    """Return the layers that ran and the jobs that ended late, under `fcfs` or `edf`."""
    releases = list(reversed(tables.releases))
    n_accelerators = len(tables.latency[0][0])
    idle, ready, running = list(range(n_accelerators)), [], []
    waiting: dict[int, list] = {task: [] for task in range(len(tables.latency))}  # frames of a task run in order
    now, n_layers, n_late, order = 0.0, 0, 0, 0
    while releases or running:
        first, finish = None, NEVER
        for layer in running:
            end = now + layer[0] / layer[1]
            if end < finish:
                first, finish = layer, end
        release = releases[-1][0] if releases else NEVER
        then = min(release, finish)
        for layer in running:
            layer[0] -= (then - now) * layer[1]
        now = then
        if first is not None and finish <= release:
            running.remove(first)
            job = first[3]
            idle.append(first[4])
            n_layers += 1
            job[1] += 1
            if job[1] < len(tables.latency[job[0]]):
                heapq.heappush(ready, (rank(policy, job), order, job))
            else:
                n_late += now > job[3]
                queue = waiting[job[0]]
                queue.pop(0)
                if queue:
                    heapq.heappush(ready, (rank(policy, queue[0]), order, queue[0]))
        else:
            _, task = releases.pop()
            job = [task, 0, now, now + tables.deadline[task]]
            waiting[task].append(job)
            if len(waiting[task]) == 1:
                heapq.heappush(ready, (rank(policy, job), order, job))
        order += 1
        while idle and ready:
            _, _, job = heapq.heappop(ready)
            row = tables.latency[job[0]][job[1]]
            accelerator = min(idle, key=row.__getitem__)
            idle.remove(accelerator)
            running.append([row[accelerator], 1.0, tables.demand[job[0]][job[1]], job, accelerator])
        share(running)
    return n_layers, n_late
