"""A check of the training loss, shared by all training loops."""

from __future__ import annotations

import math


def require_finite_loss(loss: float, where: str, remedy: str) -> None:
    """Raise FloatingPointError if a training loss is infinite or NaN.

    Parameters
    ----------
    loss : float
    where : str
        Where in the training run the loss occurred, such as ``"epoch 1, batch 20"``.
    remedy : str
        A setting to try instead, such as ``"a lower alpha (now 0.2)"``.

    Raises
    ------
    FloatingPointError
        If `loss` is not finite.

    Examples
    --------
    >>> import math
    >>> from fastw2v.utils.loss import require_finite_loss
    >>> require_finite_loss(2.5, "epoch 1", "a lower alpha (now 0.2)")
    >>> require_finite_loss(math.nan, "epoch 1", "a lower alpha (now 0.2)")
    Traceback (most recent call last):
        ...
    FloatingPointError: the loss is nan in epoch 1; training has diverged. Train again with a lower alpha (now 0.2)
    """
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} in {where}; training has diverged. Train again with {remedy}")
