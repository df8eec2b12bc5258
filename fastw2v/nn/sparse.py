"""Row-sparse gradients, which the backward pass of an embedding produces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastw2v.backend import get_device, get_namespace, is_numpy, scatter_add, unique_inverse


@dataclass(frozen=True)
class RowSparseGradient:
    """The gradient of a table, stored as the rows that may be non-zero.

    The dense gradient has shape (V, D). It is obtained from zeros by adding ``rows[i]`` to row ``ids[i]`` for each i.

    Parameters
    ----------
    ids : int array, shape (N,)
        Row indices. If an index is repeated, its rows are added.
    rows : float array, shape (N, D)
        The gradient to add to each of these rows.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]]))
    >>> grad.dense(np.zeros((4, 2)))
    array([[5., 5.],
           [0., 0.],
           [4., 6.],
           [0., 0.]])
    """

    ids: Any
    rows: Any

    def __add__(self, other: RowSparseGradient) -> RowSparseGradient:
        """Return the sum of two gradients of the same table."""
        xp = get_namespace(self.rows)
        return RowSparseGradient(xp.concat([self.ids, other.ids]), xp.concat([self.rows, other.rows], axis=0))

    def coalesce(self, in_order: bool = False) -> RowSparseGradient:
        """Return an equal gradient with sorted ids, in which the rows of each id are summed.

        On NumPy, each id then occurs once. On other array libraries, the number of rows does not change. The first row
        of each id is the sum, and its other rows are zero.

        Parameters
        ----------
        in_order : bool
            Whether to sum in a fixed order, so that equal gradients give the same bytes. On a GPU, `scatter_add` has no
            fixed order, and summing in a fixed order takes log2 N passes over the rows instead of one. NumPy always
            sums in a fixed order.

        Returns
        -------
        RowSparseGradient

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.array([[1.0, 2.0], [5.0, 5.0], [3.0, 4.0]]))
        >>> grad.coalesce().ids
        array([0, 2])
        >>> grad.coalesce().rows
        array([[5., 5.],
               [4., 6.]])
        """
        return self._coalesce(in_order)[0]

    def row_sums(self) -> tuple[Any, Any]:
        """Return sorted ids and, for each of them, the sum of its rows, for assignment to a table.

        On NumPy, each id occurs once. On other array libraries, an id that occurs n times is returned n times, each
        time with the complete sum. The rows can therefore be assigned in any order.

        Returns
        -------
        ids : int array, shape (M,)
        sums : float array, shape (M, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.array([[1.0], [5.0], [3.0]]))
        >>> ids, sums = grad.row_sums()
        >>> ids.tolist(), sums.tolist()
        ([0, 2], [[5.0], [4.0]])
        """
        grad, first = self._coalesce()
        return grad.ids, grad.rows if first is None else get_namespace(grad.rows).take(grad.rows, first, axis=0)

    def _coalesce(self, in_order: bool = False) -> tuple[RowSparseGradient, Any]:
        """Return the coalesced gradient and, for each entry, the first index of its id (None if ids are unique)."""
        xp = get_namespace(self.rows)
        # On a GPU, the size of the result must not depend on the ids, because the host would have to wait for it.
        if is_numpy(self.ids):
            ids, inverse = unique_inverse(self.ids)
            rows = xp.zeros((ids.shape[0], self.rows.shape[1]), dtype=self.rows.dtype, device=get_device(self.rows))
            scatter_add(rows, inverse, self.rows)
            return RowSparseGradient(ids, rows), None
        order = xp.argsort(self.ids, stable=True)
        ids, rows = xp.take(self.ids, order), xp.take(self.rows, order, axis=0)
        first = xp.searchsorted(ids, ids)
        if in_order:
            is_first = first == xp.arange(ids.shape[0], device=get_device(ids))
            return RowSparseGradient(ids, xp.where(is_first[:, None], _segmented_suffix_sums(ids, rows), 0.0)), first
        sums = xp.zeros_like(rows)
        scatter_add(sums, first, rows)
        return RowSparseGradient(ids, sums), first

    def dense(self, like: Any) -> Any:
        """Return the gradient as a dense array.

        Parameters
        ----------
        like : float array, shape (V, D)
            The table, or any array with the same shape and dtype.

        Returns
        -------
        float array, shape (V, D)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.nn import RowSparseGradient
        >>> RowSparseGradient(np.array([1, 1]), np.array([[1.0, 2.0], [3.0, 4.0]])).dense(np.zeros((3, 2)))
        array([[0., 0.],
               [4., 6.],
               [0., 0.]])
        """
        xp = get_namespace(like)
        full = xp.zeros_like(like)
        scatter_add(full, self.ids, self.rows)
        return full


def add_gradients(a: Any, b: Any) -> Any:
    """Return the sum of two gradients of the same weight.

    Parameters
    ----------
    a, b : RowSparseGradient or float array
        Two row-sparse gradients, or two dense gradients.

    Returns
    -------
    RowSparseGradient or float array

    Raises
    ------
    TypeError
        If one gradient is row-sparse and the other is dense.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> from fastw2v.nn.sparse import add_gradients
    >>> a = RowSparseGradient(np.array([0]), np.array([[1.0, 2.0]]))
    >>> b = RowSparseGradient(np.array([1]), np.array([[3.0, 4.0]]))
    >>> add_gradients(a, b).dense(np.zeros((2, 2)))
    array([[1., 2.],
           [3., 4.]])
    """
    if isinstance(a, RowSparseGradient) != isinstance(b, RowSparseGradient):
        raise TypeError(
            "one gradient of a shared weight is row-sparse and the other is dense; the gradients of all layers that "
            "share a weight must be of the same kind"
        )
    return a + b


def coalesce_in_order(grads: Sequence[Any]) -> list[Any]:
    """Return equal gradients, prepared so that updates give the same bytes in every run, even on a GPU.

    Row-sparse gradients are coalesced with ``in_order=True``. Only one sum and zeros are then added to each row of the
    table, so the order of the additions does not matter. Dense gradients, and row-sparse gradients on NumPy, are
    returned unchanged.

    Parameters
    ----------
    grads : sequence of RowSparseGradient or float array

    Returns
    -------
    list of RowSparseGradient or float array

    Examples
    --------
    NumPy adds in a fixed order, so its gradients are returned unchanged:

    >>> import numpy as np
    >>> from fastw2v.nn import RowSparseGradient
    >>> from fastw2v.nn.sparse import coalesce_in_order
    >>> grad = RowSparseGradient(np.array([2, 0, 2]), np.ones((3, 4)))
    >>> coalesce_in_order([grad])[0] is grad
    True
    """
    return [
        grad.coalesce(in_order=True) if isinstance(grad, RowSparseGradient) and not is_numpy(grad.ids) else grad
        for grad in grads
    ]


def _segmented_suffix_sums(ids: Any, rows: Any) -> Any:
    """Return, for each row, the sum of the row and all later rows with the same id. The ids must be sorted.

    Round k adds to each row the partial sum of the row 2^k entries later, if that row has the same id. This is the
    segmented scan of Hillis and Steele ("Data parallel algorithms", 1986). Differences of a cumulative
    sum over all rows would need fewer operations, but lose precision, because that sum mixes the rows of all ids.
    """
    xp = get_namespace(rows)
    step = 1
    while step < ids.shape[0]:
        same = (ids[:-step] == ids[step:])[:, None]
        rows = xp.concat([rows[:-step, :] + xp.where(same, rows[step:, :], 0.0), rows[-step:, :]], axis=0)
        step *= 2
    return rows
