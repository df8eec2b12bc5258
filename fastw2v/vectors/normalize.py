"""Rows of a matrix: at unit length, in at least single precision, or some of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastw2v.backend import get_device, get_namespace

__all__ = ["at_least_single", "take_rows", "unit_rows"]


def unit_rows(matrix: Any) -> Any:
    """Return the rows at unit length; rows of zeros and rows that are not finite become zeros.

    Rows are first divided by their largest value, so that no square overflows or vanishes, and go by blocks,
    so that beside the result no second matrix is made.
    """
    xp = get_namespace(matrix)
    dtype = xp.float64 if matrix.dtype == xp.float64 else xp.float32
    unit = xp.empty(matrix.shape, dtype=dtype, device=get_device(matrix))
    block = max(1, 2**20 // matrix.shape[1])
    for start in range(0, matrix.shape[0], block):
        stop = min(start + block, matrix.shape[0])
        rows = xp.astype(matrix[start:stop, :], dtype)
        rows = xp.where(xp.all(xp.isfinite(rows), axis=1, keepdims=True), rows, xp.zeros_like(rows))
        largest = xp.max(xp.abs(rows), axis=1, keepdims=True)
        rows = rows / xp.where(largest > 0, largest, xp.ones_like(largest))
        length = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))
        unit[start:stop, :] = rows / xp.where(length > 0, length, xp.ones_like(length))
    return unit


def at_least_single(matrix: Any) -> Any:
    """Return the matrix itself, or in single precision where it has less."""
    xp = get_namespace(matrix)
    return matrix if matrix.dtype in (xp.float32, xp.float64) else xp.astype(matrix, xp.float32)


def take_rows(matrix: Any, rows: Sequence[int]) -> Any:
    """Return the rows of a matrix at these indices, in this order, as a new array, shape (n, D)."""
    xp = get_namespace(matrix)
    return xp.take(matrix, xp.asarray(rows, dtype=xp.int64, device=get_device(matrix)), axis=0)
