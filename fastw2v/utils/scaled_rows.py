"""Matrices whose rows are stored in 8 or 16 bits a number, each with a scale: row i is scales[i] · values[i, :].

Vectors stored as int8 are such a matrix, and so are the unit vectors of vectors stored as int8 or float16. Parts of the
matrix are decoded to float32 when they are used, so a file that is mapped into memory is never unpacked as a whole.

The int8 matrix of a float matrix X has the scales s_i = max_j |X_ij| / 127 and the values round(X_ij / s_i). The error
of a number is at most s_i / 2.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy

__all__ = [
    "ScaledRows",
    "as_floats",
    "concat_rows",
    "decode_unscaled",
    "decoded_rows",
    "scaled_to_int8",
    "scaled_to_unit",
    "select_rows",
    "storage",
]

INT8_MAX = 127
"""The integer that represents the largest absolute value of a row."""
BLOCK = 2**20
"""Number of elements that are encoded or measured at a time."""
_HALF_BITS, _HALF_SCALE = np.int32(-0x70002000), np.float32(2.0**112)
"""Mask and factor of `_decode_half`."""
_HALF_INFINITY = 65536.0
"""The result of `_decode_half` for infinity. The result for NaN is larger."""


class ScaledRows:
    """A matrix with one scale for each row, stored as int8 or float16.

    Parameters
    ----------
    values : int8 or float16 array, shape (V, D)
        An array of any array library, used without copying.
    scales : float32 array, shape (V,)
        An array of the same library. A row whose scale is 0 is a row of zeros.

    Attributes
    ----------
    values, scales : array
        The constructor arguments of the same names.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows
    >>> rows = ScaledRows(np.array([[127, 0], [-2, 4]], np.int8), np.array([0.5, 0.25], np.float32))
    >>> rows.decoded().tolist()
    [[63.5, 0.0], [-0.5, 1.0]]
    """

    ndim = 2

    def __init__(self, values: Any, scales: Any) -> None:
        self.values, self.scales = values, scales

    def __repr__(self) -> str:
        return f"ScaledRows(shape {tuple(self.values.shape)}, {self.dtype})"

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (V, D).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> ScaledRows(np.zeros((2, 3), np.int8), np.ones(2, np.float32)).shape
        (2, 3)
        """
        V, D = self.values.shape
        return int(V), int(D)

    @property
    def size(self) -> int:
        """The number of elements, V · D.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> ScaledRows(np.zeros((2, 3), np.int8), np.ones(2, np.float32)).size
        6
        """
        V, D = self.shape
        return V * D

    @property
    def dtype(self) -> Any:
        """The dtype in which the rows are stored.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> ScaledRows(np.zeros((2, 3), np.int8), np.ones(2, np.float32)).dtype
        dtype('int8')
        """
        return self.values.dtype

    def select(self, rows: Any) -> Self:
        """Return some of the rows, in the same storage. A slice is not copied.

        Parameters
        ----------
        rows : slice, or int array, shape (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> rows = ScaledRows(np.array([[127, 0], [-2, 4]], np.int8), np.array([0.5, 0.25], np.float32))
        >>> rows.select(slice(1, 2)).decoded().tolist()
        [[-0.5, 1.0]]
        """
        return type(self)(select_rows(self.values, rows), select_rows(self.scales, rows))

    def take(self, rows: Any) -> Any:
        """Return some of the rows, decoded: float32 array, shape (n, D).

        Parameters
        ----------
        rows : int array, shape (n,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> rows = ScaledRows(np.array([[127, 0], [-2, 4]], np.int8), np.array([0.5, 0.25], np.float32))
        >>> rows.take([1, 0, 1]).tolist()
        [[-0.5, 1.0], [63.5, 0.0], [-0.5, 1.0]]
        """
        return self.select(rows).decoded()

    def decoded(self) -> Any:
        """Return all rows as a new float32 array, shape (V, D).

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.utils.scaled_rows import ScaledRows
        >>> rows = ScaledRows(np.array([[1, 2], [np.inf, 1]], np.float16), np.array([3, 0], np.float32))
        >>> rows.decoded().tolist()
        [[3.0, 6.0], [0.0, 0.0]]
        """
        if is_numpy(self.values):
            unscaled = np.empty(self.shape, np.float32)
            for start in range(0, len(self), step := max(1, BLOCK // self.shape[1])):
                decode_unscaled(self.values, start, unscaled[start : start + step])
            unscaled *= self.scales[:, None]
            return unscaled
        xp = get_namespace(self.values)
        scales = self.scales[:, None]
        return xp.where(scales == 0, 0.0, xp.astype(self.values, xp.float32)) * scales


def storage(matrix: Any) -> Any:
    """Return the array that stores a matrix: the matrix itself, or the values of `ScaledRows`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows, storage
    >>> values = np.zeros((2, 3), np.int8)
    >>> storage(values) is storage(ScaledRows(values, np.ones(2, np.float32))) is values
    True
    """
    return matrix.values if isinstance(matrix, ScaledRows) else matrix


def as_floats(matrix: Any) -> Any:
    """Return a matrix as a float array: the matrix itself, or the decoded rows of `ScaledRows`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows, as_floats
    >>> as_floats(ScaledRows(np.array([[2]], np.int8), np.array([0.5], np.float32)))
    array([[1.]], dtype=float32)
    """
    return matrix.decoded() if isinstance(matrix, ScaledRows) else matrix


def decoded_rows(matrix: Any, start: int, stop: int) -> Any:
    """Return rows of a matrix as a float array: a view of an array, or decoded rows of `ScaledRows`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows, decoded_rows
    >>> decoded_rows(ScaledRows(np.array([[2], [4]], np.int8), np.array([0.5, 0.5], np.float32)), 1, 2)
    array([[2.]], dtype=float32)
    """
    stop = min(stop, matrix.shape[0])
    return matrix.select(slice(start, stop)).decoded() if isinstance(matrix, ScaledRows) else matrix[start:stop, :]


def select_rows(matrix: Any, rows: Any) -> Any:
    """Return rows of an array or of `ScaledRows`, in the same storage. A slice is not copied.

    Parameters
    ----------
    matrix : array or ScaledRows, shape (V, ...)
    rows : slice, or int array, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import ScaledRows, select_rows
    >>> matrix = ScaledRows(np.array([[2], [4]], np.int8), np.array([0.5, 0.25], np.float32))
    >>> select_rows(matrix, slice(1)).decoded().tolist(), select_rows(matrix.scales, np.array([1, 0])).tolist()
    ([[1.0]], [0.25, 0.5])
    """
    if isinstance(matrix, ScaledRows):
        return matrix.select(rows)
    if isinstance(rows, slice):
        return matrix[rows, ...]
    if is_numpy(matrix) and not matrix.flags.carray:  # np.take would copy the whole matrix, as in backend.take_rows
        return matrix[np.asarray(rows, dtype=np.int64)]
    xp = get_namespace(matrix)
    return xp.take(matrix, xp.asarray(rows, dtype=xp.int64, device=get_device(matrix)), axis=0)


def concat_rows(first: Any, second: Any) -> Any:
    """Return the rows of two arrays, or of two `ScaledRows`, in the same storage.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import concat_rows
    >>> concat_rows(np.array([[1.0]]), np.array([[2.0]])).tolist()
    [[1.0], [2.0]]
    """
    xp = get_namespace(storage(first))
    if not isinstance(first, ScaledRows):
        return xp.concat([first, second], axis=0)
    values = xp.concat([first.values, second.values], axis=0)
    return ScaledRows(values, xp.concat([first.scales, second.scales], axis=0))


def decode_unscaled(values: np.ndarray, start: int, out: np.ndarray) -> None:
    """Write rows of int8 or float16 to a float32 array, without their scales.

    Infinity and NaN become numbers, so that their product with the scale 0 is 0.

    Parameters
    ----------
    values : int8 or float16 array, shape (V, D)
    start : int
        The first row.
    out : float32 array, shape (n, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import decode_unscaled
    >>> out = np.empty((1, 2), np.float32)
    >>> decode_unscaled(np.array([[127, 0], [-2, 4]], np.int8), 1, out)
    >>> out.tolist()
    [[-2.0, 4.0]]
    """
    rows = values[start : start + len(out)]
    if rows.dtype == np.int8:
        np.copyto(out, rows)
    else:
        _decode_half(rows, out)


def scaled_to_int8(matrix: Any) -> ScaledRows:
    """Return the int8 matrix of a float matrix, whose rows must be finite.

    Parameters
    ----------
    matrix : float array, shape (V, D)

    Returns
    -------
    ScaledRows

    Notes
    -----
    A scale is the largest absolute value of the row, divided by 127. A row whose scale is 0 or less than the smallest
    normal number of float32 becomes a row of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import scaled_to_int8
    >>> rows = scaled_to_int8(np.array([[1.0, -0.5], [0.0, 0.0]]))
    >>> rows.values.tolist(), rows.scales.tolist()
    ([[127, -64], [0, 0]], [0.00787..., 0.0])
    """
    xp, device = get_namespace(matrix), get_device(matrix)
    V, D = matrix.shape
    values = xp.empty((V, D), dtype=xp.int8, device=device)
    scales = xp.empty((V,), dtype=xp.float32, device=device)
    smallest = float(np.finfo(np.float32).tiny)
    for start in range(0, V, step := max(1, BLOCK // D)):
        stop = min(start + step, V)
        rows = xp.astype(matrix[start:stop, :], xp.float64)
        scale = xp.max(xp.abs(rows), axis=1) / INT8_MAX
        scale = xp.where(scale < smallest, 0.0, scale)
        # Rounded before it is used, so that the values fit the scale that is stored.
        stored = xp.astype(scale, xp.float32)
        divisor = xp.where(stored == 0, xp.inf, xp.astype(stored, xp.float64))
        rounded = xp.clip(xp.round(rows / divisor[:, None]), -INT8_MAX, INT8_MAX)
        values[start:stop, :] = xp.astype(rounded, xp.int8)
        scales[start:stop] = stored
    return ScaledRows(values, scales)


def scaled_to_unit(matrix: Any) -> ScaledRows:
    """Return the rows of a compact matrix scaled to unit length, in the same storage.

    Rows of zeros and rows that contain NaN or infinity become zeros.

    Parameters
    ----------
    matrix : ScaledRows, or float16 array, shape (V, D)

    Returns
    -------
    ScaledRows
        It shares the memory of the values.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.scaled_rows import scaled_to_unit
    >>> scaled_to_unit(np.array([[3, 4], [np.inf, 1]], np.float16)).decoded().round(6).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    values = storage(matrix)
    xp, device = get_namespace(values), get_device(values)
    V, D = values.shape
    scales = xp.empty((V,), dtype=xp.float32, device=device)
    plain = ScaledRows(values, scales)
    for start in range(0, V, step := max(1, BLOCK // D)):
        stop = min(start + step, V)
        if is_numpy(values):
            rows = np.empty((stop - start, D), np.float32)
            decode_unscaled(values, start, rows)
        else:
            rows = xp.astype(values[start:stop, :], xp.float32)
        directed = xp.max(xp.abs(rows), axis=1) < _HALF_INFINITY  # false for NaN as well
        rows = xp.where(directed[:, None], rows, 0.0)
        length = xp.sqrt(xp.sum(rows * rows, axis=1))
        if isinstance(matrix, ScaledRows):  # the scale changes the length only if it is 0
            length = xp.where(matrix.scales[start:stop] == 0, 0.0, length)
        scales[start:stop] = xp.where(length == 0, 0.0, 1.0 / xp.where(length == 0, 1.0, length))
    return plain


def _decode_half(values: np.ndarray, out: np.ndarray) -> None:
    """Write float16 numbers to a float32 array. Infinity and NaN become numbers of at least 65,536.

    NumPy's conversion does not use the processor's instruction and takes several times as long. The bits of a float16,
    shifted by 13, are those of a float32 that is 2^112 times smaller. After the shift, bit 15, the sign, is in bit 31
    only if the number was extended with copies of its sign, as in the conversion to int32. The mask clears the copies.
    """
    bits = out.view(np.int32)
    np.copyto(bits, values.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _HALF_BITS, out=bits)
    out *= _HALF_SCALE
