"""Products of a large matrix with a few vectors, without the threads of the BLAS library.

OpenBLAS, the library in NumPy's wheels, divides a product among one thread per processor. The threads wait actively for
the last one. This fails in a server: if several threads of the program multiply at the same time, or if another program
uses a processor, a product can take a hundred times as long. Therefore the rows are split into blocks that are so small
that OpenBLAS multiplies each in the calling thread. A few threads of fastw2v share the blocks of a large product. They
do not wait for a thread that has no processor: the others compute its blocks.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from fastw2v.backend import is_numpy
from fastw2v.utils.system import available_processors

__all__ = ["products"]

# Numbers of multiplications up to which OpenBLAS multiplies a matrix by a vector, and by a matrix, in the calling
# thread: 2304 · 4 and 65,536 · 4.
_SERIAL_VECTOR, _SERIAL_MATRIX = 9_200, 2**18
# The limit for a vector in current versions, 115,200 · 4. For smaller products, blocks would cost more than they save.
_SMALL_VECTOR = 460_000
# Number of multiplications in a part, which is the work that a thread takes at a time: about 0.1 ms for one query.
_PART = 2**20


def products(unit: Any, queries: Any) -> Any:
    """Return ``queries @ unit.T``.

    Parameters
    ----------
    unit : float array, shape (V, D)
    queries : float array, shape (B, D)
        A few vectors. For hundreds, a single product of the BLAS library is faster.

    Returns
    -------
    float array, shape (B, V)
        The values do not depend on the number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.products import products
    >>> products(np.array([[1.0, 0], [0.8, 0.6], [0, 1]]), np.array([[0.0, 1.0]]))
    array([[0. , 0.6, 1. ]])
    """
    (V, D), B = unit.shape, queries.shape[0]
    small = V * D <= _SMALL_VECTOR if B == 1 else V * D * B <= _SERIAL_MATRIX
    if small or not is_numpy(unit) or not unit.flags.c_contiguous:
        return queries @ unit.T
    # OpenBLAS multiplies four rows at a time. With a multiple of four, it rounds as in a single product.
    height = max(1, min(_SERIAL_VECTOR, _SERIAL_MATRIX // B) // (4 * D)) * 4
    whole = V // height * height
    blocks = unit[:whole].reshape(-1, height, D)
    scores = np.empty((B, V), dtype=unit.dtype)
    if whole < V:
        np.matmul(queries, unit[whole:].T, out=scores[:, whole:])
    if B == 1:
        _share(blocks, queries[0], scores[0, :whole].reshape(-1, height))
    else:
        _share(blocks, queries.T, scores[:, :whole].reshape(B, -1, height).transpose(1, 2, 0))
    return scores


def _share(blocks: np.ndarray, factor: np.ndarray, out: np.ndarray) -> None:
    """Compute ``blocks @ factor``. Threads take parts of the blocks until none are left."""
    step = max(1, _PART // (blocks.shape[1] * factor.size))
    if len(blocks) <= step:
        np.matmul(blocks, factor, out=out)
        return
    starts = list(range(0, len(blocks), step))

    def work() -> None:
        while starts:
            try:
                start = starts.pop()
            except IndexError:  # another thread took the last part
                return
            np.matmul(blocks[start : start + step], factor, out=out[start : start + step])

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
