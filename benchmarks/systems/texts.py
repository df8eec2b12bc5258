"""Texts to train on: a file that every system reads in the same way, and generated word ids."""

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

from benchmarks.harness.measure import Options
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.datasets.demo import demo_corpus
from fastw2v.sampling.subsampling import keep_threshold

LINE = 1000
"""Maximum words in a line, because word2vec.c splits longer lines, and gensim drops words after the 10,000th."""
QUICK_WORDS = 1_000_000
TINY_WORDS = 150_000
HELD_OUT = 50
"""Without evaluation sets, one line in this many is held out to measure quality."""
BLOCK_CHARACTERS = 1 << 24
"""Number of characters to read at a time."""

_OPENERS: dict[str, Callable[..., IO[Any]]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


@dataclass(frozen=True)
class Text:
    """A text file to train on."""

    path: Path
    name: str
    """Name of the text in tables."""
    words: int
    held_out: tuple[str, ...]
    """Lines left out of the file to measure quality. Empty if there are evaluation sets."""


@cache
def text_of(options: Options) -> Text:
    """Write the given corpus or the demo corpus to the temporary folder. If quick, write only its beginning."""
    limit = TINY_WORDS if options.tiny else QUICK_WORDS if options.quick else None
    if options.corpus is None:
        name, sentences = "demo corpus", iter(demo_corpus())
    else:
        name, sentences = options.corpus.name.split(".")[0], _sentences(options.corpus)
    words, held_out = 0, []
    path = options.folder / "text.txt"
    with path.open("w", encoding="utf-8") as file:
        for i, line in enumerate(_folded(sentences)):
            if limit is not None and words >= limit:
                name = f"{name}, first {words:,} words"
                break
            if options.data is None and i % HELD_OUT == HELD_OUT - 1:
                held_out.append(" ".join(line))
            else:
                file.write(" ".join(line) + "\n")
                words += len(line)
    if words < TINY_WORDS // 2:
        raise ValueError(f"{options.corpus} has only {words:,} words; use a text with at least {TINY_WORDS:,} words")
    return Text(path, name, words, tuple(held_out))


@cache
def head_of(options: Options, tenths: int) -> Text:
    """Write the first `tenths` tenths of the text to a separate file."""
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
    """Return the text, or its first tenths, as a `Corpus`."""
    return Corpus.from_text(head_of(options, tenths).path, min_count)


def zipf_shares(vocabulary: int) -> np.ndarray:
    """Return the share of each word in a generated corpus under the Zipf-Mandelbrot law."""
    weights = 1 / (np.arange(vocabulary) + 2.7)
    return weights / weights.sum()


def zipf_ids(words: int, vocabulary: int, seed: int = 0) -> np.ndarray:
    """Return random word ids with the frequencies of natural text: int32 array, shape (words,)."""
    edges = np.cumsum(zipf_shares(vocabulary))
    ids = np.searchsorted(edges, np.random.default_rng(seed).random(words))
    return np.minimum(ids, vocabulary - 1).astype(np.int32)


def zipf_corpus(words: int, vocabulary: int, seed: int = 0) -> Corpus:
    """Return a corpus of random words with the frequencies of natural text, in sentences of 1,000 words.

    The words are named word0, word1, ... in order of decreasing probability.
    """
    ids = zipf_ids(words, vocabulary, seed)
    counts = np.bincount(ids, minlength=vocabulary)
    names = [f"word{i}" for i in range(vocabulary)]
    return Corpus(ids, np.append(np.arange(0, words, LINE), words), Vocabulary(names, counts))


def kept_share(counts: np.ndarray, sample: float) -> float:
    """Return the expected share of the corpus that subsampling keeps."""
    return float((counts * (keep_threshold(counts, sample) / 2.0**32)).sum() / counts.sum())


def _sentences(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line. A very long line is divided into parts."""
    with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8", errors="replace") as file:
        rest = ""
        while block := file.read(BLOCK_CHARACTERS):
            *lines, rest = (rest + block).split("\n")
            if len(rest) > BLOCK_CHARACTERS:  # keep only the last word, which may be incomplete
                line, _, rest = rest.rpartition(" ")
                lines.append(line)
            yield from map(str.split, lines)
        yield rest.split()


def _folded(sentences: Iterator[list[str]]) -> Iterator[list[str]]:
    for words in sentences:
        for start in range(0, len(words), LINE):
            yield words[start : start + LINE]
