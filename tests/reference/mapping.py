"""The mapper's three forms in plain Python: global assignment, greedy over scores, static keys."""

import math

import numpy as np


def assign(sim):
    """Return dispatches (job, accelerator, n_tiles, n_layers) in the order in which they take effect."""
    from reference.engine import is_overridden

    if is_overridden(sim.mapper, "assign"):
        dispatches = []
        jobs = list(sim.ready)

        class Dispatches:
            def append(self, row, accelerator, n_tiles=1, n_layers=1):
                dispatches.append((jobs[row], accelerator, n_tiles, n_layers))

        sim.mapper.assign(sim.view, Dispatches())
        return dispatches
    if is_overridden(sim.mapper, "key"):
        scores = None
    else:
        scores = np.asarray(sim.mapper.score(sim.view), dtype=np.float64)
        if scores.ndim == 1:
            scores = np.broadcast_to(scores[:, None], (len(sim.ready), sim.problem.n_accelerators))
    return greedy(sim, scores)


def greedy(sim, scores):
    free = [sim.free_tiles(a) for a in range(sim.problem.n_accelerators)]
    left = list(range(len(sim.ready)))
    chosen = []
    while left:
        best = None
        for row in left:
            job = sim.ready[row]
            for a in range(len(free)):
                n_tiles = sim.mapper.tiles(sim.view, row, a)
                latency = latency_ns(sim.problem, job.layer, a, n_tiles)
                if free[a] == 0 or n_tiles > free[a] or latency == 0 or (scores is not None and scores[row, a] == -math.inf):
                    continue
                rank = job.key if scores is None else -scores[row, a]
                order = (rank, job.release, job.task, job.frame, latency, a)
                if best is None or order < best[0]:
                    best = (order, row, a, n_tiles)
        if best is None:
            break
        _, row, a, n_tiles = best
        chosen.append((sim.ready[row], a, n_tiles, sim.mapper.block(sim.view, row, a)))
        free[a] -= n_tiles
        left.remove(row)
        if sim.mapper.is_rescored:
            break
    return chosen


def latency_ns(problem, layer, accelerator, n_tiles):
    """Isolated time, 0 when the layer cannot run so."""
    if not 1 <= n_tiles <= problem.accelerator_tiles[accelerator]:
        return 0
    return int(problem.costs["t_iso_ns"][layer, problem.option_first[accelerator] + n_tiles - 1])
