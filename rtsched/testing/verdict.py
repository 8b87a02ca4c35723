"""What ``rtsched check`` answers about a saved outcome or a policy."""

from __future__ import annotations

from dataclasses import dataclass

from rtsched.outcome import Outcome
from rtsched.policies.registry import load_policy
from rtsched.saved import load_outcome
from rtsched.testing.outcome import examined
from rtsched.testing.policy import examined_policy
from rtsched.testing.workloads import small_problems

__all__ = ["Verdict", "judge"]

SUFFIX = ".npz"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Verdict:
    """What was examined, by which rules, and what was found.

    Attributes
    ----------
    subject : str
        One line.
    rules : tuple of (str, tuple of str)
        What must hold, in a sentence, and the faults where it does not.
    note : str
        What could not be examined; may be empty.
    """

    subject: str
    rules: tuple[tuple[str, tuple[str, ...]], ...]
    note: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """Of all rules."""
        return tuple(fault for _, faults in self.rules for fault in faults)

    @property
    def is_sound(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def __str__(self) -> str:
        n = len(self.faults)
        found = "no fault found" if not n else f"{n} {'fault' if n == 1 else 'faults'} found:"
        # Where something is wrong, not every rule may have been examined.
        holds = "ok" if self.is_sound else ""
        lines = [self.subject, "", *(f"{'FAULT' if faults else holds:5}  {rule}" for rule, faults in self.rules), ""]
        lines += [self.note, ""] if self.note else []
        return "\n".join([*lines, found, *(f"  {fault}" for fault in self.faults)])


def judge(what: str) -> Verdict:
    """Examine a saved outcome or a policy.

    Parameters
    ----------
    what : str
        A file that `Outcome.save` wrote, whose name ends in ``.npz``; else a policy as for `rtsched.load_policy`: a name, or
        ``path/to/file.py:NAME``.

    Returns
    -------
    Verdict
        ``str(verdict)`` is what to print.

    Raises
    ------
    rtsched.errors.InputError
        There is no such file or policy, or the file is damaged.
    """
    if what.lower().endswith(SUFFIX):
        return _of_outcome(what, load_outcome(what))
    return _of_policy(what)


def _of_outcome(path: str, outcome: Outcome) -> Verdict:
    problem, n_layers = outcome.problem, "no" if outcome.layers is None else f"{len(outcome.layers):,}"
    subject = (
        f"{path}: {problem.scenario_name} on {problem.platform_name}, policy {outcome.policy}, seed {outcome.seed}"
        f"{'' if outcome.is_complete else ', stopped early'}; {len(outcome.jobs):,} jobs, {n_layers} layers"
    )
    rules = tuple((rule, tuple(faults)) for rule, faults in examined(outcome))
    note = "No layers were recorded: paths, tiles, times of layers and bandwidth were not examined." if outcome.layers is None else ""
    return Verdict(subject, rules, note)


def _of_policy(name: str) -> Verdict:
    load_policy(name)
    problems = ", ".join(problem.scenario_name for problem in small_problems())
    subject = f"policy {name}, on the problems {problems}; seeds {', '.join(map(str, SEEDS))}"
    return Verdict(subject, tuple((rule, tuple(faults)) for rule, faults in examined_policy(name, seeds=SEEDS)))
