"""Opening what users name: regular files only, so that nothing waits for a pipe or reads a device that never ends."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

__all__ = ["open_regular"]


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


def _unblocked(path: str, flags: int) -> int:
    # A pipe would wait for a writer before it could be asked what it is.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
