"""Vocabulary: the words, their ids and how often each occurs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fastw2v.replacement import replacing

__all__ = ["Vocabulary"]


class Vocabulary:
    """Words with their ids and counts; word ``words[i]`` has id ``i``.

    Parameters
    ----------
    words : sequence of str
        Distinct, in the order of their ids.
    counts : integer array, shape (V,)
        How often each word occurs; not negative.

    Attributes
    ----------
    words : list of str
    counts : int64 array, shape (V,)
    word_to_id : dict of str to int

    Raises
    ------
    TypeError
        If a word is not a string, or the counts are not integers.
    ValueError
        If a word occurs twice, a count is negative, or there are not as many counts as words.
    """

    def __init__(self, words: Sequence[str], counts: np.ndarray | Sequence[int]) -> None:
        self.words = list(words)
        self.counts = _checked_counts(counts)
        self.word_to_id = dict(zip(self.words, range(len(self.words)), strict=True))
        if len(self.counts) != len(self.words):
            raise ValueError(f"{len(self.words)} words but {len(self.counts)} counts; each word needs one count")
        if not all(issubclass(kind, str) for kind in set(map(type, self.words))):
            word = next(word for word in self.words if not isinstance(word, str))
            raise TypeError(f"word {word!r} is of type {type(word).__name__}; a vocabulary holds strings")
        if len(self.word_to_id) != len(self.words):
            twice = next(word for i, word in enumerate(self.words) if self.word_to_id[word] != i)
            raise ValueError(f"word {twice!r} occurs twice; the words of a vocabulary are distinct")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1, max_vocab: int | None = None) -> Vocabulary:
        """Return the words that occur at least `min_count` times, the most frequent first.

        Parameters
        ----------
        counts : mapping of str to int
            Words of equal count keep the mapping's order.
        min_count : int
        max_vocab : int, optional
            Most words to take.
        """
        words = np.array(list(counts), dtype=object)
        numbers = _checked_counts(list(counts.values()))
        order = by_falling_count(numbers, min_count, max_vocab)
        return cls(words[order].tolist(), numbers[order])

    @classmethod
    def load(cls, path: str | os.PathLike[str], errors: str = "strict") -> Vocabulary:
        """Read what `save` wrote, or the ``-save-vocab`` file of word2vec.c.

        Parameters
        ----------
        path : str or path
        errors : {"strict", "surrogateescape", "replace", "ignore"}
            What to do with words that are not UTF-8, as in `bytes.decode`.

        Raises
        ------
        ValueError
            If a line is not a word, a space and a count, or a word comes again; names the file and the line.
        """
        words: list[str] = []
        counts: list[int] = []
        seen: set[str] = set()
        for number, line in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
            if not line:
                continue
            try:
                word, _, count = line.decode("utf-8", errors).rpartition(" ")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number}: not UTF-8: {error}") from error
            # More digits do not fit 64 bits, and Python refuses to parse thousands of them.
            if not word or not (count.strip().isdecimal() and len(count) < 20):
                raise ValueError(f"{path}, line {number}: expected a word, a space and its count, found {line[:80]!r}")
            if word in seen:
                raise ValueError(f"{path}, line {number}: word {word!r} comes a second time")
            seen.add(word)
            words.append(word)
            counts.append(int(count))
        return cls(words, np.array(counts, dtype=np.int64))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one line ``word count`` for each word, in UTF-8, in the order of the ids.

        The file appears under its name only when it is complete.

        Raises
        ------
        ValueError
            If a word is empty or holds a line break, which such a file cannot express.
        """
        for word in self.words:
            if not word or "\n" in word:
                raise ValueError(f"word {word!r} cannot be written to {path}: words are separated by line breaks there")
        with replacing(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word} {count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True))

    @property
    def id_to_word(self) -> list[str]:
        """The words in the order of their ids: ``id_to_word[i]`` is the word of id ``i``."""
        return self.words

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.word_to_id

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content is a list

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} words, {int(self.counts.sum())} occurrences>"


def by_falling_count(
    counts: np.ndarray,
    min_count: int,
    max_vocab: int | None = None,
    include: np.ndarray | None = None,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Return the places of the words that a vocabulary takes, the most frequent first, ties in their order.

    Parameters
    ----------
    counts : int64 array, shape (V,)
    min_count : int
        Least count of a word that is taken.
    max_vocab : int, optional
        Most words to take: the most frequent.
    include, exclude : bool array, shape (V,), optional
        Words to take whatever their count, before any others, and words to leave out.

    Returns
    -------
    int64 array
    """
    taken = counts >= min_count
    if exclude is not None:
        taken &= ~exclude
    if include is not None:
        taken |= include
    places = np.flatnonzero(taken)
    order = places[np.argsort(-counts[places], kind="stable")]
    if max_vocab is not None and len(order) > max_vocab:
        first = np.zeros(len(order), dtype=bool) if include is None else include[order]
        order = order[first | (np.cumsum(~first) <= max_vocab - np.count_nonzero(first))]
    return order


def _checked_counts(counts: np.ndarray | Sequence[int]) -> np.ndarray:
    array = np.asarray(counts)
    if array.ndim != 1:
        raise ValueError(f"counts have shape {array.shape}; there is one count for each word")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"counts are of type {array.dtype}; they must be integers")
    if array.size and array.min() < 0:
        raise ValueError(f"count {array.min()} is negative")
    return array.astype(np.int64)
