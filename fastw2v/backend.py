"""Array backends: array namespaces, copies between devices, and operations missing from the array API.

There is no global device. Functions use the library and the device of their inputs, and return their results on that
device. Outside the CUDA engine, this is the only module that imports CuPy.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

__all__ = [
    "WeightedRows",
    "array_module",
    "boolean_mask",
    "check_device",
    "context_weights",
    "cross_entropy",
    "cuda_problem",
    "device_index",
    "free_device_memory",
    "get_device",
    "get_namespace",
    "has_row_kernels",
    "is_cupy",
    "is_numpy",
    "on_device_of",
    "pool_weights",
    "row_dots",
    "scatter_add",
    "set_rows",
    "subtract_row_sums",
    "take_rows",
    "to_device",
    "to_host",
    "top_k",
    "unique_inverse",
    "weighted_sums",
]

SOURCE = Path(__file__).with_name("backend.cu")
"""The CUDA source of the kernels that process whole rows of CuPy arrays."""
BLOCK_THREADS = 256
"""Threads in a block of these kernels."""
MAX_BLOCKS = 1 << 20
"""Maximum number of blocks in a launch. Each block then processes several parts of the data."""
MAX_ENTRIES = (1 << 31) - 1
"""Maximum number of ids whose rows `subtract_row_sums` sums, because they are numbered with 32-bit integers."""


def get_namespace(*arrays: Any) -> Any:
    """Return the array-API namespace of one or more arrays.

    Parameters
    ----------
    *arrays : array
        Arrays of a single library, for example NumPy, CuPy or ``array_api_strict``.

    Returns
    -------
    module
        The module with the library's implementation of the array API.

    Raises
    ------
    TypeError
        If no argument is an array, or if the arrays belong to different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import get_namespace
    >>> x = np.array([1.0, 2.0])
    >>> xp = get_namespace(x)  # CuPy if x is a CuPy array
    >>> xp.concat([x, x]).tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    if all(type(array) is np.ndarray for array in arrays) and arrays:
        return _numpy_namespace()  # same as the next line but faster, which matters for small batches
    return array_api_compat.array_namespace(*arrays)


def get_device(array: Any) -> Any:
    """Return the device of an array, as represented by the array's library.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import get_device
    >>> get_device(np.zeros(3))
    'cpu'
    """
    return array_api_compat.device(array)


def is_numpy(array: Any) -> bool:
    """Return whether `array` is a NumPy array.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import is_numpy
    >>> is_numpy(np.zeros(3)), is_numpy([0.0, 0.0, 0.0])
    (True, False)
    """
    return isinstance(array, np.ndarray)


def is_cupy(array: Any) -> bool:
    """Return whether `array` is a CuPy array, without importing CuPy.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import is_cupy
    >>> is_cupy(np.zeros(3))
    False
    """
    return array_api_compat.is_cupy_array(array)


def on_device_of(array: Any) -> AbstractContextManager[Any]:
    """Return a context manager in which new arrays are created on the device of `array`.

    CuPy creates arrays on the current device, even if a `device` argument is passed to array-api-compat. For a CuPy
    array, the context manager makes the device of `array` the current device. For other arrays, it does nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import get_device, get_namespace, on_device_of
    >>> x = np.zeros(3)
    >>> with on_device_of(x):
    ...     y = get_namespace(x).ones(5)
    >>> get_device(y) == get_device(x)
    True
    """
    return array.device if not is_numpy(array) and is_cupy(array) else nullcontext()


def cuda_problem() -> str | None:
    """Return the reason why no CUDA device can be used, or None if a device can be used.

    CuPy is imported if it is installed.

    Examples
    --------
    >>> from fastw2v.backend import array_module, cuda_problem
    >>> device = "cpu" if cuda_problem() else "cuda"
    >>> float(array_module(device).ones(3).sum())
    3.0
    """
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed (pip install 'fastw2v[cuda12]' or [cuda13])"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # a broken driver or CuPy can raise any exception, which must not affect the CPU
        return f"CuPy is installed but finds no usable CUDA device: {type(error).__name__}: {error}"
    return None if count else "CuPy is installed but there is no CUDA device"


def array_module(device: str = "cpu") -> Any:
    """Return the array-API namespace of `device`: NumPy for a CPU, CuPy for a GPU.

    Parameters
    ----------
    device : {"cpu", "cuda", "cuda:N"}
        "cuda" is the current CUDA device.

    Returns
    -------
    module

    Raises
    ------
    ValueError
        If `device` does not have one of these forms.
    RuntimeError
        If the device cannot be used. The message gives the reason.

    Examples
    --------
    >>> from fastw2v.backend import array_module
    >>> array_module("cpu").arange(3).tolist()
    [0, 1, 2]
    """
    index = device_index(device)
    if device == "cpu":
        return _numpy_namespace()
    if problem := cuda_problem():
        raise RuntimeError(f"device {device!r} cannot be used: {problem}")
    import array_api_compat.cupy as cp

    count = cp.cuda.runtime.getDeviceCount()
    if index is not None and index >= count:
        there = "there is one CUDA device, 'cuda:0'"
        if count != 1:
            there = f"there are {count} CUDA devices, 'cuda:0' to 'cuda:{count - 1}'"
        raise RuntimeError(f"device {device!r} cannot be used: {there}")
    return cp


def free_device_memory(device: str = "cuda") -> int:
    """Return the number of bytes that can be allocated on a GPU, including the unused part of CuPy's memory pool.

    Parameters
    ----------
    device : {"cuda", "cuda:N"}
    """
    import cupy

    with cupy.cuda.Device(device_index(device)):
        return int(cupy.cuda.runtime.memGetInfo()[0]) + int(cupy.get_default_memory_pool().free_bytes())


def to_host(array: Any) -> np.ndarray:
    """Return `array` as a NumPy array, copying only if necessary.

    GPU work is asynchronous, but this call synchronises with the device. In training, only this function and
    `boolean_mask` synchronise.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import to_host
    >>> x = np.ones(3)
    >>> to_host(x) is x  # a GPU array is copied
    True
    """
    if is_numpy(array):
        return array
    if isinstance(array, np.generic):  # the result of NumPy operations on zero-dimensional arrays
        return np.asarray(array)
    if is_cupy(array):
        return array.get()
    try:
        return np.from_dlpack(array)
    except (AttributeError, BufferError, TypeError, RuntimeError):
        return np.asarray(array)


def to_device(array: Any, device: str = "cpu") -> Any:
    """Return `array` on `device`, copying only if necessary.

    Parameters
    ----------
    array : array
        An array of any library.
    device : {"cpu", "cuda", "cuda:N"}

    Returns
    -------
    array
        A NumPy array for "cpu", otherwise a CuPy array.

    Raises
    ------
    ValueError
        If `device` does not have one of these forms.
    RuntimeError
        If the device cannot be used. The message gives the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import to_device
    >>> to_device(np.arange(3), "cpu").tolist()
    [0, 1, 2]
    """
    xp = array_module(device)
    if device == "cpu":
        return to_host(array)
    import cupy

    index = device_index(device)
    if is_cupy(array) and index in (None, array.device.id):
        return array
    with cupy.cuda.Device(index):
        return xp.asarray(array if is_cupy(array) else to_host(array))


def top_k(values: Any, k: int) -> tuple[Any, Any]:
    """Return the `k` largest values along the last axis and their indices, largest first.

    Parameters
    ----------
    values : float array, shape (..., N)
    k : int
        Number of values to return, from 0 to N.

    Returns
    -------
    values : array, shape (..., k)
    indices : int array, shape (..., k)
        Equal values are ordered by index if the library sorts stably, as NumPy does.

    Raises
    ------
    ValueError
        If `k` is negative or greater than N.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import top_k
    >>> values, indices = top_k(np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.8]]), 2)
    >>> values.tolist()
    [[0.9, 0.5], [0.8, 0.7]]
    >>> indices.tolist()
    [[1, 2], [2, 0]]
    """
    xp = get_namespace(values)
    n = values.shape[-1]
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise TypeError(f"top_k: k is {k!r:.80} of type {type(k).__name__}; it must be a whole number")
    if not 0 <= k <= n:
        raise ValueError(f"top_k: k is {k}, but the last axis has {n} elements")
    if hasattr(xp, "argpartition") and k < n // 4:
        # Selection is O(N). Sorting only the k selected values is several times faster than a full sort. If several
        # values equal the k-th largest, the choice among them is arbitrary. The selected values are sorted stably.
        selected = xp.sort(xp.argpartition(-values, k, axis=-1)[..., :k], axis=-1)
        best = xp.take_along_axis(values, selected, axis=-1)
        order = xp.argsort(-best, axis=-1, stable=True)
        return xp.take_along_axis(best, order, axis=-1), xp.take_along_axis(selected, order, axis=-1)
    order = xp.argsort(-values, axis=-1, stable=True)[..., :k]
    return xp.take_along_axis(values, order, axis=-1), order


def boolean_mask(values: Any, mask: Any) -> Any:
    """Return the elements of `values` for which `mask` is True.

    Parameters
    ----------
    values : array, shape (N,)
    mask : bool array, shape (N,)

    Returns
    -------
    array, shape (M,)
        M is the number of True elements in `mask`.

    Notes
    -----
    The size of the result depends on the data, so this call synchronises with a GPU.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import boolean_mask
    >>> boolean_mask(np.array([7, 8, 9]), np.array([True, False, True])).tolist()
    [7, 9]
    """
    return values[mask]


def unique_inverse(ids: Any) -> tuple[Any, Any]:
    """Return the sorted unique ids and, for each id, its index among the unique ids.

    Parameters
    ----------
    ids : int array, shape (N,)

    Returns
    -------
    unique : int array, shape (U,)
    inverse : int array, shape (N,)
        ``unique[inverse]`` equals `ids`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import unique_inverse
    >>> unique, inverse = unique_inverse(np.array([5, 2, 5, 9]))
    >>> unique.tolist(), inverse.tolist()
    ([2, 5, 9], [1, 0, 1, 2])
    """
    if is_numpy(ids):
        return np.unique(ids, return_inverse=True)  # array-api-compat is slower, because it inspects signatures
    return tuple(get_namespace(ids).unique_inverse(ids))


class WeightedRows(NamedTuple):
    """Rows to be added to a table: ``table[ids[i]] += weights[i] * rows[i // repeats]`` for each i.

    Each row is used for `repeats` entries in succession. The products of weights and rows are not stored.
    """

    ids: Any
    """Integer array, shape (N,). Negative ids are padding, whose rows are ignored."""
    rows: Any
    """Float array, shape (N / repeats, D)."""
    weights: Any = None
    """Float array, shape (N,), or None if all weights are 1."""

    def products(self) -> Any:
        """Return the weighted row of each entry. With weights, it is zero at padding.

        Returns
        -------
        float array, shape (N, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.backend import WeightedRows
        >>> WeightedRows(np.array([5, 7, -1, 5]), np.array([[1.0], [2.0]]), np.array([3.0, 4.0, 5.0, 6.0])).products()
        array([[ 3.],
               [ 4.],
               [ 0.],
               [12.]])
        """
        xp = get_namespace(self.rows)
        N, (M, D) = self.ids.shape[0], self.rows.shape
        if self.weights is None:
            if N == M:
                return self.rows
            return xp.reshape(xp.broadcast_to(self.rows[:, None, :], (M, N // M, D)), (N, D))
        weights = xp.where(self.ids < 0, 0.0, self.weights)
        return xp.reshape(xp.reshape(weights, (M, -1, 1)) * self.rows[:, None, :], (N, D))


def take_rows(table: Any, ids: Any) -> Any:
    """Return ``table[ids]``, with rows of zeros at negative ids.

    Parameters
    ----------
    table : float array, shape (V, D)
    ids : integer array, any shape
        At most V − 1, which is not checked on a GPU. Negative ids are padding.

    Returns
    -------
    float array, shape ids.shape + (D,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import take_rows
    >>> take_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, -1, 0])).tolist()
    [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    """
    if has_row_kernels(table):
        out = _empty_cupy((*ids.shape, table.shape[1]), table.dtype)
        ids = _cupy_ids(ids)
        _launch("take_rows", (out, table, ids, ids.size, table.shape[1]), ids.size, table.dtype, ids, (out, table))
        return out
    padding = ids < 0
    if is_numpy(table):
        flat = np.where(padding, 0, ids)
        # np.take would copy a whole table that is not contiguous and aligned, such as one with padded rows.
        rows = np.take(table, flat, axis=0) if table.flags.carray else table[flat]
        if padding.any():
            rows[padding] = 0.0
        return rows
    xp = get_namespace(table)
    flat = xp.reshape(xp.where(padding, 0, ids), (-1,))
    rows = xp.reshape(xp.take(table, flat, axis=0), (*ids.shape, table.shape[1]))
    return xp.where(padding[..., None], 0.0, rows)


def weighted_sums(table: Any, ids: Any, weights: Any) -> Any:
    """Return weighted sums of rows, ``out[..., :] = Σ_k weights[..., k] * table[ids[..., k], :]``.

    On CuPy, the rows are not copied.

    Parameters
    ----------
    table : float array, shape (V, D)
    ids : integer array, shape (..., K)
        At most V − 1, which is not checked on a GPU. Negative ids are padding.
    weights : float array, shape (..., K)

    Returns
    -------
    float array, shape (..., D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import weighted_sums
    >>> table = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> weighted_sums(table, np.array([[0, 1], [1, -1]]), np.array([[1.0, 2.0], [1.0, 1.0]])).tolist()
    [[7.0, 10.0], [3.0, 4.0]]
    """
    if has_row_kernels(table):
        *shape, K = ids.shape
        out = _empty_cupy((*shape, table.shape[1]), table.dtype)
        ids, weights = _cupy_ids(ids), _cupy_contiguous(weights, table.dtype)
        n = math.prod(shape)
        arguments = (out, table, ids, weights, n, K, table.shape[1])
        _launch("weighted_sums", arguments, n, table.dtype, ids, (out, table))
        return out
    xp = get_namespace(table)
    return xp.matmul(weights[..., None, :], take_rows(table, ids))[..., 0, :]


def row_dots(table: Any, ids: Any, h: Any) -> Any:
    """Return the dot products of vectors with rows, ``out[..., k] = h[..., :] · table[ids[..., k], :]``.

    On CuPy, the rows are not copied.

    Parameters
    ----------
    table : float array, shape (V, D)
    ids : integer array, shape (..., K)
        At most V − 1, which is not checked on a GPU. Negative ids are padding, for which the result is 0.
    h : float array, shape (..., D)

    Returns
    -------
    float array, shape (..., K)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import row_dots
    >>> table = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> row_dots(table, np.array([[0, 1, -1]]), np.array([[1.0, 10.0]])).tolist()
    [[21.0, 43.0, 0.0]]
    """
    if has_row_kernels(table):
        out = _empty_cupy(ids.shape, table.dtype)
        ids, h = _cupy_ids(ids), _cupy_contiguous(h, table.dtype)
        arguments = (out, table, ids, h, ids.size, ids.shape[-1], table.shape[1])
        _launch("row_dots", arguments, ids.size, table.dtype, ids, (table, h))
        return out
    xp = get_namespace(table)
    return xp.matmul(take_rows(table, ids), h[..., None])[..., 0]


def scatter_add(target: Any, ids: Any, rows: Any, weights: Any = None) -> None:
    """Add ``rows[i]`` to ``target[ids[i]]`` for every i, in place; repeated ids accumulate.

    This is the backward pass of an embedding: ``dW[v]`` is the sum of ``drows[i]`` over all i with ``ids[i] == v``. The
    array API does not define this operation.

    Parameters
    ----------
    target : float array, shape (V, D)
        Modified in place.
    ids : integer array, shape (N,)
        At most V − 1. The range is not checked, because this function runs in the inner loop. Negative ids are padding,
        whose rows are ignored.
    rows : float array, shape (N, D), or (N / n, D) for a number n
        With fewer rows than ids, each row is used for n ids in succession.
    weights : float array, shape (N,), optional
        Factors of the rows. By default, all are 1.

    Notes
    -----
    NumPy: `np.add.at` has a fast path only for one-dimensional indices, so the rows are added element by element to the
    flattened target. At every size tried (``python -m benchmarks --only operations``), this is 5 times faster than
    `np.add.at` on rows and more than twice as fast as sorting followed by `np.add.reduceat`. A product with a SciPy
    sparse matrix is even faster from about 1,000 rows on, but would make SciPy a dependency of the layers.

    CuPy: a kernel of ``backend.cu`` adds whole rows with atomic operations, so the order of additions is not fixed. The
    products of weights and rows are not stored.

    Other libraries: rows are added one by one, because the array API offers no faster way.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import scatter_add
    >>> target = np.zeros((3, 2))
    >>> scatter_add(target, np.array([0, 2, 0]), np.array([[1.0, 2.0], [5.0, 5.0], [10.0, 20.0]]))
    >>> target.tolist()
    [[11.0, 22.0], [0.0, 0.0], [5.0, 5.0]]

    The same row for two ids, with weights 1 and 10:

    >>> scatter_add(target, np.array([1, 2]), np.array([[1.0, 2.0]]), np.array([1.0, 10.0]))
    >>> target.tolist()
    [[11.0, 22.0], [1.0, 2.0], [15.0, 25.0]]
    """
    if has_row_kernels(target):
        _add_rows_cupy(target, WeightedRows(ids, rows, weights))
        return
    if weights is not None or ids.shape[0] != rows.shape[0]:
        rows = WeightedRows(ids, rows, weights).products()
    if is_numpy(target):
        _scatter_add_numpy(target, ids, rows)
    elif is_cupy(target):
        import cupy

        padding = ids < 0  # a table that the kernels cannot process, for example the transpose of an array
        cupy.add.at(target, cupy.where(padding, 0, ids), cupy.where(padding[:, None], 0, rows).astype(target.dtype))
    else:
        for i in range(ids.shape[0]):
            if int(ids[i]) >= 0:
                target[int(ids[i]), ...] += rows[i, ...]


def set_rows(target: Any, ids: Any, rows: Any) -> None:
    """Set ``target[ids[i]]`` to ``rows[i]`` for every i, in place.

    If an id is repeated, its rows must be equal. The array API does not define assignment by an integer array, so rows
    are written one by one for libraries other than NumPy and CuPy.

    Parameters
    ----------
    target : array, shape (V, D)
        Modified in place.
    ids : integer array, shape (N,)
        Negative ids are padding, whose rows are ignored.
    rows : array, shape (N, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import set_rows
    >>> target = np.zeros((3, 2))
    >>> set_rows(target, np.array([2, 0]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> target.tolist()
    [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    """
    if has_row_kernels(target):
        ids, rows = _cupy_ids(ids), _cupy_contiguous(rows, target.dtype)
        arguments = (target, ids, rows, ids.size, target.shape[1])
        _launch("set_rows", arguments, ids.size, target.dtype, ids, (target, rows))
    elif is_numpy(target) or is_cupy(target):
        if not is_numpy(target) or (ids < 0).any():
            present = ids >= 0
            ids, rows = ids[present], rows[present]
        target[ids] = rows
    else:
        for i in range(ids.shape[0]):
            if int(ids[i]) >= 0:
                target[int(ids[i]), ...] = rows[i, ...]


def has_row_kernels(table: Any) -> bool:
    """Return whether the kernels of ``backend.cu`` can process the rows of a table.

    Parameters
    ----------
    table : array

    Returns
    -------
    bool
        True for CuPy arrays of float32 or float64 on the current device, with two dimensions in C order.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import has_row_kernels
    >>> has_row_kernels(np.zeros((3, 2)))
    False
    """
    return _can_launch_on(table) and table.ndim == 2 and table.flags.c_contiguous


def subtract_row_sums(target: Any, parts: Sequence[WeightedRows], rate: float, max_norm: float) -> None:
    """Subtract `rate` times the sum of the rows of each id from a table of CuPy, with a bound on the norm of the sums.

    Parameters
    ----------
    target : float array, shape (V, D)
        A table for which `has_row_kernels` is True. Modified in place.
    parts : sequence of WeightedRows
        The sum of an id includes its rows in all parts.
    rate : float
    max_norm : float
        A sum with a larger norm is scaled down to this norm before it is multiplied by `rate`.

    Raises
    ------
    ValueError
        If the parts have more than `MAX_ENTRIES` ids.

    Notes
    -----
    The sums are computed without sorting the ids and without waiting for the device. Only the rows of distinct ids are
    stored; see ``backend.cu``.
    """
    parts = [WeightedRows(_cupy_ids(part.ids), *part[1:]) for part in parts if part.ids.shape[0]]
    N = sum(part.ids.size for part in parts)
    if N > MAX_ENTRIES:
        raise ValueError(f"a gradient of {N:,} rows is too large; at most {MAX_ENTRIES:,} are possible")
    if not N:
        return
    V, D = target.shape
    id_type = max((part.ids.dtype for part in parts), key=lambda dtype: dtype.itemsize)
    parts = [part._replace(ids=part.ids.astype(id_type, copy=False)) for part in parts]
    sums, distinct = _empty_cupy((min(N, V), D), target.dtype), _empty_cupy((min(N, V),), id_type)
    last, places, count = (_empty_cupy((size,), np.int32) for size in (V, V, 1))
    first = 0
    for part in parts:
        n = part.ids.size
        _launch("mark_rows", (last, count, part.ids, first, n), -(-n // 32), target.dtype, part.ids, (sums,))
        first += n
    first = 0
    for part in parts:
        n = part.ids.size
        arguments = (sums, distinct, places, count, last, part.ids, first, n, D)
        _launch("number_rows", arguments, n, target.dtype, part.ids, (sums,))
        first += n
    for part in parts:
        _add_rows_cupy(sums, part, places)
    steps = (target, distinct, sums, count, float(rate), float(max_norm), D)
    _launch("subtract_rows", steps, min(N, V), target.dtype, distinct, (target, sums))


def cross_entropy(score: Any, label: Any, weight: Any) -> tuple[Any, Any]:
    """Return the weighted binary cross-entropy of the sigmoid of each score, and its derivative.

    Parameters
    ----------
    score : float array, any shape
    label : array or number
        1 or 0. Broadcast against `score`.
    weight : float array or number
        Broadcast against `score`.

    Returns
    -------
    loss : float array, shape of `score`
        ``weight * (softplus(score) - label * score)``.
    dscore : float array, shape of `score`
        ``weight * (σ(score) - label)``.

    Notes
    -----
    Softplus is computed as ``max(s, 0) + log(1 + e^−|s|)``, which does not overflow for any score. On CuPy, one kernel
    computes both results.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import cross_entropy
    >>> loss, dscore = cross_entropy(np.array([0.0, 0.0]), 1, np.array([1.0, 2.0]))
    >>> loss.round(4), dscore
    (array([0.6931, 1.3863]), array([-0.5, -1. ]))
    """
    xp = get_namespace(score)
    if not isinstance(label, (int, float)):
        label = xp.astype(label, score.dtype)
    if _can_launch_on(score):
        return _cross_entropy_cupy(score, label, weight)
    tail = xp.exp(-xp.abs(score))
    sigmoid = xp.where(score >= 0, 1.0, tail) / (1 + tail)
    loss = weight * (xp.where(score > 0, score, 0.0) + xp.log1p(tail) - label * score)
    return loss, weight * (sigmoid - label)


def context_weights(ids: Any, exponent: float, dtype: Any) -> tuple[Any, Any, Any]:
    """Return the weights of contexts in their mean and in its gradient, and the number of contexts C of each target.

    On CuPy, one kernel computes all results.

    Parameters
    ----------
    ids : int array, shape (..., K)
        Context words. Negative ids are padding.
    exponent : float
    dtype : dtype
        float32 or float64.

    Returns
    -------
    weights : float array, shape (..., K)
        1 / C, and 0 at padding.
    shares : float array, shape (..., K)
        C^−exponent, and 0 at padding.
    counts : array, shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import context_weights
    >>> weights, shares, counts = context_weights(np.array([[7, 3], [-1, -1], [-1, 9]]), 0.5, np.float64)
    >>> weights.tolist(), counts.tolist()
    ([[0.5, 0.5], [0.0, 0.0], [0.0, 1.0]], [2.0, 0.0, 1.0])
    >>> shares.round(2).tolist()
    [[0.71, 0.71], [0.0, 0.0], [0.0, 1.0]]
    """
    if _can_launch_on(ids, "il") and np.dtype(dtype).char in "fd":
        import cupy

        *shape, K = ids.shape
        ids, n = _cupy_ids(ids), math.prod(shape)
        weights, shares = cupy.empty(ids.shape, dtype), cupy.empty(ids.shape, dtype)
        counts = cupy.empty(tuple(shape), np.int32)
        arguments = (weights, shares, counts, ids, float(exponent), n, K)
        _launch("context_weights", arguments, -(-n // 32), weights.dtype, ids)
        return weights, shares, counts
    xp = get_namespace(ids)
    mask = xp.astype(ids >= 0, dtype)
    counts = xp.sum(mask, axis=-1, keepdims=True)
    divisor = xp.where(counts == 0, 1.0, counts)
    return mask / divisor, mask * divisor**-exponent, counts[..., 0]


def pool_weights(ids: Any, pool: Any, negative: float, dtype: Any) -> tuple[Any, Any]:
    """Return the weights of the positives and of the shared negatives of groups of targets, for a mean over targets.

    On CuPy, two kernels compute the results.

    Parameters
    ----------
    ids : int array, shape (G, L, C)
        The positives of each target. Negative ids are padding. T is the number of targets that have a positive.
    pool : int array, shape (G, P)
        The negatives of each group.
    negative : float
        Number of negatives for each positive that the negatives of a pool represent.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    positive : float array, shape (G, L, C)
        1 / T, and 0 at padding.
    negative : float array, shape (G, L, P)
        ``negative / P / T`` times the number of positives of the target, and 0 if the word is one of them.

    Examples
    --------
    Two targets with one positive each. The first negative is the positive of the first target:

    >>> import numpy as np
    >>> from fastw2v.backend import pool_weights
    >>> positive, negative = pool_weights(np.array([[[5], [7]]]), np.array([[5, 9]]), 4, np.float64)
    >>> positive.tolist(), negative.tolist()
    ([[[0.5], [0.5]]], [[[0.0, 1.0], [1.0, 1.0]]])
    """
    if _can_launch_on(ids, "il") and np.dtype(dtype).char in "fd":
        import cupy

        (_, L, C), P = ids.shape, pool.shape[-1]
        n = math.prod(ids.shape[:-1])
        ids = _cupy_ids(ids)
        pool = _cupy_contiguous(pool, ids.dtype)
        count = cupy.zeros((1,), np.int32)
        positive, noise = cupy.empty(ids.shape, dtype), cupy.empty((*ids.shape[:-1], P), dtype)
        _launch("count_rows", (count, ids, n, C), -(-n // 32), positive.dtype, ids)
        arguments = (positive, noise, ids, pool, count, negative / P, n, L, C, P)
        _launch("pool_weights", arguments, -(-n * P // 32), positive.dtype, ids)
        return positive, noise
    xp = get_namespace(ids)
    present = xp.astype(ids >= 0, dtype)
    positives = xp.sum(present, axis=-1, keepdims=True)
    targets = xp.sum(xp.astype(positives > 0, dtype))
    targets = xp.where(targets == 0, 1.0, targets)
    own = xp.any(ids[..., None, :] == pool[:, None, :, None], axis=-1)  # (G, L, P)
    share = xp.where(own, 0.0, positives * (negative / pool.shape[-1]))
    return present / targets, share / targets


def _cross_entropy_cupy(score: Any, label: Any, weight: Any) -> tuple[Any, Any]:
    import cupy

    score = cupy.ascontiguousarray(score)
    labels = 0  # a null pointer, for which the kernel uses the number
    if not isinstance(label, (int, float)):
        labels, label = _cupy_contiguous(cupy.broadcast_to(label, score.shape), score.dtype), 0
    if isinstance(weight, (int, float)):
        weight = cupy.full(score.shape, weight, score.dtype)
    weight = _cupy_contiguous(cupy.broadcast_to(weight, score.shape), score.dtype)
    loss, dscore = cupy.empty_like(score), cupy.empty_like(score)
    arguments = (loss, dscore, score, labels, weight, float(label), score.size)
    _launch("cross_entropy", arguments, -(-score.size // 32), score.dtype)
    return loss, dscore


def _add_rows_cupy(table: Any, part: WeightedRows, places: Any = 0) -> None:
    """Add rows to a table, to the row ``places[id]`` of each id, or to the row `id` if `places` is a null pointer."""
    ids, rows = _cupy_ids(part.ids), _cupy_contiguous(part.rows, table.dtype)
    weights = 0 if part.weights is None else _cupy_contiguous(part.weights, table.dtype)
    repeats = ids.size // max(1, rows.shape[0])
    arguments = (table, ids, rows, weights, places, ids.size, repeats, rows.shape[1])
    _launch("add_rows", arguments, ids.size, table.dtype, ids, (table, rows))


def _can_launch_on(array: Any, types: str = "fd") -> bool:
    """Return whether an array is of CuPy, of one of the given types, and on the current device."""
    if is_numpy(array) or not is_cupy(array):
        return False
    import cupy

    return array.dtype.char in types and array.device.id == cupy.cuda.runtime.getDevice()


def _launch(
    name: str, arguments: tuple[Any, ...], warps: int, dtype: Any, ids: Any = None, tables: tuple[Any, ...] = ()
) -> None:
    """Launch a kernel of ``backend.cu``. It can have fewer warps than asked for.

    `dtype` is that of the floats among the arguments, and `ids` are the ids. `tables` are the arrays whose rows are
    moved 16 bytes at a time, if their addresses and the size of a row allow it.
    """
    if not warps:
        return
    packed = 16 // dtype.itemsize
    if any(table.shape[-1] % packed or table.data.ptr % 16 for table in tables):
        packed = 1
    kernel = _row_kernel(name, dtype.itemsize == 8, ids is not None and ids.dtype.itemsize == 8, packed)
    blocks = min(-(-32 * warps // BLOCK_THREADS), MAX_BLOCKS)
    kernel((blocks,), (BLOCK_THREADS,), arguments)


@cache
def _row_kernel(name: str, double: bool, long_ids: bool, packed: int) -> Any:
    return _row_module(double, long_ids, packed).get_function(name)


@cache
def _row_module(double: bool, long_ids: bool, packed: int) -> Any:
    """Return the kernels for float64 or float32, ids of int64 or int32, and `packed` columns for each lane."""
    import cupy

    options = ["-std=c++17", f"-DTHREADS={BLOCK_THREADS}", f"-DPACKED={packed}"]
    options += ["-DDOUBLE"] * double + ["-DLONG_IDS"] * long_ids
    return cupy.RawModule(code=SOURCE.read_text(encoding="utf-8"), options=tuple(options))


def _empty_cupy(shape: tuple[int, ...], dtype: Any) -> Any:
    import cupy

    return cupy.empty(shape, dtype)


def _cupy_contiguous(array: Any, dtype: Any) -> Any:
    """Return an array of CuPy in C order, which kernels can read."""
    import cupy

    return cupy.ascontiguousarray(array, dtype)


def _cupy_ids(ids: Any) -> Any:
    """Return ids of CuPy as a contiguous array of int32 or int64."""
    return _cupy_contiguous(ids, ids.dtype if ids.dtype.char == "i" or ids.dtype == np.int64 else np.int64)


def _scatter_add_numpy(target: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    if ids.size and ids.min() < 0:
        ids, rows = ids[ids >= 0], rows[ids >= 0]
    if not target.flags.c_contiguous:  # reshape would copy, and the sums would be lost
        np.add.at(target, ids, rows)
        return
    width = target.shape[1]
    flat = (ids.astype(np.intp)[:, None] * width + np.arange(width)).reshape(-1)
    np.add.at(target.reshape(-1), flat, rows.astype(target.dtype, copy=False).reshape(-1))


@cache
def _numpy_namespace() -> Any:
    """Return NumPy if it implements the array API, otherwise the NumPy wrapper of array-api-compat.

    NumPy is preferred because importing the wrapper also loads compilers and test tools.
    """
    if getattr(np, "__array_api_version__", "") >= "2024.12":  # NumPy 2.3 and later
        return np
    import array_api_compat.numpy

    return array_api_compat.numpy


def device_index(device: str) -> int | None:
    """Return the device number N of "cuda:N", or None for "cpu" and "cuda".

    Raises
    ------
    ValueError
        If `device` does not have the form "cpu", "cuda" or "cuda:N".

    Examples
    --------
    >>> from fastw2v.backend import device_index
    >>> device_index("cuda:1")
    1
    >>> print(device_index("cuda"))
    None
    """
    check_device(device)
    index = device.partition(":")[2]
    return int(index) if index else None


def check_device(device: str) -> None:
    """Raise ValueError unless `device` has the form "cpu", "cuda" or "cuda:N".

    Whether the device exists is not checked.

    Examples
    --------
    >>> from fastw2v.backend import check_device
    >>> check_device("cuda:1")
    >>> check_device("gpu")
    Traceback (most recent call last):
        ...
    ValueError: device is 'gpu'; it must be 'cpu', 'cuda' or 'cuda:N' with a device number N
    """
    kind, _, index = str(device).partition(":")
    if device not in ("cpu", "cuda") and not (kind == "cuda" and index.isdecimal()):
        raise ValueError(f"device is {device!r:.80}; it must be 'cpu', 'cuda' or 'cuda:N' with a device number N")
