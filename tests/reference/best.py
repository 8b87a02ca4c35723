"""The most deadlines that any schedule of a tiny problem meets, by trying all of them.

Layers run to their end on one tile without contention and may start at any whole ns, so no policy does better: the engine asks
policies at events only.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product


@dataclass(frozen=True)
class TinyJob:
    """A job: `times[layer][accelerator]` in ns, None where it cannot run; its release, or the job before it that releases it."""

    times: tuple
    deadline_ns: int  # relative to its release
    release_ns: int = 0
    parent: int | None = None
    is_from_source: bool = False  # the deadline counts from the release of the first job of its chain


def most_met(jobs, n_accelerators):
    """Search over all decisions at all whole ns.

    When all has been released, an instant at which nothing runs can be left out of a schedule, so none needs to go on for longer
    than all the work takes.
    """
    last_ns = max(job.release_ns for job in jobs) + sum(max(t for t in row if t) for job in jobs for row in job.times)

    def source_ns(j):
        return jobs[j].release_ns if jobs[j].parent is None else source_ns(jobs[j].parent)

    @cache
    def best(now, left, done, released, running):
        """Deadlines met from now on: layers `done` and `released` at, by job; (job, ns left) or None by accelerator."""
        if now > last_ns or left == 0:
            return 0
        at_work = {one[0] for one in running if one}
        free = [a for a, one in enumerate(running) if one is None]
        waiting = [j for j in range(len(jobs)) if j not in at_work and released[j] is not None and now >= released[j]]
        ready = [j for j in waiting if done[j] < len(jobs[j].times)]
        most = 0
        for chosen in product([None, *ready], repeat=len(free)):
            taken = [j for j in chosen if j is not None]
            if len(set(taken)) < len(taken):
                continue
            placed = list(running)
            for a, j in zip(free, chosen, strict=True):
                placed[a] = None if j is None else (j, jobs[j].times[done[j]][a])
            if all(one is None or one[1] for one in placed):
                most = max(most, advance(now, left, done, released, placed))
        return most

    def advance(now, left, done, released, placed):
        met, done, released = 0, list(done), list(released)
        for a, one in enumerate(placed):
            if one is None:
                continue
            j, rest = one
            placed[a] = (j, rest - 1) if rest > 1 else None
            if rest > 1:
                continue
            done[j] += 1
            if done[j] == len(jobs[j].times):
                left -= 1
                since = source_ns(j) if jobs[j].is_from_source else released[j]
                met += now + 1 <= since + jobs[j].deadline_ns
                for child, job in enumerate(jobs):
                    if job.parent == j:
                        released[child] = now + 1
        return met + best(now + 1, left, tuple(done), tuple(released), tuple(placed))

    released = tuple(job.release_ns if job.parent is None else None for job in jobs)
    return best(0, len(jobs), (0,) * len(jobs), released, (None,) * n_accelerators)
