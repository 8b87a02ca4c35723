"""Opening what users name: regular files only, so that nothing waits for a pipe or reads a device that never ends.

What a file names must lie below that file's own folder: who runs somebody else's scenario does not want it to read their files.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["ALLOW_OUTSIDE", "open_regular", "outside_fault"]

ALLOW_OUTSIDE = "RTSCHED_ALLOW_OUTSIDE"
"""The environment variable that, set to 1, lets files name files anywhere."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    binary file

    Raises
    ------
    OSError
        It cannot be opened, or is no regular file.
    ValueError
        The path holds a null character.
    """
    file = open(path, "rb", opener=_unblocked)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(None, "must be a regular file")
    return file


def outside_fault(folder: str | os.PathLike[str], named: str) -> str | None:
    """Say why a file that another one names is not opened: it is not below that one's folder, or messages could not show its name.

    Parameters
    ----------
    folder : str or path
        Of the file that names it.
    named : str
        As it stands there. Links are followed: one that leads out is outside.

    Returns
    -------
    str or None
        None where it may be opened; with the environment's consent from anywhere.
    """
    if not named.isprintable():
        return "holds a character that cannot be printed"
    if os.environ.get(ALLOW_OUTSIDE) == "1":
        return None
    if Path(os.path.realpath(Path(folder, named))).is_relative_to(os.path.realpath(folder)):
        return None
    return f"is not below the folder of the file that names it; {ALLOW_OUTSIDE}=1 in the environment allows it"


def _unblocked(path: str, flags: int) -> int:
    # A pipe would wait for a writer before it could be asked what it is.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
