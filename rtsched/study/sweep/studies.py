"""Which runs of a store belong to which study.

Two tables beside those of the runs, made when the first study is swept into a store. What they hold depends on the studies alone,
never on when or where they were run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rtsched.documents import hint
from rtsched.errors import InputError
from rtsched.study.store import Store
from rtsched.study.stored import RunLabel
from rtsched.study.sweep.model import Study

__all__ = ["Members", "Origin", "Studies", "settings_text"]

TABLES = (
    """CREATE TABLE IF NOT EXISTS studies (
        study INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        definition TEXT NOT NULL,  -- JSON
        platforms TEXT NOT NULL,  -- JSON: names of the platforms that scenarios name
        inputs TEXT NOT NULL  -- SHA-256 over what the study is made of
    ) STRICT""",
    """CREATE TABLE IF NOT EXISTS members (
        study INTEGER NOT NULL, place INTEGER NOT NULL, run INTEGER NOT NULL,
        PRIMARY KEY (study, place)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS runs_by_label ON runs (scenario, platform, settings, load)",
)


@dataclass(frozen=True)
class Members:
    """The runs of a study that are there.

    Attributes
    ----------
    study : Study
    platforms : mapping of scenario to str
        Names of the platforms that scenarios name.
    places : ndarray of int64, shape (n_runs,)
        Ascending.
    metrics : tuple of str
    values : ndarray of float64, shape (n_metrics, n_runs)
        NaN where undefined.
    """

    study: Study
    platforms: Mapping[str, str]
    places: NDArray[np.int64] = field(repr=False)
    metrics: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)


@dataclass(frozen=True)
class Origin:
    """Where the runs of a study come from.

    Attributes
    ----------
    inputs_sha256 : str
        Over what the study is made of.
    versions : tuple of str
        Of rtsched, under which they were run.
    """

    inputs_sha256: str
    versions: tuple[str, ...]


class Studies:
    """Studies of a store.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, study: Study, platforms: Mapping[str, str], inputs: str) -> int:
        """Enter a study, or find it again; return its number.

        When it is not what it was under that name, it begins anew: runs stay, and those that belong to it are found again.
        """
        with self._store.changing() as db:
            for statement in TABLES:
                db.execute(statement)
            row = db.execute("SELECT study, inputs FROM studies WHERE name = ?", [study.name]).fetchone()
            if row is None or row[1] != inputs:
                values = (study.definition, json.dumps(platforms, ensure_ascii=False), inputs, study.name)
                if row is None:
                    added = db.execute("INSERT INTO studies (definition, platforms, inputs, name) VALUES (?, ?, ?, ?)", values)
                    return int(added.lastrowid or 0)
                db.execute("UPDATE studies SET definition = ?, platforms = ?, inputs = ? WHERE name = ?", values)
                db.execute("DELETE FROM members WHERE study = ?", [row[0]])
            return int(row[0])

    def enter(self, number: int, runs: Iterable[tuple[Sequence[int], str]]) -> None:
        """Say at which places of a study stored runs stand, by their keys."""
        with self._store.changing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO members SELECT ?, ?, run FROM runs WHERE key = ?",
                [(number, place, key) for places, key in runs for place in places],
            )

    def share_label(self, key: str, label: RunLabel) -> None:
        """Give a run that was there already the first of its own label and another one.

        Settings that change nothing make a run that others call otherwise. So what it is called does not depend on who was first.
        """
        columns = "scenario, platform, policy, load, duration_s, settings"
        values = (label.scenario, label.platform, label.policy, label.load, label.duration_s, settings_text(label.settings))
        with self._store.changing() as db:
            changed = f"UPDATE runs SET ({columns}) = (?, ?, ?, ?, ?, ?) WHERE key = ? AND ({columns}) > (?, ?, ?, ?, ?, ?)"
            db.execute(changed, (*values, key, *values))

    def at(self, number: int, first: int, end: int) -> dict[int, str]:
        """Keys of the runs that a study has at some places."""
        with self._store.reading() as db:
            query = "SELECT place, key FROM members JOIN runs USING (run) WHERE study = ? AND place >= ? AND place < ?"
            return dict(db.execute(query, [number, first, end]).fetchall())

    def known(self, label: tuple[str, str, str, float]) -> dict[tuple[str, int], list[str]]:
        """Keys by policy and seed of all runs with a scenario, platform, settings (as JSON) and load."""
        found: dict[tuple[str, int], list[str]] = {}
        with self._store.reading() as db:
            query = "SELECT policy, seed, key FROM runs WHERE scenario = ? AND platform = ? AND settings = ? AND load = ?"
            for policy, seed, key in db.execute(query, label):
                found.setdefault((policy, seed % 2**64), []).append(key)
        return found

    def names(self) -> dict[str, tuple[Study, int]]:
        """Every study by its name, with the number of its runs that are there."""
        with self._store.reading() as db:
            if not _is_made(db):
                return {}
            query = "SELECT name, definition, (SELECT count(*) FROM members AS m WHERE m.study = s.study) FROM studies AS s ORDER BY name"
            rows = db.execute(query).fetchall()
        return {name: (self._study(definition), n_runs) for name, definition, n_runs in rows}

    def members(self, name: str | None, metrics: Sequence[str]) -> Members:
        """What is there of a study.

        Parameters
        ----------
        name : str or None
            None: the only one.
        metrics : sequence of str
            None of them: those that the study names.

        Raises
        ------
        rtsched.errors.InputError
            There is no such study, or not only one.
        """
        number, definition, platforms = self._row(name)
        study = self._study(definition)
        chosen = tuple(metrics) or study.metrics
        with self._store.reading() as db:
            query = "SELECT place FROM members WHERE study = ? ORDER BY place"
            places = np.array([row[0] for row in db.execute(query, [number])], dtype=np.int64)
            values = np.full((len(chosen), len(places)), np.nan)
            query = "SELECT m.place, s.value FROM members AS m JOIN scalars AS s ON s.run = m.run WHERE m.study = ? AND s.metric = ?"
            for row, metric in enumerate(chosen):
                found = db.execute(query, [number, metric]).fetchall()
                at = np.searchsorted(places, [place for place, _ in found])
                values[row, at] = [np.nan if value is None else value for _, value in found]
        return Members(study, json.loads(platforms), places, chosen, values)

    def origin(self, name: str) -> Origin:
        """Where the runs of a study that is there come from."""
        with self._store.reading() as db:
            (number, inputs) = db.execute("SELECT study, inputs FROM studies WHERE name = ?", [name]).fetchone()
            query = "SELECT DISTINCT r.version FROM members AS m JOIN runs AS r ON r.run = m.run WHERE m.study = ? ORDER BY r.version"
            return Origin(inputs, tuple(row[0] for row in db.execute(query, [number])))

    def _row(self, name: str | None) -> tuple[int, str, str]:
        with self._store.reading() as db:
            rows = db.execute("SELECT name, study, definition, platforms FROM studies ORDER BY name").fetchall() if _is_made(db) else []
        known = [row[0] for row in rows]
        if not rows:
            raise InputError(f"{self._store.path}: holds no study; rtsched sweep runs one")
        if name is None and len(rows) > 1:
            raise InputError(f"{self._store.path}: holds several studies; choose one with --study: {', '.join(known)}")
        found = [row for row in rows if name in (None, row[0])]
        if not found:
            raise InputError(f"{self._store.path}: holds no study {name!r:.60}{hint(str(name), known, 'it holds')}")
        _, number, definition, platforms = found[0]
        return int(number), str(definition), str(platforms)

    def _study(self, definition: str) -> Study:
        try:
            return Study.of_definition(definition)
        except (ValidationError, ValueError) as error:
            raise InputError(f"{self._store.path}: a study in it cannot be read; another version of rtsched wrote it") from error


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings of a label as a store writes them."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _is_made(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'studies'").fetchone()[0])
