"""Rows of tables in the fused CPU kernels: copies, prefetches, and the additions of clipped and scaled steps.

Tables are indexed like flat arrays, and a row is given by the offset of its first element.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import MAX_STEP_NORM
from fastw2v.kernels.compilation import inlined
from fastw2v.kernels.simd import LANES, fma, load, prefetch, prefetch_second_level, reduce_add, splat, store

__all__ = [
    "PREFETCH_DISTANCE",
    "Private",
    "add_clipped",
    "aligned_zeros",
    "copy_row",
    "damping",
    "exchange_private",
    "is_frozen",
    "offset",
    "prefetch_row",
    "prefetch_row_second_level",
    "private_copies",
    "ring_size",
]

PREFETCH_DISTANCE = 12
"""Number of tokens, after subsampling, between the prefetch of a row and its use."""


@inlined
def aligned_zeros(size: Any, like: Any) -> Any:
    """Return zeros that start at a cache line, because a vector that crosses a cache line needs two reads."""
    buffer = np.zeros(size + LANES, like.dtype)
    skip = (-(buffer.ctypes.data // buffer.itemsize)) % LANES
    return buffer[skip : skip + size]


@inlined
def prefetch_row(W: Any, row: Any, width: Any) -> None:
    """Prefetch a row to the cache, for writing."""
    for j in range(0, width, LANES):
        prefetch(W, row + j)


@inlined
def prefetch_row_second_level(W: Any, row: Any, width: Any) -> None:
    """Prefetch a row to the second-level cache, for reading."""
    for j in range(0, width, LANES):
        prefetch_second_level(W, row + j)


class Private(NamedTuple):
    """Rows of a table that each thread trains in a private copy, so that threads rarely write to the same rows.

    The kernels number the private rows from 0 on, in the order of `rows`.
    """

    rows: Any
    """int64 array, shape (n,): the row of the table of each private row."""
    max_rate: Any
    """Float array, shape (n,): for each row, the learning rate above which its updates are scaled down."""
    first: int
    """Number that the kernels use for row 0 of the table. It is 0 if the table has its private rows at the start."""


@inlined
def private_copies(W: Any, private: Any, width: Any) -> Any:
    """Return memory for the private rows and a snapshot of them, and the integers that `offset` needs.

    The offsets of private rows are relative to W as well: they contain the distance between the two arrays in memory.
    The loops over columns therefore do not distinguish the two kinds of rows.
    """
    copies = aligned_zeros(2 * len(private.rows) * width, W)
    distance = (copies.ctypes.data - W.ctypes.data) // W.itemsize
    return copies, (len(private.rows), distance, -private.first * width)


@inlined
def offset(row: Any, width: Any, places: Any) -> Any:
    """Return the offset of a row of W, or of its private copy. `places` is the second result of `private_copies`."""
    count, distance, start = places
    return np.int64(row) * width + (distance if row < count else start)


@inlined
def exchange_private(W: Any, private: Any, copies: Any, width: Any, alpha: Any, is_first: Any) -> None:
    """Scale the updates of the private rows since the last exchange, add them to W, and read the rows again."""
    snapshot = len(copies) // 2
    for m in range(len(private.rows)):
        row = private.rows[m] * width
        factor = splat(0.0 if is_first else damping(private.max_rate, m, alpha), load(copies, 0))
        for j in range(0, width, LANES):
            a = m * width + j
            v = fma(factor, load(copies, a) - load(copies, snapshot + a), load(W, row + j))
            store(W, row + j, v)
            store(copies, a, v)
            store(copies, snapshot + a, v)


@inlined
def damping(max_rate: Any, word: Any, alpha: Any) -> Any:
    """Return the factor that scales down a step of a word's row (`fastw2v.engines.staleness`)."""
    return max_rate[word] / alpha if word < len(max_rate) and max_rate[word] < alpha else 1.0


@inlined
def is_frozen(max_rate: Any, word: Any, freeze: Any) -> Any:
    """Return whether a word's row must not be written. Even the addition of 0.0 would change −0.0 to 0.0."""
    if freeze is None:
        return False
    return word < len(max_rate) and max_rate[word] == 0


@inlined
def copy_row(W: Any, row: Any, copies: Any, at: Any, width: Any) -> None:
    """Copy a row of W to offset `at` of `copies`."""
    for j in range(0, width, LANES):
        store(copies, at + j, load(W, row + j))


@inlined
def add_clipped(W: Any, row: Any, steps: Any, at: Any, width: Any, square: Any, factor: Any) -> None:
    """Clip a step to the norm `MAX_STEP_NORM`, multiply it by `factor` and add it to a row of W.

    The lanes of `square` add up to the squared norm of the step.
    """
    length = reduce_add(square)
    if length > MAX_STEP_NORM * MAX_STEP_NORM:
        factor *= MAX_STEP_NORM / np.sqrt(length)
    if factor == 1:
        for j in range(0, width, LANES):
            store(W, row + j, load(W, row + j) + load(steps, at + j))
    else:
        shrink = splat(factor, square)
        for j in range(0, width, LANES):
            store(W, row + j, fma(shrink, load(steps, at + j), load(W, row + j)))


@inlined
def ring_size(size: Any) -> Any:
    """Return the smallest power of two ≥ `size` as the size of a ring buffer. Token i has row ``i & (ring - 1)``."""
    ring = 1
    while ring < size:
        ring *= 2
    return ring
