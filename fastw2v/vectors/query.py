"""Queries: the words and vectors that are asked for, as vectors at unit length.

These functions take the word vectors that a query refers to. Words count at unit length, vectors as they are given.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, Protocol

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.vectors.keys import find_row, is_key
from fastw2v.vectors.normalize import take_rows, unit_rows

__all__ = ["VectorTable", "query_matrix", "term_vector", "unit_queries", "weighted_sum", "weighted_terms"]


class VectorTable(Protocol):
    """Words with a vector each: what queries need of `WordVectors`."""

    def __len__(self) -> int: ...

    @property
    def index_to_key(self) -> list[Any]:
        """The words, in the order of the rows."""

    @property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word."""

    @property
    def vector_size(self) -> int:
        """The number of dimensions, D."""

    @property
    def vectors(self) -> Any:
        """Array, shape (V, D)."""

    @property
    def unit_vectors(self) -> Any:
        """The vectors at unit length: array, shape (V, D)."""


def term_vector(table: VectorTable, term: Any) -> tuple[Any, list[int]]:
    """Return the vector of a word at unit length and its row, or a given vector and no row.

    Parameters
    ----------
    table : WordVectors
    term : str, int, or float array, shape (D,)

    Returns
    -------
    vector : float array, shape (D,)
        In the array library and on the device of the word vectors.
    rows : list of int
        The row of the word; empty for a vector.

    Raises
    ------
    UnknownWordError
        If there is no such word.
    TypeError
        If `term` is neither an array nor of the kind that the words are.
    ValueError
        If a vector has another shape.
    """
    if getattr(term, "ndim", 0) == 0:
        row = find_row(term, table.key_to_index)
        return table.unit_vectors[row, :], [row]
    if term.shape != (table.vector_size,):
        raise ValueError(f"a vector has shape {tuple(term.shape)}; it must be ({table.vector_size},)")
    return _like_unit_vectors(table, term), []


def weighted_terms(table: VectorTable, given: Any, weight: float) -> tuple[list[tuple[Any, float]], list[int]]:
    """Return the vectors of one side of a query with their weights, and the rows of the words among them.

    Parameters
    ----------
    table : WordVectors
    given : word, vector, list of them, or None
        A pair ``(word or vector, weight)`` in a list has its own weight.
    weight : float
        The weight of all others.

    Returns
    -------
    terms : list of (float array of shape (D,), float)
    rows : list of int
    """
    if given is None:
        return [], []
    single = isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "ndim", None) == 1
    terms, rows = [], []
    for item in [given] if single else given:
        weighted = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Real)
        term, factor = item if weighted else (item, weight)
        vector, row = term_vector(table, term)
        terms.append((vector, float(factor)))
        rows += row
    return terms, rows


def weighted_sum(table: VectorTable, positive: Any, negative: Any) -> tuple[Any, list[int]]:
    """Return a sum of words and vectors at unit length, and the rows of the words in it.

    Parameters
    ----------
    table : WordVectors
    positive, negative : word, vector, or list of them
        As in `WordVectors.most_similar`.

    Returns
    -------
    query : float array, shape (1, D)
    rows : list of int

    Raises
    ------
    ValueError
        If there is nothing to add up, or the sum has no direction.
    """
    xp = get_namespace(table.vectors)
    added, rows = weighted_terms(table, positive, 1.0)
    subtracted, more_rows = weighted_terms(table, negative, -1.0)
    if not added and not subtracted:
        raise ValueError("most_similar: neither positive nor negative names a word or a vector")
    query = xp.zeros(table.vector_size, dtype=table.unit_vectors.dtype, device=get_device(table.vectors))
    for vector, weight in added + subtracted:
        query = query + weight * vector
    return unit_queries(query[None, :]), rows + more_rows


def query_matrix(table: VectorTable, queries: Iterable[Any]) -> tuple[Any, np.ndarray]:
    """Return many queries at unit length, and which of them are words.

    Parameters
    ----------
    table : WordVectors
    queries : iterable of words and vectors, or float array, shape (n, D)

    Returns
    -------
    matrix : float array, shape (n, D)
    pairs : int array, shape (N, 2)
        Pairs of a query and the row of its word.

    Raises
    ------
    TypeError
        If `queries` is a single word.
    ValueError
        If a vector has another shape or no direction.
    """
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        raise TypeError(f"nearest: queries is {queries!r}; it takes a list of words or vectors")
    if getattr(queries, "ndim", 0) == 2:
        matrix: Any = queries
        if matrix.shape[1] != table.vector_size:
            raise ValueError(f"the queries have shape {tuple(matrix.shape)}; it must be (n, {table.vector_size})")
        return unit_queries(_like_unit_vectors(table, matrix)), np.zeros((0, 2), dtype=np.int64)
    asked = list(queries)
    if all(is_key(query, table.index_to_key) for query in asked):
        rows = [find_row(query, table.key_to_index) for query in asked]
        matrix = unit_queries(take_rows(table.unit_vectors, rows))
        return matrix, np.stack([np.arange(len(rows)), np.array(rows, dtype=np.int64)], axis=1)
    terms = [term_vector(table, query) for query in asked]
    matrix = unit_queries(get_namespace(table.vectors).stack([vector for vector, _ in terms]))
    pairs = [(i, row) for i, (_, rows) in enumerate(terms) for row in rows]
    return matrix, np.array(pairs, dtype=np.int64).reshape(-1, 2)


def unit_queries(queries: Any) -> Any:
    """Return queries at unit length, having checked that each has a direction.

    Parameters
    ----------
    queries : float array, shape (n, D)

    Raises
    ------
    ValueError
        If a query is zero or not finite.
    """
    xp = get_namespace(queries)
    unit = unit_rows(queries)
    lost = to_host(xp.all(unit == 0, axis=1))
    if lost.any():
        which = f"query {int(np.argmax(lost))}" if len(lost) > 1 else "the query"
        raise ValueError(
            f"{which} has no direction, so nothing is near it: "
            "its words and vectors add up to zero or hold NaN or infinity"
        )
    return unit


def _like_unit_vectors(table: VectorTable, array: Any) -> Any:
    """Return an array in the library, on the device and of the type of the vectors at unit length."""
    host = to_host(array).astype(to_host(table.unit_vectors[:0, :]).dtype)
    return get_namespace(table.vectors).asarray(host, device=get_device(table.vectors))
