"""Alias tables, which sample a discrete distribution in constant time, and the noise distribution.

References
----------
Walker, "An efficient method for generating discrete random variables with general distributions", ACM TOMS 3(3), 1977.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import get_namespace, to_host
from fastw2v.sampling import rng

__all__ = ["ALWAYS", "AliasTable", "alias_draw", "alias_table", "noise_weights"]

ALWAYS = 1 << 32
"""Threshold for which `rng.bernoulli` always returns True."""


class AliasTable(NamedTuple):
    """A discrete distribution that is sampled in constant time with one random integer.

    To draw a sample, a slot i is chosen uniformly. The sample is i with probability ``threshold[i] / 2**32``, and
    ``alias[i]`` otherwise.
    """

    threshold: Any
    """uint64 array, shape (V,), with values from 0 to 2**32."""
    alias: Any
    """int64 array, shape (V,)."""


def noise_weights(counts: Any, ns_exponent: float = 0.75) -> np.ndarray:
    """Return the weights ``counts ** ns_exponent`` of the noise distribution.

    Parameters
    ----------
    counts : integer array, shape (V,)
    ns_exponent : float
        1 gives the unigram distribution and 0 the uniform distribution. Negative values favour rare words.

    Returns
    -------
    float64 array, shape (V,)
        Not normalised. Words with count 0 have weight 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.alias import noise_weights
    >>> noise_weights(np.array([16, 1, 0])).round(6).tolist()
    [8.0, 1.0, 0.0]
    """
    counts = to_host(counts).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** ns_exponent, 0.0)


def alias_table(weights: Any) -> AliasTable:
    """Build the alias table of a discrete distribution.

    Parameters
    ----------
    weights : array_like of float, shape (V,)
        Non-negative, with a positive sum.

    Returns
    -------
    AliasTable
        Its arrays are NumPy arrays.

    Raises
    ------
    ValueError
        If `weights` is not one-dimensional, its sum is not positive, or a weight is negative or not finite.

    Notes
    -----
    The weights are scaled to mean 1, and each word has a slot of capacity 1. Light words (weight below 1) leave gaps in
    their slots. Heavy words have surpluses, which fill the gaps. Imagine all gaps placed end to end on one line, and
    all surpluses on a second line. Each gap is filled by the heavy word whose surplus covers the start of the gap. If
    the surplus ends within the gap, the heavy word gives away more than its surplus, and the next heavy word fills the
    resulting gap in the slot of the first one. Cumulative sums and a binary search find all pairs without a Python
    loop. This is the sweep of Hübschle-Schneider and Sanders, "Parallel weighted random sampling", ESA 2019, section
    3.1.

    Examples
    --------
    >>> from fastw2v.sampling.alias import ALWAYS, alias_table
    >>> table = alias_table([1.0, 3.0, 4.0])
    >>> (table.threshold / ALWAYS).tolist(), table.alias.tolist()
    ([0.375, 0.5, 1.0], [1, 2, 2])
    """
    weights = to_host(weights).astype(np.float64)
    if not (weights.ndim == 1 and np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError("weights must be a one-dimensional array of finite, non-negative numbers with a positive sum")
    size = len(weights)
    share = weights * (size / weights.sum())
    share[share.argmax()] = max(1.0, share.max())  # with equal weights, rounding can leave every share just below 1
    light = np.flatnonzero(share < 1)
    heavy = np.flatnonzero(share >= 1)
    needed = np.cumsum(1 - share[light])
    given = np.cumsum(share[heavy] - 1)
    if len(light):
        given[-1] = np.inf  # the totals differ by rounding, so the last heavy word fills all remaining gaps
    keep = share.copy()
    alias = np.arange(size)
    start = np.concatenate([[0.0], needed[:-1]])[: len(light)]
    alias[light] = heavy[np.searchsorted(given, start, side="right")]
    keep[heavy] = 1.0
    if len(light):
        last = np.searchsorted(start, given[:-1], side="left") - 1  # the last gap that each heavy word fills
        inside = (last >= 0) & (given[:-1] < needed[last])
        givers = heavy[:-1][inside]
        keep[givers] = 1 + given[:-1][inside] - needed[last[inside]]
        alias[givers] = heavy[1:][inside]
    return AliasTable(np.floor(np.clip(keep, 0, 1) * ALWAYS).astype(np.uint64), alias)


def alias_draw(table: AliasTable, random: Any) -> Any:
    """Return one sample of a discrete distribution per random number.

    The upper 32 bits of a random number choose the slot. The lower 32 bits choose between the slot and its alias.

    Parameters
    ----------
    table : AliasTable
        Must be on the same device as `random`.
    random : uint64 array, any shape
        Random numbers from `rng.bits`.

    Returns
    -------
    int64 array, shape of `random`
        Word ids.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling import rng
    >>> from fastw2v.sampling.alias import alias_draw, alias_table
    >>> random = rng.bits(rng.stream_key(1, rng.NEGATIVES, 0), np.arange(8000))
    >>> np.bincount(alias_draw(alias_table([1.0, 3.0, 4.0]), random)).tolist()
    [992, 3016, 3992]
    """
    xp = get_namespace(random)
    slot = rng.randint(random, table.alias.shape[0])
    flat = xp.reshape(slot, (-1,))
    threshold = xp.reshape(xp.take(table.threshold, flat), slot.shape)
    alias = xp.reshape(xp.take(table.alias, flat), slot.shape)
    return xp.where(rng.bernoulli(random, threshold), slot, alias)
