"""Words in the Unicode forms NFC and NFD, which are the same words if the units of n-grams are syllables or jamo."""

from __future__ import annotations

import pickle
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import UnknownWordError, WordVectors
from fastw2v.backend import to_host
from fastw2v.compat.gensim import FastTextKeyedVectors, KeyedVectors
from fastw2v.config import Units
from fastw2v.corpus.subwords import NGrams, Subwords
from fastw2v.evaluate import analogies, word_pairs

WORDS = ["한국", "사람", "은행", "café", "먹는다", "cat", "가"]
UNSEEN = ["한국말", "먹는다고", "cafés"]
UNITS: list[Units] = ["syllables", "jamo"]


def nfc(word: str) -> str:
    return unicodedata.normalize("NFC", word)


def nfd(word: str) -> str:
    return unicodedata.normalize("NFD", word)


def vectors_of(words: list[str], units: Units = "jamo", xp: Any = np, cls: type = WordVectors, min_n: int = 3) -> Any:
    subwords = Subwords(words, NGrams(min_n, 5, 5000, units=units))
    W_in = np.random.default_rng(0).normal(size=(subwords.n_rows, 6)).astype(np.float32)
    counts = range(100, 100 - len(words), -1)
    return cls(words, None, counts, input_vectors=xp.asarray(W_in), subwords=subwords)


def same(a: Any, b: Any) -> None:
    np.testing.assert_array_equal(to_host(a), to_host(b))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("vocabulary", [nfc, nfd])
def test_queries_find_words_in_every_form(xp: Any, units: Units, vocabulary: Any):
    words = list(map(vocabulary, WORDS))
    wv = vectors_of(words, units, xp)
    for word in WORDS + UNSEEN:
        for form in (nfc(word), nfd(word)):
            assert form in wv
            same(wv[form], wv[vocabulary(word)])
            same(wv.get_vector(form, norm=True), wv.get_vector(vocabulary(word), norm=True))
            assert wv.most_similar(form) == wv.most_similar(vocabulary(word))
            assert wv.nearest([form, "cat"]) == wv.nearest([vocabulary(word), "cat"])
            assert wv.similarity(form, "cat") == wv.similarity(vocabulary(word), "cat")
            assert wv.rank("cat", form) == wv.rank("cat", vocabulary(word))
            same(wv.get_mean_vector([form, "cat"]), wv.get_mean_vector([vocabulary(word), "cat"]))
    for row, word in enumerate(WORDS):
        for form in (nfc(word), nfd(word)):
            assert wv.get_index(form) == wv.get_index(form, default=-1) == row
            assert vocabulary(word) not in [word for word, _ in wv.most_similar(form, topn=20)]
    for word in UNSEEN:
        assert wv.get_index(nfd(word), default=-1) == -1


def test_the_spelling_of_the_vocabulary_comes_first():
    both = [nfd("한국"), nfc("한국"), nfd("사람"), nfc("은행")]
    wv = vectors_of(both)
    for row, word in enumerate(both):
        assert wv.get_index(word) == row
    assert not np.array_equal(wv[both[0]], wv[both[1]])
    mixed = nfd("사") + nfc("람")  # neither form
    assert wv.get_index(mixed) == 2
    assert list(wv.vectors_for_all([nfc("사람"), mixed, nfd("은행"), nfc("한국")])) == [nfd("사람"), "은행", "한국"]


def test_a_form_is_found_without_ngrams():
    """A word that is too short for n-grams, and a word outside the vocabulary with `strict`."""
    wv = vectors_of([nfd("가"), nfc("각"), nfc("사람들과")], "syllables", min_n=5)
    assert nfc("가") in wv
    same(wv[nfc("가")], wv[nfd("가")])
    assert "나" not in wv
    wv.strict = True
    same(wv[nfd("사람들과")], wv[nfc("사람들과")])
    with pytest.raises(UnknownWordError):
        wv[nfd("사람들이")]


def test_forms_of_characters_are_different_words():
    wv = vectors_of(WORDS, "characters")
    assert not np.array_equal(wv[nfd("한국")], wv[nfc("한국")])
    wv.strict = True
    assert nfd("한국") not in wv
    plain = WordVectors(WORDS, np.eye(len(WORDS)))
    assert nfd("한국") not in plain
    jamo = vectors_of(WORDS)
    jamo.vectors = np.eye(len(WORDS))  # which drops the subwords
    assert nfd("한국") not in jamo


@pytest.mark.parametrize("vocabulary", [nfc, nfd])
@pytest.mark.parametrize("lower", [True, False])
def test_evaluation_sets_in_every_form(vocabulary: Any, lower: bool):
    wv = vectors_of(list(map(vocabulary, WORDS)))
    pairs = [
        ("한국", "사람", 5.0),
        ("은행", "먹는다", 1.0),
        ("CAFÉ" if lower else "café", "가", 3.0),
        ("먹었다", "cat", 2.0),
    ]
    questions = {
        "section": [("한국", "사람", "은행", "café"), ("먹었다", "사람", "은행", "cat"), ("가", "사람", "없", "나")]
    }
    expected = word_pairs(wv, [(vocabulary(a), vocabulary(b), score) for a, b, score in pairs], lower)
    assert (expected.covered, expected.unseen) == (3, 1)
    answers = analogies(wv, {"section": [tuple(map(vocabulary, one)) for one in questions["section"]]}, lower=lower)
    assert (answers.overall.covered, answers.overall.unseen) == (1, 1)
    for form in (nfc, nfd):
        assert word_pairs(wv, [(form(a), form(b), score) for a, b, score in pairs], lower) == expected
        again = analogies(wv, {"section": [tuple(map(form, one)) for one in questions["section"]]}, lower=lower)
        assert again == answers


def test_answers_in_another_form_are_correct():
    words = [nfd(word) for word in ("남자", "여자", "왕", "여왕")]
    subwords = Subwords(words, NGrams(3, 5, 5000, units="jamo"))
    W_in = np.zeros((subwords.n_rows, 3))
    W_in[:4] = [[1.0, 0, 0], [0, 1, 0], [3, 0, 4], [0, 3, 4]]
    wv = WordVectors(words, None, input_vectors=W_in, subwords=subwords)
    assert analogies(wv, {"": [("남자", "왕", "여자", "여왕")]}).overall.correct == 1


@pytest.mark.parametrize("cls", [KeyedVectors, FastTextKeyedVectors])
def test_vectors_of_gensim(cls: Any):
    wv = vectors_of(WORDS, cls=cls)
    for word in WORDS:
        assert nfd(word) in wv
        assert wv.has_index_for(nfd(word))
        assert wv.key_to_index[word] == wv.get_index(nfd(word))
        same(wv[nfd(word)], wv[word])
        assert wv.get_vecattr(nfd(word), "count") == wv.get_vecattr(word, "count")
        assert wv.most_similar(nfd(word)) == wv.most_similar(word)
    same(wv[nfd("먹었다")], wv["먹었다"])
    assert not wv.has_index_for(nfd("먹었다"))
    assert list(wv.vectors_for_all([nfd("한국"), nfd("먹었다")], allow_inference=False)) == ["한국"]


def test_copies_and_alignments(tmp_path: Path):
    wv, other = vectors_of(WORDS), vectors_of(list(map(nfd, reversed(WORDS))))
    assert wv.get_index(nfd("한국")) == other.get_index("한국") - len(WORDS) + 1 == 0
    again = pickle.loads(pickle.dumps(other))
    same(again["한국"], other["한국"])
    other.save(tmp_path / "x.safetensors")
    same(WordVectors.load(tmp_path / "x.safetensors")["한국"], other["한국"])
    aligned = wv.align(other)  # the words of both are the same
    same(aligned["한국"], aligned[nfd("한국")])
    same(wv.align(other, list(map(nfd, WORDS))).vectors, aligned.vectors)
    assert len(wv | other) == 2 * len(WORDS) - 1  # without n-grams, only "cat" is the same word


def test_approximate_search():
    pytest.importorskip("usearch")
    wv = vectors_of(WORDS)
    index = wv.index()
    assert index.most_similar(nfd("한국")) == index.most_similar("한국")
    assert index.nearest([nfd("먹었다")]) == index.nearest(["먹었다"])


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("vocabulary", [nfc, nfd])
def test_sentence_vectors(xp: Any, units: Units, vocabulary: Any):
    wv = vectors_of(list(map(vocabulary, WORDS)), units, xp)
    given = [f"{word} {unseen} cat" for word in WORDS for unseen in UNSEEN]
    for method in ("mean", "sif"):
        same(wv.sentence_vectors(list(map(nfc, given)), method), wv.sentence_vectors(list(map(nfd, given)), method))
    wv.strict = True
    same(wv.sentence_vectors([[nfd("한국"), "먹는다고"], [nfc("한국")]]), wv[[nfc("한국"), nfd("한국")]])
