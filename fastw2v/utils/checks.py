"""Checks of arguments: types, parameter names, words, vectors and counts."""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from fastw2v.backend import get_namespace, to_host
from fastw2v.utils.quote import counted, quote, shorten
from fastw2v.utils.scaled_rows import ScaledRows

__all__ = [
    "check_array",
    "check_callable",
    "check_counts",
    "check_integers",
    "check_items",
    "check_keys",
    "check_matrix",
    "check_path",
    "check_stored_matrix",
    "check_type",
    "explain_arguments",
    "index_keys",
    "unknown_parameter",
]

MAX_PATH = 4096
"""Maximum number of characters of a path, that of Linux. Other systems allow fewer."""
MAX_NAME = 255
"""Maximum number of characters of a file or a folder in a path."""
P = ParamSpec("P")
R = TypeVar("R")


def check_type(name: str, value: Any, kind: type | tuple[type, ...], remedy: str) -> None:
    """Raise TypeError unless `value` is an instance of `kind`.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : object
        Its value.
    kind : type or tuple of type
    remedy : str
        What to pass instead, such as "a path".

    Examples
    --------
    >>> from fastw2v.utils.checks import check_type
    >>> check_type("delimiter", 7, str, "a string")
    Traceback (most recent call last):
        ...
    TypeError: delimiter is 7 of type int; pass a string
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {quote(value)} of type {type(value).__name__}; pass {remedy}")


def check_path(name: str, path: Any) -> Path:
    """Return a path as a Path, or raise an error if it is not a path, or so long that it is probably a text.

    Raises
    ------
    TypeError
        If `path` is not a string or a path-like object of strings.
    ValueError
        If `path` has more than `MAX_PATH` characters, a name in it has more than `MAX_NAME`, or it contains a null
        character.

    Examples
    --------
    >>> from fastw2v.utils.checks import check_path
    >>> check_path("path", "vectors.txt").suffix
    '.txt'
    >>> check_path("path", 7)
    Traceback (most recent call last):
        ...
    TypeError: path is 7 of type int; pass a string or a pathlib.Path
    """
    if not isinstance(path, str) and not (isinstance(path, os.PathLike) and isinstance(os.fspath(path), str)):
        raise TypeError(f"{name} is {quote(path)} of type {type(path).__name__}; pass a string or a pathlib.Path")
    text = os.fspath(path)
    if len(text) > MAX_PATH or max(map(len, re.split(r"[/\\]", text))) > MAX_NAME or "\0" in text:
        raise ValueError(f"{name} is {quote(text)}, which cannot be a path; pass the name of a file")
    return Path(path)


def check_array(name: str, array: Any) -> None:
    """Raise TypeError unless `array` is an array of any library.

    Examples
    --------
    >>> from fastw2v.utils.checks import check_array
    >>> check_array("matrix", [[1.0, 2.0]])
    Traceback (most recent call last):
        ...
    TypeError: matrix is [[1.0, 2.0]] of type list; pass an array
    """
    if not hasattr(array, "dtype") or not hasattr(array, "shape"):
        raise TypeError(f"{name} is {quote(array)} of type {type(array).__name__}; pass an array")


def check_callable(name: str, function: Any, remedy: str) -> None:
    """Raise TypeError unless `function` can be called.

    Examples
    --------
    >>> from fastw2v.utils.checks import check_callable
    >>> check_callable("progress", True, "a function of words, loss and alpha")
    Traceback (most recent call last):
        ...
    TypeError: progress is True of type bool; pass a function of words, loss and alpha
    """
    if not callable(function):
        raise TypeError(f"{name} is {quote(function)} of type {type(function).__name__}; pass {remedy}")


def check_items(name: str, value: Any, remedy: str) -> None:
    """Raise TypeError unless `value` can be iterated over and is not a string, which is an iterable of characters.

    Examples
    --------
    >>> from fastw2v.utils.checks import check_items
    >>> check_items("words", "cat", "a list of words")
    Traceback (most recent call last):
        ...
    TypeError: words is 'cat' of type str; pass a list of words
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {quote(value)} of type {type(value).__name__}; pass {remedy}")


def explain_arguments(owner: str, instead: Mapping[str, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a method, whose errors about unknown parameters say what to use instead.

    Parameters
    ----------
    owner : str
        Name of the class in messages.
    instead : mapping of str to str
        Names that other libraries use for a parameter, and what to use instead. If all parameters of the method are
        keyword-only, the entry for "sentences" also explains what to do with a positional argument.

    Examples
    --------
    >>> from fastw2v.utils.checks import explain_arguments
    >>> class Model:
    ...     @explain_arguments("Model", {"size": "use vector_size"})
    ...     def __init__(self, *, vector_size=100):
    ...         self.vector_size = vector_size
    >>> Model(size=50)
    Traceback (most recent call last):
        ...
    TypeError: size is not a parameter of Model; use vector_size
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        _, *parameters = inspect.signature(method).parameters.values()
        names = [parameter.name for parameter in parameters]
        keyword_only = all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)

        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if keyword_only and len(args) > 1:
                raise TypeError(
                    f"{owner} takes keyword arguments only, but {quote(args[1])} has no name; {instead['sentences']}"
                )
            for name in kwargs:
                if name not in names:
                    raise TypeError(unknown_parameter(name, names, owner, instead))
            return method(*args, **kwargs)

        return call

    return decorate


def unknown_parameter(name: str, known: Sequence[str], owner: str, instead: Mapping[str, str]) -> str:
    """Return the message for a parameter that does not exist.

    Parameters
    ----------
    name : str
        The unknown parameter.
    known : sequence of str
        Names of the parameters that exist.
    owner, instead
        See `explain_arguments`.

    Examples
    --------
    >>> from fastw2v.utils.checks import unknown_parameter
    >>> unknown_parameter("windows", ["window", "epochs"], "Word2Vec", {})
    'windows is not a parameter of Word2Vec; use window'
    >>> unknown_parameter("colour", ["window", "epochs"], "Word2Vec", {})
    'colour is not a parameter of Word2Vec; see help(Word2Vec)'
    """
    if name in instead:
        remedy = instead[name]
    elif similar := difflib.get_close_matches(name, known, n=1):
        remedy = f"use {similar[0]}"
    else:
        remedy = f"see help({owner})"
    return f"{shorten(name)} is not a parameter of {owner}; {remedy}"


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
    check_items("words", words, "a sequence of words, one for each row of vectors")
    keys = list(words)
    if not keys:
        raise ValueError("there are no words; at least one is needed")
    if len(keys) != n_rows:
        raise ValueError(
            f"vectors has {counted(n_rows, 'row')}, but words has {len(keys)}; each word must have one row"
        )
    kinds = set(map(type, keys))
    if all(issubclass(kind, str) for kind in kinds):
        return keys
    if all(issubclass(kind, Integral) for kind in kinds) and bool not in kinds:
        return [int(key) for key in keys]
    odd = next(key for key in keys if not isinstance(key, str))
    raise TypeError(
        f"words contains {quote(odd)} of type {type(odd).__name__}; words must be all strings or all integers"
    )


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
        raise ValueError(
            f"the word {quote(keys[first])} occurs twice, in rows {first} and {again}; words must be distinct"
        )
    return rows


def check_ids(name: str, ids: Any) -> Any:
    """Return word ids as an array of integers: lists as NumPy arrays, and other arrays unchanged.

    Arrays of unsigned integers are converted to int64, because unsigned types cannot represent −1, which marks padding.

    Raises
    ------
    TypeError
        If the ids are not integers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.checks import check_ids
    >>> check_ids("corpus", [0, 1, 2])
    array([0, 1, 2])
    >>> check_ids("contexts", np.array([[0.0, 1.0]]))
    Traceback (most recent call last):
        ...
    TypeError: contexts is an array of float64; it must contain integer word ids
    """
    if isinstance(ids, (list, tuple)):
        ids = np.array(ids)
    check_array(name, ids)
    xp = get_namespace(ids)
    if not xp.isdtype(ids.dtype, "integral"):
        raise TypeError(f"{name} is an array of {ids.dtype}; it must contain integer word ids")
    return xp.astype(ids, xp.int64) if xp.isdtype(ids.dtype, "unsigned integer") else ids


def check_integers(name: str, array: Any) -> Any:
    """Return a one-dimensional array of integers, or raise an error.

    Sequences become NumPy arrays. Types other than int32 and int64 are converted to int64, because differences of
    unsigned numbers are not negative, and sums of small types overflow.

    Raises
    ------
    TypeError
        If `array` is not an array of integers.
    ValueError
        If it does not have one dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.checks import check_integers
    >>> check_integers("starts", np.array([0, 2], np.uint8)).dtype
    dtype('int64')
    >>> check_integers("starts", np.array([0.0, 2.0]))
    Traceback (most recent call last):
        ...
    TypeError: starts is an array of float64; pass an array of integers
    """
    if isinstance(array, Sequence) and not isinstance(array, (str, bytes)):
        array = np.array(array) if len(array) else np.zeros(0, np.int64)
    check_array(name, array)
    xp = get_namespace(array)
    if not xp.isdtype(array.dtype, "integral"):
        raise TypeError(f"{name} is an array of {array.dtype}; pass an array of integers")
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {tuple(array.shape)}; pass a one-dimensional array")
    return array if array.dtype in (xp.int32, xp.int64) else xp.astype(array, xp.int64)


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
        raise ValueError(f"{name} has {counted(matrix.ndim, 'dimension')}; it must have 2, with one row for each word")
    return matrix


def check_stored_matrix(name: str, matrix: Any) -> Any:
    """Return `matrix` unchanged, or raise an error if it is neither a matrix of floats nor valid `ScaledRows`.

    Raises
    ------
    TypeError
        If `matrix` is neither an array of floats nor `ScaledRows` of int8.
    ValueError
        If an array has the wrong number of dimensions, or a scale is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.utils.checks import check_stored_matrix
    >>> from fastw2v.utils.scaled_rows import ScaledRows
    >>> check_stored_matrix("vectors", ScaledRows(np.zeros((2, 3), np.int8), np.ones(2, np.float32)))
    ScaledRows(shape (2, 3), int8)
    >>> check_stored_matrix("vectors", ScaledRows(np.zeros((2, 3), np.int8), np.full(2, np.nan, np.float32)))
    Traceback (most recent call last):
        ...
    ValueError: vectors: the scale of row 0 is nan; it must be a finite number of at least 0
    """
    if not isinstance(matrix, ScaledRows):
        return check_matrix(name, matrix)
    values, scales = matrix.values, matrix.scales
    if not (hasattr(values, "dtype") and hasattr(scales, "dtype")):
        raise TypeError(
            f"{name} has values of type {type(values).__name__} and scales of type {type(scales).__name__}; both must "
            "be arrays"
        )
    xp = get_namespace(values)
    if values.dtype != xp.int8 or scales.dtype != xp.float32 or get_namespace(scales) is not xp:
        raise TypeError(
            f"{name} has values of type {values.dtype} and scales of type {scales.dtype}; the values must be int8, and "
            "the scales float32 of the same array library"
        )
    if values.ndim != 2 or tuple(scales.shape) != tuple(values.shape[:1]):
        raise ValueError(
            f"{name} has values of shape {tuple(values.shape)} and scales of shape {tuple(scales.shape)}; there must "
            "be a row of values and a scale for each word"
        )
    host = to_host(scales)
    if not (valid := np.isfinite(host) & (host >= 0)).all():
        row = int(np.argmin(valid))
        raise ValueError(f"{name}: the scale of row {row} is {host[row]}; it must be a finite number of at least 0")
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
