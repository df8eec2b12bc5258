"""Vectors of texts: means of word vectors, of unit vectors, or weighted by smooth inverse frequency."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, Literal, get_args

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.config import check_choice
from fastw2v.utils.quote import quote
from fastw2v.vectors.keys import is_key
from fastw2v.vectors.normalize import at_least_single, take_rows, unit_rows
from fastw2v.vectors.query import VectorTable, word_vectors
from fastw2v.vectors.unseen import has_unseen_vector, means_of_rows

__all__ = [
    "SentenceMethod",
    "blocks_of_texts",
    "mean_vectors",
    "sentence_vectors",
    "sif_weights",
    "vectors_of_words",
    "without_common_direction",
]

SentenceMethod = Literal["mean", "fasttext", "sif"]
"""Methods that combine the vectors of the words of a text; see `WordVectors.sentence_vectors`."""
SIF_A = 1e-3
"""The parameter a of smooth inverse frequency. Arora et al. found values from 1e-4 to 1e-3 to work best."""

log = logging.getLogger(__name__)

_TOKENS = 2**16
"""Maximum number of words in a block of texts. A text with more words is a block of its own."""
_VALUES = 2**20
"""Number of values of a matrix that are converted to double precision at a time."""


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
    >>> sentence_vectors(wv, None, ["cat car", "dog"], "fasttext")
    array([[0.5, 0.5],
           [0.8, 0.6]])
    """
    check_choice("method", method, get_args(SentenceMethod))
    if method == "sif" and counts is None:
        raise ValueError("method is 'sif', but the vectors have no counts; use method='mean', or pass counts")
    weights = sif_weights(counts) if method == "sif" and counts is not None else None
    means: list[Any] = []
    n_texts = n_known = 0  # numbers of texts, and of those with a known word
    not_finite: Any = None
    for words, lengths in blocks_of_texts(texts, table.index_to_key):
        vectors, rows, places = vectors_of_words(table, words)
        xp, n = get_namespace(vectors), len(lengths)
        used = finite = to_host(xp.all(xp.isfinite(vectors), axis=1))
        if not_finite is None and not finite.all():
            not_finite = words[int(np.argmax(places == np.argmin(finite)))]
        if method == "fasttext":
            vectors = unit_rows(vectors)
            used = to_host(xp.any(vectors != 0, axis=1))
        elif weights is not None:  # a word that never occurred has weight a / (a + 0)
            factors = xp.asarray(np.append(weights, 1.0)[rows], dtype=vectors.dtype, device=get_device(vectors))
            vectors = vectors * factors[:, None]
        text_of = np.repeat(np.arange(n), lengths)
        counted = np.append(used, False)[places]
        found = mean_vectors(vectors, places[counted], np.bincount(text_of[counted], minlength=n))
        _check_range(found, n_texts)
        means.append(found)
        n_texts += n
        n_known += int(np.count_nonzero(np.bincount(text_of[places >= 0], minlength=n)))
    if not_finite is not None:
        log.warning(
            "sentence_vectors: words whose vectors contain NaN or infinity are ignored, such as %s", quote(not_finite)
        )
    if n_empty := n_texts - n_known:
        log.warning("sentence_vectors: %d of %d texts have no known word; their vectors are zeros", n_empty, n_texts)
    if weights is not None and n_known < 2:
        raise ValueError(
            f"method is 'sif', but the number of texts with a known word is {n_known}; the direction that "
            "all texts share needs at least two. Pass all texts at once, or use method='mean'"
        )
    vectors = get_namespace(means[0]).concat(means, axis=0)
    return vectors if weights is None else without_common_direction(vectors)


def blocks_of_texts(texts: Iterable[Any], keys: list[Any]) -> Iterator[tuple[list[Any], np.ndarray]]:
    """Yield the words of the next texts, and the number of words of each text.

    Parameters
    ----------
    texts : iterable of str, or of lists of words
        A string is split at white space.
    keys : list of str, or of int
        The vocabulary, with whose type the words must agree.

    Yields
    ------
    words : list of N str or int
        The words of all texts of a block. Texts are not divided. If there are no texts, one empty block is yielded.
    lengths : int64 array
        The number of words of each text, whose sum is N.

    Raises
    ------
    TypeError
        If `texts` is a single string, a text is neither a string nor a list of words, or a word has the wrong type.

    Examples
    --------
    >>> from fastw2v.vectors.sentences import blocks_of_texts
    >>> for words, lengths in blocks_of_texts(["a car", [], ["cat"]], ["cat", "dog"]):
    ...     print(words, lengths)
    ['a', 'car', 'cat'] [2 0 1]
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is {quote(texts)}; give a list of texts, each a string or a list of words")
    kind = str if isinstance(keys[0], str) else int
    words: list[Any] = []
    lengths: list[int] = []
    for number, text in enumerate(texts):
        if isinstance(text, str):
            added: list[Any] = text.split()
        elif isinstance(text, bytes) or not isinstance(text, Iterable):
            raise TypeError(f"texts[{number}] is {quote(text)}; a text must be a string or a list of words")
        else:
            added = list(text)
        if set(map(type, added)) - {kind} and (wrong := [word for word in added if not is_key(word, keys)]):
            kinds = "strings" if kind is str else "integers"
            raise TypeError(f"texts[{number}] contains {quote(wrong[0])}; the words of these vectors are {kinds}")
        if words and len(words) + len(added) > _TOKENS:
            yield words, np.array(lengths, dtype=np.int64)
            words, lengths = [], []
        words += added
        lengths.append(len(added))
    yield words, np.array(lengths, dtype=np.int64)


def vectors_of_words(table: VectorTable, words: list[Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the vectors of the distinct words among `words`, in at least single precision.

    Parameters
    ----------
    table : WordVectors
    words : list of N str or int

    Returns
    -------
    vectors : float array, shape (M, D)
        The vectors of the M distinct words that have one.
    rows : int64 array, shape (M,)
        The rows of these words in `table`. −1 is a word outside the vocabulary.
    places : int64 array, shape (N,)
        For each word, the row of its vector in `vectors`, or −1 if it is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.sentences import vectors_of_words
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> vectors_of_words(wv, ["car", "unknown", "cat", "car"])
    (array([[1., 0.],
           [0., 1.]]), array([0, 2]), array([ 1, -1,  0,  1]))
    """
    V = len(table)
    rows = np.fromiter(map(table.key_to_index.get, words, repeat(-1)), np.int64, len(words))
    unseen: list[Any] = []
    if table.subwords is not None:
        subwords = None if table.strict else table.subwords
        outside = np.flatnonzero(rows < 0)
        absent = [words[i] for i in outside]
        row_of = dict.fromkeys(absent, -1)
        for word in row_of:
            if (row := table._row_of_form(word)) is not None:
                row_of[word] = row
            elif has_unseen_vector(word, subwords):
                row_of[word] = V + len(unseen)
                unseen.append(word)
        rows[outside] = [row_of[word] for word in absent]
    distinct, places = np.unique(rows, return_inverse=True)
    if len(distinct) and distinct[0] < 0:  # unknown words
        distinct, places = distinct[1:], places - 1
    vectors = at_least_single(take_rows(table.stored, distinct[: len(distinct) - len(unseen)]))
    if unseen:
        others = at_least_single(word_vectors(table, unseen, [-1] * len(unseen), unit=False))
        vectors = get_namespace(vectors).concat([vectors, others], axis=0)
    return vectors, np.where(distinct < V, distinct, -1), places


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


def mean_vectors(vectors: Any, rows: np.ndarray, lengths: np.ndarray) -> Any:
    """Return the mean of the vectors of each text.

    Parameters
    ----------
    vectors : float32 or float64 array, shape (M, D)
    rows : int64 array, shape (N,)
        The rows of the words of the first text, then of the second, and so on.
    lengths : int array, shape (n,)
        The number of words of each text, whose sum is N.

    Returns
    -------
    float array, shape (n, D)
        Zeros for a text without words.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.sentences import mean_vectors
    >>> mean_vectors(np.array([[1.0, 0], [4, 3]]), np.array([0, 0, 1, 1, 1]), np.array([4, 0, 1]))
    array([[2.5, 1.5],
           [0. , 0. ],
           [4. , 3. ]])
    """
    return means_of_rows(vectors, np.append(0, np.cumsum(lengths)), rows)


def _check_range(means: Any, first: int) -> None:
    """Raise an error if a mean is not finite, because a sum is too large. The first row is that of text `first`."""
    xp = get_namespace(means)
    if not xp.all(xp.isfinite(means)):
        text = first + int(np.argmin(to_host(xp.all(xp.isfinite(means), axis=1))))
        raise ValueError(
            f"the sum of the word vectors of texts[{text}] is too large for {to_host(means[:0, :]).dtype}; divide all "
            "vectors by a constant first, which keeps their directions"
        )


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
    xp, device = get_namespace(vectors), get_device(vectors)
    n, D = vectors.shape
    largest = float(xp.max(xp.abs(vectors)))
    scale = 1 / largest if largest else 1.0  # so that the squares are not too large
    step = max(1, _VALUES // D)
    blocks = [slice(first, min(first + step, n)) for first in range(0, n, step)]
    # The singular vectors of a matrix are the eigenvectors of its D × D Gram matrix, in ascending order.
    gram = np.zeros((D, D))
    for block in blocks:
        exact = xp.astype(vectors[block, :], xp.float64) * scale
        gram += to_host(exact.T @ exact)
    common = xp.asarray(np.linalg.eigh(gram)[1][:, -1].copy(), device=device)
    result = xp.empty((n, D), dtype=vectors.dtype, device=device)
    for block in blocks:
        exact = xp.astype(vectors[block, :], xp.float64)
        result[block, :] = xp.astype(exact - (exact @ common)[:, None] * common[None, :], vectors.dtype)
    return result
