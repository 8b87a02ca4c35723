"""The rules of `planaria` in plain Python."""

import numpy as np

from rtsched.policies.roles import Mapper


class Planaria(Mapper):
    """The mode decides which of the two below runs."""

    def __init__(self, mode="auto", priority_offset=1, late="last"):
        self.mode, self.priority_offset, self.late = mode, priority_offset, late
        self.waits = mode != "temporal"

    def start(self, problem):
        if self.mode == "temporal" or (self.mode == "auto" and max(problem.accelerator_tiles) == 1):
            return PriorityOverSlack(self.priority_offset, self.late)
        return SpatialShares(problem, self.priority_offset)

    def score(self, state):
        raise AssertionError("what start returns decides")


class PriorityOverSlack(Mapper):
    is_rescored = True

    def __init__(self, offset, late):
        self.offset, self.late = offset, late

    def urgency(self, p, slack, release):
        if slack > 0:
            return p / float(slack)
        if self.late == "last":
            return -1.0 - release
        if slack == 0:
            return float(p)
        return 0.0 if p == 0 else float(release - 2**53)

    def score(self, state):
        rows = zip(state.priority + self.offset, state.slack_ns, state.release_ns, strict=True)
        return np.array([self.urgency(p, int(slack), int(release)) for p, slack, release in rows])

    def tiles(self, state, row, accelerator):
        times = state.problem.costs["t_iso_ns"][state.layer[row], state.problem.option_first[accelerator] :]
        return next((n for n in range(int(state.free_tiles[accelerator]), 0, -1) if times[n - 1] > 0), 1)


class SpatialShares(Mapper):
    """Planaria's shares of tiles, as its docstring says them."""

    waits = True

    def __init__(self, problem, offset):
        self.offset, self.is_stale = offset, True
        self.targets, self.releases, self.held = {}, {}, {}
        self.tiles_of = [range(1, int(n) + 1) for n in problem.accelerator_tiles]
        self.costs = problem.costs["t_iso_ns"].astype(float)
        self.after = np.stack([self.expected_after(problem, option) for option in range(self.costs.shape[1])], axis=1)

    def time(self, layer, option):
        return self.costs[layer, option] or min(time for time in self.costs[layer] if time)

    def expected_after(self, p, option):
        after = np.zeros(p.n_layers)
        for subnet in range(len(p.subnet_first_block) - 1):
            rest = 0.0
            for block in reversed(range(p.subnet_first_block[subnet], p.subnet_first_block[subnet + 1])):
                behind = (1.0 - p.block_exit[block]) * rest
                for layer in reversed(range(p.block_first_layer[block], p.block_first_layer[block + 1])):
                    after[layer] = behind
                    behind += self.time(layer, option)
                rest = (1.0 - p.block_skip[block]) * behind + p.block_skip[block] * rest
        return after

    def on_release(self, state, task, frame):
        self.is_stale = True

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        self.held[task, frame] = accelerator, n_tiles

    def on_job_end(self, state, task, frame, status):
        self.is_stale = True

    def remaining(self, p, job, a, n):
        """None where the next layer cannot run so."""
        option = p.option_first[a] + n - 1
        regroup = p.regroup_ns if job["held"] not in (None, n) else 0
        if job["rest"] is not None:
            return job["rest"] + int(np.floor(self.after[job["layer"], option] + 0.5)) + regroup
        if self.costs[job["layer"], option] == 0:
            return None
        return int(np.floor(self.time(job["layer"], option) + self.after[job["layer"], option] + 0.5)) + regroup

    def jobs(self, state):
        ready = zip(state.task, state.frame, state.priority, state.deadline_ns, state.release_ns, state.layer, strict=True)
        rows = [(*row, None, state.start_ns[i] >= 0) for i, row in enumerate(ready)]
        run = state.running
        releases = [self.releases[int(task), int(frame)] for task, frame in zip(run.task, run.frame, strict=True)]
        rows += zip(run.task, run.frame, run.priority, run.deadline_ns, releases, run.layer, run.remaining_ns, [True] * run.n, strict=True)
        for task, frame, priority, deadline, release, layer, rest, has_started in rows:
            name = (int(task), int(frame))
            accelerator, held = self.held[name] if has_started else (None, None)
            yield {
                "name": name,
                "p": float(priority + self.offset),
                "slack": int(deadline) - state.now_ns,
                "release": int(release),
                "layer": int(layer),
                "rest": None if rest is None else int(rest),
                "last": accelerator,
                "held": held,
            }

    def options(self, p, job, left):
        """(tiles, remaining time, whether it moves, accelerator) of every option within the tiles that are left."""
        for a, most in enumerate(left):
            for n in range(1, most + 1):
                time = self.remaining(p, job, a, n)
                if time is not None:
                    yield n, time, a != job["last"], a

    def in_time(self, p, job, left):
        return [option for option in self.options(p, job, left) if option[1] <= job["slack"]] if job["slack"] > 0 else []

    def share_out(self, state):
        p, jobs = state.problem, list(self.jobs(state))
        left = [tiles[-1] for tiles in self.tiles_of]
        for job in jobs:
            needs = [n for n, *_ in self.in_time(p, job, left)]
            job["rank"] = (0, -job["p"] / (float(job["slack"]) * min(needs))) if needs else (1, 0.0)
        jobs.sort(key=lambda job: (job["rank"], job["release"], job["name"]))
        for job in jobs:
            job["tiles"], job["spare"] = 0, 0
            found = min(self.in_time(p, job, left), default=None)
            if found is None:
                found = min(self.options(p, job, left), key=lambda o: (o[1], o[2], o[3], o[0]), default=None)
            if found is not None:
                job["tiles"], time, _, job["a"] = found
                job["weight"] = job["p"] / max(1, time)
                left[job["a"]] -= job["tiles"]
        for a in range(p.n_accelerators):
            while left[a] > 0:
                turns = [(job, self.step(p, job, left[a])) for job in jobs if job["tiles"] and job["a"] == a]
                turns = [(job, n) for job, n in turns if n]
                if not turns:
                    break
                job, n = max(turns, key=lambda turn: turn[0]["weight"] / (turn[0]["spare"] + 1))
                job["tiles"] += n
                job["spare"] += n
                left[a] -= n
        self.targets = {job["name"]: (i, job["a"], job["tiles"]) for i, job in enumerate(jobs) if job["tiles"]}

    def step(self, p, job, most):
        now = self.remaining(p, job, job["a"], job["tiles"])
        times = [self.remaining(p, job, job["a"], job["tiles"] + n) for n in range(1, most + 1)]
        return next((n for n, time in enumerate(times, 1) if time is not None and time < now), 0)

    def assign(self, state, dispatches):
        for task, frame, release in zip(state.task, state.frame, state.release_ns, strict=True):
            self.releases[int(task), int(frame)] = int(release)  # the view does not tell those of running jobs
        p = state.problem
        names = [(int(task), int(frame)) for task, frame in zip(state.task, state.frame, strict=True)]
        targets = sorted((*self.targets[name], row) for row, name in enumerate(names) if name in self.targets)
        if self.is_stale or any(self.costs[state.layer[row], p.option_first[a] + n - 1] == 0 for _, a, n, row in targets):
            self.share_out(state)
            self.is_stale = False
            targets = sorted((*self.targets[name], row) for row, name in enumerate(names) if name in self.targets)
        left = state.free_tiles.tolist()
        for _, a, n, row in targets:
            if n > left[a]:
                times = self.costs[state.layer[row], p.option_first[a] : p.option_first[a] + left[a]].tolist()
                _, n = min(((time, i) for i, time in enumerate(times, 1) if time), default=(0, 0))
            if n:
                dispatches.append(row, a, n)
                left[a] -= n
