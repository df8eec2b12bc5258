"""Chunks: parts of the corpus that are trained at a time, and the order in which an epoch trains them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fastw2v.backend import to_host
from fastw2v.sampling import rng

__all__ = ["Chunk", "chunk_bounds", "iter_chunks", "shuffle_order"]


class Chunk(NamedTuple):
    """A chunk of the corpus in an epoch."""

    epoch: int
    start: int
    """Index of the first token."""
    stop: int
    """Index after the last token."""
    done: int
    """Tokens of all epochs that are trained before this chunk."""


def iter_chunks(offsets: Any, chunk_tokens: int, shuffle_block: int, seed: int, epochs: int) -> Iterator[Chunk]:
    """Yield the chunks of all epochs in the order in which they are trained.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
    chunk_tokens : int
        Most tokens in a chunk; see `chunk_bounds`.
    shuffle_block : int
        Tokens among which the order is random; see `shuffle_order`.
    seed, epochs : int

    Yields
    ------
    Chunk
    """
    bounds = np.array(list(chunk_bounds(offsets, chunk_tokens)), np.int64)
    done = 0
    for epoch in range(epochs):
        for start, stop in bounds[shuffle_order(bounds[:, 0], shuffle_block, seed, epoch)].tolist():
            yield Chunk(epoch, start, stop, done)
            done += stop - start


def chunk_bounds(offsets: Any, chunk_tokens: int) -> Iterator[tuple[int, int]]:
    """Cut a corpus at sentence ends into chunks of at most `chunk_tokens` tokens; a longer sentence is split.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
    chunk_tokens : int

    Yields
    ------
    start, stop : int
        Every token is in exactly one chunk.
    """
    offsets = to_host(offsets)
    start, end = int(offsets[0]), int(offsets[-1])
    while start < end:
        stop = int(offsets[np.searchsorted(offsets, start + chunk_tokens, side="right") - 1])
        stop = stop if stop > start else min(start + chunk_tokens, end)
        yield start, stop
        start = stop


def shuffle_order(starts: Any, shuffle_block: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which an epoch trains chunks, so that the order of topics in a text does not matter.

    Parameters
    ----------
    starts : int array, shape (S,)
        Index of the first token of each chunk, rising.
    shuffle_block : int
        Tokens in a shuffle block. Chunks are shuffled within the block in which they begin, and blocks keep their
        order: a corpus larger than the memory is read block by block.
    seed, epoch : int

    Returns
    -------
    int64 array, shape (S,)
        A permutation of the indices of the chunks.
    """
    starts = np.asarray(starts, np.int64)
    return np.lexsort((rng.bits(rng.stream_key(seed, rng.ORDER, epoch), starts), starts // shuffle_block))
