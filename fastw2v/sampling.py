"""Who is trained against whom: subsampling, window widths, and negatives from the noise distribution.

All choices are integers drawn by `fastw2v.draws`; the tables built here hold integer thresholds, so that every
device and every engine makes the same choices from the same tables.

References
----------
Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013
(2.2 negative sampling, 2.3 subsampling); Walker, "An efficient method for generating discrete random variables
with general distributions", ACM TOMS 3(3), 1977 (alias tables).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v import draws
from fastw2v.backend import chosen, get_device, get_namespace, to_host

ALWAYS = 1 << 32
"""The threshold that `draws.chance` always passes."""


class AliasTable(NamedTuple):
    """A discrete distribution from which one integer draw takes constant time.

    Slot i is chosen evenly; it yields i with probability ``threshold[i] / 2**32`` and ``alias[i]`` otherwise.
    """

    threshold: Any
    """uint64 array, shape (V,), from 0 to 2**32."""
    alias: Any
    """int64 array, shape (V,)."""


def keep_threshold(counts: Any, sample: float) -> np.ndarray:
    """Return each word's chance of being kept by subsampling, as thresholds for `draws.chance`.

    ``keep = min(1, sqrt(sample / f) + sample / f)`` with f the word's share of the corpus, as in word2vec.c,
    gensim and fastText.

    Parameters
    ----------
    counts : integer array, shape (V,)
    sample : float
        0 keeps every token.

    Returns
    -------
    uint64 array, shape (V,)
    """
    counts = to_host(counts).astype(np.float64)
    if sample == 0:
        return np.full(counts.shape, ALWAYS, np.uint64)
    with np.errstate(divide="ignore"):
        ratio = sample * counts.sum() / counts
    return np.floor(np.minimum(1.0, np.sqrt(ratio) + ratio) * ALWAYS).astype(np.uint64)


def noise_weights(counts: Any, ns_exponent: float = 0.75) -> np.ndarray:
    """Return the unnormalised noise distribution ``counts ** ns_exponent``; words that never occur have weight 0.

    Parameters
    ----------
    counts : integer array, shape (V,)
    ns_exponent : float
        1 is the unigram distribution, 0 the uniform one, negative values prefer rare words.

    Returns
    -------
    float64 array, shape (V,)
    """
    counts = to_host(counts).astype(np.float64)
    return np.where(counts > 0, np.maximum(counts, 1) ** ns_exponent, 0.0)


def alias_table(weights: Any) -> AliasTable:
    """Build the alias table of a discrete distribution, without a Python loop.

    Words lighter than the mean need topping up, heavier ones have weight to give. With both laid out in order on
    one line, by the running sums of what is needed and of what is given, word i is topped up by the giver in whose
    stretch its need begins, and a giver whose stretch ends inside somebody's need is topped up by the next giver
    (the sweep of Hübschle-Schneider and Sanders, "Parallel weighted random sampling", ESA 2019, 3.1).

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
        given[-1] = np.inf  # The two totals differ by rounding; the last giver must last to the end.
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
        From `draws.bits`.

    Returns
    -------
    int64 array, shape of `random`
    """
    xp = get_namespace(random)
    slot = draws.below(random, table.alias.shape[0])
    flat = xp.reshape(slot, (-1,))
    threshold = xp.reshape(xp.take(table.threshold, flat), slot.shape)
    alias = xp.reshape(xp.take(table.alias, flat), slot.shape)
    return xp.where(draws.chance(random, threshold), slot, alias)


def keep_tokens(ids: Any, positions: Any, threshold: Any, seed: int, epoch: int) -> Any:
    """Return which tokens subsampling keeps in one epoch.

    Parameters
    ----------
    ids : integer array, shape (N,)
    positions : integer array, shape (N,)
        The tokens' indices in the corpus.
    threshold : uint64 array, shape (V,)
        From `keep_threshold`.
    seed, epoch : int

    Returns
    -------
    bool array, shape (N,)
    """
    xp = get_namespace(ids)
    return draws.chance(draws.bits(draws.key(seed, draws.KEEP, epoch), positions), xp.take(threshold, ids))


def window_widths(positions: Any, window: int, seed: int, epoch: int, shrink_windows: bool = True) -> Any:
    """Return each target's window width, drawn evenly from 1 to `window` if `shrink_windows`, else `window`.

    Parameters
    ----------
    positions : integer array, shape (N,)
        The targets' indices in the corpus.

    Returns
    -------
    int64 array, shape (N,)
    """
    xp = get_namespace(positions)
    if not shrink_windows:
        return xp.full(positions.shape, window, dtype=xp.int64, device=get_device(positions))
    return draws.below(draws.bits(draws.key(seed, draws.WINDOW, epoch), positions), window) + 1


def negative_pools(pools: Any, size: int, table: AliasTable, seed: int, epoch: int) -> Any:
    """Return the negatives of each pool.

    Parameters
    ----------
    pools : integer array, shape (N,)
        Pool numbers: token index in the corpus divided by the tokens that share a pool.
    size : int
        Negatives in a pool, P.
    table : AliasTable
        Of the noise distribution.

    Returns
    -------
    int64 array, shape (N, P)
        Repeats within a pool are allowed, as in sampling with replacement.
    """
    xp = get_namespace(pools)
    rows = draws.bits(draws.key(seed, draws.NEGATIVES, epoch), pools)
    places = xp.arange(size, device=get_device(pools))
    return alias_draw(table, draws.bits(rows[:, None], places[None, :]))


class Batch(NamedTuple):
    """Targets of a piece of corpus, in groups that share a pool of negatives."""

    contexts: Any
    """int array, shape (G, L, C): the words in each target's window, left to right; negative is padding."""
    target: Any
    """int array, shape (G, L); negative is padding."""
    pool: Any
    """int array, shape (G, P)."""
    targets: int
    """How many targets are not padding."""
    done: int
    """Tokens of the corpus that this batch and those before it cover in its epoch."""


def stretches(offsets: Any, longest: int) -> Iterator[tuple[int, int]]:
    """Cut a corpus at sentence ends into stretches of at most `longest` tokens; a longer sentence is split.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
    longest : int

    Yields
    ------
    start, stop : int
        Every token is in exactly one stretch.
    """
    offsets = to_host(offsets)
    start, end = int(offsets[0]), int(offsets[-1])
    while start < end:
        stop = int(offsets[np.searchsorted(offsets, start + longest, side="right") - 1])
        stop = stop if stop > start else min(start + longest, end)
        yield start, stop
        start = stop


def shuffled(starts: Any, section: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which an epoch trains stretches: text that keeps to one subject would teach in its order.

    Parameters
    ----------
    starts : int array, shape (S,)
        First token of each stretch, rising.
    section : int
        Tokens. The stretches that begin in one section of the corpus come one after the other, the sections in order:
        a corpus larger than the memory is read section by section.
    seed, epoch : int

    Returns
    -------
    int64 array, shape (S,)
        A permutation of the stretches' numbers.
    """
    starts = np.asarray(starts, np.int64)
    return np.lexsort((draws.bits(draws.key(seed, draws.ORDER, epoch), starts), starts // section))


class Piece(NamedTuple):
    """A stretch of the corpus in an epoch."""

    epoch: int
    start: int
    stop: int
    done: int
    """Tokens of all epochs that come before it in the order of training."""


def pieces(offsets: Any, longest: int, section: int, seed: int, epochs: int) -> Iterator[Piece]:
    """Yield the stretches of all epochs in the order in which they are trained; see `stretches` and `shuffled`."""
    bounds = np.array(list(stretches(offsets, longest)), np.int64)
    done = 0
    for epoch in range(epochs):
        for start, stop in bounds[shuffled(bounds[:, 0], section, seed, epoch)].tolist():
            yield Piece(epoch, start, stop, done)
            done += stop - start


def batches(
    ids: Any,
    offsets: Any,
    keep: Any,
    noise: AliasTable,
    *,
    window: int,
    pool_tokens: int,
    pool_size: int,
    groups: int,
    seed: int,
    epoch: int,
    shrink_windows: bool = True,
    longest: int = 1 << 20,
) -> Iterator[Batch]:
    """Yield one epoch of a corpus as batches of targets with their contexts and shared negatives.

    Windows reach over the tokens that subsampling kept, within the sentence, as in word2vec.c. The batches of each
    stretch of `longest` tokens come in an order of the epoch's own.

    Parameters
    ----------
    ids : int array, shape (T,)
    offsets : int array, shape (n_sentences + 1,)
    keep : uint64 array, shape (V,)
        From `keep_threshold`.
    noise : AliasTable
        These four on one device, where the batches are made.
    window : int
        Widest window.
    pool_tokens, pool_size : int
        L tokens of the corpus share a pool of P negatives.
    groups : int
        Pools in a batch.
    seed, epoch : int
        Of the draws.
    shrink_windows : bool
        Whether widths are drawn from 1 to `window` or all are `window`.
    longest : int
        Tokens held ready at once; a longer sentence is split.

    Yields
    ------
    Batch

    Notes
    -----
    All sizes of a stretch of `longest` tokens come to the host at once: batches of it are made without waiting for
    the device.
    """
    xp = get_namespace(ids)
    device = get_device(ids)
    reach = xp.concat([xp.arange(-window, 0, device=device), xp.arange(1, window + 1, device=device)])
    done = 0
    for start, stop in stretches(offsets, longest):
        token = xp.arange(start, stop, device=device)
        kept = chosen(token, keep_tokens(ids[start:stop], token, keep, seed, epoch))
        words = xp.take(ids, kept)
        sentence = xp.searchsorted(offsets, kept, side="right")
        width = window_widths(kept, window, seed, epoch, shrink_windows)
        first_pool, last_pool = start // pool_tokens, (stop - 1) // pool_tokens
        pools = xp.arange(first_pool, last_pool + 1, device=device)
        begin = xp.searchsorted(kept, pools * pool_tokens)
        end = xp.searchsorted(kept, (pools + 1) * pool_tokens)
        sizes, targets = to_host(xp.stack([end - begin, _in_company(sentence, begin, end)]))
        negatives = negative_pools(pools, pool_size, noise, seed, epoch)
        bounds = np.arange(first_pool, last_pool + 1, groups) * pool_tokens
        for i in shuffled(bounds, stop, seed, epoch):  # all in one section
            first = int(i) * groups
            part = slice(first, min(first + groups, len(sizes)))
            done += min((first_pool + first + groups) * pool_tokens, stop) - max(int(bounds[i]), start)
            if not (n_targets := int(targets[part].sum())):
                continue
            place = begin[part, None] + xp.arange(int(sizes[part].max()), device=device)[None, :]
            valid = place < end[part, None]
            target, contexts = _windows(words, sentence, width, xp.where(valid, place, 0), reach)
            valid = valid & xp.any(contexts >= 0, axis=-1)  # nothing can be learnt from a word alone
            yield Batch(
                xp.where(valid[..., None], contexts, -1),
                xp.where(valid, target, -1),
                negatives[part, :],
                n_targets,
                done,
            )


def _in_company(sentence: Any, begin: Any, end: Any) -> Any:
    """Return how many of the tokens from `begin` to `end` have another of their sentence beside them, shape (G,)."""
    xp = get_namespace(sentence)
    alone = xp.ones((1,), dtype=xp.bool, device=get_device(sentence))
    breaks = xp.concat([alone, sentence[1:] != sentence[:-1], alone])
    before = xp.cumulative_sum(xp.astype(~(breaks[:-1] & breaks[1:]), xp.int64), include_initial=True)
    return xp.take(before, end) - xp.take(before, begin)


def _windows(words: Any, sentence: Any, width: Any, place: Any, reach: Any) -> tuple[Any, Any]:
    """Return the words at `place`, (G, L), and those in their windows, (G, L, C), with −1 where there is none."""
    xp = get_namespace(words)

    def at(values: Any, index: Any) -> Any:
        return xp.reshape(xp.take(values, xp.reshape(index, (-1,))), index.shape)

    neighbour = place[..., None] + reach
    inside = (neighbour >= 0) & (neighbour < words.shape[0])
    neighbour = xp.where(inside, neighbour, 0)
    inside = inside & (xp.abs(reach) <= at(width, place)[..., None])
    inside = inside & (at(sentence, neighbour) == at(sentence, place)[..., None])
    return at(words, place), xp.where(inside, at(words, neighbour), -1)


class UnigramSampler:
    """Negatives for a batch of targets, from the unigram distribution raised to a power, never the target itself.

    Parameters
    ----------
    corpus : integer array, shape (N,)
        Word ids from 0; their counts are the unigram distribution. Samples live on its device.
    power : float
        0.75 in the paper.
    sample_size : int
        Negatives per target.
    seed : int
        Calls with the same seed, in the same order, return the same samples.

    Raises
    ------
    ValueError
        If fewer than two words occur, so that nothing but the target could be drawn, or `sample_size` < 1.
    """

    def __init__(self, corpus: Any, power: float, sample_size: int, seed: int = 1) -> None:
        counts = np.bincount(to_host(corpus))
        if np.count_nonzero(counts) < 2:
            raise ValueError("negative sampling needs a corpus of at least two different words")
        if sample_size < 1:
            raise ValueError(f"sample_size is {sample_size}; it must be at least 1")
        xp = get_namespace(corpus)
        device = get_device(corpus)
        weights = noise_weights(counts, power)
        self.sample_size = sample_size
        self.vocab_size = len(counts)
        self.word_p = xp.asarray(weights / weights.sum(), device=device)
        self._table = AliasTable(*(xp.asarray(part, device=device) for part in alias_table(weights)))
        self._cumulative = xp.asarray(np.cumsum(weights / weights.sum()), device=device)
        self._key = draws.key(seed, draws.NEGATIVES, 0)
        self._drawn = 0

    def get_negative_sample(self, target: Any) -> Any:
        """Return negatives for each target, drawn with replacement.

        Parameters
        ----------
        target : integer array, shape (B,)

        Returns
        -------
        int64 array, shape (B, sample_size)
            No element equals its row's target.
        """
        xp = get_namespace(target)
        rows = self._drawn + xp.arange(target.shape[0], device=get_device(target))
        self._drawn += target.shape[0]
        rows = draws.bits(self._key, rows)[:, None]
        places = xp.arange(self.sample_size, device=get_device(target))[None, :]
        negative = alias_draw(self._table, draws.bits(rows, places))
        # A draw that hits the target is drawn once more, from the distribution without the target: the uniform
        # number runs over the cumulative distribution with the target's span cut out. So no row ever loops.
        again = draws.uniform(draws.bits(rows, places + self.sample_size), xp.float64)
        end = xp.take(self._cumulative, target)[:, None]
        span = xp.take(self.word_p, target)[:, None]
        u = again * (1 - span)
        u = xp.where(u >= end - span, u + span, u)
        other = xp.searchsorted(self._cumulative, xp.reshape(u, (-1,)), side="right")
        other = xp.reshape(xp.where(other < self.vocab_size, other, self.vocab_size - 1), u.shape)
        return xp.where(negative == target[:, None], self._neighbour(other, target[:, None]), negative)

    def _neighbour(self, ids: Any, target: Any) -> Any:
        """Step off the target where rounding at the edge of its span landed on it."""
        xp = get_namespace(ids)
        return xp.where(ids == target, xp.where(target > 0, target - 1, target + 1), ids)
