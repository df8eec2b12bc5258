"""The text that is trained on, in the form that every system reads alike: lines of at most 1,000 words."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.measure import Options
from fastw2v import Corpus
from fastw2v.datasets import demo_corpus

LINE = 1000
"""Words in a line, at most: word2vec.c cuts there, and gensim drops what comes after ten times as many."""
QUICK_WORDS = 1_000_000
TINY_WORDS = 150_000
HELD_OUT = 50
"""One line in so many is kept back for measuring quality, where there are no evaluation sets."""
PIECE = 1 << 24
"""Characters read at once."""

_OPENERS: dict[str, Callable[..., IO[Any]]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


@dataclass(frozen=True)
class Text:
    """A file to train on."""

    path: Path
    name: str
    """Of the text, for the tables."""
    words: int
    held_out: tuple[str, ...]
    """Lines that are not in the file; none where there are evaluation sets."""


@cache
def text_of(options: Options) -> Text:
    """Return the corpus asked for, or the demo corpus, written to the scratch folder; its beginning when quick."""
    limit = TINY_WORDS if options.tiny else QUICK_WORDS if options.quick else None
    if options.corpus is None:
        name, sentences = "demo corpus", iter(demo_corpus())
    else:
        name, sentences = options.corpus.name.split(".")[0], _sentences(options.corpus)
    words, held_out = 0, []
    path = options.folder / "text.txt"
    with path.open("w", encoding="utf-8") as file:
        for number, line in enumerate(_folded(sentences)):
            if limit is not None and words >= limit:
                name = f"{name}, first {words:,} words"
                break
            if options.data is None and number % HELD_OUT == HELD_OUT - 1:
                held_out.append(" ".join(line))
            else:
                file.write(" ".join(line) + "\n")
                words += len(line)
    if words < TINY_WORDS // 2:
        raise ValueError(f"{options.corpus} holds {words:,} words: too few to learn from, {TINY_WORDS:,} would do")
    return Text(path, name, words, tuple(held_out))


@cache
def head_of(options: Options, tenths: int) -> Text:
    """Return the first so many tenths of that text, as a file of its own."""
    whole = text_of(options)
    if tenths == 10:
        return whole
    path = options.folder / f"text-{tenths}.txt"
    words = 0
    with whole.path.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as file:
        for line in source:
            file.write(line)
            words += len(line.split())
            if words >= whole.words * tenths / 10:
                break
    return replace(whole, path=path, name=f"{whole.name}, first {words:,} words", words=words)


@cache
def corpus_of(options: Options, min_count: int = 5, tenths: int = 10) -> Corpus:
    """Return that text as ids."""
    return Corpus.from_text(head_of(options, tenths).path, min_count)


def zipf_shares(vocabulary: int) -> np.ndarray:
    """Return the shares of the words of a generated corpus, by Zipf's law as Mandelbrot has it."""
    weights = 1 / (np.arange(vocabulary) + 2.7)
    return weights / weights.sum()


def zipf_corpus(words: int, vocabulary: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids, offsets and counts of random words, with the frequencies of a natural text and lines of 1,000."""
    edges = np.cumsum(zipf_shares(vocabulary))
    ids = np.searchsorted(edges, np.random.default_rng(seed).random(words)).clip(0, vocabulary - 1).astype(np.int32)
    return ids, np.append(np.arange(0, words, LINE), words), np.bincount(ids, minlength=vocabulary)


def _sentences(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line, or of parts of a very long line."""
    with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8", errors="replace") as file:
        rest = ""
        while piece := file.read(PIECE):
            *lines, rest = (rest + piece).split("\n")
            if len(rest) > PIECE:  # a line without end: all of it but its last word, which may go on
                line, _, rest = rest.rpartition(" ")
                lines.append(line)
            yield from map(str.split, lines)
        yield rest.split()


def _folded(sentences: Iterator[list[str]]) -> Iterator[list[str]]:
    for words in sentences:
        for start in range(0, len(words), LINE):
            yield words[start : start + LINE]
