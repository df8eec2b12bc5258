"""What a file of word vectors holds, as plain data, and the checks that it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from numbers import Integral
from typing import Any

import numpy as np

from fastw2v.backend import get_namespace, to_host

__all__ = ["VectorRecord", "check_counts", "check_keys", "check_matrix", "check_record", "index_keys"]


@dataclass(frozen=True, eq=False, repr=False)
class VectorRecord:
    """Words, their vectors and what is stored beside them: what readers return and writers take.

    Making one checks nothing: `WordVectors` checks what was read, `check_record` what is to be written.

    Parameters
    ----------
    words : sequence of str or of int, or a function that returns one
        V words. A function is called when the words are first needed.
    vectors : float array, shape (V, D)
        Of any array library.
    counts : integer array, shape (V,), optional
        How often each word occurred in the corpus.
    context_vectors : float array, shape (V, D), optional
        The output side of the model, W_out.
    settings : dict, optional
        How the vectors were made; anything that JSON can hold.
    """

    words: Sequence[Any] | Callable[[], Sequence[Any]]
    vectors: Any
    counts: Any = None
    context_vectors: Any = None
    settings: Any = None

    def __repr__(self) -> str:
        return f"VectorRecord(vectors of shape {tuple(self.vectors.shape)}, {self.vectors.dtype})"

    @cached_property
    def index_to_key(self) -> list[Any]:
        """The words, in the order of the rows."""
        return list(self.words() if callable(self.words) else self.words)

    def first(self, n: int) -> VectorRecord:
        """Return a record of the first `n` words; words that are decoded when needed stay so.

        Raises
        ------
        ValueError
            If the arrays differ in their numbers of rows.
        """
        arrays = [array for array in (self.vectors, self.counts, self.context_vectors) if array is not None]
        if len({array.shape[:1] for array in arrays}) > 1:
            shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
            raise ValueError(f"the arrays have shapes {shapes}; they must have one row for each word")
        return VectorRecord(
            partial(_first_words, self, n) if callable(self.words) else self.words[:n],
            self.vectors[:n],
            None if self.counts is None else self.counts[:n],
            None if self.context_vectors is None else self.context_vectors[:n],
            self.settings,
        )


def check_record(record: VectorRecord) -> None:
    """Raise TypeError or ValueError unless a record holds distinct words with one row each in every array."""
    matrix = check_matrix("vectors", record.vectors)
    index_keys(check_keys(record.index_to_key, matrix.shape[0]))
    if record.counts is not None:
        check_counts(record.counts, matrix.shape[0])
    if (
        record.context_vectors is not None
        and check_matrix("context_vectors", record.context_vectors).shape != matrix.shape
    ):
        raise ValueError(
            f"context_vectors has shape {tuple(record.context_vectors.shape)}; it must be that of vectors, "
            f"{tuple(matrix.shape)}"
        )


def check_keys(words: Sequence[Any], n_rows: int) -> list[Any]:
    """Return the words as a list of strings or of Python's integers.

    Raises
    ------
    TypeError
        If a word is neither, or there are words of both kinds.
    ValueError
        If there is no word, or there are not as many as rows.
    """
    if isinstance(words, str):
        raise TypeError("words is a single string; give a sequence of words, one for each row of vectors")
    keys = list(words)
    if not keys:
        raise ValueError("there are no words: WordVectors needs at least one")
    if len(keys) != n_rows:
        raise ValueError(
            f"vectors has {n_rows} rows, but there are {len(keys)} words: there must be one row for each word"
        )
    kinds = set(map(type, keys))
    if all(issubclass(kind, str) for kind in kinds):
        return keys
    if all(issubclass(kind, Integral) for kind in kinds) and bool not in kinds:
        return [int(key) for key in keys]
    odd = next(key for key in keys if not isinstance(key, str))
    raise TypeError(
        f"words holds {odd!r} of type {type(odd).__name__}; the words must all be strings, or all be integers"
    )


def index_keys(keys: list[Any]) -> dict[Any, int]:
    """Return the row of each word; a ValueError names a word that occurs twice."""
    rows = dict(zip(keys, range(len(keys)), strict=True))
    if len(rows) < len(keys):
        first, again = next((i, rows[key]) for i, key in enumerate(keys) if rows[key] != i)
        raise ValueError(f"the word {keys[first]!r} occurs twice, in rows {first} and {again}; words must be distinct")
    return rows


def check_matrix(name: str, matrix: Any) -> Any:
    """Return a matrix; raise TypeError or ValueError unless it is an array of floats with two dimensions."""
    if not hasattr(matrix, "dtype"):
        raise TypeError(f"{name} is of type {type(matrix).__name__}; it must be an array")
    xp = get_namespace(matrix)
    if not xp.isdtype(matrix.dtype, "real floating"):
        raise TypeError(f"{name} is of type {matrix.dtype}; it must be of floats: float16, float32 or float64")
    if matrix.ndim != 2:
        raise ValueError(f"{name} has {matrix.ndim} dimensions; it must have 2: one row for each word")
    return matrix


def check_counts(counts: Any, n_words: int) -> np.ndarray:
    """Return counts as int64 on the host; raise TypeError or ValueError unless they are one for each word."""
    host = np.asarray(counts) if isinstance(counts, Sequence) else to_host(counts)
    if host.dtype.kind not in "iu":
        raise TypeError(f"counts is of type {host.dtype}; it must be of integers")
    if host.shape != (n_words,):
        raise ValueError(f"counts has shape {host.shape}; it must be ({n_words},), one for each word")
    if host.min() < 0:
        raise ValueError(f"counts holds {host.min()}; a word cannot occur a negative number of times")
    return host.astype(np.int64)


def _first_words(record: VectorRecord, n: int) -> list[Any]:
    return record.index_to_key[:n]
