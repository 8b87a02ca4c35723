"""Some runs of one compiled problem, described so that any process can do them, and what comes of them.

Nothing here writes to a store: that is left to the process that holds it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rtsched.errors import InputError, PolicyError
from rtsched.overrides import Settings
from rtsched.policies.registry import configure, load_policy
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import run
from rtsched.study.stored import RunLabel, StoredRun, run_key, stored_run
from rtsched.study.sweep.pairs import Pair

__all__ = ["Batch", "Done", "Failure", "Item", "end_with", "label_settings", "run_batch"]

OWN_COLUMNS = ("scenario.load", "scenario.duration_s")
"""Settings that a label has columns for."""

WATCH_S = 0.2
"""Wall time between two looks whether the process that wants results is still there."""

MAX_POLICIES = 1000
"""Policies with settings that a process keeps."""


@dataclass(frozen=True)
class Item:
    """A run.

    Attributes
    ----------
    places : tuple of int
        In the study; the same run may be there several times.
    policy : str
        As for `rtsched.load_policy`.
    changes : mapping of path to value
        Of its roles.
    seed : int
    known : tuple of str
        Keys of stored runs that are probably this one. If its key is among them, it is not run.
    """

    places: tuple[int, ...]
    policy: str
    changes: Mapping[str, Any]
    seed: int
    known: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Runs of one problem.

    Attributes
    ----------
    sweep : str
        Different for every sweep, so that a process that serves several keeps nothing that may have changed.
    scenario, platform : str or None
        Where they are.
    names : tuple of str
        What labels call them.
    load, duration_s : float or None
        Replace the scenario's.
    settings : mapping of path to value
        Of the scenario and the platform.
    items : tuple of Item
    """

    sweep: str
    scenario: str
    platform: str | None
    names: tuple[str, str]
    load: float | None
    duration_s: float | None
    settings: Mapping[str, Any]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Failure:
    """Why a batch ended early.

    Attributes
    ----------
    kind : {"input", "policy", "memory"}
    messages : tuple of str
    """

    kind: Literal["input", "policy", "memory"]
    messages: tuple[str, ...]

    def raised(self) -> Exception:
        """The exception that it was."""
        if self.kind == "memory":
            return MemoryError()
        return InputError(self.messages) if self.kind == "input" else PolicyError("\n".join(self.messages))


@dataclass(frozen=True)
class Done:
    """What came of a batch.

    Attributes
    ----------
    runs : list of (places, key, StoredRun or None)
        None: it was among the known ones.
    wall_s : float
    failure : Failure or None
        Of the first run that is not in `runs`.
    """

    runs: list[tuple[tuple[int, ...], str, StoredRun | None]]
    wall_s: float
    failure: Failure | None = None


def run_batch(batch: Batch) -> Done:
    """Do the runs of a batch, one after the other."""
    began = time.perf_counter()
    done: list[tuple[tuple[int, ...], str, StoredRun | None]] = []
    failure = None
    where = batch.names[0] + _with(batch.settings)
    try:
        problem = _kept.problem(batch)
        for item in batch.items:
            where = f"{' on '.join(batch.names)}{_with({**batch.settings, **item.changes})}, policy {item.policy}, seed {item.seed}"
            done.append(_ran(batch, problem, item))
    except InputError as error:
        failure = Failure("input", tuple(f"{fault} ({where})" for fault in error.faults))
    except PolicyError as error:
        failure = Failure("policy", (f"{error} ({where})",))
    except MemoryError:
        failure = Failure("memory", ())
    except (Exception, SystemExit) as error:
        if not (told := _role_failure(error)):
            raise
        failure = Failure("policy", (*told, f"({where})"))
    return Done(done, time.perf_counter() - began, failure)


def end_with(parent: int) -> None:
    """Let this process end soon after the one that started it, however that ends; else it would wait for more to do, for minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="rtsched-watch", daemon=True).start()


def label_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a label has them."""
    return {path: value for path, value in Settings.of(settings).given().items() if path not in OWN_COLUMNS}


def _ran(batch: Batch, problem: Problem, item: Item) -> tuple[tuple[int, ...], str, StoredRun | None]:
    policy = _kept.policy(batch.sweep, item)
    key = run_key(problem, policy, item.seed)
    if key in item.known:
        return item.places, key, None
    began = time.perf_counter()
    outcome = run(problem, policy, seed=item.seed)
    duration_s = batch.settings.get("scenario.duration_s", batch.duration_s)
    label = RunLabel(
        *batch.names,
        policy=policy.name,
        load=problem.scenario.load,
        duration_s=problem.duration_ns * 1e-9 if duration_s is None else float(duration_s),
        seed=item.seed,
        settings=label_settings({**batch.settings, **item.changes}),
    )
    return item.places, key, stored_run(outcome, label, time.perf_counter() - began)


def _with(settings: Mapping[str, Any]) -> str:
    parts = [f"{path}={value!r:.60}" for path, value in settings.items()]
    return f" with {', '.join(parts[:8])}{', ...' if len(parts) > 8 else ''}" if parts else ""


def _role_failure(error: BaseException) -> list[str]:
    """What to tell of an exception of a Python role; tracebacks do not travel between processes."""
    from rtsched.report.failures import role_failure

    return role_failure(error)


@dataclass
class _Kept:
    """What a process keeps from batch to batch: the last problem, loaded inputs and policies of one sweep."""

    sweep: str = ""
    pairs: dict[tuple[str, str | None], Pair] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    compiled: tuple[str, Problem] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def begin(self, sweep: str) -> None:
        if sweep != self.sweep:
            self.sweep, self.compiled = sweep, None
            self.pairs.clear()
            self.policies.clear()

    def problem(self, batch: Batch) -> Problem:
        """The compiled problem of a batch."""
        with self.lock:
            self.begin(batch.sweep)
            settings = json.dumps([batch.scenario, batch.platform, batch.settings])
            if self.compiled is None or self.compiled[0] != settings:
                self.compiled = None  # before the next one is made
                pair = self.pairs.get((batch.scenario, batch.platform))
                if pair is None:
                    pair = Pair.loaded(batch.scenario, batch.platform, batch.load, batch.duration_s)
                    self.pairs[batch.scenario, batch.platform] = pair
                self.compiled = (settings, pair.compiled(batch.settings))
            return self.compiled[1]

    def policy(self, sweep: str, item: Item) -> Policy:
        """The policy of a run."""
        with self.lock:
            self.begin(sweep)
            name = json.dumps([item.policy, item.changes])
            if name not in self.policies:
                if len(self.policies) > MAX_POLICIES:
                    self.policies.clear()
                self.policies[name] = configure(load_policy(item.policy), item.changes)
            return self.policies[name]


_kept = _Kept()
