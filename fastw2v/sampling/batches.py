"""Batches of targets, context windows and shared negatives, for engines that train on whole arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import boolean_mask, get_device, get_namespace, is_numpy, to_host
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable
from fastw2v.sampling.chunks import chunk_bounds, shuffle_order, window_reach
from fastw2v.sampling.negatives import negative_pools
from fastw2v.sampling.subsampling import keep_tokens

__all__ = ["Batch", "batches", "window_widths"]

PREPARED_TOKENS = 1 << 20
"""Maximum number of tokens whose batches are prepared at once, by default."""


BUILT_CONTEXTS = 1 << 21
"""Maximum size of the arrays of contexts that are built at once on a GPU, unless a single batch is larger."""


class Batch(NamedTuple):
    """The targets in a part of the corpus, arranged in groups. Each group has a pool of negatives."""

    contexts: Any
    """int array, shape (G, L, C): the words in each target's window, from left to right. Negative ids are padding."""
    target: Any
    """int array, shape (G, L): the targets of each group. Negative ids are padding."""
    pool: Any
    """int array, shape (G, P): the pool of negatives of each group."""
    targets: int
    """Number of targets, without padding."""
    done: int
    """Number of corpus tokens covered by this and all earlier batches of the epoch."""


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
    done: int = 0,
    chunk_tokens: int = PREPARED_TOKENS,
) -> Iterator[Batch]:
    """Yield one epoch of training on a corpus as batches of targets with their contexts and shared negatives.

    As in word2vec.c, windows are taken after subsampling and do not cross sentence ends. The batches of each chunk are
    yielded in a random order that differs between epochs.

    Parameters
    ----------
    ids : int array, shape (T,)
        Word ids of the corpus. `ids`, `offsets`, `keep` and `noise` must be on the same device. The batches are built
        on that device.
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by T.
    keep : uint64 array, shape (V,)
        Thresholds from `keep_threshold`.
    noise : AliasTable
        The noise distribution.
    window : int
        Maximum distance between a target and a context, on either side.
    pool_tokens, pool_size : int
        L and P. Every L tokens of the corpus share a pool of P negatives.
    groups : int
        Maximum number of pools in a batch.
    seed, epoch : int
    shrink_windows : bool
        If True, draw each window width uniformly from 1 to `window`. Otherwise, the width is always `window`.
    done : int
        Number of tokens that are already trained, which is the `done` of the last batch before an interruption. Only
        the batches after it are yielded.
    chunk_tokens : int
        Maximum number of tokens prepared at once. Longer sentences are split.

    Yields
    ------
    Batch

    Notes
    -----
    For each chunk, the sizes of all batches are copied to the host at once. The batches are then built without waiting
    for the device. On a GPU, several batches are built at once, because building takes the same number of kernel
    launches for any number of batches. Their groups are then equally long, so some contain more padding.

    Examples
    --------
    A sentence of three words, each with one context on either side, and a pool of four negatives:

    >>> import numpy as np
    >>> from fastw2v.sampling.alias import alias_table
    >>> from fastw2v.sampling.batches import batches
    >>> from fastw2v.sampling.subsampling import keep_threshold
    >>> keep = keep_threshold(np.array([1, 1, 1]), sample=0)
    >>> noise = alias_table([1.0, 1.0, 1.0])
    >>> sizes = {"window": 1, "pool_tokens": 256, "pool_size": 4, "groups": 1}
    >>> batch = next(batches(np.array([0, 1, 2]), np.array([0, 3]), keep, noise, **sizes, seed=1, epoch=0))
    >>> batch.target.tolist()
    [[0, 1, 2]]
    >>> batch.contexts.tolist()
    [[[-1, 1], [0, 2], [1, -1]]]
    >>> batch.pool.shape
    (1, 4)
    """
    xp = get_namespace(ids)
    device = get_device(ids)
    sentences = to_host(offsets)
    reach = window_reach(window, sentences)
    distance = xp.concat([xp.arange(-reach, 0, device=device), xp.arange(1, reach + 1, device=device)])
    seen = 0
    for start, stop in chunk_bounds(sentences, chunk_tokens):
        if stop <= done:
            seen = stop
            continue
        token = xp.arange(start, stop, device=device)
        kept = boolean_mask(token, keep_tokens(ids[start:stop], token, keep, seed, epoch))
        words = xp.take(ids, kept)
        sentence = xp.searchsorted(offsets, kept, side="right")
        width = window_widths(kept, window, seed, epoch, shrink_windows)
        first_pool, last_pool = start // pool_tokens, (stop - 1) // pool_tokens
        pools = xp.arange(first_pool, last_pool + 1, device=device)
        begin = xp.searchsorted(kept, pools * pool_tokens)
        end = xp.searchsorted(kept, (pools + 1) * pool_tokens)
        sizes, targets = to_host(xp.stack([end - begin, _count_with_neighbours(sentence, begin, end)]))
        negatives = xp.astype(negative_pools(pools, pool_size, noise, seed, epoch), ids.dtype, copy=False)
        bounds = np.arange(first_pool, last_pool + 1, groups) * pool_tokens
        chosen = []  # the groups, the number of targets and the `done` of each batch that is yielded
        for i in shuffle_order(bounds, stop, seed, epoch):  # all bounds are in one shuffle block
            first = int(i) * groups
            part = np.arange(first, min(first + groups, len(sizes)))
            seen += min((first_pool + first + groups) * pool_tokens, stop) - max(int(bounds[i]), start)
            if seen > done and (n_targets := int(targets[part].sum())):
                chosen.append((part, n_targets, seen))
        at_once = 1 if is_numpy(ids) else max(1, BUILT_CONTEXTS // (groups * pool_tokens * 2 * reach))
        for start_of_block in range(0, len(chosen), at_once):
            block = chosen[start_of_block : start_of_block + at_once]
            rows = np.concatenate([part for part, _, _ in block])
            group = xp.asarray(rows, device=device)
            first_token, after = xp.take(begin, group)[:, None], xp.take(end, group)[:, None]
            index = first_token + xp.arange(int(sizes[rows].max()), device=device)[None, :]
            valid = index < after
            target, contexts = _windows(words, sentence, width, xp.where(valid, index, 0), distance)
            valid = valid & xp.any(contexts >= 0, axis=-1)  # a word without contexts has no gradient
            contexts, target = xp.where(valid[..., None], contexts, -1), xp.where(valid, target, -1)
            pool = xp.take(negatives, group, axis=0)
            first = 0
            for part, n_targets, trained in block:
                of_batch = slice(first, first + len(part))
                first += len(part)
                yield Batch(contexts[of_batch, ...], target[of_batch, :], pool[of_batch, :], n_targets, trained)


def window_widths(positions: Any, window: int, seed: int, epoch: int, shrink_windows: bool = True) -> Any:
    """Return the window width of each target.

    Parameters
    ----------
    positions : integer array, shape (N,)
        Indices of the targets in the corpus.
    window : int
        Maximum distance between a target and a context, on either side.
    seed, epoch : int
    shrink_windows : bool
        If True, draw the widths uniformly from 1 to `window`. Otherwise, the width is always `window`.

    Returns
    -------
    int64 array, shape (N,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.batches import window_widths
    >>> window_widths(np.arange(10), window=5, seed=1, epoch=0).tolist()
    [3, 5, 2, 5, 3, 2, 2, 2, 5, 3]
    """
    xp = get_namespace(positions)
    if not shrink_windows:
        return xp.full(positions.shape, window, dtype=xp.int64, device=get_device(positions))
    return rng.randint(rng.bits(rng.stream_key(seed, rng.WINDOW, epoch), positions), window) + 1


def _count_with_neighbours(sentence: Any, begin: Any, end: Any) -> Any:
    """Return the number of tokens from `begin` to `end` that have a neighbour in their sentence, shape (G,)."""
    xp = get_namespace(sentence)
    alone = xp.ones((1,), dtype=xp.bool, device=get_device(sentence))
    breaks = xp.concat([alone, sentence[1:] != sentence[:-1], alone])
    before = xp.cumulative_sum(xp.astype(~(breaks[:-1] & breaks[1:]), xp.int64), include_initial=True)
    return xp.take(before, end) - xp.take(before, begin)


def _windows(words: Any, sentence: Any, width: Any, index: Any, distance: Any) -> tuple[Any, Any]:
    """Return the words at `index`, shape (G, L), and the words in their windows, shape (G, L, C), padded with −1."""
    xp = get_namespace(words)

    def at(values: Any, where: Any) -> Any:
        return xp.reshape(xp.take(values, xp.reshape(where, (-1,))), where.shape)

    neighbour = index[..., None] + distance
    inside = (neighbour >= 0) & (neighbour < words.shape[0])
    neighbour = xp.where(inside, neighbour, 0)
    inside = inside & (xp.abs(distance) <= at(width, index)[..., None])
    inside = inside & (at(sentence, neighbour) == at(sentence, index)[..., None])
    return at(words, index), xp.where(inside, at(words, neighbour), -1)
