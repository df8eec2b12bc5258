"""Words as keys: strings or integers, and invalid words."""

from __future__ import annotations

import copy
import difflib
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from fastw2v.backend import to_host
from fastw2v.compat.gensim import KeyedVectors
from fastw2v.vectors.keys import UnknownWordError
from fastw2v.vectors.word_vectors import WordVectors
from tests.vectors.common import MATRIX


@pytest.mark.parametrize("number", [0, -1, np.int64(3), True])
def test_an_integer_is_no_word(wv: WordVectors, number: Any) -> None:
    assert number not in wv
    queries = [
        lambda: wv[number],
        lambda: wv[[number]],
        lambda: wv.get_vector(number),
        lambda: wv.similarity("w1", number),
        lambda: wv.most_similar(number),
        lambda: wv.most_similar("w1", [number]),
        lambda: wv.analogy("w1", number, "w2"),
    ]
    for query in queries:
        with pytest.raises(TypeError, match=r"use \.vectors\["):
            query()


@pytest.mark.parametrize("key", [None, 1.5, b"w1", [["w1"]], [1.5, 2.5], [None]])
def test_other_keys_are_refused(wv: WordVectors, key: Any) -> None:
    with pytest.raises(TypeError, match="words are strings"):
        wv[key]
    if key is not None and not isinstance(key, bytes):
        with pytest.raises(TypeError, match="words are strings"):
            wv.most_similar(key)
    assert key not in wv


@pytest.mark.parametrize("name", ["__getitem__", "get_vector", "most_similar", "most_similar_cosmul", "nearest"])
def test_bytes_are_one_word_and_refused(wv: WordVectors, name: str) -> None:
    with pytest.raises(TypeError, match=r"is b'the'"):
        getattr(wv, name)(b"the")


def test_unknown_words_are_told_with_near_spellings() -> None:
    wv = WordVectors(["king", "queen", "Paris", "kings", "NATO"], np.eye(5))
    for query in (lambda: wv["kimg"], lambda: wv[["king", "kimg"]], lambda: wv.analogy("king", "queen", "kimg")):
        with pytest.raises(UnknownWordError) as caught:
            query()
        assert str(caught.value) == "'kimg' is not in the vocabulary of 5 words. Similar spellings: 'king', 'kings'."
        assert isinstance(caught.value, KeyError)
    for wrong, right in [("paris", "Paris"), ("nato", "NATO"), ("KING", "king")]:
        with pytest.raises(KeyError, match=f"Similar spellings: '{right}'"):
            wv.similarity(wrong, "queen")
    with pytest.raises(KeyError, match=r"vocabulary of 5 words\.$"):
        wv["zzzzzz"]


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("known", "asked", "form"),
    [
        ("Paris", "paris", "another case"),
        ("paris", "PARIS", "another case"),
        ("stra\u00dfe", "STRASSE", "another case"),
        ("iPhone", "iphone", "another case"),
        (NFC, NFD, "the Unicode form NFC"),
        (NFD, NFC, "the Unicode form NFD"),
        (NFC.upper(), NFD, "another case and Unicode form"),
        ("\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "the Unicode form NFC"),
        ("cat", "\uff43\uff41\uff54", "the Unicode form NFKC"),
        ("\uff43\uff41\uff54", "cat", "another Unicode form, such as full-width characters"),
        ("\uff23at", "cat", "another case and Unicode form"),
    ],
)
@pytest.mark.parametrize("n_words", [3, 60_000])
def test_a_word_that_is_known_in_another_form_is_named(known: str, asked: str, form: str, n_words: int) -> None:
    words = [f"{i:05d}" for i in range(n_words)]
    if "full-width" in form or "and" in form or known in ("iPhone", "stra\u00dfe"):
        words.insert(0, known)  # these are found among the frequent words only
    else:
        words.append(known)
    with pytest.raises(UnknownWordError) as caught:
        WordVectors(words, np.ones((len(words), 1)))[asked]
    assert f"Similar spellings: {known!r} (same word in {form})" in str(caught.value)


def failures(wv: WordVectors) -> dict[str, Callable[[], Any]]:
    return {
        "item": lambda: wv["nobody"],
        "list": lambda: wv[["w1", "nobody"]],
        "get_vector": lambda: wv.get_vector("nobody"),
        "get_index": lambda: wv.get_index("nobody"),
        "most_similar": lambda: wv.most_similar("nobody"),
        "nearest": lambda: wv.nearest(["nobody"]),
        "similarity": lambda: wv.similarity("w1", "nobody"),
        "integer": lambda: wv[3],
        "object": lambda: wv[object()],
        "slice": lambda: wv[5:2],
        "get_mean_vector": lambda: wv.get_mean_vector([]),
        "n_similarity": lambda: wv.n_similarity(["nobody"], ["w1"]),
        "align": lambda: wv.align(WordVectors(["other"], np.ones((1, wv.vector_size)))),
        "vectors": lambda: setattr(wv, "vectors", np.ones((2, 2))),
    }


@pytest.mark.parametrize("name", failures(WordVectors(["w1"], np.ones((1, 1)))))
def test_errors_carry_no_vocabulary(name: str) -> None:
    words = [f"w{i}" for i in range(100_000)]
    wv = WordVectors(words, np.ones((100_000, 2), np.float32))
    with pytest.raises((KeyError, TypeError, ValueError)) as caught:
        failures(wv)[name]()
    error = caught.value
    pickled = pickle.dumps(error)
    assert len(pickled) < 2000
    for again in (pickle.loads(pickled), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.args == error.args
    assert len(repr(error.args)) < 500
    if isinstance(error, UnknownWordError):
        assert pickle.loads(pickled).word == "nobody"
        assert all(len(value) < 500 for value in vars(error).values())  # once the message has been read


def test_an_error_returns_from_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        error = pool.submit(ask, "kimg").exception()
    assert isinstance(error, UnknownWordError)
    assert str(error) == "'kimg' is not in the vocabulary of 2 words. Similar spellings: 'king'."


def ask(word: str) -> Any:
    return WordVectors(["king", "queen"], np.eye(2))[word]


def test_a_long_word_makes_no_long_message() -> None:
    assert len(str(UnknownWordError("x" * 1_000_000, ["xy"]))) < 200


def test_near_spellings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large vocabulary is searched in part, and a long word is not compared at all."""
    compared: list[int] = []
    find = difflib.get_close_matches

    def counting(word: str, possibilities: list[str], n: int) -> list[str]:
        compared.append(len(word) * sum(map(len, possibilities)))
        return find(word, possibilities, n=n)

    monkeypatch.setattr("difflib.get_close_matches", counting)
    words = [f"word{i:07d}" for i in range(400_000)]
    assert "Similar spellings: 'word" in str(UnknownWordError("word12x4567", words))
    assert len(compared) == 1
    assert compared[0] < len(words) * 11 * 11 / 4
    assert "Similar" not in str(UnknownWordError("x" * 10_000_000, words))
    assert len(compared) == 1


KEYS = [5, 0, 3, -2, 880012]


@pytest.mark.parametrize("kind", [int, np.int64, np.uint32, np.int8])
def test_every_query_takes_and_returns_integer_keys(xp: Any, kind: Any) -> None:
    kv = KeyedVectors(KEYS, xp.asarray(MATRIX[:5]), counts=[9, 7, 5, 3, 1])
    strings = KeyedVectors(list(map(str, KEYS)), xp.asarray(MATRIX[:5]), counts=[9, 7, 5, 3, 1])
    keys = [kind(key) for key in (5, 0, 3)]
    for query in (
        lambda kv, a, b, c: kv[a],
        lambda kv, a, b, c: kv[[a, b]],
        lambda kv, a, b, c: kv.get_vector(a, norm=True),
        lambda kv, a, b, c: kv.get_index(c),
        lambda kv, a, b, c: a in kv and kv.has_index_for(b),
        lambda kv, a, b, c: kv.get_vecattr(a, "count"),
        lambda kv, a, b, c: kv.most_similar(a),
        lambda kv, a, b, c: kv.most_similar([a, (b, 2.0)], [c]),
        lambda kv, a, b, c: kv.most_similar(np.array([a, b])),
        lambda kv, a, b, c: kv.most_similar_cosmul(np.array([a]), c),
        lambda kv, a, b, c: kv.similar_by_key(a) + kv.similar_by_word(b),
        lambda kv, a, b, c: kv.nearest(np.array([a, b])),
        lambda kv, a, b, c: kv.analogy(a, b, c),
        lambda kv, a, b, c: kv.similarity(a, b),
        lambda kv, a, b, c: kv.distance(a, b),
        lambda kv, a, b, c: kv.distances(a, [b, c]),
        lambda kv, a, b, c: kv.n_similarity([a, b], np.array([c])),
        lambda kv, a, b, c: kv.get_mean_vector(np.array([a, b])),
        lambda kv, a, b, c: kv.sentence_vectors([[a, b], np.array([c])]),
        lambda kv, a, b, c: kv.closer_than(a, b),
        lambda kv, a, b, c: kv.rank(a, b),
        lambda kv, a, b, c: kv.doesnt_match([a, b, c]),
        lambda kv, a, b, c: kv.most_similar_to_given(a, [b, c]),
        lambda kv, a, b, c: kv.relative_cosine_similarity(a, b, topn=2),
        lambda kv, a, b, c: kv.vectors_for_all([c, a]).index_to_key,
        lambda kv, a, b, c: (kv & [a, b]).index_to_key,
        lambda kv, a, b, c: (kv - [a, b]).index_to_key,
    ):
        found, expected = plain(query(kv, *keys)), plain(query(strings, *map(str, keys)))
        assert not any(isinstance(value, np.integer) for value in found)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours == pytest.approx(theirs) if isinstance(theirs, float) else str(ours) == str(theirs)


def plain(answer: Any) -> list[Any]:
    """Return all numbers and words of an answer in one list."""
    if hasattr(answer, "dtype"):
        return to_host(answer).ravel().tolist()
    if isinstance(answer, (list, tuple)):
        return [value for part in answer for value in plain(part)]
    return [answer]


def test_arrays_of_words_are_lists_of_words(wv: WordVectors) -> None:
    expected = wv.most_similar(["w1", "w2"])
    assert wv.most_similar(np.array(["w1", "w2"])) == wv.most_similar(np.array(["w1", "w2"], dtype=object)) == expected
    whole = np.array([1, 0, 0, 2, 0, 0])
    assert wv.most_similar(whole) == wv.most_similar(whole.astype(float))  # words are strings, so this is a vector


def test_integers_as_words(xp) -> None:
    nodes = [5, np.int64(0), 3]
    wv = WordVectors(nodes, xp.asarray(MATRIX[:3]))
    assert wv.index_to_key == [5, 0, 3]
    assert {type(key) for key in wv.index_to_key} == {int}
    assert to_host(wv[0]).tolist() == to_host(wv[np.int32(0)]).tolist() == MATRIX[1].tolist()
    assert to_host(wv[[3, 5]]).tolist() == MATRIX[[2, 0]].tolist()
    assert to_host(wv[np.array([3, 5])]).tolist() == MATRIX[[2, 0]].tolist()
    assert 5 in wv
    assert np.uint8(5) in wv
    assert wv.most_similar(5)[0][0] in (0, 3)
    assert wv.most_similar([(5, 2.0), 3], topn=1)[0][0] == 0
    for node, found in zip([5, 0, 3], wv.nearest([5, 0, 3], topn=1), strict=True):
        [(other, score)] = wv.most_similar(node, topn=1)
        assert found == [(other, pytest.approx(score, abs=1e-6))]  # a matrix product rounds differently
    for missing in (1, 2, -1):
        assert missing not in wv
        with pytest.raises(UnknownWordError, match=f"{missing} is not in the vocabulary"):
            wv[missing]
    for other in ("5", True, 5.0, None, np.bool_(1)):
        assert other not in wv
        with pytest.raises(TypeError, match="words are integers"):
            wv.get_vector(other)
