"""Columns and tables of pandas, polars, Arrow and Hugging Face datasets, recognised without importing any of them."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["column_values", "is_column", "is_missing", "is_table", "only_column"]

ARROW_SLICE = 1 << 16
"""Values of an Arrow column that are converted to Python objects at a time."""


def is_missing(value: Any) -> bool:
    """Return whether a value of a column is missing: None, NaN, or the NA of pandas."""
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def is_table(source: Any) -> bool:
    """Return whether `source` is a table of pandas, polars, Arrow or Hugging Face datasets."""
    return hasattr(source, "column_names") or (hasattr(source, "columns") and hasattr(source, "shape"))


def only_column(table: Any) -> Any:
    """Return the column of a table that has only one.

    Raises
    ------
    TypeError
        If the table has several columns, or none.
    """
    names = list(table.column_names if hasattr(table, "column_names") else table.columns)
    if len(names) != 1:
        choice = f"; choose one of them, for instance table[{names[0]!r}]" if names else ""
        raise TypeError(f"a table of {len(names)} columns{choice}")
    return table[names[0]]


def is_column(source: Any) -> bool:
    """Return whether `source` is a column of pandas, polars, Arrow or Hugging Face datasets, or an array of objects."""
    return any(hasattr(source, name) for name in ("to_pylist", "to_numpy", "dtype", "to_list", "source"))


def column_values(source: Any) -> Any:
    """Return an iterable of Python objects; Arrow's own iterator would yield wrapped values."""
    if not hasattr(source, "to_pylist"):
        return source
    return itertools.chain.from_iterable(
        source.slice(start, ARROW_SLICE).to_pylist() for start in range(0, len(source), ARROW_SLICE)
    )
