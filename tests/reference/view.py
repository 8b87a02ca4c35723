"""What roles see of the reference simulator: the attributes of rtsched's StateView, built anew at each call."""

from types import SimpleNamespace

import numpy as np


def ints(values):
    return np.array(list(values), dtype=np.int64)


class View:
    def __init__(self, sim, estimate_tiles):
        self._sim = sim
        self._column = min(estimate_tiles, sim.problem.togo_mean_ns.shape[1]) - 1
        self.problem = sim.problem

    now_ns = property(lambda self: self._sim.now)
    n_ready = property(lambda self: len(self._sim.ready))
    task = property(lambda self: ints(j.task for j in self._sim.ready))
    frame = property(lambda self: ints(j.frame for j in self._sim.ready))
    release_ns = property(lambda self: ints(j.release for j in self._sim.ready))
    deadline_ns = property(lambda self: ints(j.deadline for j in self._sim.ready))
    slack_ns = property(lambda self: ints(j.deadline - self._sim.now for j in self._sim.ready))
    last_end_ns = property(lambda self: ints(j.last_end for j in self._sim.ready))
    priority = property(lambda self: ints(j.priority for j in self._sim.ready))
    layer = property(lambda self: ints(j.layer for j in self._sim.ready))
    subnet = property(lambda self: ints(-1 if j.subnet is None else j.subnet for j in self._sim.ready))
    start_ns = property(lambda self: ints(j.start for j in self._sim.ready))
    togo_mean_ns = property(lambda self: ints(self.problem.togo_mean_ns[j.layer, self._column] for j in self._sim.ready))
    togo_min_ns = property(lambda self: ints(self.problem.togo_min_ns[j.layer, self._column] for j in self._sim.ready))
    sparsity = property(lambda self: np.array([self._sim.sparsity(j) for j in self._sim.ready]))
    free_tiles = property(lambda self: ints(self._sim.free_tiles(a) for a in range(self.problem.n_accelerators)))

    @property
    def latency_ns(self):
        """The next layer's isolated time, (n_ready, n_accelerators), on `estimate_tiles` tiles or all; inf: cannot run."""
        tiles = np.minimum(self._column + 1, self.problem.accelerator_tiles)
        options = self.problem.option_first[:-1] + tiles - 1
        rows = self.problem.costs["t_iso_ns"][self.layer][:, options].astype(np.float64)
        return np.where(rows > 0, rows, np.inf)

    @property
    def running(self):
        sim, runs = self._sim, self._sim.running_in_order()
        visible = [max(0, r.estimate - (sim.now - r.start)) for r in runs]
        after, least = (
            [int(table[r.layer, self._column]) for r in runs] for table in (self.problem.after_mean_ns, self.problem.after_min_ns)
        )
        return SimpleNamespace(
            n=len(runs),
            task=ints(r.job.task for r in runs),
            frame=ints(r.job.frame for r in runs),
            layer=ints(r.layer for r in runs),
            accelerator=ints(r.accelerator for r in runs),
            n_tiles=ints(r.n_tiles for r in runs),
            start_ns=ints(r.start for r in runs),
            deadline_ns=ints(r.job.deadline for r in runs),
            slack_ns=ints(r.job.deadline - sim.now for r in runs),
            priority=ints(r.job.priority for r in runs),
            remaining_ns=ints(visible),
            togo_mean_ns=ints(v + a for v, a in zip(visible, after, strict=True)),
            togo_min_ns=ints(v + a for v, a in zip(visible, least, strict=True)),
            demand_bytes_per_ns=np.array([r.estimated_demand for r in runs]),
            allocation_bytes_per_ns=np.array([r.rate * r.estimated_demand for r in runs]),
            cap_bytes_per_ns=np.array([r.cap for r in runs]),
        )
