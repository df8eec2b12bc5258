"""Word vectors: who is near whom.

`WordVectors` is what training leaves: words, their vectors, and questions to ask of them. Below it are the
textbook's three helpers on a bare matrix and two dictionaries. Everything runs where the array lives.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host, top_k

__all__ = ["UnknownWordError", "WordVectors", "analogy", "cos_similarity", "most_similar"]


class UnknownWordError(KeyError):
    """A word that the vocabulary does not have.

    Parameters
    ----------
    word : str
    vocabulary : collection of str
        Most frequent words first. Near spellings are looked for only when the message is read, so that
        catching the error costs nothing.
    """

    def __init__(self, word: str, vocabulary: Collection[str] = ()) -> None:
        super().__init__(word)
        self.word = word
        self.vocabulary = vocabulary

    def __str__(self) -> str:
        message = f"{self.word!r} is not in the vocabulary of {len(self.vocabulary):,} words."
        if near := _near_spellings(self.word, self.vocabulary):
            message += f" Near spellings: {', '.join(map(repr, near))}."
        return message


class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str
        V distinct words, by convention the most frequent first.
    vectors : float array, shape (V, D)
        Of any array library; kept as it is, where it is. Not to be changed after the first query, which
        remembers its rows at unit length.
    counts : integer array, shape (V,), optional
        How often each word occurred in the corpus.
    context_vectors : float array, shape (V, D), optional
        The output side of the model, W_out.
    settings : dict, optional
        How the vectors were made; anything that JSON can hold.

    Attributes
    ----------
    vectors, counts, context_vectors, settings
        As given; `counts` as int64 on the host.
    index_to_key : list of str
        The words, in the order of the rows.
    key_to_index : dict of str to int
        The row of each word.
    vector_size : int
        D.

    Raises
    ------
    ValueError
        If a word occurs twice, there is no word at all, or the shapes do not fit.
    TypeError
        If a word is not a string or the vectors are not an array of floats.

    Notes
    -----
    Similarity is the cosine. A row of zeros, or one that holds NaN or infinity, has no direction: its
    similarity to everything is 0, and a query made of nothing else is refused.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: Any,
        counts: Any = None,
        context_vectors: Any = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(words, str):
            raise TypeError("words is a single string; give a sequence of words, one for each row of vectors")
        self.index_to_key = list(words)
        self.key_to_index = {word: row for row, word in enumerate(self.index_to_key)}
        _check_words(self.index_to_key, self.key_to_index)
        self.vectors = _checked_matrix("vectors", vectors)
        if vectors.shape[0] != len(self.index_to_key) or vectors.shape[1] < 1:
            raise ValueError(
                f"vectors has shape {tuple(vectors.shape)}, but there are {len(self.index_to_key)} words: "
                f"it must be ({len(self.index_to_key)}, D) with D at least 1"
            )
        self.context_vectors = None
        if context_vectors is not None:
            self.context_vectors = _checked_matrix("context_vectors", context_vectors)
            if context_vectors.shape != vectors.shape:
                raise ValueError(
                    f"context_vectors has shape {tuple(context_vectors.shape)}; "
                    f"it must be that of vectors, {tuple(vectors.shape)}"
                )
        self.counts = None if counts is None else _checked_counts(counts, len(self.index_to_key))
        self.settings = settings
        self._unit_vectors: Any = None

    @property
    def vector_size(self) -> int:
        """The number of dimensions, D."""
        return int(self.vectors.shape[1])

    @property
    def unit_vectors(self) -> Any:
        """The vectors at unit length, computed once: array, shape (V, D), of at least single precision."""
        if self._unit_vectors is None:
            self._unit_vectors = _unit_rows(self.vectors)
        return self._unit_vectors

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self.key_to_index

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words, {self.vector_size} dimensions, {self.vectors.dtype})"

    def __getitem__(self, words: Any) -> Any:
        """Return the vector of a word, shape (D,), or the vectors of a list of n words, shape (n, D).

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If something other than a string is asked for.
        """
        if isinstance(words, str) or not isinstance(words, Iterable):
            return self.get_vector(words)
        xp = get_namespace(self.vectors)
        rows = [self._row(word) for word in words]
        return xp.take(self.vectors, xp.asarray(rows, dtype=xp.int64, device=get_device(self.vectors)), axis=0)

    def get_vector(self, word: str) -> Any:
        """Return the vector of a word: array, shape (D,).

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If `word` is not a string. An integer is never taken for a row number.
        """
        return self.vectors[self._row(word), :]

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine of two words' vectors, 0.0 where one of them has no direction.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        xp = get_namespace(self.vectors)
        row_a, row_b = self._row(a), self._row(b)
        return float(xp.sum(self.unit_vectors[row_a, :] * self.unit_vectors[row_b, :]))

    def most_similar(self, positive: Any, negative: Any = (), topn: int = 10) -> list[tuple[str, float]]:
        """Return the words nearest to a sum of words and vectors.

        Parameters
        ----------
        positive, negative : word, vector, or list of them
            What is added and what is taken away. Words count at unit length and are left out of the
            result; vectors, shape (D,), count as they are.
        topn : int
            How many words to return; fewer when the vocabulary is smaller.

        Returns
        -------
        list of (str, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If nothing is asked for, a vector has another shape, `topn` is negative, or the sum has no
            direction: it is zero or not finite.
        """
        if operator.index(topn) < 0:
            raise ValueError(f"topn is {topn}; it must be 0 or more")
        xp = get_namespace(self.vectors)
        added, rows = self._terms(positive)
        taken, more_rows = self._terms(negative)
        if not added and not taken:
            raise ValueError("most_similar: neither positive nor negative names a word or a vector")
        query = xp.zeros(self.vector_size, dtype=self.unit_vectors.dtype, device=get_device(self.vectors))
        for vector in added:
            query = query + vector
        for vector in taken:
            query = query - vector
        query = _unit_rows(query[None, :])[0, :]
        if not bool(xp.any(query != 0)):
            raise ValueError(
                "most_similar: the query has no direction, so nothing is near it: "
                "its words and vectors add up to zero or hold NaN or infinity"
            )
        return _ranked(self.unit_vectors @ query, self.index_to_key, rows | more_rows, topn)

    def analogy(self, a: str, b: str, c: str, topn: int = 10) -> list[tuple[str, float]]:
        """Return the words that are to `c` as `b` is to `a`: those nearest to b − a + c at unit lengths (3CosAdd).

        Parameters
        ----------
        a, b, c : str
            "man", "king" and "woman", say. They are left out of the result.
        topn : int
            How many words to return.

        Returns
        -------
        list of (str, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        for word in (a, b, c):
            self._row(word)
        return self.most_similar(positive=[b, c], negative=[a], topn=topn)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vectors to a file, in the format that its suffix names: see `formats.write`."""
        from fastw2v import formats

        formats.write(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> WordVectors:
        """Read vectors from a file, in the format that its suffix names: see `formats.read`."""
        from fastw2v import formats

        return formats.read(path)

    def _row(self, word: Any) -> int:
        if not isinstance(word, str):
            remedy = f"; for row number {word} use .vectors[{word}]" if isinstance(word, Integral) else ""
            raise TypeError(f"{word!r} is not a word: words are strings{remedy}")
        try:
            return self.key_to_index[word]
        except KeyError:
            raise UnknownWordError(word, self.key_to_index) from None

    def _terms(self, given: Any) -> tuple[list[Any], set[int]]:
        """Return the vectors of one side of a query, and the rows of the words among them."""
        xp = get_namespace(self.vectors)
        single = isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "ndim", None) == 1
        vectors: list[Any] = []
        rows: set[int] = set()
        for term in [given] if single else given:
            if getattr(term, "ndim", 0) == 0:
                row = self._row(term)
                rows.add(row)
                vectors.append(self.unit_vectors[row, :])
            elif term.shape == (self.vector_size,):
                host = to_host(term).astype(to_host(self.unit_vectors[:0, :]).dtype)
                vectors.append(xp.asarray(host, device=get_device(self.vectors)))
            else:
                raise ValueError(f"a vector has shape {tuple(term.shape)}; it must be ({self.vector_size},)")
        return vectors, rows


def cos_similarity(x: Any, y: Any, eps: float = 1e-8) -> Any:
    """Return the cosine of two vectors.

    Parameters
    ----------
    x, y : float array, shape (D,)
    eps : float
        Added to the lengths, so that a vector of zeros gives 0 and not NaN.

    Returns
    -------
    float array, shape ()
    """
    xp = get_namespace(x, y)
    nx = x / (xp.sqrt(xp.sum(x * x)) + eps)
    ny = y / (xp.sqrt(xp.sum(y * y)) + eps)
    return xp.sum(nx * ny)


def most_similar(
    query: str, word_to_id: Mapping[str, int], id_to_word: Mapping[int, str], word_matrix: Any, top: int = 5
) -> list[tuple[str, float]]:
    """Print the words nearest to a word, as the textbook does, and return them.

    Parameters
    ----------
    query : str
        An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.

    Returns
    -------
    list of (str, float)
        Words and cosines, nearest first.
    """
    if query not in word_to_id:
        print(f"{query} is not found")
        return []
    print(f"\n[query] {query}")
    matrix = _at_least_single(word_matrix)
    xp = get_namespace(matrix)
    lengths = xp.sqrt(xp.sum(matrix * matrix, axis=1, keepdims=True))
    unit = matrix / (lengths + 1e-8)
    query_id = word_to_id[query]
    pairs = _ranked(unit @ unit[query_id, :], id_to_word, {query_id}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs


def analogy(
    a: str,
    b: str,
    c: str,
    word_to_id: Mapping[str, int],
    id_to_word: Mapping[int, str],
    word_matrix: Any,
    top: int = 5,
    answer: str | None = None,
) -> list[tuple[str, float]]:
    """Print the words that are to `c` as `b` is to `a`, as the textbook does, and return them.

    Parameters
    ----------
    a, b, c : str
        They are left out of the result. An unknown word is reported in print, and the result is empty.
    word_to_id, id_to_word : dict
    word_matrix : float array, shape (V, D)
    top : int
        How many words to print.
    answer : str, optional
        A word whose score is printed first.

    Returns
    -------
    list of (str, float)
        Words and scores, highest first. The score is the textbook's: the product of the word's vector, at
        its own length, with b − a + c at unit length. `WordVectors.analogy` brings every vector to unit length.
    """
    for word in (a, b, c) if answer is None else (a, b, c, answer):
        if word not in word_to_id:
            print(f"{word} is not found")
            return []
    print(f"\n[analogy] {a}:{b} = {c}:?")
    matrix = _at_least_single(word_matrix)
    query = matrix[word_to_id[b], :] - matrix[word_to_id[a], :] + matrix[word_to_id[c], :]
    scores = matrix @ _unit_rows(query[None, :])[0, :]
    if answer is not None:
        print(f"==>{answer}:{float(scores[word_to_id[answer]])}")
    pairs = _ranked(scores, id_to_word, {word_to_id[word] for word in (a, b, c)}, top)
    for word, score in pairs:
        print(f" {word}: {score}")
    return pairs


def _ranked(
    scores: Any, id_to_word: Sequence[str] | Mapping[int, str], left_out: set[int], top: int
) -> list[tuple[str, float]]:
    """Return the `top` words of the highest scores, without those left out or whose score is NaN."""
    xp = get_namespace(scores)
    scores = xp.where(xp.isnan(scores), xp.full_like(scores, -xp.inf), scores)
    values, ids = top_k(scores, min(scores.shape[0], top + len(left_out)))
    ranked = zip(to_host(ids).tolist(), to_host(values).tolist(), strict=True)
    return [(id_to_word[i], value) for i, value in ranked if i not in left_out and value > -math.inf][:top]


def _at_least_single(matrix: Any) -> Any:
    xp = get_namespace(matrix)
    return matrix if matrix.dtype in (xp.float32, xp.float64) else xp.astype(matrix, xp.float32)


def _unit_rows(matrix: Any) -> Any:
    """Return the rows at unit length; rows of zeros and rows that are not finite become zeros.

    Rows are first divided by their largest value, so that no square overflows or vanishes, and go by blocks,
    so that beside the result no second matrix is made.
    """
    xp = get_namespace(matrix)
    dtype = xp.float64 if matrix.dtype == xp.float64 else xp.float32
    unit = xp.empty(matrix.shape, dtype=dtype, device=get_device(matrix))
    block = max(1, 2**20 // matrix.shape[1])
    for start in range(0, matrix.shape[0], block):
        stop = min(start + block, matrix.shape[0])
        rows = xp.astype(matrix[start:stop, :], dtype)
        rows = xp.where(xp.all(xp.isfinite(rows), axis=1, keepdims=True), rows, xp.zeros_like(rows))
        largest = xp.max(xp.abs(rows), axis=1, keepdims=True)
        rows = rows / xp.where(largest > 0, largest, xp.ones_like(largest))
        length = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))
        unit[start:stop, :] = rows / xp.where(length > 0, length, xp.ones_like(length))
    return unit


def _near_spellings(word: str, vocabulary: Collection[str]) -> list[str]:
    """Return up to three known words that look like `word`, among the more frequent ones if there are many."""
    if len(word) > 60:
        return []
    near = [variant for variant in dict.fromkeys((word.lower(), word.title(), word.upper())) if variant in vocabulary]
    candidates = []
    for known, _ in zip(vocabulary, range(50_000), strict=False):
        if abs(len(known) - len(word)) <= 2 and known not in near:
            candidates.append(known)
    return (near + difflib.get_close_matches(word, candidates, n=3))[:3]


def _check_words(words: list[Any], rows: dict[Any, int]) -> None:
    if not words:
        raise ValueError("there are no words: WordVectors needs at least one")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"words holds {word!r} of type {type(word).__name__}; every word must be a string")
    if len(rows) < len(words):
        first, again = next((i, rows[word]) for i, word in enumerate(words) if rows[word] != i)
        raise ValueError(f"the word {words[first]!r} occurs twice, in rows {first} and {again}; words must be distinct")


def _checked_matrix(name: str, matrix: Any) -> Any:
    if not hasattr(matrix, "dtype"):
        raise TypeError(f"{name} is of type {type(matrix).__name__}; it must be an array")
    xp = get_namespace(matrix)
    if not xp.isdtype(matrix.dtype, "real floating"):
        raise TypeError(f"{name} is of type {matrix.dtype}; it must be of floats: float16, float32 or float64")
    if matrix.ndim != 2:
        raise ValueError(f"{name} has {matrix.ndim} dimensions; it must have 2: one row for each word")
    return matrix


def _checked_counts(counts: Any, n_words: int) -> np.ndarray:
    host = np.asarray(counts) if isinstance(counts, Sequence) else to_host(counts)
    if host.dtype.kind not in "iu":
        raise TypeError(f"counts is of type {host.dtype}; it must be of integers")
    if host.shape != (n_words,):
        raise ValueError(f"counts has shape {host.shape}; it must be ({n_words},), one for each word")
    if host.min() < 0:
        raise ValueError(f"counts holds {host.min()}; a word cannot occur a negative number of times")
    return host.astype(np.int64)
