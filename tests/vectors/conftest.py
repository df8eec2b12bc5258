"""Fixtures of the tests of word vectors."""

from __future__ import annotations

import pytest

from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX, WORDS


@pytest.fixture
def wv(xp) -> WordVectors:
    return WordVectors(WORDS, xp.asarray(MATRIX), counts=range(60, 30, -1))
