"""Stability: how far several trainings agree on the nearest neighbours of words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastw2v.backend import to_host
from fastw2v.vectors.neighbors import nearest_rows
from fastw2v.vectors.word_vectors import WordVectors

__all__ = ["StabilityResult", "neighbour_stability"]


@dataclass(frozen=True)
class StabilityResult:
    """How far several models agree on who is near whom.

    Attributes
    ----------
    overlap : float
        The mean of `overlaps`.
    words : list of str or of int
        The words compared: n of them.
    overlaps : float array, shape (n,)
        For each word, the share of its nearest words that two models have in common, on average over all pairs
        of models.
    """

    overlap: float
    words: list[Any]
    overlaps: np.ndarray


def neighbour_stability(models: Sequence[WordVectors], topn: int = 10, restrict_vocab: int = 10_000) -> StabilityResult:
    """Compare models of the same words, such as trainings with several seeds, by the neighbours they give.

    What differs between seeds is chance, whatever it seems to say about a word.

    Parameters
    ----------
    models : sequence of at least two WordVectors
        Only words that all know are looked at.
    topn : int
        How many nearest words to compare.
    restrict_vocab : int
        Compare those of the first so many words, in the order of the first model. All words are neighbours.

    Returns
    -------
    StabilityResult

    Raises
    ------
    ValueError
        If there are fewer than two models, `topn` or `restrict_vocab` is below 1, or the models have not more
        than `topn` words in common.
    """
    if len(models) < 2:
        raise ValueError(f"there are {len(models)} models to compare; there must be at least two")
    if topn < 1 or restrict_vocab < 1:
        raise ValueError(f"topn is {topn} and restrict_vocab {restrict_vocab}; both must be at least 1")
    words = [word for word in models[0] if all(word in model for model in models[1:])]
    if len(words) <= topn:
        raise ValueError(f"the models have {len(words)} words in common; to compare {topn} neighbours takes more")
    compared = min(restrict_vocab, len(words))
    own = np.stack([np.arange(compared)] * 2, axis=1)
    neighbours = []
    for model in models:
        unit = model.vectors_for_all(words).unit_vectors
        neighbours.append(to_host(nearest_rows(unit, unit[:compared, :], topn, own)[0]))
    shared = [
        (some[:, :, None] == others[:, None, :]).sum(axis=(1, 2)) / topn
        for some, others in itertools.combinations(neighbours, 2)
    ]
    overlaps = np.mean(shared, axis=0)
    return StabilityResult(float(overlaps.mean()), words[:compared], overlaps)
