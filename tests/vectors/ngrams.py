"""Vectors of words by brute force: n-grams are found one after another, and their rows are added up."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.vectors.word_vectors import WordVectors

WORDS = ["the", "cats", "naïve", "고양이", "a", "sing", "singing", "😀x"]
UNSEEN = ["cat", "thecats", "고양", "sings", "xyzzy", "naïveté"]
NGRAMS = NGrams(min_n=3, max_n=5, bucket=5_000)


def ngrams_of(word: str, ngrams: NGrams) -> list[str]:
    """Return the n-grams of a word, by position and then by length."""
    marked = f"<{word}>"
    return [
        marked[i : i + n]
        for i in range(len(marked))
        for n in range(ngrams.min_n, ngrams.max_n + 1)
        if i + n <= len(marked) and not (n == 1 and i in (0, len(marked) - 1))
    ]


def bucket_of(ngram: str, bucket: int) -> int:
    """Return the FNV-1a hash of fastText, which reads bytes as signed numbers."""
    h = 2166136261
    for byte in ngram.encode():
        signed = byte - 256 if byte > 127 else byte
        h = ((h ^ (signed % 2**32)) * 16777619) % 2**32
    return h % bucket


def vector_of(word: str, words: list[str], W_in: np.ndarray, subwords: Subwords) -> np.ndarray:
    """Return the mean of the row of a word, if it is in the vocabulary, and of the rows of its n-grams."""
    row_of = {bucket: len(words) + i for i, bucket in enumerate(subwords.buckets.tolist())}
    rows = [W_in[words.index(word)].astype(np.float64)] if word in words else []
    for ngram in ngrams_of(word, subwords.ngrams):
        row = row_of.get(bucket_of(ngram, subwords.ngrams.bucket))
        rows.append(np.zeros(W_in.shape[1]) if row is None else W_in[row].astype(np.float64))
    return np.mean(rows, axis=0)


def some_table(words: list[str] = WORDS, ngrams: NGrams = NGRAMS) -> tuple[np.ndarray, Subwords]:
    """Return W_in and the rows of words, with a few buckets that no word of the vocabulary needs."""
    buckets = np.array(
        sorted({bucket_of(ngram, ngrams.bucket) for word in UNSEEN[:3] for ngram in ngrams_of(word, ngrams)})
    )
    subwords = Subwords(words, ngrams, buckets=buckets)
    W_in = np.random.default_rng(1).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    return W_in, subwords


def with_subwords(words: list[str] = WORDS, ngrams: NGrams = NGRAMS, xp: Any = np, **rest: Any) -> WordVectors:
    W_in, subwords = some_table(words, ngrams)
    return WordVectors(words, None, input_vectors=xp.asarray(W_in), subwords=subwords, **rest)
