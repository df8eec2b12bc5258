"""Vectors of words outside the vocabulary, computed from the rows of their character n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, on_device_of, take_rows
from fastw2v.corpus.subwords import Subwords, has_ngrams
from fastw2v.nn.subwords import MANY_ROWS, mean_rows, word_means
from fastw2v.utils.scaled_rows import ScaledRows, as_floats

__all__ = ["has_unseen_vector", "means_of_rows", "unseen_vectors", "vectors_of_vocabulary"]


def has_unseen_vector(word: Any, subwords: Subwords | None) -> bool:
    """Return whether a word outside the vocabulary has a vector: there are subwords, and the word has an n-gram.

    Examples
    --------
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.vectors.unseen import has_unseen_vector
    >>> subwords = Subwords(["cat"], NGrams(min_n=4, max_n=6, bucket=1000))
    >>> has_unseen_vector("at", subwords), has_unseen_vector("a", subwords), has_unseen_vector("at", None)
    (True, False, False)
    """
    return subwords is not None and isinstance(word, str) and has_ngrams(word, subwords.ngrams)


def unseen_vectors(W_in: Any, subwords: Subwords, words: Sequence[str]) -> Any:
    """Return the vectors of words outside the vocabulary, each the mean of the rows of its n-grams.

    Parameters
    ----------
    W_in : float array or ScaledRows, shape (R, D)
    subwords : Subwords
    words : sequence of n strings

    Returns
    -------
    float array, shape (n, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.vectors.unseen import unseen_vectors
    >>> subwords = Subwords(["sing"], NGrams(min_n=4, max_n=4, bucket=1000))  # n-grams: <sin, sing and ing>
    >>> W_in = np.array([[9.0], [2.0], [2.0], [2.0]])
    >>> unseen_vectors(W_in, subwords, ["ing"]).tolist()  # <ing, which has no row, and ing>
    [[1.0]]
    """
    starts, rows = subwords.rows_of_unseen(words)
    if isinstance(W_in, ScaledRows):
        W_in, rows = _decoded(W_in, rows)
    if len(words) == 1 and len(rows) <= MANY_ROWS and is_numpy(W_in):  # faster than `mean_rows`, with the same result
        if not len(rows):
            return np.zeros((1, W_in.shape[1]), W_in.dtype)
        taken = take_rows(W_in, rows).astype(np.result_type(W_in, np.float32), copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            return (np.add.accumulate(taken)[-1:] / taken.dtype.type(len(rows))).astype(W_in.dtype, copy=False)
    return means_of_rows(W_in, starts, rows)


def vectors_of_vocabulary(W_in: Any, subwords: Subwords) -> Any:
    """Return the vectors of all words of the vocabulary, each the mean of its rows: float array, shape (V, D).

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.vectors.unseen import vectors_of_vocabulary
    >>> subwords = Subwords(["sing"], NGrams(min_n=4, max_n=4, bucket=1000))
    >>> vectors_of_vocabulary(np.array([[9.0], [1.0], [2.0], [4.0]]), subwords).tolist()
    [[4.0]]
    """
    W_in = as_floats(W_in)
    if not is_numpy(W_in):
        return means_of_rows(W_in, subwords.starts, subwords.rows)
    return word_means(W_in, subwords.n_words, subwords.blocks())


def _decoded(W_in: ScaledRows, rows: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return the rows that occur as a float array, and the rows as numbers of its rows. −1 stays −1."""
    with_row = rows >= 0
    distinct, places = np.unique(rows[with_row], return_inverse=True)
    numbers = np.full(len(rows), -1, np.int64)
    numbers[with_row] = places
    return W_in.take(distinct if len(distinct) else [0]), numbers


def means_of_rows(matrix: Any, starts: np.ndarray, rows: np.ndarray) -> Any:
    """Return means of rows, like `mean_rows` of all words, with `starts` and `rows` in the memory of the host.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.unseen import means_of_rows
    >>> means_of_rows(np.array([[1.0], [2.0], [4.0]]), starts=np.array([0, 2, 2]), rows=np.array([0, 2])).tolist()
    [[2.5], [0.0]]
    """
    words = np.arange(len(starts) - 1)
    if is_numpy(matrix):
        return mean_rows(matrix, starts, rows, words)
    xp, device = get_namespace(matrix), get_device(matrix)
    with on_device_of(matrix):
        return mean_rows(matrix, *(xp.asarray(array, device=device) for array in (starts, rows, words)))
