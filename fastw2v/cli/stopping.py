"""Stopping of commands: by Ctrl-C, by a signal such as SIGTERM, or because a time limit is reached."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from fastw2v.utils.interrupts import STOP_SIGNALS

__all__ = ["TIME_LIMIT", "Stopped", "stop_after", "stopping_once"]

TIME_LIMIT = 124
"""Exit status after the time limit, as for the command ``timeout``. After a signal, it is 128 plus its number."""


class Stopped(KeyboardInterrupt):
    """Raised in a command that was asked to stop.

    Attributes
    ----------
    status : int
        The exit status of the command.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def stopping_once() -> Iterator[None]:
    """Context manager in which the first signal to stop raises `Stopped`, and the second one ends the process at once.

    A signal that the caller of the process ignores, such as SIGHUP under ``nohup``, is still ignored.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            os._exit(128 + number)
        stopped = True
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        raise Stopped(f"interrupted by {name}", 128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stop_after(seconds: float | None, limit: str) -> Iterator[None]:
    """Context manager that raises `Stopped` after some seconds, at the point where Ctrl-C would raise it.

    Parameters
    ----------
    seconds : float, optional
        If None, there is no limit.
    limit : str
        The limit as the user wrote it, for the message.
    """
    main = threading.main_thread()
    if seconds is None or threading.current_thread() is not main:
        yield
        return
    number = signal.SIGTERM  # on Windows, it cannot be confused with Ctrl-C
    terminate = signal.getsignal(number)
    expired = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal expired
        if expired:
            expired = False
            raise Stopped(f"the time limit of {limit} was reached", TIME_LIMIT)
        if callable(terminate):
            terminate(number, frame)

    def expire() -> None:
        nonlocal expired
        expired = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main.ident or 0, number)
        else:
            _thread.interrupt_main(number)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    signal.signal(number, stop)
    timer.start()
    try:
        yield
    finally:
        try:
            timer.cancel()
            timer.join()  # it may be sending its signal, which the previous handler must not receive
        finally:
            signal.signal(number, terminate)
