"""Vectors of texts, compared with an independent implementation that follows the papers word by word."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import is_cupy, to_host
from fastw2v.vectors import sentences
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX, WORDS

COUNTS = np.arange(60, 30, -1) ** 2
TEXTS = ["w1 w2 w2", "w29", ["w4", "nobody", "w5"], "  w7\tw8 \n w9 ", ("w0", "w3"), np.array(["w1", "w11"])]


def words_of(text: Any) -> list[str]:
    return [word for word in (text.split() if isinstance(text, str) else list(text)) if word in WORDS]


def expected_mean(text: Any) -> np.ndarray:
    return np.mean([MATRIX[WORDS.index(word)].astype(float) for word in words_of(text)], axis=0)


def expected_sif(texts: list[Any]) -> np.ndarray:
    """Algorithm 1 of Arora, Liang and Ma (2017), one word at a time."""
    share = {word: count / COUNTS.sum() for word, count in zip(WORDS, COUNTS.tolist(), strict=True)}
    rows = []
    for text in texts:
        total = np.zeros(MATRIX.shape[1])
        for word in words_of(text):
            total += 1e-3 / (1e-3 + share[word]) * MATRIX[WORDS.index(word)]
        rows.append(total / max(1, len(words_of(text))))
    u = np.linalg.svd(np.array(rows))[2][0]
    return np.array([row - np.outer(u, u) @ row for row in rows])


@pytest.fixture
def wv(xp: Any) -> WordVectors:
    return WordVectors(WORDS, xp.asarray(MATRIX), counts=COUNTS)


@pytest.mark.parametrize("tokens", [2**16, 4])
def test_means(wv: WordVectors, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", tokens)
    for texts in (TEXTS, iter(TEXTS), TEXTS * 3):
        found = wv.sentence_vectors(texts)
        assert type(found) is type(wv.vectors)
        np.testing.assert_allclose(to_host(found)[:6], [expected_mean(text) for text in TEXTS], atol=1e-6)
    assert found.shape == (18, 6)
    first, *repeated = np.split(to_host(found), 3)
    for again in repeated:
        # The sums of a GPU are rounded differently at different places of an array.
        np.testing.assert_allclose(again, first, rtol=0, atol=2e-7 if is_cupy(found) else 0)


@pytest.mark.parametrize("tokens", [2**16, 4])
def test_smooth_inverse_frequency(wv: WordVectors, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(sentences, "_TOKENS", tokens)
    found = to_host(wv.sentence_vectors(TEXTS, method="sif"))
    np.testing.assert_allclose(found, expected_sif(TEXTS), atol=1e-6)
    with_unknown = to_host(wv.sentence_vectors([*TEXTS, "nobody knows"], method="sif"))
    np.testing.assert_allclose(with_unknown, expected_sif([*TEXTS, "nobody knows"]), atol=1e-6)
    assert not with_unknown[-1].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_precision(dtype: Any) -> None:
    wv = WordVectors(WORDS, MATRIX.astype(dtype), counts=COUNTS)
    for method in ("mean", "sif"):
        found = wv.sentence_vectors(TEXTS, method=method)
        assert found.dtype == max(np.dtype(np.float32), np.dtype(dtype))
        assert found.shape == (6, 6)


def test_texts_without_known_words_are_zeros(wv: WordVectors, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = to_host(wv.sentence_vectors(["nobody", "w1", [], ""]))
    assert found[[0, 2, 3]].tolist() == [[0.0] * 6] * 3
    np.testing.assert_allclose(found[1], MATRIX[1])
    assert "3 of 4 texts have no known word" in caplog.text
    caplog.clear()
    wv.sentence_vectors(["w1"])
    assert not caplog.text
    assert to_host(wv.sentence_vectors([])).shape == (0, 6)


def test_integers_as_words(xp: Any) -> None:
    wv = WordVectors([7, 3, 12], xp.asarray(MATRIX[:3]))
    found = to_host(wv.sentence_vectors([[7, 12, 99], np.array([3]), (np.int32(3),)]))
    np.testing.assert_allclose(found, [MATRIX[[0, 2]].mean(axis=0), MATRIX[1], MATRIX[1]], atol=1e-6)
    for wrong in ("7 12", [True], [7.0]):
        with pytest.raises(TypeError, match=r"texts\[1\] contains .*words of these vectors are integers"):
            wv.sentence_vectors([[7], wrong])


def test_malformed_texts(wv: WordVectors) -> None:
    for error, message, query in [
        (TypeError, "texts is 'w1 w2'; give a list of texts", lambda: wv.sentence_vectors("w1 w2")),
        (TypeError, "texts is 3; give a list", lambda: wv.sentence_vectors(3)),
        (TypeError, r"texts\[1\] is nan; a text must be", lambda: wv.sentence_vectors(["w1", float("nan")])),
        (TypeError, r"texts\[0\] is None; a text must be", lambda: wv.sentence_vectors([None])),
        (TypeError, r"texts\[0\] contains 3; the words of these vectors are str", lambda: wv.sentence_vectors([[3]])),
        (ValueError, "method is 'median'; it must be 'mean' or 'sif'", lambda: wv.sentence_vectors([], "median")),
        (ValueError, "number of texts with a known word is 1", lambda: wv.sentence_vectors(["w1", "no"], "sif")),
        (ValueError, "no counts", lambda: WordVectors(WORDS, wv.vectors).sentence_vectors(TEXTS, "sif")),
    ]:
        with pytest.raises(error, match=message):
            query()
