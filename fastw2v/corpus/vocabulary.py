"""The vocabulary of a corpus: the selection of words, and their ids and counts."""

from __future__ import annotations

import codecs
import functools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fastw2v.config import check_integer
from fastw2v.corpus.indexer import IndexedText
from fastw2v.utils.checks import check_items, check_path, check_type
from fastw2v.utils.compression import read_decompressed
from fastw2v.utils.encodings import encoding_of_mark, guess_encoding
from fastw2v.utils.output_file import open_text_for_writing
from fastw2v.utils.quote import counted, quote

__all__ = ["Counts", "NoKnownWordsError", "Vocabulary", "WordSelection", "kind_of_words", "order_by_count"]

Counts: TypeAlias = "Vocabulary | Mapping[Any, int] | str | os.PathLike[str]"
"""Words and counts: a vocabulary, a mapping, or the path of a file with a word and its count on each line."""
log = logging.getLogger("fastw2v")


SMALL_SHARE = 0.2
"""If a smaller share of a text is in the given counts, the counts probably belong to another text."""


class NoKnownWordsError(ValueError):
    """Error for a text of which no word is in the given counts.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> Corpus.from_sentences([["un", "chat"]], counts={"the": 5, "cat": 2})
    Traceback (most recent call last):
        ...
    fastw2v.corpus.vocabulary.NoKnownWordsError: the sentences: the given counts of 1 word contain none of ...
    """


class Vocabulary:
    """Distinct words with their ids and counts.

    Vocabularies support ``len(vocabulary)``, ``word in vocabulary`` and iteration over the words. Two vocabularies are
    equal if their words and counts are equal.

    Parameters
    ----------
    words : sequence of str, or of int
        Distinct words in order of id. NumPy integers are converted to Python integers.
    counts : integer array, shape (V,)
        Count of each word, at least 0.

    Attributes
    ----------
    words : list of str, or list of int
        The words in order of id.
    counts : int64 array, shape (V,)

    Raises
    ------
    TypeError
        If the words are not all strings or all integers, or the counts are not integers.
    ValueError
        If a word occurs twice, a count is negative, or the numbers of words and counts differ.

    Examples
    --------
    >>> from fastw2v import Vocabulary
    >>> vocabulary = Vocabulary(["the", "cat"], [5, 2])
    >>> vocabulary.word_to_id["cat"]
    1
    >>> int(vocabulary.counts[1])
    2
    >>> "dog" in vocabulary
    False
    """

    def __init__(self, words: Sequence[Any], counts: np.ndarray | Sequence[int]) -> None:
        check_items("words", words, "a list of words")
        self.words: list[Any] = list(words)
        kind = kind_of_words(self.words)
        if self.words and kind is None:
            expected = kind_of_words(self.words[:1])
            word = next(word for word in self.words if kind_of_words([word]) != expected or expected is None)
            raise TypeError(
                f"word {quote(word)} is of type {type(word).__name__}; words must be all strings or all integers"
            )
        if kind is int:
            self.words = [int(word) for word in self.words]
        self.counts = _checked_counts(counts)
        if len(self.counts) != len(self.words):
            raise ValueError(f"{len(self.words)} words but {len(self.counts)} counts; each word needs one count")
        if len(self.word_to_id) != len(self.words):
            twice = next(word for i, word in enumerate(self.words) if self.word_to_id[word] != i)
            raise ValueError(f"word {quote(twice)} occurs twice; words must be distinct")

    @functools.cached_property
    def word_to_id(self) -> dict[Any, int]:
        """The id of each word.

        Examples
        --------
        >>> from fastw2v import Vocabulary
        >>> Vocabulary(["the", "cat"], [5, 2]).word_to_id
        {'the': 0, 'cat': 1}
        """
        return dict(zip(self.words, range(len(self.words)), strict=True))

    @classmethod
    def _of_distinct(cls, words: list[Any], counts: np.ndarray) -> Vocabulary:
        """Return a vocabulary of the words of a text, which need no checks. Ids are looked up when they are needed."""
        vocabulary = cls.__new__(cls)
        vocabulary.words, vocabulary.counts = words, counts
        return vocabulary

    @classmethod
    def from_counts(cls, counts: Mapping[Any, int], min_count: int = 1, max_vocab: int | None = None) -> Vocabulary:
        """Return a vocabulary whose words are in order of decreasing count.

        Parameters
        ----------
        counts : mapping of str or int to int
            Words and their counts. Words with equal counts keep their order in the mapping.
        min_count : int
            Minimum count of a word.
        max_vocab : int, optional
            Maximum number of words. The most frequent words are kept. By default, the number is not limited.

        Examples
        --------
        >>> from fastw2v import Vocabulary
        >>> Vocabulary.from_counts({"cat": 2, "the": 5, "zebra": 1}, min_count=2).words
        ['the', 'cat']
        """
        check_type("counts", counts, Mapping, "a dictionary")
        _check_limits(min_count, max_vocab)
        words = list(counts)
        numbers = _checked_counts(list(counts.values()))
        order = order_by_count(numbers, min_count, max_vocab)
        return cls([words[i] for i in order.tolist()], numbers[order])

    @classmethod
    def load(cls, path: str | os.PathLike[str], errors: str = "strict") -> Vocabulary:
        r"""Read a vocabulary from a file written by `save`, or by word2vec.c with ``-save-vocab``.

        Parameters
        ----------
        path : str or path
        errors : {"strict", "surrogateescape", "replace", "ignore"}
            How to handle words that are not valid UTF-8; see `bytes.decode`.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If a line does not consist of a word, a space and a count, a word occurs twice, or a word is not valid UTF-8
            and `errors` is "strict".

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Vocabulary
        >>> _ = Path("vocabulary.txt").write_text("the 5\ncat 2\n", encoding="utf-8")
        >>> Vocabulary.load("vocabulary.txt")
        <Vocabulary of 2 words, 7 occurrences>
        """
        check_path("path", path)
        words: list[str] = []
        counts: list[int] = []
        seen: set[str] = set()
        with Path(path).open("rb") as file:
            data = b"".join(read_decompressed(file, str(path), 1 << 20)).removeprefix(codecs.BOM_UTF8)
        for number, line in enumerate(data.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                word, _, count = line.decode("utf-8", errors).rpartition(" ")
            except UnicodeDecodeError as error:
                guess = encoding_of_mark(data) or guess_encoding(data)
                advice = f"It is probably {guess}; convert it to UTF-8 first" if guess else "Convert it to UTF-8 first"
                raise ValueError(f"{path}, line {number}: not UTF-8: {error.reason}. {advice}") from error
            # A count of 19 digits may not fit in 64 bits, and Python refuses to parse thousands of digits.
            if not word or not (count.strip().isdecimal() and len(count.strip()) < 19):
                raise ValueError(
                    f"{path}, line {number}: expected a word, a space and its count, found {quote(line.strip())}"
                )
            if word in seen:
                raise ValueError(
                    f"{path}, line {number}: word {quote(word)} occurs a second time; remove one of its lines"
                )
            seen.add(word)
            words.append(word)
            counts.append(int(count))
        return cls(words, np.array(counts, dtype=np.int64))

    def save(self, path: str | os.PathLike[str]) -> None:
        r"""Write the vocabulary as UTF-8 text, with one line ``word count`` per word in order of id.

        Integers are written in decimal notation, and are read back as strings. The file is compressed if the name ends
        in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``. An incomplete file never appears under the final name.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word is empty or contains a line feed.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Vocabulary
        >>> Vocabulary(["the", "cat"], [5, 2]).save("vocabulary.txt")
        >>> Path("vocabulary.txt").read_text(encoding="utf-8")
        'the 5\ncat 2\n'
        """
        check_path("path", path)
        for word in map(str, self.words):
            if not word or "\n" in word:
                raise ValueError(
                    f"word {quote(word)} cannot be written to {path}: words must not be empty or contain line feeds"
                )
        with open_text_for_writing(Path(path)) as file:
            file.writelines(f"{word} {count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True))

    @property
    def id_to_word(self) -> list[Any]:
        """The words in order of id, so that ``id_to_word[i]`` is the word with id ``i``.

        Examples
        --------
        >>> from fastw2v import Vocabulary
        >>> Vocabulary(["the", "cat"], [5, 2]).id_to_word[1]
        'cat'
        """
        return self.words

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.word_to_id

    def __iter__(self) -> Iterator[Any]:
        return iter(self.words)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # vocabularies are compared by their content, which is mutable

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} words, {int(self.counts.sum())} occurrences>"


class WordSelection:
    """The settings that select the vocabulary of a text; they are validated before the text is read.

    Parameters
    ----------
    min_count : int
        Minimum count of a word.
    max_vocab : int or None
        Maximum number of words. The most frequent words are kept. If None, the number is not limited.
    include : iterable of str or int
        Words to keep regardless of their counts. They are kept first if `max_vocab` limits the vocabulary.
    exclude : iterable of str or int
        Words to drop.
    counts : Vocabulary, mapping, path or None
        Words and counts to use instead of counting the text. If None, the words of the text are counted.

    Raises
    ------
    OSError
        If a file of counts cannot be read.
    TypeError
        If `include` or `exclude` is a string, or the counts are not integers.
    ValueError
        If `min_count` or `max_vocab` is out of range, a word is both included and excluded, or a count is negative.

    Examples
    --------
    >>> from fastw2v.corpus.vocabulary import WordSelection
    >>> selection = WordSelection(min_count=2, max_vocab=None, include=["cat"], exclude=["the"], counts=None)
    >>> selection.include
    frozenset({'cat'})
    >>> WordSelection(min_count=2, max_vocab=None, include=["cat"], exclude=["cat"], counts=None)
    Traceback (most recent call last):
    ValueError: word 'cat' is both in include and in exclude; remove it from one
    """

    def __init__(
        self,
        min_count: int,
        max_vocab: int | None,
        include: Iterable[Any],
        exclude: Iterable[Any],
        counts: Counts | None,
    ) -> None:
        _check_limits(min_count, max_vocab)
        check_items("include", include, "a list of words")
        check_items("exclude", exclude, "a list of words")
        if counts is not None:
            check_type(
                "counts", counts, (Vocabulary, Mapping, str, os.PathLike), "a Vocabulary, a dictionary or a path"
            )
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.include = frozenset(include)
        self.exclude = frozenset(exclude)
        if both := self.include & self.exclude:
            raise ValueError(f"word {quote(next(iter(both)))} is both in include and in exclude; remove it from one")
        if isinstance(counts, (str, os.PathLike)):
            counts = Vocabulary.load(counts)
        if isinstance(counts, Vocabulary):
            counts = dict(zip(counts.words, counts.counts.tolist(), strict=True))
        self.counts = None if counts is None else Vocabulary(list(counts), list(counts.values()))

    def select(self, text: IndexedText, name: str) -> tuple[Vocabulary, np.ndarray]:
        r"""Return the vocabulary of a text and the final id of each of its distinct words.

        Parameters
        ----------
        text : IndexedText
        name : str
            Name of the text in messages.

        Returns
        -------
        vocabulary : Vocabulary
        ids : int32 array, shape (n_words,)
            For each word of `text`, its id in the vocabulary, or −1 if the word is dropped.

        Raises
        ------
        ValueError
            If the text has no words, or no word is selected.

        Examples
        --------
        >>> from fastw2v.corpus.indexer import TextIndexer
        >>> from fastw2v.corpus.vocabulary import WordSelection
        >>> indexer = TextIndexer()
        >>> indexer.add_text("the cat sat\nthe cat ran\n")
        >>> selection = WordSelection(min_count=2, max_vocab=None, include=["ran"], exclude=["the"], counts=None)
        >>> vocabulary, ids = selection.select(indexer.indexed(), "the text")
        >>> vocabulary.words, ids.tolist()  # ids of: the, cat, sat, ran
        (['cat', 'ran'], [-1, 0, -1, 1])
        """
        if not text.counts.size:
            raise ValueError(
                f"{name}: there are no words, only white space. An iterator or a pipe can be read only once, so check "
                "that nothing has read it before"
            )
        everything = np.arange(len(text.counts))
        final = np.full(len(everything), -1, dtype=np.int32)
        if self.counts is not None:
            order = self._order(self.counts.counts, self.counts.words, "the given counts")
            vocabulary = Vocabulary([self.counts.words[i] for i in order.tolist()], self.counts.counts[order])
            ids = vocabulary.word_to_id
            words = text.words(everything)
            final[:] = [ids.get(word, -1) for word in words]
            known, total = int(text.counts[final >= 0].sum()), int(text.counts.sum())
            if not known and (rare := [word for word in words if word in self.counts.word_to_id]):
                count = self.counts.counts[self.counts.word_to_id[rare[0]]]
                raise ValueError(
                    f"{name}: {len(rare)} of the {len(everything)} distinct words are in the given counts, but all of "
                    f"these are left out by min_count={self.min_count}, max_vocab={self.max_vocab} or exclude; for "
                    f"example, {quote(rare[0])} has the count {count}. Lower min_count or raise max_vocab"
                )
            if not vocabulary.words:
                raise ValueError(f"{name}: the given counts have no words; count the words of a text first")
            if not known:
                raise NoKnownWordsError(
                    f"{name}: the given counts of {counted(len(vocabulary), 'word')} contain none of "
                    f"{counted(len(everything), 'distinct word')}. The most frequent word of the text is "
                    f"{quote(words[text.counts.argmax()])}, and the first word of the counts is "
                    f"{quote(vocabulary.words[0])}. Use "
                    "the counts of this text, or of a text in the same language, case and type (strings or integers)"
                )
            if known < SMALL_SHARE * total:
                log.warning(
                    "%s: the given vocabulary of %s contains only %d of %s, and the others are left out; check that "
                    "the vocabulary belongs to this text",
                    name,
                    counted(len(vocabulary), "word"),
                    known,
                    counted(total, "token"),
                )
            return vocabulary, final
        words = text.words(everything) if self.include or self.exclude else []
        order = self._order(text.counts, words, name)
        if not order.size:
            best = np.array([text.counts.argmax()])
            most = f"{quote(text.words(best)[0])}, occurs {counted(text.counts[best[0]], 'time')}"
            if (n_excluded := int(np.count_nonzero(text.counts >= self.min_count))) > 0:
                raise ValueError(
                    f"{name}: exclude drops all words that occur at least min_count={self.min_count} times. There "
                    f"{'is' if n_excluded == 1 else 'are'} {counted(n_excluded, 'such word')}; the most frequent word, "
                    f"{most}. Lower min_count or exclude fewer words"
                )
            raise ValueError(
                f"{name}: no word occurs at least min_count={self.min_count} times. The most frequent of "
                f"{counted(len(everything), 'distinct word')}, {most} in {counted(text.counts.sum(), 'token')}. Lower "
                "min_count or use more text"
            )
        final[order] = np.arange(len(order), dtype=np.int32)
        return Vocabulary._of_distinct(text.words(order), text.counts[order]), final

    def _order(self, counts: np.ndarray, words: list[Any], name: str) -> np.ndarray:
        """Return the indices of the selected words in order of id."""
        include, exclude = (
            np.fromiter((word in named for word in words), dtype=bool, count=len(words)) if named else None
            for named in (self.include, self.exclude)
        )
        if include is not None and np.count_nonzero(include) < len(self.include):
            missing = sorted(self.include.difference(words), key=str)
            words_missing = counted(len(missing), "word")
            log.warning("%s in include cannot be found in %s: %s", words_missing, name, quote(missing))
        return order_by_count(counts, self.min_count, self.max_vocab, include, exclude)


def _check_limits(min_count: Any, max_vocab: Any) -> None:
    check_integer("min_count", min_count, minimum=0)
    if max_vocab is not None:
        check_integer("max_vocab", max_vocab, minimum=1)


def kind_of_words(words: Sequence[Any]) -> type | None:
    """Return `str` if all words are strings, `int` if all are integers, and None otherwise or if there are none.

    NumPy integers count as integers, but booleans do not.

    Examples
    --------
    >>> from fastw2v.corpus.vocabulary import kind_of_words
    >>> kind_of_words(["the", "cat"]), kind_of_words([17, 5]), kind_of_words(["the", 5])
    (<class 'str'>, <class 'int'>, None)
    """
    kinds = set(map(type, words))
    if not kinds:
        return None
    if all(issubclass(kind, str) for kind in kinds):
        return str
    if all(issubclass(kind, Integral) and not issubclass(kind, bool) for kind in kinds):
        return int
    return None


def order_by_count(
    counts: np.ndarray,
    min_count: int,
    max_vocab: int | None = None,
    include: np.ndarray | None = None,
    exclude: np.ndarray | None = None,
) -> np.ndarray:
    """Return the indices of the selected words in order of decreasing count; ties keep their order.

    Parameters
    ----------
    counts : int64 array, shape (V,)
    min_count : int
        Minimum count of a word.
    max_vocab : int, optional
        Maximum number of words. The most frequent words are kept. By default, the number is not limited.
    include : bool array, shape (V,), optional
        Words to keep regardless of their counts. They are kept first if `max_vocab` limits the vocabulary.
    exclude : bool array, shape (V,), optional
        Words to drop.

    Returns
    -------
    int64 array

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.vocabulary import order_by_count
    >>> order_by_count(np.array([3, 7, 1, 7]), min_count=2).tolist()
    [1, 3, 0]
    >>> include = np.array([False, False, True, False])
    >>> order_by_count(np.array([3, 7, 1, 7]), min_count=2, max_vocab=2, include=include).tolist()
    [1, 2]
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
        raise ValueError(f"counts have shape {array.shape}; they must be one-dimensional, with one count per word")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"counts are of type {array.dtype}; they must be integers")
    if array.size and array.min() < 0:
        raise ValueError(f"count {array.min()} is negative; counts must be at least 0")
    return array.astype(np.int64)
