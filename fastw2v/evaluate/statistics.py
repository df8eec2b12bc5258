"""Statistics: ranks, correlations, and bootstrap intervals of rank correlations."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["bootstrap_interval", "correlation", "ranks"]


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, starting at 1. Equal values get the mean of their ranks.

    Parameters
    ----------
    values : array, shape (N,)

    Returns
    -------
    float64 array, shape (N,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.evaluate.statistics import ranks
    >>> ranks(np.array([30, 10, 20, 20]))
    array([4. , 1. , 2.5, 2.5])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Pearson's correlation of two samples, or NaN if a sample is constant.

    Parameters
    ----------
    x, y : array, shape (N,)

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.evaluate.statistics import correlation
    >>> x = np.array([1.0, 2, 3, 4])
    >>> round(correlation(x, x**2), 2)
    0.98
    >>> correlation(x, np.ones(4))
    nan
    """
    if x.min() == x.max() or y.min() == y.max():
        return math.nan
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy) / math.sqrt(float(dx @ dx) * float(dy @ dy))


def bootstrap_interval(x: np.ndarray, y: np.ndarray, drawings: int = 1000) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the rank correlation of two samples.

    Parameters
    ----------
    x, y : float array, shape (N,)
    drawings : int
        Number of resamples. Each resample consists of N pairs, drawn with replacement. The random seed is always 0.

    Returns
    -------
    low, high : float
        The 2.5th and 97.5th percentiles, or NaN if the correlation is undefined in all resamples.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.evaluate.statistics import bootstrap_interval
    >>> x = np.arange(20.0)
    >>> bootstrap_interval(x, x + 5 * np.sin(3 * x))
    (0.66..., 0.94...)
    """
    n, random = len(x), np.random.default_rng(0)
    found = []
    block = max(1, 2**20 // n)
    for start in range(0, drawings, block):
        size = min(block, drawings - start)
        drawn = random.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=size * n).reshape(size, n).astype(np.float64)
        found.append(_weighted_correlation(_weighted_ranks(x, times), _weighted_ranks(y, times), times))
    correlations = np.concatenate(found)
    correlations = correlations[~np.isnan(correlations)]  # the correlation is undefined if all values are equal
    low, high = np.quantile(correlations, (0.025, 0.975)) if len(correlations) else (math.nan, math.nan)
    return float(low), float(high)


def _weighted_ranks(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the ranks, shape (B, N), of N values in B resamples. Resample b contains value n ``times[b, n]`` times."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(places, kind="stable")
    held = np.add.reduceat(times[:, order], np.cumsum(sizes) - sizes, axis=1)
    mean_ranks = np.cumsum(held, axis=1) - (held - 1) / 2
    return mean_ranks[:, places]


def _weighted_correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Pearson's weighted correlation along the last axis, or NaN where x or y is constant."""
    total = weights.sum(axis=1, keepdims=True)
    dx, dy = (side - (weights * side).sum(axis=1, keepdims=True) / total for side in (x, y))
    xx, yy, xy = ((weights * product).sum(axis=1) for product in (dx * dx, dy * dy, dx * dy))
    varies = (xx > 0) & (yy > 0)
    return np.where(varies, xy / np.sqrt(np.where(varies, xx * yy, 1.0)), math.nan)
