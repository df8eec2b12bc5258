"""What the tests of formats share."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastw2v.formats.record import VectorRecord
from fastw2v.vectors.word_vectors import WordVectors

WORDS = ["</s>", "the", "naïve", "日本", "a\u00a0b", "\u3000", "x=1"]
MATRIX = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def some_vectors(**rest: Any) -> WordVectors:
    return WordVectors(WORDS, MATRIX, **rest)


def some_record(**rest: Any) -> VectorRecord:
    return VectorRecord(WORDS, MATRIX, **rest)


def assert_same(ours: WordVectors, words: list[Any], matrix: np.ndarray) -> None:
    assert ours.index_to_key == words
    assert ours.vectors.dtype == matrix.dtype
    assert ours.vectors.tobytes() == matrix.tobytes()
