"""The simulation with SimPy: a process per running layer, interrupted whenever its rate changes."""

from __future__ import annotations

import heapq

import simpy

from .by_hand import rank
from .tables import Tables


class Chip:
    """Accelerators that share a memory, under `fcfs` or `edf`."""

    def __init__(self, env: simpy.Environment, tables: Tables, policy: str) -> None:
        self.env, self.tables, self.policy = env, tables, policy
        self.idle = list(range(len(tables.latency[0][0])))
        self.ready: list = []
        self.running: dict[simpy.Process, list] = {}
        self.waiting: dict[int, list] = {task: [] for task in range(len(tables.latency))}
        self.n_layers = self.n_late = self.order = 0

    def frames(self):
        """Release every frame in time."""
        for release, task in self.tables.releases:
            if release > self.env.now:
                yield self.env.timeout(release - self.env.now)
            job = [task, 0, self.env.now, self.env.now + self.tables.deadline[task]]
            self.waiting[task].append(job)
            if len(self.waiting[task]) == 1:
                self.enqueue(job)
            self.dispatch()

    def enqueue(self, job: list) -> None:
        self.order += 1
        heapq.heappush(self.ready, (rank(self.policy, job), self.order, job))

    def dispatch(self) -> None:
        """Start what can start, then share the memory anew."""
        while self.idle and self.ready:
            _, _, job = heapq.heappop(self.ready)
            row = self.tables.latency[job[0]][job[1]]
            accelerator = min(self.idle, key=row.__getitem__)
            self.idle.remove(accelerator)
            state = [row[accelerator], 1.0, self.tables.demand[job[0]][job[1]], 1.0, False]
            self.running[self.env.process(self.layer(job, accelerator, state))] = state
        self.share()

    def share(self) -> None:
        """Max-min shares; a layer whose rate changes is told."""
        left = 1.0
        entries = sorted(self.running.items(), key=lambda entry: entry[1][2])
        for n, (process, state) in zip(range(len(entries), 0, -1), entries, strict=True):
            given = min(state[2], left / n)
            left -= given
            rate = given / state[2]
            if rate != state[3]:
                state[3] = rate
                if state[4]:
                    process.interrupt()

    def layer(self, job: list, accelerator: int, state: list):
        """Run a layer: what is left, the rate, the demand, the rate that it shall have, whether it has begun."""
        state[4] = True
        is_done = False
        while not is_done:
            began, state[1] = self.env.now, state[3]
            try:
                yield self.env.timeout(max(0.0, state[0]) / state[1])
                is_done = True
            except simpy.Interrupt:
                state[0] -= (self.env.now - began) * state[1]
        del self.running[self.env.active_process]
        self.idle.append(accelerator)
        self.n_layers += 1
        job[1] += 1
        if job[1] < len(self.tables.latency[job[0]]):
            self.enqueue(job)
        else:
            self.n_late += self.env.now > job[3]
            queue = self.waiting[job[0]]
            queue.pop(0)
            if queue:
                self.enqueue(queue[0])
        self.dispatch()


def simulate(tables: Tables, policy: str) -> tuple[int, int]:
    """Return the layers that ran and the jobs that ended late."""
    env = simpy.Environment()
    chip = Chip(env, tables, policy)
    env.process(chip.frames())
    env.run()
    return chip.n_layers, chip.n_late
