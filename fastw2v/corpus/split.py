"""The split of a corpus into a part for training and a held-out part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastw2v.config import CHUNK_TOKENS
from fastw2v.corpus.spill_buffer import ReversedBuffer, release_pages
from fastw2v.sampling import rng

__all__ = ["split_sentences"]

BLOCK_TOKENS = 1 << 19
"""Approximate number of tokens that are copied at a time."""


def split_sentences(
    ids: np.ndarray, offsets: np.ndarray, share: float, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Split the sentences of a corpus at random.

    A sentence of more than `fastw2v.config.CHUNK_TOKENS` tokens, such as a text without line breaks, is divided into
    pieces of this length first. Engines divide such sentences in the same way.

    Parameters
    ----------
    ids : int32 array, shape (T,)
    offsets : int64 array, shape (n_sentences + 1,)
        Sentence ``s`` is ``ids[offsets[s] : offsets[s + 1]]``.
    share : float
        Probability that a sentence is held out, from 0 to 1.
    seed : int

    Returns
    -------
    (ids, offsets) of the training part, (ids, offsets) of the held-out part
        The sentences have the same order as before. Long arrays are in temporary files.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.split import split_sentences
    >>> training, held_out = split_sentences(np.arange(8), np.array([0, 2, 4, 6, 8]), share=0.25, seed=1)
    >>> training[0].tolist(), training[1].tolist()
    ([0, 1, 2, 3, 6, 7], [0, 2, 4, 6])
    >>> held_out[0].tolist(), held_out[1].tolist()
    ([4, 5], [0, 2])
    """
    key = rng.stream_key(seed, rng.HELD_OUT, 0)
    threshold = np.array([round(share * 2**32)], np.uint64)

    def pieces(block: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of the pieces in a block of sentences, and which pieces are held out."""
        bounds = _piece_bounds(offsets[block[0] : block[1] + 1])
        return bounds, rng.bernoulli(rng.bits(key, bounds[:-1]), threshold)

    sizes = np.zeros((2, 2), np.int64)  # numbers of tokens and pieces of each part
    for block in _blocks(offsets):
        bounds, held_out = pieces(block)
        lengths = np.diff(bounds)
        sizes[1] += lengths[held_out].sum(), np.count_nonzero(held_out)
        sizes[0] += lengths[~held_out].sum(), np.count_nonzero(~held_out)
    parts = [(ReversedBuffer(np.int32, int(T)), ReversedBuffer(np.int64, int(n) + 1)) for T, n in sizes]
    ends = sizes[:, 0].copy()
    for (_, part_offsets), end in zip(parts, ends, strict=True):
        part_offsets.prepend(np.array([end]))
    for block in reversed(list(_blocks(offsets))):
        bounds, held_out = pieces(block)
        lengths = np.diff(bounds)
        for i, selected in enumerate((~held_out, held_out)):
            starts = ends[i] - np.cumsum(lengths[selected][::-1])[::-1]
            parts[i][1].prepend(starts)
            ends[i] = starts[0] if len(starts) else ends[i]
        for first, last in reversed(list(_blocks(bounds))):  # more than one if a sentence is very long
            tokens = ids[bounds[first] : bounds[last]]
            of_token = np.repeat(held_out[first:last], lengths[first:last])
            parts[0][0].prepend(tokens[~of_token])
            parts[1][0].prepend(tokens[of_token])
            release_pages(tokens)
    (training, training_offsets), (held, held_offsets) = parts
    return (training.array(), training_offsets.array()), (held.array(), held_offsets.array())


def _blocks(bounds: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of blocks of about `BLOCK_TOKENS` tokens, which contain all intervals."""
    first, n = 0, len(bounds) - 1
    while first < n:
        last = int(np.searchsorted(bounds, bounds[first] + BLOCK_TOKENS, side="right")) - 1
        last = min(max(last, first + 1), first + BLOCK_TOKENS, n)
        yield first, last
        first = last


def _piece_bounds(bounds: np.ndarray) -> np.ndarray:
    """Return the bounds of sentences, with bounds added so that no interval has more than `CHUNK_TOKENS` tokens."""
    n_pieces = np.maximum(1, -(-np.diff(bounds) // CHUNK_TOKENS))
    index = np.arange(n_pieces.sum()) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
    return np.append(np.repeat(bounds[:-1], n_pieces) + index * CHUNK_TOKENS, bounds[-1])
