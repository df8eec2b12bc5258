"""Checks of words and their arrays, for word vectors and for the files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from fastw2v.backend import get_namespace, to_host

__all__ = ["check_counts", "check_keys", "check_matrix", "index_keys"]


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
