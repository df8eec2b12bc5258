"""Array backends: the namespace of an array, copies between devices, and operations that the array API lacks.

There is no global device: a function takes its namespace from its inputs and returns its outputs on their device.
This is the only generic module that names CuPy.
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
    """Return the array-API namespace that the arrays belong to.

    Parameters
    ----------
    *arrays : array
        Arrays of one library (NumPy, CuPy, ``array_api_strict``...).

    Raises
    ------
    TypeError
        If none of them is an array, or they belong to several libraries.
    """
    if all(type(array) is np.ndarray for array in arrays) and arrays:
        return _numpy_namespace()  # same as the next line but faster, which matters for small batches
    return array_api_compat.array_namespace(*arrays)


def get_device(array: Any) -> Any:
    """Return the device of an array, as an object of its library."""
    return array_api_compat.device(array)


def is_numpy(array: Any) -> bool:
    """Return whether `array` is a NumPy array."""
    return isinstance(array, np.ndarray)


def is_cupy(array: Any) -> bool:
    """Return whether `array` is a CuPy array, without importing CuPy."""
    return array_api_compat.is_cupy_array(array)


def on_device_of(array: Any) -> AbstractContextManager[Any]:
    """Return a context manager in which new arrays are created on the device of `array`.

    CuPy creates them on the current device, and the `device` argument of array-api-compat does not change that.
    """
    return array.device if not is_numpy(array) and is_cupy(array) else nullcontext()


def cuda_problem() -> str | None:
    """Return the reason why no CUDA device can be used, or None if one can.

    This imports CuPy if it is installed.
    """
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed (pip install 'fastw2v[cuda12]' or [cuda13])"
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # a broken driver or CuPy can raise anything, and must not stop work on the CPU
        return f"CuPy is installed but finds no usable CUDA device: {type(error).__name__}: {error}"
    return None if count else "CuPy is installed but there is no CUDA device"


def array_module(device: str = "cpu") -> Any:
    """Return the namespace that creates arrays on `device`.

    Parameters
    ----------
    device : {"cpu", "cuda", "cuda:N"}
        "cuda" is the current CUDA device.

    Raises
    ------
    ValueError
        If `device` is none of these.
    RuntimeError
        If the device cannot be used, with the reason.
    """
    index = device_index(device)
    if device == "cpu":
        return _numpy_namespace()
    if problem := cuda_problem():
        raise RuntimeError(f"device {device!r} cannot be used. {problem}")
    import array_api_compat.cupy as cp

    count = cp.cuda.runtime.getDeviceCount()
    if index is not None and index >= count:
        there = "there is one CUDA device, 'cuda:0'" if count == 1 else f"there are {count} CUDA devices, from 'cuda:0'"
        raise RuntimeError(f"device {device!r} cannot be used: {there}")
    return cp


def free_device_memory(device: str = "cuda") -> int:
    """Return the bytes that can be allocated on "cuda" or "cuda:N": free memory and the unused part of CuPy's pool."""
    import cupy

    with cupy.cuda.Device(device_index(device)):
        return int(cupy.cuda.runtime.memGetInfo()[0]) + int(cupy.get_default_memory_pool().free_bytes())


def to_host(array: Any) -> np.ndarray:
    """Return `array` as a NumPy array, copied only if it is not one already.

    GPU work is asynchronous; this call synchronises with the device. In training, only this function and
    `boolean_mask` do.
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
    """Return `array` on `device`, copied only if it is not there already.

    Parameters
    ----------
    array : array
        An array of any library.
    device : {"cpu", "cuda", "cuda:N"}

    Returns
    -------
    array
        A NumPy array for "cpu", a CuPy array otherwise.
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
        From 0 to N.

    Returns
    -------
    values : array, shape (..., k)
    indices : int array, shape (..., k)
        Equal values are in the order of their indices if the library sorts stably (NumPy).

    Raises
    ------
    ValueError
        If `k` is negative or above N.
    """
    xp = get_namespace(values)
    n = values.shape[-1]
    if not 0 <= k <= n:
        raise ValueError(f"top_k: k is {k}, but the last axis has {n} elements")
    if hasattr(xp, "argpartition") and k < n // 4:
        # Selection is O(N), so that sorting only the k selected values is several times faster than a full sort.
        # Ties at the k-th value are taken as they come; the selected values are then sorted stably.
        selected = xp.sort(xp.argpartition(-values, k, axis=-1)[..., :k], axis=-1)
        best = xp.take_along_axis(values, selected, axis=-1)
        order = xp.argsort(-best, axis=-1, stable=True)
        return xp.take_along_axis(best, order, axis=-1), xp.take_along_axis(selected, order, axis=-1)
    order = xp.argsort(-values, axis=-1, stable=True)[..., :k]
    return xp.take_along_axis(values, order, axis=-1), order


def boolean_mask(values: Any, mask: Any) -> Any:
    """Return the `values` at which `mask` is True.

    Parameters
    ----------
    values : array, shape (N,)
    mask : bool array, shape (N,)

    Notes
    -----
    The size of the result depends on the data, so this call synchronises with a GPU.
    """
    return values[mask]


def unique_inverse(ids: Any) -> tuple[Any, Any]:
    """Return the sorted distinct ids, and the index of each id among them.

    Parameters
    ----------
    ids : int array, shape (N,)
    """
    if is_numpy(ids):
        return np.unique(ids, return_inverse=True)  # array-api-compat inspects signatures each time
    return tuple(get_namespace(ids).unique_inverse(ids))


def scatter_add(target: Any, ids: Any, rows: Any) -> None:
    """Add ``rows[i]`` to ``target[ids[i]]`` for every i, in place; repeated ids accumulate.

    This is the backward pass of an embedding, ``dW[v] = sum over i with ids[i] == v of drows[i]``, an operation that
    the array API lacks.

    Parameters
    ----------
    target : float array, shape (V, D)
        Changed in place.
    ids : integer array, shape (N,)
        From 0 to V − 1; not checked, as this runs in the inner loop.
    rows : float array, shape (N, D)

    Notes
    -----
    NumPy: `np.add.at` has a fast path for one-dimensional indices only, so rows are added element by element
    to the flattened target: 5 times faster than `np.add.at` on rows, and more than twice as fast as sorting followed
    by `np.add.reduceat`, at every size tried (``python -m benchmarks --only operations``). A product with SciPy's
    sparse matrices is faster still from about 1,000 rows on, but would make SciPy a dependency of the layers.
    CuPy: ``cupyx.scatter_add``, whose order of additions is not fixed (atomics).
    Other libraries: row by row, as the standard offers nothing better.
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
    """Write ``target[ids[i]] = rows[i]`` in place; rows of the same id must be the same.

    The array API has no assignment by an integer array, so for other libraries rows are written one by one.
    """
    if is_numpy(target) or is_cupy(target):
        target[ids] = rows
    else:
        for i in range(ids.shape[0]):
            target[int(ids[i]), ...] = rows[i, ...]


def _scatter_add_numpy(target: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    if not target.flags.c_contiguous:  # reshape would copy and the sum be lost
        np.add.at(target, ids, rows)
        return
    width = target.shape[1]
    flat = (ids.astype(np.intp)[:, None] * width + np.arange(width)).reshape(-1)
    np.add.at(target.reshape(-1), flat, rows.astype(target.dtype, copy=False).reshape(-1))


@cache
def _numpy_namespace() -> Any:
    """Return NumPy itself if it implements the standard; importing the wrapper also loads compilers and test tools."""
    if getattr(np, "__array_api_version__", "") >= "2024.12":  # from 2.3 on
        return np
    import array_api_compat.numpy

    return array_api_compat.numpy


def device_index(device: str) -> int | None:
    """Return the number in "cuda:N", or None.

    Raises
    ------
    ValueError
        If the name is not "cpu", "cuda" or "cuda:N".
    """
    check_device(device)
    index = device.partition(":")[2]
    return int(index) if index else None


def check_device(device: str) -> None:
    """Raise ValueError unless a device is named "cpu", "cuda" or "cuda:N"; whether it exists is not asked."""
    kind, _, index = str(device).partition(":")
    if device not in ("cpu", "cuda") and not (kind == "cuda" and index.isdecimal()):
        raise ValueError(f"device is {device!r}; it must be 'cpu', 'cuda' or 'cuda:N' with a device number N")
