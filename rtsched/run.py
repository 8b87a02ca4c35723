"""Running: a problem, the frames of a seed and a policy become an outcome."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rtsched._core.loop import Engine
from rtsched._core.roles import ContractError
from rtsched._version import __version__
from rtsched.compiler import compile_problem
from rtsched.errors import FaultList, InputError, PolicyError
from rtsched.inputs import load_inputs, scenario_place
from rtsched.outcome import ENERGY_COMPONENTS, JOB_DTYPE, LAYER_DTYPE, RATE_DTYPE, Outcome
from rtsched.overrides import Settings
from rtsched.platform.platform import Platform
from rtsched.policies.registry import ROLES, configure, load_policy
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.workload.scenario import Scenario

__all__ = ["Interrupted", "check_seed", "compile", "run", "sha256_of", "simulate"]

CHUNK_S = 0.01
"""Wall time between two looks at signals, progress and the stop flag."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run; `outcome` holds what was done until then."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("interrupted")
        self.outcome = outcome


def compile(  # noqa: A001
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    *,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | Settings | None = None,
) -> Problem:
    """Compile a scenario on a platform, to run it many times.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name, a file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    duration_s, load : float, optional
        Replace the scenario's.
    settings : mapping of path to value, optional
        Replace single values of the scenario and of the platform, such as ``{"scenario.tasks.gaze.fps": 90}``. Entries of
        lists are addressed by their name or number. Relative files in values start from the folder of the scenario's or the
        platform's file.

    Returns
    -------
    Problem

    Raises
    ------
    InputError
        Every fault of the inputs at once.
    """
    inputs = load_inputs(scenario, platform, duration_s=duration_s, load=load, settings=settings)
    return compile_problem(*inputs, place=scenario_place(scenario, settings))


def simulate(
    scenario: str | Scenario,
    platform: str | Platform | None = None,
    policy: Any = "fcfs",
    *,
    seed: int = 0,
    duration_s: float | None = None,
    load: float | None = None,
    settings: Mapping[str, object] | None = None,
    layers: bool = False,
    rates: bool = False,
) -> Outcome:
    """Simulate a scenario on a platform under a policy.

    Parameters
    ----------
    scenario : str or Scenario
        A built-in name (``rtsched list scenarios``), a YAML file, or the object.
    platform : str or Platform, optional
        Default: the scenario's own.
    policy : str, Policy or mapper
        A name (``rtsched list policies``), ``path/to/file.py:NAME``, a composition, or a mapper alone.
    seed : int
        0 to 2**64 - 1. The same seed gives the same frames, whatever the policy.
    duration_s, load : float, optional
        Replace the scenario's.
    settings : mapping of path to value, optional
        As for `compile`; and of the policy's roles, such as ``{"mapper.alpha": 0.5}``.
    layers : bool
        Record every executed layer.
    rates : bool
        Record every change of what a running layer is given of the DRAM's bandwidth.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        The inputs are at fault.
    PolicyError
        The policy broke its contract; carries the outcome so far.
    Interrupted
        Ctrl-C; carries the outcome so far.
    """
    faults = FaultList()
    wanted = Settings.of(settings)
    problem = faults.of(compile, scenario, platform, duration_s=duration_s, load=load, settings=wanted.of_problem())
    chosen = faults.of(load_policy, policy)
    if chosen is not None:
        chosen = faults.of(configure, chosen, wanted.roles)
    faults.report()
    assert problem is not None
    given = wanted.given(duration_s=duration_s, load=load)
    return run(problem, chosen, seed=seed, layers=layers, rates=rates, settings=given)


def run(
    problem: Problem,
    policy: Any = "fcfs",
    *,
    seed: int = 0,
    layers: bool = False,
    rates: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    settings: Mapping[str, Any] | None = None,
    chunk_events: int | None = None,
) -> Outcome:
    """Run a compiled problem once.

    Parameters
    ----------
    problem : Problem
    policy, seed, layers, rates
        As for `simulate`.
    progress : callable, optional
        Called about every 10 ms with the simulated time and the latest possible end, both in ns.
    stop : callable, optional
        Asked about every 10 ms; the run ends where it stands when it answers True.
    settings : mapping of path to value, optional
        What was changed to make the problem and the policy, for the provenance; it changes nothing here.
    chunk_events : int, optional
        Call `progress` and `stop` after as many events each time, whatever the clock says.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError, PolicyError, Interrupted
        As for `simulate`.
    """
    check_seed(seed)
    chosen = load_policy(policy)
    # Before anything runs: what a role changes in itself must not show.
    provenance = _provenance(problem, chosen, int(seed), settings or {})
    try:
        engine = _engine(problem, chosen, int(seed), keeps_layers=layers, keeps_rates=rates)
    except ContractError as error:
        raise PolicyError(f"policy {chosen.name!r}: {error}") from error
    try:
        _drive(engine, problem, progress, stop, chunk_events)
    except KeyboardInterrupt:
        raise Interrupted(_outcome(engine, problem, provenance)) from None
    except ContractError as error:
        failure = PolicyError(f"policy {chosen.name!r}: {error}")
        failure.outcome = _outcome(engine, problem, provenance)
        raise failure from error
    finally:
        engine.close()
    return _outcome(engine, problem, provenance)


def check_seed(seed: int) -> None:
    """Refuse what is no integer from 0 to 2**64 - 1.

    Raises
    ------
    InputError
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise InputError(f"seed must be an integer from 0 to 2**64 - 1, got {seed!r:.60}")


def sha256_of(text: str) -> str:
    """SHA-256 as hexadecimal digits; text may hold what UTF-8 has not, such as parts of the names of files."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _engine(problem: Problem, policy: Policy, seed: int, **kept: bool) -> Engine:
    """Start each role once, however many places it takes in the policy."""
    started: dict[int, Any] = {}
    states: dict[str, Any] = {}
    for place in ROLES:
        role = getattr(policy, place)
        if role is not None and id(role) not in started:
            started[id(role)] = role.start(problem)
        states[place] = None if role is None else started[id(role)]
        if role is not None and states[place] is None:
            raise ContractError(f"the {place}'s start must return the state of a run, got None")
    if policy.tuner is not None and states["mapper"] is policy.mapper and getattr(policy.mapper, "parameters", None) is not None:
        raise ContractError("a tuner changes the mapper's parameters, so the mapper's start must return an object of its own")
    return Engine(problem, seed, **states, **kept)


def _drive(
    engine: Engine,
    problem: Problem,
    progress: Callable[[int, int], None] | None,
    stop: Callable[[], bool] | None,
    chunk_events: int | None,
) -> None:
    """Advance in chunks of about `CHUNK_S`, so that signals, progress and the stop flag are seen in time."""
    n_events = chunk_events or 1000
    while True:
        began = time.perf_counter()
        if engine.advance(n_events):
            return
        if chunk_events is None:
            passed = max(time.perf_counter() - began, 1e-6)
            n_events = int(min(max(n_events * min(CHUNK_S / passed, 4.0), 100), 10_000_000))
        if progress is not None:
            progress(engine.now_ns, problem.end_ns)
        if stop is not None and stop():
            return


def _outcome(engine: Engine, problem: Problem, provenance: dict[str, Any]) -> Outcome:
    """Close the engine and look at what it recorded."""
    is_complete = engine.is_done
    found = engine.close().results()
    tile_owner = np.repeat(np.arange(problem.n_accelerators), problem.accelerator_tiles)
    idle_ns = np.bincount(tile_owner, found["end_ns"] - found["busy_ns"], problem.n_accelerators)
    return Outcome(
        problem=problem,
        policy=provenance["policy"],
        seed=provenance["seed"],
        is_complete=is_complete,
        end_ns=found["end_ns"],
        jobs=found["jobs"].view(JOB_DTYPE),
        layers=None if found["layers"] is None else found["layers"].view(LAYER_DTYPE),
        rates=None if found["rates"] is None else found["rates"].view(RATE_DTYPE),
        task_energy_j=found["task_energy_j"].reshape(problem.n_tasks, len(ENERGY_COMPONENTS)),
        busy_ns=found["busy_ns"],
        idle_energy_j=idle_ns * 1e-9 * problem.idle_power_w,
        served_bytes=found["served_bytes"],
        n_layers=found["n_layers"],
        task_switches=found["task_switches"],
        task_migrations=found["task_migrations"],
        provenance=provenance,
    )


def _provenance(problem: Problem, policy: Policy, seed: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": __version__,
        "scenario": problem.scenario_name,
        "platform": problem.platform_name,
        "policy": policy.name,
        "seed": seed,
        "settings": dict(settings),
        "inputs_sha256": sha256_of(f"{problem.digest} {policy!r} {seed}"),
    }
