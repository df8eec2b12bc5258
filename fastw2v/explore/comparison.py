"""Comparison of two models: the words whose neighbours and vectors differ most between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.evaluate.stability import neighbour_stability
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["moved_words"]

COMPARED_WORDS = 10_000
"""Number of common words that are compared, and among which neighbours are counted. The vectors of rarer words differ
between two models by chance."""
LISTED_WORDS = 1000
"""Maximum number of words in the result."""
NEIGHBOURS = 10
"""Number of nearest neighbours that are compared for each word."""


def moved_words(first: WordVectors, second: WordVectors) -> dict[str, Any] | None:
    """Return the words that differ most between two models.

    The second model is rotated to match the first as closely as possible, because the axes of a model are arbitrary.

    Parameters
    ----------
    first, second : WordVectors
        The first `COMPARED_WORDS` words of `first` that `second` contains are compared, unless a vector of theirs is
        zero or not finite.

    Returns
    -------
    dict or None
        "compared" is the number n of words that were compared. "words" is a list of at most `LISTED_WORDS` triples: the
        word, the cosine of its two vectors, and the share of its nearest neighbours that both models have in common.
        The lowest cosines come first. If the models have different numbers of dimensions, or fewer common words than
        dimensions, no rotation is determined. The cosines are then None, and the lowest shares come first. The result
        is None if the models have fewer than two words in common.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.explore.comparison import moved_words
    >>> words = ["cat", "dog", "car", "bus"]
    >>> first = WordVectors(words, np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]))
    >>> second = WordVectors(words, np.array([[1.0, 0], [0.1, 1], [0, 1], [0.1, 1]]))
    >>> moved = moved_words(first, second)
    >>> moved["compared"], moved["words"][0][0]
    (4, 'dog')
    """
    known = second.key_to_index
    words = [word for word in first.index_to_key if word in known][:COMPARED_WORDS]
    if not words:
        return None
    one, other = (WordVectors(words, to_host(model[words])).unit_vectors for model in (first, second))
    directed = np.flatnonzero(one.any(axis=1) & other.any(axis=1))  # zero and NaN have no direction
    if len(directed) < 2:
        return None
    words = [words[row] for row in directed.tolist()]
    one, other = WordVectors(words, one[directed]), WordVectors(words, other[directed])
    shares = neighbour_stability([one, other], min(NEIGHBOURS, len(words) - 1), len(words)).overlaps
    cosines = _cosines(one, other)
    order = np.argsort(shares if cosines is None else cosines, kind="stable")[:LISTED_WORDS]
    listed = [
        [str(words[i]), None if cosines is None else round(float(cosines[i]), 4), round(float(shares[i]), 4)]
        for i in order.tolist()
    ]
    return {"compared": len(words), "words": listed}


def _cosines(one: WordVectors, other: WordVectors) -> np.ndarray | None:
    """Return the cosine of the two vectors of each word after a rotation, or None if no rotation is determined."""
    if one.vector_size != other.vector_size:
        return None
    if len(one) < one.vector_size:  # `align` would need this number of words
        return None
    return np.asarray((other.align(one).unit_vectors * one.unit_vectors).sum(axis=1))
