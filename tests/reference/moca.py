"""MoCA's regulator in plain Python, over the view alone."""

import math

import numpy as np

from rtsched.policies.roles import Regulator

LARGEST = 65535


class MocaRegulator(Regulator):
    def __init__(self, weight="max-min", urgency_weight=1.0, urgency_cap=1.0, min_share=0.25, clock_ghz=1.0):
        self.weight, self.urgency_weight, self.urgency_cap = weight, urgency_weight, urgency_cap
        self.min_share, self.clock_ghz = min_share, clock_ghz
        self.kept = {}  # the counters of running layers

    def regulate(self, state):
        running, p = state.running, state.problem
        layers = list(zip(running.task.tolist(), running.frame.tolist(), running.layer.tolist(), strict=True))
        self.counters = [self.kept.get(one, (0, 0)) for one in layers]
        demand = running.demand_bytes_per_ns
        asking = [i for i in range(running.n) if demand[i] > 0]
        bandwidth = p.peak_bytes_per_ns * float(p.efficiency[min(max(len(asking), 1), len(p.efficiency)) - 1])
        overflow = 0.0
        for i in asking:
            overflow += float(demand[i])
        overflow -= bandwidth
        demands = [float(demand[i]) for i in asking]
        scores = [self.score(state, i) for i in asking]
        caps = np.full(running.n, np.inf) if self.weight != "published" else running.cap_bytes_per_ns.copy()
        if overflow > 0:
            for i, one in zip(asking, self.shares(demands, scores, bandwidth, overflow), strict=True):
                if self.weight != "published" or running.start_ns[i] == state.now_ns:
                    caps[i] = self.counted(state, i, one)
        self.kept = dict(zip(layers, self.counters, strict=True))
        return caps

    def score(self, state, i):
        running, p = state.running, state.problem
        slack = float(running.slack_ns[i])
        left = int(running.remaining_ns[i]) + int(p.after_mean_ns[running.layer[i], running.n_tiles[i] - 1])
        urgency = min(self.urgency_cap, float(left) / slack) if slack > 0 else self.urgency_cap
        return (int(running.priority[i]) + 1) / 4.0 + self.urgency_weight * urgency

    def shares(self, demands, scores, bandwidth, overflow):
        floors = [self.min_share * d for d in demands]
        if self.weight == "published":
            total = sum((s * d for s, d in zip(scores, demands, strict=True)), 0.0)
            rows = zip(scores, demands, floors, strict=True)
            return [max(d - overflow * (total - s * d) / total, floor) for s, d, floor in rows]
        if sum(floors) >= bandwidth:
            return [floor * (bandwidth / sum(floors)) for floor in floors]
        return (self.inverse if self.weight == "inverse" else self.max_min)(demands, scores, floors, bandwidth)

    def inverse(self, demands, scores, floors, bandwidth):
        held = set()
        while True:
            over = sum((floors[i] if i in held else d for i, d in enumerate(demands)), -bandwidth)
            weights = {i: demands[i] / scores[i] for i in range(len(demands)) if i not in held}
            total = sum(weights.values())
            shares = [demands[i] - over * weights[i] / total if i in weights else floors[i] for i in range(len(demands))]
            below = {i for i in weights if shares[i] < floors[i]}
            if not below:
                return shares
            held |= below

    def max_min(self, demands, scores, floors, bandwidth):
        settled = {}
        while True:
            left, total = bandwidth, 0.0
            for i, score in enumerate(scores):
                left -= settled.get(i, 0.0)
                total += 0.0 if i in settled else score
            shares = {i: left * (score / total) for i, score in enumerate(scores) if i not in settled}
            above = sum((max(0.0, share - demands[i]) for i, share in shares.items()), 0.0)
            below = sum((max(0.0, floors[i] - share) for i, share in shares.items()), 0.0)
            if above == below == 0:
                return [settled.get(i, shares.get(i)) for i in range(len(demands))]
            if above > below:
                settled |= {i: demands[i] for i, share in shares.items() if share > demands[i]}
            else:
                settled |= {i: floors[i] for i, share in shares.items() if share < floors[i]}

    def counted(self, state, i, allocation):
        """The cap that a window and a threshold of 16 bits make of an allocation."""
        running, p = state.running, state.problem
        n = int(running.n_tiles[i])
        moved = int(p.costs["dram_bytes"][running.layer[i], p.option_first[running.accelerator[i]] + n - 1])
        loads = max(1, math.ceil(moved / (16.0 * n)))
        cycles = 16.0 * loads * n / (allocation / self.clock_ghz)
        parts = math.ceil(max(loads, cycles) / LARGEST)
        threshold = max(1, loads // parts)
        window = min(LARGEST, math.ceil(cycles * threshold / loads))
        self.counters[i] = (window, threshold)
        return n * 16.0 * threshold / window * self.clock_ghz


def max_min_by_bisection(demands, scores, floors, bandwidth):
    """The sum of min(demand, max(floor, x * score)) grows with x: the x that makes it the bandwidth."""

    def at(x):
        return [min(d, max(floor, x * s)) for d, floor, s in zip(demands, floors, scores, strict=True)]

    low, high = 0.0, max(d / s for d, s in zip(demands, scores, strict=True))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(at(middle)) < bandwidth else (low, middle)
    return at(high)
