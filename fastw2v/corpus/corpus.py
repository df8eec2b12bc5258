"""Corpus: text, token lists or integer arrays as one array of word ids with sentence offsets.

A line is a sentence, and tokens are what ``str.split()`` returns: runs of characters other than Unicode white space.
So reading a file equals ``Corpus.from_sentences(line.split() for line in file)``. Only the line feed ends a line (the
carriage return before it is white space), and a byte order mark at the start of a file is skipped. In lower case a
token is ``token.lower()``.

Text is read once, and the ids of a long text are kept in a temporary file: memory grows with the vocabulary.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import MIN_COUNT
from fastw2v.corpus import w2v_file
from fastw2v.corpus.columns import column_values, is_column, is_missing, is_table, only_column
from fastw2v.corpus.indexer import IndexedText, TextIndexer, index_text
from fastw2v.corpus.sources import Errors, Source, Sources, TextBlock, blocks_of_lines, expand_source, read_blocks
from fastw2v.corpus.vocabulary import Counts, Vocabulary, WordSelection
from fastw2v.utils.atomic_write import atomic_write
from fastw2v.utils.system import available_processors

__all__ = ["Corpus", "as_corpus"]

log = logging.getLogger("fastw2v")
BLOCK_TOKENS = 1 << 19
"""Token lists are indexed, and text is written, in blocks of about this many tokens."""
ENCODED_SUFFIX = ".w2v"
"""Suffix of an encoded corpus."""
SUSPICIOUS_TOKENS = 1000
"""A shorter corpus is taken for an example or a test, and no warning is given about how it looks."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A training text as word ids.

    The methods that read text take the same parameters for the choice of words: `min_count`, the least count of a
    word that is taken; `max_vocab`, the most words to take, the most frequent; `include`, words to take whatever their
    count, and `exclude`, words to leave out; `counts`, to use the words and counts of another text instead of counting:
    a Vocabulary, a mapping, or the name of a file with a word and its count on each line. Words that are left out are
    removed, so that their neighbours become adjacent. Ids are assigned by falling count; ties are in the order of their
    first appearance.

    Attributes
    ----------
    ids : int32 array, shape (T,)
        The tokens that are in the vocabulary, all sentences one after the other.
    offsets : int64 array, shape (n_sentences + 1,)
        Sentence ``s`` is ``ids[offsets[s] : offsets[s + 1]]``.
    vocabulary : Vocabulary
    """

    ids: np.ndarray
    offsets: np.ndarray
    vocabulary: Vocabulary

    @classmethod
    def from_text(
        cls,
        source: Source,
        min_count: int = MIN_COUNT,
        *,
        max_vocab: int | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        counts: Counts | None = None,
        lower: bool = False,
        errors: Errors = "strict",
        workers: int | None = None,
    ) -> Corpus:
        """Read UTF-8 text with one sentence a line and tokens between white space.

        Parameters
        ----------
        source : path, iterable of paths, or Sources
            A file; a folder, for every file in it and below; a pattern such as ``"part-*.txt"``; or ``"-"`` for
            standard input. Files that end in ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` are decompressed while they are
            read. The result of `fastw2v.corpus.sources.expand_source` is taken as it is, without another search.
        min_count, max_vocab, include, exclude, counts
            Which words to take; see `Corpus`.
        lower : bool
            Whether to take words in lower case.
        errors : {"strict", "replace", "ignore"}
            What to do with bytes that are not UTF-8: raise an error, replace them by U+FFFD, or drop them.
        workers : int, optional
            Threads; by default, the number of processors that the process may use. The result does not depend on it.

        Raises
        ------
        OSError
            If there is no such file, or a folder without files.
        ValueError
            If the text is empty, is not UTF-8 (names the byte), is cut short, or no word occurs `min_count` times.
        """
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        if errors not in ("strict", "replace", "ignore"):
            raise ValueError(f"errors is {errors!r}; it must be 'strict', 'replace' or 'ignore'")
        sources = expand_source(source)
        if all(path.is_file() and path.stat().st_size == 0 for path in sources):
            raise ValueError(f"{sources.name} is empty")
        return cls._from_blocks(read_blocks(sources), sources.name, selection, lower, errors, workers)

    @classmethod
    def from_lines(
        cls,
        lines: Iterable[str | None],
        min_count: int = MIN_COUNT,
        *,
        max_vocab: int | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        counts: Counts | None = None,
        lower: bool = False,
        workers: int | None = None,
    ) -> Corpus:
        """Read strings, each of them a sentence of tokens between white space, such as a column of a data frame.

        Parameters
        ----------
        lines : iterable of str
            A list, a generator, or a column of pandas, polars, Arrow or Hugging Face datasets. Missing values are
            empty lines.
        min_count, max_vocab, include, exclude, counts
            Which words to take; see `Corpus`.
        lower, workers
            As for `from_text`.

        Raises
        ------
        TypeError
            If a line is not a string.
        ValueError
            If no word occurs `min_count` times.
        """
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        if isinstance(lines, (str, bytes, os.PathLike)):
            raise TypeError(
                f"lines is a {type(lines).__name__}; give an iterable of strings, or read a file with "
                "Corpus.from_text(path)"
            )
        name = "the lines"
        return cls._from_blocks(blocks_of_lines(column_values(lines), name), name, selection, lower, "strict", workers)

    @classmethod
    def from_sentences(
        cls,
        sentences: Iterable[Sequence[str]],
        min_count: int = MIN_COUNT,
        *,
        max_vocab: int | None = None,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        counts: Counts | None = None,
    ) -> Corpus:
        """Read an iterable of token lists, once; the sentences are not kept, so a generator will do.

        Parameters
        ----------
        sentences : iterable of lists of str
        min_count, max_vocab, include, exclude, counts
            Which words to take; see `Corpus`.

        Raises
        ------
        TypeError
            If a sentence is a string rather than a list of strings, or a token is not a string.
        ValueError
            If no word occurs `min_count` times.
        """
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        if isinstance(sentences, (str, bytes, os.PathLike)):
            raise TypeError(
                f"sentences is a {type(sentences).__name__}; give an iterable of token lists, such as "
                "[['a', 'sentence'], ['another', 'one']], or read a file with Corpus.from_text(path)"
            )
        indexer = TextIndexer()
        words: list[str] = []
        breaks: list[int] = []
        for number, sentence in enumerate(column_values(sentences)):
            if isinstance(sentence, (str, bytes)):
                raise TypeError(
                    f"sentence {number} is the string {sentence[:40]!r}; a sentence is a list of tokens: "
                    "split it first, for instance with sentence.split(), or read strings with Corpus.from_lines"
                )
            breaks.append(len(words))
            if isinstance(sentence, Mapping):
                raise TypeError(
                    f"sentence {number} is a row of a table, with {', '.join(map(repr, sentence))}; a sentence is a "
                    "list of tokens: choose a column first"
                )
            try:
                words.extend(sentence)
            except TypeError:
                hint = "; give integer ids to Corpus.from_ids" if isinstance(sentence, (int, np.integer)) else ""
                raise TypeError(
                    f"sentence {number} is of type {type(sentence).__name__}; a sentence is a list of tokens{hint}"
                ) from None
            if len(words) >= BLOCK_TOKENS:
                _check_words(words)
                indexer.add(words, breaks)
                words, breaks = [], []
        _check_words(words)
        indexer.add(words, breaks)
        return cls._from_indexed(indexer.indexed(), "the sentences", selection, 1)

    @classmethod
    def from_ids(
        cls, ids: np.ndarray, offsets: np.ndarray | Sequence[int] | None = None, vocabulary: Vocabulary | None = None
    ) -> Corpus:
        """Take tokens that are integer ids already: items of a shop, nodes of a graph walk, a prepared text.

        Parameters
        ----------
        ids : integer array, shape (T,)
            From 0 to V − 1. Every token is kept: there is no minimal count.
        offsets : integer array, shape (n_sentences + 1,), optional
            Where sentences start, with T at the end; one single sentence when absent.
        vocabulary : Vocabulary, optional
            When absent, the words are the ids in decimal and the counts are those of `ids`.

        Raises
        ------
        TypeError
            If `ids` or `offsets` are not integers.
        ValueError
            If there are no ids, an id is negative or not in the vocabulary, or the offsets do not run from 0 to T
            without decreasing.
        """
        tokens = _integers(ids, "ids")
        if tokens.size == 0:
            raise ValueError("there are no ids; a corpus has at least one token")
        lowest, highest = int(tokens.min()), int(tokens.max())
        if lowest < 0:
            raise ValueError(f"id {lowest} at index {int(tokens.argmin())} is negative; ids run from 0 to V - 1")
        if vocabulary is None:
            if highest > 10 * tokens.size + 1_000_000 or highest >= 2**31:
                raise ValueError(
                    f"ids run up to {highest} for only {tokens.size} tokens, and the vocabulary would need a row for "
                    "each; renumber them first: words, ids = np.unique(ids, return_inverse=True)"
                )
        elif highest >= len(vocabulary):
            raise ValueError(
                f"id {highest} at index {int(tokens.argmax())} is outside the vocabulary of {len(vocabulary)} words"
            )
        tokens = tokens.astype(np.int32, copy=False)
        if vocabulary is None:
            vocabulary = Vocabulary([str(i) for i in range(highest + 1)], np.bincount(tokens))
        bounds = np.array([0, tokens.size]) if offsets is None else _integers(offsets, "offsets")
        if bounds.size < 2 or bounds[0] != 0 or bounds[-1] != tokens.size:
            raise ValueError(
                f"offsets run from {bounds[:1].tolist()} to {bounds[-1:].tolist()}; they must run from 0 to the number "
                f"of ids, {tokens.size}: sentence s is ids[offsets[s]:offsets[s + 1]]"
            )
        if (falls := np.flatnonzero(bounds[1:] < bounds[:-1])).size:
            at = int(falls[0])
            raise ValueError(f"offsets decrease from {bounds[at]} to {bounds[at + 1]} at index {at + 1}")
        return cls(tokens, bounds.astype(np.int64, copy=False), vocabulary)

    @classmethod
    def from_walks(cls, walks: Any, vocabulary: Vocabulary | None = None) -> Corpus:
        """Take walks over a graph: a matrix of node ids with a walk in each row, padded with −1.

        Parameters
        ----------
        walks : integer array, shape (n_walks, length)
            NumPy, CuPy or another array library. A row ends at its first −1.
        vocabulary : Vocabulary, optional
            As for `from_ids`.

        Raises
        ------
        TypeError
            If the ids are not integers.
        ValueError
            If the array is not a matrix, an id is below −1 or not in the vocabulary, an id comes after the padding
            of its row, or there are no ids.
        """
        matrix = to_host(walks)
        if matrix.ndim != 2:
            raise ValueError(f"walks have shape {matrix.shape}; they are a matrix with a walk in each row")
        if matrix.size and not np.issubdtype(matrix.dtype, np.integer):
            raise TypeError(f"walks are of type {matrix.dtype}; they must be integers")
        if matrix.size and (lowest := int(matrix.min())) < -1:
            row = int(np.argmax((matrix == lowest).any(axis=1)))
            raise ValueError(f"id {lowest} in walk {row} is negative; ids run from 0 to V - 1, and padding is -1")
        present = matrix != -1
        if (wrong := np.flatnonzero((present[:, 1:] & ~present[:, :-1]).any(axis=1))).size:
            raise ValueError(f"walk {wrong[0]} goes on after -1; padding stands only at the end of a walk")
        offsets = np.concatenate(([0], np.cumsum(np.count_nonzero(present, axis=1))))
        return cls.from_ids(matrix[present], _without_repeats(offsets), vocabulary)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Corpus:
        """Open what `save` wrote; ids and offsets stay in the file and are read as they are needed.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not such a file, is cut short or damaged.
        """
        return cls(*w2v_file.read(Path(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the encoded corpus, so that it need not be read from text again: ``corpus.w2v``.

        The file appears under its name only when it is complete; `docs/corpora.md` describes it byte by byte.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word cannot be written in UTF-8, or holds a line feed.
        """
        w2v_file.write(Path(path), self.ids, self.offsets, self.vocabulary)

    def write_text(self, path: str | os.PathLike[str]) -> None:
        """Write a text with a sentence on each line and a space between words.

        The file appears under its name only when it is complete.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word holds white space, so that it would be read back as several.
        """
        words = self.vocabulary.words
        for word in words:
            if word.split() != [word]:
                raise ValueError(f"word {word!r} cannot be written to {path}: words are separated by white space there")
        with atomic_write(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            for start in range(0, len(self), BLOCK_TOKENS):
                block = [words[i] for i in self.ids[start : start + BLOCK_TOKENS].tolist()]
                first, last = np.searchsorted(self.offsets, (start, start + len(block)), side="right")
                for end in self.offsets[first:last].tolist():
                    block[end - start - 1] += "\n"
                file.write(" ".join(block).replace("\n ", "\n") + " " * (not block[-1].endswith("\n")))

    @property
    def n_sentences(self) -> int:
        """Number of sentences."""
        return len(self.offsets) - 1

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Corpus of {len(self)} tokens in {self.n_sentences} sentences, {len(self.vocabulary)} words>"

    @classmethod
    def _from_blocks(
        cls,
        blocks: Iterator[TextBlock],
        name: str,
        selection: WordSelection,
        lower: bool,
        errors: Errors,
        workers: int | None,
    ) -> Corpus:
        workers = workers or available_processors()
        text = index_text(blocks, lower=lower, errors=errors, workers=workers)
        return cls._from_indexed(text, name, selection, workers)

    @classmethod
    def _from_indexed(cls, text: IndexedText, name: str, selection: WordSelection, workers: int) -> Corpus:
        if not text.counts.size:
            raise ValueError(f"{name}: there are no words, only white space")
        vocabulary, final = selection.select(text, name)
        corpus = cls(*text.encode(final, workers), vocabulary)
        _warn_of_oddities(corpus, text.counts, name)
        return corpus


def as_corpus(
    source: Any, min_count: int = MIN_COUNT, *, max_vocab: int | None = None, counts: Counts | None = None
) -> Corpus:
    """Return a corpus made of any supported kind of input.

    Parameters
    ----------
    source : Corpus, path, Sources, array, column or iterable of token lists
        A path is read by `Corpus.load` if it ends in ``.w2v``, by `Corpus.from_text` otherwise, and so are `Sources`
        and a list of `pathlib.Path`. A matrix of integers is taken as walks, a vector of integers as ids. A column
        of strings (pandas, polars, Arrow, Hugging Face datasets) is read by `Corpus.from_lines`, one of token lists by
        `Corpus.from_sentences`, one of integers by `Corpus.from_ids`; so is a table of a single column.
    min_count, max_vocab, counts
        Which words of a text to take; see `Corpus`. Ignored for input that is encoded or consists of ids already.

    Raises
    ------
    TypeError, ValueError
        If it is none of these.
    """
    if isinstance(source, Corpus):
        return source
    if isinstance(source, (str, os.PathLike)):
        if Path(source).suffix == ENCODED_SUFFIX:
            return Corpus.load(source)
        return Corpus.from_text(source, min_count, max_vocab=max_vocab, counts=counts)
    if isinstance(source, Sources):
        return Corpus.from_text(source, min_count, max_vocab=max_vocab, counts=counts)
    if isinstance(source, (list, tuple)):
        if source and all(isinstance(one, os.PathLike) for one in source):
            return Corpus.from_text(source, min_count, max_vocab=max_vocab, counts=counts)
        return Corpus.from_sentences(source, min_count, max_vocab=max_vocab, counts=counts)
    if isinstance(source, Mapping):
        raise TypeError(
            f"a {type(source).__name__} is no corpus; choose one of its parts: {', '.join(map(repr, source))}"
        )
    if is_table(source):
        source = only_column(source)
    if hasattr(source, "ndim") and hasattr(source, "dtype") and getattr(source.dtype, "kind", "") in "iu":
        return Corpus.from_walks(source) if source.ndim == 2 else Corpus.from_ids(source)
    if not is_column(source):
        if not isinstance(source, Iterable):
            raise TypeError(
                f"a {type(source).__name__} is no corpus; give a path, token lists, a column of strings or an integer "
                "array"
            )
        return Corpus.from_sentences(source, min_count, max_vocab=max_vocab, counts=counts)
    values = iter(column_values(source))
    head = list(itertools.islice(values, 1000))
    first = next((value for value in head if not is_missing(value)), None)
    values = itertools.chain(head, values)
    if first is None or isinstance(first, str):
        return Corpus.from_lines(values, min_count, max_vocab=max_vocab, counts=counts)
    if isinstance(first, (int, np.integer)):
        return Corpus.from_ids(source)
    present = (value for value in values if not is_missing(value))
    return Corpus.from_sentences(present, min_count, max_vocab=max_vocab, counts=counts)


def _warn_of_oddities(corpus: Corpus, counts: np.ndarray, name: str) -> None:
    """Warn if a corpus does not look like a text split into sentences and words."""
    words = corpus.vocabulary.words
    if any_mark := sum(word.startswith("\ufeff") for word in words if not word.isascii()):
        log.warning(
            "%s: %d words begin with a byte order mark, as when files that begin with one are joined; remove it: "
            "sed 's/\\xef\\xbb\\xbf//g'",
            name,
            any_mark,
        )
    if len(corpus) < SUSPICIOUS_TOKENS:
        return
    if max(map(len, words)) == 1:
        log.warning(
            "%s: every word is one character long; if that is not meant, a string was taken for a list of tokens: "
            "split it first, for instance with line.split()",
            name,
        )
    if corpus.n_sentences == 1:
        log.warning(
            "%s: all %d tokens are one sentence, so neighbours are looked for across the ends of sentences; "
            "if the text has sentences or documents, put each on a line of its own",
            name,
            len(corpus),
        )
    if len(counts) > 0.8 * counts.sum():
        log.warning(
            "%s: of %d tokens, %d are different, so there is hardly anything to learn from; are the tokens separated "
            "by white space?",
            name,
            counts.sum(),
            len(counts),
        )


def _without_repeats(offsets: np.ndarray) -> np.ndarray:
    """Drop the empty sentences."""
    return offsets[np.concatenate(([True], offsets[1:] > offsets[:-1]))]


def _check_words(words: list[Any]) -> None:
    for kind in set(map(type, words)):
        if issubclass(kind, (int, np.integer)):
            raise TypeError(f"there are integers among the tokens ({kind.__name__}); give them to Corpus.from_ids")
        if not issubclass(kind, str):
            raise TypeError(f"there are tokens of type {kind.__name__}; tokens are strings")


def _integers(array: Any, name: str) -> np.ndarray:
    array = to_host(array) if hasattr(array, "dtype") else np.asarray(array)
    if array.ndim != 1:
        raise ValueError(f"{name} have shape {array.shape}; they are a one-dimensional array")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} are of type {array.dtype}; they must be integers")
    return array
