"""Alias tables: discrete distributions from which a sample takes constant time, and the noise distribution.

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
"""The threshold with which `rng.bernoulli` is always True."""


class AliasTable(NamedTuple):
    """A discrete distribution from which a sample takes one random integer and constant time.

    Slot i is chosen uniformly; it yields i with probability ``threshold[i] / 2**32`` and ``alias[i]`` otherwise.
    """

    threshold: Any
    """uint64 array, shape (V,), from 0 to 2**32."""
    alias: Any
    """int64 array, shape (V,)."""


def noise_weights(counts: Any, ns_exponent: float = 0.75) -> np.ndarray:
    """Return the unnormalised noise distribution ``counts ** ns_exponent``; words that never occur have weight 0.

    Parameters
    ----------
    counts : integer array, shape (V,)
    ns_exponent : float
        1 is the unigram distribution, 0 the uniform one; negative values prefer rare words.

    Returns
    -------
    float64 array, shape (V,)
    """
    counts = to_host(counts).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** ns_exponent, 0.0)


def alias_table(weights: Any) -> AliasTable:
    """Build the alias table of a discrete distribution, without a Python loop.

    Words lighter than the mean need topping up, heavier ones have weight to give. Laid out in order on one line, the
    cumulative sums of what is needed and of what is given divide it into intervals. Word i is topped up by the giver in
    whose interval its need begins, and a giver whose interval ends inside the need of a word is topped up by the next
    giver (the sweep of Hübschle-Schneider and Sanders, "Parallel weighted random sampling", ESA 2019, 3.1).

    Parameters
    ----------
    weights : array of float, shape (V,)
        Non-negative, with a positive sum.

    Returns
    -------
    AliasTable
        NumPy arrays.

    Raises
    ------
    ValueError
        If there is no weight, or one is negative or not finite.
    """
    weights = to_host(weights).astype(np.float64)
    if not (weights.ndim == 1 and np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError("alias_table needs a one-dimensional array of non-negative weights with a positive sum")
    size = len(weights)
    share = weights * (size / weights.sum())
    share[share.argmax()] = max(1.0, share.max())  # rounding can leave all of an even distribution just below 1
    light = np.flatnonzero(share < 1)
    heavy = np.flatnonzero(share >= 1)
    needed = np.cumsum(1 - share[light])
    given = np.cumsum(share[heavy] - 1)
    if len(light):
        given[-1] = np.inf  # the two totals differ by rounding, and the last giver must suffice for the rest
    keep = share.copy()
    alias = np.arange(size)
    start = np.concatenate([[0.0], needed[:-1]])[: len(light)]
    alias[light] = heavy[np.searchsorted(given, start, side="right")]
    keep[heavy] = 1.0
    if len(light):
        last = np.searchsorted(start, given[:-1], side="left") - 1  # the last light word that each giver serves
        inside = (last >= 0) & (given[:-1] < needed[last])
        givers = heavy[:-1][inside]
        keep[givers] = 1 + given[:-1][inside] - needed[last[inside]]
        alias[givers] = heavy[1:][inside]
    return AliasTable(np.floor(np.clip(keep, 0, 1) * ALWAYS).astype(np.uint64), alias)


def alias_draw(table: AliasTable, random: Any) -> Any:
    """Return one word id per random number: the upper 32 bits choose the slot, the lower 32 bits its side.

    Parameters
    ----------
    table : AliasTable
        On the device of `random`.
    random : uint64 array, any shape
        From `rng.bits`.

    Returns
    -------
    int64 array, shape of `random`
    """
    xp = get_namespace(random)
    slot = rng.randint(random, table.alias.shape[0])
    flat = xp.reshape(slot, (-1,))
    threshold = xp.reshape(xp.take(table.threshold, flat), slot.shape)
    alias = xp.reshape(xp.take(table.alias, flat), slot.shape)
    return xp.where(rng.bernoulli(random, threshold), slot, alias)
