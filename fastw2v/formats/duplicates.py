"""Words that occur more than once in a file: an error, or the first vector of each word is kept."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.formats.fileio import FormatError
from fastw2v.formats.record import VectorRecord, take_words
from fastw2v.utils.quote import quote

__all__ = ["check_distinct", "keep_first"]

log = logging.getLogger("fastw2v")


def check_distinct(record: VectorRecord, path: Path, errors: str) -> VectorRecord:
    """Return the record if its words are distinct. If `words` is a function, they are checked when it is called.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        Used in error messages.
    errors : str
        How the words were decoded, as in `bytes.decode`. Used in error messages.

    Returns
    -------
    VectorRecord

    Raises
    ------
    FormatError
        If a word occurs more than once.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.duplicates import check_distinct
    >>> check_distinct(VectorRecord(["sun", "moon", "sun"], np.ones((3, 2))), Path("vectors.txt"), "strict")
    Traceback (most recent call last):
        ...
    fastw2v.formats.fileio.FormatError: vectors.txt: the word 'sun' occurs twice, in rows 1 and 3...
    """
    if not callable(record.words):
        _distinct_words(record, path, errors)
        return record
    words = partial(_distinct_words, record, path, errors)
    return replace(record, words=words)


def keep_first(record: VectorRecord, path: Path) -> VectorRecord:
    """Return a record with the first row of each word, and log a warning if rows are dropped.

    Parameters
    ----------
    record : VectorRecord
    path : Path
        Used in the warning.

    Returns
    -------
    VectorRecord
        `record` itself if its words are distinct. Otherwise, its arrays are copies.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastw2v.formats import VectorRecord
    >>> from fastw2v.formats.duplicates import keep_first
    >>> record = VectorRecord(["sun", "moon", "sun"], np.array([[1.0], [2.0], [3.0]]))
    >>> first = keep_first(record, Path("vectors.txt"))
    >>> first.words, first.vectors.tolist()
    (['sun', 'moon'], [[1.0], [2.0]])
    """
    words = record.index_to_key
    rows = _first_rows(words)
    if len(rows) == len(words):
        return record
    log.warning(
        "%s: left out %s of %s rows, which repeat a word of an earlier row, such as %s",
        path,
        f"{len(words) - len(rows):,}",
        f"{len(words):,}",
        quote(_first_repeated(words)[0]),
    )
    return take_words(record, np.array(list(rows.values())))


def _first_rows(words: list[Any]) -> dict[Any, int]:
    """Return the first row of each word, in row order."""
    rows: dict[Any, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)
    return rows


def _first_repeated(words: list[Any]) -> tuple[Any, int, int]:
    """Return the first word that repeats an earlier one, and both rows."""
    rows: dict[Any, int] = {}
    for row, word in enumerate(words):
        if (first := rows.setdefault(word, row)) != row:
            return word, first, row
    raise ValueError("the words are distinct")


def _distinct_words(record: VectorRecord, path: Path, errors: str) -> list[Any]:
    words = record.index_to_key
    if (n_distinct := len(set(words))) == len(words):
        return words
    word, first, row = _first_repeated(words)
    others = len(words) - n_distinct - 1
    more = "" if not others else f", and {others:,} more {'row repeats' if others == 1 else 'rows repeat'} a word"
    apart = ""
    if errors in ("replace", "ignore"):
        apart = (
            f" With errors={errors!r}, different bytes can become the same word; errors='surrogateescape' keeps them."
        )
    raise FormatError(
        f"{path}: the word {quote(word)} occurs twice, in rows {first + 1} and {row + 1}{more}.{apart} To keep "
        "the first vector of each word, read the file with duplicates='first'"
    )
