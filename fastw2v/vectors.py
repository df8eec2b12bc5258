"""Word vectors: who is near whom.

`WordVectors` is what training leaves: words, their vectors, and questions to ask of them. Its methods have gensim's
names and meaning; those that are but other names are inherited from `fastw2v.gensim_names`. Everything runs where the
array lives.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.approximate import ApproximateIndex, Backend
from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.gensim_names import GensimNames
from fastw2v.keys import Key, UnknownWordError, checked_keys, rows_of
from fastw2v.search import at_least_single, nearest_rows, ranked, unit_rows

__all__ = ["Key", "UnknownWordError", "WordVectors"]

log = logging.getLogger(__name__)


class WordVectors(GensimNames):
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str or of int, or a function that returns one
        V distinct words, by convention the most frequent first, or V integers, such as the nodes of a graph. A
        function is called, and its words are checked, when they are first needed.
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
    index_to_key : list of str or of int
        The words, in the order of the rows.
    key_to_index : dict of str or int to int
        The row of each word.
    vector_size : int
        D.

    Raises
    ------
    ValueError
        If a word occurs twice, there is no word at all, or the shapes do not fit.
    TypeError
        If a word is neither string nor integer, there are words of both kinds, or the vectors are not an array of
        floats.

    Notes
    -----
    Similarity is the cosine. A row of zeros, or one that holds NaN or infinity, has no direction: its
    similarity to everything is 0, and a query made of nothing else is refused.

    An integer is a word where the words are integers, and an error elsewhere. It is never a row number.
    """

    def __init__(
        self,
        words: Sequence[Key] | Callable[[], Sequence[Key]],
        vectors: Any,
        counts: Any = None,
        context_vectors: Any = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.vectors = _checked_matrix("vectors", vectors)
        if min(vectors.shape) < 1:
            nothing = "no words" if vectors.shape[0] < 1 else "no dimensions"
            raise ValueError(
                f"vectors has shape {tuple(vectors.shape)}, so there are {nothing}: it must be (V, D), each at least 1"
            )
        self.context_vectors = None
        if context_vectors is not None:
            self.context_vectors = _checked_matrix("context_vectors", context_vectors)
            if context_vectors.shape != vectors.shape:
                raise ValueError(
                    f"context_vectors has shape {tuple(context_vectors.shape)}; "
                    f"it must be that of vectors, {tuple(vectors.shape)}"
                )
        self.counts = None if counts is None else _checked_counts(counts, len(self))
        self.settings = settings
        self._unit_vectors: Any = None
        self._words = words
        if not callable(words):
            _ = self.key_to_index

    @cached_property
    def index_to_key(self) -> list[Any]:
        """The words, in the order of the rows."""
        words = self._words() if callable(self._words) else self._words
        self._words = ()  # whatever held them can go
        return checked_keys(words, len(self))

    @cached_property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word."""
        return rows_of(self.index_to_key)

    @property
    def vector_size(self) -> int:
        """The number of dimensions, D."""
        return int(self.vectors.shape[1])

    @property
    def unit_vectors(self) -> Any:
        """The vectors at unit length, computed once: array, shape (V, D), of at least single precision."""
        if self._unit_vectors is None:
            self._unit_vectors = unit_rows(self.vectors)
        return self._unit_vectors

    # Words and their vectors

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return self._is_key(word) and word in self.key_to_index

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words, {self.vector_size} dimensions, {self.vectors.dtype})"

    def __getitem__(self, words: Any) -> Any:
        """Return the vector of a word, the vectors of a list of words, or the word vectors of a slice of rows.

        Parameters
        ----------
        words : str or int, iterable of n of them, or slice
            ``vectors[:1000]`` are the first thousand words with their vectors.

        Returns
        -------
        array, shape (D,) or (n, D), or WordVectors

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If something other than a word is asked for.
        ValueError
            If the slice is empty.
        """
        if isinstance(words, slice):
            return self._sliced(words)
        if isinstance(words, str) or not isinstance(words, Iterable):
            return self.get_vector(words)
        return self._taken(self.vectors, [self._row(word) for word in words])

    def get_vector(self, word: Key, norm: bool = False) -> Any:
        """Return the vector of a word: array, shape (D,).

        Parameters
        ----------
        word : str or int
        norm : bool
            Return it at unit length.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If `word` is not of the kind that the words are. An integer is never taken for a row number.
        """
        row = self._row(word)
        return (self.unit_vectors if norm else self.vectors)[row, :]

    def get_index(self, word: Key, default: int | None = None) -> int:
        """Return the row of a word, or `default` where it is given and there is no such word.

        Raises
        ------
        UnknownWordError
            If there is no such word and no default.
        TypeError
            If `word` is not of the kind that the words are.
        """
        return self._row(word) if default is None or word in self else default

    # Neighbours

    def most_similar(
        self,
        positive: Any = (),
        negative: Any = (),
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words nearest to a sum of words and vectors.

        Parameters
        ----------
        positive, negative : word, vector, or list of them
            What is added and what is taken away. Words count at unit length and are left out of the
            result; vectors, shape (D,), count as they are. A pair ``(word or vector, weight)`` in a list counts
            with its own weight, in `negative` as well: ``("king", -2.0)`` takes twice away in either.
        topn : int or None
            How many words to return; fewer when the vocabulary is smaller. None returns every cosine.
        clip_start, clip_end : int
            Search these rows only, from the first up to and without the last.
        restrict_vocab : int, optional
            Search the first so many words only, whatever `clip_start` and `clip_end` say.

        Returns
        -------
        list of (str or int, float), or array
            Words and cosines, nearest first. With `topn` None the cosines of the rows searched, in their order.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If nothing is asked for, a vector has another shape, `topn` or a bound is negative, or the sum has no
            direction: it is zero or not finite.
        """
        query, rows = self._sum(positive, negative)
        start, stop = self._searched(clip_start, clip_end, restrict_vocab)
        return self._ranked_rows(query, rows, topn, start, stop)

    def most_similar_cosmul(
        self, positive: Any = (), negative: Any = (), topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to all of some words at once, and far from others (3CosMul).

        The score is the product of the positive similarities divided by that of the negative ones, each moved from
        −1..1 to 0..1 (Levy and Goldberg, 2014): no single term can outweigh the rest, as in a sum.

        Parameters
        ----------
        positive, negative : word, vector, or list of them
            All count at unit length; words are left out of the result.
        topn : int or None
            How many words to return; None returns every score.
        restrict_vocab : int, optional
            Search the first so many words only.

        Returns
        -------
        list of (str or int, float), or array
            Words and scores, highest first. With `topn` None the scores of the rows searched, in their order.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If there is nothing positive, a term has a weight, another shape or no direction, or `topn` or
            `restrict_vocab` is negative.
        """
        xp = get_namespace(self.vectors)
        terms, rows = self._terms(positive, 1.0)
        taken, more_rows = self._terms(negative, -1.0)
        if not terms:
            raise ValueError("most_similar_cosmul: positive names no word and no vector")
        if any(weight != 1 for _, weight in terms) or any(weight != -1 for _, weight in taken):
            raise ValueError("most_similar_cosmul: a term has a weight; weights are for most_similar")
        start, stop = self._searched(0, None, restrict_vocab)
        queries = self._directions(xp.stack([vector for vector, _ in terms + taken]))
        shares = (1 + queries @ self.unit_vectors[start:stop, :].T) / 2
        scores = xp.prod(shares[: len(terms), :], axis=0) / (xp.prod(shares[len(terms) :, :], axis=0) + 1e-6)
        if topn is None:
            return scores
        return ranked(scores, self.index_to_key, set(rows + more_rows), _checked_topn(topn))

    def nearest(self, queries: Any, topn: int = 10, restrict_vocab: int | None = None) -> list[list[tuple[Any, float]]]:
        """Return the words nearest to each of many words or vectors: `most_similar` of each, many times faster.

        Parameters
        ----------
        queries : iterable of words and vectors, or float array, shape (n, D)
            A word is left out of its own result.
        topn : int
            How many words to return for each; fewer when the vocabulary is smaller.
        restrict_vocab : int, optional
            Search the first so many words only.

        Returns
        -------
        list of n lists of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        TypeError
            If `queries` is a single word.
        ValueError
            If a vector has another shape or no direction, or `topn` or `restrict_vocab` is negative.
        """
        topn = _checked_topn(topn)
        _, stop = self._searched(0, None, restrict_vocab)
        matrix, left_out = self._query_matrix(queries)
        left_out = left_out[left_out[:, 1] < stop]
        k = min(stop, topn)
        if not matrix.shape[0] or not k:
            return [[] for _ in range(matrix.shape[0])]
        rows, cosines = nearest_rows(self.unit_vectors[:stop, :], matrix, k, left_out)
        words = map(self.index_to_key.__getitem__, to_host(rows).ravel().tolist())
        pairs = list(zip(words, to_host(cosines).ravel().tolist(), strict=True))
        found = [pairs[start : start + k] for start in range(0, len(pairs), k)]
        # Words that were left out are at the end of those that had too few others.
        return [one if one[-1][1] > -math.inf else [pair for pair in one if pair[1] > -math.inf] for one in found]

    def nearest_neighbours(self, topn: int = 10) -> tuple[Any, Any]:
        """Return the nearest neighbours of every word: the k-nearest-neighbour graph of the vocabulary.

        Parameters
        ----------
        topn : int
            Neighbours of each word; at most V − 1 are found.

        Returns
        -------
        rows : int64 array, shape (V, min(topn, V − 1))
            Of each word, the rows of its neighbours, nearest first.
        cosines : float array of the same shape

        Raises
        ------
        ValueError
            If `topn` is negative.
        """
        own = np.arange(len(self))
        k = min(_checked_topn(topn), len(self) - 1)
        return nearest_rows(self.unit_vectors, self.unit_vectors, k, np.stack([own, own], axis=1))

    def index(
        self, backend: Backend = "usearch", M: int = 16, ef_construction: int = 128, ef_search: int = 128
    ) -> ApproximateIndex:
        """Return an index for approximate search, which looks at a few hundred words in place of all.

        Parameters
        ----------
        backend : {"usearch", "faiss"}
            The package that does it, an extra of this one.
        M, ef_construction, ef_search : int
            As in `ApproximateIndex`: links of each word, and words looked at while building and while searching.

        Returns
        -------
        ApproximateIndex
            With `most_similar`, `nearest`, and `recall`, which tells how much it finds.

        Raises
        ------
        ImportError
            If the package is not installed.
        ValueError
            If there is no such backend, or a number is too small.
        """
        return ApproximateIndex(self, backend, M, ef_construction, ef_search)

    def analogy(
        self, a: Key, b: Key, c: Key, topn: int = 10, restrict_vocab: int | None = None
    ) -> list[tuple[Any, float]]:
        """Return the words that are to `c` as `b` is to `a`: those nearest to b − a + c at unit lengths (3CosAdd).

        Parameters
        ----------
        a, b, c : str or int
            "man", "king" and "woman", say. They are left out of the result.
        topn : int
            How many words to return.
        restrict_vocab : int, optional
            Search the first so many words only.

        Returns
        -------
        list of (str or int, float)
            Words and cosines, nearest first.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        for word in (a, b, c):
            self._row(word)
        found: list[tuple[Any, float]] = self.most_similar(
            positive=[b, c], negative=[a], topn=_checked_topn(topn), restrict_vocab=restrict_vocab
        )
        return found

    def closer_than(self, word: Key, other: Key) -> list[Any]:
        """Return the words that are closer to `word` than `other` is, in the order of the rows.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        xp = get_namespace(self.vectors)
        row, other_row = self._row(word), self._row(other)
        cosines = self.unit_vectors @ self.unit_vectors[row, :]
        closer = to_host(xp.nonzero(cosines > cosines[other_row])[0]).tolist()
        return [self.index_to_key[i] for i in closer if i != row]

    def rank(self, word: Key, other: Key) -> int:
        """Return the place of `other` among the neighbours of `word`: 1 for the nearest.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        return len(self.closer_than(word, other)) + 1

    # Similarities

    def similarity(self, a: Key, b: Key) -> float:
        """Return the cosine of two words' vectors, 0.0 where one of them has no direction.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        xp = get_namespace(self.vectors)
        row_a, row_b = self._row(a), self._row(b)
        cosine = float(xp.sum(self.unit_vectors[row_a, :] * self.unit_vectors[row_b, :]))
        return max(-1.0, min(cosine, 1.0))  # a rounding beyond would make a negative distance

    def distance(self, a: Key, b: Key) -> float:
        """Return 1 − `similarity` of two words.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        """
        return 1 - self.similarity(a, b)

    def distances(self, word_or_vector: Any, other_words: Iterable[Key] = ()) -> Any:
        """Return 1 − cosine of one word or vector and each of many words.

        Parameters
        ----------
        word_or_vector : str, int, or float array, shape (D,)
        other_words : iterable of n words
            When there is none, all words in the order of the rows.

        Returns
        -------
        float array, shape (n,)

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If a vector has another shape.
        """
        others = list(other_words)
        unit = self._taken(self.unit_vectors, [self._row(word) for word in others]) if others else self.unit_vectors
        ((vector, _),), _ = self._terms([word_or_vector], 1.0)
        return 1 - unit @ unit_rows(vector[None, :])[0, :]

    def n_similarity(self, words: Iterable[Key], others: Iterable[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words.

        The vectors count at their own lengths. Unknown words are left out.

        Raises
        ------
        ValueError
            If one of the lists has no known word.
        """
        xp = get_namespace(self.vectors)
        means = []
        for given in (words, others):
            known = [self._row(word) for word in _listed("n_similarity", given) if word in self]
            if not known:
                raise ValueError("n_similarity: a list has no word that is in the vocabulary")
            means.append(xp.mean(at_least_single(self._taken(self.vectors, known)), axis=0))
        unit = unit_rows(xp.stack(means))
        return float(xp.sum(unit[0, :] * unit[1, :]))

    def get_mean_vector(
        self,
        keys: Iterable[Any],
        weights: Iterable[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Any:
        """Return the weighted mean of words and vectors.

        Parameters
        ----------
        keys : iterable of words and vectors, shape (D,)
        weights : iterable of float, optional
            One for each; their absolute values add up to the divisor.
        pre_normalize : bool
            Let words count at unit length. Vectors count as they are.
        post_normalize : bool
            Return the mean at unit length.
        ignore_missing : bool
            Leave out unknown words, rather than raise.

        Returns
        -------
        float array, shape (D,)
            Zeros where all words are unknown.

        Raises
        ------
        UnknownWordError
            If a word is unknown and `ignore_missing` is false.
        ValueError
            If there is nothing to take the mean of, there are not as many weights, or a vector has another shape.
        """
        xp = get_namespace(self.vectors)
        given = _listed("get_mean_vector", keys)
        factors = [1.0] * len(given) if weights is None else [float(weight) for weight in weights]
        if not given:
            raise ValueError("get_mean_vector: there are no words and no vectors to take the mean of")
        if len(factors) != len(given):
            raise ValueError(f"get_mean_vector: there are {len(given)} words and vectors, but {len(factors)} weights")
        mean = xp.zeros(self.vector_size, dtype=self.unit_vectors.dtype, device=get_device(self.vectors))
        total = 0.0
        for key, factor in zip(given, factors, strict=True):
            if getattr(key, "ndim", 0) != 0:
                vector = self._term(key)[0]
            elif ignore_missing and self._is_key(key) and key not in self:
                continue
            else:
                vector = at_least_single(self.get_vector(key, norm=pre_normalize))
            mean = mean + factor * vector
            total += abs(factor)
        mean = mean / total if total else mean
        return unit_rows(mean[None, :])[0, :] if post_normalize else mean

    def rank_by_centrality(self, words: Iterable[Key], use_norm: bool = True) -> list[tuple[float, Any]]:
        """Return the words with their similarity to the mean of them all, the most similar first.

        Parameters
        ----------
        words : iterable of str or int
            Unknown words are left out, with a warning in the log.
        use_norm : bool
            Let the words count at unit length.

        Returns
        -------
        list of (float, str or int)

        Raises
        ------
        ValueError
            If no word is known.
        """
        given = _listed("rank_by_centrality", words)
        known = [word for word in given if word in self]
        if len(known) < len(given):
            log.warning("left out, as they are not in the vocabulary: %s", [word for word in given if word not in self])
        if not known:
            raise ValueError("none of the words is in the vocabulary")
        vectors = self._taken(self.unit_vectors if use_norm else self.vectors, [self._row(word) for word in known])
        vectors = at_least_single(vectors)
        mean = get_namespace(vectors).mean(vectors, axis=0)
        scores = to_host(vectors @ unit_rows(mean[None, :])[0, :]).tolist()
        return sorted(zip(scores, known, strict=True), reverse=True)

    def doesnt_match(self, words: Iterable[Key]) -> Any:
        """Return the word that goes least with the others: the farthest from the mean of them all.

        Unknown words are left out, with a warning in the log.

        Raises
        ------
        ValueError
            If no word is known.
        """
        return self.rank_by_centrality(words)[-1][1]

    # Other word vectors made of these

    def vectors_for_all(self, keys: Iterable[Key]) -> WordVectors:
        """Return the vectors of the words that are known among `keys`, in that order, each once.

        Raises
        ------
        ValueError
            If no word is known.
        """
        return self._with_rows([self._row(key) for key in dict.fromkeys(keys) if key in self])

    def __and__(self, words: Collection[Key]) -> WordVectors:
        """Return the words that are also among `words`, a collection or word vectors, with these vectors."""
        if isinstance(words, str) or not isinstance(words, Collection):
            return NotImplemented
        kept = words if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word in kept])

    def __sub__(self, words: Collection[Key]) -> WordVectors:
        """Return the words that are not among `words`, a collection or word vectors, with these vectors."""
        if isinstance(words, str) or not isinstance(words, Collection):
            return NotImplemented
        dropped = words if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word not in dropped])

    def __or__(self, other: WordVectors) -> WordVectors:
        """Return these words and vectors, followed by those of `other` that are not among them.

        Counts and context vectors are kept where both have them. The vectors of two models mean something
        together only once one is aligned to the other: see `align`.

        Raises
        ------
        ValueError
            If the numbers of dimensions differ.
        """
        if not isinstance(other, WordVectors):
            return NotImplemented
        if other.vector_size != self.vector_size:
            raise ValueError(f"these vectors have {self.vector_size} dimensions, the others {other.vector_size}")
        rows = [row for row, word in enumerate(other) if word not in self]
        if not rows:
            return self
        added = other._with_rows(rows)
        xp = get_namespace(self.vectors)
        counts = context = None
        if self.counts is not None and added.counts is not None:
            counts = np.concatenate([self.counts, added.counts])
        if self.context_vectors is not None and added.context_vectors is not None:
            context = xp.concat([self.context_vectors, added.context_vectors], axis=0)
        vectors = xp.concat([self.vectors, added.vectors], axis=0)
        return WordVectors(self.index_to_key + added.index_to_key, vectors, counts, context)

    def align(self, other: WordVectors, words: Iterable[Key] | None = None) -> WordVectors:
        """Return these vectors turned so that they lie as near to `other` as a rotation can bring them.

        Two trainings, be it of other seeds, years or corpora, agree on angles at best, never on axes. The
        orthogonal Procrustes solution turns one onto the other and changes no angle within it.

        Parameters
        ----------
        other : WordVectors
            With as many dimensions.
        words : iterable of str or int, optional
            The words that should meet, all of them known to both; by default all that are. They count alike: at
            unit length.

        Returns
        -------
        WordVectors
            The same words, with vectors and context vectors turned.

        Raises
        ------
        UnknownWordError
            If one of `words` is unknown.
        ValueError
            If the numbers of dimensions differ or there are no common words.
        """
        if other.vector_size != self.vector_size:
            raise ValueError(f"these vectors have {self.vector_size} dimensions, the others {other.vector_size}")
        anchors = [word for word in self if word in other] if words is None else _listed("align", words)
        if not anchors:
            raise ValueError("align: the two vocabularies have no word in common")
        xp, device = get_namespace(self.vectors), get_device(self.vectors)
        here = to_host(self._taken(self.unit_vectors, [self._row(word) for word in anchors]))
        there = to_host(other._taken(other.unit_vectors, [other._row(word) for word in anchors]))
        left, _, right = np.linalg.svd(here.astype(np.float64).T @ there.astype(np.float64))

        def turned(matrix: Any) -> Any:
            return matrix @ xp.asarray(left @ right, dtype=matrix.dtype, device=device)

        context = None if self.context_vectors is None else turned(self.context_vectors)
        return WordVectors(self.index_to_key, turned(self.vectors), self.counts, context, self.settings)

    # Files and scores

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vectors to a file, in the format that its suffix names: see `formats.write`.

        A suffix that names no format, or ``.kv``, holds safetensors, so that gensim's programs keep their file names.
        """
        from fastw2v import formats

        named = Path(path).suffix.lower() in {*formats.SUFFIXES, ".gz"}
        formats.write(self, path, None if named else "safetensors")

    @classmethod
    def load(cls, path: str | PathLike[str], mmap: str | None = None) -> WordVectors:
        """Read vectors from a file, in the format that its suffix names: see `formats.read`.

        `mmap` is gensim's: what can be mapped into memory always is.
        """
        from fastw2v import formats

        return formats.read(path)

    # Helpers

    def _is_key(self, word: object) -> bool:
        """Return whether this is of the kind that the words are."""
        if isinstance(self.index_to_key[0], str):
            return isinstance(word, str)
        return isinstance(word, Integral) and not isinstance(word, bool)

    def _row(self, word: Any) -> int:
        if not self._is_key(word):
            kind = "strings" if isinstance(self.index_to_key[0], str) else "integers"
            remedy = f"; for row number {word} use .vectors[{word}]" if isinstance(word, Integral) else ""
            raise TypeError(f"{word!r} is not a word: words are {kind}{remedy}")
        try:
            return self.key_to_index[word]
        except KeyError:
            raise UnknownWordError(word, self.key_to_index) from None

    def _taken(self, matrix: Any, rows: list[int]) -> Any:
        xp = get_namespace(matrix)
        return xp.take(matrix, xp.asarray(rows, dtype=xp.int64, device=get_device(matrix)), axis=0)

    def _with_rows(self, rows: list[int]) -> WordVectors:
        if not rows:
            raise ValueError("no word would be left")
        return WordVectors(
            [self.index_to_key[row] for row in rows],
            self._taken(self.vectors, rows),
            None if self.counts is None else self.counts[rows],
            None if self.context_vectors is None else self._taken(self.context_vectors, rows),
            self.settings,
        )

    def _sliced(self, rows: slice) -> WordVectors:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return self._with_rows(list(range(start, stop, step)))
        if start >= stop:
            raise ValueError(f"no word would be left: there are {len(self):,}, and the slice is {rows}")
        return WordVectors(
            self.index_to_key[start:stop],
            self.vectors[start:stop, :],
            None if self.counts is None else self.counts[start:stop],
            None if self.context_vectors is None else self.context_vectors[start:stop, :],
            self.settings,
        )

    def _searched(self, clip_start: int, clip_end: int | None, restrict_vocab: int | None) -> tuple[int, int]:
        """Return the first row to be searched and the one behind the last."""
        if restrict_vocab is not None:
            clip_start, clip_end = 0, restrict_vocab
        stop = len(self) if clip_end is None else operator.index(clip_end)
        start = operator.index(clip_start)
        if start < 0 or stop < 0:
            raise ValueError(f"the rows to be searched are {start} to {stop}; they must be 0 or more")
        return min(start, len(self)), min(stop, len(self))

    def _term(self, term: Any) -> tuple[Any, list[int]]:
        """Return the vector of a word or of a vector, and the row of the word."""
        if getattr(term, "ndim", 0) == 0:
            row = self._row(term)
            return self.unit_vectors[row, :], [row]
        if term.shape != (self.vector_size,):
            raise ValueError(f"a vector has shape {tuple(term.shape)}; it must be ({self.vector_size},)")
        host = to_host(term).astype(to_host(self.unit_vectors[:0, :]).dtype)
        return get_namespace(self.vectors).asarray(host, device=get_device(self.vectors)), []

    def _terms(self, given: Any, weight: float) -> tuple[list[tuple[Any, float]], list[int]]:
        """Return the vectors of one side of a query with their weights, and the rows of the words among them."""
        if given is None:
            return [], []
        single = isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "ndim", None) == 1
        terms, rows = [], []
        for item in [given] if single else given:
            weighted = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Real)
            term, factor = item if weighted else (item, weight)
            vector, row = self._term(term)
            terms.append((vector, float(factor)))
            rows += row
        return terms, rows

    def _sum(self, positive: Any, negative: Any) -> tuple[Any, list[int]]:
        """Return a sum of words and vectors at unit length, shape (1, D), and the rows of the words in it."""
        xp = get_namespace(self.vectors)
        terms, rows = self._terms(positive, 1.0)
        taken, more_rows = self._terms(negative, -1.0)
        if not terms and not taken:
            raise ValueError("most_similar: neither positive nor negative names a word or a vector")
        query = xp.zeros(self.vector_size, dtype=self.unit_vectors.dtype, device=get_device(self.vectors))
        for vector, weight in terms + taken:
            query = query + weight * vector
        return self._directions(query[None, :]), rows + more_rows

    def _query_matrix(self, queries: Iterable[Any]) -> tuple[Any, np.ndarray]:
        """Return queries at unit length, shape (n, D), and pairs of a query and the row of its word."""
        if isinstance(queries, str) or not isinstance(queries, Iterable):
            raise TypeError(f"nearest: queries is {queries!r}; it takes a list of words or vectors")
        xp = get_namespace(self.vectors)
        if getattr(queries, "ndim", 0) == 2:
            matrix: Any = queries
            if matrix.shape[1] != self.vector_size:
                raise ValueError(f"the queries have shape {tuple(matrix.shape)}; it must be (n, {self.vector_size})")
            host = to_host(matrix).astype(to_host(self.unit_vectors[:0, :]).dtype)
            there = xp.asarray(host, device=get_device(self.vectors))
            return self._directions(there), np.zeros((0, 2), dtype=np.int64)
        asked = list(queries)
        if all(self._is_key(query) for query in asked):
            rows = [self._row(query) for query in asked]
            matrix = self._directions(self._taken(self.unit_vectors, rows))
            return matrix, np.stack([np.arange(len(rows)), np.array(rows, dtype=np.int64)], axis=1)
        terms = [self._term(query) for query in asked]
        matrix = self._directions(xp.stack([vector for vector, _ in terms]))
        pairs = [(i, row) for i, (_, rows) in enumerate(terms) for row in rows]
        return matrix, np.array(pairs, dtype=np.int64).reshape(-1, 2)

    def _directions(self, queries: Any) -> Any:
        """Return queries at unit length, having checked that each has a direction."""
        xp = get_namespace(queries)
        unit = unit_rows(queries)
        lost = to_host(xp.all(unit == 0, axis=1))
        if lost.any():
            which = f"query {int(np.argmax(lost))}" if len(lost) > 1 else "the query"
            raise ValueError(
                f"{which} has no direction, so nothing is near it: "
                "its words and vectors add up to zero or hold NaN or infinity"
            )
        return unit

    def _ranked_rows(self, query: Any, left_out: list[int], topn: int | None, start: int, stop: int) -> Any:
        """Return the words nearest to one query, shape (1, D), among the rows from `start` to `stop`."""
        unit = self.unit_vectors[start:stop, :]
        if topn is None:
            return unit @ query[0, :]
        hidden = sorted({row - start for row in left_out if start <= row < stop})
        k = min(_checked_topn(topn), max(0, stop - start - len(hidden)))
        if not k:
            return []
        pairs = np.array([(0, row) for row in hidden], dtype=np.int64).reshape(-1, 2)
        rows, cosines = nearest_rows(unit, query, k, pairs)
        found = zip(to_host(rows)[0].tolist(), to_host(cosines)[0].tolist(), strict=True)
        return [(self.index_to_key[start + row], cosine) for row, cosine in found]


def _checked_topn(topn: int) -> int:
    if operator.index(topn) < 0:
        raise ValueError(f"topn is {topn}; it must be 0 or more")
    return operator.index(topn)


def _listed(name: str, words: Iterable[Any]) -> list[Any]:
    if isinstance(words, str):
        raise TypeError(f"{name}: {words!r} is a single string; give a list of words")
    return list(words)


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
