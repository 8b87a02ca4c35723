"""Failures become messages and exit codes here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from rtsched.errors import InputError, PolicyError, reason_of

__all__ = ["BAD_INPUT", "INTERRUPTED", "POLICY_FAILED", "Program", "complain", "failures_of"]

MAX_MESSAGES = 20
"""The most faults that are printed; a thousand would push the first ones off the terminal."""

POLICY_FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes. The last is what shells report for a program that Ctrl-C has ended."""


class Program(TyperGroup):
    """The one place where failures become messages and exit codes."""

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Read the options; typer would end without a word after Ctrl-C."""
        try:
            return super().make_context(*arguments, **extra)
        except KeyboardInterrupt:
            complain(["interrupted"])
            raise typer.Exit(INTERRUPTED) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            complain(error.faults)
            raise typer.Exit(BAD_INPUT) from None
        except PolicyError as error:
            complain([str(error), *_left_behind(error)])
            raise typer.Exit(POLICY_FAILED) from None
        except BrokenPipeError:
            raise  # typer's affair: quietly, with code 1
        except OSError as error:  # a full disk behind a redirection
            complain([f"output cannot be written: {reason_of(error)}"])
            raise typer.Exit(BAD_INPUT) from None
        except MemoryError:
            complain(["out of memory; a shorter --duration, a lower --load or smaller inputs need less"])
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            complain(["interrupted"])
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def failures_of(policy: str) -> Iterator[None]:
    """Turn what a Python role of the policy raises in a run into a `PolicyError` that tells where."""
    from rtsched.report.failures import role_failure

    try:
        yield
    except (Exception, SystemExit) as error:
        if not (told := role_failure(error, policy)):
            raise
        raise PolicyError("\n".join(told)) from error


def complain(messages: Sequence[str]) -> None:
    """Print the first messages to standard error, and how many more there are."""
    for message in messages[:MAX_MESSAGES]:
        typer.echo(message, err=True)
    if len(messages) > MAX_MESSAGES:
        typer.echo(f"and {len(messages) - MAX_MESSAGES} more", err=True)


def _left_behind(error: PolicyError) -> list[str]:
    if error.outcome is None:
        return []
    return [
        f"The run had reached {error.outcome.end_ns * 1e-9:.6g} s with {len(error.outcome.jobs)} jobs; no file was written. "
        "In Python, PolicyError.outcome holds the outcome of that part."
    ]
