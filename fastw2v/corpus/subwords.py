"""Subwords: the character n-grams of words, and the rows of W_in that they share.

The vector of a word is the mean of the row of the word itself and of the rows of its character n-grams. Similar
spellings share n-grams, so rare words learn from frequent ones, and words outside the vocabulary have vectors as well.
The n-grams are hashed to a fixed number of buckets, each of which has at most one row.

fastText hashes an n-gram with FNV-1a, and each word has a row of its own. floret, spaCy's variant of fastText, hashes
n-grams and whole words with MurmurHash3, to one to four rows each of a small table without rows of words.

References
----------
Bojanowski et al., "Enriching word vectors with subword information", TACL 5, 2017; Boyd and Warmerdam, "floret:
lightweight, robust word vectors", Explosion, 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self, get_args

import numpy as np

from fastw2v.backend import on_device_of
from fastw2v.config import MAX_HASH_COUNT, MAX_SIZE, TrainingConfig, Units, check_choice, check_integer, check_range
from fastw2v.corpus.hangul import spelled_in
from fastw2v.utils.checks import check_integers, check_items, check_type
from fastw2v.utils.quote import quote
from fastw2v.utils.scaled_rows import concat_rows, select_rows, storage

__all__ = [
    "BEGIN",
    "END",
    "HASH_SEED",
    "SENTENCE_END",
    "NGrams",
    "Subwords",
    "has_ngrams",
    "ngram_buckets",
    "select_words",
]

BEGIN, END = b"<", b">"
"""Characters that mark the beginning and the end of a word."""
CONTINUATION = bytes(range(0x80, 0xC0))
"""Bytes that continue a character in UTF-8."""
SENTENCE_END = "</s>"
"""fastText's word for the end of a line. It has no n-grams."""
BLOCK_WORDS = 1 << 15
"""Maximum number of words whose n-grams are computed at a time."""
BLOCK_NGRAMS = 1 << 22
"""Maximum number of n-grams, including absent ones, that are computed at a time, unless a word has more by itself."""
DENSE = 16
"""A table of the rows of all buckets is used if more than one in this many buckets is looked up. Otherwise, a search is
faster."""
SHORT_WORD = 64
"""Maximum number of bytes of a word whose n-grams are computed without array operations."""
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619
"""Constants of the FNV-1a hash function for 32 bits."""
HASH_SEED = 2166136261
"""Seed of floret's hash function, MurmurHash3."""


class NGrams(NamedTuple):
    """Which n-grams a word has, and how they are hashed to buckets."""

    min_n: int
    """Number of units of the shortest n-grams."""
    max_n: int
    """Number of units of the longest n-grams."""
    bucket: int
    """Number of buckets."""
    hash_count: int | None = None
    """Number of buckets of each n-gram and of the word itself, 1 to 4, in floret. None is fastText."""
    units: Units = TrainingConfig.units
    """Units of n-grams: "characters", which are Unicode code points, as in fastText, "syllables" or "jamo"."""

    @property
    def of_fasttext(self) -> bool:
        """Whether the buckets are those of fastText.

        Examples
        --------
        >>> from fastw2v.corpus import NGrams
        >>> NGrams(3, 6, 1000).of_fasttext, NGrams(3, 6, 1000, hash_count=2).of_fasttext
        (True, False)
        """
        return self.hash_count is None and self.units == TrainingConfig.units

    @property
    def ignores_form(self) -> bool:
        """Whether a word has the same n-grams in the Unicode forms NFC and NFD.

        Examples
        --------
        >>> from fastw2v.corpus import NGrams
        >>> NGrams(3, 6, 1000, units="jamo").ignores_form, NGrams(3, 6, 1000).ignores_form
        (True, False)
        """
        return self.units != "characters"

    def form_of(self, word: str) -> str:
        """Return the form NFC of a word if the n-grams do not depend on its form, otherwise the word itself.

        Examples
        --------
        >>> from fastw2v.corpus import NGrams
        >>> decomposed = "\u1112\u1161\u11ab"
        >>> NGrams(1, 2, 1000, units="syllables").form_of(decomposed), len(NGrams(1, 2, 1000).form_of(decomposed))
        ('한', 3)
        """
        return spelled_in("syllables", word) if self.ignores_form else word


def has_ngrams(word: str, ngrams: NGrams) -> bool:
    """Return whether a word has an n-gram, so that it has a vector even outside the vocabulary.

    Parameters
    ----------
    word : str
    ngrams : NGrams

    Examples
    --------
    >>> from fastw2v.corpus.subwords import NGrams, has_ngrams
    >>> ngrams = NGrams(min_n=4, max_n=6, bucket=2_000_000)
    >>> has_ngrams("am", ngrams), has_ngrams("a", ngrams)
    (True, False)
    """
    if word.isascii():
        length = len(word) + 2
    else:
        try:
            length = len(_marked(word, ngrams.units).translate(None, CONTINUATION))
        except ValueError:  # half of a surrogate pair, which no text contains
            return False
    if ngrams.hash_count is not None:
        return True
    shortest = max(ngrams.min_n, 1 if length > 2 else 2)  # "<" and ">" themselves are not n-grams
    return word != SENTENCE_END and shortest <= min(length, ngrams.max_n)


def ngram_buckets(words: Sequence[str | bytes], ngrams: NGrams) -> tuple[np.ndarray, np.ndarray]:
    """Return the buckets of the n-grams of words, as fastText computes them.

    A word is enclosed in "<" and ">", and its n-grams are all substrings of `min_n` to `max_n` characters, except "<"
    and ">" themselves. The bucket is the FNV-1a hash of the UTF-8 bytes, modulo the number of buckets. Like fastText,
    it reads bytes as signed numbers.

    With other `units` than "characters", the n-grams are those of the word as `spelled_in` returns it, and hence equal
    for words in the Unicode forms NFC and NFD. The n-grams of "jamo" are those that fastText takes from the word after
    `to_jamo`.

    With `hash_count`, the buckets are those of floret: the first `hash_count` 32-bit numbers of the 128-bit MurmurHash3
    of the whole enclosed word, then of each n-gram, modulo the number of buckets.

    Parameters
    ----------
    words : sequence of str, or of the bytes of words in UTF-8
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
        If a word is neither a string nor bytes.
    ValueError
        If a word is not valid Unicode, because it contains half of a surrogate pair.

    Examples
    --------
    The n-grams of "<am>" are "<am", "<am>" and "am>":

    >>> from fastw2v.corpus.subwords import NGrams, ngram_buckets
    >>> starts, buckets = ngram_buckets(["am", "a"], NGrams(min_n=3, max_n=6, bucket=2_000_000))
    >>> starts.tolist(), buckets.tolist()
    ([0, 3, 4], [1210937, 182021, 678423, 1087600])
    """
    units = ngrams.units
    if len(words) == 1 and ngrams.hash_count is None and len(word := _marked(words[0], units)) <= SHORT_WORD:
        of_word = _word_buckets(word, ngrams)
        return np.array([0, len(of_word)], np.int64), np.array(of_word, np.int32)
    counts, buckets = [], []
    for first in range(0, len(words), BLOCK_WORDS):
        for block in _bounded([_marked(word, units) for word in words[first : first + BLOCK_WORDS]], ngrams):
            of_words, found = _block_buckets(block, ngrams)
            counts.append(of_words)
            buckets.append(found)
    starts = np.zeros(len(words) + 1, np.int64)
    np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]), out=starts[1:])
    return starts, np.concatenate([np.zeros(0, np.int32), *buckets])


def _bounded(words: list[bytes], ngrams: NGrams) -> Iterator[list[bytes]]:
    """Split a list into blocks of at most BLOCK_NGRAMS n-grams, each of at least one word.

    The arrays of a block have one element for each byte at most and each length up to that of its longest word.
    """
    lengths = np.array([len(word) for word in words])
    sizes = max(min(ngrams.max_n, int(lengths.max())) - ngrams.min_n + 1, 1)
    if sizes * int(lengths.sum()) <= BLOCK_NGRAMS:
        yield words
        return
    first = n_bytes = longest = 0
    for at, length in enumerate(lengths.tolist()):
        longest, n_bytes = max(longest, length), n_bytes + length
        sizes = max(min(ngrams.max_n, longest) - ngrams.min_n + 1, 1)
        if at > first and sizes * n_bytes > BLOCK_NGRAMS:
            yield words[first:at]
            first, n_bytes, longest = at, length, length
    yield words[first:]


def _word_buckets(word: bytes, ngrams: NGrams) -> list[int]:
    """Return the buckets of one word, which is enclosed in the marks. For short words, array operations are slower."""
    if word == _marked(SENTENCE_END):
        return []
    signed = [byte if byte < 0x80 else byte | 0xFFFFFF00 for byte in word]
    begins = [at for at, byte in enumerate(word) if byte & 0xC0 != 0x80]
    ends = [*begins[1:], len(word)]
    buckets = []
    for first, begin in enumerate(begins):
        h = FNV_OFFSET
        at = begin
        for n, end in enumerate(ends[first : first + ngrams.max_n], 1):
            for value in signed[at:end]:
                h = (h ^ value) * FNV_PRIME & 0xFFFFFFFF
            at = end
            if n >= ngrams.min_n and (n > 1 or 0 < first < len(begins) - 1):
                buckets.append(h % ngrams.bucket)
    return buckets


def _block_buckets(encoded: Sequence[bytes], ngrams: NGrams) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of n-grams of each word, and the buckets of all n-grams. The words are enclosed in marks."""
    data = np.frombuffer(b"".join(encoded), np.uint8)
    word_ends = np.cumsum([len(word) for word in encoded])
    char = np.flatnonzero((data & 0xC0) != 0x80)  # the first byte of each character
    char_bytes = np.diff(np.append(char, len(data)))
    char_ends = np.searchsorted(char, word_ends)  # for each word, the number of characters up to its end
    lengths = np.diff(char_ends, prepend=0)
    end = np.repeat(char_ends, lengths)  # for each character, the number of characters up to the end of its word
    begin = end - np.repeat(lengths, lengths)
    first = np.arange(len(char))
    longest = min(ngrams.max_n, int(lengths.max(initial=0)))
    sizes = range(ngrams.min_n, longest + 1)
    hashes = np.zeros((len(char), len(sizes)), np.uint32)
    present = np.zeros(hashes.shape, bool)
    h = np.full(len(char), FNV_OFFSET, np.uint32)
    inside = first
    signed = data.view(np.int8).astype(np.uint32)
    for n in range(1, longest + 1):
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
    if ngrams.hash_count is not None:
        return _murmur_buckets(data, word_ends, char, char_ends, present, ngrams)
    if (sentence_end := _marked(SENTENCE_END)) in encoded:
        for i in [i for i, word in enumerate(encoded) if word == sentence_end]:
            present[char_ends[i] - lengths[i] : char_ends[i]] = False
    per_char = np.append(np.zeros(1, np.int64), np.cumsum(present.sum(axis=1)))
    return np.diff(per_char[char_ends], prepend=0), (hashes[present] % np.uint32(ngrams.bucket)).astype(np.int32)


def _murmur_buckets(
    data: np.ndarray,
    word_ends: np.ndarray,
    char: np.ndarray,
    char_ends: np.ndarray,
    present: np.ndarray,
    ngrams: NGrams,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of buckets of each word, and all buckets, as floret computes them.

    Parameters
    ----------
    data : uint8 array
        The bytes of all words, each enclosed in "<" and ">".
    word_ends : int array, shape (V,)
        The end of each word in `data`.
    char : int array, shape (C,)
        The first byte of each character.
    char_ends : int array, shape (V,)
        For each word, the number of characters up to its end.
    present : bool array, shape (C, max_n − min_n + 1)
        Whether a character begins an n-gram of each length.
    ngrams : NGrams
    """
    first, size = np.nonzero(present)
    begins = char[first]
    ends = np.append(char, len(data))[first + size + ngrams.min_n]
    per_word = np.diff(np.append(0, np.cumsum(present.sum(axis=1)))[char_ends], prepend=0)
    before = np.cumsum(per_word) - per_word
    begins = np.insert(begins, before, word_ends - np.diff(word_ends, prepend=0))  # the whole word comes first
    ends = np.insert(ends, before, word_ends)
    hashes = _murmur3(data, begins, ends)[:, : ngrams.hash_count]
    return (per_word + 1) * hashes.shape[1], (hashes % np.uint32(ngrams.bucket)).astype(np.int32).reshape(-1)


def _murmur3(data: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the 128-bit MurmurHash3 (x64) of byte strings ``data[begins[i] : ends[i]]``: uint32, shape (N, 4)."""
    padded = np.append(data, np.zeros(16, np.uint8))
    lengths = ends - begins
    h1 = np.full(len(begins), HASH_SEED, np.uint64)
    h2 = h1.copy()
    for block in range(int(lengths.max(initial=0)) // 16 + 1):
        some = np.flatnonzero(lengths >= 16 * block)
        left = lengths[some] - 16 * block
        octets = padded[(begins[some] + 16 * block)[:, None] + np.arange(16)]
        octets[np.arange(16) >= left[:, None]] = 0
        k1, k2 = octets.view("<u8").astype(np.uint64).T
        x1 = h1[some] ^ _rotated(k1 * _C1, 31) * _C2
        x2 = h2[some]
        whole = left >= 16  # the last block, which has fewer than 16 bytes, ends here
        y1 = (_rotated(x1, 27) + x2) * np.uint64(5) + np.uint64(0x52DCE729)
        x2 ^= _rotated(k2 * _C2, 33) * _C1
        y2 = (_rotated(x2, 31) + y1) * np.uint64(5) + np.uint64(0x38495AB5)
        h1[some], h2[some] = np.where(whole, y1, x1), np.where(whole, y2, x2)
    h1 ^= lengths.astype(np.uint64)
    h2 ^= lengths.astype(np.uint64)
    h1 += h2
    h2 += h1
    h1, h2 = _mixed(h1), _mixed(h2)
    h1 += h2
    h2 += h1
    return np.stack([h1, h2], axis=1).astype("<u8").view("<u4").astype(np.uint32)


_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
"""Constants of MurmurHash3."""


def _rotated(numbers: np.ndarray, bits: int) -> np.ndarray:
    return (numbers << np.uint64(bits)) | (numbers >> np.uint64(64 - bits))


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Return the final mix of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))


def _marked(word: Any, units: Units = "characters") -> bytes:
    """Return the UTF-8 bytes of a word in its units, enclosed in the marks of its beginning and its end."""
    if isinstance(word, bytes):
        if units == "characters":
            return BEGIN + word + END
        word = word.decode("utf-8", "surrogateescape")
    if not isinstance(word, str):
        raise TypeError(f"the word {quote(word)} is not a string, so it has no n-grams; omit subwords, or use strings")
    spelled = word if units == "characters" else spelled_in(units, word)
    try:
        return BEGIN + spelled.encode("utf-8", "surrogateescape") + END
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the word {quote(word)} is not valid Unicode, so it has no n-grams: {error.reason}. Omit subwords, or "
            "replace the character first, for example with word.encode(errors='replace').decode()"
        ) from None


class Subwords:
    """The rows of W_in whose mean is the vector of a word.

    With V words, rows 0 to V - 1 are the rows of the words themselves. The rows of buckets follow. Only buckets that
    are needed have a row: those of the n-grams of the vocabulary, in the order of the words, and others if they have
    been trained before. A missing row stands for zeros.

    In floret, there are no rows of words, and each bucket has a row.

    Parameters
    ----------
    words : sequence of str
        The vocabulary.
    ngrams : NGrams
    buckets : int array, optional
        Buckets that have a row in any case, in this order. Those of the vocabulary are appended. Ignored in floret.

    Raises
    ------
    TypeError
        If a word is not a string, or an argument has a wrong type.
    ValueError
        If a word is not valid Unicode, a number of `ngrams` is out of range, or the buckets are not distinct.

    Attributes
    ----------
    ngrams : NGrams
    n_words : int
        V, the number of words.
    buckets : int32 array, shape (B,)
        The bucket of each row after those of the words.
    starts : int64 array, shape (V + 1,)
    rows : int32 array
        The rows of word w are in elements ``starts[w]`` to ``starts[w + 1] - 1``. The first of them is w, except in
        floret.

    Examples
    --------
    The words share the n-gram "ing>", which is in row 4:

    >>> from fastw2v.corpus.subwords import NGrams, Subwords
    >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
    >>> [subwords.rows_of_word(word).tolist() for word in range(2)]
    [[0, 2, 3, 4], [1, 5, 6, 4]]
    >>> subwords.n_rows
    7
    """

    def __init__(self, words: Sequence[str | bytes], ngrams: NGrams, buckets: np.ndarray | None = None) -> None:
        check_items("words", words, "a list of words")
        _check_ngrams(ngrams)
        words = words if isinstance(words, Sequence) else list(words)
        self.ngrams = ngrams
        self.n_words = len(words)
        self._words: Sequence[str | bytes] | Callable[[], Sequence[str | bytes]] = ()
        starts, found = ngram_buckets(words, ngrams)
        if ngrams.hash_count is not None:
            self.buckets = np.arange(ngrams.bucket, dtype=np.int32)
            self._table = starts, found
            return
        # N-grams that only one word has are then adjacent, and those of frequent words are near each other.
        needed, index = _by_appearance(found, ngrams.bucket)
        if buckets is None:
            self.buckets, rows = needed, self.n_own_rows + index
        else:
            given = check_integers("buckets", buckets)
            self.buckets = np.concatenate([given, needed[~np.isin(needed, given)]])
            rows = self.rows_of_buckets(needed)[index]  # checks the buckets
        self._table = self._with_own_rows(starts, rows)
        self.buckets = self.buckets.astype(np.int32, copy=False)

    @classmethod
    def with_buckets(
        cls,
        words: Sequence[str | bytes] | Callable[[], Sequence[str | bytes]],
        n_words: int,
        ngrams: NGrams,
        buckets: np.ndarray | None = None,
    ) -> Self:
        """Return the rows of words whose buckets are known, for example from a file.

        The n-grams of the words are computed when `starts` or `rows` is first needed. Words outside the vocabulary do
        not need them.

        Parameters
        ----------
        words : sequence of str or bytes, or callable that returns a sequence
        n_words : int
            The number of words.
        ngrams : NGrams
        buckets : int array, shape (B,), optional
            The bucket of each row, among them those of all words. By default, all buckets in ascending order.

        Raises
        ------
        ValueError
            When the rows are first needed, if the buckets are not distinct numbers below the number of buckets, or an
            n-gram of a word has no row.

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> Subwords.with_buckets(["sing", "ring"], 2, NGrams(min_n=3, max_n=6, bucket=100)).n_rows
        102
        """
        subwords = cls.__new__(cls)
        subwords.ngrams, subwords.n_words, subwords._words = ngrams, n_words, words
        if buckets is None:
            subwords.buckets = np.arange(ngrams.bucket, dtype=np.int32)
            subwords._sorted = subwords.buckets, subwords.buckets
        else:
            subwords.buckets = buckets
        return subwords

    @property
    def starts(self) -> np.ndarray:
        """The first element of each word in `rows`: int64 array, shape (V + 1,).

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> subwords.starts.tolist()
        [0, 4, 8]
        """
        return self._table[0]

    @property
    def rows(self) -> np.ndarray:
        """The rows of all words: int32 array.

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> subwords.rows.tolist()
        [0, 2, 3, 4, 1, 5, 6, 4]
        """
        return self._table[1]

    @property
    def n_own_rows(self) -> int:
        """The number of rows of the words themselves: V, or 0 in floret.

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> subwords.n_own_rows
        2
        """
        return self.n_words if self.ngrams.hash_count is None else 0

    @property
    def n_rows(self) -> int:
        """The number of rows of W_in.

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> subwords.n_rows  # 2 words, and the n-grams <sin, sing, ing>, <rin and ring
        7
        """
        return self.n_own_rows + len(self.buckets)

    def rows_of_word(self, word: int) -> np.ndarray:
        """Return the rows of a word of the vocabulary: int32 array.

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> subwords.rows_of_word(1).tolist()
        [1, 5, 6, 4]
        """
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

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> starts, rows = subwords.rows_of_unseen(["ing"])  # <ing has no row
        >>> rows.tolist()
        [-1, 4]
        """
        starts, buckets = ngram_buckets(words, self.ngrams)
        return starts, self.rows_of_buckets(buckets)

    def rows_of_buckets(self, buckets: np.ndarray) -> np.ndarray:
        """Return the row of each bucket, or −1 if it has none.

        Parameters
        ----------
        buckets : int array, shape (N,)
            Numbers from 0 to ``ngrams.bucket - 1``.

        Returns
        -------
        int64 array, shape (N,)

        Examples
        --------
        >>> import numpy as np
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords.with_buckets(["sing"], 1, NGrams(3, 6, bucket=100), buckets=np.array([70, 20]))
        >>> subwords.rows_of_buckets(np.array([20, 21, 70])).tolist()
        [2, -1, 1]
        """
        known, order = self._sorted
        if len(known) == self.ngrams.bucket:  # every bucket has a row
            return self.n_own_rows + order[buckets].astype(np.int64)
        if not len(known):
            return np.full(len(buckets), -1, np.int64)
        if len(buckets) > self.ngrams.bucket // DENSE:
            row_of = np.full(self.ngrams.bucket, -1, np.int64)
            row_of[self.buckets] = np.arange(self.n_own_rows, self.n_rows)
            return row_of[buckets]
        at = np.minimum(np.searchsorted(known, buckets), len(known) - 1)
        return np.where(known[at] == buckets, self.n_own_rows + order[at], -1)

    def __getstate__(self) -> dict[str, Any]:
        _ = self._table  # a callable that returns the words may refer to an open file
        state = self.__dict__ | {"buckets": np.array(self.buckets)}
        state.pop("_sorted", None)
        return state

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """`starts` and `rows`."""
        table = self._rows_of_words(self._listed())
        self._words = ()  # drop the reference, so that the memory held by a callable can be freed
        return table

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the first elements of the next words and their rows, as in `starts` and `rows`.

        If `rows` are not in memory yet, the n-grams of a block are computed when it is needed and not kept.

        Yields
        ------
        starts : int64 array, shape (N + 1,)
        rows : int array

        Examples
        --------
        >>> from fastw2v.corpus.subwords import NGrams, Subwords
        >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
        >>> for starts, rows in subwords.blocks():
        ...     print(starts.tolist(), rows.tolist())
        [0, 4, 8] [0, 2, 3, 4, 1, 5, 6, 4]
        """
        words = [] if "_table" in self.__dict__ else self._listed()
        for first in range(0, self.n_words, BLOCK_WORDS):
            stop = min(first + BLOCK_WORDS, self.n_words)
            if words:
                yield self._rows_of_words(words[first:stop], first)
            else:
                starts = self.starts[first : stop + 1]
                yield starts - starts[0], self.rows[starts[0] : starts[-1]]

    def _listed(self) -> Sequence[str | bytes]:
        if callable(self._words):
            self._words = self._words()
        return self._words

    def _rows_of_words(self, words: Sequence[str | bytes], first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return `starts` and `rows` of the words from number `first` on."""
        starts, found = ngram_buckets(words, self.ngrams)
        rows = self.rows_of_buckets(found)
        if len(rows) and rows.min() < 0:
            entry = int(np.argmin(rows))
            word = words[int(np.searchsorted(starts, entry, side="right")) - 1]
            raise ValueError(
                f"the word {quote(word)} has an n-gram in bucket {found[entry]}, which has no row; pass the buckets of "
                "all words, or write the file again"
            )
        return self._with_own_rows(starts, rows, first)

    def _with_own_rows(self, starts: np.ndarray, rows: np.ndarray, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return `starts` and `rows`: the given rows of the n-grams of each word, after the row of the word itself."""
        if not self.n_own_rows:
            return starts, rows.astype(np.int32)
        starts = starts + np.arange(len(starts))
        own = np.zeros(starts[-1], bool)
        own[starts[:-1]] = True
        table = np.empty(len(own), np.int32)
        table[own] = first + np.arange(len(starts) - 1)
        table[~own] = rows
        return starts, table

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The buckets in ascending order, and the index of each in `buckets`."""
        order = np.argsort(self.buckets, kind="stable")
        ascending = self.buckets[order]
        if len(order) and not (
            ascending[0] >= 0 and ascending[-1] < self.ngrams.bucket and (ascending[1:] > ascending[:-1]).all()
        ):
            raise ValueError(
                f"the buckets of n-grams must be distinct numbers from 0 to {self.ngrams.bucket - 1}; pass those of "
                "the same model, or write the file again"
            )
        return ascending, order


def select_words(
    subwords: Subwords,
    W_in: Any,
    words: Sequence[str | bytes] | Callable[[], Sequence[str | bytes]],
    n_words: int,
    select: Callable[[Any], Any],
) -> tuple[Subwords, Any]:
    """Return the rows of some of the words, and W_in for them. The rows of all n-grams are kept.

    Parameters
    ----------
    subwords : Subwords
    W_in : float array or ScaledRows, shape (R, D)
    words : sequence of str or bytes, or callable that returns a sequence
        The words that are kept.
    n_words : int
        Their number.
    select : callable
        Function that returns the rows of these words, given the rows of all words, shape (V, D).

    Returns
    -------
    subwords : Subwords
    W_in : float array or ScaledRows
        In floret, where words have no rows of their own, it is the given array.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v.corpus.subwords import NGrams, Subwords, select_words
    >>> subwords = Subwords(["sing", "ring"], NGrams(min_n=4, max_n=4, bucket=2_000_000))
    >>> W_in = np.arange(7.0)[:, None]
    >>> subwords, W_in = select_words(subwords, W_in, ["ring"], 1, lambda rows: rows[1:])
    >>> subwords.rows.tolist(), W_in.ravel().tolist()
    ([0, 4, 5, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    """
    some = Subwords.with_buckets(words, n_words, subwords.ngrams, subwords.buckets)
    V = subwords.n_own_rows
    if not V:
        return some, W_in
    with on_device_of(storage(W_in)):
        return some, concat_rows(select(select_rows(W_in, slice(V))), select_rows(W_in, slice(V, None)))


def _check_ngrams(ngrams: NGrams) -> None:
    check_type("ngrams", ngrams, NGrams, "NGrams(min_n, max_n, bucket)")
    check_integer("min_n", ngrams.min_n, minimum=1)
    check_integer("max_n", ngrams.max_n, minimum=ngrams.min_n)
    check_integer("bucket", ngrams.bucket)
    check_range("bucket", ngrams.bucket, 1, MAX_SIZE)
    if ngrams.hash_count is not None:
        check_integer("hash_count", ngrams.hash_count)
        check_range("hash_count", ngrams.hash_count, 1, MAX_HASH_COUNT)
    check_choice("units", ngrams.units, get_args(Units))


def _by_appearance(numbers: np.ndarray, bound: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct numbers in order of first appearance, and for each given number, its index among them.

    All numbers must be below `bound`. For millions of numbers, this is several times faster than `np.unique`.
    """
    ids = numbers
    if len(numbers) <= bound // DENSE:  # tables of all possible numbers would be too large
        ascending = np.sort(numbers)
        distinct = ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending
        ids, bound = np.searchsorted(distinct, numbers), len(distinct)
    first = np.full(bound, -1, np.int64)
    first[ids[::-1]] = np.arange(len(ids))[::-1]  # of several assignments to an element, the last remains
    appearances = np.sort(first[first >= 0])
    place = np.empty(bound, np.int64)
    place[ids[appearances]] = np.arange(len(appearances))
    return numbers[appearances], place[ids]
