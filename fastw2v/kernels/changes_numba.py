"""Changes of rows that replicas exchange, compiled: computed, combined and added.

Each function reads and writes every row once, because these loops are bound by the memory.
`fastw2v.distributed.combine` has the same functions without Numba.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

from fastw2v.kernels.compilation import compiled

__all__ = ["accumulate", "add_rows", "finish", "take_changes", "take_rows"]


@compiled
def take_rows(W: Any, rows: Any, taken: Any) -> None:
    """Copy rows: ``taken[k] = W[rows[k]]``.

    Parameters
    ----------
    W : float array, shape (R, D)
    rows : integer array, shape (n,)
    taken : float array, shape (n, D)
        The copies.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import take_rows
    >>> taken = np.empty((1, 2), np.float32)
    >>> take_rows(np.float32([[1, 2], [3, 4]]), np.array([1]), taken)
    >>> taken.tolist()
    [[3.0, 4.0]]
    """
    for k in range(len(rows)):
        for d in range(taken.shape[1]):
            taken[k, d] = W[rows[k], d]


@compiled
def take_changes(W: Any, rows: Any, old: Any) -> None:
    """Exchange rows with their changes: ``W[rows[k]], old[k] = old[k], W[rows[k]] − old[k]``.

    Parameters
    ----------
    W : float array, shape (R, D)
    rows : integer array, shape (n,)
        Distinct indices.
    old : float array, shape (n, D)
        The rows before they were trained. The changes replace them.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import take_changes
    >>> W, old = np.float32([[1, 2], [5, 7]]), np.float32([[3, 4]])
    >>> take_changes(W, np.array([1]), old)
    >>> W.tolist(), old.tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[2.0, 3.0]])
    """
    for k in range(len(rows)):
        row = rows[k]
        for d in range(old.shape[1]):
            before = old[k, d]
            old[k, d] = W[row, d] - before
            W[row, d] = before


@compiled
def add_rows(W: Any, rows: Any, changes: Any) -> None:
    """Add changes to rows: ``W[rows[k]] += changes[k]``.

    Parameters
    ----------
    W : float array, shape (R, D)
    rows : integer array, shape (n,)
        Distinct indices.
    changes : float array, shape (n, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import add_rows
    >>> W = np.float32([[1, 2], [3, 4]])
    >>> add_rows(W, np.array([1]), np.float32([[10, 20]]))
    >>> W.tolist()
    [[1.0, 2.0], [13.0, 24.0]]
    """
    for k in range(len(rows)):
        for d in range(changes.shape[1]):
            W[rows[k], d] += changes[k, d]


@compiled
def accumulate(at: Any, changes: Any, total: Any, squares: Any, replicas: Any) -> None:
    """Add the changes of a replica to the sums over all replicas.

    Parameters
    ----------
    at : integer array, shape (n,)
        The row of `total` to which each change belongs. The indices are distinct.
    changes : float array, shape (n, D)
    total : float array, shape (m, D)
        The sums of the changes.
    squares : float64 array, shape (m,)
        The sums of their squared norms.
    replicas : int64 array, shape (m,)
        The numbers of replicas with a change that is not zero.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import accumulate
    >>> total, squares, replicas = np.zeros((2, 2), np.float32), np.zeros(2), np.zeros(2, np.int64)
    >>> accumulate(np.array([1]), np.float32([[3, 4]]), total, squares, replicas)
    >>> total.tolist(), squares.tolist(), replicas.tolist()
    ([[0.0, 0.0], [3.0, 4.0]], [0.0, 25.0], [0, 1])
    """
    for k in range(len(at)):
        row = at[k]
        square = 0.0
        for d in range(changes.shape[1]):
            change = changes[k, d]
            total[row, d] += change
            square += change * change
        squares[row] += square
        replicas[row] += square > 0


@compiled
def finish(total: Any, squares: Any, replicas: Any) -> None:
    """Scale the sums of the changes by their coherence (`fastw2v.distributed.combine.combine`).

    Parameters
    ----------
    total, squares, replicas : array
        See `accumulate`. The combined changes replace `total`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.kernels.changes_numba import finish
    >>> total = np.float32([[2, 2], [2, 0]])  # of the orthogonal [2, 0] and [0, 2], and of the equal [1, 0] and [1, 0]
    >>> finish(total, np.array([8.0, 2.0]), np.array([2, 2]))
    >>> total.tolist()
    [[2.0, 2.0], [1.0, 0.0]]
    """
    for row in range(len(total)):
        if replicas[row] < 2:
            continue
        square = 0.0
        for d in range(total.shape[1]):
            square += total[row, d] * total[row, d]
        if square > squares[row]:
            scale = max(squares[row] / square, 1 / replicas[row])
            for d in range(total.shape[1]):
                total[row, d] *= scale
