"""Array backends: array namespaces, copies between devices, and operations missing from the array API.

There is no global device. Functions use the library and the device of their inputs, and return their results on that
device. Outside the CUDA engine, this is the only module that imports CuPy.
"""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import array_api_compat
import numpy as np

__all__ = [
    "array_module",
    "boolean_mask",
    "check_device",
    "cuda_problem",
    "device_index",
    "free_device_memory",
    "get_device",
    "get_namespace",
    "is_cupy",
    "is_numpy",
    "on_device_of",
    "scatter_add",
    "set_rows",
    "to_device",
    "to_host",
    "top_k",
    "unique_inverse",
]


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


def scatter_add(target: Any, ids: Any, rows: Any) -> None:
    """Add ``rows[i]`` to ``target[ids[i]]`` for every i, in place; repeated ids accumulate.

    This is the backward pass of an embedding: ``dW[v]`` is the sum of ``drows[i]`` over all i with ``ids[i] == v``. The
    array API does not define this operation.

    Parameters
    ----------
    target : float array, shape (V, D)
        Modified in place.
    ids : integer array, shape (N,)
        From 0 to V − 1. The range is not checked, because this function runs in the inner loop.
    rows : float array, shape (N, D)

    Notes
    -----
    NumPy: `np.add.at` has a fast path only for one-dimensional indices, so the rows are added element by element to the
    flattened target. At every size tried (``python -m benchmarks --only operations``), this is 5 times faster than
    `np.add.at` on rows and more than twice as fast as sorting followed by `np.add.reduceat`. A product with a SciPy
    sparse matrix is even faster from about 1,000 rows on, but would make SciPy a dependency of the layers.

    CuPy: ``cupyx.scatter_add`` uses atomics, so the order of additions is not fixed.

    Other libraries: rows are added one by one, because the array API offers no faster way.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.backend import scatter_add
    >>> target = np.zeros((3, 2))
    >>> scatter_add(target, np.array([0, 2, 0]), np.array([[1.0, 2.0], [5.0, 5.0], [10.0, 20.0]]))
    >>> target.tolist()
    [[11.0, 22.0], [0.0, 0.0], [5.0, 5.0]]
    """
    if is_numpy(target):
        _scatter_add_numpy(target, ids, rows)
    elif is_cupy(target):
        import cupyx

        cupyx.scatter_add(target, ids, rows)
    else:
        for i in range(ids.shape[0]):
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
    if is_numpy(target) or is_cupy(target):
        target[ids] = rows
    else:
        for i in range(ids.shape[0]):
            target[int(ids[i]), ...] = rows[i, ...]


def _scatter_add_numpy(target: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
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
