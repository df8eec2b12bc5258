"""The changes of rows in a round, and how the changes of several replicas are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastw2v.kernels import numba_unavailable_reason

__all__ = ["Changes", "add_changes", "combine", "take_changes", "take_rows"]


class Changes(NamedTuple):
    """What is added to some rows of a table."""

    rows: np.ndarray
    """Integer array, shape (n,): distinct indices of rows, in ascending order."""
    values: np.ndarray
    """float array, shape (n, D)."""


def combine(replicas: Sequence[Changes]) -> Changes:
    """Combine the changes of a table by replicas that started from the same weights.

    Parameters
    ----------
    replicas : sequence of Changes
        The changes by each replica, at least one.

    Returns
    -------
    Changes
        They contain the rows of all replicas.

    Raises
    ------
    FloatingPointError
        If a change is infinite or NaN.

    Notes
    -----
    Let δᵢ be the change of a row by replica i, and n the number of replicas that changed the row. The combined change
    is a coherence-scaled sum:

        δ = s · Σ δᵢ,   s = clip(Σ |δᵢ|² / |Σ δᵢ|², 1 / n, 1)

    Independent changes are nearly orthogonal, so |Σ δᵢ|² is about Σ |δᵢ|², s is about 1, and the changes add up, as if
    one machine had made them one after another. Aligned changes approach the same optimum. Their sum would overshoot
    it, so s approaches 1 / n, which averages them. Rare words usually have independent changes, and frequent words
    aligned ones.

    Examples
    --------
    Orthogonal changes of row 0, and equal changes of row 1:

    >>> import numpy as np
    >>> from fastw2v.distributed.combine import Changes, combine
    >>> first = Changes(np.array([0, 1]), np.array([[2.0, 0.0], [1.0, 0.0]]))
    >>> second = Changes(np.array([0, 1, 4]), np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 3.0]]))
    >>> rows, values = combine([first, second])
    >>> rows.tolist(), values.tolist()
    ([0, 1, 4], [[2.0, 2.0], [1.0, 0.0], [0.0, 3.0]])
    """
    rows = _union([changes.rows for changes in replicas])
    D, dtype = replicas[0].values.shape[1], replicas[0].values.dtype
    total, squares, counts = np.zeros((len(rows), D), dtype), np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    compiled = numba_unavailable_reason() is None
    for changes in replicas:
        at = np.searchsorted(rows, changes.rows)
        if compiled:
            _compiled().accumulate(at, changes.values.reshape(-1), total.reshape(-1), D, squares, counts)
            continue
        square = np.einsum("kd,kd->k", changes.values, changes.values, dtype=np.float64)
        total[at] += changes.values
        squares[at] += square
        counts[at] += square > 0
    if not np.isfinite(squares).all():
        raise FloatingPointError(
            "the changes of the weights contain infinity or NaN; training has diverged. Train again with a lower alpha"
        )
    if compiled:
        _compiled().finish(total.reshape(-1), D, squares, counts)
    else:
        square = np.einsum("kd,kd->k", total, total, dtype=np.float64)
        scale = np.divide(squares, square, out=np.ones_like(square), where=square > squares)
        total *= np.maximum(scale, 1 / np.maximum(counts, 1))[:, None].astype(dtype)
    return Changes(rows, total)


def take_rows(W: Any, rows: np.ndarray) -> np.ndarray:
    """Return copies of rows: float array, shape (n, D).

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.combine import take_rows
    >>> take_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1])).tolist()
    [[3.0, 4.0]]
    """
    if (stride := _stride(W)) is None:
        return W[rows]
    taken = np.empty((len(rows), W.shape[1]), W.dtype)
    _compiled().take_rows(_flat(W), stride, rows, taken.reshape(-1), W.shape[1])
    return taken


def take_changes(W: np.ndarray, rows: np.ndarray, old: np.ndarray) -> None:
    """Restore rows that have been trained, and replace their old values with their changes.

    Parameters
    ----------
    W : float array, shape (R, D)
        The table. Its rows get their old values.
    rows : integer array, shape (n,)
        Distinct indices.
    old : float array, shape (n, D)
        The old values. The changes replace them.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.combine import take_changes
    >>> W, old = np.array([[1.0, 2.0], [5.0, 7.0]]), np.array([[3.0, 4.0]])
    >>> take_changes(W, np.array([1]), old)
    >>> W.tolist(), old.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[2.0, 3.0]])
    """
    if (stride := _stride(W)) is not None:
        _compiled().take_changes(_flat(W), stride, rows, old.reshape(-1), W.shape[1])
        return
    trained = W[rows]
    W[rows] = old
    np.subtract(trained, old, out=old)


def add_changes(W: np.ndarray, changes: Changes) -> None:
    """Add changes to the rows of a table, in place.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.combine import Changes, add_changes
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> add_changes(W, Changes(np.array([1]), np.array([[10.0, 20.0]])))
    >>> W.tolist()
    [[1.0, 2.0], [13.0, 24.0]]
    """
    if (stride := _stride(W)) is not None:
        _compiled().add_rows(_flat(W), stride, changes.rows, changes.values.reshape(-1), W.shape[1])
    else:
        W[changes.rows] += changes.values


def _union(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the distinct indices of several arrays in ascending order. Sorting them would take longer."""
    if len(rows) == 1:
        return rows[0]
    found = np.zeros(1 + max((int(some[-1]) for some in rows if len(some)), default=-1), bool)
    for some in rows:
        found[some] = True
    return np.flatnonzero(found)


def _stride(W: np.ndarray) -> int | None:
    """Return the number of elements from one row to the next, or None if the compiled functions cannot be used."""
    if numba_unavailable_reason() is not None or W.shape[1] == 0 or W.strides[1] != W.itemsize:
        return None
    return W.strides[0] // W.itemsize


def _flat(W: np.ndarray) -> np.ndarray:
    """Return a flat view of a table, with the padding between its rows."""
    size = (W.shape[0] - 1) * (W.strides[0] // W.itemsize) + W.shape[1]
    return np.lib.stride_tricks.as_strided(W, (size,), (W.itemsize,))


def _compiled() -> Any:
    """Return the module of the compiled functions, whose import loads Numba."""
    from fastw2v.kernels import changes_numba

    return changes_numba
