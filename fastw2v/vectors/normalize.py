"""Rows of a matrix: scaling to unit length, conversion to at least single precision, and selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastw2v.backend import get_device, get_namespace

__all__ = ["at_least_single", "take_rows", "unit_rows"]


def unit_rows(matrix: Any) -> Any:
    """Return the rows of a matrix scaled to unit length, in at least single precision.

    Rows of zeros and rows that contain NaN or infinity become zeros.

    Parameters
    ----------
    matrix : float array, shape (V, D)

    Returns
    -------
    float32 or float64 array, shape (V, D)

    Notes
    -----
    Each row is first divided by its largest absolute value, so that squares neither overflow nor underflow. The rows
    are processed in blocks to avoid a temporary copy of the whole matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import unit_rows
    >>> unit_rows(np.array([[4.0, 3], [0, 0], [np.nan, 1]]))
    array([[0.8, 0.6],
           [0. , 0. ],
           [0. , 0. ]])
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
    """Return a matrix in at least single precision. A float32 or float64 matrix is returned without copying.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import at_least_single
    >>> print(at_least_single(np.ones((2, 3), dtype="float16")).dtype)
    float32
    """
    xp = get_namespace(matrix)
    return matrix if matrix.dtype in (xp.float32, xp.float64) else xp.astype(matrix, xp.float32)


def take_rows(matrix: Any, rows: Sequence[int]) -> Any:
    """Return the selected rows of a matrix, in the given order, as a new array of shape (n, D).

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import take_rows
    >>> take_rows(np.array([[1.0, 2], [3, 4], [5, 6]]), [2, 0])
    array([[5., 6.],
           [1., 2.]])
    """
    xp = get_namespace(matrix)
    return xp.take(matrix, xp.asarray(rows, dtype=xp.int64, device=get_device(matrix)), axis=0)
