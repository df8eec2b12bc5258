"""Corpus: text, token lists or integer arrays encoded as one array of word ids with sentence offsets.

Each line of a text is a sentence. Lines are split into tokens by ``str.split()``, that is, at Unicode white space.
Reading a file is therefore equivalent to ``Corpus.from_sentences(line.split() for line in file)``. Only a line feed
ends a line. A carriage return before the line feed is white space, and a byte order mark at the start of a file is
skipped. The words of token lists can also be integers, such as the numbers of products or graph nodes. With
``lower=True``, each token is converted with ``token.lower()``, and with ``normalize="NFC"``, to this Unicode form.

A text is read only once. The ids of a long text are stored in a temporary file, so memory use grows with the number of
distinct words rather than with the length of the text.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import MIN_COUNT, TrainingConfig, UnicodeForm, check_integer, check_range
from fastw2v.corpus import w2v_file
from fastw2v.corpus.columns import column_values, is_column, is_missing, is_table, only_column
from fastw2v.corpus.conversion import check_conversion
from fastw2v.corpus.indexer import IndexedText, TextIndexer, index_text
from fastw2v.corpus.sources import (
    Errors,
    FileBlock,
    Source,
    Sources,
    TextBlock,
    blocks_of_lines,
    check_errors,
    expand_source,
    name_of_files,
    read_blocks,
    text_size,
)
from fastw2v.corpus.spill_buffer import release_pages
from fastw2v.corpus.split import split_sentences
from fastw2v.corpus.vocabulary import Counts, Vocabulary, WordSelection, kind_of_words
from fastw2v.sampling.chunks import length_counts
from fastw2v.utils.checks import check_path, check_type
from fastw2v.utils.encodings import check_encoding
from fastw2v.utils.output_file import open_text_for_writing
from fastw2v.utils.progress import Progress
from fastw2v.utils.quote import quote
from fastw2v.utils.system import available_processors

__all__ = ["Corpus", "as_corpus", "warn_of_empty_files", "warn_of_oddities"]

log = logging.getLogger("fastw2v")
BLOCK_TOKENS = 1 << 19
"""Approximate number of tokens in a block. Token lists are indexed, and text is written, block by block."""
ENCODED_SUFFIX = ".w2v"
"""Suffix of an encoded corpus file."""
SUSPICIOUS_TOKENS = 1000
"""Minimum number of tokens for most warnings about unusual texts; a shorter text is probably an example or a test."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """A training text encoded as word ids.

    Create a corpus with `from_text`, `from_lines`, `from_sentences`, `from_ids` or `from_walks`. The first three share
    the parameters that select the vocabulary:

    - `min_count`: the minimum count of a word.
    - `max_vocab`: the maximum number of words. The most frequent words are kept.
    - `include`: words to keep regardless of their counts. They are kept first if `max_vocab` limits the vocabulary.
    - `exclude`: words to drop.
    - `counts`: words and counts of a different text, which are used instead of counting this text. Pass a `Vocabulary`,
      a mapping, or the path of a file with a word and its count on each line.

    The words of a corpus are all strings or all integers. NumPy integers are converted to Python integers.

    Words that are not in the vocabulary are removed from the sentences, so their neighbours become adjacent. Ids are
    assigned in order of decreasing count. Words with equal counts are ordered by first appearance.

    Attributes
    ----------
    ids : int32 array, shape (T,)
        The ids of all sentences, concatenated.
    offsets : int64 array, shape (n_sentences + 1,)
        Sentence ``s`` is ``ids[offsets[s] : offsets[s + 1]]``.
    vocabulary : Vocabulary
        The words and their counts.

    Examples
    --------
    >>> from fastw2v import Corpus
    >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]], min_count=1)
    >>> corpus
    <Corpus of 6 tokens in 2 sentences, 4 words>
    >>> corpus.vocabulary.words
    ['the', 'sat', 'cat', 'dog']
    >>> corpus.ids.tolist(), corpus.offsets.tolist()
    ([0, 2, 1, 0, 3, 1], [0, 3, 6])
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
        normalize: UnicodeForm | None = None,
        encoding: str = "utf-8",
        errors: Errors = "strict",
        workers: int | None = None,
    ) -> Corpus:
        r"""Read text with one sentence per line and tokens separated by white space.

        Parameters
        ----------
        source : path, iterable of paths, or Sources
            A file, a folder, a glob pattern such as ``"part-*.txt"``, or ``"-"`` for standard input. Folders are
            searched recursively. Files compressed with gzip, bzip2, xz or zstd are decompressed as they are read,
            whatever their names. `Sources` are the result of `fastw2v.corpus.sources.expand_source`.
        min_count, max_vocab, include, exclude, counts
            Parameters that select the vocabulary; see `Corpus`.
        lower : bool
            Whether to convert words to lower case.
        normalize : {"NFC", "NFD", "NFKC", "NFKD"}, optional
            Unicode normalisation form to which words are converted, so that equal letters have equal code points. With
            NFKC and NFKD, compatibility characters such as ligatures are replaced; a few of them contain spaces and
            divide a word. By default, the code points of the text are kept.
        encoding : str
            Encoding of the text, such as "cp949" or "latin-1". A byte order mark of UTF-8, UTF-16 or UTF-32 at the
            start of a file takes precedence.
        errors : {"strict", "replace", "ignore"}
            How to handle bytes that are not valid in the encoding: raise an error, replace them with U+FFFD, or drop
            them.
        workers : int, optional
            Number of threads. By default, the number of processors available to the process. The result does not depend
            on the number of threads.

        Raises
        ------
        OSError
            If a file or folder cannot be found or read, or a folder contains no files.
        RuntimeError
            If a file is compressed with zstd, but no module that can decompress it is installed.
        ValueError
            If a parameter is invalid, a file is not text or not valid in its encoding, a compressed file is damaged or
            incomplete, there are no words, or no word occurs at least `min_count` times.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Corpus
        >>> _ = Path("corpus.txt").write_text("the cat sat\nthe dog sat\n", encoding="utf-8")
        >>> corpus = Corpus.from_text("corpus.txt", min_count=2)
        >>> corpus
        <Corpus of 4 tokens in 2 sentences, 2 words>
        >>> corpus.vocabulary.words
        ['the', 'sat']
        """
        _check_reading(lower, normalize, workers)
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        check_errors(errors)
        check_encoding(encoding)
        sources = expand_source(source)
        empty = [path for path in sources if path.is_file() and path.stat().st_size == 0]
        warn_of_empty_files(empty, sources.paths)
        blocks = read_blocks(sources, encoding, errors)
        return cls._from_blocks(blocks, sources.name, selection, lower, normalize, errors, workers, text_size(sources))

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
        normalize: UnicodeForm | None = None,
        workers: int | None = None,
    ) -> Corpus:
        """Read strings, for example from a data frame column, as sentences of tokens separated by white space.

        Parameters
        ----------
        lines : iterable of str
            A list, a generator, or a column of pandas, polars, Arrow or Hugging Face datasets. Missing values are
            skipped.
        min_count, max_vocab, include, exclude, counts
            Parameters that select the vocabulary; see `Corpus`.
        lower, normalize, workers
            See `from_text`.

        Raises
        ------
        TypeError
            If a line is not a string.
        ValueError
            If a parameter is invalid, or no word occurs at least `min_count` times.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_lines(["The cat sat", None, "the dog sat"], min_count=2, lower=True)
        >>> corpus
        <Corpus of 4 tokens in 2 sentences, 2 words>
        >>> corpus.vocabulary.words
        ['the', 'sat']
        """
        check_type("lines", lines, Iterable, "a list of strings")
        _check_reading(lower, normalize, workers)
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        if isinstance(lines, (str, bytes, os.PathLike)):
            raise TypeError(
                f"lines is a {type(lines).__name__}; pass an iterable of strings, or read a file with "
                "Corpus.from_text(path)"
            )
        name = "the lines"
        blocks = blocks_of_lines(column_values(lines), name)
        return cls._from_blocks(blocks, name, selection, lower, normalize, "strict", workers)

    @classmethod
    def from_sentences(
        cls,
        sentences: Iterable[Sequence[Any]],
        min_count: int = MIN_COUNT,
        *,
        max_vocab: int | None = None,
        include: Iterable[Any] = (),
        exclude: Iterable[Any] = (),
        counts: Counts | None = None,
    ) -> Corpus:
        """Read an iterable of token lists, whose tokens are all strings or all integers.

        Parameters
        ----------
        sentences : iterable of lists of str, or of lists of int
            Token lists, one per sentence. They are iterated over once and not stored, so a generator can be passed.
            Integers can identify, for example, the products in a basket or the nodes of a graph walk. They become the
            words of the vocabulary, and need not be consecutive.
        min_count, max_vocab, include, exclude, counts
            Parameters that select the vocabulary; see `Corpus`.

        Raises
        ------
        TypeError
            If a sentence is a string instead of a list, a token is neither a string nor an integer, or strings and
            integers are mixed.
        ValueError
            If a parameter is invalid, or no word occurs at least `min_count` times.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> texts = ["the cat sat", "the dog sat"]
        >>> corpus = Corpus.from_sentences((text.split() for text in texts), min_count=1, exclude=["the"])
        >>> corpus.vocabulary.words
        ['sat', 'cat', 'dog']
        >>> corpus.ids.tolist(), corpus.offsets.tolist()
        ([1, 0, 2, 0], [0, 2, 4])

        Baskets of products:

        >>> Corpus.from_sentences([[880012, 17, 5], [17, 5]], min_count=1).vocabulary.words
        [17, 5, 880012]
        """
        check_type("sentences", sentences, Iterable, "a list of token lists, or read a file with Corpus.from_text")
        selection = WordSelection(min_count, max_vocab, include, exclude, counts)
        if isinstance(sentences, (str, bytes, os.PathLike)):
            raise TypeError(
                f"sentences is a {type(sentences).__name__}; pass an iterable of token lists, such as "
                "[['the', 'cat'], ['the', 'dog']], or read a file with Corpus.from_text(path)"
            )
        indexer = TextIndexer()
        words: list[Any] = []
        breaks: list[int] = []
        kind: type | None = None
        first = 0  # number of the first sentence in `words`
        n_sentences = len(sentences) if isinstance(sentences, Sized) else None
        with Progress("reading", n_sentences, unit="sentences", delay=1) as progress:
            for number, sentence in enumerate(column_values(sentences)):
                if len(words) >= BLOCK_TOKENS:
                    kind = _add_words(indexer, words, breaks, first, kind)
                    words, breaks, first = [], [], number
                    progress.update(number)
                breaks.append(len(words))
                words.extend(_tokens(sentence, number))
            _add_words(indexer, words, breaks, first, kind)
            progress.update(first + len(breaks))
        return cls._from_indexed(indexer.indexed(), "the sentences", selection)

    @classmethod
    def from_ids(
        cls, ids: np.ndarray, offsets: np.ndarray | Sequence[int] | None = None, vocabulary: Vocabulary | None = None
    ) -> Corpus:
        """Create a corpus from integer ids, for example of products, graph nodes or an already encoded text.

        Parameters
        ----------
        ids : integer array, shape (T,)
            Ids from 0 to V − 1. Every token is kept, because there is no minimum count.
        offsets : integer array, shape (n_sentences + 1,), optional
            Start of each sentence in `ids`, followed by T. By default, all ids are one sentence.
        vocabulary : Vocabulary, optional
            The word of each id. By default, the word of an id is the integer itself, and the vocabulary contains all
            ids from 0 to the highest id, with their counts in `ids`.

        Raises
        ------
        TypeError
            If `ids` or `offsets` are not integers, or `ids` consists of lists. Pass lists of integers to
            `from_sentences`.
        ValueError
            If there are no ids, an id is negative or not in the vocabulary, the offsets do not run from 0 to T, or the
            offsets decrease.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_ids([3, 1, 3, 0], offsets=[0, 3, 4])
        >>> corpus
        <Corpus of 4 tokens in 2 sentences, 4 words>
        >>> corpus.vocabulary.words, corpus.vocabulary.counts.tolist()
        ([0, 1, 2, 3], [1, 1, 0, 2])
        """
        if vocabulary is not None:
            check_type("vocabulary", vocabulary, Vocabulary, "a Vocabulary")
        tokens = _integers(ids, "ids")
        if tokens.size == 0:
            raise ValueError("there are no ids; a corpus must have at least one token")
        lowest, highest = int(tokens.min()), int(tokens.max())
        if lowest < 0:
            raise ValueError(
                f"id {lowest} at index {int(tokens.argmin())} is negative; ids must be between 0 and V - 1"
            )
        if vocabulary is None:
            if highest > 10 * tokens.size + 1_000_000 or highest >= 2**31:
                raise ValueError(
                    f"the highest id is {highest}, but there are only {tokens.size} tokens. The vocabulary would need "
                    "a word for every lower id, so renumber the ids first: "
                    "words, ids = np.unique(ids, return_inverse=True)"
                )
        elif highest >= len(vocabulary):
            raise ValueError(
                f"id {highest} at index {int(tokens.argmax())} is outside the vocabulary of {len(vocabulary)} words; "
                "pass the vocabulary from which the ids were made"
            )
        tokens = tokens.astype(np.int32, copy=False)
        if vocabulary is None:
            vocabulary = Vocabulary(range(highest + 1), np.bincount(tokens))
        bounds = np.array([0, tokens.size]) if offsets is None else _integers(offsets, "offsets")
        if bounds.size < 2 or bounds[0] != 0 or bounds[-1] != tokens.size:
            raise ValueError(
                f"offsets run from {bounds[:1].tolist()} to {bounds[-1:].tolist()}; they must run from 0 to the number "
                f"of ids, {tokens.size}, because sentence s is ids[offsets[s]:offsets[s + 1]]"
            )
        if (falls := np.flatnonzero(bounds[1:] < bounds[:-1])).size:
            at = int(falls[0])
            raise ValueError(
                f"offsets decrease from {bounds[at]} to {bounds[at + 1]} at index {at + 1}; they must not decrease"
            )
        return cls(tokens, bounds.astype(np.int64, copy=False), vocabulary)

    @classmethod
    def from_walks(cls, walks: Any, vocabulary: Vocabulary | None = None) -> Corpus:
        """Create a corpus from graph walks, given as a matrix of node ids with one walk per row, or as lists of nodes.

        Parameters
        ----------
        walks : integer array of shape (n_walks, length), or iterable of lists
            Node ids from 0 to V − 1, as a NumPy, CuPy or other array. Rows of shorter walks are padded with −1 at the
            end. Rows that contain only padding are dropped. Alternatively, lists of any length. Their nodes can also be
            strings, or integers that are not consecutive.
        vocabulary : Vocabulary, optional
            See `from_ids`. By default, the vocabulary of lists consists of the nodes that occur, in order of decreasing
            count, as in `from_sentences`. Every node is kept, because there is no minimum count.

        Raises
        ------
        TypeError
            If the ids of an array are not integers, or see `from_sentences`.
        ValueError
            If the array is not a matrix, an id is below −1 or not in the vocabulary, an id follows padding in its row,
            or there are no ids.

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_walks(np.array([[0, 1, 2], [2, 1, -1]]))
        >>> corpus.ids.tolist(), corpus.offsets.tolist()
        ([0, 1, 2, 2, 1], [0, 3, 5])

        Walks over a graph whose nodes have other numbers:

        >>> Corpus.from_walks([[70, 10, 30], [30, 10]]).vocabulary.words
        [10, 30, 70]
        """
        if vocabulary is not None:
            check_type("vocabulary", vocabulary, Vocabulary, "a Vocabulary")
        dtype = getattr(walks, "dtype", None)
        if dtype is None or (isinstance(dtype, np.dtype) and dtype.hasobject):  # lists, or a column of lists
            return cls._from_walk_lists(walks, vocabulary)
        matrix = to_host(walks)
        if matrix.ndim != 2:
            raise ValueError(f"walks have shape {matrix.shape}; they must be a matrix with one walk per row")
        if matrix.size and not np.issubdtype(matrix.dtype, np.integer):
            raise TypeError(f"walks are of type {matrix.dtype}; they must be integers")
        if matrix.size and (lowest := int(matrix.min())) < -1:
            row = int(np.argmax((matrix == lowest).any(axis=1)))
            raise ValueError(
                f"id {lowest} in walk {row} is negative; ids must be between 0 and V - 1, or -1 for padding"
            )
        present = matrix != -1
        if (wrong := np.flatnonzero((present[:, 1:] & ~present[:, :-1]).any(axis=1))).size:
            raise ValueError(f"walk {wrong[0]} continues after -1; padding is allowed only at the end of a walk")
        offsets = np.concatenate(([0], np.cumsum(np.count_nonzero(present, axis=1))))
        return cls.from_ids(matrix[present], _without_repeats(offsets), vocabulary)

    @classmethod
    def _from_walk_lists(cls, walks: Any, vocabulary: Vocabulary | None) -> Corpus:
        if isinstance(walks, (str, bytes)) or not (isinstance(walks, Iterable) or is_column(walks)):
            raise TypeError(f"walks is {quote(walks)}; it must be an integer matrix, or an iterable of lists of nodes")

        def without_padding() -> Iterator[list[Any]]:
            for number, walk in enumerate(column_values(walks)):
                if isinstance(walk, (str, bytes)) or not isinstance(walk, Iterable):
                    raise TypeError(f"walk {number} is {quote(walk)}; it must be a list of nodes")
                nodes = list(walk)
                while nodes and nodes[-1] == -1:
                    nodes.pop()
                if -1 in nodes:
                    raise ValueError(f"walk {number} continues after -1; padding is allowed only at the end of a walk")
                yield nodes

        if vocabulary is None:
            return cls.from_sentences(without_padding(), min_count=1)
        lists = list(without_padding())
        offsets = np.concatenate(([0], np.cumsum([len(nodes) for nodes in lists], dtype=np.int64)))
        ids = np.array([node for nodes in lists for node in nodes])
        return cls.from_ids(ids, _without_repeats(offsets), vocabulary)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Corpus:
        """Open an encoded corpus written by `save`.

        Ids and offsets are memory-mapped, so a corpus can be larger than memory.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If the file is not an encoded corpus, has an unsupported version, is incomplete or is damaged.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> Corpus.from_sentences([["the", "cat"], ["the", "dog"]], min_count=1).save("corpus.w2v")
        >>> Corpus.load("corpus.w2v")
        <Corpus of 4 tokens in 2 sentences, 3 words>
        """
        check_path("path", path)
        return cls(*w2v_file.read(Path(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the encoded corpus to a ``.w2v`` file, which `load` opens without reading the text again.

        An incomplete file never appears under the final name. ``docs/reference/file_formats.md`` specifies the format.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word cannot be encoded in UTF-8 or contains a line feed.

        Notes
        -----
        Integers are read back as integers.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_sentences([["the", "cat"], ["the", "dog"]], min_count=1)
        >>> corpus.save("corpus.w2v")
        >>> Corpus.load("corpus.w2v").vocabulary.words
        ['the', 'cat', 'dog']
        """
        check_path("path", path)
        w2v_file.write(Path(path), self.ids, self.offsets, self.vocabulary)

    def write_text(self, path: str | os.PathLike[str]) -> None:
        r"""Write the corpus as text, with one sentence per line and spaces between words.

        Integers are written in decimal notation, and are read back as strings. The file is compressed if the name ends
        in ``.gz``, ``.bz2``, ``.xz`` or ``.zst``. An incomplete file never appears under the final name.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a word is empty or contains white space, which separates words in a text.

        Examples
        --------
        >>> from pathlib import Path
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_sentences([["the", "cat", "sat"], ["the", "dog", "sat"]], min_count=2)
        >>> corpus.write_text("frequent.txt")
        >>> Path("frequent.txt").read_text(encoding="utf-8")
        'the sat\nthe sat\n'
        """
        check_path("path", path)
        words = [str(word) for word in self.vocabulary.words]
        for word in words:
            if word.split() != [word]:
                raise ValueError(
                    f"word {quote(word)} cannot be written to {path}: words must not be empty or contain white space"
                )
        with open_text_for_writing(Path(path)) as file:
            for start in range(0, len(self), BLOCK_TOKENS):
                block = [words[i] for i in self.ids[start : start + BLOCK_TOKENS].tolist()]
                first, last = np.searchsorted(self.offsets, (start, start + len(block)), side="right")
                for end in self.offsets[first:last].tolist():
                    block[end - start - 1] += "\n"
                file.write(" ".join(block).replace("\n ", "\n") + " " * (not block[-1].endswith("\n")))

    def split(self, held_out: float, seed: int = TrainingConfig.seed) -> tuple[Corpus, Corpus]:
        """Hold out a random share of the sentences, for example to measure the loss on them.

        Parameters
        ----------
        held_out : float
            Probability that a sentence is held out, between 0 and 1. A sentence of more than 8,192 tokens is divided
            into pieces of this length first.
        seed : int
            Seed of the random numbers. The same seed holds out the same sentences.

        Returns
        -------
        training, held_out : Corpus
            Both have the vocabulary of this corpus, with the counts of all sentences. Long corpora are stored in
            temporary files.

        Raises
        ------
        OSError
            If a temporary file cannot be written.
        TypeError, ValueError
            If `held_out` is not a number between 0 and 1, or one of the parts would be empty.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> corpus = Corpus.from_sentences([["the", "cat", "sat"]] * 1000, min_count=1)
        >>> training, held_out = corpus.split(0.1)
        >>> training.n_sentences, held_out.n_sentences
        (895, 105)
        """
        check_range("held_out", held_out, 0.0, 1.0)
        check_integer("seed", seed)
        parts = [Corpus(*part, self.vocabulary) for part in split_sentences(self.ids, self.offsets, held_out, seed)]
        for part, name in zip(parts, ("left for training", "held out"), strict=True):
            if not len(part):
                raise ValueError(
                    f"with a share of {held_out}, no sentence of the corpus is {name}; choose another share, or pass "
                    "held-out sentences of your own"
                )
        return parts[0], parts[1]

    @property
    def n_sentences(self) -> int:
        """The number of sentences.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> Corpus.from_sentences([["the", "cat"], [], ["the", "dog"]], min_count=1).n_sentences
        2
        """
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The number of sentences of each length; see `fastw2v.sampling.chunks.length_counts`.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> Corpus.from_sentences([["a", "b"], ["a"], ["b"]], min_count=1).lengths[:4].tolist()
        [0, 2, 1, 0]
        """
        return length_counts(self.offsets)

    def word_counts(self) -> np.ndarray:
        """Count the words in the sentences of this corpus: int64 array, shape (V,).

        The counts of the vocabulary are those of the text from which it was built, which may be a different one.

        Examples
        --------
        >>> from fastw2v import Corpus
        >>> training, held_out = Corpus.from_sentences([["cat"], ["dog"]] * 5, min_count=1).split(0.5)
        >>> int(training.word_counts().sum() + held_out.word_counts().sum())
        10
        """
        counts = np.zeros(len(self.vocabulary), np.int64)
        for start in range(0, len(self), BLOCK_TOKENS):
            block = self.ids[start : start + BLOCK_TOKENS]
            counts += np.bincount(block, minlength=len(counts))
            release_pages(block)
        return counts

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Corpus of {len(self)} tokens in {self.n_sentences} sentences, {len(self.vocabulary)} words>"

    @classmethod
    def _from_blocks(
        cls,
        blocks: Iterator[TextBlock | FileBlock],
        name: str,
        selection: WordSelection,
        lower: bool,
        normalize: UnicodeForm | None,
        errors: Errors,
        workers: int | None,
        n_bytes: int | None = None,
    ) -> Corpus:
        workers = workers or available_processors()
        with Progress("reading", n_bytes, unit="bytes", delay=1) as progress:
            text = index_text(
                _counted(blocks, progress), lower=lower, normalize=normalize, errors=errors, workers=workers
            )
            if n_bytes is not None:
                progress.update(n_bytes)
        return cls._from_indexed(text, name, selection)

    @classmethod
    def _from_indexed(cls, text: IndexedText, name: str, selection: WordSelection) -> Corpus:
        vocabulary, final = selection.select(text, name)
        corpus = cls(*text.encode(final), vocabulary)
        warn_of_oddities(vocabulary, len(corpus), corpus.n_sentences, text.counts, name)
        return corpus


def as_corpus(
    source: Any, min_count: int = MIN_COUNT, *, max_vocab: int | None = None, counts: Counts | None = None
) -> Corpus:
    """Return a corpus made from any supported input.

    Parameters
    ----------
    source : Corpus, path, Sources, array, column, table or iterable of token lists
        The input. Its type determines how it is read:

        - A `Corpus` is returned unchanged.
        - A path with the suffix ``.w2v`` is read with `Corpus.load`.
        - Any other path, `Sources` or a list of `pathlib.Path` is read with `Corpus.from_text`.
        - An integer array is passed to `Corpus.from_walks` if it is a matrix, and to `Corpus.from_ids` otherwise. Lists
          of integers are read with `Corpus.from_sentences`.
        - A column of pandas, polars, Arrow or Hugging Face datasets is read with `Corpus.from_lines`,
          `Corpus.from_sentences` or `Corpus.from_ids`, depending on whether it contains strings, token lists or
          integers.
        - A table with a single column is treated like that column.
        - Any other iterable is read with `Corpus.from_sentences`, whose tokens can be strings or integers.
    min_count, max_vocab, counts
        Parameters that select the vocabulary; see `Corpus`. They are ignored if the input is already encoded. For an
        integer array, they apply only if `counts` is given.

    Raises
    ------
    TypeError
        If the type of the input is not supported, or a table has several columns.
    OSError, ValueError
        See the methods listed above.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus import as_corpus
    >>> as_corpus([["the", "cat", "sat"], ["the", "dog"]], min_count=1)
    <Corpus of 5 tokens in 2 sentences, 4 words>
    >>> as_corpus(np.array([[0, 1, 2], [2, 1, -1]]))  # walks, padded with -1
    <Corpus of 5 tokens in 2 sentences, 3 words>
    """
    if isinstance(source, Corpus):
        return source
    if isinstance(source, (str, os.PathLike)):
        if Path(source).suffix.lower() == ENCODED_SUFFIX:
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
            f"cannot make a corpus from {type(source).__name__}; pass the value of one of its keys: "
            f"{quote(list(source))[1:-1]}"
        )
    if is_table(source):
        source = only_column(source)
    if hasattr(source, "ndim") and hasattr(source, "dtype") and getattr(source.dtype, "kind", "") in "iu":
        corpus = Corpus.from_walks(source) if source.ndim == 2 else Corpus.from_ids(source)
        if counts is None:
            return corpus
        sentences = (corpus.ids[a:b].tolist() for a, b in itertools.pairwise(corpus.offsets.tolist()))
        return Corpus.from_sentences(sentences, min_count, max_vocab=max_vocab, counts=counts)
    if not is_column(source):
        if not isinstance(source, Iterable):
            raise TypeError(
                f"cannot make a corpus from {type(source).__name__}; the source must be a path, token lists, a column "
                "of strings or an integer array"
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


def _counted(blocks: Iterator[TextBlock | FileBlock], progress: Progress) -> Iterator[TextBlock | FileBlock]:
    """Yield blocks of text, and report the bytes read so far."""
    done = 0
    for block in blocks:
        done += block.size
        # The size differs from that of the files if they are not UTF-8 or do not end with a line feed.
        progress.update(done if progress.total is None else min(done, progress.total))
        yield block


def _check_reading(lower: Any, normalize: Any, workers: Any) -> None:
    check_conversion(lower, normalize)
    if workers is not None:
        check_integer("workers", workers, minimum=1)


def warn_of_empty_files(empty: Sequence[Path | str], files: Sequence[Path | str]) -> None:
    """Log a warning if some files are empty, and raise ValueError if all files are.

    Examples
    --------
    >>> from fastw2v.corpus.corpus import warn_of_empty_files
    >>> warn_of_empty_files([], ["corpus.txt"])
    >>> warn_of_empty_files(["corpus.txt"], ["corpus.txt"])
    Traceback (most recent call last):
    ValueError: corpus.txt is empty
    """
    if len(empty) == len(files):
        raise ValueError(f"{name_of_files(files)} is empty")
    if empty:
        log.warning("empty files (%d of %d): %s", len(empty), len(files), name_of_files(empty))


def warn_of_oddities(vocabulary: Vocabulary, n_tokens: int, n_sentences: int, counts: np.ndarray, name: str) -> None:
    """Log a warning if a corpus does not look like a text split into sentences and words.

    Parameters
    ----------
    vocabulary : Vocabulary
    n_tokens, n_sentences : int
        The size of the corpus.
    counts : int64 array
        Count of each distinct word of the text.
    name : str
        Name of the text in messages.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import Vocabulary
    >>> from fastw2v.corpus.corpus import warn_of_oddities
    >>> warn_of_oddities(Vocabulary(["the", "cat"], [2, 1]), 3, 1, np.array([2, 1]), "corpus.txt")
    """
    words = vocabulary.words
    if not isinstance(words[0], str):
        return
    mark = "\ufeff"
    if mark in "".join(words) and (any_mark := sum(word.startswith(mark) for word in words)):
        log.warning(
            "%s: %d words begin with a byte order mark, probably because files were concatenated; remove the marks "
            "with sed 's/\\xef\\xbb\\xbf//g'",
            name,
            any_mark,
        )
    if n_tokens < SUSPICIOUS_TOKENS:
        return
    if all(len(word) == 1 for word in words):
        log.warning(
            "%s: every word is one character long. If this is not intended, strings may have been passed as token "
            "lists; split them first, for example with line.split()",
            name,
        )
    if n_sentences == 1:
        log.warning(
            "%s: all %d tokens are in one sentence, so context windows ignore any other boundaries. If the text "
            "consists of sentences or documents, put each on its own line",
            name,
            n_tokens,
        )
    elif 2 * n_sentences > n_tokens:
        log.warning(
            "%s: the %d sentences have fewer than two words on average, so most words have no neighbour to learn from. "
            "Put the words of a sentence in one list, or on one line of a text",
            name,
            n_sentences,
        )
    if len(counts) > 0.8 * counts.sum():
        log.warning(
            "%s: the %d tokens contain %d distinct words, so there is hardly anything to learn from; check that words "
            "are separated by white space",
            name,
            counts.sum(),
            len(counts),
        )


def _without_repeats(offsets: np.ndarray) -> np.ndarray:
    """Return the offsets without repetitions, which represent empty sentences."""
    return offsets[np.concatenate(([True], offsets[1:] > offsets[:-1]))]


def _tokens(sentence: Any, number: int) -> Iterable[Any]:
    """Return a sentence, or raise TypeError if it is not a list of tokens."""
    if isinstance(sentence, (str, bytes)):
        raise TypeError(
            f"sentence {number} is the string {quote(sentence)}; a sentence must be a list of tokens. "
            "Split it first, for example with sentence.split(), or read strings with Corpus.from_lines"
        )
    if isinstance(sentence, Mapping):
        raise TypeError(
            f"sentence {number} is a row of a table with the columns {quote(list(sentence))[1:-1]}; a sentence must be "
            "a list of tokens. Choose a column first"
        )
    try:
        iter(sentence)
    except TypeError:
        is_integer = isinstance(sentence, (int, np.integer))
        hint = ". If all integers are one sentence, pass them to Corpus.from_ids" if is_integer else ""
        raise TypeError(
            f"sentence {number} is {quote(sentence)} of type {type(sentence).__name__}; a sentence must be a list of "
            f"tokens{hint}"
        ) from None
    return sentence


def _add_words(
    indexer: TextIndexer, words: list[Any], breaks: list[int], first: int, expected: type | None
) -> type | None:
    """Add sentences to an indexer, and return whether their tokens are strings or integers (None if there are none).

    `first` is the number of the first sentence, and `expected` is the type of the tokens of earlier sentences.
    """
    kind = kind_of_words(words)
    if words and (kind is None or expected not in (kind, None)):
        expected = expected or kind_of_words(words[:1])
        at = next(i for i, word in enumerate(words) if kind_of_words([word]) != expected or expected is None)
        sentence = int(np.searchsorted(breaks, at, side="right")) - 1
        mixed = expected is not None and kind_of_words(words[at : at + 1]) is not None
        others = {str: "strings", int: "integers"}
        raise TypeError(
            f"token {at - breaks[sentence]} of sentence {first + sentence} is {quote(words[at])} of type "
            f"{type(words[at]).__name__}"
            + (f", but the tokens before it are {others[expected]}" if mixed and expected else "")
            + "; tokens must be all strings or all integers"
        )
    if kind is int:
        words = [int(word) for word in words]
    indexer.add(words, breaks)
    return kind or expected


def _integers(array: Any, name: str) -> np.ndarray:
    lists = (
        "Pass lists of integers, such as baskets, to Corpus.from_sentences, and a matrix of walks to Corpus.from_walks"
    )
    try:
        array = to_host(array) if hasattr(array, "dtype") else np.asarray(array)
    except ValueError:  # lists of different lengths
        raise TypeError(f"{name} is {quote(array)}; it must be a flat list of integers. {lists}") from None
    if array.ndim != 1:
        raise ValueError(f"{name} have shape {array.shape}; they must be one-dimensional. {lists}")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        hint = f". {lists}" if array.dtype == object else ""
        raise TypeError(f"{name} are of type {array.dtype}; they must be integers{hint}")
    return array
