"""Negative samples: pools shared by several targets, and independent samples for each target.

References
----------
Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013 (2.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.config import check_integer, check_range
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable, alias_draw, alias_table, noise_weights
from fastw2v.utils.checks import check_ids

__all__ = ["UnigramSampler", "negative_pools"]


def negative_pools(pools: Any, size: int, table: AliasTable, seed: int, epoch: int) -> Any:
    """Return the negatives of each pool.

    Parameters
    ----------
    pools : integer array, shape (N,)
        Indices of the pools. The token at index i of the corpus belongs to pool ``i // L``.
    size : int
        P, the number of negatives in a pool.
    table : AliasTable
        Alias table of the noise distribution.
    seed, epoch : int

    Returns
    -------
    int64 array, shape (N, P)
        Negatives sampled with replacement, so a pool can contain a word twice.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.alias import alias_table, noise_weights
    >>> from fastw2v.sampling.negatives import negative_pools
    >>> table = alias_table(noise_weights(np.array([5, 3, 2])))
    >>> negative_pools(np.arange(2), 4, table, seed=1, epoch=0).tolist()
    [[0, 0, 0, 1], [0, 2, 1, 1]]
    """
    xp = get_namespace(pools)
    rows = rng.bits(rng.stream_key(seed, rng.NEGATIVES, epoch), pools)
    columns = xp.arange(size, device=get_device(pools))
    return alias_draw(table, rng.bits(rows[:, None], columns[None, :]))


class UnigramSampler:
    """Sampler that draws negatives from the unigram distribution raised to a power, excluding the target.

    Parameters
    ----------
    corpus : integer array, shape (N,)
        Word ids, starting at 0. Their counts define the unigram distribution. Samples are on the device of `corpus`.
    power : float
        Exponent of the counts. The paper uses 0.75.
    sample_size : int
        Number of negatives per target.
    seed : int
        With the same seed, the same sequence of calls returns the same samples.

    Attributes
    ----------
    vocab_size : int
        Number of words, which is the highest id plus 1.
    word_p : float array, shape (vocab_size,)
        Probability of each word.

    Raises
    ------
    TypeError
        If the ids are not integers.
    ValueError
        If the corpus has fewer than two different words, or `sample_size` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.negatives import UnigramSampler
    >>> sampler = UnigramSampler(np.array([0, 1, 1, 1, 1]), power=0.5, sample_size=5)
    >>> sampler.word_p.round(2).tolist()
    [0.33, 0.67]
    """

    def __init__(self, corpus: Any, power: float, sample_size: int, seed: int = 1) -> None:
        corpus = check_ids("corpus", corpus)
        check_range("power", power)
        check_integer("sample_size", sample_size, minimum=1)
        check_integer("seed", seed)
        counts = np.bincount(to_host(corpus))
        if np.count_nonzero(counts) < 2:
            raise ValueError("negative sampling needs a corpus with at least two different words")
        xp = get_namespace(corpus)
        device = get_device(corpus)
        weights = noise_weights(counts, power)
        self.sample_size = sample_size
        self.vocab_size = len(counts)
        self.word_p = xp.asarray(weights / weights.sum(), device=device)
        self._table = AliasTable(*(xp.asarray(part, device=device) for part in alias_table(weights)))
        self._cumulative = xp.asarray(np.cumsum(weights / weights.sum()), device=device)
        self._key = rng.stream_key(seed, rng.NEGATIVES, 0)
        self._drawn = 0

    def get_negative_sample(self, target: Any) -> Any:
        """Return negatives for each target, sampled with replacement.

        Parameters
        ----------
        target : integer array, shape (B,)

        Returns
        -------
        int64 array, shape (B, sample_size)
            No element equals the target of its row.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.sampling.negatives import UnigramSampler
        >>> sampler = UnigramSampler(np.array([0, 1, 1, 2, 3, 3]), power=0.75, sample_size=4)
        >>> sampler.get_negative_sample(np.array([1, 3])).tolist()  # no 1 in row 0, no 3 in row 1
        [[0, 2, 3, 3], [2, 2, 1, 2]]
        """
        target = check_ids("target", target)
        xp = get_namespace(target)
        rows = self._drawn + xp.arange(target.shape[0], device=get_device(target))
        self._drawn += target.shape[0]
        rows = rng.bits(self._key, rows)[:, None]
        columns = xp.arange(self.sample_size, device=get_device(target))[None, :]
        negative = alias_draw(self._table, rng.bits(rows, columns))
        # A sample that equals the target is replaced by a sample from the distribution without the target. To draw the
        # replacement without a loop, a uniform number is looked up in the cumulative distribution after skipping the
        # interval of the target.
        again = rng.uniform(rng.bits(rows, columns + self.sample_size), xp.float64)
        end = xp.take(self._cumulative, target)[:, None]
        span = xp.take(self.word_p, target)[:, None]
        u = again * (1 - span)
        u = xp.where(u >= end - span, u + span, u)
        other = xp.searchsorted(self._cumulative, xp.reshape(u, (-1,)), side="right")
        other = xp.reshape(xp.where(other < self.vocab_size, other, self.vocab_size - 1), u.shape)
        return xp.where(negative == target[:, None], self._neighbour(other, target[:, None]), negative)

    def _neighbour(self, ids: Any, target: Any) -> Any:
        """Replace each id that rounding at an interval's edge has made equal to the target with a neighbouring id."""
        xp = get_namespace(ids)
        return xp.where(ids == target, xp.where(target > 0, target - 1, target + 1), ids)
