"""Draws in plain Python: pure functions of (seed, task, frame, purpose, index)."""

import math

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15

ARRIVAL, TRIGGER, SKIP, EXIT, FACTOR, PRIORITY = range(6)


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def uniform(seed, task, frame, purpose, index):
    h = mix((seed + GOLDEN) & MASK)
    for value in (task, frame, purpose, index):
        h = mix((h + GOLDEN * (value + 1)) & MASK)
    return (h >> 11) * 2.0**-53


def nearest(x):
    return math.floor(x + 0.5)


def periodic_release(problem, seed, task, frame):
    base = problem.task_offset_ns[task] + nearest(frame * 1e9 / problem.task_rate_hz[task])
    return int(base) + math.floor(float(problem.task_jitter_ns[task]) * uniform(seed, task, frame, ARRIVAL, 0))


def poisson_gap(problem, seed, task, frame):
    u = uniform(seed, task, frame, ARRIVAL, 0)
    return max(1, nearest(-math.log(1.0 - u) * 1e9 / float(problem.task_rate_hz[task])))


def is_triggered(problem, seed, task, frame):
    return uniform(seed, task, frame, TRIGGER, 0) < problem.task_trigger[task]


def priority(problem, seed, task, frame):
    first, last = int(problem.priority_first[task]), int(problem.priority_first[task + 1])
    u = uniform(seed, task, frame, PRIORITY, 0)
    return int(problem.priority_value[next(i for i in range(first, last) if u < problem.priority_upto[i])])


def next_layer(problem, seed, task, frame, subnet, layer):
    """The layer of the job's path after `layer`, or None at its end; `layer` None: the first."""
    last_block = int(problem.subnet_first_block[subnet + 1])
    if layer is None:
        block = int(problem.subnet_first_block[subnet])
    else:
        block = int(problem.layer_block[layer])
        if layer + 1 < problem.block_first_layer[block + 1]:
            return layer + 1
        if uniform(seed, task, frame, EXIT, int(problem.block_draw[block])) < problem.block_exit[block]:
            return None
        block += 1
    while block < last_block:
        if uniform(seed, task, frame, SKIP, int(problem.block_draw[block])) >= problem.block_skip[block]:
            return int(problem.block_first_layer[block])
        block += 1
    return None
