"""Row-sparse gradients, which an embedding's backward pass returns, and how one is divided among a mean's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, scatter_add, unique_inverse

CbowGrad = Literal["mean", "balanced", "sum"]
"""How CBOW's gradient of the mean of C contexts is divided among their rows: by C, by C to the power 3/4, or by 1.

"mean" is the gradient as calculus has it; "sum" that of word2vec.c, gensim and fastText. With the first, wide windows
teach their rows little; with the second, they are taught most. Between the two, more is learnt (`docs/kernels.md`).
"""
_POWERS: dict[str, float] = {"mean": 1.0, "balanced": 0.75, "sum": 0.0}


def context_power(cbow_grad: str) -> float:
    """Return the power of the number of contexts by which `cbow_grad`, a `CbowGrad`, divides.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if cbow_grad not in _POWERS:
        first, *others, last = map(repr, get_args(CbowGrad))
        raise ValueError(f"cbow_grad is {cbow_grad!r}; it must be {', '.join([first, *others])} or {last}")
    return _POWERS[cbow_grad]


def context_shares(cbow_grad: str, most: int) -> np.ndarray:
    """Return what one row gets of a gradient for 0 to `most` contexts, float64 array, shape (most + 1,)."""
    return np.maximum(np.arange(most + 1), 1.0) ** -context_power(cbow_grad)


@dataclass(frozen=True)
class RowGradient:
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

    def __add__(self, other: RowGradient) -> RowGradient:
        """Return the gradient of the sum of two losses."""
        xp = get_namespace(self.rows)
        return RowGradient(xp.concat([self.ids, other.ids]), xp.concat([self.rows, other.rows], axis=0))

    def summed(self, in_order: bool = False) -> RowGradient:
        """Return the same gradient with each id's rows added up, and the ids in rising order.

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
        return self._summed(in_order)[0]

    def totals(self) -> tuple[Any, Any]:
        """Return the ids and the sum of each, ready for assignment: an id that is there twice has its sum twice."""
        grad, first = self._summed()
        return grad.ids, grad.rows if first is None else get_namespace(grad.rows).take(grad.rows, first, axis=0)

    def _summed(self, in_order: bool = False) -> tuple[RowGradient, Any]:
        """Return `summed` and the first place of each place's id; None if every id is there once."""
        xp = get_namespace(self.rows)
        if is_numpy(self.ids):
            ids, place = unique_inverse(self.ids)
            rows = xp.zeros((ids.shape[0], self.rows.shape[1]), dtype=self.rows.dtype, device=get_device(self.rows))
            scatter_add(rows, place, self.rows)
            return RowGradient(ids, rows), None
        order = xp.argsort(self.ids, stable=True)
        ids, rows = xp.take(self.ids, order), xp.take(self.rows, order, axis=0)
        first = xp.searchsorted(ids, ids)
        if in_order:
            is_first = first == xp.arange(ids.shape[0], device=get_device(ids))
            return RowGradient(ids, xp.where(is_first[:, None], _sums_to_the_end_of_the_run(ids, rows), 0.0)), first
        sums = xp.zeros_like(rows)
        scatter_add(sums, first, rows)
        return RowGradient(ids, sums), first

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


def in_fixed_order(grads: Sequence[Any]) -> list[Any]:
    """Return gradients that give the same bytes however an optimiser adds them to the weights.

    What is left to add to a row is its sum and zeros. NumPy's additions have a fixed order as they are.
    """
    return [
        grad.summed(in_order=True) if isinstance(grad, RowGradient) and not is_numpy(grad.ids) else grad
        for grad in grads
    ]


def _sums_to_the_end_of_the_run(ids: Any, rows: Any) -> Any:
    """Return, for each row, the sum of it and of those behind it that have the same id; `ids` rise.

    In each round a row takes up what the row 1, 2, 4, 8... places on has gathered, if that is of the same id (the
    segmented scan of Hillis and Steele, "Data parallel algorithms", 1986). Unlike differences of one running sum over
    all rows it mixes no ids, and so loses no precision.
    """
    xp = get_namespace(rows)
    step = 1
    while step < ids.shape[0]:
        same = (ids[:-step] == ids[step:])[:, None]
        rows = xp.concat([rows[:-step, :] + xp.where(same, rows[step:, :], 0.0), rows[-step:, :]], axis=0)
        step *= 2
    return rows
