"""How much of a step a row takes when many workers train at once.

Workers do not see what the others teach a row until it is written. With n updates of one row on their way at once,
all made from the same old values, n times the step is taken; with more than 8 / (rate · |h|²) of them, as the logistic
loss curves by at most a quarter of |h|², it overshoots further each time. On a GPU, where hundreds of blocks train,
that is so for some hundred frequent words; on a processor with many threads, for words that are in several pools at
once. These rows are taught more often than they need be, so their steps are shortened (`docs/gpu.md`: what is learnt).
"""

from __future__ import annotations

import numpy as np

from fastw2v.gradient import CbowGrad, context_power

STALE = 2.0
"""Updates of one row in flight, times the learning rate, up to which its steps are whole."""


def limits(
    counts: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    *,
    crowd: int,
    model: str,
    window: int,
    shrink_windows: bool,
    negative: int,
    cbow_grad: CbowGrad,
    alpha: float,
    tile: int,
    pool_size: int,
    pool_tokens: int,
    refresh: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rates up to which the rows of W_in and of W_out take whole steps.

    At a higher rate a step is multiplied by limit / rate.

    Parameters
    ----------
    counts, keep, noise : array, shape (V,)
        Of the words, their thresholds of subsampling, and weights in the noise.
    crowd : int
        How many workers train at once. One has no limits.
    alpha : float
        The highest rate.
    refresh : int, optional
        Tiles after which a worker writes a pool back; if absent, it does so when all of its tokens are trained.

    The other parameters are those of `fastw2v.kernels.cpu.train`.

    Returns
    -------
    W_in, W_out : float64 array, shape (V,)
        Positive, infinite for one worker.

    Notes
    -----
    A worker holds back what it has taught a streaming row for the tokens of two windows and a tile, a target's own row
    for a tile, and a row of a pool until the pool is written. The last may be long enough for it to take the row to
    where it wants it, and no further: then it is enough if those who hold the row agree on the mean of what they want.
    """
    if crowd <= 1:
        return np.full(len(counts), np.inf), np.full(len(counts), np.inf)
    kept = counts * (keep / 2.0**32)
    share = kept / max(kept.sum(), 1)
    drawn = noise / noise.sum()
    contexts = 2.0 * np.arange(1 if shrink_windows else window, window + 1)  # of a target
    reach = 2 * window + tile
    held = pool_tokens * float(kept.sum() / max(counts.sum(), 1))  # targets between two writes of a pool
    held = held if refresh is None else min(refresh * tile, held)
    if model == "cbow":
        W_in = reach * float((contexts ** (1 - context_power(cbow_grad))).mean()) * share
        W_out = tile * share
        pooled = held * negative * drawn
    else:
        positives = float(contexts.mean())
        W_in, W_out = tile * positives * share, reach * positives * share
        pooled = held * negative * positives * drawn
    holding = 1 - (1 - drawn) ** pool_size
    W_out = W_out + np.minimum(pooled, STALE * holding / max(alpha, 1e-30))
    with np.errstate(divide="ignore"):
        return STALE / (crowd * W_in), STALE / (crowd * W_out)
