"""Result files: whole, or not there at all.

A file is written under a temporary name in its own folder and takes the place of the old one when it is complete, so that
whoever opens it finds the old content or the new, never a part.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rtsched.errors import InputError, reason_of

__all__ = ["STDOUT", "check_writable", "write"]

STDOUT = "-"
"""The path that stands for standard output."""


def check_writable(path: str) -> None:
    """Find out whether `write` is going to succeed, before the work whose result it is to write. Changes nothing.

    Parameters
    ----------
    path : str
        A file, or `STDOUT`.

    Raises
    ------
    rtsched.errors.InputError
    """
    with _reporting(path):
        if path == STDOUT:
            _stdout()
        elif _is_regular(path):
            temporary, descriptor = _create(Path(path).resolve())
            os.close(descriptor)
            temporary.unlink()
        elif not os.access(path, os.W_OK):
            raise PermissionError(None, "permission denied")


def write(path: str, pieces: Iterable[str | bytes]) -> None:
    """Write a file; text in UTF-8.

    Parameters
    ----------
    path : str
        A file, or `STDOUT`. A symbolic link stays and its target is replaced. What is no regular file, such as a pipe, is
        written to directly.
    pieces : iterable of str or bytes
        The content; it may be made while it is written.

    Raises
    ------
    rtsched.errors.InputError
        It cannot be written. What was there before is still there.
    BrokenPipeError
        Nobody reads the pipe any more.
    """
    with _reporting(path):
        if path == STDOUT:
            stream = _stdout()
            stream.writelines(map(_encoded, pieces))
            stream.flush()
        elif _is_regular(path):
            _replace(Path(path).resolve(), pieces)
        else:
            with Path(path).open("wb") as file:
                file.writelines(map(_encoded, pieces))


def _replace(target: Path, pieces: Iterable[str | bytes]) -> None:
    temporary, descriptor = _create(target)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(map(_encoded, pieces))
            file.flush()
            os.fsync(descriptor)  # else a crash could leave the new name with nothing in it
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _create(target: Path) -> tuple[Path, int]:
    """Create a file beside `target`, with the permissions that `target` has or would get; return its path and descriptor."""
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(None, "permission denied")  # its folder alone would let it be replaced
    temporary = target.with_name(f".rtsched-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with suppress(OSError):  # a new file, or a file system without permissions
        os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
    return temporary, descriptor


def _is_regular(path: str) -> bool:
    """Whether `path` is a regular file or not there yet."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        if path.endswith(os.sep):
            raise IsADirectoryError(None, "is a folder") from None
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(None, "is a folder")
    return stat.S_ISREG(mode)


def _stdout() -> BinaryIO:
    """Bytes, so that the text is the same in every locale."""
    if sys.stdout is None:
        raise OSError(None, "is closed")
    sys.stdout.flush()
    return sys.stdout.buffer


def _encoded(piece: str | bytes) -> bytes:
    # A file's name that is not UTF-8 may be the name of a model.
    return piece if isinstance(piece, bytes) else piece.encode("utf-8", "backslashreplace")


@contextmanager
def _reporting(path: str) -> Iterator[None]:
    """Turn failures of the operating system into faults of the path."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if path == STDOUT else path or "''"
        raise InputError(f"{name}: cannot be written: {reason_of(error)}") from error
