"""The vocabulary of a corpus: words, their ids and counts, and the selection of the words that it takes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fastw2v.corpus.indexer import IndexedText
from fastw2v.utils.atomic_write import atomic_write

__all__ = ["Counts", "Vocabulary", "WordSelection", "order_by_count"]

Counts: TypeAlias = "Vocabulary | Mapping[str, int] | str | os.PathLike[str]"
"""Words and their counts: a vocabulary, a mapping, or the name of a file with a word and its count on each line."""
log = logging.getLogger("fastw2v")


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
        order = order_by_count(numbers, min_count, max_vocab)
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
        with atomic_write(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
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


class WordSelection:
    """The choice of the words that a corpus takes; its settings are checked before any text is read.

    Parameters
    ----------
    min_count : int
        Least count of a word that is taken.
    max_vocab : int or None
        Most words to take: the most frequent.
    include, exclude : iterable of str
        Words to take whatever their count, and words to leave out.
    counts : Vocabulary, mapping, path or None
        Words and counts to use instead of counting the text.

    Raises
    ------
    OSError
        If a file of counts cannot be read.
    TypeError
        If `include` or `exclude` is a string, or the counts are not integers.
    ValueError
        If `min_count` or `max_vocab` is out of range, a word is both included and excluded, or a count is negative.
    """

    def __init__(
        self,
        min_count: int,
        max_vocab: int | None,
        include: Iterable[str],
        exclude: Iterable[str],
        counts: Counts | None,
    ) -> None:
        if not isinstance(min_count, (int, np.integer)) or min_count < 0:
            raise ValueError(f"min_count is {min_count!r}; it must be an integer of at least 0")
        if max_vocab is not None and (not isinstance(max_vocab, (int, np.integer)) or max_vocab < 1):
            raise ValueError(f"max_vocab is {max_vocab!r}; it must be an integer of at least 1, or None for no limit")
        for name, words in (("include", include), ("exclude", exclude)):
            if isinstance(words, str):
                raise TypeError(f"{name} is the string {words!r}; it must be a list of words")
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.include = frozenset(include)
        self.exclude = frozenset(exclude)
        if both := self.include & self.exclude:
            raise ValueError(f"word {min(both)!r} is both in include and in exclude")
        if isinstance(counts, (str, os.PathLike)):
            counts = Vocabulary.load(counts)
        if isinstance(counts, Vocabulary):
            counts = dict(zip(counts.words, counts.counts.tolist(), strict=True))
        self.counts = None if counts is None else Vocabulary(list(counts), list(counts.values()))

    def select(self, text: IndexedText, name: str) -> tuple[Vocabulary, np.ndarray]:
        """Return the vocabulary of a text and the final id of each of its words.

        Parameters
        ----------
        text : IndexedText
        name : str
            What messages call the text.

        Returns
        -------
        vocabulary : Vocabulary
        ids : int32 array, shape (n_words,)
            For each word of `text`, its id in the vocabulary, or −1 if it is left out.

        Raises
        ------
        ValueError
            If no word is taken.
        """
        everything = np.arange(len(text.counts))
        final = np.full(len(everything), -1, dtype=np.int32)
        if self.counts is not None:
            order = self._order(self.counts.counts, self.counts.words, "the counts that were given")
            vocabulary = Vocabulary([self.counts.words[i] for i in order.tolist()], self.counts.counts[order])
            ids = vocabulary.word_to_id
            final[:] = [ids.get(word, -1) for word in text.words(everything)]
            if final.max() < 0:
                raise ValueError(f"{name}: none of its {len(everything)} words is in the counts that were given")
            return vocabulary, final
        words = text.words(everything) if self.include or self.exclude else []
        order = self._order(text.counts, words, name)
        if not order.size:
            best = np.array([text.counts.argmax()])
            raise ValueError(
                f"{name}: no word occurs min_count={self.min_count} times. There are {text.counts.sum()} tokens "
                f"of {len(everything)} words, and the most frequent, {text.words(best)[0]!r}, occurs "
                f"{text.counts[best[0]]} times; lower min_count or give more text"
            )
        final[order] = np.arange(len(order), dtype=np.int32)
        return Vocabulary(text.words(order), text.counts[order]), final

    def _order(self, counts: np.ndarray, words: list[str], name: str) -> np.ndarray:
        """Return the indices of the words taken, in the order of their ids."""
        include, exclude = (
            np.fromiter((word in named for word in words), dtype=bool, count=len(words)) if named else None
            for named in (self.include, self.exclude)
        )
        if include is not None and np.count_nonzero(include) < len(self.include):
            missing = sorted(self.include.difference(words))
            log.warning("%d of the words to include do not occur in %s: %s", len(missing), name, " ".join(missing[:5]))
        return order_by_count(counts, self.min_count, self.max_vocab, include, exclude)


def order_by_count(
    counts: np.ndarray,
    min_count: int,
    max_vocab: int | None = None,
    include: np.ndarray | None = None,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Return the indices of the words that a vocabulary takes, the most frequent first, ties in their order.

    Parameters
    ----------
    counts : int64 array, shape (V,)
    min_count : int
        Least count of a word that is taken.
    max_vocab : int, optional
        Most words to take: the most frequent.
    include, exclude : bool array, shape (V,), optional
        Words to take whatever their count, before any others; and words to leave out.

    Returns
    -------
    int64 array
    """
    taken = counts >= min_count
    if exclude is not None:
        taken &= ~exclude
    if include is not None:
        taken |= include
    candidates = np.flatnonzero(taken)
    order = candidates[np.argsort(-counts[candidates], kind="stable")]
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
