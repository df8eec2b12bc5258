"""Lookup of the row of a word, where words are strings or integers."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from numbers import Integral
from typing import Any, TypeAlias

__all__ = ["Key", "UnknownWordError", "find_row", "is_key"]

Key: TypeAlias = str | int


class UnknownWordError(KeyError):
    """Error for a word that is not in the vocabulary.

    Parameters
    ----------
    word : str or int
    vocabulary : collection of str or int
        The known words, most frequent first. The message suggests known words with a similar spelling. The search for
        suggestions runs only when the message is read, so catching the error is cheap.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import UnknownWordError, WordVectors
    >>> wv = WordVectors(["cat", "dog", "Paris"], np.eye(3))
    >>> try:
    ...     wv["paris"]
    ... except UnknownWordError as error:
    ...     print(error)
    'paris' is not in the vocabulary of 3 words. Similar spellings: 'Paris'.
    """

    def __init__(self, word: Key, vocabulary: Collection[Key] = ()) -> None:
        super().__init__(word)
        self.word = word
        self.vocabulary = vocabulary

    def __str__(self) -> str:
        message = f"{self.word!r} is not in the vocabulary of {len(self.vocabulary):,} words."
        if near := _near_spellings(self.word, self.vocabulary):
            message += f" Similar spellings: {', '.join(map(repr, near))}."
        return message


def is_key(word: object, keys: Iterable[Key]) -> bool:
    """Return whether `word` has the same type, string or integer, as the keys.

    Only the first key is inspected.

    Examples
    --------
    >>> from fastw2v.vectors.keys import is_key
    >>> is_key("cow", ["cat", "dog"]), is_key(0, ["cat", "dog"])
    (True, False)
    """
    if isinstance(next(iter(keys)), str):
        return isinstance(word, str)
    return isinstance(word, Integral) and not isinstance(word, bool)


def find_row(word: Any, rows: Mapping[Any, int]) -> int:
    """Return the row of a word.

    Parameters
    ----------
    word : str or int
    rows : dict of str or int to int
        The row of each word, most frequent words first.

    Raises
    ------
    UnknownWordError
        If the word is not in the vocabulary.
    TypeError
        If the type of `word`, string or integer, differs from that of the words in the vocabulary.

    Examples
    --------
    >>> from fastw2v.vectors.keys import find_row
    >>> find_row("dog", {"cat": 0, "dog": 1})
    1
    >>> find_row(1, {"cat": 0, "dog": 1})
    Traceback (most recent call last):
    ...
    TypeError: 1 is not a word: words are strings. For row 1, use .vectors[1]
    """
    if type(word) in (str, int) and (row := rows.get(word)) is not None:
        return row
    if not is_key(word, rows):
        kind = "strings" if isinstance(next(iter(rows)), str) else "integers"
        remedy = f". For row {word}, use .vectors[{word}]" if isinstance(word, Integral) else ""
        raise TypeError(f"{word!r} is not a word: words are {kind}{remedy}")
    try:
        return rows[word]
    except KeyError:
        raise UnknownWordError(word, rows) from None


def _near_spellings(word: Key, vocabulary: Collection[Key]) -> list[str]:
    """Return up to three suggestions: `word` in a different case, or similar words among the 50,000 most frequent."""
    if not isinstance(word, str) or len(word) > 60:
        return []
    near = [variant for variant in dict.fromkeys((word.lower(), word.title(), word.upper())) if variant in vocabulary]
    candidates = []
    for known, _ in zip(vocabulary, range(50_000), strict=False):
        if isinstance(known, str) and abs(len(known) - len(word)) <= 2 and known not in near:
            candidates.append(known)
    return (near + difflib.get_close_matches(word, candidates, n=3))[:3]
