"""Stability: the agreement of several models on the nearest neighbours of words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.config import check_integer
from fastw2v.utils.checks import check_items, check_type
from fastw2v.vectors.neighbors import nearest_rows
from fastw2v.vectors.normalize import take_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["StabilityResult", "neighbour_stability"]


@dataclass(frozen=True)
class StabilityResult:
    """Agreement of several models on nearest neighbours.

    Attributes
    ----------
    overlap : float
        Mean of `overlaps`.
    words : list of str or int
        The n words that were compared.
    overlaps : float array, shape (n,)
        For each word, the share of nearest neighbours that two models have in common, averaged over all pairs of
        models.
    """

    overlap: float
    words: list[Any]
    overlaps: np.ndarray


def neighbour_stability(models: Sequence[WordVectors], topn: int = 10, restrict_vocab: int = 10_000) -> StabilityResult:
    """Measure the share of nearest neighbours that several models have in common.

    Models that were trained with different seeds differ only by chance, so compare several seeds before you draw
    conclusions from the neighbours of a word.

    Parameters
    ----------
    models : sequence of at least two WordVectors
        Words that are missing from any model are ignored.
    topn : int
        Number of nearest neighbours to compare for each word.
    restrict_vocab : int
        Compare the neighbours of the first `restrict_vocab` common words, in the order of the first model. All common
        words can be neighbours.

    Returns
    -------
    StabilityResult

    Raises
    ------
    TypeError
        If `topn` or `restrict_vocab` is not an integer.
    ValueError
        If there are fewer than two models, `topn` or `restrict_vocab` is below 1, or the models have `topn` or fewer
        words in common.

    Examples
    --------
    >>> import numpy as np
    >>> from fastw2v import WordVectors
    >>> from fastw2v.evaluate import neighbour_stability
    >>> words = ["cat", "dog", "car"]
    >>> first = WordVectors(words, np.array([[1.0, 0], [4, 3], [0, 1]]))
    >>> second = WordVectors(words, np.array([[1.0, 0], [3, 4], [0, 1]]))
    >>> result = neighbour_stability([first, second], topn=1)
    >>> dict(zip(result.words, result.overlaps.tolist()))
    {'cat': 1.0, 'dog': 0.0, 'car': 1.0}
    >>> round(result.overlap, 2)
    0.67
    """
    check_items("models", models, "a list of WordVectors")
    models = list(models)
    for model in models:
        check_type("models", model, WordVectors, "a list of WordVectors")
    if len(models) < 2:
        raise ValueError(f"models has length {len(models)}; give at least two models")
    check_integer("topn", topn, minimum=1)
    check_integer("restrict_vocab", restrict_vocab, minimum=1)
    words = [word for word in models[0] if all(word in model.key_to_index for model in models[1:])]
    if len(words) <= topn:
        raise ValueError(f"the models have {len(words)} words in common; topn={topn} needs at least {topn + 1}")
    compared = min(restrict_vocab, len(words))
    own = np.stack([np.arange(compared)] * 2, axis=1)
    neighbours = []
    for model in models:
        unit = take_rows(model.stored_unit, [model.key_to_index[word] for word in words])
        neighbours.append(to_host(nearest_rows(unit, unit[:compared, :], topn, own)[0]))
    shared = [
        (some[:, :, None] == others[:, None, :]).sum(axis=(1, 2)) / topn
        for some, others in itertools.combinations(neighbours, 2)
    ]
    overlaps = np.mean(shared, axis=0)
    return StabilityResult(float(overlaps.mean()), words[:compared], overlaps)
