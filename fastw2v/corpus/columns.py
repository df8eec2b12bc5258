"""Recognise columns and tables of pandas, polars, Arrow and Hugging Face datasets without importing these libraries."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["column_values", "is_column", "is_missing", "is_table", "only_column"]

ARROW_SLICE = 1 << 16
"""Number of values of an Arrow column that are converted to Python objects at a time."""


def is_missing(value: Any) -> bool:
    """Return whether a value of a column is missing: None, NaN or ``pandas.NA``.

    Examples
    --------
    >>> from fastw2v.corpus.columns import is_missing
    >>> [is_missing(value) for value in ("a sentence", "", None, float("nan"))]
    [False, False, True, True]
    """
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def is_table(source: Any) -> bool:
    """Return whether an object is a table of pandas, polars, Arrow or Hugging Face datasets.

    Examples
    --------
    >>> from fastw2v.corpus.columns import is_table
    >>> class Table(dict):  # like a Hugging Face dataset
    ...     column_names = property(list)
    >>> is_table(Table(text=["the cat", "the dog"]))
    True
    >>> is_table(["the cat", "the dog"])
    False
    """
    return hasattr(source, "column_names") or (hasattr(source, "columns") and hasattr(source, "shape"))


def only_column(table: Any) -> Any:
    """Return the only column of a table.

    Raises
    ------
    TypeError
        If the table does not have exactly one column.

    Examples
    --------
    >>> from fastw2v.corpus.columns import only_column
    >>> class Table(dict):  # like a Hugging Face dataset
    ...     column_names = property(list)
    >>> only_column(Table(text=["the cat", "the dog"]))
    ['the cat', 'the dog']
    >>> only_column(Table(id=[1, 2], text=["the cat", "the dog"]))
    Traceback (most recent call last):
    TypeError: the table has 2 columns; choose one, for example table['id']
    """
    names = list(table.column_names if hasattr(table, "column_names") else table.columns)
    if len(names) != 1:
        choice = f"; choose one, for example table[{names[0]!r}]" if names else ""
        raise TypeError(f"the table has {len(names)} columns{choice}")
    return table[names[0]]


def is_column(source: Any) -> bool:
    """Return whether an object is an array, or a column of pandas, polars, Arrow or Hugging Face datasets.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.columns import is_column
    >>> is_column(np.array(["the cat", None], dtype=object))
    True
    >>> is_column(["the cat", None])
    False
    """
    return any(hasattr(source, name) for name in ("to_pylist", "to_numpy", "dtype", "to_list", "source"))


def column_values(source: Any) -> Any:
    """Return an iterable over the values of a column; the values of an Arrow column are converted to Python objects.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.columns import column_values
    >>> list(column_values(np.array(["the cat", None], dtype=object)))
    ['the cat', None]
    """
    if not hasattr(source, "to_pylist"):
        return source
    return itertools.chain.from_iterable(
        source.slice(start, ARROW_SLICE).to_pylist() for start in range(0, len(source), ARROW_SLICE)
    )
