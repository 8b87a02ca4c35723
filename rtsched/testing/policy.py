"""`check_policy`: whether a policy keeps its contract, found out by running it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np

from rtsched._core.roles import NativeRole
from rtsched.errors import InputError, PolicyError, RtschedError
from rtsched.outcome import STATUSES, Outcome
from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Policy
from rtsched.problem import Problem
from rtsched.run import run
from rtsched.testing.outcome import outcome_faults
from rtsched.testing.roles import changes, overrides, snapshot, watched_policy
from rtsched.testing.waiting import waiting_faults
from rtsched.testing.workloads import small_problems

__all__ = ["PolicyFault", "check_policy", "examined_policy", "policy_faults"]

INTERRUPTED_CALL = 20
"""Of a role, in the middle of which another run is made."""

MAX_FAULTS = 3
"""Of one kind; a broken policy is broken on most problems."""

PURITY = (
    "A role reads nothing but the view, the problem and the state that start() made: no clock, no global or unseeded random numbers, "
    "no set's order, no variable of a module or class"
)
MIXES = "gave another result while another run of the same policy was under way"
OWNED = "What changes during a run belongs to the object that start(problem) returns, a new one each time"
KEEPS = "keeps an array of the view after its method has returned"
COPIES = "The buffers are used again; keep a copy"
RULES = {
    "Every run ends without an error.": ("contract", "exception"),
    "Every outcome can be what the engine's rules say.": ("outcome",),
    "No job waits beside a free accelerator, unless the mapper declares that it waits; something is dispatched.": ("waiting", "stuck"),
    "The same seed gives the same bytes again, after other runs too.": ("repeat",),
    "Roles do not change themselves, and print alike in every process.": ("change", "repr"),
    "Runs of one policy at the same time do not change each other.": ("threads",),
    "The view is neither written to nor kept.": ("writes", "keeps"),
    "Scores are numbers that can tell jobs apart.": ("scores",),
}
"""What must hold, and the kinds of faults where it does not."""

ADVICE = (
    ("score must answer shape", "one score per ready job (state.n_ready), or one per ready job and accelerator"),
    ("is nan", "for a pair that must not be dispatched, score -inf"),
    ("key must answer", "return int(...), and make sure that it is not NaN or a float"),
    ("the job is not ready", "each row may be dispatched once per call"),
    ("tiles are free", "state.free_tiles stays as it was during a call: count what you have given away"),
    ("cannot run there", "state.latency_ns is inf where a layer cannot run; a chosen subnet must be able to start there too"),
    ("must answer row numbers", "np.flatnonzero(mask) makes row numbers from a mask"),
    ("named a job twice", "a dropper names ready jobs only, by the rows of this call, each once"),
    ("drop answered row", "a dropper names ready jobs only, by the rows of this call"),
    ("must be above 0 or inf", "a cap cannot stop a layer; np.inf is no cap"),
    ("regulate must answer shape", "one cap per row of state.running"),
    ("its model has", "a selector answers an index among the subnets of the job's model"),
    ("a tuner", "let start(problem) return a new mapper with its own float64 vector `parameters`"),
)
"""Part of an error's message, and what to do."""


class PolicyFault(RtschedError, AssertionError):  # noqa: N818 - a finding about somebody's policy, not an error of a run
    """A policy does not keep its contract. One message per fault.

    Attributes
    ----------
    faults : tuple of str
        What was seen, on which problem, and what to do.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def check_policy(policy: Any, *, problems: Sequence[Problem] | None = None, seeds: Sequence[int] = (0, 1)) -> None:
    """Check that a policy keeps its contract.

    Parameters
    ----------
    policy : str, Policy or mapper
        As for `rtsched.simulate`; roles in Python or compiled.
    problems : sequence of Problem, optional
        What it is run on. Default: `rtsched.testing.small_problems`, which takes a second or so.
    seeds : sequence of int

    Raises
    ------
    PolicyFault
        With every fault; see `policy_faults`.
    InputError
        It is no policy.
    """
    if faults := policy_faults(policy, problems=problems, seeds=seeds):
        raise PolicyFault(faults)


def policy_faults(policy: Any, *, problems: Sequence[Problem] | None = None, seeds: Sequence[int] = (0, 1)) -> list[str]:
    """Find where a policy breaks its contract (docs/roles.md).

    It is run several times on every problem and seed. Each run must end without an error, its outcome must pass
    `check_outcome`, no job may wait beside a free accelerator unless the mapper says `waits`, and no role may change itself.
    The same seed must give the same bytes again, after other runs and in two threads at once. Last, Python roles are given
    views that cannot be written to and that lose their content when the call is over.

    Parameters
    ----------
    policy, problems, seeds
        As for `check_policy`.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        It is no policy, or there is no problem or seed.
    """
    return [fault for _, faults in examined_policy(policy, problems=problems, seeds=seeds) for fault in faults]


def examined_policy(
    policy: Any, *, problems: Sequence[Problem] | None = None, seeds: Sequence[int] = (0, 1)
) -> list[tuple[str, list[str]]]:
    """As `policy_faults`, by rule: each a sentence, and what was found where it does not hold."""
    chosen = load_policy(policy)
    cases = [_Case(problem, seed) for problem in (small_problems() if problems is None else problems) for seed in seeds]
    if not cases:
        raise InputError("problems, seeds: there must be at least one of each")
    found = _Found()
    before = snapshot(chosen)
    outcomes = [_attempt(case, chosen, found) for case in cases]
    worked = [(case, outcome) for case, outcome in zip(cases, outcomes, strict=True) if outcome is not None]
    for case, outcome in worked:
        _check_run(case, outcome, chosen, found)
    changed = changes(before, snapshot(chosen))
    for change in changed[:MAX_FAULTS]:
        found.add(
            "change", f"{change} after a run. A role is configuration: let start(problem) return a new object for what changes during a run"
        )
    if address := re.search(r"<.*? at 0x[0-9a-f]+>", repr(chosen)):
        found.add(
            "repr",
            f"the policy's repr holds {address[0]}, which differs in every process, and so does a run's inputs_sha256: give it a __repr__",
        )
    if worked and _check_repeats(worked, chosen, found, has_changed=bool(changed)) and not changed:
        if _check_views(worked[:: len(seeds)], chosen, found):
            _check_interleaved(worked, chosen, found)
        _check_threads(worked, chosen, found)
    return [(rule, [fault for kind in kinds for fault in found.faults.get(kind, ())]) for rule, kinds in RULES.items()]


@dataclass(frozen=True)
class _Case:
    problem: Problem
    seed: int

    def __str__(self) -> str:
        return f"on {self.problem.scenario_name!r}, seed {self.seed}"


class _Found:
    """Faults, of each kind the first few."""

    def __init__(self) -> None:
        self.faults: dict[str, list[str]] = {}

    def add(self, kind: str, fault: str) -> None:
        own = self.faults.setdefault(kind, [])
        if len(own) < MAX_FAULTS and fault not in own:
            own.append(fault)


def _attempt(case: _Case, policy: Policy, found: _Found) -> Outcome | None:
    """Run once; None when it failed."""
    try:
        return run(case.problem, policy, seed=case.seed, layers=True)
    except PolicyError as error:
        text = str(error)
        advice = next((f" - {advice}" for part, advice in ADVICE if part in text), "")
        found.add("contract", f"{case}: {text}{advice}")
    except (Exception, SystemExit) as error:  # whatever the author's code raises
        found.add("exception", f"{case}: raised {_described(error)}")
    return None


def _described(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = next((frame for frame in reversed(frames) if "numpy" not in Path(frame.filename).parts), frames[-1])
    return f"{type(error).__name__}: {error!s:.200} ({where.filename}:{where.lineno} in {where.name})"


def _check_run(case: _Case, outcome: Outcome, policy: Policy, found: _Found) -> None:
    for fault in outcome_faults(outcome):
        found.add("outcome", f"{case}: the outcome is impossible, which is a fault of rtsched or of a compiled role: {fault}")
    is_stuck = (
        not len(outcome.layers if outcome.layers is not None else ()) and (outcome.jobs["status"] == STATUSES.index("unfinished")).any()
    )
    if is_stuck:
        found.add(
            "stuck",
            f"{case}: nothing was ever dispatched, although {len(outcome.jobs)} jobs came and all tiles were free; "
            "at a decision point with free tiles the mapper must start a job, or at least some day",
        )
    elif not policy.mapper.waits:
        for fault in waiting_faults(outcome, needs_all_tiles=_may_want_tiles(policy.mapper))[:1]:
            found.add("waiting", f"{case}: {fault}. If this is meant, declare waits = True; else dispatch as long as a pair is left")


def _may_want_tiles(mapper: Any) -> bool:
    return isinstance(mapper, NativeRole) or overrides(mapper, "assign") or overrides(mapper, "tiles")


def _check_repeats(worked: Sequence[tuple[_Case, Outcome]], policy: Policy, found: _Found, *, has_changed: bool) -> bool:
    """Run everything again, in the other order; whether all is as before."""
    is_same = True
    for case, outcome in reversed(worked):
        again = _attempt(case, policy, found)
        if again is None or _bytes(again) != _bytes(outcome):
            is_same = False
            if not has_changed:
                found.add("repeat", f"{case}: the same seed gave another result after other runs{_difference(outcome, again)}. {PURITY}")
    return is_same


def _check_threads(worked: Sequence[tuple[_Case, Outcome]], policy: Policy, found: _Found) -> None:
    """Run pairs of neighbours at once."""

    def attempt(case: _Case, ready: Barrier) -> Outcome | None:
        ready.wait()
        return _attempt(case, policy, found)

    with ThreadPoolExecutor(2) as pool:
        for one, other in pairwise(worked):
            ready = Barrier(2)
            futures = [(case, outcome, pool.submit(attempt, case, ready)) for case, outcome in (one, other)]
            for case, outcome, future in futures:
                again = future.result()
                if again is None or _bytes(again) != _bytes(outcome):
                    found.add("threads", f"{case}: {MIXES}{_difference(outcome, again)}. {OWNED}")


def _check_interleaved(worked: Sequence[tuple[_Case, Outcome]], policy: Policy, found: _Found) -> None:
    """In the middle of each run, run another one: what two threads do to each other, without their chance."""
    for (case, outcome), (other, _) in pairwise(worked):
        left = iter(range(INTERRUPTED_CALL))

        def interrupt(left: Iterator[int] = left, other: _Case = other) -> None:
            if next(left, None) == INTERRUPTED_CALL - 1:
                run(other.problem, policy, seed=other.seed)

        try:
            again = run(case.problem, watched_policy(policy, interrupt)[0], seed=case.seed, layers=True)
        except Exception as error:  # whatever the author's code does with what another run has left
            found.add("threads", f"{case}: {MIXES}: {_described(error)}. {OWNED}")
            continue
        if _bytes(again) != _bytes(outcome):
            found.add("threads", f"{case}: {MIXES}{_difference(outcome, again)}. {OWNED}")


def _check_views(worked: Sequence[tuple[_Case, Outcome]], policy: Policy, found: _Found) -> bool:
    """Run with stand-ins that see what the roles do with the view; whether nothing was found."""
    for case, outcome in worked:
        watched, faults = watched_policy(policy)
        try:
            again = run(case.problem, watched, seed=case.seed, layers=True)
        except Exception as error:  # whatever the author's code does with arrays that are gone
            if isinstance(error, ValueError) and "read-only" in str(error):
                found.add(
                    "writes", f"{case}: writes into an array of the view: {_described(error)}. Copy it first: state.free_tiles.copy()"
                )
            else:
                found.add("keeps", f"{case}: {KEEPS}; with its content gone: {_described(error)}. {COPIES}")
            continue
        for fault in faults:
            found.add("scores", f"{case}: {fault}")
        if _bytes(again) != _bytes(outcome):
            found.add("keeps", f"{case}: {KEEPS}{_difference(outcome, again)}. {COPIES}")
    return not found.faults.keys() & {"writes", "keeps"}


def _bytes(outcome: Outcome) -> tuple[bytes, bytes]:
    return outcome.jobs.tobytes(), b"" if outcome.layers is None else outcome.layers.tobytes()


def _difference(one: Outcome, other: Outcome | None) -> str:
    """Where two outcomes of one problem differ first."""
    if other is None or len(one.jobs) != len(other.jobs):
        return ""
    rows = np.flatnonzero(one.jobs != other.jobs)
    if not len(rows):
        return ""
    row = rows[one.jobs["release_ns"][rows].argmin()]
    name = one.problem.task_names[one.jobs["task"][row]]
    ends = " and ".join(f"{STATUSES[o.jobs['status'][row]]} at {o.jobs['finish_ns'][row]:,} ns" for o in (one, other))
    return f": task {name!r} frame {one.jobs['frame'][row]} was {ends}"
