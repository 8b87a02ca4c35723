"""The linear program: how much of every job can be in time when time is cut into intervals.

Variables are fractions of jobs, tile time of each job by class and interval, and tile time by class and interval of all jobs that
have no deadline of their own there. docs/bounds.md says why nothing that a schedule does is excluded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from rtsched.bounds.classes import Classes
from rtsched.bounds.jobs import Jobs

__all__ = ["Program", "program_of"]

MEAN_INTERVALS = 16
"""Of a job's window, on average; where there are more, intervals are put together. With twice as many, `ar_call` of 2 s at load 6
takes half as long again."""

MAX_CELLS = 20_000
"""Of jobs, intervals and classes; up to there, windows may hold any number of intervals."""


@dataclass(frozen=True, eq=False)
class Program:
    """Maximise ``gain @ x`` with ``0 <= x <= most``, ``upper @ x <= limit`` and ``equal @ x == 0``.

    Attributes
    ----------
    gain, most : ndarray of float64, shape (n,)
    upper : scipy.sparse.csr_array, shape (n_upper, n)
    limit : ndarray of float64, shape (n_upper,)
    equal : scipy.sparse.csr_array, shape (n_equal, n)
    """

    gain: np.ndarray
    most: np.ndarray
    upper: sparse.csr_array
    limit: np.ndarray
    equal: sparse.csr_array


class _Builder:
    """Collects variables and rows."""

    def __init__(self) -> None:
        self._gain: list[np.ndarray] = []
        self._most: list[np.ndarray] = []
        self.n = 0
        self.rows: dict[bool, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {True: [], False: []}
        self._limits: list[np.ndarray] = []
        self.n_rows = {True: 0, False: 0}

    def variables(self, most: np.ndarray, gain: float = 0.0) -> np.ndarray:
        """Add variables from 0 to `most` each; return their numbers, in the shape of `most`."""
        self._most.append(most.ravel())
        self._gain.append(np.full(most.size, gain))
        self.n += most.size
        return np.arange(self.n - most.size, self.n).reshape(most.shape)

    def new_rows(self, limit: np.ndarray, *, is_equal: bool = False) -> np.ndarray:
        """Add rows that must not exceed `limit`, or must be 0; return their numbers."""
        if not is_equal:
            self._limits.append(limit)
        self.n_rows[is_equal] += len(limit)
        return np.arange(self.n_rows[is_equal] - len(limit), self.n_rows[is_equal])

    def put(self, row: np.ndarray, column: np.ndarray, value: np.ndarray | float, *, is_equal: bool = False) -> None:
        """Add entries; of the same place they are summed."""
        row, column, value = np.broadcast_arrays(row, column, value)
        self.rows[is_equal].append((row.ravel(), column.ravel(), value.ravel().astype(np.float64)))

    def program(self) -> Program:
        """Put everything together."""
        return Program(
            gain=np.concatenate(self._gain),
            most=np.concatenate(self._most),
            upper=self._matrix(is_equal=False),
            limit=np.concatenate([np.empty(0), *self._limits]),
            equal=self._matrix(is_equal=True),
        )

    def _matrix(self, *, is_equal: bool) -> sparse.csr_array:
        empty = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
        row, column, value = (np.concatenate(parts) for parts in zip(empty, *self.rows[is_equal], strict=True))
        return sparse.csr_array((value, (row, column)), shape=(self.n_rows[is_equal], self.n))


def program_of(jobs: Jobs, classes: Classes) -> Program:
    """Return the program whose optimum no schedule exceeds.

    Parameters
    ----------
    jobs : Jobs
    classes : Classes
    """
    own = np.flatnonzero(jobs.can_meet)
    later, late = np.flatnonzero(jobs.can_meet_later), np.intersect1d(np.unique(jobs.parent), np.flatnonzero(jobs.can_end))
    spare = np.concatenate([later, late])
    builder = _Builder()
    met, met_later, ended_late = np.full((3, jobs.n), -1)
    met[own] = builder.variables(np.ones(len(own)), 1.0)
    met_later[later] = builder.variables(np.ones(len(later)), 1.0)
    ended_late[late] = builder.variables(np.ones(len(late)))
    grid = _grid_of(builder, jobs, classes, own, spare)
    _add_own(builder, jobs, classes, grid, own, met[own])
    if len(spare):
        _add_spare(builder, jobs, classes, grid, later, met_later[later], late, ended_late[late])
    _add_links(builder, jobs, met, met_later, ended_late)
    return builder.program()


@dataclass(frozen=True, eq=False)
class _Grid:
    """Intervals of time.

    Attributes
    ----------
    edges_ns : ndarray of int64, shape (n_intervals + 1,)
    unit_ns : float
        The program's numbers are in this unit, so that they are near 1.
    room : ndarray of int64, shape (n_classes, n_intervals)
        The rows that say how much tile time there is.
    """

    edges_ns: np.ndarray
    unit_ns: float
    room: np.ndarray

    @property
    def length(self) -> np.ndarray:
        """Of each interval, in units."""
        return np.diff(self.edges_ns) / self.unit_ns

    def at(self, times_ns: np.ndarray) -> np.ndarray:
        """The interval in which, or at whose beginning, each time is."""
        return np.searchsorted(self.edges_ns, times_ns, side="right") - 1


def _grid_of(builder: _Builder, jobs: Jobs, classes: Classes, own: np.ndarray, spare: np.ndarray) -> _Grid:
    """Cut time where a window begins or ends; where these are too many, only at every second, fourth, ... of them."""
    begins, ends = jobs.release_ns[own], jobs.until_ns[own]
    times_ns = np.unique(np.concatenate([begins, ends, jobs.release_ns[spare], [jobs.end_ns]]))
    while True:
        n_cells = (np.searchsorted(times_ns, ends) - np.searchsorted(times_ns, begins, side="right") + 1).sum() * classes.n
        if n_cells <= max(MAX_CELLS, MEAN_INTERVALS * len(own) * classes.n) or len(times_ns) < 4:
            break
        times_ns = np.concatenate([times_ns[:-1:2], times_ns[-1:]])
    unit_ns = max(1.0, float(np.median(ends - begins))) if len(own) else 1.0
    room = builder.new_rows((classes.tiles[:, np.newaxis] * (np.diff(times_ns) / unit_ns)).ravel())
    return _Grid(times_ns, unit_ns, room.reshape(classes.n, len(times_ns) - 1))


def _add_own(builder: _Builder, jobs: Jobs, classes: Classes, grid: _Grid, own: np.ndarray, met: np.ndarray) -> None:
    """What jobs do between their release and their deadline."""
    begin_ns, end_ns = jobs.release_ns[own], jobs.until_ns[own]
    first = grid.at(begin_ns)
    n = np.searchsorted(grid.edges_ns, end_ns) - first
    job = np.repeat(np.arange(len(own)), n)
    interval = np.arange(len(job)) - np.repeat(np.cumsum(n) - n, n) + first[job]
    inside = np.minimum(end_ns[job], grid.edges_ns[interval + 1]) - np.maximum(begin_ns[job], grid.edges_ns[interval])
    inside = inside / grid.unit_ns
    used = builder.variables(classes.widest[:, np.newaxis] * inside)
    builder.put(grid.room[:, interval], used, 1.0)
    # A job does not run beside itself.
    alone = builder.new_rows(np.zeros(len(job)))
    builder.put(alone, used, 1.0 / classes.widest[:, np.newaxis])
    builder.put(alone, met[job], -inside)
    if classes.n == 1:
        total, owner = used, job
    else:
        total, owner = builder.variables(classes.widest[:, np.newaxis] * ((end_ns - begin_ns) / grid.unit_ns)), np.arange(len(own))
        rows = builder.new_rows(np.zeros(total.size)).reshape(total.shape)
        builder.put(rows, total, 1.0)
        builder.put(rows[:, job], used, -1.0)
    _add_cuts(builder, jobs, grid, own, met, total, owner, is_late=False)


def _add_cuts(
    builder: _Builder,
    jobs: Jobs,
    grid: _Grid,
    chosen: np.ndarray,
    part: np.ndarray,
    total: np.ndarray,
    owner: np.ndarray,
    *,
    is_late: bool,
) -> None:
    """No job does with less than it needs: tile time `total` (by class) of the chosen job `owner`."""
    for task, needs in enumerate(jobs.needs):
        members = np.flatnonzero(jobs.task[chosen] == task)
        if not len(members):
            continue
        cost = (needs.late_cost if is_late else needs.cost)[jobs.place[chosen[members]]] / grid.unit_ns
        place = np.full(len(chosen), -1)
        place[members] = np.arange(len(members))
        mine = np.flatnonzero(place[owner] >= 0)
        for p, price in enumerate(needs.prices):
            rows = builder.new_rows(np.zeros(len(members)))
            builder.put(rows, part[members], 1.0)
            of = place[owner[mine]]
            builder.put(rows[of], total[:, mine], -price[:, np.newaxis] / cost[of, p])


def _add_spare(
    builder: _Builder,
    jobs: Jobs,
    classes: Classes,
    grid: _Grid,
    later: np.ndarray,
    met_later: np.ndarray,
    late: np.ndarray,
    ended_late: np.ndarray,
) -> None:
    """What jobs do that may run until the end: a stock of work by class, which grows when one comes and shrinks as it is done."""
    released_ns = jobs.release_ns[np.concatenate([later, late])]
    n_later = len(later)
    total = builder.variables(classes.widest[:, np.newaxis] * ((grid.edges_ns[-1] - released_ns) / grid.unit_ns))
    _add_cuts(builder, jobs, grid, later, met_later, total[:, :n_later], np.arange(n_later), is_late=False)
    _add_cuts(builder, jobs, grid, late, ended_late, total[:, n_later:], np.arange(len(late)), is_late=True)
    done = builder.variables(classes.tiles[:, np.newaxis] * grid.length)
    most = classes.tiles * grid.length.sum()
    stock = builder.variables(np.repeat(most[:, np.newaxis], done.shape[1] - 1, axis=1))  # nothing is left behind the last interval
    builder.put(grid.room, done, 1.0)
    rows = builder.new_rows(np.zeros(done.size), is_equal=True).reshape(done.shape)
    builder.put(rows, done, 1.0, is_equal=True)
    builder.put(rows[:, :-1], stock, 1.0, is_equal=True)
    builder.put(rows[:, 1:], stock, -1.0, is_equal=True)
    builder.put(rows[:, grid.at(released_ns)], total, -1.0, is_equal=True)


def _add_links(builder: _Builder, jobs: Jobs, met: np.ndarray, met_later: np.ndarray, ended_late: np.ndarray) -> None:
    """A job is in time at most once, and only when its parents have ended."""

    def put(rows: np.ndarray, variables: np.ndarray, value: float) -> None:
        has_one = variables >= 0
        builder.put(rows[has_one], variables[has_one], value)

    kinds = (met, met_later, ended_late)
    several = np.flatnonzero(sum((one >= 0).astype(int) for one in kinds) > 1)
    once = builder.new_rows(np.ones(len(several)))
    for one in kinds:
        put(once, one[several], 1.0)
    ended = builder.new_rows(np.zeros(len(jobs.child)))
    for one in kinds:
        put(ended, one[jobs.child], 1.0)
        put(ended, one[jobs.parent], -1.0)
    # Of a job that may be in time later: it is by `until_ns` only if each parent is, and afterwards only if one is not.
    waits = np.flatnonzero(jobs.can_meet_later[jobs.child])
    by_then = builder.new_rows(np.zeros(len(waits)))
    put(by_then, met[jobs.child[waits]], 1.0)
    put(by_then, met[jobs.parent[waits]], -1.0)
    child, of = np.unique(jobs.child[waits], return_inverse=True)
    rows = builder.new_rows(np.bincount(of, minlength=len(child)).astype(np.float64))
    put(rows, met_later[child], 1.0)
    put(rows[of], met[jobs.parent[waits]], 1.0)
