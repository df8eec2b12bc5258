"""Lookup of the row of a word, where words are strings or integers."""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeAlias

from fastw2v.config import UNICODE_FORMS
from fastw2v.utils.quote import counted, quote

__all__ = ["Key", "UnknownWordError", "as_keys", "find_row", "is_key"]

Key: TypeAlias = str | int

SEARCHED = 50_000
"""Number of words, most frequent first, that are searched for similar spellings."""
LONGEST = 60
"""Length of the longest word for which similar spellings are searched."""


class UnknownWordError(KeyError):
    """Error for a word that is not in the vocabulary.

    Parameters
    ----------
    word : str or int
    vocabulary : collection of str or int
        The known words, most frequent first. The message suggests known words with a similar spelling, and says if the
        same word is known in another case or another Unicode form.

    Attributes
    ----------
    word : str or int
        The constructor argument of the same name.

    Notes
    -----
    The search for suggestions runs only when the message is read, so catching the error is cheap. After the search, the
    error no longer refers to the vocabulary. A pickle of the error contains the message but not the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import UnknownWordError, WordVectors
    >>> wv = WordVectors(["cat", "dog", "Paris"], np.eye(3))
    >>> try:
    ...     wv["paris"]
    ... except UnknownWordError as error:
    ...     print(error)
    'paris' is not in the vocabulary of 3 words. Similar spellings: 'Paris' (same word in another case).
    """

    def __init__(self, word: Key, vocabulary: Collection[Key] = ()) -> None:
        super().__init__(word)
        self.word = word
        self._vocabulary = vocabulary
        self._message = ""

    def __str__(self) -> str:
        if not self._message:
            self._message = f"{quote(self.word)} is not in the vocabulary of {counted(len(self._vocabulary), 'word')}."
            if near := _near_spellings(self.word, self._vocabulary):
                self._message += f" Similar spellings: {', '.join(near)}."
            self._vocabulary = ()
        return self._message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.word,), self.__dict__ | {"_message": str(self), "_vocabulary": ()}


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


def as_keys(keys: Sequence[Any], words: Sequence[str], owner: str) -> list[Any]:
    """Convert words that a user has typed to integers if the keys of `owner`, which an error names, are integers.

    Raises
    ------
    ValueError
        If the keys are integers, but a word is not.

    Examples
    --------
    >>> from fastw2v.vectors.keys import as_keys
    >>> as_keys([7, 9], ["9", "-3"], "the vectors"), as_keys(["cat"], ["9"], "the vectors")
    ([9, -3], ['9'])
    """
    if not isinstance(keys[0], int):
        return list(words)
    converted = []
    for word in words:
        try:
            converted.append(int(word))
        except ValueError:
            raise ValueError(f"{quote(word)} is not an integer, but the words of {owner} are integers") from None
    return converted


def find_row(word: Any, rows: Mapping[Any, int], name: str = "word") -> int:
    """Return the row of a word.

    Parameters
    ----------
    word : str or int
    rows : dict of str or int to int
        The row of each word, most frequent words first.
    name : str
        Name of the caller's parameter, for error messages.

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
    TypeError: word is 1, which is not a word: words are strings. For row 1, use .vectors[1]
    """
    if type(word) in (str, int) and (row := rows.get(word)) is not None:
        return row
    if not is_key(word, rows):
        kind = "strings" if isinstance(next(iter(rows)), str) else "integers"
        remedy = f". For row {word}, use .vectors[{word}]" if isinstance(word, Integral) and kind == "strings" else ""
        raise TypeError(f"{name} is {quote(word)}, which is not a word: words are {kind}{remedy}")
    try:
        return rows[word]
    except KeyError:
        raise UnknownWordError(word, rows) from None


def _near_spellings(word: Key, vocabulary: Collection[Key]) -> list[str]:
    """Return up to three quoted suggestions: the same word in another form, then similar words."""
    if not isinstance(word, str) or len(word) > LONGEST:
        return []
    frequent = [key for key in itertools.islice(vocabulary, SEARCHED) if isinstance(key, str) and len(key) <= LONGEST]
    cases = (word, word.lower(), word.title(), word.upper())
    variants = (unicodedata.normalize(form, case) for form in UNICODE_FORMS for case in cases)
    same = [variant for variant in variants if variant in vocabulary]  # finds rare words as well
    same = list(dict.fromkeys(same + [key for key in frequent if _folded(key) == _folded(word)]))
    similar = [key for key in frequent if abs(len(key) - len(word)) <= 2 and key not in same]
    suggestions = [f"{quote(key)} (same word in {_form(key, word)})" for key in same]
    return (suggestions + list(map(repr, difflib.get_close_matches(word, similar, n=3))))[:3]


def _folded(word: str) -> str:
    """Return the form that is equal for words that differ only in case or Unicode form."""
    return unicodedata.normalize("NFKC", word).casefold()


def _form(key: str, word: str) -> str:
    """Describe the form in which a known word differs from a word that was asked for."""
    for form in UNICODE_FORMS:
        if unicodedata.normalize(form, word) == key:
            return f"the Unicode form {form}"
    if key.casefold() == word.casefold():
        return "another case"
    if unicodedata.normalize("NFKC", key) == unicodedata.normalize("NFKC", word):
        return "another Unicode form, such as full-width characters"
    return "another case and Unicode form"
