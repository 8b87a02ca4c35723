"""The event loop in plain Python. Clear before fast; every rule stands once."""

import math
from bisect import insort
from types import SimpleNamespace

import numpy as np

from reference import draws, rates
from reference.mapping import assign
from reference.view import View

INF = math.inf
NEVER = 2**62
MET, LATE, DROPPED, UNFINISHED, SUPPRESSED = range(5)
PERIODIC, POISSON, CHILD, CLOSED, TRACE = range(5)


def up(duration):
    """A duration in whole ns: rounded up, at least 1, at most what the clock has."""
    return max(1, math.ceil(min(duration, float(NEVER))))


class Job:
    """One inference of one frame."""

    def __init__(self, task, frame, release, source, deadline, priority, layer):
        self.task, self.frame, self.release, self.deadline, self.priority = task, frame, release, deadline, priority
        self.source = source  # release of the frame's root
        self.layer = layer  # the next one, or the running one
        self.subnet = None
        self.start, self.last_end = -1, release
        self.preemptions, self.isolated = 0, 0
        self.energy, self.worst_energy = 0.0, 0.0
        self.key, self.last_layer = None, None
        self.accelerator, self.tiles, self.is_resident = -1, (), False
        self.has_ended = False


class Running:
    """One layer in execution."""


class Simulator:
    def __init__(self, problem, policy, seed, recorded=True):
        self.problem, self.seed, self.now = problem, seed, 0
        started = {}
        for role in (policy.mapper, policy.dropper, policy.selector, policy.regulator, policy.tuner):
            if role is not None and id(role) not in started:
                started[id(role)] = role.start(problem)
        self.mapper, self.dropper, self.selector, self.regulator, self.tuner = (
            None if role is None else started[id(role)]
            for role in (policy.mapper, policy.dropper, policy.selector, policy.regulator, policy.tuner)
        )
        self.view = View(self, self.mapper.estimate_tiles)
        n = problem.n_tasks
        self.parents = [draws.parents(problem, task) for task in range(n)]
        self.children = [[c for c in range(n) if t in self.parents[c]] for t in range(n)]
        self.reports = {}  # (child, frame): whether each parent that has reported failed
        self.releases = []  # (time, task, frame, release of the root), ascending
        self.next_frame = [0] * n  # of closed loops
        self.queue = [[] for _ in range(n)]  # released jobs that have not ended, by frame
        self.ready, self.running = [], {}  # running: {(accelerator, lowest tile): Running}
        self.on_tile = [[None] * int(t) for t in problem.accelerator_tiles]  # last job of each tile
        self.has_changed, self.is_window_end = False, False
        self.next_window = self.tuner.window_ns if self.tuner else NEVER
        self.window_start = 0
        self.clear_window()
        self.jobs, self.layers, self.rates = [], [], []
        self.task_energy = np.zeros((n, 5))
        self.busy = [[0] * int(t) for t in problem.accelerator_tiles]
        self.served_bytes, self.partial_bytes = 0, 0.0
        self.switches, self.migrations, self.n_layers = [0] * n, [0] * n, 0
        for task in range(n):
            if problem.task_arrival[task] == CLOSED:
                for _ in range(problem.task_outstanding[task]):
                    self.release_another(task, 0)
            elif problem.task_arrival[task] != CHILD:
                self.schedule_root(task, 0, 0)

    # ---- releases

    def schedule_root(self, task, frame, previous):
        problem = self.problem
        if problem.task_arrival[task] == PERIODIC:
            self.schedule(task, frame, draws.periodic_release(problem, self.seed, task, frame))
        elif problem.task_arrival[task] == POISSON:
            self.schedule(task, frame, previous + draws.poisson_gap(problem, self.seed, task, frame))
        else:
            times = problem.trace_ns[problem.trace_first[task] : problem.trace_first[task + 1]]
            if frame < len(times):
                self.schedule(task, frame, int(times[frame]))

    def release_another(self, task, time):
        self.schedule(task, self.next_frame[task], time)
        self.next_frame[task] += 1

    def schedule(self, task, frame, time):
        if time < self.problem.duration_ns:
            insort(self.releases, (time, task, frame, time))

    def release(self, task, frame, source):
        problem = self.problem
        time = source if problem.is_strict else self.now  # requests may have waited
        subnet = int(problem.model_first_subnet[problem.task_model[task]])
        start = source if problem.task_from_source[task] else time
        job = Job(
            task,
            frame,
            time,
            source,
            start + int(problem.task_deadline_ns[task]),
            draws.priority(problem, self.seed, task, frame),
            draws.next_layer(problem, self.seed, task, frame, subnet, None),
        )
        if problem.task_arrival[task] not in (CHILD, CLOSED):
            self.schedule_root(task, frame + 1, time)
        self.queue[task].append(job)
        self.notify("on_release", task, frame)
        if self.queue[task][0] is job or not problem.task_in_order[task]:
            self.make_ready(job)
        unstarted = [one for one in self.queue[task] if one.start < 0]
        if problem.task_max_backlog[task] and len(unstarted) > problem.task_max_backlog[task]:
            self.drop(unstarted[0])

    def make_ready(self, job):
        self.ready.append(job)
        if hasattr(type(self.mapper), "key") and is_overridden(self.mapper, "key"):
            job.key = self.mapper.key(self.view, len(self.ready) - 1)

    def remove_ready(self, job):
        row = self.ready.index(job)
        self.ready[row] = self.ready[-1]
        self.ready.pop()

    # ---- the loop

    def run(self):
        while (time := self.next_time()) is not None and time <= self.problem.end_ns:
            self.now = time
            self.events()
            if time < self.problem.end_ns:
                self.decide()
        return self.close()

    def next_time(self):
        times = [r.finish for r in self.running.values()]
        if not (times and self.problem.is_strict):  # requests wait until a layer ends
            times += [max(time, self.now) for time, *_ in self.releases[:1]]
        if not times and not self.ready:
            return None
        return min([*times, self.next_window])

    def events(self):
        done = sorted(place for place, r in self.running.items() if r.finish == self.now)
        for place in done:
            self.complete(self.running.pop(place))
        if self.problem.is_strict:
            self.admit(has_completed=bool(done))
        else:
            while self.releases and self.releases[0][0] == self.now:
                self.release(*self.releases.pop(0)[1:])
        if self.now == self.next_window:
            self.end_window()

    def admit(self, has_completed):
        """Requests of a replay: between layers those from before this instant, and to an empty accelerator one, the first."""
        if has_completed and any(self.queue):
            while self.releases and self.releases[0][0] < self.now:
                self.release(*self.releases.pop(0)[1:])
        elif not self.running and self.releases and self.releases[0][0] <= self.now:
            self.release(*self.releases.pop(0)[1:])

    def decide(self):
        if self.ready and self.dropper:
            rows = self.dropper.drop(self.view)
            for job in [self.ready[row] for row in rows]:
                self.drop(job)
        while self.ready and any(self.free_tiles(a) for a in range(self.problem.n_accelerators)):
            chosen = assign(self)
            for job, accelerator, n_tiles, n_model_layers in chosen:
                self.dispatch(job, accelerator, n_tiles, n_model_layers)
            if not (chosen and self.mapper.is_rescored):
                break
        if self.has_changed or self.is_window_end:
            if self.regulator and self.running:
                caps = self.regulator.regulate(self.view)
                for r, cap in zip(self.running_in_order(), caps, strict=True):
                    r.cap = float(cap)
            self.rerate()
            rates.add_changed(self)
        self.has_changed = self.is_window_end = False

    # ---- running layers

    def free_tiles(self, accelerator):
        used = sum(r.n_tiles for r in self.running.values() if r.accelerator == accelerator)
        return int(self.problem.accelerator_tiles[accelerator]) - used

    def running_in_order(self):
        return [self.running[place] for place in sorted(self.running)]

    def dispatch(self, job, accelerator, n_tiles, n_model_layers):
        problem = self.problem
        if job.subnet is None:
            first, last = (int(problem.model_first_subnet[problem.task_model[job.task] + i]) for i in (0, 1))
            choice = 0
            if self.selector and last - first > 1:
                choice = int(self.selector.select(self.view, self.ready.index(job)))
            job.subnet = choice
            job.layer = draws.next_layer(problem, self.seed, job.task, job.frame, first + choice, None)
        self.remove_ready(job)
        taken = {tile for r in self.running.values() if r.accelerator == accelerator for tile in r.tiles}
        idle = [tile for tile in range(problem.accelerator_tiles[accelerator]) if tile not in taken]
        held = [tile for tile in idle if job.accelerator == accelerator and tile in job.tiles]
        tiles = sorted((held + [tile for tile in idle if tile not in held])[:n_tiles])
        block_end = job.layer + n_model_layers
        self.start_layer(job, accelerator, tuple(tiles), block_end)
        self.notify("on_dispatch", job.task, job.frame, accelerator, n_tiles)

    def start_layer(self, job, accelerator, tiles, block_end):
        problem = self.problem
        cost = problem.costs[job.layer, problem.option_first[accelerator] + len(tiles) - 1]
        switch_bytes = self.switch_bytes(job, accelerator, tiles, cost) if problem.has_switch else 0
        port = float(problem.port_bytes_per_ns[accelerator])
        estimate = int(cost["t_iso_ns"])
        t = self.actual(job, estimate, up(int(cost["dram_bytes"]) / port))
        extra = up(switch_bytes / port) if switch_bytes else 0
        if job.start >= 0 and len(tiles) != len(job.tiles):
            extra += problem.regroup_ns
        estimate, t = estimate + extra, t + extra
        r = Running()
        r.job, r.layer, r.accelerator, r.tiles, r.n_tiles, r.block_end = job, job.layer, accelerator, tiles, len(tiles), block_end
        r.start, r.t, r.bytes, r.switch_bytes = self.now, t, int(cost["dram_bytes"]) + switch_bytes, switch_bytes
        r.demand, r.l2_demand = r.bytes / t, int(cost["l2_bytes"]) / t
        r.estimate, r.estimated_demand = estimate, r.bytes / estimate
        r.remaining, r.rate, r.since, r.finish, r.cap = float(t), 0.0, self.now, NEVER, INF
        r.given = None  # allocation and cap in its last row
        self.running[accelerator, tiles[0]] = r
        self.has_changed = True
        self.charge(job, cost, switch_bytes)
        if job.start < 0:
            job.start = self.now
        else:
            job.preemptions += self.now > job.last_end
            self.migrations[job.task] += job.accelerator != accelerator
        job.accelerator, job.tiles, job.is_resident = accelerator, tiles, True
        for tile in tiles:
            self.on_tile[accelerator][tile] = job

    def place_in_subnet(self, job, layer):
        problem = self.problem
        subnet = int(problem.model_first_subnet[problem.task_model[job.task]]) + job.subnet
        return layer - int(problem.block_first_layer[problem.subnet_first_block[subnet]])

    def actual(self, job, estimate, least=1):
        """What the job's next layer takes alone: as recorded, or its estimate times a factor; no less than its bytes need."""
        place = self.place_in_subnet(job, job.layer)
        if (first := draws.recorded_at(self.problem, job.task, job.frame)) is not None:
            return max(least, int(self.problem.recorded_ns[first + place]))
        factor = draws.time_factor(self.problem, self.seed, job.task, job.frame, place)
        return estimate if factor == 1.0 else max(least, up(factor * estimate))

    def sparsity(self, job):
        """Of the job's last executed layer; NaN before it, and where none was recorded."""
        first = draws.recorded_at(self.problem, job.task, job.frame)
        if first is None or job.last_layer is None:
            return math.nan
        return float(self.problem.recorded_sparsity[first + self.place_in_subnet(job, job.last_layer)])

    def switch_bytes(self, job, accelerator, tiles, cost):
        """Activations to flush for the displaced and to fetch for the incoming job."""
        moved = 0
        if job.start >= 0:
            is_warm = job.is_resident and job.accelerator == accelerator
            if not is_warm:
                moved += int(cost["fetch_bytes"])
        displaced = []
        for tile in tiles:
            other = self.on_tile[accelerator][tile]
            if other is None or other is job or other in displaced:
                continue
            if not other.has_ended and other.is_resident and other.accelerator == accelerator and tile in other.tiles:
                displaced.append(other)
        for other in displaced:
            option = self.problem.option_first[accelerator] + len(other.tiles) - 1
            moved += int(self.problem.costs["keep_bytes"][other.last_layer, option])
            other.is_resident = False
        return moved

    def charge(self, job, cost, switch_bytes):
        row = self.task_energy[job.task]
        for i, name in enumerate(("energy_mac_j", "energy_sram_j", "energy_l2_j", "energy_dram_j")):
            row[i] += cost[name]
        job.energy += float(cost["energy_j"])
        if switch_bytes:
            energy = switch_bytes * self.problem.dram_j_per_byte
            row[4] += energy
            job.energy += energy
            self.switches[job.task] += 1
        job.worst_energy += float(self.problem.layer_worst_energy_j[job.layer])
        reference = int(self.problem.layer_reference_ns[job.layer])
        job.isolated = min(job.isolated + self.actual(job, reference), NEVER)

    def complete(self, r):
        job = r.job
        self.has_changed = True
        self.served_bytes += r.bytes
        self.n_layers += 1
        for tile in r.tiles:
            self.busy[r.accelerator][tile] += self.now - r.start
        self.layers.append((job, r.layer, r.start, self.now, r.accelerator, r.tiles, r.switch_bytes))
        rates.add_end(self, r, self.now)
        job.last_end, job.last_layer = self.now, r.layer
        subnet = int(self.problem.model_first_subnet[self.problem.task_model[job.task]]) + job.subnet
        job.layer = draws.next_layer(self.problem, self.seed, job.task, job.frame, subnet, r.layer)
        self.notify("on_layer_end", job.task, job.frame)
        if job.layer is None:
            self.end_job(job, MET if self.now <= job.deadline else LATE, self.now)
        elif job.layer < r.block_end and self.can_run(job.layer, r.accelerator, r.n_tiles):
            self.start_layer(job, r.accelerator, r.tiles, r.block_end)
        else:
            self.make_ready(job)

    def can_run(self, layer, accelerator, n_tiles):
        return self.problem.costs["t_iso_ns"][layer, self.problem.option_first[accelerator] + n_tiles - 1] > 0

    # ---- ends

    def end_job(self, job, status, finish):
        """Record the end; release or suppress the children; let the task's next frame in."""
        job.has_ended = True
        self.record(job, status, finish)
        is_head = self.queue[job.task][0] is job
        self.queue[job.task].remove(job)
        if status in (MET, LATE):
            for child in self.settled_children(job.task, job.frame, False):
                insort(self.releases, (self.now, child, job.frame, job.source))
        else:
            self.suppress_children(job.task, job.frame, job.deadline, finish)
        if status != UNFINISHED:
            self.notify("on_job_end", job.task, job.frame, status)
            if self.problem.task_arrival[job.task] == CLOSED:
                self.release_another(job.task, self.now if status in (MET, LATE) else self.now + 1)
            if is_head and self.queue[job.task] and self.problem.task_in_order[job.task]:
                self.make_ready(self.queue[job.task][0])

    def drop(self, job):
        if job in self.ready:
            self.remove_ready(job)
        self.end_job(job, DROPPED, self.now)

    def settled_children(self, task, frame, has_failed):
        """Report a parent's end to its children; those that this releases (all parents ended) or suppresses (the first failed)."""
        for child in self.children[task]:
            if draws.exists(self.problem, self.seed, child, frame):
                reports = self.reports.setdefault((child, frame), [])
                reports.append(has_failed)
                if (has_failed and sum(reports) == 1) or (not any(reports) and len(reports) == len(self.parents[child])):
                    yield child

    def suppress_children(self, task, frame, deadline, finish):
        for child in self.settled_children(task, frame, True):
            job = Job(child, frame, -1, -1, deadline, draws.priority(self.problem, self.seed, child, frame), -1)
            self.record(job, SUPPRESSED, finish)
            self.suppress_children(child, frame, deadline, finish)

    def record(self, job, status, finish):
        job.status, job.finish = status, finish
        self.jobs.append(job)
        row = self.window[job.task]
        if status != UNFINISHED:
            row[0] += 1
            row[1] += status != MET
        row[2] += job.energy
        row[3] += job.worst_energy

    def close(self):
        live = [job for queue in self.queue for job in queue]
        self.end = self.problem.end_ns if live else max(self.now, self.problem.duration_ns)
        for r in self.running_in_order():
            left = r.remaining - (self.end - r.since) * r.rate
            self.partial_bytes += r.bytes * (1.0 - left / r.t)
            for tile in r.tiles:
                self.busy[r.accelerator][tile] += self.end - r.start
            self.layers.append((r.job, r.layer, r.start, -1, r.accelerator, r.tiles, r.switch_bytes))
            rates.add_end(self, r, self.end)
        for job in live:
            self.end_job(job, UNFINISHED, -1)
        return self

    # ---- memory

    def rerate(self):
        """Share the bandwidth; touch only layers whose rate changes."""
        p, runs = self.problem, self.running_in_order()
        n = sum(r.demand > 0 for r in runs)
        bandwidth = float(p.peak_bytes_per_ns) * float(p.efficiency[min(max(n, 1), len(p.efficiency)) - 1])
        dram = self.share([(min(r.demand, r.cap), r) for r in runs if r.demand > 0], bandwidth)
        l2 = self.share([(r.l2_demand, r) for r in runs if r.l2_demand > 0], float(p.l2_bytes_per_ns))
        for r in runs:
            rate = 1.0
            if r in dram:
                rate = min(rate, dram[r] / r.demand)
            if r in l2:
                rate = min(rate, l2[r] / r.l2_demand)
            if rate != r.rate:
                r.remaining -= (self.now - r.since) * r.rate
                r.rate, r.since = rate, self.now
                wait = math.ceil(min(r.remaining / rate - 1e-6, float(NEVER)))
                r.finish = min(self.now + max(1, wait), NEVER)

    def share(self, asks, bandwidth):
        """Served rates by layer: all that is asked if it fits, else proportional or max-min fair."""
        asks.sort(key=lambda pair: (pair[0], pair[1].accelerator, pair[1].tiles[0]))
        total = 0.0
        for ask, _ in asks:
            total += ask
        if total <= bandwidth:
            return {r: ask for ask, r in asks}
        if not self.problem.is_fair:
            factor = bandwidth / total
            return {r: ask * factor for ask, r in asks}
        left, m, served = bandwidth, len(asks), {}
        for ask, r in asks:
            served[r] = min(ask, left / m)
            left -= served[r]
            m -= 1
        return served

    # ---- tuning and notes

    def clear_window(self):
        self.window = np.zeros((self.problem.n_tasks, 4))

    def end_window(self):
        window = SimpleNamespace(
            start_ns=self.window_start,
            end_ns=self.now,
            n_ended=self.window[:, 0].astype(np.int64),
            n_violated=self.window[:, 1].astype(np.int64),
            energy_j=self.window[:, 2],
            worst_energy_j=self.window[:, 3],
        )
        self.tuner.tune(window, self.mapper.parameters)
        self.clear_window()
        self.window_start, self.next_window = self.now, self.now + self.tuner.window_ns
        self.is_window_end = True

    def notify(self, hook, *values):
        if is_overridden(self.mapper, hook):
            getattr(self.mapper, hook)(self.view, *values)


def is_overridden(mapper, name):
    from rtsched.policies.roles import Mapper

    return getattr(type(mapper), name, None) is not getattr(Mapper, name)
