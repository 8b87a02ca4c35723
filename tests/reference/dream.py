"""DREAM's roles in plain Python, over the view alone."""

import numpy as np

from rtsched.policies.roles import Dropper, Mapper, Selector


class MapScore(Mapper):
    """Keeps its own books of who was where last, since the view does not tell."""

    parameter_names = ("alpha", "beta")

    def __init__(self, alpha=1.0, beta=1.0, urgency_cap=1.0, late_urgency="cap", preference="sum", starvation="layer"):
        self.parameters = np.array([alpha, beta])
        self.urgency_cap, self.late_urgency = urgency_cap, late_urgency
        self.preference, self.starvation = preference, starvation

    def start(self, problem):
        run = type(self)(*self.parameters, self.urgency_cap, self.late_urgency, self.preference, self.starvation)
        run.problem = problem
        run.last = {}  # (accelerator, tile): the job that was there last
        run.busy = set()
        run.jobs = {}  # (task, frame): accelerator, tile, whether its output is still there, last layer, next layer
        return run

    # ---- the score

    def score(self, state):
        n = self.problem.n_accelerators
        return np.array([[self.pair(state, row, a) for a in range(n)] for row in range(state.n_ready)]).reshape(state.n_ready, n)

    def pair(self, state, row, a):
        layer = state.layer[row]
        rows = [self.problem.costs[layer, self.problem.option_first[b]] for b in range(self.problem.n_accelerators)]
        able = [one for one in rows if one["t_iso_ns"] > 0]
        if rows[a]["t_iso_ns"] == 0 or state.free_tiles[a] == 0:
            return -np.inf
        total_ns = float(sum(int(one["t_iso_ns"]) for one in able))
        energy_j, total_j = float(rows[a]["energy_j"]), 0.0
        for one in able:
            total_j += float(one["energy_j"])
        preferred = total_ns / float(rows[a]["t_iso_ns"])
        frugal = total_j / energy_j if energy_j > 0 else 0.0
        moved = self.problem.dram_j_per_byte / energy_j if energy_j > 0 and self.problem.has_switch else 0.0
        if self.preference == "best":
            least_j = min((float(one["energy_j"]) for one in able if one["energy_j"] > 0), default=0.0)
            preferred /= total_ns / float(min(int(one["t_iso_ns"]) for one in able))
            frugal, moved = (one / (total_j / least_j) if least_j > 0 else one for one in (frugal, moved))
        if moved > 0:
            frugal -= self.moved_bytes(state, row, a) * moved
        togo = float(state.togo_mean_ns[row])
        waited = float(state.now_ns - state.last_end_ns[row]) * (1.0 / togo if self.starvation == "job" else len(able) / total_ns)
        urgency = self.urgency(float(state.slack_ns[row]), togo)
        return urgency * preferred + self.parameters[0] * waited + self.parameters[1] * frugal

    def urgency(self, slack, togo):
        if slack > 0:
            return togo / slack if self.late_urgency == "infinite" else min(togo / slack, self.urgency_cap)
        return {"cap": self.urgency_cap, "infinite": 1e12 - slack, "negative": togo / min(slack, -1.0)}[self.late_urgency]

    # ---- books

    def tile_of(self, job, a):
        """The free tile that a job would get: the one it held, else the lowest."""
        free = [tile for tile in range(self.problem.accelerator_tiles[a]) if (a, tile) not in self.busy]
        held = self.jobs.get(job)
        return held[1] if held and held[0] == a and held[1] in free else free[0]

    def moved_bytes(self, state, row, a):
        job = (state.task[row], state.frame[row])
        tile = self.tile_of(job, a)
        if self.last.get((a, tile)) == job:
            return 0
        option = self.problem.option_first[a]
        fetched = 0
        if job in self.jobs and not (self.jobs[job][0] == a and self.jobs[job][2]):
            fetched = int(self.problem.costs["fetch_bytes"][state.layer[row], option])
        other = self.displaced(job, a, tile)
        return fetched + (int(self.problem.costs["keep_bytes"][self.jobs[other][3], option]) if other else 0)

    def displaced(self, job, a, tile):
        other = self.last.get((a, tile))
        is_there = other in self.jobs and other != job and self.jobs[other][:3] == [a, tile, True]
        return other if is_there else None

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        job, running = (task, frame), state.running
        tile = self.tile_of(job, accelerator)
        other = self.displaced(job, accelerator, tile)
        if other:
            self.jobs[other][2] = False
        layer = running.layer[(running.task == task) & (running.frame == frame)][0]
        last_layer = self.jobs[job][3] if job in self.jobs else None
        self.jobs[job] = [accelerator, tile, True, last_layer, layer]
        self.last[accelerator, tile] = job
        self.busy.add((accelerator, tile))

    def on_layer_end(self, state, task, frame):
        held = self.jobs[task, frame]
        held[3] = held[4]
        self.busy.discard((held[0], held[1]))

    def on_job_end(self, state, task, frame, status):
        self.jobs.pop((task, frame), None)


class SmartDrop(Dropper):
    def __init__(self, max_drops=2, window=10, lightest=False):
        self.max_drops, self.window, self.lightest = max_drops, window, lightest

    def start(self, problem):
        run = type(self)(self.max_drops, self.window, self.lightest)
        run.dropped = [[] for _ in range(problem.n_tasks)]
        return run

    def drop(self, state):
        p, running = state.problem, state.running
        late = [row for row in range(state.n_ready) if self.need(state, row) > state.slack_ns[row]]
        n_late = len(late) + int((running.togo_min_ns > running.slack_ns).sum())
        candidates = [row for row in late if p.child_first[state.task[row]] == p.child_first[state.task[row] + 1]]
        candidates = [row for row in candidates if self.n_recent(state.task[row], state.frame[row]) < self.max_drops]
        if not candidates or n_late < 2:
            return []
        row = min(candidates, key=lambda row: (*self.rank(state, row), state.release_ns[row], state.task[row], state.frame[row]))
        self.dropped[state.task[row]].append(int(state.frame[row]))
        return [row]

    def need(self, state, row):
        p, model = state.problem, state.problem.task_model[state.task[row]]
        needs = [int(state.togo_min_ns[row])]
        if self.lightest and state.subnet[row] < 0:
            others = range(p.model_first_subnet[model] + 1, p.model_first_subnet[model + 1])
            needs += [int(p.togo_min_ns[p.block_first_layer[p.subnet_first_block[subnet]], 0]) for subnet in others]
        return min(needs)

    def n_recent(self, task, frame):
        return sum(other > frame - self.window for other in self.dropped[task])

    def rank(self, state, row):
        slack = int(state.slack_ns[row])
        return (0, slack) if slack <= 0 else (1, -float(self.need(state, row)) / float(slack))


class SupernetSwitch(Selector):
    def __init__(self, backlog_weight=3.0):
        self.backlog_weight = backlog_weight

    def select(self, state, row):
        p = state.problem
        model = p.task_model[state.task[row]]
        subnets = range(p.model_first_subnet[model], p.model_first_subnet[model + 1])
        backlog = int(state.togo_min_ns.sum()) - int(state.togo_min_ns[row]) + int(state.running.togo_min_ns.sum())
        room = float(state.slack_ns[row]) - self.backlog_weight * (float(backlog) / int(p.accelerator_tiles.sum()))
        needs = [float(p.togo_min_ns[p.block_first_layer[p.subnet_first_block[subnet]], 0]) for subnet in subnets]
        return next((i for i, need in enumerate(needs) if need <= room), len(needs) - 1)
