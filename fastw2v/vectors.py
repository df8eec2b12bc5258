"""Word vectors: who is near whom.

`WordVectors` is what training leaves: words, their vectors, and questions to ask of them. Many of its methods have
gensim's names and meaning: ``docs/from_gensim.md`` tells the differences. Below it are the textbook's three helpers
on a bare matrix and two dictionaries. Everything runs where the array lives.
"""

from __future__ import annotations

import difflib
import logging
import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host, top_k
from fastw2v.search import nearest_rows

__all__ = ["Key", "UnknownWordError", "WordVectors", "analogy", "cos_similarity", "most_similar"]

log = logging.getLogger(__name__)

Key: TypeAlias = str | int


class UnknownWordError(KeyError):
    """A word that the vocabulary does not have.

    Parameters
    ----------
    word : str or int
    vocabulary : collection of str or int
        Most frequent words first. Near spellings are looked for only when the message is read, so that
        catching the error costs nothing.
    """

    def __init__(self, word: Key, vocabulary: Collection[Key] = ()) -> None:
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
        return _checked_keys(words, len(self))

    @cached_property
    def key_to_index(self) -> dict[Any, int]:
        """The row of each word."""
        return _rows_of(self.index_to_key)

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

    def has_index_for(self, word: Key) -> bool:
        """Return whether there is such a word, as ``word in vectors`` does."""
        return word in self

    def get_vecattr(self, word: Key, attr: str) -> int:
        """Return what is known of a word beside its vector: its ``"count"``.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        KeyError
            If `attr` is something else, or there are no counts.
        """
        row = self._row(word)
        if attr != "count" or self.counts is None:
            has = "no counts" if self.counts is None else 'only "count"'
            raise KeyError(f"there is no {attr!r} of each word: these vectors have {has}")
        return int(self.counts[row])

    def get_normed_vectors(self) -> Any:
        """Return the vectors at unit length: `unit_vectors`, array, shape (V, D)."""
        return self.unit_vectors

    def fill_norms(self, force: bool = False) -> None:
        """Compute `unit_vectors` now, and with `force` anew, as after a change of `vectors`."""
        if force:
            self._unit_vectors = None
        _ = self.unit_vectors

    def forget_norms(self) -> None:
        """Drop `unit_vectors`, to be computed anew when needed: call it after a change of `vectors` in place."""
        self._unit_vectors = None

    def init_sims(self, replace: bool = False) -> None:
        """Compute `unit_vectors` now, and with `replace` keep nothing else."""
        self.fill_norms()
        if replace:
            self.vectors = self.unit_vectors

    def unit_normalize_all(self) -> None:
        """Keep the vectors at unit length only."""
        self.init_sims(replace=True)

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
        xp = get_namespace(self.vectors)
        terms, rows = self._terms(positive, 1.0)
        taken, more_rows = self._terms(negative, -1.0)
        if not terms and not taken:
            raise ValueError("most_similar: neither positive nor negative names a word or a vector")
        query = xp.zeros(self.vector_size, dtype=self.unit_vectors.dtype, device=get_device(self.vectors))
        for vector, weight in terms + taken:
            query = query + weight * vector
        start, stop = self._searched(clip_start, clip_end, restrict_vocab)
        return self._ranked_rows(self._directions(query[None, :]), rows + more_rows, topn, start, stop)

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
        return _ranked(scores, self.index_to_key, set(rows + more_rows), _checked_topn(topn))

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
        if isinstance(queries, str) or not isinstance(queries, Iterable):
            raise TypeError(f"nearest: queries is {queries!r}; it takes a list of words or vectors")
        topn = _checked_topn(topn)
        _, stop = self._searched(0, None, restrict_vocab)
        matrix, left_out = self._query_matrix(queries)
        left_out = left_out[left_out[:, 1] < stop]
        k = min(stop, topn + 1 if len(left_out) else topn)
        if not matrix.shape[0] or not k:
            return [[] for _ in range(matrix.shape[0])]
        rows, cosines = nearest_rows(self.unit_vectors[:stop, :], matrix, k, left_out)
        words = self.index_to_key
        return [
            [(words[row], cosine) for row, cosine in zip(found, scores, strict=True) if cosine > -math.inf][:topn]
            for found, scores in zip(to_host(rows).tolist(), to_host(cosines).tolist(), strict=True)
        ]

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

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_key(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a word: `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(self, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words nearest to a vector, shape (D,): `most_similar`."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

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

    def words_closer_than(self, word: Key, other: Key) -> list[Any]:
        """Return the words that are closer to `word` than `other` is: `closer_than`."""
        return self.closer_than(word, other)

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
        return float(xp.sum(self.unit_vectors[row_a, :] * self.unit_vectors[row_b, :]))

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
        return 1 - unit @ _unit_rows(vector[None, :])[0, :]

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
            means.append(xp.mean(_at_least_single(self._taken(self.vectors, known)), axis=0))
        unit = _unit_rows(xp.stack(means))
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
                vector = _at_least_single(self.get_vector(key, norm=pre_normalize))
            mean = mean + factor * vector
            total += abs(factor)
        mean = mean / total if total else mean
        return _unit_rows(mean[None, :])[0, :] if post_normalize else mean

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
        vectors = _at_least_single(vectors)
        mean = get_namespace(vectors).mean(vectors, axis=0)
        scores = to_host(vectors @ _unit_rows(mean[None, :])[0, :]).tolist()
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

    def most_similar_to_given(self, word: Key, others: Sequence[Key]) -> Any:
        """Return that of the other words which is nearest to `word`.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If there are no others.
        """
        if not others:
            raise ValueError("most_similar_to_given: there are no other words to choose from")
        return min(zip(to_host(self.distances(word, others)).tolist(), others, strict=True), key=lambda pair: pair[0])[
            1
        ]

    def relative_cosine_similarity(self, a: Key, b: Key, topn: int = 10) -> float:
        """Return the cosine of two words as a share of the sum of those of `a` and its `topn` nearest words.

        Leeuwenberg and others (2016): with 10 of them, a word above 0.10 is nearer than an arbitrary related word.

        Raises
        ------
        UnknownWordError
            If there is no such word.
        ValueError
            If `topn` is below 1.
        """
        if operator.index(topn) < 1:
            raise ValueError(f"topn is {topn}; it must be at least 1")
        return self.similarity(a, b) / sum(cosine for _, cosine in self.most_similar(a, topn=topn))

    @staticmethod
    def cosine_similarities(vector: Any, vectors: Any) -> Any:
        """Return the cosines of a vector, shape (D,), and the rows of a matrix, shape (n, D): array, shape (n,)."""
        return _unit_rows(vectors) @ _unit_rows(vector[None, :])[0, :]

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
        """Write the vectors to a file, in the format that its suffix names: see `formats.write`."""
        from fastw2v import formats

        formats.write(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> WordVectors:
        """Read vectors from a file, in the format that its suffix names: see `formats.read`."""
        from fastw2v import formats

        return formats.read(path)

    def save_word2vec_format(
        self,
        path: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        write_header: bool = True,
    ) -> None:
        """Write words and vectors in word2vec's text or binary format, whatever the suffix: see `formats.write`.

        Parameters
        ----------
        path : str or path
            ``.gz`` at its end packs the file.
        fvocab : str or path, optional
            Write the words with their counts there.
        binary : bool
            The binary format.
        write_header : bool
            Let a text file begin with the numbers of words and dimensions.

        Raises
        ------
        FormatError
            If the format cannot hold a word or a value.
        ValueError
            If there are no counts for `fvocab`, or a binary file is to have no header.
        OSError
            If a file cannot be written.
        """
        from fastw2v import formats
        from fastw2v.vocab import Vocabulary

        if binary and not write_header:
            raise ValueError("a binary file needs its header; write_header=False goes with binary=False")
        if fvocab is not None:
            if self.counts is None:
                raise ValueError("there are no counts to write to fvocab")
            Vocabulary([str(word) for word in self], self.counts).save(fvocab)
        formats.write(self, path, format="bin" if binary else "txt" if write_header else "glove")

    @classmethod
    def load_word2vec_format(
        cls,
        path: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool = False,
    ) -> WordVectors:
        """Read a file in word2vec's text or binary format, whatever its suffix: see `formats.read`.

        Parameters
        ----------
        path : str or path
        fvocab : str or path, optional
            Take the counts from this file of lines ``word count``.
        binary : bool
            The binary format.
        unicode_errors : {"strict", "surrogateescape", "replace", "ignore"}
            What to do with words that are not UTF-8.
        limit : int, optional
            Read the first so many words only.
        datatype : dtype
            Of the vectors.
        no_header : bool
            A text file begins with its first word, as GloVe's do.

        Raises
        ------
        FormatError
            If the file is cut short, damaged, of another format, or names a word twice.
        ValueError
            If a word is not in `fvocab`.
        OSError
            If a file cannot be opened.
        """
        from fastw2v import formats
        from fastw2v.vocab import Vocabulary

        kind = "bin" if binary else "glove" if no_header else "txt"
        vectors = formats.read(path, kind, unicode_errors, limit)
        counts = vectors.counts
        if fvocab is not None:
            vocabulary = Vocabulary.load(fvocab)
            if unknown := [word for word in vectors if word not in vocabulary.word_to_id]:
                raise ValueError(f"{fvocab} has no count of {len(unknown)} of the words, such as {unknown[0]!r}")
            counts = vocabulary.counts[[vocabulary.word_to_id[word] for word in vectors]]
        return cls(vectors.index_to_key, vectors.vectors.astype(datatype, copy=False), counts)

    def evaluate_word_analogies(
        self,
        analogies: str | PathLike[str],
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """Answer the analogies of a file, and report as gensim does: see `evaluate.analogies`.

        Parameters
        ----------
        analogies : str or path
            In the form of ``questions-words.txt``.
        restrict_vocab : int
            Only the first so many words ask and answer.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Count questions with unknown words as answered wrongly, rather than leave them out.
        similarity_function : {"most_similar", "most_similar_cosmul"}
            3CosAdd or 3CosMul.

        Returns
        -------
        score : float
            Correct answers as a share of the questions.
        sections : list of dict
            ``section``, and the questions ``correct`` and ``incorrect``, for each section and in total.
        """
        from fastw2v import evaluate

        return evaluate.gensim_analogies(
            self, analogies, restrict_vocab, case_insensitive, dummy4unknown, similarity_function
        )

    def evaluate_word_pairs(
        self,
        pairs: str | PathLike[str],
        delimiter: str = "\t",
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[Any, Any, float]:
        """Correlate similarities with the judgments in a file, and report as gensim does: see `evaluate.word_pairs`.

        Parameters
        ----------
        pairs : str or path
            UTF-8: lines of two words and a number; lines that start with ``#`` are comments.
        delimiter : str
            What stands between them.
        restrict_vocab : int
            Pairs with a word beyond the first so many are unknown.
        case_insensitive : bool
            Compare words without regard to case.
        dummy4unknown : bool
            Give pairs with unknown words the similarity 0, rather than leave them out.

        Returns
        -------
        pearson, spearman
            Each with ``statistic`` and ``pvalue``, as SciPy, which this needs, returns them.
        oov_ratio : float
            Pairs with unknown words, in per cent.
        """
        from fastw2v import evaluate

        return evaluate.gensim_word_pairs(self, pairs, delimiter, restrict_vocab, case_insensitive, dummy4unknown)

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

    def _query_matrix(self, queries: Iterable[Any]) -> tuple[Any, np.ndarray]:
        """Return queries at unit length, shape (n, D), and pairs of a query and the row of its word."""
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
        unit = _unit_rows(queries)
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


def _near_spellings(word: Key, vocabulary: Collection[Key]) -> list[str]:
    """Return up to three known words that look like `word`, among the more frequent ones if there are many."""
    if not isinstance(word, str) or len(word) > 60:
        return []
    near = [variant for variant in dict.fromkeys((word.lower(), word.title(), word.upper())) if variant in vocabulary]
    candidates = []
    for known, _ in zip(vocabulary, range(50_000), strict=False):
        if isinstance(known, str) and abs(len(known) - len(word)) <= 2 and known not in near:
            candidates.append(known)
    return (near + difflib.get_close_matches(word, candidates, n=3))[:3]


def _checked_keys(words: Sequence[Any], n_rows: int) -> list[Any]:
    """Return the words as a list of strings or of Python's integers."""
    if isinstance(words, str):
        raise TypeError("words is a single string; give a sequence of words, one for each row of vectors")
    keys = list(words)
    if not keys:
        raise ValueError("there are no words: WordVectors needs at least one")
    if len(keys) != n_rows:
        raise ValueError(
            f"vectors has {n_rows} rows, but there are {len(keys)} words: there must be one row for each word"
        )
    kinds = set(map(type, keys))
    if all(issubclass(kind, str) for kind in kinds):
        return keys
    if all(issubclass(kind, Integral) for kind in kinds) and bool not in kinds:
        return [int(key) for key in keys]
    odd = next(key for key in keys if not isinstance(key, str))
    raise TypeError(
        f"words holds {odd!r} of type {type(odd).__name__}; the words must all be strings, or all be integers"
    )


def _rows_of(keys: list[Any]) -> dict[Any, int]:
    rows = dict(zip(keys, range(len(keys)), strict=True))
    if len(rows) < len(keys):
        first, again = next((i, rows[key]) for i, key in enumerate(keys) if rows[key] != i)
        raise ValueError(f"the word {keys[first]!r} occurs twice, in rows {first} and {again}; words must be distinct")
    return rows


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
