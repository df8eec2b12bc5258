"""A task that a few threads of the process share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from fastw2v.utils.system import available_processors

__all__ = ["share_blocks"]


def share_blocks(compute: Callable[[int, int], None], n_blocks: int, step: int = 1) -> None:
    """Call ``compute(start, stop)`` for parts of a range. Threads take parts until none are left.

    The calling thread does not wait for a thread that has no processor: it computes the parts itself. If no thread can
    be started, it computes all of them.

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
        The first exception that `compute` raises. Parts that no thread has taken yet are left out.

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

    def work() -> None:
        while starts:
            try:
                start = starts.pop()
            except IndexError:  # another thread took the last part
                return
            try:
                compute(start, min(start + step, n_blocks))
            except BaseException:
                starts.clear()
                raise

    helpers: list[Future[None]] = []
    n_helpers = min(available_processors(), len(starts)) - 1
    with contextlib.suppress(RuntimeError):  # no thread can be started, for example because the program is ending
        helpers.extend(_helpers().submit(work) for _ in range(n_helpers))
    work()
    for helper in helpers:
        if not helper.cancel():  # a helper that has not started is not needed
            helper.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_processors(), "fastw2v")


if hasattr(os, "register_at_fork"):  # a forked process does not have the threads of its parent
    os.register_at_fork(after_in_child=_helpers.cache_clear)
