"""Row-sparse gradients: what an embedding's backward pass returns instead of a V × D array of zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastw2v.backend import get_device, get_namespace, scatter_add, unique_inverse


@dataclass(frozen=True)
class RowGradient:
    """The gradient of a weight of which only some rows were used: row ``ids[i]`` has ``rows[i]`` added to it.

    Parameters
    ----------
    ids : int array, shape (N,)
        May repeat; repeated ids accumulate.
    rows : float array, shape (N, D)
    """

    ids: Any
    rows: Any

    def __add__(self, other: RowGradient) -> RowGradient:
        """Return the gradient of the sum of two losses."""
        xp = get_namespace(self.rows)
        return RowGradient(xp.concat([self.ids, other.ids]), xp.concat([self.rows, other.rows], axis=0))

    def summed(self) -> RowGradient:
        """Return the same gradient with every id once, in rising order."""
        xp = get_namespace(self.rows)
        ids, place = unique_inverse(self.ids)
        rows = xp.zeros((ids.shape[0], self.rows.shape[1]), dtype=self.rows.dtype, device=get_device(self.rows))
        scatter_add(rows, place, self.rows)
        return RowGradient(ids, rows)

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
    if isinstance(a, RowGradient) != isinstance(b, RowGradient):
        raise TypeError("a weight shared by layers must have row-sparse gradients in all of them, or dense ones in all")
    return a + b
