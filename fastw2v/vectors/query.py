"""Conversion of the words and vectors in a query to unit vectors.

In a sum of terms, the vectors of words are scaled to unit length, but vectors that the caller passes are used unscaled.
If there are subwords, words outside the vocabulary have vectors as well. They have no row, for which −1 stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.corpus.subwords import Subwords
from fastw2v.utils.quote import quote
from fastw2v.utils.scaled_rows import ScaledRows, storage
from fastw2v.vectors.keys import UnknownWordError, find_row, is_key
from fastw2v.vectors.normalize import take_rows, unit_rows
from fastw2v.vectors.unseen import unseen_vectors

__all__ = [
    "VectorTable",
    "find_word",
    "query_matrix",
    "term_vector",
    "unit_queries",
    "weighted_sum",
    "weighted_terms",
    "word_vectors",
]


@runtime_checkable
class VectorTable(Protocol):
    """The attributes of `WordVectors` that queries need."""

    def __len__(self) -> int: ...

    def __contains__(self, word: object) -> bool: ...

    @property
    def index_to_key(self) -> list[Any]:
        """The words, in row order."""

    @property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word."""

    @property
    def vector_size(self) -> int:
        """The number of dimensions, D."""

    @property
    def stored_input(self) -> Any:
        """The input matrix of the model, W_in: array or ScaledRows, shape (V, D), or (R, D) with subwords."""

    @property
    def subwords(self) -> Subwords | None:
        """The rows of W_in whose mean is the vector of a word, or None."""

    @property
    def strict(self) -> bool:
        """Whether words outside the vocabulary are unknown, even if there are subwords."""

    def _row_of_form(self, word: object) -> int | None:
        """Return the row of a word that the vocabulary has in another Unicode form, or None."""

    @property
    def vectors(self) -> Any:
        """The vectors: array, shape (V, D)."""

    @property
    def unit_vectors(self) -> Any:
        """The vectors scaled to unit length: array, shape (V, D)."""

    @property
    def stored(self) -> Any:
        """The vectors as they are stored: array or ScaledRows, shape (V, D)."""

    @property
    def stored_unit(self) -> Any:
        """The vectors scaled to unit length, in the same storage: array or ScaledRows, shape (V, D)."""


def find_word(table: VectorTable, word: Any, name: str = "word") -> int:
    """Return the row of a word, or −1 if it is outside the vocabulary but has a vector.

    Parameters
    ----------
    table : WordVectors
    word : str or int
    name : str
        Name of the caller's parameter, for error messages.

    Raises
    ------
    UnknownWordError
        If the word has no vector.
    TypeError
        If the type of `word`, string or integer, differs from that of the words in the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.vectors.query import find_word
    >>> subwords = Subwords(["cat"], NGrams(min_n=3, max_n=3, bucket=1000))
    >>> wv = WordVectors(["cat"], None, input_vectors=np.ones((4, 2)), subwords=subwords)
    >>> find_word(wv, "cat"), find_word(wv, "cats")
    (0, -1)
    """
    try:
        return find_row(word, table.key_to_index, name)
    except UnknownWordError:
        if (row := table._row_of_form(word)) is not None:
            return row
        if word in table:
            return -1
        raise


def word_vectors(table: VectorTable, words: Sequence[Any], rows: Sequence[int], unit: bool = True) -> Any:
    """Return the vectors of words. Those of all words outside the vocabulary are computed at once.

    Parameters
    ----------
    table : WordVectors
    words : sequence of n words
    rows : sequence of n int
        The row of each word, from `find_word`.
    unit : bool
        Whether to scale the vectors to unit length.

    Returns
    -------
    float array, shape (n, D)
        A new array.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> from fastw2v.vectors.query import find_word, word_vectors
    >>> subwords = Subwords(["cat"], NGrams(min_n=3, max_n=3, bucket=1000))
    >>> W_in = np.array([[9.0], [1.0], [1.0], [1.0]])
    >>> wv = WordVectors(["cat"], None, input_vectors=W_in, subwords=subwords)
    >>> words = ["cat", "cats"]  # "cats" has two n-grams of "cat", and two that have no row
    >>> word_vectors(wv, words, [find_word(wv, word) for word in words], unit=False).tolist()
    [[3.0], [0.5]]
    """
    if min(rows, default=0) >= 0:
        return take_rows(table.stored_unit if unit else table.stored, rows)
    unseen = [i for i, row in enumerate(rows) if row < 0]
    assert table.subwords is not None
    found = unseen_vectors(table.stored_input, table.subwords, [words[i] for i in unseen])
    found = unit_rows(found) if unit else found
    if len(unseen) == len(rows):
        return found
    vectors = take_rows(table.stored_unit if unit else table.stored, [max(row, 0) for row in rows])
    xp = get_namespace(vectors)
    places = np.full(len(rows), -1, np.int64)
    places[unseen] = np.arange(len(unseen))
    places = xp.asarray(places, device=get_device(vectors))
    other = xp.take(found, xp.where(places < 0, 0, places), axis=0)
    return xp.where((places < 0)[:, None], vectors, xp.astype(other, vectors.dtype))


def term_vector(table: VectorTable, term: Any, name: str = "term") -> tuple[Any, list[int]]:
    """Return the vector and the row of one term of a query.

    Parameters
    ----------
    table : WordVectors
    term : str, int, or float array, shape (D,)
    name : str
        Name of the caller's parameter, for error messages.

    Returns
    -------
    vector : float array, shape (D,)
        The unit vector of a word, or the given vector, converted to the array library, dtype and device of the unit
        vectors.
    rows : list of int
        A list with the row of a word, or an empty list for a vector and for a word outside the vocabulary.

    Raises
    ------
    UnknownWordError
        If the word has no vector.
    TypeError
        If `term` is neither an array nor of the same type as the words.
    ValueError
        If the vector has the wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.query import term_vector
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> term_vector(wv, "dog")
    (array([0.8, 0.6]), [1])
    >>> term_vector(wv, np.array([4.0, 3.0]))
    (array([4., 3.]), [])
    """
    (vector,), (row,) = _term_vectors(table, [term], name)
    return vector, [row] if row >= 0 else []


def _term_vectors(table: VectorTable, terms: Sequence[Any], name: str) -> tuple[list[Any], list[int]]:
    """Return the vector and the row of each term of a query. The row is −1 unless it is a word of the vocabulary."""
    vectors: list[Any] = []
    rows: list[int] = []
    unseen: list[int] = []
    for term in terms:
        row = -1
        if getattr(term, "ndim", 0) == 0:
            row = find_word(table, term, name)
            if row < 0:
                unseen.append(len(vectors))
            vectors.append(_row(table.stored_unit, row))
        elif term.shape != (table.vector_size,):
            raise ValueError(f"{name}: a vector has shape {tuple(term.shape)}; it must be ({table.vector_size},)")
        else:
            vectors.append(_like_unit_vectors(table, term))
        rows.append(row)
    if unseen:
        found = word_vectors(table, [terms[i] for i in unseen], [-1] * len(unseen))
        for place, i in enumerate(unseen):
            vectors[i] = found[place, :]
    return vectors, rows


def weighted_terms(
    table: VectorTable, given: Any, weight: float, name: str = "terms"
) -> tuple[list[tuple[Any, float]], list[int]]:
    """Return the vectors and weights of the positive or negative terms of a query, and the rows of the words.

    Parameters
    ----------
    table : WordVectors
    given : word, vector, list of words and vectors, or None
        In a list, a pair ``(word or vector, weight)`` sets the weight of a term.
    weight : float
        Weight of the terms that are given without a weight.
    name : str
        Name of the caller's parameter, for error messages.

    Returns
    -------
    terms : list of (float array of shape (D,), float)
        Vector and weight of each term.
    rows : list of int
        Row of each term that is a word of the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.query import weighted_terms
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> weighted_terms(wv, ["cat", ("dog", 2.0)], weight=1.0)
    ([(array([1., 0.]), 1.0), (array([0.8, 0.6]), 2.0)], [0, 1])
    """
    if given is None:
        return [], []
    single = isinstance(given, (str, bytes)) or not isinstance(given, Iterable) or _is_vector(table, given)
    terms: list[tuple[Any, float]] = []
    for item in [given] if single else given:
        weighted = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Real)
        term, factor = item if weighted else (item, weight)
        terms.append((term, float(factor)))
    vectors, rows = _term_vectors(table, [term for term, _ in terms], name)
    weighted_vectors = [(vector, factor) for vector, (_, factor) in zip(vectors, terms, strict=True)]
    return weighted_vectors, [row for row in rows if row >= 0]


def weighted_sum(table: VectorTable, positive: Any, negative: Any) -> tuple[Any, list[int]]:
    """Return the weighted sum of the terms of a query, scaled to unit length, and the rows of the words.

    Parameters
    ----------
    table : WordVectors
    positive, negative : word, vector, or list of words and vectors
        Terms to add and to subtract, as in `WordVectors.most_similar`.

    Returns
    -------
    query : float array, shape (1, D)
    rows : list of int
        Row of each term that is a word of the vocabulary.

    Raises
    ------
    ValueError
        If no terms are given, or the sum is zero or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.query import weighted_sum
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> weighted_sum(wv, positive=["cat", ("car", 0.75)], negative=None)
    (array([[0.8, 0.6]]), [0, 2])
    """
    added, rows = weighted_terms(table, positive, 1.0, "positive")
    subtracted, more_rows = weighted_terms(table, negative, -1.0, "negative")
    terms = [weight * vector for vector, weight in added + subtracted]
    if not terms:
        raise ValueError("most_similar: positive and negative are both empty; give at least one word or vector")
    query = terms[0]
    for term in terms[1:]:
        query = query + term
    only = positive[0] if isinstance(positive, (list, tuple)) and len(positive) == len(terms) == 1 else positive
    return unit_queries(query[None, :], [only] if len(terms) == 1 and not rows else ()), rows + more_rows


def query_matrix(table: VectorTable, queries: Iterable[Any]) -> tuple[Any, np.ndarray]:
    """Return many queries as a matrix of unit vectors, and the row of each query that is a word of the vocabulary.

    Parameters
    ----------
    table : WordVectors
    queries : iterable of n words and vectors, or float array, shape (n, D)

    Returns
    -------
    matrix : float array, shape (n, D)
        One row for each query.
    pairs : int array, shape (N, 2)
        For each query that is a word of the vocabulary, the index of the query and the row of the word.

    Raises
    ------
    TypeError
        If `queries` is a single word.
    ValueError
        If a vector has the wrong shape, or a query has no direction.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.vectors.query import query_matrix
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> matrix, pairs = query_matrix(wv, ["dog", np.array([0.0, 5.0]), "cat"])
    >>> matrix
    array([[0.8, 0.6],
           [0. , 1. ],
           [1. , 0. ]])
    >>> pairs.tolist()
    [[0, 1], [2, 0]]
    """
    if isinstance(queries, (str, bytes)) or not isinstance(queries, Iterable):
        raise TypeError(f"queries is {quote(queries)}; give a list of words or vectors")
    if getattr(queries, "ndim", 0) == 2:
        matrix: Any = queries
        if matrix.shape[1] != table.vector_size:
            raise ValueError(f"queries has shape {tuple(matrix.shape)}; it must be (n, {table.vector_size})")
        return unit_queries(_like_unit_vectors(table, matrix)), np.zeros((0, 2), dtype=np.int64)
    asked = list(queries)
    if all(is_key(query, table.index_to_key) for query in asked):
        rows = np.array([find_word(table, query, "queries") for query in asked], dtype=np.int64)
        words = [word if row < 0 else None for word, row in zip(asked, rows.tolist(), strict=True)]
        matrix = unit_queries(word_vectors(table, asked, rows.tolist()), words)
        return matrix, np.stack([np.arange(len(rows)), rows], axis=1)[rows >= 0]
    vectors, found = _term_vectors(table, asked, "queries")
    matrix = unit_queries(get_namespace(storage(table.stored)).stack(vectors))
    pairs = [(i, row) for i, row in enumerate(found) if row >= 0]
    return matrix, np.array(pairs, dtype=np.int64).reshape(-1, 2)


def unit_queries(queries: Any, words: Sequence[Any] = ()) -> Any:
    """Return queries scaled to unit length after checking that each query has a direction.

    Parameters
    ----------
    queries : float array, shape (n, D)
    words : sequence of n objects, optional
        For each query that is a word outside the vocabulary, the word. Others need not be strings.

    Returns
    -------
    float array, shape (n, D)

    Raises
    ------
    ValueError
        If a query is zero or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.vectors.query import unit_queries
    >>> unit_queries(np.array([[4.0, 3], [0, 5]]))
    array([[0.8, 0.6],
           [0. , 1. ]])
    >>> unit_queries(np.array([[4.0, 3], [0, 0]]))
    Traceback (most recent call last):
    ...
    ValueError: query 1 has no direction: its terms add up to zero, or they contain NaN or infinity
    """
    xp = get_namespace(queries)
    unit = unit_rows(queries)
    if is_numpy(unit) and unit[:, 0].all():  # the usual case, found in one call
        return unit
    lost = to_host(xp.all(unit == 0, axis=1))
    if lost.any():
        query = int(np.argmax(lost))
        which = f"query {query}" if len(lost) > 1 else "the query"
        if words and isinstance(words[query], str):
            raise ValueError(
                f"{which} has no direction: no word of the vocabulary has an n-gram of {quote(words[query])}. Ask for "
                "another word, or train on text that contains it"
            )
        raise ValueError(f"{which} has no direction: its terms add up to zero, or they contain NaN or infinity")
    return unit


def _is_vector(table: VectorTable, given: Any) -> bool:
    """Return whether a one-dimensional array is a vector, and not an array of words."""
    if getattr(given, "ndim", None) != 1:
        return False
    kind = getattr(given.dtype, "kind", "f")  # other libraries have arrays of numbers only
    return kind == "f" or (kind in "iu" and isinstance(table.index_to_key[0], str))


def _like_unit_vectors(table: VectorTable, array: Any) -> Any:
    """Return an array with the array library, device and dtype of the unit vectors."""
    none = take_rows(table.stored_unit, [])
    return get_namespace(none).asarray(to_host(array).astype(to_host(none).dtype), device=get_device(none))


def _row(matrix: Any, row: int) -> Any:
    """Return one row of an array or of `ScaledRows`, shape (D,)."""
    return matrix.take([row])[0, :] if isinstance(matrix, ScaledRows) else matrix[row, :]
