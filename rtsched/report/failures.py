"""What is told when the code of somebody's policy fails during a run."""

from __future__ import annotations

import re
from pathlib import Path
from traceback import FrameSummary, extract_tb, format_exception_only, format_list

from rtsched.errors import RtschedError

__all__ = ["role_failure"]

PACKAGE = Path(__file__).parents[1]

MAX_FRAMES = 5


def role_failure(error: BaseException, policy: str = "") -> list[str]:
    """Tell an exception of a Python role: its frames, without those of the program around it.

    Parameters
    ----------
    error : Exception
        As caught around a run.
    policy : str
        Its name; may be empty when the exception's notes have it.

    Returns
    -------
    list of str
        Lines; none when the exception is not a role's.
    """
    frames = extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if not _is_ours(frame)), len(frames) if _is_uncallable(error) else 0)
    if isinstance(error, RtschedError) or first == 0 or not _calls_roles(frames[first - 1]):
        return []
    lines = "".join([*format_list(frames[first:][-MAX_FRAMES:]), *format_exception_only(error)])
    return [f"policy {policy!r} failed:" if policy else "a policy failed:", *lines.rstrip().split("\n")]


def _is_uncallable(error: BaseException) -> bool:
    """Whether a method takes other arguments than it is given: then no frame of it is there."""
    return isinstance(error, TypeError) and re.match(r"\S+\(\) (takes|missing|got) ", str(error)) is not None


def _is_ours(frame: FrameSummary) -> bool:
    # Cython's files have paths that start at the package.
    is_cython = frame.filename.startswith("rtsched/") and frame.filename.endswith(".pyx")
    return is_cython or Path(frame.filename).is_relative_to(PACKAGE)


def _calls_roles(frame: FrameSummary) -> bool:
    """Whether a frame of this package is one that calls roles: the bridge in a run, and what starts them before it."""
    return frame.filename.endswith("_core/bridges.pyx") or (Path(frame.filename) == PACKAGE / "run.py" and frame.name == "_engine")
