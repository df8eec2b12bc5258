"""Word similarity: the correlation of cosines with human judgements of word pairs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastw2v.backend import get_namespace, to_host
from fastw2v.config import check_flags, check_integer
from fastw2v.evaluate.analogies import folding, rows_by_spelling
from fastw2v.evaluate.statistics import bootstrap_interval, correlation, ranks
from fastw2v.utils.checks import check_items, check_type
from fastw2v.vectors.normalize import take_rows, unit_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["PairsResult", "pair_cosines", "word_pairs"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairsResult:
    """Agreement of word vectors with human judgements of similarity.

    Attributes
    ----------
    spearman, pearson : float
        Rank correlation and linear correlation over the covered pairs and the pairs with unseen words. NaN if there are
        fewer than two, or all cosines or all judgements are equal.
    interval : (float, float)
        95% bootstrap interval of `spearman`. NaN if `spearman` is NaN.
    covered : int
        Number of pairs in which both words are in the vocabulary.
    total : int
        Number of pairs.
    unseen : int
        Number of further pairs that were compared. In these, subwords give a word outside the vocabulary a vector.
    """

    spearman: float
    pearson: float
    interval: tuple[float, float]
    covered: int
    total: int
    unseen: int = 0

    @property
    def coverage(self) -> float:
        """Share of pairs that are covered, or NaN if there are no pairs.

        Examples
        --------
        >>> from fastw2v.evaluate import PairsResult
        >>> PairsResult(0.7, 0.7, (0.6, 0.8), covered=340, total=353).coverage
        0.963...
        """
        return self.covered / self.total if self.total else math.nan


def word_pairs(vectors: WordVectors, pairs: Iterable[tuple[str, str, float]], lower: bool = True) -> PairsResult:
    """Correlate the cosines of word pairs with human judgements of similarity.

    Parameters
    ----------
    vectors : WordVectors
        Words in order of decreasing frequency. If they have subwords and `strict` is false, pairs with words outside
        the vocabulary are compared as well.
    pairs : iterable of (str, str, float)
        Two words and their similarity according to human judges, for example from `read_pairs`.
    lower : bool
        If true, ignore case. If several words differ only in case, the first one is used. A word outside the vocabulary
        is converted to lower case. If the units of n-grams are syllables or jamo, the difference between NFC and
        NFD is ignored, whatever `lower` is.

    Returns
    -------
    PairsResult
        If the correlations are NaN, because fewer than two pairs are covered or all cosines or judgements are equal, a
        warning is logged.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate import word_pairs
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> pairs = [("cat", "dog", 9.0), ("dog", "car", 4.0), ("cat", "car", 2.0), ("cat", "cow", 7.0)]
    >>> result = word_pairs(wv, pairs)
    >>> result.covered, result.total
    (3, 4)
    >>> round(result.spearman, 2), round(result.pearson, 2)
    (1.0, 0.87)
    """
    check_flags(lower=lower)
    check_type("vectors", vectors, WordVectors, "WordVectors")
    check_items("pairs", pairs, "a list of tuples (word, word, score)")
    pairs = list(pairs)
    cosines = pair_cosines(vectors, pairs, len(vectors), lower)
    judged = np.array([score for *_, score in pairs], dtype=np.float64)
    covered = int((~np.isnan(cosines)).sum())
    if vectors.has_subwords and not vectors.strict:
        _add_unseen(cosines, vectors, pairs, lower)
    known = ~np.isnan(cosines)
    cosines, judged = cosines[known], judged[known]
    if len(judged) < 2:
        log.warning(
            "word_pairs: both words are known in %d of %d pairs; a correlation needs two", len(judged), len(pairs)
        )
    if not len(judged):
        return PairsResult(math.nan, math.nan, (math.nan, math.nan), 0, len(pairs))
    spearman = correlation(ranks(cosines), ranks(judged))
    if math.isnan(spearman) and len(judged) > 1:
        equal = "cosines" if cosines.min() == cosines.max() else "judgements"
        log.warning("word_pairs: all %s of the %d known pairs are equal, so the correlation is NaN", equal, len(judged))
    interval = (math.nan, math.nan) if math.isnan(spearman) else bootstrap_interval(cosines, judged)
    unseen = len(judged) - covered
    return PairsResult(spearman, correlation(cosines, judged), interval, covered, len(pairs), unseen)


def _add_unseen(
    cosines: np.ndarray, vectors: WordVectors, pairs: Sequence[tuple[str, str, float]], lower: bool
) -> None:
    """Set the cosines that are NaN, because a word is outside the vocabulary, if both words have vectors."""
    first_rows, _ = rows_by_spelling(vectors, len(vectors), lower)
    words = vectors.index_to_key
    fold = folding(vectors, lower)
    spelled = [[fold(word) for word in pair[:2]] for pair in pairs]
    asked = [[words[first_rows[one]] if one in first_rows else one for one in pair] for pair in spelled]
    missing = [i for i in np.flatnonzero(np.isnan(cosines)).tolist() if all(word in vectors for word in asked[i])]
    if not missing:
        return
    found = vectors[[word for i in missing for word in asked[i]]]
    unit = to_host(unit_rows(found)).reshape(len(missing), 2, -1)
    cosines[missing] = np.sum(unit[:, 0] * unit[:, 1], axis=1)


def pair_cosines(
    vectors: WordVectors, pairs: Sequence[tuple[str, str, float]], restrict_vocab: int, lower: bool
) -> np.ndarray:
    """Return the cosine of the vectors of each pair of words.

    Parameters
    ----------
    vectors : WordVectors
        Words in order of decreasing frequency.
    pairs : sequence of (str, str, float)
        Two words and their similarity according to human judges, for example from `read_pairs`.
    restrict_vocab : int
        Use only the first `restrict_vocab` words.
    lower : bool
        If true, ignore case. If several words differ only in case, the first one is used.

    Returns
    -------
    float64 array, shape (N,)
        NaN for pairs with an unknown word.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate.word_pairs import pair_cosines
    >>> wv = WordVectors(["cat", "dog", "car"], np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> pair_cosines(wv, [("cat", "dog", 9.0), ("cat", "cow", 7.0)], restrict_vocab=3, lower=True)
    array([0.8, nan])
    """
    check_integer("restrict_vocab", restrict_vocab, minimum=1)
    rows, _ = rows_by_spelling(vectors, restrict_vocab, lower)
    fold = folding(vectors, lower)
    sides = np.array([[rows.get(fold(word), -1) for word in pair[:2]] for pair in pairs], dtype=np.int64)
    sides = sides.reshape(-1, 2)
    known = np.all(sides >= 0, axis=1)
    a, b = (take_rows(vectors.stored_unit, sides[known, i]) for i in range(2))
    cosines = np.full(len(pairs), math.nan)
    cosines[known] = to_host(get_namespace(a).sum(a * b, axis=1))
    return cosines
