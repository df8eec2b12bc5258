"""`WordVectors` holds the words and vectors produced by training and answers similarity queries.

Its methods have the names and the meaning of gensim's. Queries run where the vectors are: in their array library, on
their device.
"""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.utils.checks import check_counts, check_keys, check_matrix, index_keys
from fastw2v.vectors.hnsw import Backend, HNSWIndex
from fastw2v.vectors.keys import Key, find_row, is_key
from fastw2v.vectors.neighbors import nearest_rows, ranked
from fastw2v.vectors.normalize import at_least_single, take_rows, unit_rows
from fastw2v.vectors.query import query_matrix, term_vector, unit_queries, weighted_sum, weighted_terms

__all__ = ["WordVectors"]

log = logging.getLogger(__name__)


class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str or of int, or a function that returns one
        V distinct words, by convention the most frequent first, or V integers, such as the nodes of a graph. A
        function is called, and its words are checked, when they are first needed.
    vectors : float array, shape (V, D)
        Of any array library; kept as it is, where it is. The first query caches its rows at unit length: after
        changing it in place, call `forget_unit_vectors`.
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
        self.vectors = check_matrix("vectors", vectors)
        if min(vectors.shape) < 1:
            nothing = "no words" if vectors.shape[0] < 1 else "no dimensions"
            raise ValueError(
                f"vectors has shape {tuple(vectors.shape)}, so there are {nothing}: it must be (V, D), each at least 1"
            )
        self.context_vectors = None
        if context_vectors is not None:
            self.context_vectors = check_matrix("context_vectors", context_vectors)
            if context_vectors.shape != vectors.shape:
                raise ValueError(
                    f"context_vectors has shape {tuple(context_vectors.shape)}; "
                    f"it must be that of vectors, {tuple(vectors.shape)}"
                )
        self.counts = None if counts is None else check_counts(counts, len(self))
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
        return check_keys(words, len(self))

    @cached_property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word."""
        return index_keys(self.index_to_key)

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

    def forget_unit_vectors(self) -> None:
        """Drop `unit_vectors`, which are then computed again when needed: call it after changing `vectors` in place."""
        self._unit_vectors = None

    # Words and their vectors

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return iter(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return is_key(word, self.index_to_key) and word in self.key_to_index

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} words, {self.vector_size} dimensions, {self.vectors.dtype})"

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
        return take_rows(self.vectors, self._rows(words))

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
        row = find_row(word, self.key_to_index)
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
        return find_row(word, self.key_to_index) if default is None or word in self else default

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
        query, rows = weighted_sum(self, positive, negative)
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
        terms, rows = weighted_terms(self, positive, 1.0)
        divisors, more_rows = weighted_terms(self, negative, -1.0)
        if not terms:
            raise ValueError("most_similar_cosmul: positive names no word and no vector")
        if any(weight != 1 for _, weight in terms) or any(weight != -1 for _, weight in divisors):
            raise ValueError("most_similar_cosmul: a term has a weight; weights are for most_similar")
        start, stop = self._searched(0, None, restrict_vocab)
        queries = unit_queries(xp.stack([vector for vector, _ in terms + divisors]))
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
        matrix, left_out = query_matrix(self, queries)
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
    ) -> HNSWIndex:
        """Return an index for approximate search, which looks at a few hundred words in place of all.

        Parameters
        ----------
        backend : {"usearch", "faiss"}
            The package that does it, an extra of this one.
        M, ef_construction, ef_search : int
            As in `HNSWIndex`: links of each word, and words looked at while building and while searching.

        Returns
        -------
        HNSWIndex
            With `most_similar`, `nearest`, and `recall`, which tells how much it finds.

        Raises
        ------
        ImportError
            If the package is not installed.
        ValueError
            If there is no such backend, or a number is too small.
        """
        return HNSWIndex(self, backend, M, ef_construction, ef_search)

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
        self._rows((a, b, c))  # an unknown word is an error, as a vector is
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
        row, other_row = self._rows((word, other))
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
        row_a, row_b = self._rows((a, b))
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
        unit = take_rows(self.unit_vectors, self._rows(others)) if others else self.unit_vectors
        ((vector, _),), _ = weighted_terms(self, [word_or_vector], 1.0)
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
            known = self._rows(word for word in _listed("n_similarity", given) if word in self)
            if not known:
                raise ValueError("n_similarity: a list has no word that is in the vocabulary")
            means.append(xp.mean(at_least_single(take_rows(self.vectors, known)), axis=0))
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
                vector = term_vector(self, key)[0]
            elif ignore_missing and is_key(key, self.key_to_index) and key not in self:
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
        vectors = take_rows(self.unit_vectors if use_norm else self.vectors, self._rows(known))
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

    def vectors_for_all(self, keys: Iterable[Key]) -> Self:
        """Return the vectors of the words that are known among `keys`, in that order, each once.

        Raises
        ------
        ValueError
            If no word is known.
        """
        return self._with_rows(self._rows(key for key in dict.fromkeys(keys) if key in self))

    def __and__(self, words: Collection[Key]) -> Self:
        """Return the words that are also among `words`, a collection or word vectors, with these vectors."""
        if isinstance(words, str) or not isinstance(words, Collection):
            return NotImplemented
        kept = words if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word in kept])

    def __sub__(self, words: Collection[Key]) -> Self:
        """Return the words that are not among `words`, a collection or word vectors, with these vectors."""
        if isinstance(words, str) or not isinstance(words, Collection):
            return NotImplemented
        dropped = words if isinstance(words, WordVectors) else set(words)
        return self._with_rows([row for row, word in enumerate(self) if word not in dropped])

    def __or__(self, other: WordVectors) -> Self:
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
        return type(self)(self.index_to_key + added.index_to_key, vectors, counts, context)

    def align(self, other: WordVectors, words: Iterable[Key] | None = None) -> Self:
        """Return these vectors turned so that they lie as near to `other` as a rotation can bring them.

        Two trainings, be it of other seeds, years or corpora, agree on angles at best, never on axes. The
        orthogonal Procrustes solution rotates one onto the other and changes no angle within it.

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
        here = to_host(take_rows(self.unit_vectors, self._rows(anchors)))
        there = to_host(take_rows(other.unit_vectors, other._rows(anchors)))
        left, _, right = np.linalg.svd(here.astype(np.float64).T @ there.astype(np.float64))

        def turned(matrix: Any) -> Any:
            return matrix @ xp.asarray(left @ right, dtype=matrix.dtype, device=device)

        context = None if self.context_vectors is None else turned(self.context_vectors)
        return type(self)(self.index_to_key, turned(self.vectors), self.counts, context, self.settings)

    # Files

    def save(self, path: str | PathLike[str], format: str | None = None) -> None:
        """Write the vectors to a file: see `fastw2v.formats.write`.

        Parameters
        ----------
        path : str or path
            ``.gz`` behind the suffix compresses the file.
        format : str, optional
            One of `fastw2v.formats.FORMATS`; by default the suffix decides, and a suffix that names no format, or
            ``.kv``, means safetensors.

        Raises
        ------
        FormatError
            If `format` is unknown, or the format cannot hold a word or a value.
        OSError
            If the file cannot be written.
        """
        from fastw2v import formats

        if format is None and Path(path).suffix.lower() not in {*formats.SUFFIXES, ".gz"}:
            format = "safetensors"
        record = formats.VectorRecord(self.index_to_key, self.vectors, self.counts, self.context_vectors, self.settings)
        formats.write(record, path, format)

    @classmethod
    def load(
        cls, path: str | PathLike[str], format: str | None = None, *, errors: str = "strict", limit: int | None = None
    ) -> Self:
        """Read vectors from a file: see `fastw2v.formats.read`.

        Parameters
        ----------
        path : str or path
            A file compressed with gzip is decompressed, whatever its name.
        format : str, optional
            One of `fastw2v.formats.FORMATS`; by default the suffix, or the first bytes of the file, decide.
        errors : {"strict", "surrogateescape", "replace", "ignore"}
            What to do with words that are not UTF-8, as in `bytes.decode`.
        limit : int, optional
            Keep the first so many words only.

        Returns
        -------
        WordVectors
            On the host. The vectors of a ``.safetensors`` file are mapped: read from the disk when used, and not
            writable. Its words are decoded when they are first needed.

        Raises
        ------
        FormatError
            If the suffix or `format` is unknown, or the file is cut short, damaged, of another format, or names a
            word twice. Of a ``.safetensors`` file, the words are checked when they are first needed.
        OSError
            If the file cannot be opened.
        ValueError
            If `limit` is below 1.
        """
        from fastw2v import formats

        record = formats.read(path, format, errors, limit)
        try:
            return cls(record.words, record.vectors, record.counts, record.context_vectors, record.settings)
        except (ValueError, TypeError) as error:
            raise formats.FormatError(f"{path}: {error}") from error

    # Helpers

    def _rows(self, words: Iterable[Any]) -> list[int]:
        """Return the row of each word."""
        return [find_row(word, self.key_to_index) for word in words]

    def _with_rows(self, rows: list[int]) -> Self:
        if not rows:
            raise ValueError("no word would be left")
        return type(self)(
            [self.index_to_key[row] for row in rows],
            take_rows(self.vectors, rows),
            None if self.counts is None else self.counts[rows],
            None if self.context_vectors is None else take_rows(self.context_vectors, rows),
            self.settings,
        )

    def _sliced(self, rows: slice) -> Self:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return self._with_rows(list(range(start, stop, step)))
        if start >= stop:
            raise ValueError(f"no word would be left: there are {len(self):,}, and the slice is {rows}")
        return type(self)(
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
