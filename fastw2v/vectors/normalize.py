"""Rows of a matrix: scaling to unit length, conversion to at least single precision, selection, and protection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, on_device_of
from fastw2v.utils.scaled_rows import ScaledRows, as_floats, select_rows

__all__ = ["at_least_single", "protected_row", "read_only", "take_rows", "unit_rows"]


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
    if is_numpy(matrix) and len(matrix) == 1:
        return _unit_row(matrix[0].astype(dtype, copy=False))[None, :]
    unit = xp.empty(matrix.shape, dtype=dtype, device=get_device(matrix))
    block = max(1, 2**20 // matrix.shape[1])
    for start in range(0, matrix.shape[0], block):
        stop = min(start + block, matrix.shape[0])
        rows = xp.astype(matrix[start:stop, :], dtype)
        largest = xp.max(xp.abs(rows), axis=1, keepdims=True)  # NaN if a value is NaN
        directed = xp.isfinite(largest) & (largest > 0)
        rows = xp.where(directed, rows, 0.0) / xp.where(directed, largest, 1.0)
        length = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))
        unit[start:stop, :] = rows / xp.where(directed, length, 1.0)
    return unit


def _unit_row(row: np.ndarray) -> np.ndarray:
    """Scale one row in fewer NumPy calls than `unit_rows`, because each query scales one row. The result is equal."""
    largest = float(np.abs(row).max())
    if not 0 < largest < math.inf:
        return np.zeros_like(row)
    row = row / largest
    return row / math.sqrt((row * row).sum())


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


def take_rows(matrix: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """Return the selected rows of a matrix, in the given order, as a new array of shape (n, D).

    Rows of `ScaledRows` are decoded to float32.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import take_rows
    >>> take_rows(np.array([[1.0, 2], [3, 4], [5, 6]]), [2, 0])
    array([[5., 6.],
           [1., 2.]])
    """
    return as_floats(select_rows(matrix, rows))


def read_only(matrix: Any) -> Any:
    """Return a read-only view of a NumPy array. Arrays of other libraries have no such views and are returned as is.

    The arrays of `ScaledRows` are treated in the same way. If they are read-only, the object itself is returned.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import read_only
    >>> view = read_only(np.ones((2, 3)))
    >>> view[0, 0] = 5.0
    Traceback (most recent call last):
        ...
    ValueError: assignment destination is read-only
    """
    if isinstance(matrix, ScaledRows):
        parts = matrix.values, matrix.scales
        writeable = is_numpy(matrix.values) and any(part.flags.writeable for part in parts)
        return ScaledRows(*map(read_only, parts)) if writeable else matrix
    if not is_numpy(matrix):
        return matrix
    view = matrix.view()
    view.setflags(write=False)
    return view


def protected_row(matrix: Any, row: int) -> Any:
    """Return a row through which the matrix cannot be changed: a read-only view of a NumPy array, otherwise a copy.

    A row of `ScaledRows` is decoded to float32.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.normalize import protected_row
    >>> row = protected_row(np.array([[1.0, 2], [3, 4]]), 1)
    >>> row
    array([3., 4.])
    >>> row *= 2
    Traceback (most recent call last):
        ...
    ValueError: output array is read-only
    """
    if isinstance(matrix, ScaledRows):
        return read_only(matrix.take([row])[0, :])
    if is_numpy(matrix):
        return read_only(matrix[row])
    with on_device_of(matrix):
        return get_namespace(matrix).asarray(matrix[row, :], copy=True)
