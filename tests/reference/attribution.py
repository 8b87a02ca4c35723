"""Where the time of jobs goes, counted while the reference simulator runs: docs/attribution.md line by line."""

import math
from collections import Counter

from reference.engine import LATE, MET, NEVER, Simulator, up


class Attributing(Simulator):
    """Lets beside every running layer another one run that has its caps and infinite bandwidth."""

    def __init__(self, *arguments):
        self.parts = {}  # by task and frame: Counter
        super().__init__(*arguments)

    def start_layer(self, job, accelerator, tiles, block_end):
        cost = self.problem.costs[job.layer, self.problem.option_first[accelerator] + len(tiles) - 1]
        port = float(self.problem.port_bytes_per_ns[accelerator])
        alone = self.actual(job, int(cost["t_iso_ns"]), up(int(cost["dram_bytes"]) / port))
        super().start_layer(job, accelerator, tiles, block_end)
        r = self.running[accelerator, tiles[0]]
        r.alone = alone
        r.capped_left, r.capped_rate, r.capped_since, r.capped_finish = float(r.t), 0.0, self.now, NEVER

    def rerate(self):
        super().rerate()
        for r in self.running_in_order():
            rate = r.cap / r.demand if r.cap < r.demand else 1.0
            if rate == r.capped_rate or r.capped_finish <= self.now:
                continue
            r.capped_left -= (self.now - r.capped_since) * r.capped_rate
            r.capped_rate, r.capped_since = rate, self.now
            r.capped_finish = self.now + max(1, math.ceil(r.capped_left / rate - 1e-6))

    def complete(self, r):
        regulation = r.capped_finish - r.start - r.t
        parts = self.parts.setdefault((r.job.task, r.job.frame), Counter())
        parts.update(execution=r.alone, switching=r.t - r.alone, regulation=regulation)
        parts.update(contention=self.now - r.start - r.t - regulation)
        super().complete(r)

    def record(self, job, status, finish):
        super().record(job, status, finish)
        if status in (MET, LATE):
            parts = self.parts[job.task, job.frame]
            parts["waiting"] = finish - job.release - parts.total()
            parts["cascade"] = job.release - job.source if self.problem.task_from_source[job.task] else 0
