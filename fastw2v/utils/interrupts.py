"""Interrupts, such as Ctrl-C, that wait until a task can stop without losing its work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

__all__ = ["STOP_SIGNALS", "DeferredInterrupts", "call_in_thread", "calls_in_threads"]

R = TypeVar("R")
_calls: set[object] = set()
"""The calls of `call_in_thread` that are running."""

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP
"""Signals that ask a program to stop: Ctrl-C, `kill`, and the loss of the terminal."""


class DeferredInterrupts:
    """Context manager in which a signal that asks the program to stop waits for `raise_received`.

    Only signals with a handler written in Python are deferred, such as the default handler of Ctrl-C, which raises
    KeyboardInterrupt. A second signal is not deferred: both handlers are called at once. Outside the main thread, which
    receives all signals, the context manager does nothing.

    Parameters
    ----------
    on_deferral : callable, optional
        Function called without arguments when a signal is deferred, for example to say so.

    Attributes
    ----------
    deferring : bool
        Whether signals are deferred. It is initially False, and handlers are called at once, as usual.

    Examples
    --------
    >>> import signal
    >>> from fastw2v.utils.interrupts import DeferredInterrupts
    >>> with DeferredInterrupts() as interrupts:
    ...     interrupts.deferring = True
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("the end of a step")
    ...     try:
    ...         interrupts.raise_received()
    ...     except KeyboardInterrupt:
    ...         print("interrupted")
    the end of a step
    interrupted
    """

    def __init__(self, on_deferral: Callable[[], None] | None = None) -> None:
        self.deferring = False
        self._on_deferral = on_deferral
        self._received: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def received(self) -> bool:
        """Whether a signal is waiting.

        Examples
        --------
        >>> from fastw2v.utils.interrupts import DeferredInterrupts
        >>> DeferredInterrupts().received
        False
        """
        return self._received is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._receive:  # nobody has set another handler since
                signal.signal(number, handler)
        if kind is None:
            self.raise_received()

    def raise_received(self) -> None:
        """Call the handler of the signal that is waiting, if any. A handler usually raises an exception.

        Examples
        --------
        >>> from fastw2v.utils.interrupts import DeferredInterrupts
        >>> DeferredInterrupts().raise_received()
        """
        number, self._received = self._received, None
        if number is not None:
            self._handlers[number](number, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.deferring and self._received is None:
            self._received = number
            if self._on_deferral is not None:
                self._on_deferral()
            return
        try:
            self.raise_received()
        finally:
            self._handlers[number](number, frame)


def call_in_thread(function: Callable[..., R], *arguments: Any) -> R:
    """Call a function in a separate thread, and return its result. After Ctrl-C, do not wait for the thread.

    This is for compiled code that compiles itself when it is called. Ctrl-C raises an exception in the main thread, and
    an exception is lost if it occurs in a call from LLVM.

    Examples
    --------
    >>> from fastw2v.utils.interrupts import call_in_thread
    >>> call_in_thread(max, 1, 2)
    2
    """
    this_call = object()  # a function that refers to itself would keep the arguments in memory

    def call() -> R:
        _calls.add(this_call)
        try:
            return function(*arguments)
        finally:
            _calls.discard(this_call)

    thread = ThreadPoolExecutor(1, "fastw2v-call")
    try:
        result = thread.submit(call)
        while not wait([result], timeout=0.2).done:  # without a timeout, Windows would not notice Ctrl-C
            pass
    except BaseException:
        thread.shutdown(wait=False)
        raise
    thread.shutdown()
    return result.result()


def calls_in_threads() -> bool:
    """Return whether a call of `call_in_thread` is still running, for which Python would wait at its exit.

    Examples
    --------
    >>> from fastw2v.utils.interrupts import calls_in_threads
    >>> calls_in_threads()
    False
    """
    return bool(_calls)
