"""Chunks of the corpus, and the order in which they are trained in an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import CHUNK_TOKENS
from fastw2v.sampling import rng

__all__ = [
    "Chunk",
    "chunk_bounds",
    "contexts_of_lengths",
    "epoch_chunks",
    "iter_chunks",
    "length_counts",
    "mean_contexts",
    "reach_of_lengths",
    "shuffle_order",
    "window_reach",
]


class Chunk(NamedTuple):
    """A chunk of the corpus in one epoch."""

    epoch: int
    start: int
    """Index of the first token."""
    stop: int
    """Index one past the last token."""
    done: int
    """Number of tokens trained before this chunk, including all earlier epochs."""


def iter_chunks(offsets: Any, chunk_tokens: int, shuffle_block: int, seed: int, epochs: int) -> Iterator[Chunk]:
    """Yield the chunks of all epochs in training order.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.
    chunk_tokens : int
        Maximum number of tokens in a chunk; see `chunk_bounds`.
    shuffle_block : int
        Number of tokens in a shuffle block; see `shuffle_order`.
    seed, epochs : int

    Yields
    ------
    Chunk

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import iter_chunks
    >>> for chunk in iter_chunks(np.array([0, 3, 5, 9]), chunk_tokens=5, shuffle_block=100, seed=1, epochs=2):
    ...     print(chunk)
    Chunk(epoch=0, start=0, stop=5, done=0)
    Chunk(epoch=0, start=5, stop=9, done=5)
    Chunk(epoch=1, start=5, stop=9, done=9)
    Chunk(epoch=1, start=0, stop=5, done=13)
    """
    bounds = np.array(list(chunk_bounds(offsets, chunk_tokens)), np.int64)
    for epoch in range(epochs):
        yield from epoch_chunks(bounds, shuffle_block, seed, epoch)


def epoch_chunks(bounds: np.ndarray, shuffle_block: int, seed: int, epoch: int) -> Iterator[Chunk]:
    """Yield the chunks of one epoch in training order.

    Parameters
    ----------
    bounds : int64 array, shape (S, 2)
        The result of `chunk_bounds`.
    shuffle_block : int
        Number of tokens in a shuffle block; see `shuffle_order`.
    seed, epoch : int

    Yields
    ------
    Chunk

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import epoch_chunks
    >>> for chunk in epoch_chunks(np.array([[0, 5], [5, 9]]), shuffle_block=100, seed=1, epoch=1):
    ...     print(chunk)
    Chunk(epoch=1, start=5, stop=9, done=9)
    Chunk(epoch=1, start=0, stop=5, done=13)
    """
    done = epoch * int((bounds[:, 1] - bounds[:, 0]).sum())
    for start, stop in bounds[shuffle_order(bounds[:, 0], shuffle_block, seed, epoch)].tolist():
        yield Chunk(epoch, start, stop, done)
        done += stop - start


def chunk_bounds(offsets: Any, chunk_tokens: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of chunks of at most `chunk_tokens` tokens.

    Chunks end at the end of a sentence where possible. A sentence of more than `chunk_tokens` tokens is split.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.
    chunk_tokens : int

    Yields
    ------
    start, stop : int
        Every token is in exactly one chunk.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import chunk_bounds
    >>> offsets = np.array([0, 2, 5, 6])  # sentences of 2, 3 and 1 tokens
    >>> list(chunk_bounds(offsets, 5))
    [(0, 5), (5, 6)]
    >>> list(chunk_bounds(offsets, 2))  # splits the second sentence
    [(0, 2), (2, 4), (4, 6)]
    """
    offsets = to_host(offsets)
    start, end = int(offsets[0]), int(offsets[-1])
    while start < end:
        stop = int(offsets[np.searchsorted(offsets, start + chunk_tokens, side="right") - 1])
        stop = stop if stop > start else min(start + chunk_tokens, end)
        yield start, stop
        start = stop


def shuffle_order(starts: Any, shuffle_block: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which the chunks of an epoch are trained.

    The order is random, so that the order of topics in a text does not matter. Chunks are shuffled within the shuffle
    block in which they start. The order of the blocks does not change, so a corpus larger than memory is read block by
    block.

    Parameters
    ----------
    starts : int array, shape (S,)
        Index of the first token of each chunk, in ascending order.
    shuffle_block : int
        Number of tokens in a shuffle block.
    seed, epoch : int

    Returns
    -------
    int64 array, shape (S,)
        A permutation of the indices of the chunks.

    Examples
    --------
    Eight chunks of ten tokens, with four chunks in a shuffle block:

    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import shuffle_order
    >>> shuffle_order(np.arange(0, 80, 10), shuffle_block=40, seed=1, epoch=0).tolist()
    [3, 0, 1, 2, 7, 6, 5, 4]
    """
    starts = np.asarray(starts, np.int64)
    return np.lexsort((rng.bits(rng.stream_key(seed, rng.ORDER, epoch), starts), starts // shuffle_block))


def window_reach(window: int, offsets: Any) -> int:
    """Return the largest distance between a target and a context in a corpus.

    This is the window, or less if all sentences are shorter. Windows do not cross the ends of chunks, so a longer
    sentence counts as one of `CHUNK_TOKENS` tokens.

    Parameters
    ----------
    window : int
        Maximum distance between a target and a context, on either side.
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    The longest sentence has four words, so a context is at most three words away:

    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import window_reach
    >>> [window_reach(window, np.array([0, 3, 7])) for window in (2, 5, 1_000_000_000)]
    [2, 3, 3]
    """
    return reach_of_lengths(window, length_counts(offsets))


def reach_of_lengths(window: int, lengths: np.ndarray) -> int:
    """Return the largest distance between a target and a context, as `window_reach` does, without the offsets.

    Parameters
    ----------
    window : int
        Maximum distance between a target and a context, on either side.
    lengths : int64 array, shape (CHUNK_TOKENS + 1,)
        Number of sentences of each length; see `length_counts`.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import length_counts, reach_of_lengths
    >>> reach_of_lengths(5, length_counts(np.array([0, 3, 7])))
    3
    """
    longest = int(np.flatnonzero(lengths).max(initial=1))
    return max(1, min(window, longest - 1))


def mean_contexts(window: int, offsets: Any, shrink_windows: bool = True) -> float:
    """Return the expected number of contexts of a token, before subsampling.

    Parameters
    ----------
    window : int
        Maximum distance between a target and a context, on either side.
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.
    shrink_windows : bool
        Whether the width of a window is drawn uniformly from 1 to `window`, or is always `window`.

    Returns
    -------
    float
        The mean over all tokens, or 0 if there are none.

    Notes
    -----
    In a sentence of n tokens, windows of width w < n have w (2n − 1 − w) contexts in total. Wider windows have
    n (n − 1) contexts.

    Examples
    --------
    In a sentence of three words, the middle word has two contexts and the others have one:

    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import mean_contexts
    >>> round(mean_contexts(1, np.array([0, 3])), 3)
    1.333
    >>> mean_contexts(1_000_000_000, np.array([0, 3]), shrink_windows=False)  # each word has two contexts
    2.0
    """
    return contexts_of_lengths(window, length_counts(offsets), shrink_windows)


def contexts_of_lengths(window: int, lengths: np.ndarray, shrink_windows: bool = True) -> float:
    """Return the expected number of contexts of a token, as `mean_contexts` does, without the offsets.

    Parameters
    ----------
    window : int
        Maximum distance between a target and a context, on either side.
    lengths : int64 array, shape (CHUNK_TOKENS + 1,)
        Number of sentences of each length; see `length_counts`.
    shrink_windows : bool
        See `mean_contexts`.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import contexts_of_lengths, length_counts
    >>> round(contexts_of_lengths(1, length_counts(np.array([0, 3]))), 3)
    1.333
    """
    n = np.arange(len(lengths), dtype=np.float64)
    m = np.minimum(window, np.maximum(n - 1, 0))  # widths above m have the same contexts as m
    if shrink_windows:
        total = (2 * n - 1) * m * (m + 1) / 2 - m * (m + 1) * (2 * m + 1) / 6  # sum over the widths 1 to m
        total = (total + (window - m) * n * (n - 1)) / window
    else:
        total = m * (2 * n - 1 - m)
    return float(lengths @ total / max(lengths @ n, 1))


def length_counts(offsets: Any) -> np.ndarray:
    """Return the number of sentences of each length.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.

    Returns
    -------
    int64 array, shape (CHUNK_TOKENS + 1,)
        Sentences of more than `CHUNK_TOKENS` tokens count as the last.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.sampling.chunks import length_counts
    >>> length_counts(np.array([0, 3, 7, 10]))[:6].tolist()
    [0, 0, 0, 2, 1, 0]
    """
    offsets = to_host(offsets)
    counts = np.zeros(CHUNK_TOKENS + 1, np.int64)
    for first in range(0, len(offsets) - 1, 1 << 20):  # in blocks, because there may be hundreds of millions
        lengths = np.diff(offsets[first : first + (1 << 20) + 1])
        counts += np.bincount(np.minimum(lengths, CHUNK_TOKENS), minlength=CHUNK_TOKENS + 1)
    return counts
