"""The parts of a study, one after the other: the most important first, since each can be the last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rtsched.study.reproduce.cells import Case, Stage
from rtsched.study.reproduce.session import Session, StageInterrupted
from rtsched.study.runner import RunsInterrupted

__all__ = ["Findings", "Part", "run_parts"]


class Findings(Protocol):
    """What is there of a study."""

    @property
    def stages(self) -> dict[str, Stage]:
        """Parts that are done, and perhaps some of the next one."""


FindingsT = TypeVar("FindingsT", bound=Findings)


def _nothing(findings: Findings, session: Session) -> None:
    pass


@dataclass(frozen=True)
class Part(Generic[FindingsT]):
    """A part of a study.

    Attributes
    ----------
    title : str
    cases : callable
        Its runs, from the findings so far.
    before, after : callable
        What else has to be found, and put into the findings.
    """

    title: str
    cases: Callable[[FindingsT], Iterable[Case]]
    before: Callable[[FindingsT, Session], None] = _nothing
    after: Callable[[FindingsT, Session], None] = _nothing


def run_parts(
    parts: Mapping[str, Part[FindingsT]], findings: FindingsT, session: Session, tell: Callable[[FindingsT, str], None]
) -> FindingsT:
    """Run what is not in the store.

    Parameters
    ----------
    parts : mapping of name to Part
        In the order in which they are done.
    findings : Findings
        Empty; it grows.
    session : Session
    tell : callable
        Called after each part with the findings so far and the name of the part. After Ctrl-C too, when new runs are there that
        belong to a part.

    Raises
    ------
    rtsched.errors.InputError, rtsched.errors.PolicyError
        As for `rtsched.study.runner.run_planned`.
    KeyboardInterrupt
        Ctrl-C. Every finished run is in the store.
    """
    for name, part in parts.items():
        part.before(findings, session)
        try:
            findings.stages[name] = session.stage(name, part.title, list(part.cases(findings)))
        except StageInterrupted as interruption:
            if session.n_new and interruption.stage.runs:
                findings.stages[name] = interruption.stage
                tell(findings, name)
            raise RunsInterrupted([], session.n_new) from None
        part.after(findings, session)
        tell(findings, name)
    return findings
