"""The textbook's queries, compared with the textbook's loops."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fastw2v.compat.textbook import analogy, cos_similarity, most_similar
from tests.vectors.common import MATRIX, WORDS, assert_same_ranking, cosine, nearest

WORD_TO_ID = {word: i for i, word in enumerate(WORDS)}
ID_TO_WORD = dict(enumerate(WORDS))


def test_cos_similarity(xp) -> None:
    x, y = xp.asarray(MATRIX[0]), xp.asarray(MATRIX[1])
    assert float(cos_similarity(x, y)) == pytest.approx(cosine(MATRIX[0], MATRIX[1]), abs=1e-6)
    assert float(cos_similarity(x, x * 0)) == 0.0


def test_textbook_most_similar(xp, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = most_similar("w3", WORD_TO_ID, ID_TO_WORD, xp.asarray(MATRIX), top=4)
    assert_same_ranking(pairs, nearest(MATRIX[3], {"w3"}, 4))
    lines = capsys.readouterr().out.split("\n")
    assert lines == ["", "[query] w3", *(f" {word}: {score}" for word, score in pairs), ""]


def test_textbook_analogy(xp, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, xp.asarray(MATRIX), top=3, answer="w4")
    query = (MATRIX[2] - MATRIX[1] + MATRIX[3]).astype(np.float64)
    query /= np.sqrt(query @ query)
    scores = {word: float(row @ query) for word, row in zip(WORDS, MATRIX.astype(np.float64), strict=True)}
    order = sorted(set(WORDS) - {"w1", "w2", "w3"}, key=lambda word: -scores[word])
    assert_same_ranking(pairs, [(word, scores[word]) for word in order[:3]])
    _, title, answer, *lines = capsys.readouterr().out.split("\n")
    assert title == "[analogy] w1:w2 = w3:?"
    assert answer.startswith("==>w4:")
    assert float(answer.removeprefix("==>w4:")) == pytest.approx(scores["w4"], abs=1e-6)
    assert lines == [*(f" {word}: {score}" for word, score in pairs), ""]


def test_textbook_helpers_with_unknown_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert most_similar("nobody", WORD_TO_ID, ID_TO_WORD, MATRIX) == []
    assert analogy("w1", "nobody", "w3", WORD_TO_ID, ID_TO_WORD, MATRIX) == []
    assert analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, MATRIX, answer="nobody") == []
    assert capsys.readouterr().out == "nobody is not found\n" * 3


def test_textbook_helpers_with_half_precision_zeros_and_nan() -> None:
    matrix = MATRIX.astype(np.float16)
    matrix[5] = 0
    half = most_similar("w3", WORD_TO_ID, ID_TO_WORD, matrix, top=30)
    assert len(half) == 29
    assert dict(half)["w5"] == 0.0
    matrix[6] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some builds of NumPy warn about NaN in a product
        for pairs in (
            analogy("w1", "w2", "w3", WORD_TO_ID, ID_TO_WORD, matrix, top=30),
            most_similar("w1", WORD_TO_ID, ID_TO_WORD, matrix, top=30),
        ):
            assert "w5" in dict(pairs)
            assert "w6" not in dict(pairs)
