"""Subwords: the character n-grams of words, and the rows of W_in that they share.

The vector of a word is the mean of the row of the word itself and of the rows of its character n-grams. Similar
spellings share n-grams, so rare words learn from frequent ones, and words outside the vocabulary have vectors as well.
The n-grams are hashed to a fixed number of buckets, each of which has at most one row.

References
----------
Bojanowski et al., "Enriching word vectors with subword information", TACL 5, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastw2v.utils.quote import quote

__all__ = ["BEGIN", "END", "SENTENCE_END", "NGrams", "Subwords", "ngram_buckets"]

BEGIN, END = b"<", b">"
"""Characters that mark the beginning and the end of a word."""
SENTENCE_END = "</s>"
"""fastText's word for the end of a line. It has no n-grams."""
BLOCK_WORDS = 1 << 15
"""Number of words whose n-grams are computed at a time."""
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619
"""Constants of the FNV-1a hash function for 32 bits."""


class NGrams(NamedTuple):
    """Which character n-grams a word has, and how they are hashed to buckets."""

    min_n: int
    """Number of characters of the shortest n-grams."""
    max_n: int
    """Number of characters of the longest n-grams."""
    bucket: int
    """Number of buckets."""


def ngram_buckets(words: Sequence[str], ngrams: NGrams) -> tuple[np.ndarray, np.ndarray]:
    """Return the buckets of the n-grams of words, as fastText computes them.

    A word is enclosed in "<" and ">", and its n-grams are all substrings of `min_n` to `max_n` characters, except "<"
    and ">" themselves. The bucket is the FNV-1a hash of the UTF-8 bytes, modulo the number of buckets. Like fastText,
    it reads bytes as signed numbers.

    Parameters
    ----------
    words : sequence of str
    ngrams : NGrams

    Returns
    -------
    starts : int64 array, shape (len(words) + 1,)
        The buckets of word i are in elements ``starts[i]`` to ``starts[i + 1] - 1``.
    buckets : int32 array
        Buckets in the order of the n-grams: by position in the word, then by length. An n-gram that occurs twice in a
        word is listed twice.

    Raises
    ------
    TypeError
        If a word is not a string.

    Examples
    --------
    The n-grams of "<am>" are "<am", "<am>" and "am>":

    >>> from fastw2v.corpus.subwords import NGrams, ngram_buckets
    >>> starts, buckets = ngram_buckets(["am", "a"], NGrams(min_n=3, max_n=6, bucket=2_000_000))
    >>> starts.tolist(), buckets.tolist()
    ([0, 3, 4], [1210937, 182021, 678423, 1087600])
    """
    counts, buckets = [], []
    for first in range(0, len(words), BLOCK_WORDS):
        of_words, found = _block_buckets(words[first : first + BLOCK_WORDS], ngrams)
        counts.append(of_words)
        buckets.append(found)
    starts = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]), out=starts[1:])
    return starts, np.concatenate([np.zeros(0, np.int32), *buckets])


def _block_buckets(words: Sequence[str], ngrams: NGrams) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of n-grams of each word, and the buckets of all n-grams."""
    encoded = [_marked(word) for word in words]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    word_ends = np.cumsum([len(word) for word in encoded])
    char = np.flatnonzero((data & 0xC0) != 0x80)  # the first byte of each character
    char_bytes = np.diff(np.append(char, len(data)))
    char_ends = np.searchsorted(char, word_ends)  # for each word, the number of characters up to its end
    lengths = np.diff(char_ends, prepend=0)
    end = np.repeat(char_ends, lengths)  # for each character, the number of characters up to the end of its word
    begin = end - np.repeat(lengths, lengths)
    first = np.arange(len(char))
    sizes = range(ngrams.min_n, ngrams.max_n + 1)
    hashes = np.zeros((len(char), len(sizes)), np.uint32)
    present = np.zeros(hashes.shape, bool)
    h = np.full(len(char), FNV_OFFSET, np.uint32)
    inside = first
    signed = data.view(np.int8).astype(np.uint32)
    for n in range(1, ngrams.max_n + 1):
        inside = inside[inside + n <= end[inside]]
        if not len(inside):
            break
        last = inside + (n - 1)
        for k in range(int(char_bytes[last].max())):
            longer = char_bytes[last] > k
            at = inside[longer]
            h[at] = (h[at] ^ signed[char[last[longer]] + k]) * np.uint32(FNV_PRIME)
        if n >= ngrams.min_n:
            counted = inside if n > 1 else inside[(inside > begin[inside]) & (inside + 1 < end[inside])]
            hashes[counted, n - ngrams.min_n] = h[counted]
            present[counted, n - ngrams.min_n] = True
    if SENTENCE_END in words:
        for i in [i for i, word in enumerate(words) if word == SENTENCE_END]:
            present[char_ends[i] - lengths[i] : char_ends[i]] = False
    per_char = np.append(np.zeros(1, np.int64), np.cumsum(present.sum(axis=1)))
    return np.diff(per_char[char_ends], prepend=0), (hashes[present] % np.uint32(ngrams.bucket)).astype(np.int32)


def _marked(word: Any) -> bytes:
    """Return the UTF-8 bytes of a word, enclosed in the marks of its beginning and its end."""
    if not isinstance(word, str):
        raise TypeError(f"the word {quote(word)} is not a string, so it has no n-grams; omit subwords, or use strings")
    return BEGIN + word.encode("utf-8", "surrogateescape") + END


class Subwords:
    """The rows of W_in whose mean is the vector of a word.

    With V words, rows 0 to V - 1 are the rows of the words themselves. The rows of buckets follow. Only buckets that
    are needed have a row: those of the n-grams of the vocabulary, and others if they have been trained before. A
    missing row stands for zeros.

    Parameters
    ----------
    words : sequence of str
        The vocabulary.
    ngrams : NGrams
    counts : integer array, shape (V,), optional
        Counts of the words. If they are given, the buckets are sorted by the number of their occurrences, so that
        the rows of frequent n-grams are adjacent in memory.
    buckets : int array, optional
        Buckets that have a row in any case, in this order. Those of the vocabulary are appended.

    Attributes
    ----------
    ngrams : NGrams
    buckets : int32 array, shape (B,)
        The bucket of each row from V on.
    starts : int64 array, shape (V + 1,)
    rows : int32 array
        The rows of word w are in elements ``starts[w]`` to ``starts[w + 1] - 1``. The first of them is w.

    Examples
    --------
    The words share the n-gram "ing>", which is in row 2:

    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
    >>> [subwords.rows_of_word(word).tolist() for word in range(2)]
    [[0, 4, 3, 2], [1, 5, 6, 2]]
    >>> subwords.n_rows
    7
    """

    def __init__(
        self, words: Sequence[str], ngrams: NGrams, counts: Any = None, buckets: np.ndarray | None = None
    ) -> None:
        V = len(words)
        self.ngrams = ngrams
        starts, found = ngram_buckets(words, ngrams)
        given = np.zeros(0, np.int32) if buckets is None else np.asarray(buckets, np.int32)
        distinct = _distinct(found)
        index = np.searchsorted(distinct, found)
        of_word = np.repeat(np.ones(V) if counts is None else np.asarray(counts, np.float64), np.diff(starts))
        order = np.argsort(-np.bincount(index, of_word, len(distinct)), kind="stable")
        if len(given):
            order = order[~np.isin(distinct[order], given)]
        self.buckets = np.concatenate([given, distinct[order]])
        self._order = np.argsort(self.buckets)
        self._sorted = self.buckets[self._order]
        self.starts = starts + np.arange(V + 1)
        self.rows = np.empty(self.starts[-1], np.int32)
        own = np.zeros(len(self.rows), bool)
        own[self.starts[:-1]] = True
        self.rows[own] = np.arange(V)
        self.rows[~own] = self._rows_of_buckets(distinct)[index]

    @property
    def n_words(self) -> int:
        """V, the number of words."""
        return len(self.starts) - 1

    @property
    def n_rows(self) -> int:
        """The number of rows of W_in."""
        return self.n_words + len(self.buckets)

    def rows_of_word(self, word: int) -> np.ndarray:
        """Return the rows of a word of the vocabulary: int32 array."""
        return self.rows[self.starts[word] : self.starts[word + 1]]

    def rows_of_unseen(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of words outside the vocabulary, which have n-grams alone.

        Parameters
        ----------
        words : sequence of str

        Returns
        -------
        starts : int64 array, shape (len(words) + 1,)
        rows : int64 array
            The rows of word i are in elements ``starts[i]`` to ``starts[i + 1] - 1``. −1 is an n-gram without a row,
            which stands for zeros.
        """
        starts, buckets = ngram_buckets(words, self.ngrams)
        return starts, self._rows_of_buckets(buckets)

    def _rows_of_buckets(self, buckets: np.ndarray) -> np.ndarray:
        """Return the row of each bucket, or −1."""
        known, order = self._sorted, self._order
        if not len(known):
            return np.full(len(buckets), -1, np.int64)
        at = np.minimum(np.searchsorted(known, buckets), len(known) - 1)
        return np.where(known[at] == buckets, self.n_words + order[at], -1)


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """Return the distinct numbers in ascending order. For millions of numbers, it is several times faster than NumPy's.

    `np.unique` sorts with a slower algorithm, or uses a hash table.
    """
    ascending = np.sort(numbers)
    return ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending
