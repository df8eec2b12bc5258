"""Changes of rows that replicas exchange, compiled: computed, combined and added.

Each function reads and writes every row once, because these loops are bound by the memory. Arrays of rows are indexed
like flat arrays, and row k of a table starts at offset ``k * stride``. `fastw2v.distributed.combine` has the same
functions without Numba.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.kernels.compilation import compiled
from fastw2v.kernels.rows_numba import prefetch_row
from fastw2v.kernels.simd import LANES, fma, load, reduce_add, splat, store

__all__ = ["accumulate", "add_rows", "finish", "take_changes", "take_rows"]

AHEAD = 8
"""Number of rows between the prefetch of a row and its use."""


@compiled
def take_rows(W: Any, stride: Any, rows: Any, taken: Any, D: Any) -> None:
    """Copy rows: row k of `taken` becomes row ``rows[k]`` of W.

    Parameters
    ----------
    W : float array, shape (R * stride,)
    stride : int
    rows : integer array, shape (n,)
    taken : float array, shape (n * D,)
        The copies.
    D : int

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import take_rows
    >>> taken = np.empty(2, np.float32)
    >>> take_rows(np.float32([1, 2, 3, 4]), 2, np.array([1]), taken, 2)
    >>> taken.tolist()
    [3.0, 4.0]
    """
    whole = D - D % LANES
    for k in range(len(rows)):
        if k + AHEAD < len(rows):
            prefetch_row(W, rows[k + AHEAD] * stride, D)
        row, at = rows[k] * stride, k * D
        for d in range(0, whole, LANES):
            store(taken, at + d, load(W, row + d))
        for d in range(whole, D):
            taken[at + d] = W[row + d]


@compiled
def take_changes(W: Any, stride: Any, rows: Any, old: Any, D: Any) -> None:
    """Exchange rows with their changes: ``W[rows[k]], old[k] = old[k], W[rows[k]] − old[k]``.

    Parameters
    ----------
    W : float array, shape (R * stride,)
    stride : int
    rows : integer array, shape (n,)
        Distinct indices.
    old : float array, shape (n * D,)
        The rows before they were trained. The changes replace them.
    D : int

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import take_changes
    >>> W, old = np.float32([1, 2, 5, 7]), np.float32([3, 4])
    >>> take_changes(W, 2, np.array([1]), old, 2)
    >>> W.tolist(), old.tolist()
    ([1.0, 2.0, 3.0, 4.0], [2.0, 3.0])
    """
    whole = D - D % LANES
    for k in range(len(rows)):
        if k + AHEAD < len(rows):
            prefetch_row(W, rows[k + AHEAD] * stride, D)
        row, at = rows[k] * stride, k * D
        for d in range(0, whole, LANES):
            lanes = load(old, at + d)
            store(old, at + d, load(W, row + d) - lanes)
            store(W, row + d, lanes)
        for d in range(whole, D):
            before = old[at + d]
            old[at + d] = W[row + d] - before
            W[row + d] = before


@compiled
def add_rows(W: Any, stride: Any, rows: Any, changes: Any, D: Any) -> None:
    """Add changes to rows: ``W[rows[k]] += changes[k]``.

    Parameters
    ----------
    W : float array, shape (R * stride,)
    stride : int
    rows : integer array, shape (n,)
        Distinct indices.
    changes : float array, shape (n * D,)
    D : int

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import add_rows
    >>> W = np.float32([1, 2, 3, 4])
    >>> add_rows(W, 2, np.array([1]), np.float32([10, 20]), 2)
    >>> W.tolist()
    [1.0, 2.0, 13.0, 24.0]
    """
    whole = D - D % LANES
    for k in range(len(rows)):
        if k + AHEAD < len(rows):
            prefetch_row(W, rows[k + AHEAD] * stride, D)
        row, at = rows[k] * stride, k * D
        for d in range(0, whole, LANES):
            store(W, row + d, load(W, row + d) + load(changes, at + d))
        for d in range(whole, D):
            W[row + d] += changes[at + d]


@compiled
def accumulate(at: Any, changes: Any, total: Any, D: Any, squares: Any, replicas: Any) -> None:
    """Add the changes of a replica to the sums over all replicas.

    Parameters
    ----------
    at : integer array, shape (n,)
        The row of `total` to which each change belongs. The indices are distinct.
    changes : float array, shape (n * D,)
    total : float array, shape (m * D,)
        The sums of the changes.
    D : int
    squares : float64 array, shape (m,)
        The sums of their squared norms.
    replicas : int64 array, shape (m,)
        The numbers of replicas with a change that is not zero.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import accumulate
    >>> total, squares, replicas = np.zeros(4, np.float32), np.zeros(2), np.zeros(2, np.int64)
    >>> accumulate(np.array([1]), np.float32([3, 4]), total, 2, squares, replicas)
    >>> total.tolist(), squares.tolist(), replicas.tolist()
    ([0.0, 0.0, 3.0, 4.0], [0.0, 25.0], [0, 1])
    """
    whole = D - D % LANES
    for k in range(len(at)):
        row, change = at[k] * D, k * D
        square = 0.0
        if whole:
            lanes = load(changes, change)
            sums = lanes * lanes
            store(total, row, load(total, row) + lanes)
            for d in range(LANES, whole, LANES):
                lanes = load(changes, change + d)
                sums = fma(lanes, lanes, sums)
                store(total, row + d, load(total, row + d) + lanes)
            square = reduce_add(sums)
        for d in range(whole, D):
            x = changes[change + d]
            total[row + d] += x
            square += np.float64(x) * x
        squares[at[k]] += square
        replicas[at[k]] += square > 0


@compiled
def finish(total: Any, D: Any, squares: Any, replicas: Any) -> None:
    """Scale the sums of the changes by their coherence (`fastw2v.distributed.combine.combine`).

    Parameters
    ----------
    total, D, squares, replicas
        See `accumulate`. The combined changes replace `total`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import finish
    >>> total = np.float32([2, 2, 2, 0])  # of the orthogonal [2, 0] and [0, 2], and of the equal [1, 0] and [1, 0]
    >>> finish(total, 2, np.array([8.0, 2.0]), np.array([2, 2]))
    >>> total.tolist()
    [2.0, 2.0, 1.0, 0.0]
    """
    whole = D - D % LANES
    for k in range(len(replicas)):
        if replicas[k] < 2:
            continue
        row, square = k * D, 0.0
        if whole:
            lanes = load(total, row)
            sums = lanes * lanes
            for d in range(LANES, whole, LANES):
                lanes = load(total, row + d)
                sums = fma(lanes, lanes, sums)
            square = reduce_add(sums)
        for d in range(whole, D):
            square += np.float64(total[row + d]) * total[row + d]
        if square <= squares[k]:
            continue
        scale = max(squares[k] / square, 1 / replicas[k])
        if whole:
            factor = splat(scale, load(total, row))
            for d in range(0, whole, LANES):
                store(total, row + d, factor * load(total, row + d))
        for d in range(whole, D):
            total[row + d] *= scale
