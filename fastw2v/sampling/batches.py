"""Batches: context windows and shared negatives of an epoch, for engines that train whole arrays at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import boolean_mask, get_device, get_namespace, to_host
from fastw2v.sampling import rng
from fastw2v.sampling.alias import AliasTable
from fastw2v.sampling.chunks import chunk_bounds, shuffle_order
from fastw2v.sampling.negatives import negative_pools
from fastw2v.sampling.subsampling import keep_tokens

__all__ = ["Batch", "batches", "window_widths"]


class Batch(NamedTuple):
    """Targets of a part of the corpus, in groups that share a pool of negatives."""

    contexts: Any
    """int array, shape (G, L, C): the words in each target's window, left to right; negative is padding."""
    target: Any
    """int array, shape (G, L); negative is padding."""
    pool: Any
    """int array, shape (G, P)."""
    targets: int
    """Number of targets that are not padding."""
    done: int
    """Tokens of the corpus that this batch and those before it cover in its epoch."""


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
    chunk_tokens: int = 1 << 20,
) -> Iterator[Batch]:
    """Yield one epoch of a corpus as batches of targets with their contexts and shared negatives.

    Windows reach over the tokens that subsampling kept, within the sentence, as in word2vec.c. The batches of each
    chunk of `chunk_tokens` tokens are shuffled, in a different order in each epoch.

    Parameters
    ----------
    ids : int array, shape (T,)
    offsets : int array, shape (n_sentences + 1,)
    keep : uint64 array, shape (V,)
        From `keep_threshold`.
    noise : AliasTable
        Of the noise distribution. These four arrays are on one device, on which the batches are made.
    window : int
        Widest window.
    pool_tokens, pool_size : int
        L tokens of the corpus share a pool of P negatives.
    groups : int
        Pools in a batch.
    seed, epoch : int
        Of the random choices.
    shrink_windows : bool
        Whether widths are drawn from 1 to `window` or all are `window`.
    chunk_tokens : int
        Tokens that are prepared at once; a longer sentence is split.

    Yields
    ------
    Batch

    Notes
    -----
    The sizes of all batches of a chunk are copied to the host at once; after that, its batches are made without
    waiting for the device.
    """
    xp = get_namespace(ids)
    device = get_device(ids)
    reach = xp.concat([xp.arange(-window, 0, device=device), xp.arange(1, window + 1, device=device)])
    done = 0
    for start, stop in chunk_bounds(offsets, chunk_tokens):
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
        negatives = negative_pools(pools, pool_size, noise, seed, epoch)
        bounds = np.arange(first_pool, last_pool + 1, groups) * pool_tokens
        for i in shuffle_order(bounds, stop, seed, epoch):  # all in one shuffle block
            first = int(i) * groups
            part = slice(first, min(first + groups, len(sizes)))
            done += min((first_pool + first + groups) * pool_tokens, stop) - max(int(bounds[i]), start)
            if not (n_targets := int(targets[part].sum())):
                continue
            index = begin[part, None] + xp.arange(int(sizes[part].max()), device=device)[None, :]
            valid = index < end[part, None]
            target, contexts = _windows(words, sentence, width, xp.where(valid, index, 0), reach)
            valid = valid & xp.any(contexts >= 0, axis=-1)  # a word without contexts teaches nothing
            yield Batch(
                xp.where(valid[..., None], contexts, -1),
                xp.where(valid, target, -1),
                negatives[part, :],
                n_targets,
                done,
            )


def window_widths(positions: Any, window: int, seed: int, epoch: int, shrink_windows: bool = True) -> Any:
    """Return each target's window width, uniform from 1 to `window` if `shrink_windows`, else `window`.

    Parameters
    ----------
    positions : integer array, shape (N,)
        The targets' indices in the corpus.
    window : int
        Widest window.
    seed, epoch : int
    shrink_windows : bool

    Returns
    -------
    int64 array, shape (N,)
    """
    xp = get_namespace(positions)
    if not shrink_windows:
        return xp.full(positions.shape, window, dtype=xp.int64, device=get_device(positions))
    return rng.randint(rng.bits(rng.stream_key(seed, rng.WINDOW, epoch), positions), window) + 1


def _count_with_neighbours(sentence: Any, begin: Any, end: Any) -> Any:
    """Return how many of the tokens from `begin` to `end` have a neighbour in their sentence, shape (G,)."""
    xp = get_namespace(sentence)
    alone = xp.ones((1,), dtype=xp.bool, device=get_device(sentence))
    breaks = xp.concat([alone, sentence[1:] != sentence[:-1], alone])
    before = xp.cumulative_sum(xp.astype(~(breaks[:-1] & breaks[1:]), xp.int64), include_initial=True)
    return xp.take(before, end) - xp.take(before, begin)


def _windows(words: Any, sentence: Any, width: Any, index: Any, reach: Any) -> tuple[Any, Any]:
    """Return the words at `index`, (G, L), and those in their windows, (G, L, C), with −1 where there is none."""
    xp = get_namespace(words)

    def at(values: Any, where: Any) -> Any:
        return xp.reshape(xp.take(values, xp.reshape(where, (-1,))), where.shape)

    neighbour = index[..., None] + reach
    inside = (neighbour >= 0) & (neighbour < words.shape[0])
    neighbour = xp.where(inside, neighbour, 0)
    inside = inside & (xp.abs(reach) <= at(width, index)[..., None])
    inside = inside & (at(sentence, neighbour) == at(sentence, index)[..., None])
    return at(words, index), xp.where(inside, at(words, neighbour), -1)
