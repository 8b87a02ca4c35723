"""Draws in plain Python: pure functions of (seed, task, frame, purpose, index)."""

import math

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15

ARRIVAL, TRIGGER, SKIP, EXIT, FACTOR, PRIORITY, TASK_SET = range(7)


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


def exists(problem, seed, task, frame):
    """Whether a frame of a task, released or suppressed, exists: its own draw and its parents' existence."""
    own = parents(problem, task)
    return is_triggered(problem, seed, task, frame) and all(exists(problem, seed, parent, frame) for parent in own)


def parents(problem, task):
    return problem.parent_task[problem.parent_first[task] : problem.parent_first[task + 1]].tolist()


def time_factor(problem, seed, task, frame, index):
    """What the index-th layer of a job's subnet takes, over its estimate."""
    values = problem.factor_value[problem.factor_first[task] : problem.factor_first[task + 1]]
    sigma = float(problem.factor_sigma[task])
    u = uniform(seed, task, frame, FACTOR, 2 * index)
    if len(values):
        return float(values[math.floor(u * len(values))])
    if sigma == 0.0:
        return 1.0
    z = math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * uniform(seed, task, frame, FACTOR, 2 * index + 1))
    return math.exp(sigma * z - 0.5 * (sigma * sigma))


def recorded_at(problem, task, frame):
    """Where the recorded times of a frame's layers begin, or None."""
    places = problem.recorded_place[problem.recorded_first[task] : problem.recorded_first[task + 1]].tolist()
    return places[frame % len(places)] if places else None


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
