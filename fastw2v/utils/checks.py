"""Checks of words, vectors and counts, shared by `WordVectors` and the file formats."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from fastw2v.backend import get_namespace, to_host

__all__ = ["check_counts", "check_keys", "check_matrix", "index_keys"]


def check_keys(words: Sequence[Any], n_rows: int) -> list[Any]:
    """Check words and return them as a list of strings or a list of Python integers.

    Parameters
    ----------
    words : sequence of str or of int
        NumPy integers are converted to Python integers.
    n_rows : int
        Number of rows in the matrix of vectors.

    Raises
    ------
    TypeError
        If a word is neither a string nor an integer, or if strings and integers are mixed.
    ValueError
        If there are no words, or the number of words differs from `n_rows`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.checks import check_keys
    >>> check_keys(np.array([20, 10, 30]), 3)
    [20, 10, 30]
    """
    if isinstance(words, str):
        raise TypeError("words is a single string; pass a sequence of words, one for each row of vectors")
    keys = list(words)
    if not keys:
        raise ValueError("there are no words; at least one is needed")
    if len(keys) != n_rows:
        raise ValueError(f"vectors has {n_rows} rows, but there are {len(keys)} words; each word must have one row")
    kinds = set(map(type, keys))
    if all(issubclass(kind, str) for kind in kinds):
        return keys
    if all(issubclass(kind, Integral) for kind in kinds) and bool not in kinds:
        return [int(key) for key in keys]
    odd = next(key for key in keys if not isinstance(key, str))
    raise TypeError(f"words contains {odd!r} of type {type(odd).__name__}; words must be all strings or all integers")


def index_keys(keys: list[Any]) -> dict[Any, int]:
    """Return a dictionary that maps each word to its row, or raise ValueError if a word occurs twice.

    Examples
    --------
    >>> from fastw2v.utils.checks import index_keys
    >>> index_keys(["the", "cat"])
    {'the': 0, 'cat': 1}
    >>> index_keys(["the", "cat", "the"])
    Traceback (most recent call last):
        ...
    ValueError: the word 'the' occurs twice, in rows 0 and 2; words must be distinct
    """
    rows = dict(zip(keys, range(len(keys)), strict=True))
    if len(rows) < len(keys):
        first, again = next((i, rows[key]) for i, key in enumerate(keys) if rows[key] != i)
        raise ValueError(f"the word {keys[first]!r} occurs twice, in rows {first} and {again}; words must be distinct")
    return rows


def check_matrix(name: str, matrix: Any) -> Any:
    """Return `matrix` unchanged, or raise an error if it is not a two-dimensional array of floats.

    Raises
    ------
    TypeError
        If `matrix` is not an array of floats.
    ValueError
        If `matrix` does not have two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.checks import check_matrix
    >>> check_matrix("vectors", np.zeros((2, 3))).shape
    (2, 3)
    >>> check_matrix("vectors", np.zeros((2, 3), np.int64))
    Traceback (most recent call last):
        ...
    TypeError: vectors is of type int64; it must be float16, float32 or float64
    """
    if not hasattr(matrix, "dtype"):
        raise TypeError(f"{name} is of type {type(matrix).__name__}; it must be an array")
    xp = get_namespace(matrix)
    if not xp.isdtype(matrix.dtype, "real floating"):
        raise TypeError(f"{name} is of type {matrix.dtype}; it must be float16, float32 or float64")
    if matrix.ndim != 2:
        raise ValueError(f"{name} has {matrix.ndim} dimensions; it must have 2, with one row for each word")
    return matrix


def check_counts(counts: Any, n_words: int) -> np.ndarray:
    """Check word counts and return them as an int64 NumPy array.

    Raises
    ------
    TypeError
        If the counts are not integers.
    ValueError
        If the number of counts differs from `n_words`, or a count is negative.

    Examples
    --------
    >>> from fastw2v.utils.checks import check_counts
    >>> check_counts([7, 3], n_words=2).tolist()
    [7, 3]
    >>> check_counts([7, 3], n_words=3)
    Traceback (most recent call last):
        ...
    ValueError: counts has shape (2,); it must have shape (3,), one count for each word
    """
    host = np.asarray(counts) if isinstance(counts, Sequence) else to_host(counts)
    if host.dtype.kind not in "iu":
        raise TypeError(f"counts is of type {host.dtype}; it must be of an integer type")
    if host.shape != (n_words,):
        raise ValueError(f"counts has shape {host.shape}; it must have shape ({n_words},), one count for each word")
    if host.min() < 0:
        raise ValueError(f"counts contains {host.min()}; counts must not be negative")
    return host.astype(np.int64)
