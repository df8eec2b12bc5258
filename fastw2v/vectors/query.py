"""Conversion of the words and vectors in a query to unit vectors.

In a sum of terms, the vectors of words are scaled to unit length, but vectors that the caller passes are used unscaled.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, Protocol, runtime_checkable

import numpy as np

from fastw2v.backend import get_device, get_namespace, is_numpy, to_host
from fastw2v.utils.quote import quote
from fastw2v.vectors.keys import find_row, is_key
from fastw2v.vectors.normalize import take_rows, unit_rows

__all__ = ["VectorTable", "query_matrix", "term_vector", "unit_queries", "weighted_sum", "weighted_terms"]


@runtime_checkable
class VectorTable(Protocol):
    """The attributes of `WordVectors` that queries need."""

    def __len__(self) -> int: ...

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
    def vectors(self) -> Any:
        """The vectors: array, shape (V, D)."""

    @property
    def unit_vectors(self) -> Any:
        """The vectors scaled to unit length: array, shape (V, D)."""


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
        A list with the row of a word, or an empty list for a vector.

    Raises
    ------
    UnknownWordError
        If the word is not in the vocabulary.
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
    if getattr(term, "ndim", 0) == 0:
        row = find_row(term, table.key_to_index, name)
        return table.unit_vectors[row, :], [row]
    if term.shape != (table.vector_size,):
        raise ValueError(f"{name}: a vector has shape {tuple(term.shape)}; it must be ({table.vector_size},)")
    return _like_unit_vectors(table, term), []


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
        Row of each term that is a word.

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
    terms, rows = [], []
    for item in [given] if single else given:
        weighted = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Real)
        term, factor = item if weighted else (item, weight)
        vector, row = term_vector(table, term, name)
        terms.append((vector, float(factor)))
        rows += row
    return terms, rows


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
        Row of each term that is a word.

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
    return unit_queries(query[None, :]), rows + more_rows


def query_matrix(table: VectorTable, queries: Iterable[Any]) -> tuple[Any, np.ndarray]:
    """Return many queries as a matrix of unit vectors, and the row of each query that is a word.

    Parameters
    ----------
    table : WordVectors
    queries : iterable of n words and vectors, or float array, shape (n, D)

    Returns
    -------
    matrix : float array, shape (n, D)
        One row for each query.
    pairs : int array, shape (N, 2)
        For each query that is a word, the index of the query and the row of the word.

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
        rows = [find_row(query, table.key_to_index, "queries") for query in asked]
        matrix = unit_queries(take_rows(table.unit_vectors, rows))
        return matrix, np.stack([np.arange(len(rows)), np.array(rows, dtype=np.int64)], axis=1)
    terms = [term_vector(table, query, "queries") for query in asked]
    matrix = unit_queries(get_namespace(table.vectors).stack([vector for vector, _ in terms]))
    pairs = [(i, row) for i, (_, rows) in enumerate(terms) for row in rows]
    return matrix, np.array(pairs, dtype=np.int64).reshape(-1, 2)


def unit_queries(queries: Any) -> Any:
    """Return queries scaled to unit length after checking that each query has a direction.

    Parameters
    ----------
    queries : float array, shape (n, D)

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
        which = f"query {int(np.argmax(lost))}" if len(lost) > 1 else "the query"
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
    host = to_host(array).astype(to_host(table.unit_vectors[:0, :]).dtype)
    return get_namespace(table.vectors).asarray(host, device=get_device(table.vectors))
