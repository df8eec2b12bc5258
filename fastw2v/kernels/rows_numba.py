"""Rows of tables in the fused CPU kernels: copies, prefetches, and the additions of clipped and scaled steps.

Tables are indexed like flat arrays, and a row is given by the offset of its first element.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.config import MAX_STEP_NORM
from fastw2v.kernels.compilation import inlined
from fastw2v.kernels.simd import LANES, fma, load, prefetch, reduce_add, splat, store

__all__ = [
    "PREFETCH_DISTANCE",
    "add_clipped",
    "aligned_zeros",
    "copy_row",
    "damping",
    "is_frozen",
    "prefetch_row",
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
