"""Words as keys: strings, or integers, each naming one row."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from numbers import Integral
from typing import Any, TypeAlias

__all__ = ["Key", "UnknownWordError", "find_row", "is_key"]

Key: TypeAlias = str | int


class UnknownWordError(KeyError):
    """A word that the vocabulary does not have.

    Parameters
    ----------
    word : str or int
    vocabulary : collection of str or int
        Most frequent words first. Near spellings are looked for only when the message is read, so that
        catching the error costs nothing.
    """

    def __init__(self, word: Key, vocabulary: Collection[Key] = ()) -> None:
        super().__init__(word)
        self.word = word
        self.vocabulary = vocabulary

    def __str__(self) -> str:
        message = f"{self.word!r} is not in the vocabulary of {len(self.vocabulary):,} words."
        if near := _near_spellings(self.word, self.vocabulary):
            message += f" Near spellings: {', '.join(map(repr, near))}."
        return message


def is_key(word: object, keys: Iterable[Key]) -> bool:
    """Return whether `word` is of the same kind as the first of the keys: a string, or an integer."""
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
        If there is no such word.
    TypeError
        If `word` is not of the kind that the words are.
    """
    if type(word) in (str, int) and (row := rows.get(word)) is not None:
        return row
    if not is_key(word, rows):
        kind = "strings" if isinstance(next(iter(rows)), str) else "integers"
        remedy = f"; for row number {word} use .vectors[{word}]" if isinstance(word, Integral) else ""
        raise TypeError(f"{word!r} is not a word: words are {kind}{remedy}")
    try:
        return rows[word]
    except KeyError:
        raise UnknownWordError(word, rows) from None


def _near_spellings(word: Key, vocabulary: Collection[Key]) -> list[str]:
    """Return up to three known words that look like `word`, among the more frequent ones if there are many."""
    if not isinstance(word, str) or len(word) > 60:
        return []
    near = [variant for variant in dict.fromkeys((word.lower(), word.title(), word.upper())) if variant in vocabulary]
    candidates = []
    for known, _ in zip(vocabulary, range(50_000), strict=False):
        if isinstance(known, str) and abs(len(known) - len(word)) <= 2 and known not in near:
            candidates.append(known)
    return (near + difflib.get_close_matches(word, candidates, n=3))[:3]
