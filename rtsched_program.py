"""The program ``rtsched``, from its first moment.

Importing takes most of a second, and Ctrl-C then would end in a traceback, or in NumPy's advice about broken installations: while a
compiled module is imported, an exception becomes an ``ImportError``. So until the imports are done Ctrl-C raises nothing and ends the
process. This module lies beside the package because whatever lies in it begins with the imports.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Import the program and run it."""
    # A shell lets what it runs in the background ignore Ctrl-C; that stays so.
    is_heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heeded:
        signal.signal(signal.SIGINT, _leave)
    from rtsched.cli import main as program

    if is_heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    program()


def _leave(number: int, frame: object) -> NoReturn:
    """End the process: nothing is open yet that would have to be closed."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)
