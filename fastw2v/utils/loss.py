"""Checks of the training loss and of the trained weights, shared by all training loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastw2v.backend import get_namespace, to_host


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


def require_finite_weights(weights: Sequence[Any], remedy: str) -> None:
    """Raise FloatingPointError if a trained weight is infinite or NaN.

    A loss is computed before the weights are updated, so it does not show that the last updates have diverged.

    Parameters
    ----------
    weights : sequence of float array
        Arrays on the same device.
    remedy : str
        A setting to try instead, such as ``"a lower alpha (now 0.2)"``.

    Raises
    ------
    FloatingPointError
        If an element of `weights` is not finite.

    Notes
    -----
    Only minima and maxima are computed, which needs no memory, and the host waits for the device once.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.loss import require_finite_weights
    >>> W_in, W_out = np.zeros((3, 2)), np.array([[1.0, np.inf]])
    >>> require_finite_weights([W_in], "a lower alpha (now 0.2)")
    >>> require_finite_weights([W_in, W_out], "a lower alpha (now 0.2)")
    Traceback (most recent call last):
        ...
    FloatingPointError: the trained weights contain infinity or NaN; training has diverged. Train again with a lower ...
    """
    xp = get_namespace(*weights)
    finite = [xp.isfinite(extreme(W)) for W in weights for extreme in (xp.min, xp.max)]  # a minimum with NaN is NaN
    if not to_host(xp.all(xp.stack(finite))):
        raise FloatingPointError(
            f"the trained weights contain infinity or NaN; training has diverged. Train again with {remedy}"
        )
