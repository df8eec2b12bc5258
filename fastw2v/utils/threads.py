"""A task that a few threads of the process share."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from fastw2v.utils.system import available_processors

__all__ = ["share_blocks"]


def share_blocks(compute: Callable[[int, int], None], n_blocks: int, step: int = 1) -> None:
    """Call ``compute(start, stop)`` for parts of a range. Threads take parts until none are left.

    The calling thread takes parts, too. It therefore computes all of them if the other threads have no processor or
    cannot be started. At the end, it waits for the parts that other threads have taken.

    Parameters
    ----------
    compute : callable
        Called with the bounds of each part. It gains from threads only if it releases the interpreter's lock.
    n_blocks : int
        The end of the range.
    step : int
        Number of blocks in a part.

    Raises
    ------
    Exception
        An exception that `compute` raised. Parts that no thread has taken by then are left out.

    Examples
    --------
    >>> from fastw2v.utils.threads import share_blocks
    >>> squares = [0] * 5
    >>> def compute(start, stop):
    ...     squares[start:stop] = [i * i for i in range(start, stop)]
    >>> share_blocks(compute, 5, step=2)
    >>> squares
    [0, 1, 4, 9, 16]
    """
    if n_blocks <= step:
        compute(0, n_blocks)
        return
    starts = list(range(0, n_blocks, step))
    changed = threading.Condition()
    errors: list[BaseException] = []
    taken = 0  # parts that helpers are computing

    def take(helping: bool) -> int | None:
        nonlocal taken
        with changed:
            if not starts:
                return None
            taken += helping
            return starts.pop()

    def help_out() -> None:
        nonlocal taken
        while (start := take(helping=True)) is not None:
            error = None
            try:
                compute(start, min(start + step, n_blocks))
            except BaseException as problem:
                error = problem
            with changed:
                taken -= 1
                if error is not None:
                    errors.append(error)
                    starts.clear()
                changed.notify_all()

    with contextlib.suppress(RuntimeError):  # no thread can be started, for example because the program is ending
        for _ in range(min(available_processors(), len(starts)) - 1):
            _helpers().submit(help_out)
    try:
        while (start := take(helping=False)) is not None:
            compute(start, min(start + step, n_blocks))
    finally:
        with changed:
            starts.clear()
            while not changed.wait_for(lambda: not taken, timeout=0.2):  # without a timeout, Windows ignores Ctrl-C
                pass
    if errors:
        raise errors[0]


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_processors(), "fastw2v")


if hasattr(os, "register_at_fork"):  # a forked process does not have the threads of its parent
    os.register_at_fork(after_in_child=_helpers.cache_clear)
