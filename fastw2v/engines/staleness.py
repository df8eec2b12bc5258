"""The damping of stale updates: how large a step of a row may be when many workers train at once.

Workers do not see each other's updates of a row until it is written. With n concurrent updates of one row, all
computed from the same old values, n times the step is taken. The curvature of the logistic loss is at most |h|² / 4,
so more than 8 / (rate · |h|²) concurrent updates make the iteration diverge. On a GPU, where hundreds of blocks train,
this holds for some hundred frequent words; on a CPU with many threads, for words that are in several pools at once.
Such rows get more updates than they need, so their steps are scaled down (`docs/gpu.md`).
"""

from __future__ import annotations

import numpy as np

from fastw2v.config import TrainingConfig, cbow_grad_exponent

__all__ = ["MAX_STALENESS", "max_rates"]

MAX_STALENESS = 2.0
"""Concurrent updates of one row, times the learning rate, up to which its steps are taken whole."""


def max_rates(
    counts: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    config: TrainingConfig,
    *,
    concurrency: int,
    pool_sync_interval: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rates up to which the rows of W_in and of W_out take whole steps.

    At a higher rate a step is multiplied by max_rate / rate.

    Parameters
    ----------
    counts, keep, noise : array, shape (V,)
        Of the words, their subsampling thresholds, and their weights in the noise distribution.
    config : TrainingConfig
    concurrency : int
        Workers that train at once. One has no limits.
    pool_sync_interval : int, optional
        Tiles between write-backs of a pool; when absent, it is written when all of its tokens are trained.

    Returns
    -------
    W_in, W_out : float64 array, shape (V,)
        Positive, infinite for one worker.

    Notes
    -----
    A worker holds back its updates of a streaming row for the tokens of two windows and a tile, of a target's own row
    for a tile, and of a pool's row until the pool is written. A pool's row may converge within that time. Its step is
    then scaled by no less than the inverse of the number of workers expected to hold it, which averages their results.
    """
    if concurrency <= 1:
        return np.full(len(counts), np.inf), np.full(len(counts), np.inf)
    window, negative, tile = config.window, config.negative, config.tile
    kept = counts * (keep / 2.0**32)
    share = kept / max(kept.sum(), 1)
    drawn = noise / noise.sum()
    contexts = 2.0 * np.arange(1 if config.shrink_windows else window, window + 1)  # of a target
    reach = 2 * window + tile
    held = config.pool_tokens * float(kept.sum() / max(counts.sum(), 1))  # targets between two writes of a pool
    held = held if pool_sync_interval is None else min(pool_sync_interval * tile, held)
    if config.model == "cbow":
        W_in = reach * float((contexts ** (1 - cbow_grad_exponent(config.cbow_grad))).mean()) * share
        W_out = tile * share
        pooled = held * negative * drawn
    else:
        positives = float(contexts.mean())
        W_in, W_out = tile * positives * share, reach * positives * share
        pooled = held * negative * positives * drawn
    holding = 1 - (1 - drawn) ** config.pool_size
    W_out = W_out + np.minimum(pooled, MAX_STALENESS * holding / max(config.alpha, 1e-30))
    with np.errstate(divide="ignore"):
        return MAX_STALENESS / (concurrency * W_in), MAX_STALENESS / (concurrency * W_out)
