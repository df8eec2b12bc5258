"""Analogies, compared with gensim and the formulas."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v.evaluate.analogies import analogies
from fastw2v.evaluate.readers import read_analogies
from fastw2v.evaluate.stability import neighbour_stability
from fastw2v.vectors.word_vectors import WordVectors
from tests.evaluate.common import keyed_vectors, parallelograms, random_vectors, write_questions


@pytest.mark.parametrize("cased", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("restrict_vocab", [20, 55, 300])
def test_analogies_score_as_gensim(tmp_path: Path, cased: bool, lower: bool, restrict_vocab: int) -> None:
    vectors, questions = parallelograms(20, noise=0.4, cased=cased)
    path = write_questions(tmp_path / "questions.txt", questions)
    peer = keyed_vectors(vectors)
    # The limit must not exceed the number of rows, because one place in gensim assumes that all these rows exist.
    limit = min(restrict_vocab, len(vectors))
    score, sections = peer.evaluate_word_analogies(
        str(path), restrict_vocab=limit, case_insensitive=lower, dummy4unknown=False
    )
    result = analogies(vectors, read_analogies(path), restrict_vocab=restrict_vocab, lower=lower)
    assert [section.name for section in result.sections] == ["one", "two"]
    for ours, theirs in zip([*result.sections, result.overall], sections, strict=True):
        assert ours.correct == len(theirs["correct"])
        assert ours.covered == len(theirs["correct"]) + len(theirs["incorrect"])
    assert result.overall.total == sum(map(len, questions.values()))
    if result.overall.covered:
        assert result.overall.accuracy == score
        assert result.overall.coverage == result.overall.covered / result.overall.total


def test_analogies_are_neither_all_right_nor_all_wrong() -> None:
    """Otherwise, the comparison with gensim would show little."""
    vectors, questions = parallelograms(20, noise=0.4, cased=True)
    overall = analogies(vectors, questions).overall
    assert 0.1 < overall.accuracy < 0.9
    assert overall.covered == overall.total - 1


def test_analogies_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, questions = parallelograms(12, noise=0.4, cased=True)
    module = importlib.import_module("fastw2v.evaluate.analogies")  # because the package's attribute is the function
    whole = analogies(vectors, questions)
    for scores, cosines in [(1, 2**26), (7 * len(vectors), 2**26), (2**20, 1), (2**20, 9 * len(vectors))]:
        monkeypatch.setattr(module, "_SCORES", scores)
        monkeypatch.setattr(module, "_COSINES", cosines)
        assert analogies(vectors, questions) == whole


def test_analogies_on_every_array_library(xp) -> None:
    vectors, questions = parallelograms(6, noise=0.4, cased=True)
    there = WordVectors(vectors.index_to_key, xp.asarray(vectors.vectors))
    for method in ("3cosadd", "3cosmul"):
        assert analogies(there, questions, method=method) == analogies(vectors, questions, method=method)


def test_3cosmul_against_the_formula() -> None:
    vectors, questions = parallelograms(12, noise=0.4, cased=False)
    unit = vectors.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = vectors.key_to_index
    correct = 0
    for a, b, c, d in questions["one"]:
        a, b, c, d = (rows[word.lower()] for word in (a, b, c, d))
        shares = (unit @ unit[[a, b, c]].T + 1) / 2
        scores = shares[:, 1] * shares[:, 2] / (shares[:, 0] + 1e-6)
        scores[[a, b, c]] = -1
        correct += int(scores.argmax() == d)
    result = analogies(vectors, questions, method="3cosmul")
    assert result.sections[0].correct == correct
    assert result != analogies(vectors, questions)


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="method is '3cosdiv'"):
        analogies(random_vectors(["a"]), {}, method="3cosdiv")  # type: ignore[arg-type]


def test_question_words_are_no_answer() -> None:
    vectors = WordVectors(["a", "b", "c", "A"], np.eye(4, dtype=np.float32))
    result = analogies(vectors, {"": [("a", "b", "c", "b"), ("a", "a", "a", "a"), ("a", "b", "c", "A")]})
    assert (result.overall.correct, result.overall.covered) == (0, 3)


def test_uncovered_analogies_have_no_accuracy() -> None:
    result = analogies(random_vectors(["a", "b"]), {"s": [("a", "b", "c", "d")], "empty": []})
    assert math.isnan(result.overall.accuracy)
    assert (result.overall.covered, result.overall.total, result.overall.coverage) == (0, 1, 0.0)
    assert math.isnan(result.sections[1].coverage)


def test_restrict_vocab_must_be_positive() -> None:
    with pytest.raises(ValueError, match="restrict_vocab is 0"):
        analogies(random_vectors(["a"]), {}, restrict_vocab=0)


def test_no_known_question_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    wv = WordVectors(["man", "woman", "king", "queen"], np.eye(4))
    questions = {"family": [("man", "king", "woman", "queen"), ("man", "king", "girl", "princess")]}
    assert math.isnan(analogies(wv, questions, restrict_vocab=3).overall.accuracy)
    assert "none of the 2 questions has four known words among the first 3" in caplog.text
    caplog.clear()
    analogies(wv, questions)
    assert not caplog.text


@pytest.mark.parametrize("value", [2.5, "30", None, True])
def test_a_size_is_an_integer(value: Any) -> None:
    wv = WordVectors(["man", "woman", "king", "queen"], np.eye(4))
    for call, name in (
        (lambda: analogies(wv, {}, restrict_vocab=value), "restrict_vocab"),
        (lambda: neighbour_stability([wv, wv], topn=value), "topn"),
        (lambda: neighbour_stability([wv, wv], topn=1, restrict_vocab=value), "restrict_vocab"),
    ):
        with pytest.raises(TypeError, match=f"{name} is {value!r} of type"):
            call()
