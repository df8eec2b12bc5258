"""Optimisers that change only the rows a batch touched, and the learning-rate schedule.

Each has `update(params, grads)`: weights in place, from gradients that are row-sparse (`RowSparseGradient`) or dense.
``lr`` is a plain attribute, so that a schedule may set it between steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastw2v.backend import get_namespace, scatter_add, set_rows
from fastw2v.nn.sparse import RowSparseGradient


class SGD:
    """Stochastic gradient descent: ``W[v] −= lr · dW[v]``.

    Parameters
    ----------
    lr : float
    max_row_norm : float, optional
        Longest gradient of one row in one step; longer ones are scaled down to it. A batch adds up what hundreds of
        targets ask of a frequent word, each unaware of the others: without a bound that step overshoots and, at the
        rates that suit word2vec, diverges.
    """

    def __init__(self, lr: float = 0.01, max_row_norm: float | None = None) -> None:
        self.lr = lr
        self.max_row_norm = max_row_norm

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Take one step."""
        for W, grad in zip(params, grads, strict=True):
            if isinstance(grad, RowSparseGradient):
                if self.max_row_norm is None:
                    scatter_add(W, grad.ids, -self.lr * grad.rows)
                else:
                    (w,), g, ids = _touched((W,), grad)
                    _store((W,), (w - self.lr * _clip_rows(g, self.max_row_norm),), ids)
            else:
                W[...] = W - self.lr * grad


class AdaGrad:
    """Steps divided by the root of each weight's summed squared gradients.

    ``s += dW²;  W −= lr · dW / (√s + eps)``. A row that a batch did not touch has gradient 0, so updating the
    touched rows only is exactly dense AdaGrad.

    Parameters
    ----------
    lr : float
    eps : float

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011.
    """

    def __init__(self, lr: float = 0.01, eps: float = 1e-7) -> None:
        self.lr = lr
        self.eps = eps
        self.s: list[Any] = []

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Take one step."""
        if not self.s:
            self.s = _zeros(params)
        for W, grad, s in zip(params, grads, self.s, strict=True):
            xp = get_namespace(W)
            (w, s_old), g, ids = _touched((W, s), grad)
            s_new = s_old + g * g
            _store((W, s), (w - self.lr * g / (xp.sqrt(s_new) + self.eps), s_new), ids)


class Adam:
    """Steps along a running mean of gradients, divided by the root of a running mean of their squares.

    ``m = β₁m + (1 − β₁)dW;  v = β₂v + (1 − β₂)dW²;  W −= lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + eps)``

    This is *lazy* Adam: with row-sparse gradients only the rows in the batch change. Dense Adam would go on moving
    a row by its decaying ``m``, and decay its ``m`` and ``v``, in every later step in which the row has no gradient;
    here both stand still until the row's next use. ``t`` counts all steps, not a row's own. With dense gradients,
    or when every step touches every row, it is plain Adam.

    Parameters
    ----------
    lr : float
    beta1, beta2 : float
    eps : float

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1 (with the step size of the
    last paragraph of its section 2).
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-7) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.t = 0
        self.m: list[Any] = []
        self.v: list[Any] = []

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Take one step."""
        if not self.m:
            self.m, self.v = _zeros(params), _zeros(params)
        self.t += 1
        step = self.lr * (1 - self.beta2**self.t) ** 0.5 / (1 - self.beta1**self.t)
        for W, grad, m, v in zip(params, grads, self.m, self.v, strict=True):
            xp = get_namespace(W)
            (w, m_new, v_new), g, ids = _touched((W, m, v), grad)
            m_new += (1 - self.beta1) * (g - m_new)
            v_new += (1 - self.beta2) * (g * g - v_new)
            _store((W, m, v), (w - step * m_new / (xp.sqrt(v_new) + self.eps), m_new, v_new), ids)


def linear_rate(alpha: float, min_alpha: float, progress: float) -> float:
    """Return the learning rate after the share `progress` of all training, falling linearly to `min_alpha`."""
    return alpha - (alpha - min_alpha) * min(max(progress, 0.0), 1.0)


def _clip_rows(rows: Any, max_norm: float) -> Any:
    xp = get_namespace(rows)
    norm = xp.sqrt(xp.sum(rows * rows, axis=-1, keepdims=True))
    return rows * (max_norm / xp.where(norm > max_norm, norm, max_norm))


def _zeros(params: Sequence[Any]) -> list[Any]:
    return [get_namespace(W).zeros_like(W) for W in params]


def _touched(tables: Sequence[Any], grad: Any) -> tuple[list[Any], Any, Any]:
    """Return copies of the rows that a gradient touches, the gradient of those rows, and their ids (None: all)."""
    if not isinstance(grad, RowSparseGradient):
        return [table + 0 for table in tables], grad, None
    ids, rows = grad.row_sums()
    xp = get_namespace(rows)
    return [xp.take(table, ids, axis=0) for table in tables], rows, ids


def _store(tables: Sequence[Any], rows: Sequence[Any], ids: Any) -> None:
    for table, new in zip(tables, rows, strict=True):
        if ids is None:
            table[...] = new
        else:
            set_rows(table, ids, new)
