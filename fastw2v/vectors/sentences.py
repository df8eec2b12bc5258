"""Vectors of texts: means of word vectors, plain or weighted by smooth inverse frequency."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, scatter_add, to_host
from fastw2v.config import check_choice
from fastw2v.utils.quote import quote
from fastw2v.vectors.keys import is_key
from fastw2v.vectors.normalize import at_least_single, take_rows
from fastw2v.vectors.query import VectorTable, word_vectors
from fastw2v.vectors.unseen import has_unseen_vector

__all__ = [
    "SentenceMethod",
    "mean_vectors",
    "rows_of_texts",
    "sentence_vectors",
    "sif_weights",
    "without_common_direction",
]

SentenceMethod = Literal["mean", "sif"]
"""Methods that combine the vectors of the words of a text; see `WordVectors.sentence_vectors`."""
SIF_A = 1e-3
"""The parameter a of smooth inverse frequency. Arora et al. found values from 1e-4 to 1e-3 to work best."""

log = logging.getLogger(__name__)

_TOKENS = 2**16
"""Number of word vectors that are added up at a time."""


def sentence_vectors(
    table: VectorTable, counts: np.ndarray | None, texts: Iterable[Any], method: SentenceMethod
) -> Any:
    """Return one vector for each text. `WordVectors.sentence_vectors` describes the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.sentences import sentence_vectors
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> sentence_vectors(wv, None, ["cat car", "dog"], "mean")
    array([[0.5, 0.5],
           [4. , 3. ]])
    """
    check_choice("method", method, get_args(SentenceMethod))
    if method == "sif" and counts is None:
        raise ValueError("method is 'sif', but the vectors have no counts; use method='mean', or pass counts")
    rows, unseen = rows_of_texts(table, texts)
    n_empty = sum(not text for text in rows)
    if n_empty:
        log.warning("sentence_vectors: %d of %d texts have no known word; their vectors are zeros", n_empty, len(rows))
    others = word_vectors(table, unseen, [-1] * len(unseen), unit=False) if unseen else None
    if method == "mean" or counts is None:
        return mean_vectors(table.vectors, rows, others=others)
    if len(rows) - n_empty < 2:
        raise ValueError(
            f"method is 'sif', but the number of texts with a known word is {len(rows) - n_empty}; the direction that "
            "all texts share needs at least two. Pass all texts at once, or use method='mean'"
        )
    weights = np.append(sif_weights(counts), np.ones(len(unseen)))  # a word that never occurred has weight a / (a + 0)
    return without_common_direction(mean_vectors(table.vectors, rows, weights, others))


def rows_of_texts(table: VectorTable, texts: Iterable[Any]) -> tuple[list[list[int]], list[str]]:
    """Return the rows of the known words of each text, and the words outside the vocabulary that have vectors.

    Parameters
    ----------
    table : WordVectors
    texts : iterable of str, or of lists of words
        A string is split at white space.

    Returns
    -------
    rows : list of lists of int
        With V words in the vocabulary, row V + i stands for word i of `unseen`.
    unseen : list of str
        Distinct words.

    Raises
    ------
    TypeError
        If `texts` is a single string, a text is neither a string nor a list of words, or a word has the wrong type.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.sentences import rows_of_texts
    >>> wv = WordVectors(["cat", "dog", "car"], np.eye(3))
    >>> rows_of_texts(wv, ["car cat unknown", ["dog"], []])
    ([[2, 0], [1], []], [])
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is {quote(texts)}; give a list of texts, each a string or a list of words")
    rows = table.key_to_index
    kind = "strings" if isinstance(table.index_to_key[0], str) else "integers"
    subwords = None if table.strict else table.subwords
    unseen: dict[str, int] = {}
    forms: dict[str, int] = {}  # of words that the vocabulary has in another Unicode form
    found = []
    for number, text in enumerate(texts):
        if isinstance(text, bytes) or not isinstance(text, Iterable):
            raise TypeError(f"texts[{number}] is {quote(text)}; a text must be a string or a list of words")
        words = text.split() if isinstance(text, str) else list(text)
        if wrong := [word for word in words if not is_key(word, rows)]:
            raise TypeError(f"texts[{number}] contains {quote(wrong[0])}; the words of these vectors are {kind}")
        if table.subwords is None:
            found.append([rows[word] for word in words if word in rows])
            continue
        for word in words:
            if word in rows or word in forms or word in unseen:
                continue
            if (row := table._row_of_form(word)) is not None:
                forms[word] = row
            elif has_unseen_vector(word, subwords):
                unseen[word] = len(rows) + len(unseen)
        of_others = (rows.get(word, forms.get(word, unseen.get(word, -1))) for word in words)
        found.append([row for row in of_others if row >= 0])
    return found, list(unseen)


def sif_weights(counts: np.ndarray) -> np.ndarray:
    """Return the weight a / (a + p) of each word, where p is its share of all counts and a is 0.001.

    Parameters
    ----------
    counts : int array, shape (V,)

    Returns
    -------
    float64 array, shape (V,)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.sentences import sif_weights
    >>> sif_weights(np.array([900, 99, 1])).round(3)
    array([0.001, 0.01 , 0.5  ])
    """
    return SIF_A / (SIF_A + counts / max(1, counts.sum()))


def mean_vectors(vectors: Any, rows: list[list[int]], weights: np.ndarray | None = None, others: Any = None) -> Any:
    """Return the mean of the vectors of each text, in at least single precision.

    Parameters
    ----------
    vectors : float array, shape (V, D)
    rows : list of n lists of int
        The rows of the words of each text.
    weights : float64 array, shape (V,) or (V + U,), optional
        Factors by which the vectors are multiplied. The sum is still divided by the number of words.
    others : float array, shape (U, D), optional
        The vectors of rows V to V + U − 1.

    Returns
    -------
    float array, shape (n, D)
        Zeros for a text without words.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.sentences import mean_vectors
    >>> mean_vectors(np.array([[1.0, 0], [4, 3]]), [[0, 0, 1, 1], [], [1]])
    array([[2.5, 1.5],
           [0. , 0. ],
           [4. , 3. ]])
    """
    xp, device = get_namespace(vectors), get_device(vectors)
    lengths = np.array([len(text) for text in rows], dtype=np.int64)
    flat = np.array([row for text in rows for row in text], dtype=np.int64)
    # Each block consists of whole texts.
    ends = np.cumsum(lengths)
    blocks = np.split(np.arange(len(rows)), np.searchsorted(ends, np.arange(_TOKENS, len(flat), _TOKENS)))
    means = []
    for block in blocks:
        tokens = flat[ends[block[0]] - lengths[block[0]] : ends[block[-1]]] if len(block) else flat[:0]
        taken = at_least_single(_taken(vectors, others, tokens))
        if weights is not None:
            factors = xp.asarray(weights[tokens], dtype=taken.dtype, device=device)
            taken = taken * factors[:, None]
        sums = xp.zeros((len(block), vectors.shape[1]), dtype=taken.dtype, device=device)
        scatter_add(sums, xp.asarray(np.repeat(np.arange(len(block)), lengths[block]), device=device), taken)
        sizes = xp.asarray(np.maximum(lengths[block], 1), dtype=taken.dtype, device=device)
        means.append(sums / sizes[:, None])
    return xp.concat(means, axis=0)


def _taken(vectors: Any, others: Any, rows: np.ndarray) -> Any:
    """Return rows of `vectors`, followed by `others`."""
    if others is None:
        return take_rows(vectors, rows.tolist())
    V = vectors.shape[0]
    known = take_rows(vectors, np.minimum(rows, V - 1).tolist())
    xp = get_namespace(vectors)
    outside = xp.asarray(rows >= V, device=get_device(vectors))
    return xp.where(outside[:, None], take_rows(others, np.maximum(rows - V, 0).tolist()), known)


def without_common_direction(vectors: Any) -> Any:
    """Return vectors minus their projections on their first right singular vector u: v − (v·u) u.

    Parameters
    ----------
    vectors : float array, shape (n, D)

    Returns
    -------
    float array, shape (n, D)

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.sentences import without_common_direction
    >>> without_common_direction(np.array([[9.0, 1], [9, -1], [9, 0]])).round(6) + 0.0
    array([[ 0.,  1.],
           [ 0., -1.],
           [ 0.,  0.]])
    """
    xp = get_namespace(vectors)
    exact = xp.astype(vectors, xp.float64)
    # The singular vectors of a matrix are the eigenvectors of its D × D Gram matrix, in ascending order.
    _, directions = np.linalg.eigh(to_host(exact.T @ exact))
    common = xp.asarray(directions[:, -1].copy(), device=get_device(vectors))
    return xp.astype(exact - (exact @ common)[:, None] * common[None, :], vectors.dtype)
