"""Roles for comparing the simulators: the native policies' rules in Python, and roles that decide by a hash of what they see."""

import numpy as np

from reference import replay
from reference.draws import mix
from reference.dream import MapScore
from reference.planaria import Planaria
from reference.veltair import LayerBlocks
from rtsched.policies.roles import Dropper, Mapper, Regulator, Selector, Tuner


class FirstCome(Mapper):
    def key(self, state, row):
        return state.release_ns[row]


class EarliestDeadline(Mapper):
    def key(self, state, row):
        return state.deadline_ns[row]


class LeastLaxity(Mapper):
    def score(self, state):
        return -(state.slack_ns - state.togo_mean_ns)


class ShortestRemaining(Mapper):
    def score(self, state):
        return -state.togo_mean_ns


class LargestPriority(Mapper):
    def key(self, state, row):
        return -state.priority[row]


class ShortestPeriod(Mapper):
    def key(self, state, row):
        return state.problem.task_period_ns[state.task[row]]


class RoundRobin(Mapper):
    is_rescored = True

    def start(self, problem):
        run = RoundRobin()
        run.served = list(range(-problem.n_tasks, 0))
        run.n_turns = 0
        return run

    def score(self, state):
        return np.array([-float(self.served[task]) for task in state.task])

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        self.served[task] = self.n_turns
        self.n_turns += 1


class StaticFirstCome(Mapper):
    waits = True

    def score(self, state):
        bound = np.array([self.accelerator(state.problem, task) for task in state.task])
        own = bound[:, None] == np.arange(state.problem.n_accelerators)
        return np.where(own, -state.release_ns[:, None].astype(np.float64), -np.inf)

    def accelerator(self, p, task):
        """The first from the task's number on, round robin, that runs every layer of every subnet."""
        model = p.task_model[task]
        blocks = p.subnet_first_block[p.model_first_subnet[model] : p.model_first_subnet[model + 1] + 1]
        layers = range(p.block_first_layer[blocks[0]], p.block_first_layer[blocks[-1]])
        turns = [(task + k) % p.n_accelerators for k in range(p.n_accelerators)]
        return next(a for a in turns if all(p.costs["t_iso_ns"][layer, p.option_first[a]] > 0 for layer in layers))


class LeastCost(Mapper):
    def __init__(self, objective="latency", balance=0.0):
        self.objective, self.balance = objective, balance
        self.is_rescored = balance > 0

    def start(self, problem):
        run = LeastCost(self.objective, self.balance)
        run.load_ns = [0] * problem.n_accelerators
        return run

    def cost(self, problem, layer, a):
        row = problem.costs[layer, problem.option_first[a]]
        if row["t_iso_ns"] == 0:
            return np.inf
        times = {"latency": float(row["t_iso_ns"]), "energy": row["energy_j"], "edp": row["energy_j"] * float(row["t_iso_ns"])}
        return float(times[self.objective])

    def score(self, state):
        n = state.problem.n_accelerators
        scores = np.array([[-self.cost(state.problem, layer, a) for a in range(n)] for layer in state.layer]).reshape(-1, n)
        if self.balance > 0:
            for row in scores:
                able = [a for a in range(n) if state.free_tiles[a] > 0 and row[a] > -np.inf]
                if able:
                    best = max(able, key=lambda a: (row[a], -a))
                    idlest = min(able, key=lambda a: (self.load_ns[a], a))
                    chosen = idlest if -row[idlest] < self.balance * -row[best] else best
                    row[[a for a in range(n) if a != chosen]] = -np.inf
        return scores

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        run = state.running
        own = (run.task == task) & (run.frame == frame)
        option = state.problem.option_first[accelerator] + n_tiles - 1
        self.load_ns[accelerator] += int(state.problem.costs["t_iso_ns"][run.layer[own][0], option])


class EarliestFinish(Mapper):
    waits = True

    def assign(self, state, dispatches):
        p, running = state.problem, state.running
        # Per accelerator, when each tile is available, and whether it is free; tiles are alike.
        tiles = [[[state.now_ns, True] for _ in range(free)] for free in state.free_tiles]
        for a, n_tiles, left in zip(running.accelerator, running.n_tiles, running.remaining_ns, strict=True):
            tiles[a] += [[state.now_ns + int(left), False] for _ in range(n_tiles)]
        rows = range(state.n_ready)
        for row in sorted(rows, key=lambda r: (state.deadline_ns[r], state.release_ns[r], state.task[r], state.frame[r])):
            takes = [int(p.costs["t_iso_ns"][state.layer[row], p.option_first[a]]) for a in range(p.n_accelerators)]
            able = [(min(when for when, _ in tiles[a]) + takes[a], a) for a in range(p.n_accelerators) if takes[a]]
            if not able:
                continue
            _, a = min(able)
            when, is_free = min((when, not is_free) for when, is_free in tiles[a])
            tile = next(tile for tile in tiles[a] if tile == [when, not is_free])
            if tile[1] and when == state.now_ns:
                dispatches.append(row, a)
                tile[1] = False
            tile[0] += takes[a]


class StaticPartition(Mapper):
    waits = True

    def __init__(self, groups=4, queue="fcfs", late="queue", patience=0.0):
        self.groups, self.queue, self.late, self.patience = groups, queue, late, patience

    def assign(self, state, dispatches):
        p = state.problem
        tiles = [int(p.option_first[a + 1] - p.option_first[a]) for a in range(p.n_accelerators)]
        n_groups = [min(self.groups, n) for n in tiles]
        size = [n // k for n, k in zip(tiles, n_groups, strict=True)]
        running = state.running.accelerator.tolist()
        free = [min(n_groups[a] - running.count(a), int(state.free_tiles[a]) // size[a]) for a in range(p.n_accelerators)]
        kinds = [self.kind(p, task, size) for task in state.running.task]
        for row, a, n_tiles, n_layers in self.chosen(state, free, kinds, size):
            dispatches.append(row, a, n_tiles, n_layers)

    def chosen(self, state, free, kinds, size):
        return self.from_queue(state, range(state.n_ready), free, kinds, size, state.problem.n_layers)

    def from_queue(self, state, rows, free, kinds, size, n_layers):
        """Rows that get a group, accelerator, tiles and layers; `free` and `kinds` change with them."""
        found = []
        waiting = sorted(rows, key=lambda row: self.place(state, row, size))
        while waiting and sum(free):
            row = self.next_of(state, waiting, kinds, size)
            waiting.remove(row)
            a = self.fastest(state, row, free, size)
            if a is not None:
                found.append([row, a, size[a], n_layers])
                free[a] -= 1
                kinds.append(self.kind(state.problem, state.task[row], size))
        return found

    def fastest(self, state, row, free, size):
        p = state.problem
        times = self.times(p, p.task_model[state.task[row]], size)
        able = [(times[a], a) for a in range(p.n_accelerators) if free[a] and times[a]]
        return min(able)[1] if able else None

    def next_of(self, state, waiting, kinds, size):
        return waiting[0]

    def kind(self, p, task, size):
        return 0

    def alone(self, p, task, size):
        """Time alone and accelerator of the group on which a task's model is fastest."""
        return min((time, a) for a, time in enumerate(self.times(p, p.task_model[task], size)) if time)

    def is_last(self, state, row, size):
        time, _ = self.alone(state.problem, state.task[row], size)
        waited = state.now_ns - int(state.release_ns[row])
        is_patient = not self.patience or float(waited) <= self.patience * float(time)
        return self.late == "last" and int(state.slack_ns[row]) < time and is_patient

    def place(self, state, row, size):
        p, task = state.problem, state.task[row]
        time, a = self.alone(p, task, size)
        waited, slack = float(state.now_ns - state.release_ns[row]), float(state.slack_ns[row])
        first = p.block_first_layer[p.subnet_first_block[p.model_first_subnet[p.task_model[task]]]]
        first_ns = float(p.costs["t_iso_ns"][first, p.option_first[a] + size[a] - 1])
        key = {
            "fcfs": int(state.release_ns[row]),
            "edf": int(state.deadline_ns[row]),
            "moca": -(int(state.priority[row]) + waited / float(time)),
            "dream": -((min(float(time) / slack, 1.0) if slack > 0 else 1.0) + waited / first_ns),
        }[self.queue]
        return self.is_last(state, row, size), key, state.release_ns[row], task, state.frame[row]

    def times(self, p, model, size):
        """Per accelerator, the time of the model's first subnet alone on a group; 0 when a layer of any subnet cannot run there."""
        blocks = [p.subnet_first_block[subnet] for subnet in range(p.model_first_subnet[model], p.model_first_subnet[model + 1] + 1)]
        bounds = [p.block_first_layer[block] for block in blocks]
        columns = [p.costs["t_iso_ns"][:, p.option_first[a] + size[a] - 1] for a in range(p.n_accelerators)]
        every = [all(column[layer] > 0 for layer in range(bounds[0], bounds[-1])) for column in columns]
        whole = [sum(int(column[layer]) for layer in range(bounds[0], bounds[1])) for column in columns]
        return [time if runs else 0 for time, runs in zip(whole, every, strict=True)]


class MocaScheduler(StaticPartition):
    def __init__(self, groups=4, queue="moca", late="last", mix=True, express=9, idle="take", memory_share=0.5, patience=0.0):
        super().__init__(groups, queue, late, patience)
        self.mix, self.memory_share, self.express, self.idle = mix, memory_share, express, idle

    def start(self, problem):
        run = type(self)(self.groups, self.queue, self.late, self.mix, self.express, self.idle, self.memory_share, self.patience)
        run.where, run.tiles = {}, {}  # accelerator and tiles of the last layer of each job
        return run

    def chosen(self, state, free, kinds, size):
        if self.express == 12 and self.idle == "leave":
            return super().chosen(state, free, kinds, size)
        rows = range(state.n_ready)
        has_begun = [int(state.start_ns[row]) >= 0 for row in rows]
        is_ahead = [int(state.priority[row]) >= self.express and (has_begun[row] or not self.is_last(state, row, size)) for row in rows]

        def place(row):
            _, key, _, task, frame = self.place(state, row, size)
            return not has_begun[row], key, task, frame

        found = []
        ahead = sorted((row for row in rows if is_ahead[row]), key=place)
        begun = sorted((row for row in rows if has_begun[row] and not is_ahead[row]), key=place)
        for row in ahead + begun:
            a = self.where[state.task[row], state.frame[row]] if has_begun[row] else self.fastest(state, row, free, size)
            if a is not None and free[a]:
                found.append([row, a, size[a], 1])
                free[a] -= 1
                kinds.append(self.kind(state.problem, state.task[row], size))
        queued = [row for row in rows if not has_begun[row] and not is_ahead[row]]
        found += self.from_queue(state, queued, free, kinds, size, 1)
        found = self.with_idle(state, found) if self.idle == "take" else found
        self.where |= {(state.task[row], state.frame[row]): a for row, a, _, _ in found}
        self.tiles |= {(state.task[row], state.frame[row]): n for row, _, n, _ in found}
        return found

    def with_idle(self, state, found):
        p = state.problem
        for a in range(p.n_accelerators):
            here = [one for one in found if one[1] == a]
            left = int(state.free_tiles[a]) - sum(n for _, _, n, _ in here)
            if here and left:
                one = max(here, key=lambda one: int(state.priority[one[0]]))
                times = p.costs["t_iso_ns"][state.layer[one[0]], p.option_first[a] :]
                had = self.tiles.get((state.task[one[0]], state.frame[one[0]]))
                model = p.task_model[state.task[one[0]]]
                is_known = had is not None or p.model_first_subnet[model + 1] - p.model_first_subnet[model] == 1
                able = [n for n in range(one[2], one[2] + left + 1) if times[n - 1]] if is_known else [one[2]]
                costs = {n: int(times[n - 1]) + (p.regroup_ns if had not in (None, n) else 0) for n in able}
                one[2] = min(costs, key=costs.get)
        return found

    def kind(self, p, task, size):
        """Whether the task's jobs are memory-intensive."""
        time, a = self.alone(p, task, size)
        subnet = p.model_first_subnet[p.task_model[task]]
        layers = slice(p.block_first_layer[p.subnet_first_block[subnet]], p.block_first_layer[p.subnet_first_block[subnet + 1]])
        moved = sum(int(row) for row in p.costs["dram_bytes"][layers, p.option_first[a] + size[a] - 1])
        return self.mix and float(moved) / float(time) > self.memory_share * p.peak_bytes_per_ns

    def next_of(self, state, waiting, kinds, size):
        among = [row for row in waiting if not self.is_last(state, row, size)] or waiting
        wanted = [row for row in among if self.kind(state.problem, state.task[row], size) != any(kinds)]
        return (wanted or among)[0] if kinds else among[0]


TWINS = {
    "dream-mapscore": MapScore,
    "dysta": replay.LeastScore,
    "dysta-naive": replay.LeastEstimatedScore,
    "edf": EarliestDeadline,
    "eft": EarliestFinish,
    "fcfs": FirstCome,
    "fcfs-static": StaticFirstCome,
    "herald": LeastCost,
    "llf": LeastLaxity,
    "moca-scheduler-only": MocaScheduler,
    "planaria": Planaria,
    "prema": replay.MostTokens,
    "priority": LargestPriority,
    "rm": ShortestPeriod,
    "rr": RoundRobin,
    "sdrm3": replay.MapScore,
    "srpt": ShortestRemaining,
    "static": StaticPartition,
    "static-moca-queue": lambda: StaticPartition(queue="moca"),
    "veltair": LayerBlocks,
}


def chance(*values):
    """A hash of integers, 0 <= h < 2**16."""
    h = 1
    for value in values:
        h = mix((h * 31 + int(value) + 7) % 2**64)
    return h >> 48


class Hashed:
    """Something that decides by a hash; `salt` tells instances apart."""

    def __init__(self, salt):
        self.salt = salt

    def job(self, state, row, *more):
        return chance(self.salt, state.now_ns, state.task[row], state.frame[row], *more)


class HashedPairs(Hashed, Mapper):
    waits = True

    def score(self, state):
        n = state.problem.n_accelerators
        rows = [[self.job(state, row, a) % 5 for a in range(n)] for row in range(state.n_ready)]
        scores = np.array(rows, dtype=np.float64).reshape(state.n_ready, n)
        return np.where(scores == 4, -np.inf, scores)


class RescoredPairs(HashedPairs):
    is_rescored = True


class HashedJobs(Hashed, Mapper):
    """Few distinct scores, so that ties decide; tiles and blocks by hash."""

    waits = True

    def score(self, state):
        return np.array([self.job(state, row) % 2 for row in range(state.n_ready)], dtype=np.float64)

    def tiles(self, state, row, accelerator):
        return 1 + self.job(state, row, accelerator, 1) % int(state.problem.accelerator_tiles[accelerator])

    def block(self, state, row, accelerator):
        return (1, 2, 3, 2**31 - 1)[self.job(state, row, accelerator, 2) % 4]


class HashedKeys(Hashed, Mapper):
    """The key changes every time the job becomes ready."""

    estimate_tiles = 2

    def key(self, state, row):
        return self.job(state, row) % 4

    def tiles(self, state, row, accelerator):
        return 1 + chance(self.salt, state.task[row]) % int(state.problem.accelerator_tiles[accelerator])


class HashedAssign(Hashed, Mapper):
    """Writes its own assignment; sees all of the state, and counts what it was notified of."""

    waits = True

    def __init__(self, salt, notes=0):
        super().__init__(salt)
        self.notes = notes

    def start(self, problem):
        return type(self)(self.salt)

    def on_release(self, state, task, frame):
        self.notes += chance(1, state.now_ns, task, frame)

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        self.notes += chance(4, state.now_ns, task, frame, accelerator, n_tiles, state.n_ready)

    def on_layer_end(self, state, task, frame):
        self.notes += chance(2, state.now_ns, task, frame, state.n_ready)

    def on_job_end(self, state, task, frame, status):
        self.notes += chance(3, state.now_ns, task, frame, status)

    def assign(self, state, dispatches):
        free, running = state.free_tiles.copy(), state.running
        seen = [running.remaining_ns, running.togo_mean_ns, running.accelerator, running.n_tiles, state.togo_min_ns, state.priority]
        mood = chance(self.notes, *(value for column in seen for value in column))
        for row in sorted(range(state.n_ready), key=lambda row: (self.job(state, row, mood), state.task[row])):
            a = self.job(state, row, mood, 1) % len(free)
            n_tiles = 1 + self.job(state, row, 2) % int(state.problem.accelerator_tiles[a])
            option = state.problem.option_first[a] + n_tiles - 1
            if n_tiles <= free[a] and (state.problem.costs["t_iso_ns"][:, option] > 0).all():
                dispatches.append(row, a, n_tiles, (1, 2, 3, 10**9)[self.job(state, row, 3) % 4])
                free[a] -= n_tiles


READY = "task frame priority release_ns deadline_ns slack_ns start_ns last_end_ns layer subnet togo_mean_ns togo_min_ns latency_ns"
RUNNING = "task frame layer accelerator n_tiles priority start_ns deadline_ns slack_ns remaining_ns togo_mean_ns togo_min_ns"
RATES = "demand_bytes_per_ns allocation_bytes_per_ns cap_bytes_per_ns"


class Spy(Mapper):
    """Writes down every column of the view at every call."""

    def __init__(self):
        self.seen = []

    def look(self, state, *what):
        columns = [getattr(state, name).tolist() for name in READY.split()]
        running = [getattr(state.running, name).tolist() for name in (RUNNING + " " + RATES).split()]
        self.seen.append((what, state.now_ns, state.n_ready, state.free_tiles.tolist(), columns, state.running.n, running))

    def key(self, state, row):
        self.look(state, "key", row)
        return 0

    def block(self, state, row, accelerator):
        self.look(state, "block", row, accelerator)
        return 2

    def on_release(self, state, task, frame):
        self.look(state, "release", task, frame)

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        self.look(state, "dispatch", task, frame, accelerator, n_tiles)

    def on_layer_end(self, state, task, frame):
        self.look(state, "layer", task, frame)

    def on_job_end(self, state, task, frame, status):
        self.look(state, "job", task, frame, status)


class HashedParameters(Hashed, Mapper):
    """Follows a parameter that a tuner changes."""

    parameter_names = ("tilt",)

    def __init__(self, salt):
        super().__init__(salt)
        self.parameters = np.array([0.5])

    def start(self, problem):
        return type(self)(self.salt)

    def score(self, state):
        tilt = self.parameters[0]
        return tilt * state.release_ns - (1.0 - tilt) * state.deadline_ns


class HashedDropper(Hashed, Dropper):
    def drop(self, state):
        return [row for row in range(state.n_ready) if self.job(state, row) % 6 == 0]


class HashedSelector(Hashed, Selector):
    def select(self, state, row):
        model = state.problem.task_model[state.task[row]]
        n = state.problem.model_first_subnet[model + 1] - state.problem.model_first_subnet[model]
        return self.job(state, row) % int(n)


class HashedRegulator(Hashed, Regulator):
    def regulate(self, state):
        running = state.running
        factors = [(0.25, 0.5, 1.0, np.inf)[self.of(state, running, i) % 4] for i in range(running.n)]
        return np.where(running.demand_bytes_per_ns > 0, running.demand_bytes_per_ns, 1.0) * np.array(factors)

    def of(self, state, running, i):
        return chance(self.salt, state.now_ns, running.task[i], running.frame[i], np.isinf(running.cap_bytes_per_ns[i]))


class HashedTuner(Hashed, Tuner):
    def __init__(self, salt, window_ns):
        super().__init__(salt)
        self.window_ns = window_ns

    def tune(self, window, parameters):
        parameters[0] = chance(window.end_ns, *window.n_ended, *window.n_violated, window.energy_j.sum() * 1e15) / 2**16
