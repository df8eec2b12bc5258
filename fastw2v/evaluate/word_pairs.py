"""Word similarity: cosines of word pairs, correlated with human judgments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastw2v.backend import get_device, get_namespace, to_host
from fastw2v.evaluate.analogies import fold_case, rows_by_spelling
from fastw2v.evaluate.statistics import bootstrap_interval, correlation, ranks
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["PairsResult", "pair_cosines", "word_pairs"]


@dataclass(frozen=True)
class PairsResult:
    """Agreement with human judgments of similarity.

    Attributes
    ----------
    spearman, pearson : float
        Rank and linear correlation over the covered pairs; NaN when they are fewer than two or all alike.
    interval : (float, float)
        Bounds for `spearman`, by bootstrap: 95 in 100 drawings of as many of the covered pairs, with replacement,
        lie between. NaN when there is no `spearman`.
    covered, total : int
        Pairs whose two words are known, and all.
    """

    spearman: float
    pearson: float
    interval: tuple[float, float]
    covered: int
    total: int

    @property
    def coverage(self) -> float:
        """Covered pairs as a share of all, NaN when there is none."""
        return self.covered / self.total if self.total else math.nan


def word_pairs(vectors: WordVectors, pairs: Iterable[tuple[str, str, float]], lower: bool = True) -> PairsResult:
    """Correlate cosines with human judgments of similarity.

    Parameters
    ----------
    vectors : WordVectors
        The most frequent words first.
    pairs : iterable of (str, str, float)
        From `read_pairs`.
    lower : bool
        Compare words without regard to case; where several words differ by case only, the first of them counts.

    Returns
    -------
    PairsResult
    """
    pairs = list(pairs)
    cosines = pair_cosines(vectors, pairs, len(vectors), lower)
    judged = np.array([score for *_, score in pairs], dtype=np.float64)
    known = ~np.isnan(cosines)
    cosines, judged = cosines[known], judged[known]
    if not len(judged):
        return PairsResult(math.nan, math.nan, (math.nan, math.nan), 0, len(pairs))
    spearman = correlation(ranks(cosines), ranks(judged))
    interval = (math.nan, math.nan) if math.isnan(spearman) else bootstrap_interval(cosines, judged)
    return PairsResult(spearman, correlation(cosines, judged), interval, len(judged), len(pairs))


def pair_cosines(
    vectors: WordVectors, pairs: Sequence[tuple[str, str, float]], restrict_vocab: int, lower: bool
) -> np.ndarray:
    """Return the cosine of each pair of words.

    Parameters
    ----------
    vectors : WordVectors
        The most frequent words first.
    pairs : sequence of (str, str, float)
        From `read_pairs`.
    restrict_vocab : int
        Pairs with a word beyond the first so many are unknown.
    lower : bool
        Compare words without regard to case; where several words differ by case only, the first of them counts.

    Returns
    -------
    float64 array, shape (N,)
        NaN where one of the words is unknown.
    """
    rows, _ = rows_by_spelling(vectors, restrict_vocab, lower)
    sides = np.array([[rows.get(fold_case(word, lower), -1) for word in pair[:2]] for pair in pairs], dtype=np.int64)
    sides = sides.reshape(-1, 2)
    known = np.all(sides >= 0, axis=1)
    unit = vectors.unit_vectors
    xp = get_namespace(unit)
    a, b = (xp.take(unit, xp.asarray(sides[known, i], device=get_device(unit)), axis=0) for i in range(2))
    cosines = np.full(len(pairs), math.nan)
    cosines[known] = to_host(xp.sum(a * b, axis=1))
    return cosines
