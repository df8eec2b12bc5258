"""Parts of a corpus, each of which a replica trains."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import CHUNK_TOKENS
from fastw2v.corpus.corpus import Corpus
from fastw2v.distributed.cluster import Cluster
from fastw2v.sampling.chunks import length_counts

__all__ = ["Part", "StoredPart", "describe", "divide", "piece_bounds", "put_parts"]

PIECES = 16
"""Number of pieces of the corpus in a part. A part is a sample of the corpus, even if its topics are sorted."""


class Part(NamedTuple):
    """The part of the corpus that a replica trains."""

    ids: np.ndarray
    """int32 array, shape (T,)."""
    offsets: np.ndarray
    """int64 array: start of each sentence, followed by T."""


class StoredPart(NamedTuple):
    """A part of a corpus on a cluster, and what is known of it without its text."""

    reference: Any
    """Reference to a `Part`."""
    n_tokens: int
    n_sentences: int
    lengths: np.ndarray
    """Number of sentences of each length; see `fastw2v.sampling.chunks.length_counts`."""
    hash: str
    """Hash of the ids and the offsets, like that of `fastw2v.checkpoint.fingerprint`."""


def describe(part: Part, reference: Any = None) -> StoredPart:
    """Return what is known of a part without its text.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.parts import Part, describe
    >>> described = describe(Part(np.array([0, 1, 0], np.int32), np.array([0, 2, 3])))
    >>> described.n_tokens, described.n_sentences, described.lengths[:4].tolist()
    (3, 2, [0, 1, 1, 0])
    """
    digest = hashlib.blake2b(part.ids.data, digest_size=16)
    digest.update(part.offsets.data)
    lengths = length_counts(part.offsets)
    return StoredPart(reference, len(part.ids), len(part.offsets) - 1, lengths, digest.hexdigest())


def divide(offsets: np.ndarray, parts: int) -> list[list[tuple[int, int]]]:
    """Divide a corpus into parts, each of which consists of pieces from the whole corpus.

    Parameters
    ----------
    offsets : int array, shape (n_sentences + 1,)
        Start of each sentence, followed by the number of tokens.
    parts : int

    Returns
    -------
    list of list of (int, int)
        For each part, the bounds of its pieces. A piece is a range of tokens that starts at the start of a sentence,
        unless the sentence is longer than `CHUNK_TOKENS`. A part is empty if there are fewer sentences than parts.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.distributed.parts import divide
    >>> divide(np.array([0, 3, 6, 9, 12]), parts=2)
    [[(0, 3), (6, 9)], [(3, 6), (9, 12)]]
    """

    def starts_before(cuts: np.ndarray) -> np.ndarray:
        return offsets[np.searchsorted(offsets, cuts, side="right") - 1]

    bounds = list(itertools.pairwise(piece_bounds(int(offsets[-1]), len(offsets) - 1, parts, starts_before)))
    return [bounds[i::parts] for i in range(parts)]


def piece_bounds(
    tokens: int, sentences: int, parts: int, starts_before: Callable[[np.ndarray], np.ndarray]
) -> list[int]:
    """Return where the pieces of a corpus start, followed by the number of tokens; see `divide`.

    Parameters
    ----------
    tokens, sentences : int
        The size of the corpus.
    parts : int
    starts_before : callable
        Function that returns, for each of several tokens, the last token up to it that starts a sentence.

    Examples
    --------
    >>> from fastw2v.distributed.parts import piece_bounds
    >>> piece_bounds(12, 4, parts=2, starts_before=lambda cuts: cuts // 3 * 3)
    [0, 3, 6, 9, 12]
    """
    pieces = min(PIECES * parts, max(sentences, -(-tokens // CHUNK_TOKENS)))
    cuts = np.array([tokens * i // pieces for i in range(1, pieces)], np.int64)
    starts = starts_before(cuts)
    return sorted({0, tokens, *np.where(cuts - starts <= CHUNK_TOKENS, starts, cuts).tolist()})


def put_parts(cluster: Cluster, corpus: Corpus, parts: int) -> list[StoredPart]:
    """Store the parts of a corpus, except for empty ones, on a cluster.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> from fastw2v.distributed.cluster import InProcess
    >>> from fastw2v.distributed.parts import put_parts
    >>> corpus = Corpus.from_sentences([["the", "cat"], ["the", "dog"]] * 50, min_count=1)
    >>> cluster = InProcess(threads=1)
    >>> [part.n_tokens for part in put_parts(cluster, corpus, parts=2)]
    [96, 104]
    >>> cluster.close()
    """
    stored = []
    for pieces in divide(corpus.offsets, parts):
        if not pieces:
            continue
        lengths = [np.zeros(1, np.int64)]
        for start, stop in pieces:
            first, last = np.searchsorted(corpus.offsets, [start, stop])
            lengths.append(np.diff(np.clip(corpus.offsets[max(first - 1, 0) : last + 1], start, stop)))
        ids = np.concatenate([corpus.ids[start:stop] for start, stop in pieces]).astype(np.int32, copy=False)
        sentences = np.concatenate(lengths)
        part = Part(ids, np.cumsum(sentences[np.r_[True, sentences[1:] > 0]]))
        stored.append(describe(part, cluster.put(part)))
    return stored
