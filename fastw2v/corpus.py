"""Corpus: text, token lists or integer arrays as one array of word ids with sentence offsets.

A line is a sentence, and tokens are what ``str.split()`` returns: runs of characters other than Unicode white space.
So reading a file equals ``Corpus.from_sentences(line.split() for line in file)``. Only the line feed ends a line (the
carriage return before it is white space), and a byte order mark at the start of a file is skipped.

The text is read once: words get provisional ids in the order of their first appearance, and when the counts are known
the ids are renumbered by falling count and rare words removed. That takes 4 bytes a token and the vocabulary.
"""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import os
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace
from fastw2v.vocab import Vocabulary, by_falling_count

__all__ = ["Corpus", "create_contexts_target", "preprocess"]

BLOCK_BYTES = 1 << 22
"""Text is read in blocks of this size, so that a file of one endless line fits in memory."""
BLOCK_TOKENS = 1 << 19
"""Token lists are numbered in blocks of about this many tokens."""
LONGEST_WORD = 1 << 26
"""Bytes without white space after which a file is taken for something other than text."""

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


@dataclass(frozen=True, eq=False)
class Corpus:
    """A training text as word ids.

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
    def from_text(cls, path: str | os.PathLike[str], min_count: int = 5) -> Corpus:
        """Read a UTF-8 text file with one sentence a line and tokens between white space.

        Parameters
        ----------
        path : str or path
            A name that ends in ``.gz``, ``.xz`` or ``.bz2`` is decompressed while it is read.
        min_count : int
            Words that occur less often are left out, and their neighbours move together.

        Raises
        ------
        OSError
            If there is no such file, or it is a folder.
        ValueError
            If the file is empty, is not UTF-8 (names the byte), is cut short, or no word occurs `min_count` times.
        """
        _check_min_count(min_count)
        numbering = _Numbering()
        for text in _blocks(Path(path)):
            first, *others = text.split("\n")
            words = first.split()
            starts = []
            for line in others:
                starts.append(len(words))
                words += line.split()
            numbering.add(words, starts)
        return numbering.corpus(min_count, str(path))

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sequence[str]], min_count: int = 5) -> Corpus:
        """Read an iterable of token lists, once; the sentences are not kept.

        Parameters
        ----------
        sentences : iterable of lists of str
        min_count : int
            Words that occur less often are left out, and their neighbours move together.

        Raises
        ------
        TypeError
            If a sentence is a string rather than a list of strings, or a token is not a string.
        ValueError
            If no word occurs `min_count` times.
        """
        _check_min_count(min_count)
        if isinstance(sentences, (str, bytes, os.PathLike)):
            raise TypeError(
                f"sentences is a {type(sentences).__name__}; give an iterable of token lists, such as "
                "[['a', 'sentence'], ['another', 'one']], or read a file with Corpus.from_text(path)"
            )
        numbering = _Numbering()
        words: list[str] = []
        starts: list[int] = []
        for number, sentence in enumerate(sentences):
            if isinstance(sentence, (str, bytes)):
                raise TypeError(
                    f"sentence {number} is the string {sentence[:40]!r}; a sentence is a list of tokens: "
                    "split it first, for instance with sentence.split()"
                )
            starts.append(len(words))
            try:
                words.extend(sentence)
            except TypeError:
                hint = "; give numbered tokens to Corpus.from_ids" if isinstance(sentence, (int, np.integer)) else ""
                raise TypeError(
                    f"sentence {number} is of type {type(sentence).__name__}; a sentence is a list of tokens{hint}"
                ) from None
            if len(words) >= BLOCK_TOKENS:
                _check_words(words)
                numbering.add(words, starts)
                words, starts = [], []
        _check_words(words)
        numbering.add(words, starts)
        return numbering.corpus(min_count, "the sentences")

    @classmethod
    def from_ids(
        cls, ids: np.ndarray, offsets: np.ndarray | Sequence[int] | None = None, vocabulary: Vocabulary | None = None
    ) -> Corpus:
        """Take tokens that are numbered already: items of a shop, nodes of a graph walk, a prepared text.

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
            raise ValueError(f"id {lowest} at place {int(tokens.argmin())} is negative; ids run from 0 to V - 1")
        if vocabulary is None:
            if highest > 10 * tokens.size + 1_000_000 or highest >= 2**31:
                raise ValueError(
                    f"ids run up to {highest} for only {tokens.size} tokens, and the vocabulary would need a row for "
                    "each; renumber them first: words, ids = np.unique(ids, return_inverse=True)"
                )
        elif highest >= len(vocabulary):
            raise ValueError(
                f"id {highest} at place {int(tokens.argmax())} is outside the vocabulary of {len(vocabulary)} words"
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
            raise ValueError(f"offsets decrease from {bounds[at]} to {bounds[at + 1]} at place {at + 1}")
        return cls(tokens, bounds.astype(np.int64, copy=False), vocabulary)

    @property
    def n_sentences(self) -> int:
        """Number of sentences."""
        return len(self.offsets) - 1

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Corpus of {len(self)} tokens in {self.n_sentences} sentences, {len(self.vocabulary)} words>"


def preprocess(text: str) -> tuple[np.ndarray, dict[str, int], dict[int, str]]:
    """Split a short text into lower-case words and number them: the textbook's function.

    Parameters
    ----------
    text : str
        Words between single spaces; a full stop becomes a word of its own.

    Returns
    -------
    corpus : int64 array, shape (T,)
        Ids by first appearance.
    word_to_id : dict of str to int
    id_to_word : dict of int to str
    """
    if not isinstance(text, str):
        raise TypeError(f"text is of type {type(text).__name__}; it must be a string")
    words = text.lower().replace(".", " .").split(" ")
    word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
    corpus = np.array([word_to_id[word] for word in words], dtype=np.int64)
    return corpus, dict(word_to_id), dict(enumerate(word_to_id))


def create_contexts_target(corpus: Any, window_size: int = 1) -> tuple[Any, Any]:
    """Return every word that has a whole window around it, and that window: the textbook's function.

    Parameters
    ----------
    corpus : integer array, shape (T,)
        Of any array library.
    window_size : int
        Words on each side.

    Returns
    -------
    contexts : integer array, shape (N, 2 * window_size)
        From left to right, without the target. ``N = T - 2 * window_size``, or 0 for a corpus shorter than a window.
    target : integer array, shape (N,)

    Raises
    ------
    ValueError
        If `window_size` is below 1.
    """
    if window_size < 1:
        raise ValueError(f"window_size is {window_size}; it must be at least 1")
    xp = get_namespace(corpus)
    n = max(0, corpus.shape[0] - 2 * window_size)
    if n == 0:
        device = get_device(corpus)
        contexts = xp.zeros((0, 2 * window_size), dtype=corpus.dtype, device=device)
        return contexts, xp.zeros((0,), dtype=corpus.dtype, device=device)
    places = [i for i in range(2 * window_size + 1) if i != window_size]
    contexts = xp.stack([corpus[i : i + n] for i in places], axis=1)
    return contexts, xp.asarray(corpus[window_size : window_size + n], copy=True)


class _Numbering:
    """Numbers words as they come, and makes a corpus of them in the end."""

    def __init__(self) -> None:
        self.word_to_id: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self.counts = np.zeros(0, dtype=np.int64)
        self.ids = array("i")
        self.blocks: list[tuple[int, np.ndarray]] = []

    def add(self, words: list[str], starts: list[int]) -> None:
        """Append words; a new sentence starts before each of the places `starts` among them."""
        block = np.fromiter(map(self.word_to_id.__getitem__, words), dtype=np.int32, count=len(words))
        counts = np.bincount(block, minlength=len(self.word_to_id))
        counts[: len(self.counts)] += self.counts
        self.counts = counts
        self.ids.frombytes(block.tobytes())
        self.blocks.append((len(words), np.array(starts, dtype=np.int32)))

    def corpus(self, min_count: int, source: str) -> Corpus:
        """Return the corpus of the words that occur at least `min_count` times; call it once, in the end."""
        words = np.array(list(self.word_to_id), dtype=object)
        order = by_falling_count(self.counts, min_count)
        if not order.size:
            raise ValueError(_nothing_left(source, words, self.counts, min_count))
        self.word_to_id.clear()
        vocabulary = Vocabulary(words[order].tolist(), self.counts[order])
        renumbered = np.full(len(words), -1, dtype=np.int32)
        renumbered[order] = np.arange(len(order), dtype=np.int32)

        # In place: a block never moves to the right of where it was read.
        ids = np.frombuffer(self.ids, dtype=np.int32)
        offsets = [np.zeros(1, dtype=np.int64)]
        read = written = 0
        for length, starts in self.blocks:
            block = renumbered[ids[read : read + length]]
            read += length
            kept = block >= 0
            kept_before = np.concatenate(([0], np.cumsum(kept)))
            offsets.append(written + kept_before[starts])
            ids[written : written + kept_before[-1]] = block[kept]
            written += int(kept_before[-1])
        offsets.append(np.array([written]))
        return Corpus(ids[:written], _without_repeats(np.concatenate(offsets)), vocabulary)


def _without_repeats(offsets: np.ndarray) -> np.ndarray:
    """Drop the empty sentences."""
    return offsets[np.concatenate(([True], offsets[1:] > offsets[:-1]))]


def _blocks(path: Path) -> Iterator[str]:
    """Read a text in pieces that end at white space."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give one text file")
    if not path.exists():
        raise FileNotFoundError(f"there is no corpus file {path}")
    opener = _OPENERS.get(path.suffix, open)
    position = 0
    rest = b""
    try:
        with opener(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                # ASCII white space is never part of a longer UTF-8 character, so it is safe to cut there.
                cut = 1 + max(block.rfind(b" "), block.rfind(b"\n"), block.rfind(b"\t"))
                if cut:
                    yield _decode(rest + block[:cut], position, path)
                    position += len(rest) + cut
                    rest = block[cut:]
                else:
                    rest += block
                    if len(rest) > LONGEST_WORD:
                        raise ValueError(
                            f"{path}: no white space in the {len(rest)} bytes from byte {position} on; "
                            "is this a text file?"
                        )
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk failed, not the decompressor
            raise
        raise ValueError(f"{path} is not a whole {path.suffix} file: {error}") from error
    if position == 0 and not rest:
        raise ValueError(f"{path} is empty")
    yield _decode(rest, position, path)


def _decode(data: bytes, position: int, path: Path) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {position + error.start} is {data[error.start]:#04x} ({error.reason}); "
            "convert it first, for instance with iconv -f LATIN1 -t UTF-8"
        ) from error
    return text.removeprefix("\ufeff") if position == 0 else text


def _nothing_left(source: str, words: np.ndarray, counts: np.ndarray, min_count: int) -> str:
    if not words.size:
        return f"{source}: there are no words, only white space"
    best = int(counts.argmax())
    return (
        f"{source}: no word occurs min_count={min_count} times. There are {counts.sum()} tokens of {words.size} words, "
        f"and the most frequent, {words[best]!r}, occurs {counts[best]} times; lower min_count or give more text"
    )


def _check_min_count(min_count: int) -> None:
    if not isinstance(min_count, (int, np.integer)) or min_count < 0:
        raise ValueError(f"min_count is {min_count!r}; it must be an integer of at least 0")


def _check_words(words: list[Any]) -> None:
    for kind in set(map(type, words)):
        if issubclass(kind, (int, np.integer)):
            raise TypeError(f"there are integers among the tokens ({kind.__name__}); give them to Corpus.from_ids")
        if not issubclass(kind, str):
            raise TypeError(f"there are tokens of type {kind.__name__}; tokens are strings")


def _integers(array: Any, name: str) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim != 1:
        raise ValueError(f"{name} have shape {array.shape}; they are a one-dimensional array")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} are of type {array.dtype}; they must be integers")
    return array
