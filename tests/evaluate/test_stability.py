"""Stability of neighbours, compared with a computation by sets."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.evaluate.stability import neighbour_stability
from fastw2v.vectors.word_vectors import WordVectors
from tests.evaluate.common import random_vectors


def test_stability_against_sets(xp) -> None:
    rng = np.random.default_rng(2)
    words = [f"w{i}" for i in range(50)]
    matrices = [rng.normal(size=(50, 4)).astype(np.float32)]
    matrices += [matrices[0] + rng.normal(size=(50, 4)).astype(np.float32) * 0.3 for _ in range(2)]
    orders = [np.arange(50), rng.permutation(50), rng.permutation(50)[:45]]
    models = [
        WordVectors([words[i] for i in order], xp.asarray(matrix[order]))
        for matrix, order in zip(matrices, orders, strict=True)
    ]
    common = [word for word in words if word in models[2]]
    result = neighbour_stability(models, topn=5, restrict_vocab=20)
    near = [
        {word: {other for other, _ in (model & common).most_similar(word, topn=5)} for word in common}
        for model in models
    ]
    expected = [
        np.mean([len(near[i][word] & near[j][word]) / 5 for i, j in ((0, 1), (0, 2), (1, 2))]) for word in common[:20]
    ]
    assert result.words == common[:20]
    assert result.overlaps.tolist() == pytest.approx(expected)
    assert result.overlap == pytest.approx(np.mean(expected))
    assert 0 < result.overlap < 1
    assert neighbour_stability([models[0], models[0]]).overlap == 1


def test_stability_needs_something_to_compare() -> None:
    a, b = random_vectors(["a", "b", "c"]), random_vectors(["b", "c", "d"])
    with pytest.raises(ValueError, match="length 1"):
        neighbour_stability([a])
    with pytest.raises(ValueError, match="2 words in common"):
        neighbour_stability([a, b], topn=2)
    with pytest.raises(ValueError, match="topn is 0"):
        neighbour_stability([a, b], topn=0)
    assert neighbour_stability([a, b], topn=1).words == ["b", "c"]
