"""Ctrl-C during a sweep: it goes to the process that was started, which ends the others, and comes when nothing is half done."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["ctrl_c_later", "end_quietly", "start_trackers", "without_ctrl_c"]


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Let Ctrl-C come at the end of the block."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # it does not come here
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back, for ever from processes and threads that are started meanwhile."""
    with ctrl_c_later():  # which may come through another thread
        before: Any = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_trackers() -> None:
    """Start the processes that clean up behind others. Started together with these, they would let Ctrl-C through to them."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as of_loky

    resource_tracker.ensure_running()
    of_loky.ensure_running()


def end_quietly() -> None:
    """Let a process of Dask, ended while it does a run, say nothing of its client: joblib gave it one, which has no loop by then."""
    before = sys.unraisablehook

    def told(one: Any) -> None:
        if "Client.__del__" not in getattr(one.object, "__qualname__", ""):
            before(one)

    sys.unraisablehook = told
