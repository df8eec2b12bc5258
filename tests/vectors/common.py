"""Words and vectors for tests of queries, and the answers by brute force."""

from __future__ import annotations

import numpy as np
import pytest

WORDS = [f"w{i}" for i in range(30)]
# Not 5 dimensions: OpenBLAS 0.3.31 reads a stray lane there on AVX-512, and NumPy at times warns of an invalid value.
MATRIX = np.random.default_rng(3).normal(size=(30, 6)).astype(np.float32)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y))


def nearest(query: np.ndarray, left_out: set[str], topn: int) -> list[tuple[str, float]]:
    scores = [(word, cosine(row, query)) for word, row in zip(WORDS, MATRIX, strict=True) if word not in left_out]
    return sorted(scores, key=lambda pair: -pair[1])[:topn]


def unit(word: str) -> np.ndarray:
    row = MATRIX[WORDS.index(word)].astype(np.float64)
    return row / np.sqrt(row @ row)


def assert_same_ranking(ours: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in expected]
    assert [score for _, score in ours] == pytest.approx([score for _, score in expected], abs=1e-6, rel=1e-6)
    assert all(type(word) is str and type(score) is float for word, score in ours)
