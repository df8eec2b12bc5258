"""Optimisers for row-sparse gradients, and the learning-rate schedule.

An optimiser's method ``update(params, grads)`` changes the weights in place. Gradients are row-sparse
(`RowSparseGradient`) or dense. With row-sparse gradients, only the rows that occur in the batch change. The attribute
``lr`` can be set between steps, for example to the value of `linear_rate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastw2v.backend import (
    get_namespace,
    has_row_kernels,
    is_numpy,
    scatter_add,
    set_rows,
    subtract_row_sums,
    take_rows,
)
from fastw2v.config import check_range
from fastw2v.nn.sparse import RowSparseGradient
from fastw2v.utils.quote import quote


class SGD:
    """Stochastic gradient descent, ``W[v] −= lr · dW[v]``.

    Parameters
    ----------
    lr : float
        Learning rate.
    max_row_norm : float, optional
        Maximum norm of one row's gradient in one step. A longer gradient is scaled down to this norm. If None,
        gradients are not scaled. Dense gradients are never scaled.

    Notes
    -----
    In one batch, hundreds of targets may contribute to the gradient of a frequent word's row, all computed from the
    same weights. At the usual learning rates of word2vec, the summed step overshoots and training diverges.
    `max_row_norm` prevents this.

    Examples
    --------
    Row 1 has gradient (1, 0) + (3, 0) = (4, 0), so the step is 0.5 · (4, 0):

    >>> import numpy as np
    >>> from fastw2v.nn import SGD, RowSparseGradient
    >>> W = np.array([[1.0, 1.0], [2.0, 2.0]])
    >>> grad = RowSparseGradient(np.array([1, 1]), np.array([[1.0, 0.0], [3.0, 0.0]]))
    >>> SGD(lr=0.5).update([W], [grad])
    >>> W
    array([[1., 1.],
           [0., 2.]])
    """

    def __init__(self, lr: float = 0.01, max_row_norm: float | None = None) -> None:
        check_range("lr", lr, low=0.0)
        if max_row_norm is not None:
            check_range("max_row_norm", max_row_norm, low=0.0)
        self.lr = lr
        self.max_row_norm = max_row_norm

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Update the weights in place by one step.

        Parameters
        ----------
        params : sequence of float array
            The weights.
        grads : sequence of float array or RowSparseGradient
            The gradient of each weight.

        Examples
        --------
        The gradient (3, 4) has norm 5, so it is scaled down to norm 1:

        >>> import numpy as np
        >>> from fastw2v.nn import SGD, RowSparseGradient
        >>> W = np.zeros((2, 2))
        >>> SGD(lr=1.0, max_row_norm=1.0).update([W], [RowSparseGradient(np.array([0]), np.array([[3.0, 4.0]]))])
        >>> W
        array([[-0.6, -0.8],
               [ 0. ,  0. ]])
        """
        for W, grad in zip(params, grads, strict=True):
            if isinstance(grad, RowSparseGradient):
                if self.max_row_norm is None:
                    for part in grad.parts:
                        scatter_add(W, part.ids, -self.lr * part.rows, part.weights)
                elif has_row_kernels(W):
                    subtract_row_sums(W, grad.parts, self.lr, self.max_row_norm)
                else:
                    (w,), g, ids = _touched((W,), grad)
                    _store((W,), (w - self.lr * _clip_rows(g, self.max_row_norm),), ids)
            else:
                W[...] = W - self.lr * grad


class AdaGrad:
    """AdaGrad, which divides the step of each weight by the square root of the sum of its squared gradients.

    The update is ``s += dW²;  W −= lr · dW / (√s + eps)``.

    Parameters
    ----------
    lr : float
        Learning rate.
    eps : float
        Small number added to the divisor, to avoid division by zero.

    Notes
    -----
    A row that does not occur in the batch has a gradient of zero, so AdaGrad changes neither the row nor its ``s``.
    Row-sparse and dense gradients therefore give the same result.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011.

    Examples
    --------
    With a constant gradient of 3, the steps are lr, lr / √2, lr / √3, …:

    >>> import numpy as np
    >>> from fastw2v.nn import AdaGrad
    >>> W, optimizer = np.array([[10.0]]), AdaGrad(lr=1.0)
    >>> for _ in range(2):
    ...     optimizer.update([W], [np.array([[3.0]])])
    >>> W.round(3)  # 10 - 1 - 1 / √2
    array([[8.293]])
    """

    def __init__(self, lr: float = 0.01, eps: float = 1e-7) -> None:
        check_range("lr", lr, low=0.0)
        check_range("eps", eps, low=0.0)
        self.lr = lr
        self.eps = eps
        self.s: list[Any] = []

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Update the weights in place by one step.

        Parameters
        ----------
        params : sequence of float array
            The weights.
        grads : sequence of float array or RowSparseGradient
            The gradient of each weight.

        Raises
        ------
        ValueError
            If the number or the shapes of the weights differ from those of the first call.

        Examples
        --------
        The first step of each weight has length `lr`, whatever the size of the gradient:

        >>> import numpy as np
        >>> from fastw2v.nn import AdaGrad
        >>> W = np.zeros((1, 3))
        >>> AdaGrad(lr=0.5).update([W], [np.array([[0.1, -2.0, 30.0]])])
        >>> W.round(3)
        array([[-0.5,  0.5, -0.5]])
        """
        self.s = self.s or _zeros(params)
        _check_state(self, params, self.s)
        for W, grad, s in zip(params, grads, self.s, strict=True):
            xp = get_namespace(W)
            (w, s_old), g, ids = _touched((W, s), grad)
            s_new = s_old + g * g
            _store((W, s), (w - self.lr * g / (xp.sqrt(s_new) + self.eps), s_new), ids)


class Adam:
    """Adam, which divides a running mean of the gradients by the square root of a running mean of their squares.

    The update at step t is::

        m = β₁ m + (1 − β₁) dW
        v = β₂ v + (1 − β₂) dW²
        W −= lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + eps)

    With row-sparse gradients this is *lazy* Adam, which updates only the rows that occur in the batch.

    Parameters
    ----------
    lr : float
        Learning rate.
    beta1, beta2 : float
        Decay rates β₁ and β₂ of the running means.
    eps : float
        Small number added to the divisor, to avoid division by zero.

    Notes
    -----
    When a row has no gradient, dense Adam still decays its ``m`` and ``v`` and moves the row along ``m``. Lazy Adam
    leaves the row, ``m`` and ``v`` unchanged until the row occurs again. The step number t counts all steps, including
    those in which the row does not occur. If every row occurs in every step, lazy and dense Adam are equivalent.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1 (with the step size from the
    last paragraph of section 2).

    Examples
    --------
    With a constant gradient, each step has length `lr`:

    >>> import numpy as np
    >>> from fastw2v.nn import Adam
    >>> W, optimizer = np.array([[10.0]]), Adam(lr=1.0)
    >>> for _ in range(2):
    ...     optimizer.update([W], [np.array([[3.0]])])
    >>> W.round(3)
    array([[8.]])
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-7) -> None:
        for name, value in (("lr", lr), ("eps", eps)):
            check_range(name, value, low=0.0)
        for name, value in (("beta1", beta1), ("beta2", beta2)):
            check_range(name, value, 0.0, 1.0)
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.t = 0
        self.m: list[Any] = []
        self.v: list[Any] = []

    def update(self, params: Sequence[Any], grads: Sequence[Any]) -> None:
        """Update the weights in place by one step.

        Parameters
        ----------
        params : sequence of float array
            The weights.
        grads : sequence of float array or RowSparseGradient
            The gradient of each weight.

        Raises
        ------
        ValueError
            If the number or the shapes of the weights differ from those of the first call.

        Examples
        --------
        The first step of each weight has length `lr`, whatever the size of the gradient:

        >>> import numpy as np
        >>> from fastw2v.nn import Adam
        >>> W = np.zeros((1, 3))
        >>> Adam(lr=0.5).update([W], [np.array([[0.1, -2.0, 30.0]])])
        >>> W.round(3)
        array([[-0.5,  0.5, -0.5]])
        """
        if not self.m:
            self.m, self.v = _zeros(params), _zeros(params)
        _check_state(self, params, self.m)
        self.t += 1
        step = self.lr * (1 - self.beta2**self.t) ** 0.5 / (1 - self.beta1**self.t)
        for W, grad, m, v in zip(params, grads, self.m, self.v, strict=True):
            xp = get_namespace(W)
            (w, m_new, v_new), g, ids = _touched((W, m, v), grad)
            m_new += (1 - self.beta1) * (g - m_new)
            v_new += (1 - self.beta2) * (g * g - v_new)
            _store((W, m, v), (w - step * m_new / (xp.sqrt(v_new) + self.eps), m_new, v_new), ids)


def linear_rate(alpha: float, min_alpha: float, progress: float) -> float:
    """Return the learning rate of a schedule that falls linearly from `alpha` to `min_alpha`.

    Parameters
    ----------
    alpha : float
        Initial learning rate.
    min_alpha : float
        Final learning rate.
    progress : float
        Fraction of the training that has been completed. Values outside 0..1 are clipped.

    Returns
    -------
    float

    Examples
    --------
    >>> from fastw2v.nn.optim import linear_rate
    >>> [linear_rate(0.5, 0.25, progress) for progress in (0.0, 0.5, 1.0, 1.5)]
    [0.5, 0.375, 0.25, 0.25]
    """
    return alpha - (alpha - min_alpha) * min(max(progress, 0.0), 1.0)


def _clip_rows(rows: Any, max_norm: float) -> Any:
    """Return rows scaled down to a norm of at most `max_norm`."""
    xp = get_namespace(rows)
    norm = xp.sqrt(xp.sum(rows * rows, axis=-1, keepdims=True))
    return rows * (max_norm / xp.where(norm > max_norm, norm, max_norm))


def _zeros(params: Sequence[Any]) -> list[Any]:
    """Return a list of zero arrays, one per weight, with the same shape and dtype."""
    return [get_namespace(W).zeros_like(W) for W in params]


def _check_state(optimizer: Any, params: Sequence[Any], state: Sequence[Any]) -> None:
    """Raise ValueError unless an optimiser has been used only with weights of the shapes of `params`."""
    before, now = ([tuple(array.shape) for array in arrays] for arrays in (state, params))
    if before != now:
        raise ValueError(
            f"this {type(optimizer).__name__} has been used with weights of shapes {quote(before)}, but the "
            f"weights now have shapes {quote(now)}; create a new optimizer for each model. Pickling and copying "
            "a model make two weights of an array and its transpose"
        )


def _touched(tables: Sequence[Any], grad: Any) -> tuple[list[Any], Any, Any]:
    """Return copies of the rows that have a gradient, their gradients, and their ids (None for a dense gradient)."""
    if not isinstance(grad, RowSparseGradient):
        return [table + 0 for table in tables], grad, None
    ids, rows = grad.row_sums()
    xp = get_namespace(rows)
    if is_numpy(ids):
        return [xp.take(table, ids, axis=0) for table in tables], rows, ids
    return [take_rows(table, ids) for table in tables], rows, ids


def _store(tables: Sequence[Any], rows: Sequence[Any], ids: Any) -> None:
    """Write rows back to the tables from which `_touched` copied them."""
    for table, new in zip(tables, rows, strict=True):
        if ids is None:
            table[...] = new
        else:
            set_rows(table, ids, new)
