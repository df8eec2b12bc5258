"""Row-sparse gradients: what the backward pass of an embedding returns, and how they are summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastw2v.backend import get_device, get_namespace, is_numpy, scatter_add, unique_inverse


@dataclass(frozen=True)
class RowSparseGradient:
    """The gradient of a weight of which only some rows were used: row ``ids[i]`` has ``rows[i]`` added to it.

    It stands for a V × D array of zeros but for those.

    Parameters
    ----------
    ids : int array, shape (N,)
        May repeat; repeated ids accumulate.
    rows : float array, shape (N, D)
    """

    ids: Any
    rows: Any

    def __add__(self, other: RowSparseGradient) -> RowSparseGradient:
        """Return the gradient of the sum of two losses."""
        xp = get_namespace(self.rows)
        return RowSparseGradient(xp.concat([self.ids, other.ids]), xp.concat([self.rows, other.rows], axis=0))

    def coalesce(self, in_order: bool = False) -> RowSparseGradient:
        """Return the same gradient with the rows of each id summed, and the ids in ascending order.

        On NumPy every id is there once. Elsewhere there are as many rows as before, of which the first of an id is
        its sum and the others are zero: how many different ids there are is known to the device alone, and to ask
        would make the host wait for it.

        Parameters
        ----------
        in_order : bool
            Add in an order that follows from the ids alone, so that the same gradient gives the same bytes: on a GPU
            the order of `scatter_add`'s additions is not fixed. It takes log2 N rounds over all rows instead of one.
            NumPy's order is always fixed.
        """
        return self._coalesce(in_order)[0]

    def row_sums(self) -> tuple[Any, Any]:
        """Return the ids and the sum of each, ready for assignment: an id that occurs twice has its sum twice."""
        grad, first = self._coalesce()
        return grad.ids, grad.rows if first is None else get_namespace(grad.rows).take(grad.rows, first, axis=0)

    def _coalesce(self, in_order: bool = False) -> tuple[RowSparseGradient, Any]:
        """Return the coalesced gradient and, for each entry, the first entry of its id; None if ids are unique."""
        xp = get_namespace(self.rows)
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
        """Return the gradient as an array of the shape of the weight `like`, for tests and for reading."""
        xp = get_namespace(like)
        full = xp.zeros_like(like)
        scatter_add(full, self.ids, self.rows)
        return full


def add_gradients(a: Any, b: Any) -> Any:
    """Return the sum of two gradients of one weight, row-sparse or dense.

    Raises
    ------
    TypeError
        If one is row-sparse and the other dense: a weight is used either as a table or as a matrix.
    """
    if isinstance(a, RowSparseGradient) != isinstance(b, RowSparseGradient):
        raise TypeError("a weight shared by layers must have row-sparse gradients in all of them, or dense ones in all")
    return a + b


def coalesce_in_order(grads: Sequence[Any]) -> list[Any]:
    """Return gradients that give the same bytes in whatever order an optimiser adds them to the weights.

    Row-sparse gradients are coalesced with ``in_order=True``, so that only the sum of each row and zeros are left to
    add. Those on NumPy are returned as they are, because NumPy adds in a fixed order; so are dense ones.
    """
    return [
        grad.coalesce(in_order=True) if isinstance(grad, RowSparseGradient) and not is_numpy(grad.ids) else grad
        for grad in grads
    ]


def _segmented_suffix_sums(ids: Any, rows: Any) -> Any:
    """Return, for each row, the sum of it and of the later rows of the same id; `ids` are sorted.

    In each round a row adds what the row 1, 2, 4, 8... entries later has gathered, if that has the same id (the
    segmented scan of Hillis and Steele, "Data parallel algorithms", 1986). Unlike differences of one cumulative sum
    over all rows it mixes no ids, and so loses no precision.
    """
    xp = get_namespace(rows)
    step = 1
    while step < ids.shape[0]:
        same = (ids[:-step] == ids[step:])[:, None]
        rows = xp.concat([rows[:-step, :] + xp.where(same, rows[step:, :], 0.0), rows[-step:, :]], axis=0)
        step *= 2
    return rows
