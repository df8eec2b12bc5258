"""Words as keys: strings, or integers, each naming one row."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from numbers import Integral
from typing import Any, TypeAlias

__all__ = ["Key", "UnknownWordError", "checked_keys", "rows_of"]

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


def checked_keys(words: Sequence[Any], n_rows: int) -> list[Any]:
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


def rows_of(keys: list[Any]) -> dict[Any, int]:
    """Return the row of each word; a ValueError names a word that occurs twice."""
    rows = dict(zip(keys, range(len(keys)), strict=True))
    if len(rows) < len(keys):
        first, again = next((i, rows[key]) for i, key in enumerate(keys) if rows[key] != i)
        raise ValueError(f"the word {keys[first]!r} occurs twice, in rows {first} and {again}; words must be distinct")
    return rows


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
