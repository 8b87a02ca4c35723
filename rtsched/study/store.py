"""Finished runs of studies, kept in one SQLite file.

A run is found again by its key, a SHA-256 over all that decides its result. So a study that was stopped goes on where it
stood, one that is extended runs what is new, and studies that share runs share their results.

Each run is added in one transaction: it is there with everything that belongs to it, or not at all, whenever the process ends.
Several processes may use one file.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rtsched._files import open_regular
from rtsched.errors import InputError, reason_of
from rtsched.study.stored import RunLabel, StoredRun, SubnetJobs, TaskResult

__all__ = ["SCHEMA", "Store"]

APPLICATION = 0x72747364
"""`rtsd`: SQLite's header names the program that a file belongs to."""

SCHEMA = 1
"""Version of the tables. It grows whenever they, or what is written into them, change."""

PATIENCE_S = 30.0
"""Wall time for which another process may hold the file."""

RETRY_S = 0.02

MAX_VARIABLES = 500
"""Keys in one query; SQLite takes at least 999."""

TABLES = (
    """CREATE TABLE runs (
        run INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,  -- SHA-256 over the whole input
        scenario TEXT NOT NULL,
        platform TEXT NOT NULL,
        policy TEXT NOT NULL,
        load REAL NOT NULL,
        duration_s REAL NOT NULL,
        seed INTEGER NOT NULL,  -- as a signed number: those from 2**63 on are negative
        settings TEXT NOT NULL,  -- JSON: path to value of what was changed
        version TEXT NOT NULL  -- of rtsched
    ) STRICT""",
    "CREATE TABLE scalars (run INTEGER NOT NULL, metric TEXT NOT NULL, value REAL, PRIMARY KEY (run, metric)) STRICT, WITHOUT ROWID",
    """CREATE TABLE tasks (
        run INTEGER NOT NULL, place INTEGER NOT NULL, task TEXT NOT NULL,
        n_released INTEGER NOT NULL, n_counting INTEGER NOT NULL, n_violated INTEGER NOT NULL, n_dropped INTEGER NOT NULL,
        norm_energy REAL, energy_j REAL, latency_p50_ns REAL, latency_p99_ns REAL,
        PRIMARY KEY (run, place)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE subnets (
        run INTEGER NOT NULL, place INTEGER NOT NULL, model TEXT NOT NULL, subnet TEXT NOT NULL,
        accuracy REAL,  -- per cent; NULL when unknown
        n_jobs INTEGER NOT NULL,
        PRIMARY KEY (run, place)
    ) STRICT, WITHOUT ROWID""",
    # No result: it differs from time to time.
    "CREATE TABLE clock (run INTEGER PRIMARY KEY, wall_s REAL NOT NULL) STRICT",
)

ORDER = "scenario, platform, policy, settings, load, duration_s, seed < 0, seed, key"
"""Of exported runs: by what they are, never by when they were run."""


class Store:
    """Finished runs in one file.

    Parameters
    ----------
    path : str or path
        Made if it is not there. Beside it SQLite keeps two files of its own while it is open.
    patience_s : float
        Wall time for which another process may hold the file.

    Raises
    ------
    rtsched.errors.InputError
        It cannot be written, is no store, or one of another schema. Every method raises it when the file is damaged, the disk is
        full, or another process holds the file for longer than `patience_s`.

    Attributes
    ----------
    path : Path
    n_added : int
        Runs that this object added; those of other processes do not count.

    Notes
    -----
    Threads may share a store.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience_s: float = PATIENCE_S) -> None:
        self.path = Path(path)
        self.n_added = 0
        self._patience_s = patience_s
        self._lock = threading.Lock()
        with self._reporting():
            if self.path.exists():
                open_regular(self.path).close()
            self._db = sqlite3.connect(self.path, timeout=patience_s, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._changing():
            application, schema = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            (n_tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if (application, schema, n_tables) == (0, 0, 0):
                for statement in TABLES:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA}")
            elif application != APPLICATION:
                raise InputError(f"{self.path}: is no store of runs")
            elif schema != SCHEMA:
                raise InputError(
                    f"{self.path}: is a store of schema {schema}, this version of rtsched has schema {SCHEMA}; "
                    "move the file away to begin anew, or use the version that wrote it"
                )
        with self._reporting():
            self._log_ahead()
            self._db.execute("PRAGMA synchronous = NORMAL")  # whole after a crash of the machine, though the last runs may be missing

    def _log_ahead(self) -> None:
        """Let readers and a writer not wait for each other. It needs the file alone, for which SQLite does not always wait by itself."""
        end = time.monotonic() + self._patience_s
        while self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(RETRY_S)

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reporting():
            self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._lock, self._reporting():
            return int(self._db.execute("SELECT count(*) FROM runs").fetchone()[0])

    def present(self, keys: Iterable[str]) -> set[str]:
        """Return which of the keys have a finished run."""
        wanted = list(dict.fromkeys(keys))
        with self._lock, self._reporting():
            return {row[0] for part in _parts(wanted) for row in self._among("SELECT key FROM runs", part)}

    def add(self, key: str, run: StoredRun) -> bool:
        """Add a finished run in one transaction; nothing happens when it is there already.

        Parameters
        ----------
        key : str
        run : StoredRun

        Returns
        -------
        bool
            Whether it was added.
        """
        label = run.label
        values = (
            key, label.scenario, label.platform, label.policy, label.load, label.duration_s,
            _signed(label.seed), _json(label.settings), label.version,
        )  # fmt: skip
        with self._lock:
            is_new = self._added(run, values)
            self.n_added += is_new
            return is_new

    def _added(self, run: StoredRun, values: tuple[Any, ...]) -> bool:
        with self._changing():
            added = self._db.execute(f"INSERT OR IGNORE INTO runs VALUES (NULL, {_marks(len(values))})", values)
            if not added.rowcount:
                return False
            row = added.lastrowid
            self._insert("scalars", row, [(name, _null(value)) for name, value in run.scalars.items()])
            self._insert("tasks", row, [(place, *map(_null, one.values())) for place, one in enumerate(run.tasks)])
            self._insert("subnets", row, [(place, *map(_null, one.values())) for place, one in enumerate(run.subnets)])
            self._insert("clock", row, [(run.wall_s,)])
        return True

    def load(self, keys: Sequence[str]) -> list[StoredRun | None]:
        """Return the runs of keys, in their order; None for those that are not there."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, StoredRun] = {}
        with self._lock, self._reporting():
            for part in _parts(wanted):
                found |= dict(self._read(f"WHERE key IN ({_marks(len(part))})", part))
        return [found.get(key) for key in keys]

    def runs(self) -> Iterator[tuple[str, StoredRun]]:
        """Yield every run with its key, ordered by what the runs are: stores with the same runs yield them alike."""
        with self._lock, self._reporting():
            keys = [row[0] for row in self._db.execute(f"SELECT key FROM runs ORDER BY {ORDER}")]
        for part in _parts(keys):
            for key, run in zip(part, self.load(part), strict=True):
                if run is not None:
                    yield key, run

    def _read(self, condition: str, keys: Sequence[str]) -> Iterator[tuple[str, StoredRun]]:
        """Runs with all that belongs to them."""
        runs = self._db.execute(f"SELECT * FROM runs {condition}", keys).fetchall()
        chosen = f"WHERE run IN (SELECT run FROM runs {condition})"
        scalars: dict[int, dict[str, float]] = {row[0]: {} for row in runs}
        tasks: dict[int, list[TaskResult]] = {row[0]: [] for row in runs}
        subnets: dict[int, list[SubnetJobs]] = {row[0]: [] for row in runs}
        for run, metric, value in self._db.execute(f"SELECT * FROM scalars {chosen} ORDER BY run, metric", keys):
            scalars[run][metric] = _nan(value)
        for run, _, task, *counts_and_values in self._db.execute(f"SELECT * FROM tasks {chosen} ORDER BY run, place", keys):
            tasks[run].append(TaskResult(task, *counts_and_values[:4], *map(_nan, counts_and_values[4:])))
        for run, _, model, subnet, accuracy, n_jobs in self._db.execute(f"SELECT * FROM subnets {chosen} ORDER BY run, place", keys):
            subnets[run].append(SubnetJobs(model, subnet, _nan(accuracy), n_jobs))
        clock = dict(self._db.execute(f"SELECT run, wall_s FROM clock {chosen}", keys))
        for run, key, scenario, platform, policy, load, duration_s, seed, settings, version in runs:
            if run not in clock:
                raise self.damage(f"run {key[:12]} is not whole")
            label = RunLabel(scenario, platform, policy, load, duration_s, seed % 2**64, json.loads(settings), version)
            yield key, StoredRun(label, scalars[run], tuple(tasks[run]), tuple(subnets[run]), clock[run])

    def damage(self, what: str) -> InputError:
        """What to raise when something that belongs to a run is not there."""
        return InputError(f"{self.path}: is damaged ({what}); move it away to begin anew")

    def _among(self, query: str, keys: Sequence[str]) -> sqlite3.Cursor:
        return self._db.execute(f"{query} WHERE key IN ({_marks(len(keys))})", keys)

    def _insert(self, table: str, run: int | None, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._db.executemany(f"INSERT INTO {table} VALUES (?, {_marks(len(rows[0]))})", [(run, *row) for row in rows])

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file, for those who keep more in it than runs: all of it, or nothing.

        Raises
        ------
        rtsched.errors.InputError
            As for every method.
        """
        with self._lock, self._changing():
            yield self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The file, to be read from; raises as every method does."""
        with self._lock, self._reporting():
            yield self._db

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction: all of it, or nothing."""
        with self._reporting():
            self._db.execute("BEGIN IMMEDIATE")  # waits for its turn here, not in the middle
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn failures of the file into faults of its path."""
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.path}: cannot be used as a store of runs: {reason_of(error)}") from error
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: {self._reason(error)}") from error
        except json.JSONDecodeError as error:
            raise self.damage(f"settings of a run: {error}") from error

    def _reason(self, error: sqlite3.Error) -> str:
        # The low byte is the kind; the rest says more.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"another process has been writing to it for {self._patience_s:g} s; try again when that has ended"
        if code == sqlite3.SQLITE_NOTADB:
            return "is no store of runs"
        if code == sqlite3.SQLITE_CORRUPT:
            return f"is damaged ({error}); move it away to begin anew"
        if code == sqlite3.SQLITE_CANTOPEN:
            return "cannot be opened for writing; is its folder there, and may files be made in it?"
        if code == sqlite3.SQLITE_ERROR:
            return f"is damaged or no store of runs ({error}); move it away to begin anew"
        return f"cannot be used as a store of runs: {error}"


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[first : first + MAX_VARIABLES] for first in range(0, len(keys), MAX_VARIABLES))


def _marks(n: int) -> str:
    return ", ".join("?" * n)


def _json(settings: object) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _signed(seed: int) -> int:
    return seed if seed < 2**63 else seed - 2**64


def _null(value: Any) -> Any:
    """SQLite has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
